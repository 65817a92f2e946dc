"""What `pipeline.sweep()` gives: the runs of a sweep, the best of them, a table.

sweep = delays.sweep(depth=[4, 6, 8], lr=[0.1, 0.3])
sweep.best("auc").point          {"depth": 6, "lr": 0.1}
pandas.DataFrame(sweep.table())  a row a point
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

from stepwell.author.runs import Run, html_table
from stepwell.errors import StepError, UnknownOutput, nearest

R = TypeVar("R")


class Sweep(Generic[R]):
    """A sweep that has ended: `status` is "succeeded", "failed" (at least one point did) or "interrupted".

    `runs` are those of its points in the order of the grid, each with its `point`; `id` is that of the group
    ("g3"), `document` what `stepwell run --sweep ... --json` prints.
    """

    def __init__(
        self, group: str, status: str, seconds: float, runs: Sequence[Run[R]], document: Mapping[str, Any]
    ) -> None:
        self.id = group
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

        Runs without it, and with NaN, do not count. Raises `UnknownOutput` where no run has it.
        """
        found = [run for run in self.runs if run.metrics.get(metric, float("nan")) == run.metrics.get(metric)]
        if not found:
            known = list(dict.fromkeys(name for run in self.runs for name in run.metrics))
            hint = nearest(metric, known)
            told = f"metrics are: {', '.join(known)}" if known else "no step recorded one: log.metric(...)"
            raise UnknownOutput(
                f"no run of {self.id} has a metric `{metric}`",
                fixes=[f"did you mean `{hint}`?" if hint else told],
            )
        sign = -1.0 if lowest else 1.0
        return max(found, key=lambda run: sign * run.metrics[metric])

    def table(self) -> list[dict[str, Any]]:
        """A row a point: its run, the values that vary, status, seconds, and metrics (None where it has not got one)."""
        names = list(dict.fromkeys(name for run in self.runs for name in run.metrics))
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
        """The table, for notebooks."""
        rows = self.table()
        names = list(rows[0]) if rows else []
        cells = [[_cell(row[name]) for name in names] for row in rows]
        return html_table(
            f"{self.id}  {self.status}", names, cells, f"{len(rows)} points in {self.seconds:.2f} s"
        )


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)
