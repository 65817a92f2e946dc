"""What the tools have in common that start one shell command a step, which leaves a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from workloads.shape import Contender, Phase, Verdict

from tools.graph import PRIME, Graph, in_files, phases, right

HELPER = "helper"


def command(kind: str, *, a: str, b: str, out: str, number: str, dollar: str = "$") -> str:
    """The shell command of a step, for files of these names; the tool's own way to write a dollar sign."""
    if kind == "start":
        return f"echo {number} >{out}"
    more = {"middle": " + 0", "helped": " + h"}.get(kind, "")
    reads = f"read h <{HELPER} && " if kind == "helped" else ""
    return f"{reads}read a <{a} && read b <{b} && echo {dollar}(((a + b{more}) % {PRIME})) >{out}"


def built(
    name: str,
    graph: Graph,
    times: int,
    prepare: Callable[[Path], None],
    run: tuple[str, ...],
    plan: tuple[str, ...],
    *,
    idle: str,
    step: Callable[[Path], None],
    helper: Callable[[Path], None],
) -> Contender:
    """A tool that prints a line a step, also when it only plans; `idle` is what it says where there is nothing to do."""
    read = in_files(graph)
    unchanged = right(graph, read)

    def idled(folder: Path, output: str) -> Verdict:
        return unchanged(folder, output) if idle in output else Verdict("did something")

    def all_planned(_folder: Path, output: str) -> Verdict:
        lines = output.count("\n")
        return Verdict("" if lines >= graph.steps else f"planned {lines:,} steps")

    cold, again, *edits = phases(graph, read, run, times=times, step=step, helper=helper)
    return Contender(
        name,
        (
            Phase("plan of nothing", plan, all_planned, fresh=True),
            cold,
            again._replace(check=idled),
            Phase("plan", plan, idled, times=times),
            *edits,
        ),
        prepare,
        name,
    )
