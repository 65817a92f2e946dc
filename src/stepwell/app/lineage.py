"""Where an artifact came from and where it went, by walking what runs recorded.

    lineage(store, "b3:…")      {"made": {"run": "r3", "id": "train", ...}, "from": [...], "into": [...], ...}
    find(store, "b3:…")         the artifact of a digest: an output, a file of one, something that a step recorded

Up, the way is what a run recorded of its graph: which node waited for which, which read which source. Down, it is
the inputs of all results that name the digest, and the graph of the run that made it, for what went on in containers
whose keys hold only a digest of them. Which results name a digest is read once from the whole store and remembered,
with what is added later; a store of a hundred thousand results takes a second the first time and nothing afterwards.
"""

from __future__ import annotations

import os
import re
import threading
from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

from stepwell.app.previews.held import FILE
from stepwell.errors import StepwellError
from stepwell.kernel.ports import Artifact, Result
from stepwell.stores.local import LocalStore
from stepwell.stores.recordings import NODES
from stepwell.stores.rows import unpack_outputs
from stepwell.stores.steprow import About, StepRow

MOST = 200
"""Entries of a lineage, in each direction."""

RUNS = 250
"""Runs that one walk reads; what was made in others is not told."""

DEEPEST = 50
"""Steps from the artifact to the farthest entry."""

NEWEST = 2_000
"""Results that one digest is looked for in, the newest first."""

STORES = 8
"""Stores whose digests are remembered."""

_DIGEST = re.compile(r"b3:([0-9a-f]{15})[0-9a-f]{49}")
_WHOLE = re.compile(r"b3:[0-9a-f]{64}")


class Place(NamedTuple):
    """A node of a run, and the output of it that is meant ("" where something else of it is)."""

    run: str
    node: int
    output: str = ""


def lineage(store: LocalStore, digest: str, codec: str = "") -> dict[str, Any]:
    """An artifact or source, what made it, what it was made from and what was made from it (`ArtifactPage` of the page).

    Where several steps gave the same bytes the first whose run is still recorded counts; with `codec` one that gave
    them in this form. Of a digest that nothing is known of, `made` is None and both lists are empty.
    """
    walk = _Walk(store)
    made = walk.maker(digest, codec)
    found = find(store, digest, codec)
    return {
        "digest": digest,
        "codec": found.codec if found is not None else codec,
        "size": found.size if found is not None else 0,
        "here": found is not None and _is_here(store, found),
        "made": None if made is None else _made(walk, made),
        "from": [] if made is None else list(walk.up(made)),
        "into": list(walk.down(digest, made)),
    }


def find(store: LocalStore, digest: str, codec: str = "", name: str = "") -> Artifact | None:
    """The artifact of a digest (with `codec`, in this form), a file of one (codec `FILE`, called `name`), or None."""
    for result in _index(store).givers(store, digest):
        for output in result.outputs:
            if output.digest == digest and codec in ("", output.codec):
                return output
            if digest in output.parts and codec in ("", FILE):
                return Artifact(
                    name or _name_of(store, output, digest), FILE, digest, max(store.blobs.size(digest), 0)
                )
    return next((found for _, found in _recorded(store, digest) if codec in ("", found.codec)), None)


def held(store: LocalStore, digest: str, codec: str = "", name: str = "") -> Artifact | None:
    """The same; also bytes of this digest that the store has and no step gave, as `codec` and `name` say."""
    found = find(store, digest, codec, name)
    if found is not None:
        return found
    data = store.results.bytes_of(digest)
    size = len(data) if isinstance(data, bytes) else store.blobs.size(digest)
    return Artifact(name, codec, digest, size) if size >= 0 else None


def _name_of(store: LocalStore, output: Artifact, digest: str) -> str:
    """What the file of a part is called; "" where the artifact does not say."""
    from stepwell.codecs.files import manifest_of

    if output.codec != "path":
        return ""
    try:
        data = store.results.data(output)
        name, entries = manifest_of(data if data is not None else store.blobs.open(output.digest).data)
    except StepwellError:  # the bytes that would say it are gone; the file may be here all the same
        return ""
    return name or next((one.path for one in entries if one.part == digest), "")


def _is_here(store: LocalStore, artifact: Artifact) -> bool:
    """Whether the bytes are in the store, unverified."""
    if store.blobs.size(artifact.digest) >= 0:
        return True
    return artifact.codec != FILE and store.results.bytes_of(artifact.digest) is not None


def _made(walk: _Walk, place: Place) -> dict[str, Any]:
    row = walk.row(place)
    return {
        "run": place.run,
        "node": place.node,
        "id": row.id if row is not None else "",
        "step": row.step if row is not None else "",
        "output": place.output,
    }


