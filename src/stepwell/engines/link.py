"""The driver's end of one worker: tasks go in, reports and what steps print come out. Nothing here waits.

tasks     a socket that keeps messages whole. The driver holds both ends: what the worker has not
          begun can be taken back, however stuck it is
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
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from stepwell.kernel.ports import Done, Report, Said, Started, Task
from stepwell.worker import wire

CHUNK = 1 << 16
"""Characters of the longest `Said`, and bytes of a read."""

_PIPE = 256 << 10
_ENLARGED = 16
"""Workers whose pipes are made larger; a user may have some 64 MB of pipes, and beyond that all get tiny ones."""

_AT_ONCE = 16
"""Reads of one stream before others have their turn."""

_KIND = socket.SOCK_SEQPACKET if sys.platform == "linux" else socket.SOCK_DGRAM

Stream = Literal["stdout", "stderr"]


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
        self._tasks, self._other_end = socket.socketpair(socket.AF_UNIX, _KIND)
        for each in (self._tasks, self._other_end):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * wire.MESSAGE)
        self._tasks.setblocking(False)
        self._frames = wire.Frames()
        large = number <= _ENLARGED
        self.reports, reports = _pipe(large)
        self.out, self.err = Speech("stdout", end, large), Speech("stderr", end, large)
        self._handed = [reports, self.out.writer, self.err.writer]

    @property
    def ends(self) -> list[int]:
        """The descriptors that the worker gets."""
        return [self._other_end.fileno(), *self._handed]

    def handed_over(self) -> None:
        """The worker has its ends: close them here, but for the one by which tasks are taken back."""
        for fd in self._handed:
            os.close(fd)
        self._handed.clear()

    def send(self, task: Task, message: bytes) -> bool:
        """Give a task to the worker; False if there is no room for it now."""
        path: Path | None = None
        if len(message) > wire.MESSAGE:
            path = self._spill / f"{os.getpid()}-{self.number}-{task.node}.task"
            path.write_bytes(message)
            message = wire.IN_A_FILE + os.fsencode(path)
        try:
            self._tasks.send(message)
        except OSError:  # its queue is full
            if path is not None:
                path.unlink()
            return False
        self.sent[task.node] = task
        return True

    def take_back(self) -> Task | None:
        """A task that the worker has not begun, the first of them; None if there is none."""
        try:
            message = self._other_end.recv(wire.MESSAGE + 1024, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        if message[:1] == wire.IN_A_FILE:
            path = Path(os.fsdecode(message[1:]))
            message = path.read_bytes()
            path.unlink()
        return self.sent.pop(wire.node_of(message))

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
        if kind == wire.DONE:
            ends.append(self._end(body, reports))
        elif kind == wire.STARTED:
            _, node, self.pid = body
            self.current, self.since = self.sent.get(node), now
            reports.append(Started(node, self.pid))
        else:
            reports.append(wire.logged_of(body))

    def _end(self, body: tuple[Any, ...], reports: list[Report]) -> Done:
        done = wire.done_of(body)
        for speech in (self.out, self.err):
            if not speech.was_silent():
                reports.extend([Said(done.node, speech.stream, text) for text in speech.finish()])
        self.current = None
        self.ended += 1
        self.sent.pop(done.node, None)
        reports.append(done)
        return done

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
        self._tasks.close()
        self._other_end.close()
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
        self.heard = False
        """Whether anything was printed since this was last set to False."""

    def was_silent(self) -> bool:
        """Step over the end of a task that printed nothing; False if it did print."""
        if self._begun:
            return False
        if not self._bytes:
            self._read()
        if self._bytes.startswith(self._end):
            self._bytes = self._bytes[len(self._end) :]
            return True
        return False

    def live(self) -> Iterator[str]:
        """What was printed since the last time, as far as it surely belongs to the current task."""
        for _ in range(_AT_ONCE):
            if not self._read() or self._end in self._bytes:
                return
            keep = self._partial_end()
            ready = self._bytes[: len(self._bytes) - keep]
            self._bytes = self._bytes[len(self._bytes) - keep :]
            yield from self._text(ready, final=False)

    def finish(self) -> Iterator[str]:
        """The rest of what a task printed, up to its end (or to the end of all, when the worker is dead)."""
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
