"""The results: bench/RESULTS.md, which people read, and bench/results.json, which has every sample of this checkout."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

import plot
from measure import HAS_PROC, Sample
from workloads.shape import Budget, Row, Workload

HERE = Path(__file__).resolve().parent
JSON = HERE / "results.json"
MARKDOWN = HERE / "RESULTS.md"
PLOT = HERE / "layered.svg"
MANY = 6
"""Contenders on one graph, above which a table of one line each comes first."""

SHOWN = """\
![CPU seconds of each tool on layered graphs of 100 to 100,000 steps](layered.svg)

The picture is of when all sizes were measured last; each table says when it was.
"""

HEAD = """\
# Results

Written by `make bench`; `README.md` says how it is measured. Medians (lowest–highest). CPU is user and
system time of all processes of a command, memory the peak of their sum, driver the peak of the first of
them alone. Compare only within a table: ratios hold on another machine, seconds do not. **CPU is the
column to trust** where others were busy. "!" marks a tool that did not notice what was changed: its
result is the old one, and its time that of doing nothing.
"""


@dataclass
class Measured:
    """All runs of one contender in one phase."""

    contender: str
    phase: str
    samples: list[Sample] = field(default_factory=list)
    facts: list[Mapping[str, float]] = field(default_factory=list)
    problem: str = ""
    note: str = ""
    steps: int = 0

    def row(self) -> Row:
        """The middle of it."""
        facts = {
            name: median(fact[name] for fact in self.facts if name in fact)
            for fact in self.facts[:1]
            for name in fact
        }
        walls, cpus = zip(*((sample.wall, sample.cpu) for sample in self.samples), strict=True)
        memory = max(sample.memory for sample in self.samples)
        return Row(median(walls), median(cpus), facts, memory, max(sample.driver for sample in self.samples))


def document(
    workload: Workload, measured: Sequence[Measured], place: Mapping[str, Any], now: datetime
) -> dict[str, Any]:
    """One workload's part of results.json."""
    some = in_phases([one for one in measured if one.samples])
    failed = [
        f"{one.contender}, {one.phase}: {one.problem}" for one in measured if one.problem and not one.samples
    ]
    sound = {(one.contender, one.phase): one.row() for one in some if not one.problem}
    return {
        "title": workload.title,
        "date": now.isoformat(timespec="minutes"),
        **place,
        "baseline": workload.baseline,
        "steps": workload.steps,
        "others": round(median([sample.others for one in some for sample in one.samples] or [0.0]), 2),
        "memory": "sum of PSS" if HAS_PROC else "largest process, RSS",
        "rows": [row(workload, one, sound) for one in some],
        "budgets": [held(budget, sound) for budget in workload.budgets],
        "left_out": [*workload.left_out, *failed],
    }


def in_phases(measured: Sequence[Measured]) -> list[Measured]:
    """Phase by phase as they first come, the cheapest first: what is compared stands together."""
    order = {phase: place for place, phase in enumerate(dict.fromkeys(one.phase for one in measured))}
    return sorted(measured, key=lambda one: (order[one.phase], one.row().cpu))


