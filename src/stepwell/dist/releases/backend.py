"""The wheel that a project's own build backend makes, through `uv build`: nothing of Stepwell's is in it yet.

folder = copied(root, tree.files, aside / "project")     # what git knows of it, and nothing else
path = built(folder, aside / "dist", "1.4.0")            # a wheel
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tomllib
from collections.abc import Iterable
from pathlib import Path

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
    words = [uv(), "build", "--wheel", "--out-dir", str(aside), "--no-progress", "--color", "never"]
    words += ["--no-create-gitignore", "."]
    try:
        done = subprocess.run(
            words, cwd=root, env=_surroundings(version), stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise _failed(f"it was not done after {PATIENCE} s") from None
    wheels = sorted(aside.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        text = done.stderr.decode("utf-8", "replace").replace(f"{root}{os.sep}", "").replace(str(root), ".")
        said = " ".join(text.split())
        raise _failed(
            f"…{said[-LONGEST:]}" if len(said) > LONGEST else said or f"it made {len(wheels)} wheels"
        )
    return wheels[0]


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
