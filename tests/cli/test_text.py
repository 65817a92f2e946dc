"""How numbers are written: amounts for reading, parameters for typing again."""

from __future__ import annotations

import pytest

from stepwell.cli.text import given, named, pairs, typed


def test_parameters_are_written_as_they_are_typed():
    values = {
        "year": 2026,
        "seed": -1234567,
        "share": 0.1 + 0.2,
        "rows": 1500000.0,
        "fast": True,
        "name": "a b",
    }
    assert given(values) == "year=2026  seed=-1234567  share=0.3  rows=1500000  fast=True  name=a b"
    assert given({}) == ""


def test_amounts_have_thousands():
    assert pairs({"rows": 1500000, "auc": 0.123456789}) == "rows=1,500,000  auc=0.123457"


@pytest.mark.parametrize("value", [None, [1000, 2], "x\x1b[2J", 1e-7])
def test_any_value_stays_on_one_line_and_commands_no_terminal(value):
    assert "\n" not in typed(value)
    assert "\x1b" not in typed(value)


def test_a_name_is_one_line_whatever_is_in_it():
    assert named("a\nb\tc\x1b[31m") == "a\\nb\\tc\\x1b[31m"
    assert named("x" * 100, 10) == "x" * 9 + "…"
    assert pairs({"a\nforged": 1}) == "a\\nforged=1"
