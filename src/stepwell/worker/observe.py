"""What a step was seen to read: files, folders, probed paths, variables; and what it wrote.

    observer = Observer(root, is_own)
    observer.begin()                      # before the step's function is called
    seen = observer.end()                 # after it: Observed(observed, wrote, notes)

Three sources, all silent unless a step runs or a first-party module is being imported:

    audit events     opening, listing, SQLite, programs, sockets, changes of files (`worker.hooks`)
    functions of os  stat, lstat, access, readlink: they raise no events and are replaced meanwhile
    os.environ       reading a variable: the mapping is given a class that tells

An event counts for a step when, going out from it, the stack shows first-party code (or the end of
the stack of one of the step's threads) before it shows an import or anything else that is `PLUMBING`.
While a first-party module is imported, an event also belongs to the module-level statement that is
running: `ImportRead`.

What is observed and what is not, and why: `docs/internals/observed.md`.
"""

from __future__ import annotations

import _thread
import importlib.util
import linecache
import opcode
import os
import re
import stat
import sys
import threading
import types
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from types import FrameType
from typing import Any
from urllib.parse import unquote

from stepwell.kernel import identity
from stepwell.sources.memo import Memory
from stepwell.worker import hooks, secrets, zones
from stepwell.worker import world as worlds
from stepwell.worker.hiding import ahead
from stepwell.worker.seen import (
    LOG,
    MOST,
    MOST_IN_A_FOLDER,
    NOTHING,
    ImportRead,
    Mark,
    Observed,
    Report,
    Seen,
    Thing,
    kind_of_opening,
    mark_of,
    printable,
)
from stepwell.worker.world import ABSENT
from stepwell.worker.zones import (
    COUNTS,
    MAPPING,
    MIXED,
    NEVER,
    NEVER_PARTS,
    OTHERS,
    OWN,
    PLUMBING,
    PLUMBING_PARTS,
    TEMPORARY,
    is_plumbing,
    is_plumbing_name,
)

__all__ = ["ImportRead", "Observed", "Observer", "is_zoned"]

_readlink, _getcwd = os.readlink, os.getcwd
ENVIRON = os.environ
"""The mapping of this process's variables, whatever somebody puts in its place."""

_NO_TURN: tuple[dict[int, Any], int, int] = ({}, 0, 0)


