"""Columns of Arrow as nodes (`content.nodes`): what of an Arrow array is its content.

How it lies in memory is not: offsets, chunks, dictionaries, what stands under missing values. Of its
type only the kind is: text is text in each of Arrow's five layouts, and a list one of any length.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

from stepwell.codecs.content import nodes
from stepwell.codecs.content.nodes import NotCanonical, Put

if TYPE_CHECKING:
    import pyarrow as pa

    from stepwell.codecs.content.nodes import Numbers

    Lower: TypeAlias = Callable[[Put, Any, Numbers | None], None]

MEANT = frozenset({"arrow.json", "arrow.uuid"})
"""Extension types that mean what their storage says."""

EXTENSION = b"ARROW:extension:name"

DAY = 86_400_000


def check(field: pa.Field) -> None:
    """Raise `NotCanonical` where the type of a field, or of one inside of it, has no canonical form."""
    import pyarrow as pa

    kind = field.type
    named = (field.metadata or {}).get(EXTENSION, b"").decode("utf-8", "replace")
    if isinstance(kind, pa.BaseExtensionType):
        named, kind = kind.extension_name, kind.storage_type
    if named and named not in MEANT:
        raise NotCanonical(f"the column `{field.name}` has the extension type {named}")
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        check(pa.field(field.name, kind.value_type))
    elif kind.id not in _lowerings():
        raise NotCanonical(f"the column `{field.name}` has the type {kind}")
    elif pa.types.is_map(kind):
        check(kind.key_field)
        check(kind.item_field)
    elif pa.types.is_nested(kind):
        for i in range(kind.num_fields):
            check(kind.field(i))


def joined(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """The values of a column in one chunk."""
    import pyarrow as pa

    if not isinstance(column, pa.ChunkedArray):
        return column
    if column.num_chunks == 1:
        return column.chunk(0)
    chunks = [_roomy(_plain(chunk)) for chunk in column.chunks]
    return pa.concat_arrays(chunks) if chunks else pa.nulls(0)


def node(put: Put, array: pa.Array, above: Numbers | None = None) -> None:
    """Write the node of an array; `above` says which of its values lie in something that is present.

    Raises `NotCanonical` for types and values that have no canonical form.
    """
    array = _plain(array)
    lower = _lowerings().get(array.type.id)
    if lower is None:
        raise NotCanonical(f"it holds the type {array.type}")
    present = _present(array)
    if above is not None:
        present = above if present is None else present & above
    lower(put, array, present)


@lru_cache(1)
def _lowerings() -> dict[int, Lower]:
    """How arrays become nodes, by the number of their type; types that this version of Arrow has not are left out."""
    from pyarrow import lib

    ways: dict[str, Lower] = {
        "NA": _nulls, "BOOL": _bools, "DATE32": _dates, "DATE64": _day_milliseconds,
        "TIME32": _times, "TIME64": _times, "TIMESTAMP": _times, "DURATION": _times,
        "STRING": _text, "LARGE_STRING": _text, "BINARY": _text, "LARGE_BINARY": _text,
        "FIXED_SIZE_BINARY": _fixed_bytes, "LIST": _lists, "LARGE_LIST": _lists, "MAP": _lists,
        "FIXED_SIZE_LIST": _fixed_lists, "STRUCT": _structs,
        "STRING_VIEW": _text, "BINARY_VIEW": _text, "LIST_VIEW": _list_views, "LARGE_LIST_VIEW": _list_views,
    }  # fmt: skip
    ways |= {f"{sign}INT{bits}": _integers for sign in ("", "U") for bits in (8, 16, 32, 64)}
    ways |= dict.fromkeys(("HALF_FLOAT", "FLOAT", "DOUBLE"), _floats)
    ways |= {f"DECIMAL{bits}": _decimals for bits in (32, 64, 128, 256)}
    found: dict[Any, Lower] = {getattr(lib, f"Type_{name}", None): way for name, way in ways.items()}
    found.pop(None, None)
    return found


def compute() -> Any:
    """Arrow's functions, which it makes when it is imported, so that type checkers do not know them."""
    import pyarrow.compute

    return pyarrow.compute


# --------------------------------------------------------------------------- layouts


def _plain(array: Any) -> Any:
    """The same values without extension, dictionary, run ends and views."""
    import pyarrow as pa

    types = pa.types
    if isinstance(array, pa.ExtensionArray):
        if array.type.extension_name not in MEANT:
            raise NotCanonical(f"it holds the extension type {array.type.extension_name}")
        return _plain(array.storage)
    if types.is_dictionary(array.type):
        return pa.DictionaryArray.from_arrays(array.indices, _plain(array.dictionary)).dictionary_decode()
    if types.is_run_end_encoded(array.type):
        return _plain(compute().run_end_decode(array))
    name = str(array.type)
    if name in ("string_view", "binary_view"):
        return _without_garbage(array).cast(pa.large_string() if name[0] == "s" else pa.large_binary())
    return array


