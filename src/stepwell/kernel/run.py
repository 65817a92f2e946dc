"""Doing what a plan says: `drive(plan, engine=..., store=..., clock=...) -> Iterator[Event]`.

A run is a conversation with four parties, all through `ports`: the plan says what is expected, the
store what is already there and where new results go, the engine what became of tasks, the clock
how long it took. Each node is judged again (`plan.Judge`) when everything before it has ended, so
that a step that ran again and gave the same output leaves what follows untouched. Calls with one
key are done once, whether they are in this run or in another on the same store.

A result on which the run had counted may turn out to be missing or damaged when a task wants to
read it. Then the step that made it runs again, and the task waits for it: nothing is repaired by
hand. If it gives something else this time, whatever was settled with what it gave before is
judged anew, so that what a run leaves behind is up to date.

Results become visible in groups: `store.commit` is called between reports and decides itself when
it is time, while steps that follow already run.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator

from stepwell.errors import ArtifactGone, EnvironmentMoved, Interrupted, StepNotLoaded, StepwellError
from stepwell.kernel.events import (
    Event,
    RunFinished,
    Status,
    StepBlocked,
    StepFailed,
    StepFinished,
    StepGrew,
    StepInterrupted,
    StepRepaired,
    StepRetried,
    StepReused,
    StepStarted,
)
from stepwell.kernel.graph import Binding, Constant, FromSource, FromStep, Node, dependencies, filled, leaves
from stepwell.kernel.plan import Decision, Foreseen, Judge, Plan, Reason, falls_short, grown_plan, standing
from stepwell.kernel.ports import (
    Artifact,
    Clock,
    Done,
    Engine,
    FailedStep,
    Failure,
    Interrupt,
    Logged,
    Outside,
    Report,
    Result,
    Started,
    Store,
    Stored,
    Task,
)
from stepwell.named import NamedTuple

PATIENCE = 0.05
"""Seconds that a run waits for reports before it commits, and looks again for results of other runs."""

AHEAD = 0.03
"""Seconds of work that a run claims ahead at most: where several runs share work, each claim is a transaction."""

ALERT = 0.005
"""Seconds between such looks while other runs give results that this one waits for."""

NOT_RETRIED = (Interrupted.code, StepNotLoaded.code, EnvironmentMoved.code)
"""Failures that another attempt would only repeat."""

REPAIRS = 3
"""Times that a run makes one lost result again; a store that loses it more often is given up."""


def drive(
    plan: Plan, *, engine: Engine, store: Store, clock: Clock, run: str = "", keep_going: bool = False
) -> Iterator[Event]:
    """Carry a plan out, yielding what happens as it happens; the last event is `RunFinished`.

    `run` is the name under which results say where they come from. With `keep_going`, a failure
    stops only what depends on it; otherwise nothing new is started after the first, and only what
    is up to date is still settled. The engine is left open: what is in flight when the run is
    interrupted, or when the caller stops iterating, is not waited for.
    """
    driver = _Drive(plan, engine, store, clock, run, keep_going=keep_going)
    begun = clock.monotonic()
    yield from driver.all_steps()
    store.commit(now=True)
    yield RunFinished(driver.status(), clock.monotonic() - begun)


class _Lost(Exception):
    """The result of a node was counted on and is not there: the node, and why."""


class _Repair(NamedTuple):
    """Why a result is being made again, and the nodes that wait for it."""

    why: str
    waiting: list[int]


class _Drive:
    """The state of one run: what is waiting, what is in flight, what each node gave.

    A node is `ready` when it can be judged. Judged to run, it is `open` until it gives something:
    queued, in flight, computed elsewhere, or waiting for a repair or for its twin.
    """

    def __init__(
        self, plan: Plan, engine: Engine, store: Store, clock: Clock, run: str, *, keep_going: bool
    ) -> None:
        self.engine, self.store, self.clock = engine, store, clock
        self.run, self.keep_going = run, keep_going
        self.given: list[Foreseen | None] = []
        self.as_planned = bytearray()  # gave exactly what the plan was certain of
        self.decisions: list[Decision] = []
        self.ready: OrderedDict[int, None] = OrderedDict()
        self.open: set[int] = set()
        self.queue: deque[Decision] = deque()  # to be submitted
        self.claimed: set[int] = set()  # queued, and claimed already
        self.elsewhere: dict[int, Decision] = {}  # another run computes these
        self.met: dict[int, Result] = {}  # what was there when a claim was refused, and is judged by now
        self.pace: dict[int, float] = {}  # by step: seconds that its calls take of late
        self.news, self.heard = -1, 0.0  # of other runs, and when something new was seen
        self.flying: dict[int, Decision] = {}
        self.started: set[int] = set()
        self.stale: set[int] = set()  # open, and to be judged again: something before gave something else
        # By key: the node that is to make the result, or has made it; at first as planned, of several the first.
        self.makers = {d.key: d.node for d in reversed(plan.decisions) if d.verb == "run" and d.key}
        self.twins: dict[int, list[int]] = {}  # by maker: the nodes that wait for the same result
        self.repairs: dict[int, _Repair] = {}  # by the node whose result was lost
        self.repaired: dict[int, int] = {}  # how often
        self.metrics: dict[int, dict[str, float]] = {}
        self.attempts: dict[int, int] = {}
        self.tries: dict[int, int] = {}  # failed attempts of steps that are retried
        self.later: dict[int, float] = {}  # claimed, to be queued again at this time of the clock
        self.wrote = False  # a step was seen to write files: what others observed is looked at again
        self.failures: dict[int, FailedStep] = {}
        self.failed = False
        self.last = False  # after a failure: all that is left are steps that always run
        self.stopped = ""
        self.events: list[Event] = []  # not yet told
        self._adopt(plan)

    def _adopt(self, plan: Plan) -> None:
        """Go on with a plan, which has all nodes of the one before, and perhaps more."""
        self.plan, self.graph = plan, plan.graph
        past = plan.known._replace(past=self.store)
        first, count = len(self.decisions), len(plan.graph.nodes)
        forced = {node for node in plan.wanted.forced if node >= first}
        forced |= self.judge.forced if first else set()
        self.judge = Judge(plan.graph, past, forced, planned=plan.decisions)
        self.names = [step.full_name for step in plan.graph.steps]
        self.given.extend([None] * (count - first))
        self.as_planned.extend(bytes(count - first))
        self.decisions.extend(plan.decisions[first:])
        self.consumers, self.missing = plan.graph.consumers(), [0] * count
        for node, given in enumerate(self.given):
            for consumer in self.consumers(node) if given is None else ():
                self.missing[consumer] += 1
        self.returned = {leaf.node for leaf in leaves(plan.graph.result) if isinstance(leaf, FromStep)}
        for node in range(count):
            if not self.missing[node] and self.given[node] is None and node not in self.open:
                self.ready[node] = None

    def status(self) -> Status:
        """How the run ended."""
        short = falls_short(self.graph.result, self.given)
        return "interrupted" if self.stopped else "failed" if self.failed or short else "succeeded"

    def all_steps(self) -> Iterator[Event]:
        """Every event but the last."""
        while not self.stopped:
            self._settle_what_is_ready()
            yield from self._told()
            self._submit_what_fits()
            yield from self._told()
            if self.ready:  # a repair put a step back
                continue
            self._queue_retries()
            if not self.flying and (self._halted() or not (self.queue or self.elsewhere or self.later)):
                if not self._halted() or self.stopped or not self._unsettled(always=True):
                    break
                self._leave_the_rest()
                self.last = True
                continue
            self.store.commit(waiting=not self.flying)
            for report in self.engine.wait(self._patience()):
                self._take(report)
            yield from self._told()
            self._look_elsewhere()
        if self.stopped:  # what has ended by now is kept; closing the engine ends the rest
            for report in self.engine.wait(0):
                self._take(report)
        self._leave_the_rest()
        yield from self._told()

    def _told(self) -> list[Event]:
        """What happened since this was last asked, in order."""
        events, self.events = self.events, []
        return events

    def _halted(self) -> bool:
        return bool(self.stopped) or (self.failed and not self.keep_going and not self.last)

    # ------------------------------------------------------------------ judging

    def _settle_what_is_ready(self) -> None:
        """Settle what needs no work, also after a failure: only running something new stops then."""
        ripe: list[Decision] = []
        while self.ready or ripe:
            if not self.ready:
                self._grow(ripe)
                ripe = []
                continue
            node, _ = self.ready.popitem(last=False)
            decision = self._as_planned(node) or self._decide(node)
            if decision is None:
                continue
            if node in self.claimed and (decision.verb != "run" or decision.key != self.decisions[node].key):
                self._unclaim(self.decisions[node])
            if node in self.returned and not self._is_readable(decision):
                decision = self.judge.decide(node, self.given)  # the store has noted what is lost
                self.makers[str(decision.key)] = node
                self.as_planned[node] = 0
            self.decisions[node] = decision
            if decision.verb == "dynamic":
                if not self._halted():
                    ripe.append(decision)
            elif decision.verb == "run":
                self.open.add(node)
                self.queue.append(decision)
            elif decision.verb == "cached" and decision.result is not None:
                self.events.append(StepReused(node, decision, decision.result))
                self._give(node, Foreseen(decision.result.outputs, True, "cached"))
            else:
                if decision.verb == "blocked":
                    inputs = self.graph.nodes[node].inputs
                    self.failed |= any(falls_short(binding, self.given) for _, binding in inputs)
                    self.events.append(StepBlocked(node, decision))
                self._give(node, Foreseen(None, False, decision.verb))

    def _grow(self, ripe: list[Decision]) -> None:
        """Have dynamic calls, all before them being known, become steps."""
        plan, growth = self.plan, self.plan.known.growth
        outputs = [given.outputs if given is not None else None for given in self.given]
        for decision in ripe:
            node, first = decision.node, len(plan.graph.nodes)
            try:
                if growth is None:
                    raise StepNotLoaded(f"nothing can trace `{plan.graph.nodes[node].id}` during this run")
                grown = growth.grown(plan.graph, node, outputs.__getitem__)
            except StepwellError as error:
                self._fail(decision, failure_of(error))
                continue
            if grown.made is not None:
                done = Done(node, (grown.made,))
                self.store.keep(self._result(decision, done), done.outputs)
            plan = grown_plan(plan, node, grown, self.store, self.given)
            self.given[node] = Foreseen((), True, "dynamic")
            self.events.append(StepGrew(node, plan, first))
        if plan is not self.plan:
            self._adopt(plan)

    def _is_readable(self, decision: Decision) -> bool:
        """Whether what is reused can be read: what the pipeline returns is read by no step that would notice."""
        if decision.verb != "cached" or decision.result is None:
            return True
        try:
            for artifact in decision.result.outputs:
                self.store.data(artifact)
        except ArtifactGone:
            return False
        return True

    def _as_planned(self, node: int) -> Decision | None:
        """The plan's own decision, where it was certain and all that it rests on came as it said."""
        decision = self.plan.decisions[node]
        if decision.verb == "skip" or decision.reasons[0].kind == "kept":
            return decision
        if decision.verb != "cached" or decision.key is None or node in self.repairs:
            return None
        for earlier in dependencies(self.graph.nodes[node]):
            if not self.as_planned[earlier]:
                return None
        if self.wrote and decision.result is not None and decision.result.observed:
            return None
        result = self.store.result(decision.key)
        if result is None or (result is not decision.result and result != decision.result):
            return None
        self.as_planned[node] = 1
        return decision

    def _decide(self, node: int) -> Decision | None:
        """The decision for a node, all before it being known; None where it waits for its twin."""
        self.as_planned[node] = 0
        self.stale.discard(node)
        self._wake(self.twins.pop(node, ()))
        decision = self.judge.decide(node, self.given)
        if decision.key is None:
            return decision
        maker = self.makers.get(decision.key, node)
        if decision.verb == "cached" and maker != node:
            return self.judge.same(decision, maker)
        if decision.verb != "run" or not self.graph.step_of(node).cache:
            return decision
        if maker != node and self.decisions[maker].key == decision.key:
            given = self.given[maker]
            if given is None or maker in self.open:
                self._unclaim(self.decisions[node])
                self.decisions[node] = decision
                self.open.add(node)
                self.twins.setdefault(maker, []).append(node)
                return None
            if given is not None and given.verb == "blocked":
                name = self.graph.nodes[maker].id
                reason = Reason("upstream", f"`{name}`, the same call, has no result", name)
                return decision._replace(verb="blocked", reasons=(reason,))
            if node in self.judge.forced and node not in self.repairs:  # it was done again, by its twin
                self.judge.forced.discard(node)
                return self._decide(node)
        self.makers[decision.key] = node
        repair = self.repairs.get(node)
        return decision if repair is None else decision._replace(reasons=(Reason("missing", repair.why),))

    def _wake(self, nodes: Iterable[int]) -> None:
        for node in nodes:
            self.ready[node] = None

    # ------------------------------------------------------------------ starting

    def _submit_what_fits(self) -> None:
        """Hand over as much as the engine takes, passing over what other runs are at, or have done."""
        room = 0 if self._halted() else self.engine.room()
        while self.queue and room > 0:
            won = self._won(self._batch(room))
            self.queue.extendleft(reversed(won[room:]))
            for decision in won[:room]:
                self._submit(decision)
            room -= len(won)

    def _batch(self, room: int) -> list[Decision]:
        """The next steps, to be claimed together: as many as there is room for, and what soon follows them if it is short."""
        batch, spare = [], AHEAD
        while self.queue:
            node = self.queue[0].node
            if len(batch) >= room:
                spare -= self.pace.get(self.graph.nodes[node].step, AHEAD)
                if spare <= 0 or node in self.claimed:
                    break
            batch.append(self.queue.popleft())
        return batch

    def _won(self, decisions: list[Decision]) -> list[Decision]:
        """Those that this run is to compute. What others are at waits; what they have done is judged again.

        Asked in this order, no result is overlooked: what is claimed is looked for after the claim.
        """
        asked = [d for d in decisions if d.node not in self.claimed and d.node not in self.stale]
        answers = self.store.claim([str(d.key) for d in asked]) if asked else ()
        self.claimed.update([d.node for d, mine in zip(asked, answers, strict=True) if mine])
        won = []
        for decision in decisions:
            node = decision.node
            if node in self.stale:
                self._unclaim(decision)
                self.ready[node] = None
            elif node in self.claimed:
                won.append(decision)
            elif (found := self.store.result(str(decision.key))) and found != self.met.get(node):
                self.met[node] = found
                self.ready[node] = None
            else:
                self.elsewhere[node] = decision
        return won

    def _submit(self, decision: Decision) -> None:
        node = decision.node
        call = self.graph.nodes[node]
        try:
            inputs = tuple([(name, self._value(binding, call)) for name, binding in call.inputs])
        except _Lost as lost:
            self._repair(decision, *lost.args)
            return
        attempt = self.attempts[node] = self.attempts.get(node, 0) + 1
        self.metrics.pop(node, None)
        self.flying[node] = decision
        step = self.graph.steps[call.step]
        self.engine.submit(Task(node, call.id, str(decision.key), step, inputs, self.run, call.out, attempt))

    def _value(self, binding: Binding, call: Node) -> object:
        """What a task is handed for a binding: constants as they are, artifacts and pinned sources by digest."""
        if isinstance(binding, Constant):
            return binding
        if isinstance(binding, FromStep):
            artifact = self._artifact(binding)
            try:
                return Stored(artifact, self.store.data(artifact), binding.path)
            except ArtifactGone as gone:
                raise _Lost(binding.node, gone.what) from gone
        if isinstance(binding, FromSource):
            source = self.graph.sources[binding.source]
            pin = self.plan.known.pins[binding.source]
            return Outside(source.name, source.uri, source.type, source.options, pin.digest)
        items = [self._value(item, call) for item in standing(binding, self.given)]
        return filled(binding, items, (self.failures[node] for node in call.after if node in self.failures))

    def _artifact(self, binding: FromStep) -> Artifact:
        given = self.given[binding.node]
        for artifact in (given.outputs or ()) if given is not None else ():
            if artifact.name == binding.output:
                return artifact
        raise _Lost(binding.node, f"its output `{binding.output}` is not among what it gave")

    def _unclaim(self, decision: Decision) -> None:
        if decision.node in self.claimed:
            self.claimed.discard(decision.node)
            self.store.release(str(decision.key))

    # ------------------------------------------------------------------ repairs

    def _repair(self, decision: Decision, producer: int, why: str) -> None:
        """Make the step `producer`, whose result is lost, run again, and the node of `decision` wait for it."""
        self._unclaim(decision)
        repair = self.repairs.get(producer)
        if repair is None:
            count = self.repaired[producer] = self.repaired.get(producer, 0) + 1
            if count > REPAIRS:
                self._fail(decision, failure_of(_lost_again(self.graph.nodes[producer].id, why)))
                return
            self.events.append(StepRepaired(producer, why))
            repair = self.repairs[producer] = _Repair(why, [])
            if producer not in self.open:
                result = self.store.result(str(self.decisions[producer].key))
                if result is None or not result.lost:
                    self.judge.forced.add(producer)
                self.ready[producer] = None
        repair.waiting.append(decision.node)

    def _lost_input(self, node: int) -> tuple[int, str] | None:
        """The node that gave an input of this one which the store no longer has, and why."""
        for _, binding in self.graph.nodes[node].inputs:
            for leaf in leaves(binding):
                if isinstance(leaf, FromStep):
                    result = self.store.result(str(self.decisions[leaf.node].key))
                    if result is None or result.lost:
                        return leaf.node, "its result is gone" if result is None else result.lost
        return None

    # ------------------------------------------------------------------ reports

    def _take(self, report: Report) -> None:
        if isinstance(report, Done):
            self._done(report)
        elif isinstance(report, Started):
            self.started.add(report.node)
            self.events.append(StepStarted(report.node, report.pid))
        elif isinstance(report, Interrupt):
            self.stopped = report.why or Interrupt().why
        else:
            if isinstance(report, Logged):
                self.metrics.setdefault(report.node, {})[report.name] = report.value
            self.events.append(report)

    def _done(self, report: Done) -> None:
        node, failure = report.node, report.failure
        decision = self.flying.pop(node, None)
        if decision is None:  # a late word of a task that was given up
            return
        self.started.discard(node)
        if report.wrote and self.plan.known.world is not None:
            self.wrote = True
            self.plan.known.world.forget(report.wrote)
        result = self._result(decision, report)
        if failure is None:
            try:
                self.store.keep(result, report.outputs)
            except ArtifactGone as gone:
                failure = failure_of(gone)
        elif failure.code == ArtifactGone.code and (lost := self._lost_input(node)) is not None:
            self._repair(decision, *lost)
            return
        elif failure.code == ArtifactGone.code and self.attempts[node] <= REPAIRS:
            self._unclaim(decision)  # it has been made again since this task was submitted
            self.ready[node] = None
            return
        if failure is not None:
            if self._is_retried(node, failure):
                self.events.append(self._retry(decision, failure))
            else:
                self._fail(decision, failure, report)
            return
        step = self.graph.nodes[node].step
        self.pace[step] = max(1e-4, 0.9 * self.pace.get(step, report.seconds) + 0.1 * report.seconds)
        self.claimed.discard(node)
        self.judge.forced.discard(node)
        self.attempts.pop(node, None)
        old = decision.result
        unchanged = old is not None and _tokens(old.outputs) == _tokens(result.outputs)
        self.events.append(StepFinished(node, decision, result, unchanged, report.notes))
        reusable = self.graph.step_of(node).cache
        if old is not None and old.key == result.key and not unchanged and reusable:
            self._wake_those_with(result.key, node)
        if node in self.stale:
            self.ready[node] = None
        else:
            self._give(node, Foreseen(result.outputs, True, "run"))

    def _wake_those_with(self, key: str, maker: int) -> None:
        """Have nodes judged again that had settled for an earlier result of a key, which was made anew and differs."""
        for node, decision in enumerate(self.decisions):
            settled = node not in self.open and self.given[node] is not None
            if decision.key == key and node != maker and settled:
                self.ready[node] = None

    def _is_retried(self, node: int, failure: Failure) -> bool:
        left = self.tries.get(node, 0) < self.graph.step_of(node).retries
        return left and failure.code not in NOT_RETRIED and not self._halted()

    def _retry(self, decision: Decision, failure: Failure) -> StepRetried:
        """Have a step run again in a while; its claim is kept."""
        node = decision.node
        failed = self.tries[node] = self.tries.get(node, 0) + 1
        wait = self.graph.step_of(node).backoff * 2 ** (failed - 1)
        self.later[node] = self.clock.monotonic() + wait
        return StepRetried(node, failure, failed, wait)

    def _queue_retries(self) -> None:
        for node in [node for node, time in self.later.items() if time <= self.clock.monotonic()]:
            del self.later[node]
            self.queue.append(self.decisions[node])

    def _fail(self, decision: Decision, failure: Failure, report: Done | None = None) -> None:
        self._unclaim(decision)
        node = decision.node
        if failure.code == Interrupted.code or self.stopped:
            self.stopped = self.stopped or failure.what
            self.events.append(StepInterrupted(node, decision, True))
        else:
            self.failed |= not self.graph.step_of(node).optional
            name, spent = self.graph.nodes[node].id, report or Done(node)
            self.failures[node] = FailedStep(name, failure.code, failure.what, failure.why)
            self.store.shelve(spent.outputs)
            refused = tuple([made.artifact for made in spent.outputs])
            cost = (spent.seconds, spent.cpu, spent.memory)
            self.events.append(StepFailed(node, decision, failure, *cost, refused))
            for unbegun in self.engine.withdraw() if self._halted() else ():
                self.attempts[unbegun] -= 1
                self.queue.append(self.flying.pop(unbegun))
        self._give(node, Foreseen(None, False, "blocked"))

    def _result(self, decision: Decision, report: Done) -> Result:
        call = self.graph.nodes[decision.node]
        identity, name = self.plan.known.identities[call.step], self.names[call.step]
        outputs = tuple([made.artifact for made in report.outputs])
        metrics = tuple(self.metrics.pop(decision.node).items()) if decision.node in self.metrics else ()
        cost = (report.seconds, report.cpu, report.memory)
        what = (str(decision.key), name, decision.site, identity.code, identity.environment, decision.inputs)
        seen = (identity.variables, report.observed, self.clock.now())
        return Result(*what, outputs, self.run, *cost, metrics, "", *seen)

    def _give(self, node: int, outcome: Foreseen) -> None:
        """Note what a node came to, and wake what waited for it."""
        before = self.given[node]
        self.given[node] = outcome
        self.open.discard(node)
        self._wake(self.twins.pop(node, ()))
        repair = self.repairs.pop(node, None)
        if repair is not None:
            self._wake(repair.waiting)
        if before is None:
            for consumer in self.consumers(node):
                self.missing[consumer] -= 1
                if not self.missing[consumer]:
                    self.ready[consumer] = None
        elif outcome.outputs is not None and _tokens(before.outputs) != _tokens(outcome.outputs):
            for consumer in self.consumers(node):
                if consumer in self.open:
                    self.stale.add(consumer)
                elif not self.missing[consumer]:
                    self.ready[consumer] = None

    # ------------------------------------------------------------------ other runs, and the end

    def _look_elsewhere(self) -> None:
        """Results that another run was computing: judge again those that came to something, or to nothing."""
        news = self.store.news() if self.elsewhere and not self._halted() else self.news
        if news != self.news or not self.stale.isdisjoint(self.elsewhere):
            self.news, self.heard = news, self.clock.monotonic()
            waiting, self.elsewhere = list(self.elsewhere.values()), {}
            self._wake([decision.node for decision in self._won(waiting)])

    def _patience(self) -> float:
        """Seconds to wait for reports: while others are waited for, an eighth of the time since they were heard of."""
        silence = self.clock.monotonic() - self.heard
        return min(PATIENCE, max(ALERT, silence / 8)) if self.elsewhere else PATIENCE

    def _unsettled(self, *, always: bool = False) -> list[int]:
        """The nodes that were not reached, or not made again; of these those that `always` run, or the others."""
        return [
            node
            for node, given in enumerate(self.given)
            if (given is None or node in self.open or node in self.ready or node in self.repairs)
            and self.graph.step_of(node).always == always
        ]

    def _leave_the_rest(self) -> None:
        """Say of every node that was not reached, or not made again, what became of it."""
        always = self._unsettled(always=True)
        rest = self._unsettled() + (always if self.stopped or self.last else [])
        self.queue = deque([decision for decision in self.queue if decision.node not in rest])
        self.later, self.elsewhere = {}, {}
        for node in rest:
            decision = self.decisions[node]
            if decision.verb == "skip":
                continue
            self._unclaim(decision)
            if self.stopped:
                if decision.verb == "maybe":
                    reason = Reason("stopped", "not started: the run was interrupted")
                    decision = decision._replace(verb="blocked", reasons=(reason,))
                self.events.append(StepInterrupted(node, decision, node in self.started))
                continue
            if node not in self.open and node not in self.repairs:
                decision = self.judge.decide(node, self.given)
            if decision.verb != "blocked":
                reason = Reason("stopped", "not started: another step had failed")
                decision = decision._replace(verb="blocked", reasons=(reason,))
            self.ready.pop(node, None)
            self.events.append(StepBlocked(node, decision))
            self._give(node, Foreseen(None, False, "blocked"))


def _tokens(outputs: tuple[Artifact, ...] | None) -> list[tuple[str, str]]:
    """What outputs come to for those who take them."""
    return [(artifact.name, artifact.token) for artifact in outputs or ()]


def _lost_again(name: str, why: str) -> ArtifactGone:
    return ArtifactGone(
        f"the result of `{name}` was lost {REPAIRS + 1} times: {why}",
        why="the store cannot keep it: a full or failing disk, or something that deletes files",
        fixes=["stepwell verify"],
    )


def failure_of(error: StepwellError, traceback: str = "") -> Failure:
    """The failure that an error describes."""
    return Failure(error.code, error.what, error.why, error.fixes, error.docs, traceback)
