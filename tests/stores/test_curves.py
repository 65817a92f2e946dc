"""Numbers in a series as bytes, and thinned."""

import math
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.stores.curves import Span, pack, thinned, unpack

PLACES = st.one_of(
    st.lists(st.integers(-(2**63), 2**63 - 1), max_size=40),
    st.builds(
        lambda at, by, n: [at + by * i for i in range(n)],
        st.integers(-9, 9),
        st.integers(-3, 3),
        st.integers(0, 40),
    ),
)


@given(PLACES, st.data())
def test_what_is_packed_comes_back(places, data):
    values = data.draw(st.lists(st.floats(), min_size=len(places), max_size=len(places)))
    cut = data.draw(st.integers(0, len(places)))
    spans = [Span(count, 1.5, 3.5) for count in (cut, len(places) - cut) if count]
    chunk = unpack(pack(array("q", places), array("d", values), spans))
    assert chunk.steps.tolist() == places
    assert chunk.values.tobytes() == array("d", values).tobytes()
    assert chunk.spans == tuple(spans)
    assert len(chunk.times()) == len(places)
    assert all(1.5 <= time <= 3.5 for time in chunk.times())


def test_places_that_count_evenly_take_no_room():
    values = array("d", range(10_000))
    assert len(pack(array("q", range(5, 30_005, 3)), values, [Span(10_000, 0, 1)])) < 8 * 10_000 + 60


@pytest.mark.parametrize("cut", [0, 3, 9, 12, 30, 60, -1])
def test_bytes_that_are_no_curve_are_refused(cut):
    data = pack(array("q", [1, 5, 6]), array("d", [1, 2, 3]), [Span(3, 0, 1)])
    with pytest.raises(ValueError, match="curve"):
        unpack(data[:cut])
    with pytest.raises(ValueError, match="curve"):
        unpack(b"\xff" * len(data))


@given(st.lists(st.floats(), min_size=1, max_size=300), st.integers(1, 50))
def test_a_thinned_curve_keeps_its_ends_and_extremes(values, most):
    count = len(values)
    times = array("d", range(count))
    found = thinned(array("q", range(count)), array("d", values), times, most)
    points = len(found.values)
    assert (
        points == len(found.low) == len(found.high) == len(found.steps) == len(found.times) <= max(3, most, 1)
    )
    assert found.steps[0] == 0
    assert found.steps[-1] == count - 1
    finite = [value for value in values if math.isfinite(value)]
    if finite and count > 1:
        assert min(value for value in found.low if math.isfinite(value)) == min(finite)
        assert max(value for value in found.high if math.isfinite(value)) == max(finite)
    for low, value, high in zip(found.low, found.values, found.high, strict=True):
        if math.isfinite(value):
            assert low <= value * (1 + 1e-9) + 1e-300 or low <= value + abs(value) * 1e-9
            assert value <= high + abs(high) * 1e-9 + 1e-300


def test_few_numbers_are_not_thinned():
    found = thinned(array("q", [4, 9]), array("d", [1.5, math.nan]), array("d", [1, 2]), 100)
    assert found.steps.tolist() == [4, 9]
    assert str(found.values.tolist()) == str(found.low.tolist()) == str(found.high.tolist()) == "[1.5, nan]"
