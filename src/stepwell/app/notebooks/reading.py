"""The code cells of a notebook's file, Jupyter's or marimo's, as Python that can be parsed. Nothing is run."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from stepwell.author.cells import statements_of
from stepwell.author.shell import Cell
from stepwell.errors import NotebookUnusable
from stepwell.worker.kinds.cellsof import language, read

__all__ = ["as_written", "code_cells"]

_PYTHON_MAGICS = ("%%time", "%%capture", "%%prun", "%%timeit")
_MAGIC = re.compile(
    r"^(\s*)(?:%time\s+(?P<timed>.*)|[%!?].*|[\w.]+\?{1,2}\s*|(?P<name>[\w, ]+?)\s*=\s*[%!].*)$"
)


def code_cells(path: Path) -> tuple[list[Cell], list[str]]:
    """The cells in the order in which they are executed, and notes on what could not be read.

    Raises `NotebookUnusable` for a file that is no notebook of Python.
    """
    if path.suffix == ".py":
        return _of_marimo(path)
    metadata, found = read(path, path.name)
    if language(metadata) not in ("python", "ipython"):
        raise NotebookUnusable(f"`{path.name}` is a notebook of {language(metadata)}, not of Python")
    cells, notes = [], []
    for one in found:
        code = _python(one.source)
        if code is None:
            notes.append(f"cell {one.number} is no Python: it was left out")
        else:
            cells.append(Cell(one.number, code))
    return cells, notes


def _python(source: str) -> str | None:
    """A cell of Jupyter in which calls stand for what is IPython's (`_magic`); None where it is no Python."""
    source = source.replace("\r\n", "\n")
    if source.lstrip().startswith("%%"):
        magic, _, inside = source.lstrip().partition("\n")
        if magic.split()[0] not in _PYTHON_MAGICS:
            return _magic(source.strip())
        source = inside
    if _parsed(source) is None:
        source = "\n".join(map(_plain, source.split("\n")))
    return source if _parsed(source) is not None else None


def _plain(line: str) -> str:
    """A line in which a call stands for a magic, and a text where it is indented; what `%time` times stays."""
    found = _MAGIC.match(line)
    if found is None:
        return line
    if found["timed"]:
        return f"{found[1]}{found['timed']}"
    if found["name"]:
        return f"{found[1]}{found['name']} = {_magic(line.partition('=')[2].strip())}"
    return f"{found[1]}{line.strip()!r}" if found[1] else _magic(line.strip())


def _magic(text: str) -> str:
    """A call that stands for a magic; `as_written` gives the magic back."""
    return f"get_ipython({text!r})"


def as_written(node: ast.stmt, text: str) -> str:
    """The text of a statement as it stands in the notebook, where a call stands for a magic."""
    value = getattr(node, "value", None)
    if not isinstance(value, ast.Call) or ast.unparse(value.func) != "get_ipython" or len(value.args) != 1:
        return text
    magic = value.args[0]
    if not isinstance(magic, ast.Constant) or not isinstance(magic.value, str):
        return text
    return f"{text.partition('get_ipython(')[0]}{magic.value}"


def _parsed(source: str) -> ast.Module | None:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


# ---------------------------------------------------------------------------- marimo


def _of_marimo(path: Path) -> tuple[list[Cell], list[str]]:
    """The cells of a marimo notebook, each behind those whose names it uses."""
    try:
        source = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NotebookUnusable(f"the notebook `{path.name}` cannot be read: {error}") from error
    tree = _parsed(source)
    if tree is None or not re.search(r"^import marimo\b|^from marimo\b", source, re.MULTILINE):
        raise NotebookUnusable(
            f"`{path.name}` is no notebook",
            why="of Python files, those are notebooks that marimo wrote: they begin with `import marimo`",
        )
    texts = [text for node in tree.body for text in _cell_texts(node, source)]
    cells = [Cell(number, text) for number, text in enumerate(texts, 1)]
    notes = ["a cell that is no Python was left out"] if "unparsable_cell" in source else []
    return _by_use(cells), notes


def _cell_texts(node: ast.stmt, source: str) -> Iterator[str]:
    """The code of the cell that a statement of the file holds, if it holds one."""
    if isinstance(node, ast.With) and any("setup" in ast.unparse(item) for item in node.items):
        yield _body(node.body, source)
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        marks = [ast.unparse(each).split("(")[0] for each in node.decorator_list]
        if "app.cell" in marks:
            body = node.body[:-1] if isinstance(node.body[-1], ast.Return) else node.body
            if body:
                yield _body(body, source)
        elif "app.function" in marks or "app.class_definition" in marks:
            lines = source.split("\n")
            kept = [each for each in node.decorator_list if not ast.unparse(each).startswith("app.")]
            above = [f"@{ast.unparse(each)}" for each in kept]
            yield "\n".join([*above, *lines[node.lineno - 1 : node.end_lineno]])


def _body(body: list[ast.stmt], source: str) -> str:
    """Statements without their margin; comments are kept where that is possible."""
    lines = source.split("\n")
    first = min([body[0].lineno, *(each.lineno for each in getattr(body[0], "decorator_list", ()))])
    while lines[first - 2].strip().startswith("#"):
        first -= 1
    text = textwrap.dedent("\n".join(lines[first - 1 : body[-1].end_lineno]))
    found = _parsed(text)
    same = found is not None and [*map(ast.dump, found.body)] == [*map(ast.dump, body)]
    return text if same else "\n".join(map(ast.unparse, body))  # a text over several lines that has a margin


def _by_use(cells: list[Cell]) -> list[Cell]:
    """The cells so that each comes after those that bind what it uses; else as they stand."""
    parts = [list(statements_of(cell, frozenset(), all_of_them=True)) for cell in cells]
    binds = [{name for one in found for name in one.binds} for found in parts]
    uses = [{name for one in found for name in one.now | one.later} for found in parts]
    out: list[int] = []
    todo = list(range(len(cells)))
    while todo:
        ready = (at for at in todo if not any(binds[other] & uses[at] for other in todo if other != at))
        at = next(ready, todo[0])  # a circle, which marimo would not run either
        todo.remove(at)
        out.append(at)
    return [cells[at] for at in out]
