"""Results by key: `kernel.ports.Store`, which is also the `Past` that plans are made from.

Results are never changed; a step that runs again adds one, and the newest of a key counts. What
was kept here is known here at once; `commit` makes it durable and known to all.

Speed: what was looked up is remembered, misses too (`index.Late`). `prefetch` loads
the results of a pipeline's last run in a few queries, so that a plan of ten thousand unchanged
steps asks nothing more. In a store that was empty when it was opened, nothing is ever asked.
"""

from __future__ import annotations

import gc
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from json import loads
from sys import intern
from typing import Any

from stepwell.errors import ArtifactGone, StoreDamaged
from stepwell.kernel.ports import Artifact, Made, Result
from stepwell.stores.blobs import INLINE, Blobs, digest_of
from stepwell.stores.database import Database
from stepwell.stores.filesystem import read_only
from stepwell.stores.index import BY_DIGEST, BY_KEY, BY_SITE, LATE, Index, Late, entered, settle
from stepwell.stores.leases import Leases
from stepwell.stores.rows import (
    encode,
    pack_numbers,
    pack_outputs,
    pack_pairs,
    unpack_numbers,
    unpack_outputs,
    unpack_pairs,
)

RECENT = 32
"""Results that `recent` gives at most."""

HELD = 8 << 20
"""Bytes of small blobs that are kept in memory for the steps that take them."""

_COLUMNS = "seq, identity, key, site, inputs, outputs, run, seconds, cpu, memory, metrics, observed, made"

_BY_KEY = f"SELECT {_COLUMNS} FROM results WHERE {BY_KEY.among} AND key = ?1 ORDER BY seq DESC LIMIT 1"  # noqa: S608
_ALL_BY_KEY = _BY_KEY.replace("LIMIT 1", f"LIMIT {RECENT}")
_BY_SITE = f"SELECT {_COLUMNS} FROM results WHERE {BY_SITE.among} AND site = ?1 ORDER BY seq DESC LIMIT 1"  # noqa: S608
_BY_SEQ = f"SELECT {_COLUMNS} FROM results WHERE seq IN (???) ORDER BY seq"  # noqa: S608

_BLOB = f"SELECT data FROM blobs WHERE {BY_DIGEST.among} AND digest = ?1 ORDER BY id DESC LIMIT 1"  # noqa: S608
_LATE_BLOB = "SELECT data FROM blobs WHERE id = ?1 AND digest = ?2"

_REMOVALS = "SELECT value FROM counters WHERE name = 'gc'"

_new: Any = tuple.__new__  # a named tuple's own constructor takes twice as long

Shared = tuple[str, str, str, tuple[tuple[str, str], ...]]
"""What results of one identity share: step, code, environment, variables."""


