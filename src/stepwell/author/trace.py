"""Tracing: a pipeline's body runs on references, and every call that it makes becomes a node.

`trace(pipeline, arguments)` gives the kernel's `Graph`. Mistakes are found here, at the user's
line: arguments that a step does not take, types that do not fit, references used as values. A
mistake does not end tracing where something can stand in for what it spoilt: a call with wrong
arguments still gives what it is annotated with, and what nobody can know is an unknown reference,
which takes part in no further mistake. So one trace (`attempt`) finds all of them.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from copy import copy
from operator import itemgetter
from typing import TYPE_CHECKING, Any, cast

from stepwell.author.annotations import Shape, fits, shape_of, show
from stepwell.author.arguments import brief, fitted, stars
from stepwell.author.bindings import ATOMS, Given, bind, holds_references, holds_unknown, type_of
from stepwell.author.claims import doubles
from stepwell.author.generics import filled, is_generic, solved
from stepwell.author.ids import Claim, Ids
from stepwell.author.options import Options, place_of
from stepwell.author.overrides import Overrides, parted
from stepwell.author.problems import Problems
from stepwell.author.references import Reference, forgotten
from stepwell.author.replacing import Swap, Swaps, standing_in
from stepwell.author.where import Place, is_library, line_of, user_line
from stepwell.codecs import choose
from stepwell.errors import (
    BadArguments,
    BadOption,
    BadPipeline,
    BadReference,
    EdgeType,
    EndlessPipeline,
    PipelineCycle,
    SecretRevealed,
    StepwellError,
    nearest,
)
from stepwell.kernel import graph as g
from stepwell.kernel.identity import NotPlain, token
from stepwell.kernel.ports import FailedStep
from stepwell.named import NamedTuple
from stepwell.worker.secrets import sealed

if TYPE_CHECKING:
    from types import FrameType

    from stepwell.author.inputs import Source
    from stepwell.author.kinds.made import Made
    from stepwell.author.pipelines import Pipeline
    from stepwell.author.steps import Step

DEEPEST = 100
"""Pipelines inside pipelines that are surely a circle."""

ROUNDS = 1000
"""Dynamic calls inside dynamic calls that are surely without an end."""

MOST_OF_ONE = 100_000
"""Steps that one dynamic call becomes which are surely more than is meant."""

MOST = 1_000_000
"""Steps of one pipeline that are surely more than is meant."""

STOPPED = "the search for problems stopped here"
"""What an error says that ended the body of the pipeline: behind its line there may be more."""

_current: ContextVar[Trace | None] = ContextVar("stepwell_trace", default=None)


current: Callable[[], Trace | None] = _current.get
"""Gives the trace that is going on, or None outside of tracing. Asked by each call of a step."""


class Call:
    """What tracing remembers of a step from one call to the next, so that the second is cheap."""

    __slots__ = ("after", "always", "known", "label", "name", "out", "step", "trace")

    def __init__(self, step: Step[Any, Any]) -> None:
        self.step = step
        self.label, self.after = step.label, step.preceding
        self.out, self.always = step.settings.out, step.settings.always
        self.trace: Trace | None = None
        """The trace that it is known to, as what, and the step's name there: one that is no function may get it late."""
        self.known: Known
        self.name: str


class Slot:
    """A parameter of a step, and what is known to fit it, so that the next call need not ask again.

    With stars in front of its `name` it takes any number of arguments. `what` says for errors what is
    passed, `wanted` is its annotation (None: any). `fitting` is the last annotated type of a reference that
    was found to fit, `constants` are the integers and texts that were.
    """

    __slots__ = ("constants", "fitting", "made", "name", "wanted", "what")

    def __init__(self, step: Step[Any, Any], name: str) -> None:
        self.name = name
        self.what = f"`{step.__name__}({name}=...)`"
        self.wanted = step.hints.get(name.lstrip("*"))
        self.made = step.made
        self.fitting: object = _UNASKED
        self.constants: dict[int | str, g.Constant] = {}


_UNASKED = object()
"""No type at all."""

_SHARED = frozenset((int, str))
"""Exact types of constants of which equal ones are the same to a step."""

MOST_SHARED = 1000
"""Constants that a parameter remembers: what takes more values than that rarely takes one twice."""


class Form(NamedTuple):
    """How the arguments of a call are bound: the parameters in the order of their names, and what puts arguments in that order.

    `pick` is None where they are in it. Arguments are those by place, then the others as they are written.
    """

    slots: tuple[Slot, ...]
    pick: Callable[[Sequence[Any]], Sequence[Any]] | None


Named = tuple[Sequence[Slot], Sequence[Any]]
"""The parameters of a call by name in order, and beside each its argument."""

Inputs = tuple[tuple[str, g.Binding], ...]
"""By name of the parameter where an argument comes from."""


class Known(NamedTuple):
    """A step as one trace knows it: its position, its parameters and their types, what it returns.

    `simple`: none of its parameters takes any number of arguments, or arguments by place only.
    `generic`: what it returns depends on what it is given (type variables). `where` is the line of
    its definition. `slots` are the parameters by name, `forms` how arguments are bound by how many stand
    by place and the names of the others: None where they do not fit, or not simply.
    """

    index: int
    positional: tuple[str, ...]
    required: frozenset[str]
    names: frozenset[str]
    simple: bool
    types: Mapping[str, object]
    returns: object
    shape: Shape | None
    generic: bool
    where: str
    slots: dict[str, Slot]
    forms: dict[object, Form | None]


Context = tuple[tuple[str, ...], tuple[int, ...], "tuple[Pipeline[Any, Any], ...]", tuple[object, ...], int]
"""Where tracing is: the path of ids, what comes first, the pipelines, branches and dynamic calls it is inside of."""


