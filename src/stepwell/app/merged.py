"""Several traced pipelines as one graph, and parts of what comes of it: how a sweep is one plan.

    traced, places = merged([attempt, ...], ["depth=4", "depth=6"])    nodes `depth=4/train`, `depth=6/train`, ...
    split = Split(plan, labels)
    split.owner(17), split.local(17)                            which point a node belongs to, its number there
    split.part(1)                                               the plan of the second point alone

Steps and sources that are alike are there once; calls are not, since the kernel does calls with the same
key once anyway, and so each point has all of its own. A node belongs to the point whose label its id begins
with: this stays so when a plan grows, is put into another order, or loses nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from stepwell.app.progress import Progress
from stepwell.author.problems import Problems
from stepwell.author.trace import Attempt, Known
from stepwell.kernel.graph import (
    NOTHING,
    Binding,
    FromSource,
    FromStep,
    Graph,
    Node,
    Pack,
    Piece,
    SourceDef,
    StepDef,
    all_exchanged,
    leaves,
    rewired,
)
from stepwell.kernel.plan import Decision, Grown, Growth, Plan, Reason, Wanted
from stepwell.kernel.ports import Outputs


class Places(NamedTuple):
    """Where the steps and sources of one point are in the merged graph: by their positions in its own trace."""

    steps: list[int]
    sources: list[int]


def merged(attempts: Sequence[Attempt], labels: Sequence[str]) -> tuple[Attempt, list[Places]]:
    """Traced pipelines as one, each call's id behind its point's label; the result is the list of all results."""
    places: list[Places] = []
    tables = _Tables()
    nodes: list[Node] = []
    results: list[Binding] = []
    ends: list[tuple[str, Binding]] = []
    problems = Problems()
    for one, label in zip(attempts, labels, strict=True):
        steps, sources = tables.take(one)
        places.append(Places(steps, sources))
        mine = range(len(nodes), len(nodes) + len(one.graph.nodes))
        move = _Mover(mine, sources)
        nodes += [
            node._replace(
                id=f"{label}/{node.id}",
                step=steps[node.step],
                inputs=tuple([(name, move(binding)) for name, binding in node.inputs]),
                after=tuple([mine[before] for before in node.after]),
            )
            for node in one.graph.nodes
        ]
        results.append(move(one.graph.result))
        ends += [(f"{label}/{name}", move(binding)) for name, binding in one.graph.endpoints]
        for error in one.problems.errors:
            problems.add(error)
        for note in one.problems.notes:
            problems.note(note)
    graph = Graph(
        attempts[0].graph.pipeline,
        _shared([one.graph.params for one in attempts]),
        tuple(tables.sources),
        tuple(tables.steps),
        tuple(nodes),
        Pack("list", tuple(results)),
        tuple(ends),
    )
    whole = all(one.whole for one in attempts)
    broken = frozenset(tables.broken)
    return Attempt(graph, problems, tuple(tables.known), tuple(tables.gives), whole, broken), places


def _shared(params: Sequence[tuple[tuple[str, object, str], ...]]) -> tuple[tuple[str, object, str], ...]:
    """The parameters that have the same value in all points."""
    alike = set.intersection(*[{(name, token) for name, _, token in one} for one in params])
    return tuple([param for param in params[0] if (param[0], param[2]) in alike])


class _Tables:
    """Steps and sources of several graphs, each once."""

    def __init__(self) -> None:
        self.steps: list[StepDef] = []
        self.known: list[Known] = []
        self.sources: list[SourceDef] = []
        self.gives: list[object] = []
        self.broken: set[int] = set()
        self._steps: dict[StepDef, int] = {}
        self._sources: dict[tuple[object, ...], int] = {}

    def take(self, one: Attempt) -> tuple[list[int], list[int]]:
        """Take in the steps and sources of a graph; where each of them is here."""
        steps = []
        for step, known in zip(one.graph.steps, one.steps, strict=True):
            place = self._steps.setdefault(step, len(self.steps))
            if place == len(self.steps):
                self.steps.append(step)
                self.known.append(known)
            steps.append(place)
        sources = []
        for i, source in enumerate(one.graph.sources):
            alike = (source.name, source.uri, source.type, repr(source.options), source.reader, source.sample)
            place = self._sources.setdefault(alike, len(self.sources))
            if place == len(self.sources):
                self.sources.append(source)
                self.gives.append(one.gives[i])
            if i in one.broken:
                self.broken.add(place)
            sources.append(place)
        return steps, sources


class _Mover:
    """Gives a binding of one graph its numbers in another, by place."""

    def __init__(self, nodes: Sequence[int], sources: Sequence[int]) -> None:
        self._nodes, self._sources = nodes, sources

    def __call__(self, binding: Binding) -> Binding:
        if isinstance(binding, FromStep):
            return binding._replace(node=self._nodes[binding.node])
        if isinstance(binding, FromSource):
            return FromSource(self._sources[binding.source])
        if isinstance(binding, Pack):
            return binding._replace(items=tuple([self(item) for item in binding.items]))
        return binding


# --------------------------------------------------------------------------- and apart again


class Split:
    """Which point each node of a merged plan belongs to. `labels` are those of the points, in their order."""

    def __init__(self, plan: Plan, labels: Sequence[str]) -> None:
        self.labels = labels
        self._points = {label: place for place, label in enumerate(labels)}
        self._owner: list[int] = []
        self._local: list[int] = []
        self.nodes: list[list[int]] = [[] for _ in labels]
        self.take(plan)

    def take(self, plan: Plan) -> None:
        """Go on with a plan that has further nodes behind all others."""
        self.plan = plan
        for node in range(len(self._owner), len(plan.graph.nodes)):
            place = self._points[plan.graph.nodes[node].id.partition("/")[0]]
            self._owner.append(place)
            self._local.append(len(self.nodes[place]))
            self.nodes[place].append(node)

    def owner(self, node: int) -> int:
        """The place of the point that a node belongs to."""
        return self._owner[node]

    def local(self, node: int) -> int:
        """The number of a node among those of its point."""
        return self._local[node]

    def decision(self, decision: Decision) -> Decision:
        """A decision as it is told inside of its point: with its own numbers, and ids without the point's label."""
        label = self.labels[self._owner[decision.node]]
        reasons = tuple([_inside(reason, label) for reason in decision.reasons])
        return decision._replace(node=self._local[decision.node], reasons=reasons)

    def part(self, place: int, params: Sequence[tuple[str, object, str]] = ()) -> Plan:
        """The plan of one point alone, with these parameters: its own nodes, and the sources that these read."""
        plan, graph, mine = self.plan, self.plan.graph, self.nodes[place]
        result = graph.result.items[place] if isinstance(graph.result, Pack) else graph.result
        bound = [binding for node in mine for _, binding in graph.nodes[node].inputs]
        read = {leaf.source for b in (*bound, result) for leaf in leaves(b) if isinstance(leaf, FromSource)}
        sources = {source: i for i, source in enumerate(sorted(read))}
        label = f"{self.labels[place]}/"
        nodes = [
            graph.nodes[node]._replace(
                id=graph.nodes[node].id.removeprefix(label),
                inputs=tuple([(name, self._own(b, sources)) for name, b in graph.nodes[node].inputs]),
                after=tuple([self._local[before] for before in graph.nodes[node].after]),
            )
            for node in mine
        ]
        ends = [
            (n.removeprefix(label), self._own(b, sources)) for n, b in graph.endpoints if n.startswith(label)
        ]
        known = plan.known._replace(pins=[plan.known.pins[source] for source in sources])
        return Plan(
            graph._replace(
                params=tuple(params) or graph.params,
                sources=tuple([graph.sources[source] for source in sources]),
                nodes=tuple(nodes),
                result=self._own(result, sources),
                endpoints=tuple(ends),
            ),
            known,
            plan.wanted._replace(targets=None, forced=(), kept=(), skipped=()),
            tuple([self.decision(plan.decisions[node]) for node in mine]),
        )

    def progress(self, place: int, progress: Progress, params: Sequence[tuple[str, object, str]]) -> Progress:
        """What became of the steps of one point, of what became of all."""
        numbered = list(enumerate(self.nodes[place]))
        found = {local: progress.outcomes[node] for local, node in numbered if node in progress.outcomes}
        own = {local: one._replace(decision=self.decision(one.decision)) for local, one in found.items()}
        out = Progress(self.part(place, params), own)
        out.grown = {local: range(0) for local, node in numbered if node in progress.grown}
        return out

    def _own(self, binding: Binding, sources: dict[int, int]) -> Binding:
        if isinstance(binding, FromStep):
            return binding._replace(node=self._local[binding.node])
        if isinstance(binding, FromSource):
            return FromSource(sources[binding.source])
        if isinstance(binding, Pack):
            return binding._replace(items=tuple([self._own(item, sources) for item in binding.items]))
        return binding


