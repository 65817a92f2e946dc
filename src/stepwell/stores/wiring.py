"""What waits for what in a graph, and reads which source: as it is kept with a run."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from stepwell.kernel.graph import FromSource, Graph, Node, Pack, dependencies, leaves
from stepwell.stores.rows import encode

NOTHING: Mapping[str, object] = MappingProxyType({})


def wiring_of(graph: Graph, more: Mapping[str, object] = NOTHING) -> str:
    """The edges of a graph as JSON: for each node the nodes that it waits for, and the sources that it reads; and `more` of it."""
    edges = [dependencies(node) for node in graph.nodes]
    reads = [sources_of(node) for node in graph.nodes] if graph.sources else []
    return encode({"edges": edges, "reads": reads, **more})


def sources_read(wiring: Mapping[str, Any], about: Mapping[str, Any]) -> list[list[Any]]:
    """The sources that a run read: name, address, digest, size of each; an older Stepwell kept them in the other text."""
    found: list[list[Any]] = wiring["sources"] if "sources" in wiring else about.get("sources", [])
    return found


def sources_of(node: Node) -> list[int]:
    """The sources that a node reads, by their places in the graph, each once."""
    found: list[int] = []
    for _, binding in node.inputs:
        if type(binding) is FromSource:
            found.append(binding.source)
        elif type(binding) is Pack:
            found.extend(leaf.source for leaf in leaves(binding) if type(leaf) is FromSource)
    return found if len(found) < 2 else list(dict.fromkeys(found))
