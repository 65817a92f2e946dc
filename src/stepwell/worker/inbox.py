"""A worker's end of its queue: messages of some tasks each, and leave to begin them, one by one.

A message of tasks begins with its number (one byte; the driver counts on from 1 to 255 and around). For
each of its tasks there is a byte with this number in a second stream: who takes such a byte has the
task. So what the worker has not begun can be taken back by the driver at any moment, however stuck the
worker is, and still many tasks are one message: of a message of which the driver took three bytes, the
last three tasks are not the worker's any more, and it sees that by the number of the next byte.
(`engines.link` is the other end.)
"""

from __future__ import annotations

import os
from collections import deque
from socket import MSG_DONTWAIT, socket

from stepwell.kernel.graph import StepDef
from stepwell.kernel.ports import Task
from stepwell.worker import wire


class Inbox:
    """`tasks` are messages (`wire.pack_tasks`) that the socket keeps whole, `leave` the bytes that allow to begin."""

    def __init__(self, tasks: socket, leave: socket) -> None:
        self._receive, self._take = tasks.recv, leave.recv
        self._number = b""
        self._tasks: deque[Task] = deque()
        """Those of the message of this number that were not begun, here or elsewhere."""
        self._steps: dict[bytes, StepDef] = {}

    def now(self) -> Task | None:
        """The next task, to be executed; None if there is none at the moment. Raises `EOFError` when the driver is gone."""
        try:
            number = self._take(1, MSG_DONTWAIT)
        except BlockingIOError:
            return None
        return self._begun(number)

    def next(self) -> Task:
        """The next task, to be executed, as soon as there is one. Raises `EOFError` when there will be none."""
        return self._begun(self._take(1))

    def _begun(self, number: bytes) -> Task:
        if number != self._number:
            self._open(number)
        return self._tasks.popleft()

    def _open(self, number: bytes) -> None:
        """Go on to the message of this number; what is left of those before it was taken back."""
        message = number and self._receive(wire.MESSAGE + 1024)
        while message[:1] != number:
            message = self._receive(wire.MESSAGE + 1024)
            if not message:
                break
        if not message:
            raise EOFError
        body = message[1:]
        if body[:1] == wire.IN_A_FILE:
            path = os.fsdecode(body[1:])
            with open(path, "rb") as file:
                body = file.read()
            os.unlink(path)
        self._number, self._tasks = number, deque(wire.unpack_tasks(body, self._steps))
