"""Ghost runs: the whole pipeline on small samples of its sources, in a namespace of its own.

The namespace is a store of its own (`ghost/` in the project's store), so that no real result can
come from it, nor any of its results from a real one. Steps run in a mirror of the project's folder:
small files are copied, large ones linked, so that what a step writes beside its result does not
touch the project.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from stepwell.author.inputs import WHOLE
from stepwell.errors import BadSource
from stepwell.kernel.graph import Graph, SourceDef
from stepwell.sources.memo import Memo
from stepwell.sources.pin import Pinned, pin
from stepwell.sources.sample import sample
from stepwell.sources.web import Shelf

COPIED = 1 << 20
"""Bytes of a file that the mirror copies; a larger one is linked."""

MOST = 5000
"""Entries of a folder, all levels together, that are mirrored one by one; a larger folder is linked whole."""

LEFT_OUT = (".git", ".hg", ".venv", "venv", "node_modules", "__pycache__", ".stepwell", ".tox", ".mypy_cache")


class Ghost:
    """The samples of one ghost run. `real` is the project's own store folder, `own` that of ghost runs."""

    def __init__(self, root: Path, real: Path, own: Path, rows: int) -> None:
        self.root, self.real, self.own, self.rows = root, real, own, rows
        self._whole: dict[tuple[str, str], tuple[str, ...]] = {}
        """By the name of a source and the address of its sample: the files in it that nothing cuts."""

    def pin(self, source: SourceDef, memo: Memo) -> Pinned:
        """Sample a source and pin the sample. Raises what looking at the source raises, `BadSource`."""
        if source.sample == WHOLE:
            return pin(source.uri, root=self.root, memo=memo, shelf=Shelf(self.real))
        made = sample(
            source.uri,
            root=self.root,
            rows=self.rows,
            into=self.own / "samples",
            memo=memo,
            shelf=Shelf(self.real),
            own=_function(source),
            as_bytes=source.type == "bytes",
        )
        self._whole[source.name, made.uri] = made.whole
        return pin(made.uri, root=self.root, memo=memo)

    def graph(self, graph: Graph, samples: Sequence[Pinned]) -> Graph:
        """The graph, reading the samples of its sources."""
        sources = [
            source._replace(uri=made.uri, reader=f"{source.reader} ghost={self.rows}")
            for source, made in zip(graph.sources, samples, strict=True)
        ]
        return graph._replace(sources=tuple(sources))

    def notes(self, graph: Graph) -> list[str]:
        """What a person must know of the samples that a graph reads."""
        return [
            f"source `{source.name}` could not be sampled and is read whole: {', '.join(whole[:3])}"
            + (f" and {len(whole) - 3} more" if len(whole) > 3 else "")
            for source in graph.sources
            if (whole := self._whole.get((source.name, source.uri)))
        ]

    @cached_property
    def mirror(self) -> Path:
        """The folder in which steps run: the project's, made anew for this run."""
        folder = self.own / "folder"
        shutil.rmtree(folder, ignore_errors=True)
        _mirror(self.root, folder, {os.path.realpath(self.real)})
        return folder


def _mirror(real: Path, ghost: Path, left_out: set[str]) -> None:
    ghost.mkdir(parents=True)
    for entry in sorted(os.scandir(real), key=lambda found: found.name):
        target = ghost / entry.name
        if entry.name in LEFT_OUT or os.path.realpath(entry.path) in left_out:
            continue
        if (
            entry.is_dir(follow_symlinks=False)
            and os.access(entry, os.R_OK | os.X_OK)
            and _is_few(entry.path)
        ):
            _mirror(Path(entry.path), target, left_out)
        elif (
            entry.is_file(follow_symlinks=False)
            and entry.stat().st_size <= COPIED
            and os.access(entry, os.R_OK)
        ):
            shutil.copyfile(entry.path, target)
        else:
            target.symlink_to(entry.path)


def _is_few(folder: str) -> bool:
    seen = 0
    for _, folders, files in os.walk(folder):
        seen += len(folders) + len(files)
        if seen > MOST:
            return False
    return True


def _function(source: SourceDef) -> Callable[..., Any] | None:
    """A source's own `sample=`. Raises `BadSource` where there is no such function any more."""
    if not source.sample:
        return None
    module, _, name = source.sample.partition(":")
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise BadSource(
            f"`sample=` of the source `{source.name}` is `{name}`, which `{module}` does not have",
            fixes=["write it with def at the top level of the file"],
            where=source.where,
        )
    return found  # type: ignore[no-any-return]
