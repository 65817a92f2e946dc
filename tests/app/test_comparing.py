"""Runs beside each other: which are chosen, and what is said of them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from stepwell.app.comparing import Options, compare_runs
from stepwell.app.directions import change, direction_of
from stepwell.app.finding import Wanted, best_of, find, named, said_directions, unnamed
from stepwell.app.movements import Locks, _facts, _shown
from stepwell.app.sincelast import since_last
from stepwell.cli.side_by_side import csv_text, lines
from stepwell.dist.lock import Data, Lock
from stepwell.dist.lockfile import text_of
from stepwell.errors import AmbiguousMetric, BadFilter, NothingToCompare, UnknownField, UnknownRun
from stepwell.kernel.events import RunFinished, StepFinished
from stepwell.kernel.plan import Decision, Reason
from stepwell.kernel.ports import Recorded
from stepwell.stores.local import open_store
from stepwell.stores.record import Facts
from stepwell.stores.recordings import Thing
from stepwell.testing.contracts import made, result_of

sys.path.insert(0, str(Path(__file__).parents[1] / "stores"))

from many_runs import build, metrics_of, params_of

SCHEMAS = Path(__file__).parents[2] / "docs" / "reference" / "schemas"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """120 runs: r109 to r120 are a sweep, g5; r25, r26, ... are single ones."""
    folder = tmp_path_factory.mktemp("many") / ".stepwell"
    build(folder, runs=120, metrics=5, points=0)
    with open_store(folder, readonly=True) as opened:
        yield opened


@pytest.fixture
def empty(tmp_path):
    with open_store(tmp_path / ".stepwell") as opened:
        yield opened


def add(
    store,
    params,
    metrics=(),
    *,
    roles=(),
    outputs=(),
    pipeline="delays",
    status="succeeded",
    about=(),
    again=(),
):
    """A run of one step, recorded as runs are; with `again` of a second one, `check`, that logs these metrics."""
    nodes = [(name, name, f"pipeline:{name}") for name in (("score", "check") if again else ("score",))]
    facts = Facts(pipeline, params, nodes, 1000.0, about=dict(about))
    record = store.begin(facts)
    if again:
        second = result_of(f"check {params}", [], step="pipeline:check", run=record.run, metrics=tuple(again))
        store.results.keep(second, [])
        record.add(StepFinished(1, Decision(1, "run", (Reason("new", "new"),), second.key, None), second))
    for place, text in enumerate(roles):
        record.add(Recorded(0, Thing("role", f"role{place}", text=text)))
    result = result_of(repr(params), outputs, step="pipeline:score", run=record.run, metrics=tuple(metrics))
    store.results.keep(result, outputs)
    record.add(StepFinished(0, Decision(0, "run", (Reason("new", "new"),), result.key, None), result))
    record.add(RunFinished(status, 1.0))
    return record.run


def checked(document):
    """The document, which is as its schema says."""
    found = {path.stem: json.loads(path.read_text("utf-8")) for path in SCHEMAS.glob("*.json")}
    resources = [(f"{name}.json", Resource.from_contents(schema)) for name, schema in found.items()]
    registry = Registry().with_resources(resources)
    Draft202012Validator({"$ref": "compare.json"}, registry=registry).validate(
        json.loads(json.dumps(document, allow_nan=False))
    )
    return document


# --------------------------------------------------------------------------- which runs


def test_runs_are_found_by_conditions_in_order(store):
    found = find(store, Wanted("depth > 4 and auc > 0.8 and status == succeeded", "-auc"), limit=3)
    expected = [
        place for place in range(120) if params_of(place)["depth"] > 4 and metrics_of(place, 5)["auc"] > 0.8
    ]
    assert found.total == len([run for run in expected if f"r{run + 1}" in found.ids])
    assert set(found.ids) <= {f"r{place + 1}" for place in expected}
    assert len(found.runs) == 3
    values = [run.metrics["auc"] for run in found.runs]
    assert values == sorted(values, reverse=True)
    assert (
        find(store, Wanted("depth > 4 and auc > 0.8", "-auc"), limit=3, offset=3).runs[0].metrics["auc"]
        <= values[-1]
    )
    assert find(store, Wanted()).ids[:2] == ["r120", "r119"]
    assert {run.pipeline for run in find(store, Wanted(pipeline="weather")).runs} == {"weather"}
    assert find(store, Wanted(tag="baseline")).ids == ["r58", "r8"]
    assert find(store, Wanted("depth > 100")).total == 0


def test_only_the_metrics_that_are_asked_for_are_read(store):
    rows = store.runs.briefs(["auc", "no such"])
    assert len(rows) == store.runs.count() == 120
    for row in rows:
        whole = store.runs.run(row.run)
        assert (row.pipeline, row.status, row.params, row.tags, row.group) == (whole.pipeline, whole.status, whole.params, whole.tags, whole.group)  # fmt: skip
        assert repr(row.metrics) == repr(
            {"auc": whole.metrics["auc"]} if whole.metrics else {}
        )  # NaN is among them
    assert not any(row.metrics for row in store.runs.briefs())


def test_the_best_come_first(store):
    best = find(store, Wanted(best="auc"))
    assert all(run.metrics["auc"] == run.metrics["auc"] for run in best.runs)
    assert best.runs[0].metrics["auc"] == max(run.metrics["auc"] for run in best.runs)
    lowest = find(store, Wanted(best="auc", lowest=True)).ids
    assert lowest != best.ids
    assert sorted(lowest) == sorted(best.ids)
    losses = [
        run.metrics["loss"] for run in find(store, Wanted(best="loss")).runs
    ]  # of a loss, less is better
    assert losses == sorted(losses)
    assert best_of(store.runs.briefs(["auc"]), "auc").run == best.ids[0]
    assert best_of(store.runs.briefs(["m02"]), "m02") is None


@pytest.mark.parametrize(
    ("wanted", "near"),
    [(Wanted("auk > 1"), "auc"), (Wanted(sort="dept"), "depth"), (Wanted(best="los"), "loss")],
)
def test_a_name_that_no_run_has_is_told_with_a_near_one(store, wanted, near):
    with pytest.raises(UnknownField) as caught:
        find(store, wanted)
    assert caught.value.fixes[0] == f"did you mean `{near}`?"


def test_runs_are_named_in_several_ways(store):
    assert named(store, ["r3..r5", "7", "r4", "last", "last~2"]) == ["r3", "r4", "r5", "r7", "r120", "r118"]
    assert named(store, ["r5..3"]) == ["r5", "r4", "r3"]
    assert named(store, ["r119..r400"]) == ["r119", "r120"]
    newest = store.runs.run().group
    assert (
        named(store, [newest])
        == named(store, ["glast"])
        == unnamed(store)
        == [f"r{i}" for i in range(109, 121)]
    )
    assert [row.run for row in store.runs.tops(3)] == ["r120", "r108", "r107"]
    for word in ("r0", "r500..r600", "last~500", "g99", "x", "", "r1...r2"):
        with pytest.raises(UnknownRun):
            named(store, [word])


def test_without_words_the_last_two_runs_of_the_pipeline(empty, tmp_path):
    with pytest.raises(NothingToCompare):
        unnamed(empty)
    add(empty, {"depth": 1})
    add(empty, {"depth": 9}, pipeline="other")
    with pytest.raises(NothingToCompare):
        unnamed(empty)
    add(empty, {"depth": 2})
    add(empty, {"depth": 3}, pipeline="other")
    assert unnamed(empty) == ["r2", "r4"]
    add(empty, {"depth": 4}, pipeline="other")
    empty.commit(now=True)
    empty.database.write(lambda connection: connection.execute("UPDATE runs SET tags = '[' WHERE id = 4"))
    assert unnamed(empty) == ["r2", "r4", "r5"]
    document = checked(compare_runs(empty, tmp_path))
    assert [run["run"] for run in document["runs"]] == ["r2", "r5"]
    assert document["damaged"] == ["r4"]
    assert [run["run"] for run in compare_runs(empty, tmp_path, ["r3"])["runs"]] == [
        "r1",
        "r3",
    ]  # with the one before


def test_chosen_runs_keep_the_order_in_which_they_are_named(store, tmp_path):
    document = compare_runs(store, tmp_path, ["r30", "r20..r22"], Options(Wanted("depth >= 2"), limit=3))
    assert [run["run"] for run in document["runs"]] == ["r30", "r20", "r21"]
    assert "3 of 4 runs are compared: --limit N for more" in document["notes"]
    with pytest.raises(NothingToCompare):
        compare_runs(store, tmp_path, [], Options(Wanted("depth > 100")))
    with pytest.raises(BadFilter):
        compare_runs(store, tmp_path, [], Options(Wanted("depth >")))


# --------------------------------------------------------------------------- what is said


def test_metrics_of_runs_have_one_name_also_where_another_step_came_to_log_it(empty, tmp_path):
    add(empty, {"depth": 1}, [("auc", 0.6)])
    add(empty, {"depth": 2}, [("auc", 0.7)])
    add(empty, {"depth": 3}, [("auc", 0.8), ("loss", 0.2)], again=[("auc", 0.5)], pipeline="other")
    for wanted in (Wanted("auc > 0.1"), Wanted(sort="auc"), Wanted(best="auc")):
        with pytest.raises(AmbiguousMetric, match=r"of r3: score\.auc, check\.auc"):
            find(empty, wanted)
        assert find(empty, wanted._replace(pipeline="delays")).total == 2
    assert find(empty, Wanted(best="score.auc")).ids == ["r3", "r2", "r1"]
    assert find(empty, Wanted("score.auc > 0.65", "-score.auc")).ids == ["r3", "r2"]
    assert find(empty, Wanted(best="check.auc")).ids == ["r3"]
    assert find(empty, Wanted('auc > 0.65 and pipeline == "delays"')).ids == ["r2"]

    def rows(*runs, glob=""):
        found = checked(compare_runs(empty, tmp_path, runs, Options(metrics=glob)))
        return {row["name"]: list(row["values"].values()) for row in found["metrics"]}, found["notes"]

    assert rows("r1", "r2")[0] == {"auc": [0.6, 0.7]}
    assert rows("r1", "r3")[0] == {"score.auc": [0.6, 0.8], "check.auc": [None, 0.5], "loss": [None, 0.2]}
    assert rows("r1", "r2", glob="score.*")[0] == {"auc": [0.6, 0.7]}
    assert any("no metric has a name like `nope*`" in note for note in rows("r1", "r2", glob="nope*")[1])
    table = csv_text(empty.runs.some(["r1", "r3"]))
    assert [line.split(",")[-3:] for line in table.splitlines()] == [
        ["metrics.score.auc", "metrics.check.auc", "metrics.loss"], ["0.6", "", ""], ["0.8", "0.5", "0.2"],
    ]  # fmt: skip
    since = since_last(empty, "r2", {}, empty.runs.run("r3").metrics)
    assert [(one.name, one.value, one.before) for one in since.moved] == [
        ("score.auc", 0.8, 0.6), ("check.auc", 0.5, None), ("loss", 0.2, None),
    ]  # fmt: skip


def test_two_runs_with_everything_different(store, tmp_path):
    document = checked(compare_runs(store, tmp_path, ["r1", "r119"]))
    rows = {row["name"]: row for row in document["params"]}
    assert rows["depth"]["values"] == {"r1": 2, "r119": 6}
    assert rows["depth"]["deltas"] == {"r119": 4.0}
    assert rows["depth"]["differs"]
    assert not rows["model"]["differs"]
    metrics = {row["name"]: row for row in document["metrics"]}
    then, now = metrics_of(0, 5), metrics_of(118, 5)
    assert metrics["auc"]["deltas"]["r119"] == pytest.approx(now["auc"] - then["auc"])
    assert (metrics["auc"]["direction"], metrics["loss"]["direction"], metrics["m02"]["direction"]) == (
        "higher",
        "lower",
        "",
    )
    assert metrics["auc"]["best"] == ["r119" if now["auc"] > then["auc"] else "r1"]
    assert metrics["m02"]["best"] == []
    code = {one["step"]: one for one in document["code"]}
    assert code["pipeline:train"]["changed"]
    assert not code["pipeline:score"]["changed"]
    (diff,) = code["pipeline:train"]["diffs"]
    assert (diff["run"], diff["name"]) == ("r119", "pipeline.train")
    assert "+    return fit(table, depth, lr, leaves=63)" in diff["diff"]
    data = {row["name"]: row for row in document["data"]}
    assert data["flights"]["changes"] == [{"run": "r119", "lines": ["1,000,000 → 1,000,003 bytes"]}]
    assert data["train"]["changes"][0]["lines"] == ["['trees']  0 → 118"]
    assert {row["name"]: list(row["values"].values()) for row in document["environment"]} == {
        "python": ["3.11.7", "3.12.1"], "numpy": ["2.0.1", "2.3.1"],
    }  # fmt: skip
    assert document["steps"][2] == {
        "step": "train", "seconds": {"r1": 0.5, "r119": 28.5}, "status": {"r1": "succeeded", "r119": "succeeded"},
    }  # fmt: skip
    text = "\n".join(lines(document))
    for part in (
        "depth",
        "better" if now["auc"] > then["auc"] else "worse",
        "+    return fit",
        "2.0.1",
        "flights",
    ):
        assert part in text


def test_fifty_runs_at_once(store, tmp_path):
    document = checked(compare_runs(store, tmp_path, ["r1..r60"], Options(limit=50)))
    assert len(document["runs"]) == 50
    assert any(note.startswith("50 of 60 runs") for note in document["notes"])
    assert any(note.startswith("failed: ") for note in document["notes"])
    told = {row["name"]: row for row in document["params"]}
    assert len(set(told["depth"]["values"].values())) == 4
    diffs = next(one for one in document["code"] if one["step"] == "pipeline:train")["diffs"]
    assert [diff["run"] for diff in diffs] == ["r31"]  # told once, though twenty runs have it
    for line in lines(document):
        assert len(line) <= 80 or line.startswith("note: ")


def test_what_has_no_value_is_neither_better_nor_worse(empty, tmp_path):
    nan = float("nan")
    first = add(
        empty,
        {"a": 1, "opt": {"lr": 0.1, "x": {"y": 1}}, "only": None},
        [("auc", nan), ("loss", float("inf")), ("f1", 0.5)],
    )
    second = add(
        empty,
        {"a": 1.0, "opt": {"lr": 0.2, "x": {"y": 1}}},
        [("auc", nan), ("loss", 1.0), ("f1", 0.5), ("new", 1.0)],
    )
    document = checked(compare_runs(empty, tmp_path, [first, second]))
    params = {row["name"]: row for row in document["params"]}
    assert [name for name, row in params.items() if row["differs"]] == ["opt.lr", "only"]
    metrics = {row["name"]: row for row in document["metrics"]}
    assert metrics["auc"]["values"] == {first: "NaN", second: "NaN"}
    assert not metrics["auc"]["differs"]
    assert metrics["loss"]["values"][first] == "Infinity"
    assert metrics["loss"]["deltas"] == {second: None}
    assert metrics["loss"]["best"] == [second]
    assert metrics["f1"]["best"] == []
    assert metrics["new"]["values"] == {first: None, second: 1.0}
    assert any("older Stepwell" in note for note in document["notes"])
    assert "\n".join(lines(document)).count("better") == 1


def test_roles_say_what_is_better(empty, tmp_path):
    add(empty, {"a": 1}, [("auc", 0.9), ("gain", 3.0)])
    roles = ['{"directions": {"gain": "lower", "auc": "sideways"}}', "[1]", "no JSON", '{"directions": 7}']
    add(empty, {"a": 2}, [("auc", 0.8), ("gain", 2.0)], roles=roles)
    assert said_directions(empty, empty.runs.runs()) == {"gain": "lower"}
    assert find(empty, Wanted(best="gain")).ids == ["r2", "r1"]
    assert find(empty, Wanted(best="gain", lowest=False)).ids == ["r1", "r2"]
    found = {row["name"]: (row["direction"], row["best"]) for row in compare_runs(empty, tmp_path)["metrics"]}
    assert found == {"auc": ("higher", ["r1"]), "gain": ("lower", ["r2"])}


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("auc", "higher"), ("val/rmse", "lower"), ("score.auc[group=a]", "higher"), ("neg_log_loss", "higher"), ("accuracy_loss", "lower"),
        ("ROC_AUC", "higher"), ("r2", "higher"), ("F1-macro", "higher"), ("error_rate", "lower"), ("binary_crossentropy", "lower"),
        ("rows", ""), ("score", ""), ("depth", ""), ("", ""), ("train/loss[3]", "lower"), ("cross_entropy", "lower"),
    ],
)  # fmt: skip
def test_directions_by_name(name, way):
    assert direction_of(name) == way


def test_what_is_said_goes_before_names():
    said = {"auc": "lower", "gain": "higher"}
    assert [direction_of(name, said) for name in ("auc", "s.auc", "auc[g=a]", "val/gain", "loss")] == ["lower", "lower", "lower", "higher", "lower"]  # fmt: skip
    nan = float("nan")
    assert [change("auc", *pair) for pair in ((1, 2), (2, 1), (1, 1), (nan, 1), (1, nan))] == [
        "better",
        "worse",
        "",
        "",
        "",
    ]
    assert change("rows", 1, 2) == ""


# --------------------------------------------------------------------------- data that moved


def column(name, kind="int64", **facts):
    told = {
        "name": name,
        "type": kind,
        "nulls": 0.0,
        "distinct": 3,
        "quantiles": [0, 1, 2, 3, 4],
        "mean": 2.0,
        "top": None,
    }
    return {**told, "histogram": None, "unit": "", **facts}


def table(rows, *columns):
    return {"kind": "table", "rows": rows, "columns": list(columns), "head": [], "offset": 0, "sampled": None}


def test_tables_are_told_by_schema_rows_and_columns_that_moved():
    old = table(100, column("a"), column("gone"), column("kind"), column("same"))
    new = table(
        103,
        column("a", nulls=0.25, mean=2.5, quantiles=[0, 1, 3, 3, 4]),
        column("kind", "string"),
        column("same"),
        column("new"),
    )
    assert list(_shown(old, new)) == [
        "100 → 103 rows (+3)", "gone: the column is gone", "kind: int64 → string", "new: the column is new (int64)",
        "a: missing 0 % → 25 %; mean 2 → 2.5; median 2 → 3",
    ]  # fmt: skip
    many = [column(f"c{i}") for i in range(40)]
    moved = [column(f"c{i}", mean=9.0) for i in range(40)]
    assert list(_shown(table(1, *many), table(1, *moved)))[-1] == "and 28 more columns moved"
    assert list(_shown(old, old)) == []
    assert list(_shown(old, {"kind": "none", "why": "it is too large"})) == [
        "it cannot be looked into as it is now: it is too large"
    ]


def test_locks_tell_what_sources_held():
    old = Data(
        source="x",
        size=1,
        bytes="b3:1",
        rows=10,
        columns={"id": "int64", "old": "text"},
        quantiles={"v": (1.0, 2.0, 3.0)},
    )
    new = Data(
        source="x",
        size=1,
        bytes="b3:2",
        rows=12,
        columns={"id": "text"},
        quantiles={"v": (1.0, 5.0, 9.0)},
        content="c1:2",
    )
    assert list(_facts(old, new)) == [
        "10 → 12 rows (+2)",
        "id: int64 → text",
        "old: the column is gone",
        "v: median 2 → 5",
    ]
    same = Data(source="x", size=2, bytes="b3:3", content="c1:2")
    assert list(_facts(new, same)) == ["the same content in other bytes"]


def test_the_lock_of_a_commit_is_asked(tmp_path):
    def git(*words):
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words],
            cwd=tmp_path,
            check=True,
            capture_output=True,
        )

    def data(digest, rows):
        return Lock(data={"flights": Data(source="x", size=1, bytes=f"b3:{digest}", rows=rows)})

    git("init", "-q")
    for digest, rows in (("1" * 64, 10), ("2" * 64, 12)):
        (tmp_path / "stepwell.lock").write_text(text_of(data(digest, rows)))
        git("add", ".")
        git("commit", "-q", "-m", digest)
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD~1"], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout.strip()
    locks = Locks(tmp_path)
    assert locks.data("flights", "b3:" + "2" * 64, "").rows == 12
    assert locks.data("flights", "b3:" + "1" * 64, commit).rows == 10
    assert locks.data("flights", "b3:" + "1" * 64, "") is None
    assert locks.data("flights", "b3:" + "1" * 64, "--output=x") is None
    assert locks.data("flights", "b3:" + "3" * 64, "f" * 40) is None
    (tmp_path / "stepwell.lock").write_text("no lock")
    assert Locks(tmp_path).data("flights", "b3:" + "2" * 64, "") is None


def test_sources_that_were_frozen_are_looked_into(empty, tmp_path):
    for rows, most in ((20_000, 90), (20_007, 91)):
        with empty.blobs.sink() as sink:
            sink.write(b"id,age\n" + b"".join(b"%d,%d\n" % (i, i % most) for i in range(rows)))
            digest, size, _ = sink.finish()
        add(
            empty,
            {"rows": rows},
            about={"sources": [["people", "crm/people.csv", digest, size]], "python": "3.11.7"},
        )
    (source,) = (row for row in compare_runs(empty, tmp_path)["data"] if row["kind"] == "source")
    assert source["changes"][0]["lines"][0] == "20,000 → 20,007 rows (+7)"
    assert any(line.startswith("age: mean 44.465 → ") for line in source["changes"][0]["lines"])


def test_an_output_that_is_code_is_not_run(empty, tmp_path):
    evil = b"cos\nsystem\n(S'touch %s'\ntR." % str(tmp_path / "ran").encode()
    add(empty, {"a": 1}, outputs=[made(evil, codec="pickle")])
    add(empty, {"a": 2}, outputs=[made(evil + b" ", codec="pickle")])
    document = checked(compare_runs(empty, tmp_path))
    (row,) = (row for row in document["data"] if row["kind"] == "output")
    assert row["differs"]
    assert row["changes"][0]["lines"]
    assert not (tmp_path / "ran").exists()


def test_an_output_that_is_gone_is_told(empty, tmp_path):
    add(empty, {"a": 1}, outputs=[made(b"[1]", codec="json")])
    add(empty, {"a": 2}, outputs=[made(b"[2]", codec="json")])
    empty.commit(now=True)
    empty.database.write(lambda connection: connection.execute("DELETE FROM blobs"))
    with open_store(empty.folder, readonly=True) as reader:
        document = compare_runs(reader, tmp_path)
    assert document["data"][0]["changes"][0]["lines"]


# --------------------------------------------------------------------------- for other programs, and hostile names


def test_csv_has_no_formulas(empty):
    add(empty, {"=cmd|x": "=1+1", "plus": "+1", "at": "@x", "minus": "-2+3", "n": -2.5, "b": True, "l": [1, 2], "t": "\tx"},
        [("=m", float("-inf")), ("auc", float("nan"))])  # fmt: skip
    head, row, *rest = csv_text(empty.runs.runs()).splitlines()
    assert rest == []
    assert head.endswith(
        "params.=cmd|x,params.plus,params.at,params.minus,params.n,params.b,params.l,params.t,metrics.=m,metrics.auc"
    )
    assert row.endswith("""'=1+1,'+1,'@x,'-2+3,-2.5,true,"[1, 2]",'\tx,-Infinity,NaN""")
    assert csv_text(empty.runs.runs(), "a*").splitlines()[0].endswith("params.t,metrics.auc")


def test_hostile_names_are_text(empty, tmp_path):
    add(empty, {"\x1b[2Jname": "\x1b]0;x\x07"}, [("\x1b[31mauc", 1.0)])
    add(empty, {"\x1b[2Jname": "b\u202ec"}, [("\x1b[31mauc", 2.0)])
    add(empty, {"\x1b[2Jname": "c"}, [("\x1b[31mauc", 3.0)])
    for words in (["r1", "r2"], ["r1..r3"]):
        text = "\n".join(lines(checked(compare_runs(empty, tmp_path, words))))
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "\\x1b[31mauc" in text
    assert "\x1b" not in csv_text(empty.runs.runs())
