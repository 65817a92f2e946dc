"""Same meaning, same text: golden vectors that no interpreter and no version may change, and properties.

The digests were made by `b2sum -l 256` (sites: 128) from texts written by hand, not by the code that they test.
"""

from __future__ import annotations

import datetime as dt
import enum
import math
import pathlib
import uuid
from collections import OrderedDict, namedtuple
from dataclasses import InitVar, dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any, ClassVar, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example
from hypothesis import strategies as st
from laboratory import holds

from stepwell.kernel.identity import (
    LONGEST,
    Naming,
    NotPlain,
    call_text,
    canonical,
    digest,
    site_of,
    token,
    variable_token,
)

HERE = __name__


class Color(enum.Enum):
    RED = 1
    CRIMSON = 1  # noqa: PIE796  an alias
    BLUE = "b"


class Level(enum.IntEnum):
    LOW = 1


class Access(enum.Flag):
    READ = 1
    WRITE = 2


class Odd(enum.Enum):
    THING = object


class Point(NamedTuple):
    x: int
    y: Any = 0


@dataclass
class Config:
    depth: int
    names: list[str] = field(default_factory=list)
    count: ClassVar[int] = 3
    seed: InitVar[int] = 0


@dataclass(frozen=True, slots=True)
class Small:
    a: int


UTC = dt.UTC
CET = dt.timezone(dt.timedelta(hours=1), "CET")
BERLIN = ZoneInfo("Europe/Berlin")

GOLDEN = [
    (None, "None"),
    (True, "True"),
    (1, "1"),
    (-7, "-7"),
    (10**30, "1" + "0" * 30),
    (1.0, "1.0"),
    (-0.0, "-0.0"),
    (0.1, "0.1"),
    (1e22, "1e+22"),
    (math.nan, "float(nan)"),
    (-math.inf, "float(-inf)"),
    (1 + 2j, "complex(1.0,2.0)"),
    (complex(-0.0, math.inf), "complex(-0.0,float(inf))"),
    ("", '""'),
    ("a", '"a"'),
    ('"\\\n\0é\u2028😀', r'"\"\\\n\u0000\u00e9\u2028\ud83d\ude00"'),
    ("\udcff", r'"\udcff"'),
    (b"\x00\xff", "bytes(00ff)"),
    (bytearray(b"a"), "bytearray(61)"),
    ([], "[]"),
    ([1, [2]], "[1,[2]]"),
    ((), "()"),
    ((1,), "(1,)"),
    ((1, (2, 3)), "(1,(2,3,),)"),
    ({}, "{}"),
    ({"b": 1, "a": [None]}, '{"a":[None],"b":1}'),
    ({1: "x", "1": 2, (1,): 3}, '{"1":2,(1,):3,1:"x"}'),
    (set(), "set{}"),
    ({3, 1, "a"}, 'set{"a",1,3}'),
    (frozenset({2, 1}), "frozenset{1,2}"),
    (range(3), "range(0, 3)"),
    (slice(1, None), "slice(1,None,None)"),
    (slice("a", [1], 2.0), 'slice("a",[1],2.0)'),
    (..., "..."),
    (Color.RED, f"{HERE}.Color.RED(1)"),
    (Color.CRIMSON, f"{HERE}.Color.RED(1)"),
    (Color.BLUE, f'{HERE}.Color.BLUE("b")'),
    (Level.LOW, f"{HERE}.Level.LOW(1)"),
    (Access.READ | Access.WRITE, f"{HERE}.Access.READ|WRITE(3)"),
    (Odd.THING, f"{HERE}.Odd.THING"),
    (Point(1), f"{HERE}.Point(x=1,y=0)"),
    (Config(3, ["a"]), f'{HERE}.Config(depth=3,names=["a"])'),
    (Small(1), f"{HERE}.Small(a=1)"),
    (dt.date(2026, 1, 2), "date(2026-01-02)"),
    (dt.time(1, 2, 3, 4), "time(01:02:03.000004)"),
    (dt.time(1, tzinfo=BERLIN), 'time(01:00:00[ZoneInfo("Europe/Berlin")])'),
    (dt.datetime(2026, 1, 2, 3, 4), "datetime(2026-01-02T03:04:00)"),
    (dt.datetime(2026, 1, 2, tzinfo=UTC), 'datetime(2026-01-02T00:00:00+00:00[timezone(timedelta(0,0,0),"UTC")])'),
    (
        dt.datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=BERLIN),
        'datetime(2026-10-25T02:30:00+01:00[ZoneInfo("Europe/Berlin")]+fold)',
    ),
    (dt.timedelta(days=-1, microseconds=5), "timedelta(-1,0,5)"),
    (CET, 'timezone(timedelta(0,3600,0),"CET")'),
    (BERLIN, 'ZoneInfo("Europe/Berlin")'),
    (Decimal("1.10"), "Decimal(1.10)"),
    (Decimal("-NaN"), "Decimal(-NaN)"),
    (Fraction(1, 3), "Fraction(1/3)"),
    (uuid.UUID(int=5), "UUID(00000000-0000-0000-0000-000000000005)"),
    (pathlib.Path("a/b c"), 'Path("a/b c")'),
    (pathlib.PurePosixPath("a"), 'PurePosixPath("a")'),
    (pathlib.PureWindowsPath("a\\b"), 'PureWindowsPath("a/b")'),
]  # fmt: skip


