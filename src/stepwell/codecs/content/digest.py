"""Digests of content: what callers use.

>>> digest_of(pd.DataFrame({"id": [1, 2]}))
'c1:44a8f167…'
>>> digest_of_file(Path("customers.parquet"))
'c1:44a8f167…'

Two tables with one digest hold the same values under the same names in the same order. They need not have
the same types, and a program can tell some of them apart: `docs/reference/content-digest.md` says which.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from stepwell.codecs.content.nodes import NotCanonical
from stepwell.codecs.content.tables import Content
from stepwell.errors import MissingLibrary


class Undefined(NamedTuple):
    """A value or file that has no content digest."""

    why: str
    """A clause: "the column `when` has the type period[M]"."""


def digest_of(value: Any) -> str | None:
    """The content digest of a table or array, `c1:` and 64 hexadecimal digits; None where it has none.

    Takes what `content_of` takes, and raises what it raises.
    """
    return _digest(content_of(value))


def digest_of_file(path: Path) -> str | None:
    """The content digest of a file; None where it has none, and its bytes must do.

    Takes what `content_of_file` takes, and raises what it raises.
    """
    return _digest(content_of_file(path))


def content_of(value: Any) -> Content | Undefined:
    """The content of a table or array in memory.

    Takes `pandas.DataFrame` and `Series`, `polars.DataFrame`, `Series` and `LazyFrame` (which is collected),
    `pyarrow.Table`, `RecordBatch`, `RecordBatchReader` (which is read to its end), `Array` and
    `ChunkedArray`, relations of DuckDB (whose query is executed) and `numpy.ndarray`; subclasses of these
    are undefined, as is all else. Raises `MissingLibrary` for a table where pyarrow or NumPy is not installed.
    """
    for library, of in _LIBRARIES.items():
        module = sys.modules.get(library)
        if module is not None and type(value).__module__.partition(".")[0] in (library, f"_{library}"):
            return _told(of, value, module)
    return Undefined(f"a {type(value).__qualname__} is no table and no array")


def content_of_file(path: Path) -> Content | Undefined:
    """The content of a Parquet, Arrow IPC (Feather) or `.npy` file, known by how they begin, or of a `.csv` or `.tsv` file.

    Raises `OSError` where the file cannot be read, and `MissingLibrary` where what reads it is not installed.
    """
    return content_of_files((path,))


def content_of_files(paths: Sequence[Path]) -> Content | Undefined:
    """The content of files of one kind with the same columns as one table, one below the other in this order.

    Of CSV files, what stands in a column is told by all of them together. Raises what `content_of_file` raises.
    """
    from stepwell.codecs.content import files

    return _told(files.of_files, paths, need)


def need(*libraries: str) -> None:
    """Raise `MissingLibrary` for the first library that is not installed."""
    for name in libraries:
        if not _installed(name):
            raise MissingLibrary(
                f"the content of a table is told with `{name}`, which is not installed",
                why="without it the digest would be another on another machine, so there is none",
                fixes=['pip install "stepwell[pandas]"', 'or pip install "stepwell[polars]" numpy'],
            )


def _installed(name: str) -> bool:
    try:
        return name in sys.modules or importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):  # ValueError: a module without a spec was put in `sys.modules`
        return False


def _told(of: Callable[..., Content], *given: Any) -> Content | Undefined:
    """The content, or why there is none: it has no canonical form, or this version of Arrow cannot read or lay it out."""
    try:
        return of(*given)
    except NotCanonical as error:
        return Undefined(str(error))
    except _errors() as error:
        return Undefined(
            f"Arrow {sys.modules['pyarrow'].__version__} cannot read it or lay it out: {error}"[:300]
        )


def _errors() -> tuple[type[Exception], ...]:
    """What Arrow raises, if it is there. Errors of reading that are the system's are no part of it."""
    module: Any = sys.modules.get("pyarrow")
    return () if module is None else (module.ArrowException,)


def _digest(found: Content | Undefined) -> str | None:
    return found.digest if isinstance(found, Content) else None


# --------------------------------------------------------------------------- libraries


