"""Bytes under their digest: large blobs as files, hashed while they are written, verified when they are read.

    blobs = Blobs(folder)
    with blobs.sink() as sink:                    # few bytes stay in memory, more become a file
        codec.dump(value, sink)
        digest, size, data = sink.finish()        # data is None where the blob is a file now
    value = codec.load(blobs.open(digest) if data is None else blobs.held(data))

No SQLite here: workers write and read blobs by themselves, the driver makes them known. A file is
complete and durable before it gets its name (`blobs/ab/<62 digits>`), is never overwritten, and has
mode 0444.

Every read is verified. A file is hashed when it is first read and again whenever its inode, size,
mtime or ctime differ from those of the last verification. These are remembered in `verified`, a text
file of one line a verification that all processes share and append to; losing it costs time only.
What does not change a file's times (a rotting disk) is found by `stepwell verify`, which hashes all.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from stepwell.errors import ArtifactGone, StoreError
from stepwell.named import NamedTuple
from stepwell.stores import durable
from stepwell.stores.filesystem import refusal

INLINE = 64 * 1024
"""Bytes up to which a blob is kept in the database, and above which it is a file. Part of the format."""

BLOCK = 1 << 20
"""Small writes are gathered up to this many bytes; from here on files are hashed with all processors."""

BESIDE = 8 << 20
"""One write of at least this many bytes is hashed by a second thread while the first one writes it."""

SLICE = 32 << 20
"""Bytes after which the kernel is asked to begin writing to the disk, so that the fsync at the end is short."""

LONGEST_MEMO = 8 << 20
"""Bytes above which `verified` is begun anew."""

Signature = tuple[int, int, int, int]
"""Inode, size, mtime and ctime in nanoseconds."""


class Stored(NamedTuple):
    """What `BlobSink.finish` gives: digest, size in bytes, and the bytes themselves where they are few."""

    digest: str
    size: int
    data: bytes | None


class Blobs:
    """The blobs below one store folder. Cheap to make; usable in any process, and by one thread at a time.

    The folders must exist (`make`). With `readonly` nothing is moved to quarantine, and verifications are
    remembered by this process alone. Errors of the system are raised as `DiskFull`, `StoreReadOnly` or
    `StoreError`; a missing or damaged blob as `ArtifactGone`.
    """

    def __init__(self, folder: Path, *, readonly: bool = False) -> None:
        self.folder = folder
        self._readonly = readonly
        self._root = os.path.join(os.fspath(folder), "blobs")
        self._verified = Verified(os.path.join(os.fspath(folder), "verified"), readonly=readonly)

    def make(self) -> None:
        """Create the folders, readable by their owner alone."""
        for name in ("blobs", "tmp", "files"):
            with contextlib.suppress(FileExistsError):
                os.mkdir(os.path.join(os.fspath(self.folder), name), 0o700)

    def path(self, digest: str) -> Path:
        """Where the blob of a digest lies, whether or not it is there."""
        return Path(self._path(digest))

    def _path(self, digest: str) -> str:
        name = digest.removeprefix("b3:")
        if len(name) != 64 or not name.isalnum():
            raise ArtifactGone(f"`{digest}` is not a digest", why="the record of this artifact is damaged")
        return f"{self._root}/{name[:2]}/{name[2:]}"

    def sink(self) -> BlobSink:
        """A new, empty blob to write to."""
        return BlobSink(self)

    def take(self, path: Path) -> tuple[str, int]:
        """Copy a file into the store: its digest and size. Durable at return."""
        with self.sink() as sink:
            taken = sink.take(path)
            sink.finish()
        return taken

    def held(self, data: bytes) -> HeldBlob:
        """Bytes from the database (already verified there) as a blob to load from."""
        return HeldBlob(self, data)

    def open(self, digest: str) -> FileBlob:
        """The verified blob of a digest. Raises `ArtifactGone`; a damaged file is moved to `quarantine/`."""
        self._must_be_good(digest)
        return FileBlob(self, digest)

    def part(self, digest: str) -> Path:
        """The verified file of a digest. Raises `ArtifactGone`."""
        self._must_be_good(digest)
        return self.path(digest)

    def _must_be_good(self, digest: str) -> None:
        why = self.check(digest)
        if why:
            raise ArtifactGone(why, why="the files of a store must not be changed", fixes=["stepwell run"])

    def check(self, digest: str, *, again: bool = False) -> str:
        """Why a blob cannot be used, or "" where it is there and was verified as it is.

        It is hashed where it has not been since it last changed, or `again`. A damaged file is moved
        to `quarantine/`. Raises `StoreError` where it cannot be read at all.
        """
        path = self._path(digest)
        try:
            found = _signature(os.stat(path))
            if not again and self._verified.has(digest, found):
                return ""
            actual = hash_file(path)
            unchanged = _signature(os.stat(path)) == found
        except (FileNotFoundError, NotADirectoryError):
            return f"blob {digest[:15]}… is gone"
        except OSError as error:
            if error.errno == errno.EIO:
                return f"blob {digest[:15]}… cannot be read: {error.strerror}"
            raise refusal(error, path) from error
        if actual != digest:
            self.quarantine(digest)
            return f"blob {digest[:15]}… is damaged: its content has another digest"
        if unchanged:
            self._verified.add(digest, found)
        return ""

    def quarantine(self, digest: str) -> None:
        """Move a file out of the way, to `quarantine/`, so that it can be made again; best effort."""
        import uuid

        if self._readonly:
            return
        folder = os.path.join(os.fspath(self.folder), "quarantine")
        with contextlib.suppress(OSError):
            os.makedirs(folder, 0o700, exist_ok=True)
            os.rename(
                self._path(digest),
                os.path.join(folder, f"{digest.removeprefix('b3:')}.{uuid.uuid4().hex[:8]}"),
            )

    def all(self) -> Iterator[str]:
        """The digests of all files, in no order."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            for outer in os.scandir(self._root):
                if len(outer.name) == 2 and outer.is_dir():
                    yield from (f"b3:{outer.name}{inner.name}" for inner in os.scandir(outer.path))

    def size(self, digest: str) -> int:
        """Bytes of a file, or -1 where it is gone."""
        try:
            return os.stat(self._path(digest)).st_size
        except OSError:
            return -1

    def temporary(self) -> str:
        """A new name on the same file system; the process id tells whose leftover it would be."""
        import uuid

        return os.path.join(self.folder, "tmp", f"{os.getpid()}-{uuid.uuid4().hex}")

    def place(self, temporary: str, digest: str, size: int) -> set[str]:
        """Give a complete, durable file its name, unless a good one has it; the folders that must be synced.

        Raises `OSError`. The temporary name is gone afterwards.
        """
        path = self._path(digest)
        folder = path.rpartition("/")[0]
        changed = {folder}
        try:
            durable.link(temporary, path)
        except FileExistsError:
            if self.size(digest) != size or self.check(digest):
                self.quarantine(digest)
                durable.link(temporary, path)
        except FileNotFoundError:
            with contextlib.suppress(FileExistsError):
                os.mkdir(folder, 0o700)
            changed.add(self._root)
            with contextlib.suppress(FileExistsError):
                durable.link(temporary, path)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        self._verified.add(digest, _signature(os.stat(path)))
        return changed


