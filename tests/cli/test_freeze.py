"""`stepwell freeze`, `run --frozen`, `lock --upgrade`: what moves is made to stay, and nothing later is read instead."""

from __future__ import annotations

import contextlib
import functools
import http.server
import os
import shutil
import sqlite3
import sys
import threading
import tomllib
from pathlib import Path

import pytest

for place in ("sources", "kinds"):
    sys.path.insert(0, str(Path(__file__).parents[1] / place))

import postgresql  # they lie in these folders  # noqa: E402
import s3_servers  # noqa: E402

PIPELINE = """
    import pandas as pd
    from stepwell import pipeline, source, step

    customers = source({uri!r}, pd.DataFrame)

    @step
    def total(table: pd.DataFrame) -> int:
        return int(table["value"].sum())

    @step
    def twice(number: int) -> int:
        return 2 * number

    @pipeline
    def main() -> int:
        return twice(total(customers()))
"""

ROWS = [(3, "2026-07-03", 30), (1, "2026-07-01", 1), (2, "2026-08-02", 200)]


def says(project) -> dict:
    """What the lock says."""
    return tomllib.loads((project.root / "stepwell.lock").read_text("utf-8"))


def data(project, name: str = "customers") -> dict:
    """What the lock says of data."""
    return says(project)["data"][name]


def manifest(project, uri: str, more: str = "") -> None:
    project.write(PIPELINE.format(uri=uri))
    project.write(f'[data.customers]\nsource = "{uri}"\n{more}', "stepwell.toml")


def query(project, uri: str, more: str = "", text: str = "select * from customers") -> None:
    manifest(project, uri, f'query = "{text}"\n{more}')


@contextlib.contextmanager
def shop(project):
    """The database of a project, in one transaction."""
    with contextlib.closing(sqlite3.connect(project.root / "crm.db")) as connection, connection:
        yield connection


@pytest.fixture
def crm(project):
    """A project with a table in SQLite."""
    with shop(project) as connection:
        connection.execute("create table customers(id integer, seen text, value integer)")
        connection.executemany("insert into customers values (?, ?, ?)", ROWS)
    query(project, "sqlite:///crm.db", 'key = { id = "crm.customer" }\n')
    return project


# --------------------------------------------------------------------------- databases


def test_what_a_query_gave_is_read_until_it_is_frozen_again(crm) -> None:
    refused = crm("run", code=3)
    assert "error[E780] `sqlite:///crm.db` has not been frozen" in refused.err
    assert "fix   stepwell freeze customers" in refused.err
    assert "3 rows" in crm("freeze", "customers").out
    found = data(crm)
    assert found["rows"] == 3
    assert found["position"]["order"] == "id"
    assert crm("run", "--json").json["result"] == 462
    with shop(crm) as connection:
        connection.execute("insert into customers values (4, '2026-08-03', 1000)")
    assert crm("run", "--json").decisions == {"total": "cached", "twice": "cached"}
    crm("lock")
    again = crm("freeze", "customers")
    assert "4 rows" in again.out
    assert "what came of it before is locked no more: main total, main twice" in again.out
    assert "output" not in says(crm)["pipeline"]["main"]["step"]["twice"]
    assert crm("run", "--lock", "--json").json["result"] == 2462
    crm("lock", "--check")
    crm("run", "--locked")


def test_the_same_rows_are_the_same_bytes(crm) -> None:
    crm("freeze", "customers")
    before = (crm.root / "stepwell.lock").read_bytes()
    with shop(crm) as connection:
        connection.execute("delete from customers")
        connection.executemany("insert into customers values (?, ?, ?)", reversed(ROWS))
    assert "is frozen as it is" in crm("freeze", "customers").out
    assert (crm.root / "stepwell.lock").read_bytes() == before
    assert crm("freeze", "customers", "--json").json["frozen"][0]["changed"] is False


