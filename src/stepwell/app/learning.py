"""What is known of a graph's steps and sources: pins, places and identities, also of those that come later.

learning = Learning(loaded, store, ghost=ghost, refresh=False, strict=False)
news = learning.settled(graph, pinned)     the graph as it was traced
news = learning.learn(more)                 what a dynamic call adds to it
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from stepwell.app.accepting import applied
from stepwell.app.places import at
from stepwell.app.placing import placed
from stepwell.author.identities import Identified, identify
from stepwell.author.project import Loaded
from stepwell.author.settings import settings_of
from stepwell.kernel.graph import Graph, SourceDef
from stepwell.kernel.plan import Identity, Pin
from stepwell.named import NamedTuple
from stepwell.stores.local import LocalStore

if TYPE_CHECKING:
    from stepwell.app.ghost import Ghost
    from stepwell.dist.pins import Pins
    from stepwell.sources.memo import Memo  # what goes in as bytes comes out as bytes
    from stepwell.sources.pin import Pinned


class News(NamedTuple):
    """A graph with its places resolved and its samples chosen, and what its steps and sources come to."""

    graph: Graph
    identities: tuple[Identity, ...]
    pins: tuple[Pin, ...]


class Learns(Protocol):
    """What tracing a dynamic call asks of `Learning`, sources being numbered as the trace has them: a point of a sweep sees its own only."""

    @property
    def digests(self) -> Sequence[str]:
        """The digests of the sources."""
        ...

    def file_of(self, source: int, part: int | str, file: Path) -> tuple[str, str]:
        """The name and the address of a file that is `part` of a source's value, as a source of its own."""
        ...

    def spreads(self, sources: Iterable[str]) -> None:
        """Note the names of sources that a dynamic call takes which is steps by now."""
        ...

    def learn(self, graph: Graph) -> News:
        """What is to be known of steps and sources that come later."""
        ...


class Learning:
    """Finds out what is to be known of steps and sources, and keeps all of it.

    `whole` is what identifies every step so far, `pinned` every source in the order of the graph's, `spread` the names of
    those that dynamic calls took which are steps by now.
    A ghost run pins samples, `refresh` asks again what was remembered, `frozen` takes every source from the lock
    but those that `upgrade` names.
    """

    def __init__(
        self,
        loaded: Loaded,
        store: LocalStore,
        *,
        ghost: Ghost | None = None,
        refresh: bool = False,
        strict: bool = False,
        frozen: bool = False,
        upgrade: Collection[str] = (),
    ) -> None:
        self._loaded, self._store, self._ghost = loaded, store, ghost
        self._refresh, self._strict = refresh, strict
        self._root = loaded.target.root
        self._memo = cast("Memo", store.memo)
        self._frozen, self._upgrade = frozen, upgrade
        self._pins: Pins | None = None
        self.pinned: list[Pinned] = []
        self.digests: list[str] = []
        self.spread: set[str] = set()
        self._names: list[str] = []
        self._copies: dict[tuple[str, str], str] = {}
        """By name and address of a file of a listing whose copy is read: where that copy is."""
        self.whole = Identified((), {}, ())

    def pin(self, source: SourceDef) -> Pinned:
        """Pin one source. Raises what is wrong with it."""
        pins = self._pinning()
        if self._ghost is None:
            copy = self._copies.get((source.name, source.uri))
            return pins.pin(source) if copy is None else pins.file(source.uri, copy)
        from stepwell.sources.address import MOVING, parse

        if pins.is_locked(source) or pins.is_to_be_frozen(source) or parse(source.uri).kind in MOVING:
            source = source._replace(uri=pins.pin(source).place)
        return self._ghost.pin(source, self._memo)

    def _pinning(self) -> Pins:
        if self._pins is None:
            from stepwell.dist.pins import Pins  # many pipelines have no sources
            from stepwell.sources.kept import Shelf

            shelf = Shelf(self._store.blobs.folder if self._ghost is None else self._ghost.real)
            how = {"frozen": self._frozen, "refresh": self._refresh}
            file = self._loaded.target.file
            self._pins = Pins(self._root, file, self._memo, shelf, upgrade=self._upgrade, **how)
        return self._pins

    def file_of(self, source: int, part: int | str, file: Path) -> tuple[str, str]:
        """The name and the address of a file of a source, the `part` of its value: of a listing the listing's and that in it.

        So both are the same wherever the file lies now. What else a reader gives as a path is called after itself.
        """
        listing, path = self.pinned[source], str(file)
        names = listing.seen.found.names
        name = names[part] if isinstance(part, int) and part < len(names) else ""
        if not name or not path.endswith(f"/{name}"):
            inside = file.relative_to(self._root) if file.is_relative_to(self._root) else file
            return file.name, inside.as_posix()
        called = f"{self._names[source]}/{name}", listing.address_of(name)
        if listing.kept:
            self._copies[called] = path
        return called

    @property
    def notes(self) -> tuple[str, ...]:
        """What is worth a look of the sources: those that are not read as they are in place."""
        return () if self._pins is None else tuple(self._pins.notes)

    def spreads(self, sources: Iterable[str]) -> None:
        """Note the names of sources that a dynamic call takes which is steps by now."""
        self.spread.update(sources)

    def placed(self, graph: Graph) -> Graph:
        """The graph with the places of its steps resolved. Raises what is wrong with them."""
        return placed(graph, self._root, self._store.memo, refresh=self._refresh, strict=self._strict)[0]

    def settled(self, graph: Graph, pinned: Sequence[Pinned]) -> News:
        """What a graph's steps and sources come to, its places being resolved; noted with all before."""
        from stepwell.author.fingerprint import Project

        graph = graph if self._ghost is None else self._ghost.graph(graph, pinned)
        snapshot = self._loaded.importer.snapshot
        found = identify(
            graph,
            Project(self._root, read=snapshot.read, held=snapshot),
            level=settings_of(self._root, self._loaded.target.file).environment,
            memo=self._store.memo,
            reads=self._loaded.importer.reads,
        )
        self._names.extend(source.name for source in graph.sources)
        self.pinned.extend(pinned)
        self.digests.extend(one.digest for one in pinned)
        before = self.whole
        self.whole = Identified(
            (*before.identities, *found.identities),
            {**before.sources, **found.sources},
            tuple(dict.fromkeys((*before.notes, *found.notes))),
            {**before.patches, **found.patches},
            {**before.files, **found.files},
            {**before.direct, **found.direct},
            tuple(dict.fromkeys((*before.absent, *found.absent))),
        )
        identities = applied(found.identities, graph, self._store.accepted.in_force())
        return News(graph, identities, tuple(Pin(one.digest, one.changed, one.size) for one in pinned))

    def learn(self, graph: Graph) -> News:
        """The same for steps and sources that come later. Raises what is wrong with them."""
        with at(self._root):
            return self.settled(self.placed(graph), [self.pin(source) for source in graph.sources])