class OneWay:
    """What every sink has of a binary file: it is written once, from front to back."""

    mode = "wb"

    def flush(self) -> None:
        """Nothing to do; `finish` makes the blob durable."""

    def close(self) -> None:
        """Nothing to do; there for libraries that close what they wrote to."""

    def readable(self) -> bool:
        """No."""
        return False

    def writable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """No: bytes are hashed as they come."""
        return False


class BlobSink(OneWay):
    """One blob while it is written; implements `plugins.hookspecs.Sink`.

    Leaving the `with` block without `finish` removes whatever was written. `parts` are the digests of
    the files that were taken.
    """

    closed = False
    """Whether the blob was completed or given up."""

    # Most blobs are few bytes, written at once: what only others need is made when it is needed.
    _size = 0
    _file: _Growing | None = None

    def __init__(self, blobs: Blobs) -> None:
        self.parts: list[str] = []
        self._blobs = blobs
        self._head: list[bytes] = []  # everything, up to INLINE
        self._taken: dict[str, tuple[str, int]] = {}  # temporary name: digest and size

    def __enter__(self) -> BlobSink:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()

    def write(self, data: Any, /) -> int:
        """Append bytes (anything with the buffer protocol, contiguous). Raises `DiskFull`, `StoreReadOnly`."""
        if self.closed:
            raise _closed()
        count = len(data) if type(data) is bytes else memoryview(data).nbytes
        self._size += count
        if self._size <= INLINE:
            self._head.append(bytes(data))
        elif count:
            self._grow(memoryview(data))
        return count

    def _grow(self, view: memoryview) -> None:
        if view.ndim != 1 or view.format != "B":
            view = view.cast("B")
        with self._tidy():
            if self._file is None:
                self._file = _Growing(self._blobs.temporary(), b"".join(self._head))
                self._head.clear()
            self._file.write(view)

    def tell(self) -> int:
        """Bytes written so far."""
        return self._size

    def take(self, path: Path) -> tuple[str, int]:
        """Copy a file into the store as a further blob, always a file: its digest and size.

        Durable after `finish`. Blocks are shared where the file system can do that. Raises `OSError`
        where the file cannot be opened, else as `write`.
        """
        if self.closed:
            raise _closed()
        with open(path, "rb", buffering=0) as source, self._tidy():
            temporary = self._blobs.temporary()
            self._taken[temporary] = ("", 0)
            digest, size = self._taken[temporary] = _copied(source.fileno(), temporary)
        self.parts.append(digest)
        return digest, size

    def finish(self) -> Stored:
        """Complete the blob; it and what was taken are durable now. Raises `DiskFull`, `StoreReadOnly`, `StoreError`."""
        if self.closed:
            raise _closed()
        if self._file is None:
            if self._taken:
                with self._tidy():
                    durable.sync_folders(self._place_taken())
            data = b"".join(self._head)  # of one piece, the piece itself
            self.closed = True
            return Stored(digest_of(data), self._size, data)
        with self._tidy():
            changed = self._place_taken()
            stored = Stored(self._file.complete(), self._size, None)
            changed |= self._blobs.place(self._file.name, stored.digest, self._size)
            self._file = None
            durable.sync_folders(changed)
        self.discard()
        return stored

    def _place_taken(self) -> set[str]:
        """Give the files that were taken their names; the folders that must be synced."""
        changed: set[str] = set()
        durable.sync(self._taken)
        while self._taken:
            temporary, (digest, size) = self._taken.popitem()
            try:
                changed |= self._blobs.place(temporary, digest, size)
            except BaseException:
                self._taken[temporary] = (digest, size)
                raise
        return changed

    def discard(self) -> None:
        """Remove what was written. Nothing happens after `finish`."""
        if self.closed:
            return
        self.closed = True
        self._head.clear()
        if self._file is not None:
            self._file.discard()
            self._file = None
        for temporary in self._taken:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        self._taken.clear()

    @contextlib.contextmanager
    def _tidy(self) -> Iterator[None]:
        """Errors of the system as Stepwell's; after any error nothing is left of the blob."""
        try:
            with _system_errors(self._file.name if self._file else os.fspath(self._blobs.folder)):
                yield
        except BaseException:
            self.discard()
            raise


