"""The records of a group: one driver row, ids and statuses of their own, and what a death leaves behind."""

import pytest

from stepwell.errors import UnknownRun
from stepwell.kernel.events import RunFinished, StepFinished
from stepwell.kernel.plan import Decision, Reason
from stepwell.stores import schema
from stepwell.stores.collect import Policy, RunFact, judged_runs
from stepwell.stores.local import open_store
from stepwell.stores.record import Facts
from stepwell.stores.runrow import took_together
from stepwell.testing.contracts import made, result_of

NEW = (Reason("new", "no earlier result"),)


def facts(depth):
    return Facts(
        "delays", {"depth": depth}, [("train", "train", "pipeline:train")], 1000.0, point={"depth": depth}
    )


def finish(store, group, place):
    output = made(b"%d" % place)
    result = result_of(f"k{place}", [output], step="pipeline:train", run=group.runs[place])
    store.results.keep(result, [output])
    group.add(place, StepFinished(0, Decision(0, "run", NEW, result.key, None), result))


def test_a_group_of_runs_is_recorded(folder, store):
    store.begin(facts(1)._replace(point=None)).add(RunFinished("succeeded", 1.0))
    group = store.begin_group([facts(4), facts(6), facts(8)])
    assert (group.name, group.runs) == ("g1", ["r2", "r3", "r4"])
    assert store.database.rows("SELECT count(*) FROM drivers") == [(1,)]
    for place in (0, 2):
        finish(store, group, place)
    group.settle(0, RunFinished("succeeded", 2.5))
    group.settle(2, RunFinished("failed", 0.5))
    group.end()
    assert store.database.rows("SELECT count(*) FROM drivers") == [(0,)]
    assert store.begin_group([facts(9)]).name == "g2"
    with open_store(folder, readonly=True) as reader:
        rows = reader.runs.runs(group="g1")
        assert [(row.run, row.status, row.seconds, row.group, row.point) for row in rows] == [
            ("r4", "failed", 0.5, "g1", {"depth": 8}),
            ("r3", "interrupted", 0.0, "g1", {"depth": 6}),
            ("r2", "succeeded", 2.5, "g1", {"depth": 4}),
        ]
        assert [row.run for row in reader.runs.runs(group="last")] == ["r5"]
        assert reader.runs.runs(pipeline="other", group="g1") == []
        assert (reader.runs.run("r1").group, reader.runs.run("r1").point) == ("", {})
        assert reader.runs.steps("r2")[0].status == "succeeded"
        for name in ("g3", "g0", "1x", ""):
            with pytest.raises(UnknownRun):
                reader.runs.runs(group=name)


def test_a_run_that_has_come_out_stays_so_when_the_process_dies(folder, store, tmp_path):
    group = store.begin_group([facts(4), facts(6)])
    finish(store, group, 0)
    group.settle(0, RunFinished("succeeded", 2.5))
    store.commit(now=True)
    store.database.write(lambda c: c.execute("UPDATE drivers SET born = 'another process'"))
    with open_store(folder, readonly=True) as reader:
        assert [row.status for row in reader.runs.runs(group="g1")] == ["interrupted", "succeeded"]


def test_what_happens_after_the_end_of_a_point_is_recorded_too(folder, store):
    group = store.begin_group([facts(4)])
    group.settle(0, RunFinished("succeeded", 1.0))
    store.commit(now=True)
    finish(store, group, 0)
    group.settle(0, RunFinished("failed", 3.0))
    group.end()
    (row,) = store.runs.runs(group="g1")
    assert (row.status, row.seconds, row.counts) == ("failed", 3.0, {"succeeded": 1})


def test_a_group_goes_on_under_its_number(store):
    first = store.begin_group([facts(4)])
    first.end()
    store.begin_group([facts(6)], first.number).end()
    assert [row.point for row in store.runs.runs(group="g1")] == [{"depth": 6}, {"depth": 4}]


def test_a_sweep_took_what_the_commands_took_that_ran_its_points(store):
    """Its points count from their own first step, so that they say nothing of what came before it."""
    first = store.begin_group([facts(4), facts(6)])
    first.settle(0, RunFinished("succeeded", 2.0))
    assert took_together(store.runs.runs(group="g1")) is None
    first.settle(1, RunFinished("succeeded", 3.0))
    first.end(20.0)
    store.begin_group([facts(8)._replace(started=5000.0)], first.number).end(1.5)
    for rows in (store.runs.runs(group="g1"), store.runs.briefs(group="g1")):
        assert [row.lasted for row in rows] == [1.5, 20.0, 20.0]
        assert took_together(rows) == 21.5
    before = [row._replace(lasted=None) for row in store.runs.runs(group="g1")]
    assert took_together(before) == 4001.5  # an older Stepwell ran it: from the first to the end of the last
    assert took_together([row._replace(status="damaged") for row in before]) is None


def test_a_store_without_groups_gets_them(tmp_path, monkeypatch):
    place = next(i for i, text in enumerate(schema.MIGRATIONS) if '"group" INTEGER' in text)
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:place])
        patch.setattr(schema, "VERSION", place)
        with open_store(tmp_path / "store") as old:
            old.database.write(
                lambda c: c.execute(
                    'INSERT INTO runs (id, pipeline, status, started, params, "commit", dirty, argv, driver, nodes,'
                    " skipped) VALUES (1, 'old', 'succeeded', 1.0, '{}', '', 0, '[]', 0, '', '[]')"
                )
            )
            old.database.write(lambda c: c.execute("UPDATE counters SET value = 1 WHERE name = 'run'"))
    with open_store(tmp_path / "store") as now:
        assert now.runs.run("r1").group == ""
        group = now.begin_group([facts(4)])
        assert (group.name, group.runs) == ("g1", ["r2"])
        group.end()


def test_a_sweep_counts_as_one_run_for_what_stays():
    points = [RunFact(number, "delays", "succeeded", 0.0, 7) for number in range(10, 40)]
    runs = [RunFact(number, "delays", "failed", 0.0) for number in (5, 6, 8, 9, 45, 50)]
    why = dict(judged_runs([*points, *runs], frozenset(), 1e12, Policy(keep=4, grace=1.0)))
    assert all(why[one.number] for one in points)
    assert {run.number: bool(why[run.number]) for run in runs} == {
        5: False,
        6: False,
        8: False,
        9: True,
        45: True,
        50: True,
    }
