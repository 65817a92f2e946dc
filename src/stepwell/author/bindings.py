"""Where a value comes from: `bind(value, what, trace)` gives the kernel's `Binding` of an argument or a result.

A reference is bound to what it stands for. A list, tuple, dict, named tuple or dataclass that holds
references becomes a `Pack`. Everything else is a constant, kept as it is at this moment: what the
pipeline's body does to it afterwards does not reach the step.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from types import GenericAlias
from typing import Any, cast

from stepwell.author.annotations import Shape, fits, shape_of, show
from stepwell.author.arguments import LONGEST, brief
from stepwell.author.constants import LARGEST, TooLarge, in_memory
from stepwell.author.references import Reference
from stepwell.author.where import is_library, line_of, user_line
from stepwell.errors import BadArguments, BadReference, EdgeType, NoCodec, NotTaken, StepwellError
from stepwell.kernel import graph as g
from stepwell.kernel.identity import NotPlain, canonical, digest, token
from stepwell.named import NamedTuple

ATOMS = frozenset((type(None), bool, int, float, complex, str, bytes))
"""Exact types of values that hold nothing else."""


def bind(value: object, what: str, trace: object) -> g.Binding:
    """The binding of a value; `what` says for errors where it is used ("`train(depth=...)`").

    Raises `BadReference`, `BadArguments`, `EdgeType`, `NoCodec`.
    """
    if type(value) is Reference:
        if value._stepwell_trace is not trace:
            raise BadReference(
                f"{what} gets a reference of another pipeline's trace",
                why="it was kept from an earlier trace, in a variable that outlives it",
                fixes=["call the step again inside this pipeline"],
                where=user_line(),
            )
        if value._stepwell_branch is not None and value._stepwell_branch not in trace.branches:  # type: ignore[attr-defined]
            raise NotTaken(
                f"{what} gets `{value._stepwell_name}`, which is made in a branch of when(...)",
                why="that branch may not be taken, and then nothing makes it",
                fixes=[
                    "let the branch return it, and use what when(...) gives",
                    "or call the step outside of the branch",
                ],
                where=user_line(),
            )
        return value._stepwell_binding
    if type(value) in ATOMS:
        if isinstance(value, str | bytes) and len(value) > LARGEST:
            raise _too_large(value[:LONGEST], what)
        return g.Constant(value, token(value))
    given: Mapping[int, Given] = getattr(trace, "given", {})
    if given:
        known = given.get(id(value))
        if known is not None and known.value is value:
            return known.binding()
    if holds_references(value) or (given and any(id(item) in given for item in _all_in(value))):
        return _pack(value, what, trace)
    return _constant(value, what)


class Given(NamedTuple):
    """A value that a dynamic body was handed, and how to come by its binding: it is passed on as what it is."""

    value: object
    binding: Callable[[], g.Binding]


class Mapped(list[Any]):
    """The results of a step that was called with each item of a list; of these the share `least` must succeed."""

    least: float = 1.0


def holds_references(value: object) -> bool:
    """Whether a reference is somewhere inside a list, tuple, dict, set or dataclass, or is the value itself."""
    kind = type(value)
    return kind is Reference or (
        kind not in ATOMS and any(type(item) is Reference for item in _all_in(value))
    )


def holds_unknown(value: object) -> bool:
    """Whether a reference of which nobody can know more is somewhere in a value: its mistake is told already."""
    return any(type(item) is Reference and item._stepwell_cause is not None for item in _all_in(value))


def _all_in(value: object) -> Iterator[object]:
    """A value and everything inside its containers, each once; plain atoms left out."""
    todo, seen = [value], set[int]()
    while todo:
        item = todo.pop()
        if type(item) not in ATOMS and id(item) not in seen:
            seen.add(id(item))
            yield item
            if type(item) is not Reference:
                todo.extend(_inside(item))


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, list | tuple | set | frozenset):
        return value
    if isinstance(value, dict):
        return (*value, *value.values())
    fields: Iterable[str] = getattr(type(value), "__dataclass_fields__", ())
    return [getattr(value, name, None) for name in fields]


def type_of(value: object) -> object:
    """The type of a reference, or of a container that holds some, as far as it is known."""
    if type(value) is Reference:
        return Any if value._stepwell_type is None else value._stepwell_type
    if isinstance(value, list) and type(value) in (list, Mapped) and value:
        return GenericAlias(list, (_either(value),))
    if type(value) is tuple and value:
        return GenericAlias(tuple, tuple(map(type_of, value)))
    if type(value) is dict and value:
        return GenericAlias(dict, (_either(value), _either(value.values())))
    return type(value)


def _either(values: Iterable[object]) -> object:
    """The union of the types of values."""
    either: Any = None
    kinds: list[object] = []
    for value in values:
        kind = type_of(value)
        if kind not in kinds:
            kinds.append(kind)
            try:
                either = kind if either is None else either | kind
            except TypeError:  # an annotation that is no type
                return Any
    return either


# --------------------------------------------------------------------------- containers


def _pack(value: Any, what: str, trace: object) -> g.Pack:
    if isinstance(value, dict):
        if holds_references(list(value)):
            raise _no_place(
                f"{what} has a reference as the key of a dict", "give it a key that is known, as its value"
            )
        keys = tuple(value)
        try:
            names = tuple(map(token, keys))
        except NotPlain as why:
            raise BadArguments(
                f"{what} gets a dict with references and a key that is not plain data",
                why=str(why),
                fixes=["use text or numbers as keys"],
                where=user_line(),
            ) from None
        return g.Pack("dict", tuple(bind(item, what, trace) for item in value.values()), names, keys)
    if isinstance(value, set | frozenset):
        raise _no_place(f"{what} has a reference in a set", "use a list")
    shape = shape_of(type(value))
    if shape is not None and shape.kind == "record":
        return _record(value, shape, what, trace)
    items = tuple(bind(item, what, trace) for item in value)
    if isinstance(value, Mapped):
        return g.Pack("list", items, least=value.least)
    return g.Pack("list" if isinstance(value, list) else "tuple", items)


def _no_place(what: str, fix: str) -> BadReference:
    return BadReference(
        what,
        why="its place there depends on the value itself, which does not exist yet",
        fixes=[fix],
        where=user_line(),
    )


def _record(value: object, shape: Shape, what: str, trace: object) -> g.Pack:
    """A named tuple or dataclass with references in its fields."""
    kind = type(value)
    reason = ""
    if "<locals>" in kind.__qualname__:
        reason = "its class is defined inside a function, where no worker finds it"
    elif not shape.whole:
        reason = "its class has fields that its constructor does not take"
    if reason:
        raise BadReference(
            f"{what} gets a `{kind.__qualname__}` that holds references",
            why=reason,
            fixes=["pass its parts one by one", "or make it in a step"],
            where=user_line(),
        )
    parts = [getattr(value, name) for name in shape.names]
    for name, part, wanted in zip(shape.names, parts, shape.types, strict=True):
        if not getattr(trace, "types", True):
            break
        if wanted is not None and holds_references(part) and not fits(type_of(part), wanted):
            raise EdgeType(
                f"`{kind.__qualname__}.{name}` is {show(wanted)}, and gets {show(type_of(part))}",
                why="the annotation of the one's result does not fit the other's field",
                fixes=["pass another result, or correct one of the two annotations"],
                where=user_line(),
            )
    return g.Pack("record", tuple(bind(part, what, trace) for part in parts), shape.names, (), shape.record)


# --------------------------------------------------------------------------- constants


def _constant(value: object, what: str) -> g.Constant:
    """A constant: plain data as it is, anything else through its codec."""
    try:
        text = token(value)
    except NotPlain:
        return _coded(value, what)
    return g.Constant(_kept(value), text)


def _kept(value: Any) -> Any:
    """A copy that later changes do not reach; much faster than `deepcopy` for what is usual.

    Dicts are sorted, because keys say nothing of their order: a step must not see what its key does not.
    """
    kind = type(value)
    if kind in ATOMS:
        return value
    if kind is list:
        return [_kept(item) for item in value]
    if kind is tuple:
        return tuple([_kept(item) for item in value])
    if kind is dict:
        return {key: _kept(value[key]) for key in sorted(value, key=canonical)}
    return deepcopy(value)


def _coded(value: object, what: str) -> g.Constant:
    for item in _all_in(value):
        _refuse_code(item, what)
    try:
        codec, data = in_memory(value)
    except TooLarge:
        raise _too_large(value, what) from None
    except StepwellError as error:
        if hidden := _reference_in(error):
            raise BadReference(
                f"{what} gets a {type(value).__name__} that holds a reference",
                why=hidden.what,
                fixes=["pass the reference itself, or in a list, tuple, dict, named tuple or dataclass"],
                where=user_line(),
            ) from error
        raise NoCodec(
            f"{what} gets {brief(value)}, which has no way to bytes",
            why=error.what,
            fixes=["make it inside a step, from plain data", *error.fixes[1:]],
            where=user_line(),
        ) from error
    return g.Constant(data, f"{codec}:#{digest(data)}", codec)


def _too_large(value: object, what: str) -> BadArguments:
    return BadArguments(
        f"{what} gets {brief(value)}, which comes to more than {LARGEST >> 20} MB",
        why="what the pipeline's body makes is made, hashed and sent to a worker each time",
        fixes=[
            "make it inside a step",
            "or read it from a file: source(...)",
            "or bind it at the top level of a module, and use it in the step",
        ],
        where=user_line(),
    )


def refuse_uncalled(value: object, what: str) -> None:
    """Refuse a step, source or pipeline where what it gives is meant. Raises `BadArguments`."""
    kind = getattr(type(value), "__stepwell__", "")
    if not kind:
        return
    name = getattr(value, "name", None) or getattr(value, "__name__", "it")
    called = name if name.isidentifier() else "source(...)"  # made in place, it is named by its file
    raise BadArguments(
        f"{what} gets the {kind} `{name}` itself, not what it gives",
        fixes=[f"call it: {called}()" if kind == "source" else f"call it: {called}(...)"],
        where=user_line(),
    )


def _refuse_code(value: object, what: str) -> None:
    """Refuse steps and other code as a constant. Raises `BadArguments`."""
    refuse_uncalled(value, what)
    if inspect.isroutine(value) or inspect.isclass(value) or inspect.ismodule(value):
        code = getattr(value, "__code__", None)
        own = code is not None and not code.co_name.startswith("<") and not is_library(code.co_filename)
        meant = (
            [
                f"if it is meant as a step: put @step above it ({line_of(cast('Callable[..., Any]', value))}), and call it"
            ]
            if own
            else []
        )
        raise BadArguments(
            f"{what} gets {brief(value)}",
            why="code that is passed as a value could change without anybody noticing",
            fixes=[
                *meant,
                "use it inside the step, where its code is seen",
                "or pass its name, and look it up in the step",
            ],
            where=user_line(),
        )


def _reference_in(error: BaseException | None) -> BadReference | None:
    """The refusal of a reference to be pickled, among the causes of an error."""
    while error is not None and not isinstance(error, BadReference):
        error = error.__cause__ or error.__context__
    return error
