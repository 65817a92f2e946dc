"""A graph: in an execution order whatever order it was written in, and refused where it cannot work."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from laboratory import holds

from stepwell.errors import PipelineCycle
from stepwell.kernel.graph import (
    Constant,
    FromSource,
    FromStep,
    Graph,
    Node,
    Pack,
    StepDef,
    dependencies,
    leaves,
    ordered,
)

STEP = StepDef("f", "m", "f")
ONE = Constant(1, "1")
FIRST = FromStep(0)


def graph(*nodes, result=FIRST):
    return ordered(Graph("p", steps=(STEP,), nodes=tuple(nodes), result=result))[0]


def node(id, *inputs, after=(), out=""):
    named = tuple((f"x{i}", binding) for i, binding in enumerate(inputs))
    return Node(id, 0, named, tuple(after), out, where=f"pipeline.py:{id}")


def test_nodes_that_are_in_order_stay_as_they_are():
    nodes = (node("a"), node("b", FromStep(0)), node("c", FromStep(0), after=[1]))
    assert graph(*nodes).nodes == nodes


def test_nodes_move_behind_what_they_wait_for_and_their_references_with_them():
    deep = Pack("list", (ONE, Pack("tuple", (FromStep(2, "left", (0, "k")),))))
    made = graph(node("a", deep), node("b", after=[0]), node("c"), result=Pack("tuple", (FromStep(1),)))
    assert [one.id for one in made.nodes] == ["c", "a", "b"]
    moved = Pack("list", (ONE, Pack("tuple", (FromStep(0, "left", (0, "k")),))))
    assert made.nodes[1].inputs == (("x0", moved),)
    assert made.nodes[2].after == (1,)
    assert made.result == Pack("tuple", (FromStep(2),))


@holds(st.data())
def test_any_graph_without_a_circle_gets_an_order(data):
    count = data.draw(st.integers(1, 12))
    places = data.draw(st.permutations(range(count)))
    edges = [data.draw(st.lists(st.integers(0, i - 1), max_size=3)) if i else [] for i in range(count)]
    nodes = [None] * count
    for i, earlier in enumerate(edges):
        inputs = [FromStep(places[one]) for one in earlier[:2]]
        nodes[places[i]] = node(str(i), *inputs, after=[places[one] for one in earlier[2:]])
    made = graph(*nodes)
    assert all(before < i for i, one in enumerate(made.nodes) for before in dependencies(one))
    names = [one.id for one in made.nodes]
    for i, earlier in enumerate(edges):
        found = made.nodes[names.index(str(i))]
        assert {names[before] for before in dependencies(found)} == {str(one) for one in earlier}


@pytest.mark.parametrize(
    ("nodes", "circle"),
    [
        ([node("a", FromStep(0))], "a -> a"),
        ([node("a", FromStep(1)), node("b", FromStep(0))], "a -> b -> a"),
        (
            [node("a"), node("b", FromStep(0), after=[2]), node("c", Pack("list", (FromStep(1),)))],
            "b -> c -> b",
        ),
    ],
)
def test_a_circle_is_named(nodes, circle):
    with pytest.raises(PipelineCycle, match=circle) as raised:
        graph(*nodes)
    assert raised.value.where.startswith("pipeline.py:")


def test_a_node_waits_for_each_other_node_once():
    both = Pack("dict", (FromStep(0), FromStep(1), FromSource(0)), ("'a'", "'b'", "'c'"))
    assert dependencies(node("c", both, FromStep(1), ONE, after=[0, 2])) == [0, 1, 2]
    assert dependencies(node("a", ONE)) == []
    consumers = graph(node("a"), node("b", FromStep(0), FromStep(0))).consumers()
    assert [[*consumers(0)], [*consumers(1)]] == [[1], []]


def test_leaves_are_listed_left_to_right():
    nested = Pack("tuple", (FromStep(0), Pack("list", (ONE, FromSource(2)))))
    assert list(leaves(nested)) == [FromStep(0), ONE, FromSource(2)]


def test_a_step_is_known_by_its_full_name():
    steps = (STEP, StepDef("g", "m", "g"))
    made = Graph("p", steps=steps, nodes=(Node("one", 0), Node("two", 1)))
    assert made.step_of(1).full_name == "m:g"
