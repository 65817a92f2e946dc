"""Bytes by their digests, in a place that others reach too: a folder, a web server, a bucket.

    path = fetch("b3:ab12…", 1_802_344, ["s3://acme-artifacts/cas", "https://mirror.example.org/cas"])
    put(path, "b3:ab12…", "s3://acme-artifacts/cas")

A place holds the bytes of a digest under `ADDRESS/b3/ab/REST`, where `ab` are the first two hexadecimal digits of
the digest and REST the other 62. Nothing else is in it, nothing in it ever changes, and any static file server,
any copy of the folder and any bucket serves. Beside what was erased lies `REST.erased`, which says when and why.

What is fetched is kept in the user's cache folder (`worker.places.environments.cache_folder`), which is laid out as
a store is: verified while it arrives, whole before it has its name, and shared by all projects and releases.
A place that gives other bytes is passed over, and told if no other place has the right ones.

Whoever uses another's release names further places in `STEPWELL_MIRRORS`, with commas between them.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from stepwell.errors import (
    BadDepot,
    BlobDiffers,
    BlobErased,
    BlobNotFetched,
    DiskFull,
    StepwellError,
    StoreError,
    StoreReadOnly,
)
from stepwell.sources.address import shown
from stepwell.stores import durable
from stepwell.stores.blobs import Blobs
from stepwell.stores.filesystem import refusal
from stepwell.worker.places.environments import cache_folder

if TYPE_CHECKING:
    from stepwell.sources.kept import Shelf

MIRRORS = "STEPWELL_MIRRORS"
"""The variable that names places of whoever fetches, asked after all others."""

ERASED = ".erased"
"""What the name of a note about erased bytes ends with."""

_DIGEST = re.compile(r"b3:[0-9a-f]{64}")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


class Erased(NamedTuple):
    """A note beside bytes that were erased: when (a date, as text) and why."""

    at: str
    why: str


def name_of(digest: str) -> str:
    """Where the bytes of a digest lie below the address of a place: "b3/ab/REST". Raises `BadDepot`."""
    if not _DIGEST.fullmatch(digest):
        raise BadDepot(f"`{digest[:80]}` is no digest", why="a digest is b3: and 64 hexadecimal digits")
    return f"b3/{digest[3:5]}/{digest[5:]}"


def cached(digest: str) -> Path | None:
    """The verified file of a digest in the user's cache; None where there is none. Damaged ones are moved away."""
    name_of(digest)
    kept = cache_at(cache_folder())
    try:
        return None if kept.check(digest, again=True) else kept.path(digest)
    except StoreError:  # it cannot be read: then it is fetched again, or whoever fetches says what is wrong
        return None


def fetch(digest: str, size: int, places: Iterable[str], root: Path | None = None) -> Path:
    """The verified file of a digest, of `size` bytes (0: nobody knows): from the cache, else from the first place that has it.

    `places` are folders (relative to `root`, else to the working folder), http and https addresses, and buckets. Those of
    `STEPWELL_MIRRORS` are asked after them.
    Raises `BlobNotFetched` naming every place, `BlobErased`, `BlobDiffers` where only other bytes are to be had,
    `BadDepot`, `DiskFull` and `StoreReadOnly`.
    """
    found = cached(digest)
    if found is not None:
        return found
    asked: list[str] = []
    refused: list[BlobDiffers] = []
    for place in dict.fromkeys((*places, *own_mirrors())):
        try:
            path = _fetched(digest, place, root)
        except BlobDiffers as error:
            refused.append(error)
            asked.append(f"{shown(place)}: gave other bytes")
        except _Absent as absent:
            asked.append(f"{shown(place)}: {absent}")
        else:
            for lie in refused:
                warnings.warn(f"{lie.what}; {shown(place)} had the right ones", stacklevel=2)
            return path
    if refused:
        raise refused[0]
    raise BlobNotFetched(
        f"the {f'{size:,} ' if size else ''}bytes of {digest[:15]}… are nowhere to be had",
        why=f"asked were: {'; '.join(asked)}" if asked else "it is not said where they may be fetched from",
        fixes=[*(["try again later, or with access to one of these places"] if asked else []), ANOTHER_PLACE],
    )


