"""What tests of sources share: a project folder, memos that count, files that are old, a web server."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from stepwell.sources import content, walk, web
from stepwell.sources.memo import Memory
from stepwell.sources.web import Shelf


class Forgetful:
    """A memo that loses everything at once."""

    def get(self, kind: str, key: str) -> bytes | None:
        return None

    def put(self, kind: str, key: str, value: bytes) -> None:
        assert key.isascii()


@pytest.fixture
def memo() -> Memory:
    return Memory()


@pytest.fixture
def forgetful() -> Forgetful:
    return Forgetful()


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / ".stepwell")


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at files ten seconds later than they were written: they have settled, and are mapped."""
    from stepwell.sources import pin

    now = pin.time_ns
    monkeypatch.setattr(pin, "time_ns", lambda: now() + 10_000_000_000)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of the files that were really read."""
    seen: list[str] = []
    real = content.hash_file

    def hashed(path: str, text: str, moment: int) -> tuple[bytes, walk.Status]:
        seen.append(path)
        return real(path, text, moment)

    monkeypatch.setattr(content, "hash_file", hashed)
    return seen


Answer = tuple[int, dict[str, str], bytes]


class Site:
    """A web server whose pages are functions from headers to an answer; it notes what was asked."""

    def __init__(self) -> None:
        self.pages: dict[str, Callable[[dict[str, str]], Answer]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                site.asked.append((self.path, headers))
                page = site.pages.get(self.path)
                status, extra, body = page(headers) if page else (404, {}, b"nothing here")
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **extra}.items():
                    if value:
                        self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
                self.close_connection = True

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    @property
    def port(self) -> int:
        return self.server.server_address[1]

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def give(self, path: str, body: bytes, status: int = 200, **headers: str) -> str:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        self.pages[path] = lambda _: (status, fields, body)
        return self.url(path)

    def close(self) -> None:
        if self.thread.is_alive():
            self.server.shutdown()
            self.server.server_close()
            self.thread.join()


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(web, "PAUSES", (0.0, 0.0))
    site = Site()
    yield site
    site.close()
