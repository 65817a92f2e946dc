"""The records of several runs that are driven as one: the points of a sweep, which share the number of a group.

    group = GroupRecord.begin(database, results, leases, [facts, ...])      group.name is "g3", group.runs "r17", ...
    group.add(0, event)                                                     what happened in the first run
    group.settle(0, RunFinished("succeeded", 2.5))                          how it came out, so far
    group.end()                                                             the rest is interrupted

They have one driver row, and are written in the same transactions as the results. A run that has come out stays
so if the process dies; the others are then shown as interrupted.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from stepwell.kernel.events import Event, RunFinished
from stepwell.stores.database import Database
from stepwell.stores.filesystem import read_only
from stepwell.stores.index import settle
from stepwell.stores.leases import Leases
from stepwell.stores.record import Facts, Record, insert_run, take_number
from stepwell.stores.results import Results
from stepwell.stores.rows import encode


class GroupRecord:
    """The records of the runs of a group while they last; a `database.Writer`."""

    def __init__(self, database: Database, leases: Leases, number: int, records: Sequence[Record]) -> None:
        self.number = number
        self.name = f"g{number}"
        self.runs = [record.run for record in records]
        self._database, self._leases = database, leases
        self._records = records
        self._settled: set[int] = set()
        self._touched: set[int] = set()
        self._ended = False
        self._seconds: float | None = None

    @staticmethod
    def begin(
        database: Database, results: Results, leases: Leases, facts: Sequence[Facts], group: int = 0
    ) -> GroupRecord:
        """Give each run its id and write its beginning, in the group of this number (0: a new one). Raises `StoreReadOnly`."""
        if database.readonly:
            raise read_only(str(database.folder))
        shapes = [encode([list(node) for node in one.nodes]) for one in facts]

        def write(connection: sqlite3.Connection) -> tuple[int, int]:
            number = group or take_number(connection, "group")
            first = take_number(connection, "run", len(facts))
            leases.enter(connection, first)
            results.begin(connection)
            for place, (one, shape) in enumerate(zip(facts, shapes, strict=True)):
                insert_run(connection, first + place, one, shape, leases.driver, number)
            return number, first

        number, first = database.write(write, durable=False)
        records = [Record(database, results, leases, one, first + place) for place, one in enumerate(facts)]
        made = GroupRecord(database, leases, number, records)
        if leases.unclean:
            database.look_after_power_loss()
        database.writers.append(made)
        return made

    def add(self, place: int, event: Event) -> None:
        """Take in an event of the run at a place; no `RunFinished`, for which there is `settle`."""
        self._touched.add(place)
        self._records[place].add(event)

    def changed(self, diff: str) -> None:
        """Note of each run what the tree had beyond its commit."""
        for place, record in enumerate(self._records):
            self._touched.add(place)
            record.changed(diff)

    def settle(self, place: int, event: RunFinished) -> None:
        """Note how a run came out. Where more happens in it after that, it is to be settled again."""
        self._settled.add(place)
        self._touched.add(place)
        self._records[place].settle(event)

    def end(self, seconds: float | None = None) -> None:
        """Write everything, end the records, and give up all leases; runs that were not settled were interrupted.

        `seconds` are those that all of it took, None where nobody counted them.
        """
        if self._ended:
            return
        for place in range(len(self._records)):
            if place not in self._settled:
                self.settle(place, RunFinished("interrupted", seconds or 0.0))
        self._seconds = seconds
        self._database.write(self._leave, durable=False)
        self._leases.left()
        self._ended = True
        self._database.writers.remove(self)

    def _leave(self, connection: sqlite3.Connection) -> None:
        settle(connection)
        connection.executemany(
            "UPDATE runs SET lasted = ? WHERE id = ?", [(self._seconds, int(run[1:])) for run in self.runs]
        )
        self._leases.leave(connection)

    def write(self, connection: sqlite3.Connection) -> None:
        """Write what is buffered; after `Results.write`."""
        for place in sorted(self._touched):
            self._records[place].write(connection)

    def written(self) -> None:
        """Forget what is in the database now."""
        for place in self._touched:
            self._records[place].written()
        self._touched.clear()
