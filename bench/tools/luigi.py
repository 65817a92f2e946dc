"""Luigi with its local scheduler: a task a step, a file a step; done where the file is there."""

from __future__ import annotations

from workloads.shape import Contender

from tools.graph import Graph, in_files
from tools.script import scripted
from tools.tool import Tool, program


def layered(graph: Graph, times: int) -> list[Contender]:
    """All phases; one round from 1,000 steps on."""
    command, slow = ("graph.py", str(graph.width)), graph.steps >= 1_000
    return [scripted("luigi", graph, times, command, source="graph.py", read=in_files(graph), slow=slow)]


TOOL = Tool(
    "luigi",
    {
        "luigi --help": (program("luigi", "luigi"), "--help"),
        "import luigi": (program("luigi"), "-c", "import luigi"),
    },
    layered,
    largest=1_000,
    why="10,000 steps take it more than a minute",
)
