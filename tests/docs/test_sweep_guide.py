"""The guide to sweeps: its code runs, and its commands do what the text says."""

from __future__ import annotations

import subprocess
import sys

from cli_projects import Project
from pages import blocks, commands


def test_sweeps(tmp_path):
    project = Project(tmp_path)
    project.write("\n\n".join(blocks("sweeps.md", "python")))
    plan, run, show, runs, one, where, sample, other = commands("sweeps.md")
    planned = project(*plan)
    assert "6 points; 5 calls are done once for several" in planned.out
    shown = project(*run).out
    assert shown.count("succeeded") == 7
    assert "▲" in shown
    assert "▼" in shown
    assert project(*show).out.count("succeeded") == 6
    assert project(*runs).out.count(" g1") == 6
    assert "train.lr=0.5" in project(*one).out
    left = [row["point"] for row in project(*where, "--json").json["runs"]]
    assert len(left) == 13
    assert all(point["depth"] < 6 or point["rows"] == 100 for point in left)
    some, others = ([r["point"] for r in project(*words, "--json").json["runs"]] for words in (sample, other))
    assert len(some) == len(others) == 5
    assert some != others
    done = subprocess.run(
        [sys.executable, "-c", "import pipeline; print(len(pipeline.compare()))"],
        cwd=project.root, env=project.env, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "{'train.lr': 0.3, 'depth': 4}" in done.stdout
    assert done.stdout.endswith("6\n")
