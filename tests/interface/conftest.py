"""The projects of `tests/cli`, with named data; and the kernels of `tests/author`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))
sys.path.insert(0, str(Path(__file__).parents[1] / "author"))

from cli_projects import Project  # it lies beside the tests of the command

MANIFEST = """
    # what comes in
    [data.customers]
    source = "data/customers.csv"   # the export
    doc = 'One row a customer, "as billed" \\'
    key = { customer_id = "crm.customer" }
    units = { mrr = "EUR/month", tenure = "month" }

    [data.notes]
    source = "data/notes.txt"
"""

PIPELINE = """
    import pandas as pd
    from stepwell import log, pipeline, step
    from data import customers, notes

    @step
    def total(table: pd.DataFrame, note: str) -> float:
        log.metric("rows", len(table))
        return float(table[customers.column.mrr].sum()) + len(note)

    @pipeline
    def main() -> float:
        return total(customers(), notes())
"""

ROWS = "customer_id,mrr,tenure,plan name\n1,9.5,3,basic\n2,39.0,17,pro\n3,410.0,71,pro\n"


@pytest.fixture
def named(tmp_path: Path) -> Project:
    """A project whose pipeline imports named data; nothing is locked."""
    project = Project(tmp_path)
    project.write(MANIFEST, "stepwell.toml")
    project.write(ROWS, "data/customers.csv")
    project.write("hello", "data/notes.txt")
    project.write(PIPELINE)
    return project


@pytest.fixture
def locked(named: Project) -> Project:
    """The same, run and locked."""
    named("run", "--lock")
    return named