def row(workload: Workload, one: Measured, sound: Mapping[tuple[str, str], Row]) -> dict[str, Any]:
    """One line of a table, with its samples; without ratios where its note begins with "!".

    Ratios are of what a step takes where the graphs are not of the same size.
    """
    middle, base = one.row(), sound.get((workload.baseline, one.phase))
    base = None if one.note.startswith("!") else base or sound.get((workload.baseline, workload.base_phase))
    own = {contender.name: contender.steps or workload.steps for contender in workload.contenders}
    size = own.get(workload.baseline, 0) / one.steps if one.steps else 1.0
    return {
        "contender": one.contender,
        "phase": one.phase,
        "runs": len(one.samples),
        "wall": spread([sample.wall for sample in one.samples]),
        "cpu": spread([sample.cpu for sample in one.samples]),
        "memory": middle.memory,
        "driver": middle.driver,
        "steps": one.steps,
        "cpu_ratio": round(size * middle.cpu / base.cpu, 3) if base and base.cpu else None,
        "wall_ratio": round(size * middle.wall / base.wall, 3) if base else None,
        "facts": {name: round(value, 6) for name, value in middle.facts.items()},
        "problem": one.problem,
        "note": one.note,
        "samples": [
            {
                "wall": round(sample.wall, 5),
                "cpu": round(sample.cpu, 5),
                "memory": sample.memory,
                "driver": sample.driver,
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
    """The workloads that were measured in this checkout."""
    return json.loads(JSON.read_text()) if JSON.exists() else {}


def write(workloads: Mapping[str, Any], titles: Sequence[str]) -> None:
    """Write all files; each is replaced as a whole, so that an interruption leaves the old or the new.

    A workload of these titles that was not measured in this checkout keeps the section that it has. The picture is of
    all sizes or stays as it was.
    """
    replace(JSON, json.dumps(workloads, indent=1, ensure_ascii=False) + "\n")
    if all(f"layered-{size}" in workloads for size in plot.COLOURS):
        replace(PLOT, plot.layered(workloads))
    found = sections() | {workload["title"]: table(workload) for workload in workloads.values()}
    picture = [SHOWN] if PLOT.exists() else []
    replace(MARKDOWN, "\n".join([HEAD, *picture, *[found[title] for title in titles if title in found]]))


def sections() -> dict[str, str]:
    """The sections of RESULTS.md, by their titles."""
    text = MARKDOWN.read_text() if MARKDOWN.exists() else ""
    parts = ["## " + part.rstrip("\n") + "\n" for part in re.split("^## ", text, flags=re.MULTILINE)[1:]]
    return {part[3:].partition("\n")[0]: part for part in parts}


def replace(file: Path, text: str) -> None:
    """Write a file beside the old one, then over it."""
    new = file.with_name(file.name + ".new")
    new.write_text(text)
    new.replace(file)


def table(workload: Mapping[str, Any]) -> str:
    """One workload, as Markdown."""
    parts = [f"## {workload['title']}", about(workload)]
    if workload["budgets"]:
        parts.append(
            markdown([["target", "", "measured", ""], ["---", "---:", "---:", "---"], *targets(workload)])
        )
    long = markdown(every(workload))
    if len({row["contender"] for row in workload["rows"]}) > MANY and workload["steps"]:
        said = f"CPU seconds, and in brackets how many times those of {workload['baseline']}."
        parts += [said, markdown(matrix(workload))]
        long = f"<details><summary>Every figure</summary>\n\n{long}\n\n</details>"
    parts.append(long)
    if workload.get("left_out"):
        parts.append("Not in it: " + "; ".join(workload["left_out"]) + ".")
    return "\n\n".join(parts) + "\n"


def matrix(workload: Mapping[str, Any]) -> list[list[str]]:
    """One line a tool, one column a phase; the cheapest when cold first."""
    phases = list(dict.fromkeys(row["phase"] for row in workload["rows"]))
    cells: dict[str, dict[str, str]] = {}
    order: dict[str, float] = {}
    for row in workload["rows"]:
        name, cpu = row["contender"], row["cpu"]["median"]
        order[name] = cpu if row["phase"] == "cold" else order.get(name, cpu)
        cells.setdefault(name, {})[row["phase"]] = cell(row)
    names = sorted(cells, key=order.__getitem__)
    lines = [[name, *(cells[name].get(phase, "–") for phase in phases)] for name in names]
    return [["tool", *phases], ["---", *["---:"] * len(phases)], *lines]


def cell(row: Mapping[str, Any]) -> str:
    """The figure of one phase in a matrix."""
    if row["problem"]:
        return f"**{row['problem']}**"
    shown = figures(row["cpu"]["median"])
    if row["cpu_ratio"] is not None:
        shown += f" ({figures(row['cpu_ratio'])})"
    return f"{shown} {row['note']}".rstrip()


def every(workload: Mapping[str, Any]) -> list[list[str]]:
    """One line a tool and phase, with all that was measured."""
    base, steps = workload["baseline"], workload["steps"]
    heads = ["phase", "tool", "runs", "wall s", "CPU s", "memory MB", "driver MB"]
    heads += [f"CPU × {base}", f"wall × {base}", *(["steps/s", "CPU µs a step"] if steps else [])]
    lines = [[*heads, "result"], ["---", "---", *["---:"] * (len(heads) - 2), "---"]]
    for one in workload["rows"]:
        cells = [
            one["phase"],
            one["contender"],
            str(one["runs"]),
            between(one["wall"]),
            between(one["cpu"]),
            megabytes(one["memory"]),
            megabytes(one.get("driver", 0)),
            ratio(one["cpu_ratio"]),
            ratio(one["wall_ratio"]),
        ]
        if steps:
            own = one.get("steps") or steps
            cells += [f"{own / one['wall']['median']:,.0f}", f"{1e6 * one['cpu']['median'] / own:,.1f}"]
        lines.append([*cells, f"**{one['problem']}**" if one["problem"] else one.get("note") or "right"])
    return lines


def megabytes(count: int) -> str:
    """Bytes in MB, or a dash where they are not known."""
    return f"{count / 1e6:,.0f}" if count else "–"


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
    if not value:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 0.001 else f"{value:.4f}"


def markdown(lines: Sequence[Sequence[str]]) -> str:
    """A table."""
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
