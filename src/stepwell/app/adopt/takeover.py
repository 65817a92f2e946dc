"""Keeping what was made already as results of the adopted pipeline, so that nothing runs that need not.

The pipeline is planned and driven like any other, with an engine that executes nothing: of a stage whose
outputs were proven to be what it would make, it takes the files as they lie there. So keys, results and
the record are exactly those of a run; stages without a proof, and what needs them, are left out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from stepwell.app.adopt.facts import Found, Proof, Stage
from stepwell.app.places import at, stored
from stepwell.app.session import Recording, Settings, Work, execute, prepare
from stepwell.author.project import Loaded, find, load
from stepwell.author.trace import trace
from stepwell.errors import StepError, StepwellError
from stepwell.kernel.events import StepFailed, StepFinished, StepReused
from stepwell.kernel.plan import Wanted, decide
from stepwell.kernel.ports import Done, Engine, Failure, Interrupt, Report, Started, Store, Task
from stepwell.kernel.run import failure_of
from stepwell.stores.blobs import Blobs
from stepwell.stores.local import LocalStore
from stepwell.stores.record import Facts
from stepwell.worker.kinds import spec_of
from stepwell.worker.outputs import keep


class Taken(NamedTuple):
    """What became of the existing outputs: the run that keeps them ("" where there is none), and the stages by id.

    `left` says why of those that were not taken over.
    """

    run: str
    stages: tuple[str, ...]
    left: Mapping[str, str]


def loaded_of(file: Path) -> Loaded:
    """The pipeline of a file that was written, known to be wired. Raises what importing and tracing raise."""
    loaded = load(find(file.name, file.parent))
    with at(loaded.target.root):
        trace(loaded.pipeline, {})
    return loaded


def take_over(found: Found, loaded: Loaded) -> Taken:
    """Keep the proven outputs of stages as results of the adopted pipeline.

    Raises what planning raises: an adopted pipeline may lack sources.
    """
    left = {stage.id: stage.proof.why for stage in found.stages if not stage.proof.holds}
    if len(left) == len(found.stages):
        return Taken("", (), left)
    with stored(loaded.target.root) as store:
        work = prepare(loaded, {}, store)
        nodes = _nodes(work, found.stages)
        proven = {node: stage.proof for node, stage in nodes.items() if stage.proof.holds}
        skipped = [node for node in range(len(work.graph.nodes)) if node not in proven]
        known = work.plan.known
        work = work._replace(plan=decide(work.graph, known, Wanted(skipped=skipped)))
        runs: list[str] = []
        done: set[int] = set()
        failed: dict[int, str] = {}
        driven = execute(work, Settings(keep_going=True), began=runs.append, recorder=_Recorder(work, proven))
        for event in driven:
            if isinstance(event, StepFinished | StepReused):
                done.add(event.node)
            elif isinstance(event, StepFailed):
                failed[event.node] = event.failure.what
        ids = tuple(stage.id for node, stage in nodes.items() if node in done)
        told = {
            stage.id: failed.get(node, "what it takes in was not taken over")
            for node, stage in nodes.items()
            if node in proven and node not in done
        }
        return Taken(runs[0] if runs else "", ids, {**left, **told})


def _nodes(work: Work, stages: Sequence[Stage]) -> dict[int, Stage]:
    """The stages by the node that does their work: it writes the same files."""
    by_files = {frozenset(stage.outs): stage for stage in stages if stage.outs}
    found = {}
    for i in range(len(work.graph.nodes)):
        step = work.graph.step_of(i)
        files = frozenset(path.rstrip("/") for path in spec_of(step.spec).get("outputs", {}).values())
        if files in by_files:
            found[i] = by_files[files]
    return found


class _Recorder:
    """Records as for any run, and puts files in place of what would execute. Implements `session.Recorder`."""

    def __init__(self, work: Work, proven: Mapping[int, Proof]) -> None:
        self._work, self._proven = work, proven

    def engine(self, engine: Engine, /) -> Engine:
        """The one that takes files as they are; the other one is only closed."""
        return _Files(engine, self._work.root, self._work.store.blobs, self._proven)

    def begin(self, store: LocalStore, facts: Facts, /) -> Recording:
        """An ordinary record."""
        return store.begin(facts)

    def store(self, results: Store, /) -> Store:
        """The store's own results."""
        return results


class _Files:
    """Implements `kernel.ports.Engine`: "executes" a task by taking the files that it would write."""

    def __init__(self, other: Engine, root: Path, blobs: Blobs, proven: Mapping[int, Proof]) -> None:
        self._other, self._root, self._blobs, self._proven = other, root, blobs, proven
        self._tasks: list[Task] = []
        self._why = ""

    def room(self) -> int:
        """One at a time: files are read."""
        return 1 - len(self._tasks)

    def submit(self, task: Task) -> None:
        """Take a task over."""
        self._tasks.append(task)

    def withdraw(self) -> Sequence[int]:
        """All that was taken over."""
        tasks, self._tasks = self._tasks, []
        return [task.node for task in tasks]

    def wait(self, timeout: float | None) -> Sequence[Report]:
        """What happened."""
        if self._why:
            return [Interrupt(self._why)]
        reports: list[Report] = []
        while self._tasks:
            task = self._tasks.pop()
            reports += [Started(task.node), self._done(task)]
        return reports

    def interrupt(self, why: str = "interrupted") -> None:
        """Make `wait` return an `Interrupt` soon."""
        self._why = why

    def close(self) -> None:
        """End the other one, which has begun nothing."""
        self._other.close()

    def _done(self, task: Task) -> Done:
        paths = {name: self._root / path for name, path in spec_of(task.step.spec)["outputs"].items()}
        named = _by_output(task, paths)
        try:
            made = keep(
                [(output.name, output.codec, named[output.name]) for output in task.step.outputs], self._blobs
            )
        except (StepwellError, OSError, KeyError) as error:
            return Done(task.node, failure=_failure(error))
        return Done(task.node, made, notes=(self._proven[task.node].note,))


def _by_output(task: Task, paths: Mapping[str, Path]) -> Mapping[str, Path]:
    """Paths by the names of a step's outputs: a single one is called otherwise than its placeholder."""
    names: Collection[str] = [output.name for output in task.step.outputs]
    return dict(zip(names, paths.values(), strict=True)) if len(names) == 1 == len(paths) else paths


def _failure(error: Exception) -> Failure:
    """Why files could not be taken over."""
    if isinstance(error, StepwellError):
        return failure_of(error)
    return failure_of(StepError(f"its files could not be read: {error}"))
