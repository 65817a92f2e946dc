"""The wheel that a project's own build backend makes, through `uv build`: nothing of Stepwell's is in it yet.

folder = copied(root, tree.files, aside / "project")     # what git knows of it, and nothing else
path = built(folder, aside / "dist", "1.4.0")            # a wheel
path = built_again(folder, aside, "1.4.0", Again(python, "hatchling 1.27.0"))      # the same, without network
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from stepwell.errors import BuildFailed
from stepwell.worker.places.environments import uv

PATIENCE = 600
"""Seconds that a build may take."""

LONGEST = 1500
"""Characters of what the backend said that an error repeats: the end, where the reason is."""

EPOCH = "315532800"
"""`SOURCE_DATE_EPOCH` of a build: 1980-01-01, the earliest that an archive can say."""


def has_backend(root: Path) -> bool:
    """Whether the project says how it is built: `[build-system]` in `pyproject.toml`, which was read before and is TOML."""
    file = root / "pyproject.toml"
    return file.is_file() and "build-system" in tomllib.loads(file.read_text("utf-8"))


def static_version(root: Path) -> str:
    """The version that `[project]` says itself; "" where it says none, or that the backend finds it."""
    file = root / "pyproject.toml"
    said = tomllib.loads(file.read_text("utf-8")).get("project", {}) if file.is_file() else {}
    return str(said.get("version", ""))


def copied(root: Path, files: Iterable[str], target: Path) -> Path:
    """A copy of a project's files to build from: what lies about in its folder does not get into the wheel. Gives `target`."""
    for name in files:
        source, place = root / name, target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir() and not source.is_symlink():  # a submodule
            shutil.copytree(
                source, place, symlinks=True, ignore=shutil.ignore_patterns(".git"), dirs_exist_ok=True
            )
        elif os.path.lexists(source):
            shutil.copy2(source, place, follow_symlinks=False)
    return target


def built(root: Path, aside: Path, version: str) -> Path:
    """Build the wheel of the project in `root` into the new folder `aside`. Raises `BuildFailed`, `NoUv`.

    Backends that ask git for the version are given `version`.
    """
    return _built(root, aside, version, [uv(), *_BUILD, str(aside), "."])


class Again(NamedTuple):
    """How a wheel is built once more: with the interpreter `program`, and the backend that `generator`, as its WHEEL says, names."""

    program: str
    generator: str = ""


def built_again(root: Path, aside: Path, version: str, how: Again) -> Path:
    """Build it as `built` does, without network. The backend comes from uv's cache, and is fetched first where that has none.

    Raises `BuildFailed`, `NoUv`.
    """
    aside.mkdir(parents=True)
    held = aside / "backend.txt"
    held.write_text(_pin(how.generator), "utf-8")
    own = [str(Path(__file__).parents[3]), uv()]
    words = [sys.executable, "-P", "-c", _APART, *own, *_BUILD, str(aside)]
    words += ["--offline", "--python", how.program, "--build-constraints", str(held), "."]
    try:
        return _built(root, aside, version, words)
    except BuildFailed:
        _fetch(root, aside / "fetched", held, how.program)
    return _built(root, aside, version, words)


_BUILD = (
    "build", "--wheel", "--no-progress", "--color", "never", "--no-create-gitignore", "--out-dir",
)  # fmt: skip

_APART = """
import os, sys
sys.path.append(sys.argv[1])
from stepwell.worker.namespaces import close_network
close_network()
os.execv(sys.argv[2], sys.argv[2:])
"""
"""What starts a program without network: a build may execute what the project says, and a wheel may not be what it says."""

_GENERATOR = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*) \(?(?P<version>[0-9][A-Za-z0-9.+!]*)\)?")
"""A name and a version: "hatchling 1.27.0", "setuptools (80.9.0)"."""

_CALLED = {"flit": "flit-core", "uv": "uv-build", "bdist_wheel": "wheel"}
"""The distributions of backends that call themselves otherwise in WHEEL."""


def _pin(generator: str) -> str:
    """The requirement of the backend that made a wheel; "" where its WHEEL does not say which."""
    found = _GENERATOR.fullmatch(generator.strip())
    return "" if found is None else f"{_CALLED.get(found['name'], found['name'])}=={found['version']}\n"


def _fetch(root: Path, aside: Path, held: Path, program: str) -> None:
    """Have uv fetch what the project is built with, so that it is in its cache. Nothing of it is executed. Raises `BuildFailed`."""
    said = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["build-system"].get("requires", [])
    words = [uv(), "pip", "install", "--quiet", "--only-binary", ":all:", "--target", str(aside)]
    words += ["--python", program, "--constraints", str(held), "--", *map(str, said)]
    done = subprocess.run(words, cwd=root, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode:
        raise _failed(f"what it is built with cannot be had: {_said(done.stderr, root)}")


def _built(root: Path, aside: Path, version: str, words: Sequence[str]) -> Path:
    """The one wheel that a command makes. Raises `BuildFailed`."""
    try:
        done = subprocess.run(
            words, cwd=root, env=_surroundings(version), stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise _failed(f"it was not done after {PATIENCE} s") from None
    wheels = sorted(aside.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        raise _failed(_said(done.stderr, root) or f"it made {len(wheels)} wheels")
    return wheels[0]


def _said(stderr: bytes, root: Path) -> str:
    """The end of what a program said, on one line, without the name of the folder."""
    text = stderr.decode("utf-8", "replace").replace(f"{root}{os.sep}", "").replace(str(root), ".")
    said = " ".join(text.split())
    return f"…{said[-LONGEST:]}" if len(said) > LONGEST else said


def _surroundings(version: str) -> dict[str, str]:
    """The variables that a build sees: without those of the environment that Stepwell runs in, and with a fixed time."""
    apart = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX")
    return {
        **{name: value for name, value in os.environ.items() if name not in apart},
        "SOURCE_DATE_EPOCH": EPOCH,
        "PYTHONHASHSEED": "0",
        "TZ": "UTC",
        "SETUPTOOLS_SCM_PRETEND_VERSION": version,  # also hatch-vcs
        "PDM_BUILD_SCM_VERSION": version,
    }


def _failed(why: str) -> BuildFailed:
    return BuildFailed(
        "the project's build backend made no wheel", why=why, fixes=["uv build --wheel   says more"]
    )
