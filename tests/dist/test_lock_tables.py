"""What a lock says of a table is the same, whatever library the table is of."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from stepwell.dist import tables
from stepwell.dist.tables import columns_of, quantiles_of, share, table_of
from stepwell.errors import MissingLibrary

COUNT = 1000


def frame() -> pd.DataFrame:
    draw = np.random.default_rng(7)
    found = pd.DataFrame(
        {
            "id": np.arange(COUNT),
            "mrr": draw.lognormal(3, 1, COUNT),
            "small": draw.integers(0, 9, COUNT).astype("int16"),
            "plan": draw.choice(["a", "b"], COUNT),
            "late": draw.random(COUNT) < 0.5,
            "when": pd.Timestamp("2026-01-01") + pd.to_timedelta(draw.integers(0, 1000, COUNT), "h"),
        }
    )
    found.loc[:27, "mrr"] = np.nan
    return found


def said(value: object) -> tuple[int, dict[str, str], dict[str, tuple[float, ...]]]:
    """All that is said of a table."""
    table = table_of(value)
    assert table is not None
    return (
        table.rows,
        columns_of(table),
        {name: quantiles_of(column) for name, column in table.columns.items()},
    )


def test_every_library_says_the_same() -> None:
    one = frame()
    arrow = pa.Table.from_pandas(one, preserve_index=False)
    halves = pa.concat_tables([arrow.slice(0, 400), arrow.slice(400)])
    wanted = said(one)
    assert wanted[1] == {
        "id": "int64",
        "mrr": "float64, null 2.8 %",
        "small": "int16",
        "plan": "string",
        "late": "bool",
        "when": "timestamp",
    }
    assert set(wanted[2]) - {"mrr", "id", "small"} == {"plan", "late", "when"}
    assert [len(wanted[2][name]) for name in ("mrr", "small", "plan", "late", "when")] == [19, 19, 0, 0, 0]
    assert (
        said(arrow) == said(halves) == said(pl.from_pandas(one)) == said(pl.from_pandas(one).lazy()) == wanted
    )
    assert said(one.convert_dtypes(dtype_backend="pyarrow")) == wanted
    assert said(pl.from_pandas(one).with_columns(pl.col("mrr").fill_null(float("nan")))) == wanted


def test_quantiles_are_values_in_few_digits() -> None:
    column = pa.array(range(1, 1_000_001))
    assert quantiles_of(column) == tuple(float(part * 50_000) for part in range(1, 20))
    assert quantiles_of(pa.array([1 / 3] * 100)) == (0.333333,) * 19
    assert quantiles_of(pa.array([-0.0] * 100)) == (0.0,) * 19
    assert str(quantiles_of(pa.array([-0.0] * 100))[0]) == "0.0"


def test_what_is_missing_or_infinite_does_not_count() -> None:
    numbers = [None, float("nan"), float("inf"), *([1.0] * 100)]
    assert quantiles_of(pa.array(numbers)) == (1.0,) * 19


def test_few_values_have_no_quantiles() -> None:
    assert quantiles_of(pa.array(range(tables.FEWEST - 1))) == ()
    assert quantiles_of(None) == ()


@pytest.mark.parametrize(
    ("missing", "says"),
    [(0, "int64"), (1, "int64, null 0.001 %"), (100_000, "int64, null 50 %"), (199_999, "int64, null 99.9 %"), (200_000, "int64, null 100 %")],
)  # fmt: skip
def test_a_share_is_never_rounded_to_none_or_all(missing: int, says: str) -> None:
    column = pa.array([None] * missing + [1] * (200_000 - missing), pa.int64())
    assert columns_of(tables.Table(200_000, {"x": column}))["x"] == says


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (pa.large_string(), "string"),
        (pa.dictionary(pa.int8(), pa.string()), "category"),
        (pa.timestamp("us", "UTC"), "timestamp[tz=UTC]"),
        (pa.date64(), "date"),
        (pa.decimal128(10, 2), "decimal"),
        (pa.list_(pa.large_string()), "list[string]"),
        (pa.struct([("a", pa.int8())]), "struct"),
        (pa.float16(), "float16"),
        (pa.binary(4), "binary"),
        (pa.null(), "null"),
    ],
)
def test_types_have_plain_words(kind: pa.DataType, says: str) -> None:
    assert tables.type_text(kind) == says


def test_objects_of_several_kinds_have_no_type() -> None:
    found = table_of(pd.DataFrame({"x": [1, "a", None], "y": [1, 2, 3]}))
    assert found is not None
    assert columns_of(found) == {"x": "object", "y": "int64"}
    assert quantiles_of(found.columns["x"]) == ()


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (np.arange(200, dtype="float16"), "float16"),
        (np.arange(200) * 1j, "object"),
        (pd.period_range("2020-01", periods=200, freq="D"), "extension"),
        (pd.interval_range(0, 200), "extension"),
        (pd.arrays.SparseArray(np.zeros(200)), "object"),
        (pd.date_range("2020", periods=200, tz="Europe/Berlin"), "timestamp[tz=Europe/Berlin]"),
        ([{"a": 1}] * 200, "struct"),
        ([None] * 200, "null, null 100 %"),
        (pd.Series(["\ud800"] * 200, dtype=object), "object"),
    ],
)
def test_whatever_pandas_holds_something_is_said(values: object, says: str) -> None:
    table = table_of(pd.DataFrame({"x": values}))
    assert table is not None
    assert columns_of(table) == {"x": says}
    assert len(quantiles_of(table.columns["x"])) == (19 if says == "float16" else 0)


def test_types_of_polars_alone() -> None:
    frame = pl.DataFrame(
        {
            "category": pl.Series(["a"], dtype=pl.Categorical),
            "enum": pl.Series(["a"], dtype=pl.Enum(["a"])),
            "list": pl.Series([[1, 2]], dtype=pl.Array(pl.Int8, 2)),
            "large": pl.Series([1], dtype=pl.Int128),
        }
    )
    table = table_of(frame)
    assert table is not None
    assert columns_of(table) == {
        "category": "category",
        "enum": "category",
        "list": "list[int8]",
        "large": "object",
    }


def test_what_is_no_table_has_nothing() -> None:
    assert table_of([1, 2]) is None
    assert table_of(pd.Series([1])) is None
    assert table_of(np.zeros(3)) is None


def test_references_are_looked_up_by_value() -> None:
    customers = pa.array([1, 2, 3])
    assert share(pa.array([1, 2, 2, 3]), customers) == 1.0
    assert share(pa.array([1.0, 2.0, None, 9.0]), customers) == 0.6666
    assert share(pa.array(["1", "2"]), customers) == 0.0
    assert share(pa.array([None, float("nan")]), customers) == 1.0
    assert share(None, customers) == 0.0
    categories = pa.array(["a", "b"]).dictionary_encode()
    assert (
        share(pa.chunked_array([categories, categories]), pa.array(["a", "b", "c"], pa.large_string())) == 1.0
    )


def test_one_that_is_lacking_is_seen() -> None:
    many = pa.array([*range(100_000), 100_001])
    assert share(many, pa.array(range(100_000))) == 0.9999


@pytest.mark.parametrize("frame", [pd.DataFrame({"n": [1]}), pl.DataFrame({"n": [1]}), pl.LazyFrame({"n": [1]})])
def test_what_is_lacking_to_tell_it_is_named(frame, monkeypatch: pytest.MonkeyPatch) -> None:
    real = tables.find_spec
    monkeypatch.setattr(tables, "find_spec", lambda name: None if name == "pyarrow" else real(name))
    with pytest.raises(MissingLibrary, match="what is in a table is told with `pyarrow`") as caught:
        table_of(frame)
    assert "uv add pyarrow" in caught.value.fixes
