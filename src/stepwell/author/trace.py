"""Tracing: a pipeline's body runs on references, and every call that it makes becomes a node.

`trace(pipeline, arguments)` gives the kernel's `Graph`. Mistakes are found here, at the user's
line: arguments that a step does not take, types that do not fit, references used as values.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

from stepwell.author.annotations import Shape, fits, shape_of, show
from stepwell.author.constants import in_memory
from stepwell.author.options import Options
from stepwell.author.references import Reference
from stepwell.author.where import PACKAGE, short, user_line
from stepwell.codecs import choose
from stepwell.errors import (
    BadArguments,
    BadPipeline,
    BadReference,
    EdgeType,
    NoCodec,
    PipelineCycle,
    StepwellError,
    nearest,
)
from stepwell.kernel import graph as g
from stepwell.kernel.identity import NotPlain, digest, token

if TYPE_CHECKING:
    from stepwell.author.inputs import Source
    from stepwell.author.pipelines import Pipeline
    from stepwell.author.steps import Step

DEEPEST = 100
"""Pipelines inside pipelines that are surely a circle."""

_current: ContextVar[Trace | None] = ContextVar("stepwell_trace", default=None)


def current() -> Trace | None:
    """The trace that is going on, or None outside of tracing."""
    return _current.get()


class Call:
    """What tracing remembers of a step from one call to the next, so that the second is cheap."""

    __slots__ = ("definition", "found", "inside", "step")

    def __init__(self, step: Step[Any, Any]) -> None:
        self.step = step
        self.found = ""
        self.inside: Trace | None = None  # the trace that `definition` is of
        self.definition: Known | None = None


class Known(NamedTuple):
    """A step as one trace knows it: its position, its parameters and their types, what it returns."""

    index: int
    positional: tuple[str, ...]
    required: frozenset[str]
    simple: bool
    types: Mapping[str, object]
    returns: object
    shape: Shape | None


def trace(pipeline: Pipeline[Any, Any], arguments: Mapping[str, object]) -> g.Graph:
    """The graph of a pipeline with these parameters, by name; missing ones take their defaults.

    Raises the `AuthoringError`s of `stepwell.errors`, and `BadPipeline` for any other exception of the body.
    """
    tracing = Trace()
    held = _current.set(tracing)
    try:
        given = tracing.body(pipeline, (), dict(arguments))
        result = tracing.bind(given, "what the pipeline returns")
    finally:
        _current.reset(held)
    bound = pipeline.signature.bind_partial(**arguments)
    bound.apply_defaults()
    params = [(name, value, _token(value)) for name, value in bound.arguments.items()]
    return g.build(
        pipeline=pipeline.__name__,
        nodes=tracing.nodes,
        steps=tracing.steps,
        sources=tracing.sources,
        params=params,
        result=result,
    )


def _token(value: object) -> str:
    try:
        return token(value)
    except NotPlain:
        return f"<{type(value).__qualname__}>"


def nodes_of(references: Iterable[object]) -> tuple[int, ...]:
    """The nodes that references stand for. Raises `BadReference` for anything else."""
    tracing = current()
    out: list[int] = []
    for reference in references:
        if tracing is None or not isinstance(reference, Reference):
            raise BadReference(
                f".after(...) takes results of steps, and got {type(reference).__name__}",
                why="it orders steps inside a pipeline",
                fixes=["pass what calling a step gave: train.after(backup())(table)"],
                where=user_line(),
            )
        out.extend(
            leaf.node for leaf in g.leaves(tracing.bind(reference, "")) if isinstance(leaf, g.FromStep)
        )
    return tuple(dict.fromkeys(out))


class Trace:
    """A graph in the making."""

    def __init__(self) -> None:
        self.nodes: list[g.Node] = []
        self.steps: list[g.StepDef] = []
        self.sources: list[g.SourceDef] = []
        self.path: tuple[str, ...] = ()
        self.pipelines: list[Pipeline[Any, Any]] = []
        self.first: tuple[int, ...] = ()
        self.taken: dict[str, int] = {}
        self.known: dict[tuple[object, Options], Known] = {}
        self.found: dict[int, tuple[Source[Any], int]] = {}

    # ------------------------------------------------------------------ pipelines

    def inside(
        self,
        pipeline: Pipeline[Any, Any],
        name: str,
        after: tuple[int, ...],
        args: tuple[object, ...],
        kwargs: dict[str, object],
    ) -> object:
        """What an inner pipeline returns; its nodes are added under its name."""
        path, first = self.path, self.first
        self.path, self.first = (*path, name), (*first, *after)
        try:
            return self.body(pipeline, args, kwargs)
        finally:
            self.path, self.first = path, first

    def body(
        self, pipeline: Pipeline[Any, Any], args: tuple[object, ...], kwargs: dict[str, object]
    ) -> object:
        """Run the body of a pipeline on its arguments. Raises `BadPipeline`, `PipelineCycle`, `BadArguments`."""
        if len(self.pipelines) >= DEEPEST:
            names = [p.__name__ for p in self.pipelines]
            last = len(names) - 1 - names[::-1].index(names[-1], 1) if names[-1] in names[:-1] else 0
            circle = " -> ".join([*names[last:]])
            raise PipelineCycle(
                f"pipelines call each other in a circle: {circle}",
                why=f"{DEEPEST} pipelines inside each other were not the end of it",
                fixes=["let the recursion end, by an `if` on a parameter"],
                where=user_line(),
            )
        problem = _misfit(pipeline.signature, args, kwargs)
        if problem:
            what, hint = problem
            raise BadArguments(
                f"the pipeline `{pipeline.__name__}` {what}",
                why=f"it is {pipeline.__name__}{_plainly(pipeline.signature)}",
                fixes=[hint] if hint else [],
                where=user_line(),
            )
        self.pipelines.append(pipeline)
        try:
            return pipeline.function(*args, **kwargs)
        except StepwellError:
            raise
        except Exception as error:
            raise _explained(pipeline, error) from error
        finally:
            self.pipelines.pop()

    # ------------------------------------------------------------------ sources

    def source(self, source: Source[Any]) -> Reference:
        """A reference to the content of a source."""
        entry = self.found.get(id(source))
        if entry is None:
            entry = (source, len(self.sources))
            self.found[id(source)] = entry
            self.sources.append(source.definition())
        binding = g.FromSource(entry[1])
        return Reference(binding, source.kind, self.sources[entry[1]].name, self)

    # ------------------------------------------------------------------ steps

    def call(self, call: Call, args: tuple[object, ...], kwargs: dict[str, object]) -> Reference:
        """Note a call of a step; gives the reference to its result. Raises `BadArguments`, `EdgeType`."""
        step = call.step
        known = call.definition
        if known is None or call.inside is not self:
            known = call.definition = self._know(step)
            call.inside = self
        named = self._named(step, known, args, kwargs)
        inputs = tuple([(name, self._edge(step, known, name, value)) for name, value in named])
        name = step.label or step.__name__
        stem = "/".join((*self.path, name)) if self.path else name
        if step.label:
            node_id = stem
        else:
            count = self.taken[stem] = self.taken.get(stem, 0) + 1
            node_id = stem if count == 1 else f"{stem}[{count}]"
        node = len(self.nodes)
        after = (*self.first, *step.preceding)
        self.nodes.append(g.Node(node_id, known.index, inputs, after, step.settings.out, user_line()))
        return Reference(self._result(node, known.shape), known.returns, node_id, self)

    def _result(self, node: int, shape: Shape | None) -> g.Binding:
        if shape is None:
            return g.FromStep(node)
        items: tuple[g.Binding, ...] = tuple(g.FromStep(node, name) for name in shape.names)
        if shape.kind == "dict":
            return g.Pack("dict", items, shape.names, shape.names)
        if shape.kind == "tuple":
            return g.Pack("tuple", items)
        return g.Pack("record", items, shape.names, (), shape.record)

    def _know(self, step: Step[Any, Any]) -> Known:
        place = (step.function, step.settings._replace(codec="", out=""), str(step.settings.codec))
        known = self.known.get(place)  # type: ignore[call-overload]
        if known is None:
            known = self.known[place] = self._learn(step)  # type: ignore[index]
        return known

    def _learn(self, step: Step[Any, Any]) -> Known:
        returns = step.hints.get("return")
        codec = step.settings.codec
        shape = None if isinstance(codec, str) and codec else shape_of(returns)
        pairs = (
            list(zip(shape.names, shape.types, strict=True)) if shape is not None else [(g.RESULT, returns)]
        )
        chosen = codec if isinstance(codec, Mapping) else {name: codec for name, _ in pairs}
        unknown = [name for name in chosen if name not in dict(pairs)]
        if unknown:
            raise BadArguments(
                f"the step `{step.__name__}` has no output `{unknown[0]}` to choose a codec for",
                fixes=[f"its outputs are: {', '.join(name for name, _ in pairs)}"],
                where=user_line(),
            )
        outputs = tuple(
            g.OutputDef(name, show(kind), _codec(step, name, kind, chosen.get(name, "")))
            for name, kind in pairs
        )
        options = step.settings
        self.steps.append(
            g.StepDef(
                name=step.__name__ if "<" not in step.__name__ else step.place(),
                module=step.__module__,
                qualname=step.place(),
                outputs=outputs,
                shape=shape.kind if shape is not None else "single",
                record=shape.record if shape is not None else "",
                cpus=options.cpus,
                memory=options.memory,
                env=options.env,
            )
        )
        parameters = step.signature.parameters.values()
        plain = all(p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) for p in parameters)
        return Known(
            len(self.steps) - 1,
            tuple(p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD),
            frozenset(p.name for p in parameters if p.default is p.empty),
            plain,
            step.hints,
            returns,
            shape,
        )

    def _named(
        self, step: Step[Any, Any], known: Known, args: tuple[object, ...], kwargs: dict[str, object]
    ) -> list[tuple[str, object]]:
        """The arguments by name, sorted. Those of `*args` and `**kwargs` are one each, with the stars in front."""
        if known.simple and len(args) <= len(known.positional):
            named = dict(zip(known.positional, args))  # noqa: B905  fewer arguments than parameters is usual
            if not (kwargs.keys() & named.keys()):
                named.update(kwargs)
                if known.required <= named.keys() and all(
                    name in step.signature.parameters for name in kwargs
                ):
                    return sorted(named.items())
        problem = _misfit(step.signature, args, kwargs)
        if problem:
            what, hint = problem
            raise BadArguments(
                f"the step `{step.__name__}` {what}",
                why=f"it is {step.__name__}{_plainly(step.signature)}",
                fixes=[hint] if hint else [],
                where=user_line(),
            )
        bound = step.signature.bind(*args, **kwargs)
        stars = {p.name: _stars(p) for p in step.signature.parameters.values()}
        return sorted((stars[name] + name, value) for name, value in bound.arguments.items())

    def _edge(self, step: Step[Any, Any], known: Known, name: str, value: object) -> g.Binding:
        """The binding of one argument, its type checked."""
        if isinstance(value, Reference):
            wanted = known.types.get(name)
            given = value._stepwell_type
            if wanted is not None and given is not None and not fits(given, wanted):
                raise EdgeType(
                    f"`{step.__name__}({name}=...)` takes {show(wanted)}, and `{value._stepwell_name}` gives {show(given)}",
                    why="the annotation of the one's result does not fit the other's parameter",
                    fixes=["pass another result, or correct one of the two annotations"],
                    where=user_line(),
                )
            return self.bind(value, f"`{step.__name__}({name}=...)`")
        binding = self.bind(value, f"`{step.__name__}({name}=...)`")
        wanted = known.types.get(name)
        if wanted is not None and isinstance(binding, g.Constant):
            problem = choose.fits(value, wanted)
            if problem:
                raise EdgeType(
                    f"`{step.__name__}({name}={_brief(value)})` is {type(value).__name__}, its annotation says {show(wanted)}",
                    fixes=[f"pass {show(wanted)}, or correct the annotation"],
                    where=user_line(),
                )
        return binding

    # ------------------------------------------------------------------ values

    def bind(self, value: object, what: str) -> g.Binding:
        """Where a value comes from: a reference's binding, a container of them, or a constant."""
        if isinstance(value, Reference):
            if value._stepwell_trace is not self:
                raise BadReference(
                    f"{what} gets a reference of another pipeline's trace",
                    why="it was kept from an earlier trace, in a variable that outlives it",
                    fixes=["call the step again inside this pipeline"],
                    where=user_line(),
                )
            return value._stepwell_binding
        if _holds_references(value, 0):
            return self._pack(value, what)
        return _constant(value, what)

    def _pack(self, value: object, what: str) -> g.Binding:
        if isinstance(value, dict):
            keys = tuple(value)
            items = tuple(self.bind(item, what) for item in value.values())
            return g.Pack("dict", items, tuple(token(key) for key in keys), keys)
        shape = shape_of(type(value))
        if shape is not None and shape.kind == "record":
            items = tuple(self.bind(getattr(value, name), what) for name in shape.names)
            return g.Pack("record", items, shape.names, (), shape.record)
        kind = "list" if isinstance(value, list) else "tuple"
        return g.Pack(kind, tuple(self.bind(item, what) for item in value))  # type: ignore[attr-defined]


