"""Contracts of the manifest, for workers: which source, and which output of which step, must keep which.

`contracts_for(graph, root, file)` gives them by the names that `worker.promises` has for both. A project without a
manifest has none, and costs nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stepwell.author.written import written_of
from stepwell.errors import OutputNotMade
from stepwell.kernel.graph import Graph

if TYPE_CHECKING:
    from stepwell.author.manifest import Manifest

Specs = dict[str, dict[str, str] | str]
"""By "data NAME" and "gives ID OUTPUT", columns by name or "module:Name"."""


def contracts_for(graph: Graph, root: Path, file: Path | None) -> Specs:
    """The contracts of a manifest that are about this pipeline. Raises `BadSettings`."""
    written = written_of(root, file)
    if written is None or not ("data" in written.table or "outputs" in written.table):
        return {}
    from stepwell.author.manifest import checked  # most projects have none

    manifest = checked(written)
    return {**_of_sources(graph, manifest), **_of_outputs(graph, manifest)}


def references_for(graph: Graph, root: Path, file: Path | None) -> Specs:
    """What the manifest says that columns of sources refer to: by "refers NAME", "OTHER.COLUMN" by column. Raises `BadSettings`."""
    written = written_of(root, file)
    if written is None or "data" not in written.table:
        return {}
    from stepwell.author.manifest import checked  # most projects have none

    names = {source.name for source in graph.sources}
    said = checked(written).data.items()
    return {f"refers {name}": dict(one.references) for name, one in said if one.references and name in names}


def _of_sources(graph: Graph, manifest: Manifest) -> Specs:
    names = {source.name for source in graph.sources}
    return {f"data {name}": one.schema for name, one in manifest.data.items() if one.schema and name in names}


def _of_outputs(graph: Graph, manifest: Manifest) -> Specs:
    from stepwell.app.whence import place_of  # imports the whole manifest

    found: Specs = {}
    for name, output in manifest.outputs.items():
        if output.schema:
            try:
                place = place_of(graph, name, output)
            except OutputNotMade:  # it may be made by a dynamic call, or not yet; `lock` says so
                continue
            if place is not None:
                found[f"gives {graph.nodes[place.node].id} {place.part}"] = output.schema
    return found
