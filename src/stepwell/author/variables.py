"""What is said of code of a project that puts something else in the place of `os.environ`.

A plain dict looks alike, and is not: no process that is started gets what is in it, most libraries do not
see it, and nobody could tell which variables a step reads.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from linecache import getlines

from stepwell.author.where import short
from stepwell.errors import VariablesReplaced
from stepwell.worker.observe import ENVIRON

_REPLACES = re.compile(r"\s*os\.environ\s*=(?!=)")


def replaced(files: Iterable[str]) -> VariablesReplaced:
    """The error for code of these files that put something else in the place of `os.environ`; what was there is put back."""
    kind = type(os.environ).__name__
    os.environ = ENVIRON  # noqa: B003  it is what was there
    lines = ((file, number, line) for file in files for number, line in enumerate(getlines(file), 1))
    file, number, line = next((each for each in lines if _REPLACES.match(each[2])), ("", 0, ""))
    why = "no process that is started gets what is in it"
    return VariablesReplaced(
        f"`os.environ` was replaced by a {kind}",
        why=f"in the line `{line.strip()}`; {why}" if line else why,
        fixes=[
            "os.environ.update({...})    sets variables in the mapping that is there",
            "os.environ.clear()    before it, if all others are to go",
        ],
        where=f"{short(file)}:{number}" if line else "",
    )