@pytest.mark.parametrize(("value", "text"), GOLDEN, ids=[text[:40] for _, text in GOLDEN])
def test_golden_texts(value, text):
    assert canonical(value) == text
    assert text.isascii()
    assert text.isprintable()


def test_golden_texts_differ():
    texts = [text for value, text in GOLDEN if value is not Color.CRIMSON]
    assert len(set(texts)) == len(texts)


LONG = "x" * (LONGEST - 2)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, "1"),
        (LONG, f'"{LONG}"'),
        (LONG + "x", "#3c63cf7bb6b92554b4024280d98199461d626851bfbb1299bb8193624cf024e6"),
        (list(range(1000)), "#60f233d171ec975623a3c056056d2127d3d5dfa0a4e9ec675193bf1b8b6e1de2"),
    ],
)
def test_golden_tokens(value, expected):
    assert token(value) == expected


def test_golden_digests():
    assert digest("") == "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"
    assert digest("é\udcff") == digest("é\udcff".encode("utf-8", "surrogatepass"))
    assert digest(b"abc") == "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319"


def key_of(step, code, environment, inputs, variables=()):
    return Naming.of(step, code, environment, variables).key(call_text(inputs))


def test_golden_keys():
    inputs = [("depth", "6"), ("table", "arrow:b3:" + "0" * 64), ("*rest", "[1,2]")]
    key = key_of("pipeline:train", "c0de", "e4f", inputs, [("TZ", '"UTC"'), ("A B", "None")])
    assert key == "27ffbf4b427cd14230497c4f141ea2ddc1862d671ab958f2299cb9ae1dba4e16"
    assert site_of("pipeline:train", inputs) == "33c72ec3e0b400dd6021feac16c1cb1b"


PARTS = [
    ("step", "m:f", "m:g"),
    ("code", "c", "d"),
    ("environment", "e", "f"),
    ("inputs", [("a", "1")], [("a", "2")]),
    ("inputs", [("a", "1")], [("b", "1")]),
    ("inputs", [("a", "1")], []),
    ("inputs", [("a", "1"), ("b", "2")], [("a=1\nb", "2")]),
    ("inputs", [("a=1\nb", "2")], [('"a=1\\nb"', "2")]),
    ("variables", [("V", "1")], [("V", "None")]),
    ("variables", [("V", "1")], [("W", "1")]),
    ("variables", [("V", "1"), ("W", "2")], [("V=1\n$W", "2")]),
]


@pytest.mark.parametrize(("part", "one", "other"), PARTS)
def test_every_part_counts_in_a_key(part, one, other):
    base = {"step": "m:f", "code": "c", "environment": "e", "inputs": [], "variables": []}
    assert key_of(**{**base, part: one}) != key_of(**{**base, part: other})


def test_an_input_is_not_a_variable():
    assert key_of("s", "c", "e", [("V", "1")]) != key_of("s", "c", "e", [], [("V", "1")])
    assert key_of("s", "c", "e", [("$V", "1")]) != key_of("s", "c", "e", [], [("V", "1")])


def test_a_site_is_the_same_whatever_the_code_is():
    assert site_of("m:f", [("a", "1")]) == site_of("m:f", [("a", "1")])
    assert (
        len({site_of("m:f", [("a", "1")]), site_of("m:g", [("a", "1")]), site_of("m:f", [("a", "2")])}) == 3
    )


class Sub(int):
    pass


class NoName(dt.tzinfo):
    def utcoffset(self, _):
        return None


def circle():
    out = []
    out.append({"a": out})
    return out


def deep():
    out = []
    for _ in range(100_000):
        out = [out]
    return out


@pytest.mark.parametrize(
    "value",
    [object(), len, int, Sub(1), OrderedDict(a=1), memoryview(b"a"), NotImplemented, circle(), deep(),
     [lambda: 1], {"a": object()}, dt.datetime(2026, 1, 1, tzinfo=NoName()), Point(1, object()),
     type("LooksLikeAPair", (tuple,), {})((1, 2))],
)  # fmt: skip
def test_what_is_not_plain_is_refused(value):
    with pytest.raises(NotPlain, match=r"^it "):
        canonical(value)


def test_one_value_in_two_places_is_no_circle():
    shared = [1]
    assert canonical([shared, {"a": shared}]) == '[[1],{"a":[1]}]'


def test_records_count_by_their_class_and_their_fields():
    other = namedtuple("Point", ["x", "y"])
    assert canonical(other(1, 0)) == canonical(Point(1, 0)), "one module, one name"
    assert canonical(namedtuple("Pair", ["x", "y"])(1, 0)) != canonical(Point(1, 0))
    assert canonical(Point(1, 2)) != canonical((1, 2))


