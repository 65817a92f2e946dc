"""Is a value what its annotation says?"""

import collections.abc as abc
from pathlib import Path
from typing import Annotated, Any, Literal, NewType, TypeVar

import codec_shapes as shapes
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import ClassifierMixin
from sklearn.linear_model import LogisticRegression

from stepwell.codecs.choose import fits

T = TypeVar("T")
UserId = NewType("UserId", int)


class Counted(list):
    """A list that knows how many of its items somebody has looked at."""

    looked_at = 0

    def __iter__(self):
        for item in super().__iter__():
            self.looked_at += 1
            yield item


class Hostile:
    @property
    def __class__(self):
        raise RuntimeError("no class")


@pytest.mark.parametrize(
    ("value", "annotation"),
    [
        (1, int), (True, int), (1, float), (1, complex), (np.int64(1), int), (np.int64(1), float), (np.float32(1), float), (np.float64(1), float),
        (np.bool_(True), bool), (None, None), (None, int | None), (1, int | None), ("a", Any), ("a", T), ("a", "int"), (1, UserId),
        (1, Annotated[int, "x"]), ("a", Literal["a", "b"]), ([1, 2], list[int]), ([], list[int]), ([1.5, 2], list[float]), ({"a": 1}, dict[str, int]),
        ((1, "a"), tuple[int, str]), ((1, 2, 3), tuple[int, ...]), ((), tuple[()]), ({1, 2}, set[int]), ([1], abc.Sequence[int]),
        ({"a": 1}, abc.Mapping[str, int]), (pd.DataFrame(), pd.DataFrame), (np.zeros(2), npt.NDArray[np.float64]), (LogisticRegression(), ClassifierMixin),
        (shapes.Point(1), shapes.Point), (shapes.Spot(1), shapes.Spot), (shapes.Spot(1), tuple), (shapes.Color.RED, shapes.Color),
        ({"auc": 1, "name": "x"}, shapes.Score), ({}, shapes.Partial), (shapes.Plain(), shapes.Shape), (shapes.Box(1), shapes.Box[int]),
        (Path("a"), Path), (b"a", bytes), (bytearray(b"a"), bytes), (print, abc.Callable[[], int]), ([1] * 5 + ["late"], list[int]),
        ({"a": [{"b": 1}]}, dict[str, list[dict[str, int]]]), (1, object), (Hostile(), int | Any), (shapes.Fancy(1), int),
        (iter([]), abc.Iterator[int]),
    ],
    ids=lambda v: type(v).__name__ + str(v)[:20] if not isinstance(v, Hostile) else "hostile",
)  # fmt: skip
def test_fits(value, annotation):
    assert fits(value, annotation) == ""


@pytest.mark.parametrize(
    ("value", "annotation", "clause"),
    [
        ("7", int, "returned str, its annotation says int"),
        (None, int, "returned None, its annotation says int"),
        (1, None, "returned int, its annotation says None"),
        (1.5, int, "returned float, its annotation says int"),
        (1, bool, "returned int, its annotation says bool"),
        (np.float32(1), int, "returned float32, its annotation says int"),
        ("a", int | None, "returned str, its annotation says int | None"),
        ("c", Literal["a", "b"], "returned 'c', its annotation says Literal['a', 'b']"),
        (1, Literal[True], "returned 1, its annotation says Literal[True]"),
        ([1, "2"], list[int], "returned list with str at [1], its annotation says list[int]"),
        ((1, 2), list[int], "returned tuple, its annotation says list[int]"),
        ({"a": "b"}, dict[str, int], "returned dict with str at ['a'], its annotation says dict[str, int]"),
        ({1: 1}, dict[str, int], "returned dict with int at key 1, its annotation says dict[str, int]"),
        ({"a": [1, None]}, dict[str, list[int]], "returned dict with None at ['a'][1], its annotation says dict[str, list[int]]"),
        ((1, 2, 3), tuple[int, int], "returned a tuple of 3, its annotation says tuple[int, int]"),
        ((1, "a"), tuple[int, int], "returned tuple with str at [1], its annotation says tuple[int, int]"),
        ((1, "a"), tuple[int, ...], "returned tuple with str at [1], its annotation says tuple[int, ...]"),
        ([1, "a"], list[int] | None, "returned list with str at [1], its annotation says list[int] | None"),
        (pd.Series(), pd.DataFrame, "returned Series, its annotation says DataFrame"),
        (np.zeros(2), pd.DataFrame, "returned ndarray, its annotation says DataFrame"),
        ("out.csv", Path, "returned str, its annotation says Path"),
        ({"auc": 1}, shapes.Score, "returned dict without 'name', its annotation says Score"),
        ({"auc": "x", "name": "y"}, shapes.Score, "returned dict with str at ['auc'], its annotation says Score"),
        ({"auc": 1, "more": 2}, shapes.Partial, "returned dict with the unknown key 'more', its annotation says Partial"),
        (5, shapes.Score, "returned int, its annotation says Score"),
        (1, shapes.Color, "returned int, its annotation says Color"),
    ],
    ids=lambda v: str(v)[:30],
)  # fmt: skip
def test_misfits(value, annotation, clause):
    assert fits(value, annotation) == clause


anything = st.one_of(
    st.sampled_from([int, Hostile, T, list[int], None, ..., 5, "x", object(), pd.DataFrame(), [[]], shapes.Score, Literal[5]]),
    st.lists(st.integers()), st.dictionaries(st.text(), st.none()), st.floats(), st.tuples(st.text()),
)  # fmt: skip


@given(anything, anything)
def test_never_raises(value, annotation):
    assert isinstance(fits(value, annotation), str)


def test_never_raises_even_where_isinstance_does():
    assert fits(Hostile(), int) == ""


def test_a_value_without_end_is_looked_at_only_so_far():
    ring: list = []
    ring.append(ring)
    Nested = list[list[list[list[list[list[list[list[int]]]]]]]]
    assert fits(ring, Nested) == ""
    long = Counted([1] * 100_000)
    assert fits(long, list[int]) == ""
    assert 0 < long.looked_at < 10_000


def test_keys_that_may_be_left_out_though_annotations_are_text():
    from typing import NotRequired, Required, TypedDict

    # as under `from __future__ import annotations`
    loose = TypedDict("loose", {"a": "int", "b": "NotRequired[int]"})  # noqa: UP013
    tight = TypedDict("tight", {"a": "Required[int]", "b": "int"}, total=False)  # noqa: UP013
    globals().update(NotRequired=NotRequired, Required=Required)
    for kind in (loose, tight):
        assert fits({"a": 1}, kind) == ""
        assert fits({"a": 1, "b": 2}, kind) == ""
        assert "dict without 'a'" in fits({"b": 2}, kind)
