"""Which release is in which channel, since when, made of what, how good: what `stepwell channels` shows.

    for line in overview(here):
        line.channel, line.standing.version, line.data, line.metrics, line.next

What is asked of the release that would come next is asked here too, so that nobody has to try a promotion to hear why not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from stepwell.app.indexed import Indexed
from stepwell.app.promoting import judged, metrics_shown, recalled_in
from stepwell.dist.channels.entries import Entry
from stepwell.dist.channels.index import Channels, Named
from stepwell.dist.channels.state import Standing, projects, standing
from stepwell.dist.erased import Tombstone
from stepwell.dist.lock import Data
from stepwell.dist.releases.found import pooled
from stepwell.dist.verdicts import WORDS
from stepwell.dist.versions import parsed
from stepwell.errors import BadGate, BadLock, BadRelease, BadWheel, NotARelease, ReleaseError, counted

SHORT = 8
"""Hexadecimal digits of a digest that people are shown; `recall` takes them."""


class Used(NamedTuple):
    """Data that a release was made of: its name in the lock, its rows (None of what is no table), the digest that names it."""

    name: str
    rows: int | None
    digest: str

    def __str__(self) -> str:
        rows = f" ({counted(self.rows, 'row')})" if self.rows is not None else ""
        return f"{self.name}@{self.digest.partition(':')[2][:SHORT]}{rows}"


class Next(NamedTuple):
    """The release that could come into a channel: its version, the channel that has it, and what is not yet so."""

    version: str
    channel: str
    excuses: tuple[str, ...]


class Line(NamedTuple):
    """One channel of one project.

    `standing` is None where nothing was ever promoted to it. `data`, `metrics`, `commit` and `reproduced` ("the same content", or "") are
    of the current release, `recalled` is what of it is not to be used any longer, by place ("data.customers"); `note` says why they are
    not known. `withdrawn` are the entries that withdrew a version, by version.
    """

    project: str
    channel: str
    standing: Standing | None = None
    data: tuple[Used, ...] = ()
    metrics: tuple[tuple[str, float], ...] = ()
    commit: str = ""
    reproduced: str = ""
    recalled: tuple[tuple[str, Tombstone], ...] = ()
    note: str = ""
    withdrawn: tuple[tuple[str, Entry], ...] = ()
    next: Next | None = None


def overview(here: Indexed, named: bool) -> list[Line]:
    """Every channel of the project, or of all projects where it is not `named` and not in the index."""
    there = known(here.channels)
    wanted = [here.project] if named or here.project in there or not there else there
    return [
        _line(here._replace(project=project), channel)
        for project in wanted
        for channel in here.channels.order
    ]


def known(channels: Channels) -> list[str]:
    """The projects that any channel has had, in the order of their names."""
    return sorted({name for channel in channels.order for name in projects(channels.log(channel))})


def used(data: dict[str, Data]) -> tuple[Used, ...]:
    """The data of a lock as people are shown it."""
    return tuple(Used(name, one.rows, one.content or one.bytes) for name, one in sorted(data.items()))


def _line(here: Indexed, channel: str) -> Line:
    log = here.channels.log(channel)
    project = projects(log).get(here.project)
    empty = Line(here.project, channel, next=_next(here, channel, ""))
    if project is None:
        return empty
    withdrawn = tuple(
        (version, one.yanked) for version, one in project.listed.items() if one.yanked is not None
    )
    line = empty._replace(
        standing=standing(log, here.project, project),
        withdrawn=withdrawn,
        next=_next(here, channel, project.current),
    )
    if not project.current:
        return line
    promoted = project.listed[project.current].promoted
    try:
        opened = pooled(here.channels, here.project, promoted.file)
        return line._replace(
            data=used(opened.lock.data),
            metrics=tuple(metrics_shown(opened).items()),
            commit=opened.document.commit,
            reproduced=_reproduced(here, promoted.wheel),
            recalled=tuple(recalled_in(here, opened).items()),
        )
    except NotARelease:
        return line._replace(note="not released by Stepwell")
    except (BadWheel, BadRelease, BadLock, BadGate) as error:  # what the others have can be told all the same
        return line._replace(note=f"{error.what} (stepwell channels --verify)")


def _reproduced(here: Indexed, wheel: str) -> str:
    """How a wheel was reproduced, as the entries about it say."""
    for channel in here.channels.order:
        for entry in here.channels.log(channel).entries:
            found = entry.evidence.get("reproduced") if entry.wheel == wheel else None
            if isinstance(found, dict) and found.get("grade") in WORDS:
                return WORDS[found["grade"]]
    return ""


def _refused(here: Indexed, promoted: Entry, channel: str) -> Iterator[str]:
    """Why the channel would not list it, whatever it is: it was withdrawn there, say."""
    try:
        here.channels.ask(Named(here.project, promoted.version), channel)
    except ReleaseError as error:
        yield error.what


def _next(here: Indexed, channel: str, current: str) -> Next | None:
    """What the channel before has that this one could have."""
    before: Sequence[str] = here.channels.order[: here.channels.order.index(channel)]
    if not before:
        return None
    log = here.channels.log(before[-1])
    project = projects(log).get(here.project)
    version = project.current if project is not None else ""
    if project is None or not version or (current and parsed(version).key <= parsed(current).key):
        return None
    return Next(version, before[-1], _excuses(here, project.listed[version].promoted, channel))


def _excuses(here: Indexed, promoted: Entry, channel: str) -> tuple[str, ...]:
    """What `promote` would refuse it for."""
    try:
        asked = judged(here, pooled(here.channels, here.project, promoted.file), channel).excuses
        return (*asked, *_refused(here, promoted, channel))
    except NotARelease:
        return ("it was not released by Stepwell",)
    except (BadWheel, BadRelease, BadLock) as error:
        return (error.what,)
