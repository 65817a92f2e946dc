"""Ray: a remote task a step, on two processors of this machine; values are gone with the program."""

from __future__ import annotations

from workloads.shape import Contender

from tools.graph import Graph
from tools.script import scripted
from tools.tool import Tool, program


def layered(graph: Graph, times: int) -> list[Contender]:
    """Cold only: nothing is kept, so any other run would be the same."""
    one = scripted("ray", graph, times, ("graph.py", str(graph.width)), slow=True)
    return [one._replace(phases=one.phases[:1])]


TOOL = Tool(
    "ray",
    {"ray --help": (program("ray", "ray"), "--help"), "import ray": (program("ray"), "-c", "import ray")},
    layered,
    heavy=True,
)
