"""Snakemake: a rule a kind of step, one shell command a step; a file a step."""

from __future__ import annotations

from pathlib import Path

from machine import CORES
from workloads.shape import Contender, Phase

from tools.graph import ADDED, Graph, edited, in_files, phases, right
from tools.shell import HELPER
from tools.tool import ALONE, SMALL, Tool, prints, program, project

SNAKEMAKE = program("snakemake", "snakemake")


def run(graph: Graph, *options: str) -> tuple[str, ...]:
    """The command."""
    size = (f"width={graph.width}", f"depth={graph.depth}")
    return (SNAKEMAKE, "--cores", str(CORES), *options, "--config", *size)


def prepare(folder: Path) -> None:
    """The project, and the file that half of the steps read."""
    project("snakemake", folder)
    (folder / HELPER).write_text("0\n")


def layered(graph: Graph, times: int) -> list[Contender]:
    """All phases, and a dry run; one round from 1,000 steps on."""
    slow = graph.steps >= 1_000
    read = in_files(graph)
    cold, again, *edits = phases(
        graph,
        read,
        run(graph, "--quiet", "all"),
        times=1 if slow else times,
        step=edited("Snakefile"),
        helper=edited(HELPER, "0\n", f"{ADDED}\n"),
    )
    dry = Phase("plan", run(graph, "--dry-run", "--quiet", "all"), right(graph, read), times=again.times)
    return [Contender("snakemake", (cold, again, dry, *edits), prepare, "snakemake", ALONE, rounds=int(slow))]


def small() -> Contender:
    """A dry run of two steps."""
    return Contender(
        "snakemake --dry-run, two steps",
        (prints(2, "output: v/", run(SMALL, "--dry-run")),),
        prepare,
        "snakemake",
        ALONE,
    )


TOOL = Tool(
    "snakemake",
    {
        "snakemake --help": (SNAKEMAKE, "--help"),
        "import snakemake.api": (program("snakemake"), "-c", "import snakemake.api"),
    },
    layered,
    largest=1_000,
    why="10,000 steps take it minutes",
    small=small,
    heavy=True,
)