class Later(NamedTuple):
    """A dynamic call: the body that is traced when its inputs are known, what it gives, and where it stands.

    `tail` is the last part of its id, `claim` where its steps are to stand, None where that is sure (`author.ids`).
    `began` is the call with which a recursion began that this is a round of.
    """

    name: str
    body: Callable[[dict[str, Any]], object]
    returns: object
    context: Context
    where: str
    tail: str = ""
    claim: Claim | None = None
    began: int = 0


class Piece(NamedTuple):
    """What the body of a dynamic call added to a trace, in the trace's own numbering."""

    nodes: list[g.Node]
    steps: list[g.StepDef]
    sources: list[g.SourceDef]
    endpoints: list[tuple[str, g.Binding]]
    result: g.Binding


class Attempt(NamedTuple):
    """What a trace came to: a graph, as far as there is one, and everything that is wrong with it.

    `steps` are the annotations of the steps and `gives` the types of the sources, by position in the
    graph. `whole`: the body came to its end. `broken` are sources that make no sense, by position.
    """

    graph: g.Graph
    problems: Problems
    steps: tuple[Known, ...]
    gives: tuple[object, ...]
    whole: bool
    broken: frozenset[int]
    tracing: Trace | None = None


def trace(pipeline: Pipeline[Any, Any], arguments: Mapping[str, object]) -> g.Graph:
    """The graph of a pipeline with these parameters, by name; missing ones take their defaults.

    Raises the `AuthoringError`s of `stepwell.errors`, `BadPipeline` for any other exception of the
    body, `SeveralProblems` where there are several.
    """
    found = attempt(pipeline, arguments)
    if found.problems:
        raise found.problems.error()
    return found.graph


def attempt(pipeline: Pipeline[Any, Any], arguments: Mapping[str, object], *, types: bool = True) -> Attempt:
    """Trace a pipeline and collect what is wrong; without `types`, edges are not compared by their types.

    The graph is checked (`kernel.graph.build`) only if nothing is wrong.
    """
    given, overrides = parted(arguments, pipeline.signature.parameters)
    parameters = pipeline.signature.parameters.values()
    values = {p.name: given.get(p.name, p.default) for p in parameters}
    params = [
        (name, value, _token(value)) for name, value in values.items() if value is not inspect.Parameter.empty
    ]
    args = [given.pop(p.name) for p in parameters if p.kind is p.POSITIONAL_ONLY and p.name in given]
    tracing = Trace(types=types, overrides=overrides)
    held = _current.set(tracing)
    result, whole = g.NOTHING, False
    try:
        returned = tracing.body(pipeline, tuple(args), given)
        result = _returned(pipeline, returned, tracing)
        whole = True
    except StepwellError as error:
        error.why = "; ".join(filter(None, (error.why, STOPPED)))
        tracing.failed(error)
    finally:
        tracing.active = False
        _current.reset(held)
    for error, lenient in overrides.missed() if whole and not tracing.laters else ():
        # With dynamic calls, they may be of steps that nobody knows yet: see `missed`.
        if lenient:
            tracing.problems.note(error.what)
        else:
            tracing.problems.add(error)
    params = [param for param in params if param[0] not in tracing.wired]
    params += [(name, value, _token(value)) for name, value in overrides.values.items()]
    return tracing.finish(pipeline.__name__, params, result, whole=whole)


@contextmanager
def shadowed() -> Iterator[Trace]:
    """A trace that nobody keeps, going on while the block lasts: to see how things would be wired."""
    tracing = Trace()
    held = _current.set(tracing)
    try:
        yield tracing
    finally:
        tracing.active = False
        _current.reset(held)


def _returned(pipeline: Pipeline[Any, Any], value: object, tracing: Trace) -> g.Binding:
    """The binding of what a body returned. Raises as `bind` does; the line is the pipeline's, whose body has ended."""
    try:
        bound = bind(value, f"the result of the pipeline `{pipeline.__name__}`", tracing)
        return tracing.lenient(bound)
    except StepwellError as error:
        error.where = line_of(pipeline.function)
        raise


def _token(value: object) -> str:
    try:
        return token(value)
    except NotPlain:
        return f"<{type(value).__qualname__}>"


def ordering(references: tuple[object, ...]) -> tuple[object, ...]:
    """The references that `.after(...)` was given, checked; outside of tracing, where all is there at once, none.

    What cannot be waited for is noted as a `BadReference`, and left out. Outside of tracing it is raised.
    """
    tracing = current()
    sound = []
    for reference in references:
        kind = getattr(type(reference), "__stepwell__", "")
        if kind or (tracing is not None and not holds_references(reference)):
            what = f"the {kind} itself" if kind else brief(reference)
            error = BadReference(
                f".after(...) takes results of steps, and gets {what}",
                why="it lets a step wait until others are done",
                fixes=["pass what calling a step gave: train.after(backup())(table)"],
                where=user_line(),
            )
            if tracing is None:
                raise error
            tracing.problems.add(error)
        else:
            sound.append(reference)
    return tuple(sound) if tracing is not None else ()


