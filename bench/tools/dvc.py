"""DVC: a stage a step, one shell command each; a file a step, kept in its cache."""

from __future__ import annotations

import subprocess
from pathlib import Path

from measure import environment
from workloads.shape import Contender, Phase

from tools.graph import ADDED, Graph, edited, in_files, phases, right
from tools.shell import HELPER, command
from tools.tool import ALONE, SMALL, Tool, prints, program

DVC = program("dvc", "dvc")


def prepare(graph: Graph, folder: Path) -> None:
    """Write dvc.yaml, and make the folder a project of DVC. Raises `SubprocessError` where it cannot be."""
    (folder / HELPER).write_text("0\n")
    (folder / "v").mkdir()
    lines = ["stages:"]
    for node in graph.nodes():
        out = f"v/{node.layer}_{node.place}"
        files = [f"v/{node.layer - 1}_{place}" for place in node.inputs]
        a, b = files or ("", "")
        text = command(node.kind, a=a, b=b, out=out, number=str(node.place))
        lines.append(f"  n{node.layer}_{node.place}:\n    cmd: {text}\n    outs: [{out}]")
        needed = [*dict.fromkeys(files), *([HELPER] if node.kind == "helped" else [])]
        if needed:
            lines.append(f"    deps: [{', '.join(needed)}]")
    (folder / "dvc.yaml").write_text("\n".join(lines) + "\n")
    called(folder, "init", "--no-scm", "--quiet")


def called(folder: Path, *arguments: str) -> None:
    """Call DVC, unmeasured. Raises `SubprocessError` where it fails."""
    variables = {name: value.format(work=folder) for name, value in ALONE.items()}
    subprocess.run([DVC, *arguments], cwd=folder, env={**environment(), **variables}, check=True)


def layered(graph: Graph, times: int) -> list[Contender]:
    """All phases, and a dry run; one round."""
    read = in_files(graph)
    cold, again, *edits = phases(
        graph,
        read,
        (DVC, "repro", "--quiet"),
        times=1,
        step=edited("dvc.yaml"),
        helper=edited(HELPER, "0\n", f"{ADDED}\n"),
    )
    dry = Phase("plan", (DVC, "repro", "--dry", "--quiet"), right(graph, read), times=min(times, 2))
    done = (cold, again, dry, *edits)
    return [Contender("dvc", done, lambda folder: prepare(graph, folder), "dvc", ALONE, rounds=1)]


def small() -> Contender:
    """A dry run of two steps that are up to date: of others it fails, as their files are not there."""

    def made(folder: Path) -> None:
        prepare(SMALL, folder)
        called(folder, "repro", "--quiet")

    return Contender(
        "dvc repro --dry, two steps",
        (prints(2, "didn't change, skipping", (DVC, "repro", "--dry"))._replace(name="plan, unchanged"),),
        made,
        "dvc",
        ALONE,
    )


TOOL = Tool(
    "dvc",
    {"dvc --help": (DVC, "--help"), "import dvc.api": (program("dvc"), "-c", "import dvc.api")},
    layered,
    largest=100,
    why="1,000 steps do not end within five minutes",
    small=small,
)
