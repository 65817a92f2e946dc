"""A step called again on recorded inputs, and what it gives compared with what was recorded. Nothing is kept.

Outputs are encoded as in a run, so that "the same" means the same digest; their bytes go to a
folder that is removed afterwards.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from stepwell.app.again import Ready, Session
from stepwell.app.differing import Difference, Kept, compare, kept
from stepwell.kernel.graph import Binding, Pack, StepDef
from stepwell.kernel.ports import Artifact, Failure, Made, Stored
from stepwell.stores.blobs import Blobs
from stepwell.stores.local import LocalStore
from stepwell.worker.inputs import Inputs


class Output(NamedTuple):
    """One output of both executions: `then` or `now` is None where only the other one gave it."""

    name: str
    then: Artifact | None
    now: Artifact | None
    differences: tuple[Difference, ...]

    @property
    def same(self) -> bool:
        """Whether both gave it, with one content."""
        return not self.differences


class Replayed(NamedTuple):
    """What the step returned, how each output compares, and what the step's own judges say against it."""

    value: Any
    outputs: tuple[Output, ...]
    refused: Failure | None = None

    @property
    def same(self) -> bool:
        """Whether everything came out as recorded."""
        return self.refused is None and all(output.same for output in self.outputs)


def replayed(session: Session, store: LocalStore) -> Replayed:
    """Call the step of a session and compare. Raises what the step raises, `StepError`s and `CodecError`s."""
    value = session.call()
    with tempfile.TemporaryDirectory(prefix="stepwell-", ignore_cleanup_errors=True) as folder:
        blobs = Blobs(Path(folder))
        blobs.make()
        made = session.keep(value, blobs)
        outputs = compared(store, session.found.then.wanted.outputs, blobs, made)
    return Replayed(value, outputs, session.refused(value))


def compared(
    store: LocalStore, recorded: Sequence[Artifact], blobs: Blobs, made: Sequence[Made]
) -> tuple[Output, ...]:
    """Outputs that were made anew beside the recorded ones, by name."""
    old = {artifact.name: artifact for artifact in recorded}
    new = {one.artifact.name: one for one in made}
    out = []
    for name in dict.fromkeys([*new, *old]):
        then, now = old.get(name), new.get(name)
        if then is None or now is None:
            word = "is new" if then is None else "is gone"
            kind = "added" if then is None else "missing"
            differences: tuple[Difference, ...] = (Difference("", kind, f"the output {word}"),)
        else:
            differences = tuple(compare(kept(store, then), Kept(now.artifact, blobs, now.data)))
        out.append(Output(name, then, None if now is None else now.artifact, differences))
    return tuple(out)


def recorded_value(found: Ready, store: LocalStore) -> Any:
    """What the step returned then, put together again as it declares now. Raises `ArtifactGone`, `CannotDecode`."""
    step, artifacts = found.task.step, found.then.wanted.outputs
    parts = [Stored(artifact, store.results.data(artifact)) for artifact in artifacts]
    inputs = Inputs(found.loaded.target.root, store.blobs)
    whole: Any = _shaped(step, artifacts, parts)
    return inputs.value(whole)


def _shaped(step: StepDef, artifacts: Sequence[Artifact], parts: Sequence[Stored]) -> Stored | Pack:
    if step.shape == "single" and len(parts) == 1:
        return parts[0]
    names = tuple(artifact.name for artifact in artifacts)
    items: tuple[Binding, ...] = tuple(parts)  # type: ignore[arg-type]
    if step.shape == "tuple":
        return Pack("tuple", items)
    if step.shape == "record" and names == tuple(output.name for output in step.outputs):
        return Pack("record", items, names=names, record=step.record)
    return Pack("dict", items, names=names, keys=names)
