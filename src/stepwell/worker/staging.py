"""What one task gets to see of the machine in strict mode: `scene_of(task, settings, importer) -> Scene`.

Seen as they are, read-only: the system's programs and libraries (`SYSTEM`), the interpreter with its
prefix, what is importable, the folders of `PATH`, and the task's declared inputs, wherever these lie.
Writable and empty: the project's root, `/tmp`, the home folder, shared memory. In the project's root
are the source files that were fingerprinted, written anew from the snapshot (a module that the
fingerprint did not reach is not there: its edits would not be noticed), and compiled modules beside
them. The store stays where it is and writable, since the worker reads blobs in it and hands steps
the files among them by path; its database, which has other results and no step's input, is covered.

Symbolic links on the way to anything that is seen are made again, link by link, so that paths resolve
to what they resolve to outside.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any, NamedTuple

from stepwell.errors import StepwellError
from stepwell.kernel.graph import Pack
from stepwell.kernel.ports import Outside, Task
from stepwell.plugins.registry import registry
from stepwell.worker.kinds import is_made, spec_of
from stepwell.worker.modules import FirstParty
from stepwell.worker.namespaces import World

SYSTEM = (
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt", "/dev", "/sys",
    "/nix", "/gnu", "/run/current-system", "/run/opengl-driver",
)  # fmt: skip
"""Programs, libraries and settings of the machine; devices. `/proc` is seen as well, and can be written."""

TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108
"""Empty folders that everybody may write to."""

_FILES_OF_STORE = ("verified",)
_MOST_LINKS = 40


class Scene(NamedTuple):
    """What to mount and write, found while the machine can still be seen. Paths are absolute.

    `mounts` are (path, how): "shown", "kept" (writable) or "scratch", outer folders before inner ones.
    `links` are (path, target), `texts` files to write, `folders` empty folders to make, `covered` files
    to hide, `modes` those of the scratch folders.
    """

    mounts: tuple[tuple[str, str], ...]
    links: tuple[tuple[str, str], ...]
    texts: Mapping[str, bytes]
    folders: tuple[str, ...]
    covered: tuple[str, ...]
    modes: Mapping[str, int]

    def furnish(self, world: World) -> None:
        """Make the private root so. Raises `OSError`."""
        for path, how in self.mounts:
            if how == "scratch":
                world.scratch(path, self.modes[path])
            else:
                world.show(path, writable=how == "kept")
        for path in self.covered:
            world.cover(path)
        for folder in self.folders:
            os.makedirs(folder, exist_ok=True)
        for path, data in self.texts.items():
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(data)
        for path, target in self.links:
            if not os.path.lexists(path):
                os.makedirs(os.path.dirname(path), exist_ok=True)
                os.symlink(target, path)


def scene_of(task: Task, root: Path, store: Path, importer: FirstParty) -> Scene:
    """The scene of a task. Raises `OSError`."""
    way = _Way()
    texts, place = _sources(task, importer), way.to(str(store))
    scratch = {way.to(path): mode for path, mode in _scratch(task, root, importer).items()}
    mounts = {way.to(path): "shown" for path in _software(importer)}
    mounts |= dict.fromkeys(scratch, "scratch")
    mounts |= {
        way.to(path): "shown"
        for path in (*_declared(task, root), *_at_import(root, importer), *_extensions(texts))
    }
    mounts |= {place: "kept", "/proc": "kept"}
    mounts = _needed(mounts)
    return Scene(
        tuple(mounts.items()),
        tuple(way.links.items()),
        {path: data for path, data in texts.items() if mounts.get(_mount_of(path, mounts)) != "shown"},
        _folders_of(task, root),
        tuple(_records(place)),
        scratch,
    )


class _Way:
    """Finds what paths lead to, and keeps the symbolic links on the way."""

    def __init__(self) -> None:
        self.links: dict[str, str] = {}
        self._known: dict[str, str] = {}

    def to(self, path: str) -> str:
        """The real path. Raises `OSError` for a circle of links."""
        return self._to(os.path.abspath(path), 0)

    def _to(self, path: str, depth: int) -> str:
        found = self._known.get(path)
        if found is not None or path == "/":
            return found or "/"
        if depth > _MOST_LINKS:
            raise OSError(40, "Too many levels of symbolic links", path)
        here = os.path.join(self._to(os.path.dirname(path), depth), os.path.basename(path))
        try:
            target = os.readlink(here)
        except OSError:  # no link
            self._known[path] = here
            return here
        self.links[here] = target
        # `a/../b` in a target: `a` may be a link itself, so parts are taken one by one
        real = os.path.dirname(here)
        if target.startswith("/"):
            real = "/"
        for part in target.split("/"):
            if part == "..":
                real = os.path.dirname(real)
            elif part not in ("", "."):
                real = self._to(os.path.join(real, part), depth + 1)
        self._known[path] = real
        return real


# ---------------------------------------------------------------------------- what is seen


def _software(importer: FirstParty) -> Iterator[str]:
    """Places with programs and libraries that exist; the project's own folders are not among them."""
    prefixes = [sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix]
    always = [*SYSTEM, *prefixes, sys.executable, str(Path(__file__).parents[1])]
    yield from (path for path in always if path != "/" and os.path.lexists(path))
    own = {*importer.roots, os.path.expanduser("~"), "/"}
    listed = [entry for name in ("PATH", "LD_LIBRARY_PATH") for entry in os.environ.get(name, "").split(":")]
    for path in (*sys.path, *listed):
        if os.path.isabs(path) and os.path.exists(path):
            holds_own = any(f"{place}/".startswith(path.rstrip("/") + "/") for place in own)
            if not holds_own and not _is_project(path, importer):
                yield path


