"""The text of a pipeline file that is made from a notebook: imports, definitions, steps, the pipeline, what was left."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Sequence
from typing import NamedTuple

from stepwell.app.notebooks.chain import Chain
from stepwell.author.cells import Statement
from stepwell.author.shell import Cell

__all__ = ["Parts", "file_text"]

_BIG = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class Parts(NamedTuple):
    """What a file is made of: the notebook's name and cells, the definitions in their order, the chain."""

    notebook: str
    cells: Sequence[Cell]
    definitions: Sequence[Statement]
    chain: Chain


def file_text(parts: Parts) -> str:
    """The text, ending in a line break."""
    chain, found = parts.chain, parts.definitions
    futures = [
        one for one in found if isinstance(one.node, ast.ImportFrom) and one.node.module == "__future__"
    ]
    imports = [
        one for one in found if isinstance(one.node, ast.Import | ast.ImportFrom) and one not in futures
    ]
    others = [one for one in found if one not in futures and one not in imports]
    blocks = [f'"""From the notebook {_in_text(parts.notebook)}."""']
    blocks += [one.text for one in futures]
    blocks.append("\n".join(dict.fromkeys([*_missing(parts, found), *(one.text for one in imports)])))
    blocks += ["\n".join(chain.sources)]
    blocks += _joined([(_definition(parts, one), isinstance(one.node, _BIG)) for one in others])
    blocks += [f"\n{text}" for text in chain.made]
    if chain.body:
        head = f"@pipeline\ndef {chain.pipeline}({', '.join(chain.params)}):"
        blocks.append("\n" + "\n".join([head, *(_margin(line) for line in chain.body)]))
    blocks.append(_left(chain))
    return "\n\n".join(block for block in blocks if block.strip()).rstrip() + "\n"


def _joined(found: Sequence[tuple[str, bool]]) -> list[str]:
    """Definitions as blocks: short ones that stand together in one, functions and classes with two lines above."""
    out: list[str] = []
    small = False
    for text, is_big in found:
        if is_big:
            out.append(f"\n{text}")
        elif small:
            out[-1] += f"\n{text}"
        else:
            out.append(text if not out else f"\n{text}")
        small = not is_big
    return out


def _missing(parts: Parts, found: Sequence[Statement]) -> list[str]:
    """Imports that the file needs and the notebook does not have."""
    chain, bound = parts.chain, {name for one in found for name in one.binds}
    names = ["pipeline"] if chain.body else []
    names += ["source"] if chain.sources else []
    names += ["step"] if chain.steps or chain.made else []
    lines = [f"from stepwell import {', '.join(names)}"] if {*names} - bound else []
    hints = any("tuple[Any" in text for text in chain.made) or bool(chain.parts)
    return [*(["from typing import Any"] if hints and "Any" not in bound else []), *lines]


def _definition(parts: Parts, one: Statement) -> str:
    """A definition with the comment above it in its cell; a function that becomes a step is marked as one."""
    chain, text = parts.chain, one.text
    if isinstance(one.node, ast.FunctionDef) and one.node.name in {*chain.steps, *chain.parts}:
        count = chain.parts.get(one.node.name, 0)
        text = _returning(text, count) if count else text
        text = f"@step\n{text}" if one.node.name in chain.steps else text
    return "\n".join([*_comment(parts.cells, one), text])


def _comment(cells: Sequence[Cell], one: Statement) -> list[str]:
    """The lines of comment right above a statement."""
    code = next((cell.code for cell in cells if cell.number == one.cell), "").split("\n")
    first = at = one.line - 1
    while at > 0 and code[at - 1].startswith("#"):
        at -= 1
    return code[at:first]


def _returning(text: str, count: int) -> str:
    """A function's text that says how many parts it returns: `-> tuple[Any, Any]`."""
    depth, begun = 0, False
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        begun = begun or token.string == "def"
        depth += (token.string in ("(", "[", "{")) - (token.string in (")", "]", "}"))
        if begun and token.string == ":" and depth == 0:
            lines = text.split("\n")
            row, column = token.start[0] - 1, token.start[1]
            line = lines[row]
            lines[row] = f"{line[:column]} -> tuple[{', '.join(['Any'] * count)}]{line[column:]}"
            return "\n".join(lines)
    return text


def _margin(line: str) -> str:
    return "\n".join(f"    {each}" if each.strip() else each for each in line.split("\n"))


def _left(chain: Chain) -> str:
    """What is not in the pipeline, as comments."""
    if not chain.left:
        return ""
    lines = ["\n# Not in the pipeline: displays, experiments, and what only a notebook can do."]
    cell = 0
    for number, text in chain.left:
        lines += [f"# cell {number}"] if number != cell else []
        cell = number
        lines += [f"#     {_printable(line)}".rstrip() for line in text.splitlines()]
    return "\n".join(lines)


def _in_text(name: str) -> str:
    """A file's name inside of a docstring."""
    return _printable(name).replace("\\", "\\\\").replace('"', "'")


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() or c == "\t" else "?" for c in text)
