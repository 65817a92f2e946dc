"""Sketches of keys: whether two tables have the same keys, from a few hashes of each."""

from __future__ import annotations

import random
from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepwell.dist.sketches import COUNT, overlap, sketch_of, text_of


def sketch(values, identity: str = "crm.customer") -> str:
    return sketch_of(values, identity)


def test_the_same_keys_are_all_there_in_whatever_order() -> None:
    keys = list(range(100_000, 140_000))
    again = random.Random(1).sample(keys, len(keys))
    assert sketch(keys) == sketch(again) == sketch([*keys, *keys[:50]])
    assert overlap(sketch(keys), sketch(again)) == 1.0


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9, 1.0])
def test_the_share_that_is_still_there_is_estimated(share: float) -> None:
    old = list(range(50_000))
    kept = round(share * len(old))
    new = [*old[:kept], *range(1_000_000, 1_000_000 + len(old) - kept)]
    assert abs(overlap(sketch(old), sketch(new)) - share) < 0.2


@pytest.mark.parametrize(
    "other",
    [
        lambda key: str(key),
        lambda key: f"{key:08d}",
        lambda key: f"{key}.0",
        lambda key: key + 1_000_000,
        lambda key: f"C-{key}",
    ],
    ids=["text", "padded", "float text", "other numbers", "prefixed"],
)
def test_keys_that_were_written_anew_are_others(other) -> None:
    old = [7 * n for n in range(10_000)]
    assert overlap(sketch(old), sketch([other(key) for key in old])) == 0.0


def test_few_keys_are_counted_exactly() -> None:
    assert overlap(sketch([1, 2, 3, 4]), sketch([3, 4, 5])) == 0.5
    assert overlap(sketch([1, 2]), sketch([])) == 0.0
    assert overlap(sketch([]), sketch([1])) == 1.0


def test_growth_is_no_loss() -> None:
    old, new = list(range(3_000)), list(range(30_000))
    assert overlap(sketch(old), sketch(new)) == 1.0
    assert overlap(sketch(new), sketch(old)) < 0.3


def test_of_a_table_that_is_very_much_larger_nothing_is_said() -> None:
    assert overlap(sketch(range(200)), sketch(range(1_000_000, 1_200_000))) == 1.0


def test_an_identity_has_hashes_of_its_own() -> None:
    assert overlap(sketch(range(1000), "crm.customer"), sketch(range(1000), "billing.account")) == 0.0


@pytest.mark.parametrize(
    "alike",
    [(123, 123.0, Decimal(123), Decimal("123.00")), (0, -0.0), (0.5, Decimal("0.5"), Decimal("0.50"))],
)
def test_one_number_has_one_text(alike) -> None:
    assert len({text_of(value) for value in alike}) == 1


def test_values_of_different_kinds_have_different_texts() -> None:
    values = [1, "1", b"1", True, date(1, 1, 1), datetime(1, 1, 1), 0.1, "0.1", float("inf"), "inf"]
    assert len({text_of(value) for value in values}) == len(values)


def test_what_is_missing_does_not_count() -> None:
    assert sketch([1, None, float("nan"), 2]) == sketch([2, 1])
    assert sketch([None]) == ""


@pytest.mark.parametrize("text", ["no base64!", "AAAA", "/////////////////////w=="])
def test_what_is_no_sketch_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no sketch"):
        overlap(text, sketch([1]))


@settings(max_examples=50)
@given(st.sets(st.integers(), max_size=3 * COUNT), st.sets(st.integers(), max_size=3 * COUNT))
def test_a_share_is_a_share(one: set[int], other: set[int]) -> None:
    share = overlap(sketch(one), sketch(other))
    assert 0.0 <= share <= 1.0
    if len(other) < COUNT and one and len(one) <= COUNT:
        assert share == len(one & other) / len(one)
