"""From a pipeline's file to a plan, and from a plan to a recorded run: the wiring.

target  = find("", Path.cwd())                    which file, which pipeline
work    = prepare(load(target), params, store)    trace, pin, identify, decide
for event in execute(work, settings): ...         drive and record
"""

from __future__ import annotations

import contextlib
import gc
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol, cast

from stepwell.app.checks import ALL, Checking, Selection
from stepwell.app.contracts import contracts_for
from stepwell.app.latest import Latest
from stepwell.app.learning import Learning
from stepwell.app.learnt import Learnt
from stepwell.app.outfiles import OutFiles
from stepwell.app.owntests import OwnTests
from stepwell.app.parameters import NO_ORIGINS, origins_document
from stepwell.app.places import at, store_folder
from stepwell.app.placing import look_again
from stepwell.app.reasons import Differences
from stepwell.app.selecting import EVERYTHING, Choice, chosen, kept_notes
from stepwell.author.identities import Identified
from stepwell.author.layers import Origin
from stepwell.author.project import Loaded, Target, importer_for
from stepwell.errors import ArtifactGone, Interrupted, NothingSelected, StepwellError, UnknownStep, UsageError
from stepwell.kernel.graph import DYNAMIC, FromStep, Graph, leaves
from stepwell.kernel.plan import Growth, Known, Plan, Wanted, decide
from stepwell.kernel.ports import Artifact, Engine, Store
from stepwell.named import NamedTuple
from stepwell.plugins.registry import registry
from stepwell.stores.local import LocalStore
from stepwell.worker.hiding import hidden
from stepwell.worker.kinds import is_made
from stepwell.worker.observe import Observed
from stepwell.worker.world import World

if TYPE_CHECKING:
    from stepwell.app.ghost import Ghost
    from stepwell.app.runfile import Taken
    from stepwell.engines.ahead import Ahead
    from stepwell.kernel.events import Event
    from stepwell.sources.memo import Memo  # what goes in as bytes comes out as bytes
    from stepwell.sources.pin import Pinned
    from stepwell.stores.record import Facts as RunFacts


class Settings(NamedTuple):
    """How a run is carried out; none of it changes what is computed.

    `jobs` is the number of workers (0: one a processor). `force` names steps that run in any case
    ("*": all). `refresh` asks web addresses again. `strict` runs each step in a staged folder with only what
    it declares, without network (`worker.sandbox`). `checks` says which checks a plan must pass.
    `twice` names steps that, if they run, are executed twice and compared ("*": all). `ghost` is how many
    rows of each source a ghost run reads (0: it is none); its store is `stored(root, ghost=True)`.
    `selection` says which steps are meant; names among its `only` that are checks' are added to `checks`.
    `on_success` and `on_failure` are commands and addresses that are told of its end (`app.hooks`).
    `memory` is how many bytes the steps that run at once may need together (0: what the machine has).
    `ahead` may hold a template of workers that has begun already (`started_ahead`).
    `frozen` takes the content of every source from the lock, whatever is there now, but of those that `upgrade` names.
    """

    jobs: int = 0
    keep_going: bool = False
    in_process: bool = False
    force: tuple[str, ...] = ()
    refresh: bool = False
    strict: bool = False
    checks: Selection = ALL
    twice: tuple[str, ...] = ()
    ghost: int = 0
    on_success: tuple[str, ...] = ()
    on_failure: tuple[str, ...] = ()
    selection: Choice = EVERYTHING
    memory: int = 0
    frozen: bool = False
    upgrade: tuple[str, ...] = ()
    ahead: Ahead | None = None


DEFAULTS = Settings()


