"""The small part of YAML: it says everything, PyYAML reads the same from it, and what it does not know it refuses by line."""

from __future__ import annotations

import math
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from stepwell.export.yaml import DEEPEST, NotRead, read, written

ODD = [
    "", "yes", "No", "on", "~", "null", "NaN", ".nan", "a: b", "a:", "- x", "? x", "1e3", "0x1f", "1_000", "12:30:45",
    "2001-01-01", "=", "<<", "x #y", "#x", "|", ">", "&a", "*a", "!!str x", "%x", "@x", "`x`", "{}", "[]", "[1]", "'x'",
    "a\nb\n", "a\n\n b\n", " a\nb\n", "a\nb\n\n", "\ta\nb\n", "a\n \n", "a\r\nb\n", "é", "\u2028", "\ud83d", "\x85", "\ufeffx", "😀",
]  # fmt: skip
TEXTS = st.text(st.characters(codec=None)) | st.sampled_from(ODD)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def same(one: Any, other: Any) -> bool:
    """Equal, of the same types, NaN and the sign of zero included."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        alike = one == other and math.copysign(1, one) == math.copysign(1, other)
        return alike or (math.isnan(one) and math.isnan(other))
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    return bool(one == other)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(TEXTS, VALUES, min_size=1, max_size=4))
def test_what_is_written_is_read_the_same_here_and_by_pyyaml(value: dict[str, Any]) -> None:
    text = written(value)
    assert same(read(text), value)
    assert same(yaml.safe_load(text), value)


def test_numbers_that_json_does_not_know() -> None:
    values = [math.nan, math.inf, -math.inf, -0.0, 1e400, 1e16, 5e-324, 1e-7, 2**200, -(10**30), 0]
    text = written({"values": values})
    assert "\n  - .nan\n  - .inf\n  - -.inf\n  - -0.0\n  - .inf\n  - 1.0e+16\n" in text
    assert same(read(text), {"values": values})
    assert same(yaml.safe_load(text), {"values": values})


def test_what_a_person_writes_is_read() -> None:
    text = "# a comment\na:   1  # one\n\nb:\n   - x y\n   -   c: 2\n       d: true\n   - - 3\n     - ~x~\n".replace(
        "~x~", '"~"'
    )
    assert read(text) == {"a": 1, "b": ["x y", {"c": 2, "d": True}, [3, "~"]]}
    assert read(text) == yaml.safe_load(text)
    assert read("a: 1\r\nb: |\r\n  x\r\n  y\r\n") == {"a": 1, "b": "x\ny\n"}


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("", 1, "begin with a key"),
        ("- a\n", 1, "begin with a key"),
        ("a: 1\na: 2\n", 2, "twice"),
        ("a: 1\nb: &x 2\n", 2, "something else"),
        ("a: 1\nb: *x\n", 2, "something else"),
        ("a: !!python/object/apply:os.system [true]\n", 1, "something else"),
        ("a: {b: 1}\n", 1, "something else"),
        ("a: [1, 2]\n", 1, "something else"),
        ("a: 'x'\n", 1, "something else"),
        ("a: yes\n", 1, "something else"),
        ("a: 0x10\n", 1, "something else"),
        ("a: 012\n", 1, "something else"),
        ("a:\nb: 1\n", 1, "nothing stands behind"),
        ("a: 1\n  b: 2\n", 2, "margin"),
        ("a:\n    b: 1\n  c: 2\n", 3, "margin"),
        ("a:\n\tb: 1\n", 2, "tabs"),
        ("--- \na: 1\n", 1, "not of this small part"),
        ("%YAML 1.2\na: 1\n", 1, "not of this small part"),
        ("<<: 1\n? a\n", 2, "not of this small part"),
        ('a: "x\n', 1, "quotes"),
        ('a: "\\q"\n', 1, "means nothing"),
        ('a: "\\u12"\n', 1, "means nothing"),
        ("a: >\n  x\n", 1, "something else"),
        ("a: |\nb: 1\n", 1, "no lines"),
        ("nonsense\n", 1, "no `key: value`"),
        (f"a: {'9' * 5000}\n", 1, "5000 digits"),
        ("a: " + "- " * 20 + "1\n", 1, "something else"),
    ],
)  # fmt: skip
def test_what_it_does_not_know_is_refused_with_its_line(text: str, line: int, told: str) -> None:
    with pytest.raises(NotRead, match=told) as caught:
        read(text)
    assert caught.value.line == line


def test_depth_and_size_are_bounded() -> None:
    deep = "".join(f"{' ' * i}a:\n" for i in range(DEEPEST + 2)) + " " * (DEEPEST + 2) + "a: 1\n"
    with pytest.raises(NotRead, match="nested more than"):
        read(deep)
    with pytest.raises(NotRead, match="nested more than"):
        read("a:\n  " + "- " * 100_000 + "1\n")
    with pytest.raises(NotRead, match="characters"):
        read("a: 1\n" * (4 << 20))
