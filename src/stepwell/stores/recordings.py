"""What steps recorded, as rows: written while they run (`Recordings`), and read again (`Read`).

An execution of a step that records anything is a recording: a number made of the run's and the node's. When the step has
a result, the recording is that result's, and is found by its number from any run that reuses it.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterable, Mapping
from json import dumps, loads
from typing import TYPE_CHECKING, Any, NamedTuple

from stepwell.stores.curves import Span, pack, unpack
from stepwell.stores.rows import encode, pack_outputs, unpack_outputs

if TYPE_CHECKING:
    import sqlite3

    from stepwell.kernel.ports import Artifact, Logged, Result
    from stepwell.stores.database import Database

NODES = 1 << 24
"""Nodes that a run can have; the number of a recording is that of the run times this, plus that of the node."""

PART = 2048
"""Numbers of one curve from which on a row is complete, and the next one begun."""

HEAD = -1
"""The part of a curve that is no part of it: how many numbers it has, and the last one."""

PROGRESS, TAG = "progress", "tag"


class Curve(NamedTuple):
    """The numbers that a step recorded under one name, with their places in the series and times in seconds since 1970."""

    node: int
    name: str
    steps: array[int]
    values: array[float]
    times: array[float]


class RecordedRow(NamedTuple):
    """Something that a step recorded with `log`, or a role for it.

    `kind`: figure, table, text, card, tag or role. `step` is the place in a series, None where it is none of one. What
    is short is in `text` (a text; of a tag `name=text` its value; of a role JSON), all else is an artifact: a figure is a
    `png`, `bytes` (another picture), or `json` (a chart of Vega-Lite or Plotly), a card `html`, a table whatever codec
    takes it. `time` in seconds since 1970.
    """

    node: int
    kind: str
    name: str
    step: int | None
    artifact: Artifact | None
    text: str
    time: float


class Thing(NamedTuple):
    """Something on its way to be kept: as a `RecordedRow`, or `progress`. The bytes of its artifact are here where they are few."""

    kind: str
    name: str
    step: int | None = None
    text: str = ""
    artifact: Artifact | None = None
    data: bytes | None = None


def ids_of(run: int) -> tuple[int, int]:
    """The least and the greatest number that a recording of a run can have."""
    return run * NODES, run * NODES + NODES - 1


def said(name: str, text: str) -> str:
    """A tag as one text: "baseline", "dataset=v2"."""
    return f"{name}={text}" if text else name


# --------------------------------------------------------------------------- writing


class _Tail:
    """The last numbers of one curve: those of the row that is not complete."""

    def __init__(self) -> None:
        self.part = self.count = 0
        self.last = 0.0
        self.steps, self.values = array("q"), array("d")
        self.spans: list[Span] = []

    def add(self, event: Logged, now: float) -> None:
        """Take numbers that came; a single one without a place in a series is only the last one."""
        self.last = float(event.value)
        if event.series:
            steps, values, spans = unpack(event.series)
            self.steps.extend(steps)
            self.values.extend(values)
            self.spans.extend(spans)
            self.count += len(values)
        elif event.step is not None:
            self.steps.append(event.step)
            self.values.append(self.last)
            self.spans.append(Span(1, now, now))
            self.count += 1

    def rows(self, recording: int, name: str) -> Iterable[tuple[object, ...]]:
        """The rows to write: the head, and the part that is not complete."""
        yield recording, name, HEAD, self.count, self.last, None
        if self.values:
            data = pack(self.steps, self.values, self.spans)
            yield recording, name, self.part, len(self.values), self.values[-1], data

    def written(self) -> None:
        """Begin the next part where this one is complete."""
        if len(self.values) >= PART:
            self.part += 1
            self.steps, self.values, self.spans = array("q"), array("d"), []


class _Recording:
    """One execution that records: its curves, and its other things by kind, name and place."""

    def __init__(self) -> None:
        self.tails: dict[str, _Tail] = {}
        self.places: dict[tuple[str, str, int | None], int] = {}
        self.tags: dict[int, str] = {}
        self.result: Result | None = None
        self.there = False
        """Whether something of it is in the database."""
        # not written yet:
        self.curves: set[str] = set()
        self.things: dict[int, tuple[object, ...]] = {}

    def says_nothing_more(self) -> bool:
        """Whether all of it is in the metrics of the result: single numbers."""
        return not self.things and not any(self.tails[name].count for name in self.curves)


class Recordings:
    """What the steps of one run record, until it is written."""

    def __init__(self, run: int) -> None:
        self._first = ids_of(run)[0]
        self._all: dict[int, _Recording] = {}
        self._changed: set[int] = set()
        self._again: set[int] = set()
        """Nodes whose recording was begun anew, and is still in the database."""

    def __contains__(self, node: int) -> bool:
        return node in self._all

    def tags(self) -> dict[int, list[str]]:
        """The tags of each node that has any."""
        return {node: list(one.tags.values()) for node, one in self._all.items() if one.tags}

    def metrics(self, node: int, event: Logged, now: float) -> None:
        """Take numbers of a metric; `now` in seconds since 1970."""
        one = self._of(node)
        tail = one.tails.get(event.name)
        if tail is None:
            tail = one.tails[event.name] = _Tail()
        tail.add(event, now)
        one.curves.add(event.name)

    def thing(self, node: int, thing: Thing, now: float) -> None:
        """Take another thing; it replaces one of the same kind, name and place. `now` in seconds since 1970."""
        kind, name, step, text, artifact, _ = thing
        one = self._of(node)
        place = one.places.setdefault((kind, name, step), len(one.places))
        packed = "" if artifact is None else pack_outputs((artifact,))
        one.things[place] = (kind, name, step, now, packed, text)
        if kind == TAG:
            one.tags[place] = said(name, text)

    def begin(self, node: int) -> bool:
        """Forget what a node recorded before: it is executed again. Whether there is something to write."""
        if self._all.pop(node, None) is None:
            return False
        self._again.add(node)
        self._changed.discard(node)
        return True

    def finish(self, node: int, result: Result) -> None:
        """What a node recorded is this result's."""
        one = self._all.get(node)
        if one is not None:
            one.result = result
            self._changed.add(node)

    def _of(self, node: int) -> _Recording:
        self._changed.add(node)
        found = self._all.get(node)
        if found is None:
            found = self._all[node] = _Recording()
        return found

    def write(self, connection: sqlite3.Connection, number: Callable[[Result], int | None]) -> None:
        """Write what is new; `number` gives that of a result."""
        for node in self._again:
            _delete(connection, [self._first + node])
        for node in self._changed:
            one, recording = self._all[node], self._first + node
            if one.result is not None and not one.there and one.says_nothing_more():
                continue
            made = None if one.result is None else number(one.result)
            connection.execute(
                "INSERT OR REPLACE INTO recordings (id, result) VALUES (?, ?)", (recording, made)
            )
            connection.executemany(
                "INSERT OR REPLACE INTO curves (recording, name, part, count, last, data) VALUES (?, ?, ?, ?, ?, ?)",
                [row for name in sorted(one.curves) for row in one.tails[name].rows(recording, name)],
            )
            connection.executemany(
                "INSERT OR REPLACE INTO recorded (recording, seq, kind, name, step, time, artifact, text)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [(recording, place, *thing) for place, thing in one.things.items()],
            )

    def written(self) -> None:
        """Forget what is in the database now; of what belongs to results all."""
        for node in self._changed:
            one = self._all[node]
            one.there = one.there or one.result is None or not one.says_nothing_more()
            for name in one.curves:
                one.tails[name].written()
            one.curves.clear()
            one.things.clear()
            if one.result is not None:
                one.tails.clear()
        self._changed.clear()
        self._again.clear()


