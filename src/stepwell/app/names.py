"""From a name that a person typed to what it means, or to an error with the nearest name."""

from __future__ import annotations

from collections.abc import Container, Sequence

from stepwell.errors import UnknownOutput, UnknownStep, nearest, typed
from stepwell.kernel.graph import DYNAMIC, Graph
from stepwell.kernel.ports import Artifact


def calls_named(graph: Graph, name: str) -> tuple[int, ...]:
    """The nodes that `name` means: one id, or all calls of the step with that bare name; none where there are none."""
    exact = tuple(i for i, node in enumerate(graph.nodes) if node.id == name)
    return exact or tuple(i for i, node in enumerate(graph.nodes) if graph.steps[node.step].name == name)


def step_named(graph: Graph, name: str) -> tuple[int, ...]:
    """The nodes that `name` means: an id, or all calls of a step. Raises `UnknownStep`."""
    found = calls_named(graph, name)
    if not found:
        error = unknown_step(name, [node.id for node in graph.nodes], f"the pipeline `{graph.pipeline}`")
        error.fixes = (*error.fixes, *later_steps(graph))
        raise error
    return found


def later_steps(graph: Graph) -> list[str]:
    """What to say of steps that nobody knows yet, where a pipeline has dynamic calls."""
    later = [node.id for node in graph.nodes if graph.steps[node.step].kind == DYNAMIC]
    if not later:
        return []
    some = ", ".join(f"`{name}`" for name in later[:3])
    return [f"what {some} will become can be named when its inputs are up to date: stepwell plan"]


def unknown_step(name: str, ids: Sequence[str], place: str) -> UnknownStep:
    """The error for a step's name that nothing has, with the nearest one that something has."""
    bare = [one.rpartition("/")[2].partition("[")[0] for one in ids]
    hint = nearest(name, dict.fromkeys([*ids, *bare]))
    shown = ", ".join(list(dict.fromkeys(ids))[:12]) + (", …" if len(ids) > 12 else "")
    fixes = [f"did you mean `{hint}`?"] if hint else []
    return UnknownStep(
        f"{place} has no step `{name}`",
        fixes=[*fixes, f"its steps are: {shown}" if ids else "it has no steps"],
    )


def apart(word: str, ids: Container[str]) -> tuple[str, str]:
    """The step and the output that a word like "split.train" names; the output is "" where it names a step alone."""
    if word in ids or "." not in word:
        return word, ""
    step, _, output = word.rpartition(".")
    return step, output


def gave_nothing(step: str, run: str, status: str) -> UnknownOutput:
    """The error for the output of a step that has none in a run."""
    return UnknownOutput(
        f"`{step}` gave nothing in {run}", why=f"it is {status} there", fixes=[f"stepwell show {run}"]
    )


def output_named(artifacts: Sequence[Artifact], name: str, step: str) -> Artifact:
    """The output `name` of a step, or its only one for "". Raises `UnknownOutput`."""
    names = [artifact.name for artifact in artifacts]
    for artifact in artifacts:
        if artifact.name == name or (not name and len(artifacts) == 1):
            return artifact
    if not name:
        raise UnknownOutput(
            f"`{step}` has {len(names)} outputs",
            fixes=[f"name one: {typed(f'{step}.{each}')}" for each in names[:6]],
        )
    hint = nearest(name, names)
    fixes = [f"did you mean `{step}.{hint}`?"] if hint else []
    raise UnknownOutput(
        f"`{step}` has no output `{name}`", fixes=[*fixes, f"its outputs are: {', '.join(names)}"]
    )
