"""What types promise: the outputs that a return annotation declares, and whether one type fits another.

`fits` says of an edge what a type checker says of the assignment, as far as both see the same; what
it does not understand it accepts.
"""

from __future__ import annotations

import enum
import functools
import inspect
import operator
import sys
import types
import typing
from collections import Counter, abc
from collections.abc import Callable, Iterable
from functools import lru_cache
from importlib import import_module
from typing import Any, Generic, TypeVar, Union, get_args, get_origin

from stepwell.named import NamedTuple


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
    found = {name: _resolved(value, scope) for name, value in annotations_of(function).items()}
    return {name: hint for name, hint in found.items() if not isinstance(hint, Unresolved)}


class Unresolved(NamedTuple):
    """An annotation that is nothing at run time, such as a name that only type checkers see: what was raised."""

    error: Exception


def _resolved(annotation: object, scope: dict[str, Any]) -> object:
    """What an annotation says in the scope of its module, or `Unresolved`."""
    probe: Any = types.SimpleNamespace(__annotations__={"it": annotation}, __globals__=scope)
    try:
        return typing.get_type_hints(probe, scope, include_extras=True)["it"]
    except Exception as error:  # noqa: BLE001  annotations are code of the user's, which may raise anything
        return Unresolved(error)


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
    return {name: _unqualified(hints.get(name)) for name in names}


def _unqualified(annotation: Any) -> Any:
    """The type of a field without `Required` and the like around it; what `Annotated` adds is kept."""
    while get_origin(annotation) in _WRAPPERS:
        annotation = get_args(annotation)[0]
    return annotation if get_origin(annotation) is typing.Annotated else plain(annotation)


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
    if get_origin(annotation) is typing.Annotated:
        annotation = get_args(annotation)[0]
    if annotation is type(None):
        return "None"
    if get_origin(annotation) is None and isinstance(annotation, type):
        return annotation.__qualname__
    return str(annotation).replace("typing.", "").replace("collections.abc.", "")


def fits(given: object, wanted: object) -> bool:
    """Whether a value of the type `given` may go where `wanted` is declared; True where that cannot be told.

    As type checkers see it, but for two things: a step gets a value of its own, so a `list[bool]` may
    go where a `list[int]` is declared; and a dict may be a typed one, which only its keys tell.
    """
    if given is wanted:
        return True
    given, wanted = _table(plain(given)), _table(plain(wanted))
    if given is None or wanted is None or given == wanted or wanted in (Any, object) or given is Any:
        return True
    if isinstance(wanted, TypeVar):
        return _variable_fits(given, wanted)
    if _is_open(given) or _is_open(wanted):
        return True
    if get_origin(given) in (Union, types.UnionType):
        return all(fits(member, wanted) for member in get_args(given))
    if get_origin(given) is typing.Literal:
        return all(_literal_fits(value, wanted) for value in get_args(given))
    if get_origin(wanted) in (Union, types.UnionType):
        return any(fits(given, member) for member in get_args(wanted))
    if get_origin(wanted) is typing.Literal:
        return _every_value_of(given) <= _tokens(get_args(wanted)) if _every_value_of(given) else False
    if hasattr(given, "__supertype__"):
        return fits(given.__supertype__, wanted)
    if hasattr(wanted, "__supertype__"):
        return False
    return _class_fits(given, wanted)


def _table(annotation: Any) -> Any:
    """What pandera's classes of tables with a contract are to type checkers; the contract is judged when there is a value."""
    if "pandera" not in sys.modules:
        return annotation
    bases = getattr(get_origin(annotation) or annotation, "__mro__", ())
    libraries = [base.__module__.partition(".")[0] for base in bases]
    if "pandera" not in libraries:
        return annotation
    known = ("pandas", "polars", "pyspark", "dask")
    return next((base for base, library in zip(bases, libraries, strict=True) if library in known), Any)


def _is_open(annotation: object) -> bool:
    """Whether an annotation stands for a type that is not known here."""
    return isinstance(annotation, TypeVar | str | typing.ForwardRef | typing.ParamSpec)


def _variable_fits(given: object, variable: TypeVar) -> bool:
    """Whether a type variable can stand for a type: its bound, or one of its constraints, must let it."""
    if variable.__constraints__:
        return any(fits(given, one) for one in variable.__constraints__)
    return variable.__bound__ is None or fits(given, variable.__bound__)


def _literal_fits(value: object, wanted: object) -> bool:
    wanted = plain(wanted)
    if get_origin(wanted) in (Union, types.UnionType):
        return any(_literal_fits(value, member) for member in get_args(wanted))
    if get_origin(wanted) is typing.Literal:
        return any(type(value) is type(option) and value == option for option in get_args(wanted))
    return fits(type(value), wanted)


def _every_value_of(given: object) -> set[tuple[type, object]]:
    """All values of a type that has few (None, bool, an enum), each with its type; none of other types."""
    if given is type(None):
        return {(type(None), None)}
    if given is bool:
        return _tokens((True, False))
    if isinstance(given, type) and issubclass(given, enum.Enum):
        return _tokens(tuple(given))
    return set()


def _tokens(values: Iterable[object]) -> set[tuple[type, object]]:
    return {(type(value), value) for value in values}


