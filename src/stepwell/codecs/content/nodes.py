"""The bytes that stand for values: what `c1:` digests are taken of.

A *node* stands for a run of values of one kind; how many they are is known from around it. It is one
letter for the kind, then which values are missing, then the values that a comparison would call equal in
one form: whole numbers in the smallest width, others as 64 bits, text as UTF-8. Where all
are missing the kind is not known, and the node is `NOTHING`.

`put` is called with pieces of the bytes in their order; it is a hasher's `update`. `present` is a NumPy
array of booleans, or None where no value is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np

    Numbers: TypeAlias = np.ndarray[Any, Any]

ROWS = 65_536
"""Values of a column that are one node; the last node of a column may have fewer."""

NOTHING = b"-"
BOOL = b"b"
INT = b"i"
FLOAT = b"f"
COMPLEX = b"c"
DECIMAL = b"d"
TEXT = b"t"
BINARY = b"x"
DATE = b"D"
TIME = b"T"
MOMENT = b"M"
INSTANT = b"I"
DURATION = b"P"
LIST = b"["
STRUCT = b"{"

NANOSECONDS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
"""How many nanoseconds are in a unit of Arrow and NumPy."""

Put: TypeAlias = Callable[[Any], object]

WIDTHS = (1, 2, 4, 8, 16, 32)


class NotCanonical(Exception):
    """A value has no canonical form; the message says why, as a clause."""


def begin(put: Put, kind: bytes, count: int, present: Numbers | None) -> bool:
    """Write what a node of `count` values begins with; False where nothing is present, and nothing follows."""
    import numpy as np

    if not count or (present is not None and not present.any()):
        put(NOTHING)
        return False
    if present is None or present.all():
        put(kind + b"\0")
    else:
        put(kind + b"\1")
        put(np.packbits(present, bitorder="little").data)
    return True


def bools(put: Put, values: Numbers, present: Numbers | None) -> None:
    """Truth values, eight in a byte, the first in the lowest bit; missing ones are 0."""
    import numpy as np

    if begin(put, BOOL, len(values), present):
        put(np.packbits(values if present is None else values & present, bitorder="little").data)


def floats(put: Put, values: Numbers, present: Numbers | None) -> None:
    """Numbers of 16, 32 or 64 bits as 64; NaN is missing, zero has no sign, and whole numbers are `INT`."""
    import numpy as np

    wide = _unsigned(values.astype("<f8"))
    strange = np.isnan(wide)
    if strange.any():
        present = ~strange if present is None else present & ~strange
    wide = _kept(wide, present)
    if _are_whole(wide):
        integers(put, INT, wide.astype("<i8"), present)
    elif begin(put, FLOAT, len(wide), present):
        put(raw(wide))


def _unsigned(values: Numbers) -> Numbers:
    """The same floats with one zero: minus zero plus zero is zero."""
    import numpy as np

    with np.errstate(all="ignore"):  # a signalling NaN
        return values + 0.0


def _are_whole(values: Numbers) -> bool:
    """Whether all numbers are whole ones of 64 bits; a few are looked at first, which mostly tells."""
    import numpy as np

    few = values[:64]
    if not len(few) or not np.array_equal(np.rint(few), few) or not np.array_equal(np.rint(values), values):
        return False
    return bool(values.min() >= -(2.0**63) and values.max() < 2.0**63)


def complexes(put: Put, values: Numbers) -> None:
    """Complex numbers as pairs of 64 bits, real part first, each part as in `floats`."""
    import numpy as np

    wide = _unsigned(np.ascontiguousarray(values.astype("<c16")).view("<f8"))
    strange: Numbers = np.isnan(wide[::2]) | np.isnan(wide[1::2])
    present = ~strange if strange.any() else None
    if begin(put, COMPLEX, len(strange), present):
        put(raw(_kept(wide.view("<c16"), present)))


def integers(put: Put, kind: bytes, values: Numbers, present: Numbers | None, factor: int = 1) -> None:
    """Whole numbers, or counts of a unit that is `factor` nanoseconds."""
    if begin(put, kind, len(values), present):
        whole(put, _kept(values, present), factor)


def texts(put: Put, kind: bytes, lengths: Numbers, data: Any, present: Numbers | None) -> None:
    """Text or bytes: their lengths in bytes, 0 where they are missing, then all of them in one piece."""
    if begin(put, kind, len(lengths), present):
        whole(put, lengths)
        if len(data):
            put(data)


def whole(put: Put, values: Numbers, factor: int = 1) -> None:
    """One byte for the width in bytes, then the numbers times `factor`, little-endian in two's complement.

    The width is the smallest of `WIDTHS` that holds each of them.
    """
    import numpy as np

    if not len(values):
        put(b"\1")
        return
    low, high = int(values.min()) * factor, int(values.max()) * factor
    if low >= -(1 << 63) and high < 1 << 63:
        narrow = _width(low, high)
        if factor != 1:
            values = values.astype("<i8") * factor
        put(bytes((narrow,)))
        put(raw(values.astype(f"<i{narrow}", copy=False)))
    elif values.dtype.kind == "u":
        pairs(put, values.astype("<u8"), np.zeros(len(values), "<i8"))
    else:
        pairs(put, *_product(values.astype("<i8"), factor))


def pairs(put: Put, low: Numbers, high: Numbers) -> None:
    """Numbers of 128 bits, as their lower (unsigned) and upper (signed) halves, as in `whole`."""
    import numpy as np

    signed = low.view("<i8")
    if np.array_equal(signed >> 63, high):
        whole(put, signed)
        return
    both = np.empty((len(low), 2), "<u8")
    both[:, 0] = low
    both[:, 1] = high.view("<u8")
    put(b"\x10")
    put(raw(both))


def large(put: Put, values: Sequence[int]) -> None:
    """Numbers of any size, as in `whole`. Raises `NotCanonical` above 256 bits."""
    width = _width(min(values), max(values))
    put(bytes((width,)))
    put(b"".join(value.to_bytes(width, "little", signed=True) for value in values))


def decimals(put: Put, low: Numbers, high: Numbers, scale: int, present: Numbers | None) -> None:
    """Decimal numbers, whose unscaled numbers have these halves.

    One byte for the fewest places that hold each of them exactly, then `whole` numbers; no places are `INT`.
    """
    import numpy as np

    low, high = _kept(low, present), _kept(high, present)
    numbers = low.view("<i8")
    if scale < 0 or not np.array_equal(numbers >> 63, high):
        wide = [(int(upper) << 64) + int(lower) for lower, upper in zip(low, high, strict=True)]
        exact_decimals(put, wide, scale, present)
        return
    while scale and len(numbers) and not (numbers % 10).any():
        numbers, scale = numbers // 10, scale - 1
    if scale == 0:
        integers(put, INT, numbers, present)
    elif begin(put, DECIMAL, len(numbers), present):
        put(bytes((scale,)))
        whole(put, numbers)


def exact_decimals(put: Put, numbers: list[int], scale: int, present: Numbers | None) -> None:
    """As `decimals`, for unscaled numbers of any size, which are 0 where they are missing."""
    if scale < 0:
        numbers, scale = [number * 10**-scale for number in numbers], 0
    while scale and not any(number % 10 for number in numbers):
        numbers, scale = [number // 10 for number in numbers], scale - 1
    if begin(put, DECIMAL if scale else INT, len(numbers), present):
        if scale:
            put(bytes((scale,)))
        large(put, numbers)


def fields(put: Put, names: Sequence[str]) -> list[int]:
    """How many fields a struct has, and their names by their bytes: what follows the beginning of its node.

    Gives the places of the fields in that order. Raises `NotCanonical` where a name comes twice.
    """
    texts = [utf8(name) for name in names]
    if len(set(texts)) < len(texts):
        raise NotCanonical("it has structs with two fields of one name")
    order = sorted(range(len(texts)), key=texts.__getitem__)
    put(len(texts).to_bytes(4, "little"))
    for i in order:
        put(len(texts[i]).to_bytes(4, "little") + texts[i])
    return order


def utf8(text: str) -> bytes:
    """The UTF-8 of text. Raises `NotCanonical` where it is not valid Unicode."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise NotCanonical(f"{text!r} is not valid Unicode") from None


