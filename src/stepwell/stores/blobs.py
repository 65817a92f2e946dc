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
import mmap
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

from stepwell.errors import ArtifactGone, StoreError
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


class BlobSink:
    """One blob while it is written; implements `plugins.hookspecs.Sink`.

    Leaving the `with` block without `finish` removes whatever was written.
    """

    mode = "wb"

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._hash: Any = None
        self._head = bytearray()  # everything, up to INLINE; later what is not written yet
        self._size = 0
        self._fd = -1
        self._temporary = ""
        self._sent = 0  # bytes for which writeback was asked
        self._taken: dict[str, tuple[str, int]] = {}  # temporary name: digest and size
        self._over = False

    def __enter__(self) -> BlobSink:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()

    # ------------------------------------------------------------------ the binary file

    def write(self, data: Any, /) -> int:
        """Append bytes (anything with the buffer protocol, contiguous). Raises `DiskFull`, `StoreReadOnly`."""
        self._must_be_open()
        view = memoryview(data)
        count = view.nbytes
        if count == 0:
            return 0
        if view.ndim != 1 or view.format != "B":
            view = view.cast("B")
        self._size += count
        if self._size <= INLINE:
            self._head += view
            return count
        with self._tidy():
            if self._fd < 0:
                self._spill()
            if count < BLOCK:
                self._head += view
                if len(self._head) >= BLOCK:
                    self._flush()
            else:
                self._flush()
                self._put(view)
        return count

    def tell(self) -> int:
        """Bytes written so far."""
        return self._size

    def flush(self) -> None:
        """Nothing to do; `finish` makes the blob durable."""

    def close(self) -> None:
        """Nothing to do; there for libraries that close what they wrote to."""

    @property
    def closed(self) -> bool:
        """Whether the blob was completed or given up."""
        return self._over

    def readable(self) -> bool:
        """No."""
        return False

    def writable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """No: bytes are hashed as they come."""
        return False

    def take(self, path: Path) -> tuple[str, int]:
        """Copy a file into the store as a further blob, always a file: its digest and size.

        Durable after `finish`. Blocks are shared where the file system can do that. Raises `OSError`
        where the file cannot be opened, else as `write`.
        """
        self._must_be_open()
        with open(path, "rb", buffering=0) as source, self._tidy():
            temporary = self._blobs.temporary()
            self._taken[temporary] = ("", 0)
            size = durable.copy(source.fileno(), temporary)
            digest = hash_file(temporary)
            self._taken[temporary] = (digest, size)
        return digest, size

    # ------------------------------------------------------------------ the end

    def finish(self) -> Stored:
        """Complete the blob; it and what was taken are durable now. Raises `DiskFull`, `StoreReadOnly`, `StoreError`."""
        self._must_be_open()
        with self._tidy():
            changed = self._place_taken()
            if self._fd < 0:
                data = bytes(self._head)
                stored = Stored(digest_of(data), len(data), data)
            else:
                self._flush()
                os.fchmod(self._fd, 0o444)
                os.fsync(self._fd)
                os.close(self._fd)
                self._fd = -1
                stored = Stored(f"b3:{self._hash.hexdigest()}", self._size, None)
                changed |= self._blobs.place(self._temporary, stored.digest, self._size)
                self._temporary = ""
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
        self._over = True
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        if self._temporary:
            with contextlib.suppress(OSError):
                os.unlink(self._temporary)
            self._temporary = ""
        for temporary in self._taken:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        self._taken.clear()
        self._head = bytearray()

    def _must_be_open(self) -> None:
        if self._over:
            raise StoreError("this blob was already completed, or given up after an error")

    @contextlib.contextmanager
    def _tidy(self) -> Iterator[None]:
        """Errors of the system as Stepwell's; after any error nothing is left of the blob."""
        try:
            with _system_errors(self._temporary or os.fspath(self._blobs.folder)):
                yield
        except BaseException:
            self.discard()
            raise

    def _spill(self) -> None:
        self._hash = blake3()()
        name = self._blobs.temporary()
        self._fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._temporary = name

    def _flush(self) -> None:
        if self._head:
            whole, self._head = self._head, bytearray()
            self._put(memoryview(whole))

    def _put(self, view: memoryview) -> None:
        """Hash bytes and write them, both at once where there are many."""
        if view.nbytes < BESIDE:
            self._hash.update(view)
            self._write_all(view)
            return
        beside = Thread(target=self._hash.update, args=(view,), name="stepwell-hash")
        beside.start()
        try:
            for start in range(0, view.nbytes, SLICE):
                self._write_all(view[start : start + SLICE])
        finally:
            beside.join()

    def _write_all(self, view: memoryview) -> None:
        while view.nbytes:
            view = view[os.write(self._fd, view) :]
        here = os.lseek(self._fd, 0, os.SEEK_CUR)
        if here - self._sent >= SLICE:
            durable.begin_writeback(self._fd, self._sent, here - self._sent)
            self._sent = here


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
    """The memory of verifications: digest to signature, in a text file that all processes append to.

    Lines are `digest inode size mtime ctime`; one that is not is skipped, so that a torn append or
    a damaged file only means hashing again. Each process reads what others added when it needs it.
    """

    def __init__(self, path: str, *, readonly: bool = False) -> None:
        self._file = path
        self._readonly = readonly
        self._known: dict[str, Signature] = {}
        self._seen: tuple[int, int] = (0, 0)  # inode, bytes read

    def has(self, digest: str, signature: Signature) -> bool:
        """Whether this very file was verified."""
        if self._known.get(digest) == signature:
            return True
        return self._read_on() and self._known.get(digest) == signature

    def add(self, digest: str, signature: Signature) -> None:
        """Remember a verification. A store that cannot be written is remembered by this process alone."""
        self._known[digest] = signature
        if self._readonly:
            return
        line = f"{digest} {' '.join(map(str, signature))}\n".encode()
        with contextlib.suppress(OSError):
            fd = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                if os.fstat(fd).st_size > LONGEST_MEMO:
                    os.unlink(self._file)
                os.write(fd, line)
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
        for line in whole.decode("ascii", "replace").splitlines():
            fields = line.split(" ")
            if len(fields) == 5 and all(field.isdecimal() for field in fields[1:]):
                self._known[fields[0]] = (int(fields[1]), int(fields[2]), int(fields[3]), int(fields[4]))
        return bool(whole)


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
    make = blake3()
    with open(path, "rb", buffering=0) as file:
        if os.fstat(file.fileno()).st_size < BLOCK:
            return digest_of(file.read())
    return f"b3:{make(max_threads=getattr(make, 'AUTO', 1)).update_mmap(path).hexdigest()}"


def _signature(status: os.stat_result) -> Signature:
    return (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


@contextlib.contextmanager
def _system_errors(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise refusal(error, path) from error
