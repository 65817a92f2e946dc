"""The guides to queries and notebooks: their code runs, and their commands do what the text says."""

from __future__ import annotations

import re
import sqlite3
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "cli"))

from cli_projects import Project  # noqa: E402  it lies in another folder


def blocks(page, kind):
    text = (ROOT / "docs" / "guides" / page).read_text("utf-8")
    return re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL)


@pytest.fixture
def guide(tmp_path):
    """A project that is a guide's Python, all of it in one file; `commands()` runs its commands."""
    project = Project(tmp_path)
    project.write("carrier,month,dep_delay\nAA,1,5\nUA,1,3\nB6,1,9\n", "data/flights.csv")
    project.follow = lambda page: project.write("\n\n".join(blocks(page, "python")))
    project.commands = lambda page: [
        project(*line.removeprefix("$ stepwell ").split())
        for block in blocks(page, "console")
        for line in block.splitlines()
    ]
    return project


def test_sql(guide):
    with sqlite3.connect(guide.root / "shop.db") as connection:
        connection.execute("create table orders (day text)")
    connection.close()
    guide.follow("sql.md")
    ran, planned = guide.commands("sql.md")
    assert "AA" in ran.out
    assert "2 cached" in planned.out


def test_notebook_steps(guide):
    cells = (
        "summary = table.describe()",
        "import os; os.makedirs('figures', exist_ok=True)",
        "open('figures/delays.txt', 'w').write(str(depth))",
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells])
    nbformat.write(notebook, str(guide.root / "eda.ipynb"))
    guide.follow("notebook-steps.md")
    ran, planned = guide.commands("notebook-steps.md")
    assert "result  8" in ran.out
    assert "2 cached" in planned.out
