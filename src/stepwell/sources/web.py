"""Files from `https://` and `http://`: fetched once, pinned to their digest, kept in the store's blobs.

What an address gave is remembered in the memo with the server's ETag, and asked for again only on
`refresh`, or when the memo or the blob is lost. The file is hashed while it arrives, in `tmp/`,
and moved to `blobs/<first two digits>/<the others>` when it is whole, synced and read-only (`kept`).

Certificates are verified; redirects (at most ten) lead to http and https only and never from
https to http; user and password of an address go to its own host only.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from stepwell.errors import EmptySource, Offline, SourceRefused
from stepwell.sources.address import Address, printable, shown, without_user
from stepwell.sources.content import Digest, digest_of
from stepwell.sources.files import Seen
from stepwell.sources.kept import Shelf, local, receive
from stepwell.sources.memo import Memo, key_for
from stepwell.sources.servers import NoAnswer, ask
from stepwell.version import VERSION

if TYPE_CHECKING:
    from http.client import HTTPResponse

TIMEOUT = 30.0
"""Seconds without a byte after which a server counts as gone."""

PAUSES = (0.3, 1.0)
"""Seconds to wait before trying again where a connection broke or a server is overloaded."""

REDIRECTS = 10
_CHUNK = 1 << 20
_PASSING = (429, 500, 502, 503, 504)
_REDIRECTING = (301, 302, 303, 307, 308)
_HINTS = {
    401: "the address wants credentials: https://user:password@host/…",
    403: "the address wants credentials, or must not be read at all",
    404: "check the address in a browser",
    410: "check the address in a browser",
}


class Copy(NamedTuple):
    """What an address gave: its digest, and what the server calls this version of it."""

    digest: str
    etag: str = ""
    modified: str = ""


def pinned(
    address: Address, memo: Memo, shelf: Shelf, moment: int, *, refresh: bool = False
) -> tuple[Seen, Digest]:
    """The local copy of an address and its digest, fetched if there is none (or on `refresh`).

    Raises `SourceRefused`, `Offline`, `EmptySource`, `DiskFull` or `StoreReadOnly`.
    """
    key = key_for(without_user(address.uri)[0])
    copy = _remembered(memo.get("source-web", key))
    if copy is not None:
        sound = _sound(address, copy.digest, memo, shelf, moment)
        if sound is not None and not refresh:
            return sound
        if sound is None:
            copy = None
    copy = fetch(address, copy, shelf)
    memo.put("source-web", key, "\n".join(copy).encode())
    seen = local(address, copy.digest, shelf)
    return seen, Digest(copy.digest, seen.found.size, lasting=False)


def known(address: Address, memo: Memo) -> str:
    """The digest of what an address gave when it was last asked; "" where it was not."""
    copy = _remembered(memo.get("source-web", key_for(without_user(address.uri)[0])))
    return "" if copy is None else copy.digest


def fetch(address: Address, known: Copy | None, shelf: Shelf) -> Copy:
    """Fetch an address into the store; what is `known` of it is not fetched again if it is still the same."""
    from time import sleep

    for pause in (*PAUSES, None):
        try:
            return _fetch(address, known, shelf)
        except _Passing as passing:
            if pause is None:
                raise passing.error from None
            sleep(pause)
    raise AssertionError("unreachable")


class _Passing(Exception):
    """A failure that may be over in a moment; `error` is what to say if it is not."""

    def __init__(self, error: Offline | SourceRefused) -> None:
        super().__init__(error.what)
        self.error = error


def _remembered(value: bytes | None) -> Copy | None:
    if value is None:
        return None
    parts = value.decode("utf-8", "replace").split("\n")
    return Copy(*parts) if len(parts) == len(Copy._fields) and len(parts[0]) == 67 else None


def _sound(
    address: Address, digest: str, memo: Memo, shelf: Shelf, moment: int
) -> tuple[Seen, Digest] | None:
    """The copy in the store, if it is there and its bytes are still those of its digest."""
    try:
        seen = local(address, digest, shelf)
    except FileNotFoundError:
        return None
    with suppress(EmptySource):
        now = digest_of(seen, memo, moment)
        if now.digest == digest:
            return seen, now
    return None


def _fetch(address: Address, known: Copy | None, shelf: Shelf) -> Copy:
    with _response(address, known) as response:
        if response is None and known is not None:
            return known
        assert response is not None
        return _take(address, response, shelf)


@contextmanager
def _response(address: Address, known: Copy | None) -> Iterator[HTTPResponse | None]:
    """The answer with the data, or None where the server says that what is known is still right."""
    text = shown(address.uri)
    url, user = without_user(address.uri)
    headers = _headers(address, known)
    for _ in range(REDIRECTS + 1):
        response = _ask(text, url, headers, user, known)
        with response:
            status = response.status
            if status == 304 and known is not None:
                yield None
                return
            if status == 200:
                yield response
                return
            if status not in _REDIRECTING or not response.headers.get("Location"):
                raise _refusal(text, status, response.reason)
            url = _redirected(text, url, response.headers["Location"])
            user = None
    raise SourceRefused(
        f"`{text}` redirects more than {REDIRECTS} times",
        why="most likely it leads back to itself",
        fixes=["check the address in a browser"],
    )


def _redirected(text: str, url: str, location: str) -> str:
    """Where a redirect leads, if it may lead there."""
    from urllib.parse import urljoin

    try:
        url, (old, new) = without_user(urljoin(url, location))[0], (url, urljoin(url, location))
    except ValueError:
        raise SourceRefused(f"`{text}` redirects to an address that makes no sense") from None
    was, now = old.partition(":")[0].lower(), new.partition(":")[0].lower()
    if now not in ("http", "https") or (was == "https" and now == "http"):
        raise SourceRefused(
            f"`{text}` redirects from `{was}:` to `{printable(now)}:`",
            why="a redirect must not leave the web, nor lead from https to http",
            fixes=["write the address that it leads to, if you trust it"],
        )
    return url


def _ask(text: str, url: str, headers: dict[str, str], user: str | None, known: Copy | None) -> HTTPResponse:
    """The answer of one server, whatever its status. Raises if there is none."""
    from urllib.request import Request

    request = Request(url, headers=headers)
    if user is not None:
        from base64 import b64encode

        request.add_unredirected_header("Authorization", "Basic " + b64encode(user.encode()).decode())
    try:
        return ask(request, TIMEOUT)
    except NoAnswer as none:
        if none.kind == "certificate":
            raise SourceRefused(
                f"the certificate of `{text}` is not trusted",
                why=printable(str(none)),
                fixes=["SSL_CERT_FILE=your-authority.pem stepwell …, if a company's proxy stands between"],
            ) from None
        error = _offline(text, none.cause, known)
        raise (_Passing(error) if none.kind == "broken" else error) from None


def _headers(address: Address, known: Copy | None) -> dict[str, str]:
    headers = {"User-Agent": f"stepwell/{VERSION}", "Accept": "*/*", "Accept-Encoding": "identity"}
    if known is not None and known.etag:
        headers["If-None-Match"] = known.etag
    elif known is not None and known.modified:
        headers["If-Modified-Since"] = known.modified
    return headers


def _refusal(text: str, status: int, reason: str) -> SourceRefused | _Passing:
    error = SourceRefused(
        f"`{text}` answered {status} {printable(reason)}".rstrip(),
        why="the server has no data for us there",
        fixes=[_HINTS[status]] if status in _HINTS else ["try again later"] if status in _PASSING else [],
    )
    return _Passing(error) if status in _PASSING else error


def _offline(text: str, cause: object, known: Copy | None, got: str = "") -> Offline:
    why = got or printable(getattr(cause, "strerror", None) or str(cause) or type(cause).__name__)
    if known is not None:
        return Offline(
            f"`{text}` could not be reached to refresh it",
            why=f"{why}; the copy in the store was left as it is",
            fixes=["the same without --refresh uses the copy", "try again later"],
        )
    return Offline(
        f"`{text}` could not be {'read to its end' if got else 'reached'}",
        why=f"{why}; no copy of it is in the store",
        fixes=["check the network and the address", "try again later"],
    )


# --------------------------------------------------------------------------- into the store


def _take(address: Address, response: HTTPResponse, shelf: Shelf) -> Copy:
    """Make an answer a blob, hashed on the way."""
    digest, _ = receive(_something(address, _body(address, response)), shelf)
    etag, modified = (response.headers.get(name) or "" for name in ("ETag", "Last-Modified"))
    return Copy(digest, _header(etag), _header(modified))


def _something(address: Address, blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The bytes of an answer. Raises `EmptySource` where there were none."""
    size = 0
    for data in blocks:
        size += len(data)
        yield data
    if not size:
        raise EmptySource(f"`{shown(address.uri)}` answered with nothing", fixes=["check the address"])


