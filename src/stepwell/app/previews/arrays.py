"""NumPy arrays: type, shape, some of the values, and what the numbers come to, over a sample where there are many."""

from __future__ import annotations

from typing import Any

from stepwell.app.plaindata import number, plain
from stepwell.app.previews.held import Bounded, Held, nothing
from stepwell.app.previews.stats import of_numbers

HEADER = 64 << 10
"""Bytes up to which a header is read."""

SAMPLED = 1_000_000
"""Numbers that are looked at where there are more; STRETCHES in how many pieces."""
STRETCHES = 50

SHOWN = {0: (), 1: (100,), 2: (20, 20), 3: (4, 10, 10)}
"""How much of each dimension is shown, by how many there are."""


def array_shown(held: Held) -> dict[str, Any]:
    """An array in NumPy's own format."""
    try:
        import numpy as np
    except ImportError:
        return nothing("arrays are read with NumPy, which is not installed here: pip install numpy")
    found = parsed(held.data)
    if isinstance(found, str):
        return nothing(found)
    dtype, shape, fortran, start = found
    count = 1
    for length in shape:
        count *= length
    if count * dtype.itemsize != len(held.data) - start:
        return nothing("it is cut off: its size is not that of its shape")
    flat = (
        np.frombuffer(held.data, dtype, count, start) if count and dtype.itemsize else np.empty(count, dtype)
    )
    return described(flat.reshape(shape, order="F" if fortran else "C"), flat)


def parsed(data: memoryview) -> tuple[Any, tuple[int, ...], bool, int] | str:
    """Type, shape, whether columns come first, and where the values begin; why not, where it is no such array."""
    import ast

    import numpy as np

    head = bytes(data[:12])
    if head[:6] != b"\x93NUMPY" or len(head) < 12 or head[6] not in (1, 2, 3):
        return "it does not begin like a NumPy array"
    start = 10 if head[6] == 1 else 12
    length = int.from_bytes(head[8:start], "little")
    if length > HEADER or start + length > len(data):
        return "its header is too long" if length > HEADER else "its header is cut off"
    header = ast.literal_eval(str(data[start : start + length], "latin-1").strip())
    dtype = np.lib.format.descr_to_dtype(header["descr"])
    shape = tuple(header["shape"])
    if dtype.hasobject:
        return "it holds Python objects, which are pickled: they are not opened, since that would run code"
    if len(shape) > 32 or not all(type(length) is int and 0 <= length < 1 << 48 for length in shape):
        return "its shape makes no sense"
    return dtype, shape, bool(header["fortran_order"]), start + length


def described(array: Any, flat: Any) -> dict[str, Any]:
    """An array as a preview; `flat` are its values in a row."""
    window = SHOWN.get(array.ndim, (2,) * array.ndim)
    head = array[tuple(slice(0, most) for most in window)]
    facts, histogram = _facts(flat)
    return {
        "kind": "array",
        "dtype": str(array.dtype)[:200],
        "shape": [int(length) for length in array.shape],
        "stats": facts,
        "histogram": histogram,
        "head": Bounded(items=1000, letters=200).of(plain(_listed(head))),
    }


def _listed(head: Any) -> Any:
    """The values as lists; those that JSON has no form for as text."""
    if head.dtype.kind in "biufUS":
        return head.tolist()
    return (
        head.astype(str).tolist()
        if head.dtype.kind in "cmM"
        else [str(row) for row in head.reshape(-1)[:100]]
    )


def _facts(flat: Any) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """What the numbers of an array come to, by name, and their histogram; nothing where they are no numbers."""
    import numpy as np

    if flat.dtype.kind not in "biuf" or not len(flat):
        return {}, None
    sample = _sample(flat).astype("f8")
    found = of_numbers(sample)
    out: dict[str, Any] = {}
    if "quantiles" in found:
        low, _, middle, _, high = found["quantiles"]
        with np.errstate(all="ignore"):
            spread = number(float(np.nanstd(sample)))
        out = {"min": low, "median": middle, "mean": found["mean"], "max": high, "std": spread}
    if found["missing"]:
        out["nan"] = found["missing"] / len(sample)
    if len(sample) < len(flat):
        out["sampled"] = len(sample)
    return out, found.get("histogram")


def _sample(flat: Any) -> Any:
    import numpy as np

    if len(flat) <= SAMPLED:
        return flat
    length = SAMPLED // STRETCHES
    starts = [i * (len(flat) - length) // (STRETCHES - 1) for i in range(STRETCHES)]
    return np.concatenate([flat[start : start + length] for start in starts])