ANOTHER_PLACE = f"{MIRRORS}=ADDRESS[,ADDRESS] names other places that have it: a folder, a bucket, https://…"
"""What helps those who cannot change what a release names."""


def own_mirrors() -> tuple[str, ...]:
    """The places that `STEPWELL_MIRRORS` names: folders by their whole paths, addresses."""
    told = (word.strip() for word in os.environ.get(MIRRORS, "").split(","))
    return tuple(str(Path(word).absolute()) if "://" not in word else word for word in told if word)


def keep(path: Path, digest: str) -> Path:
    """A copy of a file in the user's cache, read-only. Raises `BlobDiffers` for a file of another digest, `OSError` and as `fetch`."""
    kept = blobs()
    with _room(), kept.sink() as sink:
        taken, _ = sink.take(path)
        if taken != digest:
            raise _other(os.fspath(path), digest, taken)
        sink.finish()
    return kept.path(digest)


def put(path: Path, digest: str, place: str, root: Path | None = None) -> None:
    """Put the bytes of a file into a place, by their digest; what is there already stays.

    Raises `BlobDiffers` where the file has another digest, `BadDepot` where nothing can be put, and `DiskFull`.
    """
    name_of(digest)
    match _kind(place):
        case "folder":
            _put_into_folder(path, digest, _folder(place, root))
        case "bucket":
            _put_into_bucket(path, digest, place)
        case _:
            raise BadDepot(
                f"nothing can be put to `{shown(place)}`",
                why="a web server gives, and takes nothing",
                fixes=['name a folder or a bucket: store = "s3://acme-artifacts/cas"'],
            )


# --------------------------------------------------------------------------- places


class _Absent(Exception):
    """A place that has not what was asked for; the text says why, as a clause."""


def _kind(place: str) -> str:
    """What kind of place an address is: "folder", "web" or "bucket". Raises `BadDepot`."""
    scheme = _SCHEME.match(place)
    kinds = {"file": "folder", "http": "web", "https": "web", "s3": "bucket"}
    kind = kinds.get(scheme[1].lower(), "") if scheme else "folder"
    if not kind or not place.strip() or "\0" in place:
        raise BadDepot(
            f"`{shown(place)}` is no place for bytes by their digests",
            why="it is a folder, or an address by file, http, https or s3",
            fixes=['store = "s3://acme-artifacts/cas"', 'store = "/srv/artifacts"'],
        )
    return kind


def _folder(place: str, root: Path | None) -> Path:
    from urllib.parse import unquote, urlsplit

    text = unquote(urlsplit(place).path) if place.lower().startswith("file://") else place
    return (root or Path.cwd()) / os.path.expanduser(text)


def _fetched(digest: str, place: str, root: Path | None) -> Path:
    """The file in the cache, from one place. Raises `_Absent`, `BlobDiffers`, `BlobErased`, and what `fetch` does of the cache."""
    match _kind(place):
        case "folder":
            return _from_folder(digest, _folder(place, root))
        case "web":
            return _from_web(digest, place)
        case _:
            return _from_bucket(digest, place)


def _from_folder(digest: str, folder: Path) -> Path:
    path = folder / name_of(digest)
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        _raise_if_erased(digest, os.fspath(folder), _read_or_none(path.with_name(path.name + ERASED)))
        raise _Absent(error.strerror or str(error)) from None
    try:
        return keep(path, digest)
    except OSError as error:  # it went away, or is a folder
        raise _Absent(error.strerror or str(error)) from None


