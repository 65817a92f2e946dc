"""make: one shell command a step, without make's implicit rules; a file a step, known by its time stamp."""

from __future__ import annotations

from pathlib import Path

from machine import CORES
from workloads.shape import Contender

from tools.graph import ADDED, Graph, edited
from tools.shell import HELPER, built, command
from tools.tool import SMALL, Tool, prints

RUN = ("make", "-rR", f"-j{CORES}")


def prepare(graph: Graph, folder: Path) -> None:
    """Write the Makefile, in which a dollar sign is written as two."""
    (folder / HELPER).write_text("0\n")
    (folder / "v").mkdir()
    last = " ".join(f"v/{graph.depth - 1}_{place}" for place in range(graph.width))
    lines = [f"all: {last}\n.PHONY: all\n.SUFFIXES:"]
    for node in graph.nodes():
        out = f"v/{node.layer}_{node.place}"
        files = [f"v/{node.layer - 1}_{place}" for place in node.inputs]
        a, b = files or ("", "")
        recipe = command(node.kind, a=a, b=b, out=out, number=str(node.place), dollar="$$")
        helper = [HELPER] if node.kind == "helped" else []
        lines.append(f"{out}: {' '.join([*files, *helper])}\n\t@{recipe}")
    (folder / "Makefile").write_text("\n".join(lines) + "\n")


def layered(graph: Graph, times: int) -> list[Contender]:
    """With as many jobs as there are processors; one round of the large graph, which costs what ninja's does."""
    return [
        built(
            "make",
            graph,
            times,
            lambda folder: prepare(graph, folder),
            RUN,
            (*RUN, "-n"),
            idle="Nothing to be done",
            step=edited("Makefile"),
            helper=edited(HELPER, "0\n", f"{ADDED}\n"),
        )._replace(rounds=1 if graph.steps >= 10_000 else 0)
    ]


def small() -> Contender:
    """`make -n` on two steps."""
    return Contender(
        "make -n, two steps",
        (prints(2, "echo", (*RUN, "-n")),),
        lambda folder: prepare(SMALL, folder),
        "make",
    )


TOOL = Tool("make", {"make --help": ("make", "--help")}, layered, small=small)
