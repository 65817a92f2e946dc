"""A manifest as commands take it: from the header of a single file too, and told with its line where it is wrong."""

from __future__ import annotations

import pytest
from cli_projects import HELLO, Project

HEADER = """\
# /// script
# dependencies = ["stepwell"]
#
# [tool.stepwell.params]
# count = 3
# ///
"""


@pytest.fixture
def alone(project: Project) -> Project:
    """A single file with a manifest in its header."""
    project.write()
    file = project.root / "pipeline.py"
    file.write_text(HEADER + file.read_text())
    return project


def test_the_parameters_in_a_header_count(alone):
    assert alone("run", "--json").json["result"] == 5
    assert alone("plan", "--json").json["params_from"]["count"] == {
        "layer": "project",
        "where": "pipeline.py",
    }
    assert set(alone("plan", "--json").decisions.values()) == {"cached"}
    alone.edit("# count = 3", "# count = 4")
    assert set(alone("plan", "--json").decisions.values()) != {"cached"}, "also of a plan that was recalled"
    assert alone("run", "--json").json["result"] == 14
    assert alone("run", "count=2", "--json").json["result"] == 1


def test_a_file_with_a_manifest_stands_alone(alone):
    alone.write("[tool.stepwell.params]\ncount = 1\n", "pyproject.toml")
    assert alone("run", "--json").json["result"] == 5


def test_hooks_and_checks_in_a_header(alone):
    alone.write("def never(plan):\n    return 'not today'\n", "quality.py")
    alone.edit(
        "# [tool.stepwell.params]",
        "# [tool.stepwell.hooks]\n# always = 'touch told'\n# [tool.stepwell.params]",
    )
    alone("run")
    assert (alone.root / "told").exists()
    alone.edit(
        "# [tool.stepwell.hooks]", "# [tool.stepwell]\n# checks = ['quality:never']\n# [tool.stepwell.hooks]"
    )
    assert alone.refused("plan", code=3)["what"] == "not today"


@pytest.mark.parametrize(
    ("name", "above"), [("pyproject.toml", "[tool.stepwell]\n"), ("stepwell.toml", "\n")]
)
def test_a_mistake_is_told_with_its_line_and_nothing_runs(project, name, above):
    project.write(HELLO)
    project("run")
    project.write(f"{above}enviroment = 'strict'\n", name)
    (project.root / name).write_text(f"{above}enviroment = 'strict'\n")
    for verb in ("plan", "run"):
        error = project.refused(verb, code=3)
        assert error["code"] == "E318"
        assert error["where"] == f"{name}:2"
        assert error["fixes"][0] == "did you mean `environment`?"


def test_all_mistakes_are_told_at_once(hello):
    hello.write("environment = 'strict'\nchecks = 3\n[data.x]\n", "stepwell.toml")
    problems = hello("plan", "--json", code=3).json["error"]["problems"]
    assert [(one["code"], one["where"]) for one in problems] == [
        ("E318", f"stepwell.toml:{n}") for n in (2, 3)
    ]


def test_a_mistake_in_a_header_is_told_with_its_line(alone):
    alone.edit("# count = 3", "# count = ")
    error = alone.refused("run", code=3)
    assert (error["code"], error["where"]) == ("E318", "pipeline.py:5")
