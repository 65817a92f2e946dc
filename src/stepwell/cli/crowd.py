"""What is told of a run with many steps: what failed, was slow or stands alone gets a line, all else is summed up by step."""

from __future__ import annotations

from typing import TextIO

from stepwell.app.forecast import IDLE
from stepwell.app.progress import Outcome
from stepwell.cli.text import clean, paint, seconds
from stepwell.kernel.graph import DYNAMIC
from stepwell.kernel.plan import Plan

MANY = 40
"""Steps above which a run shows only what is of interest."""

FEW = 5
"""Calls of one step up to which each has its line, also among many."""

SLOW = 2.0
"""Seconds from which on a step is slow, and has its line."""

MOST_SLOW = 20
"""Lines on slow steps, after which only those are slow that take three times as long."""

MOST_WHOLE = 20
"""Failures that are shown with their tracebacks."""

MOST_FAILED = 200
"""Failures that are shown at all."""

MOST_KINDS = 8
"""Steps that are summed up on a line each."""


class Crowd:
    """Decides which of the many steps that ended are told, and sums up the rest."""

    def __init__(self, plan: Plan) -> None:
        self.reused = 0
        self._calls: dict[int, int] = {}
        self._told = self._told_slow = self._failed = self._hidden = 0
        self._slow = SLOW
        self._sums: dict[str, tuple[int, float, float]] = {}
        self._seen = 0
        self.take(plan)

    def take(self, plan: Plan) -> None:
        """Count the steps of a plan that may run, those behind the ones that are counted already."""
        self.plan = plan
        for decision in plan.decisions[self._seen :]:
            if decision.verb not in IDLE:
                step = plan.graph.nodes[decision.node].step
                self._calls[step] = self._calls.get(step, 0) + 1
        self._seen = len(plan.decisions)

    def tells(self, node: int, outcome: Outcome) -> bool:
        """Whether a step that ended gets a line; if not, it is summed up."""
        if outcome.status == "failed":
            self._failed += 1
            return self._failed <= MOST_FAILED
        if outcome.status == "succeeded":
            alone = self._calls.get(self.plan.graph.nodes[node].step, 0) <= FEW or bool(outcome.notes)
            if (alone and self._room()) or self._is_slow(outcome.seconds):
                return True
            self._add(node, outcome.seconds)
            return False
        if self._room():
            return True
        self._hidden += 1
        return False

    @property
    def briefly(self) -> bool:
        """Whether so much has failed that what failed last gets a line only."""
        return self._failed > MOST_WHOLE

    def lines(self, stream: TextIO | None = None) -> list[str]:
        """The sums: how often each step ran, what that took in all, and the longest."""
        kinds = sorted(self._sums.items(), key=lambda item: -item[1][1])
        lines = []
        for name, (count, total, longest) in kinds[:MOST_KINDS]:
            times = f"{count:,} × " if count > 1 else ""
            spread = f" in all, {seconds(longest)} the longest" if count > 1 else ""
            lines.append(f"  {paint('✓', 'green', stream)} {times}{clean(name)}  {seconds(total)}{spread}")
        if len(kinds) > MOST_KINDS:
            rest = sum(count for _, (count, _, _) in kinds[MOST_KINDS:])
            lines.append(
                f"  {paint('✓', 'green', stream)} {rest:,} of {len(kinds) - MOST_KINDS:,} further steps"
            )
        if self._failed > MOST_FAILED:
            lines.append(f"  {paint('✗', 'red', stream)} {self._failed - MOST_FAILED:,} more failed")
        if self._hidden:
            lines.append(f"  {paint('-', 'dim', stream)} {self._hidden:,} more did not run")
        if self.reused:
            lines.append(f"  · {self.reused:,} {'step is' if self.reused == 1 else 'steps are'} up to date")
        return lines

    def _room(self) -> bool:
        self._told += 1
        return self._told <= MANY

    def _is_slow(self, took: float) -> bool:
        if took < self._slow:
            return False
        self._told_slow += 1
        if self._told_slow % MOST_SLOW == 0:
            self._slow = 3 * max(self._slow, took)
        return True

    def _add(self, node: int, took: float) -> None:
        step = self.plan.graph.step_of(node)
        if step.kind == DYNAMIC:
            return
        count, total, longest = self._sums.get(step.name, (0, 0.0, 0.0))
        self._sums[step.name] = (count + 1, total + took, max(longest, took))
