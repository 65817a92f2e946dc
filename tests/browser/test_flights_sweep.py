"""The flights example, swept over depth and learning rate: twelve runs, compared on the terminal and on the page.

Its own page shows the sweep of all flights, which `make test-deep` does to the word. Here it is of each 40th flight, as the
page says how.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from chromium import Window, serving, window  # it lies beside the tests
from playwright.sync_api import Browser, Locator, expect

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))

from example_pages import EXAMPLES, check, copied, run, shown

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PAGE = (EXAMPLES / "flights" / "README.md").read_text("utf-8")
COMMANDS = shown(PAGE.partition("\n## Sweep it\n")[2].partition("\n## ")[0])
SWEEP = COMMANDS[0][0]
POINTS = {(depth, rate) for depth in (3, 6, 9) for rate in (0.03, 0.1, 0.2, 0.3)}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example after its sweep, on few flights."""
    folder = copied("flights", tmp_path_factory.mktemp("swept"))
    told = run(f"{SWEEP} every=40", folder, os.environ)
    assert re.search(r"^g1 succeeded in .*: 52 ran, 44 cached$", told, re.MULTILINE), told
    return folder


@pytest.fixture(scope="module")
def compared(project: Path) -> dict[str, Any]:
    """What `compare` has to say of the sweep, for programs."""
    found: dict[str, Any] = json.loads(run("stepwell compare g1 --json", project, os.environ))
    return found


def best_of(compared: dict[str, Any], metric: str) -> list[tuple[str, float]]:
    """The runs with their values of a metric, the highest first."""
    (values,) = (one["values"] for one in compared["metrics"] if one["name"] == metric)
    return sorted(values.items(), key=lambda item: -item[1])


def test_the_terminal_compares_the_points(project: Path, compared: dict[str, Any]) -> None:
    assert {(one["params"]["depth"], one["params"]["learning_rate"]) for one in compared["runs"]} == POINTS
    (best, highest), *others = best_of(compared, "auc")
    assert 0.6 < others[-1][1] < highest < 0.75
    head, columns, *rows = run("stepwell compare g1", project, os.environ).splitlines()
    assert head.startswith("12 runs  delays  g1")
    assert columns.split()[:4] == ["run", "depth", "learning_rate", "auc"]
    marked = [row.split()[0] for row in rows if re.match(r"r\d+ +\d+ +[\d.]+ +[\d.]+ ★", row)]
    assert marked == [best]
    chosen = run("stepwell compare g1 --best auc --limit 3", project, os.environ).splitlines()
    assert [line.split()[0] for line in chosen if re.match(r"r\d+ ", line)] == [
        best,
        *(name for name, _ in others[:2]),
    ]
    two = run("stepwell compare r6 r1", project, os.environ)
    assert re.search(r"^  depth +6 +3$", two, re.MULTILINE)
    assert re.search(r"^  auc +0\.\d+ +0\.\d+ +[+−]\S+ (better|worse)$", two, re.MULTILINE)


def table_and_axes(page: Window) -> tuple[Locator, Locator]:
    """The sweep on the compare page, sorted by `auc`: its table, then its parallel coordinates; with their pictures."""
    page.open("/compare?run=g1")
    table = page.tab.get_by_role("table", name="runs with parameters and metrics")
    expect(table.get_by_role("row")).to_have_count(13)
    table.get_by_role("columnheader", name="auc").first.get_by_role("button").click()
    return table, page.tab.get_by_role("group", name=re.compile("^parallel coordinates of 12 runs"))


def test_the_page_compares_the_points(page: Window, compared: dict[str, Any]) -> None:
    table, axes = table_and_axes(page)
    first = table.get_by_role("row").nth(1)
    expect(first).to_contain_text(best_of(compared, "auc")[0][0])
    expect(first.get_by_text("best").first).to_be_attached()
    page.open("/compare?run=g1&view=parallel")
    expect(axes.locator("polyline")).to_have_count(12)
    for name in ("depth", "learning_rate", "auc"):
        expect(axes).to_contain_text(name)


@pytest.mark.deep
@pytest.mark.timeout(1800)
def test_all_flights_as_the_page_shows(browser: Browser, tmp_path: Path) -> None:
    folder = copied("flights", tmp_path)
    check(COMMANDS, folder)
    with serving(folder) as served, window(browser, served) as page:
        _, axes = table_and_axes(page)
        page.picture("flights-sweep")
        page.open("/compare?run=g1&view=parallel")
        expect(axes.locator("polyline")).to_have_count(12)
        page.picture("flights-parallel")
        page.check()
