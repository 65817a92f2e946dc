"""The inputs of a lock, put where its pipeline finds them: each with the bytes that it had, or nothing.

    provide(lock, names, place, around)      # raises InputGone, InputErased: all of them at once

Looked for are the files where they were (if their digest is that of the lock), the project's store, the user's cache, and the
places that keep bytes by digest (`sources.frozen`). A file of the project that is as it was is linked to its name on the stage;
everything else goes into the stage's store, from which a frozen run reads it. Data of installed packages come with the environment.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from msgspec import structs

from stepwell.app.elsewhere import Stage
from stepwell.dist import depot
from stepwell.dist.erased import Tombstone, found_in
from stepwell.dist.lock import Data, Lock, data_in
from stepwell.dist.pins import locked_of
from stepwell.errors import BlobErased, InputErased, InputGone, StepwellError, counted
from stepwell.sources.address import Address, parse
from stepwell.sources.frozen import pin_locked
from stepwell.sources.kept import Shelf, receive
from stepwell.sources.memo import Memory
from stepwell.sources.pin import Pinned
from stepwell.stores.local import LocalStore

STAND_IN = b"what is not needed\n"
"""In place of data that no step reads that is made again."""


class Around(NamedTuple):
    """Where content may be: the project that the command was called in with its store, places by digest, what was erased."""

    root: Path
    store: LocalStore
    places: tuple[str, ...] = ()
    erased: tuple[Tombstone, ...] = ()


class Lacking(NamedTuple):
    """An input that is nowhere: its name in the lock, why, as a clause, and whether it was erased on purpose."""

    name: str
    why: str
    erased: bool = False


def provide(lock: Lock, names: Sequence[str], place: Stage, around: Around) -> None:
    """Put inputs on a stage. Raises `InputErased` or `InputGone`, which names all that are lacking, and what could be done without them."""
    lacking = [one for name in names if (one := _provided(name, lock.data[name], place, around)) is not None]
    if lacking:
        raise _refusal(lacking, lock)


def without(lock: Lock, names: Sequence[str], place: Stage) -> Lock:
    """The lock in which all data but these are something small, which is then on the stage: what no step reads need not be had.

    The files of a folder or glob that is needed are there with it.
    """
    digest, size = receive([STAND_IN], Shelf(place.store))
    there = {text.rpartition(" ")[2] for name in names for text in lock.data[name].files.values()}
    other = {
        name: Data(source=data.source, size=size, bytes=digest)
        for name, data in lock.data.items()
        if name not in names and data.bytes not in there and parse(data.source).kind != "package"
    }
    return structs.replace(lock, data={**lock.data, **other})


def _provided(name: str, data: Data, place: Stage, around: Around) -> Lacking | None:
    """Put one input on the stage; gives why it cannot be."""
    fetch = _Fetch(around)
    try:
        address = parse(data.source)
        if address.kind == "package":
            return None
        found = pin_locked(
            locked_of(data), root=around.root, memo=Memory(), shelf=Shelf(place.store), fetch=fetch
        )
        if _is_of_project(address):
            _link(address, found, place, around.root)
    except StepwellError as error:
        stone = found_in([data.bytes, *([data.content] if data.content else [])], around.erased)
        told = str(stone) if stone is not None else fetch.erased or error.why or error.what
        told = told.replace(f", {place.store}", "").removeprefix("looked for: ")
        return Lacking(name, told, erased=stone is not None or bool(fetch.erased))
    return None


class _Fetch:
    """Has blobs from the project's store, the user's cache and places by digest; `erased` is what was said of erased ones."""

    def __init__(self, around: Around) -> None:
        self._around = around
        self.erased = ""

    def __call__(self, digest: str, size: int) -> Path:
        """The verified file of a digest. Raises as `dist.depot.fetch`."""
        store = self._around.store
        if not store.blobs.check(digest, again=True):
            return store.blobs.path(digest)
        data = store.results.bytes_of(digest)
        if isinstance(data, bytes):
            return _small(digest, data)
        try:
            return depot.fetch(digest, size, self._around.places, self._around.root)
        except BlobErased as error:
            self.erased = error.what
            raise


def _small(digest: str, data: bytes) -> Path:
    """Bytes of the store's database, as a file of the user's cache. Raises as `dist.depot`."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        return depot.keep(Path(file.name), digest)


