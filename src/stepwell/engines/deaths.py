"""What a person is told of a task whose worker died: how, with which peak of memory, and what would help."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence

from stepwell.errors import (
    StepExited,
    StepKilled,
    StepNotLoaded,
    StepOutOfMemory,
    StepTimeout,
    StepwellError,
    typed,
)
from stepwell.kernel.ports import Done, Failure, Task
from stepwell.worker.boot import reason_in
from stepwell.worker.hiding import hidden


def died(task: Task, status: int, peak: int, seconds: float, *, ran_out: bool, total: int) -> Done:
    """The end of a task that took its worker with it.

    `status` is that of `os.wait`; `ran_out`: the system killed a process for memory meanwhile;
    `total` is all memory that there is.
    """
    name, declared = task.step.name, task.step.memory
    if os.WIFEXITED(status):
        error: StepwellError = StepExited(
            f"step `{name}` ended its process with exit code {os.WEXITSTATUS(status)}",
            why="`os._exit`, or a library that ends the process instead of raising an error",
            fixes=["return a value, or raise an exception that says what is wrong"],
        )
    elif os.WTERMSIG(status) == signal.SIGKILL and (
        ran_out or (declared and peak >= declared) or (total and peak >= 0.8 * total)
    ):
        error = StepOutOfMemory(
            f"step `{name}` was killed when memory ran out; at its peak it had {_size(peak)}",
            why=f"this machine has {_size(total)} for all steps that run at once" if total else "",
            fixes=[
                f'declare what it needs, so that less runs beside it: @step(memory="{_gigabytes(max(peak, declared))}")',
                "stepwell run --jobs 1",
                "work on less at a time: fewer columns, smaller types, chunks",
            ],
        )
    else:
        error = StepKilled(
            f"step `{name}` was killed by {signal_name(os.WTERMSIG(status))}; at its peak it had {_size(peak)}",
            why=_reason(os.WTERMSIG(status)),
            fixes=[f"stepwell run --in-process   runs `{name}` in a process that a debugger can watch"],
        )
    return Done(task.node, (), _failure(error), seconds, 0.0, peak)


def garbled(task: Task, seconds: float, peak: int = 0) -> Done:
    """The end of a task whose worker sent something that is no report, and was killed for it."""
    error = StepKilled(
        f"step `{task.step.name}` broke the process that it ran in, which was killed",
        why="it wrote to a file that it did not open, or replaced a part of Python that its process needs",
        fixes=[f"stepwell run --in-process   runs `{task.step.name}` in a process that a debugger can watch"],
    )
    return Done(task.node, (), _failure(error), seconds, 0.0, peak)


def overdue(task: Task, seconds: float, peak: int = 0) -> Done:
    """The end of a task that was stopped because it took longer than its step's `timeout`."""
    error = StepTimeout(
        f"step `{task.step.name}` was stopped after {seconds:.1f} s: its timeout is {task.step.timeout:g} s",
        why="it took longer than it may",
        fixes=["give it more time: @step(timeout=...)", f"stepwell logs last {typed(task.id)}"],
    )
    return Done(task.node, (), _failure(error), seconds, 0.0, peak)


def unsupervised(task: Task, seconds: float) -> Done:
    """The end of a task that ran when the process above all workers was killed."""
    error = StepKilled(
        f"step `{task.step.name}` was killed together with the process that supervises all steps",
        why="something outside of Stepwell killed it, or the step killed its parent",
        fixes=["stepwell run"],
    )
    return Done(task.node, (), _failure(error), seconds)


def not_started(task: Task, said: str, roots: Sequence[str] = ()) -> Done:
    """The end of a task for which no worker could be started; `said` is what that printed.

    A file in one of the `roots` of the project that hides a module of Python's is the likely reason.
    """
    error = StepNotLoaded(
        f"no worker could be started for step `{task.step.name}`",
        why=reason_in(said) or "its process ended before it began to work",
        fixes=[*hidden(roots), "stepwell run --in-process"],
    )
    return Done(task.node, (), _failure(error, said))


def signal_name(number: int) -> str:
    """`SIGSEGV`, or `signal 42` for one without a name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _reason(number: int) -> str:
    if number in (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE):
        return "a library written in C crashed, or was used wrongly"
    if number == signal.SIGABRT:
        return "a library written in C gave up; what it printed says why"
    if number == signal.SIGKILL:
        return "somebody killed it; the system does so when memory runs out, but then it would have said so"
    return "the step, or somebody else, sent it this signal"


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def _gigabytes(count: int) -> str:
    return f"{max(1, -(-count // 10**9))}GB"


def _failure(error: StepwellError, traceback: str = "") -> Failure:
    return Failure(error.code, error.what, error.why, error.fixes, error.docs, traceback)
