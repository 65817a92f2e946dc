"""For tests that need an engine: a fake one, a clock that stands still, and the contract that all engines keep.

engine = FakeEngine({"clean": lambda flights: ..., "train": train})   # by the names of steps
class TestMyEngine(EngineContract):                                   # a whole test file
    def make(self, root, store): return MyEngine(root, store)
"""

from __future__ import annotations

import pickle
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stepwell import log
from stepwell.errors import StepRaised
from stepwell.kernel.graph import RESULT, Constant, OutputDef, Pack, StepDef
from stepwell.kernel.ports import (
    Artifact,
    Done,
    Engine,
    Failure,
    Interrupt,
    Logged,
    Made,
    Report,
    Said,
    Started,
    Stored,
    Task,
)
from stepwell.stores.blobs import Blobs, digest_of


class FrozenClock:
    """A clock that moves only when it is told to."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now = self._begun = now

    def now(self) -> float:
        """Seconds since 1970."""
        return self._now

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return self._now - self._begun

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds


class FakeEngine:
    """Runs plain functions by the names of steps: in memory, in the order of submission, without processes.

    Values are pickled between steps, so each step has its own. `wait` runs one task: it reports
    `Started`, the metrics, `Done`. A function that raises makes its task fail (E401). `sources`
    gives the values of sources by name. `ran` lists the ids of the tasks that ran.
    """

    def __init__(
        self,
        steps: Mapping[str, Callable[..., Any]],
        sources: Mapping[str, Any] | None = None,
        *,
        room: int = 1_000_000,
    ) -> None:
        self.steps = steps
        self.sources = sources or {}
        self.ran: list[str] = []
        self.closed = False
        self._room = room
        self._tasks: deque[Task] = deque()
        self._known: dict[str, bytes] = {}
        self._why = ""

    def room(self) -> int:
        """As much as was said when it was made."""
        return max(0, self._room - len(self._tasks))

    def submit(self, task: Task) -> None:
        """Take a task over."""
        self._tasks.append(task)

    def withdraw(self) -> Sequence[int]:
        """All but the next one, which counts as begun: others run beside one that fails."""
        begun = [self._tasks.popleft()] if self._tasks else []
        back = [task.node for task in self._tasks]
        self._tasks = deque(begun)
        return back

    def wait(self, timeout: float | None) -> Sequence[Report]:
        """Run the next task; returns at once in any case."""
        if self._why:
            why, self._why = self._why, ""
            return [Interrupt(why)]
        return self._run(self._tasks.popleft()) if self._tasks else []

    def interrupt(self, why: str = "interrupted") -> None:
        """Make the next `wait` return an `Interrupt`."""
        self._why = why

    def close(self) -> None:
        """Forget what was not run."""
        self._tasks.clear()
        self.closed = True

    def _run(self, task: Task) -> list[Report]:
        reports: list[Report] = [Started(task.node)]
        self.ran.append(task.id)
        told = log.Told(lambda name, value, step: reports.append(Logged(task.node, name, value, step)))
        before = log.record_with(told)
        try:
            value = self.steps[task.step.name](**{name: self._value(given) for name, given in task.inputs})
            done = Done(task.node, tuple(self._made(task.step, value)))
        except Exception as error:  # whatever a step raises is its failure  # noqa: BLE001
            raised = StepRaised(f"step `{task.step.name}` raised {type(error).__name__}: {error}")
            done = Done(task.node, failure=Failure(raised.code, raised.what, docs=raised.docs))
        finally:
            log.record_with(before)
        return [*reports, done]

    def _value(self, given: Any) -> Any:
        if isinstance(given, Constant):
            return pickle.loads(pickle.dumps(given.payload))  # its own copy  # noqa: S301
        if isinstance(given, Pack):
            values = [self._value(item) for item in given.items]
            if given.kind == "dict":
                return dict(zip(given.keys, values, strict=True))
            return values if given.kind == "list" else tuple(values)
        if isinstance(given, Stored):
            value = pickle.loads(given.data or self._known[given.artifact.digest])  # noqa: S301
            for part in given.path:
                value = (
                    getattr(value, part) if isinstance(part, str) and hasattr(value, part) else value[part]
                )
            return value
        return self.sources[given.name]

    def _made(self, step: StepDef, value: Any) -> Iterator[Made]:
        parts: list[Any] = [value]
        if step.shape == "tuple":
            parts = list(value)
        elif step.shape == "record":
            parts = [getattr(value, output.name) for output in step.outputs]
        elif step.shape == "dict":
            parts = [value[output.name] for output in step.outputs]
        for output, part in zip(step.outputs, parts, strict=True):
            data = pickle.dumps(part, 5)
            digest = digest_of(data)
            self._known[digest] = data
            yield Made(Artifact(output.name, "pickle", digest, len(data), (), repr(part)[:40]), data)


# ---------------------------------------------------------------------------- the contract

CONTRACT_STEPS = """
import os, random, sys, time
from stepwell import log

