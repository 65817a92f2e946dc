"""Projects to run the command in, as the tests of the command have them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))

from cli_projects import Project


@pytest.fixture
def project(tmp_path):
    """An empty project; call it to run the command there."""
    return Project(tmp_path)
