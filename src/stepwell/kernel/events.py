"""What happens during a run, as frozen facts in the order in which they happened.

`run.drive` yields them; the record keeps them, the terminal and the page draw them. Whoever
needs to know more than an event says looks it up in the plan by `node`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from stepwell.kernel.plan import Decision, Plan
from stepwell.kernel.ports import Artifact, Failure, Result, Told

Status = Literal["succeeded", "failed", "interrupted"]
"""How a run ended."""


class StepStarted(NamedTuple):
    """A step began to run, in process `pid`."""

    node: int
    pid: int = 0


class StepReused(NamedTuple):
    """A step was up to date after all that came before it was known."""

    node: int
    decision: Decision
    result: Result


class StepFinished(NamedTuple):
    """A step ran and succeeded. `unchanged`: it gave what its previous result had."""

    node: int
    decision: Decision
    result: Result
    unchanged: bool = False
    notes: tuple[str, ...] = ()


class StepFailed(NamedTuple):
    """A step ran and failed. Seconds of wall and processor time, peak memory in bytes.

    `refused` is what it gave where a judge (`validate=`) did not accept it.
    """

    node: int
    decision: Decision
    failure: Failure
    seconds: float = 0.0
    cpu: float = 0.0
    memory: int = 0
    refused: tuple[Artifact, ...] = ()


class StepRetried(NamedTuple):
    """An attempt (they count from 1) failed, and the step is run again after `wait` seconds."""

    node: int
    failure: Failure
    attempt: int
    wait: float


class StepBlocked(NamedTuple):
    """A step could not run because of something before it."""

    node: int
    decision: Decision


class StepGrew(NamedTuple):
    """A dynamic call became steps: `plan` is the larger plan, where they stand behind all others.

    Nodes keep their positions, and `first` is that of the first new one.
    """

    node: int
    plan: Plan
    first: int


class StepInterrupted(NamedTuple):
    """A step was running, or waiting to, when the run was stopped."""

    node: int
    decision: Decision
    started: bool


class StepRepaired(NamedTuple):
    """A result that had been counted on turned out to be missing or damaged; its step runs again."""

    node: int
    why: str


class RunFinished(NamedTuple):
    """The last event of every run."""

    status: Status
    seconds: float


Event = (
    StepStarted
    | StepReused
    | StepFinished
    | StepFailed
    | StepRetried
    | StepBlocked
    | StepGrew
    | StepInterrupted
    | StepRepaired
    | Told
    | RunFinished
)
"""Everything that `drive` can yield."""
