"""The manifest is the interface: named data as a module that is imported, `from data import customers`.

    customers()            in a pipeline a reference of its type; elsewhere exactly what is locked, loaded
    customers.polars()     the same as another library has it; also .pandas(), .arrow(), .duckdb(), .path
    customers.column.mrr   "mrr", known to editors and type checkers; .schema and .lock say the rest

`data.py` and `data.pyi` are written together with the lock (`writing`), and hold no more than calls of `dataset`.
Read in this order: `kinds` (what data is given as), `modules` (the text of both files), `writing` (when they are
written, and what is never overwritten), `datasets` (what the names are when a program runs), `homes` (which lock
counts for them), `contents` (the files that the lock means).

Importing this package reads no file of the project.
"""

from stepwell.dist.interface.datasets import ColumnNames, Dataset, dataset

__all__ = ["ColumnNames", "Dataset", "dataset"]
