"""The driver's end of one worker: tasks go in, reports and what steps print come out. Nothing here waits.

tasks     a socket that keeps messages whole, of some tasks each
leave     for each task of a message a byte with its number: who takes it has the task. The driver holds
          both ends: what the worker has not begun can be taken back, however stuck it is (`worker.inbox`)
reports   frames (`worker.wire`)
speech    one pipe for standard output and one for standard error (`worker.capture`)
"""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import os
import socket
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from stepwell.kernel.ports import Done, Report, Said, Started, Task
from stepwell.worker import wire

CHUNK = 1 << 16
"""Characters of the longest `Said`, and bytes of a read."""

_PIPE = 256 << 10
_ENLARGED = 16
"""Workers whose pipes are made larger; a user may have some 64 MB of pipes, and beyond that all get tiny ones."""

_AT_ONCE = 16
"""Reads of one stream before others have their turn."""

_MOST = 200
"""Messages that wait in one queue at most: their numbers must differ, and are one byte."""

_KIND = socket.SOCK_SEQPACKET if sys.platform == "linux" else socket.SOCK_DGRAM

Stream = Literal["stdout", "stderr"]


class _Message(NamedTuple):
    """A message that was sent: its number, those of its tasks that were not begun, and the file that it is in, if it is large."""

    number: int
    tasks: deque[Task]
    path: Path | None


