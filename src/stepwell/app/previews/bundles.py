"""Containers: plain data that holds arrays, tables, models or files, and sparse matrices, which are made of arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stepwell.app.previews.arrays import array_shown
from stepwell.app.previews.files import files_shown
from stepwell.app.previews.held import PARSED, Held, nothing
from stepwell.app.previews.plaindata import decoded, tree_shown
from stepwell.codecs.bundle import trailer
from stepwell.codecs.files import Entry, manifest_of
from stepwell.errors import counted
from stepwell.kernel.ports import Artifact

MOST = 10_000
"""Parts of a bundle up to which it is shown."""


class _Part:
    """What stands for a part: what it is, how large."""

    def __init__(self, held: Held, table: list[list[Any]]) -> None:
        self._held, self._table = held, table

    def held(self, place: int) -> Held:
        """The bytes of a part, by its number. Raises `ValueError` where they would lie outside."""
        codec, start, length = self._table[place]
        if not (start >= 0 and length >= 0 and start + length <= len(self._held.data)):
            raise ValueError("a part lies outside of its bundle")
        data = self._held.data[start : start + length]
        return Held(Artifact(str(place), codec, "", length), str(place), data, self._held.blobs)

    def word(self, place: int) -> str:
        """A part in a few words."""
        codec, _, length = self._table[place]
        if codec == "path":
            name, entries = manifest_of(self.held(place).data)
            return f"<file {name}>" if name else f"<folder of {counted(len(entries), 'file')}>"
        return f"<{codec}, {length:,} bytes>"


def bundle(held: Held) -> dict[str, Any]:
    """The plain data, with a few words in place of each part."""
    frame, table = trailer(held.data)
    if len(table) > MOST or len(frame) > PARSED:
        return nothing(f"it holds {len(table):,} parts, which are too many to be shown")
    return tree_shown(decoded(frame, _Part(held, table).word))


def paths(held: Held) -> dict[str, Any]:
    """The files of all paths in a container."""
    _, table = trailer(held.data)
    part = _Part(held, table)
    found: list[Entry] = []
    for place in range(min(len(table), MOST)):
        name, entries = manifest_of(part.held(place).data)
        found += [one._replace(path=name or one.path) for one in entries]
    return files_shown(found)


def sparse(held: Held) -> dict[str, Any]:
    """A sparse matrix: its shape, and what the numbers in it come to."""
    frame, table = trailer(held.data)
    kind, _, shape, *_ = decoded(frame, str)
    found = array_shown(_Part(held, table).held(0))
    if found["kind"] != "array":
        return found
    stored = found["shape"][0] if found["shape"] else 0
    return {
        **found,
        "dtype": f"{found['dtype']} in a {kind}",
        "shape": shape,
        "stats": {"stored": stored, **found["stats"]},
    }


CODECS: Mapping[str, Callable[[Held], dict[str, Any]]] = {"bundle": bundle, "files": paths, "sparse": sparse}
