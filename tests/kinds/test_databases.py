"""Queries in databases: SQLite files and a real PostgreSQL; and that no password is ever seen."""

from __future__ import annotations

import base64
import datetime as dt
import sqlite3
import sys
from pathlib import Path
from urllib.parse import quote

import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from postgresql import PASSWORD, server

from stepwell import sql
from stepwell.errors import (
    BadDatabase,
    NoDatabase,
    QueryFailed,
    QueryRefused,
    SqlInput,
    SqlResult,
)
from stepwell.worker.kinds.databases import resolved

HOSTILE = ["'; drop table t; --", '"', "\n\t\\", "$(ls) %s %(x)s {x} :x ?", "日本 \U0001f600", ""]


@pytest.fixture(scope="module")
def port():
    with server() as port:
        yield port


@pytest.fixture
def address(port, monkeypatch):
    url = f"postgresql://tester:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/postgres"
    monkeypatch.setenv("SHOP", url)
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("drop table if exists t")
        connection.execute("create table t (k text, n int, d date)")
        connection.execute("insert into t values ('a', 1, '2020-01-02'), ('b', 2, null), (null, 3, null)")
    return "$SHOP"


@pytest.fixture
def shop(tmp_path):
    path = tmp_path / "shop data.db"
    with sqlite3.connect(path) as connection:
        connection.execute("create table t (k text, n int, d text)")
        connection.executemany(
            "insert into t values (?, ?, ?)", [("a", 1, "2020-01-02"), ("b", 2, None), (None, 3, None)]
        )
    connection.close()
    return f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request):
    return request.getfixturevalue("shop" if request.param == "sqlite" else "address")


def test_a_query_is_executed_where_the_data_is(database):
    assert sql("select k, n from t where n >= {n} order by n", list[dict], database=database)(n=2) == [
        {"k": "b", "n": 2},
        {"k": None, "n": 3},
    ]
    assert sql("select sum(n) from t", int, database=database)() == 6
    assert sql("select k, n % 2 as odd from t where k like '%a%'", pd.DataFrame, database=database)()[
        "odd"
    ].tolist() == [1]


@pytest.mark.parametrize("value", HOSTILE)
def test_values_are_bound_and_never_code(database, value):
    rows = sql("select cast({x} as text) as x from t where n = 1", list[dict], database=database)(x=value)
    assert rows == [{"x": value}]
    assert sql("select count(*) from t where k in ({x})", int, database=database)(x=[value]) == 0


@pytest.mark.parametrize(("numbers", "count"), [([2], 1), ([1, 2], 2), ([], 0)])
def test_lists_stand_in_brackets(database, numbers, count):
    assert sql("select count(*) from t where n in ({x})", int, database=database)(x=numbers) == count
    assert sql("select count(*) from t where n not in ({x})", int, database=database)(x=numbers) == 3 - count


def test_tables_among_the_inputs_are_joined(database, tmp_path):
    table = pd.DataFrame(
        {"n": [1, 2], "we ird": ["x%s", "y\t\\N"], "when": pd.to_datetime(["2020-01-01", None])}
    )
    query = sql(
        'select t.k, more."we ird" as w from t join {more} using (n) order by n',
        list[dict],
        database=database,
    )
    wanted = [{"k": "a", "w": "x%s"}, {"k": "b", "w": "y\t\\N"}]
    assert query(more=table) == wanted
    table.to_csv(tmp_path / "more.csv", index=False)
    assert query(more=tmp_path / "more.csv") == wanted
    assert sql("select count(*) from {more}", int, database=database)(more=table) == 2


def test_identifiers_are_quoted(database):
    assert sql("select max({c:id}) from t", int, database=database)(c="n") == 3
    if database == "$SHOP":  # SQLite takes an unknown name in double quotes for a text
        with pytest.raises(QueryRefused):
            sql("select {c:id} from t", int, database=database)(c='n" from t; drop table t; --')
    assert sql("select count(*) from t", int, database=database)() == 3


@pytest.mark.parametrize(
    "text", ["delete from t", "update t set n = 0", "create table u (a int)", "drop table t"]
)
def test_only_who_says_so_may_write(database, text):
    with pytest.raises(QueryRefused, match="change the database"):
        sql(f"{text}; select 1", int, database=database)()
    assert sql("select sum(n) from t", int, database=database)() == 6
    assert sql("insert into t values ('c', {n}, null)", None, database=database, write=True)(n=4) is None
    assert sql("select sum(n) from t", int, database=database)() == 10


def test_a_write_that_fails_leaves_nothing(database):
    with pytest.raises((QueryRefused, QueryFailed)):
        sql(
            "insert into t values ('c', 4, null); select nothing from t", int, database=database, write=True
        )()
    assert sql("select sum(n) from t", int, database=database)() == 6


@pytest.mark.parametrize(
    "text", ["select x\nfrom t", "select 1\nfrm t", "select no_such(1)", "select 1 from u"]
)
def test_what_is_wrong_with_a_query_is_said(database, text):
    with pytest.raises(QueryRefused):
        sql(text, int, database=database)()


def test_a_column_of_several_types_is_said(shop):
    with pytest.raises(SqlResult, match="several types"):
        sql("select 1 as x union all select 'a'", database=shop)()
    with pytest.raises(SqlInput, match="only in"):
        sql("select {x}", database=shop)(x=[1])