class Trace:
    """A graph in the making, and what is wrong with it so far. `active` until the body has come to its end."""

    def __init__(self, *, types: bool = True, overrides: Overrides | None = None) -> None:
        self.types = types
        self._overrides = overrides or Overrides({})
        self.active = True
        self.problems = Problems()
        self.places: dict[int, int] = {}
        """By a node's number here, that in the graph, which has them in an execution order; only where dynamic calls will ask."""
        self.laters: dict[int, Later] = {}
        """By node what a dynamic call becomes when its inputs are known."""
        self.given: dict[int, Given] = {}
        """By id the values that the body which is traced now was handed."""
        self.endpoints: list[tuple[str, g.Binding]] = []
        """Results that have a name of their own."""
        self.ends: dict[str, str] = {}
        """By name of an endpoint the line that names it."""
        self.wired: set[str] = set()
        """Parameters that sections take from others, so that nobody gave them."""
        self._called: tuple[str, str] | None = None
        """What the next call is called, and its label, where it stands in for that one."""
        self.swaps = Swaps()
        """What stands in for steps and pipelines, while that is in force."""
        self._depth = 0
        self._limit = MOST
        self._placed_last: set[int] = set()
        self._unordered = False
        """Whether a node waits for a later one, which only `always` steps do: all else refers to what was called before."""
        self._optional = False
        """Whether a step is optional, so that inputs may be missing."""
        self.branches: tuple[object, ...] = ()
        """The branches of `when(...)` inside of which tracing is now, from without to within."""
        self.known: list[Known] = []
        self.gives: list[object] = []
        self.broken: set[int] = set()
        self.nodes: list[g.Node] = []
        self.steps: list[g.StepDef] = []
        self.sources: list[g.SourceDef] = []
        self._path: tuple[str, ...] = ()
        self._pipelines: list[Pipeline[Any, Any]] = []
        self._first: tuple[int, ...] = ()
        self._visits = self._visit = 0
        self._ids = Ids()
        self._began = 0
        """The call with which the recursion began that is traced now: a node, or the number of a visit below zero."""
        self._known: dict[tuple[object, Options], Known] = {}
        self._lines: dict[tuple[str, int], str] = {}
        """By file and number a line of the user's, as nodes name it."""
        self._found: dict[
            int, tuple[Source[Any], int]
        ] = {}  # the source is held, so that its id stays its own
        self._sources: dict[tuple[str, ...], int] = {}
        self._namesakes: dict[str, int] = {}
        """How many sources have a name."""

    def nodes_of(self, references: Iterable[object]) -> tuple[int, ...]:
        """The nodes that references, and containers of them, stand for; those of another trace are noted as wrong."""
        found: list[int] = []
        for reference in references:
            try:
                leaves = g.leaves(bind(reference, ".after(...)", self))
            except StepwellError as error:
                self.problems.add(error)
            else:
                found.extend(leaf.node for leaf in leaves if type(leaf) is g.FromStep)
        return tuple(dict.fromkeys(found))

    # ------------------------------------------------------------------ what is wrong

    def unknown(self, error: StepwellError) -> Reference:
        """Note a mistake; gives a reference to what nobody can know because of it."""
        self.failed(error)
        return Reference(g.NOTHING, None, "what could not be made", self, error)

    def refer(self, binding: g.Binding, annotation: object, name: str) -> Reference:
        """A reference that belongs to this trace, and to the branch that it is in."""
        return Reference(binding, annotation, name, self, branch=self.branches[-1] if self.branches else None)

    def failed(self, error: StepwellError) -> None:
        """Note what ended a body. An exception in a line that is known to be wrong is that mistake's consequence."""
        if not (type(error) is BadPipeline and self.problems.at(error.where)):
            self.problems.add(error)

    def finish(
        self,
        name: str,
        params: list[tuple[str, object, str]],
        result: g.Binding,
        *,
        whole: bool,
    ) -> Attempt:
        """The graph, checked if nothing is wrong so far."""
        for error in doubles(self.nodes):
            self.problems.add(error)
        ends = tuple(self.endpoints)
        graph = g.Graph(
            name, tuple(params), tuple(self.sources), tuple(self.steps), tuple(self.nodes), result, ends
        )
        self.places = {node: node for node in range(len(self.nodes))} if self.laters else {}
        if self._unordered and not self.problems:
            try:
                graph, self.places = g.ordered(graph)
            except StepwellError as error:
                self.problems.add(error)
        broken = frozenset(self.broken)
        return Attempt(graph, self.problems, tuple(self.known), tuple(self.gives), whole, broken, self)

    # ------------------------------------------------------------------ pipelines

    def inside(
        self,
        pipeline: Pipeline[Any, Any],
        name: str,
        after: tuple[object, ...],
        args: tuple[object, ...],
        kwargs: dict[str, object],
    ) -> object:
        """What an inner pipeline returns; its nodes are added under its name. Where it fails, that is unknown."""
        if self.swaps and (swap := self.swaps.found(pipeline, self._path)) is not None:
            return self._stand_in(swap, pipeline, name, (), args, kwargs)
        before = self._path, self._first, self._visit, self._began
        self._path, self._first = (*self._path, name), (*self._first, *self.nodes_of(after))
        self._visits += 1
        self._visit = self._visits
        try:
            if self._overrides:
                where = "/".join(self._path)
                args, kwargs = self._overrides.of_section(pipeline, where, args, kwargs, self.problems)
            if pipeline.dynamic and holds_references([args, kwargs]):
                self._path = before[0]
                return pipeline.later(self, args, kwargs)
            self._began = -self._visit
            return self.body(pipeline, args, kwargs)
        except PipelineCycle:
            raise
        except StepwellError as error:
            return self.unknown(error)
        finally:
            self._path, self._first, self._visit, self._began = before

    def body(
        self, pipeline: Pipeline[Any, Any], args: tuple[object, ...], kwargs: dict[str, object]
    ) -> object:
        """Run the body of a pipeline on its arguments. Raises `BadPipeline`, `PipelineCycle`, `BadArguments`, `BadReference`."""
        if len(self._pipelines) >= DEEPEST:
            raise _endless(pipeline.__name__) if pipeline.dynamic else _circle([*self._pipelines, pipeline])
        self.checked(pipeline, args, kwargs)
        self._pipelines.append(pipeline)
        first = len(self.nodes)
        try:
            held = sealed(f"the body of the pipeline `{pipeline.__name__}`")
            with held, self.swaps.inside(pipeline.__name__, self._path, pipeline.swaps) as unused:
                returned = pipeline.function(*args, **kwargs)
            if not isinstance(os.environ, os._Environ):
                from stepwell.author.variables import replaced

                raise replaced([inspect.getfile(inspect.unwrap(pipeline.function))])
            for error in unused:
                self.problems.add(error)
            self._put_last(first)
            return returned
        except SecretRevealed as error:
            error.where = error.where or Place(error.__traceback__).where
            raise
        except StepwellError:
            raise
        except (Exception, SystemExit) as error:
            raise _explained(pipeline, error) from error
        finally:
            self._pipelines.pop()

    def checked(
        self, pipeline: Pipeline[Any, Any], args: tuple[object, ...], kwargs: dict[str, object]
    ) -> inspect.BoundArguments:
        """The arguments of a call of a pipeline, their types checked. Raises `BadArguments`."""
        signature = pipeline.signature
        bound = fitted(f"the pipeline `{pipeline.__name__}`", signature, args, kwargs)
        for name, value in bound.arguments.items():
            starred = stars(signature.parameters[name]) + name
            self._check(f"`{pipeline.__name__}({starred}=...)`", starred, value, pipeline.hints.get(name))
        return bound

    def _put_last(self, first: int) -> None:
        """Have each `always` step among the nodes from `first` on wait for all others, but for those that need it."""
        some = any(step.always for step in self.steps)
        for node in range(first, len(self.nodes)) if some else ():
            call = self.nodes[node]
            if self.steps[call.step].always and node not in self._placed_last:
                self._placed_last.add(node)
                needing = {node}
                for other in range(node + 1, len(self.nodes)):
                    if not needing.isdisjoint(g.dependencies(self.nodes[other])):
                        needing.add(other)
                rest = [one for one in range(first, len(self.nodes)) if one not in needing]
                rest = [one for one in rest if not self.steps[self.nodes[one].step].always or one < node]
                self.nodes[node] = call._replace(after=tuple(dict.fromkeys((*call.after, *rest))))
                self._unordered = True

    def _stand_in(
        self,
        swap: Swap,
        original: Step[Any, Any] | Pipeline[Any, Any],
        name: str,
        after: tuple[object, ...],
        args: tuple[object, ...],
        kwargs: dict[str, object],
    ) -> object:
        """Call what stands in for a step or pipeline, with the arguments of the call, under the call's id."""
        try:
            given = standing_in(swap, original, args, kwargs)
        except StepwellError as error:
            return self.unknown(error)
        thing = swap.thing
        before, self._first = self._first, (*self._first, *self.nodes_of(after))
        try:
            with self.swaps.without(swap):
                if type(thing).__stepwell__ == "pipeline":
                    return self.inside(thing, name, thing.preceding, (), given)
                self._called = (original.__name__, original.label)
                return self.call(thing._calls, (), given)
        finally:
            self._first, self._called = before, None

    # ------------------------------------------------------------------ dynamic calls

    def later(
        self,
        step: g.StepDef,
        inputs: Iterable[tuple[str, object]],
        returns: object,
        body: Callable[[dict[str, Any]], object],
        *,
        label: str = "",
        below: bool = False,
        makes: str = "",
    ) -> Reference:
        """Note a dynamic call: `body` is called with its inputs by name when they are known.

        `returns` is the type of what it gives. Its steps stand `below` it, or where the call stands if their ids are sure there;
        `makes` is the name of what it calls, if it calls nothing else.
        """
        if step not in self.steps:
            self.steps.append(step)
            nothing = frozenset[str]()
            self.known.append(
                Known(len(self.known), (), nothing, nothing, True, {}, returns, None, False, "", {}, {})
            )
        bound = tuple([(name, bind(value, f"`{step.name}({name}=...)`", self)) for name, value in inputs])
        path, node, name = self._path, len(self.nodes), label or step.name
        again = below and bool(path) and path[-1].partition("[")[0] == name
        began = self._began
        if again and self._ids.beside(path[:-1], name, began):
            path = path[:-1]  # rounds of a recursion stand beside each other
        elif below:
            began = node
        node_id = self._ids.next(path, step.name, label, self._visit)
        tail = node_id.rpartition("/")[2]
        if below:
            self._ids.recurs(node, path, name)
        claim = None if below else self._ids.claim(node, path, makes)
        place = (*path, tail) if below else path
        if self._depth >= ROUNDS:
            raise _endless(step.name)
        where = user_line()
        self.nodes.append(g.Node(node_id, self.steps.index(step), bound, self._first, "", where))
        inside = tuple(self._pipelines[:-1] if again else self._pipelines)
        context = (place, self._first, inside, self.branches, self._depth + 1)
        held = self.swaps.held(body)
        self.laters[node] = Later(step.name, held, returns, context, where, tail, claim, began)
        return self.refer(g.FromStep(node), returns, node_id)

    @contextmanager
    def branch(self) -> Iterator[None]:
        """Inside of a branch of `when(...)`: what is made in it has a meaning only there."""
        before, self.branches = self.branches, (*self.branches, object())
        try:
            yield
        finally:
            self.branches = before

    @contextmanager
    def below(self, path: tuple[str, ...]) -> Iterator[None]:
        """As if inside of these pipelines: what is called has their names in its id."""
        before = self._path, self._visit
        self._path = (*self._path, *path)
        self._visits += 1
        self._visit = self._visits
        try:
            yield
        finally:
            self._path, self._visit = before

    def learn(self, call: Step[Any, Any] | Pipeline[Any, Any]) -> None:
        """Know what a dynamic call will call, so that it is verified with all others, and may be named in `--set`."""
        self._overrides.announce(call)
        if not isinstance(getattr(call, "settings", None), Options):
            return
        self._know(cast("Step[Any, Any]", call))

    def missed(self) -> list[str]:
        """What to say of values (`--set`) that no call was there for by now, and none is sure to come for."""
        still = ", ".join(dict.fromkeys(f"`{later.name}`" for later in self.laters.values()))
        rest = f", as far as is known: what {still} will become may still take it" if still else ""
        return [f"{error.what}{rest}" for error, _ in self._overrides.missed(later=bool(still))]

    @property
    def innermost(self) -> Pipeline[Any, Any]:
        """The pipeline whose body is being traced."""
        return self._pipelines[-1]

    def grow(self, node: int, values: dict[str, Any], given: Mapping[int, Given]) -> Piece:
        """Trace the body of a dynamic call with its inputs as values; what it adds to the trace.

        `given` are by id the values that are passed on as what they are. Raises what `trace` raises.
        """
        later = self.laters.pop(node)
        before = len(self.nodes), len(self.steps), len(self.sources), len(self.endpoints)
        context, held, problems, began = self._context, _current.set(self), self.problems, self._began
        place, self._began = later.context[0], later.began
        if later.claim is not None:
            place = self._ids.place(node, later.claim, later.tail)
        self._context, self.given, self.active = (place, *later.context[1:]), dict(given), True
        self.problems, self._limit = Problems(), len(self.nodes) + MOST_OF_ONE
        what = f"the result of `{later.name}`"
        result: g.Binding = g.NOTHING
        try:
            returned = later.body(values)
            try:
                result = bind(returned, what, self)
                self._check(what, "return", returned, later.returns)
            except StepwellError as error:
                error.where = later.where
                raise
        except StepwellError as error:
            error.where = error.where or later.where
            self.failed(error)
        finally:
            self._context, self.given, self.active, self._began = context, {}, False, began
            _current.reset(held)
            found, self.problems, self._limit = self.problems, problems, MOST
        for error in doubles(self.nodes):
            found.add(error)
        for error in found.errors:
            error.where = error.where or later.where
        if found:
            raise found.error()
        nodes, steps, sources, ends = before
        return Piece(
            self.nodes[nodes:], self.steps[steps:], self.sources[sources:], self.endpoints[ends:], result
        )

    def preview(self, body: Callable[[], object]) -> tuple[object, list[str]]:
        """Trace a body only to see what is wrong with it: the type of what it gives, and its steps' names.

        Its steps are known afterwards, so that they are verified with all others; its calls are forgotten.
        """
        marks = len(self.nodes), len(self.sources), len(self.endpoints)
        tables = ("_ids", "_found", "_sources", "_namesakes", "laters", "broken", "ends")
        kept = {name: copy(getattr(self, name)) for name in tables}
        try:
            with self.branch():
                kind = type_of(body())
        finally:
            names = [self.steps[node.step].name for node in self.nodes[marks[0] :]]
            del self.nodes[marks[0] :], self.sources[marks[1] :], self.endpoints[marks[2] :]
            del self.gives[marks[1] :]
            for name, table in kept.items():
                setattr(self, name, table)
        return kind, list(dict.fromkeys(names))

    @property
    def _context(self) -> Context:
        return self._path, self._first, tuple(self._pipelines), self.branches, self._depth

    @_context.setter
    def _context(self, context: Context) -> None:
        self._path, self._first, pipelines, self.branches, self._depth = context
        self._pipelines = list(pipelines)
        self._visits += 1
        self._visit = self._visits

    # ------------------------------------------------------------------ sources

    def source(self, source: Source[Any]) -> Reference:
        """A reference to the content of a source; one that makes no sense is noted as wrong."""
        entry = self._found.get(id(source))
        if entry is None:
            made, kind = self._defined(source)
            alike = (made.name, made.uri, made.type, made.reader)
            place = self._sources.setdefault(alike, len(self.sources))
            if place == len(self.sources):
                same = self._namesakes[made.name] = self._namesakes.get(made.name, 0) + 1
                self.sources.append(made if same == 1 else made._replace(name=f"{made.name}[{same}]"))
                self.gives.append(kind)
                if kind is None:
                    self.broken.add(place)
            entry = self._found[id(source)] = (source, place)
        place = entry[1]
        return self.refer(g.FromSource(place), self.gives[place], self.sources[place].name)

    def _defined(self, source: Source[Any]) -> tuple[g.SourceDef, object]:
        """A source as the graph holds it, and the type that it gives: None for one that makes no sense."""
        try:
            return source.definition(), source.gives
        except StepwellError as error:
            error.where = error.where or source.where
            self.problems.add(error)
            return g.SourceDef(source.name, source.uri, where=source.where), None

    # ------------------------------------------------------------------ steps

    def call(self, call: Call, args: tuple[object, ...], kwargs: dict[str, object]) -> Reference:
        """Note a call of a step, and what is wrong with it; gives the reference to its result."""
        step = call.step
        if self.swaps and (swap := self.swaps.found(step, self._path)) is not None:
            name = step.label or step.__name__
            return cast(Reference, self._stand_in(swap, step, name, step.preceding, args, kwargs))
        if call.trace is not self:
            call.known, call.name, call.trace = self._know(step), step.__name__, self
        known = call.known
        if call.always:
            kwargs = self._told(known, args, kwargs)
        try:
            named = self._named(step, known, args, kwargs)
        except BadArguments as error:
            self.problems.add(error if step.made is None else step.made.advised(error))
            named = (), ()
        name, label = self._called or (call.name, call.label)
        self._called = None
        node, node_id = len(self.nodes), self._ids.next(self._path, name, label, self._visit)
        if node >= self._limit:
            raise _endless(self._pipelines[-1].__name__ if self._pipelines else step.__name__)
        if self._overrides:
            named = self._overridden(step, known, node_id, named)
        tolerant = self._optional or call.always
        inputs = self._inputs(*named) if not tolerant else self._tolerant(*named, whatever=call.always)
        after = self._first if not call.after else (*self._first, *self.nodes_of(call.after))
        where = self._line(sys._getframe(2))
        self.nodes.append(g.Node(node_id, known.index, inputs, after, call.out, where))
        returns = known.returns
        if known.generic:
            returns = filled(returns, solved(_pairs(*named)))
        return self.refer(_result(node, known.shape), returns, node_id)

    def _overridden(self, step: Step[Any, Any], known: Known, node_id: str, named: Named) -> Named:
        """The arguments of a call with what `--set` says of them. What is wrong with that is noted."""
        given = [(slot.name, value) for slot, value in zip(*named, strict=True)]
        return self._by_name(step, known, self._overrides.of_step(step, node_id, given, self.problems))

    def _by_name(self, step: Step[Any, Any], known: Known, given: Iterable[tuple[str, object]]) -> Named:
        """Arguments that are sorted by name, with their parameters."""
        pairs = [(self._slot(step, known, name), value) for name, value in given]
        return [slot for slot, _ in pairs], [value for _, value in pairs]

    def _line(self, frame: FrameType) -> str:
        """The user's line, "pipeline.py:31"; `frame` is the one that the call of a step usually comes from."""
        place = (frame.f_code.co_filename, frame.f_lineno)
        where = self._lines.get(place)
        if where is None:
            where = user_line()
            if not is_library(place[0]):  # so this frame is the one that was found
                self._lines[place] = where
        return where

    def _told(self, known: Known, args: tuple[object, ...], kwargs: dict[str, object]) -> dict[str, object]:
        """The arguments of an `always` step, with what has failed for each parameter that asks for it."""
        given = {*known.positional[: len(args)], *kwargs}
        asking = [
            n for n, kind in known.types.items() if kind == list[FailedStep] and n in known.names - given
        ]
        failed = self.refer(g.Pack("failures", ()), list[FailedStep], "what has failed")
        return {**kwargs, **dict.fromkeys(asking, failed)} if asking else kwargs

    def _know(self, step: Step[Any, Any]) -> Known:
        place = (step.function, step.settings._replace(out=""))
        known = self._known.get(place)
        if known is None:
            known = self._known[place] = self._learn(step)
        return known

    def _learn(self, step: Step[Any, Any]) -> Known:
        returns = step.hints.get("return")
        codec = step.settings.codec
        shape = shape_of(returns) if not isinstance(codec, str) or not codec else None
        if shape is not None and not shape.whole:
            shape = None
        module, name = self._place(step)
        options = step.settings
        self.steps.append(
            g.StepDef(
                name=step.__name__ if "<" not in step.__name__ else name,
                kind=step.kind,
                spec=step.spec,
                module=module,
                qualname=name,
                outputs=self._outputs(step, returns, shape),
                shape=shape.kind if shape is not None else "single",
                record=shape.record if shape is not None else "",
                cpus=options.cpus,
                memory=options.memory,
                env=options.env,
                version=options.version,
                ignore=_ignored(step),
                environment=options.environment,
                ttl=options.ttl,
                cache=options.cache and not options.always,
                done=""
                if options.done is None
                else function_name(f"step `{step.__name__}`", "done", options.done),
                retries=options.retries,
                backoff=options.backoff,
                timeout=options.timeout,
                validate=tuple(
                    function_name(f"step `{step.__name__}`", "validate", one) for one in options.validate
                ),
                place=place_of(options),
                services=_services(options.services),
                tags=options.tags,
                optional=options.optional,
                always=options.always,
                role=options.role,
            )
        )
        parameters = step.signature.parameters.values()
        known = Known(
            len(self.steps) - 1,
            tuple(p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD),
            frozenset(p.name for p in parameters if p.default is p.empty),
            frozenset(p.name for p in parameters),
            all(p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) for p in parameters),
            step.hints,
            returns,
            shape,
            is_generic(returns),
            step.where,
            {},
            {},
        )
        self.known.append(known)
        self._optional = self._optional or options.optional
        return known

    def _place(self, step: Step[Any, Any]) -> tuple[str, str]:
        """Where a worker finds a step; where it finds none, that is noted once."""
        try:
            module, name = step.place([pipeline.__module__ for pipeline in self._pipelines])
            if step.made is None or step.made.is_bound:
                return module, name
            same = sum(1 for one in self.steps if one.kind != "python" and one.name == name)
            return module, name if not same else f"{name}[{same + 1}]"  # no name of a module tells them apart
        except StepwellError as error:
            self.problems.add(error)
            return step.__module__, step.__qualname__

    def _outputs(self, step: Step[Any, Any], returns: object, shape: Shape | None) -> tuple[g.OutputDef, ...]:
        """The outputs that a step declares; where one of them cannot be kept, that is noted once."""
        try:
            return _outputs(step, returns, shape)
        except StepwellError as error:
            self.problems.add(error)
            return tuple(map(g.OutputDef, shape.names)) if shape is not None else (g.OutputDef(g.RESULT),)

    def _named(
        self, step: Step[Any, Any], known: Known, args: tuple[object, ...], kwargs: dict[str, object]
    ) -> Named:
        """The arguments, sorted by name. Those of `*args` and `**kwargs` are one each, with the stars in front."""
        shape = (len(args), *kwargs) if kwargs else len(args)
        form = known.forms.get(shape)
        if form is None and shape not in known.forms:
            form = known.forms[shape] = self._form(step, known, len(args), kwargs)
        if form is not None:
            values = (*args, *kwargs.values()) if kwargs else args
            return form.slots, values if form.pick is None else form.pick(values)
        bound = fitted(f"the step `{step.__name__}`", step.signature, args, kwargs)
        starred = {p.name: stars(p) for p in step.signature.parameters.values()}
        named = sorted((starred[name] + name, value) for name, value in bound.arguments.items())
        return self._by_name(step, known, named)

    def _form(self, step: Step[Any, Any], known: Known, count: int, names: Iterable[str]) -> Form | None:
        """How `count` arguments by place and others with these names are bound; None where that is not simple."""
        given = [*known.positional[:count], *names]
        once = frozenset(given)
        if not known.simple or count > len(known.positional) or len(once) < len(given):
            return None
        if not known.required <= once <= known.names:
            return None
        slots = tuple([self._slot(step, known, name) for name in sorted(given)])
        places = [given.index(slot.name) for slot in slots]
        return Form(slots, None if places == sorted(places) else itemgetter(*places))

    @staticmethod
    def _slot(step: Step[Any, Any], known: Known, name: str) -> Slot:
        slot = known.slots.get(name)
        if slot is None:
            slot = known.slots[name] = Slot(step, name)
        return slot

    def _inputs(self, slots: Sequence[Slot], values: Sequence[Any]) -> Inputs:
        """The bindings of arguments, by name, their types checked."""
        inputs = []
        for slot, value in zip(slots, values):  # noqa: B905  as long as each other, and asked for each call
            if (
                type(value) is Reference
                and value._stepwell_type is slot.fitting
                and value._stepwell_trace is self
                and value._stepwell_branch is None
            ):  # as nearly always: nothing is to be looked at again
                inputs.append((slot.name, value._stepwell_binding))
            else:
                inputs.append((slot.name, self._edge(slot, value)))
        return tuple(inputs)

    def _edge(self, slot: Slot, value: Any) -> g.Binding:
        """The binding of one argument, its type checked; with stars in front, that of each item."""
        kind = type(value)
        if kind in _SHARED and (known := slot.constants.get(value)) is not None:
            return known
        try:
            binding = bind(value, slot.what, self)
        except StepwellError as error:
            if not holds_unknown(value):
                self.problems.add(error)
            return g.NOTHING
        if self._fits(slot, value):
            if kind is Reference:
                slot.fitting = value._stepwell_type
            elif kind in _SHARED and len(slot.constants) < MOST_SHARED:
                slot.constants[value] = cast(g.Constant, binding)
        return binding

    def _tolerant(self, slots: Sequence[Slot], values: Sequence[Any], *, whatever: bool) -> Inputs:
        """The same where steps may fail: None stands for what an optional step gives (or any step, `whatever` it is) where that is accepted."""
        inputs = self._inputs(slots, values)
        accepted = [whatever or (s.wanted is not None and fits(type(None), s.wanted)) for s in slots]
        return tuple(
            [
                (name, self._lenient(binding, whatever=whatever) if takes else binding)
                for (name, binding), takes in zip(inputs, accepted, strict=True)
            ]
        )

    def lenient(self, binding: g.Binding) -> g.Binding:
        """A result in which None stands for what an optional step gives, should that fail."""
        if isinstance(binding, g.Pack):
            items = binding.items if binding.least < 1 else tuple(map(self.lenient, binding.items))
            return binding._replace(items=items)
        return self._lenient(binding) if self._optional else binding

    def _lenient(self, binding: g.Binding, *, whatever: bool = False) -> g.Binding:
        """A binding that stands for None where an optional step (or any, `whatever` it is) has failed."""
        if isinstance(binding, g.FromStep | g.Pack) and any(
            isinstance(leaf, g.FromStep)
            and (
                whatever or (leaf.node < len(self.nodes) and self.steps[self.nodes[leaf.node].step].optional)
            )
            for leaf in g.leaves(binding)
        ):
            tolerant = isinstance(binding, g.Pack) and binding.least < 1
            return binding if tolerant else g.Pack("optional", (binding,))
        return binding

    def _fits(self, slot: Slot, value: Any) -> bool:
        """Whether an argument is what its parameter is annotated with; if it is not, that is noted."""
        return self._check(slot.what, slot.name, value, slot.wanted, slot.made)

    def _check(self, what: str, name: str, value: Any, wanted: object, made: Made | None = None) -> bool:
        """Note an argument that is not what its parameter is annotated with. Gives whether it is."""
        kind = type(value)
        if self.types and wanted is not None and not (kind is wanted and kind in ATOMS):
            try:
                _check_types(what, name, value, wanted)
            except EdgeType as error:
                if not holds_unknown(value):
                    self.problems.add(error if made is None else made.advised(error))
                return False
        return True


