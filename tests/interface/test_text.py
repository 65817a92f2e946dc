"""The text of `data.py` and `data.pyi`: the same for the same facts, valid whatever a manifest says."""

from __future__ import annotations

import ast
import datetime as dt
import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.author.manifest import Data, Manifest
from stepwell.dist.interface.kinds import type_of
from stepwell.dist.interface.modules import MARK, MOST_COLUMNS, entries_of, module_of, stub_of
from stepwell.dist.lock import Data as Locked
from stepwell.dist.lock import Lock
from stepwell.sources.address import shown


def written(lock: dict[str, Locked] | None = None, **data: Data) -> tuple[str, str]:
    entries = entries_of(Manifest(data=data), Lock(data=lock or {}))
    return module_of(entries, "stepwell.lock"), stub_of(entries)


def called(module: str) -> dict[str, ast.Call]:
    """The calls of a module by the name that they are given to."""
    return {
        node.targets[0].id: node.value
        for node in ast.parse(module).body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and isinstance(node.targets[0], ast.Name)
    }


def test_it_is_the_same_for_the_same_facts() -> None:
    one, other = Data(source="a.csv"), Data(source="b.csv")
    assert written(b=other, a=one) == written(a=one, b=other)
    assert all(MARK in text for text in written(a=one))


def test_the_module_has_what_counts_and_nothing_else() -> None:
    meant = Data(source="a.csv", doc="why", units={"x": "m"}, key=("x",))
    assert written(a=meant)[0] == written(a=Data(source="a.csv"))[0]
    assert written(a=meant)[1] != written(a=Data(source="a.csv"))[1]


@pytest.mark.parametrize(
    "value",
    [
        'it\'s "said" \\ and\nso\ton \x07 \u2028 é 😀',
        "\\'\"",
        True,
        -3,
        1.5,
        math.inf,
        dt.date(2026, 7, 1),
        dt.datetime(2026, 7, 1, 12, tzinfo=dt.UTC),
        [1, ["a"]],
        {"a b": {"c": [False]}},
    ],
)
def test_options_come_back_as_they_are(value) -> None:
    module, _ = written(a=Data(source="a.csv", read={"option": value}))
    keyword = next(one for one in called(module)["a"].keywords if one.arg == "read")
    names = {"_datetime": dt, "float": float}
    assert eval(ast.unparse(keyword.value), names) == {"option": value}


@given(st.text(), st.text(), st.lists(st.text(min_size=1), max_size=5, unique=True))
def test_whatever_is_said_the_files_are_python(source, doc, columns) -> None:
    data = Data(source=source or "a", doc=doc, units=dict.fromkeys(columns, doc))
    lock = Locked(source=source, size=1, bytes="b3:1", columns=dict.fromkeys(columns, "int64"))
    module, stub = written({"a": lock}, a=data)
    call = called(module)["a"]
    assert ast.literal_eval(call.args[1]) == shown(source or "a")
    body = {node.name: node for node in ast.parse(stub).body if isinstance(node, ast.ClassDef)}
    literals = [
        node
        for node in ast.walk(body["_a"])
        if isinstance(node, ast.FunctionDef) and node.name == "__getitem__"
    ]
    if columns:
        annotation = literals[0].args.posonlyargs[1].annotation
        assert isinstance(annotation, ast.Subscript)
        found = ast.literal_eval(annotation.slice)
        assert ([found] if isinstance(found, str) else list(found)) == columns
        attributes = [
            node.target.id
            for node in ast.walk(body["_a"])
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
        ]
        assert {*attributes} - {"column"} <= {*columns}


def test_columns_that_are_no_attributes_are_asked_by_their_names() -> None:
    names = ("mrr", "plan name", "class", "_own", "__len__", "count")
    lock = Locked(source="a.csv", size=1, bytes="b3:1", columns=dict.fromkeys(names, "int64"))
    stub = written({"a": lock}, a=Data(source="a.csv"))[1]
    assert '        mrr: _Literal["mrr"]\n' in stub
    assert all(f"        {name}: " not in stub for name in names[1:5])
    assert 'name: _Literal["mrr", "plan name", "class", "_own", "__len__", "count"], /' in stub


def test_names_of_pythons_own_do_not_get_in_the_way() -> None:
    lock = Locked(source="a.csv", size=1, bytes="b3:1", columns={"x": "int64"})
    data = {name: Data(source="a.txt") for name in ("str", "list", "dict", "pandas")}
    stub = written({"str": lock}, **data)[1]
    assert "-> _builtins.str: ..." in stub
    assert "_interface.Dataset[_builtins.str]" in stub


def test_of_a_table_that_is_too_wide_any_column_is_taken() -> None:
    columns = {f"c{n}": "int64" for n in range(MOST_COLUMNS + 1)}
    lock = Locked(source="a.csv", size=1, bytes="b3:1", columns=columns)
    assert "_Columns" not in written({"a": lock}, a=Data(source="a.csv"))[1]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ({"source": "a.csv"}, "pandas.DataFrame"),
        ({"source": "a.CSV.gz"}, "pandas.DataFrame"),
        ({"source": "https://example.org/a.parquet?token=1"}, "pandas.DataFrame"),
        ({"source": "s3://bucket/a/*.parquet"}, "pandas.DataFrame"),
        ({"source": "sqlite:///crm.db", "query": "select 1"}, "pandas.DataFrame"),
        ({"source": "a.csv", "type": "polars.LazyFrame"}, "polars.LazyFrame"),
        ({"source": "a.dat", "read": {"format": "csv"}}, "pandas.DataFrame"),
        ({"source": "a.json"}, "Any"),
        ({"source": "a.npy"}, "numpy.ndarray"),
        ({"source": "a.txt"}, "str"),
        ({"source": "images/"}, ""),
        ({"source": "images/*.json"}, ""),
        ({"source": "a.bin"}, ""),
    ],
)
def test_what_it_is_given_as(data, kind) -> None:
    assert type_of(msgspec.convert(data, Data)) == kind
