"""Time Stepwell and its peers side by side, and write bench/RESULTS.md and bench/results.json.

    make bench
    python bench/run.py --only layered-1000
    python bench/run.py --quick              smaller, fewer runs; prints, and writes nothing

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
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from machine import ROOT, STEPWELL, describe, versions
from measure import adopt_orphans, measured
from report import Measured, document, read, table, write
from workloads.handover import handover
from workloads.layered import layered
from workloads.shape import Contender, Phase, Verdict, Workload
from workloads.startup import startup

WORKLOADS: dict[str, Callable[..., Workload]] = {
    "startup": startup,
    "layered-1000": functools.partial(layered, 1_000),
    "layered-10000": functools.partial(layered, 10_000),
    "handover": handover,
}


def main() -> int:
    """Measure what was asked for; 1 where a result was wrong."""
    options = arguments()
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background job ignores the first
        signal.signal(number, signal.default_int_handler)
    if not Path(STEPWELL).exists():
        sys.exit("bench: this Python's environment has no Stepwell; fix: make setup, then make bench")
    names = [name for name in WORKLOADS if not options.only or name in options.only]
    if options.quick and not options.only:
        names.remove("layered-10000")
    adopt_orphans()
    compile_all()
    known = {} if options.quick else read()
    right = True
    with tempfile.TemporaryDirectory(prefix="stepwell-bench-", dir=options.folder) as temporary:
        folder = Path(temporary).resolve()
        place = {"machine": describe(folder), "versions": versions()}
        for name in names:
            workload = WORKLOADS[name](quick=options.quick)
            rows = measure(workload, folder)
            right = right and not any(row.problem for row in rows)
            known[name] = document(workload, rows, place, datetime.now(UTC))
            print(table(known[name]), flush=True)
            if not options.quick:
                write({name: known[name] for name in WORKLOADS if name in known})
    return 0 if right else 1


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="smaller and fewer; prints, writes nothing")
    parser.add_argument("--only", action="append", choices=WORKLOADS, help="only this one; may be repeated")
    parser.add_argument(
        "--folder", type=Path, help="where to work (3 GB; a real disk); the temporary folder, if not said"
    )
    return parser.parse_args()


def compile_all() -> None:
    """Compile Stepwell's modules beforehand: byte code is not what is measured."""
    spec = importlib.util.find_spec("stepwell")
    for place in spec.submodule_search_locations if spec else ():
        compileall.compile_dir(place, quiet=2)


def measure(workload: Workload, folder: Path) -> list[Measured]:
    """Every contender once a round; the commands of the first are also run once unmeasured, for warm caches."""
    rows = {
        (contender.name, phase.name): Measured(contender.name, phase.name)
        for contender in workload.contenders
        for phase in contender.phases
    }
    for turn in range(workload.rounds):
        for contender in workload.contenders:
            began = time.monotonic()
            try:
                compete(workload, contender, rows, folder / "work", warm=turn == 0)
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
    """One round of one contender; stops where it did not get to the end."""
    work.mkdir()
    contender.prepare(work)
    for phase in contender.phases:
        row = rows[contender.name, phase.name]
        if row.problem:
            return
        times = phase.times + (warm and not phase.fresh)
        for count in range(times):
            if phase.fresh:
                shutil.rmtree(work)
                work.mkdir()
                contender.prepare(work)
            sample = measured(phase.command, work, timeout=workload.timeout)
            if warm and not phase.fresh and count == 0:
                continue
            row.samples.append(sample)
            verdict = judged(phase, sample, work, workload.timeout)
            row.facts.append(verdict.facts)
            if verdict.problem:
                row.problem = verdict.problem
                print(
                    f"{contender.name}, {phase.name}: {verdict.problem}\n{sample.output[-2000:]}",
                    file=sys.stderr,
                )
                break


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
        shown = str(error).replace(str(work), "WORK").replace(str(ROOT), "REPOSITORY")
        return Verdict(f"result not found: {type(error).__name__} {shown}"[:120])


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("bench: interrupted")
