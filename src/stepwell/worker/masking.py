"""Takes the values of secrets out of what a process prints, by whatever means it does so.

    masking = Masking(out, err, end)      descriptors 1 and 2 lead into a process that masks, from there on to `out`, `err`
    masking.finish()                      writes the end of a task, and waits until everything before it has gone through

That process is a fork of the worker that does nothing else: a thread would wait for ever for C code that
prints much while it holds Python's lock. It is started when the first secret is known, and not before.
What could be the beginning of a secret is held back until it is known what follows, so that one that is
written in two parts is found, too.

For a process whose streams are nobody's pipes (`--in-process`), `ThisProcess` does the same to `sys.stdout`.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import select
import signal
import sys
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

from stepwell.worker import secrets
from stepwell.worker.secrets import MASK

CHUNK = 1 << 16

_ACK = b"."


class Sieve:
    """One stream of bytes without the values of secrets. `end` marks where a task ends: nothing is held back across it."""

    def __init__(self, forms: Sequence[bytes], end: bytes = b"") -> None:
        self._end = end
        self._held = b""
        self.learn(forms)

    def learn(self, forms: Sequence[bytes]) -> None:
        """From now on these are taken out; the longest come first."""
        self._forms = tuple(forms)
        self._pattern = re.compile(b"|".join(map(re.escape, forms)) or b"(?!)")
        self._starts = (*self._forms, *([self._end] if self._end else []))

    def feed(self, data: bytes) -> tuple[bytes, int]:
        """What can be told of the stream with these bytes, and how many ends are in it."""
        data, ends, out = self._held + data, 0, []
        while self._end and (at := data.find(self._end)) >= 0:
            out += [self._masked(data[:at]), self._end]
            data, ends = data[at + len(self._end) :], ends + 1
        keep = self._unsure(data)
        self._held = data[len(data) - keep :]
        out.append(self._masked(data[: len(data) - keep]))
        return b"".join(out), ends

    def rest(self) -> bytes:
        """What was held back, where nothing follows."""
        held, self._held = self._held, b""
        return self._masked(held)

    def _masked(self, data: bytes) -> bytes:
        return self._pattern.sub(MASK.encode(), data)

    def _unsure(self, data: bytes) -> int:
        """How many of the last bytes may begin, or belong to, something that is not complete yet.

        Where a form is in the midst of what is held back, all of the form is held back with it.
        """
        keep = 0
        for start in self._starts:
            for count in range(min(len(start) - 1, len(data)), keep, -1):
                if data.endswith(start[:count]):
                    keep = count
                    break
        cut = len(data) - keep
        for found in self._pattern.finditer(data):
            if found.start() < cut < found.end():
                return len(data) - found.start()
        return keep


class Masking:
    """The process that masks the standard streams of this one. `out`, `err` are where they go, `end` marks ends of tasks."""

    def __init__(self, out: int, err: int, end: bytes, *, tell_ends: bool = True) -> None:
        self._end = end
        readers, self.writers = zip(*(os.pipe() for _ in range(2)), strict=True)
        commands, self._commands = os.pipe()
        self._acks, acks = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self._pid = os.fork()
        if not self._pid:
            try:
                _serve(readers, (out, err), commands, acks, end, tell_ends=tell_ends)
            finally:
                os._exit(0)
        for fd in (*readers, commands, acks):
            os.close(fd)
        for fd in (*self.writers, self._commands, self._acks):
            os.set_inheritable(fd, False)

    def learn(self, forms: Sequence[bytes]) -> bool:
        """Take out these forms from now on; False if the process is gone."""
        told = b"\n".join(form.hex().encode() for form in forms)
        return self._tell(len(told).to_bytes(4, "little") + told, 1)

    def finish(self) -> bool:
        """Let everything that was printed go through, with the task's end behind it; False if the process is gone."""
        try:
            for writer in self.writers:
                os.write(writer, self._end)
        except OSError:
            return False
        return self._wait(2)

    def is_alive(self) -> bool:
        """Whether the process is still there."""
        try:
            return os.waitpid(self._pid, os.WNOHANG)[0] == 0
        except ChildProcessError:  # somebody else has asked
            return False

    def close(self) -> None:
        """Let go of it."""
        for fd in (*self.writers, self._commands, self._acks):
            with contextlib.suppress(OSError):
                os.close(fd)

    def _tell(self, data: bytes, answers: int) -> bool:
        try:
            while data:
                data = data[os.write(self._commands, data) :]
        except OSError:
            return False
        return self._wait(answers)

    def _wait(self, answers: int) -> bool:
        while answers:
            heard = os.read(self._acks, answers)
            if not heard:
                return False
            answers -= len(heard)
        return True


