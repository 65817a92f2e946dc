"""The documents that `--json` prints, and everything else draws from: one shape for plans, runs, reasons.

Their schemas are in `docs/reference/schemas/`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from stepwell.app.causes import Cause, causes
from stepwell.app.contract import trust_of
from stepwell.app.forecast import forecast
from stepwell.app.learnt import Learnt
from stepwell.app.parameters import NO_ORIGINS, origins_document
from stepwell.app.values import number, plain
from stepwell.author.layers import Origin
from stepwell.kernel import events as e
from stepwell.kernel.graph import DYNAMIC, Constant, FromSource, Graph, dependencies, leaves, ordered
from stepwell.kernel.plan import Decision, Pin, Plan, Reason
from stepwell.kernel.ports import Artifact, Failure, Logged
from stepwell.sources.address import shown
from stepwell.stores.record import merged

Document = dict[str, Any]


TextOf = Callable[[str], str | None]
"""Gives the source text of a definition by its digest; None where it is not known."""


def plan_document(
    plan: Plan,
    *,
    jobs: int = 0,
    text_of: TextOf | None = None,
    failures: Mapping[str, str] = MappingProxyType({}),
    origins: Mapping[str, Origin] = NO_ORIGINS,
    learnt: Learnt | None = None,
) -> Document:
    """A plan, as `plan --json` prints it: what a run on `jobs` workers would do, why, and what it may cost.

    With `text_of`, causes that are edits come with their diff. `failures` says by id what failed last time,
    `origins` where parameters came from, `learnt` what steps cost before.
    """
    expected = forecast(plan, jobs, learnt)
    graph = plan.graph
    ids = [node.id for node in graph.nodes]
    steps = []
    for decision, cost in zip(plan.decisions, expected.steps, strict=True):
        node = graph.nodes[decision.node]
        step = _planned(graph, decision)
        step["needs"] = [ids[before] for before in dependencies(node)]
        step["sources"] = _sources_of(graph, decision.node)
        step.update(seconds=cost.seconds, memory=cost.memory, reads=cost.reads)
        if node.where:
            step["where"] = node.where
        if node.id in failures:
            step["last_failure"] = failures[node.id]
        steps.append(step)
    return {
        **_head(plan, origins),
        "steps": steps,
        "counts": plan.counts(),
        "causes": [_cause(cause, ids, text_of) for cause in causes(plan)],
        "expected": {
            "seconds": round(expected.seconds, 6),
            "least": round(expected.least, 6),
            "memory": expected.memory,
            "untimed": expected.untimed,
            "workers": expected.workers,
        },
        "notes": plan_notes(plan),
    }


def _sources_of(graph: Graph, node: int) -> list[str]:
    """The names of the sources that a node reads."""
    found: dict[str, None] = {}
    for _, binding in graph.nodes[node].inputs:
        if type(binding) is not Constant:
            for leaf in leaves(binding):
                if type(leaf) is FromSource:
                    found[graph.sources[leaf.source].name] = None
    return list(found)


def _cause(cause: Cause, ids: list[str], text_of: TextOf | None) -> Document:
    shown = diff(cause.reason, text_of) if text_of is not None else None
    return {
        **reason_document(cause.reason),
        "steps": [ids[node] for node in cause.nodes],
        "diff": shown,
    }


def plan_notes(plan: Plan) -> list[str]:
    """What a reader must know to trust a plan: settings that decide in place of the key, code not seen through."""
    trust: dict[str, dict[str, None]] = {}
    said = _said(plan)
    for i, step in enumerate(plan.graph.steps):
        for option, text in trust_of(step).items():
            if (i, option) not in said:
                trust.setdefault(text, {})[f"`{step.name}`"] = None
    notes = {f"{_some(names)}: {text}": None for text, names in trust.items()}
    notes.update((note, None) for identity in plan.known.identities for note in identity.notes)
    open_types: dict[str, dict[str, None]] = {}
    for step in plan.graph.steps:
        for output in step.outputs if step.kind != DYNAMIC else ():
            if not output.codec:
                open_types.setdefault(_open_type(output.type), {})[f"`{step.name}`"] = None
    notes.update(
        (f"{_some(names)}: {text}; what appears chooses how it is kept", None)
        for text, names in open_types.items()
    )
    return list(notes)


_SAYS = {"expired": "ttl", "uncached": "cache", "done": "done"}
"""Kinds of reasons that speak of an option of the step."""


def _said(plan: Plan) -> set[tuple[int, str]]:
    """The options, each with its step's position, of which the reason of one of the step's calls speaks already."""
    found = set()
    for decision in plan.decisions:
        step = plan.graph.nodes[decision.node].step
        for reason in decision.reasons:
            if reason.kind in _SAYS:
                found.add((step, _SAYS[reason.kind]))
            elif reason.kind == "cached" and plan.graph.steps[step].version:
                found.add((step, "version"))  # "up to date since run r1 (version 2 stands for its code)"
    return found


_CONTAINERS = ("dict", "list", "tuple", "set", "frozenset", "Mapping", "Sequence", "Iterable", "Dict", "List")


def _open_type(annotated: str) -> str:
    """Why nobody knows beforehand how an output is kept, by its type as the user wrote it."""
    if annotated in ("", "unknown"):
        return "no output type is annotated"
    lacks = " without the types of its parts" if annotated in _CONTAINERS else " can be many things"
    return f"`{annotated}`{lacks}"


def _some(names: Iterable[str], most: int = 4) -> str:
    found = list(names)
    return ", ".join(found[:most]) + (f" and {len(found) - most:,} more" if len(found) > most else "")


def _head(plan: Plan, origins: Mapping[str, Origin]) -> Document:
    graph = plan.graph
    return {
        "pipeline": graph.pipeline,
        "params": {name: plain(value) for name, value, _ in graph.params},
        "params_from": origins_document(origins),
        "sources": [_source(graph, i, pin) for i, pin in enumerate(plan.known.pins)],
    }


def _source(graph: Graph, place: int, pin: Pin) -> Document:
    source = graph.sources[place]
    return {
        "name": source.name,
        "uri": shown(source.uri),
        "digest": pin.digest,
        "changed": pin.changed,
        "size": pin.size,
    }


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
        for decision in plan.decisions:
            if decision.verb == "skip":
                self.outcomes[decision.node] = Outcome(decision, "skipped")

    def see(self, event: e.Event) -> None:
        """Take the next event."""
        if isinstance(event, e.StepStarted):
            self.running[event.node] = None
        elif isinstance(event, Logged):
            self.logged.setdefault(event.node, {})[event.name] = event.value
        elif isinstance(event, e.StepRetried):
            self.running.pop(event.node, None)
            self.logged.pop(event.node, None)
            self.retried[event.node] = event.attempt
        elif isinstance(event, e.StepGrew):
            self.plan = event.plan
            self.grown[event.node] = range(event.first, len(event.plan.decisions))
            for decision in event.plan.decisions[event.first :]:
                if decision.verb == "skip":
                    self.outcomes[decision.node] = Outcome(decision, "skipped")
        elif isinstance(event, e.RunFinished):
            self.status, self.seconds = event.status, event.seconds
        elif hasattr(event, "decision"):
            self.running.pop(event.node, None)
            outcome = self._outcome(event)
            if isinstance(event, e.StepFinished | e.StepFailed):
                outcome = outcome._replace(attempts=self.retried.get(event.node, 0) + 1)
            self.outcomes[event.node] = outcome

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
    def metrics(self) -> dict[str, float]:
        """The run's metrics by name, or `id.name` where several steps logged one name."""
        nodes = self.plan.graph.nodes
        return merged(
            (nodes[node].id, outcome.metrics.items()) for node, outcome in sorted(self.outcomes.items())
        )


