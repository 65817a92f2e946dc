"""`stepwell describe`: the contract of a pipeline and of its steps, without any run."""

from __future__ import annotations

import pytest

from stepwell.app.contract import well_known

SALES = """
    from datetime import date
    from typing import Annotated, NamedTuple
    from stepwell import pipeline, source, step

    orders = source("orders.csv", str)

    class Sums(NamedTuple):
        net: Annotated[float, "USD"]
        count: int

    @step
    def parse(text: str, day: date = date(2024, 1, 1)) -> list[Annotated[float, "USD", "net of tax"]]:
        \"\"\"Prices of
        all orders.

        Not this.\"\"\"
        return [float(line) for line in text.split()]

    @step(cpus=2, memory="100MB", env=["TZ"])
    def add(prices: list[float], sign: int = 1) -> Sums:
        return Sums(sign * sum(prices), len(prices))

    @step
    def tell(net: Annotated[float, "USD"], lang: str, *more: int) -> str:
        return f"{net} {lang} {more}"

    @pipeline
    def sales(lang: str, limit: int = 3) -> list[str]:
        \"\"\"What was sold?\"\"\"
        sums = add(parse(orders()))
        return [tell(sums.net, lang, 1, sums.count), tell.named("short")(sums.net, "en")]
"""


@pytest.fixture
def sales(project):
    project.write(SALES)
    return project


def test_a_step_as_text(sales):
    assert sales("describe", "add", "lang=de").out.splitlines() == [
        "add  pipeline.py:19",
        "  inputs",
        "    prices  list[float]  from parse",
        "    sign    int          default 1",
        "  outputs",
        "    net    float [USD]  as json  → tell, short",
        "    count  int          as json  → tell",
        "  needs",
        "    processors   2",
        "    memory       100 MB",
        "    environment  $TZ",
    ]


def test_the_whole_pipeline(sales):
    """The source does not even have to be there."""
    document = sales("describe", "lang=de", "--json").json
    assert (document["pipeline"], document["about"], document["where"]) == (
        "sales",
        "What was sold?",
        "pipeline.py:27",
    )
    assert document["params"] == [
        {"name": "lang", "type": "str", "units": []}, {"name": "limit", "type": "int", "units": [], "default": 3},
    ]  # fmt: skip
    (source,) = document["sources"]
    assert (source["name"], source["uri"], source["type"], source["read_by"]) == (
        "orders",
        "orders.csv",
        "str",
        ["parse"],
    )
    assert document["result"] == {"type": "list[str]", "from": ["tell", "short"]}
    parse, add, tell = document["steps"]
    assert [step["step"] for step in document["steps"]] == ["parse", "add", "tell"]
    assert parse["about"] == "Prices of all orders."
    assert parse["inputs"] == [
        {"name": "text", "type": "str", "units": [], "from": ["source orders"]},
        {"name": "day", "type": "date", "units": [], "default": "2024-01-01", "from": []},
    ]
    assert parse["outputs"][0]["units"] == ["USD", "net of tax"]
    assert add["needs"] == {"cpus": 2, "memory": 100_000_000, "env": ["TZ"]}
    assert [output["read_by"] for output in add["outputs"]] == [["tell", "short"], ["tell"]]
    assert tell["calls"] == ["tell", "short"]
    assert [one["from"] for one in tell["inputs"]] == [["add.net"], ['"de"', '"en"'], ["1", "add.count"]]
    assert tell["outputs"][0]["read_by"] == ["the result of `sales`"]
    text = sales("describe", "lang=de").out
    assert text.startswith(
        "sales  pipeline.py:27\n  What was sold?\n  parameters\n    lang   str  must be given\n    limit  int  = 3\n"
    )
    assert not (sales.root / ".stepwell").exists()


def test_what_a_step_gave_last(sales):
    sales.write("1\n2.5\n", "orders.csv")
    sales("run", "lang=de")
    (add,) = sales("describe", "add", "lang=de", "--json").json["steps"]
    assert [output["last"] for output in add["outputs"]] == ["3.5", "2"]
    (short,) = sales("describe", "short", "lang=de", "--json").json["steps"]
    assert short["calls"] == ["short"]
    assert short["inputs"][1]["from"] == ['"en"']


