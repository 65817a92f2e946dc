"""Every page, light and dark: nothing that shuts people out, no request elsewhere, no broken policy; and what is sent first is small."""

from __future__ import annotations

import gzip
import re
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from chromium import ROOT, Served, serving, window  # it lies beside the tests
from flights import command  # it lies beside the tests
from playwright.sync_api import Browser, expect

sys.path.insert(0, str(Path(__file__).parents[1] / "dist"))

from channel_releases import lock_of, release

pytestmark = pytest.mark.slow

STATIC = ROOT / "src" / "stepwell" / "ui" / "static"
FIRST_LOAD = 350_000
"""Bytes, compressed, that are sent before something is shown."""

PAGES = {
    "runs": "/runs?open=g1",
    "compare-two": "/compare?run=r5&run=r14&all=1",
    "compare-many": "/compare?run=g1",
    "compare-curves": "/compare?run=g1&view=curves",
    "compare-parallel": "/compare?run=g1&view=parallel",
    "compare-scatter": "/compare?run=g1&view=scatter",
    "data": "/data",
    "source": "/data/flights",
    "lock": "/lock",
    "lock-text": "/lock?view=text",
    "releases": "/channels",
    "run": "/runs/r14",
    "run-failed": "/runs/r15?tab=steps",
    "nothing": "/no/such/page",
    "no-run": "/runs/r999",
}

MANIFEST = """
[release]
name = "churn"
[outputs.model]
step = "fit"
gates = ["auc >= 0.81"]
[channels]
index = "index"
order = ["staging", "production"]
"""


COLOURS = ("color-contrast", "link-in-text-block")
"""What of axe's rules depends on the theme."""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nobody_is_shut_out(browser: Browser, served: Served, dark: bool) -> None:
    found = {}
    with window(browser, served, dark=dark) as page:
        for name, path in PAGES.items():
            page.open(path)
            if name in ("runs", "run", "lock", "source"):
                page.picture(f"{name}-dark" if dark else name)
            found[name] = page.accessible(COLOURS if dark else ())
        page.check()
    told = [f"{name}: {one}" for name, each in found.items() for one in each]
    assert not told, "\n".join(told)


def test_the_theme_is_the_users(browser: Browser, served: Served) -> None:
    with window(browser, served) as page:
        page.ready()
        ground = "getComputedStyle(document.body).backgroundColor"
        assert page.tab.evaluate(ground) == "rgb(255, 255, 255)"
        page.tab.get_by_role("button", name="theme: system").click()
        assert page.tab.evaluate(ground) == "rgb(20, 23, 26)"
        page.tab.reload()
        page.ready()
        assert page.tab.evaluate(ground) == "rgb(20, 23, 26)"
        page.check()


def test_data_tells_its_versions(browser: Browser, served: Served) -> None:
    with window(browser, served) as page:
        page.open("/data")
        expect(page.tab.get_by_role("row", name=re.compile("flights"))).to_contain_text("other than locked")
        page.tab.get_by_role("link", name="flights").last.click()
        versions = page.tab.get_by_role("table", name="versions")
        expect(versions.get_by_role("row")).to_have_count(3)
        expect(versions.get_by_role("row").nth(2)).to_contain_text("locked")
        page.open("/lock")
        expect(page.tab.get_by_text("r15 read another flights than is locked")).to_be_visible()
        page.check()


def test_a_project_without_runs_is_taught(browser: Browser, tmp_path: Path) -> None:
    with serving(tmp_path) as served, window(browser, served) as page:
        for path, told in {
            "/": "stepwell run",
            "/data": "source(",
            "/channels": "stepwell release",
            "/lock": "stepwell lock",
        }.items():
            page.open(path)
            expect(page.tab.locator(".empty")).to_contain_text(told)
            assert page.accessible() == []
        page.check()


EVIL = '<img src=x onerror="window.owned=1"><script>window.owned=1</script>'
HOSTILE = f"""
from stepwell import log, pipeline, step

@step
def tell(text: str, more: float) -> float:
    log.metric({EVIL!r}, more)
    log.metric("turned \\u202e gnirts", float("nan"))
    log.metric("endless", float("-inf"))
    log.tag({EVIL!r}, "ok")
    return more

@pipeline
def main(text: str = {EVIL!r}, more: float = 1.0) -> float:
    return tell(text, more)
"""


