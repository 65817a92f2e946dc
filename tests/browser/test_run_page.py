"""The page of a run: graph, timeline, logs, metrics, artifacts; live, broken, large, and with hostile names."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from chromium import Served, Window, serving, window
from playwright.sync_api import Browser, expect
from shown import harmless, running, thousand, waiting

pytestmark = pytest.mark.slow

TABS = ("graph", "steps", "timeline", "logs", "metrics", "artifacts", "parameters", "code", "environment")
DRAWN = ("graph", "timeline", "logs", "artifacts")
"""Those with colours of their own."""

NARROW = (
    "/runs",
    *(f"/runs/r1?tab={tab}" for tab in ("graph", "artifacts", "code", "environment")),
    "/runs/r2?step=judge",
    "/compare?run=r1&run=r2",
    "/data/cities",
)


@pytest.fixture(scope="module")
def project(demo: Path) -> Path:
    """Runs that made and recorded all kinds of things, hostile ones too."""
    return demo


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_part_is_shown_and_can_be_read(browser: Browser, served: Served, dark: bool) -> None:
    """Hostile texts are texts in each of them, and axe finds nothing serious."""
    with window(browser, served, dark=dark) as page:
        for tab in DRAWN if dark else TABS:
            page.open(f"/runs/r1?tab={tab}&step=learn")
            expect(page.tab.get_by_role("tab", selected=True)).to_have_text(tab.capitalize())
            expect(page.tab.get_by_role("complementary", name="step learn")).to_be_visible()
            page.tab.locator(
                "#panel :is(.box, .grid-row, .timeline-row, .log-line, .plot, figure, table, .code)"
            ).first.wait_for()
            assert page.accessible() == [], tab
        harmless(page)


def test_a_graph_leads_to_its_steps_by_mouse_and_by_keys(page: Window) -> None:
    """What is chosen is in the address, and beside the graph."""
    page.open("/runs/r1")
    load = page.tab.get_by_role("button", name="load succeeded")
    expect(load).to_be_visible()
    load.focus()
    page.tab.keyboard.press("ArrowRight")
    expect(page.tab.get_by_role("button", name="learn succeeded")).to_be_focused()
    expect(page.tab.locator(".box-why:visible")).to_contain_text("no earlier result")
    page.tab.keyboard.press("Enter")
    panel = page.tab.get_by_role("complementary", name="step learn")
    expect(panel).to_contain_text("Why it ran")
    assert page.tab.url.endswith("/runs/r1?step=learn")
    panel.get_by_role("button", name="load", exact=True).click()
    expect(page.tab.get_by_role("complementary", name="step load")).to_be_visible()
    page.tab.keyboard.press("Escape")
    expect(page.tab.locator(".step-panel")).to_have_count(0)
    page.tab.keyboard.press("4")
    expect(page.tab.get_by_role("tab", selected=True)).to_have_text("Logs")


def test_a_failed_step_says_what_and_how_to_go_on(page: Window) -> None:
    """Its error, the user's line, the traceback folded, the command."""
    page.open("/runs/r2?step=judge")
    panel = page.tab.get_by_role("complementary", name="step judge")
    expect(panel.get_by_role("alert")).to_contain_text("ValueError: <img src=x")
    expect(panel).to_contain_text("stepwell debug judge r2")
    expect(panel.locator("details pre")).not_to_be_visible()
    panel.get_by_text("traceback", exact=True).click()
    expect(panel.locator("details pre")).to_contain_text('raise ValueError(EVIL.format("error", "error"))')
    expect(page.tab.get_by_role("note")).to_contain_text("run depth=5 word=fail")


def test_logs_have_colours_streams_and_a_search(page: Window) -> None:
    """An address leads to the lines that were searched for."""
    page.open("/runs/r1?tab=logs")
    lines = page.tab.locator(".log-text")
    expect(lines).to_have_count(4)
    expect(lines.filter(has_text="loaded 500 cities").locator("[style*=text-green]")).to_have_text("loaded")
    expect(lines.filter(has_text="100%")).to_have_text("100%")
    expect(page.tab.locator(".log-line.stderr .log-text")).to_have_text("a title that was set")
    expect(lines.nth(1)).to_contain_text("<script>window.owned='log'</script>")
    page.tab.get_by_label("search the log").fill("CITIES".lower())
    expect(lines).to_have_count(1)
    expect(page.tab.locator("mark")).to_have_text("cities")
    assert page.tab.url.endswith("tab=logs&find=cities")
    page.tab.get_by_label("line 1").click()
    page.open(page.tab.url.removeprefix(page.served.origin))
    expect(page.tab.locator(".log-line.here")).to_contain_text("loaded 500 cities")


