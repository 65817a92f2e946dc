"""A template that is started while the driver has yet to load the pipeline: both import libraries at the same time.

    with Ahead(root, roots, "pipeline") as ahead:
        ...                                         load, trace, plan
        engine = LocalEngine(..., ahead=ahead)      takes it over with its first task

A plan may show that nothing is to run: what was imported then was in vain, on a processor that had nothing else to
do. So it is not done where there is but one. What the pipeline's modules do to the environment before they import
a library is seen to later: a template that finds another one begins anew (`worker.main`).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from stepwell.engines import machine
from stepwell.engines.supervisor import Supervisor
from stepwell.errors import StepNotLoaded


class Ahead:
    """Holds a template until an engine takes it, or the block ends.

    `root` is the project's, `roots` all places of modules of its own, `module` the one that is about to be loaded. `jobs` as
    of the engine that will take it.
    """

    def __init__(self, root: Path, roots: Sequence[str], module: str, jobs: int = 0) -> None:
        count = machine.processors()
        self._jobs = jobs or count
        self._supervisor: Supervisor | None = None
        if count > 1:
            with suppress(StepNotLoaded):  # which the engine will tell, if it comes to that
                self._supervisor = Supervisor(self._jobs)
                self._supervisor.warm(str(root), list(roots), [module])

    def taken(self, jobs: int) -> Supervisor | None:
        """The template, for an engine with so many workers; None where there is none for it (any more)."""
        if jobs != self._jobs:
            return None
        found, self._supervisor = self._supervisor, None
        return found

    def __enter__(self) -> Ahead:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._supervisor is not None:
            self._supervisor.give_up()
