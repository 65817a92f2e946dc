"""An engine that executes some tasks twice, on engines that report by script."""

from __future__ import annotations

from collections import deque

import pytest

from stepwell.app.twice import DIFFERS, INTERRUPTED, Twice
from stepwell.kernel.graph import StepDef
from stepwell.kernel.ports import Done, Failure, Interrupt, Logged, Made, Said, Started, Task
from stepwell.stores.blobs import Blobs
from stepwell.worker.outputs import keep


class Scripted:
    """Each task is reported as the script says, all at once in the next `wait`."""

    def __init__(self, script):
        self.script, self.tasks, self.closed = script, deque(), False
        self.also = []

    def room(self):
        return 4

    def submit(self, task):
        self.tasks.append(task)

    def wait(self, timeout):
        told = [report for task in self.tasks for report in self.script(task)]
        self.tasks.clear()
        also, self.also = self.also, []
        return [*told, *also]

    def interrupt(self, why="interrupted"):
        self.also.append(Interrupt(why))

    def close(self):
        self.closed = True


@pytest.fixture
def made(tmp_path):
    blobs = Blobs(tmp_path)
    blobs.make()

    def make(value) -> tuple[Made, ...]:
        return keep([("result", "", value)], blobs)

    make.blobs = blobs
    return make


def task(node):
    return Task(node, f"t{node}", "key", StepDef("t", "m", "t"), ())


def drain(engine):
    told = []
    for _ in range(5):
        told += engine.wait(0.01)
    return told


def test_only_the_first_is_heard_and_differences_are_notes(made):
    first = Scripted(
        lambda t: [Started(t.node), Said(t.node, "stdout", "x"), Done(t.node, made(1), wrote=("a",))]
    )
    second = Scripted(
        lambda t: [Started(t.node), Logged(t.node, "m", 1.0), Done(t.node, made(t.node), wrote=("b",))]
    )
    engine = Twice(first, second, {1, 2}, made.blobs)
    for node in range(3):
        engine.submit(task(node))
    told = drain(engine)
    assert [type(report) for report in told].count(Started) == 3
    assert not any(isinstance(report, Logged) for report in told)
    ended = {report.node: report for report in told if isinstance(report, Done)}
    assert (ended[0].notes, ended[0].wrote) == ((), ("a",))
    assert (ended[1].notes, ended[1].wrote) == ((), ("a", "b"))
    (note,) = ended[2].notes
    assert note == f"{DIFFERS}: run twice with the same inputs, it gave two things: `result`: 1 → 2"
    assert ended[2].outputs == made(1)
    engine.close()
    assert (first.closed, second.closed) == (True, True)


def test_failures_and_a_shared_engine(made):
    failure = Failure("E401", "it raised")
    calls = []

    def script(t):
        calls.append(t.node)
        return [Done(t.node, made(1), failure if calls.count(t.node) > t.node else None)]

    one = Scripted(script)
    engine = Twice(one, one, {0, 1}, made.blobs)
    engine.submit(task(0))  # it fails at once: there is nothing to repeat
    engine.submit(task(1))
    assert engine.room() == 4
    ended = {report.node: report for report in drain(engine)}
    assert calls == [0, 1, 1]
    assert ended[0].failure == failure
    assert ended[1].failure is None
    assert ended[1].notes == (f"{DIFFERS}: run twice, it failed the second time: it raised",)


def test_an_interrupt_hands_over_what_has_ended(made):
    first, second = Scripted(lambda t: [Done(t.node, made(1))]), Scripted(lambda _: [])
    engine = Twice(first, second, {0}, made.blobs)
    engine.submit(task(0))
    assert engine.wait(0.01) == []
    assert engine.room() == 3
    engine.interrupt("Ctrl-C")
    done, stop = engine.wait(0.01)
    assert (done.notes, stop) == ((INTERRUPTED,), Interrupt("Ctrl-C"))