def test_what_was_recorded_is_a_gallery(page: Window) -> None:
    """A picture, a table, a text, and a card in a frame that runs nothing."""
    page.open("/runs/r1?tab=artifacts")
    cards = page.tab.locator("#panel figure.card")
    expect(cards).to_have_count(4)
    picture = cards.filter(has_text="picture").locator("img")
    expect(picture).to_have_js_property("naturalWidth", 60)
    expect(cards.filter(has_text="the first").get_by_role("table")).to_contain_text("city 1")
    expect(cards.filter(has_text="words")).to_contain_text("<script>window.owned='text'</script>")
    expect(page.tab.frame_locator("iframe").locator("#here")).to_have_text("A card")
    assert page.tab.locator("iframe").get_attribute("sandbox") == ""


def test_metrics_are_curves_and_last_values(page: Window) -> None:
    """With the change to the run before; what is no number is said."""
    page.open("/runs/r2?tab=metrics&smooth=0.5&log=1")
    loss = page.tab.locator("figure.panel", has_text="loss")
    expect(loss.locator("canvas")).to_be_visible()
    expect(loss.get_by_role("img")).to_have_attribute("aria-label", "loss: learn ends at 0.0041532")
    row = page.tab.get_by_role("row", name="loss")
    expect(row).to_contain_text("0.0067568")
    expect(page.tab.get_by_role("row", name="broken")).to_contain_text("NaN")
    page.open("/runs/r2?tab=metrics&find=huge")  # from -1e308 to 1e308: their difference is no number
    canvas = page.tab.locator("figure.panel", has_text="huge").locator("canvas")
    expect(canvas).to_be_visible()
    assert canvas.evaluate(COLOURED) > 200


COLOURED = """(canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let at = 0; at < data.length; at += 4) if (data[at + 3] > 200 && data[at + 1] - data[at] > 60) count += 1;
  return count;
}"""
"""How many points of a plot have the colour of its first curve, which is the only green in it."""


def test_on_a_narrow_screen_only_tables_are_wider_than_it(browser: Browser, served: Served) -> None:
    """They can be moved; the page around them need not be."""
    with window(browser, served, width=390) as page:
        for path in NARROW:
            page.open(path)
            wider = "(box) => box.scrollWidth - box.clientWidth"
            beyond = [page.tab.locator(one).evaluate(wider) for one in ("html", "main")]
            assert beyond == [0, 0], path
            chosen = page.tab.locator('[role=tab][aria-selected="true"]')
            if chosen.count():
                expect(chosen).to_be_in_viewport(ratio=0.9)
        harmless(page)


def test_a_thousand_steps_can_be_used(browser: Browser, tmp_path: Path) -> None:
    """Calls of a step are one box, which opens; a search leads to one of them, and its surroundings are enough."""
    with serving(thousand(tmp_path / "wide")) as served, window(browser, served) as page:
        page.open("/runs/r1")
        boxes = page.tab.locator(".box")
        expect(boxes).to_have_count(4)
        expect(page.tab.get_by_role("button", name="664 calls")).to_be_visible()
        page.picture("graph-thousand")
        page.tab.get_by_role("button", name="332 calls").click()
        expect(page.tab.locator('[data-box="n700"]')).to_be_attached()
        page.tab.get_by_role("button", name="close the group pair").click()
        page.tab.get_by_role("button", name="each call by itself").click()
        expect(boxes).to_have_count(998, timeout=20_000)
        page.tab.get_by_label("find steps in the graph").fill("part[500]")
        page.tab.keyboard.press("Enter")
        found = page.tab.locator(".box.hit")
        expect(found).to_be_in_viewport()
        found.click()
        page.tab.get_by_role("button", name="only around part[500]").click()
        expect(boxes).to_have_count(4)
        page.open("/runs/r1?tab=timeline")
        assert 5 < page.tab.locator(".timeline-row").count() < 100
        page.open("/runs/r1?tab=steps&find=pair&sort=-id")
        expect(page.tab.locator(".grid-body .grid-row").first).to_contain_text("pair[332]")
        page.check()


