"""One connection to `store.db`, one buffer, one transaction: opening, settings, migrations, group commit.

What it holds to:

- Everything that is kept is visible to others whole or not at all, and durable when it is visible.
- Only one process writes at a time, under a lock of our own (`write.lock`), and only under it is the
  write-ahead log brought back into the database. So "database is locked" reaches nobody, and the
  WAL-reset race of SQLite before 3.51.3, which needs two connections that write or checkpoint at
  once, cannot happen.
- WAL only on file systems of one machine; elsewhere the rollback journal, which is slower and safe.
- `store.db` is never opened by anything but SQLite (closing a file drops all its POSIX locks), and a
  connection is never used by another process than the one that made it.

Parts of the store (results, record, leases, memo) are `Writer`s: they buffer rows and call `touch`;
`commit` lets each write its rows in one transaction, and tells them when it is durable.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from stepwell.errors import (
    DiskFull,
    StepwellError,
    StoreBusy,
    StoreDamaged,
    StoreError,
    StoreOnNetwork,
    StoreReadOnly,
    StoreTooNew,
)
from stepwell.stores import schema
from stepwell.stores.durable import sync_folder
from stepwell.stores.filesystem import (
    NO_MORE_FILES,
    disk_full,
    is_local,
    kind_of,
    read_only,
    refusal,
    too_many_files,
)

TYPE_CHECKING = False  # as type checkers know it: lists of runs do without `typing`
if TYPE_CHECKING:
    from typing import Any, Protocol, TypeVar

    T = TypeVar("T")

    class Writer(Protocol):
        """A part of the store that buffers rows."""

        def write(self, connection: sqlite3.Connection) -> None:
            """Write what is buffered, inside a transaction that may still fail."""
            ...

        def written(self) -> None:
            """What `write` wrote last is durable: forget it."""
            ...


PATIENCE = 120.0
"""Seconds that a writer waits for others before it gives up."""

SLICE = 1.0
"""Seconds that SQLite itself waits at a time; in between, signals are seen."""

GROUP = 0.05
"""Seconds for which results are gathered into one transaction."""

_OPENED = 5
"""Files that SQLite has open at most for a database: it, its log, their index, a journal and the folder."""

LONGEST_LOG = 64 << 20
"""Bytes of write-ahead log after which it is brought back into the database."""

LARGEST_CHECK = 256 << 20
"""Bytes of database up to which it is checked as a whole after the machine went down during a run."""


class Database:
    """The open database of one store. Make it with `connect`.

    `notes` are things that a person should be told once. Not for several threads, and not across a
    fork. Every method raises the `StoreError`s of `stepwell.errors`, never `sqlite3.Error`.
    """

    def __init__(
        self, folder: str, connection: sqlite3.Connection, *, readonly: bool, wal: bool, lock: int = -1
    ) -> None:
        self.folder = folder
        self.readonly = readonly
        self.full = False
        """Whether it is only read because there is no room left."""
        self.wal = wal
        self.notes: list[str] = []
        self.writers: list[Writer] = []
        self.monotonic: Callable[[], float] = time.monotonic
        self._connection = connection
        self._pid = os.getpid()
        self._since: float | None = None
        self._durable = False
        self._synchronous = True
        self._log_limit = LONGEST_LOG
        self._lock = lock
        self._version = (0.0, 0)

    # ------------------------------------------------------------------ reading

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query. A text that is damaged so that it is no UTF-8 comes as bytes: whoever reads it finds it is no text."""
        if os.getpid() != self._pid:
            raise _forked()

        def asked() -> list[tuple[Any, ...]]:
            return self._connection.execute(sql, parameters).fetchall()

        try:
            return asked()
        except sqlite3.Error as error:
            if _busy(error):
                return self._retrying(asked)
            if not _is_no_text(error):
                raise self._explained(error) from error
        self._connection.text_factory = _text
        try:
            return self._retrying(asked)
        finally:
            self._connection.text_factory = str

    def row(self, sql: str, parameters: Sequence[object] = ()) -> tuple[Any, ...] | None:
        """The first row of a query, or None."""
        found = self.rows(sql, parameters)
        return found[0] if found else None

    def many(self, sql: str, values: Iterable[object]) -> Iterator[tuple[Any, ...]]:
        """All rows of a query with one `IN (???)`, for any number of values."""
        left = list(values)
        for start in range(0, len(left), 900):  # the smallest limit of any SQLite is 999
            some = left[start : start + 900]
            yield from self.rows(sql.replace("???", ",".join("?" * len(some))), some)

    def others_wrote(self) -> int:
        """A number that changes when another connection has committed. Asks at most every 5 ms."""
        now = self.monotonic()
        asked, version = self._version
        if now - asked >= 0.005 or asked > now:
            version = int(self.rows("PRAGMA data_version")[0][0])
            self._version = (now, version)
        return version

    def ask_again(self) -> None:
        """Have `others_wrote` ask at once."""
        self._version = (0.0, self._version[1])

    # ------------------------------------------------------------------ writing

    def touch(self, *, durable: bool = False) -> None:
        """Say that something is buffered. `durable`: its transaction must survive a loss of power."""
        if self._since is None:
            self._since = self.monotonic()
        if durable:
            self._durable = True

    @property
    def pending(self) -> bool:
        """Whether something is buffered."""
        return self._since is not None

    def commit(self, *, now: bool = False) -> bool:
        """Write all buffers in one transaction, if the first of them is old enough, or `now`.

        Whether something was written. Where it fails the buffers are kept.
        """
        if self._since is None or (not now and self.monotonic() - self._since < GROUP):
            return False
        if self.readonly:  # only caches get here: `results` and `record` refuse earlier
            for writer in self.writers:
                writer.written()
            self._since = None
            return False
        self.write(lambda _: None, durable=self._durable)
        return True

    def write(
        self,
        body: Callable[[sqlite3.Connection], T],
        *,
        durable: bool = True,
        after: Callable[[T], None] | None = None,
        buffers: bool = True,
    ) -> T:
        """Run `body` in a transaction that also writes all `buffers` before it; what it returns.

        `body` may run only once. A transaction that is not `durable` can be undone by a loss of power
        (never by the death of this process), and is made durable by the next one that is. `after` is
        called with what `body` returned when that is visible, while nobody else can write yet.
        """
        if os.getpid() != self._pid:
            raise _forked()
        if self.readonly:
            raise self._refused()
        durable = durable or (buffers and self._durable)
        connection, writers = self._connection, self.writers if buffers else []
        try:
            with self.locked():
                self._set_synchronous(durable or not self.wal)
                self._retrying(lambda: connection.execute("BEGIN IMMEDIATE"))
                for writer in writers:
                    writer.write(connection)
                out = body(connection)
                self._retrying(lambda: connection.execute("COMMIT"))
                if buffers:
                    self._since, self._durable = None, False
                for writer in writers:
                    writer.written()
                if after is not None:
                    after(out)
                self._checkpoint_if_long()
        except BaseException as error:
            self._undo()
            if isinstance(error, sqlite3.Error):
                raise self._explained(error) from error
            raise
        return out

    def _set_synchronous(self, full: bool) -> None:
        if full is not self._synchronous:
            self._connection.execute("PRAGMA synchronous=FULL" if full else "PRAGMA synchronous=NORMAL")
            self._synchronous = full

    def _undo(self) -> None:
        if self._connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")

    def _retrying(self, action: Callable[[], T]) -> T:
        """Try again while somebody else holds the database; SQLite itself waits `SLICE` seconds each time."""
        deadline = self.monotonic() + PATIENCE
        while True:
            try:
                return action()
            except sqlite3.Error as error:
                if not _busy(error):
                    raise self._explained(error) from error
                if self.monotonic() >= deadline:
                    raise _too_busy(self.folder) from error
            _pause(0.001, 0.02)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold `write.lock`, which every Stepwell process takes around a write or a checkpoint."""
        if self._lock < 0:
            yield  # in memory
            return
        wait, deadline = 0.0005, 0.0
        while not _try_lock(self._lock, self.folder):
            deadline = deadline or self.monotonic() + PATIENCE
            if self.monotonic() >= deadline:
                raise _too_busy(self.folder)
            _pause(wait / 2, wait)
            wait = min(wait * 1.5, 0.01)
        try:
            yield
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def _checkpoint_if_long(self) -> None:
        """Bring a long write-ahead log back into the database. Called under the lock."""
        if not self.wal or self._lock < 0:
            return
        with contextlib.suppress(OSError, sqlite3.Error):
            length = os.stat(os.path.join(self.folder, "store.db-wal")).st_size
            if length > self._log_limit:
                self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
                self._connection.execute("PRAGMA busy_timeout=0")
                left = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                self._connection.execute(f"PRAGMA busy_timeout={int(SLICE * 1000)}")
                self._log_limit = length + LONGEST_LOG if left and left[0] else LONGEST_LOG

    # ------------------------------------------------------------------ the end, and errors

    def check(self, *, quick: bool = True) -> list[str]:
        """What SQLite finds wrong with the database, a line each; empty where it is sound."""
        try:
            found = self.rows("PRAGMA quick_check" if quick else "PRAGMA integrity_check")
        except StoreDamaged as damaged:
            return [damaged.why]
        return [str(line) for (line,) in found if line != "ok"]

    def compact(self) -> tuple[int, int]:
        """Write the database anew, without the pages that are free: its bytes before and after, with the write-ahead log.

        That takes about as much room again for a while, and others wait. Raises `DiskFull`, `StoreReadOnly`, `StoreBusy`.
        """
        if self.readonly:
            raise self._refused()
        before = self._size("store.db") + self._size("store.db-wal")
        try:
            with self.locked():
                self._retrying(lambda: self._connection.execute("VACUUM"))
                if self.wal:
                    self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.Error as error:
            raise self._explained(error) from error
        return before, self._size("store.db")

    def look_after_power_loss(self) -> None:
        """A quick check of a database that the machine may have left torn, where that takes seconds at most.

        Raises `StoreDamaged`.
        """
        if self._size("store.db") <= LARGEST_CHECK:
            problems = self.check()
            if problems:
                raise damaged(self.folder, problems[0])

    def close(self) -> None:
        """Close the connection; what is still buffered is dropped. The last to close empties the log."""
        if os.getpid() != self._pid:
            return
        with contextlib.suppress(StepwellError), self.locked(), contextlib.suppress(sqlite3.Error):
            self._connection.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _size(self, name: str) -> int:
        return _length(os.path.join(self.folder, name))

    def _refused(self) -> StepwellError:
        return (disk_full if self.full else read_only)(os.fspath(self.folder))

    def _explained(self, error: sqlite3.Error) -> StepwellError:
        return explained(error, self.folder)


def connect(
    place: str | os.PathLike[str],
    *,
    create: bool = True,
    readonly: bool | None = False,
    kind: str | None = None,
) -> Database:
    """Open the database of a store folder, made where it is missing.

    `readonly=True` opens what is there and changes nothing; None does so only where the folder cannot
    be written, or where there is no room (`full`): even the log's index needs some. Where there is no store and none may be made, the database is an empty one in memory.
    `kind` is the type of the file system, if the caller knows better. Raises `StoreTooNew`,
    `StoreDamaged`, `StoreReadOnly`, `StoreOnNetwork`, `DiskFull`, `StoreBusy`.
    """
    folder = os.fspath(place)
    exists = os.path.exists(os.path.join(folder, "store.db"))
    if not exists and (readonly or not create):
        return _in_memory(folder)
    if readonly:
        return _read(folder)
    try:
        return _open(
            folder, kind if kind is not None else kind_of(os.path.dirname(folder) if not exists else folder)
        )
    except (StoreReadOnly, DiskFull) as error:
        if readonly is None:
            database = _read(folder) if exists else _in_memory(folder)
            database.full = isinstance(error, DiskFull)
            return database
        raise


def _open(folder: str, kind: str) -> Database:
    path = os.path.join(folder, "store.db")
    try:
        if not os.path.exists(path) or not all(os.path.isdir(os.path.join(folder, name)) for name in FOLDERS):
            _must_be_folders(folder)
            _make(folder)
        lock = os.open(os.path.join(folder, "write.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise refusal(error, folder) from error
    with contextlib.ExitStack() as undo:  # what was opened is closed again if the rest fails
        undo.callback(os.close, lock)
        if not os.access(path, os.W_OK):
            raise read_only(folder)
        try:
            connection = sqlite3.connect(path, timeout=SLICE, isolation_level=None, cached_statements=256)
            undo.callback(connection.close)
            database = Database(folder, connection, readonly=False, wal=is_local(kind), lock=lock)
            _settle(database, kind)
        except sqlite3.Error as error:
            raise explained(error, folder) from error
        undo.pop_all()
    return database


FOLDERS = ("blobs", "tmp", "files")
"""What a store has beside its database; a copy of it may have left out those that were empty."""


def _must_be_folders(folder: str) -> None:
    """Raise `StoreDamaged` where something else lies in the place of one of the store's folders."""
    for name in FOLDERS:
        path = os.path.join(folder, name)
        if os.path.lexists(path) and not os.path.isdir(path):
            raise StoreDamaged(
                f"`{path}` is not a folder",
                why="the store keeps files in it; something else has taken its place",
                fixes=[f"mv {path} {path}.other    then run again: what is missing is made anew"],
            )