def _holds_references(value: object, depth: int) -> bool:
    """Whether a list, tuple, dict or record has a reference somewhere inside."""
    if isinstance(value, Reference):
        return True
    if depth > 50 or isinstance(value, str | bytes | int | float | type(None)):
        return False
    if isinstance(value, list | tuple):
        return any(_holds_references(item, depth + 1) for item in value)
    if isinstance(value, dict):
        return any(_holds_references(item, depth + 1) for item in value.values())
    if hasattr(type(value), "__dataclass_fields__"):
        return any(_holds_references(item, depth + 1) for item in _fields(value))
    return False


def _fields(value: object) -> list[object]:
    return [getattr(value, name, None) for name in type(value).__dataclass_fields__]  # type: ignore[attr-defined]


def _constant(value: object, what: str) -> g.Constant:
    """A constant: plain data as it is, anything else through its codec."""
    kind = getattr(type(value), "__stepwell__", "")
    if kind:
        name = getattr(value, "name", None) or getattr(value, "__name__", "it")
        raise BadArguments(
            f"{what} gets the {kind} `{name}` itself, not what it gives",
            fixes=[f"call it: {name}()" if kind == "source" else f"call it: {name}(...)"],
            where=user_line(),
        )
    try:
        return g.Constant(value, token(value))
    except NotPlain as why:
        return _coded(value, what, str(why))