def test_a_query_that_was_edited_is_asked_again_first(crm) -> None:
    crm("freeze", "customers")
    crm.edit("select * from customers", "select * from customers where id > 1", "stepwell.toml")
    refused = crm("plan", code=3)
    assert "error[E785] `customers` was frozen with another `query` than the manifest has now" in refused.err
    crm("plan", "--frozen")
    crm.edit("select * from customers where", "select *   from customers where", "stepwell.toml")
    crm("freeze", "customers")
    assert crm("run", "--json").json["result"] == 460


def test_a_span_chooses_rows(crm) -> None:
    query(
        crm,
        "sqlite:///crm.db",
        '[data.customers.freeze]\nfrom = "2026-07-01"\nuntil = "2026-08-01"\nby = "seen"\n',
    )
    crm("freeze", "customers")
    assert data(crm)["rows"] == 2
    assert data(crm)["position"]["until"] == "2026-08-01"
    assert crm("run", "--json").json["result"] == 62
    crm.edit("2026-08-01", "2026-09-01", "stepwell.toml")
    assert "another `until`" in crm("run", code=3).err


@pytest.mark.parametrize(
    ("more", "text", "code", "says"),
    [
        ("", "select * from absent", "E3", "no such table"),
        ("", "insert into customers values (9, '', 9)", "E3", "readonly"),
        ("", "delete from customers where false", "E3", "readonly"),
        ('[data.customers.freeze]\nfrom = "2026-07-01"\n', "select * from customers", "E783", "and no `by`"),
        ('[data.customers.freeze]\nby = "sen"\n', "select * from customers", "E783", "no column `sen`"),
        ('schema = { id = "string" }\n', "select * from customers", "E7", "holds int64"),
    ],
    ids=["no table", "a write", "no rows", "no column", "a mistyped column", "another type"],
)
def test_what_cannot_be_frozen_changes_nothing(crm, more, text, code, says) -> None:
    crm("freeze", "customers")
    before = (crm.root / "stepwell.lock").read_bytes()
    query(crm, "sqlite:///crm.db", more, text)
    refused = crm("freeze", "customers", code=None)
    assert refused.code != 0
    assert f"error[{code}" in refused.err
    assert says in refused.err
    assert (crm.root / "stepwell.lock").read_bytes() == before
    with shop(crm) as connection:
        assert connection.execute("select count(*) from customers").fetchone() == (3,)


def test_data_that_is_not_there_is_named(crm) -> None:
    refused = crm("freeze", "customer", code=2)
    assert "did you mean `customers`?" in refused.err
    (crm.root / "crm.db").unlink()
    assert "crm.db` is not there" in crm("freeze", "customers", code=None).err
    assert not (crm.root / "stepwell.lock").exists()


def test_two_data_of_one_database_are_two(crm) -> None:
    crm.write(
        """
        import pandas as pd
        from stepwell import pipeline, source, step

        few = source("sqlite:///crm.db", pd.DataFrame)
        many = source("sqlite:///crm.db", pd.DataFrame)

        @step
        def sizes(few: pd.DataFrame, many: pd.DataFrame) -> list[int]:
            return [len(few), len(many)]

        @pipeline
        def main() -> list[int]:
            return sizes(few(), many())
        """
    )
    crm.write(
        '[data.few]\nsource = "sqlite:///crm.db"\nquery = "select * from customers limit 1"\n'
        '[data.many]\nsource = "sqlite:///crm.db"\nquery = "select * from customers"\n',
        "stepwell.toml",
    )
    crm("freeze", "few", "many")
    assert crm("run", "--json").json["result"] == [1, 3]


