"""Dynamic calls become steps: when they are planned, as far as that is known, else in the course of the run.

And what belongs to it: nodes that are kept, left out, optional, or run whatever happens.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest
from laboratory import Call, Lab, Outcome, Ref, call

from stepwell.app.names import calls_named
from stepwell.errors import BadMap
from stepwell.kernel.events import RunFinished, StepGrew
from stepwell.kernel.graph import (
    DYNAMIC,
    NOTHING,
    Constant,
    FromStep,
    Graph,
    Node,
    OutputDef,
    Pack,
    Piece,
    StepDef,
    grow,
    ordered,
    part_of,
)
from stepwell.kernel.identity import token
from stepwell.kernel.plan import Grown, Plan, Wanted, decide
from stepwell.kernel.ports import FailedStep
from stepwell.kernel.run import drive

PLANE = (OutputDef("result"),)


def constant(value: Any) -> Constant:
    return Constant(value, token(value))


class Plants:
    """A `Growth`: by the id of a dynamic call a function of the number of the first new node and of its input."""

    def __init__(self, lab: Lab, kinds: dict[str, Callable[[int, Any], Piece]]) -> None:
        self.lab, self.kinds = lab, kinds
        self.asked: list[str] = []

    def grown(self, graph: Graph, node: int, outputs: Callable[[int], Any]) -> Grown:
        call = graph.nodes[node]
        self.asked.append(call.id)
        ((_, binding),) = call.inputs
        assert isinstance(binding, FromStep)
        (artifact,) = outputs(binding.node)
        value = pickle.loads(self.lab.store.data(artifact))
        piece = self.kinds[call.id](len(graph.nodes), value)
        steps = tuple(
            StepDef(step.name, "m", step.name, PLANE, optional=step.optional) for step in piece.steps
        )
        piece = piece._replace(
            steps=steps, nodes=tuple(n._replace(step=n.step + len(graph.steps)) for n in piece.nodes)
        )
        known = self.lab.known(graph._replace(steps=steps, sources=()))
        return Grown(piece, tuple(known.identities), ())

    def moved(self, places: Any) -> None:
        """Nothing of the numbers is kept."""


def many(first: int, items: list[int], *, least: float = 1.0) -> Piece:
    """A call of `square` for each item."""
    step = StepDef("square", "m", "square", PLANE, optional=least < 1)
    nodes = [Node(f"square[{i + 1}]", 0, (("x", constant(item)),)) for i, item in enumerate(items)]
    taken = tuple([FromStep(first + i) for i in range(len(items))])
    return Piece(tuple(nodes), Pack("list", taken, least=least), (step,))


def square(x: int) -> int:
    if x == 13:
        raise ValueError("13")
    return x * x


class Garden(Lab):
    """A laboratory with dynamic calls: those whose step is in `kinds`."""

    def __init__(self, kinds: dict[str, Callable[[int, Any], Piece]], **steps: Callable[..., Any]) -> None:
        super().__init__({"items": lambda n: list(range(n)), "square": square, "total": sum_of, **steps})
        self.plants = Plants(self, kinds)
        for name in kinds:
            self.options[name] = {"kind": DYNAMIC}

    def plan(self, graph: Graph, **options: Any) -> Plan:
        wanted = Wanted(**{key: [calls_named(graph, n)[0] for n in names] for key, names in options.items()})
        return decide(graph, self.known(graph)._replace(growth=self.plants), wanted)

    def grown_run(self, target: Graph | Plan, **options: Any) -> tuple[Outcome, Plan]:
        """A run, told by the ids of the last plan."""
        plan = target if isinstance(target, Plan) else self.plan(target)
        engine = self.engine()
        keep_going = options.pop("keep_going", False)
        events = []
        for event in drive(
            plan, engine=engine, store=self.store, clock=self.clock, run="r", keep_going=keep_going
        ):
            plan = event.plan if isinstance(event, StepGrew) else plan
            events.append(event)
        return Outcome(plan, events, engine, self.store), plan


def sum_of(xs: list[int], **_: Any) -> int:
    return sum(xs)


def mapped(n: int = 3) -> tuple[Call, ...]:
    return (call("items", n=n), call("each", items=Ref("items")), call("total", xs=Ref("each")))


def verbs(plan: Plan) -> dict[str, str]:
    return {plan.graph.nodes[d.node].id: d.verb for d in plan.decisions}


def test_a_call_of_unknown_length_is_dynamic_and_grows_in_the_run() -> None:
    lab = Garden({"each": many})
    plan = lab.plan(lab.graph(*mapped()))
    assert verbs(plan) == {"items": "run", "each": "dynamic", "total": "run"}
    assert plan.decisions[1].reasons[0].text == "known when `items` is"
    outcome, grown = lab.grown_run(plan)
    assert outcome.status == "succeeded"
    assert outcome.values["total"] == 0 + 1 + 4
    assert sorted(outcome.ran) == ["items", "square[1]", "square[2]", "square[3]", "total"]
    assert len(grown.graph.nodes) == 6


def test_what_is_up_to_date_grows_when_it_is_planned() -> None:
    lab = Garden({"each": many})
    lab.grown_run(lab.graph(*mapped()))
    plan = lab.plan(lab.graph(*mapped()))
    assert list(verbs(plan)) == ["items", "square[1]", "square[2]", "square[3]", "total"]
    assert set(verbs(plan).values()) == {"cached"}
    outcome, _ = lab.grown_run(plan)
    assert outcome.ran == []
    assert outcome.values["total"] == 5


def test_one_more_item_is_one_more_step() -> None:
    lab = Garden({"each": many})
    lab.grown_run(lab.graph(*mapped(3)))
    outcome, _ = lab.grown_run(lab.graph(*mapped(4)))
    assert outcome.ran == ["items", "square[4]", "total"]
    assert outcome.values["total"] == 14


def test_keys_are_those_of_the_calls_written_down() -> None:
    lab = Garden({"each": many})
    lab.grown_run(lab.graph(*mapped(2)))
    written = lab.graph(
        call("a", "square", x=0), call("b", "square", x=1), call("total", xs=[Ref("a"), Ref("b")])
    )
    assert set(verbs(lab.plan(written)).values()) == {"cached"}


def test_a_map_over_nothing_is_an_empty_list() -> None:
    lab = Garden({"each": many})
    outcome, plan = lab.grown_run(lab.graph(*mapped(0)))
    assert outcome.status == "succeeded"
    assert outcome.values["total"] == 0
    assert len(plan.graph.nodes) == 3


def test_rounds_that_know_only_in_the_run_whether_there_is_another() -> None:
    def again(first: int, x: int) -> Piece:
        if x >= 5:
            return Piece((), constant(x))
        nodes = (
            Node(f"more{x}", 0, (("x", constant(x)),)),
            Node(f"again{x}", 1, (("x", FromStep(first)),)),
        )
        steps = (StepDef("more", "m", "more", PLANE), StepDef("again", "m", "again", PLANE, kind=DYNAMIC))
        return Piece(nodes, FromStep(first + 1), steps)

    lab = Garden({}, more=lambda x: x + 2, one=lambda: 1)
    lab.plants.kinds = dict.fromkeys(["again", "again1", "again3"], again)
    lab.options["again"] = {"kind": DYNAMIC}
    kept = Plants.grown

    def with_kinds(self: Plants, graph: Graph, node: int, outputs: Any) -> Grown:
        found = kept(self, graph, node, outputs)
        steps = tuple(s._replace(kind=DYNAMIC) if s.name == "again" else s for s in found.piece.steps)
        return found._replace(piece=found.piece._replace(steps=steps))

    lab.plants.grown = with_kinds.__get__(lab.plants)  # type: ignore[method-assign]
    graph = lab.graph(call("one"), call("again", x=Ref("one")), call("total", xs=[Ref("again")]))
    outcome, _ = lab.grown_run(graph)
    assert outcome.values["total"] == 5
    assert outcome.ran == ["one", "more1", "more3", "total"]
    plan = lab.plan(graph)
    assert set(verbs(plan).values()) == {"cached"}


def test_a_mistake_in_a_dynamic_body_fails_that_call_alone() -> None:
    def wrong(first: int, items: list[int]) -> Piece:
        raise BadMap("no list")

    lab = Garden({"each": wrong}, aside=lambda: 1)
    graph = lab.graph(*mapped(), call("aside"), result="total")
    outcome, _ = lab.grown_run(graph, keep_going=True)
    assert outcome.status == "failed"
    assert outcome.became == {
        "items": "succeeded",
        "each": "failed",
        "total": "blocked",
        "aside": "succeeded",
    }


def test_what_is_forced_or_left_out_are_the_steps_that_it_becomes() -> None:
    lab = Garden({"each": many})
    graph = lab.graph(*mapped(2))
    lab.grown_run(graph)
    assert verbs(lab.plan(graph, forced=["each"])) == {
        "items": "cached",
        "square[1]": "run",
        "square[2]": "run",
        "total": "maybe",
    }
    assert verbs(lab.plan(graph, skipped=["each"])) == {"items": "cached", "each": "skip", "total": "skip"}


def test_too_many_failures_are_told_with_their_share() -> None:
    def lenient(first: int, items: list[int]) -> Piece:
        return many(first, [*items, 13], least=0.8)

    lab = Garden({"each": lenient})
    outcome, _ = lab.grown_run(lab.graph(*mapped(4)))
    assert outcome.status == "succeeded"
    assert outcome.values["total"] == 14
    outcome, _ = lab.grown_run(lab.graph(*mapped(3)))
    assert outcome.status == "failed"
    assert outcome.became["total"] == "blocked"
    assert "1 of 4 calls for `xs` failed" in outcome.decisions["total"].reasons[0].text


def optional(graph: Graph, id: str) -> Graph:
    """The graph with every use of a call standing for None should it fail."""
    place = calls_named(graph, id)[0]

    def lenient(binding: Any) -> Any:
        return Pack("optional", (binding,)) if binding == FromStep(place) else binding

    nodes = [n._replace(inputs=tuple((k, lenient(b)) for k, b in n.inputs)) for n in graph.nodes]
    return graph._replace(nodes=tuple(nodes))


def test_the_failure_of_an_optional_step_is_not_the_run_s() -> None:
    def fails() -> int:
        raise RuntimeError

    lab = Garden({}, extra=fails, show=lambda x: f"got {x}", needs=lambda x: x)
    lab.options["extra"] = {"optional": True}
    graph = lab.graph(call("extra"), call("show", x=Ref("extra")))
    outcome, _ = lab.grown_run(optional(graph, "extra"))
    assert outcome.status == "succeeded"
    assert outcome.values["show"] == "got None"
    outcome, _ = lab.grown_run(lab.graph(call("extra"), call("needs", x=Ref("extra"))))
    assert (outcome.status, outcome.became["needs"]) == ("succeeded", "blocked")


@pytest.mark.parametrize("keep_going", [False, True])
def test_a_step_that_always_runs_is_told_what_failed(keep_going: bool) -> None:
    def fails() -> int:
        raise RuntimeError("broken")

    told: list[Any] = []
    lab = Garden({}, bad=fails, later=lambda x: x, other=lambda: 1, clean=lambda failed: told.extend(failed))
    lab.options["clean"] = {"always": True, "cache": False}
    graph = lab.graph(
        call("bad"),
        call("later", x=Ref("bad")),
        call("other"),
        call("clean", after=["bad", "later", "other"]),
    )
    failures = (("failed", Pack("failures", ())),)
    graph = graph._replace(nodes=(*graph.nodes[:3], graph.nodes[3]._replace(inputs=failures)))
    outcome, _ = lab.grown_run(graph, keep_going=keep_going)
    assert outcome.status == "failed"
    assert outcome.became["clean"] == "succeeded"
    assert [(one.id, type(one)) for one in told] == [("bad", FailedStep)]
    assert outcome.became["later"] == "blocked"


def test_a_step_that_always_runs_also_runs_when_nothing_fails() -> None:
    lab = Garden({}, good=lambda: 1, clean=lambda: 2)
    lab.options["clean"] = {"always": True, "cache": False}
    graph = lab.graph(call("good"), call("clean", after=["good"]))
    for _ in range(2):
        outcome, _ = lab.grown_run(graph)
        assert outcome.ran[-1] == "clean"
    assert isinstance(outcome.events[-1], RunFinished)


def test_kept_steps_give_what_they_gave_whatever_changed() -> None:
    lab = Garden({}, a=lambda: 1, b=lambda x: x + 1)
    graph = lab.graph(call("a"), call("b", x=Ref("a")))
    assert verbs(lab.plan(graph, kept=["a"])) == {"a": "blocked", "b": "blocked"}
    lab.grown_run(graph)
    lab.edit("a", "2")
    lab.edit("b", "2")
    plan = lab.plan(graph, kept=["a"])
    assert verbs(plan) == {"a": "cached", "b": "run"}
    assert plan.decisions[0].reasons[0].kind == "kept"
    outcome, _ = lab.grown_run(plan)
    assert outcome.ran == ["b"]
    assert outcome.values == {"a": 1, "b": 2}


def test_parts_of_what_a_dynamic_call_gives() -> None:
    whole = Pack("tuple", (FromStep(3), Pack("dict", (constant([7, 8]),), ('"k"',), ("k",))))
    assert part_of(whole, (0, 2)) == FromStep(3, path=(2,))
    assert part_of(whole, (1, "k", 1)) == constant(8)
    with pytest.raises(LookupError):
        part_of(Constant(b"", "x", "npy"), (0,))


def test_what_a_call_became_stands_in_its_place() -> None:
    nodes = tuple(Node(id, 0) for id in "abc")
    graph = Graph("p", (), (), (StepDef("s", "m", "s"),), nodes, NOTHING)
    grown = grow(graph, 1, Piece((Node("x", 0), Node("y", 0, after=(3,))), NOTHING))
    settled, places = ordered(grown, {1: range(3, 5)})
    assert [node.id for node in settled.nodes] == ["a", "x", "y", "c"]
    assert places == {0: 0, 3: 1, 4: 2, 2: 3}
    assert settled.nodes[2].after == (1,)


def test_what_came_after_a_call_that_became_nothing_comes_after_what_was_before_that() -> None:
    nodes = (Node("a", 0), Node("b", 0, after=(0,)), Node("c", 0, after=(1,)))
    graph = Graph("p", (), (), (StepDef("s", "m", "s"),), nodes, NOTHING)
    grown = grow(graph, 1, Piece((), NOTHING))
    assert grown.nodes[2].after == (0,)
