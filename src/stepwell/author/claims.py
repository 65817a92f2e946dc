"""What only one call of a pipeline can have: an id, and a file that it writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stepwell.errors import SameName, SameOutputFile, StepwellError
from stepwell.kernel.graph import Node


def doubles(nodes: Sequence[Node]) -> Iterator[StepwellError]:
    """What two calls claim at once: `SameName` for an id, `SameOutputFile` for a file.

    Files are the same in spellings that some file systems do not tell apart (`A.csv`, `a.csv`), and
    a file cannot lie in another one.
    """
    if len({node.id for node in nodes}) == len(nodes) and not any(node.out for node in nodes):
        return  # as in nearly every pipeline; looking at each node costs more
    ids: dict[str, Node] = {}
    files: dict[str, Node] = {}
    for node in nodes:
        other = ids.get(node.id)
        ids.setdefault(node.id, node)
        if other is not None:
            label = node.id.rpartition("/")[2].partition("[")[0]
            yield SameName(
                f"two calls are named `{node.id}`: {other.where or '?'} and {node.where or '?'}",
                why="a label names one call, so that commands can speak of it",
                fixes=[f'give one of them another label: .named("{label}-2")'],
                where=node.where,
            )
        if not node.out:
            continue
        other = files.get(node.out.casefold())
        files.setdefault(node.out.casefold(), node)
        if other is not None:
            both = other.out == node.out
            yield _same_file(
                node,
                f"`{other.id}` and `{node.id}` both write `{node.out}`"
                if both
                else f"`{other.id}` writes `{other.out}` and `{node.id}` writes `{node.out}`",
                "the file would hold the result of whichever ran last"
                if both
                else "where a file system does not tell small letters from large ones, these are one file",
            )
    for name, node in files.items():
        parts = name.split("/")
        for folder in ("/".join(parts[:i]) for i in range(1, len(parts))):
            if folder in files:
                outer = files[folder]
                what = f"`{node.id}` writes `{node.out}`, inside of `{outer.out}`, which `{outer.id}` writes"
                yield _same_file(node, what, "what one step returns would change when the other one runs")


def _same_file(node: Node, what: str, why: str) -> SameOutputFile:
    fixes = ['give one of them another place: .options(out="...")']
    return SameOutputFile(what, why=why, fixes=fixes, where=node.where)
