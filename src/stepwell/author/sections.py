"""Sections: pipelines and steps put one behind the other, wired by the names and types of what they give.

    full = etl | training | qa        what one gives, those behind it take: by name, then by type
    both = hello >> goodbye           order only: every step of the one before every step of the other
    kept = load | fit | endpoint("experiment")

Each makes a new pipeline, a value like any other. `Sections` is what such a pipeline is made of; it is
called like the body of one. A parameter of a section takes, in this order: the output of its name
(of the nearest section before it), the value that was given for its name, its own default, the only
output that fits its annotation. What fits nothing is an error that says what there is.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from types import FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from stepwell.author.annotations import fits, shape_of, show
from stepwell.author.arguments import brief, stars
from stepwell.author.bindings import bind, holds_references, holds_unknown, type_of
from stepwell.author.options import label_of
from stepwell.author.params import settled
from stepwell.author.references import Reference
from stepwell.author.trace import Trace, current, shadowed
from stepwell.author.where import line_of, user_frame, user_line
from stepwell.errors import (
    BadSection,
    EndpointTwice,
    NothingFits,
    ParameterClash,
    PipelineCycle,
    SameSection,
    SeveralFit,
    StepwellError,
    nearest,
)
from stepwell.kernel import graph as g
from stepwell.kernel.identity import NotPlain, token

if TYPE_CHECKING:
    from stepwell.author.pipelines import Pipeline

T = TypeVar("T")


MOST_ARROWS = 4_000_000
"""Pairs of steps that `>>` puts in order, above which it is refused: they would fill the memory."""


class Wired:
    """Stands for the value of a parameter that a section before may give."""

    def __repr__(self) -> str:
        return "<from a section before>"


WIRED = Wired()
"""The default of a parameter that need not be given since it may be wired."""


class Endpoint:
    """A name for a result, by which commands ask for it. Made by `endpoint`."""

    __stepwell__ = "endpoint"

    def __init__(self, name: str) -> None:
        self.name: str = label_of(name)
        self.__name__: str = self.name

    def __call__(self, value: T, /) -> T:
        """Name a result: `endpoint("experiment")(score(model))` gives it on. Raises `EndpointTwice`.

        Outside of tracing nothing happens.
        """
        trace = current()
        if trace is not None:
            try:
                binding = bind(value, f'endpoint("{self.name}")', trace)
            except StepwellError as error:
                if not holds_unknown(value):
                    trace.problems.add(error)
            else:
                _note(trace, self.name, binding)
        return value

    def __repr__(self) -> str:
        return f'endpoint("{self.name}")'

    def __ror__(self, other: object) -> Any:
        raise _no_section(other)

    __rrshift__ = __ror__


def _note(trace: Trace, name: str, binding: g.Binding) -> None:
    """Let a trace know an endpoint; of a second one of its name, that this is wrong."""
    here = user_line()
    first = trace.ends.setdefault(name, here)
    if (name, binding) in trace.endpoints and first == here:
        return
    if name in dict(trace.endpoints):
        trace.problems.add(
            EndpointTwice(
                f"two endpoints are named `{name}`: {first} and {here}",
                why="a command that asks for it would have to choose",
                fixes=[f'give one of them another name: endpoint("{name}-2")'],
                where=here,
            )
        )
        return
    trace.endpoints.append((name, binding))


def endpoint(name: str) -> Endpoint:
    """A name for a result, written behind the section that gives it or around a value in a body.

    Of `load | fit | endpoint("experiment")`, `stepwell run experiment` makes the result of `fit`. Raises
    `BadOption` for what is no name (letters, digits, `_`, `-`, `.`).
    """
    return Endpoint(name)


# --------------------------------------------------------------------------- putting together


def joined(how: str, left: object, right: object) -> tuple[Callable[..., Any], Sections]:
    """Two sections put together, and the function of their pipeline; `how` is "|" or ">>".

    What is joined in the same way is taken apart: `(a | b) | c` is `a | (b | c)`. Raises `BadSection`,
    `SameSection`.
    """
    parts = (*_parts(how, left), *_parts(how, right))
    sections = Sections(how, parts)
    names = [_name(leaf.part) for leaf in sections.leaves() if _kind(leaf.part) == "pipeline"]
    for name in names:
        if names.count(name) > 1:
            raise _same_section(name, how)
    if _kind(parts[0]) == "endpoint":
        raise BadSection(
            f"{parts[0]!r} stands before the result that it names",
            fixes=[f"write it behind: ... | {parts[0]!r}"],
            where=user_line(),
        )
    return _located(sections), sections


def _same_section(name: str, how: str) -> SameSection:
    return SameSection(
        f"two sections are named `{name}`",
        why="the ids of their steps begin with it, and commands speak of a section by it",
        fixes=[f'give one of them another name: ... {how} {name}.named("{name}-2")'],
        where=user_line(),
    )


def _kind(thing: object) -> str:
    return str(getattr(type(thing), "__stepwell__", ""))


def _parts(how: str, thing: Any) -> tuple[Any, ...]:
    if _kind(thing) not in ("pipeline", "step", "endpoint"):
        raise _no_section(thing, how)
    if _is_open(thing) and thing.sections.how == how:
        return tuple(thing.sections.parts)
    return (thing,)


def _is_open(thing: Any) -> bool:
    """Whether a section is one of sections that has nothing of its own: its parts are those of the whole."""
    return getattr(thing, "sections", None) is not None and not (
        thing.label or thing.preceding or thing.swaps
    )


def _no_section(thing: object, how: str = "|") -> BadSection:
    name = getattr(thing, "__name__", "")
    fixes = ["it joins pipelines, steps and endpoints: etl | training"]
    if isinstance(thing, Reference):
        fixes = ["join the steps themselves, not what calling them gave: load | fit"]
    elif inspect.isfunction(thing):
        fixes = [f"make it a step: put @step above it ({line_of(thing)})"]
    return BadSection(
        f"`{how}` gets {f'the function `{name}`' if inspect.isfunction(thing) else brief_of(thing)}",
        why="a section is a pipeline or a step",
        fixes=fixes,
        where=user_line(),
    )


def brief_of(thing: object) -> str:
    """A value on one short line; a reference without being asked for its text."""
    return repr(thing) if isinstance(thing, Reference) else brief(thing)


def _located(sections: Sections) -> Callable[..., Any]:
    """The function of a pipeline of sections: it calls them, and says that it stands in the line of the user's code.

    So errors, plans and whoever looks for the pipeline's file see the line that says `etl | training`.
    """
    frame = user_frame()
    real: Any = lambda *args, **given: sections(args, given)  # noqa: E731
    if frame is None:
        return real  # type: ignore[no-any-return]
    code = real.__code__.replace(co_filename=frame.f_code.co_filename, co_firstlineno=frame.f_lineno)
    made = FunctionType(code, frame.f_globals, sections.spelled, None, real.__closure__)
    made.__module__ = str(frame.f_globals.get("__name__", "__main__"))
    made.__qualname__ = sections.spelled
    return made


# --------------------------------------------------------------------------- what sections are made of


class Leaf(NamedTuple):
    """A pipeline or step among sections. `wirable`: something comes before it that may give what it takes."""

    part: Any
    wirable: bool


class Sections:
    """Pipelines, steps and endpoints in order: `how` they are joined is "|" or ">>"."""

    def __init__(self, how: str, parts: tuple[Any, ...]) -> None:
        self.how = how
        self.parts = parts

    @property
    def spelled(self) -> str:
        """The sections as one name: "etl-training-qa"."""
        return "-".join(_name(part) for part in self.parts)

    def name_of(self, pipeline: Pipeline[Any, Any]) -> str:
        """The name of the pipeline of these sections: the one that its module binds it to, else its sections'."""
        held = list(pipeline.function.__globals__.items())
        same = (name for name, value in held if value is pipeline)
        above = pipeline.base.__name__ if pipeline.base is not None else self.spelled
        return next(same, above)

    def leaves(self, wirable: bool = False) -> Iterator[Leaf]:
        """The pipelines and steps, left to right, those of sections inside of sections too."""
        for i, part in enumerate(self.parts):
            open_here = wirable or (self.how == "|" and i > 0)
            if _is_open(part):
                yield from part.sections.leaves(open_here)
            elif _kind(part) != "endpoint":
                yield Leaf(part, open_here)

    @cached_property
    def hints(self) -> dict[str, object]:
        """What the parameters of all sections are annotated with; of several the narrowest, else the first."""
        out: dict[str, object] = {}
        for leaf in self.leaves():
            for name in _parameters(leaf.part):
                hint = leaf.part.hints.get(name)
                if name not in out or out[name] is Any:
                    out[name] = Any if hint is None else hint
                elif hint is not None and fits(hint, out[name]):
                    out[name] = hint
        last = self._last()
        if last is not None and "return" in last.hints and self.how == "|":
            out["return"] = last.hints["return"]
        return out

    @cached_property
    def _promised(self) -> set[str]:
        """Names that some section says it gives. What the first one needs of these is told in their words: a circle."""
        out = set()
        for leaf in self.leaves():
            shape = shape_of(leaf.part.hints.get("return"))
            out.update(shape.names if shape is not None else ())
            out.update((_name(leaf.part),) if _kind(leaf.part) == "step" else ())
        return out

    def _last(self) -> Any:
        found = [part for part in self.parts if _kind(part) != "endpoint"]
        return found[-1] if found and hasattr(found[-1], "hints") else None

    @cached_property
    def signature(self) -> inspect.Signature:
        """The parameters of all sections, by name. Those that may be wired have `WIRED` as their default."""
        out: dict[str, inspect.Parameter] = {}
        for leaf in self.leaves():
            for name, one in _parameters(leaf.part).items():
                open_ = leaf.wirable or name in self._promised
                default = WIRED if one.default is one.empty and open_ else one.default
                had = out.get(name)
                if had is not None and default is not one.empty:
                    default = had.default
                out[name] = inspect.Parameter(
                    name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=self.hints[name]
                )
        return inspect.Signature(list(out.values()))

    def __call__(self, args: tuple[object, ...], given: Mapping[str, object]) -> object:
        """Inside of a pipeline: wire the sections. Elsewhere: compute them, wired as they would be."""
        bound = self.signature.bind(*args, **given).arguments
        values = {name: value for name, value in bound.items() if value is not WIRED}
        trace = current()
        if trace is not None:
            return Wiring(self, trace, values).result()
        with shadowed() as trace:
            wiring = Wiring(self, trace, {name: _stand_in(value, trace) for name, value in values.items()})
            wiring.result()
        for error in trace.problems.errors:
            if isinstance(error, NothingFits | SeveralFit | ParameterClash | PipelineCycle):
                raise error
        return Computing(self, values, wiring.wires).result()


