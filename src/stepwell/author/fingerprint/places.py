"""Where modules live: in the project, in the standard library, or in something installed.

First-party are the files below the project's root and its `src/`, below projects that are
installed as editable (and their `src/`), and below what else was put on `sys.path` by hand
(`PYTHONPATH`). Nothing is imported to find out. A name that the project has a file for is the
project's, also where the standard library has one of that name. Stepwell itself is never.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Container, Iterator
from functools import cached_property
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from stepwell.author.fingerprint.installed import Installed
from stepwell.named import NamedTuple

__all__ = ["Found", "Places"]

_INSTALLED = ("site-packages", "dist-packages")


class Found(NamedTuple):
    """A first-party module: a file, a package's `__init__.py`, a compiled file, or a folder (no file)."""

    path: str | None
    is_package: bool = False
    is_compiled: bool = False
    is_archive: bool = False
    """It lies in a zip file: `path` is that file, which counts as a whole."""


class Places:
    """The search path of a project. `held` are paths of modules that count as files although they are none."""

    def __init__(self, root: Path, held: Container[str] = ()) -> None:
        self.root = os.path.abspath(root)
        self._held = held
        self.installed = Installed([p for p in sys.path if _is_installed(p)])
        self._found: dict[str, Found | None] = {}
        self._absent: dict[str, tuple[str, ...]] = {}
        self._first = [p for p in (self.root, os.path.join(self.root, "src")) if os.path.isdir(p)]

    @cached_property
    def roots(self) -> tuple[str, ...]:
        """Every folder whose modules are first-party, the project's own first."""
        editable = [p for folder in self.installed.editable for p in (str(folder), str(folder / "src"))]
        standard = os.path.dirname(os.__file__)
        commands = os.path.dirname(sys.executable)
        by_hand = [
            path
            for path in map(os.path.abspath, sys.path)
            if not _is_installed(path) and not _is_below(path, standard) and path != commands
        ]
        rest = [p for p in (*editable, *by_hand) if os.path.isdir(p)]
        return tuple(dict.fromkeys([*self._first, *rest]))

    def find(self, name: str) -> Found | None:
        """A first-party module by its dotted name; None for everything else."""
        if name in self._found:
            return self._found[name]
        parent, _, tail = name.rpartition(".")
        found: Found | None = None
        if parent:
            above = self.find(parent)
            if above is not None and above.is_archive:
                found = above
            elif above is not None and above.is_package:
                folders = [os.path.dirname(above.path)] if above.path else self._folders(parent)
                found = _in_folders(folders, tail, self._held)
        elif name != "stepwell":
            found = _in_folders(self._first, name, self._held)
            if found is not None and found.path is None and self.is_standard(name):
                found = None
            elif (found is None or found.path is None) and not self.is_standard(name):
                found = _in_folders(self.roots, name, self._held)
                if found is not None and found.path is None and self.installed.providers(name):
                    found = None  # a folder of data that is called like an installed package
                if found is None or found.path is None:
                    found = self._archived(name) or found
        self._found[name] = found
        return found

    def _archived(self, name: str) -> Found | None:
        """A module in a zip file on `sys.path`."""
        for archive, tops in self._archives.items():
            if name in tops:
                return Found(archive, is_compiled=True, is_archive=True)
        return None

    @cached_property
    def _archives(self) -> dict[str, frozenset[str]]:
        """The zip files on `sys.path` that are not Python's own, with the names of their top modules."""
        found: dict[str, frozenset[str]] = {}
        files = [path for path in sys.path if os.path.isfile(path)]
        if not files:
            return found
        from zipfile import ZipFile, is_zipfile  # rarely needed, and not cheap to import

        own = f"python{sys.version_info.major}{sys.version_info.minor}.zip"
        for path in files:
            if os.path.basename(path) != own and is_zipfile(path):
                with ZipFile(path) as archive:
                    tops = {entry.split("/", 1)[0] for entry in archive.namelist()}
                found[os.path.abspath(path)] = frozenset(
                    top.removesuffix(".pyc").removesuffix(".py") for top in tops
                )
        return found

    def absent(self, name: str) -> tuple[str, ...]:
        """The paths where a module of this name was looked for and is not, that would come before what was found.

        If one of these appears, the name may stand for something else. Absolute; a folder counts as
        absent too where it has no `__init__.py`.
        """
        found = self.find(name)
        if name not in self._absent:
            parent, _, tail = name.rpartition(".")
            above = self.find(parent) if parent else None
            folders: tuple[str, ...] | list[str] = self.roots
            if parent:
                inside = above is not None and above.is_package
                folders = [os.path.dirname(above.path)] if inside and above and above.path else []
                folders = folders or (self._folders(parent) if inside else [])
            elif self.is_standard(name):
                folders = self._first
            self._absent[name] = tuple(_looked_at(folders, tail, found.path if found else None))
        return self._absent[name]

    @property
    def probed(self) -> tuple[str, ...]:
        """Every absent path that any search looked at so far; sorted."""
        missing = {path for name in list(self._found) if name != "stepwell" for path in self.absent(name)}
        return tuple(sorted(missing | {p for p in (os.path.join(self.root, "src"),) if not os.path.isdir(p)}))

    def folders(self, package: str) -> list[str]:
        """The folders of a package whose names decide which modules it has."""
        found = self.find(package)
        if found is None or not found.is_package:
            return []
        return [os.path.dirname(found.path)] if found.path else self._folders(package)

    def _folders(self, name: str) -> list[str]:
        """The folders that make up a namespace package."""
        below = os.path.join(*name.split("."))
        return [p for p in (os.path.join(root, below) for root in self.roots) if os.path.isdir(p)]

    @staticmethod
    def is_standard(name: str) -> bool:
        """Whether a dotted name is in the standard library."""
        top = name.split(".", 1)[0]
        return top in sys.stdlib_module_names or top == "__main__"

    def below(self, package: str) -> list[str]:
        """The modules directly in a first-party package."""
        names: set[str] = set()
        for folder in self.folders(package):
            for entry in os.listdir(folder):
                stem, dot, suffix = entry.partition(".")
                if stem.isidentifier() and stem != "__init__" and (suffix == "py" or not dot):
                    names.add(f"{package}.{stem}")
        return sorted(name for name in names if (f := self.find(name)) is not None and f.path is not None)

    def relative(self, path: str) -> str:
        """A file's path as it is told: relative to the project's root where it lies below, with `/`."""
        shown = path[len(self.root) :].lstrip(os.sep) if _is_below(path, self.root) else path
        return shown.replace(os.sep, "/")


