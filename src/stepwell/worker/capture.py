"""What a step prints, by whatever means it does so.

File descriptors 1 and 2 of a worker are pipes, so C code and child processes are caught too. They
stay the same as long as the worker lives, and the driver reads them. After each task the worker writes
an `end` (random bytes, the same for all workers of an engine) to both: what lies between two ends is
what one task printed. A task that prints nothing costs two small writes, and nobody waits for anybody. What a step left
running in the background prints later counts as said by the step that runs then.

Why not a file, whose size after each task would say the same: `tee /dev/stderr` and `> /dev/stdout`,
common in shell commands, empty a file when they open it. Why not a thread in the worker that reads the
pipe: C code that prints much while it holds Python's lock would wait for it for ever.
"""

from __future__ import annotations

import ctypes
import io
import os
import sys
from typing import TYPE_CHECKING

from stepwell.worker.secrets import forms

if TYPE_CHECKING:
    from stepwell.worker.masking import Masking


class Capture:
    """The standard streams of a worker. `out` and `err` are the pipes' ends for writing."""

    def __init__(self, out: int, err: int, end: bytes) -> None:
        self._out, self._err, self._end = out, err, end
        self._masking: Masking | None = None
        forms.learned.append(self.hide)
        self._flush_c = ctypes.CDLL(None).fflush
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        self._attach()
        self._stdout = sys.stdout = sys.__stdout__ = text_stream(1)
        self._stderr = sys.stderr = sys.__stderr__ = text_stream(2)
        sys.stdin = sys.__stdin__ = open(0, encoding="utf-8", closefd=False)  # lives as long as we  # noqa: SIM115

    def finish(self) -> bool:
        """A task ended: write what is still in buffers, repair the streams, and mark the end.

        Returns whether a stream had to be made anew, because the step closed it.
        """
        closed = False
        try:
            self._stdout.flush()
            self._stderr.flush()
        except ValueError:  # a step closed one
            closed = self._stdout.closed or self._stderr.closed
            if not closed:
                raise
            self._renew()
            self._stdout.flush()
            self._stderr.flush()
        self._flush_c(None)
        self._attach()
        if self._masking is not None:
            if self._masking.finish():
                return closed
            self._masking.close()  # it was killed: what goes to nobody shows nothing
            self._masking = self._start_masking()
            self._attach()
        os.write(self._out, self._end)
        os.write(self._err, self._end)
        return closed

    def hide(self) -> None:
        """There is a secret whose value is to be taken out of everything that is printed from now on (`worker.masking`)."""
        if self._masking is None or not self._masking.learn(forms.texts):
            self._masking = self._start_masking()
        self._attach()

    def _start_masking(self) -> Masking:
        from stepwell.worker.masking import Masking  # most workers know no secret

        return Masking(self._out, self._err, self._end)

    def _attach(self) -> None:
        out, err = (self._out, self._err) if self._masking is None else self._masking.writers
        os.dup2(out, 1)
        os.dup2(err, 2)

    def _renew(self) -> None:
        if self._stdout.closed:
            self._stdout = sys.stdout = sys.__stdout__ = text_stream(1)
        if self._stderr.closed:
            self._stderr = sys.stderr = sys.__stderr__ = text_stream(2)


def text_stream(fd: int) -> io.TextIOWrapper:
    """A text stream that writes each line as soon as it is complete."""
    return open(fd, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)
