"""Whether a channel may be changed as asked, and the entry that the change becomes. Pure: logs in, an entry out.

Each function takes the log of the channel as it is, and raises the coded error that says why not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from stepwell.dist.channels.entries import Action, Entry, Log
from stepwell.dist.channels.state import Listed, Project, higher, highest, projects
from stepwell.dist.versions import parsed
from stepwell.errors import (
    AlreadyThere,
    ChannelMoved,
    NothingBefore,
    ReleaseChanged,
    ReleaseYanked,
    UnknownRelease,
    VersionNotUp,
    nearest,
)


class Release(NamedTuple):
    """A wheel as logs and pages need it: see `entries.Entry` for the fields."""

    project: str
    version: str
    wheel: str
    file: str
    size: int
    metadata: str
    requires_python: str


class Said(NamedTuple):
    """What a log keeps of whoever makes a change: see `entries.Entry`."""

    by: str
    why: str
    at: str
    evidence: Mapping[str, Any]


class Asked(NamedTuple):
    """What somebody knows and allows.

    `expect`: the version that they saw as current ("" for none; None: they did not look). `older`: a version that is not
    higher than the current one may be listed.
    """

    expect: str | None = None
    older: bool = False


def promote(log: Log, others: Iterable[Log], release: Release, said: Said, asked: Asked) -> Entry:
    """List a version in a channel. `others`: the logs of the other channels.

    Raises `ReleaseChanged`, `ReleaseYanked`, `AlreadyThere`, `ChannelMoved`, `VersionNotUp`.
    """
    name, version = release.project, release.version
    for each in (log, *others):
        same = must_be_free(each, release)
        if same is not None:
            _must_not_be_yanked(each.channel, log.channel, same)
    project = projects(log).get(name)
    current = project.current if project else ""
    if project is not None and version in project.listed:
        entry = project.listed[version].promoted
        raise AlreadyThere(
            f"`{log.channel}` has {name} {version} already",
            why=f"{entry.by} promoted it at {entry.at}: {entry.why}",
            fixes=["stepwell channels", f"stepwell history {name} {log.channel}"],
        )
    _must_be_expected(log, name, current, project, asked.expect)
    if current and not asked.older and parsed(version).key <= parsed(current).key:
        raise VersionNotUp(
            f"{name} {version} is not higher than {current}, which `{log.channel}` has",
            why="clients take the highest version, so that they would not see this one",
            fixes=[
                f'stepwell rollback {name} {log.channel} --why "…"    goes back',
                f"stepwell promote {name} {version} {log.channel} --older    lists it for those who ask for older ones",
            ],
        )
    return _entry(log, "promote", release, current, said)


def rollback(log: Log, name: str, to: str | None, said: Said, asked: Asked) -> Entry:
    """Go back to a version (None: the highest one below the current one), which withdraws all higher ones.

    Raises `UnknownRelease`, `ReleaseYanked`, `AlreadyThere`, `NothingBefore`, `ChannelMoved`.
    """
    project = _project(log, name)
    _must_be_expected(log, name, project.current, project, asked.expect)
    version = _before(log, name, project) if to is None else parsed(to).text
    one = _one(log, name, project, version)
    if one.yanked is not None:
        raise ReleaseYanked(
            f"{name} {version} was withdrawn from `{log.channel}`: {one.yanked.why}",
            why="a channel goes back to what clients may install",
            fixes=[_unyank(name, version), *_good(name, log.channel, project)],
        )
    if not higher(project.listed, version):
        raise AlreadyThere(
            f"{name} {version} is what `{log.channel}` has",
            why="there is nothing higher to go back from",
            fixes=["stepwell channels"],
        )
    return _entry(log, "rollback", _release(one), project.current, said)


def yank(log: Log, name: str, version: str, said: Said) -> Entry:
    """Withdraw a version: clients take it only where they ask for exactly this one. Raises `UnknownRelease`, `AlreadyThere`."""
    project = _project(log, name)
    one = _one(log, name, project, parsed(version).text)
    if one.yanked is not None:
        raise AlreadyThere(
            f"{name} {one.promoted.version} was withdrawn from `{log.channel}` already",
            why=f"{one.yanked.by} did so at {one.yanked.at}: {one.yanked.why}",
            fixes=[_unyank(name, one.promoted.version)],
        )
    return _entry(log, "yank", _release(one), project.current, said)


def unyank(log: Log, name: str, version: str, said: Said) -> Entry:
    """Take a withdrawal back. Raises `UnknownRelease`, `AlreadyThere`."""
    project = _project(log, name)
    one = _one(log, name, project, parsed(version).text)
    if one.yanked is None:
        raise AlreadyThere(
            f"{name} {one.promoted.version} is not withdrawn from `{log.channel}`",
            why="clients may install it",
            fixes=["stepwell channels"],
        )
    return _entry(log, "unyank", _release(one), project.current, said)


def must_be_free(log: Log, release: Release) -> Listed | None:
    """The version of a wheel as a channel lists it, if it does. Raises `ReleaseChanged` where that is another wheel."""
    wanted = parsed(release.version).key
    listed = _listed(log, release.project).items()
    same = next((one for version, one in listed if parsed(version).key == wanted), None)
    if same is not None:
        _must_be_the_same(log.channel, release, same)
    return same


# --------------------------------------------------------------------------- inside


def _entry(log: Log, action: Action, release: Release, before: str, said: Said) -> Entry:
    return Entry(
        n=len(log.entries) + 1,
        channel=log.channel,
        action=action,
        **release._asdict(),
        before=before,
        **said._asdict(),
        prev=log.head,
    )


def _release(one: Listed) -> Release:
    """The wheel of a version that was promoted once."""
    return Release(*(getattr(one.promoted, field) for field in Release._fields))


def _listed(log: Log, name: str) -> dict[str, Listed]:
    project = projects(log).get(name)
    return project.listed if project else {}


def _project(log: Log, name: str) -> Project:
    found = projects(log)
    if name in found:
        return found[name]
    close = nearest(name, found)
    raise UnknownRelease(
        f"`{log.channel}` has no project `{name}`" + (f"; there is `{close}`" if close else ""),
        why="nothing of that name was promoted to it",
        fixes=["stepwell channels", f"stepwell promote {name} VERSION {log.channel}"],
    )


def _one(log: Log, name: str, project: Project, version: str) -> Listed:
    if version in project.listed:
        return project.listed[version]
    raise UnknownRelease(
        f"`{log.channel}` has no {name} {version}",
        why=f"it has {_some(project.listed)}",
        fixes=[f"stepwell promote {name} {version} {log.channel}"],
    )


def _some(versions: Iterable[str]) -> str:
    """The highest versions, as many as can be read."""
    ordered = sorted(versions, key=lambda version: parsed(version).key, reverse=True)
    return ", ".join(ordered[:5]) + (f" and {len(ordered) - 5} more" if len(ordered) > 5 else "")


def _before(log: Log, name: str, project: Project) -> str:
    """The highest version below the current one that clients may install."""
    below = [
        version
        for version, one in project.listed.items()
        if one.yanked is None and version != project.current
    ]
    if not project.current or not below:
        withdrawn = [version for version, one in project.listed.items() if one.yanked is not None]
        raise NothingBefore(
            f"`{log.channel}` has no {name} to go back to",
            why=f"{project.current or 'no version'} is all that clients may install there"
            + (f"; {_some(withdrawn)} was withdrawn" if withdrawn else ""),
            fixes=[
                *(_unyank(name, version) for version in withdrawn[:1]),
                f'stepwell yank {name} {project.current or "VERSION"} --why "…"    withdraws it without another one',
            ],
        )
    return highest(below)


def _unyank(name: str, version: str) -> str:
    return f'stepwell unyank {name} {version} --why "…"'


def _good(name: str, channel: str, project: Project) -> Sequence[str]:
    """The command that goes back to another version."""
    good = [version for version, one in project.listed.items() if one.yanked is None]
    below = [version for version in good if version != project.current]
    return [f'stepwell rollback {name} {channel} {highest(below)} --why "…"'] if below else []


def _must_be_the_same(channel: str, release: Release, one: Listed) -> None:
    there = one.promoted
    if (there.version, there.wheel, there.file) == (release.version, release.wheel, release.file):
        return
    raise ReleaseChanged(
        f"{release.project} {release.version} is another wheel than the {there.version} in `{channel}`",
        why=f"this one is {release.wheel[:19]}… ({release.file}), that one {there.wheel[:19]}… ({there.file})",
        fixes=[
            "release it under a higher version",
            f"stepwell promote {there.project} {there.version} CHANNEL    takes the one that is there",
        ],
    )


def _must_not_be_yanked(channel: str, wanted: str, one: Listed) -> None:
    if one.yanked is None:
        return
    name, version = one.promoted.project, one.promoted.version
    raise ReleaseYanked(
        f"{name} {version} was withdrawn from `{channel}`: {one.yanked.why}",
        why=f"{one.yanked.by} did so at {one.yanked.at}; it is not promoted to `{wanted}` until that is taken back",
        fixes=[_unyank(name, version), "release a higher version"],
    )


def _must_be_expected(log: Log, name: str, current: str, project: Project | None, expect: str | None) -> None:
    """That the current version is still the one on which the caller's judgement rests."""
    if expect is None or (parsed(expect).text if expect else "") == current:
        return
    raise moved(log.channel, name, project.last if project else None, expect, current)


def moved(channel: str, name: str, last: Entry | None, expect: str, current: str) -> ChannelMoved:
    """The error for those who come second."""
    who = f"{last.by} ({last.action} of {last.version} at {last.at}: {last.why})" if last else "nobody"
    return ChannelMoved(
        f"`{channel}` has {name} {current or 'no version'} by now, not {expect or 'none'}",
        why=f"the last change is by {who}; yours was not made",
        fixes=["stepwell channels", "then judge again, and do the same once more"],
    )
