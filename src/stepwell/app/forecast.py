"""What a plan can be expected to cost, from what its steps cost before: time, memory, bytes that are read.

forecast(plan, jobs=4).seconds    how long a run takes if every `maybe` turns out to run

A step is expected to take what was learnt of it for inputs of that size (`app.learnt`). Where nothing was,
or the size is not known yet, it is what the result took that it would use or was compared with, or else
the step's newest result. Start-up of workers is not counted; of the run itself, that it begins `PACE` steps a
second at most.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from stepwell.app.learnt import Estimate, Learnt
from stepwell.kernel.graph import RESULT, Binding, Constant, FromSource, FromStep, Pack, dependencies, leaves
from stepwell.kernel.plan import Decision, Plan
from stepwell.kernel.ports import Result
from stepwell.named import NamedTuple

IDLE = ("cached", "skip", "blocked")
"""Decisions with which a step takes no time."""


PACE = 5000
"""Steps that one run handles in a second, about: what many tiny steps cost, whatever they take (docs/internals/performance.md)."""


class Cost(NamedTuple):
    """What one step costs: wall seconds, peak bytes of memory, bytes that it reads; None where nobody knows.

    `reads` counts the artifacts and sources that it takes in, as predicted, each once.
    """

    seconds: float | None = None
    memory: int | None = None
    reads: int | None = None


UNKNOWN = Cost()
"""What a step costs of which nothing is known."""


class Forecast(NamedTuple):
    """What a run of a plan costs; `steps` by node.

    `seconds` is wall time if all runs that may run, `least` if every `maybe` turns out to be cached;
    `memory` the highest sum of what runs at once, in bytes. `untimed` steps may run and have never
    been timed: they count as nothing. `workers` is how many steps run at once.
    """

    steps: Sequence[Cost]
    seconds: float
    least: float
    memory: int
    untimed: int
    workers: int


def forecast(plan: Plan, jobs: int = 0, learnt: Learnt | None = None) -> Forecast:
    """The expected cost of running a plan on `jobs` workers (0: one a processor)."""
    from stepwell.engines.machine import processors  # asked only where a plan is shown

    workers = jobs or processors()
    costs = Costs(plan, learnt)
    steps = [costs.of(decision) for decision in plan.decisions]
    busy = [decision.node for decision in plan.decisions if decision.verb not in IDLE]
    sure = [decision.node for decision in plan.decisions if decision.verb == "run"]
    seconds, memory = _paced(plan, steps, busy, workers)
    least = seconds if len(sure) == len(busy) else _paced(plan, steps, sure, workers)[0]
    untimed = sum(1 for node in busy if steps[node].seconds is None)
    return Forecast(steps, seconds, least, memory, untimed, workers)


def _paced(plan: Plan, costs: Sequence[Cost], nodes: Sequence[int], workers: int) -> tuple[float, int]:
    """Seconds and memory of a schedule, in which no more than `PACE` steps begin in a second."""
    seconds, memory = schedule(plan, costs, nodes, workers)
    return max(seconds, len(nodes) / PACE) if seconds else 0.0, memory


class Costs:
    """What each step of a plan costs; what is the same for all calls of a step is found out once."""

    def __init__(self, plan: Plan, learnt: Learnt | None) -> None:
        self._plan, self._learnt = plan, learnt
        self._names = [step.full_name for step in plan.graph.steps]
        self._recent: dict[int, Result | None] = {}
        self._estimates: dict[int, Estimate | None] = {}
        self._sizes = [_plain_size(decision.result) for decision in plan.decisions]
        self._made: dict[int | None, Cost] = {None: UNKNOWN}
        """Costs of which only what is read is known, by that."""

    def of(self, decision: Decision) -> Cost:
        """What the step of a decision costs."""
        call = self._plan.graph.nodes[decision.node]
        reads = self._reads(call.inputs)
        last = decision.result or self._newest(call.step)
        if reads is not None and decision.verb not in IDLE:
            same = last is not None and bool(decision.site) and last.site == decision.site  # it got just this
            found = None if same else self._estimate(call.step)
            if found is not None:
                return Cost(found.seconds(reads), found.memory(reads), reads)
        if last is not None:
            return Cost(last.seconds, last.memory or None, reads)
        return self._made.get(reads) or self._made.setdefault(reads, Cost(reads=reads))

    def _newest(self, step: int) -> Result | None:
        """The newest result of a step: it says best what a call costs that has none of its own."""
        if step not in self._recent:
            recent = self._plan.known.past.recent(self._names[step])
            self._recent[step] = recent[0] if recent else None
        return self._recent[step]

    def _estimate(self, step: int) -> Estimate | None:
        """What is learnt of a step."""
        if step not in self._estimates:
            learnt = self._learnt
            self._estimates[step] = learnt.estimate(self._names[step]) if learnt is not None else None
        return self._estimates[step]

    def _reads(self, inputs: Sequence[tuple[str, Binding]]) -> int | None:
        """Bytes that a node takes in, each artifact and source once; None where the size of one is not known."""
        total = 0
        seen: set[object] = set()
        for _, binding in inputs:
            kind = type(binding)
            for leaf in leaves(binding) if kind is Pack else (binding,) if kind is not Constant else ():
                thing: object = leaf
                if isinstance(leaf, FromStep):
                    plain = leaf.output == RESULT and not leaf.token
                    thing = leaf.node if plain else (leaf.node, leaf.output, leaf.token)
                elif not isinstance(leaf, FromSource):
                    continue
                if thing in seen:
                    continue
                seen.add(thing)
                found = self._sizes[thing] if type(thing) is int else None
                if found is None:
                    found = self._size(leaf)
                if found is None:
                    return None
                total += found
        return total

    def _size(self, leaf: FromStep | FromSource) -> int | None:
        """Bytes of what a node takes in, None where nobody knows."""
        if isinstance(leaf, FromSource):
            return self._plan.known.pins[leaf.source].size
        result, learnt = self._plan.decisions[leaf.node].result, self._learnt
        for artifact in result.outputs if result is not None else ():
            if artifact.name == leaf.output:
                return artifact.size if learnt is None else learnt.size(artifact)
        return None


def _plain_size(result: Result | None) -> int | None:
    """Bytes of the only thing that a step gave; None where that is not all that there is to know."""
    outputs = result.outputs if result is not None else ()
    if len(outputs) == 1 and outputs[0].name == RESULT and not outputs[0].parts:
        return outputs[0].size
    return None


def schedule(plan: Plan, costs: Sequence[Cost], nodes: Sequence[int], workers: int) -> tuple[float, int]:
    """Seconds until all of `nodes` are done, and the most memory in use, if each starts as soon as it can.

    Whatever is ready first starts first, on `workers` processors of which a step takes as many as it
    declares. Nodes that are not in `nodes` are there from the beginning.
    """
    import heapq

    if not any(costs[node].seconds or costs[node].memory for node in nodes):
        return 0.0, 0
    shares = [min(step.cpus, float(workers)) for step in plan.graph.steps]
    calls = plan.graph.nodes
    behind: dict[int, list[int]] = {node: [] for node in sorted(nodes)}
    missing = dict.fromkeys(behind, 0)
    for node in behind:
        for earlier in dependencies(calls[node]):
            if earlier in behind:
                behind[earlier].append(node)
                missing[node] += 1
    ready = deque(node for node, count in missing.items() if not count)
    running: list[tuple[float, int]] = []
    clock, free, used, peak = 0.0, float(workers), 0, 0
    while ready or running:
        while ready and (free >= shares[calls[ready[0]].step] or not running):
            node = ready.popleft()
            cost = costs[node]
            free -= shares[calls[node].step]
            used += cost.memory or 0
            peak = max(peak, used)
            heapq.heappush(running, (clock + (cost.seconds or 0.0), node))
        clock, node = heapq.heappop(running)
        free += shares[calls[node].step]
        used -= costs[node].memory or 0
        for follower in behind[node]:
            missing[follower] -= 1
            if not missing[follower]:
                ready.append(follower)
    return clock, peak
