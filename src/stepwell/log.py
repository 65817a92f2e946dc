"""Recording from inside a step: what `from stepwell import log` gives.

    @step
    def train(table: pd.DataFrame) -> Model:
        for epoch in range(10):
            ...
            log.metric("loss", loss, step=epoch)

A metric is stored with the run, shown while the step runs, and compared between runs. Outside a
step (in a unit test, or while a module is imported) recording does nothing, so that code which
records can be called from anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

Recorder = Callable[[str, float, int | None], None]
"""What takes a metric: its name, its value, and the place in a series, if it is one of a series."""

_recorder: Recorder | None = None


class RunningService(NamedTuple):
    """A service that runs while a step does: where it listens, and its own folder."""

    name: str
    host: str
    port: int
    folder: Path

    @property
    def address(self) -> str:
        """Host and port, "127.0.0.1:40913"."""
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The address as that of a web server."""
        return f"http://{self.address}"


class CurrentStep(NamedTuple):
    """The execution that is going on: the call's id, its key, the run, and the attempt, counted from 1.

    `key` is the same in every attempt at the same work, in this run and in others, and differs as
    soon as code, inputs or parameters do: the idempotency key for whatever the step does outside.
    `services` are those that the step asks for (`services=[...]`), by name.
    """

    id: str = ""
    key: str = ""
    run: str = ""
    attempt: int = 1
    services: Mapping[str, RunningService] = MappingProxyType({})


OUTSIDE = CurrentStep()
"""No step is running: a unit test, a notebook."""

_step = OUTSIDE


def current_step() -> CurrentStep:
    """The step that is running, for effects that must happen once: `post(url, key=current_step().key)`.

    Outside of a step all of its texts are empty.
    """
    return _step


def enter(step: CurrentStep) -> None:
    """Say which step is running from now on. For workers."""
    global _step  # as `_recorder`  # noqa: PLW0603
    _step = step


def metric(name: str, value: Any, step: int | None = None) -> None:
    """Record a number under a name; `step` counts in a series (an epoch, a fold).

    `value` is anything that `float()` takes: an int, a NumPy scalar, a tensor of one element.
    Without `step`, a later value of the same name replaces an earlier one. Does nothing outside a
    step. Raises `TypeError` or `ValueError` where the name is not text or the value not a number.
    """
    if not isinstance(name, str) or not name:
        raise TypeError(f"a metric's name is text, not {name!r}")
    if isinstance(value, str):
        raise TypeError(f"metric `{name}` is the text {value!r}, not a number")
    number = float(value)
    place = None if step is None else int(step)
    if _recorder is not None:
        _recorder(name, number, place)


def record_with(recorder: Recorder | None) -> Recorder | None:
    """Send metrics to `recorder` from now on (None: nowhere); returns where they went before. For workers."""
    global _recorder  # one task at a time in a process, and the threads of a step share it
    before, _recorder = _recorder, recorder
    return before
