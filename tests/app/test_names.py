"""What a name that a person typed means in a graph."""

from __future__ import annotations

from stepwell.app.names import calls_named
from stepwell.kernel.graph import Graph, Node, StepDef

STEPS = (StepDef("f", "m", "f"), StepDef("g", "m", "g"))


def test_a_name_means_one_id_or_all_calls_of_a_step():
    made = Graph("p", steps=STEPS, nodes=(Node("f", 0), Node("inner/f", 0), Node("g", 1), Node("f[2]", 0)))
    assert calls_named(made, "f") == (0,)
    assert calls_named(made, "inner/f") == (1,)
    assert calls_named(made, "h") == ()
    other = Graph("p", steps=STEPS, nodes=(Node("one", 0), Node("two", 0), Node("g", 1)))
    assert calls_named(other, "f") == (0, 1)
