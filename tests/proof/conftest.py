"""Makes `terrain` and `witness` importable: generated projects, and the processes that run them."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from witness import Witness


@pytest.fixture(scope="session")
def witness() -> Iterator[Witness]:
    """Runs projects in fresh processes."""
    with Witness() as running:
        yield running
