"""A pipeline of a thousand steps with five mistakes of different kinds: one `plan` tells all of them, and nothing runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

STEPWELL = Path(sys.executable).with_name("stepwell")
STEPS = 1000

HEAD = """\
from __future__ import annotations
import os
from pathlib import Path
from typing import Annotated
import pandas as pd
from stepwell import Columns, pipeline, source, step

flights = source("flights.csv", pd.DataFrame)
last = source("reports/overview.csv")  # renamed

@step
def clean(table: Annotated[pd.DataFrame, Columns("carrier", "dep_delay")]) -> list[int]:  # column
    return [len(table)]

@step(out="reports/summary.txt")
def summary(values: list[int]) -> Path:
    return Path("reports/summary.txt")

@step(out="reports/summary.txt")
def overview(values: list[int]) -> Path:
    return Path("reports/summary.txt")

@step(out="reports/overviews.csv")
def compare(before: Path) -> Path:
    return before

@step
def label(values: list[str]) -> int:
    return len(values)

"""


def write(folder: Path) -> list[str]:
    """The project: 1,000 steps in a chain, each a function of its own; gives the lines of its file."""
    steps = [
        f"@step\ndef s{i}(values: list[int], more: int = {i}) -> list[int]:\n    return [v + more for v in values]\n"
        for i in range(STEPS - 5)
    ]
    calls = [f"    values = s{i}(values)" for i in range(STEPS - 5)]
    body = [
        "@pipeline",
        "def main():",
        "    values = clean(flights())",
        *calls,
        "    summary(values)",
        "    overview(values)  # output",
        "    compare(last())",
        "    label(values)  # generic",
        "    return os.path.jon('reports', 'x')  # typo",
    ]
    (folder / "pipeline.py").write_text(HEAD + "\n".join([*steps, *body]) + "\n")
    (folder / "flights.csv").write_text("carrier,delay\nAA,3\n")
    return (folder / "pipeline.py").read_text().splitlines()


@pytest.fixture
def lines(tmp_path):
    return write(tmp_path)


def test_five_mistakes_in_a_thousand_steps_are_told_at_once(tmp_path, lines):
    def line(mark: str) -> str:
        return f"pipeline.py:{next(i for i, text in enumerate(lines, 1) if text.endswith(f'# {mark}'))}"

    answer = subprocess.run(
        [STEPWELL, "plan", "--json"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert answer.returncode == 3, answer.stdout + answer.stderr
    error = json.loads(answer.stdout)["error"]
    assert error["code"] == "E312"
    found = [(one["code"], one["where"]) for one in error["problems"]]
    column = line("column").partition(":")[2]
    assert found == [
        ("E315", f"pipeline.py:{int(column) - 1}"),  # at the step's decorator
        ("E207", line("output")),
        ("E205", line("generic")),
        ("E203", line("typo")),
        ("E301", line("renamed")),
    ]
    what = [one["what"] for one in error["problems"]]
    assert "`dep_delay`, which the source `flights` does not have" in what[0]
    assert error["problems"][0]["fixes"][0] == "did you mean `delay`?"
    assert what[1] == "`summary` and `overview` both write `reports/summary.txt`"
    assert "takes list[str], and `s994` gives list[int]" in what[2]
    assert error["problems"][3]["fixes"][0] == "did you mean `join`?"
    assert (
        error["problems"][4]["fixes"][0] == "take what `compare` returns: it writes `reports/overviews.csv`"
    )
    assert not list(tmp_path.glob("**/summary.txt"))
