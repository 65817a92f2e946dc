"""From a notebook to a pipeline file: `stepwell new --from analysis.ipynb`.

    converted(Path("analysis.ipynb"))       Converted(text, pipelines, notes, left)

A notebook whose cells define pipelines gives these with all that they reach. One whose cells are plain
Python gives a pipeline that is proposed: functions that the cells call become steps, what is done with
their results between two calls becomes a step too, and the calls become the pipeline's body.
Nothing of the notebook is run.

reading.py   the cells of Jupyter and marimo     chain.py    plain cells as a chain of steps
layout.py    the text of the file
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from stepwell.app.notebooks.chain import Chain, chain_of
from stepwell.app.notebooks.layout import Parts, file_text
from stepwell.app.notebooks.reading import code_cells
from stepwell.author.cells import Statement, definitions, statements_of
from stepwell.author.shell import Cell, Kernel
from stepwell.errors import NothingToConvert

__all__ = ["Converted", "converted"]

NOBODY = Kernel(frozenset(), frozenset())


class Converted(NamedTuple):
    """The text of a pipeline file, the pipelines in it, and in words what a person should look at."""

    text: str
    pipelines: Sequence[str]
    notes: Sequence[str]


def converted(path: Path) -> Converted:
    """The pipeline file of a notebook. Raises `NotebookUnusable`, `NothingToConvert`, `NotInACell`."""
    cells, notes = code_cells(path)
    pipelines = _decorated(cells, "pipeline")
    if pipelines:
        found = definitions(cells, pipelines, NOBODY._replace(pipelines=frozenset(pipelines)))
        parts = Parts(path.name, cells, found, Chain(steps=(), pipeline="", body=(), left=()))
        return Converted(file_text(parts), pipelines, notes)
    chain = chain_of(cells, _decorated(cells, "step"), _name_of(path))
    if not chain.body:
        raise NothingToConvert(
            f"`{path.name}` has nothing that can become a step",
            why="no cell defines a pipeline, and none at its top calls a function of the notebook to keep what it gives",
            fixes=[
                "put what the cells do into functions, and call them: table = load(); model = fit(table)",
                "stepwell new, which writes a pipeline to start from",
            ],
        )
    found = definitions(cells, chain.wanted, NOBODY)
    parts = Parts(path.name, cells, found, chain)
    return Converted(file_text(parts), [chain.pipeline], [*notes, *chain.notes])


def _decorated(cells: Iterable[Cell], word: str) -> list[str]:
    """The names of functions that a decorator of this name, or of a role of steps, stands on; in their order."""
    words = {word} if word == "pipeline" else {word, *_ROLES}
    found: dict[str, None] = {}
    for statement in _all(cells):
        for decorator in getattr(statement.node, "decorator_list", ()):
            name = re.match(r"(?:\w+\.)*(\w+)", _source(decorator))
            if name is not None and name[1] in words:
                found.update(dict.fromkeys(statement.binds))
    return list(found)


_ROLES = ("splitter", "tokenizer", "preprocessor", "trainer", "evaluator", "predictor")


def _all(cells: Iterable[Cell]) -> Iterable[Statement]:
    for cell in cells:
        yield from statements_of(cell, frozenset())


def _source(node: object) -> str:
    import ast

    return ast.unparse(node) if isinstance(node, ast.AST) else ""


def _name_of(path: Path) -> str:
    """A name for the pipeline of a notebook: its file's, made an identifier."""
    name = re.sub(r"\W+", "_", path.stem).strip("_").lower()
    return name if name.isidentifier() else "main"