def one():
    return 1

def add(a, b):
    return a + b

def boom():
    raise ValueError("no such luck")

def grow(items):
    items.append(len(items))
    return items

def measured():
    log.metric("loss", 0.5, step=3)
    return 0

def pair():
    return 1, "two"

def chatty(word):
    print(word)
    return word

def draw():
    return random.random()

def pause(seconds):
    time.sleep(seconds)
    return seconds
"""
"""The module `contract_steps` whose functions the contract's tasks call."""


class EngineContract:
    """What every engine promises, as tests for pytest. Give `make`; say what yours cannot do.

    `captures`: what steps print comes as `Said`. `parallel`: several tasks run at once.
    """

    captures = True
    parallel = True

    def make(self, root: Path, store: Path) -> Engine:
        """A new engine. `root` holds `contract_steps.py`; `store` is a store's folder, ready for blobs."""
        raise NotImplementedError

    def start(self, tmp_path: Path) -> Engine:
        """An engine in a fresh project."""
        root, store = tmp_path / "project", tmp_path / "store"
        root.mkdir()
        store.mkdir()
        Blobs(store).make()
        (root / "contract_steps.py").write_text(CONTRACT_STEPS)
        return self.make(root, store)

    def test_a_task_starts_and_ends(self, tmp_path: Path) -> None:
        """Its node comes back, in order, with one output."""
        engine = self.start(tmp_path)
        try:
            engine.submit(contract_task(7, "one"))
            reports = drain(engine, 1)
            assert [type(r) for r in reports if not isinstance(r, Said)] == [Started, Done]
            assert all(r.node == 7 for r in reports)  # type: ignore[union-attr]
            done = ended(reports)[7]
            assert done.failure is None
            assert [made.artifact.name for made in done.outputs] == [RESULT]
            assert done.outputs[0].data is not None
        finally:
            engine.close()

    def test_an_output_is_an_input(self, tmp_path: Path) -> None:
        """What one task gave, another takes; equal values have one digest."""
        engine = self.start(tmp_path)
        try:
            engine.submit(contract_task(0, "one"))
            given = ended(drain(engine, 1))[0].outputs[0]
            engine.submit(contract_task(1, "add", a=Stored(given.artifact, given.data), b=Constant(1, "1")))
            engine.submit(contract_task(2, "add", a=Constant(0, "0"), b=Constant(2, "2")))
            done = ended(drain(engine, 2))
            assert done[1].outputs[0].artifact.digest == done[2].outputs[0].artifact.digest
        finally:
            engine.close()

    def test_a_failure_concerns_one_task(self, tmp_path: Path) -> None:
        """It has a code and names the step and the error; others succeed."""
        engine = self.start(tmp_path)
        try:
            for node, name in enumerate(["one", "boom", "one"]):
                engine.submit(contract_task(node, name))
            done = ended(drain(engine, 3))
            assert done[0].failure is None
            assert done[2].failure is None
            failure = done[1].failure
            assert failure is not None
            assert failure.code == StepRaised.code
            assert "`boom`" in failure.what
            assert "ValueError: no such luck" in failure.what
            assert not done[1].outputs
        finally:
            engine.close()

    def test_what_is_withdrawn_is_never_told_of(self, tmp_path: Path) -> None:
        """What was begun ends all the same; what was not can be handed over again."""
        engine = self.start(tmp_path)
        try:
            for node in range(12):
                engine.submit(contract_task(node, "pause", seconds=Constant(0.4, "")))
            reports: list[Report] = []
            while not any(isinstance(r, Started) for r in reports):
                reports += engine.wait(10)
            back = engine.withdraw()
            assert back
            assert len(set(back)) == len(back)
            reports += drain(engine, 12 - len(back) - len(ended(reports)))
            assert ended(reports).keys() == set(range(12)) - set(back)
            assert not any(getattr(r, "node", None) in back for r in reports)
            engine.submit(contract_task(back[0], "one"))
            assert ended(drain(engine, 1)).keys() == {back[0]}
        finally:
            engine.close()

    def test_inputs_are_fresh(self, tmp_path: Path) -> None:
        """A step that changes its input changes it for itself alone."""
        engine = self.start(tmp_path)
        try:
            items = Constant([1, 2], "[1, 2]")
            for node in range(4):
                engine.submit(contract_task(node, "grow", items=items))
            done = ended(drain(engine, 4))
            assert len({d.outputs[0].artifact.digest for d in done.values()}) == 1
            assert items.payload == [1, 2]
        finally:
            engine.close()

    def test_metrics_come_before_the_end(self, tmp_path: Path) -> None:
        """`log.metric` in a step is reported with its node."""
        engine = self.start(tmp_path)
        try:
            engine.submit(contract_task(3, "measured"))
            reports = drain(engine, 1)
            assert Logged(3, "loss", 0.5, 3) in reports
            assert isinstance(reports[-1], Done)
        finally:
            engine.close()

    def test_several_outputs(self, tmp_path: Path) -> None:
        """A tuple is one artifact for each part."""
        engine = self.start(tmp_path)
        try:
            engine.submit(contract_task(0, "pair", shape="tuple", outputs=("0", "1")))
            done = ended(drain(engine, 1))[0]
            assert [made.artifact.name for made in done.outputs] == ["0", "1"]
        finally:
            engine.close()

    def test_packed_inputs(self, tmp_path: Path) -> None:
        """Lists of references come as lists."""
        engine = self.start(tmp_path)
        try:
            items = Pack("list", (Constant(5, "5"), Constant(6, "6")))
            engine.submit(contract_task(0, "grow", items=items))
            engine.submit(contract_task(1, "grow", items=Constant([5, 6], "[5, 6]")))
            done = ended(drain(engine, 2))
            assert done[0].outputs[0].artifact.digest == done[1].outputs[0].artifact.digest
        finally:
            engine.close()

    def test_what_a_step_prints(self, tmp_path: Path) -> None:
        """It comes as `Said`, with the node, before the task's end."""
        if not self.captures:
            return
        engine = self.start(tmp_path)
        try:
            for node in range(20):
                engine.submit(contract_task(node, "chatty", word=Constant(f"word {node}", "")))
            reports = drain(engine, 20)
            for node in range(20):
                mine = [r for r in reports if getattr(r, "node", None) == node]
                assert isinstance(mine[-1], Done)
                assert "".join(r.text for r in mine if isinstance(r, Said)) == f"word {node}\n"
        finally:
            engine.close()

    def test_many_tasks(self, tmp_path: Path) -> None:
        """Each of some thousand ends exactly once."""
        engine = self.start(tmp_path)
        try:
            for node in range(2000):
                engine.submit(contract_task(node, "add", a=Constant(node, ""), b=Constant(1, "")))
            done = [r for r in drain(engine, 2000) if isinstance(r, Done)]
            assert sorted(d.node for d in done) == list(range(2000))
            assert all(d.failure is None for d in done)
        finally:
            engine.close()

    def test_interrupt(self, tmp_path: Path) -> None:
        """`wait` returns an `Interrupt` with its reason."""
        engine = self.start(tmp_path)
        try:
            engine.interrupt("for a test")
            assert Interrupt("for a test") in engine.wait(5.0)
        finally:
            engine.close()

    def test_closing(self, tmp_path: Path) -> None:
        """It takes at most two seconds, whatever runs, and may be repeated."""
        engine = self.start(tmp_path)
        if self.parallel:
            for node in range(4):
                engine.submit(contract_task(node, "pause", seconds=Constant(60, "60")))
            reports: list[Report] = []
            while not any(isinstance(r, Started) for r in reports):
                reports += engine.wait(10.0)
        begun = time.monotonic()
        engine.close()
        assert time.monotonic() - begun < 2.0
        engine.close()

    def test_nothing_to_wait_for(self, tmp_path: Path) -> None:
        """An idle engine has room, and `wait` comes back without reports."""
        engine = self.start(tmp_path)
        try:
            assert engine.room() > 0
            assert list(engine.wait(0.01)) == []
        finally:
            engine.close()


def contract_task(
    node: int, step: str, *, shape: str = "single", outputs: Sequence[str] = (RESULT,), **inputs: Any
) -> Task:
    """A task that calls a function of `contract_steps`; inputs as the kernel hands them to engines."""
    definition = StepDef(step, "contract_steps", step, tuple(OutputDef(name) for name in outputs), shape)
    return Task(node, f"{step}-{node}", f"{node:064x}", definition, tuple(sorted(inputs.items())))


def drain(engine: Engine, count: int, timeout: float = 60.0) -> list[Report]:
    """The reports until `count` tasks have ended. Raises `TimeoutError`."""
    reports: list[Report] = []
    until = time.monotonic() + timeout
    left = count
    while left:
        if time.monotonic() > until:
            raise TimeoutError(f"{left} of {count} tasks have not ended; so far: {reports[-10:]}")
        new = engine.wait(1.0)
        left -= sum(isinstance(report, Done) for report in new)
        reports += new
    return reports


def ended(reports: Sequence[Report]) -> dict[int, Done]:
    """The ends among reports, by node."""
    return {report.node: report for report in reports if isinstance(report, Done)}
