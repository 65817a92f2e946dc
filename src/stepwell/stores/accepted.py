"""Edits of which somebody said that they do not change results: kept with who and when, never removed.

The row that was added last for a step and its code counts. Taking a word back adds a row too, whose
`before` is the code itself.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping

from stepwell.named import NamedTuple
from stepwell.stores.database import Database

_ADD = "INSERT INTO accepted (step, before, after, who, time, why) VALUES (?, ?, ?, ?, ?, ?)"

_DISOWN = (
    "UPDATE results SET key = 'disowned ' || seq, site = 'disowned ' || seq"
    " WHERE made >= ? AND identity IN (SELECT id FROM identities WHERE step = ? AND code = ?)"
)


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
        """Record a word. Raises `StoreReadOnly`."""
        made = Acceptance(step, before, after, who, time.time(), why)

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(_ADD, made)

        self._database.write(write)
        return made

    def take_back(self, word: Acceptance, who: str) -> Acceptance:
        """Record that a word is taken back. Raises `StoreReadOnly`.

        What was made since it was given may have been made by the edited code, under the key of the code that
        this counted as: these results stay in the records of their runs, and no plan finds them any more.
        """
        made = Acceptance(word.step, word.after, word.after, who, time.time())

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(_ADD, made)
            connection.execute(_DISOWN, (word.time, word.step, word.before))
            connection.execute("UPDATE counters SET value = value + 1 WHERE name = 'gc'")  # see `results`

        self._database.write(write)
        return made
