"""One record batch with a description as an Arrow IPC file, in the one form in which equal columns have equal bytes.

What tables (`codecs.tables`) and the labels of pandas frames (`codecs.frames`) are both written with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stepwell.codecs import plain
from stepwell.errors import CannotDecode

if TYPE_CHECKING:
    import pyarrow as pa

    from stepwell.plugins.hookspecs import Blob, Sink

META = b"stepwell"
"""The key of the schema's metadata under which the description is."""


def write_named(columns: list[pa.Array], names: list[str], meta: dict[str, Any], sink: Sink) -> None:
    """Write columns whose schema is their types and names."""
    import pyarrow as pa

    fields = [pa.field(name, column.type) for name, column in zip(names, columns, strict=True)]
    write(columns, pa.schema(fields), meta, sink)


def write(columns: list[pa.Array], schema: pa.Schema, meta: dict[str, Any], sink: Sink) -> None:
    """One record batch as an Arrow IPC file."""
    import pyarrow as pa

    try:
        described = plain.dumps(meta)
    except plain.NotPlain as error:
        raise plain.refusal(meta, error) from None
    schema = schema.with_metadata(dict(sorted({**(schema.metadata or {}), META: described}.items())))
    batch = pa.RecordBatch.from_arrays(columns, schema=schema)
    options = pa.ipc.IpcWriteOptions(compression=None, use_threads=False)
    with (
        pa.PythonFile(_Stream(sink), mode="w") as file,
        pa.ipc.new_file(file, schema, options=options) as writer,
    ):
        writer.write_batch(batch)


class _Stream:
    """A sink as the kind of file that Arrow writes to; Arrow may close it, which ends nothing."""

    closed = False

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.tell = sink.tell

    def write(self, data: Any) -> int:
        view = memoryview(data)
        self._sink.write(view)
        return view.nbytes

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass

    def seekable(self) -> bool:
        return False

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True


def read(blob: Blob, *, own: bool = False) -> tuple[pa.RecordBatch, dict[str, Any], Any]:
    """The record batch, what `meta` was, and the memory that the columns lie in.

    With `own` the memory is private and may be written to.
    """
    import pyarrow as pa

    from stepwell.codecs.windows import private

    memory = private(blob) if own else blob.data
    try:
        with pa.ipc.open_file(pa.BufferReader(pa.py_buffer(memory))) as reader:
            if reader.num_record_batches != 1:
                raise ValueError("it is not one batch")
            batch = reader.get_batch(0)
        batch.validate()
        for column in batch.columns:
            if not pa.types.is_primitive(column.type):
                column.validate(full=True)  # offsets and indices that lead out of the memory
        meta = plain.loads((batch.schema.metadata or {})[META])
    except (pa.ArrowException, ValueError, KeyError, OSError, NotImplementedError) as error:
        raise CannotDecode(
            "the artifact is not an Arrow file", why=f"{type(error).__name__}: {error}"[:300]
        ) from None
    if not isinstance(meta, dict):
        raise CannotDecode("the artifact is not a table", why="its description is not one of ours")
    return batch, meta, memory


def tidy(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """The same values in one chunk, with nothing under missing ones, also inside of lists and structs."""
    import pyarrow as pa

    if isinstance(column, pa.ChunkedArray):
        if column.num_chunks == 1:
            column = column.chunk(0)
        else:
            column = column.combine_chunks()
            if isinstance(column, pa.ChunkedArray):  # no chunks at all, in some versions
                column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    kind = column.type
    types = pa.types
    if isinstance(column, pa.ExtensionArray):
        return pa.ExtensionArray.from_storage(kind, tidy(column.storage))
    if _is_view(kind):
        wide = pa.large_string() if kind == pa.string_view() else pa.large_binary()
        return tidy(column.cast(wide)).cast(kind)
    if types.is_null(kind) or types.is_run_end_encoded(kind):
        return column
    nested = types.is_nested(kind) or types.is_dictionary(kind)
    if not nested and not column.null_count:
        return column
    taken = column.take(_range(len(column)))
    return _settled(taken) if types.is_nested(kind) else taken


def _settled(column: pa.Array) -> pa.Array:
    """The same values, with nothing under missing structs: what lies there may be missing itself or not, and nobody can tell.

    `column` is whole, as `take` makes it. Fields that may not be missing stay as they are.
    """
    import pyarrow as pa

    kind, types = column.type, pa.types
    mask = column.is_null() if column.null_count else None
    if types.is_struct(kind) and kind.num_fields:
        fields = [kind.field(i) for i in range(kind.num_fields)]
        hidden = column.flatten()  # where the struct is missing, so are its parts
        parts = [hidden[i] if field.nullable else column.field(i) for i, field in enumerate(fields)]
        return pa.StructArray.from_arrays([tidy(part) for part in parts], fields=fields, mask=mask)
    if (types.is_list(kind) or types.is_large_list(kind)) and types.is_nested(kind.value_type):
        made = pa.ListArray if types.is_list(kind) else pa.LargeListArray
        return made.from_arrays(column.offsets, tidy(column.values), type=kind, mask=mask)
    return column


def masked(values: Any, missing: Any, kind: Any = None) -> pa.Array:
    """An array with missing values, whose numbers are the same wherever they are missing.

    The numbers of dates stay (they are that of `NaT`), so that reading can take them as they are.
    """
    import numpy as np
    import pyarrow as pa

    if not missing.any():
        if kind is None:
            return pa.array(values)
        return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(np.ascontiguousarray(values))], 0)
    if values.dtype == bool:
        return pa.array(np.where(missing, False, values), mask=missing)
    if kind is None:
        kind = pa.from_numpy_dtype(values.dtype)
    mask = pa.py_buffer(np.packbits(~missing, bitorder="little"))
    buffers = [mask, pa.py_buffer(np.ascontiguousarray(values))]
    return pa.Array.from_buffers(kind, len(values), buffers, int(missing.sum()))


def _range(length: int) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    return pa.array(np.arange(length, dtype=np.int64))


def _is_view(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return kind in (
        getattr(pa, "string_view", pa.large_string)(),
        getattr(pa, "binary_view", pa.large_binary)(),
    ) and (kind not in (pa.large_string(), pa.large_binary()))
