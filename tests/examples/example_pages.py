"""The pages of the examples: the commands that they show are run, in order, and what they print is compared.

Times and sizes are left out, and lines may come in any order, since steps run side by side. A line `...`
stands for others.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"
ALLOWED = ("stepwell", "cat", "rm", "sed")
"""The commands that a page may show."""


def copied(name: str, folder: Path) -> Path:
    """A copy of an example, without what was made in it."""
    made = shutil.ignore_patterns(".stepwell", "__pycache__")
    return Path(shutil.copytree(EXAMPLES / name, folder / name, ignore=made))


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
    line = re.sub(r"[\d,]*\d(\.\d+)? (s|min|ms|h|[kMG]?B|bytes)(?= |$|:|,)", "N", line)
    line = re.sub(r"N to N", "N", line)  # an estimate is a range where what may be left out is a large part
    return re.sub(r"\s+", " ", re.sub(r"N( N)+", "N", line)).strip()


def run(command: str, folder: Path, env: Mapping[str, str]) -> str:
    """What a command prints. It may fail: then that is what the page shows."""
    words = shlex.split(command)
    assert words[0] in ALLOWED, command
    if words[0] == "stepwell":
        words = [sys.executable, "-m", "stepwell.cli.main", *words[1:]]
    path = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"  # as where an environment is activated
    done = subprocess.run(
        words, cwd=folder, capture_output=True, text=True, timeout=600, check=False,
        env={**env, "PATH": path, "NO_COLOR": "1", "COLUMNS": "100"},
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout + done.stderr


def check(commands: list[tuple[str, list[str]]], folder: Path, env: Mapping[str, str] = os.environ) -> None:
    """Run commands in a folder, and see that each prints what its page shows."""
    for command, lines in commands:
        output = run(command, folder, env)
        got = Counter(plain(line) for line in output.splitlines() if line.strip())
        wanted = Counter(plain(line) for line in lines if line.strip())
        partly = wanted.pop("...", 0)
        assert not wanted - got, f"$ {command}\n{output}"
        assert partly or not got - wanted, f"$ {command}\n{output}"