def test_duckdb_is_asked_as_well(project) -> None:
    import duckdb

    with duckdb.connect(str(project.root / "x.duckdb")) as connection:
        connection.execute("create table customers(id int, seen timestamp, value int, tags int[])")
        connection.executemany("insert into customers values (?, ?, ?, [1, 2])", ROWS)
    query(project, "duckdb:///x.duckdb", '[data.customers.freeze]\nuntil = "2026-08-01"\nby = "seen"\n')
    project("freeze", "customers")
    assert data(project)["rows"] == 2
    assert data(project)["position"]["order"] == "all columns"
    assert project("run", "--json").json["result"] == 62
    query(project, "duckdb:///x.duckdb", text="select * from customer")
    assert "customer" in project("freeze", "customers", code=3).err
    query(project, "duckdb:///y.duckdb")
    assert "did you mean `x.duckdb`?" in project("freeze", "customers", code=None).err


@pytest.mark.slow
def test_postgresql_is_asked_in_one_snapshot_and_its_password_stays_secret(project) -> None:
    import psycopg

    with postgresql.server() as port:
        how = {"host": "127.0.0.1", "port": port, "user": "tester", "dbname": "postgres"}
        with psycopg.connect(**how, password=postgresql.PASSWORD) as connection:
            connection.execute(
                'create table customers(id int, seen timestamptz, value numeric(12, 2), note text, "100%" int)'
            )
            connection.cursor().executemany("insert into customers values (%s, %s, %s, null, 1)", ROWS)
        uri = f"postgresql://tester@127.0.0.1:{port}/postgres"
        query(project, uri, 'key = { id = "crm.customer" }\n', "select * from customers where note is null")
        env = {"PGPASSWORD": postgresql.PASSWORD}
        project("freeze", "customers", env=env)
        found = data(project)
        assert found["columns"]["note"].startswith("string"), "also a column without a value has its type"
        assert {"lsn", "snapshot"} <= found["position"].keys()
        first = found["bytes"]
        with psycopg.connect(**how, password=postgresql.PASSWORD) as connection:
            connection.execute("update customers set value = value where id = 1")  # it lies elsewhere now
        project("freeze", "customers", env=env)
        assert data(project)["bytes"] == first
        assert data(project)["position"] == found["position"], "nothing changed, so nothing is written"
        refused = project(
            "freeze", "customers", env={"PGPASSWORD": "wrong-" + postgresql.PASSWORD}, code=None
        )
        assert "cannot be reached" in refused.err
        query(project, uri, '[data.customers.freeze]\nuntil = "2026-08-01"\nby = "seen"\n')
        project("freeze", "customers", env=env)
        assert data(project)["rows"] == 2
        query(project, "$WAREHOUSE")
        secret = uri.replace("tester@", f"tester:{postgresql.PASSWORD.replace(' ', '%20')}@")
        project("freeze", "customers", env={"WAREHOUSE": secret})
    assert project("run", "--lock", "--json").json["result"] == 462
    for path in project.root.rglob("*"):
        if path.is_file():
            held = path.read_bytes()
            assert postgresql.PASSWORD.encode() not in held, path
            assert postgresql.PASSWORD.replace(" ", "%20").encode() not in held, path


# --------------------------------------------------------------------------- files


CSV = "id,seen,value\n" + "".join(f"{row[0]},{row[1]},{row[2]}\n" for row in ROWS)


def test_a_file_stays_as_it_was_frozen_and_edits_are_said(project) -> None:
    manifest(project, "customers.csv")
    project.write(CSV, "customers.csv")
    project("freeze", "customers")
    project.write(CSV.replace("200", "999"), "customers.csv")
    ran = project("run", "--json")
    assert ran.json["result"] == 462
    assert (
        "source `customers` is read as it is locked; in place: `customers.csv` in place is another now"
        in ran.err
    )
    assert "stepwell freeze customers takes that" in ran.err
    (project.root / "customers.csv").unlink()
    assert project("run", "--strict", "--force", "total", "--json").json["result"] == 462
    project.write(CSV.replace("200", "999"), "customers.csv")
    project("lock", "--upgrade", "customers")
    assert project("run", "--json").json["result"] == 2060