class Work(NamedTuple):
    """A pipeline that is planned, with all that a run of it needs."""

    loaded: Loaded
    store: LocalStore
    learning: Learning
    plan: Plan
    notes: tuple[str, ...] = ()
    """What the checks found worth a look."""
    ghost: Ghost | None = None
    origins: Mapping[str, Origin] = NO_ORIGINS
    """Where each parameter came from."""
    seen: Observed | None = None
    """What tracing was seen to read; None where nobody looked."""
    own_checks: bool = False
    """Whether checks of the user's own have judged the plan."""
    taken: Taken | None = None
    """Which commit and changes its files were taken from, where they are in a folder of their own; else git is asked."""
    twice: Callable[[Graph], Collection[int]] | None = None
    """Which nodes of the graph, as large as it is then, are executed twice and compared if they run; None: nothing is."""

    @property
    def graph(self) -> Graph:
        """The traced pipeline."""
        return self.plan.graph

    @property
    def identified(self) -> Identified:
        """What identifies every step that is known so far."""
        return self.learning.whole

    @property
    def pinned(self) -> tuple[Pinned, ...]:
        """Every source that is known so far, pinned."""
        return tuple(self.learning.pinned)

    @property
    def root(self) -> Path:
        """The project's root."""
        return self.loaded.target.root

    def last_failures(self) -> dict[str, str]:
        """By id, what to say of steps that are to run, and failed in the pipeline's last run: "failed in r3: KeyError: 'x'".

        Nothing of one whose edit, with which it failed, is not there any more.
        """
        failed = {} if self.ghost is not None else self.store.runs.failures(self.graph.pipeline)
        out = {}
        for decision in self.plan.decisions if failed else ():
            node = self.graph.nodes[decision.node]
            if node.id in failed and decision.verb not in ("cached", "skip"):
                run, failure, edited = failed[node.id]
                parts = self.plan.known.identities[node.step].parts
                if any(parts.get(part, "") != digest for part, digest in edited.items()):
                    continue
                name = self.graph.steps[node.step].name
                what = failure.what.removeprefix(f"step `{name}` ").removeprefix("raised ")
                out[node.id] = f"failed in {run}: {what}"
        return out

    def learnt(self) -> Learnt:
        """What is known of the costs of the pipeline's steps."""
        blobs, sizes = self.store.blobs, {one.digest: one.size for one in self.pinned}

        def whole(artifact: Artifact) -> int:
            return artifact.size + sum(max(0, blobs.size(part)) for part in artifact.parts)

        return Learnt(self.store.memo, [step.full_name for step in self.graph.steps], sizes, whole)

    def text_of(self, digest: str) -> str | None:
        """The text of a definition: as it is now, or else as the store has kept it; None where it is unknown."""
        source = self.identified.sources.get(digest)
        return source.source if source is not None else self.store.results.definition(digest)


def prepare(
    loaded: Loaded,
    params: Mapping[str, object],
    store: LocalStore,
    settings: Settings = DEFAULTS,
    *,
    verify: Callable[[Loaded, Selection, Memo, Sequence[str]], Checking] = Checking,
    watched: bool = False,
) -> Work:
    """Trace, pin, identify, decide, check. Writes caches only. `verify` makes what traces and checks.

    `watched`: see what tracing reads (`Work.seen`), so that the plan may be recalled later (`app.lasting`).

    Raises `AuthoringError`, `PlanError`, `CodecError`; `SeveralProblems` where several things are wrong.
    """
    root = loaded.target.root
    _strict_can_be_had(settings)
    if settings.refresh:
        look_again()
    with at(root), _undisturbed():
        memo = cast("Memo", store.memo)
        checking = verify(loaded, settings.checks, memo, settings.selection.only)
        with _seeing(loaded, store, watched) as seen:
            traced = checking.trace(params)
        ghost = _ghost(settings.ghost, root, store)
        how = {"refresh": settings.refresh, "strict": settings.strict, "frozen": settings.frozen}
        learning = Learning(loaded, store, ghost=ghost, upgrade=settings.upgrade, **how)
        pinned, graph = checking.pin(learning.pin), traced.graph
        try:
            graph = learning.placed(graph)
        except StepwellError as error:
            checking.problems.add(error)
        checking.refuse()
        graph, identities, pins = learning.settled(graph, pinned)
    store.prefetch(graph.pipeline)
    tests = OwnTests(learning.digests, store, root, loaded.importer)
    world = World(root, memo)
    growing = None
    if any(step.kind == DYNAMIC for step in graph.steps):
        from stepwell.app.growing import Growing

        growing = checking.growing(
            graph, lambda tracing, graph, see: Growing(tracing, graph, see(learning), store, root)
        )
    known = Known(identities, pins, store.results, world, time.time(), tests, growing, Differences())
    choice = settings.selection._replace(only=checking.steps)
    asked = _Asked(choice, settings.force, checking)
    with _undisturbed(), at(root):
        plan = _decided(graph, known, asked)
    if not _result_is_readable(plan, store):  # the store has noted what is lost
        plan = decide(plan.graph, plan.known, plan.wanted)
    graph = plan.graph
    doubled = asked.doubled(plan, settings.twice) if settings.twice else None
    with at(root):
        notes = checking.judge(plan, store.blobs.folder, learning.pinned)
    store.commit(now=True)
    notes = (
        *notes,
        *kept_notes(plan),
        *_moved(graph, learning.pinned),
        *learning.notes,
        *hidden(loaded.importer.roots, loaded.importer.modules),
    )
    reused = [decision.result if decision.verb == "cached" else None for decision in plan.decisions]
    outs = OutFiles(Latest(plan), store, root).notes(world, reused) if checking.single else ()
    more = outs if ghost is None else ghost.notes(graph)
    notes = (*notes, *more)
    looked = seen[0] if seen else None
    own = bool(checking.own)
    return Work(loaded, store, learning, plan, notes, ghost, seen=looked, own_checks=own, twice=doubled)


