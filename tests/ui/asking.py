"""Questions to the server's application, without a socket: `page = Page(root)`, `page.get("/api/runs").json`."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

from stepwell.stores.folder import store_folder
from stepwell.ui.application import application
from stepwell.ui.asked import Site
from stepwell.ui.guard import Gate
from stepwell.ui.known import Known
from stepwell.ui.live import Watch
from stepwell.ui.readers import Readers

PORT = 8123


class Answer(NamedTuple):
    """What the server said."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The document, which must be JSON as the standard has it."""
        return json.loads(self.body, parse_constant=lambda name: (_ for _ in ()).throw(ValueError(name)))


class Page:
    """The server of a project's page, asked from inside. Close it."""

    def __init__(self, root: Path, folder: Path | None = None, host: str = "127.0.0.1") -> None:
        self.gate = Gate(host, PORT)
        self.folder = folder or store_folder(root)
        self.readers = Readers(self.folder, threads=2)
        self.looker = Readers(self.folder, threads=1)
        self.watch = Watch(self.looker)
        self.app = application(Site(root, self.folder, Known()), self.gate, self.readers, self.watch)

    def close(self) -> None:
        self.readers.close()
        self.looker.close()

    def __enter__(self) -> Page:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(self, address: str, **headers: str) -> Answer:
        """Ask as the page itself does."""
        return self.ask(
            "GET", address, [("cookie", self.cookie), *((k.replace("_", "-"), v) for k, v in headers.items())]
        )

    @property
    def cookie(self) -> str:
        return f"{self.gate.cookie}={self.gate.session}"

    def ask(
        self,
        method: str,
        address: str,
        headers: Iterable[tuple[str, str]] = (),
        host: str | None = f"127.0.0.1:{PORT}",
    ) -> Answer:
        """Ask in any way; `host` None leaves the header out."""
        given = [*([("host", host)] if host is not None else []), *headers]
        return asyncio.run(_asked(self.app, method, address, given))


async def _asked(app: Any, method: str, address: str, headers: list[tuple[str, str]]) -> Answer:
    sent: list[Any] = []
    asked = False

    async def receive() -> Any:
        nonlocal asked
        if asked:  # a client that waits
            await asyncio.sleep(3600)
        asked = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    path, _, query = address.partition("?")
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": unquote(path), "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
        "server": ("127.0.0.1", PORT), "client": ("127.0.0.1", 1),
    }  # fmt: skip
    await app(scope, receive, send)
    found = {name.decode().lower(): value.decode("latin-1") for name, value in sent[0]["headers"]}
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return Answer(
        sent[0]["status"], found, gzip.decompress(body) if found.get("content-encoding") == "gzip" else body
    )
