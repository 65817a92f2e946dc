"""The digest of a table out of its columns, block by block, and of an array out of its values.

A column is hashed by itself, `ROWS` values at a time, whatever batches they came in, so that memory is
bounded and the digest of a table also tells which of its columns changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from stepwell.codecs.content import arrow
from stepwell.codecs.content.nodes import ROWS, utf8

if TYPE_CHECKING:
    import pyarrow as pa


class Content(NamedTuple):
    """What is in a table or array."""

    digest: str
    """`c1:` and 64 hexadecimal digits."""

    shape: tuple[int, ...]
    """Rows and columns of a table, the lengths of an array along its axes."""

    columns: tuple[tuple[str, str], ...] = ()
    """Name and digest of each column of a table: the digest is that of the column's values as an array."""


class Column:
    """The hash of one column."""

    def __init__(self) -> None:
        from blake3 import blake3

        self._hash = blake3(b"c1:column\n")
        self.put = self._hash.update

    def take(self, block: pa.Array | pa.ChunkedArray) -> None:
        """Hash the next block: `ROWS` values, fewer only when it is the last."""
        arrow.node(self.put, arrow.joined(block))

    def take_all(self, values: pa.Array | pa.ChunkedArray) -> None:
        """Hash a whole column."""
        for start in range(0, len(values), ROWS):
            self.take(values.slice(start, ROWS))

    def digest(self) -> bytes:
        """The 32 bytes of the hash."""
        return self._hash.digest()


def of_columns(names: Sequence[str], columns: Sequence[Column], rows: int) -> Content:
    """The content of a table with these columns, in their order."""
    from blake3 import blake3

    whole = blake3(b"c1:table\n" + _count(rows) + _count(len(columns)))
    told = []
    for name, column in zip(names, columns, strict=True):
        text, digest = utf8(name), column.digest()
        whole.update(_count(len(text)) + text + digest)
        told.append((name, of_values((rows,), digest).digest))
    return Content(f"c1:{whole.hexdigest()}", (rows, len(columns)), tuple(told))


def of_values(shape: Sequence[int], digest: bytes) -> Content:
    """The content of an array of this shape, from the digest of its values as one column."""
    from blake3 import blake3

    lengths = b"".join(map(_count, shape))
    whole = blake3(b"c1:array\n" + _count(len(shape)) + lengths + digest)
    return Content(f"c1:{whole.hexdigest()}", tuple(shape))


def of_table(table: pa.Table) -> Content:
    """The content of an Arrow table, one column after the other."""
    for field in table.schema:
        arrow.check(field)
    columns = []
    for values in table.columns:
        column = Column()
        column.take_all(values)
        columns.append(column)
    return of_columns(table.schema.names, columns, table.num_rows)


def of_batches(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Content:
    """The content of a stream of record batches, of which no more than a block is kept."""
    for field in schema:
        arrow.check(field)
    columns = [Column() for _ in schema]
    rows = 0
    for block in _blocks(batches):
        rows += block.num_rows
        for column, values in zip(columns, block.columns, strict=True):
            column.take(values)
    return of_columns(schema.names, columns, rows)


def _blocks(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The same rows, `ROWS` at a time."""
    import pyarrow as pa

    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        waiting.append(batch)
        rows += batch.num_rows
        if rows < ROWS:
            continue
        table = pa.Table.from_batches(waiting)
        full = rows - rows % ROWS
        for start in range(0, full, ROWS):
            yield table.slice(start, ROWS)
        rest = table.slice(full)
        rows -= full
        waiting = rest.to_batches() if rows else []
    if rows:
        yield pa.Table.from_batches(waiting)


def _count(number: int) -> bytes:
    return number.to_bytes(8, "little")