def _closed() -> StoreError:
    return StoreError("this blob was already completed, or given up after an error")


def _copied(source: int, name: str) -> tuple[str, int]:
    """Copy an open file to a new one of mode 0444: its digest and size. Not durable yet. Raises `OSError`."""
    target = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        shared = durable.share_blocks(source, target)
        digest = "" if shared else _copied_and_hashed(source, target)
        os.fchmod(target, 0o444)
        size = os.fstat(target).st_size
    finally:
        os.close(target)
    return digest or hash_file(name), size


def _copied_and_hashed(source: int, target: int) -> str:
    """Copy a file, and hash each stretch of the copy (the original may be changing) while the next is copied."""
    import mmap
    from threading import Thread

    made = blake3()()
    beside: Thread | None = None
    for start, count in durable.copied(source, target):
        skip = start % mmap.ALLOCATIONGRANULARITY
        whole = mmap.mmap(target, count + skip, access=mmap.ACCESS_READ, offset=start - skip)
        if beside is not None:
            beside.join()
            beside = None
        if count < BESIDE:
            made.update(memoryview(whole)[skip:])
            continue
        durable.begin_writeback(target, start, count)
        beside = Thread(target=made.update, args=(memoryview(whole)[skip:],), name="stepwell-hash")
        beside.start()
    if beside is not None:
        beside.join()
    return f"b3:{made.hexdigest()}"


