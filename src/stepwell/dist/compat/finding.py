"""What a rule is, what it finds, and how bumps are ordered."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

from stepwell.dist.compat.sides import Sides

Bump = Literal["none", "patch", "minor", "major", "blocked"]
"""Which part of a version goes up; "blocked" where no version would do."""

BUMPS: tuple[Bump, ...] = ("none", "patch", "minor", "major", "blocked")
"""From the least to the most."""


class Told(NamedTuple):
    """What a rule says of one place: "data.flights.dep_delay", and what is so there. `bump` where it is another than the rule's."""

    place: str
    what: str
    bump: Bump | None = None


class Rule(NamedTuple):
    """A rule: its id, its name, the bump that it asks for, when it speaks, why that matters, and the function that looks.

    `firm` rules cannot be silenced: they are what the user has asked for.
    """

    id: str
    name: str
    bump: Bump
    when: str
    why: str
    look: Callable[[Sides], Iterable[Told]]
    firm: bool = False


class Finding(NamedTuple):
    """What a rule found: its id and name, where, what, why that matters, the bump that it asks for, and why it was silenced ("" where it was not)."""

    rule: str
    name: str
    place: str
    what: str
    why: str
    bump: Bump
    silenced: str = ""


def most(bumps: Iterable[Bump]) -> Bump:
    """The largest of some bumps; "none" of none."""
    return max(bumps, key=BUMPS.index, default="none")