class Results:
    """The results of one store; a `kernel.ports.Store` and a `database.Writer`."""

    def __init__(self, database: Database, blobs: Blobs, leases: Leases) -> None:
        self._database, self._blobs, self._leases = database, blobs, leases
        self._known: dict[str, Result] = {}
        self._numbers: dict[str, int] = {}
        self._older: dict[
            Result, int
        ] = {}  # results that are not the newest of their keys, with their numbers
        self._files: set[str] = set()  # keys of results with blobs that are files
        self._sites: dict[str, Result] = {}
        self._recent: dict[str, list[Result]] = {}
        self._shared: dict[int, Shared] = {}
        self._identities: dict[Shared, int] = {}
        self._sizes: dict[int, int] = {}
        self._parts: dict[str, Mapping[str, str]] = {}
        self._gone: dict[str, str] = {}
        self._late = {index: Late(database, index) for index in (BY_KEY, BY_SITE, BY_DIGEST)}
        self._version = -1
        self._removals = -1  # how often `gc` had taken something away when this was last asked
        self._horizon: int | None = None  # the last number before the run that is being driven
        self._complete = False  # everything that is in the database is in memory too
        self._held: dict[str, bytes] = {}
        self._held_bytes = 0
        # not written yet:
        self._kept: list[Result] = []
        self._made: dict[str, bytes] = {}
        self._lost: dict[str, str] = {}
        self._again: set[str] = set()  # blobs that were gone and are made again
        self._described: dict[str, str] = {}
        self._defined: dict[str, tuple[str, str, str, int]] = {}
        # written, not yet durable:
        self._new_numbers: dict[str, int] = {}
        self._new_identities: dict[Shared, int] = {}

    # ------------------------------------------------------------------ the past

    def result(self, key: str) -> Result | None:
        """The newest result of a key, `lost` set where a blob is gone or damaged; None if there is none."""
        found = self._known.get(key)
        if found is None:
            self._notice_others()
            row = None if self._complete else self._newest_of(BY_KEY, _BY_KEY, key)
            if row is None:
                return None
            found = self._unpacked(row)
            self._learn(found, row[0])
        if self._gone or key in self._files:
            return self._checked(found)
        return found

    def results(self, key: str) -> Sequence[Result]:
        """At most 32 of the newest results of a key, newest first; `lost` set where their blobs are."""
        found = []
        late = self._late[BY_KEY].rows(key)[-RECENT:]
        rows = [*self._database.many(_BY_SEQ, late)][::-1]
        rows += [row for row in self._database.rows(_ALL_BY_KEY, (key,)) if row[0] not in late]
        for row in rows[:RECENT]:
            result = self._unpacked(row)
            why = self._why_lost(result)
            if result == self._known.get(key):
                self._numbers[key] = row[0]
            else:
                self._older[result] = row[0]
            found.append(result._replace(lost=why) if why else result)
        kept = [result for result in reversed(self._kept) if result.key == key]
        return [*kept, *found][:RECENT]

    def at_site(self, site: str) -> Result | None:
        """The newest result with this site; after `prefetch`, that of the pipeline's last run if it has one."""
        found = self._sites.get(site)
        if found is None:
            self._notice_others()
            row = None if self._complete else self._newest_of(BY_SITE, _BY_SITE, site)
            if row is None:
                return None
            found = self._sites[site] = self._unpacked(row)
        return found

    def recent(self, step: str) -> Sequence[Result]:
        """At most 32 of the newest results of a step, newest first; during a run, of those before it.

        (What the other calls of the same run have just given explains nothing.)
        """
        self._notice_others()
        found = self._recent.get(step)
        if found is None:
            found = self._recent[step] = [] if self._complete else self._newest(step)
        return found

    def begin(self, connection: sqlite3.Connection) -> None:
        """Inside the transaction that begins a run: what `recent` gives ends here.

        Nothing is removed while a run goes on, but something may have been since this process read it.
        """
        self._database.ask_again()
        self._notice_others()
        self._notice_removals(connection.execute(_REMOVALS).fetchone())
        self._horizon = self._last(connection)

    def parts(self, digest: str) -> Mapping[str, str]:
        """What a code or environment digest was made of; empty where that is not known."""
        found = self._parts.get(digest)
        if found is None:
            row = self._database.row("SELECT parts FROM parts WHERE digest = ?", (digest,))
            found = {} if row is None else loads(row[0])
            if row is not None:
                self._parts[digest] = found
        return found

    def definition(self, digest: str) -> str | None:
        """The source text of a definition, by the digest that `parts` gives for it; None where unknown."""
        if digest in self._defined:
            return self._defined[digest][1]
        row = self._database.row("SELECT source FROM definitions WHERE digest = ?", (digest,))
        return None if row is None else str(row[0])

    def by_number(self, numbers: Iterable[int]) -> dict[int, Result]:
        """Results by their number in the store, as records refer to them; unchecked."""
        return {row[0]: self._unpacked(row) for row in self._database.many(_BY_SEQ, numbers)}

    def prefetch(self, numbers: Iterable[int]) -> None:
        """Load results by number, the oldest first, so that asking for them needs no query."""
        self._notice_others()
        collecting = gc.isenabled()
        gc.disable()  # it would walk what is loaded again and again, and find nothing: a third of the time
        try:
            for row in self._database.many(_BY_SEQ, numbers):
                found = self._unpacked(row)
                self._learn(found, row[0])
                self._sites[found.site] = found
        finally:
            if collecting:
                gc.enable()

    def number(self, result: Result) -> int | None:
        """The number of a result that was looked up or written here."""
        if self._older and result in self._older:
            return self._older[result]
        return self._new_numbers.get(result.key) or self._numbers.get(result.key)

    def _newest_of(self, index: Index, sql: str, name: str) -> tuple[Any, ...] | None:
        """The row of the newest result that has a name: one that is in the index, or too new for that."""
        late = self._late[index]
        newest = late.rows(name)[-1:]
        rows = list(self._database.many(_BY_SEQ, newest)) if newest else []
        if rows or not late.may_be_entered(name):
            return rows[0] if rows else None
        row = self._database.row(sql, (name,))
        if row is None:
            late.miss(name)
        return row

    def _learn(self, found: Result, number: int) -> None:
        self._known[found.key] = found
        self._numbers[found.key] = number
        for artifact in found.outputs:
            if artifact.size > INLINE or artifact.parts:
                self._files.add(found.key)

    def _newest(self, step: str) -> list[Result]:
        """The newest of each of the step's last identities, merged."""
        last = self._horizon if self._horizon is not None else 1 << 62
        identities = self._database.rows(
            "SELECT id, (SELECT max(seq) FROM results WHERE identity = identities.id) AS last"
            " FROM identities WHERE step = ? ORDER BY last DESC LIMIT ?",
            (step, RECENT),
        )
        numbers: list[int] = []
        for identity, _ in identities:
            numbers += [
                number
                for (number,) in self._database.rows(
                    "SELECT seq FROM results WHERE identity = ? AND seq <= ? ORDER BY seq DESC LIMIT ?",
                    (identity, last, RECENT),
                )
            ]
        newest = sorted(numbers, reverse=True)[:RECENT]
        return [self._unpacked(row) for row in self._database.many(_BY_SEQ, newest)][::-1]

    def _unpacked(self, row: tuple[Any, ...]) -> Result:
        _, identity, key, site, inputs, outputs, run, seconds, cpu, memory, metrics, observed, made = row
        shared = self._shared.get(identity)
        if shared is None:
            shared = self._load_identity(identity)
        step, code, environment, variables = shared
        try:
            _ = seconds + cpu + memory + made  # a text among them would be noticed much later
            cpu, memory = (
                cpu if cpu != seconds else seconds,
                self._sizes.setdefault(memory, memory),
            )  # one object
            fields = (
                key, step, site, code, environment, unpack_pairs(inputs), unpack_outputs(outputs), intern(run),
                seconds, cpu, memory, unpack_numbers(metrics) if metrics else (), "", variables,
                unpack_pairs(observed) if observed else (), made,
            )  # fmt: skip
        except (ValueError, TypeError, AttributeError, IndexError) as error:
            raise StoreDamaged(
                f"result {row[0]} of `{step}` is damaged in the store",
                why=f"its row cannot be read: {type(error).__name__}: {error}",
                fixes=["stepwell verify    takes it out", "stepwell run"],
            ) from error
        return _new(Result, fields)

    def _load_identity(self, identity: int) -> Shared:
        row = self._database.row(
            "SELECT step, code, environment, variables FROM identities WHERE id = ?", (identity,)
        )
        shared = ("", "", "", ()) if row is None else (row[0], row[1], row[2], unpack_pairs(row[3]))
        if row is not None:
            self._shared[identity] = shared
        return shared

    def _notice_others(self) -> None:
        """Forget what may have changed if another process has written."""
        version = self._database.others_wrote()
        if version == self._version:
            return
        self._version = version
        self._recent.clear()
        self._look_again()
        self._gone = dict(self._database.rows("SELECT digest, why FROM gone"))
        self._gone.update(self._lost)
        (last,) = self._database.row("SELECT value FROM counters WHERE name = 'result'") or (0,)
        self._complete = last == 0
        self._notice_removals(self._database.row(_REMOVALS))

    def _look_again(self) -> None:
        """Rows have come that have no entries yet."""
        for late in self._late.values():
            late.moved()

    def _notice_removals(self, counter: tuple[int, ...] | None) -> None:
        """Forget what is known of the past if `gc` took something away, or back, since it was read; not what is new here.

        Numbers stay: none is ever used twice, and a run that is going on, during which things may be brought
        back, has yet to write those of what it reused.
        """
        before, self._removals = self._removals, counter[0] if counter else 0
        if before == self._removals:
            return
        for memory in (self._known, self._sites, self._recent, self._held):
            memory.clear()
        self._held_bytes = 0
        self._known.update((result.key, result) for result in self._kept)
        self._late[BY_KEY].renewed()
        self._late[BY_SITE].renewed()

    def _checked(self, found: Result) -> Result:
        """The result with `lost` set if it is; one that another process has made again instead."""
        why = self._why_lost(found)
        if not why:
            return found
        self._look_again()
        row = self._newest_of(BY_KEY, _BY_KEY, found.key)
        if row is not None and row[0] > self._numbers.get(found.key, row[0]):
            newer = self._unpacked(row)
            self._learn(newer, row[0])
            why, found = self._why_lost(newer), newer
        return found._replace(lost=why) if why else found

    def _why_lost(self, found: Result) -> str:
        for artifact in found.outputs:
            if artifact.size <= INLINE:
                why = self._gone.get(artifact.digest, "")
            else:
                why = self._blobs.check(artifact.digest)
            if why:
                return why
            for part in artifact.parts:
                if why := self._blobs.check(part):
                    return why
        return ""

    # ------------------------------------------------------------------ keeping

    def claim(self, keys: Sequence[str]) -> Sequence[bool]:
        """For each key, whether this run is to compute it; False while another living run does, or just did."""
        answers = self._leases.claim(keys, self._known.__contains__, self._late[BY_KEY])
        if self._leases.made:  # others may have written too short a time ago for `_notice_others`
            self._look_again()
            self._complete = False
        return answers

    def news(self) -> int:
        """A number that changes when other runs may have kept results or ended claims; up to 5 ms late."""
        return self._leases.news()

    def shelve(self, made: Iterable[Made]) -> None:
        """Keep what a judge refused: its blobs, no result. The large ones are in place."""
        for artifact, data in made:
            if data is not None and len(data) <= INLINE:
                self._made[artifact.digest] = data
                self._database.touch()

    def release(self, key: str) -> None:
        """End the claim on a key that came to nothing."""
        self._leases.end(key)

    def keep(self, result: Result, made: Iterable[Made]) -> None:
        """Take a new result; its large blobs are already in place. Also ends the claim on its key.

        Raises `ArtifactGone` where a large blob is not there, `StoreReadOnly`.
        """
        if self._database.readonly:
            raise read_only(str(self._database.folder))
        self._notice_others()
        key = result.key
        self._files.discard(key)
        for artifact, data in made:
            if data is None or len(data) > INLINE or artifact.parts:
                self._take_large(key, artifact, data)
            else:
                self._made[artifact.digest] = data
        if self._gone:
            self._found_again(result)
        self._kept.append(result)
        self._known[key] = result
        if self._horizon is not None:  # a run asks for no site: whoever does later finds it in the database
            self._sites.pop(result.site, None)
        else:
            self._sites[result.site] = result
            recent = self._recent.get(result.step)
            if recent is None and self._complete:
                recent = self._recent[result.step] = []
            if recent is not None:
                recent.insert(0, result)
                del recent[RECENT:]
        self._leases.end(key)
        self._database.touch(durable=True)

    def _take_large(self, key: str, artifact: Artifact, data: bytes | None) -> None:
        """See that the files of an artifact are there; put bytes where they belong by their size."""
        if artifact.size > INLINE or artifact.parts:
            self._files.add(key)
        if data is not None and artifact.size > INLINE:
            with self._blobs.sink() as sink:
                sink.write(data)
                sink.finish()
        elif data is None and artifact.size <= INLINE:
            data = bytes(self._blobs.open(artifact.digest).data)
        if data is not None and artifact.size <= INLINE:
            self._made[artifact.digest] = data
        wanted = [*artifact.parts] if artifact.size <= INLINE else [artifact.digest, *artifact.parts]
        for digest in wanted:
            if why := self._blobs.check(digest):
                raise ArtifactGone(
                    why, why="it was to be there before its result is kept", fixes=["stepwell run"]
                )

    def _found_again(self, result: Result) -> None:
        for artifact in result.outputs:
            if artifact.digest in self._gone and artifact.digest in self._made:
                del self._gone[artifact.digest]
                self._lost.pop(artifact.digest, None)
                self._again.add(artifact.digest)

    def data(self, artifact: Artifact) -> bytes | None:
        """The verified bytes of a small artifact, or None where its blob is a file. Raises `ArtifactGone`."""
        digest = artifact.digest
        data = self._held.get(digest)
        if data is None:
            data = self._made.get(digest)
        if data is not None:
            return data
        if artifact.size > INLINE:
            return None
        data = self.bytes_of(digest)
        if data is None:
            why = self.lose(digest, "is gone")
        elif not isinstance(data, bytes) or digest_of(data) != digest:
            why = self.lose(digest, "is damaged: its content has another digest")
        else:
            self._hold(digest, data)
            return data
        raise ArtifactGone(
            why, why="the store was damaged, or changed by something else", fixes=["stepwell run"]
        )

    def bytes_of(self, digest: str) -> Any:
        """What the database has as the bytes of a small blob, unverified; None where it has none."""
        row = self._late_blob(digest) or self._database.row(_BLOB, (digest,))
        if row is None:  # written by another process since anybody here looked
            self._late[BY_DIGEST].moved()
            row = self._late_blob(digest)
        return None if row is None else row[0]

    def _late_blob(self, digest: str) -> tuple[Any, ...] | None:
        row = None
        for number in reversed(self._late[BY_DIGEST].rows(digest)):
            row = row or self._database.row(_LATE_BLOB, (number, digest))
        return row

    def lose(self, digest: str, how: str) -> str:
        """Note that a small blob cannot be used, so that the results that have it are `lost`; what is said of it."""
        why = f"blob {digest[:15]}… {how}"
        self._gone[digest] = self._lost[digest] = why
        self._database.touch()
        return why

    def _hold(self, digest: str, data: bytes) -> None:
        """Keep bytes in memory, and let the oldest go when they are too many."""
        if digest not in self._held:
            self._held[digest] = data
            self._held_bytes += len(data) + 200
            while self._held_bytes > HELD:
                oldest = next(iter(self._held))
                self._held_bytes -= len(self._held.pop(oldest)) + 200

    def add_identity(
        self,
        code: str,
        parts: Mapping[str, str],
        sources: Mapping[str, tuple[str, str, str, int]],
        environment: str,
        versions: Mapping[str, str],
    ) -> None:
        """Keep what a code and an environment digest were made of; cheap where the store knows it.

        `parts` and `versions` as in `plan.Identity`; `sources`: a definition's digest to its name,
        source text, file (relative to the root) and first line. Written with the next commit.
        """
        for digest, content, texts in ((code, parts, sources), (environment, versions, {})):
            if digest and digest not in self._parts:
                self._parts[digest] = dict(content)
                self._described[digest] = encode(self._parts[digest])
                self._defined.update(texts)
                self._database.touch()

    def commit(self, *, now: bool = False, waiting: bool = False) -> None:
        """Write what was kept if it is time, or `now`: one transaction with everything the store has buffered.

        It is time also where this run is `waiting` and holds results.
        """
        if not self._database.readonly:
            self._leases.tick(now=now)
        self._database.commit(now=now or (waiting and bool(self._kept)))

    # ------------------------------------------------------------------ writing

    def write(self, connection: sqlite3.Connection) -> None:
        """Insert what was kept."""
        self._new_numbers, self._new_identities = {}, {}
        if self._made:
            self._write_blobs(connection)
        if self._kept:
            self._write_results(connection)
            settle(connection, LATE)
        if self._lost:
            connection.executemany(
                "INSERT OR REPLACE INTO gone (digest, why) VALUES (?, ?)", self._lost.items()
            )
        if self._described:
            self._write_identities(connection)

    def _write_blobs(self, connection: sqlite3.Connection) -> None:
        for digest in self._again:
            connection.execute("DELETE FROM blobs WHERE digest = ?", (digest,))
            connection.execute("DELETE FROM gone WHERE digest = ?", (digest,))
            self._held.pop(digest, None)
        held = self._held
        made = {digest: data for digest, data in self._made.items() if digest not in held}
        # One that is there is left alone, unless it was damaged and nobody noticed.
        there = [
            digest
            for digest, data in entered(self._database, BY_DIGEST, made, "digest, data")
            if made.get(digest) == data
        ]
        for digest in there:
            made.pop(digest, None)
        (last,) = connection.execute("SELECT value FROM counters WHERE name = 'blob'").fetchone()
        connection.executemany(
            "INSERT INTO blobs (id, digest, data) VALUES (?, ?, ?)",
            [(number, *pair) for number, pair in enumerate(made.items(), last + 1)],
        )
        connection.execute("UPDATE counters SET value = ? WHERE name = 'blob'", (last + len(made),))

    def _write_identities(self, connection: sqlite3.Connection) -> None:
        """Insert the descriptions of digests that the store does not know; usually there are none."""
        known = {
            row[0]
            for row in self._database.many("SELECT digest FROM parts WHERE digest IN (???)", self._described)
        }
        new = [pair for pair in self._described.items() if pair[0] not in known]
        if new:
            connection.executemany("INSERT INTO parts (digest, parts) VALUES (?, ?)", new)
            connection.executemany(
                "INSERT OR IGNORE INTO definitions (digest, name, source, file, line) VALUES (?, ?, ?, ?, ?)",
                [(digest, *definition) for digest, definition in self._defined.items()],
            )

    def _write_results(self, connection: sqlite3.Connection) -> None:
        last = self._last(connection)
        rows = []
        numbers = self._new_numbers
        for number, result in enumerate(self._kept, last + 1):
            (
                key,
                step,
                site,
                code,
                environment,
                inputs,
                outputs,
                run,
                seconds,
                cpu,
                memory,
                metrics,
                _,
                variables,
                observed,
                made,
            ) = result
            shared = (step, code, environment, variables)
            identity = self._identities.get(shared) or self._identity(connection, shared)
            packed = pack_numbers(metrics) if metrics else ""
            rows.append(
                (
                    number,
                    identity,
                    key,
                    site,
                    pack_pairs(inputs),
                    pack_outputs(outputs),
                    run,
                    seconds,
                    cpu,
                    memory,
                    packed,
                    pack_pairs(observed) if observed else "",
                    made,
                )
            )
            if key in numbers:  # calls that are never reused, with one key
                self._older[self._kept[numbers[key] - last - 1]] = numbers[key]
            numbers[key] = number
        connection.executemany(
            f"INSERT INTO results ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            rows,
        )
        connection.execute("UPDATE counters SET value = ? WHERE name = 'result'", (last + len(rows),))

    @staticmethod
    def _last(connection: sqlite3.Connection) -> int:
        return int(connection.execute("SELECT value FROM counters WHERE name = 'result'").fetchone()[0])

    def _identity(self, connection: sqlite3.Connection, shared: Shared) -> int:
        """The number of an identity, new where it must be."""
        found = self._new_identities.get(shared)
        if found is None:
            step, code, environment, variables = shared
            values = (step, code, environment, pack_pairs(variables))
            row = connection.execute(
                "SELECT id FROM identities WHERE step = ? AND code = ? AND environment = ? AND variables = ?",
                values,
            ).fetchone()
            if row is None:
                insert = "INSERT INTO identities (step, code, environment, variables) VALUES (?, ?, ?, ?)"
                row = (connection.execute(insert, values).lastrowid,)
            found = self._new_identities[shared] = int(row[0] or 0)
        return found

    def written(self) -> None:
        """Forget what is durable now."""
        self._numbers.update(self._new_numbers)
        self._identities.update(self._new_identities)
        self._new_numbers, self._new_identities = {}, {}
        self._kept.clear()
        self._look_again()
        for digest, data in self._made.items():
            self._hold(digest, data)
        self._made.clear()
        self._lost.clear()
        self._again.clear()
        self._described.clear()
        self._defined.clear()
