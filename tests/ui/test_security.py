"""Who is answered and who is not: every method, host, origin and token on every address that the server has."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asking import PORT, Answer, Page
from cli_projects import Project
from starlette.routing import Route

from stepwell.ui.guard import HEADERS, POLICY, Gate
from stepwell.ui.raw import POLICY as RAW_POLICY
from stepwell.ui.raw import disposition

HOSTILE = """
    from pathlib import Path

    from stepwell import log, pipeline, step

    HTML = "<html><body onload=alert(1)><script>fetch('/api/runs')</script><h1>hello</h1></body></html>"
    SVG = "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'><script>alert(1)</script></svg>"

    @step
    def page() -> Path:
        Path("out.html").write_text(HTML)
        return Path("out.html")

    @step
    def drawing() -> Path:
        Path("..%2f\\"x;.svg").write_text(SVG)
        return Path("..%2f\\"x;.svg")

    @step
    def script() -> Path:
        Path("run.js").write_text("alert(1)")
        return Path("run.js")

    @step
    def text() -> str:
        log.card("card", HTML)
        return "<script>alert(1)</script>"

    @pipeline
    def hostile() -> tuple[Path, Path, Path, str]:
        return page(), drawing(), script(), text()
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    made = Project(tmp_path_factory.mktemp("hostile"))
    made.write(HOSTILE)
    made("run")
    with Page(made.root) as found:
        yield found


def addresses(page: Page) -> list[str]:
    """Every address that the application has, with something in the place of its names."""
    routes = page.app._app.routes
    assert all(isinstance(route, Route) for route in routes)
    found = []
    for route in routes:
        address = route.path.replace("{digest}", f"b3:{'0' * 64}").replace("{run}", "r1")
        found.append(re.sub(r"{\w+(:path)?}", "nothing", address))
    return found


def test_every_address_is_known(page: Page):
    found = addresses(page)
    assert {"/api/project", "/api/events", "/api/runs/r1/events", "/api/runs", "/nothing", "/api/nothing"} < {
        *found
    }
    assert len(found) == len({*found}) > 18


HOSTS = {
    f"127.0.0.1:{PORT}": True,
    f"localhost:{PORT}": True,
    f"[::1]:{PORT}": True,
    "127.0.0.1": False,
    f"127.0.0.1:{PORT + 1}": False,
    f"evil.test:{PORT}": False,
    f"127.0.0.1.evil.test:{PORT}": False,
    f"evil.test:{PORT}@127.0.0.1:{PORT}": False,
    f"127.0.0.1:{PORT}, evil.test": False,
    f"127.0.0.2:{PORT}": False,
    "": False,
    None: False,
}
ORIGINS = {
    None: True,
    "self": True,
    "null": False,
    "http://evil.test": False,
    "https://self": False,
    "http://127.0.0.1:1": False,
}
SITES = {None: True, "same-origin": True, "none": True, "same-site": False, "cross-site": False, "x": False}
METHODS = {"GET": True, "HEAD": True, "POST": False, "PUT": False, "PATCH": False, "DELETE": False, "OPTIONS": False, "TRACE": False, "CONNECT": False, "PROPFIND": False}  # fmt: skip
COOKIES = {"right": True, "wrong": False, "empty": False, "twice": False, None: False}


def asked(page: Page, address: str, method: str, host: Any, origin: Any, site: Any, cookie: Any) -> Answer:
    headers = []
    if origin is not None:
        headers.append(("origin", origin.replace("self", str(host)) if origin.startswith("https") else f"http://{host}" if origin == "self" else origin))  # fmt: skip
    if site is not None:
        headers.append(("sec-fetch-site", site))
    name, right = page.gate.cookie, page.cookie
    value = {
        "right": right,
        "wrong": f"{name}=x{page.gate.session}",
        "empty": f"{name}=",
        "twice": f"{name}=x; {right}",
    }.get(cookie)
    if value is not None:
        headers.append(("cookie", value))
    return page.ask(method, address, headers, host)


def test_nothing_is_answered_but_what_the_page_itself_asks(page: Page):
    # Each of the five that is wrong is enough, on every address; the rest is right, so that nothing else refuses.
    dimensions = (METHODS, HOSTS, ORIGINS, SITES, COOKIES)
    for address in addresses(page):
        if address.endswith("/events"):
            continue  # below: it has no end
        for place, choices in enumerate(dimensions):
            for choice, good in choices.items():
                given: list[Any] = ["GET", f"127.0.0.1:{PORT}", None, None, "right"]
                given[place] = choice
                status = asked(page, address, *given).status
                assert good == (status not in (401, 403, 405)), (address, given, status)


def test_all_combinations_on_one_address(page: Page):
    methods, origins, sites = (
        ("GET", "HEAD", "POST"),
        (None, "self", "http://evil.test"),
        (None, "same-origin", "cross-site"),
    )
    hosts, cookies = (f"127.0.0.1:{PORT}", f"evil.test:{PORT}"), ("right", "wrong", None)
    for given in itertools.product(methods, hosts, origins, sites, cookies):
        method, host, origin, site, cookie = given
        good = METHODS[method] and HOSTS[host] and ORIGINS[origin] and SITES[site] and COOKIES[cookie]
        answer = asked(page, "/api/project", *given)
        assert (answer.status == 200) == good, given
        assert good or b"pipelines" not in answer.body


@pytest.mark.parametrize("address", ["/api/events", "/api/runs/r1/events"])
def test_events_are_guarded_too(page: Page, address: str):
    assert asked(page, address, "HEAD", f"127.0.0.1:{PORT}", None, None, "right").status == 200
    for given in (
        ("GET", f"evil.test:{PORT}", None, None, "right"),
        ("GET", f"127.0.0.1:{PORT}", "http://evil.test", None, "right"),
        ("GET", f"127.0.0.1:{PORT}", None, "cross-site", "right"),
        ("GET", f"127.0.0.1:{PORT}", None, None, None),
        ("POST", f"127.0.0.1:{PORT}", None, None, "right"),
    ):
        assert asked(page, address, *given).status in (401, 403, 405)


def test_every_answer_says_what_a_browser_may_do(page: Page):
    for address in [*addresses(page), "/", "/index.html"]:
        if address.endswith("/events"):
            continue
        for cookie in ("right", None):
            for method in ("GET", "HEAD", "POST"):
                answer = asked(page, address, method, f"127.0.0.1:{PORT}", None, None, cookie)
                for name, value in HEADERS.items():
                    assert answer.headers[name] == value or name == "cache-control", (address, name)
                assert "access-control-allow-origin" not in answer.headers
                assert "server" not in answer.headers


def test_two_hosts_are_none(page: Page):
    answer = page.ask("GET", "/api/project", [("cookie", page.cookie), ("host", f"127.0.0.1:{PORT}")])
    assert answer.status == 403


# --------------------------------------------------------------------------- the token


def test_a_token_is_exchanged_for_a_cookie(page: Page):
    answer = page.ask("GET", f"/runs/r1?tab=logs&t={page.gate.token}")
    assert answer.status == 303
    assert answer.headers["location"] == "/runs/r1?tab=logs"
    assert answer.headers["set-cookie"] == f"{page.cookie}; Path=/; HttpOnly; SameSite=Strict"
    assert page.gate.token not in str(answer)
    assert page.gate.token != page.gate.session
    again = page.get(f"/runs/r1?t={page.gate.token}")
    assert (again.status, again.headers["location"]) == (303, "/runs/r1")


@pytest.mark.parametrize("token", ["", "x", "é", "%00", "a" * 10_000])
def test_a_wrong_token_is_none(page: Page, token: str):
    answer = page.ask("GET", f"/?t={token}")
    assert answer.status == 401
    assert "set-cookie" not in answer.headers
    assert "stepwell ui" in answer.body.decode()


def test_a_person_without_the_cookie_reads_what_to_type(page: Page):
    """Browsers say that they take HTML; programs, which do not, get the same as JSON."""
    browser = [("accept", "text/html,application/xhtml+xml,*/*;q=0.8")]
    answer = page.ask("GET", "/runs/r1?t=<script>", browser)
    assert answer.status == 401
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == POLICY
    text = answer.body.decode()
    assert "<h1>The page is only for who started it.</h1>" in text
    assert "<li><code>stepwell ui</code> and open the address that it prints</li>" in text
    assert "stepwell explain E551" in text
    assert not re.search(r"<script|<style|<link|<img|\ssrc=|\sstyle=", text)
    told = page.ask("GET", "/runs/r1", [("accept", "*/*")])
    assert told.json["error"]["code"] == "E551"
    wrong = page.get("/raw/%3Cb%3E", accept=browser[0][1])
    assert b"`&lt;b&gt;` is no digest" in wrong.body
    assert page.get("/api/runs/r99", accept=browser[0][1]).json["error"]["code"] == "E108"


def test_a_ticket_counts_once(page: Page):
    ticket = page.gate.ticket()
    assert page.ask("GET", f"/?t={ticket}").status == 303
    assert page.ask("GET", f"/?t={ticket}").status == 401


@pytest.mark.parametrize("path", ["//evil.test/", "/\\evil.test/", "///evil.test", "/%2f/evil.test"])
def test_a_redirect_never_leads_away(page: Page, path: str):
    answer = page.ask("GET", f"{path}?t={page.gate.token}")
    assert re.match(r"/[^/\\]", answer.headers["location"] + "x"), answer.headers["location"]


def test_tokens_are_of_one_start():
    first, second = Gate("127.0.0.1", 1), Gate("127.0.0.1", 1)
    assert len({first.token, second.token, first.session, second.session}) == 4
    assert min(map(len, (first.token, first.session, first.ticket()))) >= 43


@pytest.mark.parametrize(
    ("host", "asked", "good"),
    [
        ("0.0.0.0", "192.168.1.7:8123", True),
        ("0.0.0.0", "[fe80::1]:8123", True),
        ("0.0.0.0", "evil.test:8123", False),
        ("0.0.0.0", "192.168.1.7:8124", False),
        ("192.168.1.7", "192.168.1.7:8123", True),
        ("192.168.1.7", "127.0.0.1:8123", False),
        ("lab.example", "LAB.example:8123", True),
        ("lab.example", "evil.test:8123", False),
        ("::1", "[::1]:8123", True),
        ("localhost", "127.0.0.1:8123", True),
    ],
)
def test_which_hosts_are_ours(host: str, asked: str, good: bool):
    assert Gate(host, PORT).is_ours(asked) is good


# --------------------------------------------------------------------------- what steps made


def raws(page: Page) -> list[tuple[str, Answer]]:
    """Everything that the hostile run made and recorded, as it is."""
    run = page.get("/api/runs/r1").json
    found = [(one["digest"], one["codec"]) for step in run["steps"] for one in step["outputs"]]
    found += [(one["digest"], one["codec"]) for one in run["recorded"] if one["digest"]]
    return [(codec, page.get(f"/raw/{digest}?codec={codec}")) for digest, codec in found]


def test_what_a_browser_could_run_may_do_nothing(page: Page):
    kinds = set()
    for _, answer in raws(page):
        assert answer.status == 200, answer.body
        policy = answer.headers["content-security-policy"]
        assert policy == RAW_POLICY
        assert policy.startswith("sandbox; default-src 'none'")
        assert "allow-" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        kind = answer.headers["content-type"].partition(";")[0]
        kinds.add(kind)
        assert "javascript" not in kind
        word, _, name = answer.headers["content-disposition"].partition("; filename=")
        assert word == ("attachment" if kind == "application/octet-stream" else "inline")
        assert re.fullmatch(r'"[\w.()+ -]+"', name), name
    assert "text/html" in kinds


def test_a_codec_that_is_asked_for_runs_nothing(page: Page, tmp_path: Path):
    digest = page.get("/api/runs/r1").json["steps"][3]["outputs"][0]["digest"]
    for codec in (
        "pickle",
        "html",
        "path",
        "arrow",
        "npy",
        "sklearn",
        "bundle",
        "files",
        "x" * 300,
        "../..",
        "cloudpickle",
    ):
        for address in (f"/raw/{digest}?codec={codec}", f"/api/artifacts/{digest}/preview?codec={codec}"):
            answer = page.get(address)
            assert answer.status in (200, 404, 500), (address, answer.body)
            assert b"E000" not in answer.body


@pytest.mark.parametrize(
    "name",
    [
        'a"; x="b',
        "a\r\nset-cookie: x",
        "../../etc/passwd",
        "..",
        "",
        "é\x1b[31m",
        "x" * 500,
        "a\\b\\c.html",
        ".htaccess",
    ],
)
def test_names_of_files_are_harmless(name: str):
    said = disposition(name, f"b3:{'0' * 64}", "text/html")
    assert re.fullmatch(r'inline; filename="[\w()+-][\w.()+ -]*"', said, re.ASCII), said
    assert len(said) < 160


def test_the_policy_of_the_page_allows_nothing_from_elsewhere():
    assert POLICY.split("; ")[0] == "default-src 'self'"
    assert "unsafe" not in POLICY
    assert "*" not in POLICY
    assert {"frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'", "object-src 'none'"} < {
        *POLICY.split("; ")
    }


def test_no_address_of_a_file_leaves_the_page(page: Page):
    for path in (
        "/..%2f..%2fserving.py",
        "/assets/../../serving.py",
        "/static/../guard.py",
        "/%2e%2e/guard.py",
        "//etc/passwd",
    ):
        assert b"import " not in page.get(path).body
