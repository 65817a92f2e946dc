"""Dagster: a job of ops in one process (its multi-process executor costs seconds a step), outputs in files."""

from __future__ import annotations

from pathlib import Path

from workloads.shape import Contender

from tools.graph import Graph
from tools.script import scripted
from tools.tool import Tool, program


def layered(graph: Graph, times: int) -> list[Contender]:
    """Cold and unchanged, which runs all again; one round."""
    command = ("graph.py", str(graph.width))
    return [scripted("dagster", graph, times, command, prepare=home, slow=True)]


def home(folder: Path) -> None:
    """Its home must be there."""
    (folder / ".dagster").mkdir()
    (folder / ".dagster" / "dagster.yaml").touch()


TOOL = Tool(
    "dagster",
    {
        "dagster --help": (program("dagster", "dagster"), "--help"),
        "import dagster": (program("dagster"), "-c", "import dagster"),
    },
    layered,
    largest=100,
    why="1,000 steps take it more than a minute",
    heavy=True,
)
