"""`stepwell add`: manifest, lock and interface together or not at all; what is in the data is told, what it means is asked."""

from __future__ import annotations

import subprocess
import sys
import tomllib

import pytest
from cli_projects import STEPWELL, as_a_mortal  # it lies beside the tests

ROWS = "customer_id,mrr,since,plan\n1,9.5,2024-01-01,basic\n2,39.0,2024-01-01,pro\n3,,2024-02-01,pro\n"


@pytest.fixture
def table(project):
    """A project without a manifest, with a table."""
    project.write(ROWS, "data/customers.csv")
    return project


def there(project) -> dict[str, bytes]:
    """The project's files but for the store."""
    paths = [path for path in project.root.rglob("*") if path.is_file() and ".stepwell" not in path.parts]
    return {str(path.relative_to(project.root)): path.read_bytes() for path in paths}


def test_it_writes_what_it_was_told_and_what_it_saw(table) -> None:
    told = table(
        "add", "customers", "data/customers.csv", "--unit", "mrr=EUR/month", "--doc", "One row a customer"
    ).out
    assert "3 rows, 4 columns" in told
    assert "could be the key: customer_id (no value twice, none missing)" in told
    assert "written: stepwell.toml, stepwell.lock, data.pyi, data.py" in told
    manifest = tomllib.loads((table.root / "stepwell.toml").read_text("utf-8"))
    wanted = {"source": "data/customers.csv", "doc": "One row a customer", "units": {"mrr": "EUR/month"}}
    assert manifest == {"data": {"customers": wanted}}
    lock = tomllib.loads((table.root / "stepwell.lock").read_text("utf-8"))["data"]["customers"]
    assert lock["rows"] == 3
    assert lock["columns"]["customer_id"] == "int64"
    assert lock["units"] == {"mrr": "EUR/month"}
    assert 'mrr: _Literal["mrr"]' in (table.root / "data.pyi").read_text("utf-8")


def test_it_can_be_imported_at_once_and_stays_in_the_lock(table) -> None:
    table("add", "customers", "data/customers.csv", "--key", "customer_id=crm.customer")
    table("add", "spare", "data/customers.csv")
    table.write(
        """
        from stepwell import pipeline, step
        from data import customers

        @step
        def rows(table: object) -> int:
            return len(table)

        @pipeline
        def main() -> int:
            return rows(customers())
        """
    )
    table("run", "--lock")
    lock = tomllib.loads((table.root / "stepwell.lock").read_text("utf-8"))["data"]
    assert lock["customers"]["key"] == {"customer_id": "crm.customer"}
    assert lock["spare"]["rows"] == 3
    table("lock", "--check")


def test_a_name_that_the_manifest_speaks_of_already_can_be_added(table) -> None:
    told = """
    [outputs.model]
    step = "fit"
    golden = { on = "customers" }

    [data.sales]
    source = "data/sales.csv"
    references = { customer_id = "customers.customer_id" }
    """
    table.write(told, "stepwell.toml")
    way = "stepwell add customers ADDRESS     (or in the manifest: data.customers = { source"
    refused = table("add", "others", "data/customers.csv", code=3).err
    assert refused.count(way) == 2
    assert "there are: others, sales" in refused
    assert "model" not in refused.partition("fix")[2], "what is compared cannot be compared on itself"
    table("add", "customers", "data/customers.csv")
    manifest = tomllib.loads((table.root / "stepwell.toml").read_text("utf-8"))
    assert manifest["data"]["customers"] == {"source": "data/customers.csv"}
    assert "E795" in table("add", "customers", "data/customers.csv", code=2).err
    table.write("data = 3", "stepwell.toml")
    refused = table("add", "a", "data/customers.csv", code=3).err
    assert "`data = 3` in `stepwell.toml` is not a table" in refused


def test_the_document_says_all_of_it(table) -> None:
    found = table("add", "customers", "data/customers.csv", "--json").json
    assert found["columns"]["mrr"].startswith("float64, null 33")
    assert found["candidates"] == [{"columns": ["customer_id"], "why": "no value twice, none missing"}]
    assert found["without_unit"] == ["customer_id", "mrr"]
    assert [name.rpartition("/")[2] for name in found["changed"]] == [
        "stepwell.toml",
        "stepwell.lock",
        "data.pyi",
        "data.py",
    ]