def _delete(connection: sqlite3.Connection, recordings: Iterable[int]) -> None:
    each = [(number,) for number in recordings]
    connection.executemany("DELETE FROM recordings WHERE id = ?", each)
    connection.executemany("DELETE FROM curves WHERE recording = ?", each)
    connection.executemany("DELETE FROM recorded WHERE recording = ?", each)


def tags_of(connection: sqlite3.Connection, results: Collection[int | None]) -> list[str]:
    """The tags that the makers of some results gave, in no particular order. Costs nothing in a store without tags."""
    sql = "SELECT recording FROM recorded WHERE kind = 'tag' LIMIT 1"
    if not results or connection.execute(sql).fetchone() is None:
        return []
    rows = connection.execute(
        "SELECT recorded.name, recorded.text FROM recordings JOIN recorded ON recorded.recording = recordings.id"
        " WHERE recordings.result IN (SELECT value FROM json_each(?)) AND recorded.kind = 'tag'",
        (encode(list(results)),),
    )
    return [said(name, text) for name, text in rows]


def unneeded(connection: sqlite3.Connection, runs: Iterable[int], results: Iterable[int]) -> list[int]:
    """The numbers of the recordings that go with these runs and results."""
    sql = (
        "SELECT id FROM recordings WHERE result IN (SELECT value FROM json_each(?1))"
        " OR (result IS NULL AND id / ?3 IN (SELECT value FROM json_each(?2)))"
    )
    found = connection.execute(sql, (encode(list(results)), encode(list(runs)), NODES))
    return [number for (number,) in found]


