"""What a step gave is told when it is kept: durable in the store, and in the run's record.

    engine = Durably(engine, store)
    for event in drive(plan, engine=engine, ...):
        record.add(event)                           but for `KEPT`, which is no event
        yield from engine.told(event)               those that may be told now

Results are written some tens of milliseconds' worth at once, and a step that a killed run showed as done was to be
found as done by the next. So whoever tells of steps holds back until it hears of that, between the reports of tasks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from stepwell.kernel.events import Event, RunFinished, StepFinished
from stepwell.kernel.ports import Engine, Report, Task
from stepwell.stores.local import LocalStore

KEPT: Final[Any] = ("kept",)
"""Stands between the reports of an engine; `drive` hands it on, as it does with what it does not know."""


class Durably:
    """Implements `kernel.ports.Engine`: what `engine` executes, and `KEPT` where something is not told before that."""

    def __init__(self, engine: Engine, store: LocalStore) -> None:
        self._engine, self._database = engine, store.database
        self._held: list[Event] = []

    def told(self, event: Event) -> Sequence[Event]:
        """What may be told now that this event is recorded, in order; the end of a step, and what follows, only when it is kept."""
        if event is not KEPT:
            self._held.append(event)
            waits = type(event) is StepFinished or len(self._held) > 1
            if waits and type(event) is not RunFinished:  # with which all is written
                return ()
        found, self._held = self._held, []
        return found

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
        """What happened, behind `KEPT` at once where what was held back may be told."""
        if self._held and not self._database.pending:
            return [KEPT, *self._engine.wait(0)]
        return self._engine.wait(timeout)

    def interrupt(self, why: str = "interrupted") -> None:
        """Make `wait` return an `Interrupt` soon."""
        self._engine.interrupt(why)

    def close(self) -> None:
        """End everything."""
        self._engine.close()
