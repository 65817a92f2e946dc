"""Large values handed from one step to others, kept and verified on the way: an array, and two tables."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from machine import PYTHON, STEPWELL

from workloads.answers import planned, printed, ran
from workloads.pages import drop_kept, reading_nothing
from workloads.shape import Budget, Contender, Phase, Row, Workload, project

KEEP = "write, then hash once"
PARQUET = "Parquet"
MEMORY = "in memory"

Rows = Mapping[tuple[str, str], Row]


def handover(*, quick: bool) -> Workload:
    """1 GB of float64 (100 MB where quick), beside writing and hashing it by hand."""
    count = 12_500_000 if quick else 125_000_000
    result = [float(count - 1), count * (count - 1) / 2]
    contenders: list[Contender] = []
    if importlib.util.find_spec("numpy"):
        contenders = [
            by_hand(KEEP, "handover", ("keep", str(count)), result),
            by_hand(MEMORY, "handover", ("memory", str(count)), result),
            stepwell("handover", (f"count={count}",), result, steps=3, times=2 if quick else 3),
        ]
    return Workload(
        name="handover",
        title=f"A NumPy array of {8 * count / 1e9:g} GB handed to two steps (its last value; its sum)",
        baseline=KEEP,
        contenders=tuple(contenders),
        rounds=1 if quick else 5,
        budgets=(
            Budget(
                "cold run against making, writing and then hashing it, wall",
                1,
                lambda rows: rows["stepwell", "cold"].wall / rows[KEEP, "cold"].wall,
            ),
            Budget(
                "the same without what is done in memory only, wall",
                1,
                lambda rows: above_memory(rows, "stepwell", "wall") / above_memory(rows, KEEP, "wall"),
            ),
            Budget(
                "a step that reads one value of it",
                50,
                lambda rows: 1000 * rows["stepwell", "cold"].facts["last"],
                "ms",
            ),
            READS_NOTHING,
        ),
    )


def table(*, quick: bool) -> Workload:
    """5 million rows as pandas makes them by itself: text is of the dtype `str`."""
    return tabular("handover-table", "str", quick=quick)


def objects(*, quick: bool) -> Workload:
    """The same, but one of the two columns of text is made of Python objects."""
    return tabular("handover-objects", "object", quick=quick)


def tabular(name: str, text: str, *, quick: bool) -> Workload:
    """5 million rows (500,000 where quick) with numbers, moments, two kinds of text and a category."""
    count = 500_000 if quick else 5_000_000
    contenders: list[Contender] = []
    if importlib.util.find_spec("pandas") and importlib.util.find_spec("pyarrow"):
        result = summary(count)
        contenders = [
            by_hand(PARQUET, "table", ("parquet", str(count), text), result),
            by_hand(MEMORY, "table", ("memory", str(count), text), result),
            stepwell("table", (f"count={count}", f"text={text}"), result, steps=2, times=2 if quick else 3),
        ]
    return Workload(
        name=name,
        title=f"A table of {count:,} rows handed to a step (int, float, time, {text}, string, category)",
        baseline=PARQUET,
        contenders=tuple(contenders),
        rounds=1 if quick else 5,
        budgets=(
            Budget(
                "Parquet against Stepwell, without what is done in memory only, wall",
                3,
                lambda rows: above_memory(rows, PARQUET, "wall") / above_memory(rows, "stepwell", "wall"),
                least=True,
            ),
            Budget(
                "the same in CPU",
                3,
                lambda rows: above_memory(rows, PARQUET, "cpu") / above_memory(rows, "stepwell", "cpu"),
                least=True,
            ),
            READS_NOTHING,
        ),
    )


READS_NOTHING = Budget(
    "of it, read by an unchanged run",
    0,
    lambda rows: rows["stepwell", "unchanged"].facts["read"],
    "bytes",
)


def above_memory(rows: Rows, contender: str, what: str) -> float:
    """Seconds (`what`: wall or cpu) that a cold run takes more than the same with nothing kept."""
    return getattr(rows[contender, "cold"], what) - getattr(rows[MEMORY, "cold"], what)


def summary(count: int) -> list[object]:
    """What the summary in `projects/table/tables.py` must come to."""
    last = count - 1
    return [
        str(count),
        str(count * last // 2),
        (datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=last)).strftime("%Y-%m-%dT%H:%M:%S"),
        f"customer_{last * 7919 % 100_000:06d}",
        f"{last * 31 % 9_770 % 977}_Broadway",
        str(len(range(2, count, 5))),
    ]


def by_hand(name: str, folder: str, arguments: tuple[str, ...], result: Sequence[object]) -> Contender:
    """A script of `projects` that does the same without Stepwell."""
    command = (PYTHON, "by_hand.py", *arguments)
    return Contender(
        name,
        (Phase("cold", command, printed(result), fresh=True),),
        lambda work: project(folder, work),
        tool="",
    )


def stepwell(
    folder: str, given: tuple[str, ...], result: Sequence[object], *, steps: int, times: int
) -> Contender:
    """As people run it. The value is out of the page cache before each unchanged run, so that reading it shows."""
    run = (STEPWELL, "run", *given)
    unchanged = reading_nothing(ran(result, *given, status="cached", steps=steps))
    plan = reading_nothing(planned(*given, decision="cached", steps=steps))
    return Contender(
        "stepwell",
        (
            Phase("cold", run, ran(result, *given, status="succeeded", steps=steps), fresh=True),
            Phase("unchanged", run, unchanged, times=times, before=drop_kept),
            Phase("plan", (STEPWELL, "plan", *given), plan, times=times, before=drop_kept),
        ),
        lambda work: project(folder, work),
    )
