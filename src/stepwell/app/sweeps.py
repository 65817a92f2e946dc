"""Sweeps: many points of one pipeline, planned as one graph, driven as one run, recorded as a run each.

    points = points_of_words(loaded, Asked(("depth=4,6,8",)), words, files)       `app.asked`
    for batch in batches(loaded, points): ...                                      usually there is one
        swept = prepare_sweep(loaded, batch, store, settings)                      one plan
        ended = drive_sweep(swept, settings, view)                                 an `Ended` for each point

What points share is done once, since the kernel does calls with the same key once. Each point has its own
record with its own status; they share the number of a group (`g3`). A failure stops only the points that
need what failed. To go on with a sweep that was stopped, the same command is given again: points that are
done are up to date.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from stepwell.app.asked import MOST_PROBLEMS, Asked, Point, points_of_call
from stepwell.app.checks import Checking, MakesGrowth, Selection
from stepwell.app.documents import Document, run_document
from stepwell.app.driving import VIEW, say
from stepwell.app.finding import said_directions
from stepwell.app.finished import finished_run
from stepwell.app.hooks import Facts as Told
from stepwell.app.hooks import hooks_for, resume_of, tell
from stepwell.app.merged import Places, PointGrowth, Split, merged, wanted_of
from stepwell.app.parameters import origins_document
from stepwell.app.places import stored
from stepwell.app.points import PointEngine, PointStore, Whose
from stepwell.app.progress import ENDS, Outcome, Progress
from stepwell.app.session import Settings, Work, execute, prepare
from stepwell.app.values import plain, plain_result
from stepwell.author.groups import Sweep
from stepwell.author.live import live
from stepwell.author.notebook import handed
from stepwell.author.pipelines import Pipeline
from stepwell.author.problems import Problems
from stepwell.author.project import Loaded
from stepwell.author.runs import Run
from stepwell.author.sweeping import labels
from stepwell.author.trace import Attempt, Trace, attempt
from stepwell.kernel.events import (
    Event,
    RunFinished,
    Status,
    StepBlocked,
    StepFailed,
    StepFinished,
    StepGrew,
    StepInterrupted,
    StepRepaired,
    StepStarted,
)
from stepwell.kernel.graph import Graph, Pack
from stepwell.kernel.plan import Foreseen, Growth, Plan, Wanted, falls_short
from stepwell.kernel.ports import Engine, Store
from stepwell.stores.group import GroupRecord
from stepwell.stores.local import LocalStore
from stepwell.stores.record import Facts, facts_of
from stepwell.stores.wiring import wiring_of

if TYPE_CHECKING:
    from pathlib import Path

    from stepwell.app.learning import Learning, News
    from stepwell.sources.memo import Memo
    from stepwell.sources.pin import Pinned

BATCH = 20_000
"""Calls that are about as many as one graph should have: a sweep with more is driven in batches of points."""

Params = tuple[tuple[str, object, str], ...]


class Ended(NamedTuple):
    """What became of a point. `result` is what its pipeline returned, as plain data."""

    point: Point
    run: str
    progress: Progress
    result: Any

    @property
    def status(self) -> str:
        """How the point's run ended."""
        return self.progress.status

    def document(self) -> Document:
        """The point as `run --json` prints it: its run, and the values that vary."""
        out = run_document(self.progress, self.run, self.result, self.point.origins)
        return {**out, "point": plain(self.point.values)}


class Swept(NamedTuple):
    """Points that are planned as one: their labels, and the parameters of each as its graph has them."""

    work: Work
    points: Sequence[Point]
    labels: Sequence[str]
    params: Sequence[Params]


# --------------------------------------------------------------------------- planning


