"""The page of an artifact: a preview by its kind that runs nothing, who made it, from what, and into what."""

from __future__ import annotations

from pathlib import Path

import pytest
from chromium import Served, Window, window
from playwright.sync_api import Browser, expect
from shown import harmless

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(demo: Path) -> Path:
    """Runs that made and recorded all kinds of things, hostile ones too."""
    return demo


def opened(page: Window, step: str, link: str) -> None:
    """Go to an artifact from the panel of the step that made it, by the words of the link to it."""
    page.open(f"/runs/r1?tab=parameters&step={step}")
    page.tab.locator(".step-panel").get_by_role("link", name=link, exact=True).first.click()
    page.tab.wait_for_url("**/artifacts/**")
    page.ready()


def test_a_table_is_described_and_read_page_by_page(browser: Browser, served: Served) -> None:
    """Columns with what is in them; the page of rows is in the address."""
    with window(browser, served, dark=True) as page:
        opened(page, "load", "arrow")
        columns = page.tab.get_by_role("table", name="columns")
        people = columns.get_by_role("row").filter(has_text="people")
        expect(people).to_contain_text("int64")
        expect(people.get_by_role("img")).to_have_attribute(
            "aria-label", "values of people: from 0 to 99,819, most from 0 on"
        )
        expect(columns.get_by_role("row").filter(has_text="share")).to_contain_text("11 %")
        rows = page.tab.get_by_role("table", name="rows")
        expect(rows.get_by_role("row").nth(1)).to_contain_text("city 0")
        expect(rows).to_contain_text("<b>cell</b>")
        page.tab.get_by_role("button", name="later rows").click()
        expect(rows.get_by_role("row").nth(1)).to_contain_text("city 13")
        assert page.tab.url.endswith("row=50")
        place = page.tab.get_by_role("button", name="copy the digest").bounding_box()
        page.open(
            page.tab.url.removeprefix(page.served.origin)
        )  # whoever begins here sees it as who came to it
        expect(rows.get_by_role("row").nth(1)).to_contain_text("city 13")
        assert page.tab.get_by_role("button", name="copy the digest").bounding_box() == place
        assert page.accessible() == []
        harmless(page)


def test_it_leads_to_what_it_was_made_from_and_what_was_made_from_it(page: Window) -> None:
    """From a model back to its table and on to the source, and forward to the judgement."""
    opened(page, "learn", "json")
    expect(page.tab.locator(".json")).to_contain_text("<script>window.owned='json'</script>")
    page.tab.get_by_role("button", name="1 item", exact=False).first.click()
    back = page.tab.get_by_role("table", name="Made from", exact=True)
    expect(back.get_by_role("row").filter(has_text="load")).to_contain_text("arrow")
    expect(back.get_by_role("link", name="cities")).to_be_visible()
    expect(page.tab.get_by_role("table", name="Made from it")).to_contain_text("judge")
    page.tab.get_by_role("link", name="r1", exact=True).first.click()
    expect(page.tab.get_by_role("complementary", name="step learn")).to_be_visible()


def test_html_is_shown_in_a_frame_that_runs_nothing(page: Window) -> None:
    """Neither its scripts nor what its tags would run; it cannot reach the page around it."""
    opened(page, "learn", "card")
    frame = page.tab.locator("iframe")
    assert frame.get_attribute("sandbox") == ""
    expect(page.tab.frame_locator("iframe").locator("#here")).to_have_text("A card")
    assert page.accessible() == []


def test_a_picture_is_shown(page: Window) -> None:
    """As large as it is."""
    opened(page, "learn", "picture")
    expect(page.tab.locator("img.figure")).to_have_js_property("naturalWidth", 60)


def test_what_is_not_there_is_told(page: Window) -> None:
    """A digest that nobody made, and one that is none."""
    page.open(f"/artifacts/b3:{'0' * 64}")
    expect(page.tab.get_by_role("alert")).to_contain_text("no run has")
    page.open("/artifacts/%2e%2e%2fetc%2fpasswd")
    expect(page.tab.get_by_role("alert")).to_be_visible()
