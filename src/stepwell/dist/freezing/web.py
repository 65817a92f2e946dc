"""A web address, frozen: fetched once more, its ETag as the position."""

from __future__ import annotations

from stepwell.dist.freezing import Frozen, Wanted, refuse_span
from stepwell.sources.address import parse
from stepwell.sources.kept import Shelf


class Web:
    """What an address of the web gives now."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted

    def materialise(self, shelf: Shelf) -> Frozen:
        """Fetch it. Raises `SourceRefused`, `Offline`, `EmptySource`, and what goes wrong with the store."""
        from stepwell.sources import web

        refuse_span(self._wanted, "a web address gives one file")
        copy = web.fetch(parse(self._wanted.uri), None, shelf)
        position = {"kind": "web", "etag": copy.etag, "modified": "" if copy.etag else copy.modified}
        size = shelf.blob(copy.digest).stat().st_size
        return Frozen(copy.digest, size, {name: text for name, text in position.items() if text})
