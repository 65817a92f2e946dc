"""Runs with no more than what conditions and orders ask for, so that ten thousand are read in a moment.

    for brief in briefs(database, ["auc"], asking, {}): brief.metrics.get("auc")

The metrics of a run are one text. Of it only the names that are asked for are decoded.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache
from json import loads
from typing import Any, NamedTuple

from stepwell.stores.database import Database

_EMPTY: Mapping[str, Any] = {}

_COLUMNS = 'id, pipeline, status, started, seconds, params, "commit", dirty, driver, "group", tags'


class Brief(NamedTuple):
    """A run, as `stores.history.RunRow` has it, with only those of its metrics that were asked for."""

    run: str
    pipeline: str
    status: str
    started: float
    seconds: float | None
    params: Mapping[str, object]
    metrics: Mapping[str, float]
    commit: str
    dirty: bool
    group: str
    tags: tuple[str, ...]


class Asking(NamedTuple):
    """What `briefs` asks back: whether a run's driver lives, by its number; the metrics and tags that a run has so far."""

    driven: Callable[[int], bool]
    metrics: Callable[[int], Mapping[str, float]]
    tags: Callable[[int], Iterable[str]]


class Unreadable(Exception):
    """The record of a run, by its number, is no record; the cause says why."""

    def __init__(self, run: int) -> None:
        super().__init__(run)
        self.run = run


def briefs(
    database: Database, names: Collection[str], asking: Asking, where: Mapping[str, object]
) -> list[Brief]:
    """Runs, newest first; `names` are those of metrics, `where` columns with the values that they are to have.

    Raises `Unreadable`.
    """
    clause = " AND ".join(f'"{column}" = ?' for column in where)
    sql = f"SELECT {_COLUMNS}, {'metrics' if names else 'NULL'} FROM runs{' WHERE ' if clause else ''}{clause} ORDER BY id DESC"  # noqa: S608 - our own
    make = _maker(names, asking)
    out = []
    for row in database.rows(sql, tuple(where.values())):
        try:
            out.append(make(row))
        except (ValueError, TypeError, KeyError) as error:
            raise Unreadable(row[0]) from error
    return out


def _maker(names: Collection[str], asking: Asking) -> Callable[[tuple[Any, ...]], Brief]:
    """What makes a run of a row."""
    plain, taken = _decoders(names)
    driven, tagged = cache(asking.driven), cache(lambda text: tuple(plain(text)))

    def make(row: tuple[Any, ...]) -> Brief:
        number, pipeline, status, started, seconds, params, commit, dirty, driver, group, tags, text = row
        found = taken(text) if text else _EMPTY
        if status == "running":
            status = "running" if driven(driver) else "interrupted"
            found = _some(asking.metrics(number), names) if names else _EMPTY
        return Brief(
            f"r{number}", pipeline, status, started, seconds, plain(params), found, commit, bool(dirty),
            f"g{group}" if group else "", tuple(asking.tags(number)) if tags is None else tagged(tags),
        )  # fmt: skip

    return make


def _some(found: Mapping[str, float], names: Collection[str]) -> Mapping[str, float]:
    return {name: found[name] for name in names if name in found}


def _decoders(names: Collection[str]) -> tuple[Callable[[str], Any], Callable[[str], Mapping[str, float]]]:
    """What reads a text of JSON, and what takes these names out of one and looks at nothing else.

    Both take the long way for NaN and infinities, which Python writes and JSON does not have.
    """
    import msgspec  # a fifth of the time that `json` takes; few commands need it

    fields = {f"f{at}": name for at, name in enumerate(names)}
    kind = msgspec.defstruct("Metrics", [(field, float | None, None) for field in fields], rename=fields)
    read, decode, pairs = msgspec.json.decode, msgspec.json.Decoder(kind).decode, list(fields.items())

    def plain(text: str) -> Any:
        try:
            return read(text)
        except msgspec.DecodeError:
            return loads(text)

    def taken(text: str) -> Mapping[str, float]:
        try:
            found = decode(text)
        except msgspec.DecodeError:
            return _some(loads(text), names)
        return {name: value for field, name in pairs if (value := getattr(found, field)) is not None}

    return plain, taken
