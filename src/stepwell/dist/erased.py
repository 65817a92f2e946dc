"""Data that is not to be used any longer: what was recalled or erased, when, by whom and why. `erased.jsonl` of an index.

    tombstones = read_erased(files)                     # () where nothing was; raises LogDamaged
    stone = bury(files, Stone(digests, ("churn 1.4.0: data.customers",), by, why, at))
    found_in([digest], tombstones)                      # the one that names a digest, or None

JSON lines, each with the SHA-256 of the line before as `prev`, like the logs of channels; fields in the order of
`Tombstone`. A tombstone names every digest of the same content: of its bytes, and of what they say.
Nothing is removed by it: releases that were made of the data still install and load, but they are no longer promoted, and whoever
misses the data is told why it is gone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from stepwell.dist.channels.entries import digest
from stepwell.dist.channels.files import ABSENT, Change, Files
from stepwell.errors import ChannelsBusy, LogDamaged

NAME = "erased.jsonl"

TRIES = 50

_DIGEST = re.compile(r"(?:b3|c1|sha256):[0-9a-f]{64}")


class Tombstone(NamedTuple):
    """What was recalled: its `digests`, the places of releases that name them ("churn 1.4.0: data.customers"), by whom, when (UTC) and why."""

    n: int
    digests: tuple[str, ...]
    places: tuple[str, ...]
    by: str
    at: str
    why: str
    prev: str

    def __str__(self) -> str:
        return f"recalled at {self.at} by {self.by}: {self.why}"


class Stone(NamedTuple):
    """What a tombstone is to say; see `Tombstone`."""

    digests: tuple[str, ...]
    places: tuple[str, ...]
    by: str
    at: str
    why: str


def read_erased(files: Files) -> tuple[Tombstone, ...]:
    """All tombstones of an index, proven to be a chain. Raises `LogDamaged`, and what `files` raises."""
    content = files.read(NAME)
    return _read(content.data)[0] if content is not None else ()


def bury(files: Files, stone: Stone) -> Tombstone:
    """Add a tombstone, which is then for ever. Raises `LogDamaged`, `ChannelsBusy`, and what `files` raises."""
    for _ in range(TRIES):
        content = files.read(NAME)
        data, token = (content.data, content.token) if content is not None else (b"", ABSENT)
        before, head = _read(data)
        found = Tombstone(len(before) + 1, *stone, prev=head)
        text = json.dumps(found._asdict(), ensure_ascii=False, separators=(",", ":"))
        if not files.replace([Change(NAME, data + text.encode() + b"\n", token)]):
            return found
    raise ChannelsBusy(
        f"`{NAME}` was changed by others {TRIES} times meanwhile", fixes=["try again when they are done"]
    )


def found_in(digests: Iterable[str], tombstones: Sequence[Tombstone]) -> Tombstone | None:
    """The first tombstone that names one of these digests."""
    wanted = set(digests)
    return next((stone for stone in tombstones if wanted.intersection(stone.digests)), None)


def _read(data: bytes) -> tuple[tuple[Tombstone, ...], str]:
    """The tombstones of a file, and the digest of its last line. Raises `LogDamaged`."""
    lines = data.split(b"\n")
    if lines.pop() != b"":
        raise _damaged(f"line {len(lines) + 1} is not complete")
    found: list[Tombstone] = []
    head = ""
    for number, text in enumerate(lines, 1):
        stone = _stone(number, text)
        if stone.n != number or stone.prev != head:
            raise _damaged(
                f"line {number} does not follow the one before: one of them was changed, or put there"
            )
        found.append(stone)
        head = digest(text)
    return tuple(found), head


def _stone(number: int, text: bytes) -> Tombstone:
    try:
        fields: dict[str, Any] = json.loads(text)
        fields["digests"], fields["places"] = tuple(fields["digests"]), tuple(fields["places"])
        stone = Tombstone(**fields)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _damaged(f"line {number} is no tombstone: {str(error)[:200]}") from error
    texts = (*stone.digests, *stone.places, stone.by, stone.at, stone.why, stone.prev)
    if type(stone.n) is not int or not all(isinstance(one, str) for one in texts):
        raise _damaged(f"line {number} has a field that is no text")
    if not stone.digests or not all(_DIGEST.fullmatch(one) for one in stone.digests):
        raise _damaged(f"line {number} names no digest")
    return stone


def _damaged(what: str) -> LogDamaged:
    return LogDamaged(
        f"`{NAME}` is damaged: {what}",
        why="each line has the digest of the one before",
        fixes=[f"put {NAME} back from a copy that is whole", f"see what changed: less {NAME}"],
    )
