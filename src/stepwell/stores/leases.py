"""Which run computes what, where several share a store: two simultaneous runs do the work once.

Every run has a row in `drivers` from its beginning to its end. A run that is alone claims keys
without touching the disk, but for the first ones: while workers are started it looks at nobody. What
has been in flight for longer than a tick gets a lease row, so that a run that starts later finds it; and
when a run sees another one, it writes rows for all that it has in flight and from then on claims by
transaction, which it begins only for keys that look free. A run that starts beside others first
waits a tick, in which they do that.

A driver is dead if its process (id and start time) is gone from this boot of this host; where that
cannot be asked, if its heartbeat has not moved for a minute of the watcher's own clock. Nothing is
ever decided by comparing the clocks of two machines. The dead lose their leases to whoever asks.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Sequence

from stepwell.named import NamedTuple
from stepwell.stores.database import Database
from stepwell.stores.index import Late

TICK = 0.05
"""Seconds between two looks at the other drivers."""

BEAT = 5.0
"""Seconds between two heartbeats."""

SILENCE = 60.0
"""Seconds without a heartbeat after which a driver of another host counts as dead."""

FIRST_WAIT = 0.1
"""Seconds that a run waits before its first claim when others are there."""


class Origin(NamedTuple):
    """Where a process lives, as far as other processes can check it.

    `host` is its name with its process-id namespace, `boot` the boot of its kernel, `born` its start time.
    """

    host: str
    boot: str
    pid: int
    born: str


class Leases:
    """This process's driver row, its claims, and its view of the others. A `database.Writer`."""

    def __init__(self, database: Database, pause: Callable[[float], None] = time.sleep) -> None:
        self.database = database
        self.driver = 0
        self.unclean = False  # a driver of this host was cut off by the end of an earlier boot
        self.made: set[str] = set()  # keys refused in the last claim because they have a result by now
        self._pause = pause
        self._wait = False
        self._shown = False  # the first claims were written
        self._met = False  # others were there during this run
        self._others: dict[int, tuple[int, float]] = {}  # driver -> beat, when it was first seen
        self._flying: dict[str, float] = {}  # keys claimed here, and when
        self._leased: set[str] = set()  # those of them that have a row
        self._ended: list[str] = []
        self._theirs: dict[str, int] = {}  # keys refused, and the data version at that time
        self._ticked = 0.0
        self._beaten = 0.0
        self._version = -1
        self._buried = 0  # the dead that were removed here

    # ------------------------------------------------------------------ coming and going

    def enter(self, connection: sqlite3.Connection, run: int) -> None:
        """Inside a transaction: clear the dead away, and add this process's row."""
        (number,) = connection.execute("SELECT value + 1 FROM counters WHERE name = 'driver'").fetchone()
        connection.execute("UPDATE counters SET value = ? WHERE name = 'driver'", (number,))
        origin = here()
        connection.execute(
            "INSERT INTO drivers (id, run, host, boot, pid, born, beat) VALUES (?, ?, ?, ?, ?, ?, 0)",
            (number, run, *origin),
        )
        self.driver = int(number)
        self._beaten = self.database.monotonic()
        dead = self._look(connection.execute(_DRIVERS).fetchall())
        _bury(connection, dead)
        self._wait = bool(self._others)

    def leave(self, connection: sqlite3.Connection) -> None:
        """Inside a transaction: remove this process's row and all its leases."""
        connection.execute("DELETE FROM leases WHERE driver = ?", (self.driver,))
        connection.execute("DELETE FROM drivers WHERE id = ?", (self.driver,))

    def left(self) -> None:
        """`leave` is durable: nothing is claimed any more."""
        self.driver, self._shown, self._met = 0, False, False
        self._flying.clear()
        self._leased.clear()
        self._ended.clear()
        self._theirs.clear()
        self._others.clear()

    # ------------------------------------------------------------------ claiming

    def claim(self, keys: Sequence[str], known: Callable[[str], bool], results: Late) -> list[bool]:
        """For each key, whether this run is to compute it. `known`: its result has been looked at here."""
        if not self.driver:
            self.database.write(lambda connection: self.enter(connection, 0), durable=False)
        if self._wait:
            self._wait = False
            self._pause(FIRST_WAIT)
        self.tick()
        self.made = set()
        now = self.database.monotonic()
        if not self._others:
            return self._claim_alone(keys, known, results, now)
        version = self.database.others_wrote()  # asked first: what changes meanwhile is asked for again
        asked = [key for key in keys if known(key) or self._theirs.get(key) != version]
        mine: set[str] = set()
        free = self._free(asked)
        if free:
            results.look()
            self.made = results.of([key for key in free if not known(key)])
            free = [key for key in free if key not in self.made]
        if free:
            mine = self.database.write(
                lambda connection: self._take(connection, free, known, results), durable=False, buffers=False
            )
            self._flying.update(dict.fromkeys(mine, now))
            self._leased.update(mine)
        self._theirs.update((key, version) for key in asked if key not in mine)
        return [key in mine for key in keys]

    def _claim_alone(
        self, keys: Sequence[str], known: Callable[[str], bool], results: Late, now: float
    ) -> list[bool]:
        """`claim` where nobody else is: all keys, but for those of which somebody who was there left a result."""
        if self._met:
            results.look()
            self.made = results.of([key for key in keys if not known(key)])
        mine = [key for key in keys if key not in self.made]
        self._flying.update(dict.fromkeys(mine, now))
        if not self._shown:
            self._shown = True
            self.database.write(lambda connection: self._show(connection, mine), durable=False)
            self._leased.update(mine)
        return [key not in self.made for key in keys]

    def _free(self, keys: Sequence[str]) -> list[str]:
        """Those of the keys on which no other living run has a lease now."""
        held = dict(self.database.many("SELECT key, driver FROM leases WHERE key IN (???)", keys))  # type: ignore[arg-type]
        return [key for key in keys if held.get(key) not in self._others]

    def _take(
        self, connection: sqlite3.Connection, keys: Sequence[str], known: Callable[[str], bool], results: Late
    ) -> set[str]:
        """Inside a transaction: lease those of the keys that are free and have no result that is not `known`."""
        self.made |= results.of([key for key in keys if not known(key)])
        mine = {key for key in self._free(keys) if key not in self.made}
        connection.executemany(
            "INSERT OR REPLACE INTO leases (key, driver) VALUES (?, ?)", [(key, self.driver) for key in mine]
        )
        return mine

    def end(self, key: str) -> None:
        """The claim on a key is over; its row goes with the next commit."""
        self._flying.pop(key, None)
        if key in self._leased:
            self._leased.discard(key)
            self._ended.append(key)
            self.database.touch()

    def news(self) -> int:
        """A number that changes when another run has written, or was found dead; up to 5 ms late."""
        return self.database.others_wrote() + self._buried

    # ------------------------------------------------------------------ ticks

    def tick(self, *, now: bool = False) -> None:
        """Look at the others, write leases for what takes long, show that this driver lives.

        Does nothing within `TICK` seconds of the last time, unless `now`.
        """
        moment = self.database.monotonic()
        if not self.driver or (not now and moment - self._ticked < TICK):
            return
        last, self._ticked = self._ticked, moment
        version = self.database.others_wrote()
        if version != self._version or self._others:
            self._version = version
            alone = not self._others
            dead = self._look(self.database.rows(_DRIVERS))
            if dead:
                self.database.write(lambda connection: _bury(connection, dead), durable=False)
                self._theirs.clear()
                self._buried += len(dead)
            now = now or (alone and bool(self._others))
        oldest = moment + 1 if now else last
        missing = [key for key, since in self._flying.items() if since < oldest and key not in self._leased]
        if missing or moment - self._beaten >= BEAT:
            self._beaten = moment
            self.database.write(lambda connection: self._show(connection, missing), durable=False)
            self._leased.update(missing)

    def _show(self, connection: sqlite3.Connection, keys: Iterable[str]) -> None:
        connection.execute("UPDATE drivers SET beat = beat + 1 WHERE id = ?", (self.driver,))
        connection.executemany(
            "INSERT OR IGNORE INTO leases (key, driver) VALUES (?, ?)", [(key, self.driver) for key in keys]
        )

    def _look(self, rows: Iterable[tuple[int, str, str, int, str, int]]) -> list[int]:
        """Take in the rows of all drivers; those that are dead."""
        moment = self.database.monotonic()
        origin = here()
        dead: list[int] = []
        seen: dict[int, tuple[int, float]] = {}
        for number, host, boot, pid, born, beat in rows:
            if number == self.driver:
                continue
            alive = is_alive(Origin(host, boot, pid, born), origin)
            self.unclean = self.unclean or (host == origin.host and boot != origin.boot)
            before = self._others.get(number)
            since = before[1] if before is not None and before[0] == beat else moment
            if alive is False or (alive is None and moment - since > SILENCE):
                dead.append(number)
            else:
                seen[number] = (beat, since)
        self._others = seen
        self._met = self._met or bool(seen)
        return dead

    def write(self, connection: sqlite3.Connection) -> None:
        """Delete the rows of claims that have ended."""
        if self._ended:
            connection.executemany(
                "DELETE FROM leases WHERE key = ? AND driver = ?", [(key, self.driver) for key in self._ended]
            )

    def written(self) -> None:
        """Forget those."""
        self._ended.clear()