def _check_types(what: str, name: str, value: Any, wanted: object) -> None:
    """Check an argument against its parameter's annotation; with stars in front of its name, each item. Raises `EdgeType`."""
    items = value.values() if name.startswith("**") else value if name.startswith("*") else (value,)
    for item in items:
        _check_type(what, item, wanted)


def _check_type(what: str, value: object, wanted: object) -> None:
    """Refuse a reference, a container of them, or a constant, that is not what the annotation says."""
    if holds_references(value):
        given = type_of(value)
        if not fits(given, wanted):
            giver, fixes = "gets", ["pass another result, or correct one of the two annotations"]
            if type(value) is Reference:
                giver = f"`{value._stepwell_name}` gives"
                if type(value._stepwell_binding) is g.FromSource:
                    fixes = [f"name the type that it is read as: source(..., {show(wanted)})"]
            raise EdgeType(
                f"{what} takes {show(wanted)}, and {giver} {show(given)}",
                why="the annotation of the one's result does not fit the other's parameter",
                fixes=fixes,
                where=user_line(),
            )
        return
    problem = choose.fits(value, wanted)
    if problem:
        raise EdgeType(
            f"{what.replace('...', brief(value))} is {problem.removeprefix('returned ')}",
            why="the constant is not of the type that the parameter is annotated with",
            fixes=[f"pass {show(wanted)}, or correct the annotation"],
            where=user_line(),
        )
    if isinstance(wanted, type):
        return
    from stepwell.codecs.ranges import outside

    broken = outside(value, wanted)
    if broken:
        raise EdgeType(
            f"{what.replace('...', brief(value))}: {broken}",
            why="the constant is out of the range that the parameter is annotated with",
            fixes=["pass another value, or correct the annotation"],
            where=user_line(),
        )


