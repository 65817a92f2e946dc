"""`stepwell compare`, and `runs` with conditions, on real runs."""

from __future__ import annotations

import pytest

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
    from cli_projects import Project

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


def test_runs_are_listed_by_conditions(runs):
    assert [row["run"] for row in runs("runs", "--where", "auc > 0.61", "--json").json["runs"]] == ["r2"]
    assert [row["run"] for row in runs("runs", "--sort", "auc", "--json").json["runs"]] == ["r1", "r2"]
    assert [row["run"] for row in runs("runs", "--sort", "-auc", "--json").json["runs"]] == ["r2", "r1"]
    assert runs("runs", "--tag", "trees").out.count("\n") == 3


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("compare", "--where", "auc >"), "E541"),
        (("compare", "--where", "auk > 1"), "E542"),
        (("runs", "--sort", "auk"), "E542"),
        (("compare", "--where", "auc > 2"), "E543"),
        (("compare", "r9"), "E108"),
        (("compare", "--best", "auc", "--sort", "auc"), "E100"),
    ],
)
def test_what_is_typed_wrong_is_told(runs, words, code):
    assert runs.refused(*words, code=2)["code"] == code
