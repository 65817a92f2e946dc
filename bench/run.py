"""Time Stepwell and its peers side by side, and write bench/RESULTS.md and bench/results.json.

    make bench
    python bench/run.py --only layered-1000
    python bench/run.py --quick              smaller, fewer runs; prints, and writes nothing
    python bench/run.py --tools doit,ninja   only these beside Stepwell's baseline; writes nothing either

Run by the Python whose environment has Stepwell; needs nothing but the standard library itself.
bench/README.md says what is measured and how to read it.
"""

from __future__ import annotations

import argparse
import compileall
import functools
import importlib.util
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from machine import ROOT, STEPWELL, describe, versions
from measure import adopt_orphans, measured
from report import Measured, document, read, table, write
from workloads import sources
from workloads.flights import flights
from workloads.handover import handover, objects
from workloads.handover import table as table_handover
from workloads.history import history
from workloads.layered import hundred_thousand, layered, of_16kb
from workloads.shape import Contender, Phase, Verdict, Workload
from workloads.shared import longer, shared
from workloads.startup import startup

WORKLOADS: dict[str, Callable[..., Workload]] = {
    "startup": startup,
    "layered-100": functools.partial(layered, 100),
    "layered-1000": functools.partial(layered, 1_000),
    "layered-10000": functools.partial(layered, 10_000),
    "layered-100000": hundred_thousand,
    "layered-16kb": of_16kb,
    "flights": flights,
    "handover": handover,
    "handover-table": table_handover,
    "handover-objects": objects,
    "sources-large": sources.large,
    "sources-small": sources.small,
    "history": history,
    "shared": shared,
    "shared-longer": longer,
}

LARGE = frozenset({"layered-1000", "layered-10000"})
"""What a quick run does only where it is named."""


def main() -> int:
    """Measure what was asked for; 1 where a result was wrong."""
    options = arguments()
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background job ignores the first
        signal.signal(number, signal.default_int_handler)
    if not Path(STEPWELL).exists():
        sys.exit("bench: this Python's environment has no Stepwell; fix: make setup, then make bench")
    names = [name for name in WORKLOADS if not options.only or name in options.only]
    if options.quick and not options.only:
        names = [name for name in names if name not in LARGE]
    adopt_orphans()
    compile_all()
    saved = not (options.quick or options.tools)  # a part of a table is no table: ratios are of one run
    known = read() if saved else {}
    titles = [make(quick=False).title for make in WORKLOADS.values()]
    right = True
    with tempfile.TemporaryDirectory(prefix="stepwell-bench-", dir=options.folder) as temporary:
        folder = Path(temporary).resolve()
        place = {"machine": describe(folder), "versions": versions()}
        for name in names:
            workload = only(options.tools, WORKLOADS[name](quick=options.quick))
            rows = measure(workload, folder)
            right = right and not any(row.problem for row in rows)
            known[name] = document(workload, rows, place, datetime.now(UTC))
            print(table(known[name]), flush=True)
            if saved:
                write({name: known[name] for name in WORKLOADS if name in known}, titles)
    return 0 if right else 1


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="smaller and fewer; prints, writes nothing")
    parser.add_argument("--only", action="append", choices=WORKLOADS, help="only this one; may be repeated")
    parser.add_argument(
        "--tools",
        type=lambda names: frozenset(names.split(",")),
        metavar="NAME,...",
        help="only these, and what ratios are against; prints, writes nothing",
    )
    parser.add_argument(
        "--folder", type=Path, help="where to work (5 GB; a real disk); the temporary folder, if not said"
    )
    return parser.parse_args()


def only(tools: frozenset[str] | None, workload: Workload) -> Workload:
    """The workload with none but these tools, the floors and the baseline; all where None."""
    if tools is None:
        return workload
    kept = [one for one in workload.contenders if one.tool in {*tools, ""} or one.name == workload.baseline]
    return workload._replace(contenders=tuple(kept), left_out=())


def compile_all() -> None:
    """Compile Stepwell's modules beforehand: byte code is not what is measured."""
    spec = importlib.util.find_spec("stepwell")
    for place in spec.submodule_search_locations if spec else ():
        compileall.compile_dir(place, quiet=2)


def measure(workload: Workload, folder: Path) -> list[Measured]:
    """Every contender once a round, in turn; a slow one only in its own number of rounds."""
    rows = {
        (contender.name, phase.name): Measured(
            contender.name, phase.name, steps=contender.steps or workload.steps
        )
        for contender in workload.contenders
        for phase in contender.phases
    }
    for turn in range(workload.rounds):
        for contender in workload.contenders:
            if contender.rounds and turn >= contender.rounds:
                continue
            began = time.monotonic()
            try:
                compete(workload, contender, rows, folder / "work", warm=turn == 0 and not contender.rounds)
            finally:
                shutil.rmtree(folder / "work", ignore_errors=True)
            took = time.monotonic() - began
            print(
                f"{workload.name}  {turn + 1}/{workload.rounds}  {contender.name}  {took:.1f} s",
                file=sys.stderr,
            )
    return list(rows.values())


def compete(
    workload: Workload, contender: Contender, rows: dict[tuple[str, str], Measured], work: Path, *, warm: bool
) -> None:
    """One round of one contender; stops where it did not get to the end.

    Where `warm`, a phase that changes nothing begins with one run that does not count.
    """
    variables = {name: value.format(work=work) for name, value in contender.environment.items()}
    for phase in contender.phases:
        row = rows[contender.name, phase.name]
        if row.problem:
            return
        uncounted = warm and not phase.fresh and not phase.once
        for count in range(phase.times + uncounted):
            try:
                if phase.fresh or not work.exists():
                    shutil.rmtree(work, ignore_errors=True)
                    work.mkdir()
                    contender.prepare(work)
                phase.before(work)
            except (OSError, ValueError, subprocess.SubprocessError) as error:
                row.problem = f"could not be prepared: {told(error, work)}"
                break
            sample = measured(phase.command, work, timeout=workload.timeout, variables=variables)
            if uncounted and count == 0:
                continue
            row.samples.append(sample)
            verdict = judged(phase, sample, work, workload.timeout)
            row.facts.append(verdict.facts)
            row.note = verdict.note
            if verdict.problem:
                row.problem = verdict.problem
                print(sample.output[-2000:], file=sys.stderr)
                break
        if row.problem:
            print(f"{contender.name}, {phase.name}: {row.problem}", file=sys.stderr)
            return


def judged(phase: Phase, sample, work: Path, timeout: float) -> Verdict:
    """Whether a command ended well and gave what it should."""
    if sample.problem == "timeout":
        return Verdict(f"not finished in {timeout:.0f} s")
    if sample.code != 0:
        return Verdict(f"exit code {sample.code}")
    if sample.problem:
        return Verdict(sample.problem)
    try:
        return phase.check(work, sample.output)
    except (OSError, ValueError, LookupError) as error:
        return Verdict(f"result not found: {told(error, work)}")


def told(error: Exception, work: Path) -> str:
    """An error in a table: short, without paths of this machine."""
    shown = str(error).replace(str(work), "WORK").replace(str(ROOT), "REPOSITORY")
    return f"{type(error).__name__} {shown}"[:120]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("bench: interrupted")
