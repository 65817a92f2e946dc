"""What a pipeline and its steps promise, from the file alone: what `stepwell describe` prints.

describe(loaded, graph, nodes, last)    inputs, outputs, units, checks, needs, who consumes what
trust_of(step)                          the settings that decide instead of the key, in words
"""

from __future__ import annotations

import inspect
import sys
import typing
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_origin

from stepwell.kernel.graph import Binding, Constant, FromSource, FromStep, Graph, StepDef, leaves

if TYPE_CHECKING:
    from stepwell.author.project import Loaded
    from stepwell.kernel.ports import Artifact

LONGEST = 200
"""Characters of a constant that are shown."""

Document = dict[str, Any]
Last = Callable[[str], "Sequence[Artifact]"]
"""Gives the outputs of the newest result of a step, by its full name; none where it never ran."""


def trust_of(step: StepDef) -> list[str]:
    """The settings of a step on which it is believed, or not, whatever its code and inputs say."""
    out = []
    if step.version:
        out.append(f'version="{step.version}" stands for its code: edits of it do not count')
    if step.ignore:
        out.append(f"ignore={', '.join(step.ignore)}: a change there runs nothing again")
    if step.ttl:
        out.append(f"ttl={_duration(step.ttl)}: an older result has expired")
    if not step.cache:
        out.append("cache=False: it runs every time")
    if step.done:
        out.append(f"done={_bare(step.done)}: that test decides whether it still counts")
    if step.environment:
        out.append(f"environment={step.environment}: the level at which what is installed counts")
    return out


def _duration(seconds: float) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:g} {unit}"
    return f"{seconds:g} s"


def _bare(place: str) -> str:
    """A function's name out of "module:qualname"."""
    return place.rpartition(":")[2]


def describe(loaded: Loaded, graph: Graph, nodes: Collection[int] | None, last: Last) -> Document:
    """The contract of a pipeline, as `describe --json` prints it; with `nodes`, only of the steps that these call."""
    pipeline, root = loaded.pipeline, loaded.target.root
    wanted = range(len(graph.nodes)) if nodes is None else sorted(nodes)
    calls: dict[int, list[int]] = {}
    for node in wanted:
        calls.setdefault(graph.nodes[node].step, []).append(node)
    readers = _readers(graph)
    return {
        "pipeline": graph.pipeline,
        "about": about(pipeline.__doc__),
        "where": place_of(pipeline.function, root),
        "params": [
            _parameter(name, one, pipeline.hints.get(name))
            for name, one in pipeline.signature.parameters.items()
        ],
        "sources": [_source(graph, i, readers.get(i, [])) for i in range(len(graph.sources))],
        "steps": [_step(graph, step, found, readers, last, root) for step, found in calls.items()],
        "result": {"type": _type(pipeline.hints.get("return")), "from": _origins(graph, [graph.result])},
    }


def about(docstring: str | None) -> str:
    """The first paragraph of a docstring on one line; "" without one."""
    return " ".join((docstring or "").strip().split("\n\n")[0].split())


def place_of(function: object, root: Path) -> str:
    """Where a function is defined, "pipeline.py:31", relative to the project where it lies there; "" if unknown."""
    code = getattr(inspect.unwrap(function), "__code__", None)  # type: ignore[arg-type]
    if code is None:
        return ""
    file = Path(code.co_filename)
    shown = file.relative_to(root) if file.is_relative_to(root) else file
    return f"{shown}:{code.co_firstlineno}"


# ---------------------------------------------------------------------------- types


def units_of(annotation: object) -> list[str]:
    """The texts that stand in `Annotated[...]`, outermost first: units, and what else a person should know."""
    if get_origin(annotation) is typing.Annotated:
        inner, *notes = get_args(annotation)
        return [*(note for note in notes if isinstance(note, str)), *units_of(inner)]
    return [unit for argument in get_args(annotation) for unit in units_of(argument)]


def _type(annotation: object) -> str:
    from stepwell.author.annotations import plain, show

    return "" if annotation is None else show(plain(annotation))


def _parameter(name: str, parameter: inspect.Parameter, annotation: object) -> Document:
    from stepwell.app.values import plain

    out: Document = {"name": name, "type": _type(annotation), "units": units_of(annotation)}
    if parameter.default is not parameter.empty:
        out["default"] = plain(parameter.default)
    return out


# ---------------------------------------------------------------------------- steps


