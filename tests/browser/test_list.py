"""The list of runs, as a person uses it: searched, sorted, sweeps opened, columns chosen, ticked and compared; live."""

from __future__ import annotations

import re
from pathlib import Path
from shutil import copytree

import pytest
from chromium import Served, Window, serving, window  # it lies beside the tests
from flights import command  # it lies beside the tests
from playwright.sync_api import Browser, expect

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(flights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Flights, swept and changed; of our own."""
    return copytree(flights, tmp_path_factory.mktemp("list") / "flights")


def shows(page: Window, *names: str) -> None:
    """Wait until exactly these rows are shown, in this order."""
    body = page.tab.locator(".grid-body .grid-row > :nth-child(2)")
    expect(body).to_have_text([re.compile(rf"^\W*{re.escape(name)}") for name in names])


def test_the_token_is_gone_from_the_address(page: Window) -> None:
    assert "t=" not in page.tab.url
    shows(page, "r15", "r14", "r13", "g1")
    assert page.tab.title() == "Runs · Stepwell"


def test_search_and_filters_are_in_the_address(page: Window) -> None:
    page.tab.get_by_label("where", exact=True).fill("depth > 6 and auc > 0.75 and status == 'succeeded'")
    page.tab.wait_for_url("**where=**")
    page.tab.get_by_role("button", name="Group sweeps").click()
    shows(page, "r9", "r8", "r7")
    address = page.tab.url
    page.open("/")
    shows(page, "r15", "r14", "r13", "g1")
    page.tab.goto(address)  # a copied address shows the same
    shows(page, "r9", "r8", "r7")
    page.tab.get_by_role("link", name="Compare what matches").click()
    chosen = page.tab.get_by_role("button", name=re.compile("^leave out"))
    expect(chosen).to_have_count(3)
    page.tab.go_back()
    page.tab.go_back()
    shows(page, "r15", "r14", "r13", "g1")


def test_a_mistake_in_where_is_told_and_the_list_stays(page: Window) -> None:
    page.tab.get_by_label("where", exact=True).fill("dpeth > 4 and (auc")
    expect(page.tab.get_by_role("alert")).to_contain_text(re.compile("E54"))
    expect(page.tab.get_by_label("where", exact=True)).to_have_attribute("aria-invalid", "true")
    shows(page, "r15", "r14", "r13", "g1")
    page.tab.get_by_label("where", exact=True).fill("depth == 5")
    expect(page.tab.get_by_role("alert")).to_have_count(0)
    shows(page, "r15")


def test_a_sweep_opens_to_its_points(page: Window) -> None:
    page.tab.get_by_role("button", name="g1 · 12 runs").click()
    shows(page, "r15", "r14", "r13", "g1", *[f"r{at}" for at in range(1, 13)])
    page.tab.reload()
    shows(page, "r15", "r14", "r13", "g1", *[f"r{at}" for at in range(1, 13)])


@pytest.mark.parametrize("dark", [False, True])
def test_a_sweep_named_as_a_run_is_shown_as_its_runs(browser: Browser, served: Served, dark: bool) -> None:
    with window(browser, served, dark) as page:
        page.open("/lock")
        page.tab.goto(f"{served.origin}/runs/g1?tab=logs")
        page.tab.wait_for_url("**/runs?group=g1")
        shows(page, *[f"r{at}" for at in range(12, 0, -1)])
        assert page.accessible() == []
        page.tab.go_back()  # not to the address that led here
        page.tab.wait_for_url("**/lock")
        page.open("/runs/g9")
        expect(page.tab.get_by_text("No run matches")).to_be_visible()
        page.check()


def test_sorting_by_a_metric_takes_the_best_first(page: Window) -> None:
    page.open("/?flat=1&where=depth%20%3D%3D%206")
    page.tab.get_by_role("columnheader", name="loss").get_by_role("button").click()
    page.tab.wait_for_url("**sort=-metrics.loss**")
    expect(page.tab.get_by_role("columnheader", name="loss")).to_have_attribute("aria-sort", "descending")
    expect(page.tab.locator(".grid-body .grid-row").first).to_contain_text("r4")


def test_columns_are_kept(page: Window) -> None:
    page.tab.set_viewport_size({"width": 700, "height": 700})  # too narrow for those that are there already
    page.tab.get_by_role("button", name="Columns").click()
    box = page.tab.get_by_role("dialog", name="Columns")
    box.get_by_label("find a column").fill("commit")
    box.get_by_text("commit").click()
    box.get_by_role("button", name="close").click()
    expect(page.tab.get_by_role("columnheader", name="commit")).to_be_in_viewport(ratio=1)
    assert len(page.tab.evaluate(LEFTS)) == 1
    page.open("/")  # in the browser, not only in the address
    expect(page.tab.get_by_role("columnheader", name="commit")).to_be_visible()


LEFTS = """[...new Set([...document.querySelectorAll(".grid-row")].map((row) => row.lastElementChild.getBoundingClientRect().left))]"""
"""Where the last cells of the rows begin, the head's too: in one place."""


def test_the_keyboard_alone_compares_two_runs(page: Window) -> None:
    shows(page, "r15", "r14", "r13", "g1")
    for key in ("j", "j", "x", "j", "x"):
        page.tab.keyboard.press(key)
    expect(page.tab.get_by_text("2 ticked")).to_be_visible()
    page.tab.keyboard.press("c")
    page.tab.wait_for_url("**/compare?run=r14&run=r13")
    expect(page.tab.get_by_role("heading", name="Metrics")).to_be_visible()
    page.tab.keyboard.press("g")
    page.tab.keyboard.press("r")
    page.tab.wait_for_url("**/runs")
    page.tab.keyboard.press("?")
    expect(page.tab.get_by_role("dialog", name="Keys")).to_contain_text("compare what is ticked")
    page.tab.keyboard.press("Escape")
    page.tab.keyboard.press("j")
    page.tab.keyboard.press("Enter")
    page.tab.wait_for_url("**/runs/r15")


def test_what_opens_over_the_page_shuts_nobody_out(page: Window) -> None:
    page.tab.get_by_role("button", name="Columns").click()
    expect(page.tab.get_by_role("dialog", name="Columns")).to_be_visible()
    assert page.accessible() == []
    page.tab.keyboard.press("Escape")
    page.tab.keyboard.press("?")
    expect(page.tab.get_by_role("dialog", name="Keys")).to_be_visible()
    assert page.accessible() == []


def test_a_run_that_starts_elsewhere_appears_by_itself(page: Window, project: Path) -> None:
    shows(page, "r15", "r14", "r13", "g1")
    assert command(project, "run", "depth=7") == 1
    expect(page.tab.get_by_role("link", name="r16")).to_be_visible(timeout=20_000)
    expect(page.tab.get_by_text("16 runs")).to_be_visible()


def test_a_server_that_stops_is_told(browser: Browser, project: Path) -> None:
    with serving(project) as served, window(browser, served) as page:
        expect(page.tab.get_by_role("link", name="r15")).to_be_visible()
        served.process.kill()
        served.process.wait()
        page.tab.get_by_role("link", name="Data").click()
        expect(page.tab.get_by_text("does not answer").first).to_be_visible()
        port = int(served.origin.rsplit(":", 1)[1])
        with serving(project, port):  # another token: this page may not ask it
            expect(page.tab.get_by_text("E551").first).to_be_visible(timeout=20_000)
