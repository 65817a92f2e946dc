"""What a plan can be expected to cost, from what its steps cost before: time, memory, bytes that are read.

forecast(plan, jobs=4).seconds    how long a run takes if every `maybe` turns out to run

A step is expected to take what was learnt of it for inputs of that size (`app.learnt`). Where nothing was,
or the size is not known yet, it is what the result took that it would use or was compared with, or else
the step's newest result. Start-up of workers and the overhead of the run itself are not counted.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from stepwell.app.learnt import Learnt
from stepwell.kernel.graph import Constant, FromSource, FromStep, dependencies, leaves
from stepwell.kernel.plan import Decision, Plan
from stepwell.kernel.ports import Result

IDLE = ("cached", "skip", "blocked")
"""Decisions with which a step takes no time."""


class Cost(NamedTuple):
    """What one step costs: wall seconds, peak bytes of memory, bytes that it reads; None where nobody knows.

    `reads` counts the artifacts and sources that it takes in, as predicted, each once.
    """

    seconds: float | None = None
    memory: int | None = None
    reads: int | None = None


class Forecast(NamedTuple):
    """What a run of a plan costs; `steps` by node.

    `seconds` is wall time if all runs that may run, `least` if every `maybe` turns out to be cached;
    `memory` the highest sum of what runs at once, in bytes. `untimed` steps may run and have never
    been timed: they count as nothing. `workers` is how many steps run at once.
    """

    steps: tuple[Cost, ...]
    seconds: float
    least: float
    memory: int
    untimed: int
    workers: int


def forecast(plan: Plan, jobs: int = 0, learnt: Learnt | None = None) -> Forecast:
    """The expected cost of running a plan on `jobs` workers (0: one a processor)."""
    from stepwell.engines.machine import processors  # asked only where a plan is shown

    workers = jobs or processors()
    steps = tuple(_cost(plan, decision, learnt) for decision in plan.decisions)
    busy = [decision.node for decision in plan.decisions if decision.verb not in IDLE]
    sure = [decision.node for decision in plan.decisions if decision.verb == "run"]
    before = [dependencies(node) for node in plan.graph.nodes]
    seconds, memory = schedule(plan, steps, busy, workers, before)
    least = seconds if len(sure) == len(busy) else schedule(plan, steps, sure, workers, before)[0]
    untimed = sum(1 for node in busy if steps[node].seconds is None)
    return Forecast(steps, seconds, least, memory, untimed, workers)


def _cost(plan: Plan, decision: Decision, learnt: Learnt | None) -> Cost:
    last = _last(plan, decision)
    reads = _reads(plan, decision.node, learnt)
    same = last is not None and bool(decision.site) and last.site == decision.site  # it got just this
    if learnt is not None and reads is not None and decision.verb not in IDLE and not same:
        found = learnt.estimate(plan.graph.step_of(decision.node).full_name)
        if found is not None:
            return Cost(found.seconds(reads), found.memory(reads), reads)
    return Cost(reads=reads) if last is None else Cost(last.seconds, last.memory or None, reads)


def _last(plan: Plan, decision: Decision) -> Result | None:
    """The result that says best what a step will cost."""
    if decision.result is not None:
        return decision.result
    recent = plan.known.past.recent(plan.graph.step_of(decision.node).full_name)
    return recent[0] if recent else None


def _reads(plan: Plan, node: int, learnt: Learnt | None) -> int | None:
    """Bytes that a node takes in; None where the size of one input is not known."""
    total = 0
    seen: set[object] = set()
    for _, binding in plan.graph.nodes[node].inputs:
        if type(binding) is Constant:
            continue
        for leaf in leaves(binding):
            if isinstance(leaf, Constant):
                continue
            thing = leaf._replace(path=()) if isinstance(leaf, FromStep) else leaf
            if thing in seen:
                continue
            seen.add(thing)
            if isinstance(leaf, FromSource):
                found: int | None = plan.known.pins[leaf.source].size
            else:
                found = _size(plan, leaf, learnt)
            if found is None:
                return None
            total += found
    return total


def _size(plan: Plan, leaf: FromStep, learnt: Learnt | None) -> int | None:
    result = plan.decisions[leaf.node].result
    for artifact in result.outputs if result is not None else ():
        if artifact.name == leaf.output:
            return artifact.size if learnt is None else learnt.size(artifact)
    return None


def schedule(
    plan: Plan, costs: Sequence[Cost], nodes: Iterable[int], workers: int, before: Sequence[Sequence[int]]
) -> tuple[float, int]:
    """Seconds until all of `nodes` are done, and the most memory in use, if each starts as soon as it can.

    Whatever is ready first starts first, on `workers` processors of which a step takes as many as it
    declares. Nodes that are not in `nodes` are there from the beginning. `before` are the
    dependencies of all nodes.
    """
    working = set(nodes)
    shares = [min(step.cpus, float(workers)) for step in plan.graph.steps]
    share = [shares[node.step] for node in plan.graph.nodes]
    behind: dict[int, list[int]] = {}
    missing: dict[int, int] = {}
    for node in sorted(working):
        earlier = [one for one in before[node] if one in working]
        missing[node] = len(earlier)
        for one in earlier:
            behind.setdefault(one, []).append(node)
    ready = deque(node for node, count in missing.items() if not count)
    running: list[tuple[float, int]] = []
    clock, free, used, peak = 0.0, float(workers), 0, 0
    while ready or running:
        while ready and (free >= share[ready[0]] or not running):
            node = ready.popleft()
            free -= share[node]
            used += costs[node].memory or 0
            peak = max(peak, used)
            heapq.heappush(running, (clock + (costs[node].seconds or 0.0), node))
        clock, node = heapq.heappop(running)
        free += share[node]
        used -= costs[node].memory or 0
        for follower in behind.get(node, ()):
            missing[follower] -= 1
            if not missing[follower]:
                ready.append(follower)
    return clock, peak
