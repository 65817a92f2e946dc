"""How far a run is and how long it still takes, told by events, against what one works out by hand."""

from __future__ import annotations

import contextlib
import io
import re
import threading
import time
from math import inf, isfinite, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.app.pace import Far, Pace, Points, rest_of
from stepwell.app.progress import Progress
from stepwell.cli import beat
from stepwell.cli.beat import beat_line
from stepwell.cli.crowd import MANY, MOST_FAILED, MOST_SLOW, Crowd
from stepwell.cli.screen import Lines
from stepwell.kernel.events import (
    StepFailed,
    StepFinished,
    StepGrew,
    StepRepaired,
    StepRetried,
    StepReused,
    StepStarted,
)
from stepwell.kernel.graph import Graph, Node, StepDef
from stepwell.kernel.plan import Decision, Known, Plan, Reason, Wanted
from stepwell.kernel.ports import Artifact, Failure, Logged, Recorded, Result
from stepwell.stores.recordings import Thing
from stepwell.testing.memory import MemoryStore


def result(seconds, metrics=()):
    made = Artifact("result", "json", "b3:" + "0" * 64, 10)
    return Result("k", "m:s", "", "", "", (), (made,), "r1", seconds, seconds, 0, tuple(metrics))


def planned(*calls):
    """A plan of calls (id, verb, seconds that it took before or None); the step is the id up to `[`, behind any `/`."""
    names = list(dict.fromkeys(name.rpartition("/")[2].partition("[")[0] for name, _, _ in calls))
    steps = [StepDef(name=name, module="m", qualname=name) for name in names]
    nodes = [Node(name, names.index(name.rpartition("/")[2].partition("[")[0]), ()) for name, _, _ in calls]
    decisions = tuple(
        Decision(i, verb, (Reason("new", "new"),), None, None if past is None else result(past))
        for i, (_, verb, past) in enumerate(calls)
    )
    graph = Graph("p", nodes=tuple(nodes), steps=tuple(steps))
    return Plan(graph, Known([], [], MemoryStore()), Wanted(), decisions)


class Followed:
    """A run that is played: events at moments."""

    def __init__(self, plan, jobs=1):
        self.plan, self.progress, self.pace = plan, Progress(plan), Pace(plan, jobs)
        self.sweep = None

    def see(self, event, now=0.0):
        self.progress.see(event)
        self.pace.see(event, self.progress, now)
        if self.sweep is not None:
            self.sweep.see(event, self.progress)

    def finish(self, node, seconds, now=0.0, metrics=()):
        self.see(StepStarted(node), now - seconds)
        self.see(StepFinished(node, self.plan.decisions[node], result(seconds, metrics)), now)

    def fail(self, node):
        self.see(StepFailed(node, self.plan.decisions[node], Failure("E301", "it fails")))


def test_what_is_left():
    run = Followed(planned(("a", "run", 10.0), ("b", "run", 20.0), ("c", "cached", 99.0)))
    assert run.pace.left(0.0) == (30.0, True)
    run.see(StepStarted(0), 0.0)
    assert run.pace.left(4.0) == (26.0, True)
    assert run.pace.left(14.0) == (20.0, True)  # it is late
    run.see(StepFinished(0, run.plan.decisions[0], result(20.0)), 20.0)
    assert run.pace.left(20.0) == (40.0, True)  # twice as slow as expected, and so will be what comes
    assert run.pace.counts == {"succeeded": 1}


def test_what_a_step_tells_counts_more_than_what_it_took_before():
    run = Followed(planned(("a", "run", 100.0)))
    run.see(StepStarted(0), 0.0)
    run.see(Recorded(0, Thing("progress", "", None, '[25.0, 100.0, "epoch 1"]')), 5.0)
    assert run.pace.far[0] == Far(25.0, 100.0, "epoch 1")
    assert run.pace.left(10.0) == (30.0, True)
    run.see(Logged(0, "loss", 0.5), 10.0)
    assert run.pace.metric[0] == ("loss", 0.5)
    run.see(StepFinished(0, run.plan.decisions[0], result(12.0)), 12.0)
    assert (run.pace.far, run.pace.metric, run.pace.running) == ({}, {}, {})