def _is_project(path: str, importer: FirstParty) -> bool:
    return path in importer.roots or importer.is_first_party(path + os.sep)


def outsides(task: Task) -> Iterator[Outside]:
    """The sources among a task's inputs."""
    todo: list[Any] = [value for _, value in task.inputs]
    while todo:
        value = todo.pop()
        if isinstance(value, Outside):
            yield value
        elif isinstance(value, Pack):
            todo += value.items


def _declared(task: Task, root: Path) -> Iterator[str]:
    """The files and folders of a task's sources; a folder with links that lead out of it also gives what these lead to.

    Of a step that is no Python function also the files that it executes.
    What cannot be found is left out: the worker says so when it reads its inputs.
    """
    from stepwell.sources import address, files  # most tasks read no source

    if is_made(task.step):
        files_of = getattr(registry.kind(task.step.kind), "files", None)
        yield from files_of(spec_of(task.step.spec), root) if files_of is not None else ()
    for outside in outsides(task):
        place = address.parse(outside.uri)
        if place.kind not in address.LOCAL:  # its copy is in the store
            continue
        try:
            found = files.find(files.place_of(place, root))
        except StepwellError:
            continue
        if not found.folder:
            yield from found.paths
            continue
        yield found.folder
        real = os.path.realpath(found.folder)
        known: dict[str, bool] = {}
        for name, path in zip(found.names, found.paths, strict=True):
            parent = os.path.dirname(path)
            if parent not in known:
                known[parent] = os.path.realpath(parent) == os.path.join(real, os.path.dirname(name)).rstrip(
                    "/"
                )
            if not known[parent] or os.path.islink(path):
                yield path


def _at_import(root: Path, importer: FirstParty) -> Iterator[str]:
    """What modules of the project read when they were imported: it is part of the keys of the steps that reach it."""
    for what in importer.expected:
        kind, _, path = what.partition(" ")
        place = os.path.join(root, path.partition("\x1f")[0])
        if kind in ("file", "kind", "link", "list", "all") and os.path.exists(place) and place != str(root):
            yield place


def _sources(task: Task, importer: FirstParty) -> dict[str, bytes]:
    """The first-party files that were fingerprinted, and the one with the step in any case."""
    path = importer.source_of(task.step.module)
    if path is not None and path not in importer.snapshot:
        importer.snapshot.read(path)
    return dict(importer.snapshot)


def _extensions(texts: Iterable[str]) -> Iterator[str]:
    """Compiled modules beside source files."""
    for folder in filter(os.path.isdir, {os.path.dirname(path) for path in texts}):
        with os.scandir(folder) as entries:
            yield from (entry.path for entry in entries if entry.name.endswith(tuple(EXTENSION_SUFFIXES)))


def _scratch(task: Task, root: Path, importer: FirstParty) -> dict[str, int]:
    """Empty folders that can be written, with their modes; only such as exist, and none inside a project."""
    named = [os.path.expanduser("~"), os.environ.get("TMPDIR", ""), str(root), *importer.roots]
    found: dict[str, int] = {}
    for path in (*TEMPORARY, *named, *_folders_of(task, root)):
        inside = any(path.startswith(f"{other}/") for other in importer.roots)
        if os.path.isabs(path) and path != "/" and not inside and os.path.isdir(path):
            found[path] = stat.S_IMODE(os.stat(path).st_mode)
    return found


def _folders_of(task: Task, root: Path) -> tuple[str, ...]:
    """The folder that an output file is written to, if it is there outside."""
    folder = os.path.dirname(os.path.abspath(os.path.join(root, task.out))) if task.out else ""
    return (folder,) if os.path.isdir(folder) else ()


def _records(store: str) -> Iterator[str]:
    """The files of the store that are no step's business: all but blobs and what workers write."""
    with os.scandir(store) as entries:
        for entry in entries:
            if entry.name not in _FILES_OF_STORE and entry.is_file(follow_symlinks=False):
                yield entry.path


# ---------------------------------------------------------------------------- mounts


def _needed(mounts: Mapping[str, str]) -> dict[str, str]:
    """The mounts, outer ones first, without those that show what is seen anyway."""
    kept: dict[str, str] = {}
    for path in sorted(mounts, key=lambda path: (path.count("/"), path)):
        how = mounts[path]
        if how == "scratch" or kept.get(_mount_of(path, kept)) != how:
            kept[path] = how
    return kept


def _mount_of(path: str, mounts: Mapping[str, str]) -> str:
    """The innermost mount above a path; "" where there is none."""
    while path != "/":
        path = os.path.dirname(path)
        if path in mounts:
            return path
    return ""
