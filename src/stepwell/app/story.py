"""The story of one step: from its decision back to the edit, parameter, input or package that started it.

story = Story(plan, text_of, rows_of)
story.of_plan(node)         the links behind a step of the plan, the nearest first
story.of_run("r7", "score") the links behind a step of an earlier run

A reason that speaks of another step ("waits for `x`", "`x` gave something else") leads on to that
step: in the plan, or where its result was made earlier, in the record of the run that made it. Each
cause is told once; steps for which the same is to be said are told together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from stepwell.app.documents import Document, TextOf, reason_with_diff
from stepwell.kernel.graph import FromStep, dependencies, leaves
from stepwell.kernel.plan import Plan, Reason
from stepwell.stores.steprow import StepRow

SETTLED = ("cached", "skip")
LONGEST = 200
"""Links of a story: what has more causes than that is told by the first."""


class _Link(NamedTuple):
    """One step of a story: in the plan (`run` empty), or in a run. `depth` counts from 1."""

    step: str
    run: str
    decision: str
    reasons: tuple[Reason, ...]
    depth: int
    further: tuple[tuple[str, str], ...]


class Story:
    """Follows causes. `rows_of` gives the steps of a run, by its id; none where the run is not known any more."""

    def __init__(
        self, plan: Plan | None, text_of: TextOf, rows_of: Callable[[str], Sequence[StepRow]]
    ) -> None:
        self._plan, self._text_of, self._rows_of = plan, text_of, rows_of
        self._nodes = {node.id: i for i, node in enumerate(plan.graph.nodes)} if plan is not None else {}
        self._runs: dict[str, dict[str, StepRow]] = {}

    def of_plan(self, node: int) -> list[Document]:
        """The links behind a node of the plan."""
        assert self._plan is not None
        return self._follow((self._plan.graph.nodes[node].id, ""))

    def of_run(self, run: str, step: str) -> list[Document]:
        """The links behind a step of a run, by its id."""
        return self._follow((step, run))

    def _follow(self, start: tuple[str, str]) -> list[Document]:
        seen = {start}
        told: dict[tuple[Any, ...], Document] = {}
        first = self._link(*start, 0)
        waiting = list(first.further)[::-1] if first is not None else []
        depths = dict.fromkeys(waiting, 1)
        while waiting and len(told) < LONGEST:
            place = waiting.pop()
            if place in seen:
                continue
            seen.add(place)
            link = self._link(*place, depths[place])
            if link is None:
                continue
            self._tell(link, told)
            for further in reversed(link.further):
                if further not in seen:
                    depths[further] = link.depth + 1
                    waiting.append(further)
        return list(told.values())

    def _tell(self, link: _Link, told: dict[tuple[Any, ...], Document]) -> None:
        """Add a link, or its step to the one that says the same."""
        own = tuple(reason for reason in link.reasons if reason.kind != "upstream")
        place = (link.run, link.decision, link.depth, own)
        if place in told:
            told[place]["also"].append(link.step)
            return
        told[place] = {
            "step": link.step,
            "also": [],
            "run": link.run or None,
            "decision": link.decision,
            "depth": link.depth,
            "reasons": [reason_with_diff(reason, self._text_of) for reason in link.reasons],
        }

    def _link(self, step: str, run: str, depth: int) -> _Link | None:
        if run:
            row = self._row(run, step)
            if row is None:
                return None
            verb = row.decision or row.status
            return _Link(step, run, verb, _told(row), depth, tuple(self._behind_row(row, run)))
        assert self._plan is not None
        decision = self._plan.decisions[self._nodes[step]]
        behind = tuple(dict.fromkeys(self._behind_node(decision.node)))
        return _Link(step, "", decision.verb, decision.reasons, depth, behind)

    def _row(self, run: str, step: str) -> StepRow | None:
        if run not in self._runs:
            self._runs[run] = {row.id: row for row in self._rows_of(run)}
        return self._runs[run].get(step)

    # ------------------------------------------------------------------ what is behind

    def _behind_node(self, node: int) -> Iterable[tuple[str, str]]:
        """The steps that a decision of the plan speaks of, each as (id, run)."""
        assert self._plan is not None
        graph, decision = self._plan.graph, self._plan.decisions[node]
        kinds = {reason.kind for reason in decision.reasons}
        if decision.verb == "cached":
            same = [reason.name for reason in decision.reasons if reason.kind == "same"]
            yield from ((name, "") for name in same)
            if decision.result is not None and decision.result.run and not same:
                yield graph.nodes[node].id, decision.result.run
        elif "upstream" in kinds:
            for before in dependencies(graph.nodes[node]):
                if self._plan.decisions[before].verb not in SETTLED or decision.verb == "blocked":
                    yield graph.nodes[before].id, ""
        bindings = dict(graph.nodes[node].inputs)
        for reason in decision.reasons:
            if reason.kind != "input" or reason.name not in bindings:
                continue
            for leaf in leaves(bindings[reason.name]):
                if isinstance(leaf, FromStep):
                    earlier = self._plan.decisions[leaf.node]
                    made = (
                        earlier.result.run if earlier.verb == "cached" and earlier.result is not None else ""
                    )
                    yield graph.nodes[leaf.node].id, made

    def _behind_row(self, row: StepRow, run: str) -> Iterable[tuple[str, str]]:
        """The steps that a record speaks of: those that stopped it, those that gave it something else."""
        if row.status == "cached":
            if row.made_by and row.made_by != run:
                yield row.id, row.made_by
            return
        for reason in row.reasons:
            if reason.kind == "upstream" and reason.name:
                yield reason.name, run
            elif reason.kind == "input":
                for giver in self._givers(reason, run):
                    yield giver.id, giver.made_by if giver.status == "cached" and giver.made_by else run

    def _givers(self, reason: Reason, run: str) -> list[StepRow]:
        """The steps of a run whose outputs an input was made of: the one that the reason names, or those with new content."""
        self._row(run, "")
        now, was = str(reason.after), str(reason.before)
        found = [
            row
            for row in self._runs[run].values()
            if any(made.token in now and made.token not in was for made in row.outputs)
        ]
        words = reason.text.split("`")[1::2]
        return [row for row in found if row.id in words] or found


def _told(row: StepRow) -> tuple[Reason, ...]:
    """The reasons of a recorded step, and with which error it ended."""
    if row.error is None:
        return row.reasons
    return (*row.reasons, Reason("failed", f"it failed: {row.error.what}"))
