"""The guide to roles: its pipeline runs, and has the metrics that the text names."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from pages import blocks, commands

sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))

from cli_projects import Project


@pytest.fixture
def project(tmp_path):
    project = Project(tmp_path)
    project.write("\n\n".join(blocks("roles.md", "python")))
    return project


def test_the_pipeline_of_the_guide(project):
    (words,) = commands("roles.md")
    assert "error" in project(*words).out
    metrics = project(*words, "--json").json["metrics"]
    assert set(metrics) == {"rows[train]", "rows[test]", "rows", "columns", "predictions", "mean", "error"}
    assert metrics["error"] < 2


def test_what_the_guide_says_of_a_row_in_both_parts(project):
    project.edit("train=points[::2], test=points[1::2]", "train=points[:30], test=points[20:]")
    assert "E532" in project("run", code=1).out
