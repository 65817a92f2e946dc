"""What types promise: the outputs that a return annotation declares, and whether one type fits another.

Nothing here is a type checker: `fits` refuses only what cannot work, and what it does not
understand it accepts. Editors and type checkers see the functions' own types and say the rest.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar, Union, get_args, get_origin

NOTHING = None
"""The annotation of what has none. (The annotation `None` is kept as `type(None)`.)"""


class Shape(NamedTuple):
    """How a value of a type comes apart: "tuple", "record" (named tuple, dataclass) or "dict" (typed dict).

    `ordered`: its parts can be unpacked and indexed by number. `record` is "module:qualname".
    """

    kind: str
    names: tuple[str, ...]
    types: tuple[object, ...]
    ordered: bool
    record: str = ""


def hints_of(function: Callable[..., Any]) -> dict[str, object]:
    """A function's annotations, resolved one by one; what cannot be resolved is left out."""
    raw = dict(getattr(function, "__annotations__", {}))
    if not any(isinstance(value, str) for value in raw.values()):
        return {name: _none_type(value) for name, value in raw.items()}
    out: dict[str, object] = {}
    scope = getattr(function, "__globals__", {})
    for name, value in raw.items():
        probe = types.SimpleNamespace(__annotations__={name: value}, __globals__=scope)
        try:
            out[name] = typing.get_type_hints(probe, scope, include_extras=True)[name]  # type: ignore[arg-type]
        except Exception as error:  # noqa: BLE001  a name that only type checkers see promises nothing at run time
            out.pop(name, None)
            _UNRESOLVED[f"{getattr(function, '__qualname__', '?')}.{name}"] = repr(error)
    return {name: _none_type(value) for name, value in out.items()}


_UNRESOLVED: dict[str, str] = {}


def _none_type(value: object) -> object:
    return type(None) if value is None else value


def plain(annotation: object) -> object:
    """An annotation without `Annotated`, `Required`, type alias and the like around it."""
    while True:
        origin = get_origin(annotation)
        if origin is typing.Annotated or origin in (
            typing.Required,
            typing.NotRequired,
            typing.Final,
            typing.ClassVar,
        ):
            annotation = get_args(annotation)[0]
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__  # type: ignore[attr-defined]
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
        if not args or args == ((),) or Ellipsis in args:
            return None
        return Shape("tuple", tuple(str(i) for i in range(len(args))), args, True)
    cls = origin or annotation
    if not isinstance(cls, type):
        return None
    if typing.is_typeddict(cls):
        fields = _fields(cls, cls.__annotations__)
        return Shape("dict", tuple(fields), tuple(fields.values()), False) if fields else None
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        fields = _fields(cls, dict.fromkeys(cls._fields))
        return Shape("record", tuple(fields), tuple(fields.values()), True, _path(cls)) if fields else None
    if hasattr(cls, "__dataclass_fields__"):
        from dataclasses import fields as dataclass_fields

        found = _fields(cls, {field.name: None for field in dataclass_fields(cls)})
        return Shape("record", tuple(found), tuple(found.values()), False, _path(cls)) if found else None
    return None


def _fields(cls: type, names: Mapping[str, object]) -> dict[str, object]:
    try:
        hints = typing.get_type_hints(cls, include_extras=True)
    except Exception as error:  # noqa: BLE001  of names that only type checkers see, the parts are known, their types are not
        _UNRESOLVED[cls.__qualname__] = repr(error)
        hints = {}
    return {name: plain(hints.get(name)) for name in names}


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
    given, wanted = plain(given), plain(wanted)
    if given is None or wanted is None or given == wanted or wanted in (Any, object) or given is Any:
        return True
    if isinstance(given, TypeVar | str) or isinstance(wanted, TypeVar | str):
        return True
    if get_origin(given) in (Union, types.UnionType):
        return all(fits(member, wanted) for member in get_args(given))
    if get_origin(wanted) in (Union, types.UnionType):
        return any(fits(given, member) for member in get_args(wanted))
    if get_origin(given) is typing.Literal:
        return (
            all(fits(type(value), wanted) for value in get_args(given))
            or get_origin(wanted) is typing.Literal
        )
    if get_origin(wanted) is typing.Literal:
        return any(fits(given, type(value)) for value in get_args(wanted))
    if hasattr(given, "__supertype__"):
        return fits(given.__supertype__, wanted)
    if hasattr(wanted, "__supertype__"):
        return fits(given, wanted.__supertype__)
    return _class_fits(given, wanted)


def _class_fits(given: object, wanted: object) -> bool:
    has, needs = get_origin(given) or given, get_origin(wanted) or wanted
    if not isinstance(has, type) or not isinstance(needs, type):
        return True
    if getattr(needs, "_is_protocol", False) or typing.is_typeddict(needs):
        return (
            not typing.is_typeddict(has)
            or has is needs
            or not typing.is_typeddict(needs)
            or _keys_fit(has, needs)
        )
    if typing.is_typeddict(has):
        has = dict
    if has in _PROMOTED.get(needs, ()):
        return True
    try:
        if not issubclass(has, needs):
            return False
    except TypeError:
        return True
    return _arguments_fit(has, get_args(given), needs, get_args(wanted))


def _keys_fit(has: type, needs: type) -> bool:
    return all(name in has.__annotations__ for name in needs.__annotations__)


def _arguments_fit(has: type, given: tuple[object, ...], needs: type, wanted: tuple[object, ...]) -> bool:
    if not given or not wanted:
        return True
    if has is tuple:
        members = [arg for arg in given if arg is not Ellipsis]
        if needs is tuple and Ellipsis not in wanted:
            return Ellipsis in given or (len(given) == len(wanted) and all(map(fits, given, wanted)))
        return all(fits(member, wanted[0]) for member in members)
    alike = has is needs or (len(given) <= 2 and needs.__module__ in ("collections.abc", "typing"))
    if not alike or len(given) != len(wanted) or Ellipsis in (*given, *wanted):
        return True
    return all(isinstance(a, list) or fits(a, b) for a, b in zip(given, wanted, strict=True))
