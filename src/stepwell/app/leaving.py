"""What leaves a pipeline under the names of the manifest: which output of which step, and its signature.

    found = leaving(work, facts, manifest)
    found.outputs["model"].takes         # {"carrier": "category", "distance": "int64"}
    found.absent                         # outputs that no step of this pipeline makes, and what to say of them

To see what a model wants it is loaded, once: the memo keeps it by the digests of the model and of its table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, cast

import msgspec

from stepwell.app.datafacts import Facts, refuse_unlike
from stepwell.app.session import Work
from stepwell.app.values import load
from stepwell.app.whence import Place, place_of
from stepwell.author import manifest as said
from stepwell.codecs.content.digest import content_of
from stepwell.codecs.content.tables import Content
from stepwell.dist import tables
from stepwell.dist.lock import Leaving
from stepwell.dist.signature import Signature, needs_of, signature_of
from stepwell.errors import MissingLibrary, nearest
from stepwell.kernel.graph import RESULT, FromSource, FromStep, leaves
from stepwell.kernel.identity import digest
from stepwell.kernel.ports import Artifact
from stepwell.sources.memo import Memo

CONTENT = "artifact-content 1"
"""The kind of memo of canonical digests of outputs, by codec and blob."""

SIGNATURE = "signature 1"
"""The kind of memo of signatures, by the digests of what leaves and of the table that it learned from."""

TABLES = ("arrow", "arrow:pandas", "arrow:polars")
"""Codecs of tables, which have a canonical digest and columns."""

ARRAYS = ("npy",)

DATA = (*TABLES, *ARRAYS, "json", "text", "bytes", "png", "path", "files", "sparse")
"""Codecs of what is no model."""


class Found(NamedTuple):
    """What leaves a pipeline, by name, and what is to be said of the others if no pipeline makes them."""

    outputs: dict[str, Leaving]
    absent: dict[str, str]


def leaving(work: Work, facts: Facts, manifest: said.Manifest) -> Found:
    """All `[outputs.NAME]` that this pipeline makes. Everything in the plan is up to date.

    Raises `OutputNotMade` where it cannot be said which output is meant, `DataNotAsSaid`, `CannotDecode`.
    """
    found, absent = {}, {}
    for name, output in manifest.outputs.items():
        place = place_of(work.graph, name, output)
        if place is None:
            near = nearest(output.step, [step.name for step in work.graph.steps])
            hint = f"; did you mean `{near}`?" if near else ""
            made = f"the step `{output.step}`" if output.step else f"the pipeline `{output.pipeline}`"
            absent[name] = f"output `{name}` is not locked: {made} is not in `{work.graph.pipeline}`{hint}"
            continue
        artifact = artifact_at(work, place)
        if artifact is not None:
            found[name] = _Leaving(work, facts, manifest).of(name, output, place, artifact)
    return Found(found, absent)


def artifact_at(work: Work, place: Place) -> Artifact | None:
    """What is at a place; None where the step was skipped."""
    result = work.plan.decisions[place.node].result
    return next((one for one in result.outputs if one.name == place.part), None) if result else None


def content_of_artifact(work: Work, artifact: Artifact) -> str:
    """The canonical digest of a table or array in the store, "" of anything else. The memo keeps it."""
    if artifact.codec not in (*TABLES, *ARRAYS):
        return ""
    memo = cast("Memo", work.store.memo)
    kept = memo.get(CONTENT, artifact.token)
    if kept is None:
        try:
            found = content_of(load(work.store, artifact))
        except MissingLibrary:
            return ""
        kept = found.digest.encode() if isinstance(found, Content) else b""
        memo.put(CONTENT, artifact.token, kept)
    return kept.decode()


# --------------------------------------------------------------------------- what it is


class _Leaving(NamedTuple):
    work: Work
    facts: Facts
    manifest: said.Manifest

    def of(self, name: str, output: said.Output, place: Place, artifact: Artifact) -> Leaving:
        """One output with its signature."""
        signature = self._signature(output, place, artifact)
        if artifact.codec in TABLES:
            refuse_unlike(f"output `{name}`", signature.gives, output)
        columns = {**signature.takes, **signature.gives}
        units = {**self._units(columns), **output.units}
        return Leaving(
            pipeline=self.work.graph.pipeline,
            step=self.work.graph.nodes[place.node].id,
            part="" if place.part == RESULT else place.part,
            codec=artifact.codec,
            size=artifact.size,
            bytes=artifact.digest,
            content=content_of_artifact(self.work, artifact),
            parts=artifact.parts,
            needs=signature.needs,
            takes=signature.takes,
            gives=signature.gives,
            units=units,
            key=output.keys,
            categories=signature.categories,
        )

    def _units(self, columns: Mapping[str, str]) -> dict[str, str]:
        """The units of columns that data of the manifest has under the same names, where all data agrees."""
        found: dict[str, set[str]] = {}
        for data in self.manifest.data.values():
            for name, unit in data.units.items():
                found.setdefault(name, set()).add(unit)
        return {name: min(units) for name, units in found.items() if name in columns and len(units) == 1}

    def _signature(self, output: said.Output, place: Place, artifact: Artifact) -> Signature:
        memo = cast("Memo", self.work.store.memo)
        if artifact.codec in DATA and artifact.codec not in TABLES:
            return Signature()
        learned = [] if artifact.codec in TABLES else list(self._learned_from(output, place))
        key = digest(repr((artifact.token, [token for token, _ in learned])))
        kept = memo.get(SIGNATURE, key)
        if kept is None:
            value = load(self.work.store, artifact)
            needs = needs_of(artifact.codec, value)
            if artifact.codec in TABLES:
                table = tables.table_of(value)
                found = Signature(gives=tables.columns_of(table) if table else {})
            else:
                found = signature_of(value, (table() for _, table in learned))
            kept = msgspec.json.encode(msgspec.structs.replace(found, needs=needs))
            memo.put(SIGNATURE, key, kept)
        return msgspec.json.decode(kept, type=Signature)

    def _learned_from(
        self, output: said.Output, place: Place
    ) -> Iterator[tuple[str, Callable[[], tables.Table | None]]]:
        """The tables that a model may have learned from, the likeliest first, each with what identifies it.

        Those that its step was given, in the order of its arguments; then what it is compared on.
        """
        for _, binding in self.work.graph.nodes[place.node].inputs:
            for leaf in leaves(binding):
                if isinstance(leaf, FromSource):
                    yield from self._data(self.work.graph.sources[leaf.source].name)
                elif isinstance(leaf, FromStep) and not leaf.path:
                    yield from self._artifact(artifact_at(self.work, Place(leaf.node, leaf.output)))
        if output.golden is not None:
            on = output.golden.on
            if on in self.facts.readings:
                yield from self._data(on)
            elif on in self.manifest.outputs:
                other = place_of(self.work.graph, on, self.manifest.outputs[on])
                yield from self._artifact(artifact_at(self.work, other) if other else None)

    def _data(self, name: str) -> Iterator[tuple[str, Callable[[], tables.Table | None]]]:
        if token := self.facts.token(name):
            yield token, lambda: self.facts.table(name)

    def _artifact(self, one: Artifact | None) -> Iterator[tuple[str, Callable[[], tables.Table | None]]]:
        if one is not None and one.codec in TABLES:
            yield one.token, lambda: tables.table_of(load(self.work.store, one))
