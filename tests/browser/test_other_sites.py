"""Another site in the same browser, where the user has the page open, gets nothing of it, whatever it tries."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from chromium import SWITCHES, Served, serving
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright


class Elsewhere(BaseHTTPRequestHandler):
    """The other site: every address is one empty page without a policy of its own."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>elsewhere</title><body>elsewhere")

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[int]:
    """The port of the other site."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture(scope="module")
def misled() -> Iterator[Browser]:
    """A browser for which the name `evil.test` leads to this machine, as after DNS rebinding."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("THE PAGE IS NOT TESTED: there is no Chromium; apt-get install chromium")
    with sync_playwright() as playwright:
        rules = "--host-resolver-rules=MAP evil.test 127.0.0.1"
        browser = playwright.chromium.launch(executable_path=path, args=[*SWITCHES, rules])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    root: Path = tmp_path_factory.mktemp("seen")
    (root / "stepwell.toml").touch()
    with serving(root) as found:
        yield found


@pytest.fixture(scope="module")
def user(misled: Browser, served: Served) -> Iterator[BrowserContext]:
    """A user who has the page open, and so has its cookie."""
    context = misled.new_context()
    page = context.new_page()
    page.goto(served.address)
    assert page.evaluate("fetch('/api/project').then(answer => answer.status)") == 200
    assert page.evaluate("document.cookie") == ""
    assert "t=" not in page.url
    yield context
    context.close()


@pytest.fixture
def evil(user: BrowserContext, elsewhere: int) -> Iterator[Page]:
    """A tab of the same user on the other site; `seen` are the statuses of what it was answered."""
    page = user.new_page()
    page.goto(f"http://evil.test:{elsewhere}/")
    yield page
    page.close()


READS = """
async ([origin, how]) => {
  try {
    const answer = await fetch(origin + "/api/project", how);
    return [answer.type, (await answer.text()).length];
  } catch (error) {
    return ["refused", 0];
  }
}
"""


@pytest.mark.parametrize(
    "how",
    [
        {"credentials": "include"},
        {"credentials": "include", "mode": "no-cors"},
        {"credentials": "include", "method": "POST", "body": "x", "mode": "no-cors"},
        {"credentials": "include", "method": "DELETE"},
        {"credentials": "include", "headers": {"accept": "application/json", "x-other": "1"}},
    ],
)
def test_it_reads_nothing(evil: Page, served: Served, how: dict[str, Any]):
    statuses: list[int] = []
    evil.on("response", lambda answer: statuses.append(answer.status))
    for origin in (served.origin, served.origin.replace("127.0.0.1", "localhost")):
        kind, length = evil.evaluate(READS, [origin, how])
        assert kind in ("refused", "opaque")
        assert length == 0
    assert not {*statuses} & {200, 303}


def test_a_name_that_leads_here_is_no_name_of_ours(user: BrowserContext, served: Served):
    page = user.new_page()
    rebound = served.origin.replace("127.0.0.1", "evil.test")
    answer = page.goto(f"{rebound}/")
    assert answer is not None
    assert answer.status == 403
    assert page.evaluate("fetch('/api/project').then(answer => answer.status)") == 403
    token = served.address.partition("?")[2]
    answer = page.goto(f"{rebound}/?{token}")
    assert answer is not None
    assert answer.status == 403
    page.close()


def test_it_embeds_nothing(evil: Page, served: Served):
    made = """
    async ([origin, tag]) => {
      const one = document.createElement(tag);
      const told = new Promise((done) => {
        one.onload = () => done("loaded");
        one.onerror = () => done("refused");
        setTimeout(() => done("nothing"), 3000);
      });
      one.src = origin + (tag === "img" ? "/favicon.svg" : "/api/project");
      document.body.append(one);
      return await told;
    }
    """
    for tag in ("script", "img"):
        assert evil.evaluate(made, [served.origin, tag]) == "refused"
    evil.evaluate(
        "(origin) => { const one = document.createElement('iframe'); one.src = origin + '/'; document.body.append(one); }",
        served.origin,
    )
    evil.wait_for_timeout(500)
    frames = [frame for frame in evil.frames if frame != evil.main_frame]
    assert all("Stepwell" not in frame.title() for frame in frames)


def test_it_listens_to_nothing(evil: Page, served: Served):
    heard = """
    (origin) => new Promise((done) => {
      const source = new EventSource(origin + "/api/events", { withCredentials: true });
      source.onopen = () => done("open");
      source.onerror = () => { source.close(); done("refused"); };
    })
    """
    assert evil.evaluate(heard, served.origin) == "refused"
    sockets = """
    (origin) => new Promise((done) => {
      const socket = new WebSocket(origin.replace("http", "ws") + "/api/events");
      socket.onopen = () => done("open");
      socket.onerror = () => done("refused");
    })
    """
    assert evil.evaluate(sockets, served.origin) == "refused"


def test_its_links_and_forms_lead_nowhere(user: BrowserContext, elsewhere: int, served: Served):
    for method in ("get", "post"):
        page = user.new_page()
        page.goto(f"http://evil.test:{elsewhere}/")
        with page.expect_response(lambda answer: answer.url.startswith(served.origin)) as answer:
            page.evaluate(
                """([origin, method]) => {
                  const form = document.createElement("form");
                  form.action = origin + "/api/project"; form.method = method;
                  document.body.append(form); form.submit();
                }""",
                [served.origin, method],
            )
        assert answer.value.status == 403
        page.close()


def test_a_browser_without_the_cookie_is_told_what_to_type(misled: Browser, served: Served) -> None:
    context = misled.new_context()
    page = context.new_page()
    answer = page.goto(f"{served.origin}/runs/r1")
    assert answer is not None
    assert answer.status == 401
    expect(page.get_by_role("heading")).to_have_text("The page is only for who started it.")
    expect(page.get_by_role("listitem")).to_have_text("stepwell ui and open the address that it prints")
    context.close()
