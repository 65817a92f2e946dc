"""When a result counts that a key cannot vouch for: what was observed, age, own tests; and attempts."""

from __future__ import annotations

import pytest
from laboratory import Lab, Ref, Src, call, reasons, texts, verbs

from stepwell.errors import Interrupted, StepNotLoaded
from stepwell.kernel.events import StepRetried
from stepwell.kernel.identity import MOVING
from stepwell.kernel.ports import Done, Failure
from stepwell.testing.engine import FrozenClock


class TickingClock(FrozenClock):
    """A quarter of a second passes whenever somebody looks."""

    def monotonic(self):
        self.advance(0.25)
        return super().monotonic()


@pytest.fixture
def lab():
    calls = iter(range(1000))
    lab = Lab(
        {
            "clean": lambda table: [x for x in table if x],
            "count": lambda items: len(items),
            "tick": lambda: next(calls),
            "twice": lambda n: 2 * n,
        }
    )
    lab.sources = {"flights": [1, 0, 2]}
    return lab


def chain(lab):
    return lab.graph(call("clean", table=Src("flights")), call("count", items=Ref("clean")))


# ---------------------------------------------------------------------------- observed


def test_a_step_runs_again_when_something_that_it_was_seen_to_read_changed(lab):
    lab.reads["clean"] = ["file extra.csv", "$TZ"]
    lab.world.update({"file extra.csv": "b3:1", "$TZ": '"UTC"'})
    lab.run(chain(lab))
    assert verbs(lab.plan(chain(lab))) == {"clean": "cached", "count": "cached"}
    lab.world["file extra.csv"] = "b3:2"
    plan = lab.plan(chain(lab))
    assert verbs(plan) == {"clean": "run", "count": "maybe"}
    assert reasons(plan, "clean") == [("observed", "extra.csv", "b3:1", "b3:2")]
    assert texts(plan, "clean") == ["`extra.csv`, which it read, changed"]
    assert lab.run(plan).ran == ["clean"]
    assert verbs(lab.plan(chain(lab))) == {"clean": "cached", "count": "cached"}


def test_an_edit_of_something_observed_that_is_undone_finds_the_old_result(lab):
    lab.reads["clean"] = ["file extra.csv"]
    lab.world["file extra.csv"] = "b3:1"
    first = lab.run(chain(lab))
    lab.world["file extra.csv"] = "b3:2"
    assert lab.run(chain(lab)).ran == ["clean"]
    lab.world["file extra.csv"] = "b3:1"
    outcome = lab.run(chain(lab))
    assert outcome.ran == []
    assert outcome.results["clean"].run == first.results["clean"].run


@pytest.mark.parametrize(
    ("what", "was", "now", "text"),
    [
        ("file a.csv", "b3:1", "absent", "`a.csv`, which it read, is gone"),
        ("kind a.csv", "absent", "file 3", "`a.csv`, which it looked for, is there now"),
        ("list data", "n:1", "n:2", "`data`, which it listed, holds other files now"),
        ("list data\x1fout.csv", "n:1", "n:2", "`data`, which it listed, holds other files now"),
        ("$TZ", '"UTC"', '"CET"', '$TZ, which it reads: "UTC" → "CET"'),
        ("file a.csv", MOVING, MOVING, "`a.csv` changed while the step read it"),
    ],
)
def test_what_is_said_of_something_observed(lab, what, was, now, text):
    lab.reads["clean"] = [what]
    lab.world[what] = was
    lab.run(chain(lab))
    lab.world[what] = now
    assert texts(lab.plan(chain(lab)), "clean") == [text]


def test_what_is_only_noted_is_never_looked_at_again(lab):
    lab.reads["clean"] = ["ran bwa"]
    lab.world["ran bwa"] = ""
    lab.run(chain(lab))
    lab.world["ran bwa"] = "something"
    assert verbs(lab.plan(chain(lab)))["clean"] == "cached"


