"""doit: Python functions in its own process; values in its database, or files known by their time stamp."""

from __future__ import annotations

from pathlib import Path

from workloads.shape import Contender, Phase

from tools.graph import Graph, edited, in_files, phases, printed, right
from tools.tool import ALONE, SMALL, Tool, prints, program, project

PYTHON = program("doit")


def layered(graph: Graph, times: int) -> list[Contender]:
    """By values, which is cheapest when cold, and by files, which is cheapest when unchanged."""

    def in_row(folder: Path, _output: str) -> list[int]:
        return printed(folder, (folder / "row.txt").read_text())

    ways = (("doit, values", "dodo_values.py", in_row), ("doit, files", "dodo_files.py", in_files(graph)))
    contenders = []
    for name, file, read in ways:
        given = f"width={graph.width}"
        run = (PYTHON, "-m", "doit", "run", "-f", file, given)
        cold, again, *edits = phases(
            graph, read, run, times=times, step=edited(file), helper=edited("mixing.py")
        )
        plan = Phase("plan", listing(file, given), right(graph, read), times=times)
        rounds = 1 if graph.steps >= 10_000 and file == "dodo_files.py" else 0
        contenders.append(Contender(name, (cold, again, plan, *edits), prepare, "doit", ALONE, rounds=rounds))
    return contenders


def prepare(folder: Path) -> None:
    """Both ways, and the folder for files."""
    project("doit", folder)
    (folder / "v").mkdir()


def listing(file: str, *given: str) -> tuple[str, ...]:
    """The command that says what would run."""
    return (PYTHON, "-m", "doit", "list", "-f", file, "--all", "--status", "--quiet", *given)


def small() -> Contender:
    """`doit list --status` on two steps."""
    given = (f"width={SMALL.width}", f"depth={SMALL.depth}")
    return Contender(
        "doit list --status, two steps",
        (prints(2, "R step:", listing("dodo_files.py", *given)),),
        prepare,
        "doit",
        ALONE,
    )


TOOL = Tool(
    "doit",
    {"doit help": (PYTHON, "-m", "doit", "help"), "import doit": (PYTHON, "-c", "import doit")},
    layered,
    small=small,
)
