"""Steps that give something else for the same inputs: told when it shows by itself, and looked for on demand.

    engine = Twice(engine, second, nodes, blobs)    # `run --twice`: each of these steps is executed twice
    nodes = Meant(work.twice, latest)               # of which some may come in the course of the run
    event = remarked(event, store)                  # a step that ran again for the same key, and differs

What is found becomes a note of the step, on the screen and in the record of the run.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Sequence
from contextlib import suppress

from stepwell.app.differing import Kept, compare, kept, sentence
from stepwell.app.latest import Latest
from stepwell.errors import ArtifactGone
from stepwell.kernel.events import Event, StepFinished
from stepwell.kernel.graph import Graph
from stepwell.kernel.ports import Done, Engine, Interrupt, Made, Report, Task
from stepwell.stores.blobs import Blobs
from stepwell.stores.local import LocalStore

DIFFERS = "is not deterministic"
"""What the notes of steps say that gave two things for the same inputs."""

INTERRUPTED = "was not executed a second time: the run was interrupted"
"""What the notes of steps say of which it is not known."""

GLANCE = 0.01
"""Seconds that one of two engines is listened to while the other may have something to say."""

RERUN = frozenset(("forced", "missing"))
"""Kinds of reasons for which a step runs again although nothing changed that its result rests on."""


class Meant(Container[int]):
    """The nodes that are meant in the plan as it is by then: dynamic calls become steps as the run goes."""

    def __init__(self, nodes: Callable[[Graph], Collection[int]], latest: Latest) -> None:
        self._nodes_of, self._latest = nodes, latest
        self._graph = latest.plan.graph
        self._nodes = nodes(self._graph)

    def __contains__(self, node: object) -> bool:
        graph = self._latest.plan.graph
        if graph is not self._graph:
            self._graph, self._nodes = graph, self._nodes_of(graph)
        return node in self._nodes


class Twice:
    """Implements `kernel.ports.Engine`: what `first` executed, for some nodes, is executed by `second` as well.

    The first execution counts; what the second gives is only compared, and its output and metrics
    are not heard. `second` should have processes of its own; it may be the same engine. What it
    gives is kept by nobody: large blobs of it that differ are left for `stepwell gc`.
    """

    def __init__(self, first: Engine, second: Engine, nodes: Container[int], blobs: Blobs) -> None:
        self._first, self._second = first, second
        self._nodes, self._blobs = nodes, blobs
        self._tasks: dict[int, Task] = {}
        self._held: dict[int, Done] = {}

    def room(self) -> int:
        """As much as the first one has, less what the second one is at."""
        return max(0, self._first.room() - len(self._held))

    def submit(self, task: Task) -> None:
        """Hand a task to the first engine."""
        if task.node in self._nodes:
            self._tasks[task.node] = task
        self._first.submit(task)

    def withdraw(self) -> Sequence[int]:
        """What the first engine has not begun; what has ended once is executed again all the same."""
        back = self._first.withdraw()
        for node in back:
            if node in self._held:
                self._first.submit(self._tasks[node])
            else:
                self._tasks.pop(node, None)
        return [node for node in back if node not in self._held]

    def wait(self, timeout: float | None) -> Sequence[Report]:
        """What happened; the end of a step that is executed twice is told when both have ended."""
        told: list[Report] = []
        for report in self._first.wait(GLANCE if self._held else timeout):
            told += self._hear(report)
        if self._held and self._second is not self._first:
            for report in self._second.wait(0 if told else GLANCE):
                told += self._hear(report)
        return told

    def interrupt(self, why: str = "interrupted") -> None:
        """Make `wait` return an `Interrupt` soon."""
        self._first.interrupt(why)

    def close(self) -> None:
        """End both."""
        if self._second is not self._first:
            self._second.close()
        self._first.close()

    def _hear(self, report: Report) -> list[Report]:
        if isinstance(report, Interrupt):
            # What has ended is kept, also where nobody knows whether it would have come out the same.
            ended: list[Report] = [
                done._replace(notes=(*done.notes, INTERRUPTED)) for done in self._held.values()
            ]
            self._held.clear()
            return [*ended, report]
        held = self._held.get(report.node)
        if held is not None:
            if not isinstance(report, Done):
                return []
            del self._held[report.node]
            wrote = tuple(dict.fromkeys((*held.wrote, *report.wrote)))
            return [held._replace(notes=(*held.notes, *self._notes(held, report)), wrote=wrote)]
        task = self._tasks.pop(report.node, None) if isinstance(report, Done) else None
        if isinstance(report, Done) and task is not None and report.failure is None:
            self._held[report.node] = report
            self._second.submit(task)
            return []
        return [report]

    def _notes(self, first: Done, second: Done) -> tuple[str, ...]:
        if second.failure is not None:
            return (f"{DIFFERS}: run twice, it failed the second time: {second.failure.what}",)
        found = self._differences(first.outputs, second.outputs)
        return (f"{DIFFERS}: run twice with the same inputs, it gave two things: {found}",) if found else ()

    def _differences(self, first: Sequence[Made], second: Sequence[Made]) -> str:
        others = {made.artifact.name: made for made in second}
        told = []
        for one in first:
            other = others.get(one.artifact.name)
            if other is not None and other.artifact.token != one.artifact.token:
                pair = [Kept(made.artifact, self._blobs, made.data) for made in (one, other)]
                told.append(sentence(one.artifact.name, compare(*pair)))
        return "; ".join(told)


def remarked(event: Event, store: LocalStore) -> Event:
    """The event, with a note where a step ran again for the same key and gave something else than before."""
    if not isinstance(event, StepFinished) or event.unchanged or event.decision.result is None:
        return event
    if any(note.startswith(DIFFERS) for note in event.notes):  # `Twice` has seen it, and once is enough
        return event
    old, new = event.decision.result, event.result
    if old.key != new.key or old.observed != new.observed:
        return event
    if not {reason.kind for reason in event.decision.reasons} & RERUN:
        return event
    told = []
    before = {artifact.name: artifact for artifact in old.outputs}
    for artifact in new.outputs:
        earlier = before.get(artifact.name)
        if earlier is not None and earlier.token != artifact.token:
            with suppress(ArtifactGone):  # what is lost cannot be compared, but its digest is known
                found = compare(kept(store, earlier), kept(store, artifact))
                told.append(sentence(artifact.name, found))
    since = f"run {old.run}" if old.run else "before"
    clause = f": {'; '.join(told)}" if told else ""
    note = f"{DIFFERS}: for the same inputs and code it gave something else than in {since}{clause}"
    return event._replace(notes=(*event.notes, note))
