"""Projects to run the command in; `cli_projects` has what they are."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cli_projects import Project  # it lies beside this file


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty project; call it to run the command there."""
    return Project(tmp_path)


@pytest.fixture
def hello(project: Project) -> Project:
    """A project with the pipeline `squares`."""
    project.write()
    return project