class Observer:
    """Observes steps, one at a time, and imports of first-party modules.

    `root` is the project's folder, `is_own` says whether a source file is first-party, `roots` are
    further folders of the project's own, `sources` the files of its modules that are loaded.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        is_own: Callable[[str], bool],
        roots: Iterable[str] = (),
        sources: Container[str] = (),
    ) -> None:
        self.root = os.path.abspath(root)
        self._real = os.path.realpath(self.root)
        self._is_own = is_own
        self._roots = (self.root, *roots)
        self._sources = sources
        self._kinds = dict(zones.KINDS)
        self._folders: dict[str, int] = {}
        self._zones: dict[str, int] | None = None
        self._store = ""
        self._lent: Mapping[str, str] = {}
        self._base: dict[bytes, bytes] | None = None
        self.memory = Memory()
        self.world: type[worlds.World] = worlds.World
        """What says what a thing that was seen comes to."""
        self._pinned: frozenset[str] = frozenset()
        self._pinned_folders: tuple[str, ...] = ()
        self._covered: Container[str] | None = None
        self.strays: dict[str, str] = {}
        """Modules of the project that Python's own importer executed during a step: file by name."""
        self._step = False
        self._imports = 0
        self._outer: Observer | None = None
        self._seen: Seen | None = None
        self._spare: Seen | None = None
        self.turn = _NO_TURN
        """Names that an iteration over all variables has given, and to which call."""

    def settle(self, store: str | os.PathLike[str] = "", lent: Mapping[str, str] | None = None) -> None:
        """Steps will run, with results in `store`; what the environment is now was not made by them.

        `lent` are variables that this process has and the driver has not: they count as not set.
        """
        self._store = os.path.abspath(store) if store else ""
        self._lent = lent or {}
        self._base = dict(os.environ._data)  # type: ignore[attr-defined]
        self._zones = None
        self._folders.clear()

    # ------------------------------------------------------------------ windows

    def begin(
        self,
        pinned: Sequence[str] = (),
        folders: Sequence[str] = (),
        covered: Container[str] | None = None,
        *,
        zoned: bool = False,
    ) -> None:
        """A step's function will be called. Neither `pinned` files nor what lies in `folders` will count.

        `covered` are the source files that its fingerprint is taken of: other files of the project count
        when they are executed. None where that is not known: then none does. `zoned`: it reckons with local
        time, so that the time zone counts.
        """
        if self._zones is None:
            self._look_around()
        self._covered = covered
        if pinned or self._pinned:
            self._pinned = frozenset(pinned)
            self._pinned_folders = tuple([f"{folder}{os.sep}" for folder in folders])
        self._seen, self._spare = (self._spare or Seen()).start(), None
        self._step = True
        if zoned:
            self._seen.touched = True
            self._seen.marks["$", "TZ"] = self._token("TZ", ENVIRON._data.get(b"TZ"))  # type: ignore[attr-defined]
        self._outer = hooks.tell(self)

    def end(self, *, tokens: bool = True) -> Observed:
        """The function is done. Without `tokens`, what was read is not looked at: the step failed."""
        seen, self._seen, self.turn = self._seen, None, _NO_TURN
        hooks.tell(self._outer)
        if seen is not None and seen.shown:
            _forget_lines(seen.shown)
        self._outer, self._step = None, False
        if seen is None:
            return NOTHING
        if not seen.touched:
            self._spare = seen
            return NOTHING
        return Report(self, seen).observed(tokens=tokens)

    def enter_import(self) -> None:
        """A first-party module will be executed."""
        self._imports += 1
        if self._seen is None:
            self._look_around()
            self._seen = Seen().start()
            self._outer = hooks.tell(self)

    def leave_import(self) -> tuple[ImportRead, ...]:
        """The module was executed. What it and others that it imported have read, when the outermost is done."""
        self._imports -= 1
        seen = self._seen
        if self._imports or seen is None:
            return ()
        if not self._step:
            self._seen = None
            hooks.tell(self._outer)
            self._outer = None
        return Report(self, seen).import_reads() if seen.places else ()

    @property
    def in_step(self) -> bool:
        """Whether a step's function is running."""
        return self._step

    def failed(self, error: Exception) -> None:
        """Something could not be observed."""
        seen = self._seen
        if seen is not None:
            seen.touched = True
            seen.broken.add(f"{type(error).__name__}: {error}")

    # ------------------------------------------------------------------ what counts

    def _counts(self, seen: Seen, frame: FrameType | None) -> FrameType | bool:
        """Whether an event at this frame counts: the first-party frame, or True where the step's stack has none."""
        kinds = self._kinds
        while frame is not None:
            code = frame.f_code
            kind = kinds.get(code.co_filename)
            if kind is None:
                kind = self._classify(code.co_filename)
            if kind:
                if kind == OWN:
                    seen.touched = True
                    return frame
                if kind == PLUMBING or is_plumbing(code):
                    return False
            frame = frame.f_back
        if not self._step:
            return False
        counts = seen.thread == _thread.get_ident() or threading.current_thread() not in seen.others
        seen.touched = seen.touched or counts
        return counts

    def _classify(self, filename: str) -> int:
        if filename.startswith("<") or any(part in filename for part in PLUMBING_PARTS):
            kind = OTHERS if filename.startswith("<") else PLUMBING
        elif filename == secrets.__file__:  # where a secret is read is known, and what it is must not be
            kind = PLUMBING
        elif filename.startswith(zones.PACKAGE):  # Stepwell's own, wherever it lies
            kind = OTHERS
        else:
            kind = OWN if self._is_own(filename) else OTHERS
        self._kinds[filename] = kind
        return kind

    def _look_around(self) -> None:
        """Find out what lies where. Not inside an event: Python may be in the middle of finding that out itself."""
        if self._zones is None:
            self._zones = zones.zones(self._roots)
            if self._store:
                self._zones[self._store] = NEVER

    def _zone(self, folder: str) -> int:
        """What lies directly in this folder: COUNTS, NEVER or TEMPORARY."""
        kind = self._folders.get(folder)
        if kind is None:
            at, known = folder, self._zones or {}
            while at not in known and at != (above := os.path.dirname(at)):
                at = above
            kind = known.get(at, COUNTS)
            if kind == COUNTS and not NEVER_PARTS.isdisjoint(folder[len(at) :].split("/")):
                kind = NEVER
            self._folders[folder] = kind
        return kind

    def _path(self, path: Any, dir_fd: Any = None) -> str:
        """The absolute path of what a function was given; empty where that cannot be told, or never counts."""
        if type(path) is int:
            path = _of_descriptor(path)
        elif type(path) is not str:
            path = "." if path is None else os.fsdecode(path)
        if not path:
            return ""
        if path[0] != "/":
            base = _getcwd() if dir_fd in (None, -1) else _of_descriptor(dir_fd)
            if not base:
                return ""
            path = f"{base}/{path}"
        if "/." in path or "//" in path or path[-1] == "/":
            if "/.." in path:
                self._passes(path)
                path = _resolved(path)
            else:
                path = os.path.normpath(path)
            path = f"/{path.lstrip('/')}"  # two slashes at the beginning are kept by `normpath`
        real = self._real
        if real != self.root and path.startswith(real) and path[len(real) :][:1] in ("", "/"):
            path = self.root + path[len(real) :]
        return "" if self._zone(os.path.dirname(path)) == NEVER else path

    def _passes(self, path: str) -> None:
        """A path with `..` in it: what it means depends on what it goes through, if that is a link or absent."""
        seen, at = self._seen, path.find("/..")
        while seen is not None and at > 0:
            before = os.path.normpath(path[:at])
            token = worlds.link(before) if "/.." not in path[:at] else worlds.FOLDER
            status = worlds.status_of(before)
            if (
                token != worlds.FOLDER
                and self._lies(seen, before, status)
                and not self._is_made(seen, before)
            ):
                seen.marks.setdefault(("link", before), token)
            at = path.find("/..", at + 1)

    def _lies(self, seen: Seen, path: str, status: os.stat_result | str) -> bool:
        """Whether what lies at a path can count at all."""
        folder, name = os.path.split(path)
        zone = self._zone(folder)
        itself = (self._zones or {}).get(path)
        if itself == COUNTS:  # a root of the project, also one in a temporary folder
            return True
        if zone == COUNTS and name not in NEVER_PARTS and itself is None:
            return not name.endswith(".pyc")
        if zone == TEMPORARY and itself is None:
            return not isinstance(status, str) and status.st_ctime_ns < seen.began
        return False

    def _is_pinned(self, path: str) -> bool:
        return path in self._pinned or (
            bool(self._pinned_folders) and f"{path}/".startswith(self._pinned_folders)
        )

    def _is_made(self, seen: Seen, path: str) -> bool:
        """Whether a path is the step's own: it made it, or the folder that it lies in."""
        made = seen.made
        while made and len(path) > 1:
            if path in made:
                return True
            path = os.path.dirname(path)
        return False

    def _behind(self, seen: Seen, path: str) -> str:
        """What is really read at a path: the step may have made a link to something that is not its own."""
        if not (seen.linked or seen.hard) or not self._is_made(seen, path):
            return path
        path = seen.hard.get(path, path)
        return self._path(os.path.realpath(path)) or path if seen.linked else path

    def _note(
        self, seen: Seen, thing: Thing, mark: Mark, frame: FrameType | bool, *, soft: bool = False
    ) -> None:
        """Remember something that counts; `soft`: only if the step does not change it afterwards."""
        marks = seen.marks
        if not soft:
            seen.soft.discard(thing)
        elif thing not in marks:
            seen.soft.add(thing)
        if thing not in marks:
            folder = os.path.dirname(thing[1])
            is_file = thing[0] in ("file", "kind")
            if len(marks) >= MOST:
                seen.broken.add(f"it read more than {MOST:,} files")
                return
            if is_file and folder in seen.whole:
                return
            marks[thing] = mark
            if is_file:
                count = seen.counts[folder] = seen.counts.get(folder, 0) + 1
                if count > MOST_IN_A_FOLDER:
                    seen.whole[folder] = worlds.listing(folder, deep=True)
        if self._imports and isinstance(frame, types.FrameType):
            for place in self._statements(frame):
                seen.places.setdefault(place, set()).add(thing)

    def _statements(self, frame: FrameType | None, *, importing: bool = False) -> list[tuple[str, int]]:
        """File and line of the module-level statements that an event belongs to.

        That is the innermost one that is running (not if the event is an import itself: `importing`),
        and each that imports, in a way that no fingerprint sees, the module of one further inside:
        by a computed name, or past the importer of first-party modules.
        """
        found: list[tuple[str, int]] = []
        wanted, crossing, by_us = not importing, importing, False
        while frame is not None:
            code = frame.f_code
            kind = self._kinds.get(code.co_filename)
            if kind is None:
                kind = self._classify(code.co_filename)
            if kind == PLUMBING or (kind == MIXED and is_plumbing(code)):
                by_us = (by_us and crossing) or code.co_filename == zones.IMPORTER
                crossing = True
            else:
                if crossing:
                    crossing, wanted = False, not (by_us and kind == OWN and _is_statement(frame))
                    by_us = False
                if wanted and kind == OWN and code.co_name == "<module>":
                    found.append((code.co_filename, frame.f_lineno))
                    wanted = False
            frame = frame.f_back
        return found

    # ------------------------------------------------------------------ code

    def executed(
        self, path: str, frame: FrameType, data: bytes | None = None, *, by_name: bool = False
    ) -> bool:
        """A source file is about to be executed as a module, from `data` if given.

        If it was found `by_name`, files that would have been found first count as absent. Returns whether it counts for the running step: no fingerprint covers it.
        """
        seen = self._seen
        if seen is None or not self._is_own(path := self._path(path)):
            return False
        places = self._statements(frame, importing=True) if self._imports else []
        counts = self._step and self._covered is not None and path not in self._covered
        if not (counts or places) or self._is_made(seen, path):
            return False
        mark = mark_of(worlds.status_of(path)) if data is None else worlds.content_of(data)
        marks: dict[Thing, Mark] = {("code", path): mark}
        if by_name:
            missing = filter(self._path, ahead(path, self._roots))
            marks |= {("kind", other): worlds.kind_of(worlds.status_of(other)) for other in missing}
        if counts:
            seen.touched = True
        for thing, mark in marks.items():
            seen.marks.setdefault(thing, mark)
        for place in places:
            seen.places.setdefault(place, set()).update(marks)
        return counts

    def strayed(self, name: str, path: str, frame: FrameType) -> None:
        """Python's own importer is about to execute a source file as the module `name`."""
        self.executed(path, frame)
        if self._step and self._is_own(self._path(path)):
            self.strays[name] = path

    def met(self, name: str, frame: FrameType) -> None:
        """A module was asked for by a computed name: if it is loaded already, nobody will execute it."""
        for path in _files_of(name, self._is_own) if self._seen is not None else ():
            self.executed(path, frame, by_name=True)

    def missed(self, paths: Iterable[str], frame: FrameType) -> None:
        """A module was looked for in these places of the project, and is in none."""
        seen = self._seen
        asker = None if seen is None else self._asker(frame)
        if seen is None or asker is None:
            return
        places = self._statements(frame, importing=True) if self._imports else []
        covered = self._covered is None or asker.f_code.co_filename in self._covered
        counts = self._step and not (covered and _is_statement(asker))
        for path in map(self._path, paths):
            if path and (counts or places) and not self._is_made(seen, path):
                seen.touched = seen.touched or counts
                thing = ("kind", path)
                seen.marks.setdefault(thing, worlds.kind_of(worlds.status_of(path)))
                for place in places:
                    seen.places.setdefault(place, set()).add(thing)

    def _asker(self, frame: FrameType | None) -> FrameType | None:
        """The first-party frame that wants a module, unless a library does."""
        while frame is not None:
            name = frame.f_code.co_filename
            kind = self._kinds.get(name)
            if kind is None:
                kind = self._classify(name)
            if kind == OWN:
                return frame
            if kind == OTHERS and not name.startswith(("<", zones.STDLIB)):
                return None
            if name.startswith(zones.STDLIB) and frame.f_code.co_name == "<module>":
                return (
                    None  # a module of Python's own: `subprocess` asks for `msvcrt` wherever it is imported
                )
            frame = frame.f_back
        return None

    # ------------------------------------------------------------------ events

    def opened(self, path: Any, flags: Any, frame: FrameType, dir_fd: Any = None) -> None:
        """A file is about to be opened."""
        seen = self._seen
        if seen is None or type(path) is int:
            if seen is not None and path == 0 and self._counts(seen, frame):
                seen.noted.add("ran ?")  # standard input: what it gave is gone, as what a program says
            return
        counted = self._counts(seen, frame)
        if not counted:
            return
        given, path = path, self._behind(seen, self._path(path, dir_fd))
        if not path or self._is_pinned(path):
            return
        if _is_for_lines(frame):
            if path.endswith(".py") or path in self._sources:
                return
            seen.shown.add(given)
        status = worlds.status_of(path)
        is_made = self._is_made(seen, path)
        if not (is_made or self._lies(seen, path, status)):
            return
        if not isinstance(status, str) and stat.S_ISDIR(status.st_mode):
            return  # for its descriptor: what is done with it shows by itself
        flags = flags if isinstance(flags, int) else os.O_RDONLY
        if not is_made and (kind := kind_of_opening(flags, absent=status == ABSENT)):
            self._note(seen, (kind, path), mark_of(status), counted)
        if flags & os.O_ACCMODE != os.O_RDONLY:
            self._writes(seen, path, flags, absent=status == ABSENT)

    def _writes(self, seen: Seen, path: str, flags: int, *, absent: bool) -> None:
        if flags & os.O_EXCL and not absent:
            return  # it will fail
        seen.changed.add(path)
        if self._zone(os.path.dirname(path)) == COUNTS:
            seen.wrote.add(path)
        if flags & os.O_TRUNC or (absent and flags & os.O_CREAT):
            seen.made.add(path)

    def probed(
        self, path: Any, dir_fd: Any, result: Any, frame: FrameType, *, follows: bool, soft: bool = False
    ) -> None:
        """Somebody looked whether a path exists, or where a link leads. `result` may be an `OSError`."""
        seen = self._seen
        if seen is None:
            return
        counted = self._counts(seen, frame)
        if not counted:
            return
        path = self._path(path, dir_fd)
        if follows:
            path = self._behind(seen, path)
        if not path or self._is_pinned(path) or (path.endswith(".py") and _is_for_lines(frame)):
            return
        status: os.stat_result | str
        is_link = type(result) is str or type(result) is bytes
        if isinstance(result, os.stat_result):
            is_link = not follows and stat.S_ISLNK(result.st_mode)
            status = result
        elif isinstance(result, OSError):
            status = worlds.why_not(result)
            is_link = not follows and status == ABSENT
        else:
            status = worlds.status_of(path)
        if path in self._sources:
            return  # that it is there is known, and its size changes with every edit
        if soft and path == self.root:
            return
        if self._lies(seen, path, status) and not self._is_made(seen, path):
            if is_link or soft:
                self._note(seen, ("link", path), worlds.link(path), counted, soft=soft)
            else:
                self._note(seen, ("kind", path), worlds.kind_of(status), counted)

    def listed(self, path: Any, frame: FrameType) -> None:
        """A folder is about to be listed."""
        seen = self._seen
        counted = seen is not None and self._counts(seen, frame)
        if seen is None or not counted:
            return
        path = self._behind(seen, self._path(path))
        if not path or self._is_pinned(path) or "/.git/" in f"{path}/":
            return
        status = worlds.status_of(path)
        if self._lies(seen, path, status) and not self._is_made(seen, path):
            self._note(seen, ("list", path), mark_of(status), counted)

    def connected(self, database: Any, frame: FrameType) -> None:
        """A SQLite database is about to be opened: it may be read, and written."""
        seen = self._seen
        counted = seen is not None and self._counts(seen, frame)
        name = _database(database)
        if seen is None or not counted or not name:
            return
        path = self._behind(seen, self._path(name))
        status = worlds.status_of(path) if path else ABSENT
        if (
            not path
            or self._is_pinned(path)
            or not self._lies(seen, path, status)
            or self._is_made(seen, path)
        ):
            return
        self._note(seen, ("file", path), mark_of(status), counted)
        seen.databases.setdefault(path, mark_of(status))
        if _has_log(path):  # what others have committed may be there alone, as long as they have it open
            log = path + LOG
            self._note(seen, ("file", log), mark_of(worlds.status_of(log)), counted)
            seen.databases.setdefault(log, mark_of(worlds.status_of(log)))

    def entered(self, path: Any, frame: FrameType) -> None:
        """Somebody is about to change to a folder: that it fails is an answer."""
        seen = self._seen
        counted = seen is not None and self._counts(seen, frame)
        if seen is not None and counted and not os.path.isdir(path := self._path(path)):
            self._answers(seen, path, counted)

    def _answers(self, seen: Seen, path: str, counted: FrameType | bool) -> None:
        """Something will fail for what there is at a path, or is not."""
        status = worlds.status_of(path) if path else ABSENT
        if (
            path
            and self._lies(seen, path, status)
            and not (self._is_made(seen, path) or self._is_pinned(path))
        ):
            self._note(seen, ("kind", path), worlds.kind_of(status), counted, soft=True)

    def linked(
        self, path: Any, dir_fd: Any, frame: FrameType, source: Any = None, source_fd: Any = None
    ) -> None:
        """A symbolic link is about to be made, or a hard one to `source`."""
        seen = self._seen
        counted = seen is not None and self._counts(seen, frame)
        if seen is None or not counted:
            return
        if source is not None:
            source = self._behind(seen, self._path(source, source_fd))
            if worlds.status_of(source) == ABSENT:
                self._answers(seen, source, counted)
                return
        self.changes(path, dir_fd, frame, makes=True)
        if source is None:
            seen.linked = True
        elif (path := self._path(path, dir_fd)) in seen.made:
            seen.hard[path] = source

    def changes(
        self,
        path: Any,
        dir_fd: Any,
        frame: FrameType,
        *,
        makes: bool = False,
        only_touches: bool = False,
        by_the_way: bool = False,
    ) -> None:
        """A path is about to be created (`makes`) or removed, or (`only_touches`) to get other times or rights.

        `by_the_way`: that this fails is no answer, as for `makedirs(exist_ok=True)`.
        """
        seen = self._seen
        counted = seen is not None and self._counts(seen, frame)
        path = self._path(path, dir_fd) if counted else ""
        if seen is None or not path:
            return
        is_new = worlds.status_of(path) == ABSENT and not os.path.islink(path)
        if makes and is_new and not os.path.isdir(above := os.path.dirname(path)):
            if not by_the_way:
                self._answers(seen, above, counted)
        elif makes != is_new:  # it fails: `mkdir` where there is a folder, `unlink` where there is nothing
            if not by_the_way:
                self._answers(seen, path, counted)
        elif only_touches:
            seen.changed.add(path)
        else:
            if makes:
                seen.made.add(path)
            else:
                seen.hard.pop(path, None)
            seen.changed.add(path)
            if self._zone(os.path.dirname(path)) == COUNTS:
                seen.wrote.add(path)

    def renamed(self, args: tuple[Any, ...], frame: FrameType) -> None:
        """A file or folder is about to get another name."""
        seen = self._seen
        counted = seen is not None and self._counts(seen, frame)
        if seen is None or not counted:
            return
        source, target = self._path(args[0], args[2]), self._path(args[1], args[3])
        if source and not os.path.lexists(source):
            self._answers(seen, source, counted)
            return
        if os.path.isdir(target) and target != source:  # it may have to be empty
            self._answers(seen, target, counted)
        if source in seen.hard:
            seen.hard[target] = seen.hard.pop(source)
        for path in (source, target):
            if path and self._zone(os.path.dirname(path)) == COUNTS:
                seen.wrote.add(path)
        seen.changed.update(path for path in (source, target) if path)
        if target and self._is_made(seen, source):
            seen.made.add(target)

    def ran(self, program: Any, frame: FrameType) -> None:
        """A program is about to be started, which will not be observed."""
        seen = self._seen
        if seen is None or not self._counts(seen, frame):
            return
        if isinstance(program, list | tuple):
            program = program[0] if program else ""
        if self._step:
            name = os.fsdecode(program) if isinstance(program, str | bytes | os.PathLike) else ""
            seen.noted.add(f"ran {printable(os.path.basename(name)) or '?'}")
        seen.children = True

    def reached(self, host: Any, port: Any, frame: FrameType, *, named: bool) -> None:
        """A connection is about to be made, or a host's name looked up."""
        seen = self._seen
        if seen is None or not self._step or not self._counts(seen, frame):
            return
        host = host.decode("ascii", "replace") if isinstance(host, bytes) else host or "localhost"
        port = port.decode("ascii", "replace") if isinstance(port, bytes) else port
        if not named and str(port) in seen.named_ports:
            return  # the address of a name that was looked up
        if named:
            seen.named_ports.add(str(port))
        seen.noted.add(f"net {printable(str(host))}:{'' if port is None else port}")

    def variable(self, key: Any, frame: FrameType) -> None:
        """An environment variable is about to be read; `*`: all of them."""
        seen = self._seen
        code = frame.f_code
        if seen is None or (
            code.co_filename in MAPPING and code.co_name in ("__iter__", "popitem") and key != "*"
        ):
            return
        if not isinstance(key, str | bytes):
            return
        if id(key) in self.turn[0] and self.turn[1:] == (id(frame), frame.f_lasti):
            return  # `dict(os.environ)`
        counted = self._counts(seen, frame)
        if not counted:
            return
        reader: FrameType | None = frame
        while reader is not None and reader.f_code.co_filename in MAPPING:
            reader = reader.f_back
        directly = reader is not None and reader is counted
        name = os.fsdecode(key)
        if not directly and (name == "*" or is_plumbing_name(name)):
            return
        raw = os.fsencode(name)
        value = ENVIRON._data.get(raw)  # type: ignore[attr-defined]
        if self._step and self._base is not None and self._base.get(raw) != value:
            return  # the step, or what it imported, has set it
        self._note(seen, ("$", name), "" if name == "*" else self._token(name, value), counted)

    def _token(self, name: str, value: bytes | None) -> str:
        """The token of a variable in the driver."""
        text = None if value is None else os.fsdecode(value)
        known = None if text is None or self._lent.get(name) == text else secrets.masked(text)
        return identity.variable_token(name, known)

    def spell(self, path: str) -> str:
        """A path as people and other machines know it: from the project's root where it lies below it."""
        if path == self.root:
            return "."
        return path[len(self.root) + 1 :] if path.startswith(self.root + "/") else path