def test_what_a_step_of_the_run_writes_is_seen_by_the_steps_that_read_it(lab):
    """An undeclared dependency between two steps: the order is the user's, the cache must not hide it."""
    graph = lab.graph(call("tick"), call("clean", table=Src("flights"), after=["tick"]))
    lab.options["tick"] = {"cache": False}
    lab.reads["clean"] = ["file log"]
    lab.writes["tick"] = {"file log": "b3:1"}
    lab.run(lab.graph(call("tick"), call("clean", table=Src("flights"), after=("tick",))))
    lab.writes["tick"] = {"file log": "b3:2"}
    graph = lab.graph(call("tick"), call("clean", table=Src("flights"), after=("tick",)))
    assert lab.run(graph).ran == ["tick", "clean"]


# ---------------------------------------------------------------------------- age, cache=False


def test_a_result_expires(lab):
    lab.options["clean"] = {"ttl": 60.0}
    lab.run(chain(lab))
    lab.clock.advance(59)
    assert verbs(lab.plan(chain(lab)))["clean"] == "cached"
    lab.clock.advance(1)
    plan = lab.plan(chain(lab))
    assert verbs(plan) == {"clean": "run", "count": "maybe"}
    assert [kind for kind, *_ in reasons(plan, "clean")] == ["expired"]
    assert lab.run(plan).ran == ["clean"]
    assert verbs(lab.plan(chain(lab)))["clean"] == "cached"


def test_a_step_without_cache_runs_every_time_each_call_for_itself(lab):
    lab.options["tick"] = {"cache": False}
    graph = lab.graph(
        call("tick"),
        call("tick[2]", "tick"),
        call("twice", n=Ref("tick")),
        call("twice[2]", "twice", n=Ref("tick[2]")),
    )
    outcome = lab.run(graph)
    assert outcome.values == {"tick": 0, "tick[2]": 1, "twice": 0, "twice[2]": 2}
    plan = lab.plan(graph)
    assert verbs(plan)["tick"] == verbs(plan)["tick[2]"] == "run"
    assert [kind for kind, *_ in reasons(plan, "tick")] == ["uncached"]
    assert lab.run(plan).values == {"tick": 2, "tick[2]": 3, "twice": 4, "twice[2]": 6}


# ---------------------------------------------------------------------------- own tests


def test_an_own_test_that_holds_makes_a_result_count_whatever_changed(lab):
    lab.options["clean"] = {"done": "m:test"}
    lab.tests["clean"] = lambda id: True
    lab.run(chain(lab))
    lab.edit("clean", "2")
    lab.sources["flights"] = [5, 5, 5]
    plan = lab.plan(chain(lab))
    assert verbs(plan) == {"clean": "cached", "count": "cached"}
    assert [kind for kind, *_ in reasons(plan, "clean")] == ["done"]
    assert lab.run(plan).ran == []


def test_an_own_test_that_does_not_hold_makes_it_run(lab):
    lab.options["clean"] = {"done": "m:test"}
    lab.tests["clean"] = lambda id: False
    lab.run(chain(lab))
    plan = lab.plan(chain(lab))
    assert verbs(plan) == {"clean": "run", "count": "maybe"}
    assert [kind for kind, *_ in reasons(plan, "clean")] == ["done"]
    assert lab.run(plan).ran == ["clean"]


def test_an_own_test_cannot_hand_on_what_was_never_made(lab):
    lab.options["clean"] = {"done": "m:test"}
    lab.tests["clean"] = lambda id: True
    assert lab.run(chain(lab)).ran == ["clean", "count"]


def test_what_an_own_test_counts_on_is_made_again_when_it_is_lost(lab):
    lab.options["clean"] = {"done": "m:test"}
    lab.tests["clean"] = lambda id: True
    first = lab.run(chain(lab))
    lab.edit("clean", "2")
    lab.lose(first, "clean")
    outcome = lab.run(chain(lab))
    assert outcome.status == "succeeded"
    assert outcome.ran == ["clean"]