def batches(loaded: Loaded, points: Sequence[Point]) -> list[Sequence[Point]]:
    """The points in portions of which each makes one graph; where there are several, all are traced first.

    Raises what is wrong with any of them.
    """
    first = attempt(loaded.pipeline, points[0].params) if len(points) > 1 else None
    size = max(1, BATCH // max(1, len(first.graph.nodes) if first is not None else 1))
    if len(points) <= size:
        return [points]
    problems = Problems()
    for one in points:
        for error in attempt(loaded.pipeline, one.params).problems.errors:
            problems.add(error)
        if len(problems.errors) >= MOST_PROBLEMS:
            break
    if problems:
        raise problems.error()
    return [points[start : start + size] for start in range(0, len(points), size)]


class _Checking(Checking):
    """The verification of several points as one plan."""

    single = False
    points: Sequence[Point] = ()
    labels: Sequence[str] = ()
    places: Sequence[Places] = ()

    def attempt(self, params: Mapping[str, object]) -> Attempt:
        """All points traced, as one graph."""
        types = self.selection.takes("types", "types")
        self.attempts: list[Attempt] = []
        wrong = 0
        for one in self.points:
            self.attempts.append(attempt(self.loaded.pipeline, one.params, types=types))
            wrong += bool(self.attempts[-1].problems)
            if wrong >= MOST_PROBLEMS:
                break
        traced, self.places = merged(self.attempts, self.labels[: len(self.attempts)])
        return traced

    def wanted(self, graph: Graph, choose: Callable[[Graph], Wanted]) -> Wanted:
        """What is asked for in each point, together."""
        return wanted_of(graph, self.labels, choose)

    def judge(
        self, plan: Plan, room: Path | None = None, pinned: Sequence[Pinned] | None = None
    ) -> tuple[str, ...]:
        """Ask every check, also of what dynamic calls have become."""
        if len(plan.graph.steps) > len(self.traced.steps):
            known, gives = list(self.traced.steps), list(self.traced.gives)
            for one, (steps, sources) in zip(self.attempts, self.places, strict=True):
                if one.tracing is not None:
                    _fill(known, steps, one.tracing.known)
                    _fill(gives, sources, one.tracing.gives)
            self.traced = self.traced._replace(steps=tuple(known), gives=tuple(gives))
        if plan.graph is not self.traced.graph:
            self.traced = self.traced._replace(graph=plan.graph)
            self._pinned = self._pinned if pinned is None else tuple(pinned)
        return super().judge(plan, room, pinned)

    def traces(self) -> Iterator[Trace]:
        """What traced each point."""
        for one in self.attempts:
            if one.tracing is not None:
                yield one.tracing

    def growing(self, graph: Graph, make: MakesGrowth) -> Growth | None:
        """What traces the dynamic calls of all points."""
        growths = [
            make(one.tracing, one.graph, lambda learning, seen=places.sources: _Seeing(learning, seen))
            if one.tracing is not None
            else None
            for one, places in zip(self.attempts, self.places, strict=True)
        ]
        return PointGrowth(growths, self.places, graph, self.labels)


def _fill(table: list[Any], places: Sequence[int], own: Sequence[Any]) -> None:
    """Put what a point knows of its steps or sources to their places in the table of all."""
    table.extend([None] * (max(places, default=-1) + 1 - len(table)))
    for place, one in zip(places, own, strict=False):
        table[place] = one


class _Seeing:
    """`app.learning.Learning` as one point sees it, an `app.learning.Learns`."""

    def __init__(self, learning: Learning, sources: Sequence[int]) -> None:
        self._learning, self._sources = learning, sources

    @property
    def digests(self) -> list[str]:
        """The digests of the point's sources."""
        return [self._learning.digests[source] for source in self._sources]

    def file_of(self, source: int, part: int | str, file: Path) -> tuple[str, str]:
        """The name and the address of a file that is `part` of a source's value, as a source of its own."""
        return self._learning.file_of(self._sources[source], part, file)

    def spreads(self, sources: Iterable[str]) -> None:
        """Note what a dynamic call of the point takes: a source has the same name in all points."""
        self._learning.spreads(sources)

    def learn(self, graph: Graph) -> News:
        """What is to be known of steps and sources that come later."""
        return self._learning.learn(graph)


def prepare_sweep(
    loaded: Loaded, points: Sequence[Point], store: LocalStore, settings: Settings, first: int = 0
) -> Swept:
    """Plan points as one: trace, pin, identify, decide, check. Raises as `session.prepare`.

    `first` is how many points of the sweep are in batches before this one.
    """
    named = labels([one.values for one in points], first)
    made: list[_Checking] = []

    def verify(loaded: Loaded, selection: Selection, memo: Memo, only: Sequence[str]) -> Checking:
        checking = _Checking(loaded, selection, memo, only)
        checking.points, checking.labels = points, named
        made.append(checking)
        return checking

    work = prepare(loaded, {}, store, settings, verify=verify)
    return Swept(work, points, named, [one.graph.params for one in made[0].attempts])


def points_document(swept: Swept) -> list[Document]:
    """The points of a plan, as `plan --json` prints them: what varies, what is to be done, how much others do as well."""
    split = Split(swept.work.plan, swept.labels)
    out = []
    for place, (one, label) in enumerate(zip(swept.points, swept.labels, strict=True)):
        decisions = [swept.work.plan.decisions[node] for node in split.nodes[place]]
        counts: dict[str, int] = {"run": 0, "cached": 0}
        shared = 0
        for decision in decisions:
            counts[decision.verb] = counts.get(decision.verb, 0) + 1
            shared += decision.reasons[0].kind == "same"
        params = {name: plain(value) for name, value, _ in swept.params[place]}
        out.append(
            {"point": plain(one.values), "id": label, "params": params, "counts": counts, "shared": shared}
        )
    return out


# --------------------------------------------------------------------------- driving


def drive_sweep(
    swept: Swept, settings: Settings, view: Any, *, parallel: int = 0, group: int = 0
) -> tuple[list[Ended], PointRecorder]:
    """Run planned points to their end, shown by `view`; what became of each, and the recorder, which has the group's number.

    `group` is the number of the group that they are added to (0: a new one).
    """
    work = swept.work
    recorder = PointRecorder(swept, parallel, group)
    progress = Progress(work.plan)
    view.points(swept.labels)
    for event in execute(work, settings._replace(keep_going=True), began=view.begin, recorder=recorder):
        progress.see(event)
        view.see(event, progress)
    recorder.progress = progress
    out = []
    for place, one in enumerate(swept.points):
        mine = recorder.split.progress(place, progress, swept.params[place])
        mine.status, mine.seconds = recorder.statuses[place], recorder.seconds[place]
        result = None
        if mine.status == "succeeded":
            result = plain_result(mine.plan.graph, mine.outputs, work.store, work.root)
        out.append(Ended(one, recorder.runs[place], mine, result))
    view.end(recorder.run, progress, None)
    return out, recorder


def unreached(swept: Swept, store: LocalStore, group: int) -> list[Ended]:
    """Record points that are not run at all, because the sweep was interrupted before their batch."""
    plan = swept.work.plan
    recorder = PointRecorder(swept, 0, group)
    recorder.begin(store, facts_of(plan, started=time.time()))
    recorder.abandon()
    progress = Progress(plan, {one.node: Outcome(one, "interrupted") for one in plan.decisions})
    out = []
    for place, one in enumerate(swept.points):
        mine = recorder.split.progress(place, progress, swept.params[place])
        mine.status = "interrupted"
        out.append(Ended(one, recorder.runs[place], mine, None))
    return out


class _Seen:
    """What is known of nodes by their failures, as `kernel.plan.falls_short` asks."""

    def __init__(self, bad: set[int]) -> None:
        self._bad = bad

    def __getitem__(self, node: int, /) -> Foreseen | None:
        return Foreseen(None, False, "blocked") if node in self._bad else Foreseen((), True, "run")


class PointRecorder:
    """Implements `session.Recorder` and `session.Recording`: each event goes to the record of the point that it is of.

    `run` is the id of the group. `statuses` and `seconds` are those of the points, as far as they have ended.
    """

    def __init__(self, swept: Swept, parallel: int, group: int) -> None:
        self.run = ""
        self.runs: list[str] = []
        self.split = Split(swept.work.plan, swept.labels)
        self.statuses: dict[int, Status] = {}
        self.seconds: dict[int, float] = dict.fromkeys(range(len(swept.points)), 0.0)
        self.number = group
        self.progress: Progress | None = None
        self._swept, self._parallel = swept, parallel
        self._group: GroupRecord | None = None
        self._engine: PointEngine | None = None
        self._ids = {node.id: place for place, node in enumerate(swept.work.graph.nodes)}
        self._left = [len(nodes) for nodes in self.split.nodes]
        self._ended: set[int] = set()
        self._bad: set[int] = set()
        """Nodes without a result."""
        self._guilty: set[int] = set()
        """Those of them because of which a run has failed."""
        self._stopped: set[int] = set()
        self._began: dict[int, float] = {}
        for decision in swept.work.plan.decisions:
            if decision.verb == "skip":
                self._end(decision.node, settle=False)

    # ------------------------------------------------------------------ what the session asks

    def engine(self, engine: Engine, /) -> Engine:
        """What the tasks are handed to."""
        self._engine = PointEngine(engine, self._whose, self.statuses.__contains__, self._parallel)
        return self._engine

    def store(self, results: Store, /) -> Store:
        """Where results are kept."""
        return cast(Store, PointStore(results, self._engine.runs if self._engine is not None else {}))

    def begin(self, store: LocalStore, facts: Facts, /) -> PointRecorder:
        """Begin the records of all points."""
        each = []
        left_out = set(facts.skipped)
        for place, one in enumerate(self._swept.points):
            mine, label = self.split.nodes[place], f"{self.split.labels[place]}/"
            params = {name: plain(value) for name, value, _ in self._swept.params[place]}
            part = self.split.part(place, self._swept.params[place])
            each.append(
                facts._replace(
                    params=params,
                    origins=origins_document(one.origins),
                    nodes=[(facts.nodes[n][0].removeprefix(label), *facts.nodes[n][1:]) for n in mine],
                    skipped=[i for i, node in enumerate(mine) if node in left_out],
                    point=plain(one.values),
                    wiring=wiring_of(part.graph, facts.described(part)),
                )
            )
        self._group = store.begin_group(each, self.number)
        self.run, self.runs, self.number = self._group.name, self._group.runs, self._group.number
        for place, left in enumerate(self._left):
            if not left:
                self._settle(place)
        return self

    def add(self, event: Event, /) -> None:
        """Take in an event."""
        if self._group is None:
            return
        if isinstance(event, RunFinished):
            for place in range(len(self.runs)):
                if place not in self.statuses or self._left[place]:
                    self._settle(place)
            self._group.end(event.seconds)
            self._group = None
            return
        place = self.split.owner(event.node)
        if isinstance(event, StepGrew):
            first = len(self.split.nodes[place])
            self.split.take(event.plan)
            self._left[place] += len(self.split.nodes[place]) - first
            graph = event.plan.graph
            self._ids.update((graph.nodes[n].id, n) for n in range(event.first, len(graph.nodes)))
            part = self.split.part(place, self._swept.params[place])
            self._group.add(place, StepGrew(self.split.local(event.node), part, first))
            self._end(event.node)
            return
        self._group.add(place, self._own(event, place))
        if isinstance(event, StepStarted):
            self._began.setdefault(place, time.monotonic())
        elif isinstance(event, StepRepaired):
            self._again(event.node)
        elif isinstance(event, ENDS):
            self._judge(event)
            self._end(event.node)

    def changed(self, diff: str, /) -> None:
        """Note what the tree had beyond its commit."""
        if self._group is not None:
            self._group.changed(diff)

    def abandon(self) -> None:
        """End the records of what is given up: points that have not ended were interrupted."""
        if self._group is not None:
            self._group.end()
            self._group = None

    # ------------------------------------------------------------------ points

    def _whose(self, node: int) -> Whose:
        place = self.split.owner(node)
        label = f"{self.split.labels[place]}/"
        return Whose(place, self.runs[place], self.split.plan.graph.nodes[node].id.removeprefix(label))

    def _own(self, event: Any, place: int) -> Event:
        """An event with the numbers and ids of its point."""
        changes: dict[str, Any] = {"node": self.split.local(event.node)}
        if isinstance(event, ENDS):
            changes["decision"] = self.split.decision(event.decision)
        if isinstance(event, StepFinished):
            changes["result"] = event.result._replace(run=self.runs[place])
        own: Event = event._replace(**changes)
        return own

    def _judge(self, event: Any) -> None:
        """Note what the end of a step means for its point."""
        node, graph = event.node, self.split.plan.graph
        self._bad.discard(node)
        self._guilty.discard(node)
        if isinstance(event, StepInterrupted):
            self._stopped.add(self.split.owner(node))
        if isinstance(event, StepFailed | StepBlocked):
            self._bad.add(node)
        if isinstance(event, StepFailed) and not graph.step_of(node).optional:
            self._guilty.add(node)
        if isinstance(event, StepBlocked):
            reasons = event.decision.reasons
            causes = {self._ids.get(reason.name, -1) for reason in reasons}
            seen = _Seen(self._bad)
            short = any(falls_short(binding, seen) for _, binding in graph.nodes[node].inputs)
            if short or causes & self._guilty or any(reason.kind == "stopped" for reason in reasons):
                self._guilty.add(node)

    def _end(self, node: int, *, settle: bool = True) -> None:
        if node in self._ended:
            place = self.split.owner(node)
            if not self._left[place] and settle:
                self._settle(place)
            return
        self._ended.add(node)
        place = self.split.owner(node)
        self._left[place] -= 1
        if not self._left[place] and settle:
            self._settle(place)

    def _again(self, node: int) -> None:
        """A node that had ended is to be done again."""
        if node in self._ended:
            self._ended.discard(node)
            self._left[self.split.owner(node)] += 1

    def _settle(self, place: int) -> None:
        """Note how a point has come out."""
        result = self.split.plan.graph.result
        mine = result.items[place] if isinstance(result, Pack) else result
        status: Status = "succeeded"
        if place in self._stopped or self._left[place]:
            status = "interrupted"
        elif any(node in self._guilty for node in self.split.nodes[place]) or falls_short(
            mine, _Seen(self._bad)
        ):
            status = "failed"
        self.statuses[place] = status
        if place in self._began:
            self.seconds[place] = time.monotonic() - self._began[place]
        if self._group is not None:
            self._group.settle(place, RunFinished(status, self.seconds[place]))


class SweepEnded(NamedTuple):
    """A sweep that has ended: the id of its group, its points, and how it ended as a whole."""

    name: str
    pipeline: str
    points: Sequence[Ended]
    status: Status
    seconds: float
    work: Work

    def document(self) -> Document:
        """The sweep as `run --json` prints it."""
        return {
            "group": self.name,
            "pipeline": self.pipeline,
            "status": self.status,
            "seconds": round(self.seconds, 6),
            "runs": [one.document() for one in self.points],
        }


def run_points(
    loaded: Loaded,
    points: Sequence[Point],
    store: LocalStore,
    settings: Settings,
    views: Callable[[Work], AbstractContextManager[Any]],
    *,
    parallel: int = 0,
) -> SweepEnded:
    """Plan and run all points, in batches where they are many; `views` opens what shows a planned batch.

    Hooks are told once, of the whole. Raises what `prepare_sweep` and `session.execute` raise.
    """
    begun = time.monotonic()
    ended: list[Ended] = []
    first, *others = batches(loaded, points)
    swept = prepare_sweep(loaded, first, store, settings)
    told = hooks_for(swept.work, settings)
    with views(swept.work) as view:
        some, recorder = drive_sweep(swept, settings, view, parallel=parallel)
    ended += some
    for batch in others:
        swept = prepare_sweep(loaded, batch, store, settings, len(ended))
        if any(one.status == "interrupted" for one in ended):
            ended += unreached(swept, store, recorder.number)
            continue
        with views(swept.work) as view:
            some, _ = drive_sweep(swept, settings, view, parallel=parallel, group=recorder.number)
        ended += some
    statuses = {one.status for one in ended}
    status: Status = (
        "interrupted" if "interrupted" in statuses else "failed" if "failed" in statuses else "succeeded"
    )
    name = recorder.run
    done = SweepEnded(name, loaded.pipeline.__name__, ended, status, time.monotonic() - begun, swept.work)
    say(tell(told, _told(done), swept.work.root))
    return done


def sweep_pipeline(
    pipeline: Pipeline[Any, Any],
    given: Mapping[str, object],
    where: str,
    sample: int,
    seed: int,
    parallel: int,
) -> Sweep[Any]:
    """What `pipeline.sweep(...)` gives: `given` are values and lists of values, by parameter or argument of a step."""
    options = pipeline.run_options
    settings = Settings(
        jobs=options.get("jobs", 0),
        in_process=options.get("in_process", False),
        force=("*",) if options.get("force") else (),
    )
    with live(pipeline, again=settings.in_process) as loaded:
        _, named = handed(loaded.module, (), given)
        swept = {name: value for name, value in named.items() if _is_list(value)}
        fixed = {name: value for name, value in named.items() if name not in swept}
        found = points_of_call(loaded, swept, fixed, Asked((), where, sample, seed))
        with stored(loaded.target.root) as store:

            def opened(work: Work) -> AbstractContextManager[Any]:
                shown: AbstractContextManager[Any] = import_module(VIEW).view(
                    work.plan, plain=settings.in_process, work=work, jobs=settings.jobs
                )
                return shown

            ended = run_points(loaded, found, store, settings, opened, parallel=parallel)
            said = said_directions(store, store.runs.some([ended.points[-1].run]))
        runs = [_run_of(loaded, ended.work, one) for one in ended.points]

    def html(runs: Sequence[Run[Any]]) -> str:
        from stepwell.app.displays import sweep_html  # only notebooks draw this

        return sweep_html(f"{ended.name}  {ended.status}", runs, ended.seconds, said)

    return Sweep(ended.name, ended.status, ended.seconds, runs, ended.document(), html)


def _is_list(value: object) -> bool:
    """Whether a value from Python is several values to go through."""
    return isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping)


def _run_of(loaded: Loaded, work: Work, one: Ended) -> Run[Any]:
    """A point's run, as Python programs see it."""
    mine = work._replace(plan=one.progress.plan, origins=one.point.origins)
    run = finished_run(loaded, mine, one.run, one.progress, one.result)
    run.point = dict(one.point.values)
    return run


def _told(done: SweepEnded) -> Told:
    """What hooks are told of a sweep: what failed in which of its runs."""
    failed = []
    for one in done.points:
        graph = one.progress.plan.graph
        for node, outcome in one.progress.outcomes.items():
            if outcome.failure is not None:
                failed.append(
                    (f"{one.run}/{graph.nodes[node].id}", outcome.failure.code, outcome.failure.what)
                )
    return Told(done.name, done.pipeline, done.status, done.seconds, tuple(failed), resume_of(done.work))
