"""Who is answered. Every request passes here first, whatever its method and address.

The page is served on this machine to its user's browser, which also shows other sites, and those may send requests here.
So a request is refused, in this order, where

- its `Host` is none of ours: a name that another site made to lead here (DNS rebinding),
- its `Origin` or `Sec-Fetch-Site` says that another site sent it, whatever the method,
- its method is another than GET and HEAD: there is nothing here that changes anything,
- it has not the cookie that was given for the token in the printed address.

And every answer says what the browser may do with it: nothing from elsewhere, no frames, no guessing of types.
"""

from __future__ import annotations

import ipaddress
import secrets
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl, urlencode

from stepwell.errors import NotFromThePage, StepwellError
from stepwell.ui.problems import written

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

METHODS = ("GET", "HEAD")
"""The methods that are answered."""

POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; object-src 'none'"
"""What a browser may load for the page: what comes from here."""

HEADERS: Mapping[str, str] = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
"""What every answer says, where it has not said something else of the same name."""

LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Gate:
    """Who may ask: the hosts that we answer to, the token, and the cookie that is given for it.

    `host` and `port` are where the server listens. The token and the cookie's value are 32 random bytes each,
    of this start alone.
    """

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.token = secrets.token_urlsafe(32)
        self.cookie = f"stepwell-{port}"
        self.session = secrets.token_urlsafe(32)
        self._tickets: set[str] = set()

    @property
    def address(self) -> str:
        """The address of the page without its token."""
        shown = "127.0.0.1" if _is_every(self.host) else self.host
        return f"http://{f'[{shown}]' if ':' in shown else shown}:{self.port}/"

    @property
    def local(self) -> bool:
        """Whether only this machine can reach the server."""
        return self.host in LOOPBACK or (
            _is_literal(self.host) and ipaddress.ip_address(self.host).is_loopback
        )

    def ticket(self) -> str:
        """A token that counts once: for a browser's command line, which others on the machine can read."""
        ticket = secrets.token_urlsafe(32)
        self._tickets.add(ticket)
        return ticket

    def admits(self, token: str) -> bool:
        """Whether a token from an address is the right one; a ticket is used up."""
        if secrets.compare_digest(token.encode(), self.token.encode()):
            return True
        found = next(
            (one for one in self._tickets if secrets.compare_digest(token.encode(), one.encode())), None
        )
        if found is None:
            return False
        self._tickets.discard(found)
        return True

    def knows(self, session: str) -> bool:
        """Whether a cookie's value is the one that was given."""
        return secrets.compare_digest(session.encode(), self.session.encode())

    def is_ours(self, host: str) -> bool:
        """Whether a `Host` is one of ours. Numbers cannot be made to lead here by another site; names can."""
        name, _, port = host.rpartition(":")
        if port != str(self.port):
            return False
        name = name.removeprefix("[").removesuffix("]").lower()
        if _is_every(self.host):
            return name in LOOPBACK or _is_literal(name) or name == socket.gethostname().lower()
        return name == self.host.lower() or (self.local and name in LOOPBACK)


class Refusal(NamedTuple):
    """Why a request is not answered: the HTTP status, and what is said."""

    status: int
    error: StepwellError


def refused(gate: Gate, method: str, headers: list[tuple[bytes, bytes]]) -> Refusal | None:
    """Why a request is refused whoever sends it, or None: its host, where it comes from, its method."""
    hosts = _values(headers, b"host")
    if len(hosts) != 1 or not gate.is_ours(hosts[0]):
        return _no(
            403,
            "the page was asked for by a name that is not its own",
            "another site may have made that name lead here",
        )
    origins, sites = _values(headers, b"origin"), _values(headers, b"sec-fetch-site")
    if any(origin != f"http://{hosts[0]}" for origin in origins) or not {*sites} <= {"same-origin", "none"}:
        return _no(
            403,
            "the request came from another site",
            "the page answers itself, and addresses that a person opens",
        )
    if method not in METHODS:
        return _no(
            405, f"the page has no answer to {method if method.isalpha() else 'this method'}", "it only reads"
        )
    return None


def _no(status: int, what: str, why: str) -> Refusal:
    return Refusal(
        status, NotFromThePage(what, why=why, fixes=["stepwell ui    and open the address that it prints"])
    )


class Guard:
    """The outermost layer of the application: refuses, exchanges the token, and adds what every answer says."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self._app, self._gate = app, gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, as ASGI has it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # no websockets
            await send({"type": "websocket.close", "code": 1008})
            return
        answering = _with_headers(send)
        refusal = refused(self._gate, scope["method"], scope["headers"])
        if refusal is not None:
            await _tell(refusal, scope, answering)
            return
        if not self._has_cookie(scope):
            await self._exchange(scope, answering)
            return
        if _token_of(scope) is not None:  # the address of the terminal, opened again
            await _redirect(scope, answering)
            return
        await self._app(scope, receive, answering)

    def _has_cookie(self, scope: Scope) -> bool:
        found = [
            value
            for header in _values(scope["headers"], b"cookie")
            for name, _, value in [pair.strip().partition("=") for pair in header.split(";")]
            if name == self._gate.cookie
        ]
        return len(found) == 1 and self._gate.knows(found[0])

    async def _exchange(self, scope: Scope, send: Send) -> None:
        """Give a cookie for the token in an address, and lead to the same address without it."""
        token = _token_of(scope)
        if token is None or not self._gate.admits(token):
            await _tell(
                _no(
                    401,
                    "the page is only for who started it",
                    "the request has not the token of the printed address",
                ),
                scope,
                send,
            )
            return
        cookie = f"{self._gate.cookie}={self._gate.session}; Path=/; HttpOnly; SameSite=Strict"
        await _redirect(scope, send, (b"set-cookie", cookie.encode()))


def _values(headers: list[tuple[bytes, bytes]], wanted: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in headers if name == wanted]


def _pairs(scope: Scope) -> list[tuple[str, str]]:
    return parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)


def _token_of(scope: Scope) -> str | None:
    return next((value for name, value in _pairs(scope) if name == "t"), None)


def _with_headers(send: Send) -> Send:
    """Add `HEADERS` to an answer, where it says nothing else of the same name."""

    async def answering(message: Message) -> None:
        if message["type"] == "http.response.start":
            said = {name.lower() for name, _ in message.get("headers", ())}
            more = [
                (name.encode(), value.encode())
                for name, value in HEADERS.items()
                if name.encode() not in said
            ]
            message = {**message, "headers": [*message.get("headers", ()), *more]}
        await send(message)

    return answering


async def _redirect(scope: Scope, send: Send, *headers: tuple[bytes, bytes]) -> None:
    """Lead to the same address without its token. A path of several slashes would be another host's address."""
    left = urlencode([(name, value) for name, value in _pairs(scope) if name != "t"])
    path = "/" + scope.get("raw_path", b"/").decode("latin-1").partition("?")[0].lstrip("/\\")
    place = f"{path}?{left}" if left else path
    await send(
        {
            "type": "http.response.start",
            "status": 303,
            "headers": [(b"location", place.encode("latin-1")), (b"content-length", b"0"), *headers],
        }
    )
    await send({"type": "http.response.body", "body": b""})


async def _tell(refusal: Refusal, scope: Scope, send: Send) -> None:
    """Say why a request is refused."""
    kind, body = written(refusal.error, ", ".join(_values(scope["headers"], b"accept")))
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    if refusal.status == 405:
        headers.append((b"allow", b"GET, HEAD"))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def _is_every(host: str) -> bool:
    return host in ("0.0.0.0", "::", "")  # compared, not bound


def _is_literal(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
