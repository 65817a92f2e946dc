"""Is an index what its logs say? `verify` looks at everything, changes nothing, and gives each finding as a coded error.

What it finds: a log, or the list of what was recalled, that was edited, cut short, put in another order or given foreign entries (`LogDamaged`); a wheel or
METADATA of the pool that is gone or changed (`PoolDamaged`); a page that was edited, is behind or is nobody's
(`IndexDiffers`); one version with two wheels (`ReleaseChanged`).

What it cannot find: a log, and all pages made from it, written anew together by somebody who may write to all of them.
Whoever has kept a digest of `Channels.heads()` elsewhere finds that too, with `known`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from stepwell.dist.channels.deciding import Release
from stepwell.dist.channels.entries import Log, damaged
from stepwell.dist.channels.index import Channels, Held
from stepwell.dist.channels.pages import pages, witness
from stepwell.dist.erased import read_erased
from stepwell.errors import IndexDiffers, LogDamaged, ReleaseChanged, StepwellError

PAUSE = 0.05
"""Seconds after which a channel with findings is looked at again: it may have been changed meanwhile."""


def verify(
    channels: Channels, known: Mapping[str, str] | None = None, *, pause: Callable[[float], None] = time.sleep
) -> tuple[StepwellError, ...]:
    """Everything that is not as it must be; empty where all is well. Raises only where files cannot be read.

    `known` has digests of log entries that were kept elsewhere, by channel: each must be in its log.
    """
    found: list[StepwellError] = []
    releases: dict[Release, str] = {}
    for channel in channels.order:
        held, findings = _look_again(channels, channel, (known or {}).get(channel, ""), pause)
        found += findings
        if held is not None:
            with suppress(LogDamaged):  # which is among the findings
                releases |= dict.fromkeys(channels.releases(channel), channel)
    found += _two_wheels(releases)
    for release in releases:
        found += channels.pool.damage(release)
    try:
        read_erased(channels.files)
    except LogDamaged as error:
        found.append(error)
    return (*found, *_nobodys(channels))


def _look_again(
    channels: Channels, channel: str, known: str, pause: Callable[[float], None]
) -> tuple[Held | None, list[StepwellError]]:
    """What is wrong with a channel twice in a row: between a log and its pages lie some milliseconds."""
    held, findings = _look(channels, channel, known)
    for _ in range(5):
        if not findings:
            break
        pause(PAUSE)
        before = [str(finding) for finding in findings]
        held, findings = _look(channels, channel, known)
        if [str(finding) for finding in findings] == before:
            break
    return held, findings


def _look(channels: Channels, channel: str, known: str) -> tuple[Held | None, list[StepwellError]]:
    try:
        held = channels.held(channel)
        if known and known not in held.log.digests:
            raise damaged(channel, f"it has no entry {known[:19]}…, which it had when that was noted")
        wanted = pages(held.log)
    except LogDamaged as error:
        return None, [error]
    differing = [name for name in sorted(wanted.keys() | held.pages.keys()) if not _same(held, wanted, name)]
    return held, [_about(held, wanted, name) for name in differing]


def _same(held: Held, wanted: Mapping[str, bytes], name: str) -> bool:
    return name in held.pages and held.pages[name].data == wanted.get(name)


def _about(held: Held, wanted: Mapping[str, bytes], name: str) -> IndexDiffers:
    """A page that is not what the log gives: missing, nobody's, behind, or edited."""
    fixes = ["stepwell channels --rebuild"]
    if name not in held.pages:
        return IndexDiffers(
            f"the page `{name}` is missing", why="it was removed, or never written", fixes=fixes
        )
    if name not in wanted:
        return IndexDiffers(
            f"`{name}` is no page of this channel",
            why="servers would offer it to pip and uv, and no log says who put it there",
            fixes=[f"move it away if it is wanted: mv {name} …", *fixes],
        )
    page = held.pages[name].data
    made = witness(name, page)
    if made is not None and page == pages(_cut(held.log, made.n)).get(name):
        return IndexDiffers(
            f"the page `{name}` is behind: it is that of entry {made.n} of {len(held.log.entries)}",
            why="whoever changed the channel was cut off before it was written; clients still get what it says",
            fixes=fixes,
        )
    return IndexDiffers(
        f"the page `{name}` is not what the log gives",
        why="it was edited; pip and uv do what it says, and nobody promoted that",
        fixes=[f"look at it if you want to know what was changed: {name}", *fixes],
    )


def _cut(log: Log, count: int) -> Log:
    return Log(log.channel, log.entries[:count], log.digests[:count])


def _two_wheels(releases: Mapping[Release, str]) -> list[ReleaseChanged]:
    """Versions that two channels list with different wheels, which no single log can prevent."""
    first: dict[tuple[str, str], Release] = {}
    found = []
    for release, channel in releases.items():
        other = first.setdefault((release.project, release.version), release)
        if other != release:
            found.append(
                ReleaseChanged(
                    f"{release.project} {release.version} is one wheel in `{releases[other]}` and another in `{channel}`",
                    why=f"they are {other.file} ({other.wheel[:19]}…) and {release.file} ({release.wheel[:19]}…); two people promoted them at once",
                    fixes=[
                        f'stepwell yank {release.project} {release.version} --why "…"',
                        "release a higher version",
                    ],
                )
            )
    return found


def _nobodys(channels: Channels) -> list[IndexDiffers]:
    """Logs of channels that `channels.json` does not have."""
    logs = [name for name in channels.files.names("") if "/" not in name and name.endswith(".log")]
    return [
        IndexDiffers(
            f"`{name}` is the log of no channel of this index",
            why=f"channels.json has {', '.join(channels.order)}",
            fixes=["add the channel to channels.json again, or move the log away"],
        )
        for name in logs
        if name.removesuffix(".log") not in channels.order
    ]