def test_two_columns_may_be_the_key_together(project) -> None:
    project.write("day,shop,sold\n1,a,5\n1,b,5\n2,a,5\n2,b,7\n", "sales.csv")
    found = project("add", "sales", "sales.csv", "--json").json
    assert {"columns": ["day", "shop"], "why": "together no value twice, none missing"} in found["candidates"]
    project("add", "again", "sales.csv", "--key", "day", "--key", "shop=crm.shop", code=None)
    manifest = tomllib.loads((project.root / "stepwell.toml").read_text("utf-8"))
    assert list(manifest["data"]["again"]["key"]) == ["day", "shop"]


def test_what_people_wrote_stays_as_it_is(table) -> None:
    text = '# mine\n[project]   # ours\nname = "churn"\nversion = "1"\n\n[tool.other]\nx = 1  # one\n'
    table.write(text, "pyproject.toml")
    table("add", "customers", "data/customers.csv")
    after = (table.root / "pyproject.toml").read_text("utf-8")
    assert after.startswith(text)
    assert after.endswith('[tool.stepwell.data.customers]\nsource = "data/customers.csv"\n')
    assert not (table.root / "stepwell.toml").exists()


def test_the_header_of_a_single_file(table) -> None:
    table.write('# /// script\n# dependencies = ["stepwell"]\n# ///\nprint("not run")\n', "churn.py")
    assert "not run" not in table("add", "customers", "data/customers.csv", "-p", "churn.py").out
    assert "# [tool.stepwell.data.customers]\n# source = " in (table.root / "churn.py").read_text("utf-8")
    assert (table.root / "churn.stepwell.lock").is_file()
    assert 'lock="churn.stepwell.lock"' in (table.root / "data.py").read_text("utf-8")


def test_a_path_is_relative_to_where_it_is_typed(table) -> None:
    table.write("", "stepwell.toml")
    table("add", "customers", "customers.csv", cwd=table.root / "data")
    assert 'source = "data/customers.csv"' in (table.root / "stepwell.toml").read_text("utf-8")


def test_options_of_the_reader(project) -> None:
    project.write("a;b\n1;2\n3;4\n", "table.csv")
    found = project("add", "table", "table.csv", "--read", "sep=;", "--read", "nrows=1", "--json").json
    assert (found["rows"], list(found["columns"])) == (1, ["a", "b"])
    manifest = tomllib.loads((project.root / "stepwell.toml").read_text("utf-8"))
    assert manifest["data"]["table"]["read"] == {"sep": ";", "nrows": 1}


@pytest.mark.parametrize(
    ("words", "code", "exit_code"),
    [
        (["customers", "data/gone.csv"], "E301", 3),
        (["for", "data/customers.csv"], "E318", 3),
        (["os", "data/customers.csv"], "E318", 3),
        (["_x", "data/customers.csv"], "E318", 3),
        (["a-b", "data/customers.csv"], "E318", 3),
        (["customers", "data/customers.csv", "--key", "customer"], "E797", 3),
        (["customers", "data/customers.csv", "--unit", "mmr=EUR"], "E797", 3),
        (["customers", "data/customers.csv", "--key", "plan"], "E796", 3),
        (["customers", "data/customers.csv", "--key", "mrr"], "E796", 3),
        (["customers", "data/customers.csv", "--unit", "mrr"], "E100", 2),
        (["customers", "data/customers.csv", "--key", "="], "E100", 2),
        (["customers", "data/customers.csv", "--type", "pandas.Dataframe"], None, None),
        (["customers", "data/customers.csv", "--read", "separator=;"], None, None),
        (["customers", "data/broken.parquet"], None, None),
        (["customers", "data/empty.csv"], None, None),
        (["customers", "ftp://example.org/x.csv"], None, None),
        (["customers", ""], None, None),
        (["customers", "data/customers.csv", "--pipeline", "gone.py"], "E101", 2),
    ],
)  # fmt: skip
def test_bad_input_changes_nothing(table, words, code, exit_code) -> None:
    table.write("no parquet at all", "data/broken.parquet")
    table.write("", "data/empty.csv")
    before = there(table)
    done = table("add", *words, code=exit_code)
    assert done.code != 0
    assert code is None or code in done.err
    assert "error[E" in done.err
    assert there(table) == before


