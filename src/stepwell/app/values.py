"""What a pipeline returned, from the store: as Python values, and as plain data for JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stepwell.app.plaindata import number, plain
from stepwell.codecs import choose
from stepwell.codecs import plain as plain_data
from stepwell.kernel.graph import NOTHING, Binding, Constant, FromSource, FromStep, Graph, Pack, leaves
from stepwell.kernel.ports import Artifact, Outside, Stored
from stepwell.stores.local import LocalStore

if TYPE_CHECKING:
    from stepwell.worker.inputs import Inputs

__all__ = ["load", "noted", "number", "plain", "plain_result", "preview", "resolved", "returned"]

PLAIN_CODECS = ("json", "text")
"""Codecs whose values are plain data."""

Outputs = Mapping[int, Sequence[Artifact]]
"""What each node gave."""


def load(store: LocalStore, artifact: Artifact) -> Any:
    """The value of an artifact. Raises `ArtifactGone`, `CannotDecode`."""
    data = store.results.data(artifact)
    blob = store.blobs.open(artifact.digest) if data is None else store.blobs.held(data)
    return choose.load(blob, artifact.codec)


def preview(store: LocalStore, artifact: Artifact) -> Any:
    """An artifact of plain data as plain data for JSON, without importing the classes that it names.

    Raises `ArtifactGone`, `CannotDecode`.
    """
    data = store.results.data(artifact)
    held = store.blobs.open(artifact.digest).data if data is None else data
    return plain(
        str(held, "utf-8", "surrogatepass") if artifact.codec == "text" else plain_data.preview(held)
    )


def returned(graph: Graph, outputs: Outputs, digests: Sequence[str], store: LocalStore, root: Any) -> Any:
    """What the pipeline returned, as values, sources among it read."""
    from stepwell.worker.inputs import Inputs

    inputs = Inputs(root, store.blobs)
    return inputs.value(resolved(graph.result, graph, outputs, digests, store))


def resolved(
    binding: Binding, graph: Graph, outputs: Outputs, digests: Sequence[str], store: LocalStore
) -> Any:
    """What `worker.inputs.Inputs` makes the value of a binding from; `digests` are those of the sources."""
    if isinstance(binding, FromStep):
        artifact = next(a for a in outputs[binding.node] if a.name == binding.output)
        return Stored(artifact, store.results.data(artifact), binding.path)
    if isinstance(binding, FromSource):
        source = graph.sources[binding.source]
        return Outside(source.name, source.uri, source.type, source.options, digests[binding.source])
    if isinstance(binding, Constant):
        return binding
    there = [item for item in binding.items if not _lacks(binding, item, outputs)]
    items = tuple(resolved(item, graph, outputs, digests, store) for item in there)
    if binding.kind == "optional":
        return items[0] if items else NOTHING
    return binding._replace(items=items)


def _lacks(pack: Pack, item: Binding, outputs: Outputs) -> bool:
    """Whether an item is missing from a container that does without it."""
    lenient = pack.kind == "optional" or pack.least < 1
    return lenient and any(isinstance(leaf, FromStep) and leaf.node not in outputs for leaf in leaves(item))


def plain_result(graph: Graph, outputs: Outputs, store: LocalStore, root: Any) -> Any:
    """What the pipeline returned as JSON shows it; what is not plain data is null."""
    from stepwell.worker.inputs import Inputs

    return _plain_binding(graph.result, outputs, store, Inputs(root, store.blobs))


class Note(str):
    """Words on a value in place of it: they stand in a list without quotes."""

    __slots__ = ()
    __repr__ = str.__str__


def noted(binding: Binding, result: Any, outputs: Outputs) -> Any:
    """What `plain_result` gave, for people: in lists the note on what is no plain data stands where that is None."""
    if not isinstance(binding, Pack):
        return result
    there = [item for item in binding.items if not _lacks(binding, item, outputs)]
    if binding.kind == "optional":
        return noted(there[0], result, outputs) if there else None
    if isinstance(result, list):
        return [
            _note(item, outputs) if value is None else noted(item, value, outputs)
            for item, value in zip(there, result, strict=True)
        ]
    pairs = zip(there, result.items(), strict=True)
    return {name: noted(item, value, outputs) for item, (name, value) in pairs}


def _note(binding: Binding, outputs: Outputs) -> Note | None:
    """What is said of an artifact that is no plain data; None for a value that is None."""
    artifact = _artifact(binding, outputs) if isinstance(binding, FromStep) else None
    if artifact is None or artifact.codec in PLAIN_CODECS:
        return None
    return Note(artifact.note or artifact.codec)


def _artifact(binding: FromStep, outputs: Outputs) -> Artifact | None:
    given = outputs.get(binding.node, ())
    return next((artifact for artifact in given if artifact.name == binding.output), None)


def _plain_binding(binding: Binding, outputs: Outputs, store: LocalStore, inputs: Inputs) -> Any:
    if isinstance(binding, Constant):
        return None if binding.codec else plain(binding.payload)
    if isinstance(binding, FromSource):
        return None
    if isinstance(binding, FromStep):
        artifact = _artifact(binding, outputs)
        if artifact is None or artifact.codec not in PLAIN_CODECS:
            return None
        return plain(inputs.value(Stored(artifact, store.results.data(artifact), binding.path)))
    there = [item for item in binding.items if not _lacks(binding, item, outputs)]
    items = [_plain_binding(item, outputs, store, inputs) for item in there]
    if binding.kind == "optional":
        return items[0] if items else None
    names = binding.keys or binding.names
    return {str(name): item for name, item in zip(names, items, strict=True)} if names else items
