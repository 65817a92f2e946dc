"""Type variables of a step: `def first(items: list[T]) -> T` gives an `int` where it is given a `list[int]`.

known = solved([(list[T], list[int])])     # {T: int}
filled(tuple[T, str], known)               # tuple[int, str]
"""

from __future__ import annotations

import functools
import operator
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, Union, get_args, get_origin

from stepwell.author.annotations import plain


def is_generic(annotation: object) -> bool:
    """Whether a type variable is somewhere in an annotation."""
    return isinstance(annotation, TypeVar) or any(map(is_generic, get_args(annotation)))


def solved(pairs: Iterable[tuple[object, object]]) -> dict[TypeVar, object]:
    """What type variables stand for, by pairs of a parameter's annotation and the type it is given.

    A variable that is given several types is their union; one that nothing is known of is left out.
    """
    found: dict[TypeVar, list[object]] = {}
    for wanted, given in pairs:
        _match(wanted, given, found)
    return {variable: _union(kinds) for variable, kinds in found.items() if Any not in kinds}


def _match(wanted: Any, given: Any, found: dict[TypeVar, list[object]]) -> None:
    wanted, given = plain(wanted), plain(given)
    if isinstance(wanted, TypeVar):
        kinds = found.setdefault(wanted, [])
        if given not in kinds:
            kinds.append(Any if given is None else given)
        return
    if not is_generic(wanted):
        return
    if get_origin(wanted) in (Union, types.UnionType):
        variables = [member for member in get_args(wanted) if is_generic(member)]
        rest = [member for member in get_args(wanted) if not is_generic(member)]
        members = get_args(given) if get_origin(given) in (Union, types.UnionType) else (given,)
        open_members = [member for member in members if member not in rest]
        if len(variables) == 1 and open_members:
            _match(variables[0], _union(open_members), found)
        return
    parts, others = get_args(wanted), get_args(given)
    if get_origin(given) is tuple and get_origin(wanted) is not tuple and len(parts) == 1:
        others = (_union([other for other in others if other is not Ellipsis]),)
    elif get_origin(given) is dict and len(parts) == 1:
        others = others[:1]
    if len(parts) == len(others):
        for part, other in zip(parts, others, strict=True):
            if not isinstance(part, list):
                _match(part, other, found)


def _union(kinds: Iterable[Any]) -> Any:
    try:
        return functools.reduce(operator.or_, kinds)
    except TypeError:  # an annotation that is no type, or none at all
        return Any


def filled(annotation: Any, known: Mapping[TypeVar, object]) -> Any:
    """An annotation with its type variables replaced; as it was where one of them is not known."""
    if isinstance(annotation, TypeVar):
        return known.get(annotation, annotation)
    if not is_generic(annotation):
        return annotation
    if get_origin(annotation) is typing.Annotated:
        return filled(get_args(annotation)[0], known)
    try:
        return annotation[tuple(known.get(variable, variable) for variable in annotation.__parameters__)]
    except (TypeError, AttributeError):
        return annotation
