"""Where the processor's time of a command goes, module by module: a layered graph, its first process sampled.

    python bench/shares.py cold                    and so on: what the phases of the layered graph are called
    python bench/shares.py "one step changed" --steps 10000 --times 5

A counter of processor time interrupts the driver every 4 ms or so (`signal.ITIMER_PROF`); what then runs is booked on the innermost
module of Stepwell on the stack, so that a query is the store's and a call of `json` its caller's. What imports take is a
line of its own. A share is good to one or two percent after five runs. Workers are not sampled: their time, and their
template's, is what is left of the whole tree's.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path

from machine import PYTHON, STEPWELL
from measure import adopt_orphans, measured
from report import figures, markdown
from run import compile_all
from tools.graph import PHASES, Graph
from tools.stepwell import layered

SAMPLER = Path(__file__).parent / "tools" / "sampler.py"
LEAST = 0.005
"""Modules with less than this share are one line."""


def main() -> int:
    """Do the phases up to the one that was asked for, which is sampled; print its table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("phase", choices=PHASES)
    parser.add_argument("--steps", type=int, default=10_000, help="about so many (10000)")
    parser.add_argument("--times", type=int, default=5, help="runs that are added up (5)")
    options = parser.parse_args()
    adopt_orphans()
    compile_all()
    graph, booked = Graph.of(options.steps), Counter[str]()
    driver = tree = 0.0
    for _ in range(options.times):
        with tempfile.TemporaryDirectory(prefix="stepwell-shares-") as temporary:
            seen, cpu = sampled(graph, options.phase, Path(temporary).resolve())
        booked.update(seen["booked"])
        driver, tree = driver + seen["cpu"], tree + cpu
    print(table(booked, driver / options.times, tree / options.times, graph.steps))
    return 0


def sampled(graph: Graph, wanted: str, folder: Path) -> tuple[dict, float]:
    """What the sampler saw of a phase, after all phases before it; and the processor time of the whole tree."""
    contender = layered(graph, 1)[0]
    work, out = folder / "work", folder / "seen.json"
    work.mkdir()
    contender.prepare(work)
    for phase in contender.phases:
        phase.before(work)
        command = phase.command
        if phase.name == wanted:
            command = (PYTHON, str(SAMPLER), str(out), *command[command.index(STEPWELL) + 1 :])
        sample = measured(command, work, timeout=300)
        if sample.code or sample.problem:
            sys.exit(f"shares: {phase.name}: {sample.problem or sample.output[-2000:]}")
        if phase.name == wanted:
            return json.loads(out.read_text()), sample.cpu
    raise ValueError(f"no phase {wanted}")


def table(booked: Counter[str], driver: float, tree: float, steps: int) -> str:
    """The modules, the dearest first, with their share of the driver and their microseconds a step."""
    total = booked.total()
    rows = [(name, count / total) for name, count in booked.most_common() if count >= LEAST * total]
    rows.append(("all others", 1 - sum(share for _, share in rows)))
    lines = [[name, f"{share:.1%}", figures(share * driver / steps * 1e6)] for name, share in rows]
    head = [["module", "share", "µs a step"], ["---", "---:", "---:"]]
    said = f"driver {figures(driver)} s, its children {figures(tree - driver)} s of CPU; {total:,} samples"
    return f"{markdown([*head, *lines])}\n\n{said}"


if __name__ == "__main__":
    sys.exit(main())
