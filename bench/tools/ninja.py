"""ninja: one shell command a step, as fast as ninja can start them; a file a step."""

from __future__ import annotations

from pathlib import Path

from machine import CORES
from workloads.shape import Contender

from tools.graph import ADDED, Graph, edited
from tools.shell import HELPER, built, command
from tools.tool import SMALL, Tool, prints


def prepare(graph: Graph, folder: Path) -> None:
    """Write build.ninja, in which a dollar sign is written as two."""
    (folder / HELPER).write_text("0\n")
    rules = {
        kind: command(kind, a="$a", b="$b", out="$out", number="$number", dollar="$$")
        for kind in ("start", "add", "middle", "helped")
    }
    lines = [f"rule {kind}\n  command = {text}" for kind, text in rules.items()]
    for node in graph.nodes():
        out = f"v/{node.layer}_{node.place}"
        if not node.inputs:
            lines.append(f"build {out}: start\n  number = {node.place}")
            continue
        a, b = (f"v/{node.layer - 1}_{place}" for place in node.inputs)
        helper = f" | {HELPER}" if node.kind == "helped" else ""
        lines.append(f"build {out}: {node.kind} {a} {b}{helper}\n  a = {a}\n  b = {b}")
    (folder / "build.ninja").write_text("\n".join(lines) + "\n")


def layered(graph: Graph, times: int) -> list[Contender]:
    """With as many jobs as there are processors."""
    return [
        built(
            "ninja",
            graph,
            times,
            lambda folder: prepare(graph, folder),
            ("ninja", f"-j{CORES}"),
            ("ninja", "-n"),
            idle="no work to do",
            step=edited("build.ninja"),
            helper=edited(HELPER, "0\n", f"{ADDED}\n"),
        )
    ]


def small() -> Contender:
    """`ninja -n` on two steps."""
    return Contender(
        "ninja -n, two steps",
        (prints(1, "[2/2]", ("ninja", "-n")),),
        lambda folder: prepare(SMALL, folder),
        "ninja",
    )


TOOL = Tool("ninja", {"ninja --version": ("ninja", "--version")}, layered, small=small)
