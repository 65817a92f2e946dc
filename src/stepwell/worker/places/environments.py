"""Environments that uv makes: resolved when a plan is made, made when a step first needs them.

    wanted = Wanted(("xgboost==2.1",), python="3.12", folder=root)
    found = resolved(wanted)             # exact versions with their hashes; asks package indexes
    folder = made(found)                 # the environment, from the cache or new

An environment lies in the user's cache folder under the digest of what is in it, is the same for all
projects, and is complete as soon as it has its name: it is built aside and renamed. Whoever comes while
another process builds the same one waits for it; a process that is killed meanwhile leaves a folder that
nobody looks at and the next one clears away.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from stepwell.errors import CannotResolve, EnvironmentFailed, NoPython, NoUv

LEAST = (3, 11)
"""The oldest Python that Stepwell's own code runs on."""

MARK = "stepwell.json"
"""The file of an environment that says what it is."""

LONGEST = 1000
"""Characters of what uv said that an error repeats."""

_PYTHON_VARIABLES = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX", "UV_PYTHON")


class Python(NamedTuple):
    """An interpreter: its version, "3.12.1", and its program, which is in no virtual environment."""

    version: str
    program: str


class Wanted(NamedTuple):
    """What a step asks for. `folder` is the project's: relative paths, and settings of uv, are looked for there.

    `requirements` are texts of requirements files that are no file's (of a lock, of a project's metadata).
    `group` is a dependency group of `pyproject.toml` there.
    """

    packages: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    group: str = ""
    requirements: str = ""
    python: str = ""
    folder: str = ""


class Environment(NamedTuple):
    """An environment by what is in it: the text of a requirements file with exact versions and hashes, and the Python."""

    lock: str
    version: str
    program: str

    @property
    def digest(self) -> str:
        """What it is called in the cache."""
        text = json.dumps([self.lock, self.version, self.program, platform.machine(), sys.platform])
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    @property
    def versions(self) -> dict[str, str]:
        """Versions by name: the minor version of Python as `python`, and each distribution."""
        minor = ".".join(self.version.split(".")[:2])
        return {"python": minor, **dict(sorted(_pins(self.lock)))}


def cache_folder() -> Path:
    """Where Stepwell keeps what it can make again: `$STEPWELL_CACHE`, else `stepwell` in the user's cache folder."""
    told = os.environ.get("STEPWELL_CACHE")
    if told:
        return Path(told).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base, "stepwell")


# --------------------------------------------------------------------------- uv and Python


def uv() -> str:
    """The program uv: of the `PATH`, else of this environment. Raises `NoUv`."""
    beside = os.path.join(sysconfig.get_path("scripts"), "uv")
    found = shutil.which("uv") or shutil.which(beside)
    if found is None:
        raise NoUv(
            "uv is not installed, and a step asks for an environment of its own",
            why="uv finds the distributions of `packages=`, `requirements=` and `group=`, and installs them",
            fixes=['pip install "stepwell[environments]"', "or install uv: https://docs.astral.sh/uv"],
        )
    return found


def python(wanted: str) -> Python:
    """An interpreter of this machine: the one that runs, if it is of the version that is wanted, else another.

    Raises `NoPython`, which names those that there are. Downloads none.
    """
    own = Python(platform.python_version(), os.path.realpath(sys._base_executable or sys.executable))  # type: ignore[attr-defined]
    if wanted and _parts(wanted)[:2] < LEAST:
        raise NoPython(
            f"Python {wanted} is too old: steps run on {_spelled(LEAST)} or later",
            why="Stepwell's own code runs beside the step, and needs it",
            fixes=["take an image for what needs an older one: a shell step with `image=`"],
        )
    if _fits(own.version, wanted):
        return own
    there = sorted({own, *_installed()}, key=lambda one: _parts(one.version), reverse=True)
    fitting = [one for one in there if _fits(one.version, wanted)]
    if fitting:
        return fitting[0]
    known = sorted(
        {".".join(one.version.split(".")[:2]) for one in there if _parts(one.version) >= LEAST}, key=_parts
    )
    raise NoPython(
        f"there is no Python {wanted} on this machine",
        why=f"there is {', '.join(known)}",
        fixes=[f"uv python install {wanted}", f'take one that is there: python="{known[-1]}"'],
    )


def _installed() -> Iterator[Python]:
    """The interpreters that uv knows of, and those of pyenv, whose programs on the `PATH` refuse to work where none is chosen."""
    told = _run([uv(), "python", "list", "--only-installed", "--output-format", "json"], "/")
    with contextlib.suppress(ValueError):
        for one in json.loads(told.stdout):
            if one.get("implementation") == "cpython" and one.get("path"):
                yield Python(one["version"], one["path"])
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for folder in sorted((root / "versions").glob("3.*")):
        program = folder / "bin" / "python"
        if re.fullmatch(r"3\.\d+\.\d+", folder.name) and os.access(program, os.X_OK):
            yield Python(folder.name, str(program))


def _fits(version: str, wanted: str) -> bool:
    return not wanted or _parts(version)[: len(_parts(wanted))] == _parts(wanted)


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _spelled(parts: tuple[int, ...]) -> str:
    return ".".join(map(str, parts))


# --------------------------------------------------------------------------- resolving