_LOCAL = re.compile(
    rb"\b(localtime|fromtimestamp|timestamp|mktime|strftime|ctime|astimezone|tzlocal|tzname|tzset)\b"
    rb"|\basctime\s*\(|\btime\.(timezone|altzone|daylight)\b"
)


def is_zoned(sources: Iterable[bytes]) -> bool:
    """Whether code, by its text, may reckon with local time. C does it, so that nobody sees the zone being read."""
    return any(_LOCAL.search(source) is not None for source in sources)


def _forget_lines(shown: Container[str]) -> None:
    """The next step reads them again."""
    known = linecache.cache
    for name in [name for name, entry in known.items() if len(entry) == 4 and entry[3] in shown]:
        del known[name]


def _is_for_lines(frame: FrameType | None) -> bool:
    """Whether it is `linecache` that looks at a file: of sources it shows the lines."""
    for _ in range(2):
        if frame is not None and frame.f_code.co_filename == zones.LINECACHE:
            return True
        frame = frame.f_back if frame is not None else None
    return False


def _has_log(path: str) -> bool:
    """Whether a file is a SQLite database whose commits go to a log beside it."""
    try:
        with open(path, "rb", buffering=0) as file:
            head = file.read(20)
    except OSError:
        return False
    return head[:15] == b"SQLite format 3" and head[18:20] == b"\2\2"