def test_the_part_of_a_folder_that_grows(project) -> None:
    for day, row in zip(("07-01", "07-31", "08-01"), ROWS, strict=True):
        project.write(f"value\n{row[2]}\n", f"events/2026-{day}.csv")
    span = '[data.customers.freeze]\nfrom = "2026-07-01"\nuntil = "2026-08-01"\n'
    manifest(project, "events/*.csv", span)
    project("freeze", "customers")
    assert list(data(project)["files"]) == ["2026-07-01.csv", "2026-07-31.csv"]
    assert project("run", "--json").json["result"] == 62
    project.write("value\n7\n", "events/2026-08-02.csv")
    assert "read as it is locked" not in project("run", "--json").err, "that it grows is no edit"
    project.write("value\n7\n", "events/2026-07-31.csv")
    assert "`2026-07-31.csv` changed" in project("plan").out
    project.write("value\n7\n", "events/late.csv")
    refused = project("freeze", "customers", code=3)
    assert "`late.csv` of `events/*.csv` says no date in its name" in refused.err
    assert list(data(project)["files"]) == ["2026-07-01.csv", "2026-07-31.csv"]


@pytest.mark.slow
@pytest.mark.parametrize("words", [["plan"], ["run"], ["lock"], ["run", "--lock"], ["run", "--ghost"]])
def test_a_span_that_was_never_frozen_is_not_read_whole(project, words) -> None:
    project.write("value,seen\n30,2026-07-03\n200,2026-08-02\n", "customers.csv")
    manifest(project, "customers.csv")
    project("run", "--lock")
    span = '[data.customers.freeze]\nfrom = "2026-07-01"\nuntil = "2026-08-01"\nby = "seen"\n'
    manifest(project, "customers.csv", span)
    refused = project(*words, code=3)
    assert "error[E780] `customers` is not frozen yet" in refused.err
    assert "fix   stepwell freeze customers" in refused.err
    project("freeze", "customers")
    assert project("run", "--json").json["result"] == 60


def test_upgrade_freezes_a_span_that_was_never_frozen(project) -> None:
    project.write("value,seen\n30,2026-07-03\n200,2026-08-02\n", "customers.csv")
    manifest(project, "customers.csv")
    project("run", "--lock")
    manifest(project, "customers.csv", '[data.customers.freeze]\nuntil = "2026-08-01"\nby = "seen"\n')
    project("lock", "--upgrade", "customers")
    assert (data(project)["rows"], data(project)["position"]["by"]) == (1, "seen")


def test_a_span_of_data_that_no_step_reads_is_not_locked_whole(project) -> None:
    project.write("value\n7\n", "customers.csv")
    project.write("value,seen\n30,2026-07-03\n200,2026-08-02\n", "events.csv")
    span = '[data.events]\nsource = "events.csv"\n[data.events.freeze]\nuntil = "2026-08-01"\nby = "seen"\n'
    manifest(project, "customers.csv", span)
    project("run")
    done = project("lock")
    assert "data `events` of the manifest is not locked: it is not frozen yet" in done.out + done.err
    assert "events" not in says(project)["data"]
    project("freeze", "events")
    project("lock")
    assert data(project, "events")["rows"] == 1


def test_nothing_that_was_frozen_is_collected(project) -> None:
    for number in range(1002):  # more than a lock lists
        project.write(f"value\n{number % 7}\n", f"events/{number}.csv")
    manifest(project, "events/*.csv")
    project("freeze", "customers")
    assert "files" not in data(project)
    project("run", "--lock")
    shutil.rmtree(project.root / "events")
    for path in (project.root / ".stepwell" / "blobs").rglob("*"):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    project("gc", "--yes", "--older-than", "0")
    assert project("run", "--force", "total", "--json").json["result"] == 2 * sum(n % 7 for n in range(1002))


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_rows_of_files_are_chosen_by_a_column(project, form) -> None:
    if form == "csv":
        project.write(CSV.replace("30\n", '"30"\n'), "customers.csv")
    else:
        import pandas as pd

        frame = pd.DataFrame(ROWS, columns=["id", "seen", "value"])
        frame.assign(seen=pd.to_datetime(frame["seen"])).to_parquet(project.root / "customers.parquet")
    span = '[data.customers.freeze]\nfrom = "2026-07-01"\nuntil = "2026-08-01"\nby = "seen"\n'
    manifest(project, f"customers.{form}", span)
    project("freeze", "customers")
    assert data(project)["rows"] == 2
    assert project("run", "--json").json["result"] == 62
    project.edit('by = "seen"', 'by = "id"', "stepwell.toml")
    assert "is no date" in project("freeze", "customers", code=3).err
    project.edit('by = "id"', 'by = "sen"', "stepwell.toml")
    assert 'did you mean freeze.by = "seen"?' in project("freeze", "customers", code=3).err