def test_what_is_there_is_not_replaced(table) -> None:
    table("add", "customers", "data/customers.csv")
    before = there(table)
    error = table.refused("add", "customers", "data/other.csv", code=2)
    assert error["code"] == "E795"
    assert there(table) == before


def test_a_module_of_ones_own_is_told_before_anything_is_written(table) -> None:
    table.write("customers = 1\n", "data.py")
    before = there(table)
    error = table.refused("add", "customers", "data/customers.csv", code=3)
    assert error["code"] == "E793"
    assert there(table) == before


def test_a_lock_that_was_merged_by_hand_is_told(table) -> None:
    table("add", "customers", "data/customers.csv")
    table.edit("rows = 3", "rows = 4", "stepwell.lock")
    table.write("a\n1\n", "data/a.csv")
    before = there(table)
    assert table("add", "other", "data/a.csv", code=None).code != 0 or there(table) != before
    table.edit("rows = 4", "rows =  4", "stepwell.lock")
    before = there(table)
    assert "E7" in table("add", "more", "data/a.csv", code=6).err
    assert there(table) == before


def test_what_somebody_else_does_meanwhile_is_not_lost(table) -> None:
    from stepwell.app.adding import Said, add, looked, project_at
    from stepwell.app.places import stored
    from stepwell.errors import InterfaceUnwritable

    table("add", "customers", "data/customers.csv")
    said, project = Said("more", "data/customers.csv"), project_at(table.root, None)
    with stored(table.root) as store:
        found = looked(said, project, store)
    table("add", "theirs", "data/customers.csv")
    before = there(table)
    with pytest.raises(InterfaceUnwritable, match="somebody else has changed it"):
        add(said, found, project)
    assert there(table) == before


def test_where_one_file_cannot_be_written_none_is(table) -> None:
    table("add", "customers", "data/customers.csv")
    (table.root / "stepwell.toml").chmod(0o444)
    before = there(table)
    words = as_a_mortal(STEPWELL, "add", "more", "data/customers.csv")
    done = subprocess.run(words, cwd=table.root, env=table.env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 3
    assert "E794" in done.stderr
    assert "all files are as they were" in done.stderr
    assert there(table) == before


def test_a_query_is_asked_and_frozen(project) -> None:
    import sqlite3

    with sqlite3.connect(project.root / "crm.db") as database:
        database.execute("create table people (id integer, name text)")
        database.executemany("insert into people values (?, ?)", [(1, "a"), (2, "b")])
    database.close()
    words = ("add", "people", "sqlite:///crm.db", "--query", "select * from people", "--key", "id=crm.person")
    assert "2 rows, 2 columns" in project(*words).out
    lock = tomllib.loads((project.root / "stepwell.lock").read_text("utf-8"))["data"]["people"]
    assert lock["position"]
    assert lock["key"] == {"id": "crm.person"}
    (project.root / "crm.db").unlink()
    code = "from data import people; print(people()['name'].tolist(), people.polars().shape)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project.root,
        env=project.env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "['a', 'b'] (2, 2)\n", done.stderr
    before = there(project)
    assert project("add", "more", "sqlite:///gone.db", "--query", "select 1", code=None).code != 0
    assert there(project) == before


def test_where_somebody_is_there_it_asks(table) -> None:
    import pexpect

    shell = pexpect.spawn(
        str(STEPWELL),
        ["add", "customers", "data/customers.csv"],
        cwd=str(table.root),
        env=table.env,
        encoding="utf-8",
        timeout=60,
    )
    shell.expect_exact("customer_id could be the key: no value twice, none missing")
    shell.expect_exact("the key (columns, or nothing): ")
    shell.sendline("customer_id")
    shell.expect_exact("what `customer_id` is")
    shell.sendline("crm.customer")
    shell.expect_exact("the unit of `mrr`")
    shell.sendline("EUR/month")
    shell.expect(pexpect.EOF)
    shell.close()
    assert shell.exitstatus == 0
    found = tomllib.loads((table.root / "stepwell.toml").read_text("utf-8"))["data"]["customers"]
    assert found["key"] == {"customer_id": "crm.customer"}
    assert found["units"] == {"mrr": "EUR/month"}
