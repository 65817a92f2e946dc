"""Whether a value is what its annotation says, without looking at more than a few items of it."""

from __future__ import annotations

import collections.abc as abc
import types
import typing
from itertools import islice
from typing import Any

from stepwell.codecs.annotations import is_silent, spell, unwrapped

LOOKED_AT = 5
"""Items of a container that are looked at."""

DEEPEST = 6
"""Levels of containers that are looked at."""

Misfit = tuple[str, str]
"""Where in the value (`[0].name`; "" for the value itself), and what is there."""


def fits(value: object, annotation: object) -> str:
    """Empty when a value is of the annotated type; else a clause that says what it is.

    >>> fits("7", int)
    'returned str, its annotation says int'
    >>> fits([1, "2"], list[int])
    'returned list with str at [1], its annotation says list[int]'

    Lenient where people are: an integer is a float, a NumPy number is a number, a protocol is taken
    on trust, and only the first items of a container are looked at. Never raises.
    """
    try:
        found = _misfit(value, annotation, 0)
        if found is None:
            return ""
        where, what = found
        got = what if not where else f"{_kind(value)} with {what} at {where}"
        return f"returned {got}, its annotation says {spell(annotation)}"
    except Exception:  # noqa: BLE001, `isinstance` runs code of the user's classes, and a check may not fail a step
        return ""


def _kind(value: object) -> str:
    return "None" if value is None else type(value).__qualname__


def _misfit(value: Any, annotation: Any, depth: int) -> Misfit | None:
    annotation = unwrapped(annotation)
    if depth > DEEPEST or is_silent(annotation):
        return None
    if annotation is None or annotation is type(None):
        return None if value is None else ("", _kind(value))
    origin, given = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Union or origin is types.UnionType:
        return _misfit_union(value, given, depth)
    if origin is typing.Literal:
        same = any(type(value) is type(option) and value == option for option in given)
        return None if same else ("", repr(value)[:40])
    kind = annotation if origin is None else origin
    if not isinstance(kind, type):
        return None
    if typing.is_typeddict(kind):
        return _misfit_typed_dict(value, kind, depth)
    if not _is_instance(value, kind):
        return "", _kind(value)
    return _misfit_items(value, given, depth) if given else None


def _misfit_union(value: Any, members: tuple[Any, ...], depth: int) -> Misfit | None:
    found: list[Misfit] = []
    for member in members:
        misfit = _misfit(value, member, depth)
        if misfit is None:
            return None
        found.append(misfit)
    deeper = [misfit for misfit in found if misfit[0]]
    return deeper[0] if len(deeper) == 1 else ("", _kind(value))


def _is_instance(value: Any, kind: type) -> bool:
    if isinstance(value, kind):
        return True
    if kind is float or kind is complex:
        return _is_number(
            value, {"integer", "floating"} | ({"complexfloating"} if kind is complex else set())
        ) or (isinstance(value, (int, float)))
    if kind is int:
        return _is_number(value, {"integer"})
    if kind is bool:
        return _is_number(value, {"bool", "bool_"})
    if kind is bytes:
        return isinstance(value, (bytearray, memoryview))
    return kind.__module__.partition(".")[0] == "pandera"


def _is_number(value: Any, kinds: set[str]) -> bool:
    """Whether it is a NumPy scalar of one of these kinds; without importing NumPy."""
    return any(base.__module__ == "numpy" and base.__name__ in kinds for base in type(value).__mro__)


def _misfit_items(value: Any, given: tuple[Any, ...], depth: int) -> Misfit | None:
    """The first item of a container that is not what its arguments say."""
    if (
        isinstance(value, tuple)
        and not hasattr(value, "_fields")
        and not (len(given) == 2 and given[1] is ...)
    ):
        given = () if given == ((),) else given
        if len(value) != len(given):
            return "", f"a tuple of {len(value)}"
        pairs = [(f"[{i}]", item, member) for i, (item, member) in enumerate(zip(value, given, strict=True))]
    elif isinstance(value, dict) and len(given) == 2:
        pairs = list[tuple[str, Any, Any]]()
        for key, item in islice(value.items(), LOOKED_AT):
            pairs += [(f"key {repr(key)[:40]}", key, given[0]), (f"[{repr(key)[:40]}]", item, given[1])]
    elif isinstance(value, (list, tuple)) or (
        isinstance(value, (set, frozenset, abc.KeysView)) and len(given) == 1
    ):
        pairs = [(f"[{i}]", item, given[0]) for i, item in enumerate(islice(value, LOOKED_AT))]
    else:
        return None
    return _first(pairs, depth)


def _misfit_typed_dict(value: Any, kind: Any, depth: int) -> Misfit | None:
    if not isinstance(value, dict):
        return "", _kind(value)
    hints = typing.get_type_hints(kind, include_extras=True)
    missing = sorted(_required(kind, hints) - value.keys())
    if missing:
        return "", f"dict without {', '.join(repr(key) for key in missing[:3])}"
    unknown = [key for key in value if key not in hints]
    if unknown:
        return "", f"dict with the unknown key {unknown[0]!r}"
    return _first([(f"[{key!r}]", item, hints[key]) for key, item in value.items()], depth)


def _required(kind: Any, hints: dict[str, Any]) -> set[str]:
    """The keys that a typed dict must have; `__required_keys__` is wrong for annotations that are text."""
    required = set(kind.__required_keys__)
    for name, hint in hints.items():
        if typing.get_origin(hint) is typing.NotRequired:
            required.discard(name)
        elif typing.get_origin(hint) is typing.Required:
            required.add(name)
    return required


def _first(pairs: list[tuple[str, Any, Any]], depth: int) -> Misfit | None:
    for where, item, member in pairs:
        found = _misfit(item, member, depth + 1)
        if found is not None:
            return where + found[0], found[1]
    return None
