"""Lets the tests of the server import what lies beside them and beside the tests of the command and the stores."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

for folder in (Path(__file__).parent, *(Path(__file__).parents[1] / name for name in ("cli", "stores"))):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from cli_projects import Project  # noqa: E402  # it lies beside the tests of the command


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty project; call it to run the command there."""
    return Project(tmp_path)
