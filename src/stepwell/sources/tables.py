"""Tables and arrays: how pandas, polars, Arrow and NumPy read a file.

Every function takes a file, the name of the type that is wanted, and the user's options, which are
keywords of the library's own function. Nothing here reads a pickle: that would run what is in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from stepwell.errors import InputUnreadable, nearest
from stepwell.sources.address import printable
from stepwell.sources.packing import File

PANDAS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    ".csv": ("read_csv", {}),
    ".tsv": ("read_csv", {"sep": "\t"}),
    ".txt": ("read_csv", {}),
    ".json": ("read_json", {}),
    ".jsonl": ("read_json", {"lines": True}),
    ".ndjson": ("read_json", {"lines": True}),
    ".parquet": ("read_parquet", {}),
    ".pq": ("read_parquet", {}),
    ".feather": ("read_feather", {}),
    ".arrow": ("read_feather", {}),
    ".ipc": ("read_feather", {}),
    ".orc": ("read_orc", {}),
    ".xlsx": ("read_excel", {}),
    ".dta": ("read_stata", {}),
}

POLARS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    ".csv": ("csv", {}),
    ".tsv": ("csv", {"separator": "\t"}),
    ".txt": ("csv", {}),
    ".json": ("json", {}),
    ".jsonl": ("ndjson", {}),
    ".ndjson": ("ndjson", {}),
    ".parquet": ("parquet", {}),
    ".pq": ("parquet", {}),
    ".feather": ("ipc", {}),
    ".arrow": ("ipc", {}),
    ".ipc": ("ipc", {}),
}


def with_pandas(file: File, kind: str, options: Mapping[str, Any]) -> Any:
    """The table in a file as a `pandas.DataFrame`."""
    import pandas as pd

    function, defaults = PANDAS[file.form]
    label = f"pandas.{function}"
    given = {**defaults, **options}
    if "delimiter" in options:
        given.pop("sep", None)
    if file.packing and "compression" not in options:
        with file.open() as stream:
            value = call(getattr(pd, function), label, stream, given)
    else:
        value = call(getattr(pd, function), label, str(file.path), given)
    if not isinstance(value, pd.DataFrame):
        raise InputUnreadable(
            f"`{label}` gave a {type(value).__name__} for {file}, not a DataFrame",
            why="its options ask for something else than one table",
            fixes=["source(…, Path), and read it in the step"],
        )
    return value


def join_pandas(values: list[Any]) -> Any:
    """Tables one below the other, with a new index."""
    import pandas as pd

    return pd.concat(values, ignore_index=True)


def with_polars(file: File, kind: str, options: Mapping[str, Any]) -> Any:
    """The table in a file as a `polars.DataFrame` or `LazyFrame`."""
    import polars as pl

    form, defaults = POLARS[file.form]
    lazy = kind == "polars.LazyFrame" and form != "json"
    function = f"{'scan' if lazy else 'read'}_{form}"
    source: Any = str(file.path)
    if file.packing or any(c in source for c in "*?["):
        with file.open() as stream:  # polars would take the name for a pattern
            source = stream.read()
    value = call(getattr(pl, function), f"polars.{function}", source, {**defaults, **options})
    return value.lazy() if kind == "polars.LazyFrame" and not lazy else value


def join_polars(values: list[Any]) -> Any:
    """Tables one below the other; they must have the same columns."""
    import polars as pl

    return pl.concat(values, how="vertical")


def with_arrow(file: File, kind: str, options: Mapping[str, Any]) -> Any:
    """The table in a file as a `pyarrow.Table`. Options of `ReadOptions` and its like are given by name."""
    import pyarrow as pa

    if file.form in (".csv", ".tsv"):
        from pyarrow import csv

        given = {"delimiter": "\t", **options} if file.form == ".tsv" else options
        with file.open() as stream:
            return csv.read_csv(stream, **_grouped("pyarrow.csv", csv, given))
    if file.form in (".jsonl", ".ndjson", ".json"):
        from pyarrow import json

        with file.open() as stream:
            return json.read_json(stream, **_grouped("pyarrow.json", json, options))
    if file.form in (".parquet", ".pq"):
        from pyarrow import parquet

        return call(parquet.read_table, "pyarrow.parquet.read_table", str(file.path), options)
    if options:
        raise unknown_option("pyarrow.ipc", next(iter(options)), ())
    mapped = pa.memory_map(str(file.path))
    try:
        return pa.ipc.open_file(mapped).read_all()
    except pa.ArrowInvalid:
        mapped.seek(0)
        return pa.ipc.open_stream(mapped).read_all()


def join_arrow(values: list[Any]) -> Any:
    """Tables one below the other; they must have the same columns."""
    import pyarrow as pa

    return pa.concat_tables(values)


def with_numpy(file: File, kind: str, options: Mapping[str, Any]) -> Any:
    """The array in a file: of `.npy` mapped from it, read-only; of text read with `loadtxt`."""
    import numpy as np

    if file.form == ".npy":
        if options.get("allow_pickle"):
            raise InputUnreadable(
                f"{file} may not be read with `allow_pickle`",
                why="reading a pickle runs whatever code it holds",
                fixes=["save it without objects"],
            )
        return call(np.load, "numpy.load", str(file.path), {"mmap_mode": "r", **options})
    separator = {".csv": ",", ".tsv": "\t"}.get(file.form)
    with file.open() as stream:
        return call(np.loadtxt, "numpy.loadtxt", stream, {"delimiter": separator, **options})


def join_numpy(values: list[Any]) -> Any:
    """Arrays along their first axis."""
    import numpy as np

    return np.concatenate(values)


def with_npz(file: File, kind: str, options: Mapping[str, Any]) -> Any:
    """The arrays of an `.npz` archive, by name."""
    import numpy as np

    with np.load(file.path, allow_pickle=False) as arrays:
        return dict(arrays)


def call(function: Callable[..., Any], label: str, source: object, options: Mapping[str, Any]) -> Any:
    """Call a library's function; an option that it does not have is named, with the nearest that it has."""
    from inspect import Parameter, signature

    try:
        parameters = signature(function).parameters
    except (TypeError, ValueError):
        return function(source, **options)
    if not any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters.values()):
        known = list(parameters)[1:]
        for name in options:
            if name not in known:
                raise unknown_option(label, name, known)
    return function(source, **options)


def unknown_option(label: str, name: str, known: Iterable[str]) -> InputUnreadable:
    """The error for an option that a library's function does not have."""
    close = nearest(name, known)
    return InputUnreadable(
        f"`{label}` has no option `{printable(name)}`",
        why="options of a source are passed on to the function that reads it",
        fixes=[f"did you mean `{close}=`?"] if close else [f"see the documentation of `{label}`"],
    )


def _grouped(label: str, module: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options by name, sorted into the objects in which pyarrow wants them."""
    groups = {
        name: getattr(module, kind)
        for name, kind in (
            ("read_options", "ReadOptions"),
            ("parse_options", "ParseOptions"),
            ("convert_options", "ConvertOptions"),
        )
        if hasattr(module, kind)
    }
    known = {
        option: name for name, kind in groups.items() for option in vars(kind) if not option.startswith("_")
    }
    given: dict[str, dict[str, Any]] = {}
    for option, value in options.items():
        if option not in known:
            raise unknown_option(label, option, known)
        given.setdefault(known[option], {})[option] = value
    return {name: groups[name](**values) for name, values in given.items()}