def _ghost(rows: int, root: Path, store: LocalStore) -> Ghost | None:
    """What a ghost run pins in place of sources: samples of so many rows; None with 0 rows, for any other run."""
    if not rows:
        return None
    from stepwell.app.ghost import Ghost

    return Ghost(root, store_folder(root), store.folder, rows)


@contextlib.contextmanager
def _seeing(loaded: Loaded, store: LocalStore, watched: bool) -> Iterator[list[Observed]]:
    """While the pipeline's body runs: what it reads is in the list afterwards."""
    seen: list[Observed] = []
    if not watched:
        yield seen
        return
    observer = loaded.importer.observer
    observer.settle(store.folder)
    observer.begin()
    try:
        yield seen
    finally:
        seen.append(observer.end())


class _Asked(NamedTuple):
    """What was asked for, by name."""

    choice: Choice
    force: tuple[str, ...]
    checking: Checking

    def of(self, graph: Graph) -> Wanted:
        """The nodes that are meant. Raises `NothingSelected`, `UnknownStep`."""
        return self.checking.wanted(graph, self._of_one)

    def doubled(self, plan: Plan, names: tuple[str, ...]) -> Callable[[Graph], Collection[int]]:
        """Which nodes these names mean, as `force` has them, in the plan's graph and in what that becomes.

        Raises `UnknownStep` for a name that means nothing, where no dynamic call could become what it means.
        """
        from stepwell.app.selecting import named

        if not any(decision.verb == "dynamic" for decision in plan.decisions):
            self.checking.wanted(plan.graph, lambda one: Wanted(forced=_forced(one, names)))
        return lambda graph: self.checking.wanted(graph, lambda one: Wanted(forced=named(one, names))).forced

    def _of_one(self, graph: Graph) -> Wanted:
        return chosen(graph, self.choice, _forced(graph, self.force), also=self.checking.names)


def _decided(graph: Graph, known: Known, asked: _Asked) -> Plan:
    """The plan; where dynamic calls have become steps, names may mean these, too."""
    if known.growth is None:
        return decide(graph, known, asked.of(graph))
    try:
        plan = decide(graph, known, asked.of(graph))
    except (NothingSelected, UnknownStep):
        plan = decide(graph, known)
        return decide(plan.graph, plan.known, asked.of(plan.graph))
    if (asked.choice == EVERYTHING and not asked.force) or len(plan.graph.nodes) == len(graph.nodes):
        return plan
    return decide(plan.graph, plan.known, asked.of(plan.graph))


def with_the_rest(
    error: StepwellError, loaded: Loaded, store: LocalStore, settings: Settings = DEFAULTS
) -> StepwellError:
    """An error of the parameters together with what else is wrong with a pipeline, seen with their defaults.

    Where a parameter has no default nothing else can be seen.
    """
    from stepwell.sources.pin import pin
    from stepwell.sources.web import Shelf

    if any(p.default is p.empty for p in loaded.pipeline.signature.parameters.values()):
        return error
    root, memo = loaded.target.root, cast("Memo", store.memo)
    with at(root), _undisturbed():
        checking = Checking(loaded, settings.checks, memo)
        checking.problems.add(error)
        checking.trace({})
        checking.pin(lambda source: pin(source.uri, root=root, memo=memo, shelf=Shelf(store.blobs.folder)))
        try:
            checking.refuse()
        except StepwellError as found:
            return found
    return error


def _moved(graph: Graph, pinned: Sequence[Pinned]) -> Iterator[str]:
    """What became of the files of each source that changed: up to three by name, and how many more."""
    for source, now in zip(graph.sources, pinned, strict=True):
        if now.differs:
            more = f", and {len(now.differs) - 3} more" if len(now.differs) > 3 else ""
            yield f"source `{source.name}`: {', '.join(now.differs[:3])}{more}"


def _strict_can_be_had(settings: Settings) -> None:
    """Before anything else: raises `StrictUnavailable` or `UsageError` where steps cannot be shut off."""
    if not settings.strict:
        return
    if settings.in_process:
        raise UsageError(
            "`--strict` and `--in-process` exclude each other",
            why="a step is shut off together with its process, and this process needs its files",
            fixes=["leave one of them out"],
        )
    from stepwell.worker import sandbox  # other runs do without

    sandbox.require()


