"""The content of files: Parquet, Arrow IPC (Feather), CSV and `.npy`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from stepwell.codecs.content import tables
from stepwell.codecs.content.nodes import ROWS, NotCanonical
from stepwell.codecs.content.tables import Content

if TYPE_CHECKING:
    import pyarrow as pa

DELIMITERS = {".csv": ",", ".tsv": "\t"}


def of_file(path: Path, need: Callable[..., None]) -> Content:
    """The content of a file; `need` is asked for the libraries that read it.

    Raises `NotCanonical` where it has none, `OSError` where it cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(8)
    need("numpy")
    if start[:6] == b"\x93NUMPY":
        return _npy(path)
    need("pyarrow")
    try:
        if start[:4] == b"PAR1":
            return _parquet(path)
        if start[:6] == b"ARROW1":
            return _ipc(path)
        if path.suffix.lower() in DELIMITERS:
            from stepwell.codecs.content.text import of_csv

            return of_csv(path, DELIMITERS[path.suffix.lower()])
    except UnicodeDecodeError as error:
        raise NotCanonical(f"it is not UTF-8: {error}") from None
    except OSError as error:
        if error.errno is not None:
            raise
        # What Arrow cannot unpack is this error too, without a number.
        raise NotCanonical(f"it is damaged: {error}"[:300]) from None
    raise NotCanonical("it is no Parquet, Arrow, CSV or .npy file")


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


def _parquet(path: Path) -> Content:
    import pyarrow.parquet as pq

    # Buffering ahead would keep what was read of all row groups.
    with pq.ParquetFile(path, pre_buffer=False) as file:
        for i in range(len(file.schema)):
            column = file.schema.column(i)
            if column.physical_type == "INT96":
                raise NotCanonical(
                    f"the column `{column.path}` has times of 96 bits, whose time zone nobody knows"
                )
        if not len(file.schema):
            return tables.of_columns((), (), file.metadata.num_rows)
        return tables.of_batches(file.schema_arrow, file.iter_batches(batch_size=ROWS))


def _ipc(path: Path) -> Content:
    import pyarrow as pa

    with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as file:
        batches = (_valid(file.get_batch(i)) for i in range(file.num_record_batches))
        return tables.of_batches(file.schema, batches)


def _valid(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch, whose offsets and indices do not lead out of its memory. Raises an error of Arrow."""
    import pyarrow as pa

    batch.validate()
    for column in batch.columns:
        if not pa.types.is_primitive(column.type):
            column.validate(full=True)
    return batch
