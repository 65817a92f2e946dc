"""The guide to commands, scripts and services: its code runs, and does what the text says."""

from __future__ import annotations

import pytest
from cli_projects import Project
from pages import blocks, commands

SCRIPT = """
import sys

words = dict(zip(sys.argv[1::2], sys.argv[2::2]))
with open(words["--in"]) as table, open(words["--out"], "w") as out:
    out.writelines(line.upper() for line in table)
"""


@pytest.fixture
def guide(tmp_path):
    project = Project(tmp_path)
    project.write("\n\n".join(blocks("shell.md", "python")))
    project.write("flight,minutes\nAB1,20 late\nAB2,5\nAB3,90 late\n", "flights.csv")
    project.write(SCRIPT, "featurize.py")
    return project


def test_every_command_works(guide):
    for command in commands("shell.md"):
        guide(*command, code=None if 'word=$(date) "x"' in command else 0)


def test_what_the_text_says(guide):
    assert guide("run", "main", "--json").json["result"] == "2 late, 2 columns, longest: AB3,90 late"
    hostile = guide("run", "main", 'word=$(date) "x"', "--json", code=1)
    assert hostile.steps["late"]["status"] == "failed"  # grep finds nothing
    guide("run", "featurized")
    assert (guide.root / "data" / "features.csv").read_text().startswith("FLIGHT")
    assert guide("run", "served", "--json").json["result"][0] == 200
