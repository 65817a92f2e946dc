"""The record of runs: everything that a run did can be listed, compared and looked into later."""

import math

import pytest

from stepwell.errors import StoreReadOnly, UnknownRun, UnknownStep
from stepwell.kernel.events import (
    RunFinished,
    StepBlocked,
    StepFailed,
    StepFinished,
    StepInterrupted,
    StepRepaired,
    StepReused,
    StepStarted,
)
from stepwell.kernel.graph import Constant, FromStep, Graph, Node, StepDef
from stepwell.kernel.plan import Decision, Identity, Known, Reason, Wanted, decide
from stepwell.kernel.ports import Failure, Logged, Recorded, Said
from stepwell.stores import record as module
from stepwell.stores.local import open_store
from stepwell.stores.record import Facts, facts_of
from stepwell.stores.recordings import Thing
from stepwell.testing.contracts import made, result_of

STEPS = ("load", "clean", "train", "score", "plot", "extra")
FACTS = Facts(
    pipeline="delays",
    params={"depth": 6, "name": "é"},
    nodes=[(f"inner/{name}", name, f"pipeline:{name}") for name in STEPS],
    started=1000.0,
    skipped=[5],
    commit="9f3c1e",
    dirty=True,
    argv=["run", "depth=6"],
)
NEW = (Reason("new", "no earlier result"),)


def ran(store, record, node, data=b"42", notes=(), **fields):
    """A step that succeeded: kept and recorded."""
    output = made(data)
    result = result_of(
        f"k{node}{data}", [output], step=f"pipeline:{STEPS[node % 6]}", run=record.run, **fields
    )
    store.results.keep(result, [output])
    record.add(
        StepFinished(node, Decision(node, "run", NEW, result.key, None, result.inputs), result, False, notes)
    )
    return result


def reused(record, node, result):
    why = (Reason("cached", f"up to date since run {result.run}"),)
    record.add(StepReused(node, Decision(node, "cached", why, result.key, result), result))


def test_a_run_of_every_status_is_shown_whole(folder, store):
    first = store.begin(FACTS)
    old = ran(store, first, 0, seconds=1.5, metrics=(("rows", 336776.0),))
    first.add(RunFinished("succeeded", 2.0))

    run = store.begin(FACTS._replace(started=2000.0))
    assert run.run == "r2"
    reused(run, 0, old)
    run.add(StepStarted(1, 4711))
    new = ran(
        store,
        run,
        1,
        b"cleaned",
        ("codec chosen by value",),
        seconds=0.25,
        cpu=0.2,
        memory=1 << 30,
        metrics=(("auc", 0.9),),
    )
    failure = Failure(
        "E401", "step `train` raised", "ValueError: é", ("stepwell debug train",), "docs", "Traceback \udcff"
    )
    failed = Decision(
        2, "run", (Reason("param", "`depth` 6 → 8", "depth", "6", "8"),), "k2", None, (("depth", "8"),)
    )
    run.add(StepFailed(2, failed, failure, 3.0, 2.5, 1 << 20))
    blocked = (Reason("upstream", "`train` has no result", name="train"),)
    run.add(StepBlocked(3, Decision(3, "blocked", blocked)))
    run.add(StepInterrupted(4, Decision(4, "run", NEW, "k4"), True))
    run.add(RunFinished("failed", 4.5))
    store.close()

    with open_store(folder, readonly=True) as reader:
        row = reader.runs.run("last")
        assert row == reader.runs.runs(1)[0] == reader.runs.run("r2") == reader.runs.run("2")
        assert row == (
            "r2", "delays", "failed", 2000.0, 4.5, {"depth": 6, "name": "é"}, {"rows": 336776.0, "auc": 0.9},
            "9f3c1e", True, ("run", "depth=6"),
            {"cached": 1, "succeeded": 1, "failed": 1, "blocked": 1, "interrupted": 1, "skipped": 1}, "", {}, {}, (), None,
        )  # fmt: skip
        steps = reader.runs.steps("r2")
        assert [step.id for step in steps] == [f"inner/{name}" for name in STEPS]
        assert [step.status for step in steps] == [
            "cached",
            "succeeded",
            "failed",
            "blocked",
            "interrupted",
            "skipped",
        ]
        assert [step.decision for step in steps] == ["cached", "run", "run", "blocked", "run", "skip"]
        assert steps[0].reasons == (Reason("cached", "up to date since run r1"),)
        assert (steps[0].seconds, steps[0].metrics, steps[0].made_by) == (1.5, {"rows": 336776.0}, "r1")
        assert steps[0].outputs == old.outputs
        assert steps[1].result == new
        assert (steps[1].key, steps[1].inputs, steps[1].notes) == (
            new.key,
            new.inputs,
            ("codec chosen by value",),
        )
        assert (steps[1].seconds, steps[1].cpu, steps[1].memory) == (0.25, 0.2, 1 << 30)
        assert steps[2].error == failure
        assert steps[2].reasons == failed.reasons
        assert (steps[2].key, steps[2].inputs, steps[2].seconds, steps[2].memory) == (
            "k2",
            (("depth", "8"),),
            3.0,
            1 << 20,
        )
        assert steps[3].reasons == blocked
        assert reader.runs.step("r2", "train").node == 2
        assert reader.runs.step("r2", "inner/train").node == 2
        assert reader.runs.history("pipeline:load") == [1.5]


