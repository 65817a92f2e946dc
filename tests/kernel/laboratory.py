"""What the tests of the kernel share: graphs written as tables, and a laboratory that plans and runs them without a disk."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings

from stepwell.app.names import calls_named
from stepwell.app.reasons import Differences
from stepwell.errors import ArtifactGone
from stepwell.kernel.events import (
    Event,
    RunFinished,
    StepBlocked,
    StepFailed,
    StepFinished,
    StepInterrupted,
    StepRepaired,
    StepReused,
)
from stepwell.kernel.graph import (
    Binding,
    Constant,
    FromSource,
    FromStep,
    Graph,
    Node,
    OutputDef,
    Pack,
    SourceDef,
    StepDef,
    ordered,
)
from stepwell.kernel.identity import canonical, digest, token
from stepwell.kernel.plan import Identity, Known, Pin, Plan, Wanted, decide
from stepwell.kernel.ports import Done, Failure, Interrupt, Report, Stored, Task
from stepwell.kernel.run import drive
from stepwell.testing.engine import FakeEngine, FrozenClock
from stepwell.testing.memory import MemoryStore


def holds(*strategies: Any, few: int = 20, many: int = 3000) -> Callable[..., Any]:
    """Makes a test of a property: for a few examples, and for many in `make test-deep`."""

    def wrap(promise: Callable[..., None]) -> Callable[..., None]:
        @pytest.mark.parametrize("examples", [few, pytest.param(many, marks=pytest.mark.deep)])
        def test(examples: int) -> None:
            settings(max_examples=examples, deadline=None)(given(*strategies)(promise))()

        test.__name__, test.__qualname__, test.__doc__ = (
            promise.__name__,
            promise.__qualname__,
            promise.__doc__,
        )
        return test

    return wrap


class Ref(NamedTuple):
    """The output of another call, in a table of calls."""

    id: str
    output: str = "result"
    path: tuple[int | str, ...] = ()


class Src(NamedTuple):
    """A source, in a table of calls."""

    name: str


class Call(NamedTuple):
    """A row of a table of calls."""

    id: str
    step: str
    inputs: Mapping[str, Any]
    after: tuple[str, ...] = ()


def call(id: str, step: str = "", *, after: Sequence[str] = (), **inputs: Any) -> Call:
    return Call(id, step or id, inputs, tuple(after))


class Engine(FakeEngine):
    """A fake engine that a test can interfere with.

    `choose` picks the position of the next task; `instead` may answer for a task before it runs;
    `after` sees each report batch. Inputs whose blobs were lost meanwhile are reported as workers do.
    """

    def __init__(
        self,
        steps: Mapping[str, Callable[..., Any]],
        sources: Mapping[str, Any],
        store: MemoryStore,
        *,
        room: int = 1_000_000,
        choose: Callable[[int], int] | None = None,
        instead: Callable[[Task], Sequence[Report] | None] | None = None,
    ) -> None:
        super().__init__(steps, sources, room=room)
        self.store, self.choose, self.instead = store, choose, instead
        self.attempts: list[tuple[str, int]] = []

    def wait(self, timeout: float | None) -> Sequence[Report]:
        if timeout == 0:
            return []
        if self._why:
            why, self._why = self._why, ""
            return [Interrupt(why)]
        if not self._tasks:
            return []
        place = self.choose(len(self._tasks)) if self.choose is not None else 0
        task = self._tasks[place]
        del self._tasks[place]
        self.attempts.append((task.id, task.attempt))
        answer = self.instead(task) if self.instead is not None else None
        if answer is not None:
            return answer
        for _, handed in task.inputs:
            if isinstance(handed, Stored):
                try:
                    self.store.data(handed.artifact)
                except ArtifactGone as gone:
                    return [Done(task.node, failure=Failure(gone.code, gone.what))]
        return self._run(task)


class Watched(Engine):
    """Reports what the steps of a laboratory read and write beside their inputs, as workers do."""

    def __init__(self, lab: Lab, store: MemoryStore, **options: Any) -> None:
        super().__init__(lab.steps, lab.sources, store, **options)
        self.lab = lab

    def _run(self, task: Task) -> list[Report]:
        read = tuple(
            (what, self.lab.world.get(what, "absent")) for what in self.lab.reads.get(task.step.name, ())
        )
        written = self.lab.writes.get(task.step.name, {})
        self.lab.world.update(written)
        return [
            report._replace(observed=read, wrote=tuple(written)) if isinstance(report, Done) else report
            for report in super()._run(task)
        ]


class Surroundings:
    """A `World` that remembers what it was asked, as the real one does."""

    def __init__(self, now: Mapping[str, str]) -> None:
        self.now = now
        self.told: dict[str, str] = {}

    def token(self, what: str) -> str:
        return self.told.setdefault(what, self.now.get(what, "absent"))

    def forget(self, paths: Any) -> None:
        for path in paths:
            self.told.pop(path, None)


class OwnTests:
    """The steps' own tests, by the name of the step; each is given the node's id."""

    def __init__(self, graph: Graph, tests: Mapping[str, Callable[..., bool]]) -> None:
        self.graph, self.tests = graph, tests

    def hold(self, graph: Graph, node: int, outputs: Callable[[int], Any]) -> bool | None:
        return self.tests[self.graph.step_of(node).name](self.graph.nodes[node].id)


class Outcome:
    """What a run did, by the ids of its nodes."""

    def __init__(self, plan: Plan, events: list[Event], engine: Engine, store: MemoryStore) -> None:
        self.plan, self.events, self.engine = plan, events, engine
        self.ran = engine.ran
        self.status = ""
        self.verbs: dict[str, str] = {}
        self.reasons: dict[str, list[tuple[str, str]]] = {}
        self.became: dict[str, str] = {}
        self.results: dict[str, Any] = {}
        self.decisions: dict[str, Any] = {}
        self.repaired: list[str] = []
        words = {StepReused: "cached", StepFinished: "succeeded", StepFailed: "failed", StepBlocked: "blocked",
                 StepInterrupted: "interrupted"}  # fmt: skip
        for event in events:
            if isinstance(event, RunFinished):
                self.status = event.status
            elif isinstance(event, StepRepaired):
                self.repaired.append(plan.graph.nodes[event.node].id)
            elif type(event) in words:
                id = plan.graph.nodes[event.node].id
                self.became[id] = words[type(event)]
                self.decisions[id] = event.decision
                self.verbs[id] = event.decision.verb
                self.reasons[id] = [(reason.kind, reason.name) for reason in event.decision.reasons]
                if isinstance(event, StepReused | StepFinished):
                    self.results[id] = event.result
        self._store = store

    @property
    def values(self) -> dict[str, Any]:
        """The single outputs, loaded."""
        return {
            id: pickle.loads(self._store.data(result.outputs[0]))
            for id, result in self.results.items()
            if len(result.outputs) == 1
        }


class Lab:
    """A store, steps with versions of code, sources with contents, and an environment, all open to edits."""

    def __init__(self, steps: Mapping[str, Callable[..., Any]] | None = None) -> None:
        self.store = MemoryStore()
        self.steps = dict(steps or {})
        self.outputs: dict[str, tuple[str, ...]] = {}
        self.code: dict[str, dict[str, str]] = {}
        self.versions = {"python": "3.11"}
        self.variables: dict[str, str] = {}
        self.sources: dict[str, Any] = {}
        self.reader = "csv"
        self.runs = 0
        self.options: dict[str, dict[str, Any]] = {}
        self.world: dict[str, str] = {}
        self.reads: dict[str, Sequence[str]] = {}
        self.writes: dict[str, Mapping[str, str]] = {}
        self.tests: dict[str, Callable[..., bool]] = {}
        self.clock = FrozenClock()

    def edit(self, step: str, version: str, definition: str = "") -> None:
        """Give a definition of a step other code: its own, or that of a function that it reaches."""
        self._parts(step)[definition or f"m.{step}"] = version

    def _parts(self, step: str) -> dict[str, str]:
        return self.code.setdefault(step, {f"m.{step}": "1"})

    def graph(self, *calls: Call, result: str = "") -> Graph:
        """The graph of a table of calls."""
        names = list(dict.fromkeys(row.step for row in calls))
        places = {row.id: i for i, row in enumerate(calls)}
        nodes = [
            Node(
                row.id,
                names.index(row.step),
                tuple((name, self._binding(value, places)) for name, value in sorted(row.inputs.items())),
                tuple(places[id] for id in row.after),
                where=f"pipeline.py:{i + 1}",
            )
            for i, row in enumerate(calls)
        ]
        steps = [
            StepDef(
                name,
                "m",
                name,
                tuple(OutputDef(output) for output in self.outputs.get(name, ("result",))),
                "tuple" if name in self.outputs else "single",
                **self.options.get(name, {}),
            )
            for name in names
        ]
        sources = [SourceDef(name, f"{name}.csv", reader=self.reader) for name in self.sources]
        last = FromStep(places[result or calls[-1].id])
        return ordered(Graph("p", (), tuple(sources), tuple(steps), tuple(nodes), last))[0]

    def _binding(self, value: Any, places: Mapping[str, int]) -> Binding:
        if isinstance(value, Ref):
            return FromStep(places[value.id], value.output, value.path)
        if isinstance(value, Src):
            return FromSource(list(self.sources).index(value.name))
        if isinstance(value, list) and any(isinstance(item, Ref | Src) for item in value):
            return Pack("list", tuple(self._binding(item, places) for item in value))
        if isinstance(value, dict) and any(isinstance(item, Ref | Src) for item in value.values()):
            names = tuple(token(key) for key in value)
            return Pack(
                "dict", tuple(self._binding(item, places) for item in value.values()), names, tuple(value)
            )
        return Constant(value, token(value))

    def known(self, graph: Graph, store: MemoryStore | None = None) -> Known:
        """What is known now."""
        identities = []
        for step in graph.steps:
            parts = self._parts(step.name)
            code, environment = digest(canonical(parts)), digest(canonical(self.versions))
            self.store.describe(code, parts)
            self.store.describe(environment, self.versions)
            variables = tuple(self.variables.items())
            identities.append(Identity(code, environment, dict(parts), dict(self.versions), variables))
        pins = [Pin("b3:" + digest(canonical(self.sources[source.name]))) for source in graph.sources]
        asked = OwnTests(graph, self.tests)
        return Known(
            identities,
            pins,
            store or self.store,
            Surroundings(self.world),
            self.clock.now(),
            asked,
            explain=Differences(),
        )

    def plan(
        self, graph: Graph, *, force: Sequence[str] = (), only: Sequence[str] | None = None,
        store: MemoryStore | None = None,
    ) -> Plan:  # fmt: skip
        forced = [node for name in force for node in calls_named(graph, name)]
        targets = None if only is None else [node for name in only for node in calls_named(graph, name)]
        return decide(graph, self.known(graph, store), Wanted(targets, forced))

    def engine(self, store: MemoryStore | None = None, **options: Any) -> Engine:
        return Watched(self, store or self.store, **options)

    def run(
        self, target: Graph | Plan, *, keep_going: bool = False, engine: Engine | None = None,
        store: MemoryStore | None = None, **options: Any,
    ) -> Outcome:  # fmt: skip
        """Drive a plan (or the plan of a graph) to its end."""
        plan = target if isinstance(target, Plan) else self.plan(target, store=store)
        chosen = engine or self.engine(store, **options)
        self.runs += 1
        events = list(
            drive(
                plan,
                engine=chosen,
                store=store or self.store,
                clock=self.clock,
                run=f"r{self.runs}",
                keep_going=keep_going,
            )
        )
        assert isinstance(events[-1], RunFinished)
        assert sum(isinstance(event, RunFinished) for event in events) == 1
        return Outcome(plan, events, chosen, store or self.store)

    def lose(self, outcome: Outcome, id: str) -> None:
        """Make the blobs of a result disappear."""
        for artifact in outcome.results[id].outputs:
            self.store.lose(artifact.digest)


def verbs(plan: Plan) -> dict[str, str]:
    return {plan.graph.nodes[decision.node].id: decision.verb for decision in plan.decisions}


def reasons(plan: Plan, id: str) -> list[tuple[str, str, str | None, str | None]]:
    (node,) = calls_named(plan.graph, id)
    return [(r.kind, r.name, r.before, r.after) for r in plan.decisions[node].reasons]


def texts(plan: Plan, id: str) -> list[str]:
    (node,) = calls_named(plan.graph, id)
    return [reason.text for reason in plan.decisions[node].reasons]
