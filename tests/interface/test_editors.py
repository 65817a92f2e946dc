"""What editors and type checkers see of named data: pyright, pyrefly, and jedi, which notebooks complete with.

Names and columns are completed, a typo is underlined, and nothing else is.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jedi
import pytest

BIN = Path(sys.executable).parent

RIGHT = """
from typing import Literal, assert_type

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa

from data import customers, notes

assert_type(customers(), pd.DataFrame)
assert_type(customers.pandas(), pd.DataFrame)
assert_type(customers.polars(), pl.DataFrame)
assert_type(customers.arrow(), pa.Table)
assert_type(customers.duckdb(), duckdb.DuckDBPyRelation)
assert_type(notes(), str)
assert_type(customers.column.mrr, Literal["mrr"])
assert_type(customers.column["plan name"], str)
assert_type(customers.lock.rows, int | None)
names: list[str] = [customers.column.tenure, *customers.column]
"""

WRONG = """
import data
from data import custmers  # error
from data import customers, notes
customers.column.mmr  # error
customers.column["plan nme"]  # error
data.custmers  # error
number: int = notes()  # error
customers.polrs()  # error
"""


@pytest.fixture
def editor(locked):
    """A project with named data, and two files that use it."""
    (locked.root / "right.py").write_text(RIGHT)
    (locked.root / "wrong.py").write_text(WRONG)
    return locked.root


def checked(folder: Path, *command: object) -> dict:
    """What a checker says, as JSON."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=110)
    assert done.stdout.strip().startswith("{"), done.stdout + done.stderr
    return json.loads(done.stdout)


def marked() -> set[int]:
    return {number for number, line in enumerate(WRONG.splitlines(), 1) if "# error" in line}


FILES = ("right.py", "wrong.py", "data.py", "data.pyi")


@pytest.mark.slow
def test_pyright(editor) -> None:
    said = checked(editor, BIN / "pyright", "--outputjson", "--pythonpath", sys.executable, *FILES)
    found = {
        (Path(one["file"]).name, one["range"]["start"]["line"] + 1) for one in said["generalDiagnostics"]
    }
    assert found == {("wrong.py", line) for line in marked()}, said["generalDiagnostics"]


@pytest.mark.slow
def test_pyrefly(editor) -> None:
    (editor / "pyrefly.toml").write_text(f'python-interpreter-path = "{sys.executable}"\n')
    said = checked(editor, BIN / "pyrefly", "check", "--output-format", "json", *FILES)
    found = {(Path(one["path"]).name, one["line"]) for one in said["errors"]}
    assert found == {("wrong.py", line) for line in marked()}, said["errors"]


def names(folder: Path, code: str) -> list[str]:
    """What jedi completes at the end of a file."""
    project = jedi.Project(folder, environment_path=sys.prefix)
    last = code.rpartition("\n")[2]
    found = jedi.Script(code, path=folder / "other.py", project=project).complete(
        code.count("\n") + 1, len(last)
    )
    return [one.name for one in found if not one.name.startswith("_")]


COLUMNS = ["customer_id", "mrr", "tenure"]


@pytest.mark.slow
def test_jedi_in_an_editor(editor) -> None:
    given = "from data import customers\n"
    assert names(editor, "from data import ") == ["customers", "notes"]
    assert names(editor, "import data\ndata.") == ["customers", "notes"]
    assert {"arrow", "column", "duckdb", "lock", "pandas", "path", "polars", "schema"} <= {
        *names(editor, f"{given}customers.")
    }
    assert names(editor, f"{given}customers.column.") == COLUMNS
    assert names(editor, f"{given}customers().groupb") == ["groupby"]
    assert "group_by" in names(editor, f"{given}customers.polars().group_b")
    assert {"rows", "bytes", "content"} <= {*names(editor, f"{given}customers.lock.")}
    script = jedi.Script(f"{given}customers", path=editor / "other.py", project=jedi.Project(editor))
    said = script.infer(2, 4)[0].docstring()
    assert "One row a customer" in said
    assert "rows     3" in said
    assert "key      customer_id (crm.customer)" in said


def test_jedi_in_a_running_notebook(editor) -> None:
    code = """
import sys, json, jedi
sys.path.insert(0, {folder!r})
import data
def names(code):
    found = jedi.Interpreter(code, [{{"data": data, "customers": data.customers}}]).complete()
    return [one.name for one in found if not one.name.startswith("_")]
print(json.dumps([names("data."), names("customers.column."), names("customers.pol")]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code.format(folder=str(editor))],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert json.loads(done.stdout) == [["customers", "notes"], COLUMNS, ["polars"]]


@pytest.mark.slow
def test_names_of_pythons_own_are_typed_too(editor) -> None:
    text = '[data.str]\nsource = "data/notes.txt"\n[data.list]\nsource = "data/*.txt"\n[data.dict]\nsource = "a.npz"\n'
    (editor / "stepwell.toml").write_text(text)
    from stepwell.author.manifest import manifest_of
    from stepwell.dist.interface.modules import entries_of, module_of, stub_of
    from stepwell.dist.lock import Data, Lock

    lock = Lock(data={"str": Data(source="x", size=1, bytes="b3:1", columns={"str": "?", "x": "?"})})
    entries = entries_of(manifest_of(editor), lock)
    (editor / "data.py").write_text(module_of(entries, "stepwell.lock"))
    (editor / "data.pyi").write_text(stub_of(entries))
    (editor / "right.py").write_text(
        "import builtins\nimport data\nfrom typing import assert_type\nassert_type(data.str(), builtins.str)\n"
    )
    said = checked(
        editor, BIN / "pyright", "--outputjson", "--pythonpath", sys.executable, "right.py", "data.pyi"
    )
    assert said["generalDiagnostics"] == []
