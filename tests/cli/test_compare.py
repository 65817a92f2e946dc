"""`stepwell compare`, and `runs` with conditions, on real runs."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

import pytest
from cli_projects import Project

sys.path.insert(0, str(Path(__file__).parents[1] / "stores"))

from many_runs import build

TABLES = """
    from pathlib import Path

    import pyarrow as pa
    from stepwell import log, pipeline, source, step

    raw = source("raw.csv")

    @step
    def read(path: Path, rows: int) -> pa.Table:
        ages = [n % 7 for n in range(rows)]
        return pa.table({"id": list(range(rows)), "age": ages})

    @step
    def score(table: pa.Table, model: str = "trees") -> float:
        auc = 0.5 + table.num_rows / 1000
        log.metric("auc", auc)
        log.tag(model)
        return auc

    @pipeline
    def delays(rows: int = 100) -> float:
        return score(read(raw(), rows))
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs: another number of rows, other code, another source."""
    project = Project(tmp_path_factory.mktemp("compare"))
    project.write(TABLES)
    project.write("a,b\n1,2\n", "raw.csv")
    project("run")
    project.edit("n % 7", "n % 9")
    project.write("a,b\n1,2\n3,4\n", "raw.csv")
    project("run", "rows=120")
    return project


def test_two_runs_are_told_apart(runs):
    told = runs("compare").out
    assert "+0.02 better" in told
    assert "+    ages = [n % 9 for n in range(rows)]" in told
    assert "8 → 12 bytes" in told
    assert "100 → 120 rows (+20)" in told
    assert "age: " in told
    document = runs("compare", "r1", "r2", "--json").json
    (table,) = (row for row in document["data"] if row["name"] == "read")
    assert table["changes"][0]["lines"][0] == "100 → 120 rows (+20)"
    assert document["runs"][1]["tags"] == ["trees"]


def test_a_table_tells_beside_itself_what_is_left_out(runs):
    told = runs("compare", "r1", "r2", "--csv", "--limit", "1", "--metric", "nope*")
    assert told.out.count("\n") == 2
    assert "note: 1 of 2 runs are compared" in told.err
    assert "note: no metric has a name like `nope*`: there are auc" in told.err


def test_runs_are_listed_by_conditions(runs):
    assert [row["run"] for row in runs("runs", "--where", "score.auc > 0.61", "--json").json["runs"]] == [
        "r2"
    ]
    assert [row["run"] for row in runs("runs", "--where", "auc > 0.61", "--json").json["runs"]] == ["r2"]
    assert [row["run"] for row in runs("runs", "--sort", "auc", "--json").json["runs"]] == ["r1", "r2"]
    assert [row["run"] for row in runs("runs", "--sort", "-auc", "--json").json["runs"]] == ["r2", "r1"]
    assert runs("runs", "--tag", "trees").out.count("\n") == 3


def test_a_name_that_begins_with_a_dash(project):
    project.write("""
        from stepwell import log, pipeline, step

        @step
        def score(k: int) -> int:
            log.metric("-n", k)
            return k

        @pipeline
        def scores(k: int = 1):
            return score(k)
    """)
    for k in (2, 1):
        project("run", f"k={k}")
    error = project.refused("runs", "--sort", "-n", code=2)
    assert (error["code"], error["fixes"]) == ("E542", ["did you mean --sort '`-n`' ?"])
    for order, wanted in (("`-n`", ["r2", "r1"]), ("-`-n`", ["r1", "r2"])):
        assert [row["run"] for row in project("runs", "--sort", order, "--json").json["runs"]] == wanted
        compared = project("compare", "r1", "r2", "--sort", order, "--json").json["runs"]
        assert [row["run"] for row in compared] == wanted
    assert "'`-n`'" in project("runs", "--help").out


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("compare", "--where", "auc >"), "E541"),
        (("compare", "--where", "auk > 1"), "E542"),
        (("runs", "--sort", "auk"), "E542"),
        (("runs", "--where", "check.auc > 0"), "E542"),
        (("compare", "--where", "auc > 2"), "E543"),
        (("compare", "r9"), "E108"),
        (("compare", "--best", "auc", "--sort", "auc"), "E100"),
    ],
)
def test_what_is_typed_wrong_is_told(runs, words, code):
    assert runs.refused(*words, code=2)["code"] == code


def test_what_is_damaged_hides_nothing_that_is_sound(tmp_path):
    """Of seven single runs and a sweep of seven, one each cannot be read: the others are listed, and it is said which."""
    project = Project(tmp_path)
    build(project.root / ".stepwell", runs=14, metrics=2, points=0)
    with sqlite3.connect(project.root / ".stepwell" / "store.db") as database:
        database.execute("UPDATE runs SET params = '{\"depth\": ' WHERE id IN (2, 14)")
    database.close()
    told = "the records of r14, r2 are damaged in the store"
    listed = project("runs", code=6)
    assert told in listed.err
    assert "fix   stepwell verify    takes them out" in listed.err
    _, sweep, *single = listed.out.splitlines()
    assert "1 damaged" in sweep
    assert "7 points" in sweep
    assert [line.split()[0] for line in single] == ["r7", "r6", "r5", "r4", "r3", "r2", "r1"]
    assert [line.split()[0] for line in single if "damaged" in line] == ["r2"]
    points = project("runs", "--json", code=6)
    assert told in points.err
    status = {row["run"]: row["status"] for row in points.json["runs"]}
    assert [run for run in status if status[run] == "damaged"] == ["r14", "r2"]
    assert len(status) == 14
    found = project("runs", "--where", "depth > 0", code=6)
    assert told in found.err
    assert "damaged" not in found.out
    assert "r14" in project("show", "g2", code=6).err
    compared = project("compare", "--json", code=6)
    assert (compared.json["damaged"], len(compared.json["runs"])) == (["r14"], 6)
    assert "r14" in compared.err
    assert project("compare", "r1..r4", "--csv", code=6).out.count("\n") == 5
    assert project.refused("compare", "r1", "r2", code=6)["code"] == "E502"
    assert project.refused("show", "r14", code=6)["fixes"][0].startswith("stepwell verify ")


def test_the_code_of_a_step_that_failed_is_compared(tmp_path):
    project = Project(tmp_path)
    project.write(TABLES)
    project.write("a,b\n1,2\n", "raw.csv")
    project("run")
    project.edit("auc = 0.5 +", "auc = 1 / 0 +")
    project("run", code=1)
    project("run", "rows=120", code=1)
    project.edit("auc = 1 / 0 +", "auc = 0.5 +")
    project.edit("n % 7", "1 // 0")
    project("run", "rows=7", code=1)
    changed = {one["step"]: one for one in project("compare", "r1", "r2", "--json").json["code"]}
    assert changed["pipeline:score"]["changed"]
    assert "+    auc = 1 / 0 + table.num_rows / 1000" in changed["pipeline:score"]["diffs"][0]["diff"]
    assert not changed["pipeline:read"]["changed"]
    assert "auc = 1 / 0" in project("compare", "r1", "r2").out
    same = {one["step"]: one for one in project("compare", "r2", "r3", "--json").json["code"]}
    assert not same["pipeline:score"]["changed"]  # both failed with the same code
    other = project("compare", "r2", "r4", "--json").json
    assert {one["step"] for one in other["code"] if one["changed"]} == {"pipeline:read"}
    assert other["environment"] == []  # what a step without a result rests on is not known


def test_what_steps_read_besides_their_inputs_is_compared(tmp_path):
    project = Project(tmp_path)
    project.write("""
        import os
        from pathlib import Path
        from stepwell import log, pipeline, step

        @step
        def score(n: int) -> float:
            auc = float(Path("limit.txt").read_text()) + int(os.environ.get("AGE", "0"))
            log.metric("auc", auc)
            return auc

        @pipeline
        def main(n: int = 1) -> float:
            return score(n)
    """)
    project.write("1", "limit.txt")
    project("run")
    project.write("2", "limit.txt")
    project("run", env={"AGE": "30"})
    found = {row["name"]: row for row in project("compare", "--json").json["data"]}
    assert found["$AGE"]["digests"] == {"r1": "unset", "r2": '"30"'}
    assert found["$AGE"]["changes"] == [{"run": "r2", "lines": ['unset → "30"']}]
    assert found["limit.txt"]["kind"] == "read"
    assert found["limit.txt"]["changes"][0]["lines"] == ["changed"]
    told = project("compare").out
    assert '$AGE  (read by steps)  unset → "30"' in told
    assert "limit.txt  (read by steps)  changed" in told
    assert "`$AGE`" in project("report", "r2", "--markdown").out
    project("run", env={"AGE": "31"})
    assert "also differs: data $AGE, limit.txt" in project("compare", "r1", "r2", "r3").out
    again = project("run", env={"AGE": "31"})
    assert "cached" in again.out
    assert not [row for row in project("compare", "r3", "r4", "--json").json["data"] if row["kind"] == "read"]


def test_a_run_some_of_whose_steps_were_left_as_they_were_is_marked(project):
    project.write("""
        from stepwell import log, pipeline, step

        @step
        def train(depth: int) -> float:
            return depth / 10

        @step
        def score(model: float, depth: int) -> float:
            log.metric("acc", model)
            return model

        @pipeline
        def main(depth: int = 4) -> float:
            return score(train(depth), depth)
    """)
    project("run")
    project("run", "depth=9", "--only", "score")
    newest, first = project("runs").out.splitlines()[1:]
    assert newest.endswith("depth=9  acc=0.4  1 step left as it was")
    assert "left" not in first
    assert [row["left"] for row in project("runs", "--json").json["runs"]] == [1, 0]
    assert project("show", "--json").json["counts"] == {"left": 1, "succeeded": 1}
    assert "left as they were in r2" in project("compare").out
    assert "1 left as it was" in project("report", "--markdown").out
    project("run", "depth=4", "--only", "score")  # everything is up to date: nothing was left
    assert "left" not in project("runs").out.splitlines()[1]
