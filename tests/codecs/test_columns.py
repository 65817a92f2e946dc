"""Declared columns and ranges, on real tables and values."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Annotated, Any, Optional

import pytest

from stepwell.codecs.columns import Columns, columns_in, declared, kind_of, kinds_fit, lacking
from stepwell.codecs.ranges import Range, outside


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (str, "text"), (int, "int"), (float, "float"), (bool, "bool"), (bytes, "bytes"),
        (dt.date, "date"), (dt.datetime, "datetime"), (dt.timedelta, "duration"),
        ("int64", "int"), ("uint8", "int"), ("Int64", "int"), ("float32", "float"), ("string", "text"),
        ("large_string", "text"), ("datetime64[ns]", "datetime"), ("timestamp[us, tz=UTC]", "datetime"),
        ("timedelta64[ns]", "duration"), ("category", "category"), ("dictionary<values=string>", "category"),
        ("Datetime(time_unit='us')", "datetime"), ("List(Int64)", "list"), ("Utf8", "text"), ("date32[day]", "date"),
        ("object", ""), (None, ""), (Any, ""), ("whatever", ""),
    ],
)  # fmt: skip
def test_kinds(said, kind):
    assert kind_of(said) == kind


def test_kinds_that_fit():
    assert kinds_fit("int", "float")
    assert kinds_fit("", "float")
    assert not kinds_fit("text", "float")
    assert not kinds_fit("float", "text")


def test_what_an_annotation_declares():
    assert declared(Annotated[int, "doc", Columns("a", b=int)]) == Columns("a", b=int)
    assert declared(int) is None
    assert declared(Annotated[int, "doc"]) is None
    pandera = SimpleNamespace(columns={"a": SimpleNamespace(dtype="int64"), "b": SimpleNamespace(dtype=None)})
    assert declared(Annotated[int, pandera]) == Columns("b", a=int)
    assert declared(Annotated[int, SimpleNamespace(names=["a", "b"])]) == Columns("a", "b")
    with pytest.raises(TypeError):
        Columns(3)


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_tables_against_a_declaration(library):
    module = pytest.importorskip(library)
    data = {"a": [1, 2], "b": ["x", "y"], "c": [0.5, None]}
    table = module.table(data) if library == "pyarrow" else module.DataFrame(data)
    assert columns_in(table) == Columns(a=int, b=str if kind_known(table) else "", c=float)
    assert lacking(table, Annotated[type(table), Columns("a", c=float)]) == ""
    assert "without the column `d`; it has a, b, c" in lacking(table, Annotated[type(table), Columns("d")])
    assert "whose column `a` holds int, not text" in lacking(table, Annotated[type(table), Columns(a=str)])
    assert lacking(table, type(table)) == ""
    assert lacking(3, Annotated[int, Columns("a")]) == ""


def kind_known(table: Any) -> bool:
    """Whether the table's column of texts says that it is one (pandas may call it object)."""
    return str(getattr(table, "dtypes", ["", ""])["b"] if hasattr(table, "iloc") else "str") != "object"


@pytest.mark.parametrize(
    ("value", "annotation", "clause"),
    [
        (5, Annotated[int, Range(1, 20)], ""),
        (1, Annotated[int, Range(1, 20)], ""),
        (20, Annotated[int, Range(1, 20)], ""),
        (0, Annotated[int, Range(1, 20)], "0 is not at least 1"),
        (21, Annotated[int, Range(1, 20)], "21 is not at most 20"),
        (1.0, Annotated[float, Range(gt=0, lt=1)], "1.0 is not less than 1"),
        (0.0, Annotated[float, Range(gt=0, lt=1)], "0.0 is not more than 0"),
        (30, Optional[Annotated[int, Range(1, 20)]], "30 is not at most 20"),
        (None, Optional[Annotated[int, Range(1, 20)]], ""),
        ([1, 30], list[Annotated[int, Range(1, 20)]], "30 is not at most 20"),
        ({"a": 30}, dict[str, Annotated[int, Range(1, 20)]], "30 is not at most 20"),
        ((1, 30), tuple[int, Annotated[int, Range(1, 20)]], "30 is not at most 20"),
        ("", Annotated[str, SimpleNamespace(min_length=1)], "'' has length 0, not at least 1"),
        ("abc", Annotated[str, SimpleNamespace(max_length=2)], "'abc' has length 3, not at most 2"),
        (7, Annotated[int, SimpleNamespace(multiple_of=5)], "7 is not a multiple of 5"),
        (7, Annotated[int, SimpleNamespace(ge=8)], "7 is not at least 8"),
        ("x", Annotated[int, Range(1, 20)], ""),  # which is a matter of types
        (7, Annotated[int, "ge=8"], ""),
        (7, int, ""),
        (7, None, ""),
    ],
)
def test_ranges(value, annotation, clause):
    assert outside(value, annotation) == clause