def _pandas(value: Any, pd: Any) -> Content:
    need("pyarrow", "numpy")
    from stepwell.codecs.content.frames import of_frame

    if type(value) is pd.Series:
        value = value.to_frame("" if value.name is None else value.name)
    if type(value) is not pd.DataFrame:
        raise NotCanonical(f"a {type(value).__qualname__} is more, or less, than a pandas frame")
    return of_frame(value)


_POLARS = frozenset(
    {
        "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float16", "Float32", "Float64",
        "Boolean", "String", "Binary", "Date", "Time", "Datetime", "Duration", "Decimal", "Categorical", "Enum",
        "List", "Array", "Struct", "Null",
    }
)  # fmt: skip
"""Types of polars that Arrow has too; polars would rather end the process than convert the others."""


def _polars(value: Any, pl: Any) -> Content:
    need("pyarrow", "numpy")
    from stepwell.codecs.content import tables

    if type(value) is pl.LazyFrame:
        value = value.collect()
    elif type(value) is pl.Series:
        value = value.to_frame()
    if type(value) is not pl.DataFrame:
        raise NotCanonical(f"a {type(value).__qualname__} is no polars frame")
    for name, dtype in value.schema.items():
        _check_polars(name, dtype)
    if not value.width:
        return tables.of_columns((), (), value.height)
    blocks = (
        batch
        for part in value.iter_slices(tables.ROWS)
        for batch in part.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest()).to_batches()
    )
    return tables.of_batches(value.head(0).to_arrow(compat_level=pl.CompatLevel.oldest()).schema, blocks)


def _check_polars(name: str, dtype: Any) -> None:
    kind = dtype if isinstance(dtype, type) else type(dtype)  # some types are their own classes
    if kind.__name__ not in _POLARS:
        raise NotCanonical(f"the column `{name}` has the type {dtype}")
    if getattr(dtype, "inner", None) is not None:
        _check_polars(name, dtype.inner)
    for field in getattr(dtype, "fields", None) or ():
        _check_polars(f"{name}.{field.name}", field.dtype)


def _arrow(value: Any, pa: Any) -> Content:
    need("numpy")
    from stepwell.codecs.content import arrow, tables

    if isinstance(value, pa.Table):
        return tables.of_table(value)
    if isinstance(value, pa.RecordBatch):
        return tables.of_table(pa.Table.from_batches([value]))
    if isinstance(value, pa.RecordBatchReader):
        return tables.of_batches(value.schema, value)
    if isinstance(value, (pa.Array, pa.ChunkedArray)):
        arrow.check(pa.field("", value.type))
        column = tables.Column()
        column.take_all(value)
        return tables.of_values((len(value),), column.digest())
    raise NotCanonical(f"a {type(value).__qualname__} is no Arrow table and no Arrow array")


_DUCKDB = frozenset(
    {"uuid", "bit", "time with time zone", "bignum", "varint", "interval", "union", "uhugeint"}
)
"""Types of DuckDB that are another in Arrow than in Parquet, or none."""


def _duckdb(value: Any, duckdb: Any) -> Content:
    need("pyarrow", "numpy")
    from stepwell.codecs.content import tables

    if type(value).__name__ != "DuckDBPyRelation":
        raise NotCanonical(f"a {type(value).__qualname__} is no relation")
    for name, dtype in zip(value.columns, value.types, strict=True):
        _check_duckdb(name, dtype)
    read = getattr(value, "to_arrow_reader", None) or value.fetch_arrow_reader
    reader = read(tables.ROWS)
    return tables.of_batches(reader.schema, reader)


def _check_duckdb(name: str, dtype: Any) -> None:
    if dtype.id in _DUCKDB:
        raise NotCanonical(f"the column `{name}` has the type {dtype}")
    if dtype.id in ("list", "array", "struct", "map"):
        for inner, child in dtype.children:
            if not isinstance(child, int):  # the size of an array
                _check_duckdb(f"{name}.{inner}", child)


def _numpy(value: Any, np: Any) -> Content:
    from stepwell.codecs.content.arrays import of_array

    if type(value) is not np.ndarray and type(value) is not np.memmap:
        raise NotCanonical(f"a {type(value).__qualname__} is more, or less, than an array")
    return of_array(np.asarray(value))


_LIBRARIES = {"pandas": _pandas, "polars": _polars, "pyarrow": _arrow, "duckdb": _duckdb, "numpy": _numpy}
