"""What a step records, on its way to the driver: `Recording`, which `log` gives everything to.

Metrics are the many. A call adds three items to a list, nothing else; a thread of this process comes for what waits
some times a second while there is anything (`Beat`), packs the numbers of each name, and reports them. So numbers
arrive while the step is in a long calculation too, and a million of them costs a step about a second in all. What remains
is reported when the step ends. A child that the step forked has no such thread, and reports each number at once.

Pictures and the like are encoded when they are recorded, as outputs are. What cannot be recorded becomes a note.
"""

from __future__ import annotations

import json
import os
import threading
import time
from array import array
from collections.abc import Callable
from contextlib import suppress
from math import isfinite
from typing import Any
from weakref import WeakSet

from stepwell import log
from stepwell.errors import CannotRecord, RecordRefused
from stepwell.kernel.ports import Artifact, Logged, Made, Recorded
from stepwell.stores.curves import Span, pack
from stepwell.stores.recordings import Thing
from stepwell.worker import secrets
from stepwell.worker.pictures import Open, form_of, reason

Report = Callable[[Logged | Recorded], None]
"""What takes what was recorded."""

Keep = Callable[[list[tuple[str, str, Any]]], tuple[Made, ...]]
"""What encodes values: name, codec and value of each."""

BEAT = 0.25
"""Seconds between two reports of numbers."""

SLEEP = 5.0
"""Seconds without numbers after which nobody comes for them until they are told of."""

SHORT = 4096
"""Characters of a text that travels as it is, and stands in the row; of roles more."""

MOST_NAMES = 10_000
"""Names of metrics in one execution of a step."""

MOST_THINGS = 2_000
"""Pictures and the like in one execution of a step."""

MOST_NOTES = 20


class Recording(log.Recorder):
    """Takes what the steps of one process record, a task at a time: `begin(node)`, then `end()`, which gives notes.

    With `live`, numbers are reported while a step runs, from another thread.
    """

    def __init__(self, report: Report, keep: Keep, *, live: bool) -> None:
        super().__init__()
        self._report, self._keep, self._live = report, keep, live
        self._node = 0
        self._lock = threading.Lock()
        self._beat: Beat | None = None
        self._since = 0.0
        self._names: dict[str, str] = {}
        self._things: set[tuple[str, str, int | None]] = set()
        self._progress: tuple[float, float | None, str] | None = None
        self._notes: dict[str, None] = {}
        self._open = Open()
        self.used = False
        """Whether the current task has recorded anything."""
        self.forked = False
        """Whether this is the copy in a process that a step forked."""
        _all.add(self)

    # ------------------------------------------------------------------ what a worker says

    def begin(self, node: int) -> None:
        """The task of a node begins: what is recorded from now on is of it."""
        self._node, self._since = node, 0.0
        self._open.begin()

    def settle(self) -> None:
        """The figures that are open now are not the step's: modules have drawn them."""
        self._open.begin()

    def end(self) -> tuple[str, ...]:
        """The task has ended: report what waits, close the figures that it left open; notes for people."""
        self._open.close()
        if not self.points and not self.used:
            return ()
        self.flush()
        notes = tuple(self._notes)
        self._names.clear()
        self._things.clear()
        self._notes.clear()
        self.used = False
        return notes

    # ------------------------------------------------------------------ what `log` says

    def wake(self) -> None:
        """Something waits, and nobody comes for it; or too much does."""
        self.used = True
        self._since = self._since or time.time()
        if self.awake or self.forked or len(self.points) > log.MANY:
            self.flush()
        elif self._live:
            try:
                self._beat = self._beat or Beat(self)
            except (
                RuntimeError
            ):  # no thread can be started here: what waits is reported when it is much, and at the end
                self._live = False
            else:
                self._beat.wake()

    def thing(self, kind: str, name: str, value: Any, step: int | None) -> None:
        """Take something else than a metric."""
        if kind == "progress":
            self._progress = value
            if not self.awake:
                self.wake()
            return
        self.used = True
        key = (kind, name, step)
        if key not in self._things and len(self._things) >= MOST_THINGS:
            self._note(f"more than {MOST_THINGS:,} things were recorded: the rest is left out")
            return
        self._things.add(key)
        try:
            self._put(kind, secrets.masked(name), value, step)
        except (CannotRecord, MemoryError):
            raise
        except Exception as error:  # drawing and encoding call libraries, and methods of the user's  # noqa: BLE001
            self._note(f"{kind} `{name:.80}` was not recorded: {reason(error)}")

    def _put(self, kind: str, name: str, value: Any, step: int | None) -> None:
        """Report one thing, encoded where it is long. Raises what encoding raises."""
        text, made = "", None
        if kind in ("tag", "role") or (kind == "text" and len(value) <= SHORT):
            text = _plain(secrets.masked(value))
        else:
            made = self._made(kind, name, secrets.masked(value) if kind == "text" else value)
        artifact, data = made if made is not None else (None, None)
        with self._lock:
            self._report(Recorded(self._node, Thing(kind, name, step, text, artifact, data)))

    def _made(self, kind: str, name: str, value: Any) -> Made:
        form = form_of(kind, value)
        (made,) = self._keep([(name, form.codec, form.value)])
        if secrets.forms and (clause := secrets.returned(None, (made,))):
            raise RecordRefused(f"a secret is in it ({clause})")
        artifact = made.artifact
        if form.codec == "" and artifact.codec in ("pickle", "bundle"):
            raise RecordRefused("its values are no plain data: text, numbers, dates")
        codec, note = form.shown_as or artifact.codec, form.note or artifact.note
        return Made(Artifact(*artifact[:1], codec, *artifact[2:5], note), made.data)

    def _note(self, what: str) -> None:
        if len(self._notes) < MOST_NOTES:
            self._notes[f"{RecordRefused.code}: {secrets.masked(what)}"] = None

    # ------------------------------------------------------------------ handing on

    def flush(self) -> None:
        """Report all that waits."""
        with self._lock:
            count = len(self.points)
            taken = self.points[:count]
            del self.points[:count]
            now = time.time()
            began, self._since, self.used = self._since or now, now, True
            if self._progress is not None:
                told, self._progress = self._progress, None
                self._report(Recorded(self._node, Thing("progress", "", None, _progress_text(told))))
            for name, places, values in _by_name(taken):
                if (known := self._known(name)) is not None:
                    self._report(_packed(self._node, known, places, values, began, now))

    def _known(self, name: str) -> str | None:
        """The name as it may be shown; None where there are too many."""
        known = self._names.get(name)
        if known is None:
            if len(self._names) >= MOST_NAMES:
                self._note(f"metrics of more than {MOST_NAMES:,} names were recorded: the rest is left out")
                return None
            if len(name) > log.LONGEST_NAME:
                self._note(f"the name of metric `{name:.40}…` was cut to {log.LONGEST_NAME} characters")
            known = self._names[name] = _plain(secrets.masked(name)[: log.LONGEST_NAME])
        return known


