"""The guide to containers: its pipeline runs, in the images of these tests."""

from __future__ import annotations

import re
from pathlib import Path

from cli_projects import Project
from container_images import PYTHON, TOOLS

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "containers.md"


def test_the_guide(project: Project) -> None:
    text = PAGE.read_text("utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (story,) = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    assert PYTHON in code
    assert TOOLS in code
    project.write(code)
    project.write("3\n1\n2\n", "data/table.csv")
    for line in story.splitlines():
        project(*line.removeprefix("$ stepwell ").split())
    assert Path(project("get", "last", "order").out.strip()).read_text() == "1\n2\n3\n"
