"""What a log says: which versions a channel lists, which of them are withdrawn, and which one is current.

The current version is the highest one that is listed and not withdrawn: what a client gets that follows the channel.
Pure: a log in, a state out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from stepwell.dist.channels.entries import Entry, Log, damaged
from stepwell.dist.versions import parsed


class Listed(NamedTuple):
    """A version in a channel: the entry that promoted it, and the one that withdrew it, if it is withdrawn."""

    promoted: Entry
    yanked: Entry | None = None


class Project(NamedTuple):
    """A project in a channel.

    `listed` by version, in the order of promotion; `current` is a version or ""; `since` is the entry that made it so;
    `last` the newest entry about the project.
    """

    listed: dict[str, Listed]
    current: str
    since: Entry
    last: Entry


class Span(NamedTuple):
    """From when until when a version was current, as logs write times; `until` is "" where it still is."""

    since: str
    until: str = ""


class Standing(NamedTuple):
    """What a project's channel gives to clients: `version`, or "" where all are withdrawn.

    `since` is the entry that made it current (its time, by whom, why), `promoted` the one that brought the version in (its
    wheel and evidence; None without a version). `head` is the digest of the channel's log. `needs_pre`: it is a
    pre-release, and clients take the highest final version instead unless they are told to (`--pre`).
    """

    channel: str
    project: str
    version: str
    since: Entry
    promoted: Entry | None
    yanked: tuple[str, ...]
    needs_pre: bool
    head: str


def projects(log: Log) -> dict[str, Project]:
    """Every project of a log as its entries left it. Raises `LogDamaged` where an entry cannot have been written."""
    found: dict[str, Project] = {}
    for entry in log.entries:
        before = found.get(entry.project)
        if entry.before != (before.current if before else ""):
            raise damaged(
                log.channel, f"entry {entry.n} comes from `{entry.before}`, which was not the version then"
            )
        found[entry.project] = _applied(log, before, entry)
    return found


def _applied(log: Log, before: Project | None, entry: Entry) -> Project:
    """A project after one more entry. `before.listed`, which only this fold has, is changed and handed on."""
    listed = before.listed if before else {}
    old = listed.get(entry.version)
    if entry.action == "promote":
        possible = old is None
        listed[entry.version] = Listed(entry)
    elif old is None or old.promoted.wheel != entry.wheel or old.promoted.file != entry.file:
        possible = False
    elif entry.action == "rollback":
        possible = old.yanked is None
        listed |= {
            version: listed[version]._replace(yanked=entry) for version in higher(listed, entry.version)
        }
    else:
        possible = (old.yanked is None) == (entry.action == "yank")
        listed[entry.version] = old._replace(yanked=entry if entry.action == "yank" else None)
    if not possible:
        raise damaged(
            log.channel, f"entry {entry.n} ({entry.action} of {entry.version}) cannot follow those before it"
        )
    if entry.action == "promote":
        current = highest([entry.version, entry.before] if entry.before else [entry.version])
    else:
        current = highest(version for version, one in listed.items() if one.yanked is None)
    same = before is not None and before.current == current
    return Project(listed, current, before.since if before is not None and same else entry, entry)


def higher(listed: dict[str, Listed], version: str) -> list[str]:
    """The versions that are not withdrawn and higher than one."""
    return [
        other
        for other, one in listed.items()
        if one.yanked is None and parsed(other).key > parsed(version).key
    ]


def highest(versions: Iterable[str]) -> str:
    """The highest of some versions, or ""."""
    return max(versions, key=lambda version: parsed(version).key, default="")


def standing(log: Log, name: str, project: Project) -> Standing:
    """What a project's channel gives to clients."""
    good = [version for version, one in project.listed.items() if one.yanked is None]
    return Standing(
        log.channel,
        name,
        project.current,
        project.since,
        project.listed[project.current].promoted if project.current else None,
        tuple(version for version in project.listed if version not in good),
        bool(project.current) and parsed(project.current).pre and not all(parsed(one).pre for one in good),
        log.head,
    )


def spans(log: Log, name: str, version: str) -> tuple[Span, ...]:
    """When a version was current, oldest first.

    Each entry says what was current before it, so that what one makes current is what the next one comes from.
    """
    entries = [entry for entry in log.entries if entry.project == name]
    if not entries:
        return ()
    after = [*(entry.before for entry in entries[1:]), projects(log)[name].current]
    ends = [*(entry.at for entry in entries[1:]), ""]
    found: list[Span] = []
    for entry, current, end in zip(entries, after, ends, strict=True):
        if current != version:
            continue
        joined = bool(found) and found[-1].until == entry.at
        since = found.pop().since if joined else entry.at
        found.append(Span(since, end))
    return tuple(found)


def until(log: Log, at: str) -> Log:
    """A log without what was written after a time (as `Entry.at` is written)."""
    count = len(log.entries)
    while count and log.entries[count - 1].at > at:
        count -= 1
    return Log(log.channel, log.entries[:count], log.digests[:count])