def _serve(
    readers: Sequence[int],
    writers: Sequence[int],
    commands: int,
    acks: int,
    end: bytes,
    *,
    tell_ends: bool,
) -> None:
    """The life of that process: until nobody writes to it any more. It holds nothing open but what it needs."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    os.setsid()  # who ends the worker with its session lets this one tell what the worker said last
    needed = sorted({*readers, *writers, commands, acks})
    for first, last in zip([-1, *needed], [*needed, os.sysconf("SC_OPEN_MAX")], strict=True):
        os.closerange(first + 1, last)
    sieves = {reader: Sieve(secrets.forms.texts, end) for reader in readers}
    target = dict(zip(readers, writers, strict=True))
    told = b""
    while sieves:
        ready = select.select([*sieves, *([commands] if commands >= 0 else [])], [], [])[0]
        for reader in [one for one in ready if one in sieves]:
            data = os.read(reader, CHUNK)
            text, ends = sieves[reader].feed(data) if data else (sieves.pop(reader).rest(), 0)
            _write(target[reader], text if tell_ends else text.replace(end, b""))
            _write(acks, _ACK * ends)
        if commands in ready:
            data = os.read(commands, CHUNK)
            told += data
            if not data:
                commands = -1
            while len(told) >= 4 and len(told) >= 4 + (size := int.from_bytes(told[:4], "little")):
                forms = [bytes.fromhex(line.decode()) for line in told[4 : 4 + size].split(b"\n")]
                told = told[4 + size :]
                for sieve in sieves.values():
                    sieve.learn(forms)
                _write(acks, _ACK)


def _write(fd: int, data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError):
        while data:
            data = data[os.write(fd, data) :]


# --------------------------------------------------------------------------- in this process


class _Masked(io.TextIOBase):
    """A text stream that masks what is written to another one."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._sieve = Sieve(secrets.forms.texts)

    def learn(self) -> None:
        """Take in what is known now."""
        self._sieve.learn(secrets.forms.texts)

    def write(self, text: str, /) -> int:
        """Write what can be told of it."""
        ready, _ = self._sieve.feed(text.encode("utf-8", "surrogatepass"))
        self._stream.write(ready.decode("utf-8", "surrogateescape"))
        return len(text)

    def finish(self) -> None:
        """Write what was held back."""
        self._stream.write(self._sieve.rest().decode("utf-8", "surrogateescape"))
        self._stream.flush()

    def flush(self) -> None:
        """Flush the stream below."""
        self._stream.flush()

    def writable(self) -> bool:
        """Yes."""
        return True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class ThisProcess:
    """Masks what this process writes to `sys.stdout` and `sys.stderr`, from the moment when a secret is known.

        masked = ThisProcess()
        with masked: ...        # a task; as often as there are tasks
        masked.close()

    `whole`: also what child processes and C code write; not for debuggers, which need a terminal. What masks that
    is a process of its own, which stays until `close`: forking a process that holds much takes longer than most tasks.
    """

    def __init__(self, *, whole: bool = True) -> None:
        self._whole = whole
        self._streams: list[tuple[str, TextIO, _Masked]] = []
        self._below: _Below | None = None

    def __enter__(self) -> None:
        secrets.forms.learned.append(self._learn)
        if secrets.forms:
            self._learn()

    def __exit__(self, *_: object) -> None:
        secrets.forms.learned.remove(self._learn)
        for name, stream, masked in self._streams:
            masked.finish()
            if getattr(sys, name) is masked:
                setattr(sys, name, stream)
        self._streams.clear()
        if self._below is not None:
            self._below.leave()

    def close(self) -> None:
        """End the process that masks what is written below Python, if there is one."""
        below, self._below = self._below, None
        if below is not None:
            below.close()

    def _learn(self) -> None:
        if self._below is not None and not self._below.fits():
            self.close()
        if self._whole:
            self._below = self._below or _Below()
            self._below.enter()
        if not self._streams:
            for name in ("stdout", "stderr"):
                stream = getattr(sys, name)
                self._streams.append((name, stream, _Masked(stream)))
                setattr(sys, name, self._streams[-1][2])
        for _, _, masked in self._streams:
            masked.learn()


@contextlib.contextmanager
def in_this_process(*, whole: bool = True) -> Iterator[None]:
    """`ThisProcess` for a single task."""
    masked = ThisProcess(whole=whole)
    try:
        with masked:
            yield
    finally:
        masked.close()


class _Below:
    """Descriptors 1 and 2 of this process, masked from `enter` to `leave`: C code and child processes write to them."""

    def __init__(self) -> None:
        self._before = (os.dup(1), os.dup(2))
        self._masking = Masking(*self._before, os.urandom(16), tell_ends=False)
        self._known: tuple[bytes, ...] = tuple(secrets.forms.texts)
        self._entered = False

    def fits(self) -> bool:
        """Whether the process lives, and the descriptors still lead where they did when this was made."""
        if self._entered:
            return True
        return self._masking.is_alive() and all(map(os.path.sameopenfile, (1, 2), self._before))

    def enter(self) -> None:
        """Mask, with all that is known now."""
        known = tuple(secrets.forms.texts)
        if known != self._known:
            self._masking.learn(known)
            self._known = known
        if not self._entered:
            sys.stdout.flush()
            sys.stderr.flush()
            self._attach(self._masking.writers)
            self._entered = True

    def leave(self) -> None:
        """Put the descriptors back, when everything has gone through."""
        sys.stdout.flush()
        sys.stderr.flush()
        self._masking.finish()
        self._attach(self._before)
        self._entered = False

    def close(self) -> None:
        """Let the process go."""
        if self._entered:
            self.leave()
        self._masking.close()
        for fd in self._before:
            os.close(fd)

    def _attach(self, ends: Sequence[int]) -> None:
        os.dup2(ends[0], 1)
        os.dup2(ends[1], 2)
