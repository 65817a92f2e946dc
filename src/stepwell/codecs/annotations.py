"""Annotated types to codecs, before there is a value: what makes `plan` able to say what will not work.

Three answers: the name of a codec; "" where the annotation leaves it to the value (`Any`, `dict`
without its arguments, a union of a table and None); or an error, for a type that no codec takes.
"""

from __future__ import annotations

import collections
import collections.abc as abc
import functools
import operator
import types
import typing
from collections.abc import Iterable
from typing import Any

from stepwell.codecs.classes import full_name, is_dataclass, is_enum, is_named_tuple
from stepwell.codecs.lookup import PLAIN, by_name, check_library, registered
from stepwell.errors import NoCodec
from stepwell.plugins.registry import registry

_SILENT = (Any, object, typing.NoReturn, typing.Never, typing.Self)
_CONTAINERS = (
    list, tuple, dict, set, frozenset,
    collections.deque, collections.OrderedDict, collections.defaultdict, collections.Counter,
)  # fmt: skip
_ABSTRACT = (
    abc.Sequence, abc.MutableSequence, abc.Collection, abc.Iterable, abc.Container, abc.Reversible,
    abc.Mapping, abc.MutableMapping, abc.Set, abc.MutableSet, abc.Sized, abc.Hashable,
)  # fmt: skip
_WRAPPERS = ("Annotated", "Final", "ClassVar", "Required", "NotRequired", "ReadOnly", "Unpack")
_STREAMS = (
    abc.Iterator, abc.Generator, abc.AsyncIterator, abc.AsyncGenerator, abc.AsyncIterable, abc.Coroutine, abc.Awaitable,
)  # fmt: skip


class _Nothing(Exception):
    """No codec takes a type; `where` leads to it from the annotation."""

    def __init__(self, annotation: object, fix: str = "") -> None:
        super().__init__()
        self.annotation = annotation
        self.fix = fix
        self.where = ""


def codec_for(annotation: object, name: str = "") -> str:
    """The name of the codec for an annotated type; "" where the annotation leaves it to the value.

    `name` is what the error calls the output. Raises `NoCodec` for a type that no codec takes and
    `MissingLibrary` where the library of its codec is not installed. Imports no library.
    """
    try:
        found = _of(annotation, frozenset())
    except _Nothing as nothing:
        raise _no_codec(nothing, annotation, name) from None
    if found:
        check_library(by_name(found))
    return found


def _no_codec(nothing: _Nothing, annotation: object, name: str) -> NoCodec:
    text = spell(nothing.annotation)
    what = f"no codec is known for `{text}`"
    if nothing.annotation is not annotation:
        what += f"{nothing.where} in `{spell(annotation)}`"
    if name:
        what += f", the type of `{name}`"
    fixes = (
        [nothing.fix]
        if nothing.fix
        else ["return a type that has one: plain data, an array, a table, a `Path`"]
    )
    bare = text.rpartition(".")[2]
    return NoCodec(
        what,
        why="an output is stored under the digest of its bytes, so there must be a way to bytes and back",
        fixes=[
            *fixes,
            f"register a codec: `register_codec({bare}, dump=to_bytes, load=from_bytes)`",
            'or say `@step(codec="pickle")`: stored in this store only, and loading it can execute code',
        ],
    )


def spell(annotation: object) -> str:
    """An annotation as people write it: `list[int]`, `DataFrame`, `str | None`."""
    import re

    if annotation is None or annotation is type(None):
        return "None"
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return annotation.__qualname__
    return re.sub(r"\b(?:\w+\.)+(?=\w)", "", str(annotation)).replace("NoneType", "None")


def unwrapped(annotation: Any) -> Any:
    """The annotation below `Annotated`, `NewType`, aliases and qualifiers; a type variable's bound."""
    for _ in range(20):
        if isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        elif isinstance(annotation, typing.TypeVar):
            if annotation.__constraints__:
                return functools.reduce(operator.or_, annotation.__constraints__)
            annotation = annotation.__bound__ if annotation.__bound__ is not None else Any
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        elif type(typing.get_origin(annotation)).__name__ == "TypeAliasType":
            origin, given = typing.get_origin(annotation), typing.get_args(annotation)
            parameters = origin.__type_params__
            value = origin.__value__
            annotation = value[given] if parameters and hasattr(value, "__parameters__") else value
        elif hasattr(annotation, "__metadata__") and hasattr(annotation, "__origin__"):
            annotation = annotation.__origin__  # Annotated
        elif getattr(typing.get_origin(annotation), "_name", None) in _WRAPPERS:
            annotation = typing.get_args(annotation)[0]
        else:
            return annotation
    return Any


def is_silent(annotation: Any) -> bool:
    """Whether an unwrapped annotation says nothing of the value."""
    import inspect

    return (
        annotation is inspect.Parameter.empty
        or any(annotation is silent for silent in _SILENT)
        or isinstance(annotation, (str, typing.ForwardRef, typing.ParamSpec))
        or (isinstance(annotation, type) and getattr(annotation, "_is_protocol", False))
    )


