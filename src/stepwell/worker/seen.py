"""What was seen while a step ran, and what it comes to when the step is over.

`Seen` is filled by `worker.observe` as things happen; `Report` gives each thing its token at the end.
Content is looked at only then: a file whose size, times and inode are still those of the moment when
it was opened is what the step read, and one that changed meanwhile, without the step, is `moving`.
"""

from __future__ import annotations

import _thread
import os
import stat
import sys
import threading
import time
from typing import TYPE_CHECKING

from stepwell.kernel import identity
from stepwell.kernel.identity import MOVING
from stepwell.named import NamedTuple
from stepwell.worker import world as worlds
from stepwell.worker.secrets import variable_token
from stepwell.worker.world import SEPARATOR

if TYPE_CHECKING:
    from stepwell.worker.observe import Observer

MOST_IN_A_FOLDER = 10_000
"""Files of one folder that are observed one by one; for more, the folder's names, sizes and times count."""

MOST = 100_000
"""Things that are observed at all; a step that reads more is never up to date."""

MOST_NAMES = 1_000
"""Names of a step's own making that are left out of a listing; where there are more, they count like others."""


class Observed(NamedTuple):
    """What a step was seen to do: (what, token) of all it read, paths that it changed, notes for people."""

    observed: tuple[tuple[str, str], ...] = ()
    wrote: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


NOTHING = Observed()


class ImportRead(NamedTuple):
    """Something that was read while a first-party module was imported.

    `file` is the absolute path of the module's source, `line` a line of the module-level statement
    that was running, `what` and `token` are as for steps. `own`: the modules themselves changed it
    meanwhile, so that a second import may find it different.
    """

    file: str
    line: int
    what: str
    token: str
    own: bool = False
    ran: bool = False
    """The file was executed, as a module: a fingerprint that covers it says all that there is to say of it."""


Mark = tuple[int, int, int, int] | str
"""How a path looked when it was read: size, mtime, ctime, inode; or at once the token."""

Thing = tuple[str, str]
"""Kind ("file", "kind", "list", "link", "$", "code": a file that was executed) and absolute path or name."""


class Seen:
    """What was seen since `began` (nanoseconds, by the clock of file systems). `thread` is the step's own."""

    def __init__(self) -> None:
        self.began = self.thread = 0
        self.touched = False
        """Whether anything counted."""
        self.marks: dict[Thing, Mark] = {}
        self.counts: dict[str, int] = {}
        self.whole: dict[str, str] = {}
        self.noted: set[str] = set()
        self.named_ports: set[str] = set()
        self.made: set[str] = set()
        """Paths whose whole content is the step's."""
        self.soft: set[Thing] = set()
        """Of `marks`, what counts only where the step does not change the path afterwards."""
        self.linked = False
        """Whether the step made symbolic links: what is below one may be nothing of its own."""
        self.hard: dict[str, str] = {}
        """Hard links that the step made, and the file that each is."""
        self.shown: set[str] = set()
        """Files that `linecache` read, as it names them."""
        self.changed: set[str] = set()
        """Paths that the step changed in any way."""
        self.wrote: set[str] = set()
        self.databases: dict[str, Mark] = {}
        self.children = False
        self.others: frozenset[threading.Thread] = frozenset()
        """Threads that were there before."""
        self.broken: set[str] = set()
        self.places: dict[tuple[str, int], set[Thing]] = {}
        """By file and line of module-level statements, what was read by them."""

    def start(self) -> Seen:
        """From now on, in this thread."""
        self.began, self.thread = _now(), _thread.get_ident()
        self.others = frozenset(threading._active.values())  # type: ignore[attr-defined]  # `enumerate` takes a lock
        return self