def test_runs_are_listed_newest_first_and_by_pipeline(store):
    for i in range(5):
        store.begin(FACTS._replace(pipeline="ab"[i % 2])).add(RunFinished("succeeded", float(i)))
    assert [row.run for row in store.runs.runs()] == ["r5", "r4", "r3", "r2", "r1"]
    assert [row.run for row in store.runs.runs(2)] == ["r5", "r4"]
    assert [row.run for row in store.runs.runs(pipeline="b")] == ["r4", "r2"]
    assert store.runs.run("last", "b").run == "r4"


def test_an_unknown_run_or_step_is_answered_with_the_nearest(store):
    with pytest.raises(UnknownRun, match="no run yet"):
        store.runs.run()
    for _ in range(12):
        store.begin(FACTS).add(RunFinished("succeeded", 0.0))
    for word in ("r13", "R1", "", "r", "-1", "r1 ", "latest", "9" * 40, "r²"):
        with pytest.raises(UnknownRun) as caught:
            store.runs.run(word)
        assert "the newest is r12" in caught.value.why
    with pytest.raises(UnknownRun) as caught:
        store.runs.run("r113")
    assert "did you mean r1" in caught.value.fixes[0]
    with pytest.raises(UnknownStep) as caught:
        store.runs.step("r1", "trian")
    assert caught.value.fixes[0].startswith("did you mean")


def test_a_name_that_several_calls_have_is_asked_for_in_full(store):
    nodes = [
        ("train", "train", "p:train"),
        ("train[2]", "train", "p:train"),
        ("b/fit", "fit", "p:fit"),
        ("c/fit", "fit", "p:fit"),
    ]
    store.begin(FACTS._replace(nodes=nodes, skipped=[])).add(RunFinished("succeeded", 0.0))
    assert store.runs.step("last", "train").node == 0
    with pytest.raises(UnknownStep, match="2 times"):
        store.runs.step("last", "fit")


def test_what_is_seen_of_a_run_while_it_lasts_and_after_its_end_left_early(folder, store):
    record = store.begin(FACTS)
    ran(store, record, 0)
    record.add(Logged(1, "loss", 0.5))
    record.add(Logged(1, "loss", 0.25))
    store.commit(now=True)
    with open_store(folder, readonly=True) as reader:
        row = reader.runs.run()
        assert (row.status, row.seconds, row.metrics) == ("running", None, {"loss": 0.25})
        assert [step.status for step in reader.runs.steps("last")] == ["succeeded"] + ["running"] * 4 + [
            "skipped"
        ]
        record.abandon(3.0)
        record.abandon(4.0)
        row = reader.runs.run()
        assert (row.status, row.seconds) == ("interrupted", 3.0)
        assert [step.status for step in reader.runs.steps("last")] == ["succeeded"] + ["interrupted"] * 4 + [
            "skipped"
        ]


