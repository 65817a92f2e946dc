"""The documents that `--json` prints, and everything else draws from: one shape for plans, runs, reasons.

Their schemas are in `docs/reference/schemas/`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from stepwell.app.causes import Cause, causes
from stepwell.app.contract import trust_of
from stepwell.app.forecast import forecast
from stepwell.app.learnt import Learnt
from stepwell.app.parameters import NO_ORIGINS, origins_document
from stepwell.app.plaindata import number, plain
from stepwell.author.layers import Origin
from stepwell.kernel.graph import DYNAMIC, Graph, dependencies
from stepwell.kernel.plan import Decision, Pin, Plan, Reason
from stepwell.sources.address import shown
from stepwell.stores.wiring import sources_of

if TYPE_CHECKING:
    from stepwell.app.progress import Outcome, Progress
    from stepwell.kernel.ports import Failure

Document = dict[str, Any]


TextOf = Callable[[str], str | None]
"""Gives the source text of a definition by its digest; None where it is not known."""


class Shown:
    """A plan with what it may cost, as it is shown: all that is said of it as a whole, and each step when it is asked for.

    `whole` is the document without its steps, which are most of it; what is added there is in `document()`.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        jobs: int = 0,
        text_of: TextOf | None = None,
        failures: Mapping[str, str] = MappingProxyType({}),
        origins: Mapping[str, Origin] = NO_ORIGINS,
        learnt: Learnt | None = None,
    ) -> None:
        self.plan, self.failures = plan, failures
        self.expected = forecast(plan, jobs, learnt)
        nodes = plan.graph.nodes
        self.whole: Document = {
            **_head(plan, origins),
            "counts": plan.counts(),
            "causes": [_cause(cause, [nodes[n].id for n in cause.nodes], text_of) for cause in causes(plan)],
            "expected": {
                "seconds": round(self.expected.seconds, 6),
                "least": round(self.expected.least, 6),
                "memory": self.expected.memory,
                "untimed": self.expected.untimed,
                "workers": self.expected.workers,
            },
            "notes": plan_notes(plan),
        }

    def step(self, number: int) -> Document:
        """The document of one step, by its place in the plan."""
        graph, decision, cost = self.plan.graph, self.plan.decisions[number], self.expected.steps[number]
        node = graph.nodes[decision.node]
        step = _planned(graph, decision)
        step["needs"] = [graph.nodes[before].id for before in dependencies(node)]
        step["sources"] = _sources_of(graph, decision.node)
        step.update(seconds=cost.seconds, memory=cost.memory, reads=cost.reads)
        if node.where:
            step["where"] = node.where
        if node.id in self.failures:
            step["last_failure"] = self.failures[node.id]
        return step

    def document(self) -> Document:
        """What `plan --json` prints."""
        out: Document = {}
        for name, value in self.whole.items():
            if name == "counts":
                out["steps"] = [self.step(number) for number in range(len(self.plan.decisions))]
            out[name] = value
        return out


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
    shown = Shown(plan, jobs=jobs, text_of=text_of, failures=failures, origins=origins, learnt=learnt)
    return shown.document()


def _sources_of(graph: Graph, node: int) -> list[str]:
    """The names of the sources that a node reads."""
    return list(dict.fromkeys([graph.sources[place].name for place in sources_of(graph.nodes[node])]))


def _cause(cause: Cause, steps: list[str], text_of: TextOf | None) -> Document:
    shown = diff(cause.reason, text_of) if text_of is not None else None
    return {
        **reason_document(cause.reason),
        "steps": steps,
        "diff": shown,
    }


def plan_notes(plan: Plan) -> list[str]:
    """What a reader must know to trust a plan: settings that decide in place of the key, code not seen through."""
    trust: dict[str, dict[str, None]] = {}
    trusted = [trust_of(step) for step in plan.graph.steps]
    said = _said(plan) if any(trusted) else set()
    for i, step in enumerate(plan.graph.steps):
        for option, text in trusted[i].items():
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
    import difflib  # only where code has changed

    old = (text_of(reason.before) or "") if reason.before else ""
    new = (text_of(reason.after) or "") if reason.after else ""
    name = reason.name or "code"
    lines = difflib.unified_diff(
        old.splitlines(), new.splitlines(), f"{name} (before)", f"{name} (now)", lineterm="", n=2
    )
    return "\n".join(lines)
