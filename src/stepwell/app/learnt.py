"""What steps cost, learnt from what they cost before against the size of their inputs.

    learnt = Learnt(store.memo, names, sources={"b3:…": 1_000_000}, size=size_of)
    learnt.estimate("pipeline:train").memory(2_000_000)      bytes at the peak, for inputs of 2 MB
    learnt.need(task)                                        the same for a task that is about to run

One estimator for the forecast of a plan and for what the local engine lets run at once. It is fitted to
at most `KEPT` executions of a step, which are kept with the caches of the store: losing them costs time
only. A step that was never run on a machine has no estimate: then nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from json import dumps, loads
from typing import TYPE_CHECKING

from stepwell.errors import StepOutOfMemory
from stepwell.kernel.graph import Pack
from stepwell.kernel.ports import Outside, Stored
from stepwell.named import NamedTuple
from stepwell.worker.bysteps import BySteps

if TYPE_CHECKING:
    from stepwell.kernel.events import Event
    from stepwell.kernel.graph import StepDef
    from stepwell.kernel.ports import Artifact, Task
    from stepwell.stores.memo import Memo

KEPT = 32
"""Executions of a step that are remembered."""

MARGIN = 1.2
"""What is expected at least of a step that has been seen few times, as a multiple of its highest peak."""

FEW = 4
"""Executions below which a fit is not trusted without the margin."""

SIMILAR = 1.25
"""Inputs up to this many times as large count as of similar size: what was seen there may be needed here."""

SHORT = 0.001
"""Seconds below which nothing but time is measured."""

_NONE: list[Sample] = []

KIND = "cost"
"""The kind of the entries in the memo: by a step's full name, a list of samples."""


class Sample(NamedTuple):
    """One execution of a step: bytes of its inputs, bytes of memory at the peak, seconds."""

    size: int
    memory: int
    seconds: float


class Line(NamedTuple):
    """`base + slope * size`, never falling."""

    base: float
    slope: float

    def at(self, size: int) -> float:
        """The value for inputs of so many bytes."""
        return self.base + self.slope * size


class Estimate(NamedTuple):
    """What a step can be expected to cost, by the size of its inputs."""

    samples: tuple[Sample, ...]
    peak: Line
    time: Line
    least: int = 0
    """The lowest peak that was seen."""

    def memory(self, size: int) -> int:
        """Bytes at the peak: what the fit says, and never less than was seen at similar or smaller inputs."""
        limit = size * SIMILAR
        seen = max([one.memory for one in self.samples if one.size <= limit], default=self.least)
        expected = max(self.peak.at(size), seen)
        return int(expected * (MARGIN if len(self.samples) < FEW else 1.0))

    def seconds(self, size: int) -> float:
        """Wall seconds."""
        return max(self.time.at(size), min(one.seconds for one in self.samples))


def estimate(samples: Sequence[Sample]) -> Estimate:
    """The estimate that at least one execution gives."""
    sizes = [one.size for one in samples]
    return Estimate(
        tuple(samples),
        fitted(sizes, [float(one.memory) for one in samples]),
        fitted(sizes, [one.seconds for one in samples]),
        min(one.memory for one in samples),
    )


def fitted(sizes: Sequence[int], values: Sequence[float]) -> Line:
    """The line of Theil and Sen: the median of the slopes between all pairs, so that no outlier moves it.

    With one size only, or where values fall with the size, it is flat.
    """
    pairs = list(zip(sizes, values, strict=True))
    slopes = [
        (value - other) / (size - smaller)
        for i, (size, value) in enumerate(pairs)
        for smaller, other in pairs[:i]
        if size != smaller
    ]
    slope = max(0.0, _median(slopes)) if slopes else 0.0
    return Line(_median([value - slope * size for size, value in pairs]), slope)


def _median(values: list[float]) -> float:
    """That of `statistics`, which takes 3 ms to import."""
    ordered, middle = sorted(values), len(values) // 2
    return ordered[middle] if len(values) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