def _result_is_readable(plan: Plan, store: LocalStore) -> bool:
    """Whether what the pipeline returns is in the store, as far as it is up to date: no step would notice else."""
    sound = True
    for leaf in leaves(plan.graph.result):
        decision = plan.decisions[leaf.node] if isinstance(leaf, FromStep) else None
        if decision is None or decision.verb != "cached" or decision.result is None:
            continue
        for artifact in decision.result.outputs:
            try:
                store.results.data(artifact)
            except ArtifactGone:
                sound = False
    return sound


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Without the garbage collector: a graph has no cycles, and looking for them costs a third of making it."""
    active = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if active:
            gc.enable()


def _forced(graph: Graph, names: tuple[str, ...]) -> frozenset[int]:
    """The nodes that names mean ("*": all). Raises `UnknownStep` for one that means nothing."""
    from stepwell.app.names import step_named  # names are looked up only where some were given
    from stepwell.app.selecting import named

    for name in names if "*" not in names else ():
        if not named(graph, (name,)):
            step_named(graph, name)
    return named(graph, names)


@contextlib.contextmanager
def started_ahead(target: Target, settings: Settings = DEFAULTS) -> Iterator[Settings]:
    """The settings with a template of workers that imports libraries meanwhile: for what is loaded, planned and run within.

    Raises what finding a project's modules raises.
    """
    if settings.in_process:
        yield settings
        return
    from stepwell.engines.ahead import Ahead  # a plan does without

    importer = importer_for(target.root)
    with Ahead(target.root, importer.roots, target.module, settings.jobs) as ahead:
        yield settings._replace(ahead=ahead)


class Recording(Protocol):
    """The record of what is driven, while it lasts. `run` is its id."""

    run: str

    def add(self, event: Event, /) -> None:
        """Take in an event; `RunFinished` ends the record."""
        ...

    def changed(self, diff: str, /) -> None:
        """Note what the tree had beyond its commit, as a unified diff."""
        ...

    def abandon(self) -> None:
        """End the record of what is given up."""
        ...


class Recorder(Protocol):
    """Records what is driven in another way than as one run (`app.sweeps`)."""

    def engine(self, engine: Engine, /) -> Engine:
        """What the tasks are handed to; asked once, first."""
        ...

    def begin(self, store: LocalStore, facts: RunFacts, /) -> Recording:
        """Begin the record. `facts` are those of one run of the whole plan."""
        ...

    def store(self, results: Store, /) -> Store:
        """Where results are kept; asked when the record has begun."""
        ...


def execute(
    work: Work,
    settings: Settings = DEFAULTS,
    *,
    began: Callable[[str], None] | None = None,
    recorder: Recorder | None = None,
    since: float | None = None,
) -> Iterator[Event]:
    """Drive a plan and record the run; `began` is told its id before the first event. `recorder` records in another way.

    `since` is when the run was asked for (`time.monotonic`), if that was before now: planning is part of what it takes.

    Ctrl-C (and SIGTERM) stop the run: what is running ends, the record says `interrupted`. Raises
    `StoreError` where results cannot be kept (a full disk), `StoreRemoved` if the store is gone.
    """
    # what only a run needs; a plan does without
    from stepwell.app.durably import KEPT, Durably
    from stepwell.app.git import Question
    from stepwell.app.linked import Changes, about_of, described
    from stepwell.app.presence import Presence
    from stepwell.app.sidefiles import SideFiles
    from stepwell.app.twice import remarked
    from stepwell.app.upgrades import Unmoved
    from stepwell.app.values import plain
    from stepwell.kernel.events import RunFinished, StepFailed, StepFinished, StepGrew, StepReused
    from stepwell.kernel.run import drive
    from stepwell.stores.record import facts_of

    store, since = work.store, time.monotonic() if since is None else since
    question = work.taken or Question(work.root)
    latest = Latest(work.plan)
    executing = _doubled(work, settings, _engine(work, settings, learnt := work.learnt()), latest)
    engine: Engine = SideFiles(Unmoved(executing, latest, work.root), latest)
    engine = durably = Durably(engine if recorder is None else recorder.engine(engine), store)
    presence = Presence(store.folder)
    record: Recording | None = None
    changes: Changes | None = None
    try:
        commit = question.answer()
        params = {name: plain(value) for name, value, _ in work.graph.params}
        facts = facts_of(
            work.plan,
            started=time.time() - (time.monotonic() - since),
            commit=commit.id,
            dirty=commit.dirty,
            argv=tuple(sys.argv[1:]),
            described=described,
        )
        facts = facts._replace(params=params, origins=origins_document(work.origins), about=about_of(work))
        record = store.begin(facts) if recorder is None else recorder.begin(store, facts)
        _remember(work, work.plan)
        if work.taken is not None and work.taken.diff:
            record.changed(work.taken.diff)
        changes = Changes(work, record) if commit.dirty and commit.id and work.taken is None else None
        if began is not None:
            began(record.run)
        files = OutFiles(latest, store, work.root)
        with _signals(engine, work.plan.known.growth), presence.told():
            for event in drive(
                work.plan,
                engine=engine,
                store=store.results if recorder is None else recorder.store(store.results),
                clock=_Clock(),
                run=record.run,
                keep_going=settings.keep_going,
            ):
                if event is KEPT:
                    yield from durably.told(event)
                    continue
                presence.glance()
                if changes is not None:
                    changes.look(at_end=isinstance(event, RunFinished))
                if isinstance(event, StepFinished):
                    event = remarked(event, store)
                    learnt.see(event)
                elif isinstance(event, StepReused) and work.ghost is None and recorder is None:
                    files.put_back(event.node, event.result)
                elif isinstance(event, StepGrew):
                    _remember(work, event.plan, latest.plan.graph)
                    latest.plan = event.plan
                elif isinstance(event, RunFinished):
                    event = event._replace(seconds=time.monotonic() - since)
                    presence.check()
                    learnt.keep()  # before the last commit of the record
                elif isinstance(event, StepFailed):
                    learnt.see(event)
                record.add(event)
                if isinstance(event, RunFinished):
                    record = None
                yield from durably.told(event)
    finally:
        engine.close()
        if changes is not None:
            changes.close()
        if record is not None:
            record.abandon()


def _remember(work: Work, plan: Plan, before: Graph | None = None) -> None:
    """Keep what code and sources of a plan were, so that a later run can say what changed; only of what is new since `before`.

    What is known of the work may be ahead of the plan: of several dynamic calls each is told when all have become steps.
    """
    from stepwell.sources.pin import remember

    steps, sources = (len(before.steps), len(before.sources)) if before is not None else (0, 0)
    whole, memo = work.identified, cast("Memo", work.store.memo)
    for identity in whole.identities[steps : len(plan.graph.steps)]:
        work.store.results.add_identity(
            identity.code, identity.parts, whole.sources, identity.environment, identity.versions
        )
    for source, pin in zip(plan.graph.sources[sources:], plan.known.pins[sources:], strict=True):
        remember(source.uri, pin.digest, root=work.root, memo=memo)


class _Clock:
    """The machine's own time."""

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()


