"""Conditions on the points of a sweep: `--where "depth < 6 or lr > 0.2"`. A small language, read with `ast`.

It has names of parameters (`depth`, `train.depth`), literals, lists of them, comparisons (chained, and `in`),
`and`, `or`, `not`, `+ - * / // % **`, and parentheses: nothing that calls, subscripts or makes anything,
so that a condition can be taken from anywhere. Dates, paths and members of enums count as their text.
"""

from __future__ import annotations

import ast
import datetime as dt
import enum
import operator
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import PurePath
from typing import Any

from stepwell.author.arguments import brief
from stepwell.errors import BadCondition, nearest

LONGEST = 2_000
"""Characters of a condition."""

HIGHEST = 64
"""The largest exponent."""

WIDEST = 4_096
"""Bits of a whole number that a condition may come to on its way."""

_COMPARE: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda one, some: one in some,
    ast.NotIn: lambda one, some: one not in some,
    ast.Is: operator.eq,
    ast.IsNot: operator.ne,
}
_ARITHMETIC: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}


class Condition:
    """A condition that was read; ask it with `holds(point)`."""

    def __init__(self, text: str, tree: ast.expr, fixed: Mapping[str, object]) -> None:
        self.text = text
        self._tree = tree
        self._fixed = {name: _comparable(value) for name, value in fixed.items()}

    def holds(self, point: Mapping[str, object]) -> bool:
        """Whether it holds for these values by name. Raises `BadCondition` where it cannot be asked of them."""
        names = {**self._fixed}
        for name, value in point.items():
            names[name] = names[_short(name)] = _comparable(value)
        try:
            return bool(_value(self._tree, names))
        except (TypeError, ArithmeticError, ValueError) as error:
            told = ", ".join(f"{name}={brief(value)}" for name, value in point.items())
            raise BadCondition(
                f"`--where {self.text}` cannot be asked of {told}",
                why=f"{type(error).__name__}: {error}",
                fixes=["compare numbers with numbers and texts with texts"],
            ) from None


def condition(text: str, fixed: Mapping[str, object], swept: Collection[str]) -> Condition:
    """Read a condition on parameters: those that are `swept`, and those that have one value, `fixed`.

    Raises `BadCondition` for what is no condition, and for names that no parameter has.
    """
    if len(text) > LONGEST:
        raise BadCondition(f"the condition has {len(text):,} characters, and {LONGEST:,} are the most")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise BadCondition(
            f"`--where {text}` is no condition",
            why=getattr(error, "msg", "") or str(error),
            fixes=['--where "depth < 6 or lr > 0.2"'],
        ) from None
    known = dict.fromkeys((*swept, *map(_short, swept), *fixed))
    for name in _names(tree, text):
        if name not in known:
            hint = nearest(name, known)
            raise BadCondition(
                f"`--where {text}` asks for `{name}`, which is no parameter",
                fixes=[f"did you mean `{hint}`?" if hint else f"parameters are: {', '.join(known)}"],
            )
    return Condition(text, tree, fixed)


def _short(name: str) -> str:
    """The name of a swept argument as a condition can write it: without the sections before its step."""
    return name.rpartition("/")[2]


def _comparable(value: object) -> object:
    """A value as literals can be compared with it."""
    if isinstance(value, enum.Enum):
        return _comparable(value.value)
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    return str(value) if isinstance(value, PurePath) else value


def _names(tree: ast.expr, text: str) -> Iterator[str]:
    """The names in a condition. Raises `BadCondition` for anything that the language does not have."""
    if isinstance(tree, ast.Name | ast.Attribute):
        name = _dotted(tree)
        if name:
            yield name
            return
    elif isinstance(tree, ast.Constant) and isinstance(tree.value, int | float | str | None):
        return
    elif isinstance(tree, ast.BoolOp | ast.List | ast.Tuple | ast.Set):
        for part in tree.values if isinstance(tree, ast.BoolOp) else tree.elts:
            yield from _names(part, text)
        return
    elif isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not | ast.USub | ast.UAdd):
        yield from _names(tree.operand, text)
        return
    elif isinstance(tree, ast.BinOp) and type(tree.op) in _ARITHMETIC:
        yield from _names(tree.left, text)
        yield from _names(tree.right, text)
        return
    elif isinstance(tree, ast.Compare):
        for part in (tree.left, *tree.comparators):
            yield from _names(part, text)
        return
    piece = ast.get_source_segment(text.strip(), tree) or type(tree).__name__
    raise BadCondition(
        f"`{piece}` is not part of the language of conditions",
        why="it has names of parameters, literals, comparisons, in, and, or, not, arithmetic and parentheses",
        fixes=['--where "depth < 6 or lr > 0.2"'],
    )


def _dotted(tree: ast.expr) -> str:
    """`train.depth` of a name with attributes; "" where it begins with anything else than a name."""
    parts: list[str] = []
    while isinstance(tree, ast.Attribute):
        parts.append(tree.attr)
        tree = tree.value
    return ".".join([tree.id, *reversed(parts)]) if isinstance(tree, ast.Name) else ""


def _value(tree: ast.expr, names: Mapping[str, object]) -> Any:
    """What an expression comes to. Raises as Python would for values that do not go together."""
    if isinstance(tree, ast.Constant):
        return tree.value
    if isinstance(tree, ast.Name | ast.Attribute):
        return names[_dotted(tree)]
    if isinstance(tree, ast.BoolOp):
        wanted = isinstance(tree.op, ast.Or)
        found: Any = not wanted
        for part in tree.values:
            found = _value(part, names)
            if bool(found) is wanted:
                break
        return found
    if isinstance(tree, ast.UnaryOp):
        inner = _value(tree.operand, names)
        return (
            not inner if isinstance(tree.op, ast.Not) else -inner if isinstance(tree.op, ast.USub) else +inner
        )
    if isinstance(tree, ast.BinOp):
        return _computed(tree.op, _value(tree.left, names), _value(tree.right, names))
    if isinstance(tree, ast.Compare):
        return _compared(tree, names)
    return [_value(part, names) for part in getattr(tree, "elts", ())]


def _compared(tree: ast.Compare, names: Mapping[str, object]) -> bool:
    left = _value(tree.left, names)
    for operation, part in zip(tree.ops, tree.comparators, strict=True):
        right = _value(part, names)
        if not _COMPARE[type(operation)](left, right):
            return False
        left = right
    return True


def _computed(operation: ast.operator, left: Any, right: Any) -> Any:
    """Arithmetic on numbers only, and only as far as it stays small: a condition cannot take long."""
    for one in (left, right):
        if not hasattr(one, "__abs__") or not hasattr(one, "__add__"):
            raise TypeError(f"{brief(one)} is no number")
    if isinstance(operation, ast.Pow) and abs(right) > HIGHEST:
        raise ValueError(f"an exponent is at most {HIGHEST}")
    found = _ARITHMETIC[type(operation)](left, right)
    if isinstance(found, int) and found.bit_length() > WIDEST:
        raise ValueError("the number is too large")
    return found
