"""Tables that people have, as pandas frames, and back: pandas, polars, Arrow, columns by name, files.

    given = taken(table, text=["carrier"])     # a frame, what kind of table it was, and the units that it says
    given_back(columns, given)                 # the answer as a table of that kind

A file is read so that columns of `text` stay text: "007" is not 7. Units are looked for where libraries keep what
they do not understand: `attrs["units"]` of pandas (by column, or one unit of all of them), and "unit" or "units" in the metadata of a field of Arrow.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from stepwell.codecs.content.digest import need
from stepwell.dist.installed.kinds import kind_of
from stepwell.errors import InputUnreadable, MissingSource, WrongColumns, WrongTypes, WrongUnits
from stepwell.sources.address import printable

if TYPE_CHECKING:
    import pandas as pd

    from stepwell.sources.packing import File

Sort = Literal["pandas", "polars", "polars lazy", "arrow", "columns", "row"]


class Given(NamedTuple):
    """A table as a pandas frame, what it was before, and the units that it says, by column."""

    frame: pd.DataFrame
    sort: Sort
    units: Mapping[str, str]


def taken(table: Any, text: Collection[str] = ()) -> Given:
    """Any table as a pandas frame; `text` are the columns that a file holds as text.

    Raises `WrongTypes` for what is no table, `WrongUnits` for units that say nothing, `MissingSource`, `InputUnreadable` and `WrongColumns` of a file, `MissingLibrary`.
    """
    need("pandas")
    library = type(table).__module__.partition(".")[0]
    if isinstance(table, str | os.PathLike):
        given = _pandas(_read(Path(table), text))
        return given._replace(units={**_file_units(Path(table)), **given.units})
    if library == "pandas":
        return _pandas(table)
    if library == "polars":
        return _polars(table)
    if library == "pyarrow":
        return _arrow(table)
    if isinstance(table, Mapping):
        return _columns(table)
    raise _no_table(table)


def _no_table(table: Any) -> WrongTypes:
    kind = type(table)
    return WrongTypes(
        f"a {kind.__module__}.{kind.__qualname__} is no table".replace("builtins.", ""),
        why="a model is asked with a table, whose columns have names",
        fixes=['predict(pandas.DataFrame({"name": [...]}))', 'predict("customers.csv")'],
    )


def _pandas(table: Any) -> Given:
    import pandas as pd

    if not isinstance(table, pd.DataFrame):
        raise _no_table(table)
    return Given(table, "pandas", _units(table.attrs.get("units"), table.columns))


def _units(said: Any, columns: Iterable[Any]) -> dict[str, str]:
    """The units that a frame says: by column, or one of all of them. Raises `WrongUnits` for anything else."""
    if said is None:
        return {}
    if isinstance(said, str):
        return dict.fromkeys(map(str, columns), said)
    if not isinstance(said, Mapping):
        raise WrongUnits(
            f'`attrs["units"]` of the table is a {type(said).__qualname__}: {str(said)[:60]!r}',
            why="nobody can tell which column is in which unit",
            fixes=['table.attrs["units"] = {"distance": "mile"}'],
        )
    return {str(name): str(unit) for name, unit in said.items()}


def _polars(table: Any) -> Given:
    import polars as pl

    if isinstance(table, pl.LazyFrame):
        return Given(table.collect().to_pandas(), "polars lazy", {})
    if not isinstance(table, pl.DataFrame):
        raise _no_table(table)
    return Given(table.to_pandas(), "polars", {})


def _arrow(table: Any) -> Given:
    import pyarrow as pa

    if isinstance(table, pa.RecordBatch):
        table = pa.Table.from_batches([table])
    if not isinstance(table, pa.Table):
        raise _no_table(table)
    try:
        return Given(table.to_pandas(), "arrow", _field_units(table.schema))
    except (pa.ArrowException, ValueError, NotImplementedError) as error:
        raise WrongTypes("the table of Arrow cannot be read", why=str(error)[:300]) from None


def _field_units(schema: Any) -> dict[str, str]:
    """The units that the fields of an Arrow schema say."""
    units = {}
    for field in schema:
        said = field.metadata or {}
        unit = said.get(b"units", said.get(b"unit"))
        if unit is not None:
            units[field.name] = unit.decode("utf-8", "replace")
    return units


def _columns(table: Mapping[Any, Any]) -> Given:
    """Columns by name; where all are single values, one row."""
    import pandas as pd

    single = bool(table) and all(isinstance(value, str | int | float | None) for value in table.values())
    columns = {str(name): [value] if single else value for name, value in table.items()}
    try:
        return Given(pd.DataFrame(columns), "row" if single else "columns", {})
    except (ValueError, TypeError) as error:
        raise WrongColumns("the columns make no table", why=str(error)[:300]) from None


# --------------------------------------------------------------------------- files

_DTYPE = {"read_csv": "dtype", "read_excel": "dtype"}
"""Functions of pandas that guess types, and their option that says them."""


def _read(path: Path, text: Collection[str]) -> pd.DataFrame:
    from stepwell.sources.packing import File, packing_of
    from stepwell.sources.tables import PANDAS, with_pandas

    name = path.name.lower()
    packing = packing_of(name)
    form = Path(name.removesuffix(packing)).suffix
    if not path.is_file():
        raise MissingSource(f"there is no file `{path}`", fixes=["check the path"])
    if form not in PANDAS:
        raise InputUnreadable(
            f"`{path}` is no table that can be read",
            why=f"what it is, is told by its suffix: {' '.join(PANDAS)}",
            fixes=["name a CSV or Parquet file"],
        )
    reader, given = PANDAS[form]
    option = _DTYPE.get(reader)
    options: dict[str, Any] = {option: dict.fromkeys(text, "str")} if option and text else {}
    try:
        if reader == "read_csv":
            _check_header(File(path, form, packing), given.get("sep", ","))
        found: pd.DataFrame = with_pandas(File(path, form, packing), "pandas.DataFrame", options)
    except (OSError, ValueError, EOFError, ImportError, KeyError, OverflowError) as error:
        raise InputUnreadable(
            f"`{path}` cannot be read as a table",
            why=f"{type(error).__name__}: {str(error).strip()}"[:300].replace("\n", " "),
            fixes=[f"look at how it begins: head -c 300 {path}"],
        ) from None
    return found


def _file_units(path: Path) -> dict[str, str]:
    """The units that a Parquet file says in the metadata of its fields; pandas leaves them out."""
    if path.suffix.lower() not in (".parquet", ".pq"):
        return {}
    try:
        import pyarrow.parquet

        return _field_units(pyarrow.parquet.read_schema(path))
    except (ImportError, OSError, ValueError):  # another library has read it, which knows of no such metadata
        return {}


def _check_header(file: File, separator: str) -> None:
    """See that each name of a CSV's header is there once, and that its first row has no more fields than it.

    pandas would call the second one `name.1`, and take what is too much at the beginning of each row for an index;
    of the rows below it tells itself where one has too many fields. Raises `WrongColumns`, `InputUnreadable`.
    """
    import csv
    from io import TextIOWrapper

    with file.open() as stream, TextIOWrapper(stream, "utf-8-sig", "replace", newline="") as text:
        rows = csv.reader(text, delimiter=separator)
        try:
            header = next((row for row in rows if _is_written(row)), [])
            first = next((row for row in rows if _is_written(row)), [])
        except csv.Error:  # pandas says better what is wrong
            return
        line = rows.line_num
    twice = next((name for name in header if name and header.count(name) > 1), "")
    if twice:
        raise WrongColumns(
            f"`{file.path}` has the column `{printable(twice)}` twice",
            why=f"its header is {printable(separator.join(header))[:200]}",
            fixes=["leave one of them out"],
        )
    if len(first) > len(header):
        raise InputUnreadable(
            f"line {line} of `{file.path}` has {len(first)} fields, and the header has {len(header)}",
            why="nobody can tell which column each value is of",
            fixes=["name every column in the header", "leave out what is too much at the end of the row"],
        )


def _is_written(row: list[str]) -> bool:
    """Whether a row of a CSV is no blank line."""
    return len(row) > 1 or any(cell.strip() for cell in row)


# --------------------------------------------------------------------------- numbers


def refuse_too_large(frame: pd.DataFrame, takes: Mapping[str, str]) -> None:
    """Raise `WrongTypes` where a number does not fit into the type of its column: it would become another number."""
    for name, wanted in takes.items():
        column = frame.get(name)
        if getattr(column, "ndim", 0) != 1 or column is None:
            continue
        limit = 1 << (63 if kind_of(wanted) == "int" else 1024)
        value = _too_large(column, limit)
        if value is not None:
            raise WrongTypes(
                f"`{name}` holds {f'{value:.6g}' if abs(value) < 1 << 1000 else 'a number of more than 300 digits'}, and "
                f"{wanted} is wanted: it does not fit into that",
                why="as another number it would be asked about silently",
                fixes=["correct the value, or leave it missing if nobody knows it"],
            )


def _too_large(column: pd.Series, limit: int) -> Any:
    """The first number that is not from `-limit` to below `limit`; None where there is none. Those of NumPy's integers all are."""
    import pandas as pd

    if pd.api.types.is_float_dtype(column.dtype):
        if limit >= 1 << 1024:
            return None
        values = column.dropna()
        outside = values[(values >= limit) | (values < -limit)]
        outside = outside[abs(outside) != float("inf")]
        return float(outside.iloc[0]) if len(outside) else None
    if str(column.dtype) != "object":
        return None
    numbers = (one for one in column if isinstance(one, int | float) and abs(one) != float("inf"))
    return next((one for one in numbers if one >= limit or one < -limit), None)


# --------------------------------------------------------------------------- back


def given_back(answer: pd.DataFrame, sort: Sort) -> Any:
    """An answer as the kind of table that was given. Columns by name come back as lists, a row as values."""
    if sort == "pandas":
        return answer
    if sort in ("columns", "row"):
        lists = {name: answer[name].tolist() for name in answer.columns}
        return {name: values[0] for name, values in lists.items()} if sort == "row" else lists
    if sort == "arrow":
        import pyarrow as pa

        return pa.Table.from_pandas(answer, preserve_index=False).replace_schema_metadata(None)
    import polars as pl

    frame = pl.from_pandas(answer.reset_index(drop=True))
    return frame.lazy() if sort == "polars lazy" else frame
