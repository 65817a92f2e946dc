"""What a release says that follows from its manifest and lock: written when it is made, compared when it is made again. Pure.

readings_of(codecs)                                # what each codec needs to be read with
requires_of(lock, readings, "0.1.0")               # ("stepwell[pandas]>=0.1.0", "scikit-learn==1.9.0")
interface_in(manifest, lock, "stepwell.lock")      # {"data.py": ..., "data.pyi": ...}
predicted_by(manifest, lock), stores_of(manifest), gates_in(manifest)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec import Struct

from stepwell.author.manifest import Manifest
from stepwell.codecs.lookup import by_name
from stepwell.dist.interface.modules import entries_of, module_of, stub_of
from stepwell.dist.lock import Lock


class Reading(Struct, frozen=True):
    """What a codec needs: the extra of Stepwell that has it, or "", and the libraries beside."""

    extra: str = ""
    needs: tuple[str, ...] = ()


def readings_of(codecs: Iterable[str]) -> dict[str, Reading]:
    """What codecs need, by name. Codecs of a project's own are known where the project is loaded."""
    found = {name: by_name(name) for name in codecs}
    return {
        name: Reading(str(getattr(one, "extra", "")), tuple(getattr(one, "needs", ())))
        for name, one in found.items()
    }


def requires_of(lock: Lock, readings: Mapping[str, Reading], generator: str) -> tuple[str, ...]:
    """What reading the outputs needs: Stepwell with the extras of their codecs, libraries, and exact versions where bytes depend on them.

    `generator` is the version of Stepwell that wrote them.
    """
    outputs = lock.output.values()
    extras, libraries = set[str](), set[str]()
    for one in outputs:
        reading = readings.get(one.codec, Reading())
        extras |= {reading.extra} if reading.extra else set()
        libraries |= set() if reading.extra else {*reading.needs}
        extras |= {"pandas"} if one.takes else set()
    named = f"[{','.join(sorted(extras))}]" if extras else ""
    return (
        f"stepwell{named}>={generator}",
        *sorted(libraries),
        *sorted({need for one in outputs for need in one.needs}),
    )


def interface_in(manifest: Manifest, lock: Lock, name: str) -> dict[str, bytes]:
    """The module `data` of the package, where the manifest names any; `name` is what the lock is called."""
    if not manifest.data:
        return {}
    entries = entries_of(manifest, lock)
    return {"data.py": module_of(entries, name).encode(), "data.pyi": stub_of(entries).encode()}


def predicted_by(manifest: Manifest, lock: Lock) -> str:
    """The output that `predict` asks: the one that the manifest names, or the only model; else ""."""
    models = [name for name, one in sorted(lock.output.items()) if one.takes]
    return manifest.release.predict or (models[0] if len(models) == 1 else "")


def gates_in(manifest: Manifest) -> dict[str, tuple[str, ...]]:
    """The gates of each output that has some, as written."""
    return {name: one.gates for name, one in manifest.outputs.items() if one.gates}


def stores_of(manifest: Manifest) -> tuple[str, ...]:
    """Where others may fetch blobs from: not a folder that is named relative to this project."""
    return tuple(
        place
        for place in dict.fromkeys((manifest.release.store, *manifest.release.mirrors))
        if place and ("://" in place or Path(place).is_absolute())
    )