def _is_of_project(address: Address) -> bool:
    return address.kind == "path" and not os.path.isabs(address.path) and ".." not in Path(address.path).parts


def _link(address: Address, found: Pinned, place: Stage, root: Path) -> None:
    """Link the files that are in place in the project to the same names on the stage; nothing where they are not."""
    for path in found.files:
        if not Path(path).is_relative_to(root):
            return
    base = Path(found.folder or root / address.path).relative_to(root)
    for path in found.files:
        name = place.project / Path(path).relative_to(root)
        if name.is_symlink() or name.is_file():
            name.unlink()
        name.parent.mkdir(parents=True, exist_ok=True)
        name.symlink_to(Path(path).resolve())
    for empty in found.seen.found.empty:
        (place.project / base / empty).mkdir(parents=True, exist_ok=True)


# --------------------------------------------------------------------------- what is told


def _refusal(lacking: Sequence[Lacking], lock: Lock) -> StepwellError:
    names = {one.name for one in lacking}
    told = "; ".join(f"`{one.name}`: {one.why}" for one in lacking)
    kind = InputErased if any(one.erased for one in lacking) else InputGone
    what = ", ".join(f"`{name}`" for name in sorted(names))
    word = "was erased" if kind is InputErased else "is nowhere any more with the bytes that it had"
    rest = free_of(lock, names)
    fixes = [f"stepwell reproduce … --step {name}   does without it" for name in rest[:2]]
    total = sum(len(one.step) for one in lock.pipeline.values())
    why = (
        f"{told}. {len(rest)} of {counted(total, 'step')} {'does' if len(rest) == 1 else 'do'} not need it"
        if rest
        else f"{told}. Every step needs it"
    )
    fixes += (
        []
        if kind is InputErased
        else ["put the content back where it was, or into the place that `release.store` names"]
    )
    return kind(f"not reproducible: input {what} {word}", why=why, fixes=fixes)


def free_of(lock: Lock, data: set[str]) -> list[str]:
    """The steps of a lock that need none of some data, nor anything that was made of them; those that nothing of the rest needs come first."""
    found: list[str] = []
    for pipeline in lock.pipeline.values():
        uses = {name: {*step.uses, *pipeline.uses} for name, step in pipeline.step.items()}
        tainted = {f"data.{name}" for name in data}
        while more := {f"step.{name}" for name, used in uses.items() if used & tainted} - tainted:
            tainted |= more
        free = [name for name in uses if f"step.{name}" not in tainted]
        inner = {use for name in free for use in uses[name]}
        found += sorted(free, key=lambda name: (f"step.{name}" in inner, name))
    return found


def needed(lock: Lock, pipeline: str, until: Sequence[str]) -> tuple[list[str], list[str]]:
    """The steps of a pipeline that are meant, with all that they need, and the data that these read, by name.

    What says which steps there are is needed for each of them.
    """
    steps: Mapping[str, Sequence[str]] = {
        name: one.uses for name, one in lock.pipeline[pipeline].step.items()
    }
    todo = [name for name in steps if not until or name in until or name.partition("[")[0] in until]
    found: dict[str, None] = {}
    while todo:
        name = todo.pop()
        if name in found or name not in steps:
            continue
        found[name] = None
        todo += [use.removeprefix("step.") for use in steps[name] if use.startswith("step.")]
    data = data_in([lock.pipeline[pipeline].uses, *[steps[name] for name in found]])
    return sorted(found), sorted(data & lock.data.keys())
