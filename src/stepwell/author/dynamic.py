"""Control flow on values that exist only while a pipeline runs.

    @pipeline(dynamic=True)                     traced when its arguments are known, in plain Python
    evaluate.map(slices(), model)               a call for each item of a list, however long it will be
    train.product(depth=[4, 6], lr=rates())(x)  a call for each combination
    when(is_big(x), lambda: slow(x), lambda: quick(x))

All four note one dynamic call in the trace (`Trace.later`), which becomes steps when its inputs are
there. Where these are known already (lists that are written down, parameters), the steps are noted at
once, and nothing is dynamic.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from itertools import product as combinations
from types import CellType, FunctionType, GenericAlias
from typing import Any, TypeVar, cast, get_args, get_origin, overload

from stepwell.author.annotations import fits, show
from stepwell.author.arguments import brief, fitted
from stepwell.author.bindings import Mapped, refuse_uncalled
from stepwell.author.references import Reference
from stepwell.author.trace import Trace, current
from stepwell.author.where import user_line
from stepwell.errors import BadArguments, BadMap, EdgeType
from stepwell.kernel.graph import DYNAMIC, FromSource, StepDef

A = TypeVar("A")
B = TypeVar("B")

LISTS = (list, tuple, set, frozenset)
"""Origins of annotations whose values have items; a mapping has keys, which `.map` does not take."""


def placeholder(name: str, module: str, qualname: str, about: str = "") -> StepDef:
    """The step of a dynamic call. `about` says for people what it may become."""
    return StepDef(name=name, module=module, qualname=qualname, kind=DYNAMIC, spec=about)


# --------------------------------------------------------------------------- pipelines


def called_later(
    trace: Trace, pipeline: Any, args: tuple[object, ...], kwargs: dict[str, object]
) -> Reference:
    """The reference to what a dynamic pipeline will give, some of whose arguments are references."""
    signature = pipeline.signature
    bound = trace.checked(pipeline, args, kwargs)
    bound.apply_defaults()

    def body(values: dict[str, Any]) -> object:
        call = inspect.BoundArguments(signature, cast("Any", values))
        return trace.body(pipeline, call.args, call.kwargs)

    step = placeholder(pipeline.__name__, pipeline.__module__, pipeline.__qualname__)
    inputs = list(bound.arguments.items())
    return trace.later(step, inputs, pipeline.hints.get("return"), body, label=pipeline.label, below=True)


# --------------------------------------------------------------------------- map and product


def mapped(call: Any, items: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
    """A call for each item of a list, or of a reference to one. Raises `BadMap` for what has no items."""
    trace = current()
    call, least = _tolerant(call)
    args, kwargs = tuple(map(_held, args)), {name: _held(value) for name, value in kwargs.items()}

    def calls(found: Iterable[Any]) -> list[Any]:
        results = Mapped([call(item, *args, **kwargs) for item in _listed(call, found)])
        results.least = least
        return results

    if not isinstance(items, Reference) or _is_unpackable(items):
        return calls(items) if trace is not None else list(calls(items))
    if trace is None:
        raise _no_items(call, items)
    if (wrong := _misfits(trace, call, (items, *args), kwargs)) is not None:
        return cast("list[Any]", wrong)
    wanted = next(iter(_parameters(call)), None)
    item = _item_type(call, items)
    hint = None if wanted is None else call.hints.get(wanted.name)
    if item is not None and hint is not None and not fits(item, hint):
        raise EdgeType(
            f"`{call.__name__}.map(...)` calls it with {show(item)}, and `{wanted and wanted.name}` is {show(hint)}",
            why="each item of the list becomes the first argument of a call",
            fixes=["map over another list, or correct one of the two annotations"],
            where=user_line(),
        )
    step = placeholder(
        f"{call.__name__}.map",
        call.__module__,
        f"{call.__qualname__}.map",
        f"a call of `{call.__name__}` for each item",
    )
    trace.learn(call)
    reference = trace.later(
        step,
        [("items", items)],
        _list_of(call.hints.get("return")),
        lambda values: calls(values["items"]),
        makes=call.label or call.__name__,
    )
    return cast("list[Any]", reference)


def spread(call: Any, axes: Mapping[str, Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
    """A call for each combination of the items of all axes, the last one varying fastest. Raises `BadMap`."""
    trace = current()
    call, least = _tolerant(call)
    args, kwargs = tuple(map(_held, args)), {name: _held(value) for name, value in kwargs.items()}
    axes = {name: _held(axis) for name, axis in axes.items()}
    names = list(axes)

    def calls(lists: Mapping[str, Any]) -> list[Any]:
        found = [_listed(call, lists[name]) for name in names]
        results = Mapped(
            [call(*args, **dict(zip(names, point, strict=True)), **kwargs) for point in combinations(*found)]
        )
        results.least = least
        return results

    later = [
        (n, axis) for n, axis in axes.items() if isinstance(axis, Reference) and not _is_unpackable(axis)
    ]
    if not later:
        return calls(axes) if trace is not None else list(calls(axes))
    if trace is None:
        raise _no_items(call, later[0][1])
    if (wrong := _misfits(trace, call, args, {**axes, **kwargs})) is not None:
        return cast("list[Any]", wrong)
    step = placeholder(
        f"{call.__name__}.product",
        call.__module__,
        f"{call.__qualname__}.product",
        f"a call of `{call.__name__}` for each combination of {', '.join(names)}",
    )
    trace.learn(call)
    reference = trace.later(
        step,
        later,
        _list_of(call.hints.get("return")),
        lambda values: calls({**axes, **values}),
        makes=call.label or call.__name__,
    )
    return cast("list[Any]", reference)


def _held(value: Any) -> Any:
    """An argument as it is now: what the body does to a list or dict later does not reach the calls."""
    if type(value) in (list, dict):
        return copy(value)
    return value


def _tolerant(call: Any) -> tuple[Any, float]:
    """What is called for each item, and the share that must succeed; below all, the failure of one is not the run's."""
    least = getattr(getattr(call, "settings", None), "share", 1.0)
    return (call.options(optional=True) if least < 1 else call), least


