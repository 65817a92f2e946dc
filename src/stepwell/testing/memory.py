"""A store in memory: `kernel.ports.Store` for tests of everything that needs one, without a disk.

    store = MemoryStore()
    plan = decide(graph, Known(identities, pins, store))
    list(drive(plan, engine=FakeEngine(...), store=store, clock=FrozenClock()))

It keeps the same promises as the real one (`stepwell.testing.contracts.StoreContract`), where
`beside()` is a second run on the same data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import count

from stepwell.errors import ArtifactGone
from stepwell.kernel.ports import Artifact, Made, Result

_runs = count(1)


class _Shared:
    """What all runs on one memory store see."""

    def __init__(self) -> None:
        self.results: list[Result] = []
        self.data: dict[str, bytes] = {}
        self.files: set[str] = set()
        self.lost: dict[str, str] = {}
        self.parts: dict[str, Mapping[str, str]] = {}
        self.claims: dict[str, int] = {}
        self.changes = 0


class MemoryStore:
    """A `kernel.ports.Store` whose commits are seen by the stores made with `beside`.

    `commits` counts the transactions that were not empty.
    """

    def __init__(self, shared: _Shared | None = None) -> None:
        self._shared = shared or _Shared()
        self._run = next(_runs)
        self._kept: list[Result] = []
        self._data: dict[str, bytes] = {}
        self._files: set[str] = set()
        self._seen: set[str] = set()
        self.commits = 0

    def beside(self) -> MemoryStore:
        """Another run's view of the same store."""
        return MemoryStore(self._shared)

    # ------------------------------------------------------------------ the past

    def result(self, key: str) -> Result | None:
        """The newest result of a key."""
        for found in reversed([*self._shared.results, *self._kept]):
            if found.key == key:
                self._seen.add(key)
                return found._replace(lost=self._why_lost(found))
        return None

    def results(self, key: str) -> Sequence[Result]:
        """At most 32 of the newest results of a key, newest first."""
        found = [r for r in [*self._shared.results, *self._kept] if r.key == key]
        return [r._replace(lost=self._why_lost(r)) for r in found[:-33:-1]]

    def at_site(self, site: str) -> Result | None:
        """The newest result with this site."""
        found = (result for result in reversed([*self._shared.results, *self._kept]) if result.site == site)
        return next(found, None)

    def recent(self, step: str) -> Sequence[Result]:
        """At most 32 of the newest results of a step, newest first."""
        found = [result for result in [*self._shared.results, *self._kept] if result.step == step]
        return found[:-33:-1]

    def parts(self, digest: str) -> Mapping[str, str]:
        """What was given to `describe`."""
        return self._shared.parts.get(digest, {})

    # ------------------------------------------------------------------ keeping

    def claim(self, keys: Sequence[str]) -> Sequence[bool]:
        """True where no other run has a claim, and none has just made the result."""
        mine = []
        made = {result.key for result in self._shared.results}
        for key in keys:
            free = self._shared.claims.get(key, self._run) == self._run
            fresh = key in made and key not in self._seen
            mine.append(free and not fresh)
            if mine[-1]:
                self._shared.claims[key] = self._run
        return mine

    def news(self) -> int:
        """How many claims have ended and results were committed, in all stores beside this one and here."""
        return self._shared.changes

    def release(self, key: str) -> None:
        """End a claim."""
        if self._shared.claims.get(key) == self._run:
            del self._shared.claims[key]
            self._shared.changes += 1

    def keep(self, result: Result, made: Iterable[Made]) -> None:
        """Take a new result. Made without data counts as a file that exists."""
        for artifact, data in made:
            self._shared.lost.pop(artifact.digest, None)
            if data is None:
                self._files.add(artifact.digest)
            else:
                self._data[artifact.digest] = data
            self._files.update(artifact.parts)
        self._kept.append(result)
        self._seen.add(result.key)

    def shelve(self, made: Iterable[Made]) -> None:
        """Keep what a judge refused."""
        for artifact, data in made:
            if data is not None:
                self._data[artifact.digest] = data

    def data(self, artifact: Artifact) -> bytes | None:
        """The bytes, or None where the blob is a file. Raises `ArtifactGone`."""
        digest = artifact.digest
        if digest in self._shared.lost:
            raise ArtifactGone(self._shared.lost[digest])
        if digest in self._data:
            return self._data[digest]
        if digest in self._shared.data:
            return self._shared.data[digest]
        if digest in self._files or digest in self._shared.files:
            return None
        raise ArtifactGone(f"blob {digest[:15]}… is gone")

    def commit(self, *, now: bool = False, waiting: bool = False) -> None:
        """Make what was kept visible to the stores beside this one, at once."""
        if self._kept:
            self.commits += 1
            self._shared.changes += 1
            self._shared.results += self._kept
            self._shared.data.update(self._data)
            self._shared.files |= self._files
            for result in self._kept:
                self.release(result.key)
            self._kept, self._data, self._files = [], {}, set()

    # ------------------------------------------------------------------ for tests

    def describe(self, digest: str, parts: Mapping[str, str]) -> None:
        """Say what a code or environment digest is made of."""
        self._shared.parts[digest] = dict(parts)

    def lose(self, digest: str) -> None:
        """Make a blob disappear."""
        self._shared.lost[digest] = f"blob {digest[:15]}… is gone"

    def _why_lost(self, result: Result) -> str:
        lost = self._shared.lost
        for artifact in result.outputs:
            for digest in (artifact.digest, *artifact.parts):
                if digest in lost:
                    return lost[digest]
        return ""
