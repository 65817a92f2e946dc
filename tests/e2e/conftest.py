"""The projects of `tests/cli`, for whole stories with the real command."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))

from cli_projects import Project  # it lies beside the tests of the command


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty project; call it to run the command there."""
    return Project(tmp_path)
