"""Run one command and say what it took: wall time, CPU and peak memory of all its processes.

CPU is what the kernel charged to every process of the tree, also to those whose parent died before
them or never waited: on Linux this process adopts such orphans (`PR_SET_CHILD_SUBREAPER`) and waits
for them itself, so they end up in `RUSAGE_CHILDREN` like all others. One command at a time.

Memory is sampled: the sum of the proportional set sizes (PSS) of the tree, in which a page that n
processes share counts 1/n in each. A thread looks at `/proc` and rests 25 times as long as a look
takes, so that it costs at most 4 % of one processor. The driver's own memory is the peak of its resident
set, which the kernel keeps, as of the last look. Where there is no `/proc` (macOS), both are those of
the largest single process.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
HAS_PROC = (PROC / "self" / "smaps_rollup").exists()
PR_SET_CHILD_SUBREAPER = 36

LINGER = 5.0
"""Seconds that what a command leaves behind has for ending by itself."""

ENOUGH = 4
"""Looks at the memory of a command that say something about its peak. (Its `ru_maxrss` would not: that
begins with the size of the process that started it, which is us.)"""

# What would make one tool start slower or another behave differently than on a user's machine.
CALLERS = ("MAKE", "MFLAGS", "NINJA", "PYTHON", "STEPWELL", "VIRTUAL_ENV", "XDG_CACHE")


class Sample(NamedTuple):
    """What one run of one command took; seconds and bytes."""

    wall: float
    cpu: float
    memory: int  # of the tree; 0: it was over before it could be looked at
    driver: int  # of the first process alone
    others: float  # processors that were busy with something else meanwhile
    code: int
    output: str
    problem: str  # "", "timeout", or what was left behind


def environment() -> dict[str, str]:
    """This process' environment without the settings of whoever called it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(CALLERS)}
    return {**kept, "LC_ALL": "C.UTF-8", "TERM": "dumb"}


def adopt_orphans() -> None:
    """Become the parent of every process below that loses its own (Linux; nothing elsewhere)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def measured(
    command: Sequence[str], folder: Path, *, timeout: float, variables: Mapping[str, str] | None = None
) -> Sample:
    """Run a command in a folder with these variables more, to its end and that of all that it started."""
    talk = folder.with_name(folder.name + ".talk")
    os.sync()  # what an earlier command left to be written is not this one's
    with talk.open("w+b") as out:
        busy, spent = busy_seconds(), children_seconds()
        watch = Watch(timeout)
        start = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**environment(), **(variables or {})},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        watch.pid = process.pid
        watch.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.perf_counter() - start
            process.returncode = os.waitstatus_to_exitcode(status)
            left = await_orphans()
        except KeyboardInterrupt:
            end_all()
            raise
        finally:
            watch.stop()
        cpu = children_seconds() - spent
        elapsed = time.perf_counter() - start
        others = max(0.0, (busy_seconds() - busy - cpu) / elapsed)
        out.seek(0)
        output = out.read().decode("utf-8", "replace")
    talk.unlink()
    memory, driver = (watch.peak, watch.driver) if watch.looks >= ENOUGH else (0, 0)
    if not HAS_PROC:
        memory = driver = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    problem = "timeout" if watch.expired else left
    return Sample(wall, cpu, memory, driver, others, process.returncode, output, problem)


def await_orphans() -> str:
    """Wait for adopted processes; end those that stay. Gives what was wrong, or ""."""
    deadline = time.monotonic() + LINGER
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ""
        if pid == 0:
            if time.monotonic() > deadline:
                break
            time.sleep(0.002)
    left = end_all()
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)
    return f"left {left} processes behind"


def end_all() -> int:
    """Kill everything below this process; gives how many there were."""
    left = list(descendants())
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return len(left)


class Watch(threading.Thread):
    """Looks at the memory of everything below this process, and ends it when its time is over."""

    def __init__(self, timeout: float) -> None:
        super().__init__(daemon=True)
        self.pid = 0  # the command's, before the first look
        self.peak = 0
        self.driver = 0
        self.looks = 0
        self.expired = False
        self._deadline = time.monotonic() + timeout
        self._done = threading.Event()

    def run(self) -> None:
        """Look until told to stop."""
        rest = 0.001
        while not self._done.wait(rest):
            began = time.perf_counter()
            if HAS_PROC:
                self.peak = max(self.peak, sum(map(proportional, descendants())))
                self.driver = max(self.driver, highest(self.pid))
                self.looks += 1
            if time.monotonic() > self._deadline:
                self.expired = True
                end_all()
            rest = max(0.002, 25 * (time.perf_counter() - began))

    def stop(self) -> None:
        """No more looks."""
        self._done.set()
        self.join()


def descendants() -> Iterator[int]:
    """Every process below this one (Linux)."""
    todo = [os.getpid()]
    while todo:
        tasks = PROC / str(todo.pop()) / "task"
        try:
            for task in os.listdir(tasks):
                children = [int(word) for word in (tasks / task / "children").read_bytes().split()]
                todo += children
                yield from children
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue


def proportional(pid: int) -> int:
    """The proportional set size of a process in bytes; 0 where it is gone."""
    return said(pid, "smaps_rollup", b"Pss:")


def highest(pid: int) -> int:
    """The highest resident set size of a process so far, in bytes; 0 where it is gone."""
    return said(pid, "status", b"VmHWM:")


def said(pid: int, file: str, name: bytes) -> int:
    """What a file of `/proc` says in kB under a name, in bytes; 0 where the process is gone."""
    try:
        for line in (PROC / str(pid) / file).read_bytes().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        pass
    return 0


def children_seconds() -> float:
    """CPU of all children that were waited for, and of theirs."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def busy_seconds() -> float:
    """CPU seconds that the whole machine has been busy for; 0 where it does not say."""
    try:
        with (PROC / "stat").open() as stat:
            user, nice, system, _idle, _waiting, *irqs_and_steal = map(int, stat.readline().split()[1:9])
    except FileNotFoundError:
        return 0.0
    return (user + nice + system + sum(irqs_and_steal)) / os.sysconf("SC_CLK_TCK")
