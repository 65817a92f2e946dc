"""CSV files as tables: what kind of values stands in each column, by a grammar and not by the taste of a reader.

The file is read twice, as text: once to see which grammars all cells of a column follow, once to hash
what they say. An empty cell is missing. The grammars are in `docs/reference/content-digest.md`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from stepwell.codecs.content import tables
from stepwell.codecs.content.arrow import compute
from stepwell.codecs.content.nodes import NotCanonical
from stepwell.codecs.content.tables import Content

if TYPE_CHECKING:
    import pyarrow as pa

_EXPONENT = "[eE][-+]?[0-9]+"
_FLOAT = f"-?((0|[1-9][0-9]*)([.][0-9]+({_EXPONENT})?|{_EXPONENT})|0|[1-9][0-9]{{0,14}}|(?i:inf|nan))"
"""What is written as a whole number has at most 15 digits here: more would be rounded, and may be an id."""

_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_NEAR = "(167[89]|16[89][0-9]|1[7-9][0-9]{2}|2[01][0-9]{2}|22[0-5][0-9]|226[01])-[0-9]{2}-[0-9]{2}"
"""A day that 64 bits of nanoseconds reach; what Arrow makes of others as nanoseconds depends on its version."""

_CLOCK = "[ T][0-9]{2}:[0-9]{2}:[0-9]{2}"
_ZONE = "(Z|[-+][0-9]{2}(:?[0-9]{2})?)"

BLOCK = 1 << 24
"""Bytes of the file that are parsed at a time: no row may be longer."""


FEW = 64
"""Cells that are looked at before all are."""


class Grammar(NamedTuple):
    """What all cells of a column look like, and the type of Arrow that must hold what they say."""

    looks: str
    kind: str


GRAMMARS = (
    Grammar("[Tt]rue|TRUE|[Ff]alse|FALSE", "bool"),
    Grammar("0|-?[1-9][0-9]*", "int64"),
    Grammar("0|[1-9][0-9]*", "uint64"),
    Grammar(_FLOAT, "double"),
    Grammar(_DAY, "date32"),
    Grammar(f"{_NEAR}{_CLOCK}([.][0-9]{{1,9}})?", "timestamp[ns]"),
    Grammar(f"{_DAY}{_CLOCK}([.][0-9]{{1,6}})?", "timestamp[us]"),
    Grammar(f"{_NEAR}{_CLOCK}([.][0-9]{{1,9}})?{_ZONE}", "timestamp[ns, tz=UTC]"),
    Grammar(f"{_DAY}{_CLOCK}([.][0-9]{{1,6}})?{_ZONE}", "timestamp[us, tz=UTC]"),
)
"""In this order: the first that all cells follow is the column's; where there is none, it is text."""


def of_csv(paths: Sequence[Path], delimiter: str) -> Content:
    """The content of CSV files, one below the other. Raises errors of Arrow for what is no CSV in UTF-8.

    Raises `NotCanonical` where the first rows of the files are not the same.
    """
    import pyarrow as pa

    names, batches = _opened(paths, delimiter)
    possible = [_types() for _ in names]
    for batch in batches:
        for i, cells in enumerate(batch.columns):
            held = _filled(cells)
            possible[i] = [(looks, kind) for looks, kind in possible[i] if _follow(held, looks, kind)]
    kinds = [each[0][1] if each else pa.large_string() for each in possible]
    schema = pa.schema([pa.field(name, kind) for name, kind in zip(names, kinds, strict=True)])
    _, again = _opened(paths, delimiter)
    return tables.of_batches(schema, _typed(again, schema))


def _opened(paths: Sequence[Path], delimiter: str) -> tuple[list[str], Iterator[pa.RecordBatch]]:
    """The names in the first rows, and the cells of all others as text."""
    from pyarrow import csv

    reading = csv.ReadOptions(block_size=BLOCK)
    parsing = csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)

    def names_of(path: Path) -> list[str]:
        with csv.open_csv(path, reading, parsing) as file:
            return list(file.schema.names)

    names = names_of(paths[0])
    for path in paths[1:]:
        if names_of(path) != names:
            raise NotCanonical(f"`{path.name}` has other columns than `{paths[0].name}`")
    return names, _cells(paths, names, reading, parsing)


def _cells(paths: Sequence[Path], names: list[str], reading: Any, parsing: Any) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa
    from pyarrow import csv

    as_text = csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
    for path in paths:
        with csv.open_csv(path, reading, parsing, as_text) as file:
            yield from file


def _types() -> list[tuple[str, pa.DataType]]:
    """Each grammar with each type, in the order in which they are tried."""
    import pyarrow as pa

    made = {
        "bool": pa.bool_(), "int64": pa.int64(), "uint64": pa.uint64(), "double": pa.float64(), "date32": pa.date32(),
        "timestamp[ns]": pa.timestamp("ns"), "timestamp[us]": pa.timestamp("us"),
        "timestamp[ns, tz=UTC]": pa.timestamp("ns", "UTC"), "timestamp[us, tz=UTC]": pa.timestamp("us", "UTC"),
    }  # fmt: skip
    return [(f"^({grammar.looks})$", made[grammar.kind]) for grammar in GRAMMARS]


def _filled(cells: Any) -> Any:
    """The cells that are not empty."""
    pc = compute()
    return cells.filter(pc.not_equal(cells, ""))


def _follow(cells: Any, looks: str, kind: pa.DataType) -> bool:
    """Whether all of these cells look like this, and fit into this type."""
    import pyarrow as pa

    pc = compute()
    for some in (cells.slice(0, FEW), cells):  # a few mostly tell
        if not pc.all(pc.match_substring_regex(some, looks), min_count=0).as_py():
            return False
    try:
        pc.cast(cells, kind)
    except pa.ArrowInvalid:
        return False
    return True


def _typed(batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The batches with their cells as what their columns are."""
    import pyarrow as pa

    pc = compute()
    for batch in batches:
        arrays = []
        for cells, field in zip(batch.columns, schema, strict=True):
            filled = pc.if_else(pc.not_equal(cells, ""), cells, pa.scalar(None, cells.type))
            arrays.append(pc.cast(filled, field.type))
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)
