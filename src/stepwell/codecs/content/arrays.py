"""NumPy arrays as nodes (`content.nodes`): type and shape, and nothing of how they lie in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stepwell.codecs.content import nodes
from stepwell.codecs.content.nodes import ROWS, NotCanonical, Put
from stepwell.codecs.content.tables import Content, of_values

if TYPE_CHECKING:
    import numpy as np

    from stepwell.codecs.content.nodes import Numbers

HOURS = {"h": 3_600, "m": 60}
"""Units of NumPy that Arrow has not, in seconds."""


def of_array(array: np.ndarray[Any, Any]) -> Content:
    """The content of an array: its values in C order as one column, and its shape. Raises `NotCanonical`."""
    from blake3 import blake3

    check(array.dtype)
    digest = blake3(b"c1:column\n")
    flat = array.reshape(-1)
    for start in range(0, flat.size, ROWS):
        node(digest.update, flat[start : start + ROWS])
    return of_values(array.shape, digest.digest())


def check(dtype: np.dtype[Any]) -> None:
    """Raise `NotCanonical` where a type has no canonical form."""
    import numpy as np

    if dtype.names is not None:
        for name in dtype.names:
            nodes.utf8(name)
            check(dtype[name])
        return
    kind = dtype.kind
    known = kind in "biuSU" or (kind in "fc" and dtype.itemsize <= (8 if kind == "f" else 16))
    if kind in "mM":
        unit, many = np.datetime_data(dtype)
        known = many == 1 and (unit in nodes.NANOSECONDS or unit in HOURS or (unit == "D" and kind == "M"))
    if not known:
        raise NotCanonical(f"its type is {dtype}")


def node(put: Put, values: Numbers) -> None:
    """Write the node of a flat array whose type was checked."""
    import numpy as np

    dtype = values.dtype
    match dtype.kind:
        case "V":
            if nodes.begin(put, nodes.STRUCT, len(values), None):
                names = dtype.names or ()
                for i in nodes.fields(put, names):
                    node(put, values[names[i]])
        case "b":
            nodes.bools(put, values, None)
        case "i" | "u":
            nodes.integers(put, nodes.INT, _native(values), None)
        case "f":
            nodes.floats(put, values, None)
        case "c":
            nodes.complexes(put, values)
        case "m" | "M":
            _times(put, values)
        case "S":
            _padded(put, nodes.BINARY, np.ascontiguousarray(values).view("u1"), dtype.itemsize)
        case _:
            _text(put, np.ascontiguousarray(_native(values)))


def _native(values: Numbers) -> Numbers:
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _times(put: Put, values: Numbers) -> None:
    import numpy as np

    dtype = values.dtype
    unit, _ = np.datetime_data(dtype)
    missing = np.isnat(values)
    present = ~missing if missing.any() else None
    counts = np.ascontiguousarray(_native(values)).view("i8")
    if unit == "D":
        nodes.integers(put, nodes.DATE, counts, present)
        return
    if unit in HOURS:
        counts, unit = _seconds(counts, HOURS[unit], present), "s"
    kind = nodes.MOMENT if dtype.kind == "M" else nodes.DURATION
    nodes.integers(put, kind, counts, present, nodes.NANOSECONDS[unit])


def _seconds(counts: Numbers, each: int, present: Numbers | None) -> Numbers:
    import numpy as np

    kept = counts if present is None else np.where(present, counts, 0)
    if len(kept) and max(-int(kept.min()), int(kept.max())) * each >= 1 << 63:
        raise NotCanonical("it has times that are too far away")
    return kept * each


def _text(put: Put, values: Numbers) -> None:
    """Text of fixed length in UTF-8."""
    import numpy as np

    width = values.dtype.itemsize // 4
    points = values.view("u4")
    if not points.size or int(points.max()) < 128:
        _padded(put, nodes.TEXT, points.astype("u1"), width)
        return
    found = [nodes.utf8(text) for text in values.tolist()]
    nodes.texts(put, nodes.TEXT, np.fromiter(map(len, found), "i8", len(found)), b"".join(found), None)


def _padded(put: Put, kind: bytes, data: Numbers, width: int) -> None:
    """Text or bytes of fixed length, without the zeros at their ends."""
    import numpy as np

    if not width:
        raise NotCanonical("its type is text of no length")
    rows = data.reshape(-1, width)
    places = np.arange(1, width + 1)
    lengths = ((rows != 0) * places).max(axis=1) if len(rows) else np.zeros(0, "i8")
    nodes.texts(put, kind, lengths, rows[places <= lengths[:, None]].data, None)
