"""Runs with no more than what conditions and orders ask for, so that ten thousand are read in a moment.

    for brief in briefs(database, ["auc"], asking, {}): brief.metrics.get("auc")

The metrics of a run are one text. Of it only the names that are asked for are decoded.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from functools import cache
from json import loads
from typing import Any, NamedTuple

from stepwell.stores.database import Database
from stepwell.stores.metrics import Metrics, Names
from stepwell.stores.rows import encode
from stepwell.stores.runrow import NO_METRICS, UNREADABLE, RunRow, checked, damaged, texts

_COLUMNS = 'id, pipeline, status, started, seconds, params, "commit", dirty, driver, "group", tags, lasted, nodes, named'


class Asking(NamedTuple):
    """What `briefs` asks back: whether a run's driver lives, by its number; the metrics and tags of a run so far, by its status, too.

    `named` gives what runs call their metrics, by the digest of that; `graph` raises `ValueError` where that of a graph leads nowhere.
    """

    driven: Callable[[int], bool]
    metrics: Callable[[int, str], Metrics]
    tags: Callable[[int, str], Iterable[str]]
    named: Callable[[str], Names]
    graph: Callable[[str], None]


def briefs(
    database: Database, names: Collection[str], asking: Asking, where: Mapping[str, object]
) -> list[RunRow]:
    """Runs, newest first; `names` are those of metrics, `where` columns with the values that they are to have."""
    clause = " AND ".join(f'"{column}" = ?' for column in where)
    sql = f"SELECT {_COLUMNS}, {'metrics' if names else 'NULL'} FROM runs{' WHERE ' if clause else ''}{clause} ORDER BY id DESC"  # noqa: S608 - our own
    rows = database.rows(sql, tuple(where.values()))
    make = _maker(names, asking, {row[-2] for row in rows} if names else ())
    return [make(row) for row in rows]


def _maker(
    names: Collection[str], asking: Asking, shapes: Iterable[str]
) -> Callable[[tuple[Any, ...]], RunRow]:
    """What makes a run of a row. `shapes` are the digests of what the runs call their metrics."""
    named: dict[str, Names] = {}
    for digest in shapes:
        with suppress(ValueError, TypeError):  # told of the runs that it is of
            named[digest] = asking.named(digest) if digest else Names([("", name) for name in names])
    taken = _taker(
        dict.fromkeys(key for shape in named.values() for name in names for key in shape.meant(name))
    )
    plain = decoder()
    driven, tagged = cache(asking.driven), cache(lambda text: texts(plain(text)))

    def make(row: tuple[Any, ...]) -> RunRow:
        number, pipeline, status, started, seconds, params, commit, dirty, driver, group, tags, *more = row
        lasted, nodes, shape, text = more
        try:
            asking.graph(nodes)
            found = Metrics(taken(text), named[shape]) if text else NO_METRICS
            if status == "running":
                status = "running" if driven(driver) else "interrupted"
                found = asking.metrics(number, status) if names else NO_METRICS
            told = tuple(asking.tags(number, status)) if tags is None else tagged(tags)
            return checked(RunRow(
                f"r{number}", pipeline, status, started, seconds, plain(params), found, commit, bool(dirty),
                group=f"g{group}" if group else "", tags=told, lasted=lasted,
            ))  # fmt: skip
        except UNREADABLE:
            return damaged(number, pipeline, started, group)

    return make


def _taker(names: Iterable[str]) -> Callable[[str], Mapping[str, float]]:
    """What takes metrics of these names out of the text of a run's, and looks at nothing else.

    In compact JSON a name behind `{` or `,` is one: in another name, its quotes have a backslash.
    """
    marks = [(name, f"{{{mark}", f",{mark}") for name in names for mark in (f"{encode(name)}:",)]

    def taken(text: str) -> Mapping[str, float]:
        if text[0] != "{" or text[-1] != "}":
            raise ValueError("these are no metrics")
        found = {}
        for name, first, later in marks:
            at = 0 if text.startswith(first) else text.find(later)
            if at >= 0:
                end = text.find(",", at + len(later))
                found[name] = float(text[at + len(later) : end if end >= 0 else -1])
        return found

    return taken


def decoder() -> Callable[[str], Any]:
    """What reads a text of JSON; the long way for NaN and infinities, which Python writes and JSON does not have."""
    import msgspec  # a fifth of the time that `json` takes; few commands need it

    read = msgspec.json.decode

    def plain(text: str) -> Any:
        try:
            return read(text)
        except msgspec.DecodeError:
            return loads(text)

    return plain
