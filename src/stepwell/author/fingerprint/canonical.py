"""Syntax tree -> canonical text: the same text for the same meaning, on every interpreter.

Comments, layout, docstrings, bare constants, `pass` and annotations that mean nothing at run
time leave no trace; everything else does. The text is a bracketed walk of the tree:

    x = a + 1   ->   (Assign targets=[(Name id=x)] value=(BinOp left=(Name id=a) op=(Add) right=i0x1))

Why not what is at hand: byte code differs on each minor version of Python, `ast.dump` differs
between 3.11 and 3.12, and `ast.unparse` is not promised to be stable. Here fields go by name,
in alphabetical order, and absent ones (`None`, empty lists) are left out, so that a new version
that adds an optional field changes nothing. Text constants carry their length instead of being
escaped, because `repr` depends on the version's Unicode tables; integers are hexadecimal,
because decimal has a limit. Pieces of f-strings are merged: 3.12 cuts them elsewhere than 3.11.

The walk keeps its own stack: an expression of ten thousand terms is no problem.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable

from stepwell.named import NamedTuple

__all__ = ["Rules", "canonical", "has_docstring"]

FunctionDef = ast.FunctionDef | ast.AsyncFunctionDef

_SKIPPED = frozenset({"ctx", "kind", "type_comment", "type_ignores", "type_params", "simple"})
_SPECIAL = frozenset(
    {
        ast.JoinedStr,
        ast.FormattedValue,
        ast.FunctionDef,
        ast.AsyncFunctionDef,
        ast.ClassDef,
        ast.AnnAssign,
        ast.arg,
    }
)
_FIELDS: dict[type[ast.AST], tuple[str, ...]] = {}


class Rules(NamedTuple):
    """What the text leaves out, where that depends on what names stand for."""

    strip: Callable[[ast.expr], bool]
    """Is this decorator one of Stepwell's own? It is left out."""

    typed: Callable[[ast.AST], bool]
    """Do the annotations of this function, or the fields of this class, mean something at run time?"""

    docstrings: bool = False
    annotations: bool = False


def canonical(statements: Iterable[ast.AST], rules: Rules) -> str:
    """The canonical text of some statements (or expressions), one after the other."""
    out: list[str] = []
    todo: list[object] = [list(statements)]
    while todo:
        item = todo.pop()
        kind = type(item)
        if kind is str:
            out.append(item)  # type: ignore[arg-type]
        elif kind is ast.Name:
            out.append(f"(Name id={item.id})")  # type: ignore[attr-defined]
        elif kind is ast.Constant:
            out.append(_constant(item.value))  # type: ignore[attr-defined]
        elif isinstance(item, list):
            todo.extend(reversed(_listed(item, rules)))
        elif isinstance(item, ast.AST):
            todo.extend(reversed(_pieces(item, rules)))
        else:
            out.append(_constant(item))
    return "".join(out)


def has_docstring(body: list[ast.stmt]) -> bool:
    """Whether a body opens with a docstring."""
    return bool(body) and isinstance(body[0], ast.Expr) and _is_text(body[0].value)


def _listed(items: list[object], rules: Rules) -> list[object]:
    pieces: list[object] = ["["]
    for item in items:
        if isinstance(item, ast.stmt) and _is_idle(item, rules):
            continue
        if len(pieces) > 1:
            pieces.append(" ")
        pieces.append("_" if item is None else item)
    pieces.append("]")
    return pieces


def _is_idle(statement: ast.stmt, rules: Rules) -> bool:
    """Whether a statement does nothing when it runs."""
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    if isinstance(statement, ast.AnnAssign):
        return statement.value is None and not rules.annotations
    return isinstance(statement, ast.Pass)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _pieces(node: ast.AST, rules: Rules) -> list[object]:
    if type(node) not in _SPECIAL:
        return _fields(node, {})
    if isinstance(node, ast.JoinedStr):
        return _joined(node)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return _function(node, rules)
    if isinstance(node, ast.ClassDef):
        return _class(node, rules)
    if isinstance(node, ast.AnnAssign) and not rules.annotations:
        return ["(Assign targets=[", node.target, "] value=", node.value, ")"]
    if isinstance(node, ast.arg) and not rules.annotations:
        return [f"(arg arg={node.arg})"]
    if isinstance(node, ast.FormattedValue) and _is_empty_spec(node.format_spec):
        return _fields(node, {"format_spec": None})
    return _fields(node, {})


