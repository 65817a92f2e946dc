"""The peers whose graph is a Python script of the project of their name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from workloads.shape import Contender

from tools.graph import Graph, Read, edited, phases, printed
from tools.tool import ALONE, program, project


def scripted(
    tool: str,
    graph: Graph,
    times: int,
    command: tuple[str, ...],
    *,
    name: str = "",
    source: str = "",
    read: Read = printed,
    prepare: Callable[[Path], None] = lambda _folder: None,
    variables: Mapping[str, str] | None = None,
    slow: bool = False,
) -> Contender:
    """A contender whose `command` (after its own Python) does the graph, by the project of the tool's name.

    `source` is the file with the code of the step in the middle; where there is none, the tool runs
    all again whatever changes, and is not asked for the phases of changes. `prepare` is done after the
    project is in place. A `slow` one has one round.
    """

    def ready(folder: Path) -> None:
        project(tool, folder)
        prepare(folder)

    done = phases(
        graph,
        read,
        (program(tool), *command),
        times=1 if slow else times,
        step=edited(source) if source else None,
        helper=edited("mixing.py") if source else None,
    )
    return Contender(name or tool, done, ready, tool, {**ALONE, **(variables or {})}, rounds=1 if slow else 0)
