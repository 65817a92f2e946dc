"""What changes, as server-sent events: `GET /api/events` (the list of runs) and `GET /api/runs/:run/events`.

One task looks for all who listen: a few times a second it asks the database whether anybody wrote (`data_version`), and
only then how the runs are that somebody listens to. An event says that something is new, not what: the page asks for it.
Each has a number, and whoever was cut off says with `Last-Event-ID` which one came last; what was missed is one event.

    event: change
    id: 17
    data: {"run": "r12", "status": "running", "seq": 17}
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import NamedTuple

from msgspec import json

from stepwell.errors import StoreDamaged, UnknownRun
from stepwell.stores.local import LocalStore
from stepwell.stores.recordings import ids_of
from stepwell.stores.runrow import DAMAGED
from stepwell.ui.readers import Readers

OFTEN = 0.3
"""Seconds between two looks."""

ALIVE = 15.0
"""Seconds after which something is said all the same, so that who is gone is noticed."""

SLOW = 2.0
"""Seconds between looks at whether a run's process still lives, where nobody writes."""

EVERY = ""
"""In place of a run: the list of all."""


REMOVED = "removed"
"""The status of a run that is not in the store any more."""

_MARK = """
SELECT (SELECT max(part) FROM made WHERE run = ?1), (SELECT max(part) FROM reused WHERE run = ?1),
    (SELECT count(*) FROM stopped WHERE run = ?1), (SELECT nodes FROM runs WHERE id = ?1),
    (SELECT total(count) FROM curves WHERE recording BETWEEN ?2 AND ?3 AND part = -1),
    (SELECT total(time) FROM recorded WHERE recording BETWEEN ?2 AND ?3),
    (WITH RECURSIVE nodes (node) AS (
        SELECT min(node) FROM logs WHERE run = ?1
        UNION ALL SELECT (SELECT min(node) FROM logs WHERE run = ?1 AND node > nodes.node) FROM nodes WHERE node IS NOT NULL)
     SELECT max((SELECT max(seq) FROM logs WHERE run = ?1 AND logs.node = nodes.node)) FROM nodes)
"""
"""What a run has written so far, without reading it: whatever is added changes one of these."""


class State(NamedTuple):
    """How a run is, as far as a listener must know: its status, and something that changes with what it wrote."""

    status: str
    mark: tuple[object, ...]


class Watch:
    """Looks at the store for everybody who listens. `run` is the task; `stop` ends it and every stream.

    `readers` must be of one thread: what the database says of others is said to one connection.
    """

    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        self._states: dict[str, State] = {}
        self._numbers: dict[str, int] = {}
        self._listeners: dict[str, int] = {}
        self._begun = int(time.time() * 10) * 1000  # numbers go on growing after a restart
        self._news = asyncio.Event()
        self._woken = asyncio.Event()
        self._stopped = False
        self._version: object = None
        self._looked = 0.0

    def stop(self) -> None:
        """End every stream."""
        self._stopped = True
        self._tell()
        self._woken.set()

    async def run(self) -> None:
        """Look as long as somebody listens, until `stop`."""
        while not self._stopped:
            if not self._listeners:
                self._woken.clear()
                await self._woken.wait()
                continue
            try:
                await self._look()
            except Exception:  # noqa: BLE001  # the store is damaged or gone: whoever asks for anything of it is told
                self._version = None
            await asyncio.sleep(OFTEN)

    async def _look(self) -> None:
        wanted = list(self._listeners)
        now = time.monotonic()
        before, slow = self._version, now - self._looked >= SLOW

        def look(store: LocalStore) -> tuple[object, dict[str, State]]:
            version = version_of(store)
            if version == before and not slow and all(run in self._states for run in wanted):
                return version, {}
            return version, {run: state_of(store, run) for run in wanted}

        self._version, found = await self._readers.ask(look)
        if found:
            self._looked = now
        changed = {run for run, state in found.items() if self._states.get(run) != state}
        self._states.update(found)
        for run in changed:
            self._numbers[run] = self._numbers.get(run, self._begun) + 1
        if changed:
            self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def stream(self, run: str, last: int = 0) -> AsyncIterator[bytes]:
        """The events of a run, or of all (`EVERY`), after the number `last`; ends with the run."""
        self._listeners[run] = self._listeners.get(run, 0) + 1
        self._woken.set()
        told = last
        try:
            yield b"retry: 1000\n\n"
            while not self._stopped:
                news = self._news
                state, number = self._states.get(run), self._numbers.get(run, 0)
                if state is not None and number > told:
                    told = number
                    yield event("change", run, state, number)
                if run and state is not None and state.status != "running":
                    yield event("end", run, state, number)
                    return
                try:
                    await asyncio.wait_for(news.wait(), ALIVE)
                except TimeoutError:
                    yield b": alive\n\n"
        finally:
            self._listeners[run] -= 1
            if not self._listeners[run]:
                del self._listeners[run]
                self._states.pop(run, None)


def event(kind: str, run: str, state: State, number: int) -> bytes:
    """An event as it is sent."""
    data = json.encode({"run": run, "status": state.status, "seq": number}).decode()
    return f"event: {kind}\nid: {number}\ndata: {data}\n\n".encode()


def version_of(store: LocalStore) -> object:
    """Something that differs after anybody wrote; to be compared with what the same thread was told."""
    return id(store), store.database.rows("PRAGMA data_version")[0][0]


def state_of(store: LocalStore, run: str) -> State:
    """How a run is; with `EVERY`, the list of all."""
    if run == EVERY:
        newest = store.database.rows("SELECT count(*), max(id), count(seconds), total(started) FROM runs")[0]
        return State("", (*newest, *_alive(store)))
    try:
        row = store.runs.run(run)
    except UnknownRun:
        return State(REMOVED, ())
    except StoreDamaged:
        return State(DAMAGED, ())
    number = int(row.run[1:])
    return State(
        row.status,
        store.database.rows(_MARK, (number, *ids_of(number)))[0] if row.status == "running" else (),
    )


def _alive(store: LocalStore) -> list[str]:
    """The runs that go on; one whose process has died is none of them."""
    rows = store.database.rows("SELECT id FROM runs WHERE status = 'running' ORDER BY id DESC LIMIT 50")
    going = store.runs.some([f"r{number}" for (number,) in rows])
    return [row.run for row in going if row.status == "running"]