def test_of_a_run_without_an_end_what_has_a_result_counts_and_what_runs_while_it_does(folder, store):
    first = store.begin(FACTS)
    old = ran(store, first, 0, metrics=(("rows", 7.0),))
    first.add(RunFinished("succeeded", 0.0))
    record = store.begin(FACTS)
    reused(record, 0, old)
    for node in (1, 2, 3):
        record.add(StepStarted(node, 1))
        record.add(Logged(node, STEPS[node], 9.0))
        record.add(Recorded(node, Thing("tag", STEPS[node])))
    ran(store, record, 1, metrics=(("clean", 9.0),))
    record.add(StepFailed(2, Decision(2, "run", NEW, "k2"), Failure("E401", "no")))
    store.commit(now=True)

    def seen(reader):
        row = reader.runs.run("r2")
        (brief, _) = reader.runs.briefs(list(STEPS))
        assert {name: row.metrics[name] for name in brief.metrics} == dict(brief.metrics)
        assert (brief.status, brief.tags) == (row.status, row.tags)
        return (
            row.status,
            dict(row.metrics),
            row.tags,
            [dict(step.metrics) for step in reader.runs.steps("r2")],
        )

    steps = [{"rows": 7.0}, {"clean": 9.0}, {"train": 9.0}, {"score": 9.0}, {}, {}]
    with open_store(folder, readonly=True) as reader:
        assert seen(reader) == (
            "running",
            {"rows": 7.0, "clean": 9.0, "score": 9.0},
            ("clean", "score"),
            steps,
        )
        store.database.write(
            lambda connection: connection.execute("DELETE FROM drivers") and None
        )  # as if killed
        assert seen(reader) == ("interrupted", {"rows": 7.0, "clean": 9.0}, ("clean",), steps)


def test_a_result_found_lost_was_reused_and_then_made(store):
    first = store.begin(FACTS)
    old = ran(store, first, 0)
    first.add(RunFinished("succeeded", 0.0))
    record = store.begin(FACTS)
    reused(record, 0, old)
    store.commit(now=True)
    record.add(StepRepaired(0, "blob is gone"))
    ran(store, record, 0, b"again")
    record.add(RunFinished("succeeded", 0.0))
    step = store.runs.step("last", "load")
    assert (step.status, step.made_by) == ("succeeded", "r2")


# ---------------------------------------------------------------------- logs and points


def test_logs_come_back_in_order_and_whole(folder, store):
    record = store.begin(FACTS)
    for i in range(5):
        record.add(Said(i % 2, ("stdout", "stderr")[i % 2], f"line {i} é \udcff \x00\n"))
        store.commit(now=i == 2)
    record.add(RunFinished("succeeded", 0.0))
    with open_store(folder, readonly=True) as reader:
        lines = reader.runs.logs("r1")
        assert [(line.node, line.stream) for line in lines] == [
            (i % 2, ("stdout", "stderr")[i % 2]) for i in range(5)
        ]
        assert [line.text for line in lines] == [f"line {i} é \\udcff \x00\n" for i in range(5)]
        assert [line.text[:6] for line in reader.runs.logs("r1", 1)] == ["line 1", "line 3"]
        assert lines[0].time > 1e9
        with pytest.raises(UnknownRun):
            reader.runs.logs("r7")


def test_a_step_that_never_stops_talking_does_not_fill_the_disk(store, monkeypatch):
    monkeypatch.setattr(module, "LONGEST_LOG", 1000)
    record = store.begin(FACTS)
    for _ in range(100):
        record.add(Said(0, "stdout", "x" * 99 + "\n"))
    record.add(Said(1, "stdout", "another step may still talk\n"))
    record.add(RunFinished("succeeded", 0.0))
    text = "".join(line.text for line in store.runs.logs("r1", 0))
    assert len(text) < 1100
    assert text.endswith("[the rest was not kept: more than 0 MB]\n")
    assert text.count("not kept") == 1
    assert store.runs.logs("r1", 1)[0].text == "another step may still talk\n"


