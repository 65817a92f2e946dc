"""What the store keeps of sources: blobs by digest, and how they are laid out so that readers find names and suffixes.

    digest, size = receive(blocks, shelf)          # bytes become a blob while they arrive
    local(address, digest, shelf)                  # a kept source as files: one, or all of a folder
    lay_out(address, digest, listing, shelf)       # links to the blobs of a folder's files, by their names

A folder is kept as the blobs of its files and one more, its listing (`content.listing`), whose digest is the
folder's. Since a blob has no name and readers go by suffixes, what is read are links to blobs:
`files/web/<digest>/<name>` for one file, `files/frozen/<digest>/<relative names>` for a folder. Links can be made again
at any time; what counts are the blobs.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from stepwell.errors import DiskFull, StoreReadOnly
from stepwell.sources.address import Address, is_glob, name_of, printable, shown
from stepwell.sources.content import HEAD
from stepwell.sources.files import Place, Seen, see_file
from stepwell.sources.walk import below

BLOCK = 1 << 20
"""Bytes that are copied at a time."""


class Shelf(NamedTuple):
    """The store, as far as sources need it: its folder, and how a finished file becomes a blob.

    `put(path, digest)` moves the synced, read-only file `path` to its place among the blobs.
    """

    folder: Path
    put: Callable[[Path, str], Path] | None = None

    def blob(self, digest: str) -> Path:
        """Where the blob of a digest (`b3:…`) is."""
        hexadecimal = digest.removeprefix("b3:")
        return self.folder / "blobs" / hexadecimal[:2] / hexadecimal[2:]


class Listing(NamedTuple):
    """The files of a folder or glob: the digest of each by its relative name, and the names of empty folders."""

    files: Mapping[str, str]
    empty: tuple[str, ...] = ()


class NotListed(ValueError):
    """Bytes that are no listing, or one that nothing can be laid out from; the text says why, as a clause."""


def listing_of(data: bytes) -> Listing:
    """The files that a listing names. Raises `NotListed`, also for names that lead out of the folder."""
    if not data.startswith(HEAD):
        raise NotListed("it is no listing of files")
    files: dict[str, str] = {}
    empty: list[str] = []
    at = len(HEAD)
    try:
        while at < len(data):
            kind, (length,) = data[at : at + 1], struct.unpack_from("<Q", data, at + 1)
            name = os.fsdecode(data[at + 9 : at + 9 + length])
            at += 9 + length
            if kind == b"l":
                raise NotListed(f"`{printable(name)}` is a link that leads back to itself")
            _refuse_way_out(name)
            if kind == b"f":
                files[name] = f"b3:{data[at : at + 32].hex()}"
                at += 32
            else:
                empty.append(name)
    except struct.error:
        raise NotListed("it is cut off") from None
    return Listing(files, tuple(empty))


def listed_in(digests: Iterable[str], shelf: Shelf) -> Iterator[str]:
    """The digests of all files of those folders among some digests whose listing is kept."""
    for digest in digests:
        try:
            with open(shelf.blob(digest), "rb") as file:
                if file.read(len(HEAD)) != HEAD:
                    continue
                file.seek(0)
                yield from listing_of(file.read()).files.values()
        except (OSError, NotListed):  # it is not kept, or is something else that begins so
            continue


def _refuse_way_out(name: str) -> None:
    """Names come from whoever wrote the listing."""
    parts = name.rstrip("/").split("/")
    if not all(parts) or {".", ".."} & {*parts} or "\0" in name:
        raise NotListed(f"`{printable(name)}` is no name inside of a folder")


# --------------------------------------------------------------------------- reading


def local(address: Address, digest: str, shelf: Shelf) -> Seen:
    """What is kept of a source under a digest, under its name or names. Raises `FileNotFoundError` where it is not kept."""
    tree = _tree(digest, shelf)
    if tree.is_dir():
        return _laid_out(address, tree)
    blob = shelf.blob(digest)
    with open(blob, "rb", buffering=0) as file:
        info = os.fstat(file.fileno())
        if file.read(len(HEAD)) == HEAD:  # a folder that is not laid out
            raise FileNotFoundError(str(tree))
    path = str(_named(blob, digest, name_of(address), shelf))
    return see_file(Place("/", str(blob), shown(address.uri)), info, path)


def is_kept(digest: str, shelf: Shelf) -> bool:
    """Whether something is kept under a digest, by its look alone."""
    return shelf.blob(digest).is_file()


def _laid_out(address: Address, tree: Path) -> Seen:
    text, base = shown(address.uri), str(tree)
    levels = [level for _, level in below(text, base)]
    pattern = address.kind in ("path", "package", "bucket") and is_glob(address.path)
    return Seen(Place("/", base, text), levels, base=base, folder="" if pattern else base)


def _tree(digest: str, shelf: Shelf) -> Path:
    return shelf.folder / "files" / "frozen" / digest.removeprefix("b3:")


def _named(blob: Path, digest: str, name: str, shelf: Shelf) -> Path:
    """A link to a blob that has the name, and so the suffix, of the address; the blob itself if that is impossible."""
    folder = shelf.folder / "files" / "web" / digest.removeprefix("b3:")
    path = folder / name
    target = os.path.relpath(blob, folder)
    from secrets import token_hex

    try:
        if os.readlink(path) == target:
            return path
    except OSError:
        pass
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f".{token_hex(6)}"
        temporary.symlink_to(target)
        os.replace(temporary, path)
    except OSError:
        return blob
    return path


# --------------------------------------------------------------------------- writing


def receive(blocks: Iterable[bytes], shelf: Shelf) -> tuple[str, int]:
    """Write bytes to a new file, hash them on the way, and move it among the blobs: its digest and size.

    Whatever `blocks` raises leaves nothing behind. Raises `DiskFull`, `StoreReadOnly`.
    """
    from secrets import token_hex

    from blake3 import blake3

    temporary = shelf.folder / "tmp" / f"web-{os.getpid()}-{token_hex(6)}"
    try:
        with own_errors(shelf):
            temporary.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            hasher, size = blake3(), 0
            for data in blocks:
                hasher.update(data)
                size += len(data)
                with own_errors(shelf):
                    _write(file, data)
            with own_errors(shelf):
                os.fsync(file)
                os.fchmod(file, 0o444)
        finally:
            os.close(file)
        digest = f"b3:{hasher.hexdigest()}"
        with own_errors(shelf):
            (shelf.put or _put(shelf))(temporary, digest)
    finally:
        with suppress(OSError):
            temporary.unlink()
    return digest, size


def keep(path: str | os.PathLike[str], shelf: Shelf) -> tuple[str, int]:
    """A copy of a file as a blob: its digest and size. Raises `OSError` where it cannot be read, and as `receive`."""
    with open(path, "rb", buffering=0) as file:
        return receive(iter(lambda: file.read(BLOCK), b""), shelf)


def adopt(path: Path, digest: str, shelf: Shelf) -> None:
    """Make a verified, read-only file that lies elsewhere a blob: by another name for it, or a copy. Raises as `keep`."""
    blob = shelf.blob(digest)
    if blob == path or is_kept(digest, shelf):
        return
    try:
        with own_errors(shelf):
            blob.parent.mkdir(parents=True, exist_ok=True)
        os.link(path, blob)
    except OSError:  # another disk, or one that has no second names
        keep(path, shelf)


def is_sound(digest: str, shelf: Shelf) -> bool:
    """Whether a kept blob is still what its digest says, every byte of it."""
    from blake3 import blake3

    hasher = blake3(max_threads=blake3.AUTO)
    try:
        hasher.update_mmap(shelf.blob(digest))
    except OSError:
        return False
    return f"b3:{hasher.hexdigest()}" == digest


def discard(digest: str, shelf: Shelf) -> None:
    """Take a damaged blob away, so that it is had again."""
    with suppress(OSError):
        shelf.blob(digest).unlink()


def forget(digest: str, shelf: Shelf) -> None:
    """Take the links of a folder away, so that they are laid out again."""
    from shutil import rmtree

    rmtree(_tree(digest, shelf), ignore_errors=True)


def lay_out(digest: str, listing: Listing, shelf: Shelf) -> None:
    """Make the folder of links to the blobs of a listing, whole or not at all. Raises `DiskFull`, `StoreReadOnly`.

    Raises `NotListed` for names of which one is the folder of another.
    """
    from secrets import token_hex
    from shutil import rmtree

    tree = _tree(digest, shelf)
    if tree.is_dir():
        return
    folders = {str(parent) for name in (*listing.files, *listing.empty) for parent in Path(name).parents}
    if folders & listing.files.keys():
        raise NotListed("one of its names is the folder of another")
    made = tree.with_name(f".{token_hex(6)}")
    try:
        with own_errors(shelf):
            made.mkdir(parents=True)
            for name in listing.empty:
                (made / name).mkdir(parents=True, exist_ok=True)
            for name, one in listing.files.items():
                at = made / name
                at.parent.mkdir(parents=True, exist_ok=True)
                below = Path(*[".."] * (2 + len(at.relative_to(made).parts)))
                at.symlink_to(below / shelf.blob(one).relative_to(shelf.folder))
            if not tree.is_dir():  # somebody else may have been quicker
                made.rename(tree)
    finally:
        rmtree(made, ignore_errors=True)


@contextmanager
def own_errors(shelf: Shelf) -> Iterator[None]:
    """What goes wrong with our own files, as an error about the store."""
    from errno import EDQUOT, EFBIG, ENOSPC

    try:
        yield
    except OSError as error:
        if error.errno in (ENOSPC, EDQUOT, EFBIG):
            raise DiskFull(
                f"no space is left in `{printable(str(shelf.folder))}`", why=str(error.strerror)
            ) from None
        raise StoreReadOnly(
            f"`{printable(str(shelf.folder))}` cannot be written", why=printable(error.strerror or str(error))
        ) from None


def _write(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _put(shelf: Shelf) -> Callable[[Path, str], Path]:
    def put(path: Path, digest: str) -> Path:
        blob = shelf.blob(digest)
        blob.parent.mkdir(parents=True, exist_ok=True)
        os.replace(path, blob)
        folder = os.open(blob.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return blob

    return put
