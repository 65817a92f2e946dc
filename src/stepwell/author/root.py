"""Where a project begins. Alone, since even commands that load nothing ask it."""

from __future__ import annotations

from pathlib import Path

DEFAULT_FILE = "pipeline.py"
"""The file that a command is about where none is named."""


def root_of(file: Path) -> Path:
    """The root of the project that a file or folder belongs to."""
    start = file if file.is_dir() else file.parent
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / "stepwell.toml").is_file() or _has_table(folder / "pyproject.toml"):
            return folder
    return start


def _has_table(file: Path) -> bool:
    try:
        text = file.read_text("utf-8", "replace")
    except OSError:
        return False
    return any(line.lstrip().startswith(("[tool.stepwell]", "[tool.stepwell.")) for line in text.splitlines())
