"""The lock: `GET /api/lock`. What would have to be planned to be known is not said here: planning runs the user's code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stepwell.app.plaindata import plain
from stepwell.dist.lock import Lock, facts
from stepwell.dist.lockfile import lock_of, lock_path, read
from stepwell.errors import BadLock
from stepwell.stores.runrow import DAMAGED
from stepwell.ui.asked import Asked, Here

LONGEST = 2_000_000
"""Characters of a lock that are shown."""


def lock(here: Here, asked: Asked) -> dict[str, Any]:
    """The lock of the project, or of the first single file that has one, and in what the newest runs differ from it."""
    path = _path(here.site.root)
    if not path.is_file():
        return {"file": path.name, "exists": False, "lock": None, "text": "", "stale": []}
    text = path.read_bytes().decode("utf-8", "replace")
    try:
        found, stale = read(path), []
    except BadLock as error:
        found, stale = (
            _otherwise(text, path.name),
            [f"{error.what}: {error.why}" if error.why else error.what],
        )
    if found is not None:
        stale += _moved(here, found)
    return {
        "file": path.name,
        "exists": True,
        "lock": plain(facts(found)) if found is not None else None,
        "text": text[:LONGEST],
        "stale": stale,
    }


def _path(root: Path) -> Path:
    path = lock_path(root)
    others = sorted(root.glob(f"*.{path.name}"))
    return others[0] if others and not path.is_file() else path


def _otherwise(text: str, name: str) -> Lock | None:
    """A lock that was edited by hand, where it can be understood all the same."""
    try:
        return lock_of(text, name)
    except BadLock:
        return None


def _moved(here: Here, lock: Lock) -> list[str]:
    """In what the newest run of each locked pipeline read other data, or had other parameters, than is locked."""
    told = []
    for name, locked in lock.pipeline.items():
        row = next(
            (
                entry.row
                for entry in here.site.known.entries(here.store)
                if entry.row.pipeline == name and entry.row.status != DAMAGED
            ),
            None,
        )
        if row is None:
            continue
        for source in here.store.runs.about(row.run).sources:
            data = lock.data.get(source.name)
            if data is not None and source.digest not in (data.bytes, ""):
                told.append(f"{row.run} read another `{source.name}` than is locked")
        for param, value in locked.params.items():
            if param in row.params and plain(row.params[param]) != plain(value):
                told.append(f"{row.run} had {param}={plain(row.params[param])!r}; locked is {plain(value)!r}")
    return list(dict.fromkeys(told))
