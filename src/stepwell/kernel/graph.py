"""What a pipeline is: steps, how they are wired, and what comes in from outside. Facts only.

A `Graph` is made once, by tracing (`stepwell.author.trace`) or by hand in a test, and never
changes. It names everything by position: node 3 is `graph.nodes[3]`, and a node only refers to
nodes before it, so the order of `nodes` is an execution order.

    clean = StepDef(name="clean", module="pipeline", qualname="clean", outputs=(OutputDef("result"),))
    graph = Graph(
        pipeline="delays",
        sources=(SourceDef(name="flights", uri="flights.csv"),),
        steps=(clean,),
        nodes=(Node(id="clean", step=0, inputs=(("flights", FromSource(0)),)),),
        result=FromStep(0),
    )
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, chain

from stepwell.errors import PipelineCycle
from stepwell.kernel.identity import token
from stepwell.named import NamedTuple

RESULT = "result"
"""The name of the output of a step that has only one."""


class Constant(NamedTuple):
    """A value written in the pipeline or given as a parameter.

    `token` is what it comes to in a key: the canonical text of the value, or a digest of that
    where it is long (`identity.token`). `payload` is the value itself if it is plain data, and
    otherwise what `codec` made of it; the kernel never looks into it.
    """

    payload: object
    token: str
    codec: str = ""


NOTHING = Constant(None, "None")
"""What a pipeline without a return value gives."""

NONE: Mapping[int, Sequence[int]] = {}


class FromStep(NamedTuple):
    """An output of an earlier node, or a part of it: `path` holds indexes, keys and field names.

    `token` is what the part comes to in a key, where that is known from its content.
    """

    node: int
    output: str = RESULT
    path: tuple[int | str, ...] = ()
    token: str = ""


class FromSource(NamedTuple):
    """The content of a source."""

    source: int


class Pack(NamedTuple):
    """A container that holds bindings: a list, tuple or dict of references, or a step's outputs together.

    `kind` is "list", "tuple", "dict" (`names` are then tokens of the keys, `keys` the keys), or
    "record" for a named tuple or dataclass whose class is `record` ("module:qualname").
    Of a list, the share `least` of its items must be there; others, whose steps failed, are left out.
    An "optional" is its one item, or None where that failed. "failures" stands for what has failed.
    """

    kind: str
    items: tuple[Binding, ...]
    names: tuple[str, ...] = ()
    keys: tuple[object, ...] = ()
    record: str = ""
    least: float = 1.0


Binding = Constant | FromStep | FromSource | Pack
"""Where an input's value comes from."""


def filled(pack: Pack, items: Iterable[object], failed: Iterable[object]) -> object:
    """What a task is handed for a container: these in place of the items that stand (`plan.standing`), or what has `failed`."""
    if pack.kind == "failures":
        return Constant(list(failed), "")
    if pack.kind == "optional":
        return next(iter(items), NOTHING)
    return pack._replace(items=tuple(items))  # type: ignore[arg-type]


class OutputDef(NamedTuple):
    """One output that a step declares: its name, its type as the user wrote it, and its codec.

    An empty `codec` means that the value's own type chooses when it appears.
    """

    name: str
    type: str = ""
    codec: str = ""


class StepDef(NamedTuple):
    """A step as it was defined, once for all the places where it is called.

    `shape` says how the function's return value splits into `outputs`: "single", "tuple",
    "record" (named tuple or dataclass) or "dict" (typed dict). `record` is then the class.
    `cpus` counts processors, `memory` bytes (0: not stated). `env` names the environment
    variables that count in the key. `kind` tells workers how to call it; "python" means the
    function `qualname` of `module`.

    When a result counts: `version` stands for its code, `ignore` names arguments that do not
    count, `environment` is the level at which what is installed does; after `ttl` seconds it has
    expired (0: never), without `cache` it never counts; `done` is the user's own test.
    How it is run: a failure is tried again `retries` times, after `backoff` seconds and twice as
    many each further time; after `timeout` seconds (0: none) it is stopped; `validate` are judges of
    what it gave. Functions are "module:qualname".
    Of a `kind` other than "python", `spec` is the text of what it does, which is its code; a step of
    kind `DYNAMIC` stands for steps that nobody knows before its inputs. `place` says where it executes,
    if not in a worker itself, `services` what must be running meanwhile, `tags` are names to select it
    by. The failure of an `optional` step is not the run's; an `always` step runs whatever has failed.
    `role` is what it is to a model ("splitter", "trainer"), with what it must give (`worker.roles`).
    """

    name: str
    module: str
    qualname: str
    outputs: tuple[OutputDef, ...] = (OutputDef(RESULT),)
    shape: str = "single"
    record: str = ""
    cpus: float = 1.0
    memory: int = 0
    env: tuple[str, ...] = ()
    kind: str = "python"
    version: str = ""
    ignore: tuple[str, ...] = ()
    environment: str = ""
    ttl: float = 0.0
    cache: bool = True
    done: str = ""
    retries: int = 0
    backoff: float = 1.0
    timeout: float = 0.0
    validate: tuple[str, ...] = ()
    spec: str = ""
    place: str = ""
    services: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    optional: bool = False
    always: bool = False
    role: str = ""

    @property
    def full_name(self) -> str:
        """The name under which history knows the step: `module:qualname`."""
        return f"{self.module}:{self.qualname}"


