"""The guide to reproducing: its pipeline runs, and its commands print what stands below them."""

from __future__ import annotations

import re

import pytest
from cli_projects import Project
from pages import blocks


@pytest.mark.slow
def test_the_commands_say_what_the_page_says(tmp_path) -> None:
    project = Project(tmp_path)
    project.write("\n".join(blocks("reproduce.md", "python")))
    project.write("[2.5, -1, 3.5]", "data/readings.json")
    for block in blocks("reproduce.md", "console"):
        for command, *shown in _commands(block):
            settings, words = _words(command)
            code = 1 if "--vary" in words else 0
            out = project(*words, code=code, env=settings).out
            found = [" ".join(line.split()) for line in out.splitlines()]
            for line in shown:
                pattern = ".*".join(re.escape(" ".join(part.split())) for part in line.split("…"))
                assert any(re.fullmatch(pattern, one) for one in found), f"{line!r} is not in\n{out}"


def _commands(block: str) -> list[list[str]]:
    """Each command with the lines below it."""
    found: list[list[str]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append([line.removeprefix("$ ")])
        else:
            found[-1].append(line)
    return found


def _words(command: str) -> tuple[dict[str, str], list[str]]:
    """What a command sets before `stepwell`, and its words."""
    before, _, rest = command.partition("stepwell ")
    return dict(word.split("=", 1) for word in before.split()), rest.split()