def _read_or_none(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:  # most places erase nothing
        return None


def _from_web(digest: str, place: str) -> Path:
    from stepwell.errors import EmptySource, Offline, SourceRefused
    from stepwell.sources import web
    from stepwell.sources.address import Address

    uri = _below(place, name_of(digest))
    kept = blobs()
    try:
        with _room():
            web.fetch(Address("web", uri, uri), None, _aside(digest, place, kept))
    except SourceRefused as error:
        _raise_if_erased(digest, shown(place), _note_on_web(f"{uri}{ERASED}"))
        raise _Absent(_said(error, uri)) from None
    except (Offline, EmptySource) as error:
        raise _Absent(_said(error, uri)) from None
    return kept.path(digest)


def _below(place: str, name: str) -> str:
    """An address with a path below its own; a query (a token of access) stays at its end."""
    from urllib.parse import urlsplit, urlunsplit

    parts = urlsplit(place)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{name}", fragment=""))


def _said(error: StepwellError, uri: str) -> str:
    """What was wrong with an address, without the address: it is named already."""
    what = error.what.replace(f"`{shown(uri)}`", "it")
    return f"{what.removeprefix('it ')}" + (f" ({error.why})" if error.code == "E307" else "")


def _note_on_web(uri: str) -> bytes | None:
    from urllib.request import Request

    from stepwell.sources.servers import NoAnswer, ask

    try:
        with ask(Request(uri), 10.0) as response:
            return response.read(1 << 16) if response.status == 200 else None
    except (NoAnswer, OSError):  # then nothing is known of it
        return None


def _from_bucket(digest: str, place: str) -> Path:
    from stepwell.errors import BucketRefused, MissingExtra, NotThere
    from stepwell.sources.buckets import Bucket
    from stepwell.sources.kept import receive

    bucket, name = Bucket(place), name_of(digest)
    kept = blobs()
    try:
        found = bucket.read(name)
        with _room():
            receive(found.blocks, _aside(digest, place, kept))
    except NotThere:
        with suppress(NotThere, BucketRefused):
            _raise_if_erased(digest, shown(place), bucket.read(f"{name}{ERASED}").whole())
        raise _Absent("it is not there") from None
    except (BucketRefused, MissingExtra) as error:
        raise _Absent(error.what) from None
    return kept.path(digest)


def _put_into_bucket(path: Path, digest: str, place: str) -> None:
    """What is there already by this name and size is believed: the server keeps its digests, and readers compare."""
    from stepwell.sources.buckets import Bucket
    from stepwell.stores.blobs import hash_file

    bucket, name = Bucket(place), name_of(digest)
    found = hash_file(os.fspath(path))
    if found != digest:
        raise _other(os.fspath(path), digest, found)
    if not any(one.name == name and one.size == path.stat().st_size for one in bucket.list(name)):
        bucket.put(name, path)


# --------------------------------------------------------------------------- a folder to put to


def _put_into_folder(path: Path, digest: str, folder: Path) -> None:
    """Copy, compare, and only then give it its name. What has the name already stays if it is what it should be.

    Of the folder only its last part is made: a disk that is not mounted is no reason to fill another one.
    """
    from secrets import token_hex

    from stepwell.stores.blobs import hash_file

    target = folder / name_of(digest)
    if target.is_file() and hash_file(os.fspath(target)) == digest:
        return
    if not folder.exists() and not folder.parent.is_dir():
        raise BadDepot(
            f"nothing can be put into `{folder}`: there is no folder `{folder.parent}`",
            why="a disk may not be mounted; what was put beside it would be found by nobody",
            fixes=["mount the disk", f"mkdir -p {shlex.quote(os.fspath(folder.parent))}, if it is meant"],
        )
    beside = target.with_name(f".{os.getpid()}-{token_hex(6)}")
    with _place_errors(folder):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            _copy(path, beside)
            found = hash_file(os.fspath(beside))
            if found != digest:
                raise _other(os.fspath(path), digest, found)
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)
        _sync(target.parent)


def _copy(path: Path, target: Path) -> None:
    """A durable, read-only copy of a file."""
    with path.open("rb", buffering=0) as old, target.open("xb", buffering=0) as new:
        if not durable.share_blocks(old.fileno(), new.fileno()):
            for _ in durable.copied(old.fileno(), new.fileno()):
                pass
        os.fchmod(new.fileno(), 0o444)
        os.fsync(new.fileno())