def test_checks_and_trust(project):
    project.write("""
        from stepwell import pipeline, step

        def fresh(n):
            return True

        def positive(result):
            assert result > 0

        @step(done=fresh, validate=[positive], retries=2, backoff=3, timeout="5min", ttl="2h", ignore=["n"])
        def ask(n: int) -> int:
            return n

        @pipeline
        def one() -> int:
            return ask(1)
    """)
    (ask,) = project("describe", "ask", "--json").json["steps"]
    assert ask["checks"] == {"validate": ["pipeline:positive"], "done": "pipeline:fresh"}
    assert (ask["retries"], ask["backoff"], ask["timeout"]) == (2, 3, 300)
    assert [text.partition(":")[0] for text in ask["trust"]] == [
        "ignore=n",
        "a result counts for 2 h (ttl)",
        "done=fresh",
    ]
    text = project("describe", "ask").out
    assert "    validate  positive  judges what it gives\n" in text
    assert "    retries  2, the first after 3.0 s\n" in text


PROMISES = """
    import os
    from pathlib import Path
    from typing import Annotated
    import pandas as pd
    from stepwell import Columns, pipeline, source, step

    rows = source("rows.csv", pd.DataFrame)

    @step
    def clean(table: Annotated[pd.DataFrame, Columns("a", b=float)]) -> Annotated[pd.DataFrame, Columns("a")]:
        os.environ.get("CURRENCY")
        Path("data/none.txt").exists()
        names = sorted(path.name for path in Path("data/notes").iterdir())
        return table.assign(rate=len(Path("data/rates.json").read_text()), n=len(names))

    @step(out="report.md")
    def report(table: pd.DataFrame) -> Path:
        Path("report.md").write_text(str(len(table)))
        return Path("report.md")

    @pipeline
    def main() -> Path:
        return report(clean(rows()))
"""


def test_what_is_declared_and_what_was_seen(project):
    pytest.importorskip("pandas")
    project.write(PROMISES)
    project.write("a,b\n1,2.5\n", "rows.csv")
    project.write("{}", "data/rates.json")
    project.write("", "data/notes/one.txt")
    clean, report = project("describe", "--json").json["steps"]
    assert clean["inputs"][0]["columns"] == {"a": "", "b": "float"}
    assert clean["outputs"][0]["columns"] == {"a": ""}
    assert "columns" not in report["inputs"][0]
    assert (clean["out"], report["out"]) == ([], ["report.md"])
    assert clean["observed"] == []
    project("run")
    (clean,) = project("describe", "clean", "--json").json["steps"]
    assert set(clean["observed"]) == {
        "$CURRENCY",
        "data/rates.json",
        "data/notes/",
        "data/none.txt (not there)",
    }
    text = project("describe").out
    assert "    rows  pandas.DataFrame  rows.csv  → clean\n" in text
    assert "    table  pandas.DataFrame  from source rows\n        columns a, b: float\n" in text
    assert "  writes\n    report.md\n" in text
    assert "  last seen to read\n    $CURRENCY, data/" in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("polars.dataframe.frame.DataFrame", "polars.DataFrame"),
        ("list[pandas.core.frame.DataFrame]", "list[pandas.DataFrame]"),
        ("dict[str, pyarrow.lib.Table]", "dict[str, pyarrow.Table]"),
        ("numpy.ndarray", "numpy.ndarray"),
        ("shop.pandas.Frame", "shop.pandas.Frame"),
    ],
)
def test_types_have_their_well_known_names(text, shown):
    assert well_known(text) == shown


def test_typed_wrong(sales):
    assert sales.refused("describe", "tel", "lang=de", code=2)["fixes"][0] == "did you mean `tell`?"
    assert sales.refused("describe", "tell", "add", "lang=de", code=2)["code"] == "E100"
    assert sales.refused("describe", code=2)["code"] == "E106"