# --------------------------------------------------------------------------- the walk


def _of(annotation: Any, seen: frozenset[type]) -> str:
    annotation = unwrapped(annotation)
    if is_silent(annotation):
        return ""
    if annotation is None or annotation is type(None):
        return "json"
    origin, given = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Union or origin is types.UnionType:
        return _union(given, seen)
    if origin is typing.Literal:
        return _union([type(value) for value in given], seen)
    kind = annotation if origin is None else origin
    if not isinstance(kind, type):
        return ""
    if kind in _STREAMS:
        raise _Nothing(annotation, "return a list: what is read once cannot be stored")
    if kind is abc.Callable or kind in (typing.IO, typing.TextIO, typing.BinaryIO):
        raise _Nothing(annotation)
    if kind in _CONTAINERS:
        return _container(kind, given, seen) if origin is not None else ""
    if kind in _ABSTRACT:
        found = _container(kind, given, seen) if origin is not None else ""
        return found if found == "files" else ""
    return _class(kind, seen)


def _union(members: Iterable[Any], seen: frozenset[type]) -> str:
    """One codec for all members, if there is one; plain data takes in what is plain."""
    found = {_of(member, seen) for member in members}
    if "" in found:
        return ""
    if len(found) == 1:
        return found.pop()
    if found <= PLAIN:
        return "json"
    rest = found - PLAIN
    if rest in ({"bundle"}, {"files"}):
        return rest.pop()
    for name in rest:
        check_library(by_name(name))
    return ""


def _container(kind: type, given: tuple[Any, ...], seen: frozenset[type]) -> str:
    """The codec of a container by what is in it."""
    members = [member for member in given if member is not ... and member != ()]
    if not members:
        return "json" if kind is tuple else ""
    found = {_of(member, seen) for member in members}
    if issubclass(kind, abc.Mapping) and len(members) == 2:
        keys, items = (_of(member, seen) for member in members)
        found = {"json" if keys in ("path", "files") else keys, items}
    if "" in found:
        return ""
    if "path" in found or "files" in found:
        return "files"
    return _whole(found)


def _whole(found: set[str]) -> str:
    """The codec of plain data that holds values of these codecs."""
    for name in found - PLAIN:
        check_library(by_name(name))
    return "json" if found <= PLAIN else "bundle"


def _class(kind: type, seen: frozenset[type]) -> str:
    exact = registry.codec_types.get(full_name(kind))
    if exact is not None:
        return exact
    if is_enum(kind):
        return "json"
    if typing.is_typeddict(kind) or is_named_tuple(kind) or is_dataclass(kind):
        return _record(kind, seen)
    name = registered(kind)
    if name:
        return name
    if kind.__module__.partition(".")[0] == "pandera":
        return _first_base(kind)
    if _is_library_scalar(kind):
        return "json"
    if kind.__module__ in ("numbers", "os", "typing", "collections.abc", "_collections_abc"):
        return ""
    for base in kind.__mro__[1:-1]:
        name = registry.codec_types.get(full_name(base), "")
        if name == "sklearn":
            raise _Nothing(
                kind, "return an estimator of scikit-learn's own: the code of others is not stored with them"
            )
        if name:
            raise _Nothing(
                kind,
                f"return the `{base.__name__}` that it inherits from: a subclass would come back as that",
            )
    raise _Nothing(kind)


def _first_base(kind: type) -> str:
    """The codec of what a `pandera` type stands for: a plain frame whose schema is checked elsewhere."""
    return next(
        (registry.codec_types[n] for n in map(full_name, kind.__mro__) if n in registry.codec_types), ""
    )


def _is_library_scalar(kind: type) -> bool:
    from stepwell.codecs import plain

    return plain.knows(kind) or any(full_name(base) == "numpy.generic" for base in kind.__mro__)


def _record(kind: type, seen: frozenset[type]) -> str:
    """The codec of a dataclass, named tuple or `TypedDict` by its fields. Paths in it are text."""
    if kind in seen:
        return "json"
    try:
        hints = typing.get_type_hints(kind, include_extras=True)
    except Exception:  # noqa: BLE001, annotations are code of the user's, and here they may name what is not there
        return ""
    names: Iterable[str] = hints
    if hasattr(kind, "__dataclass_fields__"):
        names = [field.name for field in _fields(kind)]
    elif hasattr(kind, "_fields"):
        names = kind._fields
    found: set[str] = set()
    for name in names:
        try:
            codec = _of(hints.get(name, Any), seen | {kind})
        except _Nothing as nothing:
            nothing.where = f", the type of `{kind.__name__}.{name}`" + nothing.where
            raise
        found.add("json" if codec in ("path", "files") else codec)
    return "" if "" in found else _whole(found)


def _fields(kind: Any) -> Iterable[Any]:
    import dataclasses

    return dataclasses.fields(kind)