class Report:
    """What was seen, as it stands when the step (or the import) is over."""

    def __init__(self, observer: Observer, seen: Seen) -> None:
        self.observer, self.seen = observer, seen
        self.marks = dict(seen.marks)
        self.world = observer.world(observer.root, observer.memory)
        self.moved: list[str] = []
        for path, before in seen.databases.items():
            if mark_of(worlds.status_of(path)) != before:  # most likely by this step
                seen.changed.add(path)
                if not path.endswith(LOG):
                    seen.wrote.add(path)

    def observed(self, *, tokens: bool) -> Observed:
        """All of it."""
        seen, spell = self.seen, self.observer.spell
        lines: dict[str, str] = {}
        if tokens:
            lines = self._lines()
            lines.update((what, "") for what in seen.noted)
        notes = [f"`{path}` {_MOVED}" for path in sorted(set(self.moved))]
        if "$*" in lines and not any(what.startswith("ran ") for what in seen.noted):
            notes.append(_WHOLE)  # else it is for that program
        for clause in sorted(seen.broken):
            lines["file ?"] = MOVING
            notes.append(
                f"what the step read could not be observed ({clause}); its result is used once {_NOT_KEPT}"
            )
        wrote = sorted(map(printable, map(spell, list(seen.wrote))))
        if len(wrote) > MOST_IN_A_FOLDER:
            wrote = sorted({os.path.dirname(path) or "." for path in wrote})
        return Observed(tuple(sorted(lines.items())) if tokens else (), tuple(wrote), tuple(notes))

    def import_reads(self) -> tuple[ImportRead, ...]:
        """What module-level statements have read since the last time."""
        places, self.seen.places = self.seen.places, {}
        known: dict[Thing, tuple[str, str]] = {}
        reads = []
        for (file, line), things in places.items():
            for thing in things:
                if thing not in self.marks:
                    continue
                if thing not in known:
                    known[thing] = self._line(thing, self.marks[thing])
                reads.append(
                    ImportRead(file, line, *known[thing], self._is_own_doing(thing), thing[0] == "code")
                )
        return tuple(sorted(set(reads)))

    def _is_own_doing(self, thing: Thing) -> bool:
        kind, name = thing
        if kind == "$":
            now = os.environ._data.get(os.fsencode(name))  # type: ignore[attr-defined]
            value = None if now is None else os.fsdecode(now)
            return (
                name != "*"
                and identity.variable_token(name, value) != self.marks[thing]
                and name not in self.observer._lent
            )
        return self._was_changed(name) or self.seen.children

    def _lines(self) -> dict[str, str]:
        lines: dict[str, str] = {}
        marks, whole = self.marks, dict(self.seen.whole)
        for thing, mark in marks.items():
            kind, path = thing
            if thing in self.seen.soft and self._was_changed(path):
                continue
            hidden = kind == "kind" or (kind == "link" and thing in self.seen.soft)
            if hidden and (("file", path) in marks or ("list", path) in marks):
                continue  # what is in it says also that it is there
            if kind in ("file", "kind") and os.path.dirname(path) in whole:
                if (
                    isinstance(mark, tuple)
                    and mark_of(worlds.status_of(path)) != mark
                    and not self._excused(path)
                ):
                    self.moved.append(self.observer.spell(path))
                    whole[os.path.dirname(path)] = MOVING
                continue
            what, token = self._line(thing, mark)
            lines[what] = token
        for folder, before in whole.items():
            what = f"all {self.observer.spell(folder)}"
            token = self.world.token(what)
            if before == MOVING or (token != before and not self._excused_below(folder)):
                token = MOVING
            lines[what] = token
        return lines

    def _line(self, thing: Thing, mark: Mark) -> tuple[str, str]:
        """One observed thing as text, and its token."""
        kind, path = thing
        if kind == "$":
            token = variable_token(path, str(mark))
            return f"${printable(path)}", token if printable(path) == path else MOVING
        what = f"{'file' if kind == 'code' else kind} {self.observer.spell(path)}"
        if SEPARATOR in path or printable(path) != path:
            return printable(what).replace(SEPARATOR, "?"), MOVING
        if kind == "list":
            what = SEPARATOR.join((what, *self._own_names(path)))
        if isinstance(mark, str):
            return what, self.world.token(what) if self._excused(path) else mark
        excused = self._excused_below(path) if kind == "list" else self._excused(path)
        token = self.world.token(what)
        if not excused and mark_of(worlds.status_of(path)) != mark:
            self.moved.append(self.observer.spell(path))
            token = MOVING
        return what, token

    def _own_names(self, folder: str) -> list[str]:
        """Names in a folder that the step made, and that are there."""
        own = [
            name
            for path in list(self.seen.made)
            if os.path.dirname(path) == folder and printable(name := os.path.basename(path)) == name
            if SEPARATOR not in name and os.path.lexists(path)
        ]
        return sorted(own) if len(own) <= MOST_NAMES else []

    def _excused(self, path: str) -> bool:
        """Whether a change of a path can be the step's own."""
        return self.seen.children or self._was_changed(path)

    def _excused_below(self, folder: str) -> bool:
        """Whether a change of a folder can be the step's own."""
        return self._excused(folder) or any(
            os.path.dirname(path) == folder for path in list(self.seen.changed)
        )

    def _was_changed(self, path: str) -> bool:
        changed = self.seen.changed
        while changed and len(path) > 1:
            if path in changed:
                return True
            path = os.path.dirname(path)
        return False


LOG = "-wal"
"""What the name of a SQLite database's log ends with."""

_WHOLE = (
    "reads the whole environment, which is not compared with what it is later: name what counts, `env=[...]`"
)
_NOT_KEPT = "and not kept as up to date"
_MOVED = f"changed while the step read it: its result is used once {_NOT_KEPT}"


def kind_of_opening(flags: int, *, absent: bool) -> str:
    """What of a file counts when it is opened so: "file", "kind" or nothing.

    A file that is opened to be appended to cannot be read by that; where the step reads it later, it counts.
    """
    access = flags & os.O_ACCMODE
    if access == os.O_RDONLY:
        return "file"
    if flags & os.O_EXCL:
        return "" if absent else "kind"
    if access == os.O_RDWR and not flags & os.O_TRUNC and not (absent and flags & os.O_CREAT):
        return "file"
    return ""


def _now() -> int:
    """The time by which file systems stamp files: on Linux some milliseconds behind the clock."""
    return time.clock_gettime_ns(_COARSE) if _COARSE else time.time_ns()


_COARSE = 5 if sys.platform == "linux" else 0
"""`CLOCK_REALTIME_COARSE`."""


def mark_of(status: os.stat_result | str) -> Mark:
    """How a path looks, from its status."""
    if isinstance(status, str):
        return status
    mode = status.st_mode
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino
    return worlds.kind_of(status)


def printable(text: str) -> str:
    """Text that can be stored: bytes that are no UTF-8 are replaced."""
    return os.fsencode(text).decode("utf-8", "replace") if not text.isascii() else text
