"""Tables as Arrow IPC files: the codecs `arrow`, `arrow:pandas` and `arrow:polars`.

Every tool that knows Arrow opens the blob (`pl.read_ipc`, `pa.ipc.open_file`, DuckDB). It is not
compressed: it is mapped and not read, which is three to four times faster than Parquet, and what
compression gives changes with the version of the compressor.

**Equal tables have equal bytes**, whatever made them:

- one record batch, however the table was chunked, sliced or laid out in blocks;
- nothing under missing values, and no bit mask where nothing is missing;
- what Arrow cannot say (a pandas index, a polars type) is in the schema's metadata under `stepwell`,
  as canonical plain data; versions of libraries are not in it, and are taken out of the `pandas`
  metadata of Arrow tables.

Frames come back with the types, index, names and `attrs` that they had (`codecs.frames` for pandas).
A polars `LazyFrame` is collected when it leaves its step, and is lazy again where it is taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stepwell.codecs.batches import META, read, tidy, write, write_named
from stepwell.errors import CannotDecode, CannotEncode

if TYPE_CHECKING:
    import pyarrow as pa

    from stepwell.plugins.hookspecs import Blob, Sink


class ArrowCodec:
    """`pyarrow.Table`, `RecordBatch`, `Array` and `ChunkedArray`.

    A chunked array or table comes back in one chunk.
    """

    name = "arrow"
    exact = False

    def dump(self, value: Any, sink: Sink) -> str:
        """Write the table or array."""
        import pyarrow as pa

        if isinstance(value, pa.Table):
            kind, table = "table", value
        elif isinstance(value, pa.RecordBatch):
            kind, table = "batch", pa.Table.from_batches([value])
        elif isinstance(value, (pa.Array, pa.ChunkedArray)):
            kind = "array" if isinstance(value, pa.Array) else "chunked"
            table = pa.table({"": value})
        else:
            raise CannotEncode(f"a {type(value).__qualname__} is not an Arrow table or array")
        schema = table.schema.with_metadata(_without_versions(table.schema.metadata or {}))
        columns = [_column(table.column(i), str(name)) for i, name in enumerate(table.schema.names)]
        write(columns, schema, {"kind": kind}, sink)
        return (
            f"{table.shape} {type(value).__name__}"
            if kind in ("table", "batch")
            else f"{len(value)} {value.type}"
        )

    def load(self, blob: Blob) -> Any:
        """The table or array, mapped from the blob."""
        import pyarrow as pa

        batch, meta, _ = read(blob)
        table = pa.Table.from_batches([batch]).replace_schema_metadata(
            {key: text for key, text in (batch.schema.metadata or {}).items() if key != META} or None
        )
        match meta.get("kind"):
            case "table":
                return table
            case "batch":
                return batch.replace_schema_metadata(table.schema.metadata)
            case "array":
                return batch.column(0)
            case "chunked":
                return table.column(0)
        raise CannotDecode("the artifact is not an Arrow table")


class PolarsCodec:
    """`polars.DataFrame`, `Series` and `LazyFrame`."""

    name = "arrow:polars"
    exact = True

    def dump(self, value: Any, sink: Sink) -> str:
        """Write the frame or series."""
        import polars as pl
        import pyarrow as pa

        kind, frame = "frame", value
        if isinstance(value, pl.LazyFrame):
            kind, frame = "lazy", value.collect()
        elif isinstance(value, pl.Series):
            kind, frame = "series", value.to_frame()
        for name, dtype in frame.schema.items():
            if dtype == pl.Object:
                fix = "cast it, or drop it before the step returns"
                raise _no_column(name, "it holds Python objects", fix)
        try:
            table = frame.to_arrow()
            back: Any = pl.from_arrow(table.slice(0, 0))
        except (pa.ArrowException, pl.exceptions.PolarsError) as error:
            raise CannotEncode("the frame has a type that Arrow has not", why=str(error)[:300]) from None
        columns = []
        for (name, dtype), column in zip(frame.schema.items(), table.columns, strict=True):
            columns.append(_column(_first_seen(column) if dtype == pl.Categorical else column, name))
        fields = [field.with_type(column.type) for field, column in zip(table.schema, columns, strict=True)]
        meta = {"kind": kind, "rows": frame.height, "types": _lost_types(frame.schema, back.schema)}
        write(columns, pa.schema(fields), meta, sink)
        if kind == "series":
            return f"{len(value)} {value.dtype} Series"
        return f"{frame.shape} {type(value).__name__}"

    def load(self, blob: Blob) -> Any:
        """The frame or series, its columns mapped from the blob where polars can."""
        import polars as pl
        import pyarrow as pa

        batch, meta, _ = read(blob)
        try:
            if batch.num_columns:
                frame: Any = pl.from_arrow(pa.Table.from_batches([batch]))
            else:
                frame = pl.DataFrame(height=meta["rows"]) if meta["rows"] else pl.DataFrame()
            for name, (kind, *details) in meta["types"].items():
                frame = frame.with_columns(pl.col(name).cast(getattr(pl, _POLARS_TYPES[kind])(*details)))
            ways = {"frame": lambda: frame, "lazy": frame.lazy, "series": lambda: frame.to_series(0)}
            return ways[meta["kind"]]()
        except (KeyError, TypeError, pa.ArrowException, pl.exceptions.PolarsError) as error:
            raise CannotDecode("the artifact is not a polars frame", why=str(error)[:300]) from None


_POLARS_TYPES = {"enum": "Enum", "categorical": "Categorical"}


def _lost_types(schema: Any, back: Any) -> dict[str, list[Any]]:
    """Types of polars that its version makes into others on the way through Arrow, and how to make them again."""
    import polars as pl

    lost: dict[str, list[Any]] = {}
    for name, dtype in schema.items():
        if back[name] == dtype:
            continue
        if isinstance(dtype, pl.Enum):
            lost[name] = ["enum", list(dtype.categories)]
        elif isinstance(dtype, pl.Categorical):
            lost[name] = ["categorical", getattr(dtype, "ordering", "lexical")]
        elif not isinstance(dtype, pl.Decimal):  # without a precision it had the greatest
            raise _no_column(
                name, f"its type {dtype} does not come back from Arrow", "cast it to another type"
            )
    return lost


class PandasCodec:
    """`pandas.DataFrame`, `Series` and `Index`."""

    name = "arrow:pandas"
    exact = True

    def dump(self, value: Any, sink: Sink) -> str:
        """Write the frame, series or index."""
        from stepwell.codecs.frames import to_columns

        columns, names, meta = to_columns(value)
        write_named(columns, names, meta, sink)
        if meta["kind"] == "frame":
            return f"{value.shape} DataFrame"
        return f"{len(value)} {value.dtype} {type(value).__name__}"

    def load(self, blob: Blob) -> Any:
        """The frame, series or index; its numbers are mapped from the blob."""
        from stepwell.codecs.frames import from_columns

        batch, meta, memory = read(blob, own=True)
        try:
            return from_columns(batch.columns, meta, memory)
        except Exception as error:
            # pandas raises many things for a description that does not fit.
            raise CannotDecode(
                "the artifact is not a pandas object", why=f"{type(error).__name__}: {error}"[:300]
            ) from error


def _without_versions(metadata: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """Metadata of an Arrow table that came from pandas, without the versions of pandas and Arrow."""
    import json

    found = metadata.get(b"pandas")
    if found is None:
        return metadata
    try:
        described = json.loads(found)
        described.pop("creator", None)
        described["pandas_version"] = "0"
    except (ValueError, AttributeError, TypeError):
        return metadata
    return {**metadata, b"pandas": json.dumps(described).encode()}


# --------------------------------------------------------------------------- one form of an array


def _column(column: Any, name: str) -> pa.Array:
    import pyarrow as pa

    try:
        return tidy(column)
    except (pa.ArrowException, OverflowError) as error:
        raise _no_column(
            name, str(error)[:300], "cast text to `large_string`, which may be larger than 2 GB"
        ) from None


def _no_column(name: object, why: str, fix: str) -> CannotEncode:
    return CannotEncode(f"the column `{name}` cannot be stored", why=why, fixes=[fix])


def _first_seen(column: pa.ChunkedArray) -> Any:
    """A polars categorical with its categories in order of appearance.

    polars numbers categories in the order in which the process met them, which says nothing of the column.
    """
    import pyarrow as pa

    kind = column.type
    if not pa.types.is_dictionary(kind):
        return column
    encoded = column.cast(kind.value_type).combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = pa.concat_arrays(encoded.chunks) if encoded.num_chunks else pa.array([], kind.value_type)
    encoded = encoded.dictionary_encode()
    return pa.DictionaryArray.from_arrays(encoded.indices.cast(kind.index_type), encoded.dictionary)
