"""What is said of code of a project that puts something else in the place of `os.environ`.

A plain dict looks alike, and is not: no process that is started gets what is in it, most libraries do not
see it, and nobody could tell which variables a step reads.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from linecache import getlines

from stepwell.author.where import short
from stepwell.errors import VariablesReplaced
from stepwell.worker.observe import ENVIRON


def replaced(files: Iterable[str]) -> VariablesReplaced:
    """The error for code of these files that put something else in the place of `os.environ`; what was there is put back."""
    kind = type(os.environ).__name__
    os.environ = ENVIRON  # noqa: B003  it is what was there
    file, number, line = next(((file, *found) for file in files if (found := _replacing(file))), ("", 0, ""))
    why = "no process that is started gets what is in it"
    return VariablesReplaced(
        f"`os.environ` was replaced by a {kind}",
        why=f"in the line `{line.strip()}`; {why}" if line else why,
        fixes=[
            "os.environ.update({...})    sets variables in the mapping that is there",
            "os.environ.clear()    before it, if all others are to go",
        ],
        where=f"{short(file)}:{number}" if line else "",
    )


def _replacing(file: str) -> tuple[int, str] | None:
    """The number and text of the first line of a file in which something is assigned to `os.environ`, in whatever form."""
    import ast  # only where there is an error

    lines = getlines(file)
    try:
        nodes = list(ast.walk(ast.parse("".join(lines))))
    except (SyntaxError, ValueError):
        return None
    kept = {id(node.target) for node in nodes if isinstance(node, ast.AugAssign)}  # `|=` leaves it what it is
    numbers = [
        node.lineno
        for node in nodes
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and id(node) not in kept
        if node.attr == "environ" and isinstance(node.value, ast.Name) and node.value.id == "os"
    ]
    return (min(numbers), lines[min(numbers) - 1]) if numbers else None
