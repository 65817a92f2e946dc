"""Dynamic calls, traced when their inputs are known: the kernel's `Growth`.

    growing = Growing(tracing, graph, learning, store, root)
    decide(graph, Known(..., growth=growing))       what is up to date grows when it is planned
    drive(plan, ...)                                 the rest in the course of the run

The body of a dynamic call is called with its inputs as values. What it passes on of them, whole or
item by item, is bound to where it comes from, so that nothing is copied and a step's key is that of
the content. The trace and the graph number nodes differently once the graph was put in order, and
here is the one place that knows both numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from stepwell.app.learning import Learns
from stepwell.author.bindings import Given
from stepwell.author.constants import TooLarge, in_memory
from stepwell.author.inputs import ListedFile
from stepwell.author.references import Reference
from stepwell.author.trace import Piece, Trace
from stepwell.errors import CodecError, InputUnreadable, MissingLibrary, StepwellError
from stepwell.kernel import graph as g
from stepwell.kernel.identity import NotPlain, digest, token
from stepwell.kernel.plan import Foreseen, Grown, standing
from stepwell.kernel.ports import Artifact, Made, Outputs, Outside, Stored
from stepwell.stores.blobs import digest_of
from stepwell.stores.local import LocalStore
from stepwell.worker import secrets
from stepwell.worker.inputs import Inputs

ATOMS = (type(None), bool, int, float, complex, str, bytes)
"""Values that are constants wherever they come from: their content is what they are."""


class Growing:
    """Implements `kernel.plan.Growth` for one traced pipeline.

    `learning` finds out what is to be known of the steps and sources of each piece.
    """

    def __init__(
        self, tracing: Trace, graph: g.Graph, learning: Learns, store: LocalStore, root: Path
    ) -> None:
        self._tracing, self._store, self._root, self._learning = tracing, store, root, learning
        self._places = dict(tracing.places)
        """By a node's number in the trace, that in the graph."""
        self._numbers = {place: mine for mine, place in self._places.items()}
        """By a node's number in the graph, that in the trace."""
        self.busy = False
        """Whether the user's body is running now, in this process: nothing else can stop it than an exception."""
        self._became: dict[int, g.Binding] = {}
        """By the number of a dynamic call in the trace, what its body gave."""
        self._stead: dict[int, Sequence[int]] = {}
        """By the same number the nodes in the trace that others wait for instead of it: with which its piece ends."""

    def moved(self, places: Mapping[int, int]) -> None:
        """The graph was put in order: by old position the new one."""
        self._places = {mine: places[old] for mine, old in self._places.items() if old in places}
        self._numbers = {place: mine for mine, place in self._places.items()}

    def grown(self, graph: g.Graph, node: int, outputs: Outputs) -> Grown:
        """The piece that a dynamic call becomes. Raises what is wrong in its body, and `ArtifactGone`."""
        call = graph.nodes[node]
        values: dict[str, Any] = {}
        given: dict[int, Given] = {}
        for name, binding in call.inputs:
            values[name] = self._value(graph, call, name, binding, outputs)
            self._learning.spreads(
                graph.sources[leaf.source].name
                for leaf in g.leaves(binding)
                if isinstance(leaf, g.FromSource)
            )
            for value, where in self._parts(values[name], self._as_traced(binding)):
                given[id(value)] = Given(value, where)
        mine = self._numbers[node]
        # So that no value is in a text of what the body raises. It may reveal none, and so those that it takes need not be there.
        secrets.prepare(())
        self.busy = True
        try:
            traced = self._tracing.grow(mine, values, given)
        except StepwellError as error:
            raise _masked(error) from None
        finally:
            self.busy = False
        self._became[mine] = traced.result
        return self._settled(graph, node, traced)

    # ------------------------------------------------------------------ inputs

    def _value(self, graph: g.Graph, call: g.Node, name: str, binding: g.Binding, outputs: Outputs) -> Any:
        """An input as a value; as a reference where its type cannot be had in this process."""
        source = self._loadable(graph, binding, outputs)
        inputs = Inputs(self._root, self._store.blobs)
        try:
            return inputs.value(source)
        except (MissingLibrary, ModuleNotFoundError):
            step = graph.step_of(next(i for i, one in enumerate(graph.nodes) if one is call))
            return Reference(self._as_traced(binding), None, f"{step.name}({name})", self._tracing)
        except StepwellError:
            raise
        except Exception as error:  # a reader or a codec is a library, and may raise anything
            raise InputUnreadable(
                f"`{call.id}` could not read its input `{name}`: {type(error).__name__}: {error}",
                why="the input is there, but it is not what its reader expects",
                where=call.where,
            ) from error
        finally:
            inputs.forget()

    def _loadable(self, graph: g.Graph, binding: g.Binding, outputs: Outputs) -> Any:
        """What `worker.inputs.Inputs` makes the value of a binding from."""
        if isinstance(binding, g.FromStep):
            artifact = next(one for one in outputs(binding.node) or () if one.name == binding.output)
            return Stored(artifact, self._store.results.data(artifact), binding.path)
        if isinstance(binding, g.FromSource):
            source, digest = graph.sources[binding.source], self._learning.digests[binding.source]
            return Outside(source.name, source.uri, source.type, source.options, digest)
        if isinstance(binding, g.Constant):
            return binding
        there = standing(binding, _Given(outputs))
        items = tuple([self._loadable(graph, item, outputs) for item in there])
        if binding.kind == "optional":
            return items[0] if items else g.NOTHING
        return binding._replace(items=items)

    def _parts(self, value: Any, binding: g.Binding) -> Iterator[tuple[Any, Callable[[], g.Binding]]]:
        """A value, and its items if it has some, each with how to come by its binding; atoms are left out."""
        if type(value) in ATOMS:
            return
        yield value, lambda: binding
        items: Sequence[tuple[Any, Any]] = ()
        if isinstance(value, list | tuple):
            items = list(enumerate(value))
        elif isinstance(value, dict):
            items = [pair for pair in value.items() if isinstance(pair[0], int | str)]
        for part, item in items:
            if type(item) not in ATOMS:
                yield item, lambda part=part, item=item: self._part(binding, part, item)

    def _part(self, binding: g.Binding, part: int | str, value: Any) -> g.Binding:
        if isinstance(binding, g.FromSource) and isinstance(value, Path):
            name, uri = self._learning.file_of(binding.source, part, value)
            return self._tracing.source(ListedFile(name, uri))._stepwell_binding
        if isinstance(binding, g.FromSource):
            return _constant(value)
        one = g.part_of(binding, (part,))
        return one._replace(token=_content(value)) if isinstance(one, g.FromStep) else one

    def _as_traced(self, binding: g.Binding) -> g.Binding:
        return g.exchanged(binding, lambda leaf: leaf._replace(node=self._numbers[leaf.node]))

    # ------------------------------------------------------------------ the piece

    def _settled(self, graph: g.Graph, node: int, traced: Piece) -> Grown:
        """What was traced, in the graph's numbering, with what is to be known of it."""
        first = len(graph.nodes)
        start = len(self._tracing.nodes) - len(traced.nodes)
        for i in range(len(traced.nodes)):
            self._places[start + i], self._numbers[first + i] = first + i, start + i

        def place(leaf: g.FromStep) -> g.Binding:
            if leaf.node in self._became:
                return g.exchanged(g.part_of(self._became[leaf.node], leaf.path), place)
            return leaf._replace(node=self._places[leaf.node])

        kinds = [self._tracing.steps[call.step].kind for call in traced.nodes]
        waited = {  # what a dynamic call waits for is not its piece's: that may hold nothing but values of it
            one
            for call, kind in zip(traced.nodes, kinds, strict=True)
            if kind != g.DYNAMIC
            for one in g.dependencies(call)
        }
        mine = self._numbers[node]
        ends = [one for one in range(start, start + len(traced.nodes)) if one not in waited]
        self._stead[mine] = ends or g.dependencies(self._tracing.nodes[mine])
        behind = cache(self._behind)  # many calls of a piece wait for the same
        nodes = tuple([g.rewired(call, place, behind) for call in traced.nodes])
        endpoints = g.all_exchanged(traced.endpoints, place)
        more = graph._replace(steps=tuple(traced.steps), sources=tuple(traced.sources), nodes=())
        news = self._learning.learn(more)
        result = g.exchanged(traced.result, place)
        piece = g.Piece(nodes, result, news.graph.steps, news.graph.sources, endpoints)
        return Grown(piece, news.identities, news.pins, _told(self._tracing, traced))

    def _behind(self, node: int) -> list[int]:
        """Where in the graph is what a node of the trace stands for, to wait for it: its pieces' ends if it has become steps."""
        found: dict[int, None] = {}
        todo, seen = [node], {node}
        while todo:
            one = todo.pop()
            if one not in self._stead:
                found[self._places[one]] = None
            more = [each for each in self._stead.get(one, ()) if each not in seen]
            todo += reversed(more)
            seen.update(more)
        return list(found)


