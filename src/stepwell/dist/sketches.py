"""A small sample of the values of a key: whether the keys of a table are those of another, without that table.

    old = sketch_of(customers["customer_id"], "crm.customer")
    overlap(old, new)          # 0.965: that share of the old keys is in the new table, too

A sketch holds the `COUNT` smallest of the hashes of all different values (`K minimum values`). A hash is the first
eight bytes of BLAKE2b of the value's text, keyed with the key's identity: a value has another hash in another
key, and a number another than the text of it. What that tells strangers is in `docs/internals/lock.md`.
"""

from __future__ import annotations

import base64
import binascii
import heapq
import math
from collections.abc import Iterable
from decimal import Decimal
from hashlib import blake2b
from typing import Any

COUNT = 64
"""Hashes in a sketch: a share is known to about six hundredths."""

FEWEST = 8
"""Keys that must be comparable, where sketches do not hold all that there are."""

WIDTH = 8


def sketch_of(values: Iterable[object], identity: str = "") -> str:
    """The sketch of the values of a key, in base64; missing ones do not count, and where all are missing it is "".

    `values` are Python's own (numbers, text, bytes, dates, times, decimals), `identity` what the key stands for.
    """
    start = blake2b(digest_size=WIDTH, key=blake2b(identity.encode(), digest_size=32).digest())
    found = set()
    for value in values:
        if value is not None and value == value:  # NaN is not
            one = start.copy()
            one.update(text_of(value))
            found.add(one.digest())
    return base64.b64encode(b"".join(heapq.nsmallest(COUNT, found))).decode()


def text_of(value: Any) -> bytes:
    """The one text of a value: 123, 123.0 and `Decimal(123)` have the same, "123" and the date have others."""
    if isinstance(value, bool):
        return b"b1" if value else b"b0"
    if isinstance(value, str):
        return b"t" + value.encode("utf-8", "surrogatepass")
    if isinstance(value, bytes):
        return b"x" + value
    if isinstance(value, int | float | Decimal):
        return b"n" + _number(value).encode()
    return b"d" + (value.isoformat() if hasattr(value, "isoformat") else str(value)).encode()


def _number(value: int | float | Decimal) -> str:
    if isinstance(value, int):
        return str(value)
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if value == int(value):
        return str(int(value))
    return repr(value) if isinstance(value, float) else format(value.normalize(), "f")


def overlap(old: str, new: str) -> float:
    """The share of the keys of `old` that are in the table of `new`, too, from 0 to 1; both of one identity.

    Exact where both tables have at most `COUNT` different keys. 1 where too few keys can be compared to say
    anything: `new` has very many more. Raises `ValueError` for what is no sketch.
    """
    before, after = _hashes(old), _hashes(new)
    if not before:
        return 1.0
    whole = len(after) < COUNT
    comparable = before if whole else [one for one in before if one <= after[-1]]
    if not whole and len(comparable) < FEWEST:
        return 1.0
    held = set(after)
    return sum(one in held for one in comparable) / len(comparable)


def _hashes(sketch: str) -> list[bytes]:
    try:
        data = base64.b64decode(sketch, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("it is no sketch: no base64") from None
    if len(data) % WIDTH or len(data) > COUNT * WIDTH:
        raise ValueError(f"it is no sketch: {len(data)} bytes")
    found = [data[at : at + WIDTH] for at in range(0, len(data), WIDTH)]
    if sorted(set(found)) != found:
        raise ValueError("it is no sketch: its hashes are not in order")
    return found
