"""The line of the user's own code that is being executed, for errors and for the plan.

The user's own is what is neither this package nor a library: `json.dumps(reference)` is a mistake in
the line that says so, not in `json/encoder.py`.
"""

from __future__ import annotations

import inspect
import os
import sys
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

PACKAGE = str(Path(__file__).resolve().parent.parent)

LOADED = time.time()
"""When the first module that imports something of Stepwell did so."""

_OURS = PACKAGE + os.sep
_STANDARD = os.path.dirname(os.__file__) + os.sep
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


@lru_cache(maxsize=4096)
def is_library(filename: str) -> bool:
    """Whether a file is Python's, an installed distribution's, or no file at all (generated code)."""
    return filename.startswith(("<", _STANDARD, _OURS)) or any(part in filename for part in _INSTALLED)


def user_frame() -> FrameType | None:
    """The frame of the user's code that called into this package, libraries between them left out; or None."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_OURS):
        frame = frame.f_back
    nearest = frame
    while frame is not None and is_library(frame.f_code.co_filename):
        if frame.f_code.co_filename.startswith(_OURS):
            return nearest
        frame = frame.f_back
    return frame or nearest


def user_line() -> str:
    """Where the user's code is now, as "pipeline.py:31"; "" if nowhere."""
    frame = user_frame()
    if frame is None or _is_command(frame):
        return ""
    return f"{short(frame.f_code.co_filename)}:{frame.f_lineno}"


def _is_command(frame: FrameType) -> bool:
    """Whether a frame is that of the script which starts the command."""
    return frame.f_globals.get("__name__") == "__main__" and Path(frame.f_code.co_filename).stem == "stepwell"


def line_of(function: Callable[..., Any]) -> str:
    """Where a function is defined, as "pipeline.py:31"; "" if in no file."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{short(code.co_filename)}:{code.co_firstlineno}" if code is not None else ""


class Place:
    """Where an exception was raised, as far as the user's code goes: the line, and the names that it could use."""

    def __init__(self, raised: TracebackType | None) -> None:
        import traceback

        steps = [
            (frame, line)
            for frame, line in traceback.walk_tb(raised)
            if not frame.f_code.co_filename.startswith((_OURS, "<frozen"))
        ]
        own = [step for step in steps if not is_library(step[0].f_code.co_filename)] or steps
        self.where = self.line = ""
        self.names: dict[str, object] = {}
        if own:
            frame, number = own[-1]
            filename = frame.f_code.co_filename
            summary = traceback.FrameSummary(filename, number, frame.f_code.co_name)
            self.where = f"{short(filename)}:{number}"
            self.line = (summary.line or "").strip()
            self.names = {**frame.f_builtins, **frame.f_globals, **frame.f_locals}

    @property
    def why(self) -> str:
        """The line, as a reason; "" if it is not known."""
        return f"in the line `{self.line}`" if self.line else ""


def short(filename: str) -> str:
    """A file's name as a person would say it: relative to where we are if below, else its last two parts."""
    try:
        here = os.getcwd()
    except OSError:  # it was removed
        here = os.sep
    return _short(filename, here)


@lru_cache(maxsize=4096)
def _short(filename: str, here: str) -> str:
    path = Path(filename)
    below = len(here) > 1 and path.is_relative_to(here)
    return str(path.relative_to(here)) if below else "/".join(path.parts[-2:])