def test_what_never_ran_is_learnt_from_its_other_calls():
    run = Followed(planned(*[(f"a[{i}]", "run", None) for i in range(1, 9)]), jobs=2)
    assert run.pace.left(0.0) is None
    run.finish(0, 3.0, now=3.0)
    assert run.pace.left(3.0) == (10.5, True)  # seven of them, two at once


def test_what_dynamic_calls_become():
    """Calls that nobody knew of are waited for as long as they took before, else as long as others of their step."""
    run = Followed(planned(("grow", "run", None), ("a", "run", 10.0)))
    grown = planned(("grow", "run", None), ("a", "run", 10.0), ("b[1]", "run", 7.0), ("b[2]", "run", None))
    assert run.pace.left(0.0) == (10.0, False)
    run.see(StepGrew(0, grown, 2))
    run.plan = grown
    assert run.pace.left(0.0) == (17.0, False)
    run.finish(2, 7.0, now=7.0)
    assert run.pace.left(7.0) == (17.0, True)


def test_a_step_of_which_nothing_is_known_is_said_to_count_as_nothing():
    run = Followed(planned(("a", "run", 10.0), ("b", "run", None)))
    assert run.pace.left(0.0) == (10.0, False)


def test_steps_that_run_again():
    """A retried step waits again; a result that was lost is counted once, as what it came to in the end."""
    run = Followed(planned(("a", "run", 10.0), ("b", "maybe", 5.0)))
    run.see(StepStarted(0), 0.0)
    run.see(StepRetried(0, Failure("E301", "it fails"), 1, 0.0), 1.0)
    assert run.pace.left(1.0) == (15.0, True)
    run.see(StepReused(1, run.plan.decisions[1], result(5.0)), 2.0)
    assert run.pace.counts == {"cached": 1}
    run.see(StepRepaired(1, "its blob is gone"), 3.0)
    run.finish(1, 5.0, now=8.0)
    assert run.pace.counts == {"cached": 0, "succeeded": 1}


@given(
    st.floats(0, 1e9),
    st.one_of(
        st.none(), st.tuples(st.floats(allow_nan=False), st.one_of(st.none(), st.floats(allow_nan=False)))
    ),
    st.one_of(st.none(), st.floats(0, 1e9)),
)
def test_the_rest_of_a_step_is_a_time_or_unknown(elapsed, told, usual):
    far = Far(*told, "") if told is not None else None
    share = far.share if far is not None else None
    assert share is None or 0 <= share <= 1 or share != share
    rest = rest_of(elapsed, far, usual)
    assert rest is None or rest >= 0 or not isfinite(rest)


def test_points_of_a_sweep():
    calls = [(f"depth={d}/{name}", "run", None) for d in (1, 2, 3) for name in ("train", "score")]
    run = Followed(planned(*calls))
    run.sweep = points = Points(run.plan, ["depth=1", "depth=2", "depth=3"], {"gain": "lower"})
    run.finish(0, 1.0)
    assert (points.done, points.total, points.best) == (0, 3, None)
    run.finish(1, 1.0, metrics=[("size", 7.0), ("gain", 5.0)])
    assert (points.done, points.best) == (1, ("gain", 5.0, "depth=1"))
    run.finish(2, 1.0)
    run.finish(3, 1.0, metrics=[("gain", nan), ("auc", 0.9)])
    assert points.best == (
        "gain",
        5.0,
        "depth=1",
    )  # NaN is no value, and another metric is not compared with it
    run.finish(4, 1.0, metrics=[("gain", -inf)])
    run.fail(5)
    assert (points.done, points.failed, points.best) == (3, 1, ("gain", -inf, "depth=3"))
    equal = Followed(planned(*calls))
    equal.sweep = points = Points(equal.plan, ["depth=1", "depth=2", "depth=3"], {"gain": "lower"})
    for node in (3, 1, 5):  # the first point is the best, not the one that ended first
        equal.finish(node, 1.0, metrics=[("gain", 5.0)])
    assert points.best == ("gain", 5.0, "depth=1")


# --------------------------------------------------------------------------- many steps


