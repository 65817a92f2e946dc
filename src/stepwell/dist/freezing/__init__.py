"""What moves, made to stay: databases, buckets, web addresses and files that grow become blobs of the store.

    moving = moving_of(wanted)               # by the kind of its address
    frozen = moving.materialise(shelf)       # `Frozen`: the digest of what it gave, and where it was then

A kind of data that moves is one module with a class like `Moving` and a row of `KINDS`; nothing else knows of it. A
stream would be one whose `materialise` reads a range of every partition and whose position is these ranges: the
position is provenance, the digest of what was materialised is what the data is.

    files.py      files, globs and folders, also the part of those that grow
    web.py        http and https
    buckets.py    objects of an S3 bucket
    queries.py    what a query gives: SQLite, DuckDB, PostgreSQL
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

from stepwell.errors import CannotFreeze
from stepwell.sources.address import parse, shown
from stepwell.sources.kept import Shelf

KINDS = {
    "path": "stepwell.dist.freezing.files:Files",
    "package": "stepwell.dist.freezing.files:Files",
    "web": "stepwell.dist.freezing.web:Web",
    "bucket": "stepwell.dist.freezing.buckets:Objects",
    "database": "stepwell.dist.freezing.queries:Query",
}
"""By kind of address what freezes it, "module:class"; the class is made with a `Wanted`."""


class Wanted(NamedTuple):
    """What is to be frozen: the manifest's words of it (`author.manifest.Data`), and the project's root.

    `key` are the columns that tell rows apart; `by`, `start` and `until` the column that says when, and the span;
    `options` those of the reader.
    """

    name: str
    uri: str
    root: Path
    query: str = ""
    key: tuple[str, ...] = ()
    by: str = ""
    start: str = ""
    until: str = ""
    options: Mapping[str, Any] = {}

    @property
    def span(self) -> dict[str, str]:
        """What was said of the part that is meant, as a position says it."""
        said = {"by": self.by, "from": self.start, "until": self.until}
        return {name: text for name, text in said.items() if text}


class Frozen(NamedTuple):
    """What was frozen: the `b3:` digest of the whole and its bytes; of a folder the digest of each file; the position."""

    digest: str
    size: int
    position: Mapping[str, str]
    files: Mapping[str, str] = {}


class Moving(Protocol):
    """Data that moves."""

    def materialise(self, shelf: Shelf) -> Frozen:
        """Read it once, keep what it gave as blobs. Raises `StepwellError`; nothing of a failure counts as frozen."""
        ...


def moving_of(wanted: Wanted) -> Moving:
    """What freezes an address. Raises `BadSource`, and `CannotFreeze` for what does not fit its kind."""
    kind = parse(wanted.uri).kind
    if wanted.query and kind != "database":
        raise CannotFreeze(
            f"data `{wanted.name}` has a `query`, and `{shown(wanted.uri)}` is no database",
            fixes=['source = "sqlite:///crm.db", "postgresql://host/crm" or "duckdb:///x.duckdb"'],
        )
    module, _, name = KINDS[kind].partition(":")
    return cast("Moving", getattr(import_module(module), name)(wanted))


def moment_of(text: str) -> datetime:
    """A date, or a date with a time, in UTC where it says no zone. Raises `ValueError`."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def refuse_span(wanted: Wanted, why: str) -> None:
    """Raises `CannotFreeze` where only a part is meant of what has none."""
    if wanted.span:
        raise CannotFreeze(
            f"data `{wanted.name}` has `freeze`, and no part of `{shown(wanted.uri)}` can be told",
            why=why,
            fixes=[f"remove [data.{wanted.name}.freeze]"],
        )
