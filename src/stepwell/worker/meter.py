"""What a task cost: wall and processor time, and its peak memory, children included.

Exact where it matters and nearly free where it does not: for a task of less than a millisecond
(no process can be started in that time, and no more than a few megabytes touched) only two clocks
are read, and for one of less than a tenth of that only one: it is taken to have worked all of this
time, and so is the process between tasks that follow each other at once.

The kernel keeps one peak of resident memory a process, for its whole life. On Linux it can be set
back (`/proc/self/clear_refs`), so each task that raised it gets its own; elsewhere, and where that
is not allowed, the peak is that of the process so far.
"""

from __future__ import annotations

import os
import resource
import sys
from time import perf_counter, process_time
from typing import NamedTuple

TINY = 0.0001
"""Seconds for which processor time is taken to be wall time: to ask for it is a system call, to ask the clock is none."""

SHORT = 0.001
"""Seconds below which a task is measured by clocks alone."""

_UNIT = 1 if sys.platform == "darwin" else 1024
_RISE = 4 << 20


class Cost(NamedTuple):
    """Seconds of wall and processor time, and bytes at the peak."""

    seconds: float
    cpu: float
    memory: int


class Meter:
    """Measures one task after the other in this process: `start()`, the task, `stop()`."""

    def __init__(self) -> None:
        self._wall = self._cpu = self._asked = 0.0
        self._usual = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        self._children = children.ru_utime + children.ru_stime
        self._children_peak = children.ru_maxrss * _UNIT
        self._can_reset = sys.platform == "linux"

    def start(self) -> None:
        """A task begins."""
        self._wall = perf_counter()
        if self._wall - self._asked > TINY:
            self._cpu, self._asked = process_time(), self._wall

    def stop(self) -> Cost:
        """The task has ended: what it cost."""
        seconds = perf_counter() - self._wall
        if seconds < TINY:
            return Cost(seconds, seconds, self._usual)
        cpu = max(0.0, process_time() - self._cpu - (self._wall - self._asked))
        if seconds < SHORT:
            return Cost(seconds, cpu, self._usual)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        of_children = children.ru_utime + children.ru_stime
        children_peak = children.ru_maxrss * _UNIT
        cost = Cost(
            seconds,
            cpu + of_children - self._children,
            max(peak, children_peak) if children_peak > self._children_peak else peak,
        )
        self._children, self._children_peak = of_children, children_peak
        if peak > self._usual + _RISE:
            self._usual = self._reset(peak)
        return cost

    def _reset(self, peak: int) -> int:
        """Let the next peak start from what is in use now; returns the peak from now on."""
        if self._can_reset:
            try:
                fd = os.open("/proc/self/clear_refs", os.O_WRONLY | os.O_CLOEXEC)
                try:
                    os.write(fd, b"5")
                finally:
                    os.close(fd)
            except OSError:  # not allowed in some containers
                self._can_reset = False
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT if self._can_reset else peak