_PROMOTED = {float: (int,), complex: (int, float)}


def _class_fits(given: Any, wanted: Any) -> bool:
    has, needs = get_origin(given) or given, get_origin(wanted) or wanted
    if not isinstance(has, type) or not isinstance(needs, type):
        return True
    if getattr(needs, "_is_protocol", False):
        return _has_methods(has, needs)
    if getattr(has, "_is_protocol", False):
        return True
    if typing.is_typeddict(needs):
        return _keys_fit(has, needs) if typing.is_typeddict(has) else issubclass(has, abc.Mapping)
    if typing.is_typeddict(has):
        has, given = dict, _as_dict(has)
    if any(issubclass(has, narrow) for narrow in _PROMOTED.get(needs, ())):
        return True
    try:
        if not issubclass(has, needs):
            return False
    except TypeError:
        return True
    return _arguments_fit(given, wanted)


def _has_methods(has: type, protocol: type) -> bool:
    """Whether a class has every method of a protocol, by name: what they take and give is not compared."""
    names = {
        name
        for base in protocol.__mro__
        if getattr(base, "_is_protocol", False) and base.__module__ != "typing"
        for name, value in vars(base).items()
        if callable(value) and name not in _OF_EVERY_CLASS and not name.startswith("_abc_")
    }
    return all(getattr(has, name, None) is not None for name in names)


_OF_EVERY_CLASS = frozenset(
    (
        "__init__",
        "__subclasshook__",
        "__class_getitem__",
        "__init_subclass__",
        "__new__",
        "__annotate__",
        "__annotate_func__",
    )
)


def _keys_fit(has: Any, needs: Any) -> bool:
    """Whether one typed dict may stand for another: what must be there is, and what both have fits."""
    given, wanted = _hints(has), _hints(needs)
    if not required_keys(needs) <= required_keys(has):
        return False
    return all(fits(given[name], kind) for name, kind in wanted.items() if name in given)


def _as_dict(kind: type) -> Any:
    """A typed dict as a dict of texts to whatever its values are."""
    kinds = [Any if kind is None else kind for kind in _fields(kind, annotations_of(kind)).values()]
    try:
        return types.GenericAlias(dict, (str, functools.reduce(operator.or_, kinds)))
    except TypeError:  # an annotation that is no type, or no keys at all
        return dict


def _arguments_fit(given: Any, wanted: Any) -> bool:
    """Whether the arguments in brackets fit, where they mean the same in both types."""
    needs, parts = get_origin(wanted) or wanted, get_args(wanted)
    seen = _seen_as(given, needs)
    if seen is None or not parts:
        return True
    if (get_origin(seen) or seen) is tuple:
        return _tuple_fits(get_args(seen), needs, parts, bare=seen is tuple)
    items = get_args(seen)
    if not items or len(items) != len(parts) or Ellipsis in (*items, *parts):
        return True
    return all(isinstance(a, list) or fits(a, b) for a, b in zip(items, parts, strict=True))


def _tuple_fits(items: tuple[Any, ...], needs: type, parts: tuple[Any, ...], *, bare: bool) -> bool:
    if bare or any(get_origin(item) is typing.Unpack for item in (*items, *parts)):
        return True
    members = [item for item in items if item is not Ellipsis]
    if needs is tuple and Ellipsis not in parts:
        parts = () if parts == ((),) else parts
        return Ellipsis not in items and len(items) == len(parts) and all(map(fits, items, parts))
    return all(fits(member, parts[0]) for member in members)


_ITEMS = {str: str, bytes: int, bytearray: int, range: int, memoryview: int}
"""Classes without brackets that have items, and of which type."""


def _seen_as(given: Any, needs: type) -> Any:
    """A type as the generic class `needs` that it inherits from, with arguments; None where they are not known."""
    has, items = get_origin(given) or given, get_args(given)
    if has is needs or has is tuple:
        return given
    for base, item in _ITEMS.items():
        if issubclass(has, base):
            return abc.Sequence[item]  # type: ignore[valid-type]
    if has is Counter and items:
        items = (*items, int)
    if hasattr(has, "_fields") and issubclass(has, tuple):
        return tuple[tuple(_fields(has, has._fields).values())]  # type: ignore[misc]
    if has.__module__ in _CONTAINERS and needs.__module__ in _CONTAINERS:
        one = issubclass(has, dict | abc.Mapping) and not issubclass(needs, abc.Mapping)
        return types.GenericAlias(list, items[:1] if one else items) if items else None
    for base in getattr(has, "__orig_bases__", ()):
        origin = get_origin(base)
        if isinstance(origin, type) and origin is not Generic and issubclass(origin, needs):
            return _seen_as(_with(base, has, items), needs)
    return None


def _with(base: Any, has: Any, items: tuple[Any, ...]) -> Any:
    """A base class's arguments, with the type variables of the class that inherits from it replaced by its own."""
    own = getattr(has, "__parameters__", ())
    known = dict(zip(own, items, strict=False)) if items else {}
    free = getattr(base, "__parameters__", ())
    return base[tuple(known.get(variable, Any) for variable in free)] if free else base


_CONTAINERS = ("builtins", "collections", "collections.abc")
"""Modules whose generic classes all mean the same by their arguments: the items, or keys and values."""
