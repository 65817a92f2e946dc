"""What a step was given in an earlier execution, as a task takes it: from the record, in the present graph.

A record keeps of each input what it came to in the key (`depth=6`, `table=arrow:b3:…`), not the value.
So the pipeline is traced with the parameters of the run, and each input that comes to the same now is
taken from where the pipeline takes it. One that comes to something else, because the pipeline was
edited since, is made from the record alone: an artifact by its digest, a number or text from its
canonical text. What can be had neither way is an error, never another value in its place.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from stepwell.errors import CallGone, InputChanged, InputForgotten, nearest
from stepwell.kernel.graph import Binding, Constant, FromSource, FromStep, Graph, Node, Pack, filled, leaves
from stepwell.kernel.identity import NotPlain, canonical
from stepwell.kernel.plan import Foreseen, Identity, Judge, Known, Pin, standing
from stepwell.kernel.ports import Artifact, FailedStep, Failure, Outside, Stored
from stepwell.sources import pin as pins
from stepwell.sources.address import shown
from stepwell.sources.memo import Memory
from stepwell.sources.web import Shelf
from stepwell.stores.local import LocalStore

_ARTIFACT = re.compile(r"(?P<artifact>[^\[]*?:b3:[0-9a-f]{64})(?P<path>\[.*\])?", re.DOTALL)
_NOTHING = frozenset(("failed", "blocked", "skipped", "skip", "interrupted"))
"""Statuses, and verbs of a plan, of steps that gave nothing to others, whatever their judges refused."""

_SOURCE = re.compile(r"source:(?P<digest>b3:[0-9a-f]{64}):(?P<reader>.*)", re.DOTALL)


class Recorded(NamedTuple):
    """One execution of a step, or what the present plan knows of one: `status` is then the plan's verb."""

    id: str
    name: str
    step: str
    status: str
    key: str | None
    inputs: tuple[tuple[str, str], ...]
    outputs: tuple[Artifact, ...]
    error: Failure | None = None


class Then(NamedTuple):
    """Where inputs come from: the run ("" for the present plan), its pipeline and parameters, its steps by id."""

    run: str
    pipeline: str
    params: Mapping[str, object]
    wanted: Recorded
    steps: Mapping[str, Recorded]

    @property
    def name(self) -> str:
        """The run for people."""
        return self.run or "the present plan"


