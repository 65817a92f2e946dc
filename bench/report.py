"""The results: bench/results.json, which has every sample, and bench/RESULTS.md, which people read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from measure import HAS_PROC, Sample
from workloads.shape import Budget, Row, Workload

HERE = Path(__file__).resolve().parent
JSON = HERE / "results.json"
MARKDOWN = HERE / "RESULTS.md"

HEAD = """\
# Results

Written by `make bench`; `README.md` says how it is measured. Medians (lowest–highest). CPU is user and
system time of all processes of a command, memory the peak of their sum. Compare only within a table:
ratios hold on another machine, seconds do not. **CPU is the column to trust** where others were busy.
"""


@dataclass
class Measured:
    """All runs of one contender in one phase."""

    contender: str
    phase: str
    samples: list[Sample] = field(default_factory=list)
    facts: list[Mapping[str, float]] = field(default_factory=list)
    problem: str = ""

    def row(self) -> Row:
        """The middle of it."""
        facts = {
            name: median(fact[name] for fact in self.facts if name in fact)
            for fact in self.facts[:1]
            for name in fact
        }
        walls, cpus = zip(*((sample.wall, sample.cpu) for sample in self.samples), strict=True)
        return Row(median(walls), median(cpus), facts)


def document(
    workload: Workload, measured: Sequence[Measured], place: Mapping[str, Any], now: datetime
) -> dict[str, Any]:
    """One workload's part of results.json."""
    some = [one for one in measured if one.samples]
    sound = {(one.contender, one.phase): one.row() for one in some if not one.problem}
    return {
        "title": workload.title,
        "date": now.isoformat(timespec="minutes"),
        **place,
        "baseline": workload.baseline,
        "steps": workload.steps,
        "others": round(median(sample.others for one in some for sample in one.samples), 2),
        "memory": "sum of PSS" if HAS_PROC else "largest process, RSS",
        "rows": [row(workload, one, sound) for one in some],
        "budgets": [held(budget, sound) for budget in workload.budgets],
    }


def row(workload: Workload, one: Measured, sound: Mapping[tuple[str, str], Row]) -> dict[str, Any]:
    """One line of a table, with its samples."""
    middle, base = one.row(), sound.get((workload.baseline, one.phase))
    return {
        "contender": one.contender,
        "phase": one.phase,
        "runs": len(one.samples),
        "wall": spread([sample.wall for sample in one.samples]),
        "cpu": spread([sample.cpu for sample in one.samples]),
        "memory": max(sample.memory for sample in one.samples),
        "cpu_ratio": round(middle.cpu / base.cpu, 3) if base and base.cpu else None,
        "wall_ratio": round(middle.wall / base.wall, 3) if base else None,
        "facts": {name: round(value, 6) for name, value in middle.facts.items()},
        "problem": one.problem,
        "samples": [
            {
                "wall": round(sample.wall, 5),
                "cpu": round(sample.cpu, 5),
                "memory": sample.memory,
                "others": round(sample.others, 2),
            }
            for sample in one.samples
        ],
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, lowest, highest."""
    return {
        "median": round(median(values), 5),
        "lowest": round(min(values), 5),
        "highest": round(max(values), 5),
    }


def held(budget: Budget, rows: Mapping[tuple[str, str], Row]) -> dict[str, Any]:
    """A target and what was measured; `value` is None where a part of it was not measured, or not right."""
    try:
        value = budget.value(rows)
    except (KeyError, ZeroDivisionError):
        value = None
    met = None if value is None else value >= budget.limit if budget.least else value <= budget.limit
    return {
        "what": budget.what,
        "limit": budget.limit,
        "least": budget.least,
        "unit": budget.unit,
        "value": None if value is None else round(value, 3),
        "met": met,
    }


def read() -> dict[str, Any]:
    """The workloads of the last results.json."""
    return json.loads(JSON.read_text()) if JSON.exists() else {}


def write(workloads: Mapping[str, Any]) -> None:
    """Write both files."""
    JSON.write_text(json.dumps(workloads, indent=1, ensure_ascii=False) + "\n")
    MARKDOWN.write_text("\n".join([HEAD, *(table(workload) for workload in workloads.values())]))


def table(workload: Mapping[str, Any]) -> str:
    """One workload, as Markdown."""
    base, steps = workload["baseline"], workload["steps"]
    heads = ["tool", "phase", "runs", "wall s", "CPU s", "memory MB", f"CPU × {base}", f"wall × {base}"]
    heads += ["steps/s", "CPU µs a step"] if steps else []
    lines = [heads, ["---", "---", *["---:"] * (len(heads) - 2), "---"]]
    lines[0] = [*heads, "result"]
    for one in workload["rows"]:
        cells = [
            one["contender"],
            one["phase"],
            str(one["runs"]),
            between(one["wall"]),
            between(one["cpu"]),
            f"{one['memory'] / 1e6:,.0f}" if one["memory"] else "–",
            ratio(one["cpu_ratio"]),
            ratio(one["wall_ratio"]),
        ]
        if steps:
            cells += [
                f"{steps / one['wall']['median']:,.0f}",
                f"{1e6 * one['cpu']['median'] / steps:,.1f}",
            ]
        lines.append([*cells, f"**{one['problem']}**" if one["problem"] else "right"])
    parts = [f"## {workload['title']}", about(workload), markdown(lines)]
    if workload["budgets"]:
        parts.append(
            markdown([["target", "", "measured", ""], ["---", "---:", "---:", "---"], *targets(workload)])
        )
    return "\n\n".join(parts) + "\n"


def about(workload: Mapping[str, Any]) -> str:
    """When, where and with what."""
    machine = ", ".join(workload["machine"].values())
    versions = ", ".join(f"{name} {version}" for name, version in workload["versions"].items())
    return (
        f"{workload['date'][:10]}. {machine}. {versions}. "
        f"Meanwhile {workload['others']:g} processors were busy with other work (median)."
    )


def targets(workload: Mapping[str, Any]) -> list[list[str]]:
    """The lines of the table of targets."""
    words: dict[bool | None, str] = {True: "met", False: "**missed**", None: "not measured"}
    lines = []
    for one in workload["budgets"]:
        bound = "at least" if one["least"] else "at most"
        value = "–" if one["value"] is None else f"{figures(one['value'])} {one['unit']}"
        lines.append(
            [one["what"], f"{bound} {figures(one['limit'])} {one['unit']}", value, words[one["met"]]]
        )
    return lines


def between(values: Mapping[str, float]) -> str:
    """A median with its spread."""
    low, high = figures(values["lowest"]), figures(values["highest"])
    return f"{figures(values['median'])} ({low}–{high})"


def ratio(value: float | None) -> str:
    """A ratio, where there is one."""
    return "–" if value is None else figures(value)


def figures(value: float) -> str:
    """Three significant figures, without an exponent."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 0.001 else f"{value:.4f}"


def markdown(lines: Sequence[Sequence[str]]) -> str:
    """A table."""
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