def test_a_run_is_seen_as_it_goes_on(browser: Browser, tmp_path: Path) -> None:
    """Without loading anything anew: its lines, its progress, its curve, its end."""
    root = waiting(tmp_path / "waits")
    with serving(root) as served, running(root) as process, window(browser, served) as page:
        expect(page.tab.get_by_role("link", name="r1")).to_be_visible()
        page.open("/runs/r1?tab=logs&step=slow")
        expect(page.tab.locator(".log-text")).to_have_text("the first words")
        expect(page.tab.locator(".going")).to_contain_text("3 of 10 on the way")
        (root / "one").touch()
        expect(page.tab.locator(".log-text").nth(1)).to_have_text("the second words")
        page.tab.get_by_role("tab", name="Metrics").click()
        expect(page.tab.get_by_role("img", name="height: slow ends at 1,521")).to_be_visible()
        (root / "two").touch()
        expect(page.tab.locator(".page-title > .status")).to_have_text("succeeded")
        assert process.wait(20) == 0
        page.check()


def test_a_killed_run_is_interrupted_and_says_how_to_go_on(browser: Browser, tmp_path: Path) -> None:
    """What was finished stays; the page hears of it without being loaded anew."""
    root = waiting(tmp_path / "waits")
    with serving(root) as served, running(root) as process, window(browser, served) as page:
        expect(page.tab.get_by_role("link", name="r1")).to_be_visible()
        page.open("/runs/r1?step=slow&tab=logs")
        expect(page.tab.locator(".log-text")).to_have_text("the first words")
        os.killpg(process.pid, signal.SIGKILL)
        expect(page.tab.locator(".page-title > .status")).to_have_text("interrupted")
        expect(page.tab.get_by_role("note")).to_contain_text("stepwell run")
        for status in page.tab.locator(".step-panel .status").all():
            expect(status).to_have_text("interrupted")
        assert page.accessible() == []
        page.picture("run-interrupted")
        page.open("/runs")
        took = page.tab.locator(".grid-body .grid-row > div").nth(4)
        expect(page.tab.get_by_role("columnheader").nth(4)).to_have_text("took")
        assert took.inner_text() == ""  # nobody knows when it ended
        page.check()


def in_time(page: Window, truth: Callable[[], bool]) -> None:
    """Let the page's clock run ahead until something is so."""
    for _ in range(20):
        page.tab.clock.fast_forward(25_000)
        page.tab.wait_for_timeout(200)
        if truth():
            return
    pytest.fail("it did not come to pass")


def test_what_goes_away_while_it_is_shown_is_told(browser: Browser, tmp_path: Path) -> None:
    """A run that is removed, and then the server: what was known stays to be read."""
    root = waiting(tmp_path / "waits")
    for name in ("one", "two"):
        (root / name).touch()
    with serving(root) as served, window(browser, served) as page:
        with running(root) as process:
            assert process.wait(20) == 0
        page.tab.clock.install()
        page.open("/runs/r1?tab=steps")
        expect(page.tab.locator(".grid-body .grid-row")).to_have_count(2)
        rows, gone = page.tab.locator(".grid-body .grid-row"), page.tab.locator(".run-gone")
        (root / ".stepwell").rename(root / "elsewhere")
        in_time(page, lambda: gone.count() == 1)
        expect(gone).to_contain_text("r1 is not in the store any more.")
        expect(rows).to_have_count(2)
        (root / "elsewhere").rename(root / ".stepwell")
        in_time(page, lambda: gone.count() == 0)
        served.process.send_signal(signal.SIGINT)
        served.process.wait(20)
        in_time(page, lambda: page.tab.locator(".standing").count() == 1)
        expect(rows).to_have_count(2)
        with serving(root, int(served.origin.rpartition(":")[2])) as again:
            in_time(page, lambda: gone.count() == 1)
            expect(gone).to_contain_text("open the address that")
            page.tab.context.new_page().goto(again.address)
            in_time(page, lambda: gone.count() == 0)
            expect(rows).to_have_count(2)
            assert page.tab.url.endswith("/runs/r1?tab=steps")
