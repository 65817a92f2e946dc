"""What only one call of a pipeline can have is told with both calls."""

from __future__ import annotations

import pytest

from stepwell.author.claims import doubles
from stepwell.errors import SameName, SameOutputFile
from stepwell.kernel.graph import Node


def node(id: str, out: str = "") -> Node:
    return Node(id, 0, out=out, where=f"pipeline.py:{id}")


@pytest.mark.parametrize("name", ["a", "deep/a", "deep[2]/wide/a", "a[3]", "deep[2]/a[3]"])
def test_two_calls_with_one_id(name):
    (error,) = doubles([node(name), node(name)])
    assert type(error) is SameName
    assert f"pipeline.py:{name} and pipeline.py:{name}" in error.what
    assert error.fixes == ('give one of them another label: .named("a-2")',)


@pytest.mark.parametrize(
    ("one", "other"), [("out.csv", "out.csv"), ("Out.csv", "out.csv"), ("out", "out/a.csv")]
)
def test_two_calls_that_claim_one_file(one, other):
    (error,) = doubles([node("a", one), node("b", other), node("c", "else.csv")])
    assert type(error) is SameOutputFile
    assert "`a`" in error.what
    assert "`b`" in error.what


def test_calls_of_their_own_are_fine():
    assert not list(doubles([node("a", "a.csv"), node("b", "b.csv"), node("c")]))
