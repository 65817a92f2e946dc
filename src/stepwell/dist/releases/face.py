"""The code that a release adds to a package: `churn.load("model")`, `churn.predict(table)`, `churn.info()`, `churn.data.customers()`.

It is a few lines that name what Stepwell has, so that a type checker sees them and nothing has to be kept in step.
What the package says itself stays what it is: a name that it binds, or a module of that name, is not taken from it.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

RELEASE = '''"""This release: its outputs by name, predictions, and what it was made of. Written by `stepwell release`."""

from stepwell.dist.installed import installed

release = installed(__file__)
load, predict, info, pull, main = release.load, release.predict, release.info, release.pull, release.main
'''
"""`_release/__init__.py`."""

NAMES = ("info", "load", "predict", "pull")

MARK = "# What this release gives besides. Written by `stepwell release`."


def added(init: str, modules: Collection[str], *, data: bool) -> tuple[str, tuple[str, ...]]:
    """The text of a package's `__init__.py` with what a release gives; and the names that the package has itself.

    `modules` are the modules and packages in it, by name; with `data` it has the module `data`, which is imported as well.
    Raises `SyntaxError` where the text is no Python.
    """
    own = {*bound(init), *modules}
    free = [name for name in NAMES if name not in own]
    lines = [f"from ._release import {', '.join(f'{name} as {name}' for name in free)}"] if free else []
    lines += ["from . import data as data"] if data and "data" not in bound(init) else []
    taken = tuple(name for name in NAMES if name in own)
    if not lines or MARK in init:
        return init, taken
    before = init if not init or init.endswith("\n") else init + "\n"
    return before + ("\n" if before else "") + "\n".join([MARK, *lines]) + "\n", taken


def bound(text: str) -> set[str]:
    """The names that a module binds at its top level, also inside of `if`, `try`, `with` and loops."""
    return {*_bound(ast.parse(text).body)}


def _bound(body: list[ast.stmt]) -> Iterator[str]:
    for one in body:
        match one:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield one.name
            case ast.Import() | ast.ImportFrom():
                yield from (each.asname or each.name.partition(".")[0] for each in one.names)
            case _:
                yield from _stored(one)


def _stored(one: ast.stmt) -> Iterator[str]:
    """Names that a statement binds, without those of functions and classes inside it."""
    for name, value in ast.iter_fields(one):
        items = value if isinstance(value, list) else [value]
        statements = [item for item in items if isinstance(item, ast.stmt)]
        yield from _bound(statements)
        for item in items:
            if isinstance(item, ast.ExceptHandler | ast.match_case):
                yield from _bound(item.body)
            elif isinstance(item, ast.withitem):
                yield from _names(item.optional_vars) if item.optional_vars else ()
            elif isinstance(item, ast.expr) and name in ("target", "targets"):
                yield from _names(item)


def _names(tree: ast.expr) -> Iterator[str]:
    return (
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    )