def _name(part: Any) -> str:
    return str(getattr(part, "label", "") or part.__name__)


def _parameters(part: Any) -> dict[str, inspect.Parameter]:
    """The parameters of a section that have a name of their own."""
    return {name: one for name, one in part.signature.parameters.items() if not stars(one)}


def _stand_in(value: object, trace: Trace) -> object:
    """An argument for finding out how sections are wired: plain data itself, else a reference of its type."""
    try:
        token(value)
    except (NotPlain, RecursionError):
        return Reference(g.NOTHING, type(value), "an argument", trace)
    return value


# --------------------------------------------------------------------------- carrying out


class From(NamedTuple):
    """Where an argument comes from: the section that gives it, by number, and what part of its result."""

    section: int
    path: tuple[str | int, ...]


class Output(NamedTuple):
    """What a section gives under a name. `kind` is its type, None where nobody can say."""

    name: str
    kind: object
    value: object
    giver: str
    origin: From


class _Carrying:
    """Sections carried out one after the other; how arguments are found is a subclass's own."""

    def __init__(self, sections: Sections, given: Mapping[str, object]) -> None:
        self.sections = sections
        self.given = given
        self.count = 0
        self.results: list[object] = []

    def result(self) -> object:
        """What the sections give together: of `|` what the last one gives, of `>>` a tuple of all."""
        return self._carried(self.sections, ())

    def _carried(self, sections: Sections, seen: tuple[int, ...]) -> object:
        """Carry out sections that see what the `seen` ones gave, and behind a `|` what those before them did."""
        given: list[object] = []
        began = self.position()
        for part in sections.parts:
            before, first = self.position(), len(self.results)
            if _kind(part) == "endpoint":
                part(given[-1] if given else None)
                continue
            inner = _is_open(part)
            given.append(self._carried(part.sections, seen) if inner else self._one(part, seen))
            if sections.how == ">>":
                self.order(began, before)
            else:
                seen = (*seen, *range(first, len(self.results)))
        return tuple(given) if sections.how == ">>" else given[-1]

    def _one(self, part: Any, seen: Sequence[int]) -> object:
        arguments = self.arguments(part, seen)
        bound = inspect.BoundArguments(part.signature, arguments)  # type: ignore[arg-type]
        value = part(*bound.args, **bound.kwargs)
        self.results.append(value)
        self.gave(part, value)
        return value

    def position(self) -> int:
        """How many steps there are so far."""
        return 0

    def order(self, began: int, before: int) -> None:
        """Let the steps since `before` wait for those since `began`."""

    def gave(self, part: Any, value: object) -> None:
        """Told what a section gave."""

    def arguments(self, part: Any, seen: Sequence[int]) -> dict[str, object]:
        """The arguments of a section by name, in the order of its parameters."""
        raise NotImplementedError


