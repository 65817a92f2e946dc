"""Everything that is wrong with a plan, collected, and raised as one error.

found = Problems()
found.add(error)          # a StepwellError, as it would have been raised
found.note("...")         # worth a person's attention, and no reason to stop
raise found.error()       # the one error, or `SeveralProblems` that lists all of them

They are listed in the order in which a person would mend them: the files from top to bottom, then
the data that is missing, then the machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from stepwell.errors import (
    CheckFailed,
    EmptySource,
    MissingLibrary,
    MissingSource,
    Offline,
    SeveralProblems,
    SourceRefused,
    StepwellError,
    TooFewResources,
    UnreadableSource,
)

_DATA = (MissingSource, UnreadableSource, EmptySource, SourceRefused, Offline)
_MACHINE = (TooFewResources, MissingLibrary)


class Problems:
    """Errors and notes, each once, in the order in which they were found."""

    def __init__(self) -> None:
        self.errors: list[StepwellError] = []
        self.notes: list[str] = []
        self._seen: set[tuple[str, str, str]] = set()

    def __bool__(self) -> bool:
        return bool(self.errors)

    def add(self, error: StepwellError) -> None:
        """Take an error; of `SeveralProblems` each of its own. What was said in the same words before is left out.

        A loop that calls a step wrongly a thousand times is one mistake: the numbers of calls do not
        count, except in what a user's check says of each.
        """
        for one in error.problems if isinstance(error, SeveralProblems) else (error,):
            what = one.what if isinstance(one, CheckFailed) else re.sub(r"\[\d+\]", "", one.what)
            place = (one.code, what, one.where)
            if place not in self._seen:
                self._seen.add(place)
                self.errors.append(one)

    def note(self, text: str) -> None:
        """Take a note; one of the same words is not said again."""
        if text not in self.notes:
            self.notes.append(text)

    def at(self, where: str) -> bool:
        """Whether something is wrong at a line ("pipeline.py:31") already."""
        return bool(where) and any(error.where == where for error in self.errors)

    def error(self) -> StepwellError:
        """The only error, or one that lists all of them. There must be one."""
        return together(self.errors)


def together(errors: Iterable[StepwellError]) -> StepwellError:
    """One error for one or more: itself, or `SeveralProblems` with all of them in order."""
    found = in_order(errors)
    if len(found) == 1:
        return found[0]
    return SeveralProblems(
        f"{len(found)} problems; nothing was run",
        why="each of them would stop the run",
        fixes=["mend them from the top: the files first, then the data, then the machine"],
        problems=found,
    )


def in_order(errors: Iterable[StepwellError]) -> list[StepwellError]:
    """Errors as a person would mend them: by file and line, then sources, then the machine."""
    return sorted(errors, key=_place)


def _place(error: StepwellError) -> tuple[int, str, int]:
    rank = 2 if isinstance(error, _MACHINE) else 1 if isinstance(error, _DATA) else 0
    found = re.fullmatch(r"(.*):(\d+)", error.where)
    return (rank, found[1], int(found[2])) if found else (rank, "\x7f" if not rank else "", 0)