DYNAMIC = "dynamic"
"""The kind of a step that becomes others when its inputs are known (`grow`)."""


class SourceDef(NamedTuple):
    """A named external input.

    `reader` is the canonical text of how it is read (type, options, library version): it counts
    in the key of each step that reads it. `type` and `options` are for the worker that reads.
    `sample` is the "module:qualname" of a function that makes small samples of it, if it has one, or
    "whole" where ghost runs read it whole.
    """

    name: str
    uri: str
    type: str = ""
    options: tuple[tuple[str, object], ...] = ()
    reader: str = ""
    where: str = ""
    sample: str = ""


class Node(NamedTuple):
    """One call of a step in a pipeline.

    `id` is for people (`training/train`, `train[2]`). `after` are nodes that come first although
    nothing flows from them. `out` is the file that this call claims, relative to the root.
    `where` is the user's line, "pipeline.py:31".
    """

    id: str
    step: int
    inputs: tuple[tuple[str, Binding], ...] = ()
    after: tuple[int, ...] = ()
    out: str = ""
    where: str = ""


class Graph(NamedTuple):
    """A traced pipeline. Nodes that came in another order are put into one that can be executed by `ordered`.

    `params` are the pipeline's parameters: (name, value as plain data, token). `endpoints` are results
    that have a name of their own, to be asked for by it.
    """

    pipeline: str
    params: tuple[tuple[str, object, str], ...] = ()
    sources: tuple[SourceDef, ...] = ()
    steps: tuple[StepDef, ...] = ()
    nodes: tuple[Node, ...] = ()
    result: Binding = NOTHING
    endpoints: tuple[tuple[str, Binding], ...] = ()

    def step_of(self, node: int) -> StepDef:
        """The definition of the step that a node calls."""
        return self.steps[self.nodes[node].step]

    def consumers(self) -> Callable[[int], Sequence[int]]:
        """Tells of each node the nodes that wait for it, each once: from two arrays, as there may be very many."""
        waiting: list[list[int]] = [[] for _ in self.nodes]
        for i, node in enumerate(self.nodes):
            for before in dependencies(node):
                waiting[before].append(i)
        ends = array("I", accumulate(map(len, waiting), initial=0))
        places = array("I", chain.from_iterable(waiting))
        return lambda node: places[ends[node] : ends[node + 1]]


def dependencies(node: Node) -> list[int]:
    """The nodes that a node waits for, each once: those it takes data from, and those it is `after`."""
    found: list[int] = []
    for _, binding in node.inputs:
        kind = type(binding)
        if kind is FromStep:
            found.append(binding.node)  # type: ignore[union-attr]
        elif kind is Pack:
            found.extend(leaf.node for leaf in leaves(binding) if type(leaf) is FromStep)
    found.extend(node.after)
    return found if len(found) < 2 else list(dict.fromkeys(found))


def leaves(binding: Binding) -> Iterator[Constant | FromStep | FromSource]:
    """The constants, outputs and sources inside a binding, left to right."""
    if isinstance(binding, Pack):
        for item in binding.items:
            yield from leaves(item)
    else:
        yield binding


def ordered(graph: Graph, gone: Mapping[int, Sequence[int]] = NONE) -> tuple[Graph, dict[int, int]]:
    """The graph in an execution order, without the nodes that are `gone`; and by old position the new one.

    Nodes are moved behind what they wait for, otherwise they stay in the given order; those that a node
    became which is gone stand in its place. Raises `PipelineCycle`.
    """
    nodes = graph.nodes
    order: list[int] = []
    state = [0] * len(nodes)  # 0 new, 1 being visited, 2 placed
    todo = list(range(len(nodes) - 1, -1, -1))  # the last is the next; what a node became comes twice
    while todo:
        start = todo.pop()
        todo.extend(reversed(gone.get(start, ())))
        if state[start] or start in gone:
            continue
        state[start] = 1
        path = [(start, iter(dependencies(nodes[start])))]
        while path:
            at, rest = path[-1]
            before = next(rest, None)
            if before is None:
                state[at] = 2
                order.append(at)
                path.pop()
            elif state[before] == 1:
                raise _cycle([nodes[i].id for i, _ in path], nodes[before].id, nodes[at].where)
            elif not state[before]:
                state[before] = 1
                path.append((before, iter(dependencies(nodes[before]))))
    new = {old: i for i, old in enumerate(order)}

    def place(leaf: FromStep) -> Binding:
        return leaf._replace(node=new[leaf.node])

    moved = tuple([rewired(nodes[old], place, lambda one: (new[one],)) for old in order])
    result, endpoints = exchanged(graph.result, place), all_exchanged(graph.endpoints, place)
    return graph._replace(nodes=moved, result=result, endpoints=endpoints), new


