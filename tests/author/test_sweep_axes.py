"""Axes, grids and samples of sweeps: what texts mean, what is refused, and that nothing large is ever made."""

import datetime as dt
import enum
import math
from itertools import product
from pathlib import Path
from typing import Literal, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell import Secret
from stepwell.author.conditions import condition
from stepwell.author.sweeping import (
    LARGEST,
    axis,
    chosen,
    grid,
    labels,
    pieces,
    point,
    size,
    values_axis,
    words_of,
)
from stepwell.errors import BadCondition, BadSweep, EmptySweep, TooManyPoints


def values(text, wanted=None):
    one = axis("x", text, wanted)
    return [one.value(place) for place in range(one.size)]


@pytest.mark.parametrize(
    ("text", "wanted", "meant"),
    [
        ("4,6,8", int, [4, 6, 8]),
        ("2..5", int, [2, 3, 4, 5]),
        ("-2..2", int, [-2, -1, 0, 1, 2]),
        ("2..10/2", int, [2, 4, 6, 8, 10]),
        ("2..9/3,20", int, [2, 5, 8, 20]),
        ("0.1..0.5/0.1", float, [0.1, 0.2, 0.3, 0.4, 0.5]),
        ("1..2/0.5", float, [1.0, 1.5, 2.0]),
        ("lin:0.1..0.5/5", float, [0.1, 0.2, 0.3, 0.4, 0.5]),
        ("log:1e-4..1e-1/4", float, [0.0001, 0.001, 0.01, 0.1]),
        ("log:1..1000/4", int, [1, 10, 100, 1000]),
        ("none,2..3", Optional[int], [None, 2, 3]),
        ("[1,2],[3]", list[int], [[1, 2], [3]]),
        ("a,b", Literal["a", "b"], ["a", "b"]),
        ('x,"y,z",2..4', str, ["x", "y,z", "2..4"]),
        ("../data,b", Path, [Path("../data"), Path("b")]),
        ("true,false", bool, [True, False]),
        ("2..4,text,1.5", None, [2, 3, 4, "text", 1.5]),
        ("2026-02-27..2026-03-01", dt.date, [dt.date(2026, 2, 27) + dt.timedelta(i) for i in range(3)]),
        ("2026-01-01..2026-01-31/14", dt.date, [dt.date(2026, 1, d) for d in (1, 15, 29)]),
        ("4,4,2..4", int, [4, 2, 3]),
    ],
)  # fmt: skip
def test_what_an_axis_means(text, wanted, meant):
    found = values(text, wanted)
    assert found == meant
    assert [type(value) for value in found] == [type(value) for value in meant]


@pytest.mark.parametrize(
    ("text", "wanted", "why"),
    [
        ("", int, ""),
        ("4,x", int, "not a whole number"),
        ("5..1", int, "begins behind its end"),
        ("1.5..3", int, "whole numbers"),
        ("1..9/0", int, "larger than 0"),
        ("0.1..0.5", float, "lin:0.1..0.5/5"),
        ("0.1..0.5/5", float, "lin:0.1..0.5/5"),
        ("0.1..0.5/-1", float, "larger than 0"),
        ("0.1..0.5/x", float, "no number"),
        ("log:0..1/3", float, "larger than 0"),
        ("log:1..10", float, "number of values"),
        ("lin:0..1/x", float, "how many values"),
        ("lin:0..1/1", float, "both ends"),
        ("log:2026-01-01..2026-02-01/3", dt.date, "for numbers"),
        ("1..nan/1", float, "not a number"),
        ("[1,2", list[int], "TOML"),
        ("c", Literal["a", "b"], "it can be a, b"),
    ],
)
def test_what_is_no_axis(text, wanted, why):
    with pytest.raises(BadSweep) as caught:
        values(text, wanted)
    assert why in caught.value.why
    assert caught.value.fixes


def test_a_word_gives_its_value_back():
    one = axis("x", "2..4,0x10", int)
    assert [int(one.word(i), 0) for i in range(one.size)] == [one.value(i) for i in range(one.size)]
    assert [axis("x", "a,'b,c'", str).word(i) for i in range(2)] == ["a", "b,c"]


def test_text_is_cut_at_commas_outside_of_brackets():
    assert pieces('a, [1, {b = "],"}], "x,y" ,') == ["a", '[1, {b = "],"}]', '"x,y"', ""]


AXES = st.lists(st.integers(1, 5), min_size=1, max_size=4).map(
    lambda counts: [values_axis(f"a{i}", range(count)) for i, count in enumerate(counts)]
)


@given(AXES)
def test_points_by_number_are_the_grid(axes):
    all_of_them = list(grid(axes))
    assert len(all_of_them) == size(axes) == math.prod(one.size for one in axes)
    assert all_of_them == [point(axes, number) for number in range(size(axes))]
    names = [one.name for one in axes]
    assert all_of_them == [
        dict(zip(names, some, strict=True)) for some in product(*[range(one.size) for one in axes])
    ]
    assert [{k: int(v) for k, v in words_of(axes, n).items()} for n in range(size(axes))] == all_of_them
    assert len(set(labels(all_of_them))) == len(all_of_them)


@given(AXES, st.integers(1, 700), st.integers())
def test_a_sample_is_some_of_the_points_and_always_the_same(axes, count, seed):
    found = chosen(axes, sample=count, seed=seed)
    assert found == sorted(set(found)) == chosen(axes, sample=count, seed=seed)
    assert len(found) == min(count, size(axes))
    assert set(found) <= set(range(size(axes)))