def _by_name(points: list[Any]) -> list[tuple[str, list[int | None], list[float]]]:
    """The points of each name, in order: places and values. `points` as `log.Recorder` has them."""
    if not points:
        return []
    names, values, places = points[0::3], points[1::3], points[2::3]
    if names.count(names[0]) == len(names):
        return [(names[0], places, values)]
    found: dict[str, tuple[list[int | None], list[float]]] = {}
    for name, value, place in zip(names, values, places, strict=True):
        each = found.get(name)
        if each is None:
            each = found[name] = ([], [])
        each[0].append(place)
        each[1].append(value)
    return [(name, *each) for name, each in found.items()]


def _packed(
    node: int, name: str, places: list[int | None], values: list[float], began: float, ended: float
) -> Logged:
    """The report of one name's points: those with places in a series packed, and the last value of all."""
    last = Logged(node, name, values[-1], places[-1])
    try:
        steps, sound = array("q", places), array("d", values)  # type: ignore[arg-type]
    except (TypeError, OverflowError):  # some have no place, or one beyond what 64 bits hold
        pairs = [(place, value) for place, value in zip(places, values, strict=True) if place is not None]
        steps = array("q", [max(-_FAR, min(_FAR, place)) for place, _ in pairs])
        sound = array("d", [value for _, value in pairs])
    if len(sound) == len(values) == 1 or not sound:
        return last._replace(step=steps[0] if steps else None)
    return last._replace(series=pack(steps, sound, [Span(len(sound), began, ended)]))


_FAR = (1 << 62) - 1


def _progress_text(told: tuple[float, float | None, str]) -> str:
    """How far a step is, as JSON: numbers that are not finite are none."""
    done, total, text = told
    sound = [number if number is not None and isfinite(number) else None for number in (done, total)]
    return json.dumps([sound[0] or 0.0, sound[1], _plain(secrets.masked(text[:200]))])


def _plain(text: str) -> str:
    """A text that is UTF-8: lone surrogates have no place in that."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


# --------------------------------------------------------------------------- the thread

_all: WeakSet[Recording] = WeakSet()


class Beat:
    """The thread that comes for what waits. Between steps that record nothing it sleeps."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._wanted = threading.Event()
        threading.Thread(target=self._run, name="stepwell-recording", daemon=True).start()

    def wake(self) -> None:
        """Come from now on."""
        self._recording.awake = True
        self._wanted.set()

    def _run(self) -> None:
        recording, pause = self._recording, threading.Event()
        with suppress(OSError, ValueError):  # there is no driver any more: the worker finds out by itself
            while self._wanted.wait():
                idle = 0.0
                while idle < SLEEP:
                    pause.wait(BEAT)
                    idle += BEAT
                    if recording.points or recording._progress is not None:
                        recording.flush()
                        idle = 0.0
                self._wanted.clear()
                recording.awake = False
                if recording.points:  # one came while this was decided
                    recording.flush()


def _in_child() -> None:
    """A process that a step forked has no thread that would come, and not what waits in its parent."""
    for recording in _all:
        recording.forked = True
        recording.points.clear()
        recording.awake, recording._progress = False, None
        recording._lock = threading.Lock()


os.register_at_fork(after_in_child=_in_child)
