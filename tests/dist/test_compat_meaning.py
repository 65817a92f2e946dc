"""Whether a column means the same: units against drift, counters and columns that say nothing."""

from __future__ import annotations

import math
import random
from statistics import quantiles

import pytest

from stepwell.dist.compat.kinds import accepts, change, column, measured
from stepwell.dist.compat.meaning import shifted
from stepwell.dist.compat.versions import following, suffices

ROWS = 20_000


def twentieths(values) -> tuple[float, ...]:
    return tuple(float(f"{value:.6g}") for value in quantiles(values, n=20))


def delays(seed: int, late: float = 1.0) -> list[float]:
    """Minutes, whole ones, most of them early, some very late: as flights have them."""
    draw = random.Random(seed)
    return [float(round(draw.gauss(-4, 5) + late * draw.expovariate(1 / 18) ** 1.2)) for _ in range(ROWS)]


def amounts(seed: int, scale: float = 39.0) -> list[float]:
    draw = random.Random(seed)
    return [scale * math.exp(draw.gauss(0, 1.1)) for _ in range(ROWS)]


DELAYS, AMOUNTS = twentieths(delays(1)), twentieths(amounts(1))


@pytest.mark.parametrize(
    ("before", "after", "factor", "guess"),
    [
        (DELAYS, twentieths(60 * one for one in delays(1)), 60, "min -> s"),
        (DELAYS, twentieths(60 * one for one in delays(2)), 60, "min -> s"),
        (DELAYS, twentieths(60 * one for one in delays(3, late=1.2)), 60, "min -> s"),
        (twentieths(60 * one for one in delays(1)), twentieths(delays(2)), 1 / 60, "s -> min"),
        (AMOUNTS, twentieths(100 * one for one in amounts(2)), 100, "whole -> cents or percent"),
        (AMOUNTS, twentieths(1.609344 * one for one in amounts(1)), 1.609344, "mile -> km"),
        (AMOUNTS, twentieths(1.609344 * one for one in amounts(2)), 1.609344, "mile -> km"),
        (AMOUNTS, twentieths(1000 * one for one in amounts(2)), 1000, "thousands -> ones, or s -> ms"),
    ],
)
def test_a_unit_that_changed_is_seen(before, after, factor, guess) -> None:
    found = shifted(before, after, (ROWS, ROWS))
    assert found is not None
    assert found.how == "ratio"
    assert found.factor == pytest.approx(factor, rel=0.25)
    assert found.guess == guess


def test_degrees_and_signs_are_seen() -> None:
    draw = random.Random(5)
    celsius = [draw.gauss(12, 8) for _ in range(ROWS)]
    fahrenheit = shifted(
        twentieths(celsius), twentieths(1.8 * one + 32 + draw.gauss(0, 0.5) for one in celsius)
    )
    assert fahrenheit is not None
    assert (fahrenheit.how, fahrenheit.guess) == ("affine", "°C -> °F")
    back = shifted(twentieths(1.8 * one + 32 for one in celsius), twentieths(celsius))
    assert back is not None
    assert back.guess == "°F -> °C"
    flipped = shifted(DELAYS, twentieths(-one for one in delays(1)))
    assert flipped is not None
    assert flipped.how == "sign"


DRIFT = {
    "nothing": DELAYS,
    "another month": twentieths(delays(2)),
    "a bad month": twentieths(delays(3, late=1.6)),
    "all are later": twentieths(one + 5 for one in delays(2)),
}


@pytest.mark.parametrize("after", DRIFT.values(), ids=DRIFT)
def test_drift_is_no_unit(after) -> None:
    assert shifted(DELAYS, after, (ROWS, ROWS)) is None


def test_prices_that_rise_all_alike_are_no_unit() -> None:
    assert shifted(AMOUNTS, twentieths(1.12 * one for one in amounts(1)), (ROWS, ROWS)) is None
    rich = [one * math.exp(0.25 * math.log(one / 39)) * 1.19 for one in amounts(2)]  # the rich get richer
    assert shifted(AMOUNTS, twentieths(rich), (ROWS, ROWS)) is None