class Computing(_Carrying):
    """Sections computed in this process, wired as was found out by tracing."""

    def __init__(
        self, sections: Sections, given: Mapping[str, object], wires: Sequence[Mapping[str, From]]
    ) -> None:
        super().__init__(sections, given)
        self.wires = wires

    def arguments(self, part: Any, seen: Sequence[int]) -> dict[str, object]:
        """The arguments of a section: parts of what earlier ones gave, and what was given."""
        wires = self.wires[len(self.results)]
        out = {}
        for name in part.signature.parameters:
            if name in wires:
                value: Any = self.results[wires[name].section]
                for step in wires[name].path:
                    value = (
                        value[step]
                        if isinstance(step, int) or isinstance(value, Mapping)
                        else getattr(value, step)
                    )
                out[name] = value
            elif name in self.given:
                out[name] = self.given[name]
        return out


class Wiring(_Carrying):
    """Sections traced: finds what each takes from where, and notes what does not fit.

    `wires` are, by section, the arguments that come from other sections; `given` what was given for parameters.
    """

    def __init__(self, sections: Sections, trace: Trace, given: Mapping[str, object]) -> None:
        super().__init__(sections, given)
        self.trace = trace
        self.outputs: list[list[Output]] = []
        self.wires: list[dict[str, From]] = []
        self.names: list[str] = []
        self._took: dict[str, int] = {}
        self._used: set[From] = set()
        self._open: list[tuple[int, str, object, NothingFits]] = []

    def result(self) -> object:
        """What the sections give together. What nothing was found for is noted as wrong, now that all are known."""
        value = super().result()
        for number, name, kind, error in self._open:
            self.trace.problems.add(self._explained(number, name, kind, error))
        return value

    def position(self) -> int:
        """How many steps there are so far."""
        return len(self.trace.nodes)

    def order(self, began: int, before: int) -> None:
        """Let the steps since `before` wait for those since `began`: the last of these, and the first of those."""
        nodes = self.trace.nodes
        waited = {one for node in nodes[began:before] for one in g.dependencies(node)}
        ends = tuple(i for i in range(began, before) if i not in waited)
        new = range(before, len(nodes)) if ends else ()
        firsts = [i for i in new if not any(one >= before for one in g.dependencies(nodes[i]))]
        if len(ends) * len(firsts) > MOST_ARROWS:
            raise BadSection(
                f"`>>` would need {len(ends) * len(firsts):,} arrows: {len(ends):,} steps end before it, "
                f"{len(firsts):,} begin behind it",
                why="each that begins has to wait for each that ends",
                fixes=["put a step between them, which takes the results of the first ones as a list"],
                where=user_line(),
            )
        for i in firsts:
            nodes[i] = nodes[i]._replace(after=tuple(dict.fromkeys((*nodes[i].after, *ends))))
        for i in new:
            if i in self.trace.laters:  # what it becomes waits as well
                later = self.trace.laters[i]
                path, first, *around = later.context
                context: Any = (path, (*first, *ends), *around)
                self.trace.laters[i] = later._replace(context=context)

    def gave(self, part: Any, value: object) -> None:
        """Note what a section gave, by name."""
        self.outputs.append(list(_outputs(part, value, len(self.outputs))))
        self.names.append(_name(part))

    def arguments(self, part: Any, seen: Sequence[int]) -> dict[str, object]:
        """The arguments of a section; what is missing is noted, and stood in for by an unknown reference."""
        number, out, wires = len(self.results), dict[str, object](), dict[str, From]()
        self.wires.append(wires)
        parameters, left = _parameters(part), []
        for name, one in parameters.items():
            named = self._of_name(name, seen)
            if name in self.given and not self._hidden(name, named):
                out[name] = self._shared(part, name)
                self._took.setdefault(name, number)
            elif named:
                self._take(part, name, named, out, wires)
            elif one.default is one.empty:
                shared = self.sections.signature.parameters[name].default
                if shared is WIRED or shared is one.empty:
                    left.append(name)
                else:
                    out[name] = settled(shared, part.hints.get(name))
            elif one.default is not WIRED:  # which its own sections may wire
                out[name] = settled(one.default, part.hints.get(name))
        for name in left:
            found = self._of_type(part.hints.get(name), seen, wires)
            alone = not found and len(left) == 1
            found = found or (self._untyped(part.hints.get(name), seen, wires) if alone else [])
            if found:
                self._take(part, name, found, out, wires)
            else:
                out[name] = self._missing(part, name, seen, number)
        return {name: out[name] for name in part.signature.parameters if name in out}

    def _take(
        self, part: Any, name: str, found: list[Output], out: dict[str, object], wires: dict[str, From]
    ) -> None:
        """Take the only output that was found; several are noted as wrong."""
        if len(found) > 1:
            each = ", ".join(f"`{one.name}: {_shown(one.kind)}` of `{one.giver}`" for one in found)
            wanted = part.hints.get(name)
            error = SeveralFit(
                f"`{_name(part)}` takes `{name}{f': {show(wanted)}' if wanted is not None else ''}`, and "
                f"{len(found)} outputs fit: {each}",
                why="no output has the parameter's name, or several of one section have it",
                fixes=[
                    f"give one of them the name `{name}`, or the parameter the name of one of them",
                    *(
                        ["or annotate what is unknown"]
                        if any(one.kind in (None, Any) for one in found)
                        else []
                    ),
                ],
                where=user_line(),
            )
            out[name] = self.trace.unknown(error)
            return
        out[name] = found[0].value
        wires[name] = found[0].origin
        self._used.add(found[0].origin)
        self.trace.wired.add(name)

    def _shared(self, part: Any, name: str) -> object:
        """A given value; that sections share it and annotate it in ways that exclude each other is noted as wrong."""
        wanted, common = part.hints.get(name), self.sections.hints.get(name)
        if wanted is None or fits(common, wanted) or not self.trace.types:
            return self.given[name]
        others = [
            leaf.part
            for leaf in self.sections.leaves()
            if name in _parameters(leaf.part) and leaf.part.hints.get(name) == common
        ]
        whose = f"`{_name(others[0])}`" if others else "another section"
        return self.trace.unknown(
            ParameterClash(
                f"`{name}` is {show(common)} in {whose} and {show(wanted)} in `{_name(part)}`",
                why="sections share the parameters that have one name",
                fixes=["rename one of them, or correct one of the annotations"],
                where=user_line(),
            )
        )

    # ------------------------------------------------------------------ what fits

    def _hidden(self, name: str, named: list[Output]) -> bool:
        """Whether a given value is behind an output of its name: of a section that took it itself, or came later."""
        return bool(named) and name in self._took and self._took[name] <= named[0].origin.section

    def _of_name(self, name: str, seen: Sequence[int]) -> list[Output]:
        """The outputs of a name, of the nearest section before that has some."""
        for number in reversed(seen):
            found = [one for one in self.outputs[number] if one.name == name]
            if found:
                return found
        return []

    def _of_type(self, wanted: object, seen: Sequence[int], wires: Mapping[str, From]) -> list[Output]:
        """The outputs that an annotation fits: those that nothing uses yet, else all but the section's own."""
        if wanted is None or wanted is Any or wanted is object:
            return []
        every = [one for number in seen for one in self.outputs[number]]
        own = set(wires.values())
        found = [one for one in every if one.origin not in own and fits(one.kind, wanted)]
        return [one for one in found if one.origin not in self._used] or found

    def _untyped(self, wanted: object, seen: Sequence[int], wires: Mapping[str, From]) -> list[Output]:
        """Where types say nothing: what the section before gives, if that is one thing."""
        last = self.outputs[seen[-1]] if seen else []
        found = [one for one in last if not one.origin.path] or last
        if len(found) != 1 or found[0].origin in wires.values():
            return []
        silent = wanted in (None, Any, object) or found[0].kind in (None, Any)
        return found if silent else []

    def _missing(self, part: Any, name: str, seen: Sequence[int], number: int) -> object:
        """What stands in for an argument that nothing gives; a consequence of another mistake is not told."""
        given = [one for number in seen for one in self.outputs[number]]
        for one in given:
            if holds_unknown(one.value):
                return one.value
        wanted = part.hints.get(name)
        there = [f"`{one.name}: {_shown(one.kind)}`" for one in given]
        hint = nearest(name, [one.name for one in given])
        fixes = [f"`{hint}` is given: if it is meant, rename one of the two"] if hint else []
        error = NothingFits(
            f"the section `{_name(part)}` needs `{name}{'' if wanted is None else f': {show(wanted)}'}`, "
            "and no section before it gives that",
            why=f"before it there is {', '.join(there)}" if there else "the sections before it give nothing",
            fixes=[*fixes, f"give it: {name}=..."],
            where=user_line(),
        )
        self._open.append((number, name, wanted, error))
        return self._unknown(error)

    def _unknown(self, error: StepwellError) -> Reference:
        return Reference(g.NOTHING, None, "what no section gives", self.trace, error)

    def _explained(self, number: int, name: str, kind: object, error: NothingFits) -> StepwellError:
        """The error of something missing, knowing what the sections behind give: wrong order, or a circle."""
        part = self.names[number]
        for later in range(number + 1, len(self.outputs)):
            if any(one.name == name for one in self.outputs[later]):
                giver = self.names[later]
                if self._takes_from(later, number):
                    return PipelineCycle(
                        f"sections need each other: {part} -> {giver} -> {part}",
                        why=f"`{part}` needs `{name}` of `{giver}`, which needs what `{part}` gives",
                        fixes=["take apart one of the two, so that one comes first"],
                        where=error.where,
                    )
                error.fixes = (f"`{giver}` gives it, and comes later: put it before `{part}`", *error.fixes)
                return error
        return error

    def _takes_from(self, number: int, other: int) -> bool:
        """Whether a section takes something from another, also by way of others."""
        found = {wire.section for wire in self.wires[number].values()}
        return other in found or any(self._takes_from(one, other) for one in found)


