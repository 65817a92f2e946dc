"""What the points of a sweep need of an engine and of a store while they are driven as one run.

The engine hands tasks on under the point's own run and the step's own id, a few points at a time where that
was asked for, and one at a time those that claim the same file: each point writes `report.html`, and what
one writes must be in the store before the next one writes. The store keeps results under the run of the
point that made them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from stepwell.kernel.ports import Done, Engine, Made, Report, Result, Store, Task


class Whose(NamedTuple):
    """The point of a node, by its place, the run of that, and the node's own id in it."""

    place: int
    run: str
    id: str


class PointEngine:
    """Implements `kernel.ports.Engine` around another one. `whose` tells of a node, `over` whether a point has ended.

    At most `parallel` points have tasks with the engine at once (0: any number). Where all of these wait for
    others, because a step that they share is first met in another point, that one's task is let through.
    """

    def __init__(
        self, engine: Engine, whose: Callable[[int], Whose], over: Callable[[int], bool], parallel: int = 0
    ) -> None:
        self._engine, self._whose, self._over, self._parallel = engine, whose, over, parallel
        self._held: list[Task] = []
        self._flying: dict[int, Task] = {}
        self._points: set[int] = set()
        self.runs: dict[str, str] = {}
        """By key of a task that was handed on, the run that it is of."""

    def room(self) -> int:
        """As much as the engine has: what is held back does not count, since others may go before it."""
        return self._engine.room()

    def submit(self, task: Task) -> None:
        """Hand a task on, now or when its turn has come."""
        self._held.append(task)
        self._hand_on()

    def withdraw(self) -> Sequence[int]:
        """What was held back, and what the engine has not begun."""
        back = self._engine.withdraw()
        for node in back:
            self._flying.pop(node, None)
        held, self._held = self._held, []
        return [*back, *(task.node for task in held)]

    def wait(self, timeout: float | None) -> Sequence[Report]:
        """What happened."""
        self._hand_on()
        reports = self._engine.wait(timeout)
        for report in reports:
            if isinstance(report, Done):
                self._flying.pop(report.node, None)
        return reports

    def interrupt(self, why: str = "interrupted") -> None:
        """Make `wait` return an `Interrupt` soon."""
        self._engine.interrupt(why)

    def close(self) -> None:
        """End everything."""
        self._engine.close()

    def _hand_on(self) -> None:
        """Hand on what may be, the first points first."""
        if not self._held:
            return
        self._points = {place for place in self._points if not self._over(place)}
        self._held.sort(key=lambda task: self._whose(task.node).place)
        room = max(self._engine.room(), 0 if self._flying else 1)
        left: list[Task] = []
        for task in self._held:
            if room > 0 and self._may(task):
                self._submit(task)
                room -= 1
            else:
                left.append(task)
        if left and not self._flying:
            self._submit(left.pop(0))
        self._held = left

    def _may(self, task: Task) -> bool:
        place = self._whose(task.node).place
        if task.out and any(other.out == task.out for other in self._flying.values()):
            return False
        if not self._parallel or place in self._points or len(self._points) < self._parallel:
            self._points.add(place)
            return True
        return False

    def _submit(self, task: Task) -> None:
        _, run, own = self._whose(task.node)
        self._flying[task.node] = task
        self.runs[task.key] = run
        self._engine.submit(task._replace(run=run, id=own))


class PointStore:
    """Implements `kernel.ports.Store` around another one: a result is of the run whose task made it."""

    def __init__(self, store: Store, runs: dict[str, str]) -> None:
        self._store, self._runs = store, runs

    def __getattr__(self, name: str) -> Any:
        """All but `keep` is the store's own."""
        return getattr(self._store, name)

    def keep(self, result: Result, made: Iterable[Made]) -> None:
        """Keep what a step gave."""
        self._store.keep(result._replace(run=self._runs.get(result.key, result.run)), tuple(made))
