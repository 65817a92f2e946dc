"""Edits of which somebody said that they do not change results: kept with who and when, never removed.

The row that was added last for a step and its code counts. Taking a word back adds a row too, whose
`before` is the code itself.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping
from typing import NamedTuple

from stepwell.stores.database import Database


class Acceptance(NamedTuple):
    """Somebody's word that a step's code `after` gives what `before` gave. `time` in seconds since 1970.

    Codes are digests (`kernel.plan.Identity.code`). `before` equal to `after` takes the word back.
    """

    step: str
    before: str
    after: str
    who: str
    time: float
    why: str = ""


class Accepted:
    """The accepted edits of a store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Acceptance]:
        """Every word that was given or taken back, the oldest first."""
        sql = "SELECT step, before, after, who, time, why FROM accepted ORDER BY id"
        return [Acceptance(*row) for row in self._database.rows(sql)]

    def in_force(self) -> Mapping[tuple[str, str], Acceptance]:
        """What counts now, by step and the code `after`."""
        newest = {(one.step, one.after): one for one in self.all()}
        return {place: one for place, one in newest.items() if one.before != one.after}

    def add(self, step: str, before: str, after: str, who: str, why: str = "") -> Acceptance:
        """Record a word, or with `before` equal to `after` that it is taken back. Raises `StoreReadOnly`."""
        made = Acceptance(step, before, after, who, time.time(), why)

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO accepted (step, before, after, who, time, why) VALUES (?, ?, ?, ?, ?, ?)", made
            )

        self._database.write(write)
        return made