def test_columns_of_few_values_say_nothing() -> None:
    assert shifted((1.0,) * 19, (2.0,) * 19) is None  # a month
    assert shifted((2013.0,) * 19, (2014.0,) * 19) is None
    assert shifted((0.0,) * 15 + (1.0,) * 4, (0.0,) * 12 + (1.0,) * 7) is None
    assert shifted((0.0,) * 15 + (1.0,) * 4, (0.0,) * 15 + (100.0,) * 4) is None
    quarters = tuple(float(1 + i // 7) for i in range(19)), tuple(float(4 + i // 7) for i in range(19))
    assert shifted(*quarters) is None


def test_dense_ids_grow_as_the_rows_do() -> None:
    """1..N and 1..2N have quantiles of a constant ratio, and mean the same; minutes of the day do not count rows."""
    ids, more = twentieths(range(1, 1001)), twentieths(range(1, 2001))
    assert shifted(ids, more, (1000, 2000)) is None
    assert shifted(ids, twentieths(range(1, 5001)), (1000, 5000)) is None
    assert shifted(ids, more, (1000, 1000)) is not None
    assert shifted(ids, twentieths(range(1001, 2001)), (1000, 1000)) is None  # the next thousand


def test_other_numbers_of_quantiles_and_infinities_say_nothing() -> None:
    assert shifted(DELAYS, DELAYS[:5]) is None
    assert shifted(DELAYS, (*DELAYS[:-1], math.inf)) is None
    assert shifted((), ()) is None
    assert shifted((0.0,) * 19, DELAYS) is None


@pytest.mark.parametrize(
    ("before", "after", "become"),
    [
        ("int64", "Int64", ""),
        ("string", "large_string", ""),
        ("object", "str", ""),
        ("?", "int64", ""),
        ("string", "category", ""),
        ("timestamp[us]", "datetime64[ns]", ""),
        ("timestamp[UTC]", "datetime64[ns, Europe/Berlin]", ""),
        ("Datetime(time_unit='us', time_zone=None)", "timestamp", ""),
        ("int64, null 2 %", "int64", ""),
        ("int32", "int64", "wider"),
        ("uint8", "int8", "wider"),
        ("float64", "float32", "narrower"),
        ("int64", "uint64", "narrower"),
        ("int64", "string", "other"),
        ("int64", "float64", "other"),
        ("timestamp", "timestamp[UTC]", "other"),
        ("timestamp", "date", "other"),
    ],
)
def test_what_became_of_a_column(before: str, after: str, become: str) -> None:
    assert change(column(before), column(after)) == become


@pytest.mark.parametrize(
    ("before", "after", "become"),
    [
        ("int64", "float64", "wider"),
        ("float64", "int64", "narrower"),
        ("category", "string", "wider"),
        ("string", "category", "narrower"),
        ("string", "float64", "other"),
        ("float32", "float64", "wider"),
        ("bool", "float64", "wider"),
        ("?", "float64", ""),
    ],
)
def test_what_became_of_what_is_taken(before: str, after: str, become: str) -> None:
    assert accepts(column(before), column(after)) == become


def test_missing_values_as_measured_and_as_declared() -> None:
    assert measured("float64, null 2.8 %") is True
    assert measured("float64") is False
    assert measured("?") is None
    assert column("float64 not null").nulls is False
    assert column("float64 not null").kind == "float"
    assert column("float64").nulls is None


@pytest.mark.parametrize(
    ("before", "bump", "after"),
    [
        ("1.4.2", "major", "2.0.0"),
        ("1.4.2", "minor", "1.5.0"),
        ("1.4.2", "patch", "1.4.3"),
        ("1.4.2", "none", "1.4.2"),
        ("1.4.2", "blocked", ""),
        ("1.4", "minor", "1.5.0"),
        ("0.4.2", "major", "0.5.0"),
        ("0.4.2", "minor", "0.4.3"),
        ("2.0.0rc1", "major", "2.0.0"),
        ("1.5.0rc1", "minor", "1.5.0"),
        ("1.5.1rc1", "minor", "1.6.0"),
        ("1.5.1rc1", "patch", "1.5.1"),
    ],
)
def test_the_next_version(before: str, bump, after: str) -> None:
    assert following(before, bump) == after
    assert not after or bump == "none" or suffices(after, before, bump)


def test_whether_a_version_is_enough() -> None:
    assert suffices("2.0.0rc1", "1.4.2", "major")
    assert suffices("3.0", "1.4.2", "minor")
    assert not suffices("1.9.0", "1.4.2", "major")
    assert not suffices("1.4.2", "1.4.2", "patch")
    assert not suffices("1.4.1", "1.4.2", "patch")
    assert not suffices("9.0.0", "1.4.2", "blocked")
