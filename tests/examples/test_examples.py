"""The examples do what their pages show: each command is run in a copy of the folder, in order, and its output compared.

Times are left out, and lines may come in any order, since steps run side by side. A line `...` stands for others.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
OWN_TESTS = {"flights"}
"""Examples that need more, and have tests of their own (`tests/e2e/test_flights.py`)."""
NAMES = sorted(page.parent.name for page in EXAMPLES.glob("*/README.md") if page.parent.name not in OWN_TESTS)


def shown(page: str) -> list[tuple[str, list[str]]]:
    """The commands of a page, each with the lines that it shows below."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"```console\n(.*?)```", page, re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return found


def plain(line: str) -> str:
    """A line without what differs from machine to machine."""
    line = re.sub(r"\d+(\.\d+)? (s|min|ms|[kMG]?B)(?= |$|:|,)", "N", line)
    return re.sub(r"\s+", " ", line).strip()


def run(command: str, folder: Path) -> str:
    """What a command prints. It may fail: then that is what the page shows."""
    words = shlex.split(command)
    assert words[0] in ("stepwell", "sh", "cp", "rm", "echo", "sed"), command
    if words[0] == "stepwell":
        words = [sys.executable, "-m", "stepwell.cli.main", *words[1:]]
    env = {**os.environ, "NO_COLOR": "1", "COLUMNS": "100"}
    done = subprocess.run(
        words, cwd=folder, capture_output=True, text=True, timeout=300, env=env, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", NAMES)
def test_an_example_does_what_its_page_shows(name, tmp_path):
    folder = tmp_path / name
    shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns(".stepwell", "__pycache__"))
    commands = shown((folder / "README.md").read_text("utf-8"))
    assert commands, f"examples/{name}/README.md shows no command"
    for command, lines in commands:
        output = run(command, folder)
        got = Counter(plain(line) for line in output.splitlines() if line.strip())
        wanted = Counter(plain(line) for line in lines if line.strip())
        partly = wanted.pop("...", 0)
        assert not wanted - got, f"$ {command}\n{output}"
        assert partly or not got - wanted, f"$ {command}\n{output}"


def test_every_example_has_a_page():
    folders = {path.name for path in EXAMPLES.iterdir() if path.is_dir()}
    assert folders == {*NAMES, *OWN_TESTS}
    overview = (EXAMPLES / "README.md").read_text("utf-8")
    assert all(f"({name}/" in overview for name in folders)
