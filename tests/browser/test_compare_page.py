"""The compare page: differences of two runs, a sweep in one table, its curves and pictures, all of it in the address."""

from __future__ import annotations

import re

import pytest
from chromium import Window  # it lies beside the tests
from playwright.sync_api import Locator, expect

pytestmark = pytest.mark.slow


def row(page: Window, table: str, name: str) -> Locator:
    """The row of a table that begins with a name."""
    return page.tab.get_by_role("table", name=table).get_by_role(
        "row", name=re.compile(rf"^{re.escape(name)}\b")
    )


def test_two_runs_show_what_differs(page: Window) -> None:
    page.open("/compare?run=r5&run=r14")
    accuracy = row(page, "metrics", "accuracy")
    expect(accuracy).to_contain_text("higher is better")
    expect(accuracy.locator(".better")).to_contain_text("+0.0673")
    expect(page.tab.get_by_text("All 2 parameters are equal.")).to_be_visible()
    code = page.tab.get_by_role("region", name=re.compile("score in r14"))
    expect(code.locator(".removed")).to_contain_text("auc / 4")
    expect(code.locator(".added")).to_contain_text("auc / 3")
    flights = row(page, "data", "flights source")
    expect(flights.locator(".changed")).to_have_count(1)
    page.picture("compare")


def test_what_is_equal_is_shown_when_asked_for(page: Window) -> None:
    page.open("/compare?run=r5&run=r13")
    expect(row(page, "metrics", "auc")).to_have_count(0)
    page.tab.keyboard.press("e")
    expect(row(page, "metrics", "auc")).to_be_visible()
    expect(row(page, "environment", "python")).to_be_visible()
    assert "all=1" in page.tab.url


def test_the_first_run_can_be_another(page: Window) -> None:
    page.open("/compare?run=r5&run=r13&run=r14")
    page.tab.get_by_role("button", name="compare with r14").click()
    page.tab.wait_for_url("**/compare?run=r14&run=r5&run=r13")
    expect(row(page, "metrics", "accuracy").locator(".worse")).to_have_count(1)
    page.tab.get_by_role("button", name="leave out r13").click()
    page.tab.wait_for_url("**/compare?run=r14&run=r5")
    page.tab.get_by_label("add runs").fill("r1, r2")
    page.tab.keyboard.press("Enter")
    expect(page.tab.get_by_role("columnheader", name="r2").first).to_be_visible()


def test_a_sweep_is_a_table_that_can_be_sorted(page: Window) -> None:
    page.open("/compare?run=g1")
    table = page.tab.get_by_role("table", name="runs with parameters and metrics")
    expect(table.get_by_role("row")).to_have_count(13)
    table.get_by_role("columnheader", name="auc").get_by_role("button").click()
    first = table.get_by_role("row").nth(1)
    expect(first).to_contain_text("r5")
    expect(first.get_by_text("best").first).to_be_attached()
    page.picture("sweep")


def test_curves_of_a_sweep_lie_over_each_other(page: Window) -> None:
    page.open("/compare?run=g1&view=curves")
    plot = page.tab.get_by_role("img", name=re.compile("^loss: r1 ends at"))
    expect(plot.locator("canvas")).to_be_visible()
    expect(plot.locator(".u-series")).to_have_count(13)  # the steps, and a curve a run
    page.tab.get_by_role("button", name="log").click()
    page.tab.get_by_label("over").select_option("time")
    expect(plot.locator("canvas")).to_be_visible()
    assert "log=1" in page.tab.url
    assert "over=time" in page.tab.url
    page.open("/compare?run=g1&view=curves&smooth=0.6")
    expect(plot.locator("canvas")).to_be_visible()
    page.picture("curves")


def test_an_axis_narrows_to_some_runs(page: Window) -> None:
    page.open("/compare?run=g1&view=parallel")
    picture = page.tab.get_by_role("group", name=re.compile("^parallel coordinates of 12 runs"))
    expect(picture.locator("polyline")).to_have_count(12)
    page.picture("parallel")
    axis = picture.locator(".drag").first.bounding_box()  # depth: 4, 6, 8, 10
    assert axis
    x = axis["x"] + axis["width"] / 2
    page.tab.mouse.move(x, axis["y"] + 2)
    page.tab.mouse.down()
    page.tab.mouse.move(x, axis["y"] + axis["height"] * 0.45)
    page.tab.mouse.up()
    expect(page.tab.get_by_text("6 of 12 runs")).to_be_visible()
    page.tab.reload()
    expect(page.tab.get_by_text("6 of 12 runs")).to_be_visible()
    page.tab.get_by_role("button", name="Compare only these").click()
    expect(page.tab.get_by_text("6 of 6 runs")).to_be_visible()


def test_a_parameter_against_a_metric(page: Window) -> None:
    page.open("/compare?run=g1&view=scatter&x=params.lr&y=metrics.loss")
    picture = page.tab.get_by_role("group", name="metrics.loss over params.lr")
    expect(picture.get_by_role("link")).to_have_count(12)
    expect(picture.locator(".best-point")).to_have_count(1)
    picture.get_by_role("link", name=re.compile("^r5: lr 0.1")).focus()
    page.tab.keyboard.press("Enter")
    page.tab.wait_for_url("**/runs/r5")


def test_a_run_that_is_not_there_is_told(page: Window) -> None:
    page.open("/compare?run=r1&run=r999")
    expect(page.tab.get_by_role("alert")).to_contain_text("r999")
