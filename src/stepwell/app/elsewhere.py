"""A folder in which a pipeline is run once more, apart from everything: its files, its environment, its inputs, a new store.

with stage(keep=False) as place:
    put_project(place)                                        # the caller
    lost = provide(place, lock, names, Where(root, places))   # inputs, by digest
    how = interpreter(lock, pylock, place)                    # the locked environment, by uv
    answer = rebuilt(place, how, order)                       # in a process without network

place/project/     the project's files, its inputs linked into it
place/store/       the store of this run alone
place/then/        blobs of then, to compare with
place/lib/         Stepwell itself, and what it needs, for the environment of the lock
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from stepwell.app.rebuilt import ANSWER, ORDER, Answer, Order
from stepwell.dist.lock import Environment
from stepwell.dist.pylock import requirements_of
from stepwell.errors import (
    CannotResolve,
    EnvironmentFailed,
    NoPython,
    NotInstallable,
    NoUv,
    PythonMissing,
    RebuildDied,
)
from stepwell.stores.blobs import Blobs

PACKAGE = Path(__file__).resolve().parents[1]
"""The folder of Stepwell's own sources."""

START = (
    "import os, sys\nsys.path.append(sys.argv[1])\nfrom stepwell.app.rebuilt import main\nmain(sys.argv[2])\n"
)
"""What the process executes: Stepwell, and what it needs, come after what the environment has itself."""

_LEFT_OUT = re.compile(r"PYTHON.*|VIRTUAL_ENV|CONDA_PREFIX|__PYVENV_LAUNCHER__|STEPWELL_(?!CACHE$).*")
"""Variables that would have another Python, another store or other parameters be used."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Stage(NamedTuple):
    """The folders of a stage."""

    folder: Path

    @property
    def project(self) -> Path:
        """The project's files."""
        return self.folder / "project"

    @property
    def store(self) -> Path:
        """The store of this run."""
        return self.folder / "store"

    @property
    def then(self) -> Blobs:
        """What came out before, by digest."""
        return Blobs(self.folder / "then")

    @property
    def libraries(self) -> Path:
        """Where Stepwell is found. The name says that it is installed, and nobody's own code."""
        return self.folder / "lib" / "site-packages"


class Interpreter(NamedTuple):
    """A Python to run with; `locked` is the SHA-256 of the `pylock.toml` that its libraries are from, "" where they are those of this process."""

    program: str
    locked: str = ""


@contextlib.contextmanager
def stage(*, keep: bool = False) -> Iterator[Stage]:
    """A new stage, removed afterwards unless it is to be kept."""
    place = Stage(Path(tempfile.mkdtemp(prefix="stepwell-reproduce-")).resolve())
    try:
        for folder in (place.project, place.store, place.folder / "then", place.libraries):
            folder.mkdir(parents=True)
        place.then.make()
        yield place
    finally:
        if not keep:
            shutil.rmtree(place.folder, ignore_errors=True)


# --------------------------------------------------------------------------- environments


def interpreter(wanted: Environment, pylock: bytes | None, root: Path) -> Interpreter:
    """The interpreter of a lock with its libraries, made by uv where they are not there yet; without a `pylock` this process's own.

    `root` is where uv looks for its settings. Raises `PythonMissing`, `NotInstallable`.
    """
    if pylock is None:
        return Interpreter(sys.executable)
    import hashlib

    from stepwell.worker.places import environments

    version = wanted.python.rpartition(" ")[2]
    try:
        found = environments.python(version)
        asked = environments.Environment(requirements_of(pylock), found.version, found.program)
        folder = environments.made(asked, str(root))
    except NoPython as error:
        raise PythonMissing(
            f"it was made with Python {version}, and there is none on this machine", why=error.why,
            fixes=[f"uv python install {version}"],
        ) from None  # fmt: skip
    except (NoUv, EnvironmentFailed, CannotResolve) as error:
        raise NotInstallable(
            f"the environment that is locked, for Python {version}, cannot be made here",
            why=error.why,
            fixes=[
                *([error.fixes[0]] if isinstance(error, NoUv) else []),
                "check the network, and which indexes uv is told to ask",
                f"make it on {wanted.platform or 'the platform'} where it was locked, which has all of it",
            ],
        ) from None
    return Interpreter(str(folder / "bin" / "python"), hashlib.sha256(pylock).hexdigest())


