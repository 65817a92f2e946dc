"""Contracts on edges in real runs: data that breaks one stops the step before it runs, and nothing of it is kept."""

from __future__ import annotations

import pytest

PIPELINE = """
    import pandas as pd
    import pandera.pandas as pa
    from pathlib import Path
    from pandera.typing import DataFrame
    from stepwell import pipeline, source, step

    class Customers(pa.DataFrameModel):
        customer_id: int
        mrr: float = pa.Field(ge=0)

    customers = source("customers.csv", pd.DataFrame)

    @step
    def read(customers: pd.DataFrame) -> pd.DataFrame:
        return customers

    @step
    def total(customers: DataFrame[Customers]) -> float:
        Path("called").write_text("it was")
        return float(customers.mrr.sum())

    @step
    def grown(total: float) -> DataFrame[Customers]:
        return pd.DataFrame({"customer_id": [1], "mrr": [total - 20]})

    @pipeline
    def main():
        return grown(total(read(customers())))
"""
GOOD = "customer_id,mrr\n1,9.5\n2,19.5\n"


@pytest.fixture
def shop(project):
    project.write(PIPELINE)
    project.write(GOOD, "customers.csv")
    return project


def test_a_contract_of_an_argument_stops_the_step(shop) -> None:
    shop("run", "--in-process")
    (shop.root / "called").unlink()
    shop.write("customer_id,mrr\n1,9.5\n2,-3.0\n", "customers.csv")
    failed = shop("run", code=1)
    assert "E773" in failed.err + failed.out
    assert (
        "step `total`: `total(customers=...)` breaks the contract `Customers`: column `mrr` breaks "
        "`greater_than_or_equal_to(0)`: -3.0 in row 1"
    ) in failed.out
    assert not (shop.root / "called").exists()


def test_a_contract_of_what_a_step_gives(shop) -> None:
    shop.write("customer_id,mrr\n1,9.5\n", "customers.csv")
    failed = shop("run", "--in-process", code=1)
    assert "what step `grown` gave breaks the contract `Customers`" in failed.err + failed.out


MANIFEST = """
    [data.customers]
    source = "customers.csv"
    schema = { customer_id = "int64 not null", mrr = "float64" }

    [outputs.grown]
    step = "read"
    schema = "promised:Grown"
"""


def test_contracts_of_the_manifest(shop) -> None:
    shop.write(MANIFEST, "stepwell.toml")
    shop.write(
        "from dataclasses import dataclass\n\n@dataclass\nclass Grown:\n    customer_id: int\n    name: str\n",
        "promised.py",
    )
    failed = shop("run", "--in-process", code=1)
    assert (
        "what step `read` gave breaks the contract `Grown`: there is no column `name`"
        in failed.err + failed.out
    )
    shop.edit("promised:Grown", "promised:Grow", "stepwell.toml")
    failed = shop("run", "--in-process", code=1)
    assert "the contract `promised:Grow` of `outputs` cannot be loaded" in failed.err + failed.out
    assert "did you mean `promised:Grown`?" in failed.err + failed.out
    shop.write("customer_id,mrr\n1,9.5\n,3.0\n", "customers.csv")
    failed = shop("run", code=1)
    assert "data `customers` breaks the contract `the schema`: column `customer_id` must not have values missing, and has in row 1" in failed.err + failed.out  # fmt: skip


def test_a_plan_sees_that_a_column_refers_to_none(shop) -> None:
    shop.write(
        '[data.customers]\nsource = "customers.csv"\nreferences = { customer_id = "customers.number" }\n',
        "stepwell.toml",
    )
    refused = shop.refused("plan", code=3)
    assert refused["what"] == (
        "`references.customer_id` of data `customers` declares the column `number`, which the source `customers` does not have"
    )
    shop.edit("customers.number", "customers.customer_id", "stepwell.toml")
    shop("plan")


def test_a_plan_compares_the_schema_with_the_file(shop) -> None:
    shop.write(MANIFEST.partition("    [outputs")[0].replace("mrr =", "revenue ="), "stepwell.toml")
    refused = shop.refused("plan", code=3)
    assert refused["what"] == (
        "the schema of `data.customers` declares the column `revenue`, which the source `customers` does not have"
    )
    shop.write("customer_id,revenue\na,1.5\n", "customers.csv")
    assert "declares that the column `customer_id` holds int, and" in shop.refused("plan", code=3)["what"]
