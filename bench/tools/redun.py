"""redun: lazy calls, looked up in its database by arguments and the task's source."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from workloads.shape import Contender, Phase

from tools.graph import Graph
from tools.script import scripted
from tools.tool import Tool, program

REDUN = program("redun", "redun")


def run(graph: Graph, *options: str) -> tuple[str, ...]:
    """The command, after its Python."""
    size = ("--width", str(graph.width), "--depth", str(graph.depth))
    return (REDUN, "run", *options, "workflow.py", "main", *size)


def layered(graph: Graph, times: int) -> list[Contender]:
    """All phases, and a dry run."""
    one = scripted("redun", graph, times, run(graph), source="workflow.py", read=answer, slow=True)
    cold, again, *edits = one.phases
    dry = Phase("plan", (program("redun"), *run(graph, "--dryrun")), again.check)
    return [one._replace(phases=(cold, again, dry, *edits))]


def answer(_folder: Path, output: str) -> list[int]:
    """The list that the command prints last. Raises `ValueError` where there is none."""
    found = re.findall(r"^\[[\d, \n]+\]$", output, re.MULTILINE)
    if not found:
        raise ValueError("no row was printed")
    row: list[int] = ast.literal_eval(found[-1])
    return row


TOOL = Tool(
    "redun",
    {"redun --help": (REDUN, "--help"), "import redun": (program("redun"), "-c", "import redun")},
    layered,
    largest=100,
    why="1,000 steps in 32 layers do not end within five minutes",
    heavy=True,
)
