"""Stepwell as people run it: worker processes, every result durable, logs, a record. And the bare loop beside it."""

from __future__ import annotations

from machine import PYTHON, STEPWELL
from workloads.answers import planned, ran, reran
from workloads.shape import Contender, Phase, project

from tools.graph import ADDED, HELPER_CHANGED, STEP_CHANGED, Graph, edited, phases, printed
from tools.tool import Tool


def layered(graph: Graph, times: int) -> list[Contender]:
    """All phases; what each ran is asked of Stepwell afterwards."""
    size, given = graph.steps, f"width={graph.width}"
    run, plan = (STEPWELL, "run", given), (STEPWELL, "plan", given)
    before, stepped, both = graph.last(), graph.last(step=ADDED), graph.last(step=ADDED, helper=ADDED)
    after_step = reran(stepped, given, ran=graph.touched("step"), steps=size)
    after_helper = reran(both, given, ran=graph.touched("helper"), steps=size)
    return [
        Contender(
            "stepwell",
            (
                Phase("plan of nothing", plan, planned(given, decision="run", steps=size), fresh=True),
                Phase("cold", run, ran(before, given, status="succeeded", steps=size), fresh=True),
                Phase("unchanged", run, ran(before, given, status="cached", steps=size), times=times),
                Phase("plan", plan, planned(given, decision="cached", steps=size), times=times),
                Phase(STEP_CHANGED, run, after_step, before=edited("pipeline.py"), once=True),
                Phase(HELPER_CHANGED, run, after_helper, before=edited("mixing.py"), once=True),
            ),
            lambda folder: project("layered", folder),
        )
    ]


def large_values(graph: Graph) -> Contender:
    """The graph with values of 16 KB; one step more for each value of the last layer, which reads its number."""
    size, given = graph.steps + graph.width, f"width={graph.width}"
    run, result = (STEPWELL, "run", given), graph.last()
    return Contender(
        "stepwell",
        (
            Phase("cold", run, ran(result, given, status="succeeded", steps=size), fresh=True),
            Phase("unchanged", run, ran(result, given, status="cached", steps=size)),
        ),
        lambda folder: project("layered_16kb", folder),
    )


def loop(graph: Graph, _times: int) -> list[Contender]:
    """The same functions called one after the other; nothing is kept, so there is nothing but a cold run."""
    cold, _ = phases(graph, printed, (PYTHON, "loop.py", str(graph.width)), times=1)
    return [Contender("loop", (cold,), lambda folder: project("layered", folder), tool="")]


TOOL = Tool(
    "stepwell",
    {
        "import stepwell": (PYTHON, "-c", "import stepwell"),
        "stepwell --help": (STEPWELL, "--help"),
        "stepwell version": (STEPWELL, "version"),
    },
    layered,
)
