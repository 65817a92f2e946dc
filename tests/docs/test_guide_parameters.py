"""`docs/guides/parameters.md` is what happens: its Python is run, and its command gives what it shows."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))

from cli_projects import Project

PAGE = (Path(__file__).parents[2] / "docs" / "guides" / "parameters.md").read_text("utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    made.write("\n\n".join(blocks("python")))
    made.write(blocks("toml")[0], "p.toml")
    return made


def test_the_plan_is_as_shown(project):
    (block,) = blocks("console")
    command, _, shown = block.partition("\n")
    words = command.removeprefix("$ stepwell ").split()
    said = project(words[0], "delays", *words[1:])
    assert said.out.split() == shown.split()


def test_secrets_run_as_shown(project):
    assert "E363" in project("plan", "report", code=3, env={"API_TOKEN": ""}).err
    assert project("run", "report", "--json", env={"API_TOKEN": "canary-0815"}).json["result"] == 11
    assert project("run", "measured", "--json", env={"API_TOKEN": "canary-0815"}).json["result"] == 17
