"""The record of one run, written from its events as they happen.

    record = Record.begin(database, results, leases, facts_of(plan, started=..., commit=...))
    for event in drive(...): record.add(event)

Rows are buffered and written with the results, in the same transactions. Steps that succeeded or
were reused are packed, as many a row as a transaction has: ten thousand unchanged steps are one row,
which the next such run shares. Only steps that stopped have a row each. A run whose process dies keeps the status `running`, and is shown as interrupted.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from stepwell.kernel.events import (
    Event,
    RunFinished,
    StepBlocked,
    StepFailed,
    StepFinished,
    StepGrew,
    StepInterrupted,
    StepRetried,
    StepReused,
    StepStarted,
)
from stepwell.kernel.graph import Graph
from stepwell.kernel.plan import Decision, Plan, Reason
from stepwell.kernel.ports import Logged, Made, Recorded, Result, Said
from stepwell.stores.database import Database
from stepwell.stores.filesystem import read_only
from stepwell.stores.index import settle
from stepwell.stores.leases import Leases
from stepwell.stores.metrics import gathered
from stepwell.stores.recordings import Recordings, Thing, tags_of
from stepwell.stores.results import Results
from stepwell.stores.rows import encode, pack_outputs, pack_pairs
from stepwell.stores.runrow import LEFT
from stepwell.stores.texts import put_text
from stepwell.stores.wiring import wiring_of

LONGEST_LOG = 16 << 20
"""Bytes of log that are kept of one step in one run."""

GONE = ("", "", "")
"""In place of the names of a dynamic call that has become steps."""

Metrics = dict[int, tuple[tuple[str, float], ...]]


def _nothing(_: Plan) -> Mapping[str, object]:
    return MappingProxyType({})


class Facts(NamedTuple):
    """What is known of a run when it begins.

    `params`: names to plain JSON values. `nodes`: for each node its id, the step's bare name and its
    full name. `skipped`: nodes that were left out. `started` in seconds since 1970. `commit` is the
    git commit, "" without git; `dirty`: the tree differs from it.
    """

    pipeline: str
    params: dict[str, object]
    nodes: Sequence[tuple[str, str, str]]
    started: float
    skipped: Sequence[int] = ()
    commit: str = ""
    dirty: bool = False
    argv: Sequence[str] = ()
    point: Mapping[str, object] | None = None
    """Of a point of a sweep: the values that vary, as plain JSON."""
    origins: Mapping[str, object] = MappingProxyType({})
    """Where each parameter came from, as plain JSON."""
    wiring: str = ""
    """What waits for what, and reads which source, as JSON (`stores.wiring`)."""
    about: Mapping[str, object] = MappingProxyType({})
    """What the run is linked to beyond its steps, as plain JSON; see `schema`."""
    described: Callable[[Plan], Mapping[str, object]] = _nothing
    """What is kept with the wiring of a plan, as plain JSON: its sources, what its steps are. Asked again when it has grown."""


def facts_of(
    plan: Plan,
    *,
    started: float,
    commit: str = "",
    dirty: bool = False,
    argv: Sequence[str] = (),
    described: Callable[[Plan], Mapping[str, object]] = _nothing,
) -> Facts:
    """The facts of a plan that is about to be driven."""
    graph = plan.graph
    steps = [(step.name, step.full_name) for step in graph.steps]
    return Facts(
        pipeline=graph.pipeline,
        params={name: plain(value, token) for name, value, token in graph.params},
        nodes=_Named(graph, steps),
        started=started,
        skipped=[decision.node for decision in plan.decisions if decision.verb == "skip"],
        commit=commit,
        dirty=dirty,
        argv=argv,
        wiring=wiring_of(graph, described(plan)),
        described=described,
    )


class _Named(Sequence[tuple[str, str, str]]):
    """The nodes of a graph as `Facts` has them, made when they are asked for: a graph may be large, and is there anyhow."""

    def __init__(self, graph: Graph, steps: Sequence[tuple[str, str]]) -> None:
        self._nodes, self._steps = graph.nodes, steps

    def __len__(self) -> int:
        return len(self._nodes)

    def __iter__(self) -> Iterator[tuple[str, str, str]]:
        return ((node.id, *self._steps[node.step]) for node in self._nodes)

    def __getitem__(self, place: Any) -> Any:
        node = self._nodes[place]
        return (node.id, *self._steps[node.step])


def plain(value: object, token: str) -> object:
    """A parameter's value as JSON has it, or else its canonical text."""
    try:
        encode(value)
    except (TypeError, ValueError, RecursionError):
        return token
    return value