class Link:
    """One worker. `sent` are the tasks that it has and has not ended, `current` the one that it is at."""

    def __init__(self, number: int, end: bytes, spill: Path) -> None:
        self.number = number
        self.pid = 0
        self.sent: dict[int, Task] = {}
        self.current: Task | None = None
        self.since = 0.0
        """When `current` began, by the driver's clock."""
        self.garbled = False
        """Whether something came that is no report: nothing that comes from this worker can be relied on."""
        self.ended = 0
        """Tasks that it has ended."""
        self._spill = spill
        self._messages: deque[_Message] = deque()
        self._number = 0
        self._tasks, self._other_end = socket.socketpair(socket.AF_UNIX, _KIND)
        self._leave, self._other_leave = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        for each in (self._tasks, self._other_end):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * wire.MESSAGE)
        self._tasks.setblocking(False)
        self._leave.setblocking(False)
        self._frames = wire.Frames()
        large = number <= _ENLARGED
        self.reports, reports = _pipe(large)
        self.out, self.err = Speech("stdout", end, large), Speech("stderr", end, large)
        self._handed = [reports, self.out.writer, self.err.writer]

    @property
    def ends(self) -> list[int]:
        """The descriptors that the worker gets."""
        return [self._other_end.fileno(), self._other_leave.fileno(), *self._handed]

    def handed_over(self) -> None:
        """The worker has its ends: close them here, but for the one by which tasks are taken back."""
        for fd in self._handed:
            os.close(fd)
        self._handed.clear()

    def send(self, tasks: Sequence[Task], message: bytes) -> bool:
        """Give tasks to the worker, packed as one message; False if there is no room for it now."""
        if not self.sent and len(self._messages) > 1:
            self._empty()
        if len(self._messages) >= _MOST:
            return False
        path: Path | None = None
        if len(message) > wire.MESSAGE:
            path = self._spill / f"{os.getpid()}-{self.number}-{tasks[0].node}.task"
            path.write_bytes(message)
            message = wire.IN_A_FILE + os.fsencode(path)
        self._number = self._number % 255 + 1
        number = bytes([self._number])
        try:
            self._tasks.send(number + message)
            self._leave.send(number * len(tasks))
        except OSError:  # its queue is full; a message without leave to begin is passed over
            if path is not None:
                path.unlink()
            return False
        self._messages.append(_Message(self._number, deque(tasks), path))
        for task in tasks:
            self.sent[task.node] = task
        return True

    def _empty(self) -> None:
        """The worker waits for leave to begin something: whatever lies in its queue now was taken back."""
        self._messages.clear()
        with contextlib.suppress(BlockingIOError):
            while self._other_end.recv(wire.MESSAGE + 1024, socket.MSG_DONTWAIT):
                continue

    def take_back(self, most: int) -> list[Task]:
        """Tasks that the worker has not begun, and now will not: so many at most, in the order in which they were sent."""
        try:
            taken = self._other_leave.recv(most, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return []
        back: list[Task] = []
        for message in self._messages:
            count = taken.count(message.number)
            tasks = [message.tasks.pop() for _ in range(count)]
            back += reversed(tasks)
            if count and not message.tasks and message.path is not None:
                message.path.unlink()
        for task in back:
            del self.sent[task.node]
        return back

    def read(self, now: float, reports: list[Report]) -> list[Done]:
        """Add the reports that have arrived, in order, with what was printed; returns the ends among them.

        What is no report sets `garbled`; from then on what arrives is thrown away.
        """
        ends: list[Done] = []
        while True:
            try:
                data = os.read(self.reports, CHUNK)
            except BlockingIOError:
                return ends
            if not self.garbled:
                try:
                    for body in self._frames.feed(data):
                        self._take(body, now, reports, ends)
                except (
                    wire.Garbled,
                    TypeError,
                    ValueError,
                ):  # also a frame that has not the parts of a report
                    self.garbled = True
            if len(data) < CHUNK:
                return ends

    def _take(self, body: tuple[Any, ...], now: float, reports: list[Report], ends: list[Done]) -> None:
        kind = body[0]
        if kind in (wire.DONE, wire.SILENT):
            done, then = wire.done_of(body)
            self._end(done, reports, silent=kind == wire.SILENT)
            ends.append(done)
            if then >= 0:
                self._begin(then, now, reports)
        elif kind == wire.STARTED:
            _, node, self.pid = body
            self._begin(node, now, reports)
        else:
            reports.append(wire.report_of(body))

    def _begin(self, node: int, now: float, reports: list[Report]) -> None:
        self.current, self.since = self.sent.get(node), now
        messages = self._messages
        while messages and not (messages[0].tasks and messages[0].tasks[0].node == node):
            messages.popleft()  # all of it was begun, or taken back
        if messages:
            messages[0].tasks.popleft()
        reports.append(Started(node, self.pid))

    def _end(self, done: Done, reports: list[Report], *, silent: bool) -> None:
        for speech in () if silent else (self.out, self.err):
            if not speech.was_silent():
                reports.extend([Said(done.node, speech.stream, text) for text in speech.finish()])
        self.current = None
        self.ended += 1
        self.sent.pop(done.node, None)
        reports.append(done)

    def live(self) -> Iterator[Said]:
        """What the current task has printed so far, and was not told yet."""
        if self.current is not None:
            for speech in (self.out, self.err):
                for text in speech.live():
                    yield Said(self.current.node, speech.stream, text)

    def last_words(self) -> Iterator[Said]:
        """What a worker that is dead has printed in its current task."""
        if self.current is not None:
            for speech in (self.out, self.err):
                for text in speech.finish():
                    yield Said(self.current.node, speech.stream, text)

    def close(self) -> None:
        """Close all descriptors."""
        for each in (self._tasks, self._other_end, self._leave, self._other_leave):
            each.close()
        self.handed_over()
        for fd in (self.reports, self.out.reader, self.err.reader):
            with contextlib.suppress(OSError):
                os.close(fd)


class Speech:
    """One stream of one worker: bytes, cut into what each task printed by the worker's `end`s, as text."""

    def __init__(self, stream: Stream, end: bytes, large: bool) -> None:
        self.stream: Stream = stream
        self.reader, self.writer = _pipe(large)
        self._end = end
        self._bytes = b""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._begun = False
        self._ends = 0
        """Tasks that printed nothing, whose ends came before anything that is in `_bytes`."""
        self.heard = False
        """Whether anything was printed since this was last set to False."""

    def was_silent(self) -> bool:
        """Step over the end of a task that printed nothing; False if it did print."""
        if self._ends:
            self._ends -= 1
            return True
        if self._begun:
            return False
        if not self._bytes:
            self._read()
        end = len(self._end)
        while self._bytes.startswith(self._end, self._ends * end):
            self._ends += 1  # those of the tasks that follow too: bytes are cut once for all of them
        if not self._ends:
            return False
        self._bytes = self._bytes[self._ends * end :]
        self._ends -= 1
        return True

    def live(self) -> Iterator[str]:
        """What was printed since the last time, as far as it surely belongs to the current task."""
        if self._ends:
            return
        for _ in range(_AT_ONCE):
            if not self._read() or self._end in self._bytes:
                return
            keep = self._partial_end()
            ready = self._bytes[: len(self._bytes) - keep]
            self._bytes = self._bytes[len(self._bytes) - keep :]
            yield from self._text(ready, final=False)

    def finish(self) -> Iterator[str]:
        """The rest of what a task printed, up to its end (or to the end of all, when the worker is dead)."""
        if self._ends:
            self._ends -= 1
            return
        while (at := self._bytes.find(self._end)) < 0:
            keep = self._partial_end()
            ready = self._bytes[: len(self._bytes) - keep]
            self._bytes = self._bytes[len(self._bytes) - keep :]
            yield from self._text(ready, final=False)
            if not self._read():
                at = len(self._bytes)
                break
        ready, self._bytes = self._bytes[:at], self._bytes[at + len(self._end) :]
        yield from self._text(ready, final=True)

    def _read(self) -> bool:
        try:
            data = os.read(self.reader, CHUNK)
        except BlockingIOError:
            return False
        self._bytes += data
        return bool(data)

    def _partial_end(self) -> int:
        """How many of the last bytes may be the beginning of an `end`."""
        end, data = self._end, self._bytes
        for count in range(min(len(end) - 1, len(data)), 0, -1):
            if data.endswith(end[:count]):
                return count
        return 0

    def _text(self, data: bytes, *, final: bool) -> Iterator[str]:
        text = self._decoder.decode(data, final)
        self._begun = not final  # half a character may wait in the decoder
        if text:
            self.heard = True
            for at in range(0, len(text), CHUNK):
                yield text[at : at + CHUNK]


def _pipe(large: bool) -> tuple[int, int]:
    """A pipe whose reading end does not wait."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    if large and hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):  # beyond the user's share of pipe memory
            fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, _PIPE)
    return reader, writer