def _recorded(store: LocalStore, digest: str) -> Iterator[tuple[Place, Artifact]]:
    """What steps recorded under a digest, and where, the newest first."""
    rows = store.database.rows(
        "SELECT recording, artifact FROM recorded WHERE artifact != '' AND instr(artifact, ?) ORDER BY recording DESC",
        (digest,),
    )
    for recording, packed in rows:
        for found in unpack_outputs(packed):
            if found.digest == digest:
                yield Place(f"r{recording // NODES}", recording % NODES), found


# ---------------------------------------------------------------------------- walking


class _Walk:
    """One walk through a store; what it read of runs is remembered for as long as it lasts."""

    def __init__(self, store: LocalStore) -> None:
        self._store, self._index = store, _index(store)
        self._rows: dict[str, dict[int, StepRow]] = {}
        self._abouts: dict[str, About] = {}

    def rows(self, run: str) -> dict[int, StepRow]:
        """The steps of a run by node; none where the run is not recorded any more, or its record is damaged."""
        if run not in self._rows:
            if len(self._rows) >= RUNS:
                return {}
            try:
                self._rows[run] = {row.node: row for row in self._store.runs.steps(run)}
                self._abouts[run] = self._store.runs.about(run)
            except StepwellError:
                self._rows[run], self._abouts[run] = {}, About()
        return self._rows[run]

    def about(self, run: str) -> About:
        """What a run recorded of its graph."""
        self.rows(run)
        return self._abouts.get(run, About())

    def row(self, place: Place) -> StepRow | None:
        """The step at a place."""
        return self.rows(place.run).get(place.node)

    def run_of(self, row: StepRow, place: Place) -> str:
        """The run that made what a step gave; where that is gone, one that has it."""
        return row.made_by if row.made_by and self.rows(row.made_by) else place.run

    def maker(self, digest: str, codec: str) -> Place | None:
        """The first step that gave a digest and whose run is still recorded; None where nobody did."""
        for result in reversed(self._index.givers(self._store, digest)):
            found = self._place(result)
            if found is None:
                continue
            for output in result.outputs:
                if (output.digest == digest and codec in ("", output.codec)) or digest in output.parts:
                    return Place(found.run, found.node, output.name)
        return next(
            (place for place, _ in _recorded(self._store, digest) if self.row(place) is not None), None
        )

    def _place(self, result: Result) -> Place | None:
        """The node that a result was made at, in the run that made it."""
        for node, row in self.rows(result.run).items() if result.run else ():
            if row.key == result.key and row.made_by == result.run:
                return Place(result.run, node)
        return None

    # ------------------------------------------------------------------ up

    def up(self, start: Place) -> Iterator[dict[str, Any]]:
        """What an artifact was made from, the nearest first, up to the sources."""
        seen: set[object] = {(start.run, start.node)}
        waiting = deque([(start, 1)])
        left = MOST
        while waiting and left > 0:
            place, depth = waiting.popleft()
            if depth > DEEPEST:
                return
            for further, entry in self._before(place, depth):
                told = (entry["kind"], entry["digest"], entry["id"], entry["name"])
                if told in seen:
                    continue
                seen.add(told)
                left -= 1
                yield entry
                if further is not None and (further.run, further.node) not in seen:
                    seen.add((further.run, further.node))
                    waiting.append((further, depth + 1))

    def _before(self, place: Place, depth: int) -> Iterator[tuple[Place | None, dict[str, Any]]]:
        """What a step took: sources, and outputs of the steps before it."""
        row, about = self.row(place), self.about(place.run)
        if row is None:
            return
        named = " ".join(token for _, token in row.inputs)
        reads = about.reads[place.node] if place.node < len(about.reads) else ()
        for number in reads:
            if number < len(about.sources):
                source = about.sources[number]
                yield None, _entry(depth, "source", source.name, source.digest)
        if place.node >= len(about.edges):
            yield from self._named(named, depth)
            return
        for node in about.edges[place.node]:
            before = self.rows(place.run).get(node)
            if before is None:
                continue
            taken = [output for output in before.outputs if output.digest in named] or before.outputs
            for output in taken:
                made = Place(place.run, node, output.name)
                told_of = self.run_of(before, place)
                yield (
                    made,
                    _entry(depth, "artifact", output.name, output.digest, told_of, before.id, output.codec),
                )

    def _named(self, named: str, depth: int) -> Iterator[tuple[Place | None, dict[str, Any]]]:
        """The same by the digests that the inputs name, for a run that recorded no graph."""
        for digest in dict.fromkeys(_WHOLE.findall(named)):
            if f"source:{digest}" in named:
                yield None, _entry(depth, "source", "", digest)
                continue
            made = self.maker(digest, "")
            row = None if made is None else self.row(made)
            if made is not None and row is not None:
                codec = next((one.codec for one in row.outputs if one.name == made.output), "")
                yield made, _entry(depth, "artifact", made.output, digest, made.run, row.id, codec)

    # ------------------------------------------------------------------ down

    def down(self, digest: str, made: Place | None) -> Iterator[dict[str, Any]]:
        """What was made from an artifact or source, the nearest first; of equal ones, the newest."""
        seen: set[tuple[str, str]] = set()
        waiting: deque[tuple[str, Place | None, int]] = deque([(digest, made, 1)])
        while waiting:
            taken, giver, depth = waiting.popleft()
            if depth > DEEPEST:
                return
            for place, row in self._takers(taken, giver):
                for output in row.outputs:
                    told = (row.id, output.token)
                    if told in seen:
                        continue
                    if len(seen) >= MOST:
                        return
                    seen.add(told)
                    told_of = self.run_of(row, place)
                    yield _entry(depth, "artifact", output.name, output.digest, told_of, row.id, output.codec)
                    waiting.append((output.digest, place._replace(output=output.name), depth + 1))

    def _takers(self, digest: str, giver: Place | None) -> Iterator[tuple[Place, StepRow]]:
        """The steps that took a digest, by their keys; and those behind its maker in the maker's run."""
        told: set[tuple[str, int]] = set()
        same: set[tuple[str, ...]] = set()
        for result in self._index.takers(self._store, digest):
            gave = (result.step, *(output.token for output in result.outputs))
            place = self._place(result) if gave not in same else None
            if place is not None:
                same.add(gave)
                told.add((place.run, place.node))
                yield place, self.rows(place.run)[place.node]
        if giver is None:
            return
        for node, before in enumerate(self.about(giver.run).edges):
            row = self.rows(giver.run).get(node)
            if row is None or giver.node not in before or (giver.run, node) in told:
                continue
            if self._took(row, giver, digest):
                yield Place(giver.run, node), row

    def _took(self, row: StepRow, giver: Place, digest: str) -> bool:
        """Whether a step behind another may have taken this output of it, and not only others that its keys name."""
        maker = self.row(giver)
        named = " ".join(token for _, token in row.inputs)
        others = [output for output in maker.outputs if output.digest in named] if maker is not None else []
        return digest in named or not others