def test_numbers_of_all_kinds_come_back(store):
    record = store.begin(FACTS)
    values = [0.5, -1e308, math.inf, -math.inf, math.nan, 3]
    for i, value in enumerate(values):
        record.add(Logged(0, "loss", value, i or None))
    store.commit(now=True)
    (curve,) = store.runs.curves("r1")
    ran(store, record, 0, metrics=(("loss", math.nan), ("best", math.inf)))
    record.add(RunFinished("succeeded", 0.0))
    assert str(store.runs.curves("r1")) == str([curve])
    assert [str(value) for value in curve.values] == [str(float(value)) for value in values[1:]]
    assert curve.steps.tolist() == [1, 2, 3, 4, 5]
    assert store.runs.curve_names("r1") == [(0, "loss", 5, 3.0)]
    metrics = store.runs.run().metrics
    assert math.isnan(metrics["loss"])
    assert metrics["best"] == math.inf
    assert math.isnan(store.runs.step("r1", "load").metrics["loss"])


# ---------------------------------------------------------------------- size, and what is refused


def rows(store):
    tables = [name for (name,) in store.database.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {name: store.database.row(f"SELECT count(*) FROM {name}")[0] for name in tables}


def test_an_unchanged_run_adds_two_rows_however_many_steps_it_has(store):
    nodes = [(f"s[{i}]", "s", "p:s") for i in range(3000)]
    facts = FACTS._replace(nodes=nodes, skipped=[])
    first = store.begin(facts)
    results = [ran(store, first, i, b"%d" % i) for i in range(3000)]
    first.add(RunFinished("succeeded", 0.0))

    def again():
        record = store.begin(facts)
        for i, result in enumerate(results):
            reused(record, i, result)
        record.add(RunFinished("succeeded", 0.0))

    again()
    before = rows(store)
    again()
    after = rows(store)
    added = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    assert added == {"runs": 1, "reused": 1}
    steps = store.runs.steps("last")
    assert len(steps) == 3000
    assert {step.status for step in steps} == {"cached"}
    assert steps[2999].result == results[2999]


def test_ids_grow_also_when_several_begin_at_once(folder, store):
    with open_store(folder) as other:
        records = [view.begin(FACTS) for view in (store, other, store)]
        assert [record.run for record in records] == ["r1", "r2", "r3"]


def test_nothing_is_recorded_where_nothing_can_be_written(folder):
    with open_store(folder, create=False) as store, pytest.raises(StoreReadOnly):
        store.begin(FACTS)


def test_the_facts_of_a_plan():
    step = StepDef("train", "pipeline", "train")
    graph = Graph(
        "delays",
        nodes=(
            Node("train", 0, (("depth", Constant(6, "6")),)),
            Node("train[2]", 0, (("depth", FromStep(0)),)),
            Node("x", 0),
        ),
        steps=(step,),
        params=(("depth", 6, "6"), ("odd", {1, 2}, "set{1,2}"), ("when", float("nan"), "float(nan)")),
    )
    from stepwell.testing.memory import MemoryStore

    known = Known([Identity("c", "e", {}, {})], [], MemoryStore())
    facts = facts_of(
        decide(graph, known, Wanted(targets=[1])), started=5.0, commit="abc", dirty=True, argv=["run"]
    )
    assert list(facts.nodes) == [(name, "train", "pipeline:train") for name in ("train", "train[2]", "x")]
    assert facts.params["depth"] == 6
    assert facts.params["odd"] == "set{1,2}"
    assert math.isnan(facts.params["when"])
    assert (facts.skipped, facts.commit, facts.dirty, facts.argv) == ([2], "abc", True, ["run"])


def test_names_are_completed(store):
    assert store.runs.complete("step") == []
    for _ in range(12):
        store.begin(FACTS).add(RunFinished("succeeded", 0.0))
    assert store.runs.complete("run", "r1") == ["r12", "r11", "r10", "r1"]
    assert store.runs.complete("run", "l") == ["last"]
    assert store.runs.complete("step", "inner/c", "r3") == ["inner/clean"]
    assert store.runs.complete("step", "", "r99") == []
    assert store.runs.complete("pipeline") == ["delays"]
