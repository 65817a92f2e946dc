"""Named data outside of a pipeline: exactly what is locked, from wherever it is to be had, and nothing else."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

LOOK = """
import sys
sys.path.insert(0, {folder!r})
from data import customers, notes
{code}
"""


def python(folder: Path, code: str, tmp_path: Path, *, env: dict[str, str], fails: bool = False) -> str:
    """What a program prints that is started far from the project."""
    text = LOOK.format(folder=str(folder), code=code)
    done = subprocess.run(
        [sys.executable, "-c", text], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stderr if fails else done.stdout


@pytest.fixture
def look(locked, tmp_path):
    def looked(code: str, folder: Path | None = None, *, fails: bool = False) -> str:
        return python(folder or locked.root, code, tmp_path, env=locked.env, fails=fails)

    return looked


def test_every_library_gives_the_same_table(look) -> None:
    pytest.importorskip("duckdb")
    code = """
print(customers().shape, customers.pandas().shape, customers.polars().shape, customers.arrow().shape)
print(customers.duckdb().aggregate("sum(mrr)").fetchall(), notes())
print(type(customers()).__module__.split(".")[0], type(customers.polars()).__module__.split(".")[0])
"""
    assert look(code).split("\n")[:3] == ["(3, 4) (3, 4) (3, 4) (3, 4)", "[(458.5,)] hello", "pandas polars"]


def test_it_says_what_it_is(look) -> None:
    code = """
import json
print(json.dumps([customers.schema, list(customers.column), customers.column.mrr, customers.column["plan name"]]))
print(customers.lock.rows, customers.lock.key, customers.lock.units, customers.path.name, customers)
print(dir(customers.column), "mrr" in customers.column, len(customers.column), hasattr(customers.column, "__wrapped__"))
"""
    first, second, third, _ = look(code).split("\n")
    schema = {"customer_id": "int64", "mrr": "float64", "tenure": "int64", "plan name": "string"}
    assert json.loads(first) == [schema, list(schema), "mrr", "plan name"]
    assert second.endswith("customers.csv <data customers: data/customers.csv>")
    assert "{'customer_id': 'crm.customer'}" in second
    assert third == "['customer_id', 'mrr', 'tenure'] True 4 False"


def test_importing_it_reads_nothing(locked, look) -> None:
    code = """
