"""A run as it goes: what became of each step so far, told by its events.

progress = Progress(plan)
for event in execute(work, settings): progress.see(event)
progress.outcomes[node].status
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from stepwell.kernel.graph import ordered
from stepwell.kernel.plan import Decision, Plan, Reason
from stepwell.kernel.ports import Artifact, Failure, Logged, Result
from stepwell.stores.metrics import Metrics, gathered

ENDS = (StepReused, StepFinished, StepFailed, StepBlocked, StepInterrupted)
"""With what a step ends."""

_NO_METRICS: Mapping[str, float] = {}
"""One for the many steps that logged none."""


class Outcome(NamedTuple):
    """What became of one step of a run; seconds of wall and processor time, memory in bytes."""

    decision: Decision
    status: str
    seconds: float = 0.0
    cpu: float = 0.0
    memory: int = 0
    outputs: tuple[Artifact, ...] = ()
    metrics: Mapping[str, float] = _NO_METRICS
    failure: Failure | None = None
    notes: tuple[str, ...] = ()
    attempts: int = 0
    """How often it was executed in this run; 0 where it was not."""


_UP_TO_DATE = (Reason("cached", "up to date"),)


class Outcomes(Mapping[int, Outcome]):
    """Outcomes by node. There may be very many, of which one fact is wanted: none of these makes an outcome."""

    @abstractmethod
    def statuses(self) -> Iterator[tuple[int, str]]:
        """The status of each."""

    @abstractmethod
    def metrics(self) -> Iterator[tuple[int, Iterable[tuple[str, float]]]]:
        """The metrics of those that have a result, where there are any."""

    @abstractmethod
    def decision(self, node: int) -> Decision | None:
        """What was decided of a node in the end; None where it has not ended."""


class Progress:
    """Follows a run by its events: what became of each step so far, beginning with the `outcomes` of some."""

    def __init__(self, plan: Plan, outcomes: Mapping[int, Outcome] | None = None) -> None:
        self.plan = plan
        self._ends = _Ends(len(plan.decisions))
        self.outcomes: Outcomes = self._ends
        """By node, in the order of nodes."""
        self.running: dict[int, None] = {}
        self.logged: dict[int, dict[str, float]] = {}
        self.retried: dict[int, int] = {}
        self.grown: dict[int, range] = {}
        """By dynamic calls, which are no steps themselves any more, the steps that they have become."""
        self.status = "running"
        self.seconds = 0.0
        self._skip(plan.decisions)
        for node, outcome in (outcomes or {}).items():
            self._ends.put(node, outcome)

    def see(self, event: Event) -> None:
        """Take the next event."""
        kind: Any = type(event)
        if kind is StepFinished or kind is StepReused:  # those that are many come first
            self._succeeded(event)
        elif isinstance(event, StepStarted):
            self.running[event.node] = None
        elif isinstance(event, Logged):
            self.logged.setdefault(event.node, {})[event.name] = event.value
        elif isinstance(event, StepRetried):
            self.running.pop(event.node, None)
            self.logged.pop(event.node, None)
            self.retried[event.node] = event.attempt
        elif isinstance(event, StepGrew):
            self.plan = event.plan
            self.grown[event.node] = range(event.first, len(event.plan.decisions))
            self._skip(event.plan.decisions[event.first :])
        elif isinstance(event, RunFinished):
            self.status, self.seconds = event.status, event.seconds
        elif hasattr(event, "decision"):
            self.running.pop(event.node, None)
            self._ends.put(event.node, self._stopped(event))

    def _skip(self, decisions: tuple[Decision, ...]) -> None:
        for decision in decisions:
            if decision.verb == "skip":
                self._ends.put(decision.node, Outcome(decision, "skipped"))

    def _succeeded(self, event: Any) -> None:
        node = event.node
        self.running.pop(node, None)
        self.logged.pop(node, None)
        if type(event) is StepReused:
            self._ends.put(node, event.decision)
        elif node in self.retried:
            outcome = _outcome(event.decision, "succeeded", event.result, event.notes, self.retried[node] + 1)
            self._ends.put(node, outcome)
        else:
            self._ends.put(node, event)

    def _stopped(self, event: Any) -> Outcome:
        decision = event.decision
        if isinstance(event, StepFailed):
            metrics, attempts = self.logged.get(event.node, _NO_METRICS), self.retried.get(event.node, 0) + 1
            spent = (event.seconds, event.cpu, event.memory)
            return Outcome(decision, "failed", *spent, (), metrics, event.failure, (), attempts)
        return Outcome(decision, "blocked" if isinstance(event, StepBlocked) else "interrupted")

    @property
    def outputs(self) -> Mapping[int, tuple[Artifact, ...]]:
        """What each step gave that has a result."""
        return _Outputs(self.outcomes)

    @property
    def counts(self) -> Mapping[str, int]:
        """How many steps there are of each status."""
        return Counter(status for _, status in self.outcomes.statuses())

    @property
    def total(self) -> int:
        """How many steps there are, as far as is known by now."""
        return len(self.plan.decisions) - len(self.grown)

    @property
    def order(self) -> list[int]:
        """The steps in an execution order, those of dynamic calls where these stood."""
        if not self.grown:
            return list(range(len(self.plan.decisions)))
        return list(ordered(self.plan.graph, self.grown)[1])

    @property
    def metrics(self) -> Metrics:
        """The run's metrics, as `stores.history.RunRow` has them: those of steps that have a result."""
        nodes = self.plan.graph.nodes
        return gathered((nodes[node].id, pairs) for node, pairs in self.outcomes.metrics())

    def ended(self, status: str) -> Iterator[tuple[int, Outcome]]:
        """The nodes that have come to a status, and their outcomes."""
        return ((node, self.outcomes[node]) for node, one in self.outcomes.statuses() if one == status)


