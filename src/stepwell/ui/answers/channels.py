"""Releases and channels: `GET /api/channels`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from stepwell.app.indexed import Indexed, indexed
from stepwell.app.overview import Line, overview
from stepwell.app.plaindata import number
from stepwell.dist.channels.entries import Entry
from stepwell.dist.wheels import file_name
from stepwell.errors import NoChannels, StepwellError
from stepwell.ui.asked import Asked, Here

MOST = 500
"""Changes of the channels in one answer."""


def channels(here: Here, asked: Asked) -> dict[str, Any]:
    """What is in each channel of the project, its releases, and the changes, newest first."""
    try:
        index = indexed(here.site.root, needed=False)
        lines = overview(index, bool(index.project))
    except NoChannels:
        return {"channels": [], "releases": _releases(here, [], ()), "history": []}
    entries = _entries(index)
    return {
        "channels": [_line(line) for line in lines],
        "releases": _releases(here, entries, index.channels.order),
        "history": [
            {
                "time": moment(entry.at),
                "who": entry.by,
                "verb": entry.action,
                "channel": entry.channel,
                "version": entry.version,
                "why": entry.why,
            }
            for entry in entries[:MOST]
        ],
    }


def moment(text: str) -> float:
    """A time of a log in seconds since 1970."""
    return datetime.fromisoformat(text).timestamp()


def _entries(here: Indexed) -> list[Entry]:
    found = [
        (entry.at, rank, entry.n, entry)
        for rank, channel in enumerate(here.channels.order)
        for entry in here.channels.log(channel).entries
        if entry.project == here.project
    ]
    return [entry for *_, entry in sorted(found, key=lambda one: one[:3], reverse=True)]


def _line(line: Line) -> dict[str, Any]:
    now = line.standing
    return {
        "name": line.channel,
        "version": now.version if now is not None else "",
        "since": moment(now.since.at) if now is not None else 0,
        "who": now.since.by if now is not None else "",
        "why": now.since.why if now is not None else "",
        "data": [[one.name, one.digest] for one in line.data],
        "metrics": {name: number(value) for name, value in line.metrics},
        "commit": line.commit,
        "reproduced": line.reproduced,
        "next": []
        if line.next is None
        else [{"version": line.next.version, "ok": not line.next.excuses, "why": list(line.next.excuses)}],
        "recalled": [f"{place}: {stone.why}" for place, stone in line.recalled],
    }


def _releases(here: Here, entries: list[Entry], order: Sequence[str]) -> list[dict[str, Any]]:
    """The releases in the channels and in `dist/`, newest first; the channels of each in their order."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted((here.site.root / "dist").glob("*.whl")):
        try:
            version = file_name(path.name).version
        except StepwellError:  # some other file
            continue
        found[version] = _release(version, path.name, path.stat().st_size)
    for entry in reversed(entries):
        row = found.setdefault(entry.version, _release(entry.version, entry.file, entry.size))
        if entry.action == "promote" and entry.channel not in row["channels"]:
            row["channels"].append(entry.channel)
        if entry.action in ("yank", "unyank"):
            row["yanked"] = entry.why if entry.action == "yank" else ""
    for row in found.values():
        row["channels"].sort(key=order.index)
    return sorted(found.values(), key=_version_key, reverse=True)


def _release(version: str, wheel: str, size: int) -> dict[str, Any]:
    return {"version": version, "wheel": wheel, "size": size, "yanked": "", "channels": []}


def _version_key(row: dict[str, Any]) -> Any:
    from stepwell.dist.versions import parsed

    return parsed(row["version"]).key
