"""`docs/guides/data.md` is what happens: its commands are run, its manifest is written, its Python runs where it says."""

from __future__ import annotations

import subprocess
import sys

import pytest
from cli_projects import Project
from pages import blocks, commands

ROWS = "customer_id,mrr,plan name\n1,9.5,basic\n2,39.0,pro\n"


@pytest.fixture
def guide(tmp_path):
    """The project that the guide begins with."""
    project = Project(tmp_path)
    project.write(ROWS, "data/customers.csv")
    return project


def test_the_guide(guide) -> None:
    add, run, check = commands("data.md")
    guide(*add)
    assert (guide.root / "stepwell.toml").read_text("utf-8") == blocks("data.md", "toml")[0]
    in_pipeline, elsewhere = blocks("data.md", "python")
    guide.write(in_pipeline)
    guide(*run)
    guide(*check)
    assert float(guide("run", "--json").json["result"]) == 48.5
    code = f"{elsewhere}\nprint(len(frame), columns, where.name, rows)"
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, cwd=guide.root, env=guide.env, capture_output=True, text=True, timeout=60)
    assert done.stdout == "2 ['customer_id', 'mrr', 'plan name'] customers.csv 2\n", done.stderr
    guide.write(f"{ROWS}3,1.0,pro\n", "data/customers.csv")
    done = subprocess.run(words, cwd=guide.root, env=guide.env, capture_output=True, text=True, timeout=60)
    assert "in place: it is" in done.stderr