def _is_unpackable(reference: Reference) -> bool:
    """Whether it is known how many parts a reference has, so that they can be taken now."""
    shape = reference._shape("tuple", "record")
    return shape is not None and shape.ordered


def _listed(call: Any, items: Any) -> list[Any]:
    """The items, as a list. Raises `BadMap` for what has none, or has them in no order."""
    if isinstance(items, str | bytes | Mapping) or not isinstance(items, Iterable):
        raise _no_items(call, items)
    if isinstance(items, set | frozenset):
        return sorted(items, key=repr)
    return list(items)


def _no_items(call: Any, items: Any) -> BadMap:
    """What is wrong with items that are none. Raises `BadArguments` for what was not called."""
    refuse_uncalled(items, f"`{call.__name__}.map(...)`")
    what = (
        "a text"
        if isinstance(items, str | bytes)
        else "a dict"
        if isinstance(items, Mapping)
        else brief(items)
    )
    return BadMap(
        f"`{call.__name__}.map(...)` gets {what}, which is no list of items",
        why="it calls the step once for each item",
        fixes=["pass a list, or what a step gives that returns one (-> list[...])"],
        where=user_line(),
    )


def _parameters(call: Any) -> list[inspect.Parameter]:
    return list(call.signature.parameters.values())


def _item_type(call: Any, items: Reference) -> object:
    """The type of the items of a reference, None where that is not known. Raises `BadMap` for what has no items."""
    kind = items._stepwell_type
    if kind is None:
        return None
    origin = get_origin(kind) or kind
    if isinstance(origin, type) and issubclass(origin, LISTS):
        inner = [one for one in get_args(kind) if one is not Ellipsis]
        return inner[0] if len(inner) == 1 else None
    if (
        not isinstance(origin, type)
        or origin is object
        or (issubclass(origin, Iterable) and not _is_one(origin))
    ):
        return None
    source = isinstance(items._stepwell_binding, FromSource)
    raise BadMap(
        f"`{call.__name__}.map(...)` gets `{items._stepwell_name}`, which gives {show(kind)}, no list",
        why="it calls the step once for each item",
        fixes=[
            'for a call a file: source("data/*.csv") without a type gives their paths'
            if source
            else "let that step return a list: -> list[...]"
        ],
        where=user_line(),
    )


def _is_one(kind: type) -> bool:
    """Whether what has items is one thing nevertheless: text, a mapping, a table."""
    return issubclass(kind, str | bytes | Mapping) or kind.__name__ in ("DataFrame", "LazyFrame", "Table")


