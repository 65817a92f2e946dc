"""Erasing data that was recalled, wherever Stepwell keeps copies of it, and saying of each place what became of it.

    for one in erase(here.place, found.digests, why, at):
        one.where, one.done, one.told

The places are those where releases keep what is too large for a wheel (`release.store`, `mirrors`), the project's store,
and the user's cache. What the data was read from is the user's, and never touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from stepwell.app.indexed import Place
from stepwell.app.places import store_folder, stored
from stepwell.dist import depot
from stepwell.errors import StepwellError
from stepwell.sources.address import shown
from stepwell.stores.erasing import erase as erase_from_store
from stepwell.worker.places.environments import cache_folder


class Removed(NamedTuple):
    """What became of the copies in one place: whether none is left there, and that in words."""

    where: str
    done: bool
    told: str


def erase(place: Place, digests: Sequence[str], why: str, at: str) -> tuple[Removed, ...]:
    """Remove the bytes of digests from every place; the first word of each says where. Raises nothing that is about one place."""
    wanted = [digest for digest in digests if digest.startswith("b3:")]
    note = depot.Erased(at, why)
    release = place.manifest.release
    found = [
        _from_depot(where, wanted, note, place.root)
        for where in dict.fromkeys((release.store, *release.mirrors))
        if where
    ]
    found.append(_from_store(place.root, wanted))
    found.append(_from_cache(wanted))
    return tuple(found)


def _from_depot(where: str, digests: Sequence[str], note: depot.Erased, root: Path) -> Removed:
    try:
        there = [depot.erase(digest, where, note, root) for digest in digests]
    except StepwellError as error:
        return Removed(shown(where), False, error.what)
    return Removed(shown(where), True, _count(sum(there)))


def _from_store(root: Path, digests: Sequence[str]) -> Removed:
    where = "the project's store"
    if not store_folder(root).exists():
        return Removed(where, True, "there is none")
    try:
        with stored(root, create=False) as store:
            return Removed(where, True, _count(len(erase_from_store(store, digests))))
    except StepwellError as error:
        return Removed(where, False, error.what)


def _from_cache(digests: Sequence[str]) -> Removed:
    where, count = "your cache", 0
    kept = depot.cache_at(cache_folder())
    for digest in digests:
        try:
            kept.path(digest).unlink()
            count += 1
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            return Removed(where, False, f"it cannot be removed: {error.strerror}")
    return Removed(where, True, _count(count))


def _count(count: int) -> str:
    return f"{count} erased" if count else "it is not there"
