"""A real Chromium on a real `stepwell ui`, with no other network.

    with serving(project) as served, window(browser, served) as page:
        page.open("/compare?run=r1&run=r2")
        expect(page.tab.get_by_role("heading", name="Metrics")).to_be_visible()
        page.check()        # nothing went wrong: no error, no broken policy, nothing asked elsewhere

Debian's package `chromium` is driven by Playwright's Python package; its own browsers are never downloaded.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Route, expect, sync_playwright

ROOT = Path(__file__).parents[2]
STEPWELL = Path(sys.executable).with_name("stepwell")
IMAGES = ROOT / "docs" / "images"

# What is expected comes within a second; a machine that is busy with other tests may need longer.
expect.set_options(timeout=20_000)
SWITCHES = (
    "--no-sandbox",  # a test may be root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

# Told by the browser when something breaks the page's policy; read by `Window.check`.
_WATCH = """
window.brokenPolicies = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.brokenPolicies.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sample}`);
});
"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Give a browser without a screen, as long as the block lasts. Skips where there is no Chromium."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("THE PAGE IS NOT TESTED: there is no Chromium; apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*SWITCHES])
        try:
            yield browser
        finally:
            browser.close()


class Served(NamedTuple):
    """A server that runs: the address that it printed, with its token; and its process."""

    address: str
    process: subprocess.Popen[str]

    @property
    def origin(self) -> str:
        """Where the server listens: "http://127.0.0.1:40123"."""
        parts = urlsplit(self.address)
        return f"{parts.scheme}://{parts.netloc}"


@contextmanager
def serving(root: Path, port: int = 0) -> Iterator[Served]:
    """Run `stepwell ui` in a project, as long as the block lasts; it must end at once and well when it is told to."""
    process = subprocess.Popen(
        [STEPWELL, "-C", root, "ui", "--no-open", "--json", "--port", str(port)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "the server ended before it said where it is"
        yield Served(json.loads(line)["address"], process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)


class Window:
    """A tab on a server's page, which keeps what went wrong in it. `tab` is Playwright's own."""

    def __init__(self, tab: Page, served: Served) -> None:
        self.tab = tab
        self.served = served
        self.errors: list[str] = []
        self.elsewhere: list[str] = []
        tab.add_init_script(_WATCH)
        tab.on("console", self._heard)
        tab.on("pageerror", lambda error: self.errors.append(str(error)))
        tab.route("**/*", self._asked)
        tab.goto(served.address)

    def _heard(self, message: ConsoleMessage) -> None:
        # A 404 that a test asks for is told by the browser too; what the page makes of it is what is tested.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.errors.append(message.text)

    def _asked(self, route: Route) -> None:
        url = route.request.url
        if url.startswith((self.served.origin + "/", "data:", "blob:")):
            route.continue_()
        else:
            self.elsewhere.append(url)
            route.abort()

    def open(self, path: str) -> None:
        """Go to a path of the page, and wait until it shows something."""
        self.tab.goto(self.served.origin + path)
        self.ready()

    def ready(self) -> None:
        """Wait until the main part is there, and no part of it is still asked for."""
        self.tab.locator("main > *").first.wait_for()
        for wait in self.tab.locator("main .wait").all():
            wait.wait_for(state="detached", timeout=30_000)

    def check(self) -> None:
        """That no error was shown to developers, no policy was broken, and nothing was asked of another server."""
        broken = self.tab.evaluate("window.brokenPolicies")
        assert (self.errors, broken, self.elsewhere) == ([], [], [])

    def accessible(self, only: tuple[str, ...] = ()) -> list[str]:
        """What axe finds that is serious or critical, as "rule: element"; of all its rules, or of some."""
        options = {**_AXE, "runOnly": {"type": "rule", "values": [*only]}} if only else _AXE
        # The page's policy lets nobody add a script to it; what the browser's own tools evaluate is apart from that.
        found: Any = self.tab.evaluate(f"() => {{ {axe()}; return window.axe.run({json.dumps(options)}); }}")
        return [
            f"{one['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
            for one in found["violations"]
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]

    def picture(self, name: str) -> None:
        """Write what is shown to `docs/images/ui-NAME.png`, where `STEPWELL_SCREENSHOTS` is set."""
        if os.environ.get("STEPWELL_SCREENSHOTS"):
            IMAGES.mkdir(parents=True, exist_ok=True)
            self.tab.mouse.move(0, 0)
            self.tab.screenshot(path=IMAGES / f"ui-{name}.png", animations="disabled")


_AXE: dict[str, Any] = {"resultTypes": ["violations"], "iframes": False}


@cache
def axe() -> str:
    """The source of axe-core, as `make page` installed it."""
    path = ROOT / "page" / "node_modules" / "axe-core" / "axe.min.js"
    if not path.exists():
        pytest.skip("THE PAGE'S ACCESSIBILITY IS NOT TESTED: axe-core is not there; make page")
    return path.read_text("utf-8")


@contextmanager
def window(
    browser: Browser, served: Served, dark: bool = False, width: int = 1360, height: int = 860
) -> Iterator[Window]:
    """Give a fresh tab on a server's page, light or dark; it knows nothing of other tabs."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
        locale="en-US",
    )
    context.set_default_timeout(30_000)
    try:
        yield Window(context.new_page(), served)
    finally:
        context.close()