def _entry(
    depth: int,
    kind: str,
    name: str,
    digest: str,
    run: str = "",
    step: str = "",
    codec: str = "",
) -> dict[str, Any]:
    return {
        "depth": depth,
        "kind": kind,
        "name": name,
        "digest": digest,
        "run": run,
        "id": step,
        "codec": codec,
    }


# ---------------------------------------------------------------------------- which results name a digest


class Index:
    """Which results of one store give a digest, and which take it, by the first digits of the digest."""

    def __init__(self) -> None:
        self._gives: dict[int, list[int]] = {}
        self._takes: dict[int, list[int]] = {}
        self._seen = 0
        self._removals = -1
        self._lock = threading.Lock()

    def givers(self, store: LocalStore, digest: str) -> list[Result]:
        """The results with an output, or a part of one, of this digest, the newest first."""
        found = self._results(store, self._gives, digest)
        return [
            one for one in found if any(digest == out.digest or digest in out.parts for out in one.outputs)
        ]

    def takers(self, store: LocalStore, digest: str) -> list[Result]:
        """The results whose inputs name this digest, the newest first."""
        found = self._results(store, self._takes, digest)
        return [one for one in found if any(digest in token for _, token in one.inputs)]

    def _results(self, store: LocalStore, named: dict[int, list[int]], digest: str) -> list[Result]:
        if _WHOLE.fullmatch(digest) is None:
            return []
        with self._lock:
            self._catch_up(store)
            numbers = named.get(int(digest[3:18], 16), [])[-NEWEST:]
        found = store.results.by_number(numbers)
        return [found[number] for number in reversed(numbers) if number in found]

    def _catch_up(self, store: LocalStore) -> None:
        """Read the results that came since; all of them, where some were taken away or brought back."""
        removals = store.database.row("SELECT value FROM counters WHERE name = 'gc'") or (0,)
        if removals[0] != self._removals:
            self._gives.clear()
            self._takes.clear()
            self._seen, self._removals = 0, removals[0]
        rows = store.database.rows(
            "SELECT seq, inputs, outputs FROM results WHERE seq > ? ORDER BY seq", (self._seen,)
        )
        for number, inputs, outputs in rows:
            for named, text in ((self._takes, inputs), (self._gives, outputs)):
                for start in set(_DIGEST.findall(text)):
                    named.setdefault(int(start, 16), []).append(number)
            self._seen = number


_indexes: dict[object, Index] = {}
_guard = threading.Lock()


def _index(store: LocalStore) -> Index:
    """The index of a store, shared by all who have it open in this process."""
    try:
        status = os.stat(store.folder / "store.db")
        place: object = (os.fspath(store.folder), status.st_ino, status.st_dev)
    except OSError:  # a store in memory
        return Index()
    with _guard:
        found = _indexes.pop(place, None) or Index()
        _indexes[place] = found
        for oldest in list(_indexes)[:-STORES]:
            del _indexes[oldest]
        return found


def forget() -> None:
    """Let go of what is remembered of all stores: for tests, and for who needs the memory."""
    with _guard:
        _indexes.clear()
