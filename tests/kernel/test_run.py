"""A run: it does what the plan said, notices what turns out otherwise, and leaves everything up to date."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import strategies as st
from laboratory import Lab, Ref, Src, call, holds, texts, verbs

from stepwell.errors import ArtifactGone, Interrupted
from stepwell.kernel.events import RunFinished, StepFinished, StepInterrupted, StepStarted
from stepwell.kernel.graph import Graph
from stepwell.kernel.plan import decide
from stepwell.kernel.ports import Done, Failure, Interrupt, Logged, Started
from stepwell.kernel.run import ALERT, PATIENCE, REPAIRS, drive
from stepwell.testing.engine import FrozenClock


def fail(*_, **__):
    raise ValueError("no such luck")


@pytest.fixture
def lab():
    lab = Lab(
        {
            "clean": lambda table: [x for x in table if x],
            "train": lambda table, depth=6: (len(table), depth),
            "score": lambda model: model[0] * 10 + model[1],
            "square": lambda i: i * i,
            "total": lambda items: sum(items),
            "fail": fail,
        }
    )
    lab.sources = {"flights": [1, 0, 2]}
    return lab


def chain(lab, depth=6):
    return lab.graph(
        call("clean", table=Src("flights")),
        call("train", table=Ref("clean"), depth=depth),
        call("score", model=Ref("train")),
    )


def diamond(lab):
    """a -> left, right -> both"""
    return lab.graph(
        call("a", table=Src("flights")),
        call("left", "total", items=Ref("a")),
        call("right", "train", table=Ref("a")),
        call("both", "total", items=[Ref("left"), Ref("right", path=(0,))]),
    )


# ---------------------------------------------------------------------------- what the plan said


def test_everything_runs_once_and_then_nothing(lab):
    first = lab.run(chain(lab))
    assert first.status == "succeeded"
    assert first.became == {"clean": "succeeded", "train": "succeeded", "score": "succeeded"}
    assert first.values == {"clean": [1, 2], "train": (2, 6), "score": 26}
    second = lab.run(chain(lab))
    assert second.ran == []
    assert second.became == {"clean": "cached", "train": "cached", "score": "cached"}
    assert second.reasons["score"] == [("cached", "")]
    assert second.values == first.values
    assert texts(second.plan, "score") == ["up to date since run r1"]


def test_a_step_that_gives_the_same_again_leaves_what_follows_untouched(lab):
    lab.run(chain(lab))
    lab.edit("clean", "2")
    outcome = lab.run(chain(lab))
    assert outcome.ran == ["clean"]
    assert outcome.verbs == {"clean": "run", "train": "cached", "score": "cached"}
    (finished,) = [event for event in outcome.events if isinstance(event, StepFinished)]
    assert finished.unchanged


def test_a_step_that_gives_something_else_runs_what_follows_until_that_is_the_same_again(lab):
    lab.run(chain(lab))
    lab.sources["flights"] = [5, 6]
    outcome = lab.run(chain(lab))
    assert verbs(outcome.plan) == {"clean": "run", "train": "maybe", "score": "maybe"}
    assert outcome.verbs == {"clean": "run", "train": "run", "score": "cached"}
    assert outcome.reasons["train"] == [("input", "table")]
    assert [event.unchanged for event in outcome.events if isinstance(event, StepFinished)] == [False, True]


def test_reasons_of_the_plan_are_those_of_the_run(lab):
    """Also where steps of one kind follow each other, so that the first ones are in the store already."""
    calls = [call("s0", "square", i=3)]
    calls += [call(f"s{i}", "square", i=Ref(f"s{i - 1}")) for i in range(1, 5)]
    first = lab.run(lab.graph(*calls))
    assert all(reasons == [("new", "")] for reasons in first.reasons.values())
    calls[0] = call("s0", "square", i=4)
    second = lab.run(lab.graph(*calls))
    assert second.reasons == {f"s{i}": [("param" if i == 0 else "input", "i")] for i in range(5)}
    for i in range(1, 5):
        (reason,) = second.decisions[f"s{i}"].reasons
        assert reason.before == first.results[f"s{i}"].inputs[0][1]
        assert reason.after == second.results[f"s{i - 1}"].outputs[0].token
        assert reason.text == f"input `i` changed: `s{i - 1}` gave something else"


def test_what_is_forced_runs_again_once(lab):
    lab.run(chain(lab))
    outcome = lab.run(lab.plan(chain(lab), force=["train"]))
    assert outcome.ran == ["train"]
    assert outcome.reasons["train"] == [("forced", "")]
    assert lab.run(chain(lab)).ran == []


def test_what_was_left_out_is_left_out(lab):
    outcome = lab.run(lab.plan(chain(lab), only=["clean"]))
    assert outcome.became == {"clean": "succeeded"}
    assert outcome.status == "succeeded"
    assert lab.run(chain(lab)).ran == ["train", "score"]


def test_an_order_without_data_is_kept_and_counts_in_no_key(lab):
    free = lab.graph(call("clean", table=Src("flights")), call("square", i=1), call("total", items=[1]))
    lab.run(free)
    ordered = lab.graph(
        call("clean", table=[0]), call("square", i=2, after=["clean"]), call("total", items=[2], after=["square"]),
        call("total[2]", "total", items=[1], after=["square"]),
    )  # fmt: skip
    outcome = lab.run(ordered, choose=lambda count: count - 1)
    assert outcome.ran == ["clean", "square", "total"]
    assert outcome.became["total[2]"] == "cached"


def test_the_same_call_is_made_once(lab):
    twice = lab.graph(
        call("a", "square", i=2), call("b", "square", i=2), call("a2", "square", i=Ref("a")),
        call("b2", "square", i=Ref("b")), call("sum", "total", items=[Ref("a2"), Ref("b2")]),
    )  # fmt: skip
    counter = itertools.count(5)
    lab.steps["square"] = lambda i: i * i + next(counter)
    outcome = lab.run(twice)
    assert outcome.ran == ["a", "a2", "sum"]
    assert outcome.reasons["b"] == [("same", "a")]
    assert outcome.reasons["b2"] == [("same", "a2")]
    assert lab.run(twice).ran == []
    again = lab.run(lab.plan(twice, force=["square"]))
    assert again.ran == ["a", "a2", "sum"]
    assert again.became["b"] == "cached"


def test_a_run_on_the_plan_of_another_store_object_sees_what_is_there_now(lab):
    plan = lab.plan(chain(lab))
    lab.run(chain(lab))
    outcome = lab.run(plan, store=lab.store.beside())
    assert outcome.ran == []
    assert set(outcome.became.values()) == {"cached"}


def test_events_come_in_order_and_metrics_are_kept(lab):
    from stepwell import log

    def train(table, depth=6):
        log.metric("loss", 2.0, step=1)
        log.metric("loss", 1.0, step=2)
        return len(table)

    lab.steps["train"] = train
    outcome = lab.run(lab.graph(call("train", table=[1])))
    assert [type(event) for event in outcome.events] == [
        StepStarted,
        Logged,
        Logged,
        StepFinished,
        RunFinished,
    ]
    assert outcome.results["train"].metrics == (("loss", 1.0),)
    assert outcome.results["train"].run == "r1"


def test_a_small_engine_is_never_given_more_than_it_has_room_for(lab):
    engine = lab.engine(room=2)
    seen = []
    submit = engine.submit
    engine.submit = lambda task: (submit(task), seen.append(len(engine._tasks)))
    graph = lab.graph(*[call(f"s{i}", "square", i=i) for i in range(7)])
    assert lab.run(graph, engine=engine).status == "succeeded"
    assert max(seen) == 2


def test_an_empty_pipeline_succeeds(lab):
    plan = decide(Graph("p"), lab.known(lab.graph(call("square", i=1))))
    assert lab.run(plan).status == "succeeded"


# ---------------------------------------------------------------------------- failures


def failing(lab):
    return lab.graph(
        call("fail"), call("after", "square", i=Ref("fail")), call("later", "square", i=1, after=["fail"]),
        call("clean", table=Src("flights")), call("train", table=Ref("clean"), depth=6), call("score", model=Ref("train")),
        call("both", "total", items=[Ref("after"), Ref("score")]),
    )  # fmt: skip


def test_after_a_failure_nothing_new_starts(lab):
    outcome = lab.run(failing(lab), room=1)
    assert outcome.status == "failed"
    assert outcome.ran == ["fail"]
    assert outcome.became == {
        "fail": "failed", "after": "blocked", "later": "blocked", "clean": "blocked", "train": "blocked",
        "score": "blocked", "both": "blocked",
    }  # fmt: skip
    assert outcome.reasons["after"] == [("upstream", "fail")]
    assert outcome.reasons["later"] == [("upstream", "fail")]
    assert outcome.reasons["clean"] == [("stopped", "")]
    assert outcome.reasons["train"] == [("upstream", "clean")]


def test_what_runs_already_when_a_step_fails_is_kept(lab):
    outcome = lab.run(failing(lab))
    assert outcome.ran == ["fail", "clean"]
    assert outcome.became["clean"] == "succeeded"
    assert outcome.became["train"] == "blocked"
    assert lab.run(failing(lab)).became["clean"] == "cached"


def test_what_was_not_begun_when_a_step_fails_is_not_started(lab):
    graph = lab.graph(call("fail"), *(call(f"s{i}", "square", i=i) for i in range(5)), call("all", "total", items=[Ref("s0"), Ref("s4")]))  # fmt: skip
    outcome = lab.run(graph)
    assert outcome.ran == ["fail", "s0"]
    assert [outcome.reasons[f"s{i}"] for i in range(1, 5)] == [[("stopped", "")]] * 4
    assert lab.run(graph, keep_going=True).ran == ["fail", "s1", "s2", "s3", "s4", "all"]


def test_what_always_runs_is_begun_again_where_it_was_not(lab):
    graph = lab.graph(call("fail"), call("clean", table=Src("flights")), call("last", "square", i=1))
    steps = [step._replace(always=step.name == "square") for step in graph.steps]
    outcome = lab.run(graph._replace(steps=tuple(steps)))
    assert outcome.ran == ["fail", "clean", "last"]
    assert outcome.became["last"] == "succeeded"


def test_after_a_failure_what_is_up_to_date_is_still_settled(lab):
    lab.run(chain(lab))
    outcome = lab.run(failing(lab), room=1)
    assert outcome.ran == ["fail"]
    assert [outcome.became[id] for id in ("clean", "train", "score")] == ["cached"] * 3


def test_with_keep_going_only_what_depends_on_a_failure_stops(lab):
    outcome = lab.run(failing(lab), keep_going=True, room=1)
    assert outcome.status == "failed"
    assert outcome.ran == ["fail", "clean", "train", "score"]
    assert [id for id, became in outcome.became.items() if became == "blocked"] == ["after", "later", "both"]
    assert outcome.reasons["both"] == [("upstream", "after")]


def test_a_failed_step_leaves_no_result_and_runs_again(lab):
    graph = lab.graph(call("fail"))
    for _ in range(2):
        outcome = lab.run(graph)
        assert outcome.became == {"fail": "failed"}
        assert outcome.verbs == {"fail": "run"}
    lab.steps["fail"] = lambda: 1
    assert lab.run(graph).became == {"fail": "succeeded"}
    assert not lab.store._shared.claims


def test_a_call_whose_twin_failed_is_blocked_by_it(lab):
    graph = lab.graph(call("fail"), call("fail[2]", "fail"), call("total", items=[Ref("fail[2]")]))
    for keep_going in (False, True):
        outcome = lab.run(graph, keep_going=keep_going)
        assert outcome.ran == ["fail"]
        assert outcome.became == {"fail": "failed", "fail[2]": "blocked", "total": "blocked"}
        assert outcome.reasons["fail[2]"] == [("upstream", "fail")]


def test_final_decisions_are_never_maybe(lab):
    lab.run(diamond_with_failure := diamond(with_steps(lab)))
    lab.edit("a", "2")
    lab.steps["a"] = fail
    outcome = lab.run(diamond_with_failure)
    assert outcome.verbs == {"a": "run", "left": "blocked", "right": "blocked", "both": "blocked"}


def with_steps(lab):
    lab.steps["a"] = lambda table: [x for x in table if x]
    return lab


# ---------------------------------------------------------------------------- results that were lost


def loses(lab, outcome, *ids, before):
    """An engine under which blobs disappear just before a task runs, or once a step has."""
    pending = list(ids)

    def instead(task):
        if task.id == before:
            while pending:
                lab.lose(outcome, pending.pop())

    return instead


def test_a_lost_input_is_made_again_and_its_consumer_waits(lab):
    first = lab.run(chain(lab))
    lab.edit("score", "2")
    plan = lab.plan(chain(lab))
    lab.lose(first, "train")
    lab.store.result = unsuspecting(lab.store)
    outcome = lab.run(plan)
    assert outcome.repaired == ["train"]
    assert outcome.ran == ["train", "score"]
    assert outcome.became == {"clean": "cached", "train": "succeeded", "score": "succeeded"}
    assert outcome.reasons["train"] == [("missing", "")]
    assert outcome.values["score"] == 26
    del lab.store.result
    assert lab.run(chain(lab)).ran == []


def unsuspecting(store, *, until_read=True):
    """`result` of a store that notices a loss only when the bytes are asked for; or not even then."""
    noticed = set()
    data, result = store.data, store.result

    def reading(artifact):
        try:
            return data(artifact)
        except ArtifactGone:
            noticed.add(artifact.digest)
            raise

    def looking(key):
        found = result(key)
        known = found is not None and any(a.digest in noticed for a in found.outputs)
        return found if found is None or (known and until_read) else found._replace(lost="")

    store.data = reading
    return looking


def test_a_store_that_does_not_say_what_is_lost_is_repaired_too(lab):
    first = lab.run(chain(lab))
    lab.edit("score", "2")
    lab.lose(first, "train")
    lab.store.result = unsuspecting(lab.store, until_read=False)
    outcome = lab.run(chain(lab))
    assert outcome.ran == ["train", "score"]
    assert outcome.reasons["train"] == [("missing", "")]


def test_a_chain_of_lost_results_is_made_again_from_its_first(lab):
    first = lab.run(chain(lab))
    lab.edit("score", "2")
    plan = lab.plan(chain(lab))
    lab.lose(first, "train")
    lab.lose(first, "clean")
    lab.store.result = unsuspecting(lab.store)
    outcome = lab.run(plan)
    assert outcome.repaired == ["train", "clean"]
    assert outcome.ran == ["clean", "train", "score"]
    assert outcome.status == "succeeded"


def test_several_consumers_wait_for_one_repair(lab):
    graph = diamond(with_steps(lab))
    first = lab.run(graph)
    lab.edit("total", "2")
    lab.edit("train", "2")
    plan = lab.plan(graph)
    lab.lose(first, "a")
    lab.store.result = unsuspecting(lab.store)
    outcome = lab.run(plan)
    assert outcome.repaired == ["a"]
    assert outcome.ran == ["a", "left", "right", "both"]
    assert outcome.values["both"] == 5


def test_a_loss_that_a_worker_notices_is_repaired(lab):
    first = lab.run(chain(lab))
    lab.edit("score", "2")
    outcome = lab.run(chain(lab), instead=loses(lab, first, "train", before="score"))
    assert outcome.repaired == ["train"]
    assert outcome.engine.attempts == [("score", 1), ("train", 1), ("score", 2)]
    assert outcome.ran == ["train", "score"]
    assert outcome.status == "succeeded"


def test_a_repair_that_gives_something_else_brings_everything_up_to_date(lab):
    """`left` had been reused already with what `a` gave before."""
    counter = itertools.count(10)
    lab.steps["a"] = lambda table: [next(counter)]
    graph = diamond(lab)
    first = lab.run(graph)
    lab.edit("train", "2")
    outcome = lab.run(graph, instead=loses(lab, first, "a", before="right"))
    assert outcome.repaired == ["a"]
    assert outcome.ran == ["a", "right", "left", "both"]
    assert outcome.values == {"a": [11], "left": 11, "right": (1, 6), "both": 12}
    assert lab.run(graph).ran == []


def test_what_was_in_flight_with_the_old_input_runs_again(lab):
    counter = itertools.count(10)
    lab.steps["a"] = lambda table: [next(counter)]
    graph = diamond(lab)
    first = lab.run(graph)
    lab.edit("train", "2")
    lab.edit("total", "2")
    order = iter([1, 1, 0, 0, 0, 0, 0])  # `right` loses its input, `a` is made again, only then comes `left`
    outcome = lab.run(graph, choose=lambda count: next(order), instead=loses(lab, first, "a", before="right"))
    assert outcome.values == {"a": [11], "left": 11, "right": (1, 6), "both": 12}
    assert outcome.status == "succeeded"
    assert lab.run(graph).ran == []


def test_a_repair_that_fails_blocks_those_who_wait(lab):
    first = lab.run(chain(lab))
    lab.edit("score", "2")
    plan = lab.plan(chain(lab))
    lab.lose(first, "train")
    lab.store.result = unsuspecting(lab.store)
    lab.steps["train"] = fail
    outcome = lab.run(plan)
    assert outcome.became == {"clean": "cached", "train": "failed", "score": "blocked"}
    assert outcome.status == "failed"


def test_after_a_failure_a_repair_that_runs_ends_and_those_who_wait_are_blocked(lab):
    first = lab.run(chain(lab))
    lab.edit("score", "2")
    graph = lab.graph(
        call("fail"), call("clean", table=Src("flights")), call("train", table=Ref("clean"), depth=6),
        call("score", model=Ref("train")),
    )  # fmt: skip
    order = iter([1, 0, 0])  # `score` loses its input, `train` is handed over again, `fail` fails
    outcome = lab.run(
        graph, choose=lambda count: next(order), instead=loses(lab, first, "train", before="score")
    )
    assert outcome.status == "failed"
    assert outcome.ran == ["fail", "train"]
    assert outcome.became == {"fail": "failed", "clean": "cached", "train": "succeeded", "score": "blocked"}
    assert outcome.reasons["score"] == [("stopped", "")]


def test_a_store_that_keeps_losing_a_result_is_given_up(lab):
    lab.run(chain(lab))
    lab.edit("score", "2")

    def instead(task):
        if task.id == "score":
            lab.store.lose(task.inputs[0][1].artifact.digest)

    outcome = lab.run(chain(lab), instead=instead)
    assert outcome.status == "failed"
    assert outcome.ran == ["train"] * REPAIRS
    assert outcome.became["score"] == "failed"
    (failure,) = [event.failure for event in outcome.events if hasattr(event, "failure")]
    assert failure.code == ArtifactGone.code
    assert "`train` was lost 4 times" in failure.what


def test_a_failure_about_blobs_that_are_all_there_is_a_failure(lab):
    gone = Failure(ArtifactGone.code, "a blob of somebody else is gone")
    outcome = lab.run(
        chain(lab), instead=lambda task: [Done(task.node, failure=gone)] if task.id == "train" else None
    )
    assert outcome.became["train"] == "failed"
    assert not outcome.repaired
    assert outcome.engine.attempts[-1] == ("train", REPAIRS + 1)


def test_a_result_that_cannot_be_kept_is_a_failure_of_its_step(lab):
    def keep(result, made):
        raise ArtifactGone("blob b3:… is gone")

    lab.store.keep = keep
    outcome = lab.run(chain(lab))
    assert outcome.became == {"clean": "failed", "train": "blocked", "score": "blocked"}


# ---------------------------------------------------------------------------- interruption


def test_an_interrupted_run_keeps_what_had_ended_and_says_what_had_not(lab):
    def instead(task):
        if task.id == "train":
            return [Started(task.node, 7), Interrupt("SIGTERM")]
        return None

    lab.run(lab.graph(call("clean", table=Src("flights"))))
    graph = lab.graph(
        call("clean", table=Src("flights")), call("train", table=Ref("clean")), call("square", i=1),
        call("score", model=Ref("train")),
    )  # fmt: skip
    outcome = lab.run(graph, instead=instead)
    assert outcome.status == "interrupted"
    assert outcome.became == {
        "clean": "cached", "square": "succeeded", "train": "interrupted", "score": "interrupted",
    }  # fmt: skip
    started = {event.node: event.started for event in outcome.events if isinstance(event, StepInterrupted)}
    assert started == {1: True, 3: False}
    assert not lab.store._shared.claims
    assert lab.run(graph).ran == ["train", "score"]


def test_an_interruption_with_other_reports_in_one_breath_ends_the_run(lab):
    """What it came with is kept; what that would have woken is not."""
    engine = lab.engine()
    wait = engine.wait
    engine.wait = lambda timeout: [Interrupt(), *wait(timeout)] if timeout else []
    outcome = lab.run(chain(lab), engine=engine)
    assert outcome.status == "interrupted"
    assert outcome.became == {"clean": "succeeded", "train": "interrupted", "score": "interrupted"}
    assert lab.run(chain(lab)).became["clean"] == "cached"


def test_a_step_that_was_interrupted_interrupts_the_run(lab):
    stop = Failure(Interrupted.code, "step `clean` was interrupted")
    outcome = lab.run(chain(lab), instead=lambda task: [Done(task.node, failure=stop)])
    assert outcome.status == "interrupted"
    assert set(outcome.became.values()) == {"interrupted"}


def test_what_was_maybe_is_not_left_as_maybe(lab):
    lab.run(chain(lab))
    lab.edit("clean", "2")
    outcome = lab.run(lab.plan(chain(lab), only=["train"]), instead=lambda task: [Interrupt()])
    assert outcome.verbs == {"clean": "run", "train": "blocked"}
    assert outcome.reasons["train"] == [("stopped", "")]
    assert "score" not in outcome.became


# ---------------------------------------------------------------------------- other runs on one store


def beside(lab, graph, *, steps=None, force=()):
    """The outcomes of two runs: the second begins when the first is at its first step, and then they take turns.

    Whenever the second has nothing to do but wait, the first goes on.
    """
    store, other = lab.store, lab.store.beside()
    engine = lab.engine(store)
    engine.steps = {**lab.steps, **(steps or {})}
    first = drive(lab.plan(graph), engine=engine, store=store, clock=FrozenClock(), run="first")
    events = [next(first)]
    second = lab.engine(other)
    wait = second.wait

    def goes_on(timeout):
        events.append(next(first, None))
        return wait(timeout)

    second.wait = goes_on
    outcome = lab.run(lab.plan(graph, force=force, store=other), engine=second, store=other)
    events += [*first]
    return [event for event in events if event is not None], engine, outcome


def test_two_runs_at_once_share_the_work(lab):
    events, engine, second = beside(lab, chain(lab))
    assert events[-1].status == second.status == "succeeded"
    assert sorted([*engine.ran, *second.ran]) == ["clean", "score", "train"]
    assert engine.ran[0] == "clean"
    assert second.became["clean"] == "cached"
    assert second.values["score"] == 26
    assert not lab.store._shared.claims


@pytest.mark.parametrize(("width", "layers"), [(200, 1), (20, 10)])
def test_what_another_run_has_done_is_taken_without_further_waits(lab, width, layers):
    rows = [call(f"s0.{i}", "square", i=i) for i in range(width)]
    for layer in range(1, layers):
        rows += [call(f"s{layer}.{i}", "square", i=Ref(f"s{layer - 1}.{i}")) for i in range(width)]
    graph = lab.graph(*rows, call("total", items=[Ref(f"s{layers - 1}.{i}") for i in range(width)]))
    lab.steps["square"] = lambda i: (i * i) % 1009 + 0.5
    store, other = lab.store, lab.store.beside()
    first = drive(lab.plan(graph), engine=lab.engine(store), store=store, clock=FrozenClock(), run="first")
    next(first)
    second = lab.engine(other, room=2)
    waits, wait = [], second.wait

    def the_first_goes_on(timeout):
        waits.append(timeout)
        list(first)
        return wait(timeout)

    second.wait = the_first_goes_on
    outcome = lab.run(lab.plan(graph, store=other), engine=second, store=other)
    assert outcome.status == "succeeded"
    assert outcome.ran == []
    assert len(waits) == 1


def waiting_for(lab, during, *, steps=("square",)):
    """A run of a step that another one has claimed. `during` is told of each wait, and may let the other one go on."""
    store, other = lab.store, lab.store.beside()
    plan = lab.plan(lab.graph(*[call(step, step, i=i) for i, step in enumerate(steps)]))
    key = plan.decisions[-1].key
    assert other.claim([key]) == [True]
    engine = lab.engine(store)
    waits, wait = [], engine.wait

    def one(timeout):
        waits.append(timeout)
        assert len(waits) < 100, "it waits for ever"
        lab.clock.advance(timeout)
        during(len(waits), other, key)
        return wait(timeout)

    engine.wait = one
    return waits, lab.run(plan, engine=engine, store=store)


def test_who_waits_for_another_run_looks_often_while_it_is_heard_of_and_rarely_when_it_is_silent(lab):
    def during(count, other, key):
        if count == 60:
            other.claim(["another"])
            other.release("another")
        if count == 70:
            other.release(key)

    waits, outcome = waiting_for(lab, during)
    assert outcome.ran == ["square"]
    assert waits[0] == waits[60] == ALERT
    assert waits[:60] == sorted(waits[:60])
    assert waits[59] == PATIENCE
    assert waits[60:70] == sorted(waits[60:70])


def test_who_waits_for_another_run_shows_it_what_is_done(lab):
    """Both may wait for each other, and neither has anything else to do."""
    commit = lab.store.commit

    def rarely(*, now=False, waiting=False):
        if now or waiting:
            commit(now=now)

    def during(_, other, key):
        if other._shared.results:
            other.release(key)

    lab.store.commit = rarely
    lab.steps["one"] = lambda i: i
    waits, outcome = waiting_for(lab, during, steps=("one", "square"))
    assert outcome.ran == ["one", "square"]
    assert len(waits) < 5


def test_short_steps_are_claimed_many_at_a_time_and_long_ones_when_they_can_begin(lab):
    lab.steps["long"] = lambda i: i
    graph = lab.graph(
        *[call(f"s{i}", "square", i=i) for i in range(200)], *[call(f"l{i}", "long", i=i) for i in range(20)]
    )
    engine = lab.engine(room=2)
    wait, claim, claims = engine.wait, lab.store.claim, []
    engine.wait = lambda timeout: [
        report._replace(seconds=1.0 if report.node >= 200 else 0.001) if isinstance(report, Done) else report
        for report in wait(timeout)
    ]

    def counted(keys):
        claims.append(len(keys))
        return claim(keys)

    lab.store.claim = counted
    assert lab.run(graph, engine=engine).status == "succeeded"
    assert sum(claims) == 220
    assert len([many for many in claims if many > 2]) > 5
    assert len(claims) <= 12 + 20
    assert max(claims[-10:]) <= 2


def test_what_is_forced_waits_for_the_other_run_without_judging_again_and_again(lab):
    lab.run(lab.graph(call("square", i=1)))
    decided = []
    store, other = lab.store, lab.store.beside()
    plan = lab.plan(lab.graph(call("square", i=1)), force=["square"])
    key = plan.decisions[0].key
    other.result(key)
    assert other.claim([key]) == [True]
    engine, result = lab.engine(store), store.result
    wait, waits = engine.wait, []

    def one(timeout):
        waits.append(timeout)
        if len(waits) == 20:
            other.release(key)
        return wait(timeout)

    engine.wait = one
    store.result = lambda key: decided.append(key) or result(key)
    outcome = lab.run(plan, engine=engine, store=store)
    assert outcome.ran == ["square"]
    assert len(decided) < 10


def test_what_another_run_gave_up_is_done_here(lab):
    events, _, second = beside(lab, chain(lab), steps={"clean": fail})
    assert events[-1].status == "failed"
    assert second.status == "succeeded"
    assert second.ran == ["clean", "train", "score"]


def test_what_is_forced_is_done_here_even_if_another_run_does_it(lab):
    events, engine, second = beside(lab, chain(lab), force=["clean"])
    assert engine.ran[0] == second.ran[0] == "clean"
    assert events[-1].status == second.status == "succeeded"


def test_a_run_that_failed_does_not_wait_for_others(lab):
    store, other = lab.store, lab.store.beside()
    graph = lab.graph(call("square", i=1), call("fail"), call("total", items=[Ref("square")]))
    plan = lab.plan(graph, store=other)
    assert store.claim([plan.decisions[0].key]) == [True]
    outcome = lab.run(plan, store=other)
    assert outcome.became == {"fail": "failed", "square": "blocked", "total": "blocked"}
    assert outcome.reasons["square"] == [("stopped", "")]


# ---------------------------------------------------------------------------- properties


class Program:
    """A random pipeline: rows of (step, k, inputs, after), and versions of its steps. Values are small, so that they coincide."""

    STEPS = ("f", "g", "h")

    def __init__(self, rows, versions):
        self.rows, self.versions = rows, versions

    def __repr__(self):
        return f"Program({self.rows}, {self.versions})"

    def lab(self):
        """A laboratory with the steps of this program."""
        lab = Lab()
        self.define(lab)
        return lab

    def define(self, lab, noise=lambda: 0):
        """Give a laboratory these versions of the steps; with noise, steps are not deterministic."""
        for step, version in zip(self.STEPS, self.versions, strict=True):
            lab.edit(step, str(version))
            lab.steps[step] = lambda k=0, _v=version, _s=step, **inputs: (
                hash((_v // 2, ord(_s), k, *(self.number(value) for _, value in sorted(inputs.items())))) % 3
                + noise()
            )

    @staticmethod
    def number(value):
        """Lists count as what is in them."""
        return tuple(value) if isinstance(value, list) else value

    def graph(self, lab):
        """The graph; inputs are packed in lists where there are several."""
        calls = []
        for i, (step, k, inputs, after) in enumerate(self.rows):
            named = {f"x{j}": Ref(f"n{one % i}") for j, one in enumerate(inputs[:1]) if i}
            if i and len(inputs) > 1:
                named["rest"] = [Ref(f"n{one % i}") for one in inputs[1:]]
            order = [f"n{one % i}" for one in after] if i else []
            calls.append(call(f"n{i}", self.STEPS[step], k=k, after=order, **named))
        return lab.graph(*calls)


rows = st.lists(
    st.tuples(
        st.integers(0, 2), st.integers(0, 1), st.lists(st.integers(0, 9), max_size=3), st.lists(st.integers(0, 9), max_size=1)
    ),
    min_size=1,
    max_size=7,
)  # fmt: skip
programs = st.builds(Program, rows, st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)))


@st.composite
def edited(draw, program):
    """The program after an edit or two: a version, a parameter, a call more or less."""
    rows, versions = list(program.rows), list(program.versions)
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(rows) - 1))
        edit = draw(st.sampled_from(["version", "k", "insert", "remove", "step"]))
        step, k, inputs, after = rows[place]
        if edit == "version":
            versions[draw(st.integers(0, 2))] = draw(st.integers(0, 3))
        elif edit == "k":
            rows[place] = (step, 1 - k, inputs, after)
        elif edit == "step":
            rows[place] = ((step + 1) % 3, k, inputs, after)
        elif edit == "insert":
            rows.insert(place, draw(st.sampled_from(program.rows)))
        elif len(rows) > 1:
            del rows[place]
    return Program(rows, tuple(versions))


def check_against_plan(plan, outcome, store_before):
    """That a run did what its plan said, decision by decision."""
    for decision in plan.decisions:
        id = plan.graph.nodes[decision.node].id
        final = outcome.decisions[id]
        assert decision.reasons
        assert final.reasons
        assert (final.verb == "run") == (id in outcome.ran)
        assert final.verb == {"cached": "cached", "succeeded": "run"}[outcome.became[id]]
        if decision.verb == "cached":
            assert final.verb == "cached"
            assert decision.key in (final.key, None if decision.reasons[0].kind == "same" else final.key)
        elif decision.verb == "run" and decision.key is not None:
            healed = (
                decision.reasons[0].kind == "missing"
            )  # another step happened to make the lost blob again
            assert final.verb == "run" or outcome.reasons[id][0][0] == "same" or healed
            assert final.key == decision.key
        elif decision.verb == "maybe":
            as_foreseen = final.inputs == decision.inputs
            assert final.verb == "cached" or not as_foreseen
            if as_foreseen:
                assert final.result.key == decision.result.key
            elif final.verb == "cached":
                assert final.key in store_before or outcome.reasons[id][0][0] == "same"
        else:
            assert [reason.kind for reason in decision.reasons][-1] == "upstream"
    assert len(outcome.ran) == len(set(outcome.ran))


@holds(st.data())
def test_a_run_does_what_its_plan_said_and_gives_what_a_run_from_nothing_gives(data):
    program = data.draw(programs)
    lab = program.lab()
    outcome = lab.run(program.graph(lab))
    for _ in range(data.draw(st.integers(1, 3))):
        program = data.draw(edited(program))
        program.define(lab)
        if data.draw(st.booleans()):
            lab.lose(outcome, data.draw(st.sampled_from(sorted(outcome.results))))
        graph = program.graph(lab)
        ids = [node.id for node in graph.nodes]
        forced = data.draw(st.lists(st.sampled_from(ids), max_size=1))
        before = {result.key for result in lab.store._shared.results}
        plan = lab.plan(graph, force=forced)
        shuffle = random.Random(data.draw(st.integers(0, 99)))
        outcome = lab.run(plan, choose=shuffle.randrange, room=data.draw(st.integers(1, 4)))
        assert outcome.status == "succeeded"
        check_against_plan(plan, outcome, before)
        fresh = program.lab()
        assert outcome.values == fresh.run(program.graph(fresh)).values
        again = lab.run(graph)
        assert again.ran == []
        assert set(verbs(again.plan).values()) == {"cached"}
        assert again.values == outcome.values


def test_a_call_that_is_forced_is_not_taken_for_an_equal_one_that_may_not_run():
    """The lost value is made again as it was, so that the equal call needs nothing; the forced one runs all the same."""
    source, call = (0, 0, [], []), (1, 0, [0], [])
    program = Program([source, call, call], (0, 1, 2))
    lab = program.lab()
    first = lab.run(program.graph(lab))
    before = {result.key for result in lab.store._shared.results}
    lab.lose(first, "n0")
    plan = lab.plan(program.graph(lab), force=["n2"])
    assert [reason.kind for reason in plan.decisions[2].reasons] == ["forced", "upstream"]
    outcome = lab.run(plan)
    check_against_plan(plan, outcome, before)
    assert "n2" in outcome.ran


def test_a_forced_call_that_comes_after_an_equal_one_does_not_wait_for_itself():
    program = Program([(0, 1, [], []), (0, 1, [], [0])], (0, 0, 0))
    lab = program.lab()
    first = lab.run(program.graph(lab))
    before = {result.key for result in lab.store._shared.results}
    lab.lose(first, "n0")
    plan = lab.plan(program.graph(lab), force=["n1"])
    outcome = lab.run(plan)
    assert outcome.status == "succeeded"
    check_against_plan(plan, outcome, before)


def test_a_plan_of_what_is_up_to_date_holds_no_text_twice():
    program = Program([(0, 0, [], []), (1, 0, [0], [])], (0, 1, 2))
    lab = program.lab()
    lab.run(program.graph(lab))
    for decision in lab.plan(program.graph(lab)).decisions:
        assert decision.verb == "cached"
        assert decision.inputs is decision.result.inputs
        assert decision.key is decision.result.key


@holds(st.data())
def test_whatever_is_lost_while_it_runs_a_run_leaves_everything_up_to_date(data):
    """Steps give something else each time, blobs disappear at any moment, and the end is consistent."""
    program = data.draw(programs)
    counter = itertools.count()
    lab = program.lab()
    program.define(lab, noise=lambda: next(counter) % 5)
    first = lab.run(program.graph(lab))
    program = data.draw(edited(program))
    program.define(lab, noise=lambda: next(counter) % 5)
    graph = program.graph(lab)
    losses = data.draw(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 9)), max_size=3))
    waits = itertools.count()

    def instead(task):
        now = next(waits)
        for moment, which in losses:
            if moment == now:
                known = sorted(first.results)
                lab.lose(first, known[which % len(known)])

    shuffle = random.Random(data.draw(st.integers(0, 99)))
    outcome = lab.run(graph, choose=shuffle.randrange, instead=instead, room=data.draw(st.integers(1, 4)))
    assert outcome.status == "succeeded"
    for node in graph.nodes:
        told = dict(outcome.decisions[node.id].inputs)
        for name, binding in node.inputs:
            if hasattr(binding, "node"):
                given = outcome.results[graph.nodes[binding.node].id]
                assert told[name] == given.outputs[0].token
    left = lab.plan(graph)
    assert {reason.kind for d in left.decisions for reason in d.reasons} <= {
        "cached",
        "missing",
        "upstream",
        "same",
    }
    if not lab.store._shared.lost:
        assert lab.run(graph).ran == []


@holds(programs, st.integers(1, 4), st.integers(0, 99))
def test_with_failures_and_without_every_step_is_accounted_for_once(program, room, seed):
    lab = program.lab()
    lab.steps["g"] = fail
    shuffle = random.Random(seed)
    for keep_going in (False, True):
        outcome = lab.run(program.graph(lab), keep_going=keep_going, room=room, choose=shuffle.randrange)
        ends = [event.node for event in outcome.events if hasattr(event, "decision")]
        assert sorted(ends) == list(range(len(program.rows)))
        failed = [id for id, became in outcome.became.items() if became == "failed"]
        assert outcome.status == ("failed" if failed else "succeeded")
        assert not lab.store._shared.claims
        if keep_going:
            assert "stopped" not in {kind for reasons in outcome.reasons.values() for kind, _ in reasons}
