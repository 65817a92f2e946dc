"""What a plan is expected to cost: against sums and longest paths that are computed in another way."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stepwell.app.causes import causes, named
from stepwell.app.forecast import PACE, forecast
from stepwell.kernel.graph import FromSource, FromStep, Graph, Node, SourceDef, StepDef
from stepwell.kernel.plan import Decision, Known, Pin, Plan, Reason, Wanted
from stepwell.kernel.ports import Artifact, Result
from stepwell.testing.memory import MemoryStore


def result(seconds, memory=0, size=10):
    made = Artifact("result", "json", "b3:" + "0" * 64, size)
    return Result("k", "m:s", "", "", "", (), (made,), "r1", seconds, seconds, memory)


def planned(rows, cpus=1.0, sources=()):
    """A plan of rows (decision, seconds or None, needs, memory), each a call of one step."""
    step = StepDef(name="s", module="m", qualname="s", cpus=cpus)
    nodes, decisions = [], []
    for i, (verb, seconds, needs, memory) in enumerate(rows):
        inputs = [(f"x{need}", FromStep(need)) for need in needs] + [
            (f"f{j}", FromSource(j)) for j in range(len(sources))
        ]
        nodes.append(Node(f"s[{i + 1}]" if i else "s", 0, tuple(inputs)))
        past = None if seconds is None else result(seconds, memory)
        decisions.append(Decision(i, verb, (Reason("new", "no earlier result"),), None, past))
    graph = Graph(
        "p",
        nodes=tuple(nodes),
        steps=(step,),
        sources=tuple(SourceDef(f"f{j}", "u") for j in range(len(sources))),
    )
    known = Known([], [Pin("d", False, size) for size in sources], MemoryStore())
    return Plan(graph, known, Wanted(), tuple(decisions))


@st.composite
def tables(draw):
    count = draw(st.integers(1, 12))
    rows = []
    for i in range(count):
        verb = draw(st.sampled_from(["run", "maybe", "cached"]))
        needs = draw(st.sets(st.integers(0, i - 1), max_size=3)) if i else set()
        rows.append((verb, draw(st.integers(0, 9)), sorted(needs), draw(st.integers(0, 5))))
    return rows


def longest(rows, verbs):
    """Seconds of the longest path through what runs; a step that is there already lets nobody wait."""
    ends = []
    for verb, seconds, needs, _ in rows:
        ends.append(max([ends[need] for need in needs], default=0) + seconds if verb in verbs else 0)
    return max(ends)


@given(tables(), st.integers(1, 4))
def test_a_schedule_lies_between_its_bounds(rows, workers):
    busy = ("run", "maybe")
    total = sum(seconds for verb, seconds, _, _ in rows if verb in busy)
    found = forecast(planned(rows), workers)
    path = longest(rows, busy)
    slowest = len([row for row in rows if row[0] in busy]) / PACE

    def paced(seconds: float) -> float:
        return max(seconds, slowest) if seconds else 0

    assert paced(max(path, total / workers)) - 1e-9 <= found.seconds <= paced(total) + 1e-9
    assert found.seconds <= paced(path + total / workers) + 1e-9  # what list scheduling promises
    assert forecast(planned(rows), 1).seconds == paced(total)
    assert forecast(planned(rows), len(rows)).seconds == paced(path)
    assert (
        found.least
        == forecast(planned([r if r[0] == "run" else ("cached", *r[1:]) for r in rows]), workers).seconds
    )
    assert found.memory <= sum(memory for verb, _, _, memory in rows if verb in busy)
    if workers == 1:
        assert found.memory == max([memory for verb, _, _, memory in rows if verb in busy], default=0)


def test_many_tiny_steps_take_what_handling_them_takes():
    tiny = [("run", 1e-6, [], 0)] * 3 * PACE
    assert forecast(planned(tiny), 2).seconds == 3.0


def test_processors_are_shared():
    wide = [("run", 2.0, [], 5)] * 4
    assert forecast(planned(wide, cpus=2.0), 4).seconds == 4.0
    assert forecast(planned(wide, cpus=2.0), 4).memory == 10
    assert forecast(planned(wide, cpus=64.0), 4).seconds == 8.0  # more than there are: alone


def test_what_is_read_and_what_is_not_known():
    rows = [("cached", 1.0, [], 0), ("run", None, [0], 0), ("run", None, [0, 1], 0)]
    costs = forecast(planned(rows, sources=[100, 5]), 1)
    assert [cost.reads for cost in costs.steps] == [105, 115, None]
    assert costs.untimed == 2
    assert costs.seconds == 0


def test_ids_in_few_words():
    assert named(["train"]) == "train"
    assert named(["train", "train[2]"]) == "train, train[2]"
    assert named(["a/train", "a/train[2]", "a/train[3]", "score"]) == "a/train[1..3], score"
    assert named(["train[9]", "train[2]", "train[3]", "train[4]", "x"]) == "train[2..4], train[9], x"
    assert named([f"x{i}" for i in range(9)], most=3) == "x0, x1, x2 and 6 more"


def test_a_cause_is_told_once():
    code = Reason("code", "code of `h` changed", "h", "1", "2")
    waits = Reason("upstream", "waits for `s`", "s")
    plan = planned([("run", 1, [], 0), ("run", 1, [], 0), ("maybe", 1, [0], 0), ("cached", 1, [], 0)])
    told = [(code,), (code, waits), (waits,), (Reason("cached", "up to date"),)]
    plan = plan._replace(
        decisions=tuple(d._replace(reasons=reasons) for d, reasons in zip(plan.decisions, told, strict=True))
    )
    assert [(cause.reason, cause.nodes) for cause in causes(plan)] == [(code, (0, 1))]


def test_kinds_that_are_new_are_told_too_and_lost_results_together():
    lost = [Reason("missing", f"blob {i} is gone", before=str(i)) for i in range(3)]
    other = Reason("expired", "its result is older than 1 h")
    plan = planned([("run", 1, [], 0)] * 4)
    plan = plan._replace(
        decisions=tuple(d._replace(reasons=(r,)) for d, r in zip(plan.decisions, [*lost, other], strict=True))
    )
    found = causes(plan)
    assert [cause.nodes for cause in found] == [(0, 1, 2), (3,)]
    assert found[0].reason.text == "3 results are lost: blob 0 is gone, …"
    assert found[1].reason == other