def test_arguments_that_are_ignored_do_not_count(lab):
    lab.steps["greet"] = lambda name, loud: name.upper() if loud else name
    lab.options["greet"] = {"ignore": ("loud",)}
    assert lab.run(lab.graph(call("greet", name="a", loud=True))).values == {"greet": "A"}
    assert lab.run(lab.graph(call("greet", name="a", loud=False))).ran == []
    assert lab.run(lab.graph(call("greet", name="b", loud=False))).values == {"greet": "b"}


# ---------------------------------------------------------------------------- equal calls


def test_two_equal_calls_behind_something_that_runs_are_one_in_the_plan(lab):
    graph = lab.graph(
        call("clean", table=Src("flights")),
        call("count", items=Ref("clean")),
        call("count[2]", "count", items=Ref("clean")),
        call("twice", n=Ref("count")),
        call("twice[2]", "twice", n=Ref("count[2]")),
    )
    plan = lab.plan(graph)
    assert verbs(plan) == {
        "clean": "run", "count": "run", "count[2]": "cached", "twice": "run", "twice[2]": "cached",
    }  # fmt: skip
    assert [kind for kind, *_ in reasons(plan, "twice[2]")] == ["same"]
    outcome = lab.run(plan)
    assert outcome.ran == ["clean", "count", "twice"]
    assert outcome.verbs == verbs(plan)


# ---------------------------------------------------------------------------- attempts


def flaky(times, code="E401"):
    left = [times]

    def instead(task):
        if task.step.name != "clean" or not left[0]:
            return None
        left[0] -= 1
        return [Done(task.node, failure=Failure(code, "no luck"))]

    return instead


def test_a_failure_is_tried_again_after_a_while_that_doubles(lab):
    lab.options["clean"] = {"retries": 3, "backoff": 2.0}
    lab.clock = TickingClock()
    outcome = lab.run(chain(lab), instead=flaky(3))
    assert outcome.status == "succeeded"
    assert [(e.attempt, e.wait) for e in outcome.events if isinstance(e, StepRetried)] == [
        (1, 2.0),
        (2, 4.0),
        (3, 8.0),
    ]
    assert outcome.engine.attempts[:4] == [("clean", 1), ("clean", 2), ("clean", 3), ("clean", 4)]


def test_the_last_attempt_decides(lab):
    lab.options["clean"] = {"retries": 2, "backoff": 0.0}
    lab.clock = TickingClock()
    outcome = lab.run(chain(lab), instead=flaky(3))
    assert outcome.became == {"clean": "failed", "count": "blocked"}
    assert len(outcome.engine.attempts) == 3


@pytest.mark.parametrize("code", [Interrupted.code, StepNotLoaded.code])
def test_what_would_only_fail_again_is_not_tried_again(lab, code):
    lab.options["clean"] = {"retries": 2}
    lab.clock = TickingClock()
    outcome = lab.run(chain(lab), instead=flaky(1, code))
    assert not any(isinstance(event, StepRetried) for event in outcome.events)


def test_a_step_that_waits_for_its_next_attempt_does_not_outlive_the_failure_of_another(lab):
    lab.options["clean"] = {"retries": 1, "backoff": 1e6}
    lab.steps["tick"] = lambda: 1 / 0
    graph = lab.graph(call("clean", table=Src("flights")), call("tick"))
    outcome = lab.run(graph, instead=flaky(1))
    assert outcome.status == "failed"
    assert outcome.became["clean"] == "blocked"


def test_behind_a_new_call_a_step_may_be_cached_if_it_was_ever_run_as_it_is(lab):
    """A step is renamed: what it will give nobody foresees, and it is what the old one gave."""
    lab.run(chain(lab))
    lab.steps["tidy"] = lab.steps["clean"]
    graph = lab.graph(call("tidy", table=Src("flights")), call("count", items=Ref("tidy")))
    plan = lab.plan(graph)
    assert verbs(plan) == {"tidy": "run", "count": "maybe"}
    assert lab.run(plan).ran == ["tidy"]
    lab.edit("count", "2")
    assert (
        verbs(lab.plan(lab.graph(call("clean", table=[1]), call("count", items=Ref("clean")))))["count"]
        == "run"
    )
