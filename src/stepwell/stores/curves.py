"""Numbers in a series as bytes, thousands at a time, and thinned to what a screen can show.

A chunk is what is kept of one metric in one row: places in the series, values, and times. Values are doubles; places
are written only where they do not count evenly; and times are those of the groups in which the numbers came, between
whose ends they are taken to be even. That is 8 bytes a number.

    data = pack(array("q", [0, 1, 2]), array("d", [0.9, 0.7, 0.6]), [Span(3, began, ended)])
    steps, values, spans = unpack(data)
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import isfinite
from struct import Struct, error
from typing import NamedTuple

_HEAD = Struct("<BBII")
"""The version of the form, how places are written, how many numbers, how many spans."""

_SPAN = Struct("<Idd")
_EVEN = Struct("<qq")
_VERSION = 1
_STEPS_EVEN, _STEPS_EACH = 0, 1

_SWAP = sys.byteorder == "big"


class Span(NamedTuple):
    """So many numbers in a row that came between two times, in seconds since 1970."""

    count: int
    began: float
    ended: float


class Chunk(NamedTuple):
    """Numbers in a row: their places in the series, their values, and when they came."""

    steps: array[int]
    values: array[float]
    spans: tuple[Span, ...]

    def times(self) -> array[float]:
        """When each number came, in seconds since 1970."""
        out = array("d")
        for count, began, ended in self.spans:
            pace = (ended - began) / (count - 1) if count > 1 else 0.0
            out.extend([began + pace * i for i in range(count)])
        return out


class Thinned(NamedTuple):
    """A curve with few points: where each begins in the series, its mean, least and greatest value, and its time.

    The first and the last number are points of their own. Numbers that are not finite count only where a point has no others.
    """

    steps: array[int]
    values: array[float]
    low: array[float]
    high: array[float]
    times: array[float]


def pack(steps: array[int], values: array[float], spans: Iterable[Span]) -> bytes:
    """Numbers as bytes; `steps` (int64) and `values` (double) are equally long, and the spans count as many."""
    listed = list(spans)
    even = _even(steps)
    head = _HEAD.pack(_VERSION, _STEPS_EACH if even is None else _STEPS_EVEN, len(values), len(listed))
    told = b"".join([_SPAN.pack(*span) for span in listed])
    return head + told + (_bytes(steps) if even is None else _EVEN.pack(*even)) + _bytes(values)


def unpack(data: bytes) -> Chunk:
    """What was packed. Raises `ValueError` where the bytes are nothing of the kind."""
    try:
        version, how, count, several = _HEAD.unpack_from(data)
        at = _HEAD.size + several * _SPAN.size
        places = _EVEN.size if how == _STEPS_EVEN else 8 * count
        if version != _VERSION or len(data) != at + places + 8 * count:
            raise ValueError("no numbers of a curve: they are cut off, or of another form")
        spans = tuple([Span(*_SPAN.unpack_from(data, _HEAD.size + i * _SPAN.size)) for i in range(several)])
        if how == _STEPS_EVEN:
            start, stride = _EVEN.unpack_from(data, at)
            steps = array("q", range(start, start + stride * count, stride) if stride else [start] * count)
        else:
            steps = _array("q", data[at : at + places])
        values = _array("d", data[at + places :])
    except (error, TypeError, OverflowError) as wrong:
        raise ValueError(f"no numbers of a curve: {wrong}") from None
    if count != sum(span.count for span in spans):
        raise ValueError("no numbers of a curve: their times are cut off")
    return Chunk(steps, values, spans)


def _even(steps: array[int]) -> tuple[int, int] | None:
    """The first place and the stride, where places count evenly; None where they do not."""
    count = len(steps)
    if count < 2:
        return (steps[0] if count else 0), 1
    stride = steps[1] - steps[0]
    if (
        not -(1 << 40) < stride < 1 << 40
        or abs(steps[0]) > 1 << 62
        or steps[-1] != steps[0] + stride * (count - 1)
    ):
        return None
    even = array("q", range(steps[0], steps[0] + stride * count, stride) if stride else [steps[0]] * count)
    return (steps[0], stride) if even == steps else None


def _bytes(numbers: array[int] | array[float]) -> bytes:
    """Little-endian bytes."""
    if not _SWAP:
        return numbers.tobytes()
    turned = numbers[:]
    turned.byteswap()
    return turned.tobytes()


def _array(kind: str, data: bytes) -> array:  # type: ignore[type-arg]
    out = array(kind)
    out.frombytes(data)
    if _SWAP:
        out.byteswap()
    return out


def thinned(steps: Sequence[int], values: array[float], times: Sequence[float], most: int) -> Thinned:
    """A curve with at most `most` points (at least 3), extremes kept; all of them where they are few."""
    count, most = len(values), max(3, most)
    if count <= most:
        each = array("d", values)
        return Thinned(array("q", steps), each, array("d", values), array("d", values), array("d", times))
    inner = count - 2
    edges = [0, *[1 + inner * i // (most - 2) for i in range(most - 2)], count - 1, count]
    out = Thinned(array("q"), array("d"), array("d"), array("d"), array("d"))
    for first, last in pairwise(edges):
        mean, low, high = _summed(values[first:last])
        out.steps.append(steps[first])
        out.times.append(times[first])
        out.values.append(mean)
        out.low.append(low)
        out.high.append(high)
    return out


def _summed(values: array[float]) -> tuple[float, float, float]:
    """Mean, least and greatest of some numbers, of the finite ones where there are any."""
    total = sum(values)
    if isfinite(total):
        return total / len(values), min(values), max(values)
    finite = [value for value in values if isfinite(value)]
    if not finite:
        return values[-1], values[-1], values[-1]
    return sum(value / len(finite) for value in finite), min(finite), max(finite)
