"""A sign of life where lines are read as they come and nothing has been said for a while: in a log, in CI, through a pipe."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from stepwell.app.pace import Far, rest_of
from stepwell.cli.text import clean, seconds, short
from stepwell.errors import counted

SILENCE = 30.0
"""Seconds without a line after which one says what is going on."""

MOST = 3
"""Steps that it names."""


def beat_line(done: int, total: int, running: list[tuple[str, float, Far | None]], clock: str) -> str:
    """The line: the time of day, how many steps have ended, and what runs since how many seconds, how far that is."""
    told = []
    for name, elapsed, far in running[:MOST]:
        rest = rest_of(elapsed, far, None)
        share = f", {far.share:.0%}" if far is not None and far.share is not None else ""
        left = f", {seconds(rest)} left" if rest else ""
        text = f", {short(far.text, 40)}" if far is not None and far.text else ""
        told.append(f"{short(clean(name), 40)} {seconds(elapsed)}{share}{left}{text}")
    more = f" and {len(running) - MOST} more" if len(running) > MOST else ""
    what = f"; running: {', '.join(told)}{more}" if told else ""
    return f"  … {clock}  {done:,} of {counted(total, 'step')}{what}"


class Beat:
    """Calls `speak` whenever `quiet_since()` is long ago, from a thread of its own, until it is stopped."""

    def __init__(self, speak: Callable[[], None], quiet_since: Callable[[], float]) -> None:
        self._speak, self._since, self._silence = speak, quiet_since, SILENCE
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="stepwell-beat", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """No more."""
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        wait = self._silence
        while not self._over.wait(wait):
            wait = self._since() + self._silence - time.monotonic()
            if wait <= 0:
                self._speak()
                wait = self._silence
