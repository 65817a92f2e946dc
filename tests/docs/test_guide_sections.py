"""`docs/guides/sections.md` is what happens: its Python is run, and its commands give what it shows."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))

from cli_projects import Project

PAGE = (Path(__file__).parents[2] / "docs" / "guides" / "sections.md").read_text("utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    made.write(blocks("python")[0])
    return made


def test_the_graph_is_as_shown(project):
    command, _, shown = blocks("console")[0].partition("\n")
    assert project(*command.removeprefix("$ stepwell ").split()).out == shown


def test_the_rest_of_the_page(project):
    asked = blocks("console")[1].removeprefix("$ stepwell ").split()
    run = project(*asked, "--json")
    assert run.json["result"] == 60.0
    assert run.decisions["qa/score"] == "skip"
    assert project("run", "training", "fit=[1, 2]", "--json").json["result"] == 9.0
    assert project("run", "--json").json["result"] == 2.4
    project.write("\n\n".join(blocks("python")))
    assert project("run", "greeting", "--json").json["result"] == ["hello", "goodbye"]
    assert project("run", "checked", "--json").json["result"] == 0.04


def test_the_settings_are_settings(project):
    project.write(blocks("toml")[0], "pyproject.toml")
    (project.root / "packages" / "one").mkdir(parents=True)
    (project.root.parent / "etl-project").mkdir()
    project("plan")