def _misfits(trace: Trace, call: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Reference | None:
    """What is wrong with the arguments of calls that will be made, noted now; else None."""
    try:
        fitted(f"the {call.__stepwell__} `{call.__name__}`", call.signature, args, kwargs)
    except BadArguments as error:
        return trace.unknown(error)
    return None


def _list_of(kind: object) -> object:
    return list if kind is None else GenericAlias(list, (kind,))


# --------------------------------------------------------------------------- when


@overload
def when(condition: bool, then: Callable[[], A], otherwise: Callable[[], B]) -> A | B: ...
@overload
def when(condition: bool, then: Callable[[], A]) -> A | None: ...
def when(condition: Any, then: Callable[[], Any], otherwise: Callable[[], Any] | None = None) -> Any:
    """What one of two functions gives: `then()` if the condition holds, else `otherwise()` (or None).

    Only the steps of the branch that is taken run. `condition` is a bool, or what a step gives that
    returns one. Both functions are looked through when the pipeline is planned, so that mistakes in
    either are found; what they make has a meaning only inside of them, and as what they return.

    Raises `BadMap` for what is no condition or no function.
    """
    for name, function in (("then", then), ("otherwise", then if otherwise is None else otherwise)):
        if not callable(function) or getattr(type(function), "__stepwell_reference__", False):
            raise BadMap(
                f"`when(..., {name}=...)` gets {brief(function)}, which is no function",
                why="only the branch that is taken may run, so each must be something to call",
                fixes=["write it as a function of no argument: lambda: train(table)"],
                where=user_line(),
            )
    trace = current()
    then, otherwise = _as_now(then), None if otherwise is None else _as_now(otherwise)
    if trace is None or not isinstance(condition, Reference):
        if not isinstance(condition, bool):
            raise _no_condition(brief(condition), type(condition))
        return then() if condition else otherwise() if otherwise is not None else None
    kind = condition._stepwell_type
    if kind is not None and not fits(kind, bool):
        raise _no_condition(f"`{condition._stepwell_name}`, which gives {show(kind)}", kind)
    return _branched(trace, condition, then, otherwise)


def _branched(
    trace: Trace, condition: Reference, then: Callable[[], Any], otherwise: Callable[[], Any] | None
) -> Reference:
    """The dynamic call of a condition that is not known yet."""
    first, names = trace.preview(then)
    second, others = trace.preview(otherwise) if otherwise is not None else (type(None), [])
    about = f"{_some(names)} if it is true, else {_some(others)}"
    pipeline = trace.innermost
    step = placeholder("when", pipeline.__module__, f"{pipeline.__qualname__}.when", about)

    def body(values: dict[str, Any]) -> object:
        holds = values["condition"]
        if not isinstance(holds, bool):
            raise _no_condition(brief(holds), type(holds))
        trace.branches = (*trace.branches, object())  # until what it gives is bound
        return then() if holds else otherwise() if otherwise is not None else None

    return trace.later(step, [("condition", condition)], _union(first, second), body)


def _as_now(function: Callable[[], Any]) -> Callable[[], Any]:
    """A function that sees the variables around it as they are now, whatever a loop makes of them later."""
    if not isinstance(function, FunctionType) or function.__closure__ is None:
        return function
    cells = []
    for cell in function.__closure__:
        try:
            value = cell.cell_contents
        except ValueError:  # not bound yet
            cells.append(cell)
        else:
            own = value is not function and isinstance(value, FunctionType)
            cells.append(CellType(_as_now(value) if own and value.__closure__ else value))
    made = FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, tuple(cells)
    )
    made.__kwdefaults__ = function.__kwdefaults__
    return made


def _union(first: Any, second: Any) -> object:
    if first == second or first is None or second is None:
        return first if first == second else None
    try:
        return first | second
    except TypeError:  # an annotation that is no type
        return Any


def _some(names: list[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:3])
    return (shown + (f" and {len(names) - 3} more" if len(names) > 3 else "")) or "nothing"


def _no_condition(what: str, kind: object) -> BadArguments:
    return BadArguments(
        f"`when(...)` takes True or False, and gets {what}",
        why=f"what counts as true of {show(kind)} is for a step to say",
        fixes=["let a step decide: def is_big(table: pd.DataFrame) -> bool"],
        where=user_line(),
    )
