"""How far two values are apart: numbers by how much, everything else by whether it is the same."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.app.closeness import EQUAL, close

DAY = pd.Timestamp("2026-01-01")


@dataclass
class Report:
    auc: float
    name: str


def frame(*x: float, **more: Any) -> pd.DataFrame:
    return pd.DataFrame({"x": list(x), **more})


SAME = [
    (1.5, 1.5),
    (math.nan, math.nan),
    ([1, [2.0]], [1, [2.0]]),
    ({"a": None}, {"a": None}),
    (np.array([1.0, math.nan]), np.array([1.0, math.nan])),
    (frame(1, 2), frame(1, 2)),
    (pl.DataFrame({"x": [1, None]}), pl.DataFrame({"x": [1, None]})),
    (pa.table({"x": ["a"]}), pa.table({"x": ["a"]})),
    (Report(0.5, "a"), Report(0.5, "a")),
    (b"bytes", b"bytes"),
]


@pytest.mark.parametrize(("then", "now"), SAME)
def test_equal_values_are_equal_at_any_tolerance(then, now):
    assert close(then, now, 0.0) == EQUAL


NEAR = [
    (1.0, 1.0 + 1e-9),
    (1e12, 1e12 + 100),  # relative where numbers are large
    ([0.1, 0.2], [0.1, 0.2 + 1e-9]),
    ({"a": {"b": 1.0}}, {"a": {"b": 1 + 1e-9}}),
    (1, 1.0000000001),
    (np.array([[1.0, 2.0]]), np.array([[1.0, 2.0 + 1e-9]])),
    (np.array([1j]), np.array([1j + 1e-9])),
    (frame(1.0, 2.0), frame(1.0, 2.0 + 1e-9)),
    (pl.DataFrame({"x": [1.0]}), pl.DataFrame({"x": [1.0 + 1e-9]})),
    (pa.table({"x": [1.0]}), pa.table({"x": [1.0 + 1e-9]})),
    (Report(0.5, "a"), Report(0.5 + 1e-9, "a")),
]


@pytest.mark.parametrize(("then", "now"), NEAR)
def test_numbers_may_be_apart_by_the_tolerance_and_no_more(then, now):
    found = close(then, now, 1e-6)
    assert found.within
    assert found.largest
    assert not close(then, now, 0.0).within
    assert not close(then, now, 1e-14).within


OTHER = [
    (1.0, math.nan, "nan"),
    (math.inf, -math.inf, "inf"),
    (True, False, "True is now False"),
    ("a", "b", "'a' is now 'b'"),
    (1, "1", "a int is now a str"),
    ([1], [1, 2], "1 item is now 2"),
    ({"a": 1}, {"b": 1}, "['a']: it is gone"),
    (np.zeros(2), np.zeros(3), "shape (2,) is now (3,)"),
    (np.array(["a"]), np.array(["b"]), "1 of 1 are something else"),
    (frame(1, 2), frame(1, 2, 3), "2 rows are now 3"),
    (frame(1, y=[1]), frame(1, z=[1]), "`y` is gone; `z` is new"),
    (frame(1, d=[DAY]), frame(1, d=[DAY + pd.Timedelta("1ns")]), "['d']: 1 of 1 are something else"),
    (frame(1, c=["a"]), frame(1, c=[None]), "['c']: 1 of 1 are something else"),
    (frame(1.0, 2.0), frame(1.0, math.nan), "['x']: 1 of 2 differ, by at most inf"),
    (
        pl.DataFrame({"x": [1], "y": [2]}),
        pl.DataFrame({"y": [2], "x": [1]}),
        "the columns are in another order",
    ),
]


@pytest.mark.parametrize(("then", "now", "told"), OTHER)
def test_what_is_no_matter_of_a_tolerance_differs_at_any(then, now, told):
    found = close(then, now, 0.5)
    assert not found.within
    assert told in found.told


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(0, 1))
def test_the_tolerance_is_what_the_guide_says(value, tolerance):
    other = value + tolerance * max(1.0, abs(value)) / 2
    if math.isfinite(other):
        assert close(value, other, tolerance).within
        assert close(other, value, tolerance).within


def test_models_are_not_compared_by_their_inside():
    from sklearn.linear_model import LinearRegression

    found = close(LinearRegression(), LinearRegression(), 1.0)
    assert not found.within
    assert "nothing to predict on" in found.told