def _without_garbage(array: Any) -> Any:
    """Views of text with nothing under missing values, which Arrow reads when it casts, and validates nowhere."""
    import numpy as np
    import pyarrow as pa

    present = _present(array)
    if present is None:
        return array
    _, views, *data = array.buffers()
    kept = np.frombuffer(views, "V16", len(array), array.offset * 16).copy()
    kept[~present] = np.zeros((), "V16")
    bits = pa.py_buffer(np.packbits(present, bitorder="little"))
    try:
        return pa.Array.from_buffers(array.type, len(array), [bits, pa.py_buffer(kept), *data])
    except ValueError:  # pyarrow 18 to 20 take no more than one buffer of text
        return pa.array(array.to_pylist(), array.type)


def _roomy(array: Any) -> Any:
    """Text and bytes with offsets of 64 bits, so that more than 2 GB of them can be joined."""
    import pyarrow as pa

    wide = {"string": pa.large_string(), "binary": pa.large_binary()}.get(str(array.type))
    return array if wide is None else array.cast(wide)


def _present(array: Any) -> Numbers | None:
    import numpy as np

    if not array.null_count:
        return None
    bits = array.buffers()[0]
    if bits is None:
        return np.zeros(len(array), bool)
    return _bits(bits, array.offset, len(array))


