"""Lines of a log: what one change of a channel was, how it is written, and whether lines are a chain.

A line is an object of JSON with the fields of `Entry`, in their order, in UTF-8, without blanks. `prev` is the SHA-256
of the bytes of the line before without its line break, and "" in the first one. Nothing here touches the disk.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, NoReturn, cast

from stepwell.dist.names import channel, project
from stepwell.dist.versions import parsed
from stepwell.errors import BadReason, BadReleaseName, LogDamaged

Action = Literal["promote", "rollback", "yank", "unyank"]

ACTIONS: tuple[Action, ...] = ("promote", "rollback", "yank", "unyank")

LONGEST = 1 << 20
"""Bytes of a line, which is what bounds evidence."""


class Entry(NamedTuple):
    """One change of a channel. `before` is `from` in the log: the version that was current, or "".

    `version` is the one that was promoted, rolled back to, yanked or unyanked; `wheel` is its "sha256:…", `file` its name
    in the pool, `size` its bytes, `metadata` the digest of its METADATA. `at` is UTC, as in "2026-09-02T09:11:04Z".
    """

    n: int
    channel: str
    action: Action
    project: str
    version: str
    wheel: str
    file: str
    size: int
    metadata: str
    requires_python: str
    before: str
    by: str
    at: str
    why: str
    evidence: Mapping[str, Any]
    prev: str


class Log(NamedTuple):
    """A log as it was read: its entries, and the digest of each one's line."""

    channel: str
    entries: tuple[Entry, ...] = ()
    digests: tuple[str, ...] = ()

    @property
    def head(self) -> str:
        """The digest of the last line, or "" where there is none: what the next one's `prev` is."""
        return self.digests[-1] if self.digests else ""


def line(entry: Entry) -> bytes:
    """An entry as a line, with its line break. Raises `BadReason` where its evidence cannot be written."""
    fields = {("from" if name == "before" else name): value for name, value in entry._asdict().items()}
    try:
        _plain(entry.evidence)
        text = json.dumps(fields, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        data = text.encode("utf-8") + b"\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise BadReason(
            f"the evidence cannot be written into the log: {error}",
            why="it is a mapping of names to what JSON has: text, finite numbers, true, false, null, lists, mappings",
            fixes=["leave out what is something else, or write it as text"],
        ) from error
    if len(data) > LONGEST:
        raise BadReason(
            f"the entry would have {len(data)} bytes",
            why=f"a line of a log has {LONGEST} at most",
            fixes=["put reports elsewhere, and their digests into the evidence"],
        )
    return data


def _plain(value: object) -> None:
    """That a value reads back as it was written: `json` would turn numbers that are names into text."""
    if isinstance(value, Mapping):
        if not all(isinstance(name, str) for name in value):
            raise TypeError("a name in it is not text")
        for inner in cast("Mapping[str, object]", value).values():
            _plain(inner)
    elif isinstance(value, list | tuple):
        for inner in cast("list[object]", value):
            _plain(inner)
    elif not (value is None or isinstance(value, str | int | float)):
        raise TypeError(f"{type(value).__name__} is not of JSON")


def digest(data: bytes) -> str:
    """The digest of a line without its line break."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def read_log(name: str, data: bytes) -> Log:
    """Read the log of a channel and prove that it is a chain. Raises `LogDamaged`, which names the first bad line."""
    lines = data.split(b"\n")
    if lines.pop() != b"":
        raise damaged(name, f"line {len(lines) + 1} is not complete")
    log = Log(name)
    entries: list[Entry] = []
    digests: list[str] = []
    for number, text in enumerate(lines, 1):
        entry = _entry(name, number, text)
        if entry.n != number:
            raise damaged(name, f"line {number} has entry {entry.n}: entries were taken out, added or moved")
        if entry.channel != name:
            raise damaged(name, f"entry {number} is one of the channel `{entry.channel}`")
        if entry.prev != (digests[-1] if digests else ""):
            raise damaged(name, _broken(number))
        entries.append(entry)
        digests.append(digest(text))
    return log._replace(entries=tuple(entries), digests=tuple(digests))


def _broken(number: int) -> str:
    if number == 1:
        return "entry 1 says that another one precedes it: what came before was taken out"
    return f"entry {number} does not follow entry {number - 1}: one of them was changed, or put there"


def damaged(name: str, what: str) -> LogDamaged:
    """The error about a log, with the way out."""
    return LogDamaged(
        f"the log of `{name}` is damaged: {what}",
        why="each entry has the digest of the one before, and the pages that of the last one; pip and uv are served as before",
        fixes=[
            f"put {name}.log back from a copy that is whole, then look again",
            f"see what changed: less {name}.log",
        ],
    )


def _entry(name: str, number: int, text: bytes) -> Entry:
    """A line as an entry. Raises `LogDamaged`."""
    try:
        fields = json.loads(text.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
        fields["before"] = fields.pop("from")
        entry = Entry(**fields)
        _check(entry)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, BadReleaseName) as error:
        said = error.what if isinstance(error, BadReleaseName) else str(error)
        raise damaged(name, f"line {number} is not an entry: {said[:200]}") from error
    return entry


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands in it twice")
    return found


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")


def _check(entry: Entry) -> None:
    """That each field is what it must be. Raises `ValueError`, `BadReleaseName`."""
    texts = (
        entry.channel,
        entry.action,
        entry.project,
        entry.version,
        entry.wheel,
        entry.file,
        entry.metadata,
    )
    others = (entry.requires_python, entry.before, entry.by, entry.at, entry.why, entry.prev)
    if not all(isinstance(text, str) for text in (*texts, *others)):
        raise ValueError("a field that is text is something else")
    if type(entry.n) is not int or type(entry.size) is not int or entry.size < 0:
        raise ValueError("a field that is a number is something else")
    if not isinstance(entry.evidence, dict) or not _finite(entry.evidence):
        raise ValueError("its evidence is not a mapping")
    if entry.action not in ACTIONS:
        raise ValueError(f"its action is `{entry.action}`")
    if not (
        _DIGEST.fullmatch(entry.wheel) and _DIGEST.fullmatch(entry.metadata) and _TIME.fullmatch(entry.at)
    ):
        raise ValueError("a digest or its time is not written as it must be")
    spelled = (channel(entry.channel), project(entry.project), parsed(entry.version).text)
    if spelled != (entry.channel, entry.project, entry.version):
        raise ValueError("a name in it is not in its one spelling")
    if entry.before and parsed(entry.before).text != entry.before:
        raise ValueError("a version in it is not in its one spelling")
    if "/" in entry.file or not entry.file.endswith(".whl"):
        raise ValueError("its file is not a wheel")


def _finite(value: object) -> bool:
    """Whether numbers in a value are finite: `1e999` is JSON, and not a number that could be written again."""
    if isinstance(value, dict):
        return all(map(_finite, value.values()))
    if isinstance(value, list):
        return all(map(_finite, value))
    return not isinstance(value, float) or math.isfinite(value)
