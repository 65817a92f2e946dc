"""The content of files: Parquet, Arrow IPC (Feather), CSV and `.npy`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stepwell.codecs.content import tables
from stepwell.codecs.content.nodes import ROWS, NotCanonical
from stepwell.codecs.content.tables import Content

if TYPE_CHECKING:
    import pyarrow as pa

DELIMITERS = {".csv": ",", ".tsv": "\t"}


def of_files(paths: Sequence[Path], need: Callable[..., None]) -> Content:
    """The content of a file, or of files of one kind as one table, in this order; `need` is asked for the libraries that read them.

    Raises `NotCanonical` where it has none, `OSError` where one cannot be read.
    """
    kinds = {_kind(path) for path in paths}
    if len(kinds) != 1:
        raise NotCanonical("they are files of several kinds" if kinds else "there is no file")
    kind = kinds.pop()
    need("numpy")
    if kind == "npy":
        if len(paths) > 1:
            raise NotCanonical("they are several arrays")
        return _npy(paths[0])
    need("pyarrow")
    try:
        if kind == "parquet":
            return _parquet(paths)
        if kind == "ipc":
            return _ipc(paths)
        if kind in DELIMITERS:
            from stepwell.codecs.content.text import of_csv

            return of_csv(paths, DELIMITERS[kind])
    except UnicodeDecodeError as error:
        raise NotCanonical(f"it is not UTF-8: {error}") from None
    except OSError as error:
        if error.errno is not None:
            raise
        # What Arrow cannot unpack is this error too, without a number.
        raise NotCanonical(f"it is damaged: {error}"[:300]) from None
    raise NotCanonical("it is no Parquet, Arrow, CSV or .npy file")


def _kind(path: Path) -> str:
    """What a file is by how it begins: "npy", "parquet", "ipc"; of another its suffix."""
    with path.open("rb") as file:
        start = file.read(8)
    if start[:6] == b"\x93NUMPY":
        return "npy"
    return {b"PAR1": "parquet", b"ARRO": "ipc" if start[:6] == b"ARROW1" else ""}.get(
        start[:4], path.suffix.lower()
    )


def _npy(path: Path) -> Content:
    import tokenize

    import numpy as np

    from stepwell.codecs.content.arrays import of_array

    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, TypeError, KeyError, SyntaxError, RecursionError, MemoryError, OverflowError,
            tokenize.TokenError) as error:  # fmt: skip
        # NumPy evaluates the text of the header.
        raise NotCanonical(f"it cannot be read as an array: {type(error).__name__}: {error}"[:300]) from None
    return of_array(np.asarray(array))


def _parquet(paths: Sequence[Path]) -> Content:
    import pyarrow.parquet as pq

    # Buffering ahead would keep what was read of all row groups.
    files = [pq.ParquetFile(path, pre_buffer=False) for path in paths]
    try:
        for file in files:
            for i in range(len(file.schema)):
                column = file.schema.column(i)
                if column.physical_type == "INT96":
                    raise NotCanonical(
                        f"the column `{column.path}` has times of 96 bits, whose time zone nobody knows"
                    )
        schema = _one_schema([file.schema_arrow for file in files], paths)
        if not len(schema):
            return tables.of_columns((), (), sum(file.metadata.num_rows for file in files))
        return tables.of_batches(
            schema, (_plain(batch) for file in files for batch in file.iter_batches(batch_size=ROWS))
        )
    finally:
        for file in files:
            file.close()


def _ipc(paths: Sequence[Path]) -> Content:
    import pyarrow as pa

    with contextlib.ExitStack() as opened:
        files = [
            opened.enter_context(pa.ipc.open_file(opened.enter_context(pa.memory_map(str(path)))))
            for path in paths
        ]
        schema = _one_schema([file.schema for file in files], paths)
        return tables.of_batches(
            schema,
            (_plain(_valid(file.get_batch(i))) for file in files for i in range(file.num_record_batches)),
        )


def _one_schema(schemas: Sequence[pa.Schema], paths: Sequence[Path]) -> pa.Schema:
    """The schema of files that have the same; raises `NotCanonical` for others."""
    first = schemas[0]
    for schema, path in zip(schemas[1:], paths[1:], strict=True):
        if not schema.remove_metadata().equals(first.remove_metadata(), check_metadata=False):
            raise NotCanonical(f"`{path.name}` has other columns, or other types, than `{paths[0].name}`")
    return first


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch without what a file notes beside its columns: batches of several files are put together."""
    return batch.replace_schema_metadata(None)


def _valid(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch, whose offsets and indices do not lead out of its memory. Raises an error of Arrow."""
    import pyarrow as pa

    batch.validate()
    for column in batch.columns:
        if not pa.types.is_primitive(column.type):
            column.validate(full=True)
    return batch
