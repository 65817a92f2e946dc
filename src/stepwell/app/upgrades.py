"""What is installed changed while a run went on: what steps give from then on is not kept.

A result is kept under the versions that the plan saw. When somebody upgrades a distribution
meanwhile, a worker may have loaded either version, or one half of each, and nobody can tell which.
So before a result goes to the store, the folders of installed distributions are asked for their
time of change, some 2 µs each; only if that is new, they are read again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from stepwell.app.latest import Latest
from stepwell.author.fingerprint import Project
from stepwell.author.fingerprint.installed import Installed
from stepwell.errors import EnvironmentMoved
from stepwell.kernel.plan import Identity
from stepwell.kernel.ports import Done, Engine, Report, Task
from stepwell.kernel.run import failure_of


def is_distribution(name: str) -> bool:
    """Whether a version that counts is that of a distribution: not `python`, and nothing with a space ("this machine")."""
    return name != "python" and " " not in name


TICK = 50_000_000
"""Nanoseconds after which a change of a folder that leaves no new time is ruled out."""


class Unmoved:
    """Implements `kernel.ports.Engine`: what `engine` executes, refused where the environment is not the planned one.

    A step fails with `EnvironmentMoved` if a distribution that counts for it has another version
    than its identity says, or is gone, at the moment when its end is told.
    """

    def __init__(self, engine: Engine, latest: Latest, root: Path) -> None:
        self._engine, self._latest = engine, latest
        self._path = Project(root).installed.path
        self._times: tuple[int, ...] | None = None
        self._moved: dict[int, str] = {}

    def room(self) -> int:
        """As much as the engine has."""
        return self._engine.room()

    def submit(self, task: Task) -> None:
        """Hand a task to the engine."""
        self._engine.submit(task)

    def withdraw(self) -> Sequence[int]:
        """What the engine has not begun."""
        return self._engine.withdraw()

    def wait(self, timeout: float | None) -> Sequence[Report]:
        """What happened."""
        reports = self._engine.wait(timeout)
        if any(isinstance(report, Done) for report in reports):
            self._look()
            if self._moved:
                return [self._judged(report) if isinstance(report, Done) else report for report in reports]
        return reports

    def interrupt(self, why: str = "interrupted") -> None:
        """Make `wait` return an `Interrupt` soon."""
        self._engine.interrupt(why)

    def close(self) -> None:
        """End everything."""
        self._engine.close()

    def _look(self) -> None:
        """Find out, for each step, what is no longer as planned; only if a folder was written to since the last look."""
        now = time.time_ns()
        times = tuple([_time(folder) for folder in self._path])
        if times == self._times:
            return
        # A change within the same tick of the clock would leave the folder's time as it is.
        self._times = times if all(abs(now - each) > TICK for each in times) else None
        installed = Installed(self._path)
        self._moved = {
            step: told
            for step, identity in enumerate(self._latest.plan.known.identities)
            if (told := _difference(identity, installed))
        }

    def _judged(self, done: Done) -> Done:
        graph = self._latest.plan.graph
        step = graph.nodes[done.node].step
        if done.failure is not None or step not in self._moved or graph.steps[step].place:
            return done  # what is executed elsewhere has other libraries
        error = EnvironmentMoved(
            f"step `{graph.steps[step].name}`: {self._moved[step]}",
            why="it was changed while the run went on; with which of the two the step ran cannot be said, so its result is not kept",
            fixes=["run again"],
        )
        return done._replace(outputs=(), failure=failure_of(error), observed=())


def _time(folder: str) -> int:
    """When a folder was last written to; 0 if it is not there."""
    try:
        return os.stat(folder).st_mtime_ns
    except OSError:
        return 0


def _difference(identity: Identity, installed: Installed) -> str:
    """In words which distribution is not what an identity says; empty if all are."""
    for name, planned in identity.versions.items():
        if not is_distribution(name):
            continue
        facts = installed.facts(name)
        if facts is None:
            return f"`{name}` was {planned} when the run was planned, and is not installed any more"
        if facts.version != planned:
            return f"`{name}` was {planned} when the run was planned, and is {facts.version} now"
    return ""
