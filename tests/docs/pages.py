"""The code and the commands of a page of the guides."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

GUIDES = Path(__file__).parents[2] / "docs" / "guides"


def blocks(page: str, kind: str) -> list[str]:
    """The fenced blocks of a kind, in order."""
    return re.findall(rf"```{kind}\n(.*?)```", (GUIDES / page).read_text("utf-8"), re.DOTALL)


def commands(page: str) -> list[list[str]]:
    """The words behind `$ stepwell` of every console block."""
    lines = [line for block in blocks(page, "console") for line in block.splitlines()]
    return [shlex.split(line.removeprefix("$ stepwell ")) for line in lines if line.startswith("$ stepwell ")]