def _make(folder: str) -> None:
    """The folder, and an empty file for the database that only its owner can read."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    for name in FOLDERS:
        os.makedirs(os.path.join(folder, name), mode=0o700, exist_ok=True)
    ignore = os.path.join(folder, ".gitignore")
    if not os.path.exists(ignore):
        with open(ignore, "w", encoding="utf-8") as file:
            file.write("*\n")
    with contextlib.suppress(FileExistsError):  # O_EXCL: nobody can hold a lock on a file that is new
        os.close(os.open(os.path.join(folder, "store.db"), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    sync_folder(folder)


def _settle(database: Database, kind: str) -> None:
    """Bring a database to this version, and the connection to our settings."""
    connection = database._connection
    connection.execute("PRAGMA trusted_schema=OFF")
    version = _version_of(database)
    mode = database._retrying(lambda: connection.execute("PRAGMA journal_mode").fetchone()[0])
    wanted = "wal" if database.wal else "delete"
    if version < schema.VERSION or mode != wanted:
        with database.locked():
            _set_journal(database, wanted, kind)
            version = _version_of(database)  # another process may have been at it
            if version < schema.VERSION:
                _migrate(database, version)
            if not database.wal:  # said once: when the store is made, or first met here
                database.notes.append(
                    f"the store lies on a network or unknown file system ({kind or 'unknown'}), where it is slower; "
                    "STEPWELL_STORE moves it to a local disk"
                )
    for setting in (
        "synchronous=FULL",
        "wal_autocheckpoint=0",
        "mmap_size=0",
        # KiB. The system keeps the file's pages too: 64 MiB here cost their memory and saved no time.
        "cache_size=-16384",
        "temp_store=MEMORY",
    ):
        connection.execute(f"PRAGMA {setting}")


def _set_journal(database: Database, wanted: str, kind: str) -> None:
    """Choose the kind of journal. Called under the lock. Raises `StoreOnNetwork` where another one is in use."""
    try:
        mode = database._connection.execute(f"PRAGMA journal_mode={wanted}").fetchone()[0]
    except sqlite3.Error as error:
        if not _busy(error):
            raise
        mode = "in use"
    if mode != wanted and not database.wal:
        raise StoreOnNetwork(
            f"the store at `{database.folder}` is in use on a local disk and lies here on {kind or 'an unknown file system'}",
            why="SQLite's write-ahead log needs memory that is shared, which a network file system does not give",
            fixes=["wait until the other run has ended", "STEPWELL_STORE=/a/local/folder stepwell run"],
        )
    database.wal = mode == "wal"


def _version_of(database: Database) -> int:
    """The version of the schema, 0 for a new database. Raises `StoreTooNew` or `StoreDamaged`."""
    version, application, tables = database._retrying(lambda: _header_of(database._connection))
    if application != schema.APPLICATION and (application or version or tables):
        raise StoreDamaged(
            f"`{database.folder}/store.db` is not a store of Stepwell",
            why="its header says that it belongs to another program, or was overwritten",
            fixes=[f"mv {database.folder} {database.folder}.other"],
        )
    if version > schema.VERSION:
        raise StoreTooNew(
            f"the store at `{database.folder}` was written by a newer Stepwell",
            why=f"it has format {version}; this one reads formats up to {schema.VERSION}",
            fixes=["pip install --upgrade stepwell", "STEPWELL_STORE=/another/folder stepwell run"],
        )
    return version


def _header_of(connection: sqlite3.Connection) -> tuple[int, int, bool]:
    """The version of a database's schema, the program that it belongs to, and whether it has tables: all at one moment.

    Another process may be making the store just now.
    """
    connection.execute("BEGIN")
    try:
        version, application = (
            int(connection.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("user_version", "application_id")
        )
        return (
            version,
            application,
            bool(connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()),
        )
    finally:
        if connection.in_transaction:  # SQLite has ended it itself where a query failed for want of room
            connection.execute("ROLLBACK")


def _migrate(database: Database, version: int) -> None:
    """Run the migrations that are missing, in one transaction; an older store is copied first. Under the lock."""
    connection = database._connection
    if version:
        _back_up(database, os.path.join(database.folder, f"store.db.format{version}"))
    database._retrying(lambda: connection.execute("BEGIN IMMEDIATE"))
    try:
        for script in schema.MIGRATIONS[version:]:
            for statement in statements(script):
                connection.execute(statement)
        if 0 < version < schema.NAMED <= schema.VERSION:
            from stepwell.stores.upgrade import name_metrics  # once in the life of an old store

            name_metrics(connection)
        connection.execute(f"PRAGMA application_id={schema.APPLICATION}")
        connection.execute(f"PRAGMA user_version={schema.VERSION}")
        database._retrying(lambda: connection.execute("COMMIT"))
    except BaseException:
        database._undo()
        raise
    if version:
        database.notes.append(
            f"the store was brought from format {version} to {schema.VERSION}; the old one is kept beside it"
        )


def _back_up(database: Database, path: str) -> None:
    """A whole copy by SQLite's own means, under its name only when it is complete."""
    partial = f"{path}.partial"
    for old in (partial, path):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(old)
    os.close(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    copy = sqlite3.connect(partial)
    try:
        database._connection.backup(copy)
    finally:
        copy.close()
    os.rename(partial, path)


def statements(script: str) -> Iterator[str]:
    """The statements of a script, each complete (`executescript` would end our transaction)."""
    pending = ""
    for piece in script.split(";")[:-1]:
        pending += piece + ";"
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""


def _in_memory(folder: str) -> Database:
    """An empty database that is gone with its connection: a store that does not exist yet."""
    database = Database(folder, sqlite3.connect(":memory:", isolation_level=None), readonly=False, wal=False)
    _migrate(database, 0)
    database.readonly = True
    return database


def _read(folder: str) -> Database:
    """Open a store that is there without changing it.

    A database whose write-ahead log is empty can be read without a lock file (`immutable`), which is
    what works on a read-only disk; else SQLite reads it with the log and its index.
    """
    problem: StepwellError | None = None
    path = (
        os.path.realpath(os.path.join(folder, "store.db"))
        .replace("%", "%25")
        .replace("?", "%3f")
        .replace("#", "%23")
    )
    for options in ("mode=ro", "mode=ro&immutable=1"):
        if "immutable" in options and _length(os.path.join(folder, "store.db-wal")) > 0:
            break
        connection = None
        try:
            connection = sqlite3.connect(
                f"file:{path}?{options}", uri=True, timeout=SLICE, isolation_level=None
            )
            database = Database(folder, connection, readonly=True, wal=False)
            version = _version_of(database)
            if not version:  # somebody makes it just now
                connection.close()
                return _in_memory(folder)
            if version < schema.VERSION:
                raise StoreReadOnly(
                    f"the store at `{folder}` was written by an older Stepwell, and is only read here",
                    why=f"it has format {version}; this one reads format {schema.VERSION}, and would have to change it",
                    fixes=["stepwell runs    brings it to this format"],
                )
            connection.execute("PRAGMA cache_size=-65536")
            return database
        except (sqlite3.Error, StoreReadOnly, DiskFull) as error:
            problem = explained(error, folder) if isinstance(error, sqlite3.Error) else error
        except BaseException:
            if connection is not None:
                connection.close()
            raise
        if connection is not None:
            connection.close()
    raise problem or read_only(folder)


def _length(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _pause(least: float, most: float) -> None:
    """Sleep for some time between so many seconds, so that those who wait do not all wake together."""
    import random  # 1 ms, and few processes ever wait

    time.sleep(random.uniform(least, most))


def _try_lock(fd: int, folder: str) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES, errno.EINTR):
            return False
        raise StoreOnNetwork(
            f"files at `{folder}` cannot be locked: {error.strerror}",
            why="without locks two runs could damage the store",
            fixes=["STEPWELL_STORE=/a/local/folder stepwell run"],
        ) from error
    return True


def _is_no_text(error: sqlite3.Error) -> bool:
    return isinstance(error, sqlite3.OperationalError) and str(error).startswith("Could not decode to UTF-8")


def _text(data: bytes) -> str | bytes:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _busy(error: sqlite3.Error) -> bool:
    return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _too_busy(folder: str) -> StoreBusy:
    return StoreBusy(
        f"another process has been writing to the store at `{folder}` for {PATIENCE:.0f} seconds",
        why="one that was suspended (Ctrl-Z, a debugger) holds the store until it goes on",
        fixes=[f"fuser {folder}/write.lock", "end or continue that process, then run again"],
    )


def _forked() -> StoreError:
    return StoreError(
        "a store was used in another process than the one that opened it",
        why="a connection to SQLite does not survive a fork",
        fixes=["open the store in the new process"],
    )


def explained(error: sqlite3.Error, folder: str) -> StepwellError:
    """The error to raise for one of SQLite's."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _is_full(folder)):
        return disk_full(folder)
    if code == sqlite3.SQLITE_CANTOPEN and (no_more := _no_more_files()):
        return too_many_files(no_more)
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return read_only(folder)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return _too_busy(folder)
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return damaged(folder, str(error))
    return StoreError(f"the store at `{folder}` cannot be used: {error}", fixes=["stepwell verify"])


def damaged(folder: str, why: str) -> StoreDamaged:
    """What to raise where SQLite finds the database damaged."""
    return StoreDamaged(
        f"the database of the store at `{folder}` is damaged",
        why=why,
        fixes=[
            f"mv {folder} {folder}.damaged    then run again: the steps run anew",
            f"sqlite3 {folder}/store.db .recover    to look for records in it first",
        ],
    )


def _no_more_files() -> OSError | None:
    """The system's word that it opens no more files; SQLite tells that like a file that may not be opened."""
    held: list[int] = []
    try:
        while len(held) < _OPENED:  # it has closed again what it had opened before it gave up
            held.append(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error if error.errno in NO_MORE_FILES else None
    finally:
        for each in held:
            os.close(each)
    return None


def _is_full(folder: str) -> bool:
    """Whether a failed write was for want of room: nothing is left, or a file may not grow."""
    import resource

    try:
        left = os.statvfs(folder)
    except OSError:
        return False
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    largest = max((_length(os.path.join(folder, name)) for name in ("store.db", "store.db-wal")), default=0)
    return left.f_bavail * left.f_frsize < 1 << 20 or 0 <= limit <= largest + (1 << 20)