_DRIVERS = "SELECT id, host, boot, pid, born, beat FROM drivers"


def _bury(connection: sqlite3.Connection, dead: Iterable[int]) -> None:
    """Remove dead drivers; their runs were interrupted."""
    for number in dead:
        connection.execute("DELETE FROM leases WHERE driver = ?", (number,))
        connection.execute("DELETE FROM drivers WHERE id = ?", (number,))
        connection.execute(
            "UPDATE runs SET status = 'interrupted' WHERE driver = ? AND status = 'running'", (number,)
        )


_here: Origin | None = None


def here() -> Origin:
    """Where this process lives. Asked once a process."""
    global _here  # noqa: PLW0603 - it cannot change, except by a fork
    if _here is None or _here.pid != os.getpid():
        _here = Origin(_host(), _boot(), os.getpid(), born(os.getpid()) or "")
    return _here


def is_alive(other: Origin, origin: Origin) -> bool | None:
    """Whether a process still runs, as far as `origin` can tell; None where it cannot.

    On one host, another boot means dead. Elsewhere (another machine, another container) nobody can ask.
    """
    if other.host != origin.host:
        return None
    if other.boot != origin.boot:
        return False
    return born(other.pid) == other.born


def born(pid: int) -> str | None:
    """When a process began, in whatever unit the system has; None where there is no such process."""
    if sys.platform == "linux":
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                text = file.read()
        except OSError:
            return None
        fields = text[text.rfind(b")") + 2 :].split()
        return None if fields[0] in (b"Z", b"X") else fields[19].decode()
    return _born_by_ps(pid)


def _born_by_ps(pid: int) -> str | None:
    import subprocess  # macOS has no /proc

    found = subprocess.run(
        ["/bin/ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or None


def _host() -> str:
    """The host's name and the process-id namespace: two containers do not see each other's processes."""
    import socket

    try:
        return f"{socket.gethostname()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return socket.gethostname()


def _boot() -> str:
    """What changes when the machine is started again."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""
