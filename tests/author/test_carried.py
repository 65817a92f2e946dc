"""Plain data between two projects: what comes out is what went in, and nothing else goes."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from pathlib import Path

import pytest

from stepwell.author.carried import packed, unpacked
from stepwell.errors import CannotCarry

VALUES = [
    None, True, 0, -1, 1 << 53, -(1 << 90), 0.1, -0.0, math.inf, "", "a\u2028b", b"\x00\xff", [1, (2.0, {"x"})], {}, {1: "a", "1": [None], (2,): ()},
    frozenset({1, 2}), date(2026, 11, 21), datetime(2026, 11, 21, 8, tzinfo=UTC), time(9, 30), timedelta(-1, 2, 3), Path("a/b"),
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_come_out_as_they_went_in(value: object) -> None:
    found = unpacked(json.loads(json.dumps(packed(value), allow_nan=False)))
    assert (type(found), repr(found)) == (type(value), repr(value))


@pytest.mark.parametrize(
    "value", [Fraction(1, 2), object, [object()], {"a": {1: Fraction(1, 3)}}, type("T", (str,), {})("t")]
)
def test_what_is_no_plain_data_is_refused(value: object) -> None:
    with pytest.raises(CannotCarry, match="cannot be handed between two projects"):
        packed(value)
