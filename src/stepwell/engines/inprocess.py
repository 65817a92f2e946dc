"""Tasks in this process, one at a time: for debuggers (`breakpoint()`, an IDE) and for steps that must not be forked.

What steps print goes where the process prints, and standard input is the terminal's. The process's
state is put back after each task as in a worker; but a step that ends the process ends the run.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from time import monotonic
from types import FrameType

from stepwell.engines import deaths
from stepwell.errors import Interrupted
from stepwell.kernel.ports import Done, Interrupt, Report, Started, Task
from stepwell.stores.blobs import Blobs
from stepwell.worker import failures
from stepwell.worker.execute import ATTEMPT, Context, execute
from stepwell.worker.masking import ThisProcess
from stepwell.worker.modules import FirstParty, Snapshot


class _Overdue(BaseException):
    """The step that is running takes longer than it may. No `Exception`, so that steps do not catch it."""


AGAIN = 0.1
"""Seconds after which a step that caught `_Overdue` gets it again."""


@contextlib.contextmanager
def _alarm(timeout: float) -> Iterator[None]:
    """Raise `_Overdue` after so many seconds (0: never), and again until the step gives up; at the end where it never did.

    Only the main thread can be interrupted; others are not.
    """
    if not timeout or threading.current_thread() is not threading.main_thread():
        yield
        return
    rang = False

    def ring(number: int, frame: FrameType | None) -> None:
        nonlocal rang
        while frame is not None:
            if frame.f_code is ATTEMPT:
                rang = True
                raise _Overdue
            frame = frame.f_back

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, timeout, AGAIN)
    try:
        yield
        if rang:
            raise _Overdue
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class InProcessEngine:
    """Implements `kernel.ports.Engine`. Tasks run inside `wait`, which must be called by one thread."""

    def __init__(
        self,
        root: Path,
        store: Path,
        snapshot: Mapping[str, bytes],
        roots: Sequence[Path] = (),
        *,
        folder: Path | None = None,
        alone: Mapping[str, tuple[str, ...]] | None = None,
        covered: Mapping[str, Sequence[str]] | None = None,
        pinned: Mapping[str, bytes] | None = None,
        contracts: Mapping[str, Mapping[str, str] | str] | None = None,
    ) -> None:
        self._root, self._store, self._roots = root, store, roots
        self._folder = folder or root
        self._alone = alone or {}
        self._covered, self._pinned, self._contracts = covered, pinned, contracts
        self._snapshot = snapshot
        self._tasks: deque[Task] = deque()
        self._reports: list[Report] = []
        self._context: Context | None = None
        self._masked = ThisProcess()
        self._told = self._executing = False
        self._why = ""
        self._stopped = False
        self._home = ""

    def room(self) -> int:
        """One task at a time."""
        return 1 - len(self._tasks)

    def submit(self, task: Task) -> None:
        """Take a task over; it runs in the next `wait`."""
        self._tasks.append(task)

    def withdraw(self) -> Sequence[int]:
        """What was not begun: all but the task of which it has been told that it starts."""
        begun = [self._tasks.popleft()] if self._told and self._tasks else []
        back = [task.node for task in self._tasks]
        self._tasks = deque(begun)
        return back

    def wait(self, timeout: float | None) -> Sequence[Report]:
        """Run the next task to its end, however long that takes: first it is told that it starts, then that it ended."""
        if self._why:
            why, self._why = self._why, ""
            return [Interrupt(why)]
        if not self._tasks or self._stopped:
            return []
        task = self._tasks[0]
        self._told = not self._told
        if self._told:  # before it runs, so that it is shown before what it prints
            return [Started(task.node, os.getpid())]
        self._tasks.popleft()
        return self._run(task)

    def interrupt(self, why: str = "interrupted") -> None:
        """Make `wait` return an `Interrupt` soon, and start no other step; from a signal handler, a step that is running is stopped too."""
        self._why, self._stopped = why, True
        if self._executing and threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt

    def close(self) -> None:
        """Forget what is waiting, and put the process back."""
        self._tasks.clear()
        self._masked.close()
        if self._context is not None:
            self._context.close()
            self._context = None
            os.chdir(self._home)

    def _run(self, task: Task) -> list[Report]:
        if self._context is None:
            self._context = self._make_context()
        self._executing = True
        began = monotonic()
        try:
            with self._masked, _alarm(task.step.timeout):
                done = execute(task, self._context)
            self._reports.append(done)
        except _Overdue:
            self._reports.append(deaths.overdue(task, monotonic() - began))
        except KeyboardInterrupt:
            self._executing, self._stopped = False, True
            why, self._why = self._why or "Ctrl-C", ""
            error = Interrupted(
                f"step `{task.step.name}` was interrupted", why="it ran when the run was stopped"
            )
            self._reports += [Done(task.node, failure=failures.failure(error)), Interrupt(why)]
        self._executing = False
        reports, self._reports = self._reports, []
        return reports

    def _make_context(self) -> Context:
        self._home = os.getcwd()
        importer = self._importer()
        importer.install()
        return Context(
            self._folder,
            Blobs(self._store),
            importer,
            self._recorded,
            (KeyboardInterrupt, _Overdue),
            then="`--in-process` cannot undo that",
            alone=self._alone,
            covered=self._covered,
            pinned=self._pinned,
            contracts=self._contracts,
        )

    def _importer(self) -> FirstParty:
        """The importer that the pipeline was loaded with, if it is of this snapshot, so that its modules are not loaded twice."""
        known = FirstParty.for_root(self._root, *self._roots)
        same = known.snapshot is self._snapshot or dict(known.snapshot) == dict(self._snapshot)
        if same:
            return known
        expected = self._snapshot.expected() if isinstance(self._snapshot, Snapshot) else {}
        return FirstParty([self._root, *self._roots], Snapshot(self._snapshot), expected)

    def _recorded(self, report: Report) -> None:
        self._reports.append(report)
