"""The program `stepwell` with a clock of its processor time that looks who runs: `python sampler.py OUT VERB ...`.

Writes {"cpu": seconds of this process, "booked": {module: times seen}} to OUT. For `bench/shares.py`.
"""

import json
import os
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from types import FrameType

INTERVAL = 0.001
"""Seconds; a kernel looks at most every 4 ms."""

booked = Counter[str]()
pid = os.getpid()


def look(_signal: int, frame: FrameType | None) -> None:
    """Book what is running."""
    if os.getpid() == pid:
        booked[whose(frame)] += 1


def whose(frame: FrameType | None) -> str:
    """The innermost module of Stepwell on a stack; what imports it, where that is being done."""
    name = ""
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.startswith("importlib._bootstrap"):
            return "imports"
        if module.startswith("stepwell.") and not name:
            name = module.removeprefix("stepwell.")
        if module == "stepwell.kernel.run" and name in ("kernel.plan", "kernel.identity"):
            return f"{name}, judging again"
        frame = frame.f_back
    return name or "Python's start and end"


def main(out: Path) -> int:
    """Carry out the rest of the command line."""
    from stepwell.cli.main import command

    try:
        return command()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        if os.getpid() == pid:
            out.write_text(json.dumps({"cpu": time.process_time(), "booked": booked}))


if __name__ == "__main__":
    file = Path(sys.argv[1])
    sys.argv[:2] = ["stepwell"]
    sys.path.pop(0)  # this folder has another `stepwell`
    signal.signal(signal.SIGPROF, look)
    signal.siginterrupt(signal.SIGPROF, False)
    signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL)
    sys.exit(main(file))
