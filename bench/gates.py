"""Count the instructions of a few hot paths, and compare them with the ceilings of bench/gates.json.

    python bench/gates.py                 shows counts and ceilings; the exit code is 1 where one is exceeded
    python bench/gates.py --json          the same as JSON: {gate: {"count": ..., "ceiling": ..., "exceeded": ...}}
    python bench/gates.py --write         makes today's counts the ceilings of this minor version of Python

An instruction count does not depend on what else the machine does, so that it can guard against
regressions where a time cannot. Counted by valgrind, in user space, in the command's first process alone; without those of
Python alone (`BARE`). A count may be `MARGIN` above its ceiling: builds of one minor version differ.
tests/bench/test_gates.py holds the gates.
"""

from __future__ import annotations

import argparse
import compileall
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from machine import PYTHON, STEPWELL
from measure import environment
from workloads.shape import project

CEILINGS = Path(__file__).with_name("gates.json")
MARGIN = 0.1
SETTLED = 2.5
"""Seconds after which a file that does not change is not read again."""

BARE = (PYTHON, "-c", "import gc; gc.freeze()")
"""Python alone, which ends as the program does: without looking for cycles in what is left."""

STARTS: dict[str, tuple[str, ...]] = {
    "import stepwell": (PYTHON, "-c", "import stepwell, gc; gc.freeze()"),
    "stepwell version": (PYTHON, STEPWELL, "version"),
    "stepwell --help": (PYTHON, STEPWELL, "--help"),
}
UNCHANGED: dict[str, tuple[str, ...]] = {
    "plan of 400 unchanged steps": (PYTHON, STEPWELL, "plan"),
    "run of 400 unchanged steps": (PYTHON, STEPWELL, "run"),
    "runs": (PYTHON, STEPWELL, "runs"),
}
RECORDED = """
import gc
from stepwell import log
from stepwell.worker.recording import Recording
recording = Recording(lambda report: None, lambda parts: (), live=False)
recording.begin(0)
recording.awake = True
log.record_with(recording)
for step in range(300_000): log.metric("loss", 0.5, step)
recording.end()
gc.freeze()
"""
RECORDING: dict[str, tuple[str, ...]] = {"300,000 metrics": (PYTHON, "-c", RECORDED)}
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


def main() -> int:
    """Count, and show, write or compare."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="counts and ceilings as JSON")
    how.add_argument("--write", action="store_true", help="make today's counts the ceilings")
    options = parser.parse_args()
    if shutil.which("valgrind") is None:
        sys.exit("gates: valgrind is missing; fix: apt install valgrind")
    counts = counted()
    if options.write:
        known = json.loads(CEILINGS.read_text()) if CEILINGS.exists() else {}
        known[VERSION] = counts
        CEILINGS.write_text(json.dumps(dict(sorted(known.items())), indent=2) + "\n")
    limits = ceilings()
    above = exceeded(counts, limits)
    if options.json:
        rows = {
            name: {"count": count, "ceiling": limits.get(name), "exceeded": name in above}
            for name, count in counts.items()
        }
        print(json.dumps(rows))
        return 0
    for name, count in counts.items():
        limit = limits.get(name)
        told = "no ceiling" if limit is None else f"{count / limit:6.1%} of {limit:>13,}"
        print(f"{name:30} {count:>13,}   {told}{'   exceeded' if name in above else ''}")
    return 1 if above else 0


def ceilings() -> dict[str, int]:
    """The ceilings of this Python's minor version; empty where none were written."""
    known: dict[str, dict[str, int]] = json.loads(CEILINGS.read_text()) if CEILINGS.exists() else {}
    return known.get(VERSION, {})


def exceeded(counts: Mapping[str, int], limits: Mapping[str, int]) -> list[str]:
    """The gates whose count is more than `MARGIN` above the ceiling, or that have none."""
    return [name for name, count in counts.items() if count > (1 + MARGIN) * limits.get(name, 0)]


def counted() -> dict[str, int]:
    """Instructions of each gate above those of `python -c pass`. Raises `RuntimeError` where a command fails."""
    spec = importlib.util.find_spec("stepwell")
    for place in spec.submodule_search_locations if spec else ():
        compileall.compile_dir(place, quiet=2)
    # Whoever imports a library of one file for the first time makes this folder: what is installed would then be
    # touched while a plan is made, which is not recalled after that.
    Path(sysconfig.get_path("purelib"), "__pycache__").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="stepwell-gates-") as temporary:
        folder = Path(temporary).resolve()
        work = folder / "work"
        project("gates", work)
        run(UNCHANGED["run of 400 unchanged steps"], work)  # cold
        time.sleep(SETTLED)
        for command in list(UNCHANGED.values())[:2]:
            instructions(command, work, folder)  # below valgrind, whose environment is another
        bare = instructions(BARE, work, folder)
        found = {**STARTS, **UNCHANGED, **RECORDING}
        return {name: instructions(command, work, folder) - bare for name, command in found.items()}


def instructions(command: Sequence[str], work: Path, folder: Path) -> int:
    """How many instructions a command's first process executes in user space."""
    log = folder / "log"
    valgrind = ("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")
    pid = run((*valgrind, f"--log-file={log}.%p", *command), work)
    text = log.with_name(f"{log.name}.{pid}").read_text()
    found = re.search(r"I\s+refs:\s+([\d,]+)", text)
    if found is None:
        raise RuntimeError(f"valgrind counted nothing for {' '.join(command)}:\n{text}")
    return int(found[1].replace(",", ""))


def run(command: Sequence[str], work: Path) -> int:
    """Run a command to its end; its process id. Raises `RuntimeError` where it fails."""
    process = subprocess.Popen(
        command,
        cwd=work,
        env={**environment(), "PYTHONHASHSEED": "0"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    output, _ = process.communicate(timeout=300)
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} gave {process.returncode}:\n{output[-2000:]}")
    return process.pid


if __name__ == "__main__":
    sys.exit(main())
