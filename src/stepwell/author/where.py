"""The line of the user's own code that is being executed, for errors and for the plan."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType

PACKAGE = str(Path(__file__).resolve().parent.parent)


def user_frame() -> FrameType | None:
    """The innermost frame outside of this package, or None."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
    return frame


def user_line() -> str:
    """Where the user's code is now, as "pipeline.py:31"; "" if nowhere."""
    frame = user_frame()
    if frame is None:
        return ""
    return f"{short(frame.f_code.co_filename)}:{frame.f_lineno}"


def short(filename: str) -> str:
    """A file's name as a person would say it: the last two parts at most, relative to where we are if below."""
    cached = _SHORT.get(filename)
    if cached is None:
        try:
            cached = str(Path(filename).relative_to(Path.cwd()))
        except (ValueError, OSError):
            cached = "/".join(Path(filename).parts[-2:])
        _SHORT[filename] = cached
    return cached


_SHORT: dict[str, str] = {}
