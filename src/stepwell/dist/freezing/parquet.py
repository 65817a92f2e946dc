"""Tables as Parquet that says nothing but the table: the same rows in the same order are the same bytes, by one pyarrow.

Another version of pyarrow writes other bytes (its name is in the file): the content digest stays.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from importlib import import_module
from typing import Any

GROUP = 1 << 17
"""Rows of a group."""


def canonical(table: Any) -> bytes:
    """A `pyarrow.Table` as Parquet, without metadata of whoever made it."""
    from pyarrow import parquet

    out = io.BytesIO()
    parquet.write_table(
        table.replace_schema_metadata(None).combine_chunks(),
        out,
        compression="zstd",
        compression_level=3,
        row_group_size=GROUP,
        version="2.6",
        data_page_version="1.0",
    )
    return out.getvalue()


def ordered(table: Any, key: Sequence[str]) -> tuple[Any, str]:
    """A table in an order that its rows alone decide, and what that order is: by the key first, then by all columns.

    Columns of lists or of records, which Arrow cannot sort, count by their text.
    """
    import pyarrow as pa

    first = [name for name in key if name in table.column_names]
    names = [*first, *[name for name in table.column_names if name not in first]]
    if len({*table.column_names}) < table.num_columns or not table.num_rows:
        return table, "as it came"
    sortable = pa.table({name: _sortable(table.column(name)) for name in names})
    compute: Any = import_module("pyarrow.compute")
    order = compute.sort_indices(sortable, sort_keys=[(name, "ascending") for name in names])
    return table.take(order), ", ".join(first) if first else "all columns"


def _sortable(column: Any) -> Any:
    import pyarrow as pa

    kind = column.type
    if pa.types.is_nested(kind) or pa.types.is_dictionary(kind) or pa.types.is_null(kind):
        return pa.array([None if value is None else repr(value) for value in column.to_pylist()], pa.string())
    return column