def crowd_of(*calls):
    """What is told of calls (id, seconds, status), in their order: ids with a line, and the sums."""
    plan = planned(*[(name, "run", None) for name, _, _ in calls])
    run, crowd, told = Followed(plan), Crowd(plan), []
    for node, (name, seconds, status) in enumerate(calls):
        run.fail(node) if status == "failed" else run.finish(node, seconds)
        if crowd.tells(node, run.progress.outcomes[node]):
            told.append(name)
    return told, crowd


def test_fast_steps_are_summed_up_and_slow_ones_shown():
    calls = [(f"load[{i}]", 0.5, "ok") for i in range(500)]
    calls[123] = ("load[123]", 60.0, "ok")
    calls.append(("report", 0.1, "ok"))
    told, crowd = crowd_of(*calls)
    assert told == ["load[123]", "report"]
    assert crowd.lines() == ["  ✓ 499 × load  4 min 10 s in all, 0.50 s the longest"]


def test_where_all_are_slow_not_all_are_shown():
    told, crowd = crowd_of(*[(f"train[{i}]", 100.0 + i, "ok") for i in range(2000)])
    assert told[0] == "train[0]"
    assert len(told) <= 6 * MOST_SLOW
    assert crowd.lines()[0].startswith(f"  ✓ {2000 - len(told):,} × train  ")


def test_failures_are_shown_up_to_a_limit():
    told, crowd = crowd_of(*[(f"bad[{i}]", 0.0, "failed") for i in range(1000)])
    assert len(told) == MOST_FAILED
    assert crowd.briefly
    assert crowd.lines() == ["  ✗ 800 more failed"]


def test_many_different_steps():
    told, crowd = crowd_of(*[(f"step{i}", 0.1, "ok") for i in range(100)])
    assert len(told) == MANY
    assert len(crowd.lines()) == 9
    assert crowd.lines()[-1] == "  ✓ 52 of 52 further steps"


# --------------------------------------------------------------------------- a sign of life


def test_a_sign_of_life():
    running = [
        ("train\x1b[31m", 130.0, Far(1.0, 4.0, "epoch \x1b[2J1")),
        ("load", 3.0, None),
        ("count", 3.0, Far(7, None, "")),
        ("more", 1.0, None),
    ]
    assert beat_line(3, 1200, running, "14:03:20") == (
        "  … 14:03:20  3 of 1,200 steps; running: train\\x1b[31m 2 min 10 s, 25%, 6 min 30 s left, epoch \\x1b[2J1,"
        " load 3.0 s, count 3.0 s and 1 more"
    )
    assert beat_line(3, 4, [], "14:03:20") == "  … 14:03:20  3 of 4 steps"


def test_it_comes_only_after_silence(monkeypatch):
    monkeypatch.setattr(beat, "SILENCE", 0.01)
    spoken = threading.Event()
    talking = beat.Beat(spoken.set, lambda: time.monotonic())  # somebody speaks all the time
    time.sleep(0.05)
    talking.stop()
    assert not spoken.is_set()
    silent = beat.Beat(spoken.set, lambda: 0.0)
    assert spoken.wait(10)
    silent.stop()


def test_lines_of_a_run_in_which_nothing_ends_for_long(monkeypatch):
    monkeypatch.setattr(beat, "SILENCE", 0.02)
    plan, out = planned(("a", "run", None), ("b", "run", None)), io.StringIO()
    progress = Progress(plan)
    with contextlib.closing(Lines(plan, out, beating=True)) as lines:
        lines.begin("r1")
        for event in (StepStarted(0), Recorded(0, Thing("progress", "", None, '[1.0, 2.0, "half"]'))):
            progress.see(event)
            lines.see(event, progress)
        end = time.monotonic() + 10
        while "half" not in out.getvalue() and time.monotonic() < end:
            time.sleep(0.01)
    found = [line for line in out.getvalue().splitlines() if "half" in line]
    assert re.fullmatch(
        r"  … \d\d:\d\d:\d\d  0 of 2 steps; running: a [\d.]+ s, 50%, [\d.]+ s left, half", found[0]
    )
    said = len(out.getvalue())
    time.sleep(0.1)
    assert len(out.getvalue()) == said  # it is closed


@pytest.mark.parametrize("done", [-1.0, 0.0, 5.0, 1e308])
def test_shares_are_within_bounds(done):
    share = Far(done, 4.0, "").share
    assert share is not None
    assert 0 <= share <= 1
