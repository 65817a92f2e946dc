"""Which steps of a pipeline are meant: from what a person typed after `--from`, `--until`, `--only`, `--skip`.

    choice = Choice(only=("training/", "tag:slow"))
    wanted = chosen(graph, choice)                 # the kernel's `Wanted`, of nodes

A name can be a step's (all its calls; `train[1]` is the first alone), a call's id (`training/train[2]`), a
pipeline's inside (`training` or `training/`), an endpoint's, a tag (`tag:slow`), or a pattern: `*` stands
for anything but `/`, `**` for anything, `?` for one character. `step:` in front says that no check is meant.

until X   X, and what it needs
from X    X and everything that comes after it; what else they need is taken as it is
only X    X alone; what it needs is taken as it is
skip X    not X, nor what needs it
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from json import loads

from stepwell.errors import NothingKept, NothingSelected, nearest, typed
from stepwell.kernel.graph import FromStep, Graph, Node, dependencies, leaves
from stepwell.kernel.plan import Plan, Wanted
from stepwell.named import NamedTuple


class Choice(NamedTuple):
    """What was asked for, as it was typed; nothing typed: everything. `aim` is a pipeline inside, or an endpoint."""

    start: tuple[str, ...] = ()
    until: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    aim: str = ""


EVERYTHING = Choice()
"""Nothing was chosen: all steps."""


def chosen(graph: Graph, choice: Choice, forced: Collection[int] = (), *, also: Iterable[str] = ()) -> Wanted:
    """The nodes that a choice means. `also` are other names that could have been meant, for hints.

    Raises `NothingSelected` for a name that means nothing.
    """
    start, until, only, skip = ([*_all(graph, names, also)] for names in choice[:4])
    if choice.aim:
        until += _aimed(graph, choice.aim)
    active = set(only) | _behind(graph, start)
    every = range(len(graph.nodes))
    if not (start or only):
        active = set(every)
    ends = choice.until or choice.aim
    targets = {*until, *only} if ends else active if start or only else None
    kept = frozenset(every) - active
    return Wanted(None if targets is None else frozenset(targets), forced, kept, frozenset(skip))


def _all(graph: Graph, names: Iterable[str], also: Iterable[str]) -> Iterator[int]:
    for name in names:
        found = matching(graph, name)
        if not found:
            raise _nothing(graph, name, also)
        yield from found


def _aimed(graph: Graph, name: str) -> tuple[int, ...]:
    """The nodes of an endpoint, or of a pipeline inside (a dynamic one is a node itself). Raises `NothingSelected`."""
    ends = dict(graph.endpoints)
    dynamic = tuple(
        i
        for i, node in enumerate(graph.nodes)
        if _leaf(node.id) == name and graph.step_of(i).kind == "dynamic"
    )
    found = _of_endpoint(graph, name) if name in ends else (*_of_section(graph, name), *dynamic)
    if not found and name not in ends:
        error = _nothing(graph, name, ())
        error.step = _step_of(graph, name)
        raise error
    return found


def _step_of(graph: Graph, name: str) -> str:
    """The step that a name means, by which it can be selected; of the name of a file the one that makes it; "" for none."""
    if matching(graph, name):
        return name
    makers = [node.id for node in graph.nodes if name in _files_of(graph, node)]
    return makers[0] if len(makers) == 1 else ""


def _files_of(graph: Graph, node: Node) -> Iterator[str]:
    """The files that a call writes, as paths and by their names alone: the one that it claims, and those of a command."""
    spec = graph.steps[node.step].spec
    outputs = loads(spec).get("outputs") if spec else None
    for path in (node.out, *(outputs.values() if isinstance(outputs, dict) else ())):
        yield from (path, path.rpartition("/")[2]) if path else ()


def named(graph: Graph, names: Iterable[str]) -> frozenset[int]:
    """The nodes that names mean, "*" being all; of a name that means nothing there are none."""
    names = tuple(names)
    if "*" in names:
        return frozenset(range(len(graph.nodes)))
    return frozenset(node for name in names for node in matching(graph, name))


def matching(graph: Graph, name: str) -> tuple[int, ...]:
    """The nodes that a name, tag or pattern means; empty if there are none."""
    name = name.removeprefix("step:")
    if name.startswith("tag:"):
        tag = name.removeprefix("tag:")
        return tuple(i for i in range(len(graph.nodes)) if tag in graph.step_of(i).tags)
    if name.endswith("/"):
        return _of_section(graph, name)
    if "*" in name or "?" in name:
        return _of_pattern(graph, name)
    exact = name.removesuffix("[1]")
    found = {i for i, node in enumerate(graph.nodes) if node.id == exact}
    if found and ("/" in name or "[" in name):
        return tuple(found)
    found.update(i for i in range(len(graph.nodes)) if graph.step_of(i).name == name)
    found.update(i for i, node in enumerate(graph.nodes) if _leaf(node.id) == name)
    return tuple(sorted({*found, *_of_section(graph, name), *_of_endpoint(graph, name)}))


def _leaf(node_id: str) -> str:
    """The last part of an id, without its number: `train` of `training/train[2]`."""
    return re.sub(r"\[\d+\]$", "", node_id.rpartition("/")[2])


def _of_section(graph: Graph, name: str) -> tuple[int, ...]:
    """The nodes of a pipeline inside, however deep: `training`, `outer/training`."""
    wanted = f"/{name.strip('/')}/"
    return tuple(i for i, node in enumerate(graph.nodes) if wanted in f"/{node.id.rpartition('/')[0]}/")


def _of_endpoint(graph: Graph, name: str) -> tuple[int, ...]:
    for end, binding in graph.endpoints:
        if end == name:
            return tuple(dict.fromkeys(leaf.node for leaf in leaves(binding) if isinstance(leaf, FromStep)))
    return ()


def _of_pattern(graph: Graph, pattern: str) -> tuple[int, ...]:
    """The nodes whose id a pattern is of; one without `/` is of any part of an id."""
    spelled = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*|\*|\?)", pattern)
    regex = re.compile("".join(spelled.get(part) or re.escape(part) for part in parts))

    def holds(node_id: str) -> bool:
        if regex.fullmatch(node_id):
            return True
        return "/" not in pattern and any(
            regex.fullmatch(part) for part in (*node_id.split("/"), _leaf(node_id))
        )

    ends = [node for end, _ in graph.endpoints if regex.fullmatch(end) for node in _of_endpoint(graph, end)]
    return tuple(sorted({*(i for i, node in enumerate(graph.nodes) if holds(node.id)), *ends}))


def _behind(graph: Graph, nodes: Iterable[int]) -> set[int]:
    """The nodes, and all that come after them."""
    consumers, found, todo = graph.consumers(), set[int](), list(nodes)
    while todo:
        node = todo.pop()
        if node not in found:
            found.add(node)
            todo += consumers(node)
    return found


def lacking(plan: Plan) -> tuple[str, ...]:
    """The steps that are not to run and have no result, by id, as far as a step needs it that is to run."""
    graph, kept = plan.graph, set(plan.wanted.kept)
    bare = {d.node for d in plan.decisions if d.verb == "blocked" and d.reasons[0].kind == "kept"}
    needed = {
        before
        for decision in plan.decisions
        if bare and decision.verb != "skip" and decision.node not in kept
        for before in dependencies(graph.nodes[decision.node])
    }
    return tuple(graph.nodes[node].id for node in sorted(bare & needed))


def refuse_lacking(plan: Plan) -> None:
    """Raises `NothingKept` where a step could not run for want of a result of one that is not to run."""
    missing, graph_name = lacking(plan), plan.graph.pipeline
    if missing:
        some = ", ".join(f"`{one}`" for one in missing[:5]) + (" and others" if len(missing) > 5 else "")
        raise NothingKept(
            f"{some} {'is' if len(missing) == 1 else 'are'} not to run, and {'has' if len(missing) == 1 else 'have'} no result to take",
            why="what was asked for needs it, and only the steps that were named are to run",
            fixes=[_until(graph_name, missing), "or name it too"],
        )


def kept_notes(plan: Plan) -> Iterator[str]:
    """What is to be typed where a plan lacks a result of a step that is not to run."""
    missing = lacking(plan)
    if missing:
        command = _until(plan.graph.pipeline, missing)
        yield f"results that are not there, and are not to be made: {command}"


def _until(pipeline: str, missing: Sequence[str]) -> str:
    """The command that makes results which are missing."""
    return f"stepwell run {pipeline} --until {typed(','.join(missing[:5]))}"


def names_in(graph: Graph) -> list[str]:
    """Everything that a step of the graph can be asked for by: names, pipelines inside, endpoints, tags, ids."""
    called = [graph.step_of(i) for i in range(len(graph.nodes))]
    bare = [step.name for step in called]
    inner = [part for node in graph.nodes for part in node.id.split("/")[:-1]]
    tags = [f"tag:{tag}" for step in called for tag in step.tags]
    return list(
        dict.fromkeys(
            [*bare, *inner, *[name for name, _ in graph.endpoints], *tags, *[n.id for n in graph.nodes]]
        )
    )


def _nothing(graph: Graph, name: str, also: Iterable[str]) -> NothingSelected:
    from stepwell.app.names import later_steps

    names, later, bare = names_in(graph), later_steps(graph), name.removeprefix("step:")
    hint = nearest(bare, dict.fromkeys((*names, *also)))
    shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    known = any(step.name == bare for step in graph.steps)
    what = (
        f"the step `{bare}` is called by nothing in `{graph.pipeline}`{' yet' if later else ''}"
        if known
        else f"`{name}` is no step of `{graph.pipeline}`, no pipeline inside it, no endpoint, tag or pattern of these"
    )
    error = NothingSelected(
        what,
        why="nothing would be chosen by it",
        fixes=[
            *([f"did you mean `{hint}`?"] if hint else []),
            f"there are: {shown}" if names else "it has no steps",
            *later,
        ],
    )
    error.name = name
    return error


__all__ = ["EVERYTHING", "Choice", "chosen", "kept_notes", "matching", "named", "names_in", "refuse_lacking"]
