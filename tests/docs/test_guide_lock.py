"""`docs/guides/lock.md` is what happens: its manifest is held to, and its commands do what the text says."""

from __future__ import annotations

import tomllib

import pytest
from cli_projects import Project
from pages import blocks, commands

PIPELINE = """
    from stepwell import pipeline, source, step

    customers = source("data/customers.csv", str)
    orders = source("data/orders.parquet")

    @step
    def fit(customers: str) -> dict[str, int]:
        return {"rows": len(customers.splitlines()) - 1}

    @pipeline
    def churn():
        return fit(customers())
"""


@pytest.fixture
def project(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    found = Project(tmp_path)
    found.write(PIPELINE)
    found.write(blocks("lock.md", "toml")[1], "stepwell.toml")
    rows = [f"{n},{n / 4 + 0.25},basic,{n}@example.org" for n in range(200)]
    found.write("\n".join(["customer_id,mrr,plan,email", *rows, ""]), "data/customers.csv")
    pq.write_table(pa.table({"customer_id": [1, 2, 3, 900]}), found.root / "data" / "orders.parquet")
    return found


def test_the_guide_to_locks(project):
    words = [each[: each.index("#")] for each in commands("lock.md")]
    assert words == [
        ["run", "--lock"],
        ["lock"],
        ["lock", "--check"],
        ["lock", "--pylock"],
        ["run", "--locked"],
    ]
    for each in (words[0], words[1], words[2], words[4]):
        project(*each)
    found = tomllib.loads((project.root / "stepwell.lock").read_text())
    customers = found["data"]["customers"]
    assert set(customers["quantiles"]) == {"mrr"}
    assert set(customers["sketch"]) == {"customer_id"}
    assert customers["units"] == {"mrr": "EUR/month"}
    assert found["data"]["orders"]["references"] == {"customer_id": "customers.customer_id 0.75"}
    assert found["output"]["model"]["step"] == "fit"


def test_data_that_is_not_as_said_is_refused(project):
    project("run", "--lock")
    before = (project.root / "stepwell.lock").read_bytes()
    project.edit('plan = "string"', 'plan = "int64"', "stepwell.toml")
    told = project.refused("lock", code=3)
    assert told["code"] == "E705"
    assert told["what"] == "column `plan` of data `customers` holds string, and its schema says int64"
    assert (project.root / "stepwell.lock").read_bytes() == before


def test_what_the_manifest_means_is_locked(project):
    project("run", "--lock")
    project.edit('mrr = "EUR/month"', 'mrr = "cents/month"', "stepwell.toml")
    for words in (["run", "--locked"], ["lock", "--check"]):
        assert "data.customers.units.mrr: EUR/month is now cents/month" in project(*words, code=3).err
    assert "data.customers.units.mrr: EUR/month is now cents/month" in project("lock").out
