"""What numbers and words come to: quantiles, mean, histogram, most frequent values. In the shape of `Column`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import isfinite
from typing import Any

from stepwell.app.plaindata import number

BINS = 20
"""Bars of a histogram."""

EMPTY: dict[str, Any] = {
    "name": "", "type": "", "nulls": 0.0, "distinct": None, "quantiles": None, "mean": None, "top": None,
    "histogram": None, "unit": "",
}  # fmt: skip
"""A column of which nothing is known."""


def of_numbers(values: Any) -> dict[str, Any]:
    """Quantiles (0, 25, 50, 75, 100 %), mean and histogram of a NumPy array of floats; how many are NaN in `missing`.

    The histogram is of those that are finite.
    """
    import numpy as np

    here = values[~np.isnan(values)]
    out: dict[str, Any] = {"missing": int(len(values) - len(here))}
    if not len(here):
        return out
    even = bool(np.isfinite(here).all())
    with np.errstate(all="ignore"):  # between infinities there is no middle
        quantiles = np.quantile(here, (0.0, 0.25, 0.5, 0.75, 1.0), method="linear" if even else "nearest")
        out["quantiles"] = [number(float(value)) for value in quantiles]
        out["mean"] = number(float(here.mean()))
        finite = here[np.isfinite(here)]
        out["histogram"] = _histogram(finite) if len(finite) else None
    return out


def _histogram(values: Any) -> dict[str, Any]:
    import numpy as np

    low, high = float(values.min()), float(values.max())
    if low == high or not isfinite(high - low):
        return {"edges": [low, high], "counts": [len(values)]}
    whole = bool((values == np.floor(values)).all()) and high - low < BINS
    if whole:  # a bar for each whole number
        edges = np.arange(low - 0.5, high + 1.0)
    else:
        edges = np.linspace(low, high, BINS + 1)
    counts, edges = np.histogram(values, edges)
    return {"edges": [float(edge) for edge in edges], "counts": [int(count) for count in counts]}


def of_words(values: Sequence[str], most: int = 10) -> dict[str, Any]:
    """How many words differ, and the most frequent ones with how often they come; those only where one comes twice."""
    counts = Counter(values)
    found = counts.most_common(most)
    told = bool(found) and (found[0][1] > 1 or len(counts) <= most)
    return {"distinct": len(counts), "top": [list(pair) for pair in found] if told else None}


def of_numbers_alone(values: Sequence[float]) -> dict[str, Any]:
    """As `of_numbers`, of finite numbers in a list, without NumPy."""
    if not values:
        return {}
    found = sorted(values)
    low, high = found[0], found[-1]
    return {
        "quantiles": [_between(found, share) for share in (0.0, 0.25, 0.5, 0.75, 1.0)],
        "mean": number(sum(found) / len(found)),
        "histogram": _bars(found, low, high),
    }


def _between(found: Sequence[float], share: float) -> float | str:
    """A quantile of sorted numbers, between the two that are nearest."""
    place = share * (len(found) - 1)
    below = int(place)
    above = min(below + 1, len(found) - 1)
    return number(found[below] + (found[above] - found[below]) * (place - below))


def _bars(found: Sequence[float], low: float, high: float) -> dict[str, Any]:
    width = (high - low) / BINS
    if not width or not isfinite(width):
        return {"edges": [low, high], "counts": [len(found)]}
    counts = [0] * BINS
    for value in found:
        counts[min(int((value - low) / width), BINS - 1)] += 1
    return {"edges": [low + i * width for i in range(BINS)] + [high], "counts": counts}
