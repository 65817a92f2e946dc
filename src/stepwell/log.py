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

from collections.abc import Callable
from typing import Any

Recorder = Callable[[str, float, int | None], None]
"""What takes a metric: its name, its value, and the place in a series, if it is one of a series."""

_recorder: Recorder | None = None


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
