"""The store of one folder, opened: the parts of this package wired together. How to use it: `stepwell.stores`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stepwell.errors import StoreDamaged
from stepwell.stores.accepted import Accepted
from stepwell.stores.blobs import Blobs
from stepwell.stores.database import Database, connect
from stepwell.stores.history import Runs
from stepwell.stores.leases import Leases
from stepwell.stores.memo import Memo
from stepwell.stores.results import Results

if TYPE_CHECKING:
    from stepwell.kernel.plan import Plan
    from stepwell.stores.group import GroupRecord
    from stepwell.stores.record import Facts, Record


class LocalStore:
    """An open store. Closes with the `with` block, dropping what was not committed."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.folder = folder
        self.database = database
        self.blobs = Blobs(folder, readonly=database.readonly)
        self.leases = Leases(database)
        self.results = Results(database, self.blobs, self.leases)
        self.memo = Memo(database)
        self.runs = Runs(database, self.results)
        self.accepted = Accepted(database)
        database.writers += [self.results, self.leases, self.memo]

    @property
    def readonly(self) -> bool:
        """Whether nothing can be kept here: opened so, or there is no store yet and none was to be made."""
        return self.database.readonly

    @property
    def notes(self) -> Sequence[str]:
        """Things that a person should be told once."""
        return self.database.notes

    def prefetch(self, pipeline: str) -> None:
        """Load what the last run of a pipeline used, so that deciding the same again asks nothing more."""
        self.results.prefetch(self.runs.last_numbers(pipeline))

    def begin(
        self,
        plan: Plan | Facts,
        *,
        started: float = 0.0,
        commit: str = "",
        dirty: bool = False,
        argv: Sequence[str] = (),
    ) -> Record:
        """Begin the record of a run: its id is `record.run`. Times in seconds since 1970. Raises `StoreReadOnly`."""
        from stepwell.stores.record import Facts, Record, facts_of

        facts = (
            plan
            if isinstance(plan, Facts)
            else facts_of(plan, started=started, commit=commit, dirty=dirty, argv=argv)
        )
        return Record.begin(self.database, self.results, self.leases, facts)

    def begin_group(self, facts: Sequence[Facts], group: int = 0) -> GroupRecord:
        """Begin the records of runs that are driven as one, in a group of this number (0: a new one). Raises `StoreReadOnly`."""
        from stepwell.stores.group import GroupRecord

        return GroupRecord.begin(self.database, self.results, self.leases, facts, group)

    def commit(self, *, now: bool = False) -> None:
        """Write what is buffered if it is time, or `now`."""
        self.results.commit(now=now)

    def close(self) -> None:
        """Close the database; what is still buffered is dropped."""
        self.database.close()

    def __enter__(self) -> LocalStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_store(folder: Path, *, create: bool = True, readonly: bool | None = False) -> LocalStore:
    """Open the store at `folder` (`<root>/.stepwell` or STEPWELL_STORE: the caller decides).

    With `create=False` or `readonly=True` a store that does not exist is an empty one in memory, so
    that listing its runs just gives none. `readonly=None`: read-only where it cannot be written, as
    planning wants it. Raises `StoreTooNew`, `StoreDamaged`, `StoreReadOnly`, `StoreOnNetwork`, `StoreBusy`,
    `DiskFull`.
    """
    if folder.exists() and not folder.is_dir():
        raise StoreDamaged(f"the store at `{folder}` is not a folder", fixes=[f"mv {folder} {folder}.other"])
    return LocalStore(folder, connect(folder, create=create, readonly=readonly))
