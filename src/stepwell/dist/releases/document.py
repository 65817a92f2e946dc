"""What a release says of itself: `release.json`. Facts that the lock has stay in the lock, which lies beside it.

document = decoded(data)         # raises BadRelease
data = encoded(document)         # canonical: the same facts give the same bytes
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from stepwell.errors import BadRelease

FORMAT = 1

FOLDER = "_release"
"""The folder in the package that holds all of a release but its code."""

FILE = "release.json"


class Blob(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bytes that belong to a release, by their `b3:` digest: how many, their SHA-256 in hexadecimal digits, and whether they are in the wheel."""

    size: int
    sha256: str
    inside: bool = True


class Golden(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Predictions that another release is compared with: the table that was predicted on and what came of it, as blobs of codec `codec`."""

    on: str
    predictions: str
    codec: str
    tolerance: float = 0.0


class Release(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A release.

    `project` is spelled as in its metadata, `package` is what is imported. `commit` is the git commit that it was made
    at ("" outside of git), `dirty` names what was not in it. `pipelines` are "FILE:NAME", relative to the project's root,
    by their names in the lock. `predict` is the output that `predict` asks, or "". `blobs` by digest; `stores` are where those that are not inside
    may be fetched from, in this order. `golden` by output. `gates` are the gates of all outputs, as written.
    `left` are files of the project that are not among its files in the release, and that the wheel has elsewhere: their SHA-256 by name.
    `silenced` are rules of compatibility that were told to be quiet, with the reason; `note` is the person's line about the release.
    """

    format: int = FORMAT
    project: str
    package: str
    version: str
    commit: str = ""
    dirty: tuple[str, ...] = ()
    pipelines: dict[str, str] = {}
    predict: str = ""
    blobs: dict[str, Blob] = {}
    stores: tuple[str, ...] = ()
    golden: dict[str, Golden] = {}
    gates: dict[str, tuple[str, ...]] = {}
    left: dict[str, str] = {}
    silenced: dict[str, str] = {}
    note: str = ""


def encoded(release: Release) -> bytes:
    """The bytes of `release.json`, with its keys in order."""
    plain = msgspec.json.encode(release, order="sorted")
    return msgspec.json.format(plain, indent=1) + b"\n"


def decoded(data: bytes, where: str = FILE) -> Release:
    """What `release.json` says. Raises `BadRelease` for anything but what `encoded` gives, and for later formats."""
    try:
        found = msgspec.json.decode(data, type=Release)
    except (msgspec.DecodeError, ValueError) as error:
        raise BadRelease(
            f"`{where}` is no {FILE} of a release: {error}", fixes=["ask who released it for the wheel"]
        ) from None
    if found.format != FORMAT:
        raise BadRelease(
            f"`{where}` has format {found.format}, and this Stepwell reads {FORMAT}",
            fixes=["pip install --upgrade stepwell"],
        )
    return found