def test_a_ghost_run_samples_what_was_frozen(crm) -> None:
    with shop(crm) as connection:
        connection.executemany(
            "insert into customers values (?, '', 0)", [(number,) for number in range(500)]
        )
    crm("freeze", "customers")
    assert crm("run", "--ghost", "--rows", "10", "--json").json["status"] == "succeeded"


# --------------------------------------------------------------------------- --frozen and --upgrade


@pytest.fixture
def locked(project):
    """A project with two files, run and locked."""
    project.write(
        """
        from pathlib import Path
        from stepwell import pipeline, source, step

        one = source("one.txt", str)
        parts = source("parts", Path)

        @step
        def whole(text: str, parts: Path) -> str:
            return text + "".join(path.read_text() for path in sorted(parts.iterdir()))

        @pipeline
        def main() -> str:
            return whole(one(), parts())
        """
    )
    project.write("one", "one.txt")
    project.write("two", "parts/two.txt")
    project("run", "--lock")
    return project


def test_frozen_reads_what_is_locked_or_nothing(locked) -> None:
    assert locked("run", "--frozen", "--json").decisions == {"whole": "cached"}
    locked.write("three", "parts/three.txt")
    assert locked("run", "--frozen", "--force", "whole", "--json").json["result"] == "onetwo"
    locked.write("other", "one.txt")
    refused = locked("run", "--frozen", code=4)
    assert "error[E782] what is locked of `one.txt` is nowhere to be had" in refused.err
    assert "in place: it is" in refused.err
    assert "stepwell lock --upgrade one" in refused.err


def test_frozen_asks_the_places_of_the_manifest(locked) -> None:
    from blake3 import blake3

    name = blake3(b"one").hexdigest()
    locked.write("one", f"depot/b3/{name[:2]}/{name[2:]}")
    locked.write("other", "one.txt")
    locked.write('[release]\nstore = "depot"\n', "stepwell.toml")
    assert locked("run", "--frozen", "--force", "whole", "--json").json["result"] == "onetwo"
    locked.write("wrong", f"depot/b3/{name[:2]}/{name[2:]}")
    assert locked("run", "--frozen", "--json").json["result"] == "onetwo", "the store has it now"


def test_frozen_needs_a_lock_that_has_the_data(locked) -> None:
    refused = locked("run", "--frozen", "--refresh", code=2)
    assert "exclude each other" in refused.err
    assert "about real data" in locked("run", "--frozen", "--ghost", code=2).err
    locked.edit('source("one.txt"', 'source("./one.txt"')
    assert "error[E781] the lock has no data `one` from `./one.txt`" in locked("plan", "--frozen", code=3).err
    (locked.root / "stepwell.lock").unlink()
    assert "error[E701]" in locked("plan", "--frozen", code=4).err