class Record:
    """The record of a run while it lasts; a `database.Writer`. `run` is its id, "r12"."""

    def __init__(
        self, database: Database, results: Results, leases: Leases, facts: Facts, number: int
    ) -> None:
        self.run = f"r{number}"
        self.ended = False
        self._database, self._results, self._leases = database, results, leases
        self._facts, self._number = facts, number
        self._time: Callable[[], float] = time.time
        self._reused: dict[int, Result] = {}
        self._parts = 0
        self._made: list[tuple[int, Result, tuple[Reason, ...], tuple[str, ...]]] = []
        self._stopped: list[tuple[object, ...]] = []
        self._logs: list[tuple[object, ...]] = []
        self._recordings = Recordings(number)
        self._taken: set[int | None] = set()
        """The numbers of results that were not made here."""
        self._lines = 0
        self._said: dict[int, int] = {}
        self._metrics: Metrics = {}
        self._statuses = [""] * len(facts.nodes)
        self._tries: dict[int, tuple[str, ...]] = {}
        self._ending: RunFinished | None = None
        self._grew = False
        self._diff = ""
        self._begun: dict[int, float] = {}
        """When steps began that have no result."""
        self._beginnings = False

    @staticmethod
    def begin(database: Database, results: Results, leases: Leases, facts: Facts) -> Record:
        """Give a run its id and write its beginning. Raises `StoreReadOnly`."""
        if database.readonly:
            raise read_only(str(database.folder))
        shape = encode([list(node) for node in facts.nodes])

        def write(connection: sqlite3.Connection) -> int:
            number = take_number(connection, "run")
            leases.enter(connection, number)
            results.begin(connection)
            insert_run(connection, number, facts, shape, leases.driver)
            return number

        record = Record(database, results, leases, facts, database.write(write, durable=False))
        if leases.unclean:
            database.look_after_power_loss()
        database.writers.append(record)
        return record

    # ------------------------------------------------------------------ events

    def add(self, event: Event) -> None:
        """Take in an event. `RunFinished` writes everything, ends the record and gives up all leases."""
        if isinstance(event, StepReused):
            self._reuse(event)
        elif isinstance(event, StepStarted):
            self._begun[event.node], self._beginnings = self._time(), True
            if event.node in self._recordings:
                self._recordings.begin(event.node)
            self._database.touch()
        elif isinstance(event, StepFinished):
            self._finish_step(event)
        elif isinstance(event, Said):
            self._say(event)
        elif isinstance(event, Logged):
            self._recordings.metrics(event.node, event, self._time())
            self._database.touch()
        elif isinstance(event, Recorded):
            self._record(event)
        elif isinstance(event, StepFailed):
            node, decision, failure, seconds, cpu, memory, refused = event
            spent = (seconds, cpu, memory, encode(failure))
            self._step(node, "failed", decision, spent, pack_outputs(refused))
        elif isinstance(event, StepRetried):
            self._retried(event)
        elif isinstance(event, StepBlocked):
            self._step(event.node, "blocked", event.decision)
        elif isinstance(event, StepInterrupted):
            self._step(event.node, "interrupted", event.decision)
        elif isinstance(event, StepGrew):
            self._grow(event)
        elif isinstance(event, RunFinished):
            self._end(event)

    def grow(self, node: int, nodes: Iterable[tuple[str, str, str]], skipped: Iterable[int] = ()) -> None:
        """Note that a node became others, which stand behind all before; it is none itself any more."""
        known = list(self._facts.nodes)
        known[node] = GONE
        self._facts = self._facts._replace(nodes=[*known, *nodes], skipped=[*self._facts.skipped, *skipped])
        self._statuses += [""] * (len(self._facts.nodes) - len(known))
        self._grew = True
        self._database.touch()

    def changed(self, diff: str) -> None:
        """Note what the tree had beyond its commit, as a unified diff; may come late, since git takes its time."""
        self._diff = diff
        self._database.touch()

    def abandon(self, seconds: float = 0.0) -> None:
        """End the record of a run that is given up before its last event; nothing where it has ended."""
        if not self.ended:
            self._end(RunFinished("interrupted", seconds))

    def _grow(self, event: StepGrew) -> None:
        graph = event.plan.graph
        new = graph.nodes[event.first :]
        steps = [graph.steps[node.step] for node in new]
        names = [(node.id, step.name, step.full_name) for node, step in zip(new, steps, strict=True)]
        skipped = [d.node for d in event.plan.decisions[event.first :] if d.verb == "skip"]
        self._facts = self._facts._replace(wiring=wiring_of(graph, self._facts.described(event.plan)))
        self.grow(event.node, names, skipped)

    def _reuse(self, event: StepReused) -> None:
        node, decision, result = event
        if decision.reasons[0].kind == "kept":  # which is no "up to date"
            self._made.append((node, result, decision.reasons, ()))
            self._statuses[node] = LEFT
        else:
            self._reused[node] = result
            self._statuses[node] = "cached"
        if result.metrics:
            self._metrics[node] = result.metrics

    def _finish_step(self, event: StepFinished) -> None:
        node, decision, result, _, notes = event
        self._beginnings = self._begun.pop(node, None) is not None or self._beginnings
        self._statuses[node] = "succeeded"
        if result.metrics:
            self._metrics[node] = result.metrics
        self._made.append((node, result, decision.reasons, (*self._tries.pop(node, ()), *notes)))
        self._recordings.finish(node, result)
        self._database.touch(durable=True)

    def _step(
        self, node: int, status: str, decision: Decision,
        spent: tuple[float | None, float | None, int | None, str | None] = (None, None, None, None),
        refused: str = "",
    ) -> None:  # fmt: skip
        """The row of a step without a result."""
        self._statuses[node] = status
        verb = "run" if status == "failed" else decision.verb
        self._stopped.append(
            (self._number, node, status, verb, encode(decision.reasons), decision.key,
             pack_pairs(decision.inputs), *spent, refused, encode(self._tries.pop(node, ())))
        )  # fmt: skip
        self._database.touch()

    def _retried(self, event: StepRetried) -> None:
        """An attempt that failed and was not the last: a note of the step."""
        note = f"attempt {event.attempt} failed: {event.failure.what}"
        self._tries[event.node] = (*self._tries.get(event.node, ()), note)

    def _say(self, event: Said) -> None:
        node, stream, text = event
        size = self._said.get(node, 0)
        if size > LONGEST_LOG:
            return
        self._said[node] = size + len(text)
        if size + len(text) > LONGEST_LOG:
            text = (
                text[: LONGEST_LOG - size] + f"\n[the rest was not kept: more than {LONGEST_LOG >> 20} MB]\n"
            )
        if not text.isascii():
            text = text.encode("utf-8", "backslashreplace").decode()  # lone surrogates have no place in UTF-8
        self._logs.append((self._number, node, self._next_line(), self._time(), stream, text))
        self._database.touch()

    def _record(self, event: Recorded) -> None:
        thing: Thing = event.thing
        if thing.artifact is not None:
            self._results.shelve((Made(thing.artifact, thing.data),))
        self._recordings.thing(event.node, thing, self._time())
        self._database.touch()

    def _next_line(self) -> int:
        self._lines += 1
        return self._lines

    def settle(self, event: RunFinished) -> None:
        """Note how the run came out; more events may follow, and another end. For runs of a group, which ends as a whole."""
        self._ending = event
        self._database.touch()

    def _end(self, event: RunFinished) -> None:
        self._ending = event
        self._database.write(self._leave, durable=False)
        self._leases.left()
        self.ended = True
        self._database.writers.remove(self)

    def _leave(self, connection: sqlite3.Connection) -> None:
        settle(connection)
        self._leases.leave(connection)

    # ------------------------------------------------------------------ writing

    def write(self, connection: sqlite3.Connection) -> None:
        """Write what is buffered; after `Results.write`, which gives results their numbers."""
        if self._made:
            connection.execute(
                "INSERT OR REPLACE INTO made (run, part, text) VALUES (?, ?, ?)",
                (self._number, self._parts, self._packed_steps()),
            )
        if self._stopped:
            connection.executemany(
                "INSERT OR REPLACE INTO stopped (run, node, status, verb, reasons, key, inputs, seconds, cpu, memory,"
                " error, refused, notes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                self._stopped,
            )
        if self._logs:
            connection.executemany(
                "INSERT OR REPLACE INTO logs (run, node, seq, time, stream, text) VALUES (?, ?, ?, ?, ?, ?)",
                self._logs,
            )
        self._recordings.write(connection, self._results.number)
        if self._reused:
            number = self._results.number
            numbered = [(node, number(self._reused[node])) for node in sorted(self._reused)]
            self._taken.update([seq for _, seq in numbered])
            text = put_text(connection, encode([item for pair in numbered for item in pair]))
            connection.execute(
                "INSERT OR REPLACE INTO reused (run, part, text) VALUES (?, ?, ?)",
                (self._number, self._parts, text),
            )
        if self._grew:
            shape = put_text(connection, encode([list(node) for node in self._facts.nodes]))
            wiring = put_text(connection, self._facts.wiring)
            values = (shape, encode(list(self._facts.skipped)), wiring, self._number)
            connection.execute("UPDATE runs SET nodes = ?, skipped = ?, wiring = ? WHERE id = ?", values)
        if self._diff:
            values = (put_text(connection, self._diff), self._number)
            connection.execute("UPDATE runs SET diff = ? WHERE id = ?", values)
        if self._beginnings:
            values = (encode([list(pair) for pair in self._begun.items()]), self._number)
            connection.execute("UPDATE runs SET begun = ? WHERE id = ?", values)
        if self._ending is not None:
            self._write_end(connection, self._ending)

    def _packed_steps(self) -> str:
        """The steps that succeeded since the last transaction; see the table `made`."""
        number = self._results.number
        reasons: dict[tuple[Reason, ...], int] = {}
        flat: list[object] = []
        for node, result, why, notes in self._made:
            flat += (node, number(result), reasons.setdefault(why, len(reasons)), notes)
            if self._statuses[node] == LEFT:
                self._taken.add(number(result))
        return encode({"reasons": list(reasons), "steps": flat})

    def _write_end(self, connection: sqlite3.Connection, ending: RunFinished) -> None:
        counts: dict[str, int] = {}
        for status in filter(None, self._statuses):
            counts[status] = counts.get(status, 0) + 1
        if self._facts.skipped:
            counts["skipped"] = len(self._facts.skipped)
        metrics = gathered(
            [(self._facts.nodes[node][0], pairs) for node, pairs in sorted(self._metrics.items())]
        )
        named = put_text(connection, encode(metrics.names.pairs)) if metrics else ""
        connection.execute(
            "UPDATE runs SET status = ?, seconds = ?, metrics = ?, named = ?, counts = ?, tags = ? WHERE id = ?",
            (
                ending.status,
                ending.seconds,
                encode(metrics.shown),
                named,
                encode(counts),
                encode(self._tags(connection)),
                self._number,
            ),
        )

    def _tags(self, connection: sqlite3.Connection) -> list[str]:
        """What the steps tagged the run with: those that have a result, as with metrics."""
        found = set(tags_of(connection, self._taken))
        for node, tags in self._recordings.tags().items():
            if self._statuses[node] == "succeeded":
                found.update(tags)
        return sorted(found)

    def written(self) -> None:
        """Forget what is in the database now."""
        self._parts += bool(self._made or self._reused)
        self._grew = self._beginnings = False
        self._diff = ""
        self._made.clear()
        self._reused.clear()
        self._stopped.clear()
        self._logs.clear()
        self._recordings.written()


