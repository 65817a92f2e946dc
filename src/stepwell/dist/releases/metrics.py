"""How good a release is, as a document of its own: `_release/metrics.json`, for whoever reads a wheel without knowing locks.

    data = encoded(lock)                  # canonical: the same lock gives the same bytes
    found = decoded(data)                 # raises BadRelease
    found.outputs["model"]["auc"]         # by the names that gates have for them
    measured(lock)                        # the same, of a release that has no such document

JSON has no word for a number that is none: "NaN", "Infinity" and "-Infinity" are written as text.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import msgspec
from msgspec import Struct

from stepwell.dist.lock import Lock
from stepwell.errors import BadRelease

FORMAT = 1

FILE = "metrics.json"

_WORDS: Mapping[str, float] = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class Metrics(NamedTuple):
    """What was measured: by pipeline under "STEP.METRIC", and by output what says something of it, under the names that gates have."""

    pipelines: dict[str, dict[str, float]]
    outputs: dict[str, dict[str, float]]


class _Written(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The document as it is written."""

    format: int = FORMAT
    outputs: dict[str, dict[str, float | str]] = {}
    pipelines: dict[str, dict[str, float | str]] = {}


def measured(lock: Lock) -> Metrics:
    """What a lock says that was measured."""
    from stepwell.dist.gates import concerning

    return Metrics(
        {name: dict(one.metrics) for name, one in lock.pipeline.items()},
        {name: concerning(lock, name) for name in lock.output},
    )


def encoded(lock: Lock) -> bytes:
    """The bytes of the document, with its keys in order."""
    found = measured(lock)
    written = _Written(outputs=_plain(found.outputs), pipelines=_plain(found.pipelines))
    return msgspec.json.format(msgspec.json.encode(written, order="sorted"), indent=1) + b"\n"


def decoded(data: bytes, where: str = FILE) -> Metrics:
    """What the document says. Raises `BadRelease` for anything but what `encoded` gives, and for later formats."""
    try:
        found = msgspec.json.decode(data, type=_Written)
        if found.format != FORMAT:
            raise ValueError(f"it has format {found.format}, and this Stepwell reads {FORMAT}")
        return Metrics(_numbers(found.pipelines), _numbers(found.outputs))
    except ValueError as error:  # `msgspec.DecodeError` is one
        raise BadRelease(
            f"`{where}` is no {FILE} of a release: {error}", fixes=["ask who released it for the wheel"]
        ) from None


def _plain(found: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float | str]]:
    return {name: {key: _word(value) for key, value in one.items()} for name, one in found.items()}


def _word(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _numbers(found: Mapping[str, Mapping[str, float | str]]) -> dict[str, dict[str, float]]:
    return {name: {key: _number(value) for key, value in one.items()} for name, one in found.items()}


def _number(value: float | str) -> float:
    """Raises `ValueError` for a word that is no number."""
    if not isinstance(value, str):
        return value
    if value not in _WORDS:
        raise ValueError(f"{value[:40]!r} is no number")
    return _WORDS[value]