def _bits(buffer: Any, start: int, count: int) -> Numbers:
    """Bits of a buffer as booleans."""
    import numpy as np

    first = start // 8
    held = np.frombuffer(buffer, np.uint8, (start + count + 7) // 8 - first, first)
    return np.unpackbits(held, bitorder="little")[start % 8 : start % 8 + count].view(bool)


def _numbers(array: Any, code: str, each: int = 1) -> Numbers:
    """The numbers of an array where they lie, `each` for one value."""
    import numpy as np

    dtype, count = np.dtype(code), len(array) * each
    buffer = array.buffers()[1]
    if buffer is None or not count:
        return np.zeros(count, dtype)
    return np.frombuffer(buffer, dtype, count, array.offset * each * dtype.itemsize)


# --------------------------------------------------------------------------- kinds


def _nulls(put: Put, array: Any, present: Numbers | None) -> None:
    put(nodes.NOTHING)


def _bools(put: Put, array: Any, present: Numbers | None) -> None:
    import numpy as np

    data = array.buffers()[1]
    empty = data is None or not len(array)
    values = np.zeros(len(array), bool) if empty else _bits(data, array.offset, len(array))
    nodes.bools(put, values, present)


def _integers(put: Put, array: Any, present: Numbers | None) -> None:
    kind = array.type
    sign = "u" if str(kind).startswith("u") else "i"
    nodes.integers(put, nodes.INT, _numbers(array, f"{sign}{kind.bit_width // 8}"), present)


def _floats(put: Put, array: Any, present: Numbers | None) -> None:
    nodes.floats(put, _numbers(array, f"f{array.type.bit_width // 8}"), present)


def _dates(put: Put, array: Any, present: Numbers | None) -> None:
    nodes.integers(put, nodes.DATE, _numbers(array, "i4"), present)


def _day_milliseconds(put: Put, array: Any, present: Numbers | None) -> None:
    import numpy as np

    counts = _numbers(array, "i8")
    if present is not None:
        counts = np.where(present, counts, 0)
    if (counts % DAY).any():
        raise NotCanonical("it has dates (date64) that are not whole days")
    nodes.integers(put, nodes.DATE, counts // DAY, present)


def _times(put: Put, array: Any, present: Numbers | None) -> None:
    """Times of day, moments, instants and durations, as nanoseconds."""
    import pyarrow as pa

    kind = array.type
    if pa.types.is_timestamp(kind):
        tag = nodes.MOMENT if kind.tz is None else nodes.INSTANT
    else:
        tag = nodes.DURATION if pa.types.is_duration(kind) else nodes.TIME
    numbers = _numbers(array, f"i{kind.bit_width // 8}")
    nodes.integers(put, tag, numbers, present, nodes.NANOSECONDS[kind.unit])


def _decimals(put: Put, array: Any, present: Numbers | None) -> None:
    import numpy as np

    kind = array.type
    width = kind.bit_width // 8
    if width == 32:
        data = _numbers(array, "u1", 32).tobytes()
        kept = np.ones(len(array), bool) if present is None else present
        found = [
            int.from_bytes(data[32 * i : 32 * i + 32], "little", signed=True) if kept[i] else 0
            for i in range(len(array))
        ]
        nodes.exact_decimals(put, found, kind.scale, present)
        return
    if width == 16:
        halves = _numbers(array, "<u8", 2).reshape(-1, 2)
        low, high = np.ascontiguousarray(halves[:, 0]), np.ascontiguousarray(halves[:, 1]).view("<i8")
    else:
        signed = _numbers(array, f"<i{width}").astype("<i8")
        low, high = signed.view("<u8"), signed >> 63
    nodes.decimals(put, low, high, kind.scale, present)


def _text(put: Put, array: Any, present: Numbers | None) -> None:
    import numpy as np
    import pyarrow as pa

    kind = nodes.TEXT if "string" in str(array.type) else nodes.BINARY
    starts = _offsets(array)
    lengths = np.diff(starts)
    if present is not None and lengths[~present].any():
        lengths = np.where(present, lengths, 0)
        array = array.filter(pa.array(present))
        starts = _offsets(array)
    data = array.buffers()[2]
    held = b"" if data is None else memoryview(data)[int(starts[0]) : int(starts[-1])]
    nodes.texts(put, kind, lengths, held, present)


def _offsets(array: Any) -> Numbers:
    """Where the values of text or lists begin, and where the last ends."""
    import numpy as np

    buffer = array.buffers()[1]
    if buffer is None or not len(buffer):
        return np.zeros(len(array) + 1, np.int64)
    dtype = np.dtype("i8" if str(array.type).startswith("large_") else "i4")
    return np.frombuffer(buffer, dtype, len(array) + 1, array.offset * dtype.itemsize)


def _fixed_bytes(put: Put, array: Any, present: Numbers | None) -> None:
    import numpy as np
    import pyarrow as pa

    width = array.type.byte_width
    lengths = np.full(len(array), width, np.int64)
    if present is not None:
        lengths = np.where(present, lengths, 0)
        array = array.filter(pa.array(present))
    nodes.texts(put, nodes.BINARY, lengths, _numbers(array, "u1", width).data, present)


def _lists(put: Put, array: Any, present: Numbers | None) -> None:
    """Lists, and maps as lists of their entries."""
    import numpy as np
    import pyarrow as pa

    starts = _offsets(array)
    if pa.types.is_map(array.type):
        inner = pa.StructArray.from_arrays([array.keys, array.items], ["key", "value"])
    else:
        inner = array.values
    inner = inner.slice(int(starts[0]), int(starts[-1] - starts[0]))
    _list_node(put, np.diff(starts), inner, present)


def _list_views(put: Put, array: Any, present: Numbers | None) -> None:
    """Lists that may lie in any order, and over each other."""
    import numpy as np
    import pyarrow as pa

    dtype = np.dtype("i8" if str(array.type).startswith("large_") else "i4")
    buffers = array.buffers()
    starts, lengths = (
        np.frombuffer(buffer, dtype, len(array), array.offset * dtype.itemsize).astype("i8")
        for buffer in buffers[1:3]
    )
    if present is not None:
        lengths = np.where(present, lengths, 0)
    ends = np.cumsum(lengths)
    places = np.repeat(starts - (ends - lengths), lengths) + np.arange(lengths.sum())
    _list_node(put, lengths, _plain(array.values).take(pa.array(places)), present)


def _fixed_lists(put: Put, array: Any, present: Numbers | None) -> None:
    import numpy as np

    size = array.type.list_size
    inner = array.values.slice(array.offset * size, len(array) * size)
    _list_node(put, np.full(len(array), size, np.int64), inner, present)


def _list_node(put: Put, lengths: Numbers, inner: Any, present: Numbers | None) -> None:
    """The lengths of lists, 0 where they are missing, and the node of all that they hold."""
    import numpy as np
    import pyarrow as pa

    if not nodes.begin(put, nodes.LIST, len(lengths), present):
        return
    if present is not None and lengths[~present].any():
        inner = _plain(inner).filter(pa.array(np.repeat(present, lengths)))
        lengths = np.where(present, lengths, 0)
    nodes.whole(put, lengths)
    node(put, inner)


def _structs(put: Put, array: Any, present: Numbers | None) -> None:
    """The names of the fields and a node for each, in which what lies in a missing struct is missing."""
    kind = array.type
    if nodes.begin(put, nodes.STRUCT, len(array), present):
        for i in nodes.fields(put, [kind.field(i).name for i in range(kind.num_fields)]):
            node(put, array.field(i), present)
