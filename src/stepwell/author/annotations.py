"""What types promise: the outputs that a return annotation declares, and whether one type fits another.

Nothing here is a type checker: `fits` refuses only what cannot work, and what it does not
understand it accepts. Editors and type checkers see the functions' own types and say the rest.
"""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from importlib import import_module
from typing import Any, NamedTuple, TypeVar, Union, get_args, get_origin


class Shape(NamedTuple):
    """How a value of a type comes apart: "tuple", "record" (named tuple, dataclass) or "dict" (typed dict).

    `ordered`: its parts can be unpacked and indexed by number. `record` is "module:qualname".
    `whole`: made of exactly these parts, so that they can be kept one by one and put together again.
    """

    kind: str
    names: tuple[str, ...]
    types: tuple[object, ...]
    ordered: bool
    record: str = ""
    whole: bool = True


def hints_of(function: Callable[..., Any]) -> dict[str, object]:
    """A function's annotations, resolved one by one; what cannot be resolved is left out."""
    scope = getattr(inspect.unwrap(function), "__globals__", {})
    out: dict[str, object] = {}
    for name, value in annotations_of(function).items():
        probe = types.SimpleNamespace(__annotations__={name: value}, __globals__=scope)
        try:
            out[name] = typing.get_type_hints(probe, scope, include_extras=True)[name]  # type: ignore[arg-type]
        except Exception:  # noqa: BLE001, S112  a name that only type checkers see promises nothing at run time
            continue
    return out


def annotations_of(thing: Any) -> dict[str, object]:
    """The annotations of a function or class as they were written; those that cannot be evaluated as text.

    Python 3.14 evaluates them when they are asked for, and would raise for names that only type checkers see.
    """
    if sys.version_info >= (3, 14):
        lazily = import_module("annotationlib")
        return dict(lazily.get_annotations(thing, format=lazily.Format.FORWARDREF))
    return dict(getattr(thing, "__annotations__", {}))


_WRAPPERS = (typing.Required, typing.NotRequired, typing.Final, typing.ClassVar)


def plain(annotation: Any) -> Any:
    """An annotation without `Annotated`, `Required`, type alias and the like around it."""
    while True:
        origin = get_origin(annotation)
        if origin is typing.Annotated or origin in _WRAPPERS:
            annotation = get_args(annotation)[0]
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        elif type(origin).__name__ == "TypeAliasType":
            value = origin.__value__
            annotation = value[get_args(annotation)] if getattr(value, "__parameters__", ()) else value
        else:
            return annotation


def shape_of(annotation: object) -> Shape | None:
    """How values of a type come apart, or None if they do not, or not in a way that is known beforehand."""
    try:
        return _shape_of(annotation)
    except TypeError:  # not hashable, so not cached
        return _shape_of.__wrapped__(annotation)


@lru_cache(maxsize=1024)
def _shape_of(annotation: object) -> Shape | None:
    annotation = plain(annotation)
    origin = get_origin(annotation)
    if origin is tuple:
        args = get_args(annotation)
        if not args or Ellipsis in args or any(get_origin(arg) is typing.Unpack for arg in args):
            return None
        return Shape("tuple", tuple(str(i) for i in range(len(args))), args, True)
    cls = origin or annotation
    if not isinstance(cls, type):
        return None
    if typing.is_typeddict(cls):
        fields = _fields(cls, annotations_of(cls))
        every = required_keys(cls) == fields.keys()
        return Shape("dict", tuple(fields), tuple(fields.values()), False, whole=every) if fields else None
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        fields = _fields(cls, cls._fields)
        return Shape("record", tuple(fields), tuple(fields.values()), True, _path(cls)) if fields else None
    if hasattr(cls, "__dataclass_fields__"):
        return _dataclass(cls)
    return None


def _dataclass(cls: Any) -> Shape | None:
    from dataclasses import fields as dataclass_fields  # whoever has one has paid for the import

    parts = dataclass_fields(cls)
    found = _fields(cls, [part.name for part in parts])
    if not found:
        return None
    try:
        taken = set(inspect.signature(cls).parameters)
    except (TypeError, ValueError):
        taken = set()
    whole = taken == {part.name for part in parts if part.init} == found.keys()
    return Shape("record", tuple(found), tuple(found.values()), False, _path(cls), whole)


def _fields(cls: type, names: Iterable[str]) -> dict[str, object]:
    hints = _hints(cls)
    return {name: plain(hints.get(name)) for name in names}