CONDITIONS = st.recursive(
    st.one_of(
        st.tuples(st.sampled_from(["a0", "a1"]), st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), st.integers(-1, 5))
        .map(lambda t: f"{t[0]} {t[1]} {t[2]}"),
        st.lists(st.integers(0, 4), max_size=3).map(lambda some: f"a0 not in {some}"),
        st.integers(-3, 3).map(lambda n: f"a0 * 2 - a1 ** 2 < {n} <= a0 + a1 // 2 % 3"),
    ),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda t: f"({t[0]}) {t[1]} ({t[2]})"),
        inner.map(lambda text: f"not ({text})"),
    ),
    max_leaves=6,
)  # fmt: skip


@given(CONDITIONS)
def test_conditions_mean_what_they_mean_in_python(text):
    axes = [values_axis("a0", range(5)), values_axis("a1", range(4))]
    where = condition(text, {}, ["a0", "a1"])
    wanted = [n for n, one in enumerate(grid(axes)) if eval(text, {"__builtins__": {}}, dict(one))]
    if wanted:
        assert chosen(axes, where=where) == wanted
        assert set(chosen(axes, where=where, sample=3)) <= set(wanted)
    else:
        with pytest.raises(EmptySweep):
            chosen(axes, where=where)


def test_conditions_know_dates_paths_fields_and_what_is_fixed():
    where = condition(
        "day < '2026-02-01' and train.depth in (4, 6) and path == 'a/b' and rows == 10",
        {"rows": 10},
        ["day", "training/train.depth", "path"],
    )
    sound = {"day": dt.date(2026, 1, 1), "training/train.depth": 4, "path": Path("a/b")}
    assert where.holds(sound)
    assert not where.holds({**sound, "training/train.depth": 5})
    assert not where.holds({**sound, "day": dt.date(2026, 2, 1)})


@pytest.mark.parametrize(
    "text",
    [
        "depth <",
        "",
        "__import__('os').system('true')",
        "depth.__class__",
        "(lambda: 1)()",
        "[x for x in (1, 2)]",
        "depth[0]",
        "f'{depth}'",
        "depth if 1 else 2",
        "depth := 3",
        "b'x' == depth",
        "dept < 3",
        "(" * 500,
        "not " * 600 + "depth",
        "depth" + " + 1" * 900,
    ],
)
def test_what_is_no_condition(text):
    with pytest.raises(BadCondition) as caught:
        condition(text, {}, ["depth"]).holds({"depth": 4})
    assert caught.value.code == "E118"


@pytest.mark.parametrize(
    "text",
    ["depth < 'a'", "depth ** depth ** depth < 1", "9 ** 9 ** 9", "'a' * 10", "[1] * 9", "1 / (depth - 70)"],
)
def test_what_cannot_be_asked_of_a_point(text):
    with pytest.raises(BadCondition, match="depth=70"):
        condition(text, {}, ["depth"]).holds({"depth": 70})


def test_a_condition_stays_small():
    with pytest.raises(BadCondition, match="depth=4"):
        condition(" * ".join(["4 ** 64"] * 60), {}, ["depth"]).holds({"depth": 4})


def test_ten_million_points_are_refused_with_the_count_and_can_be_sampled():
    axes = [axis("a", "1..10000000", int)]
    with pytest.raises(TooManyPoints, match="10,000,000 points"):
        chosen(axes)
    with pytest.raises(TooManyPoints, match="10,000,000 points"):
        chosen(axes, where=condition("a < 5", {}, ["a"]))
    assert len(chosen(axes, sample=100)) == 100
    huge = [axis(name, "1..1000000000000", int) for name in "abcd"]
    found = chosen(huge, sample=50, seed=3)
    assert len(set(found)) == 50
    assert found == chosen(huge, sample=50, seed=3) != chosen(huge, sample=50, seed=4)
    some = chosen(huge, sample=20, where=condition("a % 2 == 0", {}, ["a"]))
    assert len(some) == 20
    assert all(point(huge, number)["a"] % 2 == 0 for number in some)
    with pytest.raises(EmptySweep):
        chosen(huge, sample=2, where=condition("a < 0", {}, ["a"]))


def test_a_grid_that_is_too_large_may_be_left_small_by_a_condition():
    axes = [axis("a", "1..1000", int), axis("b", "1..500", int)]
    assert chosen(axes, where=condition("a == b and a < 4", {}, ["a", "b"])) == [0, 501, 1002]
    with pytest.raises(TooManyPoints, match="250,000 points"):
        chosen(axes, where=condition("a > 500", {}, ["a", "b"]))
    with pytest.raises(TooManyPoints):
        chosen(axes, sample=LARGEST + 1)


def test_labels_are_short_and_their_own():
    assert labels([{"depth": 4, "lr": 0.1, "rows": 3}, {"depth": 6, "lr": 0.1, "rows": 3}]) == [
        "depth=4",
        "depth=6",
    ]
    assert labels([{"train.lr": 0.5}]) == ["train.lr=0.5"]
    assert labels([{"path": Path("a/b")}, {"path": Path("c")}, {"path": "x" * 90}], 7)[::2] == [
        "point-8",
        "point-10",
    ]


def test_in_a_label_an_enum_is_its_value_and_a_secret_is_where_it_is(monkeypatch):
    class Kind(enum.Enum):
        FEW = 2
        ON = True

    class Way(enum.StrEnum):
        FAST = "quick"

    monkeypatch.setenv("LABEL_A", "qqaaqqaa")
    points = [{"kind": Kind.FEW, "way": Way.FAST}, {"kind": Kind.ON, "way": "slow"}]
    assert labels(points) == ["kind=2,way=quick", "kind=true,way=slow"]
    places = [Secret("LABEL_A"), Secret("LABEL_THAT_IS_NOT_SET"), Secret.file("/run/token")]
    assert labels([{"token": place} for place in places]) == [
        "token=Secret(env:LABEL_A)",
        "token=Secret(env:LABEL_THAT_IS_NOT_SET)",
        "point-3",
    ]