def take_out(connection: sqlite3.Connection, runs: Iterable[int], results: Iterable[int]) -> None:
    """Delete the recordings of these runs that have no result, and those of these results."""
    _delete(connection, unneeded(connection, runs, results))


# --------------------------------------------------------------------------- reading


class Read:
    """Reads recordings, of runs by number; `nodes` say which node a result stands for, by the result's number."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_run(
        self, run: int, nodes: Mapping[int, list[int]], node: int | None = None
    ) -> dict[int, list[int]]:
        """The nodes that each recording is shown at: those of the run's own executions, and those of reused results."""
        found: dict[int, list[int]] = {}
        own = self._database.rows("SELECT id FROM recordings WHERE id BETWEEN ? AND ?", ids_of(run))
        for (number,) in own:
            found[number] = [number % NODES]
        others = self._database.rows(
            "SELECT id, result FROM recordings WHERE result IN (SELECT value FROM json_each(?))",
            (encode(list(nodes)),),
        )
        taken = {number % NODES for number in found}
        for number, result in others:
            if number not in found:
                found[number] = [each for each in nodes[result] if each not in taken]
            else:  # twins: the same call twice, executed once
                found[number] = list(dict.fromkeys([*found[number], *nodes[result]]))
        if node is None:
            return {number: each for number, each in found.items() if each}
        return {number: [node] for number, each in found.items() if node in each}

    def heads(self, recordings: Iterable[int]) -> list[tuple[int, str, int, float]]:
        """Of each metric: the recording, its name, how many numbers are in a series, the last one of all."""
        sql = (
            "SELECT recording, name, count, last FROM curves WHERE part = -1 AND recording IN"
            " (SELECT value FROM json_each(?)) ORDER BY rowid"
        )
        rows = self._database.rows(sql, (encode(list(recordings)),))
        return [(number, name, count, _number(last)) for number, name, count, last in rows]

    def own(self, run: int) -> list[tuple[int, str, float]]:
        """The last value of each metric that the steps which a run executed have recorded: node, name, value."""
        rows = self._database.rows(
            "SELECT id FROM recordings WHERE id BETWEEN ? AND ? ORDER BY id", ids_of(run)
        )
        heads = self.heads([number for (number,) in rows])
        return [(recording % NODES, name, value) for recording, name, _, value in heads]

    def points(self, number: int, names: Collection[str] | None, node: int | None) -> list[Curve]:
        """The series of a run that an older Stepwell recorded, a row a number."""
        rows = self._database.rows(
            "SELECT node, name, step, value, time FROM points WHERE run = ?1 AND (?2 IS NULL OR node = ?2)"
            " AND step IS NOT NULL ORDER BY node, seq",
            (number, node),
        )
        found: dict[tuple[int, str], Curve] = {}
        for at, name, step, value, when in rows:
            if names is None or name in names:
                curve = found.setdefault((at, name), Curve(at, name, array("q"), array("d"), array("d")))
                curve.steps.append(step)
                curve.values.append(float("nan") if value is None else value)
                curve.times.append(when)
        return list(found.values())

    def curves(self, recordings: Mapping[int, list[int]], names: Collection[str] | None) -> list[Curve]:
        """The curves of recordings, at each of their nodes."""
        sql = (
            "SELECT recording, name, data FROM curves WHERE recording IN (SELECT value FROM json_each(?1)) AND part >= 0"
            " AND (?2 IS NULL OR name IN (SELECT value FROM json_each(?2))) ORDER BY recording, name, part"
        )
        asked = None if names is None else dumps(list(names))
        found: dict[tuple[int, str], list[bytes]] = {}
        for number, name, data in self._database.rows(sql, (encode(list(recordings)), asked)):
            found.setdefault((number, name), []).append(data)
        out = []
        for (number, name), parts in found.items():
            steps, values, times = array("q"), array("d"), array("d")
            for part in parts:
                chunk = unpack(part)
                steps.extend(chunk.steps)
                values.extend(chunk.values)
                times.extend(chunk.times())
            out += [Curve(node, name, steps, values, times) for node in recordings[number]]
        return sorted(out, key=lambda curve: curve.node)

    def things(self, recordings: Mapping[int, list[int]]) -> list[RecordedRow]:
        """All other things, by node and in the order in which they came."""
        sql = (
            "SELECT recording, kind, name, step, artifact, text, time FROM recorded WHERE kind != 'progress' AND"
            " recording IN (SELECT value FROM json_each(?)) ORDER BY recording, seq"
        )
        out = [
            RecordedRow(node, kind, name, step, unpack_outputs(packed)[0] if packed else None, text, when)
            for number, kind, name, step, packed, text, when in self._database.rows(
                sql, (encode(list(recordings)),)
            )
            for node in recordings[number]
        ]
        return sorted(out, key=lambda row: row.node)

    def progress(self, run: int) -> dict[int, tuple[float, float | None, str]]:
        """How far the steps of a run are that have no result: what is done of how much (None: unknown), and what they say."""
        rows = self._database.rows(
            "SELECT recording % ?, recorded.text FROM recorded JOIN recordings ON recordings.id = recorded.recording"
            " WHERE recorded.kind = 'progress' AND recordings.result IS NULL AND recording BETWEEN ? AND ?",
            (NODES, *ids_of(run)),
        )
        told: dict[int, Any] = {node: loads(text) for node, text in rows}
        return {node: (done, total, text) for node, (done, total, text) in told.items()}

    def live(self, run: int) -> list[int]:
        """The nodes of a run that have recorded something and have not ended."""
        rows = self._database.rows(
            "SELECT id % ?1 FROM recordings WHERE result IS NULL AND id BETWEEN ?2 AND ?3"
            " AND id % ?1 NOT IN (SELECT node FROM stopped WHERE run = ?4)",
            (NODES, *ids_of(run), run),
        )
        return [node for (node,) in rows]

    def tags(self, run: int, results: Iterable[int], live: Iterable[int]) -> list[str]:
        """The tags that the makers of these results gave, and these nodes of a run."""
        first, _ = ids_of(run)
        rows = self._database.rows(
            "SELECT name, text FROM recorded JOIN recordings ON recordings.id = recording WHERE kind = 'tag' AND"
            " (result IN (SELECT value FROM json_each(?)) OR recording IN (SELECT value FROM json_each(?)))",
            (encode(list(results)), encode([first + node for node in live])),
        )
        return sorted({said(name, text) for name, text in rows})


def _number(value: float | None) -> float:
    """SQLite keeps NaN as NULL."""
    return float("nan") if value is None else value