def _fields(node: ast.AST, instead: dict[str, object]) -> list[object]:
    """`(Kind field=value …)`; `instead` replaces some values (None leaves the field out)."""
    kind = type(node)
    names = _FIELDS.get(kind)
    if names is None:
        names = _FIELDS[kind] = tuple(sorted(set(node._fields) - _SKIPPED))
    pieces: list[object] = ["(" + kind.__name__]
    for name in names:
        value = instead[name] if name in instead else getattr(node, name, None)
        if value is None or (isinstance(value, list) and not value):
            continue
        pieces.append(f" {name}=")
        if isinstance(value, str):
            pieces.append(value)  # an identifier
        else:
            pieces.append(value)
    pieces.append(")")
    return pieces


def _function(node: FunctionDef, rules: Rules) -> list[object]:
    instead: dict[str, object] = {
        "decorator_list": [d for d in node.decorator_list if not rules.strip(d)],
        "body": _body(node.body, rules),
    }
    if rules.annotations:
        return _fields(node, instead)
    instead["returns"] = None
    pieces = _fields(node, instead)
    if rules.typed(node):
        pieces[-1:] = [" annotations=", _annotations(node), ")"]
    return pieces


def _annotations(node: FunctionDef) -> list[object]:
    """The annotations of a function: parameters by position, then what it returns."""
    spec = node.args
    args = [*spec.posonlyargs, *spec.args, spec.vararg, *spec.kwonlyargs, spec.kwarg]
    return [*(a.annotation if a else None for a in args), node.returns]


def _class(node: ast.ClassDef, rules: Rules) -> list[object]:
    body: list[object] = list(_body(node.body, rules))
    if rules.typed(node):
        body = [
            ["field", s.target, s.annotation, s.value] if isinstance(s, ast.AnnAssign) else s for s in body
        ]
    kept = [d for d in node.decorator_list if not rules.strip(d)]
    return _fields(node, {"body": body, "decorator_list": kept})


def _body(body: list[ast.stmt], rules: Rules) -> list[ast.stmt | ast.expr]:
    """The body without its docstring; with it as an expression where docstrings count."""
    if rules.docstrings and has_docstring(body) and isinstance(body[0], ast.Expr):
        return [body[0].value, *body[1:]]
    return list(body)


def _is_empty_spec(spec: ast.expr | None) -> bool:
    return isinstance(spec, ast.JoinedStr) and not any(
        v.value if isinstance(v, ast.Constant) else True for v in spec.values
    )


def _joined(node: ast.JoinedStr) -> list[object]:
    """An f-string: neighbouring texts merged, empty ones dropped, a plain text if nothing is filled in."""
    merged: list[object] = []
    text = ""
    for value in node.values:
        if not isinstance(value, ast.Constant):
            merged.append(value)
            text = ""
        else:
            text += str(value.value)
            if merged and isinstance(merged[-1], ast.Constant):
                merged.pop()
            merged += [ast.Constant(text)] if text else []
    if all(isinstance(value, ast.Constant) for value in merged):
        return [ast.Constant(text)]
    return ["(JoinedStr values=", merged, ")"]


def _constant(value: object) -> str:
    """A constant with a letter for its type, so that 1, 1.0, True and "1" differ."""
    if isinstance(value, str):
        return f"s{len(value)}:{value}"
    if isinstance(value, bool) or value is None or value is Ellipsis:
        return repr(value)
    if isinstance(value, int):
        return "i" + hex(value)
    if isinstance(value, float):
        return "f" + value.hex()
    if isinstance(value, complex):
        return f"c{value.real.hex()},{value.imag.hex()}"
    if isinstance(value, bytes):
        return "b" + value.hex()
    raise TypeError(f"no constant of Python is a {type(value).__name__}")
