"""The picture of the layered graphs, as SVG: what each tool costs at each size, on one scale for all phases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import ceil, floor, log10
from typing import Any, NamedTuple

PHASES = ("cold", "unchanged", "one step changed")
# Readable on white and, with the panel that they are drawn on, on black; also by who sees no red or green.
COLOURS = {100: "#56b4e9", 1_000: "#0072b2", 10_000: "#e69f00", 100_000: "#d55e00"}
LABELS, PANEL, LINE, TOP = 150, 300, 22, 76


class Dot(NamedTuple):
    """One median: which tool, in which phase, for how many steps, at how many seconds of CPU."""

    tool: str
    phase: str
    size: int
    cpu: float
    noticed: bool


def layered(workloads: Mapping[str, Any]) -> str:
    """The picture of all workloads named layered-N; "" where there is none."""
    found = dots(workloads)
    return drawn(found) if found else ""


def dots(workloads: Mapping[str, Any]) -> list[Dot]:
    """What is drawn: every right row of a phase that is shown."""
    found = {}
    for name, workload in workloads.items():
        size = name.removeprefix("layered-")
        if not size.isdigit() or int(size) not in COLOURS:
            continue
        for row in workload["rows"]:
            here = nearest(row.get("steps") or workload["steps"])
            if here and row["phase"] in PHASES and not row["problem"]:
                tool = row["contender"].split(", 1")[0]  # "stepwell, 100,000"
                noticed = not row.get("note", "").startswith("!")
                dot = Dot(tool, row["phase"], here, row["cpu"]["median"], noticed)
                found.setdefault(dot[:3], dot)
    return list(found.values())


def nearest(steps: int) -> int:
    """The size that a number of steps is within a tenth of; 0 where there is none."""
    return next((size for size in COLOURS if abs(steps - size) < size / 10), 0)


def drawn(found: Sequence[Dot]) -> str:
    """One panel a phase, one line a tool (the cheapest per step first), a dot a size; hollow: not noticed."""
    low = floor(log10(min(dot.cpu for dot in found)))
    high = max(ceil(log10(max(dot.cpu for dot in found))), low + 1)
    tools = sorted({dot.tool for dot in found}, key=lambda tool: price(found, tool))
    width, height = LABELS + len(PHASES) * PANEL + 20, TOP + LINE * len(tools) + 30
    letters = 'font-family="sans-serif" font-size="13" fill="#222"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {letters}>',
        f'<rect width="{width}" height="{height}" rx="8" fill="#fdfdfb"/>',
        '<text x="14" y="24" font-size="15" font-weight="bold">CPU seconds, whole process tree</text>',
        *legend(found, LABELS + PANEL),
    ]
    for number, phase in enumerate(PHASES):
        left = LABELS + number * PANEL
        parts.append(f'<text x="{left + 8}" y="{TOP - 26}" font-weight="bold">{escape(phase)}</text>')
        for power in range(low, high + 1):
            x = left + 8 + (power - low) / (high - low) * (PANEL - 32)
            parts += [
                f'<path d="M{x:.1f} {TOP - 4}V{height - 24}" stroke="#ddd"/>',
                f'<text x="{x:.1f}" y="{TOP - 9}" font-size="11" fill="#666" text-anchor="middle">{10.0**power:g}</text>',
            ]
    for place, tool in enumerate(tools):
        y = TOP + LINE * place + LINE // 2
        weight = ' font-weight="bold"' if tool == "stepwell" else ""
        parts.append(f'<text x="{LABELS - 8}" y="{y + 4}" text-anchor="end"{weight}>{escape(tool)}</text>')
        parts.append(f'<path d="M{LABELS} {y}H{width - 12}" stroke="#eee"/>')
        for dot in sorted((dot for dot in found if dot.tool == tool), key=lambda dot: dot.size):
            left = LABELS + PHASES.index(dot.phase) * PANEL
            x = left + 8 + (log10(dot.cpu) - low) / (high - low) * (PANEL - 32)
            fill = COLOURS[dot.size] if dot.noticed else "none"
            parts.append(
                f'<circle cx="{x:.1f}" cy="{y}" r="5" fill="{fill}" stroke="{COLOURS[dot.size]}" stroke-width="2"/>'
            )
    return "\n".join([*parts, "</svg>"]) + "\n"


def price(found: Sequence[Dot], tool: str) -> float:
    """CPU a step when cold, at the largest size of a tool: the order of the lines."""
    largest = max((dot for dot in found if dot.tool == tool), key=lambda dot: (dot.phase == "cold", dot.size))
    return largest.cpu / largest.size


def legend(found: Sequence[Dot], left: int) -> list[str]:
    """What the colours mean."""
    parts = []
    for size in sorted({dot.size for dot in found}):
        parts.append(f'<circle cx="{left}" cy="19" r="5" fill="{COLOURS[size]}"/>')
        parts.append(f'<text x="{left + 10}" y="24">{size:,} steps</text>')
        left += 118
    if not all(dot.noticed for dot in found):
        parts.append(f'<circle cx="{left + 10}" cy="19" r="5" fill="none" stroke="#666" stroke-width="2"/>')
        parts.append(f'<text x="{left + 20}" y="24">change not noticed</text>')
    return parts
