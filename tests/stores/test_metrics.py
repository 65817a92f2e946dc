"""What metrics are called: `STEP.METRIC` always, `METRIC` where there is one of that name; alone, and beside other runs."""

from __future__ import annotations

import sqlite3

import pytest

from stepwell.errors import AmbiguousMetric
from stepwell.kernel.events import RunFinished, StepFinished, StepReused
from stepwell.kernel.plan import Decision, Reason
from stepwell.stores.local import open_store
from stepwell.stores.metrics import also_called, gathered, meant, shared, the_one
from stepwell.stores.record import Facts
from stepwell.testing.contracts import result_of

ONE = gathered([("score", [("auc", 0.9), ("val.auc", 0.8)])])
TWO = gathered([("score", [("auc", 0.7), ("loss", 0.1)]), ("a.b", [("auc", 0.6)])])


def test_metrics_of_one_name_are_told_apart():
    assert gathered([("a", [("auc", 1.0)]), ("b", [("auc", 2.0), ("rows", 3.0)])]) == {
        "a.auc": 1.0,
        "b.auc": 2.0,
        "rows": 3.0,
    }
    assert [*TWO] == ["score.auc", "a.b.auc", "loss"]
    assert repr(TWO) == "{'score.auc': 0.7, 'a.b.auc': 0.6, 'loss': 0.1}"
    assert not gathered([])


def test_a_full_name_is_always_found_and_a_bare_one_where_it_is_clear():
    assert (ONE["auc"], ONE["score.auc"], ONE["score.val.auc"], ONE["val.auc"]) == (0.9, 0.9, 0.8, 0.8)
    assert (TWO["score.auc"], TWO["a.b.auc"], TWO["loss"], TWO["score.loss"]) == (0.7, 0.6, 0.1, 0.1)
    for name in ("auc", "b.auc", "score", "", "loss.score"):
        assert name not in TWO
        assert TWO.get(name) is None
    assert (TWO.meant("auc"), TWO.meant("none")) == (("score.auc", "a.b.auc"), ())
    assert (meant({"auc": 1.0}, "auc"), meant({"auc": 1.0}, "score.auc")) == (("auc",), ())
    assert (the_one(TWO, "loss", "r1"), the_one(TWO, "none", "r1")) == (0.1, None)
    with pytest.raises(AmbiguousMetric) as caught:
        the_one(TWO, "auc", "r1")
    assert (caught.value.code, caught.value.exit_code) == ("E544", 2)
    assert "of r1: score.auc, a.b.auc" in caught.value.what
    many = gathered([(f"fold[{i}]", [("auc", 0.5)]) for i in range(20)])
    with pytest.raises(AmbiguousMetric, match=r"fold\[5\]\.auc and 14 more\n"):
        the_one(many, "auc", "r1")


def test_a_bare_name_that_is_the_full_name_of_another_gives_way():
    found = gathered([("x", [("score.auc", 0.1)]), ("score", [("auc", 0.9)])])
    assert dict(found) == {"x.score.auc": 0.1, "auc": 0.9}
    assert (found["score.auc"], found["x.score.auc"], found["auc"]) == (0.9, 0.1, 0.9)


def test_runs_beside_each_other_have_one_name_for_one_thing():
    renamed = gathered([("evaluate", [("auc", 0.5)])])
    assert shared([ONE, renamed]) == ["auc", "val.auc"]  # another step, the same thing
    assert shared([ONE, TWO]) == ["score.auc", "a.b.auc", "val.auc", "loss"]
    assert shared([renamed, TWO, {"loss": 1.0}]) == ["evaluate.auc", "score.auc", "a.b.auc", "loss"]
    odd = gathered([("x", [("score.auc", 0.1)])])
    names = shared([odd, ONE])
    assert names == ["x.score.auc", "auc", "val.auc"]
    assert [odd.get(name) for name in names] == [0.1, None, None]
    assert also_called([ONE, renamed], "auc") == {"auc", "score.auc", "evaluate.auc"}
    assert shared([]) == []


NODES = [("read", "read", "p:read"), ("a", "a", "p:a"), ("b", "b", "p:b")]


def record(store, logged, *, reused=()):
    """A run whose steps logged these; the results of `reused` are those of an earlier run."""
    run = store.begin(Facts("p", {}, NODES, 1000.0))
    results = []
    for node, metrics in logged.items():
        result = result_of(f"{run.run} {node}", step=NODES[node][2], run=run.run, metrics=metrics)
        store.results.keep(result, [])
        run.add(StepFinished(node, Decision(node, "run", (Reason("new", "new"),), result.key, None), result))
        results.append(result)
    for node, result in reused:
        run.add(StepReused(node, Decision(node, "cached", (Reason("cached", "it is"),), result.key, result), result))  # fmt: skip
    run.add(RunFinished("succeeded", 1.0))
    return results


def test_runs_keep_which_step_logged_what_also_those_of_an_older_store(tmp_path):
    folder = tmp_path / "store"
    with open_store(folder) as store:
        first, _ = record(store, {1: (("auc", 0.5),), 2: (("loss", 2.0),)})
        record(store, {2: (("auc", float("nan")),)}, reused=[(1, first)])
        record(store, {})
        before = [repr(row.metrics) for row in store.runs.runs()]
        assert before == ["{}", "{'a.auc': 0.5, 'b.auc': nan}", "{'auc': 0.5, 'loss': 2.0}"]

        def as_it_was(connection):
            for column in ("named", "lasted"):
                connection.execute(f"ALTER TABLE runs DROP COLUMN {column}")
            connection.execute("PRAGMA user_version=8")

        store.database.write(as_it_was)
    with sqlite3.connect(folder / "store.db") as old:
        old.execute("INSERT INTO runs SELECT 4, pipeline, status, started, seconds, params, '{\"gone\":1.0}', \"commit\", dirty,"
                    " argv, driver, nodes, skipped, counts, NULL, NULL, origins, wiring, about, diff, begun, tags FROM runs WHERE id = 1")  # fmt: skip
    old.close()
    with open_store(folder) as store:
        assert [repr(row.metrics) for row in store.runs.runs()] == ["{'gone': 1.0}", *before]
        found = {
            row.run: row.metrics for row in (*store.runs.runs(), *store.runs.briefs(["a.auc", "auc", "gone"]))
        }
        assert (found["r1"]["a.auc"], found["r2"]["a.auc"], found["r4"]["gone"]) == (0.5, 0.5, 1.0)
        assert (found["r1"].meant("auc"), found["r2"].meant("auc")) == (("auc",), ("a.auc", "b.auc"))
        assert found["r4"].get("a.gone") is None  # nobody knows any more


def test_what_is_shown_is_what_each_name_finds() -> None:
    metrics = gathered([("train", [("loss", 0.3)]), ("score", [("auc", 0.9), ("loss", 0.4)])])
    assert dict(metrics.items()) == {name: metrics[name] for name in metrics}
    assert list(metrics.values()) == [metrics[name] for name in metrics]
    assert (metrics.get("score.auc"), metrics.get("auc"), metrics.get("loss"), metrics.get("f1", 0)) == (
        0.9,
        0.9,
        None,
        0,
    )
