"""The data that runs read: `GET /api/data` and `/api/data/:name`, over all runs, with what the lock says of it."""

from __future__ import annotations

from typing import Any, NamedTuple

from stepwell.errors import NothingThere, StepwellError
from stepwell.ui.answers.rows import kept
from stepwell.ui.asked import Asked, Here

RUNS = 200
"""Runs that are listed of one version."""


class Version(NamedTuple):
    """One content of a source: where it was read from, its size, and the runs that read it, the oldest first."""

    digest: str
    uri: str
    size: int
    runs: list[tuple[int, float]]


def data(here: Here, asked: Asked) -> dict[str, Any]:
    """Every source by name, and what is locked though no run read it."""
    found = _versions(here)
    locked = locked_data(here)
    return {
        "data": [_summary(name, found.get(name, []), locked.get(name)) for name in sorted({*found, *locked})]
    }


def one(here: Here, asked: Asked) -> dict[str, Any]:
    """One source: its versions, the newest first, and its block in the lock. Raises `NothingThere`."""
    name = asked.path["name"]
    versions, locked = _versions(here).get(name, []), locked_data(here).get(name)
    if not versions and locked is None:
        raise NothingThere(f"no run has read `{name[:200]}`, and it is not locked", fixes=["stepwell runs"])
    return {
        **_summary(name, versions, locked),
        "doc": _said(here, name).get("doc", ""),
        "history": [
            {
                "digest": version.digest,
                "size": version.size,
                "first": f"r{version.runs[0][0]}",
                "last": f"r{version.runs[-1][0]}",
                "runs": [f"r{number}" for number, _ in reversed(version.runs[-RUNS:])],
                "started": version.runs[-1][1],
            }
            for version in sorted(versions, key=lambda version: -version.runs[-1][0])
        ],
        "lock": locked,
    }


def _versions(here: Here) -> dict[str, list[Version]]:
    """Every content of every source, by the source's name. Runs that read the same share one text."""
    runs: dict[str, list[tuple[int, float]]] = {}
    for entry in reversed(here.site.known.entries(here.store)):
        if entry.about:
            runs.setdefault(entry.about, []).append((entry.number, entry.row.started))
    found: dict[tuple[str, str], Version] = {}
    texts = here.store.database.many("SELECT digest, text FROM texts WHERE digest IN (???)", runs)
    for about, text in texts:
        for name, uri, digest, size in kept(text, "what runs read").get("sources", ()):
            version = found.setdefault((name, digest), Version(digest, uri, size, []))
            version.runs.extend(runs[about])
    out: dict[str, list[Version]] = {}
    for (name, _), version in found.items():
        version.runs.sort()
        out.setdefault(name, []).append(version)
    return out


def locked_data(here: Here) -> dict[str, Any]:
    """The blocks of data in the project's lock; none where there is no lock, or it cannot be read (its page says so)."""
    from stepwell.dist.lock import facts
    from stepwell.dist.lockfile import lock_path, read

    try:
        return dict(facts(read(lock_path(here.site.root))).get("data", {}))
    except StepwellError:
        return {}


def _summary(name: str, versions: list[Version], locked: Any) -> dict[str, Any]:
    newest = max(versions, key=lambda version: version.runs[-1][0], default=None)
    said = locked or {}
    return {
        "name": name,
        "uri": newest.uri if newest is not None else str(said.get("source", "")),
        "versions": len(versions),
        "digest": newest.digest if newest is not None else str(said.get("bytes", "")),
        "size": newest.size if newest is not None else int(said.get("size", 0)),
        "last": f"r{newest.runs[-1][0]}" if newest is not None else "",
        "locked": str(said.get("bytes", "")),
        "key": ", ".join(said.get("key", {})),
        "units": dict(said.get("units", {})),
    }


def _said(here: Here, name: str) -> dict[str, Any]:
    """What the manifest says of a source."""
    from stepwell.author.manifest import manifest_of

    try:
        found = manifest_of(here.site.root).data.get(name)
    except StepwellError:
        return {}
    return {"doc": getattr(found, "doc", "") or ""} if found is not None else {}
