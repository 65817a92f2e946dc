"""Whether a column of numbers still means the same: what its quantiles say of units.

>>> shifted(minutes, seconds)
Shift(how='ratio', factor=60.0, spread=0.0, guess='min -> s')

Data that drifts moves its quantiles apart: some more than others. A unit that changed multiplies all of them by one
number (or, of temperatures, adds one as well; of a sign, by minus one). Where that number is large, as between
minutes and seconds, more spread is allowed, since a new month drifts, too; where it is near one nothing is said,
because prices rise all alike. Measured: a changed unit spreads by less than 1 %, drift by a sixth.

Not units: columns with few values (a month that is always 2 now), and counters, which grow as the rows do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

LEAST = 1.25
"""A factor below this (and above its inverse) is not told from drift."""

LARGE = 5.0
"""From here on a factor is that of a unit even where the data drifted."""

TIGHT, LOOSE = 0.03, 0.3
"""The spread of the ratios, of their median: up to `TIGHT` for any factor, up to `LOOSE` for large ones."""

FEW = 4
"""Different values among the quantiles that there must be at least."""

SMALL, SMALLER = 0.1, 0.02
"""Quantiles below this share of the largest say nothing of a ratio: counts are rounded, and zero moves. With drift and without."""

_KNOWN: Sequence[tuple[float, str, str]] = (
    (60, "min", "s"), (3600, "h", "s"), (24, "day", "h"), (86400, "day", "s"), (7, "week", "day"),
    (12, "year", "month"), (1440, "day", "min"),
    (100, "whole", "cents or percent"), (1000, "thousands", "ones, or s -> ms"), (1e6, "millions", "ones"), (1e9, "s", "ns"),
    (1.609344, "mile", "km"), (1609.344, "mile", "m"), (3.28084, "m", "ft"), (2.54, "inch", "cm"),
    (25.4, "inch", "mm"), (2.204623, "kg", "lb"), (28.34952, "oz", "g"), (57.29578, "rad", "degree"),
    (3.6, "m/s", "km/h"), (1.852, "nautical mile", "km"), (1.943844, "m/s", "kn"), (4.184, "cal", "J"),
    (3.785412, "gallon", "l"), (365.25, "year", "day"),
)  # fmt: skip
_AFFINE: Sequence[tuple[float, float, float, float, str]] = (
    (1.8, 32.0, -100, 100, "°C -> °F"),
    (1 / 1.8, -32 / 1.8, -150, 212, "°F -> °C"),
    (1.0, 273.15, -100, 100, "°C -> K"),
    (1.0, -273.15, 173, 373, "K -> °C"),
)
"""Factor, offset, the least and the largest value that is a temperature of weather or people, in words."""


class Shift(NamedTuple):
    """How all quantiles moved: by which factor, how far the ratios are spread around it (a share), and what that looks like."""

    how: Literal["ratio", "sign", "affine"]
    factor: float
    spread: float
    guess: str = ""


def shifted(
    before: Sequence[float], after: Sequence[float], rows: tuple[int | None, int | None] = (None, None)
) -> Shift | None:
    """How a column moved as one does whose unit changed; None where it did not. `rows` are those of both tables."""
    if len(before) != len(after) or not all(map(math.isfinite, (*before, *after))):
        return None
    if len({*before}) < FEW or len({*after}) < FEW:
        return None
    affine = _temperature(before, after)
    if affine is not None:
        return affine
    found = _unit(before, after)
    if found is not None:
        return None if _counts(before, found.factor, rows) else found
    mirrored = [-value for value in reversed(after)]
    flipped = _ratio(before, mirrored, SMALLER)
    if flipped is not None and 1 / LEAST < flipped.factor < LEAST and flipped.spread <= TIGHT:
        still = _ratio(before, after, SMALLER)  # what is the same on both sides of zero has no sign
        return None if still is not None and still.spread <= LOOSE else Shift("sign", -1.0, flipped.spread)
    other = _unit(before, mirrored)
    return None if other is None else other._replace(factor=-other.factor)


def _unit(before: Sequence[float], after: Sequence[float]) -> Shift | None:
    """The one factor of all quantiles, if it is one of units: nearly exact, or large."""
    tight = _ratio(before, after, SMALLER)
    if tight is not None and tight.spread <= TIGHT:
        return tight if _size(tight) >= LEAST else None
    loose = _ratio(before, after, SMALL)
    return loose if loose is not None and loose.spread <= LOOSE and _size(loose) >= LARGE else None


def _size(found: Shift) -> float:
    return max(found.factor, 1 / found.factor)


def _ratio(before: Sequence[float], after: Sequence[float], small: float) -> Shift | None:
    """The factor between quantiles and its spread; None where there are too few that are not `small`."""
    most, now = max(map(abs, before)), max(map(abs, after))
    pairs = [(old, new) for old, new in zip(before, after, strict=True) if abs(old) > small * most]
    rest = [new for old, new in zip(before, after, strict=True) if abs(old) <= small * most]
    if len({old for old, _ in pairs}) < FEW or any(abs(new) > 3 * small * now for new in rest):
        return None
    ratios = sorted(new / old for old, new in pairs)
    middle = ratios[len(ratios) // 2]
    if middle <= 0:
        return None
    edge = len(ratios) // 10
    spread = (ratios[-1 - edge] - ratios[edge]) / middle
    return Shift("ratio", middle, spread, _guess(middle))


def _guess(factor: float) -> str:
    """The units whose factor is nearest; of a large one, to which drift adds, if it is only near."""
    found: list[tuple[float, str]] = []
    for known, large, small in _KNOWN:
        found.append((abs(math.log(factor / known)), f"{large} -> {small}"))
        found.append((abs(math.log(factor * known)), f"{small} -> {large}"))
    off, guess = min(found)
    return guess if off <= (LOOSE if max(factor, 1 / factor) >= LARGE else TIGHT) else ""


def _counts(before: Sequence[float], factor: float, rows: tuple[int | None, int | None]) -> bool:
    """Whether a column is a counter (its quantiles are as far from each other all along), which grew as the rows did."""
    old, new = rows
    if not old or not new or abs(factor / (new / old) - 1) > 0.1:
        return False
    gaps = [after - here for here, after in pairwise(before)]
    mean = sum(gaps) / len(gaps)
    return mean > 0 and max(abs(gap - mean) for gap in gaps) <= 0.25 * mean


def _temperature(before: Sequence[float], after: Sequence[float]) -> Shift | None:
    """A change between degrees, where it explains far more than that nothing changed would."""
    span, still = max(after) - min(after), _off(before, after, 1.0, 0.0)
    for factor, offset, least, most, guess in _AFFINE:
        if min(before) < least or max(before) > most:
            continue
        off = _off(before, after, factor, offset)
        if off <= 0.1 * span and still > 5 * off and still > 0.25 * span:
            return Shift("affine", factor, off / span, guess)
    return None


def _off(before: Sequence[float], after: Sequence[float], factor: float, offset: float) -> float:
    return max(abs(new - (factor * old + offset)) for old, new in zip(before, after, strict=True))
