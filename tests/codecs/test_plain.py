"""Plain data: exact, canonical, and safe to read."""

import base64
import collections
import datetime as dt
import decimal
import fractions
import json
import math
import pathlib
import struct
import sys
import uuid
import zoneinfo

import codec_shapes as shapes
import dateutil.tz
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepwell.codecs import plain
from stepwell.errors import CannotDecode, CannotEncode

relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=100)

keys = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.text(max_size=5),
    st.binary(max_size=3),
    st.dates(),
    st.uuids(),
)
leaves = st.one_of(
    keys,
    st.integers(min_value=-(10**700), max_value=10**700),
    st.floats(allow_nan=False),
    st.complex_numbers(allow_nan=False),
    st.text(st.characters(), max_size=8),
    st.text(st.characters(categories=["Cs", "L"]), max_size=4),
    st.binary(max_size=8).map(bytearray),
    st.datetimes(timezones=st.none() | st.just(dt.UTC) | st.just(zoneinfo.ZoneInfo("Europe/Berlin"))),
    st.times(),
    st.timedeltas(),
    st.decimals(allow_nan=False),
    st.fractions(),
    st.sampled_from([*shapes.Color, *shapes.Level, *shapes.Mode, shapes.Right.BOTH, shapes.Right(0)]),
    st.builds(shapes.Spot, st.integers(), st.floats(allow_nan=False)),
    st.builds(pathlib.Path, st.text("ab/.", max_size=5)),
    st.builds(np.float32, st.floats(width=32, allow_nan=False)),
    st.builds(np.int64, st.integers(-(2**63), 2**63 - 1)),
)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(keys, inner, max_size=4),
        st.dictionaries(st.text(max_size=3), inner, max_size=4),
        st.dictionaries(keys, inner, max_size=3).map(collections.OrderedDict),
        st.sets(keys, max_size=4),
        st.frozensets(keys, max_size=4),
        st.builds(shapes.Point, st.integers(), inner),
        st.builds(
            shapes.Frozen, name=st.text(max_size=3), tags=st.frozensets(st.text(max_size=2), max_size=3)
        ),
        st.lists(inner, max_size=3).map(collections.deque),
    ),
    max_leaves=12,
)


