"""ZenML on its local stack, with its cache, which is on by default."""

from __future__ import annotations

import subprocess
from pathlib import Path

from measure import environment
from workloads.shape import Contender

from tools.graph import STEP_CHANGED, Graph
from tools.script import scripted
from tools.tool import ALONE, Tool, program


def layered(graph: Graph, times: int) -> list[Contender]:
    """Cold, unchanged and one step changed, one round: each takes it most of a minute."""
    width = {"WIDTH": str(graph.width)}
    one = scripted(
        "zenml",
        graph,
        times,
        ("graph.py",),
        source="graph.py",
        prepare=initialized,
        variables=width,
        slow=True,
    )
    kept = tuple(phase for phase in one.phases if phase.name in ("cold", "unchanged", STEP_CHANGED))
    return [one._replace(phases=kept)]


def initialized(folder: Path) -> None:
    """A project with its database made. Raises `SubprocessError` where it cannot be."""
    variables = {name: value.format(work=folder) for name, value in ALONE.items()}
    subprocess.run(
        [program("zenml", "zenml"), "init"],
        cwd=folder,
        env={**environment(), **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )


TOOL = Tool(
    "zenml",
    {
        "zenml --help": (program("zenml", "zenml"), "--help"),
        "import zenml": (program("zenml"), "-c", "import zenml"),
    },
    layered,
    largest=100,
    why="100 steps take it most of a minute",
    heavy=True,
)
