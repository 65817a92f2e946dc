"""Ten thousand runs in the list: only what is seen is there, whatever is scrolled, sorted or asked for; fifty are compared at once."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from chromium import Window  # it lies beside the tests
from playwright.sync_api import expect

sys.path.insert(0, str(Path(__file__).parents[1] / "stores"))

from many_runs import build

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SEEN = 80
"""Rows that are drawn at most, in a window of 860 pixels: those that are seen, and some around them."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of ten thousand runs."""
    root = tmp_path_factory.mktemp("many")
    build(root / ".stepwell", runs=10_000, metrics=10, points=100_000)
    return root


@pytest.fixture
def page(page: Window) -> Window:
    """A fresh tab that shows runs."""
    page.tab.locator(".grid-body .grid-row").first.wait_for()
    return page


def test_the_list_is_scrolled_from_the_newest_to_the_oldest(page: Window) -> None:
    page.open("/?flat=1")
    grid = page.tab.get_by_role("table", name="runs")
    expect(grid).to_have_attribute("aria-rowcount", "10001")
    expect(page.tab.get_by_role("link", name="r10000", exact=True)).to_be_visible()
    page.picture("many-runs")
    for share, name in ((0.5, r"^r50\d\d$"), (1.0, r"^r1$")):
        grid.evaluate("(box, share) => { box.scrollTop = share * box.scrollHeight; }", share)
        expect(page.tab.get_by_role("link", name=re.compile(name)).first).to_be_visible()
        assert page.tab.locator(".grid-body .grid-row").count() <= SEEN


def test_who_comes_back_is_where_they_were(page: Window) -> None:
    page.open("/?flat=1")
    grid = page.tab.get_by_role("table", name="runs")
    grid.evaluate("(box) => { box.scrollTop = 0.25 * box.scrollHeight; }")
    link = page.tab.get_by_role("link", name="r7490", exact=True)
    link.click()
    page.tab.wait_for_url("**/runs/r7490")
    page.tab.go_back()
    expect(link).to_be_in_viewport()


def test_an_open_sweep_shifts_what_is_below_by_its_points(page: Window) -> None:
    page.tab.get_by_role("button", name=re.compile(r"^\W*g\d+ · 12 runs")).first.click()
    points = page.tab.locator(".grid-body .point")
    expect(points).to_have_count(12)
    expect(page.tab.locator(".grid-body .waiting")).to_have_count(0)
    below = page.tab.locator(".grid-body .grid-row").nth(13).get_by_role("link")
    expect(below).to_have_text("r9988")


def test_a_filter_finds_among_all(page: Window) -> None:
    page.tab.get_by_label("where", exact=True).fill("auc > 0.85 and depth == 8")
    expect(page.tab.get_by_text(re.compile(r"^[\d,]+ rows? of 10,000 runs$"))).to_be_visible()
    page.tab.get_by_role("columnheader", name="auc").get_by_role("button").click()
    expect(page.tab.get_by_role("columnheader", name="auc")).to_have_attribute("aria-sort", "descending")
    expect(page.tab.locator(".grid-body .grid-row").first).to_contain_text(re.compile(r"0\.[89]\d"))
    assert page.tab.locator(".grid-body .grid-row").count() <= SEEN


def test_fifty_runs_are_compared_at_once(page: Window) -> None:
    page.open("/compare?" + "&".join(f"run=r{at}" for at in range(9951, 10_001)))
    table = page.tab.get_by_role("table", name="runs with parameters and metrics")
    expect(table).to_have_attribute("aria-rowcount", "51")
    page.tab.get_by_role("tab", name="Parallel coordinates").click()
    expect(page.tab.locator("polyline")).to_have_count(50)
    page.tab.get_by_role("tab", name="Scatter").click()
    expect(page.tab.locator(".scatter circle").first).to_be_visible()