def _header(value: str) -> str:
    """A header that may be sent back, or nothing."""
    return value if value.isascii() and value.isprintable() else ""


def _body(address: Address, response: HTTPResponse) -> Iterator[bytes]:
    """The bytes of an answer, decoded if the server packed them for the journey, and surely all of them."""
    from http.client import HTTPException
    from zlib import decompressobj
    from zlib import error as zlib_error

    text = shown(address.uri)
    packed = (response.headers.get("Content-Encoding") or "").strip().lower() in ("gzip", "x-gzip", "deflate")
    unpack = decompressobj(47) if packed and not address.path.lower().endswith((".gz", ".tgz")) else None
    length = response.headers.get("Content-Length") or ""
    expected = int(length) if length.isdecimal() and not response.chunked else None
    got = 0
    try:
        while data := response.read(_CHUNK):
            got += len(data)
            yield unpack.decompress(data) if unpack else data
        whole = expected is None or got == expected
        if unpack is not None and whole:
            yield unpack.flush()
            whole = unpack.eof or not got
    except (OSError, HTTPException, zlib_error) as error:
        if isinstance(error, zlib_error):
            raise SourceRefused(f"`{text}` sent data that cannot be unpacked", why=str(error)) from None
        whole = False
    if not whole:
        of = f" of {expected:,}" if expected is not None else ""
        raise _Passing(_offline(text, None, None, f"the connection broke after {got:,}{of} bytes"))
