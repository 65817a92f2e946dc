"""The driver's end of the template process (`worker.main`): start it, have workers made, hear how they ended.

The template is in a session of its own, so Ctrl-C in a terminal reaches the driver alone, which then
stops the steps in an orderly way. When the driver dies, however it dies, the template notices and
ends everything below itself.
"""

from __future__ import annotations

import contextlib
import errno
import marshal
import os
import select
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

from stepwell.engines import machine
from stepwell.errors import StepNotLoaded, StepwellError
from stepwell.stores.filesystem import NO_MORE_FILES, too_many_files
from stepwell.worker import family
from stepwell.worker.boot import (
    ANSWER,
    BEGIN,
    CLOSE,
    EXITED,
    FORK,
    LIMIT,
    READY,
    REQUEST,
    WARM,
    boot_environment,
    command,
)


class Exit(NamedTuple):
    """A worker ended: its number, its status as `os.wait` has it, and its peak memory in bytes."""

    number: int
    status: int
    memory: int


class Supervisor:
    """A running template. `gone` when it has died by itself, `ready` when it has imported what it was to.

    `jobs` workers are to be busy at once. It waits to be told to `begin`; until then it can be `warm`ed.
    """

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self.mark = os.urandom(16).hex()
        self._said: IO[bytes] = tempfile.TemporaryFile()  # it lives as long as this does  # noqa: SIM115
        try:
            self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
            machine.allow_files(6 * jobs)
            self._process = self._started(theirs.fileno())
        except OSError as error:
            raise _not_started(error) from error
        theirs.close()
        self.control.setblocking(False)
        self._bytes = b""
        self.ready = self.gone = False

    def _started(self, control: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command("run_template", sys.path, [control, os.getpid()]),
            stdin=subprocess.DEVNULL,
            stdout=self._said,
            stderr=self._said,
            pass_fds=[control],
            start_new_session=True,
            env=self._environment(),
        )

    def _environment(self) -> dict[str, str]:
        return boot_environment(self.mark, machine.threads(self._jobs))

    def warm(self, root: str, roots: list[str], modules: list[str]) -> None:
        """Have it import the libraries that modules of the project import, as far as their files tell."""
        self._send(WARM, (root, roots, modules))

    def begin(self, settings: dict[str, Any]) -> None:
        """Tell it the settings: workers can be made from now on."""
        environment = self._environment()
        lent = {name: value for name, value in environment.items() if name not in os.environ}
        where = {"environment": environment, "path": list(sys.path)}
        self._send(BEGIN, {**settings, **where, "lent": lent})

    def _send(self, kind: bytes, content: Any) -> None:
        with tempfile.TemporaryFile() as file:
            file.write(marshal.dumps(content))
            file.flush()
            self._request(kind, 0, [file.fileno()])

    def _request(self, kind: bytes, number: int, descriptors: list[int]) -> None:
        with contextlib.suppress(OSError):  # a template that is gone shows by `exits`
            self.control.setblocking(True)
            socket.send_fds(self.control, [REQUEST.pack(kind, number)], descriptors)
        self.control.setblocking(False)

    def make_worker(self, number: int, ends: list[int]) -> None:
        """Have a worker made with these descriptors."""
        self._request(FORK, number, ends)

    def exits(self) -> Iterator[Exit]:
        """The workers that have ended since the last time. Sets `gone` and `ready`."""
        while not self.gone:
            try:
                data = self.control.recv(1 << 16)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            self.gone = not data
            self._bytes += data
            while len(self._bytes) >= ANSWER.size:
                kind, number, status, memory = ANSWER.unpack(self._bytes[: ANSWER.size])
                self._bytes = self._bytes[ANSWER.size :]
                self.ready = self.ready or kind == READY
                if kind == EXITED:
                    yield Exit(number, status, memory)

    def said(self) -> str:
        """What the template itself printed: why it could not start."""
        self._said.seek(0)
        return self._said.read(20_000).decode("utf-8", "replace")

    def close(self) -> None:
        """End the template and everything below it; at most two seconds."""
        if self._process.poll() is None:
            with contextlib.suppress(OSError):
                self.control.sendall(REQUEST.pack(CLOSE, 0))
            with contextlib.suppress(OSError):
                self.control.shutdown(socket.SHUT_WR)
            if not self._ends_within(LIMIT + 0.2):
                self._kill()
        if self._process.wait() != 0:  # it did not get to the end of its work
            family.kill_marked(self.mark)
        self._let_go()

    def give_up(self) -> None:
        """End a template that was never told to begin, at once: it has made nobody."""
        self._kill()
        self._process.wait()
        self._let_go()

    def _kill(self) -> None:
        family.kill([*family.descendants(self._process.pid), self._process.pid])

    def _let_go(self) -> None:
        self.control.close()
        self._said.close()

    def _ends_within(self, seconds: float) -> bool:
        """Whether the template ends in time; heard of at once where the system can tell (Linux)."""
        # `Popen.wait` with a limit sleeps longer and longer between looks: up to 50 ms after the end.
        with contextlib.suppress(AttributeError, OSError):
            handle = os.pidfd_open(self._process.pid)
            try:
                asked = select.poll()
                asked.register(handle, select.POLLIN)
                asked.poll(seconds * 1000)
            finally:
                os.close(handle)
            seconds = 0.0
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True


def _not_started(error: OSError) -> StepwellError:
    """The error where the system starts no process for workers."""
    if error.errno in NO_MORE_FILES:
        return too_many_files(error)
    why = (
        "a variable of the environment, or all of them together, is larger than the system hands to a process"
    )
    return StepNotLoaded(
        f"no worker could be started: {error.strerror}",
        why=why if error.errno == errno.E2BIG else "the system starts no process for them",
        fixes=["stepwell run --in-process"],
    )
