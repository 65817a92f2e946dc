"""The guide to recording: its code runs, and its commands show what it says."""

from __future__ import annotations

from cli_projects import Project
from pages import blocks, commands


def test_recording(tmp_path):
    project = Project(tmp_path)
    project.write("\n\n".join(blocks("recording.md", "python")))
    run, show, tagged, as_json = commands("recording.md")
    project(*run)
    told = project(*show).out
    assert "baseline  data=v2" in told
    assert "train: text summary" in told
    assert "report: table errors" in told
    assert "report: card verdict" in told
    assert "r1" in project(*tagged).out
    document = project(*as_json).json
    assert [(one["name"], one["count"]) for one in document["curves"]] == [("loss", 200)]
    assert document["metrics"]["rows"] == 100