def _inside(reason: Reason, label: str) -> Reason:
    """A reason with ids as they are inside of the point with this label."""
    if label not in reason.text and label not in reason.name:
        return reason
    text = reason.text.replace(f"`{label}/", "`")
    return reason._replace(text=text, name=reason.name.removeprefix(f"{label}/"))


# --------------------------------------------------------------------------- what is asked of each point


def owners(graph: Graph, labels: Sequence[str]) -> list[list[int]]:
    """The nodes of each point, in their order."""
    points = {label: place for place, label in enumerate(labels)}
    out: list[list[int]] = [[] for _ in labels]
    for node, call in enumerate(graph.nodes):
        out[points[call.id.partition("/")[0]]].append(node)
    return out


def wanted_of(graph: Graph, labels: Sequence[str], choose: Callable[[Graph], Wanted]) -> Wanted:
    """What `choose` means of each point alone, by the names that its steps have there, as one."""
    sets: list[set[int] | None] = []
    for mine, label in zip(owners(graph, labels), labels, strict=True):
        found = choose(_alone(graph, mine, label))
        sets = sets or [None if one is None else set() for one in found]
        for one, more in zip(sets, found, strict=True):
            if one is not None:
                one.update(mine[node] for node in more or ())
    return Wanted(*sets)  # type: ignore[arg-type]


