"""Where a project begins. Alone, since even commands that load nothing ask it."""

from __future__ import annotations

import os

TYPE_CHECKING = False  # as type checkers know it: lists of runs do without `pathlib`
if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_FILE = "pipeline.py"
"""The file that a command is about where none is named."""

RUN_FILES = (".yaml", ".yml")
"""How the names of run files end: a word that does is one, and no pipeline."""


def root_of(file: Path) -> Path:
    """The root of the project that a file or folder belongs to."""
    return type(file)(root_at(os.fspath(file)))


def root_at(file: str) -> str:
    """`root_of` as text, for commands that do without `pathlib`."""
    start = os.path.realpath(file if os.path.isdir(file) else os.path.dirname(file))
    folder, below = start, ""
    while folder != below:
        if os.path.isfile(os.path.join(folder, "stepwell.toml")) or _has_table(folder):
            return folder
        folder, below = os.path.dirname(folder), folder
    return start


def _has_table(folder: str) -> bool:
    try:
        with open(os.path.join(folder, "pyproject.toml"), encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        return False
    return any(line.lstrip().startswith(("[tool.stepwell]", "[tool.stepwell.")) for line in text.splitlines())
