"""What is known of step definitions, each by its identity: `BySteps().of(step, make)`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from stepwell.kernel.graph import StepDef

T = TypeVar("T")


class BySteps(Generic[T]):
    """Something for each definition. To compare definitions costs more than all else that is done with them.

    That of the last one that was asked for is at hand: most tasks are of the same step as the one before, and `id`
    is an audit event, which costs more than a lookup.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[StepDef, T]] = {}
        self._latest: tuple[StepDef | None, T | None] = (None, None)

    def get(self, step: StepDef) -> T | None:
        """What is known of a definition, or None."""
        if self._latest[0] is not step:
            held = self._known.get(id(step))
            if held is None or held[0] is not step:
                return None
            self._latest = held
        return self._latest[1]

    def of(self, step: StepDef, make: Callable[[StepDef], T]) -> T:
        """What is known of a definition, made where nothing is. Raises what `make` raises."""
        found = self.get(step)
        if found is None:
            found = make(step)
            self._known[id(step)] = (step, found)
        return found

    def clear(self) -> None:
        """Forget all."""
        self._known.clear()
        self._latest = (None, None)
