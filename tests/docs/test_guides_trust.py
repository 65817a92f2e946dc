"""The guides to trust and to the plan: their code runs, and their commands do what the text says."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "cli"))

from cli_projects import Project  # noqa: E402  it lies in another folder


def blocks(page, kind):
    text = (ROOT / "docs" / "guides" / page).read_text("utf-8")
    return re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL)


def commands(page):
    return [
        line.removeprefix("$ ").removeprefix("stepwell ")
        for block in blocks(page, "console")
        for line in block.splitlines()
    ]


def setting(command):
    """The variables that a command sets before `stepwell`, and the rest of it."""
    found = re.match(r"(?:\w+=\S+ )+(?=stepwell )", command)
    if found is None:
        return {}, command
    return dict(word.split("=", 1) for word in found[0].split()), command[found.end() :].removeprefix(
        "stepwell "
    )


def words(command):
    return [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', command)]


@pytest.fixture
def guide(tmp_path):
    """A project that is a guide's Python, all of it in one file."""
    project = Project(tmp_path)
    project.write("n\n" + "".join(f"{n}\n" for n in range(5000)), "data/rows.csv")
    project.follow = lambda page: project.write("\n\n".join(blocks(page, "python")))
    return project


def test_trust(guide):
    guide.follow("trust.md")
    assert guide("run", "--json").json["result"] == "sent 3"
    assert set(guide("plan", "--json").decisions.values()) == {"cached"}
    guide.edit("2 * n for", "n * 2 for")
    assert guide("plan", "--json").decisions["double"] == "run"
    accept, listed, undo = commands("trust.md")
    guide(*words(accept))
    assert guide("plan", "--json").decisions["double"] == "cached"
    assert "only faster" in guide(*words(listed)).out
    guide(*words(undo))
    assert guide("plan", "--json").decisions["double"] == "run"
    guide.edit("int(n) for", "int(n) + 0 for")
    assert guide("plan", "--json").decisions["parse"] == "cached"
    guide.edit("version=2", "version=3")
    assert guide("plan", "--json").steps["parse"]["reasons"][0]["text"] == "version 2 → 3"
    assert guide("plan", "verbose=yes", "--json").decisions["double"] == "run"  # by its edit alone
    guide.edit('parse("1 2 3")', 'parse("-1")')
    run = guide("run", "--json", code=1)
    assert run.steps["positive"]["error"]["code"] == "E414"
    assert guide("get", "last", "positive").out.strip() == "[]"


def test_plan(guide):
    guide.follow("plan.md")
    guide("run")
    for line in commands("plan.md"):
        env, command = setting(line)
        assert "succeeded" in guide(*words(command), env=env).out or not env
    assert (guide.root / "plan.xml").exists()
    guide("plan", "--exit-code")
    guide.edit("[float(line)", "[1 + float(line)")
    guide("plan", "--exit-code", code=8)
    assert guide.refused("run", "--plan", "plan.json", code=3)["code"] == "E330"
