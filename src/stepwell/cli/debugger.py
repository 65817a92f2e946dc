"""pdb for steps: it stops at the first line of a step, or where it failed, and shows none of Stepwell's frames.

`Debugger` is Python's own `pdb.Pdb`; `debugger(base, is_own)` puts the same on top of another class that
is made of it, IPython's. It has one command more: `again` ends the call and asks for another one,
with the code as it is on disk then.
"""

from __future__ import annotations

import inspect
import sys
from bdb import BdbQuit
from collections.abc import Callable
from pathlib import Path
from pdb import Pdb
from types import CodeType, FrameType, TracebackType
from typing import Any

_OURS = str(Path(__file__).parents[1])


class Quit(Exception):
    """The person left the debugger, so the step did not come to its end."""


class Debugger(Pdb):
    """`pdb.Pdb`, as the head of this module tells; `is_own` says which files are the project's."""

    def __init__(self, is_own: Callable[[str], bool]) -> None:
        super().__init__()
        self.skip = {"stepwell", "stepwell.*"}
        self.again = False
        self._is_own = is_own
        self._goal: CodeType | None = None

    # ------------------------------------------------------------------ entering

    def through(self, function: Callable[..., Any], call: Callable[[], Any]) -> Any:
        """Carry `call` out and stop at the first line of `function`. Raises `Quit`, and what the step raises."""
        self._goal = getattr(inspect.unwrap(function), "__code__", None)
        self.reset()
        sys.settrace(self.trace_dispatch)
        try:
            return call()
        except BdbQuit:
            raise Quit from None
        finally:
            self.quitting = True  # threads and generators that live on are left alone
            sys.settrace(None)

    def post_mortem(self, trace: TracebackType | None) -> None:
        """Look at the place of an exception, in the innermost frame of the project's own code."""
        self.reset()
        self.interaction(None, trace)

    def stop_here(self, frame: FrameType) -> bool:
        """Until the step is reached: only there."""
        if self._goal is not None:
            return frame.f_code is self._goal
        return bool(super().stop_here(frame))

    def user_call(self, frame: FrameType, argument_list: Any) -> None:
        """The call of the step itself is no place to stop: its first line is."""
        if self._goal is None:
            super().user_call(frame, argument_list)

    def user_line(self, frame: FrameType) -> None:
        """Reached: from here on it is an ordinary debugger."""
        self._goal = None
        super().user_line(frame)

    # ------------------------------------------------------------------ what is shown

    def get_stack(
        self, f: FrameType | None, t: TracebackType | None
    ) -> tuple[list[tuple[FrameType, int]], int]:
        """The stack without Stepwell's frames; of an exception, the innermost of the project's own is current."""
        stack, place = super().get_stack(f, t)
        shown = [i for i, (frame, _) in enumerate(stack) if not frame.f_code.co_filename.startswith(_OURS)]
        if not shown:
            return stack, place
        if f is None:
            own = [i for i in shown if self._is_own(stack[i][0].f_code.co_filename)]
            place = own[-1] if own else shown[-1]
        at = shown.index(place) if place in shown else len(shown) - 1
        return [stack[i] for i in shown], at

    # ------------------------------------------------------------------ commands

    def do_again(self, arg: str) -> bool:
        """End this call, and call the step again with the code as it is on disk now."""
        self.again = True
        return bool(self.do_quit(arg))

    def help_again(self) -> None:
        """Say what `again` does."""
        self.message("again\n        Call the step again, with the code as it is on disk now.")


def debugger(base: type[Pdb], is_own: Callable[[str], bool]) -> Debugger:
    """A `Debugger` on top of `base`, which is `pdb.Pdb` or a class made of it."""
    kind = Debugger if base is Pdb else type("Debugger", (Debugger, base), {})
    made: Debugger = kind(is_own)
    return made
