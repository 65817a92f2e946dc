"""Plain data as JSON has it. Alone, since verbs that only list what is recorded need nothing else of values."""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable, Mapping
from math import isfinite

TYPE_CHECKING = False  # as type checkers know it: lists of runs do without `typing`
if TYPE_CHECKING:
    from typing import Any

LARGEST = 1 << 2000
"""Integers from here on are shown as hexadecimal text: Python may be set to refuse to write more digits."""


def plain(value: Any) -> Any:
    """Plain data as JSON has it: NaN and infinities as strings, records as objects, dates as ISO 8601, bytes as base64."""
    if getattr(type(value), "__stepwell__", "") == "secret":
        return value.place
    if value is None or isinstance(value, bool | str):
        return value.value if isinstance(value, enum.Enum) else value
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if isinstance(value, int):
        return int(value) if abs(value) < LARGEST else hex(value)
    if isinstance(value, float):
        return number(value)
    if isinstance(value, Mapping):
        return {key if isinstance(key, str) else str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {name: plain(getattr(value, name)) for name in value._fields}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((plain(item) for item in value), key=repr)
    if hasattr(type(value), "__dataclass_fields__"):
        return {name: plain(getattr(value, name, None)) for name in type(value).__dataclass_fields__}
    if isinstance(value, bytes | bytearray | memoryview):
        import base64

        return base64.b64encode(value).decode("ascii")
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:  # a NumPy scalar
        return plain(value.item())
    return str(value)


def number(value: float) -> float | str:
    """A float as JSON has it: `"NaN"`, `"Infinity"` and `"-Infinity"` where JSON has no number."""
    if isfinite(value):
        return float(value)
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


def numbers(names: Iterable[str], values: Collection[float]) -> dict[str, float | str]:
    """Names with floats as JSON has them."""
    if isfinite(sum(values)):  # so is each of them
        return dict(zip(names, map(float, values), strict=True))
    return dict(zip(names, map(number, values), strict=True))
