"""The marimo notebook that this program runs in, if it does: its cells, and what they hold.

marimo is never imported here: where it is not running there is nothing to ask. Its cells need no
history, as those of IPython do (`author.shell`): marimo keeps one definition of each name, and what
counts is the graph of all cells as they stand. Names that begin with one underscore belong to their
cell; where two cells have the same one, it is renamed here, for all cells become one module.

The value of an element of the interface (`slider.value`) is what somebody chose, which no worker
can know: names of such objects are `living`, and a step that reads one is refused.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from inspect import unwrap
from typing import Any

from stepwell.author.fingerprint.scopes import FUNCTIONS, bound_names

__all__ = ["Marimo", "marimo"]


class Marimo:
    """A running marimo program, asked as IPython's shell is: `user_global_ns` is what its cells hold."""

    def __init__(self, context: Any) -> None:
        self._context = context
        # `python analysis.py` executes the cells in `__main__`, of which its context gives a copy.
        script = type(context).__name__ == "ScriptRuntimeContext"
        self.user_global_ns: dict[str, Any] = vars(sys.modules["__main__"]) if script else context.globals
        self.filename: str = context.filename or self.user_global_ns.get("__file__") or ""
        """The notebook's file, or ""."""

    def owns(self, function: Callable[..., Any]) -> bool:
        """Whether a cell defined this function; one that stands at the file's top level is the file's."""
        real = unwrap(function)
        if real.__globals__ is not self.user_global_ns:
            return False
        file = real.__code__.co_filename
        return not os.path.isfile(file) or not _is_at_top(file, real.__code__.co_firstlineno)

    def cells(self) -> Iterator[tuple[int, str]]:
        """The Python of every cell, by its place in the notebook from 1."""
        codes = [cell.code for cell in self._context.graph.cells.values()]
        private = [_private(code) for code in codes]
        for at, code in enumerate(codes):
            others = {name for j, names in enumerate(private) if j != at for name in names}
            both = private[at] & others
            yield at + 1, _renamed(code, {name: f"{name}_{at + 1}" for name in both}) if both else code

    def living(self) -> frozenset[str]:
        """The names whose objects change without a cell being edited: elements of the interface, states."""
        return frozenset(
            name
            for name, value in list(self.user_global_ns.items())
            if any(
                kind.__name__ in ("UIElement", "State") and kind.__module__.startswith("marimo.")
                for kind in type(value).__mro__
            )
        )


def marimo() -> Marimo | None:
    """The marimo program that this thread belongs to, or None outside of one."""
    module = sys.modules.get("marimo._runtime.context")
    asked = getattr(module, "safe_get_context", None)
    context = asked() if asked is not None else None
    return Marimo(context) if context is not None else None


def _is_at_top(file: str, line: int) -> bool:
    """Whether a function that begins at a line is one of its file, rather than of a cell in it."""
    try:
        with open(file, encoding="utf-8") as text:
            tree = ast.parse(text.read())
    except (OSError, ValueError, SyntaxError):
        return False
    for node in tree.body:
        if isinstance(node, FUNCTIONS):
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            if first <= line <= (node.end_lineno or node.lineno):
                return not any("cell" in ast.dump(each) for each in node.decorator_list)
    return False


def _private(code: str) -> set[str]:
    try:
        names = bound_names(ast.parse(code).body)
    except (SyntaxError, ValueError):  # such a cell does not run either
        return set()
    return {name for name in names if name.startswith("_") and not name.startswith("__")}


def _renamed(code: str, new: Mapping[str, str]) -> str:
    """The same code with other names for some of its own."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = new.get(node.id, node.id)
        elif isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            node.name = new.get(node.name, node.name)
        elif isinstance(node, ast.alias):
            bound = node.asname or node.name
            node.asname = new.get(bound, node.asname)
    return ast.unparse(tree)