def test_big_integers_do_not_depend_on_the_limit_of_python():
    big = 10**5000
    assert canonical(big) == hex(big)
    assert canonical(-big) == hex(-big)
    assert canonical(2**2000 - 1) == str(2**2000 - 1)
    assert canonical(2**2000) == hex(2**2000)


# ---------------------------------------------------------------------------- properties

atoms = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.complex_numbers(),
    st.text(max_size=5),
    st.text(alphabet='",:[](){}\\n=#.', max_size=5),
    st.binary(max_size=4),
    st.sampled_from([*Color, *Level]),
    st.dates(),
    st.times(),
    st.datetimes(timezones=st.one_of(st.none(), st.sampled_from([UTC, CET, BERLIN]))),
    st.timedeltas(),
    st.decimals(),
    st.fractions(),
    st.uuids(),
)
hashable = st.recursive(
    atoms.filter(lambda value: not (isinstance(value, Decimal) and value.is_snan())),
    lambda inner: st.one_of(
        st.tuples(inner, inner), st.frozensets(inner, max_size=3), st.builds(Point, inner, inner)
    ),
    max_leaves=4,
)
plain = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner),
        st.tuples(inner, inner),
        st.builds(Point, inner, inner),
        st.builds(Config, inner, inner),
        st.dictionaries(hashable, inner, max_size=3),
        st.sets(hashable, max_size=3),
        st.frozensets(hashable, max_size=3),
    ),
    max_leaves=8,
)


def told_apart(value: Any) -> Any:
    """A model of what a step can tell apart, made another way than the text: nested tuples of types and atoms."""
    kind = type(value)
    if kind in (float, complex):
        return kind, repr(value)
    if isinstance(value, enum.Enum):
        return kind, value.name
    if kind in (list, tuple) or kind is Point:
        return kind, tuple(told_apart(item) for item in value)
    if kind is Config:
        return kind, told_apart(value.depth), told_apart(value.names)
    if kind in (set, frozenset):
        return kind, frozenset(told_apart(item) for item in value)
    if kind is dict:
        return kind, frozenset((told_apart(k), told_apart(v)) for k, v in value.items())
    if kind in (dt.datetime, dt.time):
        return kind, value.isoformat(), str(value.tzinfo), value.fold
    if kind is Decimal:
        return kind, value.as_tuple()
    return kind, value


@holds(plain, plain)
@example([1, "1"], ["1", 1])
@example({"a": 1}, {"a": True})
@example(["a,b"], ["a", "b"])
@example(("a",), ["a"])
@example({1: 2}, {(1, 2)})
@example(0.0, -0.0)
def test_the_text_tells_apart_what_a_step_can_tell_apart_and_nothing_else(one, other):
    assert (canonical(one) == canonical(other)) == (told_apart(one) == told_apart(other))


@holds(plain)
def test_the_text_is_the_same_for_a_copy_and_on_one_line(value):
    from copy import deepcopy

    text = canonical(value)
    assert canonical(deepcopy(value)) == text
    assert text.isascii()
    assert "\n" not in text
    assert len(token(value)) <= LONGEST


@holds(st.dictionaries(hashable, plain, max_size=5), st.randoms())
def test_the_order_of_a_dict_does_not_count(value, random):
    pairs = list(value.items())
    random.shuffle(pairs)
    assert canonical(dict(pairs)) == canonical(value)


pairs = st.lists(st.tuples(st.text(max_size=6), plain.map(token)), max_size=3).map(tuple)


@holds(pairs, pairs, pairs, pairs)
def test_keys_are_equal_only_for_equal_parts(inputs, variables, other_inputs, other_variables):
    one = key_of("m:f", "c", "e", inputs, variables)
    other = key_of("m:f", "c", "e", other_inputs, other_variables)
    assert (one == other) == ((inputs, variables) == (other_inputs, other_variables))
    assert (site_of("m:f", inputs) == site_of("m:f", other_inputs)) == (inputs == other_inputs)


class HasMembersOnly:
    __members__ = ()


class HasValueOnly:
    _value_ = 1


@pytest.mark.parametrize("value", [HasMembersOnly(), HasValueOnly()])
def test_what_looks_like_half_an_enum_is_none(value):
    with pytest.raises(NotPlain, match="it is a "):
        canonical(value)


@pytest.mark.parametrize(
    "name", ["API_KEY", "GITHUB_TOKEN", "db_password", "AWS_SECRET_ACCESS_KEY", "DATABASE_URL"]
)
def test_the_value_of_a_secret_variable_is_in_no_token(name):
    made = variable_token(name, "hunter2")
    assert "hunter2" not in made
    assert made == variable_token(name, "hunter2")
    assert made != variable_token(name, "hunter3")
    assert variable_token(name, None) == "None"


def test_other_variables_can_be_read_in_their_tokens():
    assert variable_token("TZ", "UTC") == '"UTC"'