seen = []
sys.addaudithook(lambda event, args: seen.append(str(args[0])) if event == "open" else None)
del sys.modules["data"]
import data
customers.column.mrr
print([name for name in seen if not name.endswith((".py", ".pyc"))])
print(sorted({"pandas", "polars", "pyarrow", "numpy", "duckdb"} & set(sys.modules)))
"""
    (locked.root / "stepwell.lock").unlink()
    assert look(code) == "[]\n[]\n"


def test_a_file_that_changed_is_not_it(locked, look) -> None:
    locked.write("customer_id,mrr,tenure,plan name\n9,9,9,x\n", "data/customers.csv")
    error = look("customers()", fails=True)
    assert "E782" in error
    assert "in place: it is" in error
    assert "in the store" in error


def test_a_copy_by_its_digest_is(locked, look, tmp_path) -> None:
    digest = look("print(customers.lock.bytes)").strip().removeprefix("b3:")
    place = tmp_path / "cas" / "b3" / digest[:2]
    place.mkdir(parents=True)
    shutil.copy(locked.root / "data/customers.csv", place / digest[2:])
    (locked.root / "data/customers.csv").unlink()
    assert "E782" in look("customers()", fails=True)
    text = (locked.root / "stepwell.toml").read_text("utf-8")
    (locked.root / "stepwell.toml").write_text(f'{text}\n[release]\nstore = "{tmp_path}/cas"\n', "utf-8")
    assert look("print(len(customers()), customers.path.name)") == "3 customers.csv\n"
    shutil.rmtree(tmp_path / "cas")
    assert look("print(len(customers.polars()))") == "3\n"  # what was had is kept


def test_wrong_bytes_are_refused(locked, look, tmp_path) -> None:
    digest = look("print(customers.lock.bytes)").strip().removeprefix("b3:")
    place = tmp_path / "cas" / "b3" / digest[:2]
    place.mkdir(parents=True)
    (place / digest[2:]).write_text("customer_id\n666\n")
    (locked.root / "data/customers.csv").unlink()
    text = (locked.root / "stepwell.toml").read_text("utf-8")
    (locked.root / "stepwell.toml").write_text(f'{text}\n[release]\nstore = "{tmp_path}/cas"\n', "utf-8")
    assert "StepwellError" not in look("customers()", fails=True).splitlines()[-1]
    assert "666" not in look("print(customers())", fails=True)


def test_nothing_is_believed_without_a_lock(locked, look) -> None:
    (locked.root / "stepwell.lock").unlink()
    error = look("customers()", fails=True)
    assert "E701" in error
    assert "stepwell lock" in error
    locked.write(
        '[data.customers]\nsource = "data/customers.csv"\n[data.notes]\nsource = "data/notes.txt"\n',
        "stepwell.toml",
    )
    locked.write(
        "# What this project was built from. Written by `stepwell lock`; not to be edited.\nlock = 1\n",
        "stepwell.lock",
    )
    assert "E790" in look("customers()", fails=True)


def test_options_of_the_reader_count_for_every_library(named, tmp_path) -> None:
    named.write("customer_id;mrr;plan name\n1;9,5;x\n", "data/customers.csv")
    named.edit(
        "[data.notes]", '[data.customers.read]\nsep = ";"\ndecimal = ","\n\n[data.notes]', "stepwell.toml"
    )
    named.edit(
        'units = { mrr = "EUR/month", tenure = "month" }', 'units = { mrr = "EUR/month" }', "stepwell.toml"
    )
    named("run", "--lock")
    code = 'print(customers.polars()["mrr"].to_list(), customers()["mrr"].tolist(), customers.arrow()["mrr"].to_pylist())'
    assert python(named.root, code, tmp_path, env=named.env) == "[9.5] [9.5] [9.5]\n"


def test_what_is_no_table_says_so(look) -> None:
    assert "E798" in look("notes.polars()", fails=True)
    assert (
        look("print(notes.path.read_text(), [path.name for path in notes.paths])") == "hello ['notes.txt']\n"
    )


def test_a_folder_is_a_folder(named, tmp_path) -> None:
    named.write(
        '[data.customers]\nsource = "data/customers.csv"\n[data.notes]\nsource = "data/parts/"\n',
        "stepwell.toml",
    )
    named.write("one", "data/parts/a/one.txt")
    named.write("two", "data/parts/two.txt")
    named.edit("note: str", "note: object")
    named.edit("len(note)", "0")
    named("run", "--lock")
    code = "print(notes.path.name, sorted(path.name for path in notes.paths), notes().name)"
    assert python(named.root, code, tmp_path, env=named.env) == "parts ['one.txt', 'two.txt'] parts\n"


@pytest.fixture
def installed(locked, tmp_path):
    """A folder where the project is installed as a release, its data at the release's own place; the project is gone."""
    from stepwell.dist.releases.document import Release, encoded

    digest = python(locked.root, "print(customers.lock.bytes)", tmp_path, env=locked.env).strip()
    place = tmp_path / "cas" / "b3" / digest[3:5]
    place.mkdir(parents=True)
    shutil.copy(locked.root / "data/customers.csv", place / digest[5:])
    site = tmp_path / "site-packages"
    package, info = site / "churn", site / "churn-1.0.0.dist-info"
    (package / "_release").mkdir(parents=True)
    info.mkdir()
    for name in ("data.py", "data.pyi"):
        shutil.copy(locked.root / name, package)
    shutil.copy(locked.root / "stepwell.lock", package / "_release")
    document = Release(project="churn", package="churn", version="1.0.0", stores=(str(tmp_path / "cas"),))
    (package / "_release" / "release.json").write_bytes(encoded(document))
    (package / "__init__.py").write_text("")
    (info / "METADATA").write_text("Metadata-Version: 2.4\nName: churn\nVersion: 1.0.0\n")
    files = [path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()]
    (info / "RECORD").write_text("".join(f"{name},,\n" for name in files))
    shutil.rmtree(locked.root)
    return site


def test_in_an_installed_release_its_own_lock_counts(installed, locked, tmp_path) -> None:
    code = "import data; print(len(customers()), customers.path.name, customers.lock.rows)"
    assert python(installed / "churn", code, tmp_path, env=locked.env) == "3 customers.csv 3\n"
    (installed / "churn" / "_release" / "stepwell.lock").write_text("lock = 1\n[data]\nx = 1\n")
    assert "error[E" in python(installed / "churn", "customers()", tmp_path, env=locked.env, fails=True)
    shutil.rmtree(installed / "churn" / "_release")
    assert "E790" in python(installed / "churn", "customers()", tmp_path, env=locked.env, fails=True)


def test_data_of_a_release_counts_in_the_lock_of_who_uses_it(installed, locked) -> None:
    locked.root.mkdir()
    locked.write(
        """
        import pandas as pd
        from stepwell import pipeline, step
        from churn.data import customers

        @step
        def rows(table: pd.DataFrame) -> int:
            return len(table)

        @pipeline
        def main() -> int:
            return rows(customers())
        """
    )
    env = {"PYTHONPATH": str(installed)}
    locked("run", "--lock", env=env)
    text = (locked.root / "stepwell.lock").read_text("utf-8")
    assert '[data.customers]\nsource = "release://churn==1.0.0/customers"\n' in text
    assert locked("plan", "--json", env=env).decisions == {"rows": "cached"}
