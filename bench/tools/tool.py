"""What a tool is: where it is installed, how it starts, how it does the layered graph, and how far."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from machine import PEERS
from workloads.shape import Contender, Phase, Verdict

from tools.graph import Graph

PROJECTS = Path(__file__).parent / "projects"

# A peer finds an empty home folder, writes what it must keep there, and reports nothing to anybody.
ALONE = {
    "HOME": "{work}",
    "DO_NOT_TRACK": "1",
    "DVC_NO_ANALYTICS": "1",
    "DVC_SITE_CACHE_DIR": "{work}/.dvc-site",
    "RAY_USAGE_STATS_ENABLED": "0",
    "PREFECT_HOME": "{work}/.prefect",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DAGSTER_HOME": "{work}/.dagster",
    "DAGSTER_DISABLE_TELEMETRY": "1",
    "ZENML_CONFIG_PATH": "{work}/.zenml-config",
    "ZENML_ANALYTICS_OPT_IN": "false",
    "METAFLOW_USER": "bench",
    "METAFLOW_HOME": "{work}/.metaflowconfig",
    "GIT_PYTHON_REFRESH": "quiet",
}


class Tool(NamedTuple):
    """One tool. `starts` are its start-up commands by label, `small` its plan of two steps where it has one.

    `layered` gives how it does a graph, in one or more ways, each read-only phase `times` times a round;
    `largest` is the most steps it is asked for, and `why` says in a few words why not more. `heavy` is one
    whose mere start takes so long that it is measured less often.
    """

    name: str
    starts: Mapping[str, tuple[str, ...]]
    layered: Callable[[Graph, int], Sequence[Contender]]
    largest: int = 10_000
    why: str = ""
    small: Callable[[], Contender] | None = None
    heavy: bool = False

    @property
    def here(self) -> bool:
        """Whether it is installed, judged by its first start-up command."""
        return all(shutil.which(command[0]) for command in [*self.starts.values()][:1])


def program(tool: str, name: str = "python") -> str:
    """A command of a peer's environment."""
    return str(PEERS / tool / "bin" / name)


def project(name: str, folder: Path) -> None:
    """Put a project of `bench/tools/projects` into an empty folder, and the helper that all of them use."""
    shutil.copytree(PROJECTS / name, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECTS / "mixing.py", folder)


def prints(count: int, what: str, command: tuple[str, ...]) -> Phase:
    """A plan of two steps: the phase whose output must have `what` so many times."""

    def check(_folder: Path, output: str) -> Verdict:
        return Verdict("" if output.count(what) == count else f"{output.count(what)} times {what!r}")

    return Phase("plan of nothing", command, check)


SMALL = Graph(1, 2)
"""The project of two steps."""