class _Growing:
    """The file of a large blob while it is written: hashed beside the writing. Raises `OSError`."""

    def __init__(self, name: str, head: bytes) -> None:
        self.name = name
        self._hash = blake3()()
        self._fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._small = bytearray(head)  # what is not written yet
        self._at = 0
        self._sent = 0  # bytes for which writeback was asked

    def write(self, view: memoryview) -> None:
        """Append bytes."""
        if view.nbytes < BLOCK:
            self._small += view
            if len(self._small) >= BLOCK:
                self._flush()
        else:
            self._flush()
            self._put(view)

    def complete(self) -> str:
        """Make the file durable and read-only, and close it; its digest."""
        self._flush()
        os.fchmod(self._fd, 0o444)
        os.fsync(self._fd)
        os.close(self._fd)
        self._fd = -1
        return f"b3:{self._hash.hexdigest()}"

    def discard(self) -> None:
        """Remove the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        with contextlib.suppress(OSError):
            os.unlink(self.name)

    def _flush(self) -> None:
        if self._small:
            whole, self._small = self._small, bytearray()
            self._put(memoryview(whole))

    def _put(self, view: memoryview) -> None:
        """Hash bytes and write them, both at once where there are many."""
        if view.nbytes < BESIDE:
            self._hash.update(view)
            self._write_all(view)
            return
        from threading import Thread  # 1 ms, and few blobs are large

        beside = Thread(target=self._hash.update, args=(view,), name="stepwell-hash")
        beside.start()
        try:
            for start in range(0, view.nbytes, SLICE):
                self._write_all(view[start : start + SLICE])
        finally:
            beside.join()

    def _write_all(self, view: memoryview) -> None:
        while view.nbytes:
            done = os.write(self._fd, view)
            view = view[done:]
            self._at += done
        if self._at - self._sent >= SLICE:
            durable.begin_writeback(self._fd, self._sent, self._at - self._sent)
            self._sent = self._at


class HeldBlob:
    """A blob whose bytes are in memory; implements `plugins.hookspecs.Blob`."""

    def __init__(self, blobs: Blobs, data: bytes) -> None:
        self._blobs = blobs
        self.data = memoryview(data)
        self.path: Path | None = None

    @property
    def folder(self) -> Path:
        """The store's folder."""
        return self._blobs.folder

    def part(self, digest: str) -> Path:
        """The verified file of a part. Raises `ArtifactGone`."""
        return self._blobs.part(digest)


