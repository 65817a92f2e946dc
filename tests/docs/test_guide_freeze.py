"""`docs/guides/freeze.md` is what happens: its code runs, and its commands do what the text says."""

from __future__ import annotations

import sqlite3

import pytest
from cli_projects import Project
from pages import blocks, commands


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def test_the_guide_to_freezing(project):
    with sqlite3.connect(project.root / "crm.db") as connection:
        connection.execute("create table customers(id integer, mrr integer)")
        connection.executemany("insert into customers values (?, ?)", [(2, 20), (1, 1)])
    connection.close()
    project.write(blocks("freeze.md", "toml")[0], "stepwell.toml")
    project.write("\n".join(blocks("freeze.md", "python")))
    freeze, run, upgrade, frozen = [words[: words.index("#")] for words in commands("freeze.md")]
    assert "2 rows" in project(*freeze).out
    assert "21" in project(*run).out
    with sqlite3.connect(project.root / "crm.db") as connection:
        connection.execute("insert into customers values (3, 300)")
    connection.close()
    assert "21" in project("run").out, "nothing is refreshed by itself"
    assert "data.customers.rows: 2 is now 3" in project(*upgrade).out
    assert "321" in project(*frozen).out
    project("lock", "--check")