def resolved(wanted: Wanted, interpreter: Python, *, fresh: bool = False) -> Environment:
    """Exact versions of what is wanted, for this machine. `fresh`: what indexes said some minutes ago does not count.

    Raises `NoUv`, and `CannotResolve` with uv's own explanation.
    """
    if not (wanted.packages or wanted.files or wanted.group or wanted.requirements.strip()):
        return Environment("", interpreter.version, interpreter.program)
    with tempfile.TemporaryDirectory(prefix="stepwell-") as aside:
        given = Path(aside, "requirements.in")
        given.write_text("\n".join([*wanted.packages, wanted.requirements, ""]), "utf-8")
        words = [uv(), "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--generate-hashes"]
        words += ["--python", interpreter.program, "--no-python-downloads", "--color", "never"]
        words += ["--refresh"] if fresh else []
        words += ["--group", wanted.group] if wanted.group else []
        done = _run([*words, "--", str(given), *wanted.files], wanted.folder or aside)
    if done.returncode:
        raise CannotResolve(
            f"{_named(wanted)} cannot be resolved for Python {interpreter.version}",
            why=_told(done.stderr),
            fixes=["check the network, or the index that uv is told to ask"]
            if "ailed to fetch" in done.stderr
            else ["correct the names and versions", "or take another version of Python: python=..."],
        )
    return Environment(done.stdout.strip() + "\n", interpreter.version, interpreter.program)


def _named(wanted: Wanted) -> str:
    said = [f"`{one}`" for one in (*wanted.packages[:3], *wanted.files)]
    said += [f"{len(wanted.packages) - 3} more"] if len(wanted.packages) > 3 else []
    said += [f"the group `{wanted.group}`"] if wanted.group else []
    return ", ".join(said) or "what the project requires"


def _pins(lock: str) -> Iterator[tuple[str, str]]:
    """Names and versions in a requirements file with exact ones; of an address, its text."""
    for line in lock.splitlines():
        words = line.partition(";")[0].rstrip("\\ ")
        match = re.match(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^]]*\])?\s*(==|@)\s*(\S+)", words)
        if match is not None:
            yield re.sub(r"[-_.]+", "-", match[1]).lower(), match[3]


# --------------------------------------------------------------------------- making


def is_made(wanted: Environment) -> bool:
    """Whether an environment is in the cache."""
    return (cache_folder() / "environments" / wanted.digest / MARK).is_file()


def made(wanted: Environment, root: str = "/") -> Path:
    """The folder of an environment, which is made where it is not there yet. Raises `EnvironmentFailed`, `NoUv`.

    Settings of uv (which indexes there are) are looked for in the project at `root`.
    """
    folder = cache_folder() / "environments" / wanted.digest
    if (folder / MARK).is_file():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _alone(folder):
            if not (folder / MARK).is_file():
                _make(wanted, folder, root)
    except OSError as error:
        raise EnvironmentFailed(
            f"the environment of the step cannot be made in `{folder.parent}`: {error.strerror or error}",
            fixes=["make room there, or choose another folder: STEPWELL_CACHE=..."],
        ) from error
    return folder


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """No other process makes this environment meanwhile. The system ends that with the process."""
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make(wanted: Environment, folder: Path, root: str) -> None:
    """Build it aside and give it its name. Raises `EnvironmentFailed`, `OSError`."""
    for left in folder.parent.glob(f".{folder.name}.*"):  # by a process that was killed: nobody else is at it
        _remove(left)
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        venv = ["venv", "--quiet", "--relocatable", "--no-project", "--no-python-downloads", "--clear"]
        _must([uv(), *venv, "--python", wanted.program, str(aside)], wanted, root)
        if wanted.lock.strip():
            lock = aside / "requirements.txt"
            lock.write_text(wanted.lock, "utf-8")
            python = str(aside / "bin" / "python")
            sync = ["pip", "sync", "--quiet", "--compile-bytecode", "--color", "never", "--python", python]
            _must([uv(), *sync, "--", str(lock)], wanted, root)
        (aside / MARK).write_text(
            json.dumps({"python": wanted.version, "versions": wanted.versions}), "utf-8"
        )
        make_readonly(aside)
        if folder.exists():  # not one that we finished
            _remove(folder)
        aside.rename(folder)
    finally:
        if aside.exists():
            _remove(aside)


def _must(words: list[str], wanted: Environment, root: str) -> None:
    done = _run(words, root)
    if done.returncode:
        count = len(wanted.versions) - 1
        raise EnvironmentFailed(
            f"the environment of the step ({count} distributions for Python {wanted.version}) could not be made",
            why=_told(done.stderr),
            fixes=["check the network, then run again", "stepwell run --refresh   resolves it anew"],
        )


def make_readonly(folder: Path) -> None:
    """Nobody is to change it by accident: it counts by what is in it. The folder itself is renamed yet."""
    for here, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = os.path.join(here, name)
            if not os.path.islink(path):
                os.chmod(path, stat.S_IMODE(os.lstat(path).st_mode) & ~0o222)


def _remove(folder: Path) -> None:
    """Remove it, read-only as it may be."""
    for here, folders, _ in os.walk(folder):
        for path in (here, *(os.path.join(here, name) for name in folders)):
            if not os.path.islink(path):
                with contextlib.suppress(OSError):
                    os.chmod(path, 0o700)
    shutil.rmtree(folder, ignore_errors=True)


# --------------------------------------------------------------------------- talking to uv


def _run(words: list[str], folder: str) -> subprocess.CompletedProcess[str]:
    """Run uv, which is to know nothing of the environment that this process is in."""
    environment: Mapping[str, str] = {
        name: value for name, value in os.environ.items() if name not in _PYTHON_VARIABLES
    }
    return subprocess.run(
        words, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, errors="replace", check=False,
    )  # fmt: skip


def _told(said: str) -> str:
    """What uv said, as one line without decoration."""
    lines = (re.sub(r"^[\s×╰─▶├│·]+|^(?:error|warning): ", "", line).strip() for line in said.splitlines())
    text = " ".join(line for line in lines if line)
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"