def _pairs(slots: Sequence[Slot], values: Sequence[object]) -> list[tuple[object, object]]:
    """What arguments are annotated with, beside what they are; none of those that take any number."""
    pairs = zip(slots, values, strict=True)
    return [(slot.wanted, type_of(value)) for slot, value in pairs if slot.name[0] != "*"]


# --------------------------------------------------------------------------- outputs


def _result(node: int, shape: Shape | None) -> g.Binding:
    """What a call gives: one output, or several together."""
    if shape is None:
        return g.FromStep(node)
    items: tuple[g.Binding, ...] = tuple([g.FromStep(node, name) for name in shape.names])
    if shape.kind == "dict":
        return g.Pack("dict", items, tuple(map(token, shape.names)), shape.names)
    if shape.kind == "tuple":
        return g.Pack("tuple", items)
    return g.Pack("record", items, shape.names, (), shape.record)


def _services(services: tuple[Any, ...]) -> tuple[str, ...]:
    """The definitions of the services that a step needs. Raises `BadService`."""
    if not services:
        return ()
    from stepwell.author.services import definitions  # few steps need one

    return definitions(services)


def _ignored(step: Step[Any, Any]) -> tuple[str, ...]:
    """What does not count: arguments by name, functions as "module:qualname". Raises `BadOption`."""
    names = list(step.signature.parameters)
    for name in step.settings.ignore:
        if isinstance(name, str) and name not in names:
            hint = nearest(name, names)
            raise BadOption(
                f"the step `{step.__name__}` ignores `{name}`, which is not one of its arguments",
                fixes=[f"did you mean `{hint}`?" if hint else f"its arguments are: {', '.join(names)}"],
                where=user_line(),
            )
    return tuple(
        one if isinstance(one, str) else function_name(f"step `{step.__name__}`", "ignore", one)
        for one in step.settings.ignore
    )


