"""A layered graph of N trivial steps: √N layers of √N, each adding two of the layer before.

What it measures is the tool, not the work. Every tool does it in its own cheapest native way and
keeps what it keeps: ninja and make one small file a step, written by the shell; doit the value in
its database, or a file; a bare loop nothing. Sums are taken modulo a prime that keeps values small
and repeats no pair of inputs, which Stepwell would do only once.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from machine import CORES, PYTHON, STEPWELL, doit

from workloads.answers import planned, ran
from workloads.shape import Budget, Check, Contender, Phase, Verdict, Workload, project

PRIME = 1_000_000_007

# In both languages a dollar sign is written as two.
ADD = f"read a <$a && read b <$b && echo $$(((a + b) % {PRIME})) >$out"


def layered(steps: int, *, quick: bool) -> Workload:
    """The graph of `steps` steps, for every tool that is here."""
    width = round(math.sqrt(steps))
    times = 2 if quick else 3
    small = steps < 5_000
    contenders = [stepwell(width, times), loop(width)]
    if shutil.which("ninja"):
        contenders.append(ninja(width, times))
    if shutil.which("make"):
        contenders.append(make(width, times))
    if doit():
        contenders += [doit_values(width, times), doit_files(width, times)]
    return Workload(
        name=f"layered-{steps}",
        title=f"Layered graph of {width:,} × {width:,} = {width * width:,} trivial steps",
        baseline="ninja",
        contenders=tuple(contenders),
        rounds=1 if quick else 5 if small else 3,
        # 32 × 32 is mostly start-up: the targets are about the large graph.
        budgets=() if small else budgets(width * width),
        steps=width * width,
    )


def budgets(steps: int) -> tuple[Budget, ...]:
    """What the large graph is held to."""
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
    )


def last_row(width: int) -> list[int]:
    """The values that must come out."""
    row = list(range(width))
    for _ in range(width - 1):
        row = [(row[i] + row[(i + 1) % width]) % PRIME for i in range(width)]
    return row


def stepwell(width: int, times: int) -> Contender:
    """Stepwell, in its worker processes."""
    size, given, result = width * width, f"width={width}", last_row(width)
    run, plan = (STEPWELL, "run", given), (STEPWELL, "plan", given)
    return Contender(
        "stepwell",
        (
            Phase("plan of nothing", plan, planned(given, decision="run", steps=size), fresh=True),
            Phase("cold", run, ran(result, given, status="succeeded", steps=size), fresh=True),
            Phase("unchanged", run, ran(result, given, status="cached", steps=size), times=times),
            Phase("plan", plan, planned(given, decision="cached", steps=size), times=times),
        ),
        lambda folder: project("layered", folder),
    )


def loop(width: int) -> Contender:
    """The same functions in a bare Python loop."""
    return Contender(
        "loop",
        (Phase("cold", (PYTHON, "loop.py", str(width)), printed(last_row(width)), fresh=True),),
        lambda folder: project("layered", folder),
    )


def ninja(width: int, times: int) -> Contender:
    """One shell command a step, as fast as ninja can start them."""

    def prepare(folder: Path) -> None:
        lines = [f"rule start\n  command = echo $number >$out\nrule add\n  command = {ADD}"]
        for out, inputs, number in nodes(width):
            if inputs:
                lines.append(f"build {out}: add {' '.join(inputs)}\n  a = {inputs[0]}\n  b = {inputs[1]}")
            else:
                lines.append(f"build {out}: start\n  number = {number}")
        (folder / "build.ninja").write_text("\n".join(lines) + "\n")

    return files(
        "ninja", width, times, prepare, ("ninja", f"-j{CORES}"), ("ninja", "-n"), idle="no work to do"
    )


def make(width: int, times: int) -> Contender:
    """One shell command a step, without make's implicit rules."""

    def prepare(folder: Path) -> None:
        (folder / "v").mkdir()
        last = " ".join(f"v/{width - 1}_{i}" for i in range(width))
        lines = [f"all: {last}\n.PHONY: all\n.SUFFIXES:"]
        for out, inputs, number in nodes(width):
            recipe = f"echo {number} >{out}"
            if inputs:
                a, b = inputs
                recipe = ADD.replace("$a ", f"{a} ").replace("$b ", f"{b} ").replace(">$out", f">{out}")
            lines.append(f"{out}: {' '.join(inputs)}\n\t@{recipe}")
        (folder / "Makefile").write_text("\n".join(lines) + "\n")

    command = ("make", "-rR", f"-j{CORES}")
    return files("make", width, times, prepare, command, (*command, "-n"), idle="Nothing to be done")


def doit_values(width: int, times: int) -> Contender:
    """Python functions in doit's own process, values handed on through its database."""

    def right(folder: Path, _output: str) -> Verdict:
        return printed(last_row(width))(folder, (folder / "row.txt").read_text())

    return by_doit("doit, values", "dodo_values.py", width, times, right)


def doit_files(width: int, times: int) -> Contender:
    """Python functions in doit's own process, a file a step."""
    return by_doit("doit, files", "dodo_files.py", width, times, lambda folder, _: made(folder, width))


def by_doit(name: str, file: str, width: int, times: int, right: Check) -> Contender:
    """One way to say it in doit."""

    def prepare(folder: Path) -> None:
        project("layered", folder)
        (folder / "v").mkdir()

    python, given = str(doit()), f"width={width}"
    run = (python, "-m", "doit", "run", "-f", file, given)
    plan = (python, "-m", "doit", "list", "-f", file, "--all", "--status", "--quiet", given)
    phases = (
        Phase("cold", run, right, fresh=True),
        Phase("unchanged", run, right, times=times),
        Phase("plan", plan, right, times=times),
    )
    return Contender(name, phases, prepare)


def files(
    name: str,
    width: int,
    times: int,
    prepare: Callable[[Path], None],
    run: tuple[str, ...],
    plan: tuple[str, ...],
    *,
    idle: str,
) -> Contender:
    """A tool that leaves a file a step; `idle` is what it says where there is nothing to do."""

    def unchanged(folder: Path, output: str) -> Verdict:
        return made(folder, width) if idle in output else Verdict("did something")

    def all_planned(_folder: Path, output: str) -> Verdict:
        lines = output.count("\n")
        return Verdict("" if lines >= width * width else f"planned {lines:,} steps")

    return Contender(
        name,
        (
            Phase("plan of nothing", plan, all_planned, fresh=True),
            Phase("cold", run, lambda folder, _: made(folder, width), fresh=True),
            Phase("unchanged", run, unchanged, times=times),
            Phase("plan", plan, unchanged, times=times),
        ),
        prepare,
    )


def nodes(width: int) -> Iterator[tuple[str, tuple[str, ...], int]]:
    """Every step as a file: its name, those of its inputs, and the number of one that has none."""
    for i in range(width):
        yield f"v/0_{i}", (), i
    for layer in range(1, width):
        for i in range(width):
            yield f"v/{layer}_{i}", (f"v/{layer - 1}_{i}", f"v/{layer - 1}_{(i + 1) % width}"), 0


def made(folder: Path, width: int) -> Verdict:
    """Whether there is a file for every step, and those of the last layer are right."""
    count = sum(1 for _ in (folder / "v").iterdir())
    last = [int((folder / "v" / f"{width - 1}_{i}").read_text()) for i in range(width)]
    right = count == width * width and last == last_row(width)
    return Verdict("" if right else f"wrong result, {count:,} files")


def printed(row: list[int]) -> Check:
    """Check that these numbers were printed."""
    return lambda _folder, output: Verdict("" if output.split() == [*map(str, row)] else "wrong result")