class FileBlob:
    """A blob that is a file; implements `plugins.hookspecs.Blob`. Its bytes are mapped when first asked for."""

    def __init__(self, blobs: Blobs, digest: str) -> None:
        self._blobs = blobs
        self.path: Path | None = blobs.path(digest)
        self._data: memoryview | None = None

    @property
    def data(self) -> memoryview:
        """The bytes, read-only, as a mapping of the file."""
        import mmap

        if self._data is None:
            with open(str(self.path), "rb") as file:
                size = os.fstat(file.fileno()).st_size
                self._data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b"")
        return self._data

    @property
    def folder(self) -> Path:
        """The store's folder."""
        return self._blobs.folder

    def part(self, digest: str) -> Path:
        """The verified file of a part. Raises `ArtifactGone`."""
        return self._blobs.part(digest)


class Verified:
    """The memory of verifications: lines `digest inode size mtime ctime` in a file that all processes append to.

    A verification is known where there is its very line, so that a torn append or a damaged file only
    means hashing again. Each process reads what others added when it needs it.
    """

    def __init__(self, path: str, *, readonly: bool = False) -> None:
        self._file = path
        self._readonly = readonly
        self._known: set[bytes] = set()
        self._seen: tuple[int, int] = (0, 0)  # inode, bytes read

    def has(self, digest: str, signature: Signature) -> bool:
        """Whether this very file was verified."""
        line = _line(digest, signature)
        return line in self._known or (self._read_on() and line in self._known)

    def add(self, digest: str, signature: Signature) -> None:
        """Remember a verification. A store that cannot be written is remembered by this process alone."""
        line = _line(digest, signature)
        self._known.add(line)
        if self._readonly:
            return
        with contextlib.suppress(OSError):
            fd = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                if os.fstat(fd).st_size > LONGEST_MEMO:
                    os.unlink(self._file)
                os.write(fd, line + b"\n")
            finally:
                os.close(fd)

    def _read_on(self) -> bool:
        """Read what was appended since the last time; whether there was anything."""
        try:
            with open(self._file, "rb") as file:
                status = os.fstat(file.fileno())
                inode, offset = self._seen
                if inode != status.st_ino or offset > status.st_size:
                    offset = 0
                if offset == status.st_size:
                    return False
                file.seek(offset)
                text = file.read()
        except OSError:
            return False
        whole = text[: text.rfind(b"\n") + 1]
        self._seen = (status.st_ino, offset + len(whole))
        self._known.update(whole.split(b"\n"))
        return bool(whole)


def _line(digest: str, signature: Signature) -> bytes:
    """What `verified` says of a file, without the end of the line."""
    return b"%s %d %d %d %d" % (digest.encode(), *signature)


_blake3: Callable[..., Any] | None = None


def blake3() -> Callable[..., Any]:
    """The hash, loaded when first needed."""
    global _blake3  # noqa: PLW0603 - a binary module that most commands do without
    if _blake3 is None:
        from blake3 import blake3 as loaded

        _blake3 = loaded
    return _blake3


def digest_of(data: bytes | memoryview) -> str:
    """The digest of bytes: `b3:` and 64 hexadecimal digits."""
    return f"b3:{blake3()(data).hexdigest()}"


def hash_file(path: str) -> str:
    """The digest of a file's bytes, with all processors where it is large. Raises `OSError`."""
    with open(path, "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        if size < BLOCK:
            return digest_of(file.read())
    return f"b3:{blake3()(max_threads=threads_for(size)).update_mmap(path).hexdigest()}"


def threads_for(size: int) -> int:
    """Threads that so many bytes are hashed with: those of one call.

    The library's own pool (`AUTO`) is no faster, and waits for ever in a process that was forked after
    its threads had been started.
    """
    return max(1, min(processors(), size // BLOCK))


@cache
def processors() -> int:
    """Processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1


def _signature(status: os.stat_result) -> Signature:
    return (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


@contextlib.contextmanager
def _system_errors(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise refusal(error, path) from error
