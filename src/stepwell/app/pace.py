"""How far a run is, and how long it still takes: the plan's forecast, corrected by what steps really take.

pace = Pace(plan, jobs=4, learnt=work.learnt())
for event in events: progress.see(event); pace.see(event, progress, now)
pace.left(now)              Left(seconds=130.0, sure=True), None where nothing is known
pace.running, pace.far      what runs since when, and what it told with `log.progress`
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from json import loads
from typing import NamedTuple

from stepwell.app.directions import by_interest, direction_of
from stepwell.app.forecast import IDLE, forecast
from stepwell.app.learnt import Learnt
from stepwell.app.progress import ENDS, Outcome, Progress
from stepwell.kernel.events import Event, StepGrew, StepRepaired, StepRetried, StepStarted
from stepwell.kernel.plan import Plan
from stepwell.kernel.ports import Logged, Recorded

WIDEST = 5.0
"""How many times faster or slower than expected a run is believed to go on."""

ENOUGH = 0.5
"""Seconds of expected work that must be done before the forecast is corrected by them."""


class Far(NamedTuple):
    """How far a step said that it is (`log.progress`): done, of how much (None: unknown), and a text."""

    done: float
    total: float | None
    text: str

    @property
    def share(self) -> float | None:
        """The part that is done, from 0 to 1; None where nobody knows."""
        return min(max(self.done / self.total, 0.0), 1.0) if self.total else None


class Left(NamedTuple):
    """Seconds that are expected to be left. Not `sure`: there are steps that count as nothing, since they never ran."""

    seconds: float
    sure: bool


def far_of(event: Event) -> Far | None:
    """How far a step is, if that is what an event tells."""
    if isinstance(event, Recorded) and getattr(event.thing, "kind", "") == "progress":
        done, total, text = loads(event.thing.text)
        return Far(done, total, text)
    return None


def rest_of(elapsed: float, far: Far | None, usual: float | None) -> float | None:
    """Seconds that a step which runs for `elapsed` seconds still takes, by what it told, else by what it usually takes."""
    share = far.share if far is not None else None
    if share and elapsed > 0:
        return elapsed * (1 - share) / share
    return max(usual - elapsed, 0.0) if usual else None


class Pace:
    """Follows a run: what runs since when, how far that is, how many ended in which way, what is left."""

    def __init__(self, plan: Plan, jobs: int = 0, learnt: Learnt | None = None) -> None:
        found = forecast(plan, jobs, learnt)
        self.workers = found.workers
        self.running: dict[int, float] = {}
        """When each step that runs began, the longest first."""
        self.far: dict[int, Far] = {}
        self.metric: dict[int, tuple[str, float]] = {}
        """The newest number that each step that runs has recorded."""
        self.counts: dict[str, int] = {}
        """How many steps ended in which way."""
        self._statuses: dict[int, str] = {}
        self._costs: list[float | None] = []
        self._step: list[int] = []
        self._waiting: set[int] = set()
        self._known = 0.0
        self._unknown: dict[int, int] = {}
        self._seen: dict[int, tuple[int, float]] = {}
        self._newest: dict[int, float | None] = {}
        self._real = self._expected = 0.0
        self._take(plan, [cost.seconds for cost in found.steps])
        self._wide = min(self.workers, max(1.0, self._known / found.seconds)) if found.seconds else 0.0

    def see(self, event: Event, progress: Progress, now: float) -> None:
        """Take the next event, which `progress` has taken; `now` in seconds of `time.monotonic`."""
        if isinstance(event, Logged):
            self.metric[event.node] = (event.name, event.value)
        elif isinstance(event, StepStarted):
            self._await(event.node, waits=False)
            self.running[event.node] = now
        elif isinstance(event, StepGrew):
            self._wide = 0.0
            self._take(event.plan, self._grown(event.plan))
            self._await(event.node, waits=False)
        elif isinstance(event, StepRetried | StepRepaired):
            self._stop(event.node)
            self._await(event.node, waits=True)
        elif (far := far_of(event)) is not None:
            self.far[getattr(event, "node", -1)] = far
        elif isinstance(event, ENDS):
            self._ended(event.node, progress.outcomes[event.node])

    def usual(self, node: int) -> float | None:
        """Seconds that a step is expected to take: as forecast, else as its other calls of this run took."""
        cost = self._costs[node]
        if cost is not None:
            return cost
        count, total = self._seen.get(self._step[node], (0, 0.0))
        return total / count if count else None

    def left(self, now: float) -> Left | None:
        """What is left of the run; None where nothing is known of it."""
        sure, longest = True, 0.0
        work = self._known * self._factor
        for step, count in list(self._unknown.items()):
            seen, total = self._seen.get(step, (0, 0.0))
            if seen:
                work += count * total / seen
            elif count:
                sure = False
        for node, began in list(self.running.items()):
            rest = rest_of(now - began, self.far.get(node), self.usual(node))
            if rest is None:
                sure = False
            else:
                work, longest = work + rest, max(longest, rest)
        if not work and not sure:
            return None
        return Left(max(work / (self._wide or self.workers), longest), sure)

    # ------------------------------------------------------------------ bookkeeping

    @property
    def _factor(self) -> float:
        """How many times longer than expected the steps took that ended."""
        if self._expected < ENOUGH:
            return 1.0
        return min(max(self._real / self._expected, 1 / WIDEST), WIDEST)

    def _take(self, plan: Plan, costs: Sequence[float | None]) -> None:
        """Further nodes, which wait."""
        first = len(self._costs)
        self._costs += costs
        self._step += [node.step for node in plan.graph.nodes[first:]]
        for decision in plan.decisions[first:]:
            if decision.verb == "skip":
                self._count(decision.node, "skipped")
            if decision.verb not in IDLE:
                self._await(decision.node, waits=True)

    def _grown(self, plan: Plan) -> list[float | None]:
        """What further nodes took before, or else the newest call of their step: asked of each step once."""
        costs = []
        for decision in plan.decisions[len(self._costs) :]:
            step = plan.graph.nodes[decision.node].step
            if decision.result is None and step not in self._newest:
                recent = plan.known.past.recent(plan.graph.steps[step].full_name)
                self._newest[step] = recent[0].seconds if recent else None
            costs.append(decision.result.seconds if decision.result is not None else self._newest[step])
        return costs

    def _await(self, node: int, *, waits: bool) -> None:
        """A node waits from now on, or does no more."""
        if waits is (node in self._waiting):
            return
        sign = 1 if waits else -1
        (self._waiting.add if waits else self._waiting.discard)(node)
        cost = self._costs[node]
        if cost is None:
            step = self._step[node]
            self._unknown[step] = self._unknown.get(step, 0) + sign
        else:
            self._known = max(self._known + sign * cost, 0.0)

    def _stop(self, node: int) -> None:
        """A node does not run any more."""
        self.running.pop(node, None)
        self.far.pop(node, None)
        self.metric.pop(node, None)

    def _ended(self, node: int, outcome: Outcome) -> None:
        self._stop(node)
        self._await(node, waits=False)
        self._count(node, outcome.status)
        if outcome.status == "succeeded":
            count, total = self._seen.get(self._step[node], (0, 0.0))
            self._seen[self._step[node]] = (count + 1, total + outcome.seconds)
            cost = self._costs[node]
            if cost is not None:
                self._real += outcome.seconds
                self._expected += cost

    def _count(self, node: int, status: str) -> None:
        before = self._statuses.get(node)
        if before is not None:  # a result that was counted on was lost, and its step ran after all
            self.counts[before] -= 1
        self._statuses[node] = status
        self.counts[status] = self.counts.get(status, 0) + 1


class Best(NamedTuple):
    """The best value of a metric so far, and the point that has it."""

    metric: str
    value: float
    point: str


class Points:
    """The points of a sweep that runs: how many have ended, how many of these failed, which is the best so far.

    Of points that are equally good the first is the best, whichever ended first.
    `labels` are what the ids of their steps begin with; `said` is which direction of metrics is better, as roles said.
    """

    def __init__(self, plan: Plan, labels: Sequence[str], said: Mapping[str, str]) -> None:
        self.total = len(labels)
        self.best: Best | None = None
        self._said = said
        self._left: dict[str, int] = dict.fromkeys(labels, 0)
        self._place = {label: place for place, label in enumerate(labels)}
        self._failed: set[str] = set()
        self._point: list[str] = []
        self._over: set[int] = set()
        self._take(plan)

    @property
    def done(self) -> int:
        """How many have ended."""
        return sum(1 for left in list(self._left.values()) if not left)

    @property
    def failed(self) -> int:
        """How many have a step that failed."""
        return len(self._failed)

    def see(self, event: Event, progress: Progress) -> None:
        """Take the next event, which `progress` has taken."""
        if isinstance(event, StepGrew):
            self._take(event.plan)
            self._end(event.node)
        elif isinstance(event, ENDS):
            outcome = progress.outcomes[event.node]
            self._end(event.node)
            if outcome.status == "failed":
                self._failed.add(self._point[event.node])
                return  # what it logged is no metric of the point
            for name, value in outcome.metrics.items():
                self._judge(name, value, self._point[event.node])

    def _take(self, plan: Plan) -> None:
        first = len(self._point)
        for node in plan.graph.nodes[first:]:
            label = node.id.partition("/")[0]
            self._point.append(label)
            self._left[label] = self._left.get(label, 0) + 1
        for decision in plan.decisions[first:]:
            if decision.verb == "skip":
                self._end(decision.node)

    def _end(self, node: int) -> None:
        if node not in self._over:
            self._over.add(node)
            self._left[self._point[node]] -= 1

    def _judge(self, name: str, value: float, point: str) -> None:
        """Whether a value is the best so far of the metric by which runs are judged."""
        way = direction_of(name, self._said)
        if not way or value != value:
            return
        best = self.best
        if best is not None and best.metric != name:
            replaced = by_interest([best.metric, name], self._said)[0] == name
        elif best is not None:
            replaced = value > best.value if way == "higher" else value < best.value
            replaced = replaced or (value == best.value and self._place[point] < self._place[best.point])
        else:
            replaced = True
        if replaced:
            self.best = Best(name, value, point)
