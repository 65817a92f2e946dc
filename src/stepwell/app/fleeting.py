"""Steps that are never up to date: which of them a lock does without, and what to say of the others. Nothing is decided here.

fleeting(work, manifest).passing   # nodes that run every time, and on whose results nothing rests: these are no facts
hindrances(work, todo, needed)     # of nodes that are to run, the steps that no run makes up to date: why, and what to do
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from stepwell.app.session import Work
from stepwell.app.whence import place_of
from stepwell.author.manifest import Manifest
from stepwell.errors import OutputNotMade
from stepwell.kernel.graph import Binding, FromStep, leaves


class Fleeting(NamedTuple):
    """The nodes that run every time: those on which nothing rests, and the others with what takes from them ("": it leaves)."""

    passing: frozenset[int]
    needed: Mapping[int, str]


class Hindrance(NamedTuple):
    """A step that no run makes up to date: why that is so, and what can be done, both as clauses."""

    why: str
    fix: str


def fleeting(work: Work, manifest: Manifest) -> Fleeting:
    """The steps that run every time, told apart by whether something rests on what they give.

    One that takes from another such step rests on it only if something rests on itself.
    """
    graph = work.graph
    passing = {node for node, call in enumerate(graph.nodes) if not graph.steps[call.step].cache}
    if not passing:
        return Fleeting(frozenset(), {})
    needed = dict.fromkeys(_leaving(work, manifest) & passing, "")
    passing -= needed.keys()
    pending = [node for node in range(len(graph.nodes)) if node not in passing]
    while pending:
        call = graph.nodes[pending.pop()]
        for node in _taken(binding for _, binding in call.inputs) & passing:
            passing.discard(node)
            needed[node] = call.id
            pending.append(node)
    return Fleeting(frozenset(passing), needed)


def hindrances(work: Work, todo: Iterable[int], needed: Mapping[int, str]) -> Iterator[Hindrance]:
    """Of nodes that are to run and that a lock needs, those that no run makes up to date: one call of each such step."""
    failed, told = work.last_failures(), set[int]()
    for node in todo:
        call = work.graph.nodes[node]
        step, name = work.graph.steps[call.step], call.id
        every_time = not step.cache
        if call.step in told or not (every_time or (step.optional and name in failed)):
            continue
        told.add(call.step)
        if every_time:
            taker = f"`{needed[node]}` takes" if needed[node] else "the pipeline passes on"
            option = "always=True" if step.always else "cache=False"
            other = f"let nothing take what `{name}` gives: a lock does without that"
            yield Hindrance(
                f"`{name}` runs every time (`{option}`), and {taker} what it gives",
                other
                if step.always
                else f"give `{step.name}` a `ttl=` in place of `cache=False`, or {other}",
            )
        else:
            yield Hindrance(
                f"`{name}` {failed[name]}; it may, but what it gives nobody has seen",
                f"mend `{step.name}`, or take its call out of the pipeline",
            )


def _leaving(work: Work, manifest: Manifest) -> set[int]:
    """The nodes that a pipeline returns, shows as endpoints, or that the manifest names as outputs."""
    graph = work.graph
    found = _taken((graph.result, *(binding for _, binding in graph.endpoints)))
    for name, output in manifest.outputs.items():
        try:
            place = place_of(graph, name, output)
        except OutputNotMade:  # `app.leaving` tells it, when all steps are there
            continue
        if place is not None:
            found.add(place.node)
    return found


def _taken(bindings: Iterable[Binding]) -> set[int]:
    return {leaf.node for binding in bindings for leaf in leaves(binding) if isinstance(leaf, FromStep)}
