"""Names and files that two calls of a pipeline claim at once: `doubles(nodes)` gives an error for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stepwell.errors import SameName, SameOutputFile, StepwellError
from stepwell.kernel.graph import Node


def doubles(nodes: Sequence[Node]) -> Iterator[StepwellError]:
    """`SameName` for each id that two calls have, `SameOutputFile` for each file that two would write.

    Files are the same in spellings that some file systems do not tell apart (`A.csv`, `a.csv`), and
    a file cannot lie in another one.
    """
    ids: dict[str, Node] = {}
    files: dict[str, Node] = {}
    for node in nodes:
        other = ids.setdefault(node.id, node)
        if other is not node:
            yield _same_name(other, node)
        if node.out:
            other = files.setdefault(node.out.casefold(), node)
            if other is not node:
                yield _same_file(other, node)
    for name, node in files.items():
        parts = name.split("/")
        above = ("/".join(parts[:i]) for i in range(1, len(parts)))
        yield from (_inside(files[folder], node) for folder in above if folder in files)


def _same_name(other: Node, node: Node) -> SameName:
    label = node.id.rpartition("/")[2].partition("[")[0]
    return SameName(
        f"two calls are named `{node.id}`: {other.where or '?'} and {node.where or '?'}",
        why="a label names one call, so that commands can speak of it",
        fixes=[f'give one of them another label: .named("{label}-2")'],
        where=node.where,
    )


def _same_file(other: Node, node: Node) -> SameOutputFile:
    fixes = ['give one of them another file: .options(out="...")']
    if other.out == node.out:
        return SameOutputFile(
            f"`{other.id}` and `{node.id}` both write `{node.out}`",
            why="the file would hold the result of whichever ran last",
            fixes=fixes,
            where=node.where,
        )
    return SameOutputFile(
        f"`{other.id}` writes `{other.out}` and `{node.id}` writes `{node.out}`",
        why="where a file system does not tell small letters from large ones, these are one file",
        fixes=fixes,
        where=node.where,
    )


def _inside(folder: Node, node: Node) -> SameOutputFile:
    return SameOutputFile(
        f"`{node.id}` writes `{node.out}`, inside of `{folder.out}`, which `{folder.id}` writes",
        why="what one step returns would change when the other one runs",
        fixes=['give one of them another place: .options(out="...")'],
        where=node.where,
    )
