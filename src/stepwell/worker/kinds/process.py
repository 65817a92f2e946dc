"""Start a command and wait for its end: in a process group of its own, of which nothing is left afterwards.

Its standard output is the worker's, so that it streams to the step's log, or a file. Its standard
error passes through here, so that its last lines can be told when it fails.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import NamedTuple

GRACE = 0.5
"""Seconds between asking a group of processes to end and killing it."""

TAIL = 4096
"""Bytes of standard error that are kept."""

_TICK = 0.05


class Ended(NamedTuple):
    """How a command ended: its exit code (minus the number of a signal that killed it), and the end of its standard error."""

    code: int
    said: str


Start = Callable[[Sequence[str], Path, Mapping[str, str], "Path | None"], Ended]
"""What starts a command: its arguments, folder, environment, and the file that takes its standard output."""


def run(argv: Sequence[str], cwd: Path, env: Mapping[str, str], stdout: Path | None = None) -> Ended:
    """Run a command to its end. Whatever ends the waiting (Ctrl-C, a timeout) ends all its processes.

    Raises `OSError` where it cannot be started.
    """
    with contextlib.ExitStack() as stack:
        out = None if stdout is None else stack.enter_context(stdout.open("wb"))
        sys.stdout.flush()
        sys.stderr.flush()
        process = subprocess.Popen(
            [os.fsencode(word) for word in argv],
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.PIPE,
            process_group=0,
        )
        tail = _Tail()
        try:
            _listen(process, tail)
        finally:
            end(process)
        return Ended(process.returncode, tail.text())


def end(process: subprocess.Popen[bytes], grace: float = 0.0) -> None:
    """End a process and its group: at once, or after it was asked and had `grace` seconds. It is reaped."""
    try:
        if not _is_over(process) and grace:
            _signal(process, signal.SIGTERM)
            limit = monotonic() + grace
            while not _is_over(process) and monotonic() < limit:
                select.select([], [], [], 0.01)
    finally:
        _signal(process, signal.SIGKILL)  # also what it left behind: its group is known until it is reaped
        process.wait()
        if process.stderr is not None:
            process.stderr.close()


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)


def _is_over(process: subprocess.Popen[bytes]) -> bool:
    """Whether a process has ended; it is not reaped."""
    if process.returncode is not None:
        return True
    with contextlib.suppress(ChildProcessError):
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None
    return True


def _listen(process: subprocess.Popen[bytes], tail: _Tail) -> None:
    """Hand its standard error on until it ends. What a process that it left in the background holds open is not waited for."""
    assert process.stderr is not None
    source = process.stderr.fileno()
    is_over = False
    while True:
        ready, _, _ = select.select([source], [], [], _TICK)
        if ready:
            data = os.read(source, 1 << 16)
            if data:
                tail.add(data)
                continue
            while not _is_over(process):  # it closed its standard error and goes on
                select.select([], [], [], _TICK)
            return
        if is_over:
            return
        is_over = _is_over(process)


class _Tail:
    """Passes what is said on to our own standard error, and keeps the end."""

    def __init__(self) -> None:
        self._kept = b""

    def add(self, data: bytes) -> None:
        """Hand on, and keep the end."""
        self._kept = (self._kept + data)[-TAIL:]
        left = memoryview(data)
        while left:
            left = left[os.write(2, left) :]

    def text(self) -> str:
        """What was kept."""
        return self._kept.decode("utf-8", "replace")


def last_line(said: str) -> str:
    """The last line that says something, shortened."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    if not lines:
        return ""
    return lines[-1] if len(lines[-1]) <= 300 else f"{lines[-1][:300]}…"