def _cycle(path: list[str], again: str, where: str) -> PipelineCycle:
    circle = [*path[path.index(again) :], again]
    return PipelineCycle(
        f"steps wait for each other: {' -> '.join(circle)}",
        why="each would need the other's result before it could start",
        fixes=["remove one of these arrows"],
        where=where,
    )


def exchanged(binding: Binding, give: Callable[[FromStep], Binding]) -> Binding:
    """A binding with each output of a step in it replaced by what `give` makes of it."""
    kind = type(binding)
    if kind is FromStep:
        return give(binding)  # type: ignore[arg-type]
    if kind is Pack:
        return binding._replace(items=tuple([exchanged(item, give) for item in binding.items]))  # type: ignore[union-attr]
    return binding


def all_exchanged(
    named: Iterable[tuple[str, Binding]], give: Callable[[FromStep], Binding]
) -> tuple[tuple[str, Binding], ...]:
    """The same of bindings that have names: inputs, or endpoints."""
    return tuple([(name, exchanged(binding, give)) for name, binding in named])


def rewired(call: Node, give: Callable[[FromStep], Binding], stead: Callable[[int], Iterable[int]]) -> Node:
    """A call that takes what `give` makes of each output, and comes after what is in the `stead` of each node."""
    after = tuple([each for one in call.after for each in stead(one)])
    return call._replace(inputs=all_exchanged(call.inputs, give), after=after)


# --------------------------------------------------------------------------- growth


class Piece(NamedTuple):
    """What a dynamic call became: further nodes, steps and sources, numbered as those behind the graph's own."""

    nodes: tuple[Node, ...]
    result: Binding
    steps: tuple[StepDef, ...] = ()
    sources: tuple[SourceDef, ...] = ()
    endpoints: tuple[tuple[str, Binding], ...] = ()


def grow(graph: Graph, node: int, piece: Piece) -> Graph:
    """The graph with a dynamic call's piece appended; whatever took the call's result takes the piece's.

    Whatever came after the call comes after all of the piece, or after what came before the call where that is empty.
    Nothing refers to the call any more, but nodes may now refer to later ones (see `ordered`).
    """
    more = range(len(graph.nodes), len(graph.nodes) + len(piece.nodes))
    instead = more or dependencies(graph.nodes[node])

    def taken(leaf: FromStep) -> Binding:
        return leaf if leaf.node != node else part_of(piece.result, leaf.path)

    def stead(one: int) -> Iterable[int]:
        return instead if one == node else (one,)

    nodes = [rewired(call, taken, stead) if node in dependencies(call) else call for call in graph.nodes]
    return graph._replace(
        sources=(*graph.sources, *piece.sources),
        steps=(*graph.steps, *piece.steps),
        nodes=(*nodes, *piece.nodes),
        result=exchanged(graph.result, taken),
        endpoints=(*all_exchanged(graph.endpoints, taken), *piece.endpoints),
    )


def part_of(binding: Binding, path: Iterable[int | str]) -> Binding:
    """A part of what a binding stands for, by indexes, keys and field names. Raises `LookupError` where it has none."""
    for part in path:
        if isinstance(binding, FromStep):
            binding = FromStep(binding.node, binding.output, (*binding.path, part))
        elif isinstance(binding, Pack) and binding.kind == "optional":
            binding = binding._replace(items=(part_of(binding.items[0], (part,)),))
        elif isinstance(binding, Pack):
            names: Sequence[object] = binding.keys or binding.names
            place = part if isinstance(part, int) and not binding.keys else names.index(part)
            binding = binding.items[place]
        elif isinstance(binding, Constant) and not binding.codec:
            value = binding.payload
            named = isinstance(part, str) and not isinstance(value, Mapping)
            value = getattr(value, str(part)) if named else value[part]  # type: ignore[index]
            binding = Constant(value, token(value))
        else:
            raise LookupError(part)
    return binding
