"""All descendants of a process, and their end; also those that hid in a session of their own.

On Linux the template process is a subreaper: whoever loses its parent below it becomes its child,
so that walking down from it finds everybody. Elsewhere there is no such thing; there, process
groups are killed, and what was orphaned in a session of its own escapes.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from time import monotonic, sleep

MARK = "STEPWELL_WORKER"
"""Environment variable of everything that an engine starts; its value is the engine's own."""

CARETAKER = "STEPWELL_CARETAKER"
"""Environment variable of those that put something away which is no process (`worker.places.images`): they get to the end of it."""

_PDEATHSIG, _SUBREAPER = 1, 36
_LINUX = sys.platform == "linux"


def adopt_orphans() -> None:
    """Become the parent of all descendants that lose theirs (Linux)."""
    if _LINUX:
        _prctl(_SUBREAPER, 1)


def die_with_parent(parent: int) -> None:
    """Be killed when the parent dies (Linux); at once if it already has."""
    if _LINUX:
        _prctl(_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def end_with_parent(parent: int) -> None:
    """End this process and all below it when the parent dies (Linux), until `live_on`: whatever it is at, as far as Python can."""
    if _LINUX:
        signal.signal(signal.SIGTERM, _ended)
        _prctl(_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            _ended()


def _ended(*_: object) -> None:
    kill(descendants(os.getpid()))
    os._exit(1)


def live_on() -> None:
    """Undo `end_with_parent`: the caller sees to it by itself."""
    if _LINUX:
        _prctl(_PDEATHSIG, 0)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _prctl(option: int, value: int) -> None:
    import ctypes  # a driver does without

    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def be_killed_first() -> None:
    """When memory runs out, let the system choose this process before the one that supervises it (Linux)."""
    if _LINUX:
        with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
            file.write("500")


def descendants(pid: int) -> list[int]:
    """The living processes below `pid`, itself not included."""
    below: dict[int, list[int]] = {}
    for child, parent, _ in _processes():
        below.setdefault(parent, []).append(child)
    found: list[int] = []
    todo = [pid]
    while todo:
        children = below.get(todo.pop(), ())
        found += children
        todo += children
    return found


def kill_session(leader: int) -> None:
    """Kill what a worker started and what stayed in its session."""
    with contextlib.suppress(OSError):
        os.killpg(leader, signal.SIGKILL)
    kill(pid for pid, _, session in _processes() if session == leader and pid != leader)


def kill(pids: Iterable[int]) -> None:
    """SIGKILL to each, whoever is still there."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def end(pid: int, grace: float, limit: float) -> None:
    """Wait for the descendants of `pid` to end, kill them after `grace` seconds, give up after `limit`.

    For the parent itself: it reaps them. Processes that others start meanwhile are found as well.
    Caretakers are waited for, and not killed.
    """
    begun = monotonic()
    while monotonic() - begun < limit:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        left = descendants(pid)
        if not left:
            return
        if monotonic() - begun >= grace:
            kill(each for each in left if not _is_caretaker(each))
        sleep(0.002)


def kill_marked(value: str) -> None:
    """Kill everything whose environment carries the mark, wherever it hangs in the tree (Linux)."""
    needle = f"{MARK}={value}".encode()
    for pid, _, _ in _processes() if _LINUX else ():
        with contextlib.suppress(OSError), open(f"/proc/{pid}/environ", "rb") as file:
            if needle in file.read().split(b"\0") and pid != os.getpid():
                kill([pid])


def _is_caretaker(pid: int) -> bool:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/environ", "rb") as file:
        return f"{CARETAKER}=".encode() in file.read()
    return False


def _processes() -> Iterator[tuple[int, int, int]]:
    """All processes: their id, their parent's, their session's (elsewhere than on Linux: their group's).

    Those that have ended and wait to be reaped do not count.
    """
    if not _LINUX:
        listed = subprocess.run(
            ["ps", "-axo", "pid=,ppid=,pgid=,stat="], capture_output=True, text=True, check=False
        )
        for line in listed.stdout.splitlines():
            pid, parent, group, state = line.split()[:4]
            if not state.startswith("Z"):
                yield int(pid), int(parent), int(group)
        return
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with contextlib.suppress(OSError):
                with open(f"/proc/{name}/stat", "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
                if fields[0] not in (b"Z", b"X"):
                    yield int(name), int(fields[1]), int(fields[3])