def _in_folders(folders: list[str] | tuple[str, ...], tail: str, held: Container[str] = ()) -> Found | None:
    """As Python ranks them: per folder a package, a compiled file, a source file; a bare folder last."""
    bare = False
    for folder in folders:
        stem = os.path.join(folder, tail)
        is_folder = os.path.isdir(stem)
        if is_folder and os.path.isfile(os.path.join(stem, "__init__.py")):
            return Found(os.path.join(stem, "__init__.py"), is_package=True)
        if stem + ".py" in held or os.path.isfile(stem + ".py"):
            return Found(stem + ".py")
        for suffix in (*EXTENSION_SUFFIXES, ".pyc"):
            if os.path.isfile(stem + suffix):
                return Found(stem + suffix, is_compiled=True)
        bare = bare or is_folder
    return Found(None, is_package=True) if bare else None


def _looked_at(folders: list[str] | tuple[str, ...], tail: str, found: str | None) -> Iterator[str]:
    """The paths that `_in_folders` tries before what it finds."""
    for folder in folders:
        stem = os.path.join(folder, tail)
        suffixes = (os.sep + "__init__.py", ".py", *EXTENSION_SUFFIXES, ".pyc")
        for path in (stem + suffix for suffix in suffixes):
            if path == found:
                return
            yield path


def _is_installed(path: str) -> bool:
    return any(part in path.split(os.sep) for part in _INSTALLED)


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + os.sep)
