"""Named data in the cells of a notebook, in a real kernel: a pipeline of cells, and what is locked."""

from __future__ import annotations

import pytest
from notebooks import Notebook  # it lies beside the tests of notebooks


@pytest.mark.slow
def test_cells(locked) -> None:
    notebook = Notebook(locked.root)
    try:
        shown = notebook.execute(
            "from data import customers, notes\nprint(len(customers()), customers.column.mrr, notes())"
        )
        assert (shown.error, shown.text.strip()) == ("", "3 mrr hello")
        cells = """
import pandas as pd
from stepwell import pipeline, step

@step
def rows(table: pd.DataFrame) -> int:
    return len(table[customers.column.mrr])

@pipeline
def main() -> int:
    return rows(customers())

run = main.run()
print(run.result, run.status)
"""
        shown = notebook.execute(cells)
        assert shown.error == ""
        assert "3 succeeded" in shown.text
        locked.write("customer_id,mrr,tenure,plan name\n9,9,9,x\n", "data/customers.csv")
        assert "FrozenGone" in notebook.execute("customers()").error
    finally:
        notebook.stop()
