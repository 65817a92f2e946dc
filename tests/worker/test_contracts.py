"""Contracts: what is broken is told with column, rule and rows; what holds is left alone, in every library of tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import pandas as pd
import pandera.pandas as pan
import pandera.polars as pap
import polars as pl
import pyarrow as pa
import pydantic
import pytest
from pandera.typing import DataFrame

from stepwell.worker.contracts import contract, judge_of


class Customers(pan.DataFrameModel):
    customer_id: int
    mrr: float = pan.Field(ge=0)


class CustomersOfPolars(pap.DataFrameModel):
    customer_id: int
    mrr: float = pap.Field(ge=0)


SCHEMA = pan.DataFrameSchema({"mrr": pan.Column(float, pan.Check.ge(0))}, name="amounts")


class Customer(pydantic.BaseModel):
    customer_id: int
    mrr: float = pydantic.Field(ge=0)


@dataclass
class Row:
    customer_id: int
    mrr: float | None


COLUMNS = {"customer_id": "int64 not null", "mrr": "float64"}

GOOD = {"customer_id": [1, 2, 3], "mrr": [9.5, 0.0, 3.0]}
NEGATIVE = {"customer_id": [1, 2, 3], "mrr": [9.5, -2.0, -3.0]}
MISSING = {"customer_id": [1, None, 3], "mrr": [9.5, 1.0, 3.0]}
TEXT = {"customer_id": ["a", "b", "c"], "mrr": [9.5, 1.0, 3.0]}

TABLES = [pd.DataFrame, pl.DataFrame, lambda data: pl.DataFrame(data).lazy(), pa.table]


@pytest.mark.parametrize("table", TABLES)
def test_columns_by_name(table) -> None:
    judge = contract(COLUMNS)
    assert judge is not None
    assert judge.broken(table(GOOD)) == ""
    assert judge.broken(table({**GOOD, "more": [1, 2, 3]})) == ""
    assert judge.broken(table({"mrr": [1.0]})) == "there is no column `customer_id`; there is mrr"
    assert (
        judge.broken(table(MISSING)) == "column `customer_id` must not have values missing, and has in row 1"
    )
    assert (
        "column `customer_id` must hold int64 not null, and holds text" in judge.broken(table(TEXT))
        or table is pd.DataFrame
    )
    assert judge.broken(table({**GOOD, "mrr": [1.0, None, 2.0]})) == ""


def test_what_is_no_table_breaks_no_columns() -> None:
    judge = contract(COLUMNS)
    assert judge is not None
    assert judge.broken(7) == ""


@pytest.mark.parametrize(
    "annotation",
    [DataFrame[Customers], Annotated[pd.DataFrame, Customers], Customers, Annotated[pd.DataFrame, SCHEMA]],
)
def test_pandera(annotation) -> None:
    judge = judge_of(annotation)
    assert judge is not None
    assert judge.said in ("Customers", "amounts")
    assert judge.broken(pd.DataFrame(GOOD)) == ""
    told = judge.broken(pd.DataFrame(NEGATIVE))
    assert told == "column `mrr` breaks `greater_than_or_equal_to(0)`: -2.0 in row 1, -3.0 in row 2"
    assert judge.broken(pd.DataFrame({"customer_id": [1]})) == "there is no column `mrr`"


def test_pandera_says_how_many_more() -> None:
    judge = contract(SCHEMA)
    assert judge is not None
    assert judge.broken(pd.DataFrame({"mrr": [-1.0] * 100})).endswith(" and 97 more")


def test_pandera_of_polars() -> None:
    judge = judge_of(Annotated[pl.DataFrame, CustomersOfPolars])
    assert judge is not None
    assert judge.broken(pl.DataFrame(GOOD)) == ""
    assert "greater_than_or_equal_to(0)" in judge.broken(pl.DataFrame(NEGATIVE))


@pytest.mark.parametrize("table", [pd.DataFrame, pl.DataFrame, pa.table])
def test_models_of_rows(table) -> None:
    judge = judge_of(Annotated[object, Customer])
    assert judge is not None
    assert judge.broken(table(GOOD)) == ""
    told = judge.broken(table(NEGATIVE))
    assert told.startswith("`mrr`: Input should be greater than or equal to 0 (got -2.0) in row 1; ")
    assert "`customer_id`: " in judge.broken(table(TEXT))
    assert "in row 1" in judge.broken(table(MISSING))


def test_lists_of_models_also_of_changed_ones() -> None:
    judge = judge_of(list[Customer])
    assert judge is not None
    rows = [Customer(customer_id=1, mrr=2), Customer(customer_id=2, mrr=3)]
    assert judge.broken(rows) == ""
    rows[1].mrr = -1
    assert judge.broken(rows) == "`mrr`: Input should be greater than or equal to 0 (got -1) in row 1"
    assert judge.broken([{"customer_id": 1, "mrr": 2.0}]) == ""
    one = judge_of(Customer)
    assert one is not None
    assert one.broken(rows[0]) == ""
    assert one.broken({"mrr": 1}) == "`customer_id`: Field required (got {'mrr': 1})"


def test_lists_of_dataclasses_to_the_last_row() -> None:
    judge = judge_of(Sequence[Row])
    assert judge is not None
    rows = [Row(n, None) for n in range(100)]
    assert judge.broken(rows) == ""
    rows[99] = Row("99", 1.0)  # type: ignore[arg-type]
    assert judge.broken(rows) == "`customer_id` must be int, and is '99' in row 99"
    assert judge.broken([{"mrr": 1.0}]) == "there is no `customer_id` in row 0"


@pytest.mark.parametrize("table", TABLES)
def test_dataclasses_for_tables(table) -> None:
    judge = judge_of(Annotated[object, Row])
    assert judge is not None
    assert judge.broken(table(GOOD)) == ""
    assert judge.broken(table({**GOOD, "mrr": [1.0, None, 2.0]})) == ""
    assert judge.broken(table(MISSING)).startswith("column `customer_id` must not have values missing")


@pytest.mark.parametrize(
    "annotation", [int, list[int], pd.DataFrame, Row, Annotated[float, "EUR"], dict[str, Row], None, "text"]
)
def test_what_is_no_contract(annotation) -> None:
    assert judge_of(annotation) is None


def test_what_is_coerced_elsewhere_is_only_judged() -> None:
    class Coerced(pan.DataFrameModel):
        customer_id: int

        class Config:
            coerce = True

    frame = pd.DataFrame({"customer_id": ["1", "2"]})
    judge = contract(Coerced)
    assert judge is not None
    assert judge.broken(frame) == ""
    assert list(frame.customer_id) == ["1", "2"]