def function_name(who: str, option: str, function: Any) -> str:
    """The "module:qualname" by which a worker finds a function. Raises `BadOption` where there is none."""
    module, name = getattr(function, "__module__", ""), getattr(function, "__qualname__", "")
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is not function or not name:
        raise BadOption(
            f"`{option}=` of the {who} is {brief(function)}, which has no name in a module",
            why="workers, and fingerprints, find functions by module and name",
            fixes=["write it with def at the top level of a file"],
            where=user_line(),
        )
    return f"{module}:{name}"


def _outputs(step: Step[Any, Any], returns: object, shape: Shape | None) -> tuple[g.OutputDef, ...]:
    """The outputs that a step declares, with their codecs. Raises `BadOption`, `NoCodec`, `MissingLibrary`."""
    kinds = dict(zip(shape.names, shape.types, strict=True)) if shape is not None else {g.RESULT: returns}
    codec = step.settings.codec
    chosen = dict.fromkeys(kinds, codec) if isinstance(codec, str) else dict(codec)
    for name in chosen:
        if name not in kinds:
            raise BadOption(
                f"the step `{step.__name__}` has no output `{name}` to choose a codec for",
                fixes=[f"its outputs are: {', '.join(kinds)}"],
                where=user_line(),
            )
    return tuple(
        g.OutputDef(name, show(kind), _codec(step, name, kind, chosen.get(name, "")))
        for name, kind in kinds.items()
    )


