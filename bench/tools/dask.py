"""Dask: delayed calls in the threads of one process, or in two processes; nothing is kept."""

from __future__ import annotations

from workloads.shape import Contender

from tools.graph import Graph
from tools.script import scripted
from tools.tool import Tool, program


def layered(graph: Graph, times: int) -> list[Contender]:
    """Cold only: nothing is kept, so any other run would be the same. 10,000 steps take two processes a minute."""
    slow = graph.steps >= 1_000
    ways = ("threads", "distributed") if graph.steps < 10_000 else ("threads",)
    both = [
        scripted("dask", graph, times, ("graph.py", how, str(graph.width)), name=f"dask, {how}", slow=slow)
        for how in ways
    ]
    return [one._replace(phases=one.phases[:1]) for one in both]


TOOL = Tool(
    "dask",
    {
        "import dask": (program("dask"), "-c", "import dask"),
        "import distributed": (program("dask"), "-c", "import distributed"),
        "dask --help": (program("dask", "dask"), "--help"),
    },
    layered,
)