def _coded(value: object, what: str, why: str) -> g.Constant:
    if inspect.isroutine(value) or inspect.isclass(value) or inspect.ismodule(value):
        raise BadArguments(
            f"{what} gets {_brief(value)}",
            why="code that is passed as a value could change without anybody noticing",
            fixes=[
                "use it inside the step, where its code is seen",
                "or pass its name, and look it up in the step",
            ],
            where=user_line(),
        )
    try:
        codec, data = in_memory(value)
    except StepwellError as error:
        raise NoCodec(
            f"{what} gets {_brief(value)}, which has no way to bytes",
            why=error.what,
            fixes=error.fixes,
            where=user_line(),
        ) from error
    return g.Constant(data, f"{codec}:#{digest(data)}", codec)


def _codec(step: Step[Any, Any], output: str, kind: object, chosen: str) -> str:
    """The codec of an output: the one asked for, or the one of its type. Raises `NoCodec`, `MissingLibrary`."""
    if chosen:
        choose.by_name(chosen)
        return chosen
    try:
        return choose.codec_for(Any if kind is None else kind)
    except StepwellError as error:
        error.what = (
            f"the step `{step.__name__}`: {error.what}"
            if output == g.RESULT
            else f"the output `{output}` of the step `{step.__name__}`: {error.what}"
        )
        error.where = error.where or user_line()
        raise


