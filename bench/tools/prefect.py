"""Prefect with results kept and looked up by inputs and source, which is not its default; its own temporary server."""

from __future__ import annotations

from workloads.shape import Contender

from tools.graph import Graph
from tools.script import scripted
from tools.tool import Tool, program


def layered(graph: Graph, times: int) -> list[Contender]:
    """All phases, one round."""
    command = ("graph.py", str(graph.width))
    return [scripted("prefect", graph, times, command, name="prefect, cached", source="graph.py", slow=True)]


TOOL = Tool(
    "prefect",
    {
        "prefect --help": (program("prefect", "prefect"), "--help"),
        "import prefect": (program("prefect"), "-c", "import prefect"),
    },
    layered,
    largest=100,
    why="1,000 steps take it more than a minute",
    heavy=True,
)