def run_document(
    progress: Progress, run: str, result: Any, origins: Mapping[str, Origin] = NO_ORIGINS
) -> Document:
    """A run, as `run --json` prints it; `origins` says where parameters came from."""
    plan = progress.plan
    decisions = [progress.outcomes[node].decision for node in progress.order]
    return {
        **_head(plan, origins),
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
    if outcome.attempts:
        out["attempts"] = outcome.attempts
    if outcome.notes:
        out["notes"] = list(outcome.notes)
    if outcome.failure is not None:
        out["error"] = failure_document(outcome.failure)
    return out


def failure_document(failure: Failure) -> Document:
    """Why a step failed."""
    return {**failure._asdict(), "fixes": list(failure.fixes)}


def why_document(
    step: str, verb: str, reasons: Iterable[Reason], text_of: TextOf, chain: Iterable[Document] = ()
) -> Document:
    """The story of one step's decision; `text_of` gives the source of a definition by its digest.

    `chain` are the links behind it (`app.story`), the nearest first.
    """
    told = [reason_with_diff(reason, text_of) for reason in reasons]
    return {"step": step, "decision": verb, "reasons": told, "chain": list(chain)}


def reason_with_diff(reason: Reason, text_of: TextOf) -> Document:
    """A reason with all its fields, and what changed as a diff where it is about code."""
    shown = {**reason_document(reason), "before": reason.before, "after": reason.after}
    shown["diff"] = diff(reason, text_of)
    return shown


def diff(reason: Reason, text_of: TextOf) -> str | None:
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
