"""What `pipeline.plan()` and `pipeline.run()` give."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from stepwell.errors import StepError, StepwellError
from stepwell.kernel.plan import Plan

R = TypeVar("R")


class StepView(NamedTuple):
    """One step of a run: `status` is "succeeded", "failed", "cached", "skipped", "blocked" or "interrupted".

    `outputs` are digests by name, `seconds` the wall time of its execution (of the earlier one where cached).
    """

    id: str
    step: str
    decision: str
    status: str
    reasons: tuple[str, ...]
    key: str | None
    seconds: float
    outputs: Mapping[str, str]
    metrics: Mapping[str, float]


class PlanView:
    """A plan: what a run would do with each step, and why. Printing it shows the dry run.

    `decisions` maps a step's id to "run", "maybe", "cached", "skip", "blocked" or "dynamic";
    `document` is what `stepwell plan --json` prints.
    """

    def __init__(self, plan: Plan, document: Mapping[str, Any], text: str) -> None:
        self.plan = plan
        self.document = document
        self._text = text

    @property
    def decisions(self) -> dict[str, str]:
        """Decision by step id, in execution order."""
        return {self.plan.graph.nodes[d.node].id: d.verb for d in self.plan.decisions}

    @property
    def counts(self) -> dict[str, int]:
        """How many steps have which decision."""
        return self.plan.counts()

    def __repr__(self) -> str:
        return self._text


class Run(Generic[R]):
    """A run that has ended: `status` is "succeeded", "failed" or "interrupted".

    `steps` by id, `metrics` as last logged, `document` as `stepwell run --json` prints it.
    """

    def __init__(
        self,
        run: str,
        status: str,
        seconds: float,
        steps: Mapping[str, StepView],
        metrics: Mapping[str, float],
        document: Mapping[str, Any],
        load: Callable[[], R],
        error: StepwellError | None,
    ) -> None:
        self.id = run
        self.status = status
        self.seconds = seconds
        self.steps = steps
        self.metrics = metrics
        self.document = document
        self.error = error
        self._load = load
        self._result: list[R] = []

    @property
    def exit_code(self) -> int:
        """What a script should exit with: 0 for a run that succeeded, 1 if it failed, 130 if it was interrupted."""
        return {"succeeded": 0, "failed": 1}.get(self.status, 130)

    @property
    def result(self) -> R:
        """What the pipeline returned, loaded at first use. Raises what failed, if the run did not succeed."""
        if self.status != "succeeded":
            raise self.error or StepError(
                f"the run {self.id} was {self.status}", fixes=["run again: what is done is kept"]
            )
        if not self._result:
            self._result.append(self._load())
        return self._result[0]

    def __repr__(self) -> str:
        return f"<run {self.id} {self.status}>"