_IMPORT_NAME = opcode.opmap["IMPORT_NAME"]


def _is_statement(frame: FrameType) -> bool:
    """Whether what a frame is at is an `import` statement: those are seen in the source."""
    return frame.f_code.co_code[frame.f_lasti] == _IMPORT_NAME


def _files_of(name: str, is_own: Callable[[str], bool]) -> Iterator[str]:
    """The source files of a loaded first-party module, and of those that its names come from."""
    todo, known = [name], {name}
    while todo:
        module = sys.modules.get(todo.pop())
        file = getattr(module, "__file__", None)
        if not isinstance(module, types.ModuleType) or not isinstance(file, str) or not is_own(file):
            continue
        yield file
        values = list(vars(module).values())
        names = [
            v.__name__ if isinstance(v, types.ModuleType) else getattr(v, "__module__", 0) for v in values
        ]
        new = {each for each in (*names, *_imported(module, file)) if isinstance(each, str)} - known
        known |= new
        todo += new


def _imported(module: types.ModuleType, file: str) -> Iterator[str]:
    """Names of all that the `import` statements of a module may have imported."""
    import ast  # most processes need none of this

    tree = ast.parse(module.__loader__.get_data(file))  # type: ignore[union-attr]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in [alias.name for alias in node.names]:
                yield from (name[:at] for at in range(len(name) + 1) if name[at : at + 1] in ("", "."))
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            full = importlib.util.resolve_name(base, module.__package__)
            yield full
            yield from (f"{full}.{alias.name}" for alias in node.names)


def _of_descriptor(fd: int) -> str:
    """The path that a descriptor of a folder was opened by; empty where the system does not tell."""
    try:
        path = os.fsdecode(_readlink(f"/proc/self/fd/{fd}"))
    except OSError:
        return ""
    return path if path.startswith("/") else ""


def _database(given: Any) -> str:
    """The file of a SQLite database, as `connect` was given it; empty for one in memory."""
    name = os.fsdecode(given) if isinstance(given, str | bytes | os.PathLike) else ""
    if name.startswith("file:"):
        name, _, options = name.removeprefix("file:").partition("?")
        if name.startswith("//"):  # a host follows, which is empty
            name = "/" + name[2:].partition("/")[2]
        name = "" if "mode=memory" in options else unquote(name)
    return "" if name == ":memory:" else name


def _resolved(path: str) -> str:
    """A path with `..` in it: folders may be links, so only the file system knows what it means."""
    folder, name = os.path.split(path.rstrip("/"))
    if name in ("", ".", ".."):
        return os.path.realpath(path)
    return os.path.join(os.path.realpath(folder), name)