def test_upgrade_takes_one_and_leaves_the_others(locked) -> None:
    before = data(locked, "parts")
    locked.write("ONE", "one.txt")
    locked.write("TWO", "parts/three.txt")
    told = locked("lock", "--upgrade", "one")
    assert "data.one: other content" in told.out
    assert "1 of 1 step would run: whole; with the new data: stepwell run --frozen --lock" in told.err
    assert data(locked, "parts") == before
    assert "output" not in says(locked)["pipeline"]["main"]["step"]["whole"]
    assert locked("run", "--frozen", "--lock", "--json").json["result"] == "ONEtwo"
    assert data(locked, "parts") == before
    assert "did you mean `parts`?" in locked("lock", "--upgrade", "part", code=2).err
    assert "writes nothing" in locked("lock", "--upgrade", "one", "--check", code=2).err


def test_a_plan_that_was_remembered_is_not_that_of_another_lock(project) -> None:
    manifest(project, "customers.csv")
    project.write(CSV, "customers.csv")
    os.utime(project.root / "customers.csv", (1_700_000_000, 1_700_000_000))
    project("freeze", "customers")
    frozen = (project.root / "stepwell.lock").read_text("utf-8")
    project("run")
    project.write(CSV.replace("200", "999"), "customers.csv")
    (project.root / "stepwell.lock").unlink()
    assert project("run", "--json").json["result"] == 2060
    for _ in range(2):
        project("run")
    (project.root / "stepwell.lock").write_text(frozen, "utf-8")
    assert "462" in project("run").out


# --------------------------------------------------------------------------- elsewhere


def test_a_web_address_stays_and_its_server_may_go(project, tmp_path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "customers.csv").write_text(CSV)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        manifest(project, f"http://127.0.0.1:{server.server_address[1]}/customers.csv")
        project("freeze", "customers")
        assert {"kind", "modified"} == data(project)["position"].keys()
        (site / "customers.csv").write_text(CSV.replace("200", "999"))
        os.utime(site / "customers.csv", (1_900_000_000, 1_900_000_000))
        assert project("run", "--json").json["result"] == 462
        assert project("run", "--refresh", "--json").json["result"] == 462, (
            "what is frozen is not asked again"
        )
        project("freeze", "customers")
        assert project("run", "--json").json["result"] == 2060
        server.shutdown()
        thread.join()
    assert project("run", "--frozen", "--force", "total", "--json").json["result"] == 2060
    assert "could not be reached" in project("freeze", "customers", code=7).err


@pytest.mark.slow
@pytest.mark.parametrize("server", ["rclone", "moto"])
def test_objects_of_a_bucket_stay(project, tmp_path, server, monkeypatch) -> None:
    from stepwell.sources.buckets import Bucket

    with s3_servers.rclone(tmp_path / "s3") if server == "rclone" else s3_servers.moto() as endpoint:
        env = s3_servers.environment(endpoint)
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        bucket = Bucket(f"s3://{s3_servers.BUCKET}/customers")
        for name in ("2026/a.csv", "2026/deep/b.csv", "2025.csv"):
            bucket.put(name, b"value\n21\n")
        uri = f"s3://{s3_servers.BUCKET}/customers/2026/**/*.csv"
        manifest(project, uri)
        assert "stepwell freeze customers" in project("run", code=3, env=env).err
        project("freeze", "customers", env=env)
        assert list(data(project)["files"]) == ["a.csv", "deep/b.csv"]
        assert data(project)["position"].keys() == {"kind", "object a.csv", "object deep/b.csv"}
        bucket.put("2026/a.csv", b"value\n1\n")
        assert project("run", "--json").json["result"] == 84, "nobody is asked, and no credentials are needed"
        project("lock", "--upgrade", "customers", env=env)
        assert project("run", "--lock", "--json").json["result"] == 44
        manifest(project, f"s3://{s3_servers.BUCKET}/customers/2025.csv")
        project("freeze", "customers", env=env)
        assert project("run", "--json").json["result"] == 42
        manifest(project, f"s3://{s3_servers.BUCKET}/customers/2024.csv")
        assert "error[E788]" in project("freeze", "customers", env=env, code=4).err
    for path in project.root.rglob("*"):
        if path.is_file():
            assert s3_servers.SECRET.encode() not in path.read_bytes(), path
