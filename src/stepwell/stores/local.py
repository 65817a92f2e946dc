"""The store of one folder, opened: the parts of this package wired together. How to use it: `stepwell.stores`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from os import PathLike, fspath
from os.path import exists, isdir

from stepwell.errors import StoreDamaged
from stepwell.stores.database import Database, connect
from stepwell.stores.history import Runs

TYPE_CHECKING = False  # as type checkers know it: lists of runs do without `typing` and `pathlib`
if TYPE_CHECKING:
    from pathlib import Path

    from stepwell.kernel.plan import Plan
    from stepwell.stores.accepted import Accepted
    from stepwell.stores.blobs import Blobs
    from stepwell.stores.group import GroupRecord
    from stepwell.stores.leases import Leases
    from stepwell.stores.memo import Memo
    from stepwell.stores.record import Facts, Record
    from stepwell.stores.results import Results


class LocalStore:
    """An open store. Closes with the `with` block, dropping what was not committed.

    Its parts are loaded when they are used: a list of runs needs none of what results are made of.
    """

    def __init__(self, folder: str | PathLike[str], database: Database) -> None:
        self._folder = fspath(folder)
        self.database = database
        self.runs = Runs(database, lambda: self.results)

    @cached_property
    def folder(self) -> Path:
        """Where it is."""
        from pathlib import Path

        return Path(self._folder)

    @cached_property
    def blobs(self) -> Blobs:
        """The bytes of artifacts."""
        from stepwell.stores.blobs import Blobs

        return Blobs(self.folder, readonly=self.database.readonly)

    @cached_property
    def leases(self) -> Leases:
        """Who computes what just now."""
        from stepwell.stores.leases import Leases

        leases = Leases(self.database)
        self.database.writers.append(leases)
        return leases

    @cached_property
    def results(self) -> Results:
        """What steps gave."""
        from stepwell.stores.results import Results

        results = Results(self.database, self.blobs, self.leases)
        self.database.writers.insert(0, results)  # a record asks for the numbers that it gives
        return results

    @cached_property
    def memo(self) -> Memo:
        """Small caches."""
        from stepwell.stores.memo import Memo

        memo = Memo(self.database)
        self.database.writers.append(memo)
        return memo

    @cached_property
    def accepted(self) -> Accepted:
        """Edits that somebody accepted."""
        from stepwell.stores.accepted import Accepted

        return Accepted(self.database)

    @property
    def readonly(self) -> bool:
        """Whether nothing can be kept here: opened so, or there is no store yet and none was to be made."""
        return self.database.readonly

    @property
    def full(self) -> bool:
        """Whether it is read-only because there is no room left."""
        return self.database.full

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


def open_store(
    folder: str | PathLike[str], *, create: bool = True, readonly: bool | None = False
) -> LocalStore:
    """Open the store at `folder` (`<root>/.stepwell` or STEPWELL_STORE: the caller decides).

    With `create=False` or `readonly=True` a store that does not exist is an empty one in memory, so
    that listing its runs just gives none. `readonly=None`: read-only where it cannot be written, or not for
    want of room, as planning wants it. Raises `StoreTooNew`, `StoreDamaged`, `StoreReadOnly`, `StoreOnNetwork`, `StoreBusy`,
    `DiskFull`.
    """
    if exists(folder) and not isdir(folder):
        raise StoreDamaged(f"the store at `{folder}` is not a folder", fixes=[f"mv {folder} {folder}.other"])
    return LocalStore(folder, connect(folder, create=create, readonly=readonly))
