"""The files that a release carries of its project: what is needed to run it again, and no data.

found = project_files(root, tree, modules, apart)
found.files["pipeline.py"], found.left
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from stepwell.dist.releases.archive import Files
from stepwell.dist.releases.tree import Tree
from stepwell.errors import CannotRelease

LARGEST = 1_000_000
"""Bytes of a file that goes along: code and settings are smaller, data and pictures often are not."""

BESIDE = (
    "pyproject.toml",
    "stepwell.toml",
    "uv.lock",
    "pylock.toml",
    "README.md",
    "setup.py",
    "setup.cfg",
    "MANIFEST.in",
    "hatch.toml",
)
"""Files of a project's root that go along where no git says what belongs to it."""

SOURCES = ("", "src/")
"""Where in a project's root the files of its package lie."""


class Found(NamedTuple):
    """Files by their names relative to the root, and the names of those that do not go along, with why."""

    files: dict[str, bytes]
    left: dict[str, str]


def project_files(root: Path, tree: Tree, modules: Mapping[str, bytes], apart: Collection[str]) -> Found:
    """The files of a project.

    `modules` are the files of its code that were loaded, by absolute path, with the bytes that ran; they go along however
    large they are. `apart` are absolute paths of data. Raises `CannotRelease` for a file that cannot be read.
    """
    inside = {_name(root, path): data for path, data in modules.items() if Path(path).is_relative_to(root)}
    names = tree.files if tree.known else tuple(name for name in BESIDE if (root / name).is_file())
    files, left = dict(inside), dict[str, str]()
    data = {os.path.realpath(path) for path in apart}
    for name in names:
        if name in files:
            continue
        why, found = _read(root / name, data)
        if why:
            left[name] = why
        elif found is not None:
            files[name] = found
    for name in [name for name in files if not _portable(name)]:
        if name in inside:
            raise CannotRelease(
                f"`{name}` has a name that not every system can have", fixes=["rename it, and release again"]
            )
        left[name] = "its name is not one that every system can have"
        del files[name]
    return Found(dict(sorted(files.items())), left)


def with_sources(found: Found, root: Path, wheel: Files) -> Found:
    """The same with what else the project's `wheel` was built of, where nothing says what belongs to it: its package, and licences.

    So the release can be built again from what is in it.
    """
    more: dict[str, bytes] = {}
    for name, entry in wheel.items():
        inside = name.partition(".dist-info/licenses/")[2]
        for place in [inside] if inside else [f"{base}{name}" for base in SOURCES]:
            if place in found.files or place in found.left or len(entry.data) > LARGEST:
                continue
            if _digest(root / place) == _sha256(entry.data):
                more[place] = entry.data
    return found._replace(files=dict(sorted({**found.files, **more}.items()))) if more else found


def held_elsewhere(found: Found, root: Path, wheel: Files) -> dict[str, str]:
    """Of the files that do not go along those that the project's `wheel` has anyway, as data of its package: their SHA-256 by name."""
    there = {_sha256(entry.data) for entry in wheel.values()}
    digests = {
        name: _digest(root / name)
        for name in found.left
        if not Path(name).name.startswith(".env") and not (root / name).is_symlink()
    }
    return {name: digest for name, digest in sorted(digests.items()) if digest in there}


def _digest(path: Path) -> str:
    """The SHA-256 of a file; "" of what is none."""
    return _sha256(path.read_bytes()) if path.is_file() else ""


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _read(path: Path, data: Collection[str]) -> tuple[str, bytes | None]:
    """Why a file does not go along, or what is in it; neither for one that was deleted, or is a folder (a submodule)."""
    if path.name.startswith(".env"):
        return "it may hold secrets", None
    if path.is_symlink():
        return "it is a link", None
    if not path.is_file():
        return "", None
    if os.path.realpath(path) in data:
        return "it is data", None
    try:
        if path.stat().st_size > LARGEST:
            return f"it is larger than {LARGEST:,} bytes", None
        return "", path.read_bytes()
    except OSError as error:
        raise CannotRelease(
            f"`{path.name}` cannot be read: {error.strerror}", fixes=[f"chmod u+r {path.name}"]
        ) from None


def _name(root: Path, path: str) -> str:
    return Path(path).relative_to(root).as_posix()


def _portable(name: str) -> bool:
    """Whether a wheel may have a file of this name: as `dist.wheels` checks it."""
    parts: Iterator[str] = iter(name.split("/"))
    return (
        name.isprintable()
        and not {"\\", ":"} & {*name}
        and all(part not in ("", ".", "..") for part in parts)
    )