class AllReused(Progress):
    """A run that succeeded and in which each step had been done before, with these `results`, in the order of the plan's steps."""

    def __init__(self, plan: Plan, results: Sequence[Result]) -> None:
        super().__init__(plan)
        self.outcomes, self.status = _Reused(results), "succeeded"

    @property
    def counts(self) -> Mapping[str, int]:
        """All are `cached`."""
        return {"cached": len(self.outcomes)}


class _Ends(Outcomes):
    """What steps ended with; of those that succeeded an outcome is made when it is asked for.

    Of a step that was reused its decision is kept, which the plan has anyway.
    """

    def __init__(self, nodes: int) -> None:
        self._ends: list[Outcome | StepFinished | Decision | None] = [None] * nodes
        self._count = 0

    def put(self, node: int, end: Outcome | StepFinished | Decision) -> None:
        """Take what a step ended with."""
        ends = self._ends
        if node >= len(ends):
            ends.extend([None] * (node + 1 - len(ends)))
        if ends[node] is None:
            self._count += 1
        ends[node] = end

    def __getitem__(self, node: int) -> Outcome:
        end = self._end(node)
        if isinstance(end, Outcome):
            return end
        if isinstance(end, StepFinished):
            return _outcome(end.decision, "succeeded", end.result, end.notes, 1)
        if end is None or end.result is None:
            raise KeyError(node)
        return _outcome(end, "cached", end.result)

    def __contains__(self, node: object) -> bool:
        return isinstance(node, int) and self._end(node) is not None

    def __iter__(self) -> Iterator[int]:
        return (node for node, end in enumerate(self._ends) if end is not None)

    def __len__(self) -> int:
        return self._count

    def statuses(self) -> Iterator[tuple[int, str]]:
        for node, end in enumerate(self._ends):
            if end is not None:
                plain = "succeeded" if isinstance(end, StepFinished) else "cached"
                yield node, end.status if isinstance(end, Outcome) else plain

    def metrics(self) -> Iterator[tuple[int, Iterable[tuple[str, float]]]]:
        for node, end in enumerate(self._ends):
            if isinstance(end, Outcome):
                if end.metrics and end.status in ("succeeded", "cached"):
                    yield node, end.metrics.items()
            elif end is not None and end.result is not None and end.result.metrics:
                yield node, end.result.metrics

    def decision(self, node: int) -> Decision | None:
        end = self._end(node)
        return end if end is None or isinstance(end, Decision) else end.decision

    def _end(self, node: int) -> Outcome | StepFinished | Decision | None:
        return self._ends[node] if 0 <= node < len(self._ends) else None


class _Reused(Outcomes):
    """What became of steps that were reused, made when it is asked for."""

    def __init__(self, results: Sequence[Result]) -> None:
        self._results = results

    def __getitem__(self, node: int) -> Outcome:
        decision = self.decision(node)
        if decision is None:
            raise KeyError(node)
        return _outcome(decision, "cached", self._results[node])

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self._results)))

    def __len__(self) -> int:
        return len(self._results)

    def statuses(self) -> Iterator[tuple[int, str]]:
        return ((node, "cached") for node in self)

    def metrics(self) -> Iterator[tuple[int, Iterable[tuple[str, float]]]]:
        return ((node, found.metrics) for node, found in enumerate(self._results) if found.metrics)

    def decision(self, node: int) -> Decision | None:
        if not 0 <= node < len(self._results):
            return None
        found = self._results[node]
        return Decision(node, "cached", _UP_TO_DATE, found.key, found, found.inputs, found.site)


class _Outputs(Mapping[int, tuple[Artifact, ...]]):
    """The outputs among outcomes; of many steps only those of a few are asked for."""

    def __init__(self, outcomes: Mapping[int, Outcome]) -> None:
        self._outcomes = outcomes

    def __getitem__(self, node: int) -> tuple[Artifact, ...]:
        outputs = self._outcomes[node].outputs
        if not outputs:
            raise KeyError(node)
        return outputs

    def __iter__(self) -> Iterator[int]:
        return (node for node, outcome in self._outcomes.items() if outcome.outputs)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _outcome(
    decision: Decision, status: str, result: Result, notes: tuple[str, ...] = (), attempts: int = 0
) -> Outcome:
    metrics = dict(result.metrics) if result.metrics else _NO_METRICS
    spent = (result.seconds, result.cpu, result.memory)
    return Outcome(decision, status, *spent, result.outputs, metrics, None, notes, attempts)