def take_number(connection: sqlite3.Connection, counter: str, count: int = 1) -> int:
    """The first of the next `count` numbers of a counter, inside a transaction."""
    (number,) = connection.execute("SELECT value + 1 FROM counters WHERE name = ?", (counter,)).fetchone()
    connection.execute("UPDATE counters SET value = ? WHERE name = ?", (number + count - 1, counter))
    return int(number)


def insert_run(
    connection: sqlite3.Connection,
    number: int,
    facts: Facts,
    shape: str,
    driver: int,
    group: int | None = None,
) -> None:
    """The row of a run that begins, inside a transaction. `shape` are its nodes as JSON."""
    point = None if facts.point is None else encode(dict(facts.point))
    connection.execute(
        'INSERT INTO runs (id, pipeline, status, started, params, "commit", dirty, argv, driver, nodes,'
        " skipped, \"group\", point, origins, wiring, about)"
        " VALUES (?, ?, 'running', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            number, facts.pipeline, facts.started, encode(facts.params), facts.commit, int(facts.dirty),
            encode(list(facts.argv)), driver, put_text(connection, shape), encode(list(facts.skipped)), group, point,
            encode(dict(facts.origins)),
            put_text(connection, facts.wiring) if facts.wiring else "",
            put_text(connection, encode(dict(facts.about))) if facts.about else "",
        ),
    )  # fmt: skip