def _hints(cls: type) -> dict[str, object]:
    """The annotations of a class, resolved; none where one of them names what only type checkers see."""
    try:
        return typing.get_type_hints(cls, include_extras=True)
    except Exception:  # noqa: BLE001  annotations are code of the user's
        return {}


def required_keys(cls: Any) -> set[str]:
    """The keys that a typed dict must have; `__required_keys__` is wrong for annotations that are text."""
    found = set(cls.__required_keys__)
    for name, hint in _hints(cls).items():
        if get_origin(hint) is typing.NotRequired:
            found.discard(name)
        elif get_origin(hint) is typing.Required:
            found.add(name)
    return found


def _path(cls: type) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def show(annotation: object) -> str:
    """A type as the user would write it."""
    if annotation is None:
        return "unknown"
    if annotation is type(None):
        return "None"
    if get_origin(annotation) is None and isinstance(annotation, type):
        return annotation.__qualname__
    return str(annotation).replace("typing.", "").replace("collections.abc.", "")


_PROMOTED = {float: (int,), complex: (int, float)}


def fits(given: object, wanted: object) -> bool:
    """Whether a value of the type `given` may go where `wanted` is declared; True where that cannot be told."""
    if given is wanted:
        return True
    given, wanted = plain(given), plain(wanted)
    if given is None or wanted is None or given == wanted or wanted in (Any, object) or given is Any:
        return True
    if _is_open(given) or _is_open(wanted):
        return True
    if get_origin(given) in (Union, types.UnionType):
        return all(fits(member, wanted) for member in get_args(given))
    if get_origin(given) is typing.Literal:
        return all(_literal_fits(value, wanted) for value in get_args(given))
    if get_origin(wanted) in (Union, types.UnionType):
        return any(fits(given, member) for member in get_args(wanted))
    if get_origin(wanted) is typing.Literal:
        return any(fits(given, type(value)) for value in get_args(wanted))
    if hasattr(given, "__supertype__"):
        return fits(given.__supertype__, wanted)
    if hasattr(wanted, "__supertype__"):
        return fits(given, wanted.__supertype__)
    return _class_fits(given, wanted)


def _is_open(annotation: object) -> bool:
    """Whether an annotation stands for a type that is not known here."""
    return isinstance(annotation, TypeVar | str | typing.ForwardRef | typing.ParamSpec) or (
        isinstance(annotation, type) and bool(getattr(annotation, "_is_protocol", False))
    )


def _literal_fits(value: object, wanted: object) -> bool:
    wanted = plain(wanted)
    if get_origin(wanted) in (Union, types.UnionType):
        return any(_literal_fits(value, member) for member in get_args(wanted))
    if get_origin(wanted) is typing.Literal:
        return any(type(value) is type(option) and value == option for option in get_args(wanted))
    return fits(type(value), wanted)


def _class_fits(given: object, wanted: object) -> bool:
    has, needs = get_origin(given) or given, get_origin(wanted) or wanted
    if not isinstance(has, type) or not isinstance(needs, type) or getattr(needs, "_is_protocol", False):
        return True
    if typing.is_typeddict(needs):
        if typing.is_typeddict(has):
            return required_keys(needs) <= annotations_of(has).keys()
        return issubclass(has, Mapping)
    if typing.is_typeddict(has):
        has, given = dict, dict
    if has in _PROMOTED.get(needs, ()):
        return True
    try:
        if not issubclass(has, needs):
            return False
    except TypeError:
        return True
    return _arguments_fit(has, get_args(given), needs, get_args(wanted))


def _arguments_fit(has: type, given: tuple[object, ...], needs: type, wanted: tuple[object, ...]) -> bool:
    """Whether the arguments in brackets fit, where they mean the same in both types."""
    if not given or not wanted:
        return True
    if has is tuple:
        members = [arg for arg in given if arg is not Ellipsis]
        if needs is tuple and Ellipsis not in wanted:
            return Ellipsis in given or (len(given) == len(wanted) and all(map(fits, given, wanted)))
        return all(fits(member, wanted[0]) for member in members)
    if has is dict and len(wanted) == 1:
        given = given[:1]  # iterating a mapping gives its keys
    alike = has is needs or (has.__module__ in _CONTAINERS and needs.__module__ in _CONTAINERS)
    if not alike or len(given) != len(wanted) or Ellipsis in (*given, *wanted):
        return True
    return all(isinstance(a, list) or fits(a, b) for a, b in zip(given, wanted, strict=True))


_CONTAINERS = ("builtins", "collections", "collections.abc")
"""Modules whose generic classes all mean the same by their arguments: the items, or keys and values."""
