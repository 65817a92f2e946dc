"""Which tasks may run at once: no more processors and memory than there are.

A step that says nothing takes one processor, and the memory that it is expected to need: whoever makes
the engine may know that from earlier executions. What a step declares (`cpus`, `memory`) or is expected
to need is only counted, not enforced: a limit on the address space would break libraries that reserve
more than they use. A step that needs more than there is runs alone. Where all workers together could
not use more than half of the memory nothing is counted, so that small tasks cost nothing here.

Steps run in the project's folder, and two calls that write one file at once would each return what the
other wrote. So calls that return a file without having claimed one (`out=`) run one at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from stepwell.kernel.ports import Task

_EPSILON = 1e-9


FILES = frozenset(("path", "files"))
"""Codecs of outputs that are files which the step wrote."""


def is_plain(task: Task) -> bool:
    """Whether a task takes one processor and asks for nothing else, so that it can wait in a worker's queue."""
    step = task.step
    return step.cpus == 1 and not step.memory and not writes_any_file(task)


def writes_any_file(task: Task) -> bool:
    """Whether a task returns a file that nobody has claimed, so that another task may be writing the same."""
    if not task.out:
        for output in task.step.outputs:
            if output.codec in FILES:
                return True
    return False


class Admission:
    """Counts what is in use. `cpus` and `memory` are what there is in all; memory 0: not known.

    `expect` gives the bytes of memory that a task can be expected to need, 0 where nobody knows.
    """

    def __init__(self, cpus: float, memory: int, expect: Callable[[Task], int] | None = None) -> None:
        self.cpus, self.memory = cpus, memory
        self._expect = expect
        self._small = memory / (2 * cpus)
        self._large: dict[int, int] = {}
        """What tasks are expected to need that say nothing, by node, as far as it is worth counting."""
        self._special: dict[int, Task] = {}
        self.plain = 0
        """Workers that are at tasks of one processor."""

    def weigh(self, task: Task) -> None:
        """Learn what a task can be expected to need, before anything else is asked about it."""
        if self._expect is None:
            return
        need = self._expect(task)
        if need > self._small and self.memory and not task.step.memory:
            self._large[task.node] = need
        elif self._large:
            self._large.pop(task.node, None)

    def is_plain(self, task: Task) -> bool:
        """Whether a task can wait in a worker's queue: nothing of it has to be counted."""
        return is_plain(task) and task.node not in self._large

    def _memory(self, task: Task) -> int:
        return task.step.memory or self._large.get(task.node, 0)

    def take(self, task: Task) -> None:
        """A task with demands of its own starts."""
        self._special[task.node] = task

    def give(self, node: int) -> None:
        """A task has ended (of those without demands nothing is known here)."""
        self._special.pop(node, None)

    def has_processor(self) -> bool:
        """Whether one more worker may be busy with plain tasks."""
        used = self.plain + sum(task.step.cpus for task in self._special.values())
        return not used or used + 1 <= self.cpus + _EPSILON

    def admits(self, task: Task) -> bool:
        """Whether a task may start beside all that runs."""
        return self._fits(task, self.plain)

    def would_admit(self, task: Task) -> bool:
        """Whether a task could start if only the plain ones ended: then these have to make room for it."""
        return self._fits(task, 0)

    def _fits(self, task: Task, plain: int) -> bool:
        others: Iterable[Task] = self._special.values()
        cpus = plain + sum(other.step.cpus for other in others)
        memory, wanted = sum(map(self._memory, others)), self._memory(task)
        if not plain and not self._special:
            return True
        if writes_any_file(task) and any(writes_any_file(other) for other in others):
            return False
        enough = not self.memory or not wanted or memory + wanted <= self.memory
        return enough and cpus + task.step.cpus <= self.cpus + _EPSILON
