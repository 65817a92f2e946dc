"""Objects of a bucket that speaks the S3 API: the one door to them, for data, for blobs by digest and for indexes.

    bucket = Bucket("s3://acme-artifacts/index")          # names are below "index/"
    found = bucket.read("production.log")                   # `Object`: its blocks, size and token
    bucket.put("pool/churn.whl", data)                      # whatever was there
    bucket.put_if("production.log", data, found.token)      # only over that very version; None: only where nothing is
    for one in bucket.list("pool/"): one.name, one.size, one.token
    bucket.delete("pool/churn.whl")

Credentials come from where AWS tools have them (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, roles), never from an
address; `AWS_ENDPOINT_URL` names a server other than Amazon's, `AWS_REGION` the region. Several threads may use
one bucket. The library (obstore) is imported when a bucket is first asked.

Conditional writes are what keeps two writers apart, and some servers ignore the condition without a word. So before
the first one a bucket is asked to create the same small object twice, and refused where that works.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from stepwell.errors import BucketRefused, MissingExtra, NotThere, ObjectChanged
from stepwell.sources.address import is_glob, parse, printable, shown

BLOCK = 1 << 20
"""Bytes of a block, at least, while an object is read."""

PART = 8 << 20
"""Bytes of a part of a large object while it is written."""

ATTEMPTS = 3

PROBE = ".stepwell-probe"


class Entry(NamedTuple):
    """An object as a listing tells of it: its name below the bucket's prefix, bytes, and token (ETag, version)."""

    name: str
    size: int
    token: str


class Object(NamedTuple):
    """An object that is read: its bytes, block by block, its size and the token of this version of it.

    `etag` and `version` are the server's own; a version only where the bucket keeps them.
    """

    blocks: Iterator[bytes]
    size: int
    token: str
    etag: str = ""
    version: str = ""

    def whole(self) -> bytes:
        """All of it."""
        return b"".join(self.blocks)


