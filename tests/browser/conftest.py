"""One browser for the tests of a module; servers and tabs are made by the tests (see `chromium.py`)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

sys.path.insert(0, str(Path(__file__).parent))

from chromium import chromium  # it lies beside this file
from flights import swept  # it lies beside this file


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real Chromium without a screen."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with fifteen runs, see `flights.py`; tests that add to it take a copy."""
    return swept(tmp_path_factory.mktemp("swept") / "flights")
