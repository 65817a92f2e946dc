"""Programs that commands call: what to say where one is not there."""

from __future__ import annotations

import os

from stepwell.errors import MissingProgram, nearest


def missing(name: str) -> MissingProgram:
    """The error of a program that is not there."""
    hint = nearest(name, _known()) if "/" not in name else None
    return MissingProgram(
        f"the command calls `{name}`, which is not installed, or not on the path",
        why="a step would fail as soon as it came to that",
        fixes=[
            *([f"did you mean `{hint}`?"] if hint else []),
            f"install `{name}`, or put its folder on $PATH",
            f"if `{name}` is no program, and only looks like one: stepwell plan -x kinds",
        ],
    )


def _known() -> list[str]:
    """The names of programs on the path."""
    names: dict[str, None] = {}
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        try:
            names.update(dict.fromkeys(os.listdir(folder or ".")))
        except OSError:
            continue
    return list(names)