class Bucket:
    """A bucket, or what lies below a prefix of it. `address` is `s3://BUCKET` or `s3://BUCKET/PREFIX`.

    Making one asks nobody. Raises `BadSource` for what is no address of a bucket. All other methods raise
    `BucketRefused` where the server cannot be reached or refuses, and `MissingExtra` without obstore.
    """

    def __init__(self, address: str) -> None:
        scheme, _, rest = address.partition("://")
        name, _, prefix = rest.partition("/")
        parse(f"{scheme}://{name}/any")
        self.address = shown(address).rstrip("/")
        self._name, self._prefix = name, f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def read(self, name: str, *, version: str = "") -> Object:
        """An object, or a `version` of it. Raises `NotThere`; a broken connection ends `blocks` with `BucketRefused`."""
        obstore = library()

        options: Any = {"version": version} if version else None
        with self._told(name):
            found = obstore.get(self._store, self._key(name), options=options)
            etag, kept = _plain(found.meta.get("e_tag")), _plain(found.meta.get("version"))
            size = int(found.meta["size"])
            return Object(self._blocks(name, found, size), size, _token(etag, kept), etag, kept)

    def _blocks(self, name: str, found: Any, size: int) -> Iterator[bytes]:
        got = 0
        with self._told(name):
            for block in found.stream(min_chunk_size=BLOCK):
                data = bytes(block)
                got += len(data)
                yield data
        if got != size:
            raise self._refused(name, f"the connection broke after {got:,} of {size:,} bytes")

    def put(self, name: str, data: bytes | Path) -> str:
        """Write an object, whatever was there: bytes, or the content of a file. Gives its token."""
        obstore = library()

        with self._told(name):
            made: Any = obstore.put(self._store, self._key(name), data, chunk_size=PART)
        return _token(_plain(made["e_tag"]), _plain(made["version"]))

    def put_if(self, name: str, data: bytes, token: str | None) -> str:
        """Write an object only if it is the version of `token` still; with None only if there is none. Gives the new token.

        Raises `ObjectChanged` where it is not, and `BucketRefused` for a server that does not keep to conditions.
        """
        obstore = library()
        from obstore import exceptions

        _ = self._keeps_conditions
        etag, _, version = (token or "").partition("\n")
        update: Any = {"e_tag": etag, **({"version": version} if version else {})}
        try:
            with self._told(name):
                made: Any = obstore.put(
                    self._store,
                    self._key(name),
                    data,
                    mode="create" if token is None else update,
                    use_multipart=False,
                    attributes={"Content-Type": _kind(name)},
                )
        except (exceptions.AlreadyExistsError, exceptions.PreconditionError, NotThere):
            raise ObjectChanged(
                f"`{self.address}/{printable(name)}` was written by somebody else just now",
                why="it is not the version any more that this was decided on",
                fixes=["the same again, after a look at what is there now"],
            ) from None
        return _token(_plain(made["e_tag"]), _plain(made["version"]))

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """All objects whose name begins with `prefix` (a whole folder: it ends with `/`, or is ""), by name."""
        obstore = library()

        found: list[Entry] = []
        folder = prefix.rpartition("/")[0]
        with self._told(prefix):
            for batch in obstore.list(self._store, prefix=self._key(folder) or None):
                for one in batch:
                    name = str(one["path"])[len(self._prefix) :]
                    if name.startswith(prefix) and not name.endswith("/"):
                        token = _token(_plain(one["e_tag"]), _plain(one["version"]))
                        found.append(Entry(name, int(one["size"]), token))
        yield from sorted(found)

    def delete(self, name: str) -> None:
        """Remove an object; one that is not there is no mistake."""
        obstore = library()

        with suppress(NotThere), self._told(name):
            obstore.delete(self._store, self._key(name))

    def _key(self, name: str) -> str:
        return f"{self._prefix}{name}".rstrip("/")

    @cached_property
    def _store(self) -> Any:
        from obstore.store import S3Store

        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
        more: dict[str, Any] = {"endpoint": endpoint} if endpoint else {}
        if "AWS_REGION" not in os.environ and "AWS_DEFAULT_REGION" not in os.environ:
            more["region"] = "us-east-1"
        return S3Store(
            self._name,
            client_options={
                "allow_http": endpoint.startswith("http://"),
                "timeout": "30m",
                "connect_timeout": "10s",
            },
            retry_config={"max_retries": ATTEMPTS - 1},
            **more,
        )

    @cached_property
    def _keeps_conditions(self) -> bool:
        """True; raises `BucketRefused` for a server that creates what is there already."""
        import obstore
        from obstore import exceptions

        name = f"{PROBE}-{os.urandom(6).hex()}"
        try:
            with self._told(name):
                for _ in range(2):
                    obstore.put(self._store, self._key(name), b"", mode="create", use_multipart=False)
        except exceptions.AlreadyExistsError:
            return True
        finally:
            self.delete(name)
        raise BucketRefused(
            f"the server of `{self.address}` does not keep to conditional writes",
            why="it created an object twice, so that two people who write at once would not notice each other",
            fixes=["a server that knows `If-None-Match` and `If-Match` when writing, as Amazon S3 does"],
        )

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        """What the library raises, as errors of ours; conditions that do not hold are left to whoever made them."""
        from obstore import exceptions

        try:
            yield
        except FileNotFoundError:
            raise NotThere(
                f"`{self.address}/{printable(name)}` is not there", fixes=["check the bucket and the name"]
            ) from None
        except (exceptions.AlreadyExistsError, exceptions.PreconditionError):
            raise
        except (exceptions.BaseError, OSError, ValueError) as error:
            raise self._refused(name, _said(str(error))) from None

    def _refused(self, name: str, why: str) -> BucketRefused:
        at = f"{self.address}/{printable(name)}" if name and not name.startswith(PROBE) else self.address
        return BucketRefused(
            f"`{at}` cannot be had: {why}",
            fixes=[
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a role, give access",
                "AWS_ENDPOINT_URL=https://… names a server other than Amazon's",
            ],
        )


def library() -> Any:
    """The module obstore. Raises `MissingExtra` where it is not installed."""
    try:
        import obstore
    except ImportError:
        raise MissingExtra(
            "buckets are read with obstore, which is not installed", fixes=["pip install obstore"]
        ) from None
    return obstore


def pattern(path: str) -> re.Pattern[str]:
    """What the keys match that a bucket's path means: a key, a pattern (`*` within a folder, `**` across), a folder."""
    if not is_glob(path):
        return re.compile(re.escape(path) + (".*" if path.endswith("/") else ""), re.DOTALL)
    from fnmatch import translate

    parts = []
    for part in path.split("/"):
        if part == "**":
            parts.append("(?:[^/]+/)*")
        else:
            inner = translate(part).removeprefix("(?s:").removesuffix(r")\Z").removesuffix(r")\z")
            parts.append(inner.replace(".*", "[^/]*") + "/")
    return re.compile("".join(parts).removesuffix("/"), re.DOTALL)


def _kind(name: str) -> str:
    """What a server is to say that an object is: installers and browsers read pages only as such."""
    ends = {"html": "text/html; charset=utf-8", "json": "application/json"}
    return ends.get(name.rpartition(".")[2], "application/octet-stream")


def _token(etag: str, version: str) -> str:
    return f"{etag}\n{version}" if version else etag


def _plain(value: object) -> str:
    """An ETag or version as one text, whether or not the server puts quotes around it; "null" is none."""
    text = "" if value is None else str(value)
    return "" if text == "null" else text


def _said(text: str) -> str:
    """What a server said, in one line without the library's own notes."""
    code = re.search(r"<Code>([^<]+)</Code>(?:\s*<Message>([^<]+)</Message>)?", text)
    if code is not None:
        return printable(f"{code[1]}{f': {code[2]}' if code[2] else ''}")
    return printable(" ".join(text.partition("Debug source:")[0].split())[:300])
