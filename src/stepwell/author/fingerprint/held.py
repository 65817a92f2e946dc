"""What a top-level statement may change, and where the objects that it changes may come from.

Both are read off the syntax tree alone and err on the safe side: `x = m.CFG["a"]` makes `x` a part
of `m.CFG`, `x = f(y)` a part of what `f` returns and of `y`, and so does every loop, `match`, `with`
and comprehension that binds `x`. What the names stand for is for `effects` to say.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from stepwell.author.fingerprint.scopes import FUNCTIONS, MUTATORS, Import, Use, bound_names, root_chain
from stepwell.named import NamedTuple

__all__ = [
    "Mention",
    "Touch",
    "bindings",
    "inner_names",
    "is_fixed",
    "is_fresh",
    "mentions",
    "ran",
    "touches",
]

_SETTERS = frozenset({"setattr", "delattr"})
_STEPPERS = frozenset({*_SETTERS, "next"})
_DUNDERS = frozenset(
    {"__setitem__", "__delitem__", "__setattr__", "__delattr__", "__ior__", "__iadd__", "__next__"}
)
_PLAIN_RESULTS = frozenset(
    {"len", "str", "int", "float", "bool", "sum", "repr", "hash", "isinstance", "issubclass", "open", "print"}
    | {"abs", "round", "ord", "chr", "format", "id", "callable", "hasattr", "range", "any", "all"}
)
"""Builtins whose result is no part of what they are given."""
_FRESH = frozenset(
    {"dict", "list", "set", "tuple", "frozenset", "sorted", "bytearray", "defaultdict", "deque", "namedtuple"}
    | {"partial", "count", "cycle", "chain", "array", "local", "getLogger", "object", "compile"}
)
"""Callables without a capital letter that make an object of their own."""
_DISPLAYS = (
    ast.List,
    ast.Dict,
    ast.Set,
    ast.Tuple,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
)
_FIXED = (
    ast.Constant, ast.UnaryOp, ast.BinOp, ast.Tuple, ast.JoinedStr, ast.FormattedValue, ast.operator,
    ast.unaryop, ast.Load, ast.Lambda,
)  # fmt: skip


class Touch(NamedTuple):
    """An expression whose object a statement may change."""

    expression: ast.expr
    attribute: bool = False
    """Is an attribute set, rather than an item or the contents?"""
    given_to: ast.expr | None = None
    """The function that it is given to, where that is all that is known."""
    method: bool = False
    """Is it called by its name? It may be a method that changes its object (`put = CFG.update`)."""


class Mention(NamedTuple):
    """A chain of names that an object may come from."""

    use: Use
    called: bool = False
    """Is it called, or given to a call?"""


def ran(statement: ast.AST) -> Iterator[ast.AST]:
    """Every node that runs with a top-level statement: class bodies, and lambdas where a call gets them."""
    todo: list[ast.AST] = [statement]
    while todo:
        node = todo.pop()
        kind = type(node)
        if kind is ast.Constant or kind is ast.Name:
            continue
        yield node
        if isinstance(node, FUNCTIONS):
            todo += [*node.decorator_list, *node.args.defaults, *(d for d in node.args.kw_defaults if d)]
        elif isinstance(node, ast.Lambda):
            todo += [*node.args.defaults, *(d for d in node.args.kw_defaults if d)]
        else:
            if isinstance(node, ast.Call):
                given = (node.func, *node.args, *(k.value for k in node.keywords))
                todo += [g.body for g in given if isinstance(g, ast.Lambda)]
            todo += ast.iter_child_nodes(node)


def touches(statement: ast.stmt) -> Iterator[Touch]:
    """What a top-level statement may change in place when it runs."""
    for node in ran(statement):
        if isinstance(node, (ast.Attribute, ast.Subscript)):
            if not isinstance(node.ctx, ast.Load):
                whole = isinstance(node, ast.Attribute) and _plain(node)  # `m.CFG = 1` is about CFG, not m
                yield Touch(node if whole else node.value, isinstance(node, ast.Attribute))
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            yield Touch(node.target)
        elif isinstance(node, ast.Call):
            yield from _touched_by(node)


def _touched_by(call: ast.Call) -> Iterator[Touch]:
    function = call.func
    named = function.id if isinstance(function, ast.Name) else ""
    if isinstance(function, ast.Attribute) and function.attr in MUTATORS | _DUNDERS:
        yield Touch(function.value)
        if function.attr in _DUNDERS:
            yield from (Touch(a, True) for a in call.args[:1])  # `object.__setattr__(t, "f", …)`
    elif named in _STEPPERS:
        yield from (Touch(a, named in _SETTERS) for a in call.args[:1])
    elif named:
        yield Touch(function, method=True)
    if _plain(function)[-1:] in (("setitem",), ("delitem",)):
        yield from (Touch(a) for a in call.args[:1])  # of `operator`
    if any(isinstance(a, ast.Name) and a.id in _SETTERS for a in call.args):
        yield from (Touch(a, True) for a in call.args)
    for given in (*call.args, *(k.value for k in call.keywords)):
        if isinstance(given, ast.Attribute) and given.attr in MUTATORS | _DUNDERS:
            yield Touch(given.value)
        elif isinstance(given, (ast.Name, ast.Attribute)):
            yield Touch(given, given_to=function)


def mentions(nodes: Iterable[ast.AST]) -> Iterator[Mention]:
    """The chains that the objects of some code may come from; modules that constant texts name, too."""
    todo: list[tuple[ast.AST, bool]] = [(node, False) for node in nodes]
    while todo:
        node, called = todo.pop()
        if isinstance(node, (ast.Name, ast.Attribute)) and (chain := _plain(node)):
            yield Mention(Use(chain), called)
        elif isinstance(node, (ast.Constant, ast.Compare, ast.JoinedStr)):
            continue
        elif isinstance(node, ast.Call):
            named = _named_module(node)
            if named:
                yield Mention(Use((), Import(named)))
            elif not (isinstance(node.func, ast.Name) and node.func.id in _PLAIN_RESULTS):
                todo += [(part, True) for part in (node.func, *node.args, *(k.value for k in node.keywords))]
        elif isinstance(node, ast.Subscript):
            index = node.slice.value if isinstance(node.slice, ast.Constant) else None
            if _plain(node.value) == ("sys", "modules") and isinstance(index, str):
                yield Mention(Use((), Import(index)))
            else:
                todo.append((node.value, called))
        elif isinstance(node, FUNCTIONS):
            todo += [(d, called) for d in (*node.decorator_list, *node.args.defaults)]
        else:
            todo += [(child, called) for child in ast.iter_child_nodes(node)]


def inner_names(statement: ast.stmt) -> set[str]:
    """The names that comprehensions, lambdas and class bodies of a statement bind for themselves."""
    found: set[str] = set()
    for node in ran(statement):
        if isinstance(node, ast.comprehension):
            found |= bound_names([node.target])
        elif isinstance(node, ast.Lambda):
            found |= {a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)}
        elif isinstance(node, ast.ClassDef):
            found |= bound_names(node.body)
    return found


def bindings(statement: ast.stmt) -> list[ast.AST]:
    """The code that the object of a name comes from, of a statement that binds it."""
    if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
        return [statement.value] if statement.value is not None else []
    return [statement]


def is_fresh(node: ast.AST) -> bool:
    """Whether an expression makes an object of its own: a display, or a call of what looks like a class."""
    if isinstance(node, ast.Call):
        name = (root_chain(node.func) or ("",))[-1] if _plain(node.func) else ""
        return name in _FRESH or name.lstrip("_")[:1].isupper()
    return isinstance(node, _DISPLAYS)


def is_fixed(statement: ast.stmt) -> bool:
    """Whether a statement only gives a name a constant that nobody can change."""
    if not isinstance(statement, (ast.Assign, ast.AnnAssign)) or statement.value is None:
        return False
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    if not all(isinstance(target, ast.Name) for target in targets):
        return False
    if isinstance(statement.value, ast.Lambda):
        return True
    return all(isinstance(node, _FIXED) for node in ast.walk(statement.value))


def _plain(node: ast.AST) -> tuple[str, ...]:
    """`a.b.c` as (a, b, c); nothing for anything else."""
    at = node
    while isinstance(at, ast.Attribute):
        at = at.value
    return root_chain(node) if isinstance(at, ast.Name) else ()


def _named_module(call: ast.Call) -> str:
    """The module that `import_module("t")` or `__import__("t")` gives."""
    first = call.args[0] if len(call.args) == 1 else None
    if (_plain(call.func) or ("",))[-1] not in ("import_module", "__import__"):
        return ""
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""
