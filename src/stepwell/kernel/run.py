"""Doing what a plan says: `drive(plan, engine=..., store=..., clock=...) -> Iterator[Event]`.

A run is a conversation with four parties, all through `ports`: the plan says what is expected, the
store what is already there and where new results go, the engine what became of tasks, the clock
how long it took. Each node is judged again (`plan.judge`) when everything before it has ended, so
that a step that ran again and gave the same output leaves what follows untouched.

A result on which the run had counted may turn out to be missing or damaged when a task wants to
read it. Then the step that made it runs again, and the task waits for it: nothing is repaired by
hand. Results become visible in groups: `store.commit` is called between reports and decides
itself when it is time, while steps that follow already run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from stepwell.errors import ArtifactGone, Interrupted
from stepwell.kernel.events import (
    Event,
    RunFinished,
    StepBlocked,
    StepFailed,
    StepFinished,
    StepInterrupted,
    StepRepaired,
    StepReused,
    StepStarted,
)
from stepwell.kernel.graph import Binding, FromSource, FromStep, Pack, dependencies
from stepwell.kernel.plan import Decision, Foreseen, Plan, Reason, judge
from stepwell.kernel.ports import (
    Artifact,
    Clock,
    Done,
    Engine,
    Failure,
    Interrupt,
    Logged,
    Outside,
    Report,
    Result,
    Said,
    Started,
    Store,
    Stored,
    Task,
)

PATIENCE = 0.05
"""Seconds that a run waits for reports before it commits, and looks again for results of other runs."""


def drive(
    plan: Plan, *, engine: Engine, store: Store, clock: Clock, run: str = "", keep_going: bool = False
) -> Iterator[Event]:
    """Carry a plan out, yielding what happens as it happens; the last event is `RunFinished`.

    `run` is the name under which results say where they come from. With `keep_going`, a failure
    stops only what depends on it; otherwise nothing new is started after the first.
    The engine is left open; what is in flight when the caller stops iterating is not waited for.
    """
    driver = _Drive(plan, engine, store, clock, run, keep_going)
    begun = clock.monotonic()
    yield from driver.all_steps()
    store.commit(now=True)
    yield RunFinished(driver.status(), clock.monotonic() - begun)


class _Lost(Exception):
    """A result of `node` was counted on and is not there."""

    def __init__(self, node: int, why: str) -> None:
        super().__init__(why)
        self.node = node
        self.why = why


class _Repair(NamedTuple):
    """Why a result is being made again, and the nodes that wait for it."""

    why: str
    waiting: list[int]


class _Drive:
    """The state of one run: what is waiting, what is in flight, what each node gave."""

    def __init__(
        self, plan: Plan, engine: Engine, store: Store, clock: Clock, run: str, keep_going: bool
    ) -> None:
        self.plan, self.graph = plan, plan.graph
        self.engine, self.store, self.clock = engine, store, clock
        self.run, self.keep_going = run, keep_going
        self.known = plan.known._replace(past=store)
        self.consumers = plan.graph.consumers()
        self.missing = [len(dependencies(node)) for node in plan.graph.nodes]
        self.given: list[Foreseen | None] = [None] * len(plan.graph.nodes)
        self.decisions = list(plan.decisions)
        self.ready = deque(i for i, count in enumerate(self.missing) if not count)  # to be judged
        self.queue: deque[Decision] = deque()  # to be submitted
        self.elsewhere: dict[int, Decision] = {}  # another run computes these
        self.flying: dict[int, Decision] = {}
        self.forced = set(plan.wanted.forced)
        self.repairs: dict[int, _Repair] = {}  # by the node whose result was lost
        self.metrics: dict[int, dict[str, float]] = {}
        self.attempts: dict[int, int] = {}
        self.failed = False
        self.stopped = ""

    def status(self) -> str:
        """How the run ended: the three words of `events.Status`."""
        return "interrupted" if self.stopped else "failed" if self.failed else "succeeded"

    def all_steps(self) -> Iterator[Event]:
        """Every event but the last."""
        while not self.stopped:
            yield from self._judge_what_is_ready()
            yield from self._submit_what_fits()
            if self.ready:  # a repair put a step back
                continue
            if not self.flying and not self.elsewhere and (self._halted() or not self.queue):
                break
            for report in self.engine.wait(PATIENCE):
                yield from self._take(report)
            self.store.commit()
            self._look_elsewhere()
        if self.stopped:  # what has ended by now is kept; closing the engine ends the rest
            for report in self.engine.wait(0):
                yield from self._take(report)
        yield from self._leave_the_rest()

    def _halted(self) -> bool:
        return bool(self.stopped) or (self.failed and not self.keep_going)

    # ------------------------------------------------------------------ starting

    def _judge_what_is_ready(self) -> Iterator[Event]:
        """Settle what needs no work, also after a failure: only running something new stops then."""
        while self.ready and not self.stopped:
            node = self.ready.popleft()
            decision = self.decisions[node] = self._judge(node)
            if decision.verb == "cached" and decision.result is not None:
                yield StepReused(node, decision, decision.result)
                self._give(node, Foreseen(decision.result.outputs, True, "cached"))
            elif decision.verb == "run":
                self.queue.append(decision)
            else:
                if decision.verb == "blocked":
                    yield StepBlocked(node, decision)
                self._give(node, Foreseen(None, False, decision.verb))

    def _judge(self, node: int) -> Decision:
        if self.plan.decisions[node].verb == "skip":
            return self.plan.decisions[node]
        wanted = self.plan.wanted._replace(forced=self.forced)
        decision = judge(self.graph, self.known, wanted, node, self.given)
        if node in self.repairs and decision.verb == "run":
            decision = decision._replace(reasons=(Reason("missing", self.repairs[node].why),))
        return decision

    def _submit_what_fits(self) -> Iterator[Event]:
        room = 0 if self._halted() else self.engine.room()
        batch = [self.queue.popleft() for _ in range(min(room, len(self.queue)))]
        if not batch:
            return
        claims = self.store.claim([str(decision.key) for decision in batch])
        for decision, mine in zip(batch, claims, strict=True):
            if mine:
                yield from self._submit(decision)
            else:
                self.elsewhere[decision.node] = decision

    def _submit(self, decision: Decision) -> Iterator[Event]:
        node = decision.node
        call = self.graph.nodes[node]
        try:
            inputs = tuple((name, self._value(binding)) for name, binding in call.inputs)
        except _Lost as lost:
            self.store.release(str(decision.key))
            yield from self._repair(node, lost)
            return
        self.attempts[node] = self.attempts.get(node, 0) + 1
        step = self.graph.steps[call.step]
        self.flying[node] = decision
        self.engine.submit(
            Task(node, call.id, str(decision.key), step, inputs, self.run, call.out, self.attempts[node])
        )

    def _value(self, binding: Binding) -> object:
        """What a task is handed for a binding: constants as they are, artifacts and pinned sources by digest."""
        if isinstance(binding, FromStep):
            artifact = self._artifact(binding)
            try:
                return Stored(artifact, self.store.data(artifact), binding.path)
            except ArtifactGone as gone:
                raise _Lost(binding.node, gone.what) from gone
        if isinstance(binding, FromSource):
            source = self.graph.sources[binding.source]
            pin = self.known.pins[binding.source]
            return Outside(source.name, source.uri, source.type, source.options, pin.digest)
        if isinstance(binding, Pack):
            return binding._replace(items=tuple(self._value(item) for item in binding.items))  # type: ignore[arg-type]
        return binding

    def _artifact(self, binding: FromStep) -> Artifact:
        given = self.given[binding.node]
        outputs = given.outputs if given is not None and given.outputs is not None else ()
        for artifact in outputs:
            if artifact.name == binding.output:
                return artifact
        raise _Lost(binding.node, f"its output `{binding.output}` is not among what it gave")

    def _repair(self, node: int, lost: _Lost) -> Iterator[Event]:
        """Make the step of a lost result run again, and `node` wait for it."""
        repair = self.repairs.get(lost.node)
        if repair is None:
            yield StepRepaired(lost.node, lost.why)
            repair = self.repairs[lost.node] = _Repair(lost.why, [])
            self.forced.add(lost.node)
            self.ready.append(lost.node)
        repair.waiting.append(node)

    # ------------------------------------------------------------------ reports

    def _take(self, report: Report) -> Iterator[Event]:
        if isinstance(report, Done):
            yield from self._done(report)
        elif isinstance(report, Started):
            yield StepStarted(report.node, report.pid)
        elif isinstance(report, Logged):
            self.metrics.setdefault(report.node, {})[report.name] = report.value
            yield report
        elif isinstance(report, Said):
            yield report
        elif isinstance(report, Interrupt):
            self.stopped = report.why

    def _done(self, report: Done) -> Iterator[Event]:
        node = report.node
        decision = self.flying.pop(node, None)
        if decision is None:  # a late word of a task that was given up
            return
        if report.failure is not None:
            self.store.release(str(decision.key))
            if self.stopped or report.failure.code == Interrupted.code:
                yield StepInterrupted(node, decision, True)
                self._give(node, Foreseen(None, False, "blocked"))
                return
            self.failed = True
            yield StepFailed(node, decision, report.failure, report.seconds, report.cpu, report.memory)
            self._give(node, Foreseen(None, False, "blocked"))
            return
        result = self._result(decision, report)
        self.store.keep(result, report.outputs)
        self.forced.discard(node)
        old = decision.result
        unchanged = old is not None and [a.digest for a in old.outputs] == [a.digest for a in result.outputs]
        yield StepFinished(node, decision, result, unchanged, report.notes)
        self._give(node, Foreseen(result.outputs, True, "run"))

    def _result(self, decision: Decision, report: Done) -> Result:
        call = self.graph.nodes[decision.node]
        identity = self.known.identities[call.step]
        return Result(
            key=str(decision.key),
            step=self.graph.steps[call.step].full_name,
            site=decision.site,
            code=identity.code,
            environment=identity.environment,
            inputs=decision.inputs,
            outputs=tuple(made.artifact for made in report.outputs),
            run=self.run,
            seconds=report.seconds,
            cpu=report.cpu,
            memory=report.memory,
            metrics=tuple(self.metrics.pop(decision.node, {}).items()),
            variables=identity.variables,
        )

    def _give(self, node: int, outcome: Foreseen) -> None:
        """Note what a node came to, and wake what waited for it."""
        self.given[node] = outcome
        repair = self.repairs.pop(node, None)
        if repair is not None:
            self.ready.extend(repair.waiting)
            return
        for consumer in self.consumers[node]:
            self.missing[consumer] -= 1
            if not self.missing[consumer]:
                self.ready.append(consumer)

    # ------------------------------------------------------------------ other runs, and the end

    def _look_elsewhere(self) -> None:
        """Results that another run was computing: judge again those that appeared or were given up."""
        for node, decision in list(self.elsewhere.items()):
            key = str(decision.key)
            mine = self.store.claim([key])[0]
            if mine:  # it came to something, or to nothing: asked in this order, no result is overlooked
                self.store.release(key)
            if mine or self.store.result(key) is not None:
                self.ready.append(node)
                del self.elsewhere[node]

    def _leave_the_rest(self) -> Iterator[Event]:
        """Say of every node that was not reached, or not made again, what became of it."""
        open_nodes = {decision.node for decision in self.queue} | set(self.repairs)
        open_nodes.update(node for repair in self.repairs.values() for node in repair.waiting)
        for node, given in enumerate(self.given):
            if given is not None and node not in open_nodes:
                continue
            decision = self.decisions[node]
            if self.stopped:
                yield StepInterrupted(node, decision, node in self.flying)
                continue
            if given is None:
                decision = self._judge(node)
            if decision.verb != "blocked":
                reason = Reason("stopped", "not started: another step had failed")
                decision = Decision(node, "blocked", (reason,), decision.key)
            self.given[node] = Foreseen(None, False, "blocked")
            yield StepBlocked(node, decision)


def failure_of(error: Exception, traceback: str = "") -> Failure:
    """The failure that a `StepwellError` describes."""
    get = getattr
    return Failure(
        get(error, "code", "E400"),
        get(error, "what", str(error)),
        get(error, "why", ""),
        tuple(get(error, "fixes", ())),
        get(error, "docs", ""),
        traceback,
    )
