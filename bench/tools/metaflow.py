"""Metaflow: a process a task; nothing is reused but by `resume`, from a step that the user names."""

from __future__ import annotations

from pathlib import Path

from machine import CORES
from workloads.shape import Contender

from tools.graph import Graph
from tools.script import scripted
from tools.tool import Tool, program

# A layer is a foreach, a step that joins it, and one that starts the next: one step cannot do both.
FLOW = """\
import steps
from metaflow import FlowSpec, step


class Layered(FlowSpec):
    @step
    def start(self):
        self.row = []
        self.next(self.split0)
{layers}
    @step
    def end(self):
        print("row:", *self.row)


if __name__ == "__main__":
    Layered()
"""
LAYER = """
    @step
    def split{layer}(self):
        self.places = list(range({width}))
        self.next(self.value{layer}, foreach="places")

    @step
    def value{layer}(self):
        self.value = steps.value({width}, {layer}, self.input, self.row)
        self.next(self.join{layer})

    @step
    def join{layer}(self, inputs):
        self.row = [one.value for one in inputs]
        self.next(self.{after})
"""


def layered(_graph: Graph, times: int) -> list[Contender]:
    """A cold run of a smaller graph, as it takes about half a second a step; any other run would be the same."""
    graph = Graph.of(16)
    command = ("graph.py", "run", "--max-workers", str(CORES))
    one = scripted(
        "metaflow", graph, times, command, prepare=lambda folder: written(graph, folder), slow=True
    )
    return [one._replace(name=f"metaflow, {graph.steps} steps", phases=one.phases[:1], steps=graph.steps)]


def written(graph: Graph, folder: Path) -> None:
    """Write the flow, whose steps must stand in its source."""
    after = [*(f"split{layer}" for layer in range(1, graph.depth)), "end"]
    layers = (
        LAYER.format(layer=layer, width=graph.width, after=after[layer]) for layer in range(graph.depth)
    )
    (folder / "graph.py").write_text(FLOW.format(layers="".join(layers)))


TOOL = Tool(
    "metaflow",
    {
        "metaflow --help": (program("metaflow", "metaflow"), "--help"),
        "import metaflow": (program("metaflow"), "-c", "import metaflow"),
    },
    layered,
    largest=100,
    why="it is measured on 16 steps, beside the others' 100",
)
