"""What is in one of two locks and not in the other: pipelines and outputs that are gone or new, columns that leave."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

from stepwell.dist.compat.finding import Told
from stepwell.dist.compat.sides import Sides
from stepwell.dist.lock import Lock

Look = Callable[[Sides], Iterator[Told]]


def gone(kind: Literal["pipeline", "output"]) -> Look:
    """What of a kind is not there any more."""

    def look(sides: Sides) -> Iterator[Told]:
        return _missing(kind, sides.before.lock, sides.after.lock, "is gone")

    return look


def added(kind: Literal["pipeline", "output"]) -> Look:
    """What of a kind is new."""

    def look(sides: Sides) -> Iterator[Told]:
        return _missing(kind, sides.after.lock, sides.before.lock, "is new")

    return look


def _missing(kind: str, there: Lock, other: Lock, told: str) -> Iterator[Told]:
    names = getattr(other, kind)
    return (Told(f"{kind}.{name}", told) for name in getattr(there, kind) if name not in names)