def _brief(value: object) -> str:
    if inspect.isroutine(value) or inspect.isclass(value):
        return f"`{value.__qualname__}`"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _plainly(signature: inspect.Signature) -> str:
    """A signature without annotations' modules, short enough to read."""
    parts = []
    for parameter in signature.parameters.values():
        default = "" if parameter.default is parameter.empty else f"={_brief(parameter.default)}"
        parts.append(f"{_stars(parameter)}{parameter.name}{default}")
    return f"({', '.join(parts)})"


def _stars(parameter: inspect.Parameter) -> str:
    """What stands before the name of a parameter that takes any number of arguments."""
    return (
        "*"
        if parameter.kind is parameter.VAR_POSITIONAL
        else "**"
        if parameter.kind is parameter.VAR_KEYWORD
        else ""
    )


def _misfit(
    signature: inspect.Signature, args: tuple[object, ...], kwargs: Mapping[str, object]
) -> tuple[str, str] | None:
    """Why arguments do not fit a signature, and what might have been meant; None if they do."""
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        text = str(error)
    else:
        return None
    names = list(signature.parameters)
    for name in kwargs:
        if name not in signature.parameters:
            hint = nearest(name, names)
            return (
                f"has no parameter `{name}`",
                f"did you mean `{hint}`?" if hint else f"its parameters are: {', '.join(names)}",
            )
    if text.startswith("missing a required"):
        missing = text.rpartition(": ")[2].strip("'")
        return f"is called without `{missing}`", f"add {missing}=..."
    return f"cannot be called like this: {text}", ""


def _explained(pipeline: Pipeline[Any, Any], error: Exception) -> BadPipeline:
    """An exception of a pipeline's body, at the user's line, with the name that was probably meant."""
    frames = list(traceback.extract_tb(error.__traceback__))
    own = [f for f in frames if not f.filename.startswith(PACKAGE)] or frames
    last = own[-1]
    fixes: list[str] = []
    wrong = getattr(error, "name", None)
    if isinstance(error, NameError | AttributeError) and wrong:
        scope: Iterable[str] = (
            dir(error.obj) if isinstance(error, AttributeError) else pipeline.function.__globals__
        )
        hint = nearest(wrong, [name for name in scope if not name.startswith("__")])
        if hint:
            fixes.append(f"did you mean `{hint}`?")
    fixes.append("the body of a pipeline runs when it is planned: it may only wire steps together")
    return BadPipeline(
        f"the pipeline `{pipeline.__name__}` raised {type(error).__name__}: {error}",
        why=f"in the line `{last.line}`" if last.line else "",
        fixes=fixes,
        where=f"{short(last.filename)}:{last.lineno}",
    )
