"""A layered graph of N trivial steps, done by every tool in its own cheapest native way. `tools/graph.py` has the graph.

What it measures is the tool, not the work. Each keeps what it keeps: ninja and make one small file a
step, written by the shell; doit the value in its database, or a file; a bare loop nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tools import TOOLS
from tools.graph import STEP_CHANGED, Graph
from tools.stepwell import large_values, loop
from tools.stepwell import layered as stepwell

from workloads.shape import Budget, Contender, Row, Workload

Rows = Mapping[tuple[str, str], Row]

MEGABYTE = 1_000_000
THOUSANDS = "stepwell, {:,}"


def layered(steps: int, *, quick: bool) -> Workload:
    """The graph of about `steps` steps, for every tool that is here and goes so far."""
    graph = Graph.of(steps)
    times = 2 if quick else 3
    contenders = loop(graph, times)
    left_out = []
    for tool in TOOLS:
        if not tool.here:
            left_out.append(f"{tool.name} is not installed")
        elif steps > tool.largest:
            left_out.append(f"{tool.name} is left out: {tool.why}")
        else:
            contenders += tool.layered(graph, times)
    return Workload(
        name=f"layered-{steps}",
        title=f"Layered graph of {graph.width:,} × {graph.depth:,} = {graph.steps:,} trivial steps",
        baseline="ninja",
        contenders=tuple(contenders),
        rounds=1 if quick else 3,
        # The smaller ones are mostly start-up: the targets are about the large graph.
        budgets=budgets(graph) if steps >= 10_000 else (),
        steps=graph.steps,
        timeout=300,
        left_out=tuple(left_out),
    )


def budgets(graph: Graph) -> tuple[Budget, ...]:
    """What the graph of 10,000 is held to."""
    steps, touched = graph.steps, graph.touched("step")

    def changed(rows: Rows) -> float:
        unchanged, cold = rows["stepwell", "unchanged"].cpu, rows["stepwell", "cold"].cpu
        return rows["stepwell", STEP_CHANGED].cpu / (unchanged + touched * cold / steps)

    return (
        Budget(
            "plan of the unchanged graph against `ninja -n`, CPU",
            2.5,
            lambda rows: rows["stepwell", "plan"].cpu / rows["ninja", "plan"].cpu,
        ),
        Budget(
            "unchanged run against `ninja`, CPU",
            2.5,
            lambda rows: rows["stepwell", "unchanged"].cpu / rows["ninja", "unchanged"].cpu,
        ),
        Budget(
            "cold run, whole process",
            12_000,
            lambda rows: steps / rows["stepwell", "cold"].wall,
            "steps/s",
            least=True,
        ),
        Budget(
            "cold run against doit (values), steps/s",
            2.5,
            lambda rows: rows["doit, values", "cold"].wall / rows["stepwell", "cold"].wall,
            least=True,
        ),
        Budget(
            "cold run above a bare loop, CPU a step",
            80,
            lambda rows: 1e6 * (rows["stepwell", "cold"].cpu - rows["loop", "cold"].cpu) / steps,
            "µs",
        ),
        Budget(
            f"one step changed, against an unchanged run and {touched:,} steps at the cold price, CPU",
            1,
            changed,
        ),
        Budget("memory of the driver, the highest of all phases", 120, driver("stepwell"), "MB"),
    )


def driver(contender: str) -> Callable[[Rows], float]:
    """The highest peak of the first process alone, in MB; `KeyError` where it was not measured at all."""

    def value(rows: Rows) -> float:
        peaks = [row.driver for (name, _), row in rows.items() if name == contender]
        if not any(peaks):
            raise KeyError(contender)
        return max(peaks) / MEGABYTE

    return value


def hundred_thousand(*, quick: bool) -> Workload:
    """Stepwell on 100,000 steps beside itself on 10,000: what a step costs must not grow."""
    sizes = [1_000, 10_000] if quick else [10_000, 100_000]
    small, large = (THOUSANDS.format(size) for size in sizes)
    graphs = [Graph.of(size) for size in sizes]
    contenders: list[Contender] = []
    for name, graph in zip((small, large), graphs, strict=True):
        contenders += [one._replace(name=name, steps=graph.steps) for one in stepwell(graph, 1)]

    def growth(phase: str) -> Budget:
        what = f"CPU a step against that of {graphs[0].steps:,} steps: {phase}"
        ratio = graphs[0].steps / graphs[1].steps
        return Budget(what, 1.2, lambda rows: ratio * rows[large, phase].cpu / rows[small, phase].cpu)

    return Workload(
        name="layered-100000",
        title=f"Layered graph of {graphs[1].width:,} × {graphs[1].depth:,} = {graphs[1].steps:,} trivial steps",
        baseline=small,
        contenders=tuple(contenders),
        rounds=1 if quick else 2,
        budgets=(
            *map(growth, ("cold", "unchanged", "plan of nothing", "plan")),
            Budget("memory of the driver, the highest of all phases", 400, driver(large), "MB"),
        ),
        steps=graphs[1].steps,
    )


def of_16kb(*, quick: bool) -> Workload:
    """The graph with values of 16 KB, for the memory of the driver: nothing is held that the store has."""
    graph = Graph.of(1_000 if quick else 10_000)
    return Workload(
        name="layered-16kb",
        title=f"Layered graph of {graph.width:,} × {graph.depth:,} = {graph.steps:,} steps, 16 KB each",
        baseline="stepwell",
        contenders=(large_values(graph),),
        rounds=1 if quick else 3,
        budgets=(Budget("memory of the driver, the highest of all phases", 120, driver("stepwell"), "MB"),),
        steps=graph.steps,
    )
