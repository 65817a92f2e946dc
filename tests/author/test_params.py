"""Parameters: from words of the command line and from Python calls to typed values, or a refusal that helps."""

from __future__ import annotations

import collections.abc as abc
import uuid
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NewType, NotRequired, Optional, TypedDict, Union

import pytest

from stepwell import pipeline
from stepwell.author.layers import from_words
from stepwell.author.params import from_call, parse
from stepwell.errors import BadParameter, MissingParameter, UnknownParameter

UserId = NewType("UserId", int)


class Color(Enum):
    RED = "#f00"
    BLUE = "#00f"


class Level(Enum):
    LOW = 1
    HIGH = 2


class Point(NamedTuple):
    x: int
    y: float = 0.5


@dataclass
class Inner:
    rate: float
    when: date | None = None


@dataclass
class Options:
    depth: int = 3
    inner: Inner = field(default_factory=lambda: Inner(0.1))
    names: tuple[str, ...] = ()
    level: Level = Level.LOW


class Keys(TypedDict):
    a: int
    b: NotRequired[str]


class Foreign: ...


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("3", int, 3),
        ("-3", int, -3),
        ("1_000", int, 1000),
        ("0xff", int, 255),
        ("123456789012345678901234567890", int, 123456789012345678901234567890),
        ("0.5", float, 0.5),
        ("1e-3", float, 0.001),
        ("3", float, 3.0),
        ("inf", float, float("inf")),
        ("true", bool, True),
        ("No", bool, False),
        ("0", bool, False),
        ("text", str, "text"),
        ("", str, ""),
        ("3", str, "3"),
        ('"x"', str, '"x"'),
        ("a=b", str, "a=b"),
        ("1+2j", complex, 1 + 2j),
        ("ab", bytes, b"ab"),
        ("data/x.csv", Path, Path("data/x.csv")),
        ("a", Literal["a", "b"], "a"),
        ("2", Literal[1, 2], 2),
        ("RED", Color, Color.RED),
        ("#00f", Color, Color.BLUE),
        ("2", Level, Level.HIGH),
        ("LOW", Level, Level.LOW),
        ("2026-01-31", date, date(2026, 1, 31)),
        ("2026-01-31T12:00", datetime, datetime(2026, 1, 31, 12)),
        ("12:30", time, time(12, 30)),
        ("1.10", Decimal, Decimal("1.10")),
        ("12345678123456781234567812345678", uuid.UUID, uuid.UUID("12345678123456781234567812345678")),
        ("none", Optional[int], None),
        ("", Optional[int], None),
        ("3", Optional[int], 3),
        ("none", type(None), None),
        ("3", int | str, 3),
        ("x", int | str, "x"),
        ("3", float | int, 3),
        ("true", bool | int, True),
        ("1", bool | int, 1),
        ("[1]", list[int] | None, [1]),
        ("x", Union[Literal["x"], int], "x"),
        ("3", UserId, 3),
        ("3", Annotated[int, "doc"], 3),
        ("[1, 2]", list[int], [1, 2]),
        ("[1, 2]", list[float], [1.0, 2.0]),
        ("[]", list[int], []),
        ("['a', \"b\"]", list[str], ["a", "b"]),
        ("['5', 'none']", list[str], ["5", "none"]),
        ("['5', 6, 'none']", list[int | str | None], ["5", 6, "none"]),
        ("[[1], []]", list[list[int]], [[1], []]),
        ("['RED']", list[Color], [Color.RED]),
        ("['a/b']", list[Path], [Path("a/b")]),
        ("[2026-01-31]", list[date], [date(2026, 1, 31)]),
        ("['2026-01-31']", list[date], [date(2026, 1, 31)]),
        ("[1, 'a']", tuple[int, str], (1, "a")),
        ("[1, 2, 3]", tuple[int, ...], (1, 2, 3)),
        ("[1, 'a']", tuple, (1, "a")),
        ("[1, 1]", set[int], {1}),
        ("[1, 1]", frozenset[int], frozenset({1})),
        ("[1]", abc.Sequence[int], [1]),
        ("[1]", abc.Set[int], {1}),
        ("{a = 1}", dict[str, int], {"a": 1}),
        ("{1 = 'a'}", dict[int, str], {1: "a"}),
        ("{a = {b = [1]}}", dict[str, dict[str, list[int]]], {"a": {"b": [1]}}),
        ("{a = 1}", abc.Mapping[str, float], {"a": 1.0}),
        ("{a = 1}", dict, {"a": 1}),
        ("[1, 2]", Point, Point(1, 2.0)),
        ("{x = 1}", Point, Point(1, 0.5)),
        ("{rate = 1}", Inner, Inner(1.0)),
        ("{rate = 1, when = 2026-01-31}", Inner, Inner(1.0, date(2026, 1, 31))),
        (
            "{depth = 4, inner = {rate = 0.5}, names = ['a'], level = 'HIGH'}",
            Options,
            Options(4, Inner(0.5), ("a",), Level.HIGH),
        ),
        ("{rate = 1}", Optional[Inner], Inner(1.0)),
        ("[{rate = 1}]", list[Inner | None], [Inner(1.0)]),
        ("{a = 1}", Keys, {"a": 1}),
        ("{a = 1, b = 'x'}", Keys, {"a": 1, "b": "x"}),
        ("3", Any, 3),
        ("x y", Any, "x y"),
        ("[1]", None, [1]),
        ("true", object, True),
    ],
)
def test_words(text, kind, value):
    found = parse(text, kind)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        ("x", int, "not a whole number"),
        ("1.5", int, "not a whole number"),
        ("", int, "not a whole number"),
        ("x", float, "not a number"),
        ("maybe", bool, "true or false"),
        ("c", Literal["a", "b"], "it can be a, b"),
        ("GREEN", Color, "it can be #f00, #00f, RED, BLUE"),
        ("REd", Color, "did you mean `RED`?"),
        ("2026-13-01", date, "month"),
        ("x", Decimal, "not a Decimal"),
        ("x", uuid.UUID, "not a UUID"),
        ("x", Optional[int], "not a whole number"),
        ("x", int | float, "not a number"),
        ("1, 2", list[int], "as in TOML"),
        ("1\nother = 2", list[int], "as in TOML"),
        ("[1, 'a']", list[int], "not a whole number"),
        ("[true]", list[str], "is a bool, not a str"),
        ("[1, 2]", tuple[int], "it has 2 parts, not 1"),
        ("[]", tuple[int, int], "it has 0 parts, not 2"),
        ("3", list[int], "is an int, not a list[int]"),
        ("{a = 'x'}", dict[str, int], "not a whole number"),
        ("[1]", dict[str, int], "is a list"),
        ("{rat = 1}", Inner, "did you mean `rate`?"),
        ("{}", Inner, "rate"),
        ("[1]", Inner, "is a list"),
        ("{zzz = 1}", Point, "has no field `zzz`"),
        ("[1]", Point, "it has 1 parts, not 2"),
        ("{b = 'x'}", Keys, "a"),
        ("{c = 1, a = 1}", Keys, "has no field `c`"),
        ("x", Foreign, "cannot be written as text"),
        ("[{rate = 'x'}]", list[Inner | None], "not a number"),
    ],
)
def test_words_that_are_refused(text, kind, says):
    with pytest.raises(ValueError, match=r".") as caught:
        parse(text, kind)
    assert says in str(caught.value)