def _alone(graph: Graph, mine: Sequence[int], label: str) -> Graph:
    """The calls of one point with their own ids and numbers; sources and the result are left as they are."""
    local = {node: i for i, node in enumerate(mine)}

    def moved(leaf: FromStep) -> Binding:
        return leaf._replace(node=local[leaf.node])

    calls = [rewired(graph.nodes[node], moved, lambda one: (local[one],)) for node in mine]
    nodes = [call._replace(id=call.id.removeprefix(f"{label}/")) for call in calls]
    ends = [(n.removeprefix(f"{label}/"), b) for n, b in graph.endpoints if n.startswith(f"{label}/")]
    return graph._replace(nodes=tuple(nodes), result=NOTHING, endpoints=all_exchanged(ends, moved))


class PointGrowth:
    """Implements `kernel.plan.Growth` for a merged graph by one `Growth` for each point, which knows its own trace alone.

    A point's own growth sees the point's calls, and gives a piece in the numbers of the point; here it gets
    those of the merged graph, and ids behind the point's label.
    """

    def __init__(
        self, growths: Sequence[Growth | None], places: Sequence[Places], graph: Graph, labels: Sequence[str]
    ) -> None:
        self._growths, self._places, self._labels = growths, places, labels
        self._nodes = owners(graph, labels)

    def moved(self, places: Mapping[int, int]) -> None:
        """The graph was put in order: by old position the new one."""
        for place, growth in enumerate(self._growths):
            old = self._nodes[place]
            new = sorted(places[node] for node in old if node in places)
            local = {node: i for i, node in enumerate(new)}
            self._nodes[place] = new
            if growth is not None:
                growth.moved({i: local[places[node]] for i, node in enumerate(old) if node in places})

    def grown(self, graph: Graph, node: int, outputs: Outputs) -> Grown:
        """The piece that a dynamic call of one of the points becomes. Raises as that point's growth."""
        place = next(
            i for i, label in enumerate(self._labels) if graph.nodes[node].id.startswith(f"{label}/")
        )
        growth, mine, sources = self._growths[place], self._nodes[place], self._places[place].sources
        if growth is None:
            raise LookupError(graph.nodes[node].id)
        alone = _alone(graph, mine, self._labels[place])
        alone = alone._replace(
            sources=tuple([graph.sources[source] for source in sources]),
            nodes=tuple([_with_sources(call, {s: i for i, s in enumerate(sources)}) for call in alone.nodes]),
        )
        found = growth.grown(alone, mine.index(node), lambda local: outputs(mine[local]))
        return found._replace(piece=self._placed(graph, place, found.piece))

    def _placed(self, graph: Graph, place: int, piece: Piece) -> Piece:
        """A piece in the numbers of the merged graph."""
        mine, (steps, sources), label = self._nodes[place], self._places[place], self._labels[place]
        mine.extend(range(len(graph.nodes), len(graph.nodes) + len(piece.nodes)))
        steps.extend(range(len(graph.steps), len(graph.steps) + len(piece.steps)))
        sources.extend(range(len(graph.sources), len(graph.sources) + len(piece.sources)))
        move = _Mover(mine, sources)
        nodes = [
            call._replace(
                id=f"{label}/{call.id}",
                step=steps[call.step],
                inputs=tuple([(name, move(binding)) for name, binding in call.inputs]),
                after=tuple([mine[before] for before in call.after]),
            )
            for call in piece.nodes
        ]
        ends = [(f"{label}/{name}", move(binding)) for name, binding in piece.endpoints]
        return piece._replace(nodes=tuple(nodes), result=move(piece.result), endpoints=tuple(ends))


def _with_sources(call: Node, places: Mapping[int, int]) -> Node:
    """A call with the numbers of its sources exchanged."""

    def moved(binding: Binding) -> Binding:
        if isinstance(binding, FromSource):
            return FromSource(places[binding.source])
        if isinstance(binding, Pack):
            return binding._replace(items=tuple([moved(item) for item in binding.items]))
        return binding

    return call._replace(inputs=tuple([(name, moved(binding)) for name, binding in call.inputs]))


__all__ = ["Places", "PointGrowth", "Split", "merged", "owners", "wanted_of"]
