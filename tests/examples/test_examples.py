"""The examples do what their pages show: each command is run in a copy of the folder, in order, and its output compared."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from example_pages import EXAMPLES, check, copied, shown  # it lies beside this file

OWN_TESTS = {"flights", "flights_delay", "languages"}
"""Examples that need more, and have tests of their own (`tests/e2e/test_flights.py`, `test_release_tutorial.py`, `test_languages.py`)."""
NAMES = sorted(page.parent.name for page in EXAMPLES.glob("*/README.md") if page.parent.name not in OWN_TESTS)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", NAMES)
def test_an_example_does_what_its_page_shows(name, tmp_path):
    folder = copied(name, tmp_path)
    commands = shown((folder / "README.md").read_text("utf-8"))
    assert commands, f"examples/{name}/README.md shows no command"
    check(commands, folder)


def test_every_example_has_a_page():
    folders = {path.name for path in EXAMPLES.iterdir() if path.is_dir()}
    assert folders == {*NAMES, *OWN_TESTS}
    overview = (EXAMPLES / "README.md").read_text("utf-8")
    assert all(f"({name}/" in overview for name in folders)