def lend(place: Stage, how: Interpreter, version: str) -> None:
    """Put Stepwell, and the distributions that it needs itself, where the process finds them behind its own. Raises as `interpreter`."""
    (place.libraries / "stepwell").symlink_to(PACKAGE)
    if not how.locked:  # this process's own libraries
        return
    if version in ("", f"{sys.version_info.major}.{sys.version_info.minor}"):
        for name in _own_needs():
            _link(name, place.libraries)
        return
    from stepwell.worker.places import environments

    pins = "".join(f"{name}=={importlib.metadata.version(name)}\n" for name in _own_needs())
    python = environments.python(version)
    folder = environments.made(
        environments.Environment(pins, python.version, python.program), str(place.project)
    )
    for site in (folder / "lib").glob("python*/site-packages"):
        for entry in site.iterdir():
            with contextlib.suppress(FileExistsError):
                (place.libraries / entry.name).symlink_to(entry)


def _own_needs() -> list[str]:
    """The distributions that Stepwell cannot do without, and those that these need."""
    found: dict[str, None] = {}
    todo = ["stepwell"]
    while todo:
        try:
            needed = importlib.metadata.requires(todo.pop()) or []
        except importlib.metadata.PackageNotFoundError:  # for another platform
            continue
        for line in needed:
            name = _NAME.match(line)
            if name is not None and "extra ==" not in line and name[0] not in found:
                found[name[0]] = None
                todo.append(name[0])
    return [name for name in found if _is_installed(name)]


def _is_installed(name: str) -> bool:
    try:
        return bool(importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return False


def _link(name: str, folder: Path) -> None:
    """The top modules of a distribution, and what is known of it, as links."""
    found = importlib.metadata.distribution(name)
    for top in {file.parts[0] for file in found.files or () if file.parts[0] not in ("..", "__pycache__")}:
        with contextlib.suppress(FileExistsError):
            (folder / top).symlink_to(Path(str(found.locate_file(top))).resolve())


# --------------------------------------------------------------------------- the process


def rebuilt(place: Stage, how: Interpreter, order: Order) -> Answer:
    """Run a pipeline on a stage, in a process of its own. Raises `RebuildDied`."""
    (place.folder / ANSWER).unlink(missing_ok=True)
    (place.folder / ORDER).write_bytes(msgspec.json.encode(order))
    kept = {name: value for name, value in os.environ.items() if not _LEFT_OUT.fullmatch(name)}
    if not how.locked and "PYTHONPATH" in os.environ:  # the libraries of this process may be there
        kept["PYTHONPATH"] = os.environ["PYTHONPATH"]
    environment = {
        **kept,
        "PYTHONNOUSERSITE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "STEPWELL_STORE": str(place.store),
        "PWD": str(place.project),
    }
    command: Sequence[str] = (how.program, "-P", "-c", START, str(place.libraries), str(place.folder))
    said = subprocess.PIPE if order.quiet else None
    done = subprocess.run(
        command, cwd=place.project, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=said, check=False,
    )  # fmt: skip
    try:
        return msgspec.json.decode((place.folder / ANSWER).read_bytes(), type=Answer)
    except FileNotFoundError:
        lines = (done.stderr or b"").decode("utf-8", "replace").strip().splitlines()
        how_it_ended = (
            f"exit code {done.returncode}" if done.returncode >= 0 else f"signal {-done.returncode}"
        )
        raise RebuildDied(
            f"the process that makes it again ended without a word ({how_it_ended})",
            why=lines[-1][:300] if lines else "",
            fixes=["stepwell reproduce … --keep-folder   leaves the folder, to look what is wrong"],
        ) from None
