"""How far two values of one output are apart: numbers by how much, everything else by whether it is the same.

    found = close(then, now, 1e-6)
    found.within, found.largest, found.told          # True, 3e-9, "by at most 3e-09"

Two numbers a and b are within a tolerance t where |a - b| <= t * max(1, |a|, |b|): absolute for small numbers, relative
for large ones. Names, orders, lengths, types that are no numbers, and text must be the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, NamedTuple

from stepwell.app.differing import DEEPEST, is_array, is_model, is_table, same, short, table_columns
from stepwell.errors import counted

INFINITE = math.inf


class Gap(NamedTuple):
    """A place in which two values differ: by `far`, and by `share` of what a tolerance of 1 would allow; both infinite where they are no numbers."""

    where: str
    far: float
    share: float
    text: str


class Close(NamedTuple):
    """Whether two values are within a tolerance, the largest difference of two numbers (None where something else differs), in words."""

    within: bool
    largest: float | None
    told: str


EQUAL = Close(within=True, largest=0.0, told="the values are equal")
"""What `close` gives for two values that differ in nothing."""


def close(then: Any, now: Any, tolerance: float) -> Close:
    """Compare two values. Raises what comparing values of the user's own classes raises."""
    found = list(gaps(then, now))
    if not found:
        return EQUAL
    beyond = [gap for gap in found if not gap.share <= tolerance]
    other = next((gap for gap in beyond if gap.far == INFINITE), None)
    if other is not None:
        return Close(False, None, f"{other.where or 'the value'}: {other.text}")
    largest = max(gap.far for gap in found)
    if not beyond:
        return Close(True, largest, f"numbers differ by at most {largest:.3g}")
    worst = max(beyond, key=lambda gap: gap.share)
    return Close(
        False, largest, f"{worst.where or 'the value'}: {worst.text}, more than {tolerance:g} allows"
    )


def gaps(a: Any, b: Any, where: str = "", depth: int = 0) -> Iterator[Gap]:
    """Every place in which two values differ; arrays and columns are one place each."""
    if a is b or depth > DEEPEST:
        return
    if _is_number(a) and _is_number(b):
        yield from _numbers(a, b, where)
    elif isinstance(a, Mapping) and isinstance(b, Mapping):
        yield from _mappings(a, b, where, depth)
    elif isinstance(a, list | tuple) and isinstance(b, list | tuple):
        yield from _sequences(a, b, where, depth)
    elif is_array(a) and is_array(b):
        yield from _arrays(a, b, where)
    elif is_table(a) and is_table(b):
        yield from _tables(a, b, where)
    elif is_model(a) and is_model(b):
        yield _other(where, "a model is compared by what it predicts, and there is nothing to predict on")
    elif is_dataclass(a) and type(a) is type(b):
        for field in fields(a):
            pair = getattr(a, field.name, None), getattr(b, field.name, None)
            yield from gaps(*pair, f"{where}.{field.name}", depth + 1)
    elif type(a) is not type(b):
        yield _other(where, f"a {type(a).__name__} is now a {type(b).__name__}")
    elif not same(a, b):
        yield _other(where, f"{short(a)} is now {short(b)}")


def _other(where: str, text: str) -> Gap:
    return Gap(where, INFINITE, INFINITE, text)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _numbers(a: float, b: float, where: str) -> Iterator[Gap]:
    if a == b or (a != a and b != b):
        return
    try:
        far = abs(float(a) - float(b))
        share = far / max(1.0, abs(float(a)), abs(float(b)))
    except OverflowError:
        far = share = INFINITE
    yield Gap(
        where, far if far == far else INFINITE, share if share == share else INFINITE, f"{a!r} is now {b!r}"
    )


def _mappings(a: Mapping[Any, Any], b: Mapping[Any, Any], where: str, depth: int) -> Iterator[Gap]:
    for key in a:
        if key not in b:
            yield _other(f"{where}[{key!r}]", "it is gone")
    for key, value in b.items():
        if key not in a:
            yield _other(f"{where}[{key!r}]", "it is new")
        else:
            yield from gaps(a[key], value, f"{where}[{key!r}]", depth + 1)


def _sequences(a: Sequence[Any], b: Sequence[Any], where: str, depth: int) -> Iterator[Gap]:
    if len(a) != len(b):
        yield _other(where, f"{counted(len(a), 'item is', 'items are')} now {len(b):,}")
        return
    for i, (x, y) in enumerate(zip(a, b, strict=True)):
        yield from gaps(x, y, f"{where}[{i}]", depth + 1)


def _arrays(a: Any, b: Any, where: str) -> Iterator[Gap]:
    if a.shape != b.shape:
        yield _other(where, f"shape {a.shape} is now {b.shape}")
    else:
        yield from _cells(a.reshape(-1), b.reshape(-1), where)


def _tables(a: Any, b: Any, where: str) -> Iterator[Gap]:
    old, new = table_columns(a), table_columns(b)
    if list(old) != list(new):
        gone, added = [name for name in old if name not in new], [name for name in new if name not in old]
        told = [f"`{name}` is gone" for name in gone[:2]] + [f"`{name}` is new" for name in added[:2]]
        yield _other(where, "; ".join(told) or "the columns are in another order")
        return
    for name, column in old.items():
        if len(column) != len(new[name]):
            yield _other(where, f"{counted(len(column), 'row is', 'rows are')} now {len(new[name]):,}")
            return
        yield from _cells(column, new[name], f"{where}[{name!r}]")


def _cells(a: Any, b: Any, where: str) -> Iterator[Gap]:
    """Two arrays of one dimension and one length."""
    import numpy as np  # there are arrays, so it is here

    if a.dtype.kind in "iufc" and b.dtype.kind in "iufc":
        kind = complex if "c" in (a.dtype.kind, b.dtype.kind) else np.float64
        x, y = a.astype(kind), b.astype(kind)
        differ = (x != y) & ~(np.isnan(x) & np.isnan(y))
        if not differ.any():
            return
        x, y = x[differ], y[differ]
        with np.errstate(invalid="ignore", over="ignore"):
            far = np.nan_to_num(np.abs(x - y), nan=INFINITE, posinf=INFINITE)
            share = np.nan_to_num(far / np.maximum(1.0, np.maximum(np.abs(x), np.abs(y))), nan=INFINITE)
        text = f"{int(differ.sum()):,} of {len(a):,} differ, by at most {float(far.max()):.3g}"
        yield Gap(where, float(far.max()), float(share.max()), text)
        return
    count = sum(1 for x, y in zip(a.tolist(), b.tolist(), strict=True) if not same(x, y))
    if count:
        yield _other(where, f"{count:,} of {len(a):,} are something else")