def _sync(folder: Path) -> None:
    durable.sync_folder(os.fspath(folder))


@contextmanager
def _place_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = refusal(error, folder)
        if isinstance(full, DiskFull):
            raise DiskFull(
                full.what, why=full.why, fixes=["make room, then the same command again"]
            ) from None
        raise BadDepot(
            f"nothing can be put into `{folder}`: {error.strerror or error}",
            fixes=["see that the folder is there and may be written to"],
        ) from None


# --------------------------------------------------------------------------- the cache


@cache
def cache_at(folder: Path) -> Blobs:
    """The cache in a folder, which need not be there."""
    return Blobs(folder)


def blobs() -> Blobs:
    """What was fetched, in the user's cache folder, laid out as a store. Raises `DiskFull`, `StoreReadOnly`."""
    folder = cache_folder()
    with _room():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            cache_at(folder).make()
        except OSError as error:
            raise refusal(error, folder) from None
    return cache_at(folder)


def _aside(digest: str, place: str, kept: Blobs) -> Shelf:
    """Where bytes arrive that must be those of a digest: they become a blob of the cache, or `BlobDiffers` is raised."""
    from stepwell.sources.kept import Shelf

    def put(path: Path, found: str) -> Path:
        if found != digest:
            raise _other(shown(place), digest, found)
        durable.sync_folders(kept.place(os.fspath(path), digest, path.stat().st_size))
        return kept.path(digest)

    return Shelf(kept.folder, put)


@contextmanager
def _room() -> Iterator[None]:
    """What goes wrong with the cache, with the way out that there is for a cache."""
    way = ["make room, then again", "STEPWELL_CACHE=/another/folder keeps it elsewhere"]
    try:
        yield
    except (DiskFull, StoreReadOnly) as error:
        raise type(error)(error.what, why=error.why, fixes=way) from None


def _other(place: str, digest: str, found: str) -> BlobDiffers:
    return BlobDiffers(
        f"`{place}` has other bytes for {digest[:15]}… than were asked for",
        why=f"asked for {digest}, and it gave {found}",
        fixes=["nothing of it was used; tell whoever keeps that place", "name another place as a mirror"],
    )


def _raise_if_erased(digest: str, place: str, note: bytes | None) -> None:
    """Raise `BlobErased` where a note says that the bytes were erased."""
    if note is None:
        return
    try:
        found = json.loads(note)
        told = Erased(str(found["at"])[:40], str(found["why"])[:300])
    except (ValueError, KeyError, TypeError):  # some page of a server, not a note
        return
    raise BlobErased(
        f"{digest[:15]}… was erased on {told.at}: {told.why}",
        why=f"`{place}` says so; what was made of it still works, and cannot be made again",
    )


def erase(digest: str, place: str, note: Erased, root: Path | None = None) -> bool:
    """Remove bytes from a folder or a bucket, leaving a note; whether they were there. Raises `BadDepot`, `BucketRefused`."""
    name, text = name_of(digest), json.dumps(note._asdict(), sort_keys=True).encode()
    match _kind(place):
        case "folder":
            return _erased_from_folder(_folder(place, root), name, text)
        case "bucket":
            from stepwell.sources.buckets import Bucket

            bucket = Bucket(place)
            there = any(one.name == name for one in bucket.list(name))
            bucket.put(f"{name}{ERASED}", text)
            bucket.delete(name)
            return there
        case _:
            raise BadDepot(f"nothing can be erased at `{shown(place)}`", fixes=["erase it there, by hand"])


def _erased_from_folder(folder: Path, name: str, note: bytes) -> bool:
    path = folder / name
    with _place_errors(folder):
        path.parent.mkdir(parents=True, exist_ok=True)
        durable.replace(path.with_name(path.name + ERASED), note)
        try:
            path.unlink()
        except FileNotFoundError:
            return False
    return True