def _masked(error: StepwellError) -> StepwellError:
    """An error without the values of secrets in its texts."""
    if secrets.any_made():
        for problem in (error, *getattr(error, "problems", ())):
            problem.what, problem.why = secrets.masked(problem.what), secrets.masked(problem.why)
            problem.fixes = tuple([secrets.masked(fix) for fix in problem.fixes])
    return error


class _Given:
    """What is given by the nodes before, as a judgement sees it: failed where there are no outputs."""

    def __init__(self, outputs: Outputs) -> None:
        self._outputs = outputs

    def __getitem__(self, node: int, /) -> Any:
        there = self._outputs(node)
        return Foreseen(there, True, "blocked" if there is None else "cached")  # type: ignore[arg-type]


def _told(tracing: Trace, traced: Piece) -> Made:
    """What a dynamic call became, as an artifact whose note says it: "12 × evaluate, 1 × report"."""
    steps = [tracing.steps[call.step] for call in traced.nodes]
    counted = Counter(step.name for step in steps if step.kind != g.DYNAMIC)
    text = ", ".join(f"{count} × {name}" for name, count in list(counted.items())[:6]) or "nothing"
    text += f" and {len(counted) - 6} more" if len(counted) > 6 else ""
    data = text.encode()
    return Made(Artifact("steps", "text", digest_of(data), len(data), (), text), data)


def _constant(value: Any) -> g.Constant:
    try:
        return g.Constant(value, token(value))
    except NotPlain:
        codec, data = in_memory(value)
        return g.Constant(data, f"{codec}:#{digest(data)}", codec)


def _content(value: Any) -> str:
    """What an item comes to in a key by its content; "" where only the whole that it is in can say that."""
    try:
        if isinstance(value, Path):
            return f"path:{digest_of(value.read_bytes())}:{token(value.name)}" if value.is_file() else ""
        return token(value)
    except NotPlain:
        pass
    try:
        codec, data = in_memory(value)
    except (CodecError, TooLarge):
        return ""
    return f"{codec}:#{digest(data)}"
