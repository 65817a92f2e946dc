"""Tables that people have, as pandas frames, and back: pandas, polars, Arrow, columns by name, files.

    given = taken(table, text=["carrier"])     # a frame, what kind of table it was, and the units that it says
    given_back(columns, given)                 # the answer as a table of that kind

A file is read so that columns of `text` stay text: "007" is not 7. Units are looked for where libraries keep what
they do not understand: `attrs["units"]` of pandas, and "unit" or "units" in the metadata of a field of Arrow.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from stepwell.codecs.content.digest import need
from stepwell.errors import InputUnreadable, MissingSource, WrongColumns, WrongTypes

if TYPE_CHECKING:
    import pandas as pd

Sort = Literal["pandas", "polars", "polars lazy", "arrow", "columns", "row"]


class Given(NamedTuple):
    """A table as a pandas frame, what it was before, and the units that it says, by column."""

    frame: pd.DataFrame
    sort: Sort
    units: Mapping[str, str]


def taken(table: Any, text: Collection[str] = ()) -> Given:
    """Any table as a pandas frame; `text` are the columns that a file holds as text.

    Raises `WrongTypes` for what is no table, `MissingSource` and `InputUnreadable` of a file, `MissingLibrary`.
    """
    need("pandas")
    library = type(table).__module__.partition(".")[0]
    if isinstance(table, str | os.PathLike):
        return Given(_read(Path(table), text), "pandas", {})
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
    said = table.attrs.get("units")
    return Given(table, "pandas", _texts(said) if isinstance(said, Mapping) else {})


def _texts(said: Mapping[Any, Any]) -> dict[str, str]:
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
    units = {}
    for field in table.schema:
        said = field.metadata or {}
        unit = said.get(b"units", said.get(b"unit"))
        if unit is not None:
            units[field.name] = unit.decode("utf-8", "replace")
    try:
        return Given(table.to_pandas(), "arrow", units)
    except (pa.ArrowException, ValueError, NotImplementedError) as error:
        raise WrongTypes("the table of Arrow cannot be read", why=str(error)[:300]) from None


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
    option = _DTYPE.get(PANDAS[form][0])
    options: dict[str, Any] = {option: dict.fromkeys(text, "str")} if option and text else {}
    try:
        found: pd.DataFrame = with_pandas(File(path, form, packing), "pandas.DataFrame", options)
    except (OSError, ValueError, EOFError, ImportError, KeyError) as error:
        raise InputUnreadable(
            f"`{path}` cannot be read as a table",
            why=f"{type(error).__name__}: {str(error).strip()}"[:300].replace("\n", " "),
            fixes=[f"look at how it begins: head -c 300 {path}"],
        ) from None
    return found


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
