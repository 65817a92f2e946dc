"""The blobs of a release, in the store that they come from: which go into the wheel, and which are put elsewhere.

piece = piece_of(store, digest)
piece.size, piece.sha256, piece.data()
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from stepwell.dist.lock import Lock
from stepwell.dist.releases.document import Blob
from stepwell.errors import ArtifactGone, NoReleaseStore
from stepwell.stores.blobs import digest_of
from stepwell.stores.local import LocalStore

BLOCK = 1 << 20


class Piece(NamedTuple):
    """A blob: its digest, size in bytes and SHA-256, and where it is: its bytes if it is small, else a verified file."""

    digest: str
    size: int
    sha256: str
    held: bytes | None = None
    path: Path | None = None

    def data(self) -> bytes:
        """The bytes."""
        return self.path.read_bytes() if self.path is not None else self.held or b""


class Divided(NamedTuple):
    """Blobs that go into the wheel, and blobs that are fetched by their digests."""

    inside: tuple[Piece, ...]
    outside: tuple[Piece, ...]

    @property
    def blobs(self) -> dict[str, Blob]:
        """All of them, as `release.json` has them."""
        found = {one.digest: Blob(size=one.size, sha256=one.sha256) for one in self.inside}
        return found | {
            one.digest: Blob(size=one.size, sha256=one.sha256, inside=False) for one in self.outside
        }


def pieces_of(lock: Lock, store: LocalStore) -> list[Piece]:
    """The blobs of all outputs, each once, in the order of their digests. Raises `ArtifactGone`."""
    digests = {digest for one in lock.output.values() for digest in (one.bytes, *one.parts)}
    return [piece_of(store, digest) for digest in sorted(digests)]


def piece_of(store: LocalStore, digest: str) -> Piece:
    """A blob of the store, verified. Raises `ArtifactGone`."""
    held = store.results.bytes_of(digest)
    if held is not None:
        if digest_of(held) != digest:
            raise ArtifactGone(f"blob {digest[:15]}… is damaged", fixes=["stepwell verify", "stepwell run"])
        return held_piece(digest, held)
    path = store.blobs.part(digest)
    sha256 = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            sha256.update(block)
    return Piece(digest, path.stat().st_size, sha256.hexdigest(), path=path)


def held_piece(digest: str, data: bytes) -> Piece:
    """A blob of bytes that are at hand."""
    return Piece(digest, len(data), hashlib.sha256(data).hexdigest(), held=data)


def divided(
    pieces: Iterable[Piece], limit: int, stores: tuple[str, ...], *, store: str, table: str = "`release`"
) -> Divided:
    """The blobs, by whether they are smaller than `limit` bytes.

    `stores` are where others may fetch from, `store` where this release puts them, `table` how the manifest
    heads what it says of that. Raises `NoReleaseStore` where
    something is too large and there is neither.
    """
    every = {piece.digest: piece for piece in pieces}.values()
    inside = tuple(piece for piece in every if piece.size < limit)
    outside = tuple(piece for piece in every if piece.size >= limit)
    if outside and not (store and stores):
        largest = max(outside, key=lambda piece: piece.size)
        where = "says no store" if not store else "names no place that can be reached from elsewhere"
        raise NoReleaseStore(
            f"{len(outside)} artifacts of {largest.size:,} bytes and less are too large for the wheel"
            if len(outside) > 1
            else f"an artifact of {largest.size:,} bytes is too large for the wheel",
            why=f"`embed_under` is {limit:,} bytes, and {table} {where} for what is larger",
            fixes=[
                'store = "s3://acme-artifacts/cas"',
                'embed_under = "80MB"   where the index takes such wheels',
            ],
        )
    return Divided(inside, outside)
