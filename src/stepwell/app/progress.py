"""A run as it goes: what became of each step so far, told by its events.

progress = Progress(plan)
for event in execute(work, settings): progress.see(event)
progress.outcomes[node].status
"""

from __future__ import annotations

from collections.abc import Mapping
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
from stepwell.kernel.plan import Decision, Plan
from stepwell.kernel.ports import Artifact, Failure, Logged
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


class Progress:
    """Follows a run by its events: what became of each step so far."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.outcomes: dict[int, Outcome] = {}
        self.running: dict[int, None] = {}
        self.logged: dict[int, dict[str, float]] = {}
        self.retried: dict[int, int] = {}
        self.grown: dict[int, range] = {}
        """By dynamic calls, which are no steps themselves any more, the steps that they have become."""
        self.status = "running"
        self.seconds = 0.0
        self._skip(plan.decisions)

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
            self.outcomes[event.node] = self._stopped(event)

    def _skip(self, decisions: tuple[Decision, ...]) -> None:
        for decision in decisions:
            if decision.verb == "skip":
                self.outcomes[decision.node] = Outcome(decision, "skipped")

    def _succeeded(self, event: Any) -> None:
        node, decision, result = event[:3]
        self.running.pop(node, None)
        self.logged.pop(node, None)
        if type(event) is StepReused:
            status, notes, attempts = "cached", (), 0
        else:
            status, notes, attempts = "succeeded", event.notes, self.retried.get(node, 0) + 1
        metrics = dict(result.metrics) if result.metrics else _NO_METRICS
        self.outcomes[node] = Outcome(
            decision, status, result.seconds, result.cpu, result.memory, result.outputs, metrics, None, notes,
            attempts,
        )  # fmt: skip

    def _stopped(self, event: Any) -> Outcome:
        decision = event.decision
        if isinstance(event, StepFailed):
            metrics, attempts = self.logged.get(event.node, _NO_METRICS), self.retried.get(event.node, 0) + 1
            spent = (event.seconds, event.cpu, event.memory)
            return Outcome(decision, "failed", *spent, (), metrics, event.failure, (), attempts)
        return Outcome(decision, "blocked" if isinstance(event, StepBlocked) else "interrupted")

    @property
    def outputs(self) -> dict[int, tuple[Artifact, ...]]:
        """What each step gave that has a result."""
        return {node: outcome.outputs for node, outcome in self.outcomes.items() if outcome.outputs}

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
        return gathered(
            (nodes[node].id, outcome.metrics.items())
            for node, outcome in sorted(self.outcomes.items())
            if outcome.metrics and outcome.status in ("succeeded", "cached")
        )