@pipeline
def main(
    depth: int,
    rate: float = 1,
    name: str = "x",
    *,
    day: date | None = None,
    level: Level = Level.LOW,
    mode: Literal["a", "b"] = "a",
    free=6,
    open_=None,
) -> None: ...


def test_words_become_all_parameters_in_their_order():
    assert from_words(main, ["depth=3"]) == {
        "depth": 3,
        "rate": 1.0,
        "name": "x",
        "day": None,
        "level": Level.LOW,
        "mode": "a",
        "free": 6,
        "open_": None,
    }
    given = from_words(main, ["free=7", "name=a=b", "depth=1", "open_=[1]", "day=2026-01-31", "rate=2"])
    assert list(given) == ["depth", "rate", "name", "day", "level", "mode", "free", "open_"]
    assert (given["free"], given["name"], given["open_"]) == (7, "a=b", [1])


def test_a_call_gives_the_same_as_words():
    call = from_call(main, (3,), {"rate": 2, "level": Level.HIGH})
    words = from_words(main, ["depth=3", "rate=2", "level=HIGH"])
    assert call == words
    assert type(call["rate"]) is type(words["rate"]) is float
    assert type(from_call(main, (3,), {})["rate"]) is float


@pytest.mark.parametrize(
    ("words", "kind", "says", "fix"),
    [
        (["depht=3"], UnknownParameter, "`main` has no parameter `depht`", "did you mean `depth`?"),
        (["zzz=3"], UnknownParameter, "`main` has no parameter `zzz`", "its parameters are: depth, rate"),
        (["rate=2"], MissingParameter, "`main` needs a value for `depth`", "depth=3"),
        (["depth=x"], BadParameter, "`depth=x` is not an int", "depth=3"),
        (["depth=3", "day=x"], BadParameter, "`day=x` is not a datetime.date | None", "day="),
        (["depth=3", "level=MID"], BadParameter, "`level=MID` is not a Level", "level=LOW"),
        (["depth=3", "mode=c"], BadParameter, "`mode=c` is not", "mode=a"),
        (["depth=3", "free=x"], BadParameter, "`free=x` is not an int", "free=3"),
        (["depth=3", "depth=4"], BadParameter, "`depth` is given twice", "depth=4"),
    ],
)
def test_words_that_are_wrong(words, kind, says, fix):
    with pytest.raises(kind) as caught:
        from_words(main, words)
    assert says in caught.value.what
    assert fix in "\n".join(caught.value.fixes)


@pytest.mark.parametrize(
    ("args", "kwargs", "kind", "says"),
    [
        ((), {}, MissingParameter, "needs a value for `depth`"),
        ((1,), {"depht": 3}, UnknownParameter, "has no parameter `depht`"),
        ((1, 2.0, "x", None), {}, UnknownParameter, "takes 3 parameters by place, and gets 4"),
        ((1,), {"depth": 2}, BadParameter, "`depth` is given twice"),
        (("3",), {}, BadParameter, "`depth='3'` is a str, not an int"),
        ((None,), {}, BadParameter, "`depth=None` is a NoneType, not an int"),
        ((1,), {"level": "HIGH"}, BadParameter, "is a str, not a Level"),
        ((1,), {"mode": "c"}, BadParameter, "`mode='c'`"),
    ],
)
def test_calls_that_are_wrong(args, kwargs, kind, says):
    with pytest.raises(kind) as caught:
        from_call(main, args, kwargs)
    assert says in caught.value.what
    assert caught.value.fixes


def test_a_pipeline_has_no_parameters_without_names():
    @pipeline
    def many(*numbers: int, **others: int) -> None: ...

    for given in (lambda: from_words(many, []), lambda: from_call(many, (), {})):
        with pytest.raises(BadParameter, match=r"\*numbers"):
            given()
