"""Queries as steps: what goes in, what comes out, what is found out before anything runs."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from stepwell import Columns, sql
from stepwell.errors import (
    BadDatabase,
    BadOption,
    BadQuery,
    QueryFailed,
    QueryRefused,
    SqlInput,
    SqlResult,
    UndeclaredTable,
)

FRAME = pd.DataFrame({"carrier": ["AA", "UA", None], "month": [1, 2, 2], "delay": [1.5, None, 2.0]})

HOSTILE = ["'; drop table t; --", '"', "\n\t\\", "$(ls) `ls`", "{x} {{x}} %s :x $1 ?", "日本 \U0001f600", ""]


# --------------------------------------------------------------------------- inputs


@pytest.mark.parametrize(
    "table",
    [
        FRAME,
        pl.from_pandas(FRAME),
        pl.from_pandas(FRAME).lazy(),
        pa.Table.from_pandas(FRAME, preserve_index=False),
        pa.RecordBatch.from_pandas(FRAME, preserve_index=False),
        [{"carrier": "AA", "month": 1}, {"carrier": "UA", "month": 2}, {"carrier": None, "month": 2}],
    ],
    ids=["pandas", "polars", "lazy", "arrow", "batch", "rows"],
)
def test_tables_of_all_libraries_are_relations(table):
    query = sql("select carrier, month from {t} where month = {m} order by carrier nulls last", list[dict])
    assert query(t=table, m=2) == [{"carrier": "UA", "month": 2}, {"carrier": None, "month": 2}]


def test_named_levels_of_an_index_are_columns():
    table = FRAME.groupby("month").agg(n=("delay", "size"))
    assert sql("select month, n from {t} order by 1", list[dict])(t=table) == [
        {"month": 1, "n": 1},
        {"month": 2, "n": 2},
    ]


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.jsonl", "t.arrow", "a'b [1]*.csv"])
def test_files_are_relations(tmp_path, name):
    path = tmp_path / name
    {
        ".csv": lambda: FRAME.to_csv(path, index=False),
        ".parquet": lambda: parquet.write_table(pa.Table.from_pandas(FRAME), path),
        ".jsonl": lambda: FRAME.to_json(path, orient="records", lines=True),
        ".arrow": lambda: feather.write_feather(FRAME, path, compression="uncompressed"),
    }[path.suffix]()
    assert sql("select sum(month) from {t}", int)(t=path) == 5
    assert sql("select sum(month) from {t}", int)(t=[path, path]) == 10


@pytest.mark.parametrize("value", HOSTILE)
def test_values_are_bound_and_never_code(value):
    rows = sql("select {x} as x, {x} || '!' as y from {t} where {x} = {x} limit 1", list[dict])(
        t=FRAME, x=value
    )
    assert rows == [{"x": value, "y": f"{value}!"}]
    assert sql("select count(*) from {t} where carrier in ({x})", int)(t=FRAME, x=[value]) == 0


@pytest.mark.parametrize(
    "value", [True, 7, 2.5, "a", None, dt.date(2020, 1, 2), dt.datetime(2020, 1, 2, 3), [1, 2], b"x"]
)
def test_values_keep_their_types(value):
    assert sql("select {x} as x", list[dict])(x=value) == [{"x": value}]


@pytest.mark.parametrize(("months", "count"), [([2], 2), ([1, 2], 3), ([], 0), ((7,), 0), ({1}, 1)])
def test_lists_stand_in_brackets(months, count):
    assert sql("select count(*) from {t} where month in ({m})", int)(t=FRAME, m=months) == count
    assert sql("select count(*) from {t} where month not in ({m})", int)(t=FRAME, m=months) == 3 - count


def test_identifiers_are_quoted():
    assert sql("select {c:id} from {t} order by 1 limit 1", str)(t=FRAME, c="carrier") == "AA"
    with pytest.raises(QueryRefused):
        sql("select {c:id} from {t}", str)(t=FRAME, c='carrier" from t; drop table t; --')
    with pytest.raises(SqlInput, match="identifier"):
        sql("select {c:id} from {t}", str)(t=FRAME, c=3)


def test_an_annotation_says_what_is_a_table():
    query = sql("select {x} as x", list[dict], parameters={"x": list[dict]})
    with pytest.raises(QueryRefused):
        query(x=[{"a": 1}])  # a relation, which is no value
    with pytest.raises(SqlInput, match="source"):
        sql("select * from {t}")(t="data/flights.csv")


@pytest.mark.parametrize("value", [object(), {1: object()}, Path("x.txt"), FRAME.assign(m=[1, "a", None])])
def test_what_a_query_cannot_take_is_said(value):
    with pytest.raises(SqlInput, match="`t`"):
        sql("select * from {t}")(t=value)


# --------------------------------------------------------------------------- results


def test_results_are_of_the_type_that_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = "select carrier, sum(month) as s, 0.5 as h, date '2020-01-02' as d from {t} group by 1 order by 1 nulls last"
    table = sql(text)(t=FRAME)
    assert isinstance(table, pa.Table)
    assert table.schema.field("s").type == pa.int64()
    frame = sql(text, pd.DataFrame)(t=FRAME)
    assert frame["h"].tolist() == [0.5] * 3
    assert frame["d"][0] == pd.Timestamp("2020-01-02")
    assert sql(text, pl.DataFrame)(t=FRAME)["s"].to_list() == [1, 2, 2]
    assert sql(text, dict[str, object])(t=FRAME[:1]) == {
        "carrier": "AA",
        "s": 1,
        "h": 0.5,
        "d": dt.date(2020, 1, 2),
    }
    assert sql("select month from {t} order by 1", list[int])(t=FRAME) == [1, 2, 2]
    assert sql("select 2.50", Decimal)() == Decimal("2.50")
    assert sql("select 2.50", float)() == 2.5
    assert sql("select count(*) > 2 from {t}", bool)(t=FRAME) is True


def test_a_number_that_needs_128_bits_keeps_them():
    assert sql("select 170141183460469231731687303715884105727::hugeint as x", list[dict])() == [
        {"x": 2**127 - 1}
    ]


@pytest.mark.parametrize("name", ["o/x.parquet", "o/x.csv", "o/x.tsv", "o/x.jsonl", "o/x.arrow"])
def test_files_are_written(tmp_path, name):
    (tmp_path / "q.py").write_text(
        f"from pathlib import Path\nfrom stepwell import sql\nq = sql('select 1 as a, 2 as b', Path, out={name!r})\n"
    )
    scope = {"__name__": "q"}
    exec(compile((tmp_path / "q.py").read_text(), str(tmp_path / "q.py"), "exec"), scope)
    written = tmp_path / scope["q"]()
    assert sql("select a + b from {t}", int)(t=written) == 3
    assert [each.name for each in written.parent.iterdir()] == [written.name]


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("select 1, 2", int, "one value"),
        ("select unnest([1, 2])", int, "one value"),
        ("select null", int, "NULL"),
        ("select 'a'", int, "str"),
        ("select 1.5", int, "Decimal"),
        ("select 1, 2", list[int], "2 columns"),
        ("select 1 as a, 2 as a", pd.DataFrame, "two columns"),
        ("create table x (a int)", pd.DataFrame, "no rows"),
    ],
)
def test_a_result_that_does_not_fit_is_said(text, kind, said):
    with pytest.raises(SqlResult, match=said):
        sql(text, kind)()


def test_several_statements_give_the_last_ones_rows():
    query = sql(
        "create temp table x as select * from {t} where month = {m}; select count(*) from x;\n-- end", int
    )
    assert query(t=FRAME, m=2) == 2


def test_rows_come_twice_in_the_same_order():
    table = pa.table({"k": [i * 7919 % 5003 for i in range(200_000)]})
    query = sql("select k, count(*) as n from {t} group by k", list[dict])
    assert query(t=table) == query(t=table)


# --------------------------------------------------------------------------- out of reach


@pytest.mark.parametrize(
    "text",
    [
        "select * from read_csv('{path}')",
        "select * from '{path}'",
        "select * from read_text('{path}')",
        "select * from glob('/*')",
        "attach '{path}' as other; select 1",
        "copy (select 1) to '{path}'",
        "install httpfs",
        "load httpfs",
        "select * from read_csv('https://localhost:1/x.csv')",
        "set enable_external_access = true; select * from read_csv('{path}')",
        "set allowed_paths = ['{path}']; select * from read_csv('{path}')",
    ],
)
def test_what_is_no_input_is_out_of_reach(tmp_path, text):
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    allowed = tmp_path / "t.csv"
    FRAME.to_csv(allowed, index=False)
    with pytest.raises((UndeclaredTable, QueryFailed)) as found:
        sql(text.replace("{path}", str(secret)) + "; select count(*) from {t}", int)(t=allowed)
    if "set " not in text:
        assert isinstance(found.value, UndeclaredTable)
        assert "source(" in found.value.fixes[0]
    assert secret.read_text() == "a\n1\n"


def test_variables_of_python_are_no_tables():
    outside = FRAME  # noqa: F841
    with pytest.raises(QueryRefused, match="outside"):
        sql("select * from outside")()


# --------------------------------------------------------------------------- mistakes in the call


@pytest.mark.parametrize(
    ("args", "options", "error", "said"),
    [
        (("",), {}, BadQuery, "text of a query"),
        ((3,), {}, BadQuery, "text of a query"),
        (("-- nothing",), {}, BadQuery, "no statement"),
        (("daily.sql",), {}, BadQuery, "name of a file"),
        ((Path("nothing.sql"),), {}, BadQuery, "cannot be read"),
        (("select '{x}'",), {}, BadQuery, "between quotes"),
        (("select {ü}",), {}, Exception, "cannot be the name"),
        (("select 1", set), {}, BadQuery, "cannot give"),
        (("select 1", list[set]), {}, BadQuery, "cannot give"),
        (("select 1", Path), {}, BadQuery, "needs the file"),
        (("select 1", Path), {"out": "x.exe"}, BadQuery, "cannot write"),
        (("select 1", int), {"out": "x.csv"}, BadQuery, "for a query that gives a Path"),
        (("select 1", None), {}, BadQuery, "do nothing"),
        (("select {month}",), {"parameters": {"mont": int}}, BadQuery, "no placeholder"),
        (("select 1",), {"database": "mysql://h/x"}, BadDatabase, "no address"),
        (("select 1",), {"database": "sqlite:///"}, BadDatabase, "no file"),
        (("select 1",), {"cpu": 3}, BadOption, "no option"),
    ],
)
def test_mistakes_are_told_at_the_users_line(args, options, error, said):
    with pytest.raises(error, match=said) as found:
        sql(*args, **options)
    assert (
        found.value.where.startswith("tests/kinds/test_sql.py:")
        or found.value.where.endswith("test_sql.py")
        or "test_sql.py:" in found.value.where
    )


def test_a_step_has_the_names_and_types_of_its_inputs():
    query = sql("select {a}, {b:id} from {t}", parameters={"a": int})
    assert [(one.name, one.annotation) for one in query.signature.parameters.values()][:2] == [
        ("a", int),
        ("b", str),
    ]


# --------------------------------------------------------------------------- the command

FLIGHTS = """
    import pandas as pd
    from stepwell import pipeline, source, sql

    flights = source("data/flights.csv", pd.DataFrame)
    raw = source("data/flights.csv")

    daily = sql('''
        -- by carrier
        select carrier, avg(dep_delay) as delay
        from {flights} where month = {month} group by 1 order by 1
    ''', pd.DataFrame)
    worst = sql("select carrier from {daily} order by delay desc limit 1", str)
    count = sql("select count(*) from {raw}", int)

    @pipeline
    def report(month: int = 1):
        return worst(daily=daily(flights=flights(), month=month)), count(raw=raw())
