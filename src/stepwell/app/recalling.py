"""Which releases were made of a blob: of data, of one file of a folder, of what a step gave; and saying that it is not to be used.

    found = recall(here, "9f2c7712")                     # or "b3:…", "c1:…", "customers@9f2c7712", a file
    found.releases                                       # each with where it names the blob, and its channels
    bury_what(here, found, by, why)                      # a tombstone in the index: `dist.erased`

Every lock of the index is looked through, also of releases that no channel lists, and those in `dist/`. A release that was made with
what another one gave is found through that one.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from blake3 import blake3

from stepwell.app.indexed import Indexed
from stepwell.dist import names
from stepwell.dist.channels.index import Channels
from stepwell.dist.channels.pool import FOLDER
from stepwell.dist.channels.state import projects
from stepwell.dist.erased import Stone, Tombstone, bury, found_in, read_erased
from stepwell.dist.lock import Lock
from stepwell.dist.releases.found import pooled
from stepwell.dist.releases.opened import Opened, open_wheel
from stepwell.dist.versions import parsed
from stepwell.errors import (
    BadLock,
    BadRelease,
    BadReleaseName,
    BadWheel,
    MissingLibrary,
    NotARelease,
    SeveralDigests,
    StepwellError,
    UnknownDigest,
    UsageError,
    counted,
    nearest,
)

FEWEST = 6
"""Hexadecimal digits with which a digest may be named."""

_WORD = re.compile(r"(?:(?P<name>[^@:]+)@)?(?:(?P<kind>b3|c1|sha256):)?(?P<digits>[0-9a-fA-F]{1,64})")
_WHOLE = 64
_OF_RELEASE = re.compile(r"release://(?P<project>[^=/]+)==(?P<version>[^/]+)/")


class Looked(NamedTuple):
    """One release of an index, or of `dist/`: its names, its wheel, and by digest the places at which it names that.

    `data` are the digests of what it was made of, `gives` those of what leaves it, `used` the releases whose data it took, by
    project and version, `inside` whether it is in the pool.
    """

    project: str
    version: str
    file: str
    wheel: str
    places: dict[str, tuple[str, ...]]
    data: frozenset[str]
    gives: frozenset[str]
    used: frozenset[tuple[str, str]]
    inside: bool

    @property
    def name(self) -> str:
        """As people call it."""
        return f"{self.project} {self.version}"


class Recalled(NamedTuple):
    """A release that rests on what was asked for: `places` name it in its lock, or it was made with the releases `through`.

    `channels` are those that list it, each with "current", "listed" or "withdrawn".
    """

    project: str
    version: str
    file: str
    places: tuple[str, ...]
    through: tuple[str, ...]
    channels: tuple[tuple[str, str], ...]


class Recall(NamedTuple):
    """What was asked for, by all its digests, and every release that rests on it.

    `stone` says whether it was recalled before; `unread` are wheels that could not be looked into, each with why.
    """

    digests: tuple[str, ...]
    releases: tuple[Recalled, ...]
    stone: Tombstone | None
    unread: tuple[str, ...]


def recall(here: Indexed, word: str, folder: Path) -> Recall:
    """Every release that rests on a blob: `word` is a digest, the beginning of one, "NAME@BEGINNING", or a file below `folder`.

    Raises `UnknownDigest`, `SeveralDigests`, `UsageError`, and what reading an index raises.
    """
    looked, unread = _all(here)
    digests = _meant(word, folder, looked)
    found = _resting(looked, digests)
    where = _listed(here.channels)
    releases = [
        Recalled(
            one.project,
            one.version,
            one.file,
            tuple(dict.fromkeys(place for each in digests for place in one.places.get(each, ()))),
            through,
            where.get(one.wheel, ()),
        )
        for one, through in found
    ]
    releases.sort(key=lambda one: (one.project, parsed(one.version).key))
    return Recall(digests, tuple(releases), found_in(digests, read_erased(here.channels.files)), unread)


def bury_what(here: Indexed, found: Recall, by: str, why: str) -> Tombstone:
    """Record that something is not to be used any longer. Raises `BadReason`, and as `dist.erased.bury`."""
    places = tuple(
        f"{one.project} {one.version}: {place}"
        for one in found.releases
        for place in (*one.places, *(f"through {other}" for other in one.through))
    )
    by, why = names.said(by, "who does it", longest=200), names.said(why, "the reason")
    return bury(here.channels.files, Stone(found.digests, places, by, here.channels.now(), why))


# --------------------------------------------------------------------------- looking


def digests_of(lock: Lock) -> Iterator[tuple[str, str]]:
    """Every digest that a lock names of data and of what came out, with the place that names it."""
    for name, data in lock.data.items():
        yield data.bytes, f"data.{name}"
        yield data.content, f"data.{name}"
        for file, text in data.files.items():
            yield text.rpartition(" ")[2], f"data.{name}: {file}"
    for pipeline, one in lock.pipeline.items():
        for step, call in one.step.items():
            for part, output in call.output.items():
                place = f"{pipeline}.{step}" if part == "result" else f"{pipeline}.{step}.{part}"
                yield output.bytes, place
                yield output.content, place
    for name, leaving in lock.output.items():
        for digest in (leaving.bytes, leaving.content, *leaving.parts):
            yield digest, f"output.{name}"


def _all(here: Indexed) -> tuple[list[Looked], tuple[str, ...]]:
    """Every release that there is, each once, and the wheels that could not be read."""
    found: dict[str, Looked] = {}
    unread: list[str] = []
    for name, inside, door in _doors(here):
        try:
            one = _looked(door(), inside)
        except NotARelease:
            continue
        except (BadWheel, BadRelease, BadLock) as error:
            unread.append(f"{name}: {error.what}")
            continue
        found.setdefault(one.wheel, one)
    return list(found.values()), tuple(unread)


class _Door(NamedTuple):
    """How one wheel is opened."""

    channels: Channels
    project: str
    file: str
    path: Path | None

    def __call__(self) -> Opened:
        return (
            open_wheel(self.path) if self.path is not None else pooled(self.channels, self.project, self.file)
        )


def _doors(here: Indexed) -> Iterator[tuple[str, bool, _Door]]:
    for name in here.channels.files.names(FOLDER):
        _, project, file = name.split("/") if name.count("/") == 2 else ("", "", "")
        if file.endswith(".whl"):
            yield name, True, _Door(here.channels, project, file, None)
    for path in sorted((here.place.root / "dist").glob("*.whl")):
        yield f"dist/{path.name}", False, _Door(here.channels, "", path.name, path)


def _looked(opened: Opened, inside: bool) -> Looked:
    wheel, lock, document = opened.wheel, opened.lock, opened.document
    if wheel is None:
        raise NotARelease(f"{opened.where} is no wheel", fixes=["give the path of the wheel"])
    places: dict[str, dict[str, None]] = {}
    for digest, place in digests_of(lock):
        if digest:
            places.setdefault(digest, {})[place] = None
    for digest in document.blobs:
        places.setdefault(digest, {"blob": None})
    data = {digest for digest, found in places.items() if any(one.startswith("data.") for one in found)}
    gives = {
        one for leaving in lock.output.values() for one in (leaving.bytes, leaving.content, *leaving.parts)
    }
    return Looked(
        wheel.project,
        wheel.version,
        wheel.file,
        wheel.sha256,
        {digest: tuple(found) for digest, found in places.items()},
        frozenset(data),
        frozenset(gives - {""}),
        frozenset(_used(lock)),
        inside,
    )


def _used(lock: Lock) -> Iterator[tuple[str, str]]:
    """The releases, by project and version, that data of a lock comes from."""
    for data in lock.data.values():
        found = _OF_RELEASE.match(data.source)
        if found is not None:
            with contextlib.suppress(BadReleaseName):  # then it names none
                yield names.project(found["project"]), parsed(found["version"]).text


def _listed(channels: Channels) -> dict[str, tuple[tuple[str, str], ...]]:
    """By wheel the channels that list it, and how."""
    found: dict[str, list[tuple[str, str]]] = {}
    for channel in channels.order:
        for project in projects(channels.log(channel)).values():
            for version, one in project.listed.items():
                how = "withdrawn" if one.yanked else "current" if version == project.current else "listed"
                found.setdefault(one.promoted.wheel, []).append((channel, how))
    return {wheel: tuple(where) for wheel, where in found.items()}


# --------------------------------------------------------------------------- what is meant


def _meant(word: str, folder: Path, looked: Sequence[Looked]) -> tuple[str, ...]:
    """All digests of what a word means: those of its bytes, and of the content that any lock says they have."""
    path = folder / word
    if path.is_file():
        return _of_file(path, looked)
    parts = _WORD.fullmatch(word)
    _refuse_unknown_name(parts["name"] if parts is not None else word, parts is None, looked)
    if parts is None:
        raise UsageError(
            f"`{word[:80]}` is neither a file nor a digest",
            why="a digest is as `channels` and locks write it: b3:9f2c77…, c1:…, or its first digits",
            fixes=["stepwell recall data/customers.csv", "stepwell recall 9f2c7712"],
        )
    found = _named(parts["name"] or "", parts["kind"] or "", parts["digits"].lower(), looked)
    if not found and len(parts["digits"]) == _WHOLE and parts["kind"]:
        found = {f"{parts['kind']}:{parts['digits'].lower()}"}
    if not found:
        raise UnknownDigest(
            f"no release names a digest that begins with `{word[:80]}`",
            why=f"{counted(len(looked), 'release was', 'releases were')} looked through, in the index and in `dist/`",
            fixes=[
                "give more of it, or the file itself",
                "stepwell channels    shows what releases were made of",
            ],
        )
    together = _siblings(found, looked)
    if len(found) > 1 and not any(found <= _siblings({one}, looked) for one in found):
        raise SeveralDigests(
            f"`{word[:80]}` is the beginning of {len(found)} digests",
            why=", ".join(sorted(found)[:5]),
            fixes=["give more digits"],
        )
    return tuple(sorted(together))


def _refuse_unknown_name(name: str | None, alone: bool, looked: Sequence[Looked]) -> None:
    """Raises `UnknownDigest` for a name that nothing has in any release, or one that stands `alone` and that something has."""
    there = {_name_of(place) for one in looked for places in one.places.values() for place in places}
    known = sorted(there - {"blob"})
    if not name or (name in there and not alone) or (alone and not re.fullmatch(r"[\w.-]+", name)):
        return
    if name in there:
        digests: dict[str, list[str]] = {}
        for one in sorted(looked, key=lambda one: (one.project, parsed(one.version).key), reverse=True):
            for digest, places in one.places.items():
                if any(_name_of(place) == name for place in places) and digest.startswith("b3:"):
                    digests.setdefault(digest.partition(":")[2][:8], []).append(one.name)
        raise UnknownDigest(
            f"`{name}` is a name, and says not which content",
            why="releases name one thing by its name in each version, with other content",
            fixes=[
                f"stepwell recall {name}@{one}     ({', '.join(of[:3])}{' …' if len(of) > 3 else ''})"
                for one, of in islice(digests.items(), 5)
            ],
        )
    hint = nearest(name, known)
    raise UnknownDigest(
        f"no release names anything `{name[:80]}`",
        why=f"they name {', '.join(known[:8])}" if known else "there is no release yet",
        fixes=[*([f"did you mean `{hint}`?"] if hint else []), "stepwell recall DIGEST|FILE"],
    )


def _name_of(place: str) -> str:
    return place.partition(":")[0].rpartition(".")[2]


def _named(name: str, kind: str, digits: str, looked: Sequence[Looked]) -> set[str]:
    """The digests that begin so, at places of that name if one is given."""
    if len(digits) < FEWEST:
        raise UsageError(
            f"`{digits}` is too short for a digest", fixes=[f"give {FEWEST} of its digits at least"]
        )
    return {
        digest
        for one in looked
        for digest, places in one.places.items()
        if digest.partition(":")[2].startswith(digits)
        and (not kind or digest.startswith(f"{kind}:"))
        and (not name or any(_name_of(place) == name for place in places))
    }


def _of_file(path: Path, looked: Sequence[Looked]) -> tuple[str, ...]:
    """The digests of a file's bytes, and of the table in it where it is one."""
    from stepwell.codecs.content.digest import content_of_file  # whoever promotes looks at no file
    from stepwell.codecs.content.tables import Content

    hasher = blake3()
    hasher.update_mmap(path)
    found = {f"b3:{hasher.hexdigest()}"}
    try:
        content = content_of_file(path)
        if isinstance(content, Content):
            found.add(content.digest)
    except (OSError, MissingLibrary, StepwellError):  # no table that can be read: its bytes say enough
        pass
    return tuple(sorted(_siblings(found, looked)))


