"""A task's inputs as values, made anew for each task: what a step does to an input, no other step sees.

Artifacts are decoded from their verified bytes (arrays of a mapped file are read-only), sources are
read where they are, and held: `Held.changed()` says after the step whether one was written to meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from importlib import import_module
from pathlib import Path
from typing import Any

from stepwell.codecs import choose
from stepwell.errors import InputChanged
from stepwell.kernel.graph import Constant, Pack
from stepwell.kernel.ports import Outside, Stored
from stepwell.stores.blobs import Blobs

_ATOMS = frozenset((type(None), bool, int, float, complex, str, bytes))

SHORT = 64
"""Bytes of a value that is decoded once, if it cannot be changed: many steps take one number."""

_KNOWN = 4096
"""Values that are known at most."""

_UNKNOWN = object()


class Inputs:
    """Makes values of inputs. `root` is the project's, `blobs` the store's.

    `pinned` says by digest how the files of sources looked when they were planned (`sources.pin.Pinned.facts`).
    """

    def __init__(self, root: Path, blobs: Blobs, pinned: Mapping[str, bytes] | None = None) -> None:
        self._root = root
        self._blobs = blobs
        self._pinned = pinned or {}
        self._held: list[tuple[Outside, Any]] = []
        self._known: dict[bytes, Any] = {}
        """Numbers, short texts and the like by the bytes of the codec `json`, which mean the same whenever they are read."""

    def value(self, source: Any) -> Any:
        """The value of one input. Raises `StepwellError`s, and what a reader of a source raises."""
        kind = type(source)
        if kind is Constant:
            return self._constant(source)
        if kind is Stored:
            artifact, data, path = source
            if data is not None and len(data) <= SHORT and artifact.codec == "json" and not path:
                value = self._known.get(data, _UNKNOWN)
                return self._short(data) if value is _UNKNOWN else value
            blob = self._blobs.open(artifact.digest) if data is None else self._blobs.held(data)
            value = choose.load(blob, artifact.codec)
            for part in path:
                value = project(value, part)
            return value
        if kind is Outside:
            return self._outside(source)
        return self._pack(source)

    def _short(self, data: bytes) -> Any:
        value = int(data) if data.isdigit() else choose.load(self._blobs.held(data), "json")
        if type(value) in _ATOMS:
            self.know(data, value)
        return value

    def know(self, data: bytes, value: Any) -> None:
        """These bytes are what the codec `json` makes of this value, which cannot be changed, and of no other."""
        if len(self._known) >= _KNOWN:
            self._known.clear()
        self._known[data] = value

    def held_are_unchanged(self) -> None:
        """Forget the sources that were read; raises `InputChanged` for one that was written to since."""
        if not self._held:
            return
        held, self._held = self._held, []
        from stepwell.sources import pin  # most tasks read no source

        for outside, found in held:
            if not pin.check(found, root=self._root, shelf=self._shelf()):
                raise InputChanged(
                    f"source `{outside.name}` changed while the step ran",
                    why="the step may have read parts of both versions, so its result belongs to neither",
                    fixes=["run again when nothing writes to it any more"],
                )

    def held(self) -> tuple[Sequence[str], Sequence[str]]:
        """The files of the sources that were read, and the folders that such sources are."""
        if not self._held:
            return (), ()
        files = [path for _, found in self._held for path in found.files]
        return files, [found.folder for _, found in self._held if found.folder]

    def forget(self) -> None:
        """The task is over, whatever came of it."""
        self._held.clear()

    def _constant(self, constant: Constant) -> Any:
        payload, _, codec = constant
        if codec:
            return choose.load(self._blobs.held(payload), codec)  # type: ignore[arg-type]
        return payload if type(payload) in _ATOMS else deepcopy(payload)

    def _pack(self, pack: Pack) -> Any:
        values = [self.value(item) for item in pack.items]
        if pack.kind == "list":
            return values
        if pack.kind == "tuple":
            return tuple(values)
        if pack.kind == "dict":
            return dict(zip(pack.keys, values, strict=True))
        module, _, qualname = pack.record.partition(":")
        record: Any = import_module(module)
        for part in qualname.split("."):
            record = getattr(record, part)
        if len(pack.names) == len(values):
            return record(**dict(zip(pack.names, values, strict=True)))
        return record(*values)

    def hold(self, outside: Outside) -> Any:
        """A source that is about to be read, as it was planned (`sources.pin.Pinned`). Raises `InputChanged`."""
        from stepwell.sources import pin  # most tasks read no source

        facts = self._pinned.get(outside.digest, b"")
        found = pin.hold(outside.uri, outside.digest, root=self._root, shelf=self._shelf(), facts=facts)
        self._held.append((outside, found))
        return found

    def _outside(self, outside: Outside) -> Any:
        from stepwell.sources import read  # most tasks read no source

        found = self.hold(outside)
        how = (outside.uri, outside.type, dict(outside.options))
        return read.load(*how, root=self._root, files=found.files, folder=found.folder)

    def _shelf(self) -> Any:
        from stepwell.sources.web import Shelf

        return Shelf(self._blobs.folder)


def project(value: Any, part: int | str) -> Any:
    """A part of a value: by index, by key, or by field name."""
    if isinstance(part, int):
        return value[part]
    if isinstance(value, Mapping):
        return value[part]
    return getattr(value, part)
