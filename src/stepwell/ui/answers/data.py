"""The data that runs read: `GET /api/data` and `/api/data/:name`, over all runs, with what the lock says of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from stepwell.errors import NothingThere, StepwellError
from stepwell.stores.wiring import sources_read
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
    """Every content of every source, by the source's name."""
    found: dict[tuple[str, str], Version] = {}
    for sources, runs in _read(here):
        for name, uri, digest, size in sources:
            found.setdefault((name, digest), Version(digest, uri, size, [])).runs.extend(runs)
    out: dict[str, list[Version]] = {}
    for (name, _), version in found.items():
        version.runs.sort()
        out.setdefault(name, []).append(version)
    return out


def _read(here: Here) -> Iterator[tuple[list[Any], list[tuple[int, float]]]]:
    """What runs read, with those that read it, by number and when they began: runs alike share one text."""
    runs: dict[tuple[str, str], list[tuple[int, float]]] = {}
    for number, started, *texts in here.store.database.rows("SELECT id, started, wiring, about FROM runs"):
        runs.setdefault(tuple(texts), []).append((number, started))
    digests = {digest for pair in runs for digest in pair if digest}
    texts = dict(here.store.database.many("SELECT digest, text FROM texts WHERE digest IN (???)", digests))
    for (wiring, about), those in runs.items():
        wired, told = (kept(texts.get(one, "{}"), "what runs read") for one in (wiring, about))
        yield sources_read(wired, told), those


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
