"""The project as a whole: `GET /api/project`."""

from __future__ import annotations

from typing import Any

from stepwell.app.comparing import summary
from stepwell.errors import StepwellError
from stepwell.ui.asked import Asked, Here
from stepwell.version import VERSION


def project(here: Here, asked: Asked) -> dict[str, Any]:
    """Its name, its pipelines with their newest runs, and whether it has a lock and channels."""
    root = here.site.root
    entries = here.site.known.entries(here.store)
    counts: dict[str, int] = {}
    newest: dict[str, Any] = {}
    for entry in entries:
        name = entry.row.pipeline
        counts[name] = counts.get(name, 0) + 1
        newest.setdefault(name, entry.row)
    return {
        "name": _name(here),
        "version": VERSION,
        "store": str(here.site.folder),
        "pipelines": [
            {"name": name, "runs": counts[name], "last": summary(newest[name])} for name in sorted(counts)
        ],
        "runs": len(entries),
        "locked": (root / "stepwell.lock").is_file() or any(root.glob("*.stepwell.lock")),
        "released": _has_channels(here),
    }


def _name(here: Here) -> str:
    """What its releases are called, else its folder."""
    from stepwell.app.indexed import place_of

    try:
        return place_of(here.site.root).own or here.site.root.name
    except StepwellError:  # its manifest is told about where it is used
        return here.site.root.name


def _has_channels(here: Here) -> bool:
    from stepwell.author.manifest import manifest_of
    from stepwell.dist.releases.found import has_channels

    try:
        return has_channels(here.site.root, manifest_of(here.site.root))
    except StepwellError:
        return False