def _siblings(digests: Iterable[str], looked: Sequence[Looked]) -> set[str]:
    """Digests with those of the same thing: a lock names the bytes and the content of it at one place."""
    found = set(digests)
    for one in looked:
        by_place: dict[str, set[str]] = {}
        for digest, places in one.places.items():
            for place in places:
                by_place.setdefault(place, set()).add(digest)
        for place, same in by_place.items():
            if same & found and place != "blob" and not place.startswith("output."):
                found |= same
    return found


def _resting(looked: Sequence[Looked], digests: Sequence[str]) -> list[tuple[Looked, tuple[str, ...]]]:
    """The releases that name one of the digests, and those that were made with what these gave, and so on."""
    found: dict[str, tuple[Looked, tuple[str, ...]]] = {}
    new = [one for one in looked if not one.places.keys().isdisjoint(digests) or one.wheel in digests]
    found |= {one.wheel: (one, ()) for one in new}
    while new:
        through = {
            one.wheel: tuple(other.name for other in new if _made_with(one, other))
            for one in looked
            if one.wheel not in found
        }
        new = [one for one in looked if through.get(one.wheel)]
        found |= {one.wheel: (one, through[one.wheel]) for one in new}
    return list(found.values())


def _made_with(one: Looked, other: Looked) -> bool:
    """Whether a release was made with what another one gave: the digests say so, or the sources of its data."""
    return not one.data.isdisjoint(other.gives) or (other.project, other.version) in one.used
