"""Recorded runs as tests: what `stepwell.testing.replay` does."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

from stepwell.app.again import Session, Wish, ready
from stepwell.app.differing import Difference, lines
from stepwell.app.places import stored
from stepwell.app.replay import recorded_value, replayed
from stepwell.author.project import find
from stepwell.author.root import root_of


class Replay(NamedTuple):
    """A step called on recorded inputs.

    `value` is what it returned now, `recorded` what it returned in `run`; `same` if the two come to
    the same digests. `differences` say what differs, `text` the same for people. `notes` are things
    about the inputs that a person should know.
    """

    step: str
    run: str
    value: Any
    recorded: Any
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether everything came out as recorded."""
        return not self.differences

    @property
    def text(self) -> str:
        """What differs, a line each; what an assertion should show."""
        told = lines(self.differences) or ["the same"]
        return "\n".join([f"`{self.step}` with the inputs of {self.run}:", *(f"  {line}" for line in told)])


def replay_step(step: str, run: str, root: str | os.PathLike[str] | None, pipeline: str) -> Replay:
    """Carry `stepwell.testing.replay` out; its words."""
    here = Path.cwd() if root is None else Path(root).resolve()
    folder = find(pipeline, here).root if pipeline else root_of(here)
    wish = Wish(step, "" if run == "last" else run, pipeline, here, outputs=True)
    with stored(folder, looking=True, create=False) as store:
        found = ready(store, wish)
        with Session(found, store, _unheard) as session:
            outcome = replayed(session, store)
            recorded = recorded_value(found, store)
    several = len(outcome.outputs) > 1
    differences = tuple(
        one._replace(where=f"{output.name}{one.where}") if several else one
        for output in outcome.outputs
        for one in output.differences
    )
    if outcome.refused is not None:
        differences = (
            *differences,
            Difference("", "value", f"{outcome.refused.what}: {outcome.refused.why}"),
        )
    return Replay(found.task.id, found.then.run, outcome.value, recorded, differences, found.notes)


def _unheard(name: str, value: float, step: int | None) -> None:
    """Metrics of a replay are not recorded."""
