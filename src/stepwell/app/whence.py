"""Which output of which step an `[outputs.NAME]` of the manifest means, in a traced pipeline.

>>> place_of(graph, "model", manifest.outputs["model"])
Place(node=4, part='result')
"""

from __future__ import annotations

from typing import NamedTuple

from stepwell.app.names import calls_named
from stepwell.author import manifest as said
from stepwell.errors import OutputNotMade, nearest
from stepwell.kernel.graph import RESULT, FromStep, Graph, leaves


class Place(NamedTuple):
    """An output of a step: the position of its node, and the output's name."""

    node: int
    part: str


def place_of(graph: Graph, name: str, output: said.Output) -> Place | None:
    """The output of a step that the manifest means by a name; None where it is of another pipeline.

    Raises `OutputNotMade`.
    """
    pipeline = output.pipeline.rpartition(":")[2]
    if pipeline and pipeline != graph.pipeline:
        return None
    if not output.step:
        return _result(graph, name)
    nodes, part = _called(graph, output.step)
    if not nodes:
        if not pipeline:
            return None
        near = nearest(output.step, [step.name for step in graph.steps])
        raise OutputNotMade(
            f"output `{name}` is made by the step `{output.step}`, which `{graph.pipeline}` has not",
            fixes=[f"did you mean `{near}`?"] if near else ["stepwell describe   lists the steps"],
        )
    if len(nodes) > 1:
        ids = [graph.nodes[node].id for node in nodes]
        raise _several(name, f"`{output.step}` is called {len(ids)} times", ids)
    return _part(graph, name, nodes[0], part)


def _called(graph: Graph, name: str) -> tuple[tuple[int, ...], str]:
    """The nodes that a step's name means, and which of their outputs, if it says so ("split.train")."""
    module, _, step = name.rpartition(":")
    for word, part in ((step, ""), (step.rpartition(".")[0], step.rpartition(".")[2])):
        found = calls_named(graph, word) if word else ()
        if module:
            found = tuple(node for node in found if graph.step_of(node).module == module)
        if found:
            return found, part
    return (), ""


def _part(graph: Graph, name: str, node: int, part: str) -> Place:
    parts = [one.name for one in graph.step_of(node).outputs]
    if part in parts or (not part and len(parts) == 1):
        return Place(node, part or parts[0])
    step = graph.nodes[node].id
    if part:
        raise OutputNotMade(
            f"output `{name}` is `{part}` of the step `{step}`, which gives {', '.join(parts)}",
            fixes=[f'step = "{step}.{nearest(part, parts) or parts[0]}"'],
        )
    raise _several(name, f"the step `{step}` gives {len(parts)} outputs", [f"{step}.{one}" for one in parts])


def _result(graph: Graph, name: str) -> Place:
    """What the pipeline itself gives, if that is one output of one step."""
    found = [leaf for leaf in leaves(graph.result) if isinstance(leaf, FromStep)]
    if isinstance(graph.result, FromStep) and not graph.result.path:
        return Place(graph.result.node, graph.result.output)
    ids = [_called_so(graph, leaf) for leaf in found]
    what = f"the result of `{graph.pipeline}` is {len(ids)} outputs" if ids else f"`{graph.pipeline}` gives no output of a step"  # fmt: skip
    raise _several(name, what, ids)


def _called_so(graph: Graph, leaf: FromStep) -> str:
    step = graph.nodes[leaf.node].id
    return step if leaf.output == RESULT else f"{step}.{leaf.output}"


def _several(name: str, what: str, ids: list[str]) -> OutputNotMade:
    return OutputNotMade(
        f"output `{name}` of the manifest could be several: {what}",
        why=f"one of {', '.join(ids[:8])}" if ids else "something must leave under its name",
        fixes=[f'[outputs.{name}] step = "{ids[0] if ids else "fit"}"'],
    )