def _codec(step: Step[Any, Any], output: str, kind: object, chosen: str) -> str:
    """The codec of an output: the one asked for, or the one of its type. Raises `NoCodec`, `MissingLibrary`."""
    whose = f"the step `{step.__name__}`"
    try:
        if chosen:
            choose.by_name(chosen)
            return chosen
        return choose.codec_for(Any if kind is None else kind)
    except StepwellError as error:
        place = whose if output == g.RESULT else f"the output `{output}` of {whose}"
        raise type(error)(
            f"{place}: {error.what}", why=error.why, fixes=error.fixes, where=error.where or user_line()
        ) from error


# --------------------------------------------------------------------------- what went wrong


def _endless(name: str) -> EndlessPipeline:
    """The error of a dynamic pipeline without an end."""
    return EndlessPipeline(
        f"the dynamic pipeline `{name}` does not come to an end",
        why=f"it has become hundreds of calls inside each other, or {MOST_OF_ONE:,} steps at once",
        fixes=["bound it: pass the number of rounds that are left, and stop at 0"],
        where=user_line(),
    )


def _circle(pipelines: list[Pipeline[Any, Any]]) -> PipelineCycle:
    """The error of pipelines that call each other without end."""
    names = [pipeline.__name__ for pipeline in pipelines]
    last = names[-1]
    earlier = next((i for i in range(len(names) - 2, -1, -1) if names[i] == last), 0)
    return PipelineCycle(
        f"pipelines call each other in a circle: {' -> '.join(names[earlier:])}",
        why=f"{DEEPEST} pipelines inside each other were not the end of it",
        fixes=["let the recursion end, by an `if` on a parameter"],
        where=user_line(),
    )


def _explained(pipeline: Pipeline[Any, Any], error: BaseException) -> BadPipeline:
    """An exception of a pipeline's body, at the user's line, with the name that was probably meant."""
    from traceback import walk_tb

    place = Place(error.__traceback__)
    fixes: list[str] = []
    wrong = getattr(error, "name", None)
    if isinstance(error, NameError | AttributeError) and isinstance(wrong, str):
        scope = dir(error.obj) if isinstance(error, AttributeError) else place.names
        hint = nearest(wrong, [name for name in scope if not name.startswith("__") and name != wrong])
        fixes += [f"did you mean `{hint}`?"] if hint else []
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    ours = max(i for i, frame in enumerate(frames) if frame.f_code is Trace.body.__code__)
    fixes += forgotten(frames[:ours:-1])
    fixes.append("the body of a pipeline runs when it is planned: it may only wire steps together")
    return BadPipeline(
        f"the pipeline `{pipeline.__name__}` raised {type(error).__name__}: {error}",
        why=place.why,
        fixes=fixes,
        where=place.where,
    )
