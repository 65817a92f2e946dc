"""Kedro: a node a step, a file a value; asked to run only what has no output, which is not its default."""

from __future__ import annotations

from workloads.shape import Contender

from tools.graph import Graph, in_files
from tools.script import scripted
from tools.tool import Tool, program

PARTS = "kedro.framework.project, kedro.pipeline, kedro.runner, kedro.io"


def layered(graph: Graph, times: int) -> list[Contender]:
    """All phases; one round from 1,000 steps on."""
    read = in_files(graph)
    command, slow = ("graph.py", str(graph.width)), graph.steps >= 1_000
    return [scripted("kedro", graph, times, command, source="graph.py", read=read, slow=slow)]


TOOL = Tool(
    "kedro",
    {
        "kedro --help": (program("kedro", "kedro"), "--help"),
        "import kedro": (program("kedro"), "-c", f"import {PARTS}"),
    },
    layered,
    largest=1_000,
    why="10,000 steps take it more than a minute",
)
