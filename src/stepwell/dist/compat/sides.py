"""The facts that rules look at: a release and what is there now, what was predicted, and what gates say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from stepwell.author.manifest import Manifest
from stepwell.dist.gates import Verdict
from stepwell.dist.lock import Data, Leaving, Lock


class Side(NamedTuple):
    """One of two things that are compared: its lock, and what its manifest says."""

    lock: Lock
    manifest: Manifest = Manifest()


class Predicted(NamedTuple):
    """What a model says now of the rows that the released one was asked about.

    `rows` were asked; of `beyond` of them the answer is further away than `tolerance`, at most by `worst`;
    `flips` have another label, None where the answers are numbers. `refused` is why nothing could be predicted.
    """

    output: str
    rows: int = 0
    beyond: int = 0
    worst: float = 0.0
    tolerance: float = 0.0
    flips: int | None = None
    refused: str = ""


class Sides(NamedTuple):
    """A release (`before`) and what is there now (`after`); `gates` are the verdicts by output."""

    before: Side
    after: Side
    predicted: tuple[Predicted, ...] = ()
    gates: Mapping[str, tuple[Verdict, ...]] = {}

    @property
    def data(self) -> Iterator[tuple[str, Data, Data]]:
        """What came into both, by name."""
        after = self.after.lock.data
        yield from ((name, one, after[name]) for name, one in self.before.lock.data.items() if name in after)

    @property
    def outputs(self) -> Iterator[tuple[str, Leaving, Leaving]]:
        """What leaves both, by name."""
        after = self.after.lock.output
        yield from (
            (name, one, after[name]) for name, one in self.before.lock.output.items() if name in after
        )
