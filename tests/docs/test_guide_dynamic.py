"""The guide to loops and branches: its code runs, and its commands do what the text says."""

from __future__ import annotations

import pytest
from cli_projects import Project
from pages import blocks, commands

from stepwell.errors import catalogue


@pytest.fixture
def guide(tmp_path):
    project = Project(tmp_path)
    project.write("\n\n".join(blocks("dynamic.md", "python")))
    return project


def test_every_command_works(guide):
    for command in commands("dynamic.md"):
        guide(*command)


def test_what_the_text_says_of_maps_branches_and_rounds(guide):
    assert guide("plan", "sliced", "--json").decisions["evaluate.map"] == "dynamic"
    assert guide("run", "sliced", "--json").json["result"] == "3 slices, best 2.00"
    more = guide("run", "sliced", "regions=4", "--json")
    assert [name for name, verb in more.decisions.items() if verb == "run"] == [
        "slices",
        "evaluate[4]",
        "report",
    ]
    assert guide("run", "branched", "--json").json["result"] == "cluster: 3"
    assert guide("run", "branched", "regions=1", "--json").json["result"] == "by hand: 1"
    assert guide("run", "trained", "rounds=2", "--json").json["result"] == pytest.approx(0.7)
    longer = guide("run", "trained", "rounds=10", "--json")
    assert longer.json["result"] == pytest.approx(0.95)
    assert list(longer.decisions.values()) == ["cached", "cached", "cached", "run"]


def test_what_the_text_says_of_failures(guide):
    done = guide("run", "published", "--json")
    assert done.json["result"] == "3 slices, best 2.00 (no picture)"
    assert done.json["status"] == "succeeded"
    assert done.steps["clean_up"]["status"] == "succeeded"


def test_the_codes_that_it_names_exist():
    text = "".join(blocks("dynamic.md", "python"))
    assert text
    assert {"E260", "E261"} <= {kind.code for kind in catalogue()}
