"""The code cells of a notebook's file, as far as they can be read without running anything."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from stepwell.errors import NotebookUnusable, nearest

TAG = "parameters"
"""The tag of the cell that holds defaults of parameters."""

_MAGIC = re.compile(r"^\s*(?:[%!]|\?|\w+\?\s*$|[^\W\d]\w*\s*=\s*[%!])")


class Cell(NamedTuple):
    """A code cell: its number among the code cells, from 1, its source, and whether it has the tag."""

    number: int
    source: str
    is_tagged: bool


class Names(NamedTuple):
    """Names in cells: those that are bound, those that are only used, and whether other names may be bound unseen."""

    bound: frozenset[str]
    used: frozenset[str]
    is_open: bool


def read(path: Path, name: str) -> tuple[Mapping[str, Any], list[Cell]]:
    """A notebook's metadata and code cells; `name` is what the user calls it. Raises `NotebookUnusable`."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except OSError as error:
        names = sorted(each.name for each in path.parent.glob("*.ipynb")) if path.parent.is_dir() else []
        hint = nearest(path.name, names)
        raise NotebookUnusable(
            f"the notebook `{name}` cannot be read: {error.strerror or error}",
            why=f"it is looked for at `{path}`",
            fixes=[f"did you mean `{Path(name).with_name(hint)}`?"] if hint else [],
        ) from error
    except ValueError as error:
        raise NotebookUnusable(f"`{name}` is no notebook", why=f"it is not JSON: {error}") from error
    cells = content.get("cells") if isinstance(content, dict) else None
    if not isinstance(cells, list) or content.get("nbformat", 0) < 4:
        raise NotebookUnusable(
            f"`{name}` is no notebook of the present format",
            fixes=[f"jupyter nbconvert --to notebook --inplace {name}"],
        )
    try:
        return content.get("metadata") or {}, _cells(cells)
    except (AttributeError, TypeError, KeyError) as error:
        raise NotebookUnusable(f"`{name}` is no valid notebook: its cells cannot be read") from error


def _cells(cells: list[Any]) -> list[Cell]:
    found: list[Cell] = []
    for cell in cells:
        if cell.get("cell_type") == "code":
            source = cell["source"]
            text = source if isinstance(source, str) else "".join(source)
            tags = (cell.get("metadata") or {}).get("tags") or ()
            found.append(Cell(len(found) + 1, text, TAG in tags))
    return found


def language(metadata: Mapping[str, Any]) -> str:
    """The language of a notebook; "python" where it does not say."""
    info = metadata.get("language_info") or {}
    spec = metadata.get("kernelspec") or {}
    return str(info.get("name") or spec.get("language") or "python").lower()


def tree(source: str) -> ast.Module | None:
    """The syntax of a cell without the lines that are IPython's; None where that is no Python."""
    if source.lstrip().startswith("%%"):
        magic, _, source = source.lstrip().partition("\n")
        if magic.split()[0] not in ("%%time", "%%timeit", "%%capture", "%%prun"):
            return None
    lines = [re.sub(r"\S.*", "pass", line) if _MAGIC.match(line) else line for line in source.split("\n")]
    try:
        return ast.parse("\n".join(lines))
    except (SyntaxError, ValueError):
        return None


def has_magic(source: str) -> bool:
    """Whether a cell has lines that are IPython's."""
    return any(_MAGIC.match(line) for line in source.split("\n"))


def code_of(source: str) -> str:
    """The text of a cell that counts: without comments and blank lines, if it is plain Python."""
    found = None if has_magic(source) else tree(source)
    return source.strip() if found is None else ast.unparse(found)


def names_in(cells: list[Cell]) -> Names:
    """The names in cells."""
    bound: set[str] = set()
    used: set[str] = set()
    is_open = False
    for cell in cells:
        found = tree(cell.source)
        is_open = is_open or found is None or has_magic(cell.source)
        for node in ast.walk(found) if found is not None else ():
            if isinstance(node, ast.Name):
                (used if isinstance(node.ctx, ast.Load) else bound).add(node.id)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                bound.add(node.name)
            elif isinstance(node, ast.alias):
                is_open = is_open or node.name == "*"
                bound.add((node.asname or node.name).partition(".")[0])
            elif isinstance(node, ast.ExceptHandler) and node.name:
                bound.add(node.name)
    is_open = is_open or not used.isdisjoint({"exec", "globals", "locals", "vars", "get_ipython"})
    return Names(frozenset(bound), frozenset(used), is_open)