def same(a, b):
    """Equal in value and type, all the way down."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        if isinstance(a, collections.OrderedDict) and list(a) != list(b):
            return False
        return len(a) == len(b) and all(k in b and same(v, b[k]) for k, v in a.items())
    if isinstance(a, (list, tuple, collections.deque)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, shapes.Point):
        return same(a.x, b.x) and same(a.y, b.y)
    if isinstance(a, (float, np.floating)):
        return a == b and math.copysign(1, a) == math.copysign(1, b)
    if isinstance(a, (dt.datetime, dt.time)):
        return a == b and a.tzinfo == b.tzinfo and a.fold == b.fold
    return a == b


@given(values)
@relaxed
def test_comes_back_equal_in_type_and_value(value):
    data = plain.dumps(value)
    back = plain.loads(data)
    assert same(value, back)
    assert plain.dumps(back) == data


def shuffled(value):
    """An equal value, built in another order."""
    if type(value) is dict:
        return {shuffled(k): shuffled(v) for k, v in reversed(value.items())}
    if type(value) in (set, frozenset):
        return type(value)(reversed(list(value)))
    if type(value) in (list, tuple, collections.deque):
        return type(value)(shuffled(v) for v in value)
    if type(value) is shapes.Point:
        return shapes.Point(value.x, shuffled(value.y))
    return value


@given(values)
@relaxed
def test_equal_values_have_equal_bytes_whatever_made_them(value):
    assert plain.dumps(shuffled(value)) == plain.dumps(value)


@given(values, values)
@relaxed
def test_unequal_values_have_unequal_bytes(one, other):
    assert (plain.dumps(one) == plain.dumps(other)) == same(one, other)


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (None, "null"),
        (5, "5"),
        (True, "true"),
        (1.0, "1.0"),
        (-0.0, "-0.0"),
        (1e300, "1e+300"),
        ("ü\n", '"ü\\n"'),
        ([1, 2.5, "a"], '[1,2.5,"a"]'),
        ((1, 2), '{"!tuple":[1,2]}'),
        ({"b": 1, "a": 2}, '{"a":2,"b":1}'),
        ({10: 1, 9: 2}, '{"!dict":[[9,2],[10,1]]}'),
        ({"!x": 1}, '{"!dict":[["!x",1]]}'),
        ({2, 1}, '{"!set":[1,2]}'),
        (float("nan"), '{"!float":"nan"}'),
        (float("-inf"), '{"!float":"-inf"}'),
        (b"ab", '{"!bytes":"YWI="}'),
        (shapes.Color.ROT, '{"!enum":["codec_shapes:Color","RED"]}'),
        (shapes.Point(1), '{"!data":["codec_shapes:Point",{"x":1,"y":null}]}'),
        (shapes.Spot(1), '{"!named":["codec_shapes:Spot",[1,0.0]]}'),
        (dt.date(2024, 5, 1), '{"!date":"2024-05-01"}'),
        (dt.datetime(2024, 5, 1, tzinfo=dt.UTC), '{"!datetime":["2024-05-01T00:00:00",0,[0]]}'),
        (np.float32(1.5), '{"!np":["<f4",1.5]}'),
        ([0.5] * 3, "[0.5,0.5,0.5]"),
        (
            [0.5] * plain.MANY,
            '{"!floats":"' + base64.b64encode(struct.pack("<16d", *[0.5] * 16)).decode() + '"}',
        ),
        (pathlib.Path("a/b"), '{"!path":["Path","a/b"]}'),
    ],
)
def test_golden_bytes(value, data):
    assert plain.dumps(value).decode() == data


@pytest.mark.parametrize(
    "value",
    [
        1 << 5000, -(1 << 70), float("inf"), complex(1, float("nan")), range(1, 9, 2), slice(1, None), ..., (), {}, set(),
        collections.Counter("abca"), collections.defaultdict(list, a=[1]), collections.defaultdict(None, {1: 2}),
        collections.deque([1, 2], maxlen=3), decimal.Decimal("NaN"), decimal.Decimal("1.50"), fractions.Fraction(1 << 3000, 7),
        uuid.UUID(int=5), dt.UTC, dt.timezone(dt.timedelta(hours=2), "X"), zoneinfo.ZoneInfo("Asia/Tokyo"),
        dt.datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")), dt.time(1, 2, fold=1),
        dt.timedelta(days=-3, microseconds=7), pathlib.PurePosixPath("a"), pathlib.PureWindowsPath("c:\\x"),
        shapes.Right.READ | shapes.Right.WRITE, shapes.Old(1, [2]), shapes.Box(item=(1,)),
        np.int8(-3), np.uint64(2**64 - 1), np.bool_(True), np.float16(0.5), np.float64(0.1), np.complex64(1 + 2j), np.str_("é"),
        np.bytes_(b"x"), np.datetime64("2024-05-01T12", "ns"), np.timedelta64(5, "D"), np.datetime64("NaT"),
        pd.Timestamp("2024-05-01 12:00"), pd.Timestamp("2024-05-01", tz="Europe/Berlin"), pd.Timedelta("3h"), pd.NaT, pd.NA,
        "\ud800", "\ud83d\ude00", "😀", "\x00\u2028",
    ],
    ids=repr,
)  # fmt: skip
def test_special_values(value):
    data = plain.dumps(value)
    back = plain.loads(data)
    assert type(back) is type(value)
    assert repr(back) == repr(value)
    assert plain.dumps(back) == data


def test_a_surrogate_pair_is_not_the_character_that_it_would_make():
    assert plain.dumps(["\ud83d\ude00"]) != plain.dumps(["😀"])


def test_nan_anywhere():
    for value in ([math.nan] * 3, {"a": math.nan}, (np.float64("nan"), np.float32("inf"))):
        assert repr(plain.loads(plain.dumps(value))) == repr(value)


def test_nested_dataclasses_are_made_without_their_init():
    value = shapes.Counted(3, 7)
    assert value.heavy == 700
    made = shapes.Counted.made
    back = plain.loads(plain.dumps(value))
    assert shapes.Counted.made == made
    assert (back.value, back.doubled, back.extra) == (7, 42, [7])
    assert "heavy" not in vars(back)
    assert back.heavy == 700
    assert plain.dumps(value) == plain.dumps(shapes.Counted(3, 7))


def test_generic_and_recursive_dataclasses():
    assert plain.loads(plain.dumps(shapes.Box[int](5))) == shapes.Box(5)
    chain = shapes.Node(1, shapes.Node(2, shapes.Node(3)))
    assert plain.loads(plain.dumps(chain)) == chain


@given(st.lists(st.floats(allow_nan=False), min_size=plain.MANY - 1, max_size=40))
def test_many_floats(values):
    def bits(floats):
        return [struct.pack("<d", value) for value in floats]

    assert bits(plain.loads(plain.dumps(values))) == bits(values)
    back = plain.loads(plain.dumps({"x": tuple(values), "y": [values]}))
    assert back == {"x": tuple(values), "y": [values]}
    assert type(back["x"]) is tuple
    assert plain.preview(plain.dumps(values)) == values


@pytest.mark.parametrize("odd", [1, True, None, "1.0", np.float64(1.5), float("nan"), float("inf")])
@pytest.mark.parametrize("place", [0, 7, 29])
def test_one_that_is_no_finite_float_among_many(odd, place):
    values = [0.25] * 30
    values[place] = odd
    back = plain.loads(plain.dumps(values))
    assert list(map(repr, back)) == list(map(repr, values))
    assert list(map(type, back)) == list(map(type, values))


def test_an_ordered_dict_keeps_its_order_and_a_dict_has_that_of_its_keys():
    assert list(plain.loads(plain.dumps({"b": 1, "a": 2}))) == ["a", "b"]
    ordered = collections.OrderedDict(b=1, a=2)
    assert list(plain.loads(plain.dumps(ordered))) == ["b", "a"]
    assert plain.dumps(ordered) != plain.dumps(collections.OrderedDict(a=2, b=1))


def test_numbers_of_different_types_differ():
    assert (
        len({plain.dumps(v) for v in (1, 1.0, True, "1", np.int64(1), np.int32(1), decimal.Decimal(1))}) == 7
    )


@pytest.mark.parametrize("depth", [plain.DEEPEST - 1, plain.DEEPEST + 1, 5000, 100_000])
def test_depth_is_limited_by_an_error_not_by_a_crash(depth):
    for wrap in (lambda v: [v], lambda v: {"a": v}, lambda v: (v,), lambda v: shapes.Point(1, v)):
        value = 1
        for _ in range(depth):
            value = wrap(value)
        if depth < plain.DEEPEST:
            data = plain.dumps(value)
            assert plain.dumps(plain.loads(data)) == data
        else:
            with pytest.raises(plain.NotPlain) as caught:
                plain.dumps(value)
            assert "deep" in caught.value.why


def test_what_contains_itself_is_refused(box):
    ring = [1]
    ring.append({"again": ring})
    with pytest.raises(CannotEncode, match="contains itself"):
        box.dump(ring, "json")
    twice = [1]
    assert box.trip([twice, twice]) == [[1], [1]]


def test_a_refusal_says_where(box):
    with pytest.raises(CannotEncode) as caught:
        box.dump({"a": [1, shapes.Point(1, {"deep": shapes.Plain()})]}, "json")
    assert "`['a'][1].y['deep']`" in caught.value.what
    assert "Plain" in caught.value.what
    assert any("pickle" in fix for fix in caught.value.fixes)


def local_class():
    from dataclasses import dataclass

    @dataclass
    class Inner:
        x: int = 1

    return Inner()


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (local_class(), "inside a function"),
        (collections.defaultdict(lambda: 0), "default"),
        (shapes.Fancy(3), ""),
        (shapes.DictData(), ""),
        (
            dt.datetime(2024, 1, 1, tzinfo=dateutil.tz.tzoffset("X", 60)),
            "zoneinfo",
        ),
        (np.longdouble(1), ""),
        (object(), ""),
        (print, ""),
    ],
    ids=lambda v: str(v)[:20],
)
def test_refused(value, why):
    with pytest.raises(plain.NotPlain) as caught:
        plain.dumps([value])
    assert why in caught.value.why


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"nul", b"NaN", b"Infinity", b"\xff", b"[" * 100_000, b'{"!":1}', b'{"!nothing":1}', b'{"!tuple":5}',
        b'{"!data":["os:environ",{}]}', b'{"!data":["os:system",{}]}', b'{"!data":["subprocess:Popen",{"args":"id"}]}',
        b'{"!data":["nowhere.at.all:X",{}]}', b'{"!data":["codec_shapes:Missing",{}]}', b'{"!data":["codec_shapes:Plain",{"value":1}]}',
        b'{"!data":["codec_shapes:Point",5]}', b'{"!enum":["codec_shapes:Color","BLUE"]}', b'{"!enum":["os:environ","PATH"]}',
        b'{"!named":["codec_shapes:Spot",[1,2,3]]}', b'{"!named":["builtins:tuple",[]]}', b'{"!flag":["builtins:eval","1"]}',
        b'{"!np":["O",1]}', b'{"!np":["<f8",[1]]}', b'{"!path":["Popen","id"]}', b'{"!bytes":"&"}', b'{"!int":"x"}',
        b'{"!defaultdict":["eval",[]]}', b'{"!date":"soon"}', b'{"!zone":"../../etc/passwd"}', b'{"!part":0}', b'{"!set":[[1]]}',
        b'{"!timedelta":[1e999]}', b'{"!floats":"AAAA"}', b'{"!floats":[1.5]}', b"5 6", b" 5", b'{"!datetime":["2024-01-01",0,"No/Where"]}', b'{"!data":["codec_shapes",{}]}', b'{"!data":[":",{}]}',
    ],
    ids=lambda d: d[:40].decode("latin-1"),
)  # fmt: skip
def test_malformed_bytes_are_told_as_such(data):
    with pytest.raises(CannotDecode):
        plain.loads(data)


def test_hidden_settings_do_not_change_the_bytes():
    value = [1 << 2500, 10**100]
    before = plain.dumps(value)
    limit = sys.get_int_max_str_digits()
    try:
        sys.set_int_max_str_digits(640)
        assert plain.dumps(value) == before
        assert plain.loads(before) == value
    finally:
        sys.set_int_max_str_digits(limit)


def test_the_bytes_are_json_for_everyone(box):
    value = {"auc": 0.91, "names": ["a", "b"], "when": dt.date(2024, 1, 1)}
    assert json.loads(box.dump(value).data)["auc"] == 0.91


def test_notes(box):
    assert box.dump(5).note == "5"
    assert box.dump(0.25).note == "0.25"
    assert box.dump(None).note == "None"
    assert box.dump({"auc": 0.9}).note == '{"auc":0.9}'
    assert box.dump(list(range(1000))).note == "list of 1,000"
