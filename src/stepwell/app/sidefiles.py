"""A step read a file that another one wrote by the way: what ties the two is not in the pipeline.

`w` writes `x.txt` and returns something else, `r` reads `x.txt`: each is kept under what it declares, so
that with both cached the file may be of another run of `w` than the one that counts. Nothing here
forbids that; the run says so, once for each pair.
"""

from __future__ import annotations

from collections.abc import Sequence

from stepwell.app.latest import Latest
from stepwell.kernel.ports import Done, Engine, Report, Task


class SideFiles:
    """Implements `kernel.ports.Engine`: what `engine` executes, with notes on files that pass between steps unseen."""

    def __init__(self, engine: Engine, latest: Latest) -> None:
        self._engine, self._latest = engine, latest
        self._writers: dict[str, int] = {}
        """By path the step of this run that wrote it last."""
        self._told: set[tuple[int, int]] = set()

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
        saw = [one for one in reports if type(one) is Done and (one.wrote or one.observed)]
        if not saw or not (self._writers or any(one.wrote for one in saw)):
            return reports
        return [self._noted(report) if isinstance(report, Done) else report for report in reports]

    def interrupt(self, why: str = "interrupted") -> None:
        """Make `wait` return an `Interrupt` soon."""
        self._engine.interrupt(why)

    def close(self) -> None:
        """End everything."""
        self._engine.close()

    def _noted(self, done: Done) -> Done:
        notes = []
        graph = self._latest.plan.graph
        reader = graph.nodes[done.node].step
        for what, _ in done.observed:
            path = what.removeprefix("file ")
            writer = self._writers.get(path) if path != what else None
            if writer is not None and writer != reader and (writer, reader) not in self._told:
                self._told.add((writer, reader))
                names = (graph.steps[step].name for step in (reader, writer))
                notes.append(_words(path, *names))
        self._writers.update(dict.fromkeys(done.wrote, reader))
        return done._replace(notes=(*done.notes, *notes)) if notes else done


def _words(path: str, reader: str, writer: str) -> str:
    return (
        f"step `{reader}` read `{path}`, which `{writer}` wrote: pass it as a result (`return Path(...)`), "
        f"or its content is not tied to `{writer}`"
    )
