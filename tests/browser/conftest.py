"""One browser and one server for the tests of a module, and a tab for each; `project` is what the server shows."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

sys.path.insert(0, str(Path(__file__).parent))

from chromium import Served, Window, chromium, serving, window  # it lies beside this file
from flights import swept  # it lies beside this file
from shown import harmless, recorded  # it lies beside this file


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real Chromium without a screen."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with fifteen runs, see `flights.py`; tests that add to it take a copy."""
    return swept(tmp_path_factory.mktemp("swept") / "flights")


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose runs recorded all kinds of things, hostile ones too, see `shown.py`; nobody adds to it."""
    return recorded(tmp_path_factory.mktemp("shown") / "demo")


@pytest.fixture(scope="module")
def project(flights: Path) -> Path:
    """What the server shows; a module whose tests want something else has a fixture of this name."""
    return flights


@pytest.fixture(scope="module")
def served(project: Path) -> Iterator[Served]:
    """A server on the project."""
    with serving(project) as served:
        yield served


@pytest.fixture
def page(browser: Browser, served: Served) -> Iterator[Window]:
    """A fresh tab; at the end nothing may have gone wrong in it."""
    with window(browser, served) as page:
        yield page
        harmless(page)
