"""For those who write tests of their steps; fakes and contract suites for who extends Stepwell.

replay("train")           a step on the inputs of a recorded run, its output compared
memory.MemoryStore        a store without a disk
contracts.StoreContract   what every store must do, as a class to inherit from
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stepwell.testing.recorded import Replay

__all__ = ["replay"]


def replay(
    step: str, run: str = "last", *, root: str | os.PathLike[str] | None = None, pipeline: str = ""
) -> Replay:
    """Call a step as it is now on the inputs that it had in a run, and compare what it gives with the record.

        def test_train_is_as_it_was():
            found = replay("train")
            assert found.same, found.text

    `step` is an id or a name, `run` "r3", or "last" for the newest run that has an output of the
    step. `root` is a folder of the project (default: the working folder), `pipeline` as the command
    takes it ("", "squares", "path.py:squares"). Nothing is recorded. What the step raises is raised;
    else `UnknownRun`, `UnknownStep`, `NotRecorded` where the store has no such record, `CallGone`, `SourceMoved`,
    `InputForgotten`, `ArtifactGone`.
    """
    from stepwell.testing.recorded import replay_step  # the fakes beside it need none of the application

    return replay_step(step, run, root, pipeline)
