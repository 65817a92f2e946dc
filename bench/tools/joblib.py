"""joblib.Memory: plain calls, each looked up on disk by its arguments and the function's own source."""

from __future__ import annotations

from workloads.shape import Contender

from tools.graph import Graph
from tools.script import scripted
from tools.tool import Tool, program


def layered(graph: Graph, times: int) -> list[Contender]:
    """All phases; of the large graph, which takes it minutes, only cold and unchanged."""
    large = graph.steps >= 10_000
    one = scripted("joblib", graph, times, ("graph.py", str(graph.width)), source="steps.py", slow=large)
    return [one._replace(phases=one.phases[:2]) if large else one]


TOOL = Tool("joblib", {"import joblib": (program("joblib"), "-c", "import joblib")}, layered)
