"""The documents that `--json` prints, and everything else draws from: one shape for plans, runs, reasons.

Their schemas are in `docs/reference/schemas/`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from stepwell.app.values import number, plain
from stepwell.kernel import events as e
from stepwell.kernel.graph import Graph
from stepwell.kernel.plan import Decision, Pin, Plan, Reason
from stepwell.kernel.ports import Artifact, Failure, Logged
from stepwell.sources.address import shown
from stepwell.stores.record import merged

Document = dict[str, Any]


def plan_document(plan: Plan) -> Document:
    """A plan, as `plan --json` prints it."""
    return {
        **_head(plan),
        "steps": [_planned(plan.graph, decision) for decision in plan.decisions],
        "counts": plan.counts(),
    }


def _head(plan: Plan) -> Document:
    graph = plan.graph
    return {
        "pipeline": graph.pipeline,
        "params": {name: plain(value) for name, value, _ in graph.params},
        "sources": [_source(graph, i, pin) for i, pin in enumerate(plan.known.pins)],
    }


def _source(graph: Graph, place: int, pin: Pin) -> Document:
    source = graph.sources[place]
    return {"name": source.name, "uri": shown(source.uri), "digest": pin.digest, "changed": pin.changed}


def _planned(graph: Graph, decision: Decision) -> Document:
    node = graph.nodes[decision.node]
    return {
        "id": node.id,
        "step": graph.steps[node.step].name,
        "decision": decision.verb,
        "reasons": [reason_document(reason) for reason in decision.reasons],
        "key": decision.key,
    }


def reason_document(reason: Reason) -> Document:
    """A reason; fields that say nothing are left out."""
    out: Document = {"kind": reason.kind, "text": reason.text}
    if reason.name:
        out["name"] = reason.name
    if reason.before is not None:
        out["before"] = reason.before
    if reason.after is not None:
        out["after"] = reason.after
    return out


class Outcome(NamedTuple):
    """What became of one step of a run; seconds of wall and processor time, memory in bytes."""

    decision: Decision
    status: str
    seconds: float = 0.0
    cpu: float = 0.0
    memory: int = 0
    outputs: tuple[Artifact, ...] = ()
    metrics: Mapping[str, float] = {}
    failure: Failure | None = None
    notes: tuple[str, ...] = ()


class Progress:
    """Follows a run by its events: what became of each step so far."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.outcomes: dict[int, Outcome] = {}
        self.running: dict[int, None] = {}
        self.logged: dict[int, dict[str, float]] = {}
        self.status = "running"
        self.seconds = 0.0
        for decision in plan.decisions:
            if decision.verb == "skip":
                self.outcomes[decision.node] = Outcome(decision, "skipped")

    def see(self, event: e.Event) -> None:
        """Take the next event."""
        if isinstance(event, e.StepStarted):
            self.running[event.node] = None
        elif isinstance(event, Logged):
            self.logged.setdefault(event.node, {})[event.name] = event.value
        elif isinstance(event, e.RunFinished):
            self.status, self.seconds = event.status, event.seconds
        elif hasattr(event, "decision"):
            self.running.pop(event.node, None)
            self.outcomes[event.node] = self._outcome(event)

    def _outcome(self, event: Any) -> Outcome:
        decision = event.decision
        if isinstance(event, e.StepReused | e.StepFinished):
            result = event.result
            status = "cached" if isinstance(event, e.StepReused) else "succeeded"
            notes = event.notes if isinstance(event, e.StepFinished) else ()
            metrics = dict(result.metrics)
            return Outcome(
                decision,
                status,
                result.seconds,
                result.cpu,
                result.memory,
                result.outputs,
                metrics,
                None,
                notes,
            )
        if isinstance(event, e.StepFailed):
            metrics = self.logged.get(event.node, {})
            return Outcome(
                decision, "failed", event.seconds, event.cpu, event.memory, (), metrics, event.failure
            )
        return Outcome(decision, "blocked" if isinstance(event, e.StepBlocked) else "interrupted")

    @property
    def outputs(self) -> dict[int, tuple[Artifact, ...]]:
        """What each step gave that has a result."""
        return {node: outcome.outputs for node, outcome in self.outcomes.items() if outcome.outputs}

    @property
    def metrics(self) -> dict[str, float]:
        """The run's metrics by name, or `id.name` where several steps logged one name."""
        nodes = self.plan.graph.nodes
        return merged(
            (nodes[node].id, outcome.metrics.items()) for node, outcome in sorted(self.outcomes.items())
        )


def run_document(progress: Progress, run: str, result: Any) -> Document:
    """A run, as `run --json` prints it."""
    plan = progress.plan
    decisions = [progress.outcomes[d.node].decision for d in plan.decisions]
    return {
        **_head(plan),
        "run": run,
        "status": progress.status,
        "seconds": round(progress.seconds, 6),
        "steps": [
            {**_planned(plan.graph, decision), **outcome_document(progress.outcomes[decision.node])}
            for decision in decisions
        ],
        "counts": plan._replace(decisions=tuple(decisions)).counts(),
        "metrics": {name: number(value) for name, value in progress.metrics.items()},
        "result": result,
    }


def outcome_document(outcome: Outcome) -> Document:
    """What became of a step."""
    out: Document = {
        "status": outcome.status,
        "seconds": round(outcome.seconds, 6),
        "cpu": round(outcome.cpu, 6),
        "memory": outcome.memory,
        "outputs": {artifact.name: artifact.digest for artifact in outcome.outputs},
        "metrics": {name: number(value) for name, value in outcome.metrics.items()},
    }
    if outcome.notes:
        out["notes"] = list(outcome.notes)
    if outcome.failure is not None:
        out["error"] = failure_document(outcome.failure)
    return out


def failure_document(failure: Failure) -> Document:
    """Why a step failed."""
    return {**failure._asdict(), "fixes": list(failure.fixes)}


def why_document(
    step: str, verb: str, reasons: Iterable[Reason], text_of: Callable[[str], str | None]
) -> Document:
    """The story of one step's decision; `text_of` gives the source of a definition by its digest."""
    out = []
    for reason in reasons:
        shown = {**reason_document(reason), "before": reason.before, "after": reason.after}
        shown["diff"] = diff(reason, text_of)
        out.append(shown)
    return {"step": step, "decision": verb, "reasons": out}


def diff(reason: Reason, text_of: Callable[[str], str | None]) -> str | None:
    """A unified diff of what a reason of kind `code` says changed; None for other kinds."""
    if reason.kind != "code":
        return None
    old = (text_of(reason.before) or "") if reason.before else ""
    new = (text_of(reason.after) or "") if reason.after else ""
    name = reason.name or "code"
    lines = difflib.unified_diff(
        old.splitlines(), new.splitlines(), f"{name} (before)", f"{name} (now)", lineterm="", n=2
    )
    return "\n".join(lines)
