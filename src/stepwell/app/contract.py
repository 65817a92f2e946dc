"""What a pipeline and its steps promise, from the file alone: what `stepwell describe` prints.

describe(loaded, graph, nodes, last)    inputs, outputs, columns, units, checks, needs, who consumes what
trust_of(step)                          the settings that decide instead of the key, in words
seen_to_read(result)                    what a step was observed to read when its newest result was made
"""

from __future__ import annotations

import inspect
import re
import sys
import typing
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_origin

from stepwell.kernel.graph import Binding, Constant, FromSource, FromStep, Graph, StepDef, leaves

if TYPE_CHECKING:
    from stepwell.author.project import Loaded
    from stepwell.kernel.ports import Result

LONGEST = 200
"""Characters of a constant that are shown."""

Document = dict[str, Any]
Last = Callable[[str], "Result | None"]
"""Gives the newest result of a step, by its full name; None where it never ran."""

_LIBRARIES = re.compile(r"(?<![\w.])(pandas|polars|pyarrow|numpy)(?:\.\w+)+?\.(\w+)\b(?!\.)")
"""A class of a library of tables where it is defined, in a module that nobody imports it from."""


def trust_of(step: StepDef) -> dict[str, str]:
    """The settings of a step on which it is believed, or not, whatever its code and inputs say: option to words."""
    out = {}
    if step.version:
        out["version"] = f'version="{step.version}" stands for its code: edits of it do not count'
    if step.ignore:
        out["ignore"] = f"ignore={', '.join(step.ignore)}: a change there runs nothing again"
    if step.ttl:
        out["ttl"] = f"a result counts for {_duration(step.ttl)} (ttl)"
    if not step.cache:
        out["cache"] = "cache=False: it runs every time"
    if step.done:
        out["done"] = f"done={_bare(step.done)}: that test decides whether it still counts"
    if step.environment:
        out["environment"] = f"environment={step.environment}: the level at which what is installed counts"
    return out


def seen_to_read(result: Result | None) -> list[str]:
    """What a step was observed to read: `data/rates.json`, `data/notes/` for a folder, `$CURRENCY`; each once.

    What it looked for and did not find, programs that it ran and hosts that it asked are said as such.
    """
    found: dict[str, None] = {}
    for what, token in result.observed if result is not None else ():
        kind, _, rest = what.partition(" ")
        name = rest.partition("\x1f")[0]
        if what.startswith("$"):
            found[what] = None
        elif kind in ("ran", "net"):
            found[f"{'the program' if kind == 'ran' else 'the network:'} {name}"] = None
        elif token == "absent":
            found[f"{name} (not there)"] = None
        else:
            listed = kind in ("list", "all") or token == "folder"
            found[f"{name.rstrip('/')}/" if listed else name] = None
    return list(found)


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

    if annotation is None:
        return ""
    bare: Any = plain(annotation)
    return well_known(f"{bare.__module__}.{bare.__qualname__}" if _is_of_library(bare) else show(bare))


def well_known(text: str) -> str:
    """A type as people write it: `polars.DataFrame` for `polars.dataframe.frame.DataFrame`."""
    return _LIBRARIES.sub(r"\1.\2", text)


def _is_of_library(kind: object) -> bool:
    """Whether a type is a class of those libraries, of which two may have one of the same name."""
    return (
        isinstance(kind, type)
        and get_origin(kind) is None
        and kind.__module__.partition(".")[0] in ("pandas", "polars", "pyarrow", "numpy")
    )


def columns_of(annotation: object) -> dict[str, str]:
    """The columns that an annotation declares, each with its kind, "" where that is not said; empty without any."""
    from stepwell.codecs.columns import declared

    return dict(declared(annotation) or {})


def _parameter(name: str, parameter: inspect.Parameter, annotation: object) -> Document:
    from stepwell.app.values import plain

    out: Document = {"name": name, "type": _type(annotation), "units": units_of(annotation)}
    if parameter.default is not parameter.empty:
        out["default"] = plain(parameter.default)
    if columns := columns_of(annotation):
        out["columns"] = columns
    return out


# ---------------------------------------------------------------------------- steps


def _step(
    graph: Graph, index: int, calls: Sequence[int], readers: dict[object, list[str]], last: Last, root: Path
) -> Document:
    step = graph.steps[index]
    made = _definition(step)
    newest = last(step.full_name)
    hints = made.hints if made is not None else {}
    return {
        "step": step.name,
        "about": about(made.__doc__ if made is not None else ""),
        "where": _line(made, root),
        "calls": [graph.nodes[node].id for node in calls],
        "inputs": [
            {**_parameter(name, one, hints.get(name)), "from": _given(graph, calls, name)}
            for name, one in _parameters(made, graph, calls).items()
        ],
        "outputs": _outputs(step, hints.get("return"), calls, readers, newest),
        "out": list(dict.fromkeys(graph.nodes[node].out for node in calls if graph.nodes[node].out)),
        "observed": seen_to_read(newest),
        "checks": {"validate": list(step.validate), "done": step.done, **_role(step)},
        "needs": {"cpus": step.cpus, "memory": step.memory, "env": list(step.env)},
        "retries": step.retries,
        "backoff": step.backoff,
        "timeout": step.timeout,
        "trust": list(trust_of(step).values()),
    }


def _role(step: StepDef) -> Document:
    """The role of a step and its options; nothing of one that has none."""
    if not step.role:
        return {}
    from stepwell.worker.roles import role_of  # most steps have none

    name, options = role_of(step.role)
    return {"role": {"name": name, "options": dict(options)}}


def _definition(step: StepDef) -> Any:
    """The step as it is defined in a module; None where no name holds it: a command inside a pipeline, a dynamic call."""
    found: Any = sys.modules.get(step.module)
    for part in step.qualname.split("."):
        found = getattr(found, part, None)
    return found if getattr(type(found), "__stepwell__", "") == "step" else None


def _line(made: Any, root: Path) -> str:
    """Where a step is defined."""
    if made is None:
        return ""
    return place_of(made.function, root) if made.made is None else str(made.where)


def _parameters(made: Any, graph: Graph, calls: Sequence[int]) -> dict[str, inspect.Parameter]:
    """The parameters of a step; of one without a definition those that its calls give."""
    if made is not None:
        return dict(made.signature.parameters)
    names = dict.fromkeys(name.lstrip("*") for node in calls for name, _ in graph.nodes[node].inputs)
    return {name: inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in names}


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
    last: Result | None,
) -> list[Document]:
    annotations = _annotations(step, returns)
    notes = {artifact.name: artifact.note for artifact in (last.outputs if last is not None else ())}
    out = []
    for output in step.outputs:
        read: dict[str, None] = {}
        for node in calls:
            read.update(dict.fromkeys(readers.get((node, output.name), ())))
        annotation = annotations.get(output.name)
        one: Document = {
            "name": output.name,
            "type": _type(annotation) or well_known(output.type),
            "codec": output.codec,
            "units": units_of(annotation),
            "last": notes.get(output.name) or None,
            "read_by": list(read),
        }
        if columns := columns_of(annotation):
            one["columns"] = columns
        out.append(one)
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
        "type": well_known(source.type) or "path",
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