def _shown(kind: object) -> str:
    return "unknown" if kind in (None, Any) else show(kind)


def _outputs(part: Any, value: object, number: int) -> Iterator[Output]:
    """What a section gives, by name: the fields of a record, the entries of a dict, the parts of a tuple, and the whole."""
    giver = _name(part)

    def output(name: str, piece: object, *path: str | int) -> Output:
        kind = piece._stepwell_type if type(piece) is Reference else type_of(piece)
        return Output(name, kind, piece, giver, From(number, path))

    if value is None:
        return
    if type(value) is dict and value and all(isinstance(name, str) for name in value):
        yield from (output(name, piece, name) for name, piece in value.items())
        return
    if type(value) is tuple and value:
        yield from (output(_label(piece, giver), piece, i) for i, piece in enumerate(value))
        return
    shape = shape_of(value._stepwell_type) if type(value) is Reference else shape_of(type(value))
    fields = shape.names if shape is not None and shape.kind != "tuple" else ()
    if type(value) is Reference and value._stepwell_cause is not None:
        fields = ()
    for name in fields:
        keyed = shape is not None and shape.kind == "dict"
        yield output(name, value[name] if keyed else getattr(value, name), name)  # type: ignore[index]
    whole = output(_label(value, giver), value)
    if whole.name not in fields:
        yield whole
    elif fields:
        yield whole._replace(name=f"{giver} (whole)")


def _label(value: object, giver: str) -> str:
    """The name of what a section gives: that of the step which returned it, or of the part; else the section's own."""
    if type(value) is list and value and holds_references(value):
        labels = {_label(item, giver) for item in value}
        return labels.pop() if len(labels) == 1 else giver
    if type(value) is not Reference:
        return giver
    binding = value._stepwell_binding
    if isinstance(binding, g.Pack):
        binding = next(g.leaves(binding), g.NOTHING)
        binding = g.FromStep(binding.node) if isinstance(binding, g.FromStep) else binding
    if not isinstance(binding, g.FromStep):
        return value._stepwell_name if isinstance(binding, g.FromSource) else giver
    trace: Any = value._stepwell_trace
    stem: str = trace.nodes[binding.node].id.rpartition("/")[2].partition("[")[0]
    parts = (*(() if binding.output == g.RESULT else (binding.output,)), *binding.path)
    last = str(parts[-1]) if parts else stem
    return f"{stem}.{last}" if last.isdigit() else last


__all__ = ["WIRED", "Endpoint", "Sections", "endpoint", "joined"]
