"""Asking web servers: the one door through which files are fetched and hooks are told.

    response = ask(Request(url), 30.0)                            as the environment says, proxies included
    response = ask(Request(url, data), 10.0, guarded(allowed))    only to addresses of the public internet

Certificates are verified. Redirects are never followed here: whoever asks sees the status, and says
whether to ask where it leads. A `guarded` connection is made to the very address that was
checked, so that a name cannot mean something else a moment later, and goes through no proxy.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from http.client import HTTPResponse
    from socket import socket
    from urllib.request import OpenerDirector, Request

Connect = Callable[[str, int, float], "socket"]
"""Opens a connection to a host's port within some seconds. Raises `OSError`."""


class NoAnswer(Exception):
    """A server could not be asked, or did not answer.

    `kind`: "certificate" (it is not trusted), "refused" (its address is not one to connect to),
    "broken" (the connection broke; that may be over in a moment), "unreachable", or "proxy".
    `cause` is the exception behind it, or a text.
    """

    def __init__(
        self, kind: Literal["certificate", "refused", "broken", "unreachable", "proxy"], cause: object
    ) -> None:
        super().__init__(str(cause))
        self.kind = kind
        self.cause = cause


class NotPublic(OSError):
    """A name led to an address that is not of the public internet."""


def ask(request: Request, timeout: float, connect: Connect | None = None) -> HTTPResponse:
    """The answer of one server, whatever its status; `timeout` in seconds without a byte. Raises `NoAnswer`.

    Without `connect` the environment's proxies are used.
    """
    from http.client import HTTPException
    from ssl import SSLCertVerificationError
    from urllib.error import URLError

    opener = _opener(connect)
    try:
        response: Any = opener.open(request, timeout=timeout)
    except URLError as error:
        cause = error.reason
        if isinstance(cause, SSLCertVerificationError):
            raise NoAnswer("certificate", cause.verify_message or cause) from None
        raise NoAnswer("refused" if isinstance(cause, NotPublic) else "unreachable", cause) from None
    except (OSError, HTTPException) as error:
        raise NoAnswer("broken", error) from None
    if response is None:
        raise NoAnswer("proxy", "the proxy that the environment names speaks neither http nor https")
    return response


def _opener(connect: Connect | None) -> OpenerDirector:
    """What asks: it knows http and https, and nothing of redirects, cookies or stored passwords."""
    from urllib.request import HTTPHandler, HTTPSHandler, OpenerDirector, ProxyHandler

    opener = OpenerDirector()
    handlers = (ProxyHandler(), HTTPHandler(), HTTPSHandler()) if connect is None else _handlers(connect)
    for handler in handlers:
        opener.add_handler(handler)
    return opener


def _handlers(connect: Connect) -> tuple[Any, ...]:
    """Handlers of http and https whose connections `connect` opens; names stay those of the request."""
    from http.client import HTTPConnection, HTTPSConnection
    from ssl import create_default_context
    from urllib.request import HTTPHandler, HTTPSHandler

    context = create_default_context()

    class Plain(HTTPConnection):
        def connect(self) -> None:
            self.sock = connect(self.host, self.port, self.timeout or 0)

    class Secure(HTTPSConnection):
        def connect(self) -> None:
            bare = connect(self.host, self.port, self.timeout or 0)
            try:
                self.sock = context.wrap_socket(bare, server_hostname=self.host)
            except BaseException:
                bare.close()
                raise

    class OverHttp(HTTPHandler):
        def http_open(self, req: Request) -> Any:
            return self.do_open(Plain, req)

    class OverHttps(HTTPSHandler):
        def https_open(self, req: Request) -> Any:
            return self.do_open(Secure, req)

    return OverHttp(), OverHttps()


# --------------------------------------------------------------------------- which addresses are connected to


class Host(NamedTuple):
    """A host and port that somebody allowed by name, whatever address it has; port 0: any."""

    name: str
    port: int = 0


def allows(allowed: Collection[Host], host: str, port: int) -> bool:
    """Whether a host's port was allowed by name."""
    name = host.lower().rstrip(".")
    return Host(name, port) in allowed or Host(name) in allowed


def guarded(allowed: Collection[Host] = ()) -> Connect:
    """Opens connections to public addresses, and to what is allowed by name.

    A name is looked up once; if one of its addresses is not public none of them is used, since
    which one answers would be chance. Raises `NotPublic`, and `OSError` where nobody answers.
    """

    def connect(host: str, port: int, timeout: float) -> socket:
        from socket import SOCK_STREAM, getaddrinfo

        found = getaddrinfo(host, port, type=SOCK_STREAM)
        if not allows(allowed, host, port):
            for *_, address in found:
                if not is_public(str(address[0])):
                    raise NotPublic(
                        f"`{host}` is {address[0]}, which is not an address of the public internet"
                    )
        return _first_that_answers(found, timeout)

    return connect


def _first_that_answers(found: Collection[Any], timeout: float) -> socket:
    """A connection to the first of these addresses (as `getaddrinfo` gives them) that accepts one."""
    from socket import socket

    last: OSError = OSError("it has no address")
    for family, kind, protocol, _, address in found:
        made = socket(family, kind, protocol)
        try:
            made.settimeout(timeout or None)
            made.connect(address)
        except OSError as error:
            made.close()
            last = error
        else:
            return made
    raise last


def is_public(text: str) -> bool:
    """Whether an IP address belongs to the public internet and to nobody's inside.

    Addresses that carry another one (IPv4 in IPv6, translated or tunnelled) do not count as public:
    what is behind them is decided elsewhere.
    """
    from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

    try:
        address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        carrying = ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48")
        carrying += ("2001::/23", "2002::/16", "2001:db8::/32", "fec0::/10", "100::/64")
        if address.scope_id or any(address in IPv6Network(net) for net in carrying):
            return False
    elif any(
        address in IPv4Network(net)
        for net in ("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24")
    ):
        return False
    inside = address.is_private or address.is_loopback or address.is_link_local or address.is_reserved
    return address.is_global and not (inside or address.is_multicast or address.is_unspecified)
