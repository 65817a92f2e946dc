"""What `pipeline.sweep()` gives: the runs of a sweep, the best of them, a table.

sweep = delays.sweep(depth=[4, 6, 8], lr=[0.1, 0.3])
sweep.best("auc").point          {"depth": 6, "lr": 0.1}
pandas.DataFrame(sweep.table())  a row a point
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

from stepwell.author.runs import Run
from stepwell.errors import StepError, UnknownOutput, nearest
from stepwell.stores.metrics import shared, the_one

R = TypeVar("R")


class Sweep(Generic[R]):
    """A sweep that has ended: `status` is "succeeded", "failed" (at least one point did) or "interrupted".

    `runs` are those of its points in the order of the grid, each with its `point`; `id` is that of the group
    ("g3"), `document` what `stepwell run --sweep ... --json` prints.
    """

    def __init__(
        self,
        group: str,
        status: str,
        seconds: float,
        runs: Sequence[Run[R]],
        document: Mapping[str, Any],
        html: Callable[[Sequence[Run[R]]], str],
    ) -> None:
        self.id = group
        self._html = html
        self.status = status
        self.seconds = seconds
        self.runs: list[Run[R]] = list(runs)
        self.document = document

    def __len__(self) -> int:
        return len(self.runs)

    def __iter__(self) -> Iterator[Run[R]]:
        return iter(self.runs)

    def best(self, metric: str, *, lowest: bool = False) -> Run[R]:
        """The run with the highest value of a metric, or the lowest; the first of several that are equal.

        Runs without it, and with NaN, do not count. `metric` is a bare name, or `STEP.METRIC`. Raises `UnknownOutput`
        where no run has it, and `AmbiguousMetric` where several steps of a run logged one of that bare name.
        """
        values = [(the_one(run.metrics, metric, run.id), run) for run in self.runs]
        found = [(value, run) for value, run in values if value is not None and value == value]
        if not found:
            known = shared([run.metrics for run in self.runs])
            hint = nearest(metric, known)
            told = f"metrics are: {', '.join(known)}" if known else "no step recorded one: log.metric(...)"
            raise UnknownOutput(
                f"no run of {self.id} has a metric `{metric}`",
                fixes=[f"did you mean `{hint}`?" if hint else told],
            )
        sign = -1.0 if lowest else 1.0
        return max(found, key=lambda one: sign * one[0])[1]

    def table(self) -> list[dict[str, Any]]:
        """A row a point: its run, the values that vary, status, seconds, and metrics (None where it has not got one)."""
        names = shared([run.metrics for run in self.runs])
        return [
            {
                "run": run.id,
                **run.point,
                "status": run.status,
                "seconds": run.seconds,
                **{name: run.metrics.get(name) for name in names},
            }
            for run in self.runs
        ]

    @property
    def results(self) -> list[R]:
        """What the pipeline returned in each point. Raises what failed first, if a point did not succeed."""
        return [run.result for run in self.runs]

    @property
    def failed(self) -> list[Run[R]]:
        """The runs that did not succeed."""
        return [run for run in self.runs if run.status != "succeeded"]

    @property
    def error(self) -> StepError | None:
        """What failed first, or None."""
        return next((run.error for run in self.runs if isinstance(run.error, StepError)), None)

    def __repr__(self) -> str:
        bad = f", {len(self.failed)} did not succeed" if self.failed else ""
        return f"<sweep {self.id} {self.status}: {len(self.runs)} points{bad}>"

    def _repr_html_(self) -> str:
        """A row a point with the best of each metric marked, for notebooks."""
        return self._html(self.runs)
