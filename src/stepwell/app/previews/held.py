"""The bytes that are looked at, wherever they lie, and the limits of looking."""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import quote

from stepwell.kernel.ports import Artifact
from stepwell.stores.local import LocalStore

FILE = "file"
"""The codec, as it were, of a file that is part of an artifact (`Artifact.parts`): its bytes as they are."""

TEXT = 256 << 10
"""Bytes of a text that are shown."""

PARSED = 4 << 20
"""Bytes of JSON and CSV that are parsed."""

EXACT = 1 << 53
"""Whole numbers up to which a reader of JSON has them exactly; larger ones are given as text."""

ITEMS = 5_000
"""Values of JSON that are shown, DEPTH how deep, LETTERS how much of each text."""
DEPTH = 40
LETTERS = 2_000


class Held(NamedTuple):
    """An artifact's bytes, mapped and not read; `blobs` leads to the files that they may refer to.

    `name` is the file's where it is one, else that of the output.
    """

    artifact: Artifact
    name: str
    data: memoryview
    blobs: Any

    @property
    def url(self) -> str:
        """Where the page finds these bytes as they are."""
        return address(self.artifact)

    def part(self, name: str, digest: str) -> Held:
        """A file that these bytes refer to. Raises `ArtifactGone`."""
        blob = self.blobs.open(digest)
        data = memoryview(blob.data)
        return Held(Artifact(name, FILE, digest, len(data)), name, data, self.blobs)


class Raw(NamedTuple):
    """Bytes that are shown as they are: their media type, the name of the file, the bytes."""

    type: str
    name: str
    data: memoryview


def held(store: LocalStore, artifact: Artifact) -> Held:
    """The verified bytes of an artifact. Raises `ArtifactGone`."""
    data = store.results.data(artifact) if artifact.codec != FILE else None
    found = memoryview(store.blobs.open(artifact.digest).data) if data is None else memoryview(data)
    return Held(artifact, artifact.name, found, store.blobs)


def address(artifact: Artifact) -> str:
    """The path and query under which the server of the page gives the bytes of an artifact as they are."""
    name = f"&name={quote(artifact.name, safe='')}" if artifact.codec == FILE else ""
    return f"/raw/{quote(artifact.digest, safe=':')}?codec={quote(artifact.codec, safe='')}{name}"


def nothing(why: str) -> dict[str, Any]:
    """The preview of what cannot be shown, and why."""
    return {"kind": "none", "why": why}


class Bounded:
    """JSON cut down to what can be shown: `cut` says whether anything was left out."""

    def __init__(self, items: int = ITEMS, letters: int = LETTERS, depth: int = DEPTH) -> None:
        self.cut = False
        self._left, self._letters, self._depth = items, letters, depth

    def of(self, value: Any, depth: int = 0) -> Any:
        """A value of what JSON has, its first items only where they are too many."""
        self._left -= 1
        if isinstance(value, str):
            if len(value) > self._letters:
                self.cut = True
                return value[: self._letters] + "…"
            return value
        if not isinstance(value, dict | list):
            is_wide = type(value) is int and abs(value) > EXACT
            return str(value) if is_wide else value
        if depth >= self._depth:
            self.cut = True
            return "…"
        return self._inside(value, depth + 1)

    def _inside(self, value: dict[str, Any] | list[Any], depth: int) -> Any:
        some: Any = [] if isinstance(value, list) else {}
        for item in value:
            if self._left <= 0:
                self.cut = True
                break
            if isinstance(value, list):
                some.append(self.of(item, depth))
            else:
                some[self.of(item)] = self.of(value[item], depth)
        return some
