"""Hamilton with its cache, which is off by default: a node a step, looked up by data and the function's source."""

from __future__ import annotations

from workloads.shape import Contender

from tools.graph import Graph
from tools.script import scripted
from tools.tool import Tool, program


def layered(graph: Graph, times: int) -> list[Contender]:
    """All phases; one round from 1,000 steps on."""
    slow = graph.steps >= 1_000
    width = {"WIDTH": str(graph.width)}
    return [
        scripted(
            "hamilton",
            graph,
            times,
            ("graph.py",),
            name="hamilton, cached",
            source="steps.py",
            variables=width,
            slow=slow,
        )
    ]


TOOL = Tool(
    "hamilton", {"import hamilton.driver": (program("hamilton"), "-c", "import hamilton.driver")}, layered
)