"""


@pytest.fixture
def flights(project):
    project.write(FLIGHTS)
    project.write("carrier,month,dep_delay\nAA,1,5\nAA,1,7\nUA,1,3\nUA,2,4\n", "data/flights.csv")
    return project


def test_a_query_is_planned_run_and_cached_like_any_step(flights):
    assert flights("run", "--json").json["result"] == ["AA", 4]
    assert set(flights("plan", "--json").decisions.values()) == {"cached"}
    flights.edit("-- by carrier", "-- by the carrier, of all flights\n")
    assert set(flights("plan", "--json").decisions.values()) == {"cached"}
    assert flights("run", "month=2", "--json").json["result"] == ["UA", 4]
    flights.edit("avg(", "max(")
    plan = flights("plan", "--json").decisions
    assert (plan["daily"], plan["count"]) == ("run", "cached")
    assert "-select carrier, avg" in flights("plan").out


@pytest.mark.parametrize(
    ("old", "new", "said", "hint"),
    [
        (
            "select carrier, avg",
            "select carier, avg",
            'Referenced column "carier"',
            "did you mean `carrier`?",
        ),
        ("by delay", "by dely", 'Referenced column "dely"', "did you mean `delay`?"),
        ("avg(", "avgg(", "avgg does not exist", "did you mean `avg`?"),
        ("group by 1", "gruop by 1", "syntax error", ""),
        ("count(*) from {raw}", "sum(carrier) from {raw}", "sum(VARCHAR)", ""),
        ("from {raw}", "from {raw}, other", "other does not exist", ""),
        ("from {raw}", "from {raw}, 'x.csv'", "no input of its step", ""),
    ],
)
def test_what_is_wrong_with_a_query_is_told_by_the_plan(flights, old, new, said, hint):
    flights.edit(old, new)
    error = (
        flights.refused("plan", code=3)
        if "x.csv" not in new
        else flights("plan", "--json", code=1).json["error"]
    )
    assert said in error["what"]
    assert hint in " ".join(error["fixes"])
    assert error["where"].startswith("pipeline.py:")


def test_columns_of_a_query_are_known_to_who_declares_them(flights):
    flights.edit(
        "import pandas as pd",
        "import pandas as pd\n    from typing import Annotated\n    from stepwell import Columns, step".replace(
            "\n    ", "\n"
        ),
    )
    flights.edit(
        "worst = sql(",
        "@step\ndef use(table: Annotated[pd.DataFrame, Columns('carrier', 'dely')]) -> int:\n    return len(table)\n\nworst = sql(",
    )
    flights.edit("return worst(", "use(daily(flights=flights(), month=month))\n    return worst(")
    error = flights.refused("plan", code=3)
    assert error["code"] == "E315"
    assert "did you mean `delay`?" in error["fixes"]


def test_a_query_in_a_file_is_code(flights):
    flights.write("select count(*)\nfrom {raw}\n", "queries/count.sql")
    flights.edit('"select count(*) from {raw}"', 'Path("queries/count.sql")')
    flights.edit("import pandas as pd", "import pandas as pd\nfrom pathlib import Path")
    assert flights("run", "--json").json["result"] == ["AA", 4]
    flights.edit("count(*)", "count(*) + 1", "queries/count.sql")
    assert flights("plan", "--json").decisions["count"] == "run"
    assert flights("run", "--json").json["result"] == ["AA", 5]
    flights.edit("from", "form", "queries/count.sql")
    assert flights.refused("plan", code=3)["where"].startswith("queries/count.sql:2")


def test_a_failure_is_the_queries_own(flights):
    flights.edit("select count(*) from {raw}", "select cast(carrier as int) from {raw} limit 1")
    done = flights("run", code=1)
    assert "error[E425]" in done.out + done.err
    assert "try_cast" in done.out + done.err


def test_columns_that_are_declared_are_judged(flights):
    query = sql("select 1 as a", __import__("typing").Annotated[pd.DataFrame, Columns("b")])
    assert query.function.spec.count('"b"') == 1