def test_names_and_values_of_others_are_only_text(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "pipeline.py").write_text(HOSTILE, "utf-8")
    assert [
        command(tmp_path, "run", *words) for words in ((), ("more=2.0",), ("more=3.0", f"text={EVIL}!"))
    ] == [0, 0, 0]
    with serving(tmp_path) as served, window(browser, served) as page:
        columns = ("status", "params.text", "metrics.endless", f"metrics.{EVIL}", "tags")
        for path in (
            "/?cols=" + ",".join(quote(quote(name, safe=""), safe="") for name in columns),
            "/compare?run=r1&run=r3&all=1",
            "/compare?run=r1&run=r2&run=r3&view=parallel&axis=params.text&axis=metrics." + quote(EVIL),
            "/compare?run=r1&run=r3&view=scatter&x=params.text&y=metrics." + quote(EVIL),
            "/compare?run=" + quote(EVIL),
            "/data/" + quote(EVIL, safe=""),
            "/" + quote(EVIL, safe=""),
        ):
            page.open(path)
            assert page.tab.evaluate(
                "window.owned === undefined && !document.querySelector('main img, main script')"
            )
        page.open("/compare?run=r1&run=r3&all=1")
        expect(page.tab.get_by_role("row", name=re.compile("^endless"))).to_contain_text("−∞")
        expect(page.tab.get_by_role("row", name="turned \\u202e gnirts NaN NaN")).to_be_visible()
        page.check()


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with two releases, one in production and one in staging."""
    root = tmp_path_factory.mktemp("released")
    (root / "stepwell.toml").write_text(MANIFEST, "utf-8")
    for version, auc in (("1.4.0", 0.8347), ("1.5.0", 0.84)):
        release(root / "dist", version, lock_of(metrics={"auc": auc}), commit="c" * 40)
    assert command(root, "channels", "--create") == 0
    for version, channel in (("1.4.0", "staging"), ("1.4.0", "production"), ("1.5.0", "staging")):
        said = ("--why", "Q3 <b>retrain</b>", "--by", "ana@acme")
        assert command(root, "promote", version, channel, *said) == 0
    return root


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_release_and_its_channels(browser: Browser, released: Path, dark: bool) -> None:
    with serving(released) as served, window(browser, served, dark=dark) as page:
        page.open("/channels")
        production = page.tab.get_by_role("article", name="production")
        expect(production).to_contain_text("1.4.0")
        expect(production).to_contain_text("0.8347")
        expect(production).to_contain_text("Q3 <b>retrain</b>")
        expect(production).to_contain_text("1.5.0 may come")
        expect(page.tab.get_by_role("table", name="releases").get_by_role("row")).to_have_count(3)
        expect(page.tab.get_by_role("table", name="history").get_by_role("row")).to_have_count(4)
        page.picture("releases-dark" if dark else "releases")
        assert page.accessible(COLOURS if dark else ()) == []
        page.check()


def test_what_is_sent_first_is_small() -> None:
    index = (STATIC / "index.html").read_text("utf-8")
    names = re.findall(r'(?:src|href)="/([^"]+)"', index)
    assert any(name.endswith(".js") for name in names)
    assert sum(len(gzip.compress((STATIC / name).read_bytes(), 6)) for name in names) < FIRST_LOAD
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", index)  # the policy forbids it


def test_the_page_asks_nothing_of_anybody_else() -> None:
    # What these name is no address that is asked: names of XML's spaces, and of pages that explain an error.
    known = re.compile(
        rb"https?://(www\.w3\.org/|react\.dev/|reactjs\.org/|reactflow\.dev|github\.com/|fb\.me/|developer\.mozilla\.org/)"
    )
    for path in STATIC.rglob("*"):
        if path.suffix in (".js", ".css", ".html"):
            for found in re.finditer(rb"https?://[a-z0-9.-]+\.[a-z]{2,}[^\s\"'`)]*", path.read_bytes()):
                assert known.match(found[0]), f"{path.name}: {found[0][:80]!r}"
