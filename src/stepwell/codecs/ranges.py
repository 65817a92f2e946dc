"""What an annotation says of a value beyond its type: `Annotated[int, Range(1, 20)]`.

Anything with the attributes `ge`, `gt`, `le`, `lt`, `multiple_of`, `min_length` or `max_length` counts, so
the objects of the package `annotated-types` (and what Pydantic makes of them) do as well.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from typing import Any, NamedTuple

_DEEPEST = 6
_MOST = 1000
"""Items of a container that are looked at."""


class Range(NamedTuple):
    """The least and the greatest value, both allowed; None where there is no bound: `Range(1, 20)`, `Range(ge=0, lt=1)`."""

    ge: Any = None
    le: Any = None
    gt: Any = None
    lt: Any = None


def outside(value: Any, annotation: Any) -> str:
    """A clause that says which bound of its annotation a value breaks, "" where it keeps all of them.

    >>> outside(30, Annotated[int, Range(1, 20)])
    '30 is not at most 20'

    Looks into unions and containers. A value that cannot be compared breaks nothing here: that
    is for the check of types. Never raises.
    """
    try:
        return _outside(value, annotation, 0)
    except Exception:  # noqa: BLE001  comparing runs code of the user's, and types are checked elsewhere
        return ""


def _outside(value: Any, annotation: Any, depth: int) -> str:
    if depth > _DEEPEST or annotation is None:
        return ""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        for said in annotation.__metadata__:
            clause = _breaks(value, said)
            if clause:
                return clause
        return _outside(value, args[0], depth + 1)
    if origin is typing.Union or origin is types.UnionType:
        return _outside_all(value, args, depth)
    if isinstance(value, Mapping) and len(args) == 2:
        pairs = [
            (part, kind)
            for item in list(value.items())[:_MOST]
            for part, kind in zip(item, args, strict=True)
        ]
    elif isinstance(value, tuple) and args[1:] != (Ellipsis,) and len(args) == len(value):
        pairs = list(zip(value, args, strict=True))
    elif isinstance(value, list | tuple | set | frozenset) and args:
        pairs = [(item, args[0]) for item in list(value)[:_MOST]]
    else:
        return ""
    return next((clause for item, kind in pairs if (clause := _outside(item, kind, depth + 1))), "")


def _outside_all(value: Any, members: tuple[Any, ...], depth: int) -> str:
    """Of the members of a union whose type the value has, one must be content."""
    from stepwell.codecs.fit import fits

    clauses = [_outside(value, member, depth + 1) for member in members if not fits(value, member)]
    return clauses[0] if clauses and all(clauses) else ""


_BOUNDS = (
    ("ge", lambda value, bound: value >= bound, "at least"),
    ("gt", lambda value, bound: value > bound, "more than"),
    ("le", lambda value, bound: value <= bound, "at most"),
    ("lt", lambda value, bound: value < bound, "less than"),
    ("multiple_of", lambda value, bound: value % bound == 0, "a multiple of"),
)


def _breaks(value: Any, said: Any) -> str:
    if isinstance(said, type):
        return ""
    shown = repr(value)[:40]
    for name, holds, words in _BOUNDS:
        bound = getattr(said, name, None)
        if bound is not None and not callable(bound) and not holds(value, bound):
            return f"{shown} is not {words} {bound!r}"
    least, most = getattr(said, "min_length", None), getattr(said, "max_length", None)
    if isinstance(least, int) and len(value) < least:
        return f"{shown} has length {len(value)}, not at least {least}"
    if isinstance(most, int) and len(value) > most:
        return f"{shown} has length {len(value)}, not at most {most}"
    return ""