class Given:
    """The inputs of an execution, resolved in the present graph. `moved` are sources that hold something else now."""

    def __init__(self, store: LocalStore, root: Path, graph: Graph, then: Then) -> None:
        self.notes: list[str] = []
        self.moved: list[str] = []
        self._store, self._root, self._graph, self._then = store, root, graph, then
        self._shelf = Shelf(store.blobs.folder)
        self._artifacts = {made.token: made for step in then.steps.values() for made in step.outputs}
        self._gave = [self._foreseen(node) for node in range(len(graph.nodes))]
        self._digests: dict[int, str] = {}
        for node in range(len(graph.nodes)):
            self._learn_digests(node)

    def _foreseen(self, node: int) -> Foreseen:
        """What a node of the present graph came to then, as a plan would foresee it; nobody knows where no step had its id."""
        step = self._then.steps.get(self._graph.nodes[node].id)
        if step is None or step.step != self._graph.step_of(node).full_name:
            return Foreseen(None, True, "cached")
        if step.status in _NOTHING:
            return Foreseen(None, True, "blocked")
        return Foreseen(step.outputs or None, True, "cached")

    def _learn_digests(self, node: int) -> None:
        """Which content sources had then, from the inputs of the steps that read them."""
        call = self._graph.nodes[node]
        step = self._then.steps.get(call.id)
        tokens = dict(step.inputs) if step is not None else {}
        for name, binding in call.inputs:
            found = _SOURCE.fullmatch(tokens.get(name, "")) if isinstance(binding, FromSource) else None
            if found is not None and isinstance(binding, FromSource):
                self._digests.setdefault(binding.source, found["digest"])

    # ------------------------------------------------------------------ which call

    def node(self) -> int:
        """The node that is the recorded call: of its id, or the only one with its inputs. Raises `CallGone`."""
        wanted, graph = self._then.wanted, self._graph
        nodes = [i for i in range(len(graph.nodes)) if graph.step_of(i).full_name == wanted.step]
        nodes.sort(key=lambda node: graph.nodes[node].id != wanted.id)
        for node in nodes:
            if dict(self._tokens(node)).items() >= dict(wanted.inputs).items():
                return node
        if nodes and (len(nodes) == 1 or graph.nodes[nodes[0]].id == wanted.id):
            return nodes[0]
        ids = [graph.nodes[node].id for node in nodes]
        what = f"no longer has the call `{wanted.id}`" if ids else f"no longer calls `{wanted.name}`"
        hint = nearest(wanted.name, [step.name for step in graph.steps])
        raise CallGone(
            f"the pipeline `{graph.pipeline}` {what} of {self._then.name}",
            why=f"`{wanted.step}` is not among the steps that it calls with the parameters of then"
            if not ids
            else "several calls of the step are left, and none has these inputs",
            fixes=ids[:5] or ([f"was it renamed to `{hint}`?"] if hint else ["stepwell plan"]),
        )

    def _tokens(self, node: int) -> tuple[tuple[str, str], ...]:
        """What the inputs of a node come to, by the same rules as in a plan."""
        graph = self._graph
        for _, binding in graph.nodes[node].inputs:
            for leaf in leaves(binding):
                if isinstance(leaf, FromSource):
                    self._digest(leaf.source)
        digests = [Pin(self._digests.get(place, "")) for place in range(len(graph.sources))]
        nobody = Identity("", "", {}, {})
        known = Known([nobody] * len(graph.steps), digests, self._store.results)
        return Judge(graph, known).decide(node, self._gave).inputs

    def _digest(self, place: int) -> str:
        """The digest of a source: as it was, or where no record says so as it is now."""
        found = self._digests.get(place)
        if found is None:
            found = self._digests[place] = self._now(self._graph.sources[place].uri)
        return found

    def _now(self, uri: str) -> str:
        return pins.pin(uri, root=self._root, memo=Memory(), shelf=self._shelf).digest

    # ------------------------------------------------------------------ values

    def of(self, node: int) -> list[tuple[str, object]]:
        """Each input by name, as a task takes it. Raises `InputForgotten`, `ArtifactGone`."""
        recorded, now = dict(self._then.wanted.inputs), dict(self._tokens(node))
        out: list[tuple[str, object]] = []
        call = self._graph.nodes[node]
        for name, binding in call.inputs:
            if name not in recorded:
                ignored = name in self._graph.step_of(node).ignore
                if not ignored:
                    self.notes.append(f"`{name}` is new: it is what the pipeline passes now")
                out.append((name, self._bound(name, binding, call)))
            elif now.get(name) == recorded[name]:
                out.append((name, self._bound(name, binding, call)))
            else:
                out.append((name, self._by_token(name, recorded[name])))
        names = [name for name, _ in out]
        gone = [name for name in recorded if name not in names]
        self.notes += [f"`{name}` is no longer passed by the pipeline" for name in gone]
        return out

    def _bound(self, name: str, binding: Binding, call: Node) -> object:
        """An input of a call from where the pipeline takes it."""
        if isinstance(binding, FromStep):
            for artifact in self._gave[binding.node].outputs or ():
                if artifact.name == binding.output:
                    return Stored(artifact, self._store.results.data(artifact), binding.path)
            maker = self._graph.nodes[binding.node].id
            raise self._forgotten(name, f"`{maker}`, which makes it, gave nothing in {self._then.name}")
        if isinstance(binding, FromSource):
            return self._outside(binding.source, self._digest(binding.source))
        if isinstance(binding, Pack):
            items = [self._bound(name, item, call) for item in standing(binding, self._gave)]
            return filled(binding, items, self._failed(call.after))
        return binding

    def _failed(self, nodes: Iterable[int]) -> Iterator[FailedStep]:
        """What had failed of some nodes, as a step is told of it that always runs."""
        for node in nodes:
            step = self._then.steps.get(self._graph.nodes[node].id)
            if step is not None and step.status == "failed" and step.error is not None:
                yield FailedStep(step.id, step.error.code, step.error.what, step.error.why)

    def _outside(self, place: int, digest: str) -> Outside:
        source = self._graph.sources[place]
        return Outside(source.name, source.uri, source.type, source.options, digest)

    def _by_token(self, name: str, text: str) -> object:
        """An input from what is recorded of it alone: the pipeline passes something else now."""
        found = _ARTIFACT.fullmatch(text)
        if found is not None:
            artifact = self._artifacts.get(found["artifact"])
            if artifact is None:
                raise self._forgotten(name, f"no step of {self._then.name} is known to have given it")
            path = tuple(ast.literal_eval(found["path"] or "[]"))
            self.notes.append(f"the pipeline takes `{name}` from elsewhere now; it is what it was")
            return Stored(artifact, self._store.results.data(artifact), path)
        source = _SOURCE.fullmatch(text)
        if source is not None:
            place = self._source(name, source["reader"])
            return self._outside(place, source["digest"])
        try:
            value = spoken(text)
        except ValueError as error:
            raise self._forgotten(name, str(error)) from None
        self.notes.append(f"the pipeline passes another `{name}` now; it is {text}, as in {self._then.name}")
        return Constant(value, text)

    def _source(self, name: str, reader: str) -> int:
        """The source of the present graph that is read as a recorded one was."""
        found = [place for place, source in enumerate(self._graph.sources) if source.reader == reader]
        direct = [
            binding.source
            for call in self._graph.nodes
            for other, binding in call.inputs
            if other == name and isinstance(binding, FromSource)
        ]
        chosen = [place for place in dict.fromkeys(direct) if place in found] or found
        if len(chosen) != 1 and len(dict.fromkeys(direct)) != 1:
            raise self._forgotten(name, "the pipeline no longer has the source that it was read from")
        if not chosen:
            self.notes.append(f"`{name}` is read in another way now")
            return direct[0]
        return chosen[0]

    def _forgotten(self, name: str, why: str) -> InputForgotten:
        step = self._then.wanted.id
        return InputForgotten(
            f"input `{name}` of `{step}` in {self._then.name} cannot be had again",
            why=why,
            fixes=["undo the edit of the pipeline that changed it", "stepwell run", "name another run"],
        )

    # ------------------------------------------------------------------ sources

    def settled(self, value: object, *, current: bool) -> object:
        """An input whose sources are checked to hold what they held; others go to `moved`, or are taken as they are."""
        if isinstance(value, Pack):
            items = tuple(self.settled(item, current=current) for item in value.items)
            return value._replace(items=items)  # type: ignore[arg-type]
        if not isinstance(value, Outside):
            return value
        try:
            pins.hold(value.uri, value.digest, root=self._root, shelf=self._shelf)
        except InputChanged as changed:
            if not current:
                self.moved.append(f"`{value.name}` ({shown(value.uri)}): {changed.why}")
                return value
            digest = self._now(value.uri)
            self.notes.append(f"source `{value.name}` is NOT what {self._then.name} read: {changed.why}")
            return value._replace(digest=digest)
        return value


def spoken(text: str) -> object:
    """The plain value of a canonical text, where text alone says it. Raises `ValueError` saying why it does not."""
    if text.startswith("#"):
        raise ValueError(
            "it was long, so that only its digest was recorded, and the pipeline passes another now"
        )
    try:
        value = ast.literal_eval(text)
        if canonical(value) == text:
            return value
    except (ValueError, SyntaxError, NotPlain, RecursionError, MemoryError):
        pass
    raise ValueError(f"it was {text[:80]}, and the pipeline passes something else now")