class Learnt:
    """The estimates of some steps, and what is added to them while they run.

    `sources` are bytes by the digest of a source's content, `size` gives those of an artifact with all
    its files.
    """

    def __init__(
        self, memo: Memo, names: Iterable[str], sources: Mapping[str, int], size: Callable[[Artifact], int]
    ) -> None:
        self._memo = memo
        self._sources, self._measure = sources, size
        self._sizes: dict[Artifact, int] = {}
        self._samples = {
            name: _read(value) for name, value in memo.get_many(KIND, dict.fromkeys(names)).items()
        }
        self._estimates: dict[str, Estimate | None] = {}
        self._added: dict[str, list[Sample]] = {}
        self._given: dict[int, tuple[str, Task]] = {}
        """What was started and has not ended: the full name of its step, and the task."""
        self._steps = BySteps[tuple[str, dict[int, int] | None]]()
        """Full names, each with what is expected by size; None where the step has not been seen to run."""

    def estimate(self, name: str) -> Estimate | None:
        """The estimate for a step, by its full name; None where it has not been seen to run."""
        if name not in self._estimates:
            samples = self._samples.get(name)
            if samples is None:  # a step that came to the graph while it ran
                value = self._memo.get(KIND, name)
                samples = self._samples[name] = [] if value is None else _read(value)
            self._estimates[name] = estimate(samples) if samples else None
        return self._estimates[name]

    def size(self, artifact: Artifact) -> int:
        """Bytes of an artifact, with those of the files that it refers to."""
        if not artifact.parts:
            return artifact.size
        found = self._sizes.get(artifact)
        if found is None:
            found = self._sizes[artifact] = self._measure(artifact)
        return found

    def need(self, task: Task) -> int:
        """Bytes of memory that a task is expected to need, 0 where nobody knows; it is being started."""
        name, needs = self._steps.of(task.step, self._known)
        self._given[task.node] = (name, task)
        if needs is None:
            return 0
        size = self._taken(task.inputs)
        need = needs.get(size)
        if need is None:
            found = self.estimate(name)
            need = needs[size] = found.memory(size) if found is not None else 0
        return need

    def _known(self, step: StepDef) -> tuple[str, dict[int, int] | None]:
        name = step.full_name
        return name, None if self.estimate(name) is None else {}

    def _taken(self, inputs: Sequence[tuple[str, object]]) -> int:
        """Bytes of a task's inputs, each once."""
        if len(inputs) == 1:  # most steps of wide pipelines, and they are many
            value = inputs[0][1]
            if type(value) is Stored:
                return value.artifact.size if not value.artifact.parts else self.size(value.artifact)
        artifacts: dict[str, Artifact] = {}
        outside: dict[str, int] = {}
        waiting: list[object] = [value for _, value in inputs]
        while waiting:
            value = waiting.pop()
            if type(value) is Stored:
                artifacts[value.artifact.digest] = value.artifact
            elif type(value) is Outside:
                outside[value.digest] = self._sources.get(value.digest, 0)
            elif type(value) is Pack:
                waiting.extend(value.items)
        return sum(map(self.size, artifacts.values())) + sum(outside.values())

    def see(self, event: Event) -> None:
        """Learn from a step that ended; one that ran out of memory needed at least what it had.

        Of executions too short to be measured (`worker.meter`) a few say all.
        """
        name, task = self._given.pop(getattr(event, "node", -1), ("", None))
        if task is None:
            return
        result, failure = getattr(event, "result", None), getattr(event, "failure", None)
        if result is not None:
            memory, seconds = result.memory, result.seconds
        elif failure is not None and failure.code == StepOutOfMemory.code:
            memory, seconds = int(event.memory * MARGIN), event.seconds  # type: ignore[union-attr]
        else:
            return
        added = self._added.get(name, _NONE)
        if not memory or (seconds < SHORT and len(added) >= FEW):
            return
        if added is _NONE:
            added = self._added[name] = []
        added.append(Sample(self._taken(task.inputs), memory, seconds))
        if len(added) > 2 * KEPT:
            del added[:KEPT]

    def keep(self) -> None:
        """Put what was learnt into the memo; the next commit of the store writes it."""
        put = {
            name: dumps([*self._samples.get(name, ()), *added][-KEPT:], separators=(",", ":"))
            for name, added in self._added.items()
        }
        self._memo.put_many(KIND, put)
        self._added.clear()


def _read(value: str | bytes) -> list[Sample]:
    """The samples of an entry; none where it cannot be read: it is a cache."""
    try:
        return [Sample(int(size), int(memory), float(seconds)) for size, memory, seconds in loads(value)]
    except (ValueError, TypeError):
        return []