def _engine(work: Work, settings: Settings, learnt: Learnt | None = None) -> Any:
    loaded = work.loaded
    snapshot = loaded.importer.snapshot
    folder = None if work.ghost is None else work.ghost.mirror
    common = {
        "root": work.root,
        "store": work.store.blobs.folder,
        "snapshot": snapshot,
        "folder": folder,
        "alone": work.identified.patches,
        "covered": work.identified.files,
        "pinned": {one.digest: one.facts for one in work.pinned if one.facts},
        "contracts": contracts_for(work.graph, work.root, loaded.target.file),
    }
    roots = [Path(root) for root in loaded.importer.roots]
    if settings.in_process:
        return registry.engine("in-process")(**common, roots=roots[1:])  # what the pipeline was loaded with
    modules = sorted({step.module for step in work.graph.steps if not is_made(step)})
    return registry.engine("local")(
        **common, jobs=settings.jobs, roots=roots, preload=modules, strict=settings.strict,
        memory=settings.memory, expect=learnt.need if learnt is not None else None, ahead=settings.ahead,
    )  # fmt: skip


def _doubled(work: Work, settings: Settings, engine: Any, latest: Latest) -> Any:
    """The engine, or one that executes what `work.twice` means a second time, in other processes."""
    if work.twice is None:
        return engine
    from stepwell.app.twice import Meant, Twice

    second = engine if settings.in_process else _engine(work, settings)
    return Twice(engine, second, Meant(work.twice, latest), work.store.blobs)


@contextlib.contextmanager
def _signals(engine: Any, growth: Growth | None = None) -> Iterator[None]:
    """First Ctrl-C or SIGTERM: stop the run in order, also the body of a dynamic call. Second: at once."""
    import signal
    import threading

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        why = "interrupted" if number == signal.SIGINT else signal.Signals(number).name
        engine.interrupt(why)
        if getattr(growth, "busy", False):
            raise Interrupted(why)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