def test_types_of_postgresql(address):
    text = "select d, n::numeric / 2 as h, now() as at, array[1, 2] as l, '{\"a\": 1}'::json as j from t where k = 'a'"
    [row] = sql(text, list[dict], database=address)()
    assert (row["d"], row["h"], row["l"], row["j"]) == (dt.date(2020, 1, 2), 0.5, [1, 2], '{"a": 1}')
    assert row["at"].utcoffset() == dt.timedelta(0)


def test_sqlite_does_not_reach_for_other_files(shop, tmp_path):
    with pytest.raises(QueryRefused):
        sql(f"attach '{tmp_path / 'other.db'}' as o; select 1", int, database=shop)()
    assert not (tmp_path / "other.db").exists()


def test_a_database_that_is_not_there_is_said(tmp_path, monkeypatch, port):
    for database in (
        f"sqlite:///{tmp_path}/no.db",
        "$NOWHERE",
        f"postgresql://tester@127.0.0.1:{port}/postgres?sslmode=disable",
    ):
        monkeypatch.delenv("PGPASSWORD", raising=False)
        monkeypatch.setenv("PGPASSFILE", "/dev/null")
        with pytest.raises(NoDatabase):
            sql("select 1", int, database=database)()
    assert not (tmp_path / "no.db").exists()
    (tmp_path / "text.db").write_text("not a database")
    with pytest.raises(NoDatabase, match="no file of SQLite"):
        sql("select 1", int, database=f"sqlite:///{tmp_path}/text.db")()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:geh%40im@h/d",
        "postgresql://u@h/d?password=geh%40im",
        "postgres://u:geh%40im@h:no/d",
        "mysql://u:geh%40im@h/d",
    ],
)
def test_a_password_in_the_file_is_refused_and_not_repeated(url):
    with pytest.raises(BadDatabase) as found:
        sql("select 1", database=url)
    assert "geh" not in str(found.value)


def test_a_password_of_a_variable_is_not_repeated():
    assert "geh" not in repr(resolved("$U", Path(), {"U": "postgresql://u:geh%40im@h/d"}))


# --------------------------------------------------------------------------- the command


def test_a_changed_file_of_sqlite_is_noticed(project):
    path = project.root / "shop.db"
    with sqlite3.connect(path) as connection:
        connection.execute("create table t (n int)")
        connection.execute("insert into t values (1)")
    connection.close()
    project.write("""
        from stepwell import pipeline, sql
        total = sql("select sum(n) from t", int, database="sqlite:///shop.db")

        @pipeline
        def main() -> int:
            return total()
    """)
    assert project("run", "--json").json["result"] == 1
    assert project("plan", "--json").decisions == {"total": "cached"}
    connection = sqlite3.connect(path)
    connection.execute("pragma journal_mode=wal")
    connection.execute("insert into t values (2)")
    connection.commit()
    try:
        assert project("run", "--json").json["result"] == 3
        connection.execute("insert into t values (3)")
        connection.commit()
        assert project("run", "--json").json["result"] == 6
        assert project("plan", "--json").decisions == {"total": "cached"}
    finally:
        connection.close()
    project.edit("sum(n)", "sum(m)")
    error = project.refused("plan", code=3)
    assert (error["code"], "no such column" in error["what"]) == ("E345", True)
    path.unlink()
    assert project.refused("plan", code=3)["code"] == "E346"


def test_a_server_is_asked_every_time_and_its_password_is_nowhere(project, address, port):
    project.write("""
        from stepwell import pipeline, sql
        total = sql("select sum(n) from t where n < {most}", int, database="$SHOP")
        lasting = sql("select count(*) from t", int, database="$SHOP", ttl="1h")
        broken = sql("select sum(n) / 0 from t", int, database="$SHOP")

        @pipeline
        def main():
            return total(most=3), lasting()

        @pipeline
        def failing():
            return broken()
    """)
    url = f"postgresql://tester:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/postgres"
    shop = {"SHOP": url}
    shown = [project("run", "main", "--json", env=shop)]
    assert shown[0].json["result"] == [3, 3]
    shown.append(project("plan", "main", "--json", env=shop))
    assert shown[-1].decisions == {"total": "run", "lasting": "cached"}
    shown.append(project("run", "failing", env=shop, code=1))
    assert "division by zero" in shown[-1].out + shown[-1].err
    for words in (
        ("plan", "main"),
        ("why", "total", "main"),
        ("describe", "main"),
        ("show", "r1"),
        ("logs", "failing"),
    ):
        shown.append(project(*words, env=shop, code=None))
    wrong = {"SHOP": url.replace("kN4r", "xN4r")}
    shown.append(project("plan", "main", env=wrong, code=3))
    assert "E346" in shown[-1].err
    project.edit("sum(n) from t where", "sum(m) from t where")
    shown.append(project("plan", "main", env=shop, code=3))
    assert 'column "m" does not exist' in shown[-1].err
    assert "postgresql://tester@127.0.0.1" in "".join(one.out + one.err for one in shown)
    seen = "".join(one.out + one.err for one in shown).encode()
    stored = [path.read_bytes() for path in (project.root / ".stepwell").rglob("*") if path.is_file()]
    forms = [
        PASSWORD,
        quote(PASSWORD),
        quote(PASSWORD, safe=""),
        base64.b64encode(PASSWORD.encode()).decode(),
        url,
    ]
    for form in (*forms, PASSWORD.encode().hex(), PASSWORD[1:8]):
        for data in (seen, *stored):
            assert form.encode() not in data, form