def _step(
    graph: Graph, index: int, calls: Sequence[int], readers: dict[object, list[str]], last: Last, root: Path
) -> Document:
    step = graph.steps[index]
    made = vars(sys.modules[step.module])[step.qualname]
    return {
        "step": step.name,
        "about": about(made.__doc__),
        "where": place_of(made.function, root),
        "calls": [graph.nodes[node].id for node in calls],
        "inputs": [
            {**_parameter(name, one, made.hints.get(name)), "from": _given(graph, calls, name)}
            for name, one in made.signature.parameters.items()
        ],
        "outputs": _outputs(step, made.hints.get("return"), calls, readers, last(step.full_name)),
        "checks": {"validate": list(step.validate), "done": step.done},
        "needs": {"cpus": step.cpus, "memory": step.memory, "env": list(step.env)},
        "retries": step.retries,
        "backoff": step.backoff,
        "timeout": step.timeout,
        "trust": trust_of(step),
    }


def _given(graph: Graph, calls: Iterable[int], name: str) -> list[str]:
    """Where an input of these calls comes from; nothing where it is left to its default."""
    bindings = [
        binding for node in calls for given, binding in graph.nodes[node].inputs if given.lstrip("*") == name
    ]
    return _origins(graph, bindings)


def _origins(graph: Graph, bindings: Iterable[Binding]) -> list[str]:
    """Origins in words, each once: `split.train`, `source flights`, or a constant as it is written."""
    out: dict[str, None] = {}
    for binding in bindings:
        for leaf in leaves(binding):
            if isinstance(leaf, FromStep):
                output = "" if leaf.output == "result" else f".{leaf.output}"
                out[graph.nodes[leaf.node].id + output] = None
            elif isinstance(leaf, FromSource):
                out[f"source {graph.sources[leaf.source].name}"] = None
            else:
                out[_written(leaf)] = None
    return list(out)


def _written(constant: Constant) -> str:
    """A constant as one would type it; of a long one the beginning."""
    from stepwell.app.values import plain

    if constant.codec:
        return constant.token
    value = plain(constant.payload)
    text = f'"{value}"' if isinstance(constant.payload, str) else str(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _outputs(
    step: StepDef,
    returns: object,
    calls: Sequence[int],
    readers: dict[object, list[str]],
    last: Sequence[Artifact],
) -> list[Document]:
    annotations = _annotations(step, returns)
    notes = {artifact.name: artifact.note for artifact in last}
    out = []
    for output in step.outputs:
        read: dict[str, None] = {}
        for node in calls:
            read.update(dict.fromkeys(readers.get((node, output.name), ())))
        out.append(
            {
                "name": output.name,
                "type": _type(annotations.get(output.name)) or output.type,
                "codec": output.codec,
                "units": units_of(annotations.get(output.name)),
                "last": notes.get(output.name) or None,
                "read_by": list(read),
            }
        )
    return out


def _annotations(step: StepDef, returns: object) -> dict[str, object]:
    """The annotation of each output, with all that stands in `Annotated`."""
    from stepwell.author.annotations import plain

    if step.shape == "single":
        return {output.name: returns for output in step.outputs}
    whole: Any = plain(returns)
    if step.shape == "tuple":
        return {str(i): one for i, one in enumerate(get_args(whole))}
    try:
        return typing.get_type_hints(get_origin(whole) or whole, include_extras=True)
    except Exception:  # noqa: BLE001  annotations are code of the user's, and may name what is not there at run time
        return {}


def _source(graph: Graph, index: int, read_by: list[str]) -> Document:
    from stepwell.sources.address import shown

    source = graph.sources[index]
    return {
        "name": source.name,
        "uri": shown(source.uri),
        "type": source.type or "path",
        "where": source.where,
        "read_by": read_by,
    }


def _readers(graph: Graph) -> dict[object, list[str]]:
    """Who reads what: by (node, output), and by source; the pipeline's own result is `result` of the pipeline."""
    found: dict[object, dict[str, None]] = {}
    for node in graph.nodes:
        for _, binding in node.inputs:
            _note(found, binding, node.id)
    _note(found, graph.result, f"the result of `{graph.pipeline}`")
    return {place: list(names) for place, names in found.items()}


def _note(found: dict[object, dict[str, None]], binding: Binding, name: str) -> None:
    for leaf in leaves(binding):
        if isinstance(leaf, FromStep):
            found.setdefault((leaf.node, leaf.output), {})[name] = None
        elif isinstance(leaf, FromSource):
            found.setdefault(leaf.source, {})[name] = None
