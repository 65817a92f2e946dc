"""What waits for what in a graph, and reads which source: as it is kept with a run."""

from __future__ import annotations

from stepwell.kernel.graph import FromSource, Graph, Node, Pack, dependencies, leaves
from stepwell.stores.rows import encode


def wiring_of(graph: Graph) -> str:
    """The edges of a graph as JSON: for each node the nodes that it waits for, and the sources that it reads."""
    edges = [dependencies(node) for node in graph.nodes]
    if not graph.sources:
        return encode({"edges": edges, "reads": []})
    return encode({"edges": edges, "reads": [sources_of(node) for node in graph.nodes]})


def sources_of(node: Node) -> list[int]:
    """The sources that a node reads, by their places in the graph, each once."""
    found: list[int] = []
    for _, binding in node.inputs:
        if type(binding) is FromSource:
            found.append(binding.source)
        elif type(binding) is Pack:
            found.extend(leaf.source for leaf in leaves(binding) if type(leaf) is FromSource)
    return found if len(found) < 2 else list(dict.fromkeys(found))
