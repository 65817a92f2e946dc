"""The guide to comparing: its code runs, its commands do what the text says, and its conditions are some."""

from __future__ import annotations

from cli_projects import Project
from pages import blocks, commands

from stepwell.app.filtering import COLUMNS, Filter


def test_finding_and_comparing(tmp_path):
    project = Project(tmp_path)
    project.write("\n\n".join(blocks("compare.md", "python")))
    first, second, pair, sweep, points, best, where, failed, as_json, as_csv = commands("compare.md")
    project(*first)
    project(*second)
    told = project(*pair).out
    assert "depth" in told
    assert "worse" in told
    project(*sweep)
    assert "6 points of depth, lr  best auc=" in project("runs").out
    shown = project(*points).out
    assert shown.startswith("6 runs  delays  g1")
    assert shown.count("★") == 2
    rows = project(*best).out.splitlines()[2:5]
    assert [row.split()[0] for row in rows if "★" in row] == [rows[0].split()[0]]
    assert project(*where).out
    assert project(*failed).out == "no run matches\n"
    assert project(*as_json).json["params"][1]["values"] == {"r1": 4, "r2": 8}
    lines = project(*as_csv).out.splitlines()
    assert len(lines) == 7
    assert lines[0].endswith("params.rows,params.depth,params.lr,metrics.auc,metrics.loss")


def test_the_conditions_are_read():
    (text,) = blocks("compare.md", "text")
    for line in text.strip().splitlines():
        Filter.parse(line)
    page = " ".join(blocks("compare.md", "text")) + (blocks.__globals__["GUIDES"] / "compare.md").read_text(
        "utf-8"
    )
    assert all(f"`{name}`" in page for name in COLUMNS)
