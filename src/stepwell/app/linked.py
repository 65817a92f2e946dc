"""What a run is linked to beyond its steps: sources with their digests, interpreter, platform, file, and changes of the tree."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from stepwell.sources.address import shown

if TYPE_CHECKING:
    from stepwell.app.session import Recording, Work

PATIENCE = 2.0
"""Seconds that a run waits at its end to know what the tree had beyond its commit."""


class Changes:
    """What the tree has beyond its commit, found out beside a run and handed to its record, without secrets."""

    def __init__(self, root: Path, record: Recording) -> None:
        from stepwell.app.git import Difference

        self._difference, self._record = Difference(root), record

    def look(self, *, at_end: bool = False) -> None:
        """Hand it over where it is there; at the end of the run, wait for it."""
        text = self._difference.text(PATIENCE if at_end else 0.0)
        if text:
            from stepwell.worker.secrets import masked_of_all

            self._record.changed(masked_of_all(text))

    def close(self) -> None:
        """Give up what was not found out yet."""
        self._difference.close()


def about_of(work: Work) -> dict[str, object]:
    """As plain JSON, for `stores.record.Facts.about`; read again by `stores.history.Runs.about`."""
    graph = work.plan.graph
    pinned = zip(graph.sources, work.plan.known.pins, strict=True)
    return {
        "sources": [[source.name, shown(source.uri), pin.digest, pin.size] for source, pin in pinned],
        "python": ".".join(map(str, sys.version_info[:3])),
        "platform": f"{sys.platform} {os.uname().machine}",
        "file": _below(getattr(work.loaded.module, "__file__", None), work.root),
        **_variable(work),
    }


def _variable(work: Work) -> dict[str, object]:
    """The variable that holds the pipeline, where that is not its name: what `replace` gave, or `first | second`."""
    found = [
        name
        for name, value in getattr(work.loaded.module, "__dict__", {}).items()
        if value is work.loaded.pipeline
    ]
    return {} if not found or work.graph.pipeline in found else {"variable": found[0]}


def _below(file: str | None, root: Path) -> str:
    """A file's name relative to the project, "" where there is none (cells of a notebook) or it lies elsewhere."""
    path = Path(file) if file else root.parent
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else ""