def raw(values: Numbers) -> memoryview:
    """The memory of an array in C order, as bytes."""
    import numpy as np

    return np.ascontiguousarray(values).reshape(-1).view(np.uint8).data


def _kept(values: Numbers, present: Numbers | None) -> Numbers:
    """The values with zeros where they are missing."""
    import numpy as np

    if present is None:
        return values
    if values.dtype.kind == "c":
        return np.where(present, values, 0)
    return (values.view(f"i{values.itemsize}") * present).view(values.dtype)  # four times as fast as `where`


def _width(low: int, high: int) -> int:
    bits = max(
        low.bit_length() if low >= 0 else (~low).bit_length(), (high if high >= 0 else ~high).bit_length()
    )
    for width in WIDTHS:
        if bits < 8 * width:
            return width
    raise NotCanonical("it has numbers of more than 256 bits")


def _product(values: Numbers, factor: int) -> tuple[Numbers, Numbers]:
    """The halves of 64-bit numbers times a factor below 2³¹, which may need 128 bits."""
    import numpy as np

    below = (values.view("<u8") & np.uint64(0xFFFFFFFF)) * np.uint64(factor)
    above = (values >> 32) * np.int64(factor)
    low = (above.view("<u8") << np.uint64(32)) + below
    carry = low < below
    return low, (above >> 32) + carry
