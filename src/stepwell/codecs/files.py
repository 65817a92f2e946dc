"""Files and folders that a step made: the codec `path`.

A step writes a file and returns its `Path`; the file's bytes become a blob of their own, a part of
the artifact, and the artifact itself is a small manifest:

    {"exec":false,"file":"model.onnx","part":"b3:…","size":1024}
    {"empty":["logs"],"files":[["a/b.csv","b3:…",17,false], …],"folder":"out"}

Names count, modification times and owners do not; of the permissions only whether a file may be
executed. A link to a file inside the folder is followed; one that leads out of it, or to a folder,
is refused, since what it leads to may change without anyone noticing.

Loading puts the files under `files/<digest of the manifest>/<name>` in the store's folder, so that
the path that a step gets keeps its name and suffix, and returns that path. Files are cloned where
the file system can (Btrfs, XFS, APFS), else linked, else copied, and are read-only. They are built
aside and renamed into place; who comes second uses the first one's. What is there already is checked
before it is used: a link by its inode, a copy by its size and the time stamp that we gave it.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from stepwell.codecs import plain
from stepwell.errors import CannotDecode, CannotEncode
from stepwell.kernel.identity import digest

if TYPE_CHECKING:
    from stepwell.plugins.hookspecs import Blob, Sink

STAMP = 315_532_800
"""Modification time of copies: 1980-01-01. A copy that somebody wrote to has another one."""

STORE = ".stepwell"


class Entry(NamedTuple):
    """One file of a folder: its path below the folder, its blob, its size, whether it may be executed."""

    path: str
    part: str
    size: int
    runs: bool


class PathCodec:
    """`pathlib.Path`, as the head of this module tells."""

    name = "path"
    exact = False

    def dump(self, value: Path, sink: Sink) -> str:
        """Take the file, or every file of the folder, and write the manifest."""
        name = value.name or value.resolve().name
        try:
            status = value.stat()
            if stat.S_ISREG(status.st_mode):
                found = _take(value, sink, name)
                manifest = {"file": name, "part": found.part, "size": found.size, "exec": found.runs}
                note = f"{name}, {found.size:,} bytes"
            elif stat.S_ISDIR(status.st_mode):
                files, empty = _take_folder(value, sink)
                manifest = {"folder": name, "files": [list(entry) for entry in files], "empty": empty}
                total = sum(entry.size for entry in files)
                note = f"{name}/, {len(files):,} files, {total:,} bytes"
            else:
                raise CannotEncode(
                    f"`{value}` is neither a file nor a folder", fixes=["write a regular file"]
                )
        except FileNotFoundError:
            raise _missing(value) from None
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise
            what = f"`{value}` cannot be read: {error.strerror or error}"
            raise CannotEncode(what, fixes=["ls -l", "a step returns a file that it may read"]) from error
        sink.write(plain.dumps(manifest))
        return note

    def load(self, blob: Blob) -> Path:
        """The path of the file or folder, in the store, with its own name."""
        return _materialise(blob)


def _missing(path: Path) -> CannotEncode:
    if path.is_symlink():
        return CannotEncode(
            f"`{path}` is a link to nothing", fixes=["return the file that it should lead to"]
        )
    return CannotEncode(
        f"the step returned a path that does not exist: `{path}`",
        why="a step that makes a file writes it before it returns the path; relative paths are from the project's root",
        fixes=["write the file, then return its path", "or return `str(path)`, if the text is what is meant"],
    )


def _take(path: Path, sink: Sink, name: str) -> Entry:
    part, size = sink.take(path)
    return Entry(name, part, size, bool(path.stat().st_mode & 0o100))


def _take_folder(folder: Path, sink: Sink) -> tuple[list[Entry], list[str]]:
    """Every file of a folder, by path, and the folders in it that are empty."""
    files: list[Entry] = []
    empty: list[str] = []
    root = folder.resolve()
    for path, is_empty in _walk(folder):
        name = path.relative_to(folder).as_posix()
        if is_empty:
            empty.append(name)
        else:
            _check_inside(path, root)
            files.append(_take(path, sink, name))
    return sorted(files), sorted(empty)


def _walk(folder: Path) -> Iterator[tuple[Path, bool]]:
    """Files, and empty folders, below a folder."""

    def fail(error: OSError) -> None:
        raise error

    for here, folders, files in os.walk(folder, onerror=fail):
        for name in folders:
            path = Path(here, name)
            if name == STORE:
                raise CannotEncode(
                    f"`{folder}` holds a store of Stepwell's, which cannot be in a store",
                    fixes=["write the output to a folder of its own and return that"],
                )
            if path.is_symlink():
                raise CannotEncode(
                    f"`{path}` is a link to a folder",
                    why="what is behind it would be taken twice, without end, or from outside of the output",
                    fixes=["copy what it leads to, or leave it out"],
                )
        for name in files:
            yield Path(here, name), False
        if not folders and not files and Path(here) != folder:
            yield Path(here), True


def _check_inside(path: Path, root: Path) -> None:
    """Raise where a link leads out of its folder, or a file is not a plain one."""
    if path.is_symlink():
        target = Path(os.path.realpath(path))  # `resolve` raises for a loop, in some versions
        if not target.exists():
            raise _missing(path)
        if not target.is_relative_to(root):
            raise CannotEncode(
                f"`{path}` is a link out of the folder, to `{target}`",
                why="what it leads to is not part of the output, and can change without anyone noticing",
                fixes=["copy the file into the folder"],
            )
    if not stat.S_ISREG(path.stat().st_mode):
        raise CannotEncode(f"`{path}` is not a plain file", fixes=["leave sockets, pipes and devices out"])


# --------------------------------------------------------------------------- back to files


def manifest_of(data: bytes | memoryview) -> tuple[str, list[Entry]]:
    """What the bytes of an artifact speak of: the name of the file, "" where it is a folder, and the files. Raises `CannotDecode`."""
    found = _read(bytes(data))
    return "" if found.is_folder else found.name, found.files


class _Manifest(NamedTuple):
    """What the bytes say. The files of a folder are below `name`; the one of a file is `name` itself."""

    name: str
    is_folder: bool
    files: list[Entry]
    empty: list[str]


def _materialise(blob: Blob) -> Path:
    data = bytes(blob.data)
    manifest = _read(data)
    home = blob.folder / "files" / digest(data)
    if not _is_whole(home, manifest, blob):
        aside = home.with_name(f".{home.name[:16]}-{os.getpid()}-{os.urandom(4).hex()}")
        try:
            _build(aside, manifest, blob)
            _settle(aside, home, manifest, blob)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return home / manifest.name


def _read(data: bytes) -> _Manifest:
    """The manifest, refused where a name could lead out of its folder."""
    found = plain.loads(data)
    try:
        if "file" in found:
            entry = Entry("", found["part"], found["size"], found["exec"])
            manifest = _Manifest(found["file"], False, [entry], [])
        else:
            files = [Entry(*entry) for entry in found["files"]]
            manifest = _Manifest(found["folder"], True, files, list(found["empty"]))
        pieces = [manifest.name]
        for path in [entry.path for entry in manifest.files if manifest.is_folder] + manifest.empty:
            pieces.extend(path.split("/"))
        for piece in pieces:
            if piece in ("", ".", "..") or "/" in piece or "\0" in piece:
                raise ValueError(f"{piece!r} is no name")
        if not all(
            type(e.part) is str and type(e.size) is int and type(e.runs) is bool for e in manifest.files
        ):
            raise ValueError("an entry is not one of ours")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CannotDecode(
            "the artifact is not a list of files", why=f"{type(error).__name__}: {error}"
        ) from None
    return manifest


def _is_whole(home: Path, manifest: _Manifest, blob: Blob) -> bool:
    """Whether exactly these files are there already, untouched."""
    top = home / manifest.name
    try:
        for entry in manifest.files:
            found = (top / entry.path).lstat()
            runs = bool(found.st_mode & 0o100)
            if not stat.S_ISREG(found.st_mode) or found.st_size != entry.size or runs != entry.runs:
                return False
            if found.st_mtime_ns != STAMP * 10**9:
                part = blob.part(entry.part).stat()
                if (part.st_ino, part.st_dev) != (found.st_ino, found.st_dev):
                    return False
        if not manifest.is_folder:
            return True
        there = {(path.relative_to(top).as_posix(), is_empty) for path, is_empty in _walk(top)}
    except (OSError, CannotEncode):
        return False
    expected = {(entry.path, False) for entry in manifest.files} | {(path, True) for path in manifest.empty}
    return there == expected and top.is_dir()


def _build(aside: Path, manifest: _Manifest, blob: Blob) -> None:
    top = aside / manifest.name
    (top if manifest.is_folder else aside).mkdir(parents=True)
    made: set[Path] = set()
    for entry in manifest.files:
        target = top / entry.path if entry.path else top
        if target.parent not in made:
            target.parent.mkdir(parents=True, exist_ok=True)
            made.add(target.parent)
        _place(blob.part(entry.part), target, runs=entry.runs)
    for path in manifest.empty:
        (top / path).mkdir(parents=True, exist_ok=True)


def _place(source: Path, target: Path, *, runs: bool) -> None:
    """A read-only file with the bytes of another: cloned, else linked, else copied."""
    if not _clone(source, target):
        if not runs:
            try:
                os.link(source, target)
            except OSError:  # another file system, or one without links, or too many of them
                pass
            else:
                return
        shutil.copyfile(source, target)
    target.chmod(0o555 if runs else 0o444)
    os.utime(target, (STAMP, STAMP))


def _clone(source: Path, target: Path) -> bool:
    """Copy on write, where the file system has it: no bytes are copied, and no change reaches the other."""
    if sys.platform != "linux":
        return False
    import fcntl

    clone = 0x40049409  # FICLONE
    with source.open("rb") as old, target.open("xb") as new:
        try:
            fcntl.ioctl(new.fileno(), clone, old.fileno())
        except OSError:
            pass
        else:
            return True
    target.unlink()
    return False


def _settle(aside: Path, home: Path, manifest: _Manifest, blob: Blob) -> None:
    """Rename into place, unless another process was faster; what is damaged there is moved away first."""
    for _ in range(8):
        try:
            aside.rename(home)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise
        else:
            return
        if _is_whole(home, manifest, blob):
            return
        broken = home.with_name(f"{aside.name}-old")
        try:
            home.rename(broken)
        except FileNotFoundError:
            continue  # another process moved it away just now
        if broken.is_dir():
            shutil.rmtree(broken, ignore_errors=True)
        else:
            broken.unlink(missing_ok=True)
    raise CannotDecode(f"`{home}` could not be put in place", why="something else keeps changing it")
