"""How an engine starts its processes (`worker.main`) and speaks to their template. Of the worker the driver needs only this."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from stepwell.worker.family import MARK

REQUEST = struct.Struct("<cI")
"""From the driver, with descriptors: WARM (of the project's root, further roots, and modules, whose libraries will be
wanted), BEGIN (of the settings), FORK and the number of a worker (its `ENDS`); CLOSE."""

ENDS = 5
"""File descriptors of a worker: tasks, leave to begin them, reports, standard output and error."""

ANSWER = struct.Struct("<cIiQ")
"""To the driver: READY; EXITED, the number of a worker, its wait status, its peak memory in bytes."""

WARM, BEGIN, FORK, CLOSE, READY, EXITED = b"W", b"B", b"F", b"C", b"R", b"X"

LIMIT = 1.6
"""Seconds after which everything is gone, whatever it did."""

END = 16
"""Bytes of what a worker writes where the output of a task ends (`capture`)."""


def command(role: str, path: Sequence[str], arguments: Sequence[int]) -> list[str]:
    """The command line of such a process: this interpreter with its flags, and these places to import from."""
    flags: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    program = f"import sys; sys.path[:] = {list(path)!r}; from stepwell.worker.main import {role}; {role}()"
    return [sys.executable, *flags, "-P", "-c", program, *map(str, arguments)]


def boot_environment(mark: str, threads: int) -> dict[str, str]:
    """The environment of the template and of all workers: this process's, and what makes steps behave alike."""
    environment: dict[str, Any] = dict(os.environ)
    environment[MARK] = mark
    environment.setdefault("PYTHONHASHSEED", "0")  # sets of text iterate alike in every run
    environment.setdefault("MPLBACKEND", "agg")  # no windows
    environment.setdefault(
        "OMP_WAIT_POLICY", "PASSIVE"
    )  # workers share processors: waiting threads must not spin
    if threads:
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"):
            environment.setdefault(name, str(threads))
    return environment


def reason_in(said: str) -> str:
    """The line of what a Python printed that says why it ended; "" where it printed nothing.

    That is the last line of a traceback, and the first of an end before it could begin: of a variable that it cannot take.
    """
    lines = said.strip().splitlines()
    fatal = [line for line in lines if line.startswith("Fatal Python error: ")]
    return [*fatal, *lines[-1:], ""][0]
