"""What `log.metric` costs a step, measured in a real run: in turn, blocks of iterations that record and that do not.

    python bench/recording.py                 a million points, iterations of some 20 µs: about a minute
    python bench/recording.py 100000 5        so many points, so many µs of work in each iteration

Processor time of the step's thread in both kinds of blocks, and of what goes on beside it in the worker (the thread that
reports); and what the run takes in the store. The work is plain Python, so that it competes for the interpreter: the
worst case.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import environment

STEPWELL = str(Path(sys.executable).with_name("stepwell"))

PIPELINE = """
import time
from stepwell import log, pipeline, step

BLOCK = 1_000

def work(rounds):
    total = 0.0
    for n in range(rounds):
        total += n * 0.5
    return total

def rounds_for(seconds):
    began = time.process_time()
    work(1_000_000)
    return max(1, int(1_000_000 * seconds / (time.process_time() - began)))

@step
def train(points: int, micros: float) -> int:
    rounds, spent = rounds_for(micros / 1e6), [0.0, 0.0]
    whole, own = time.process_time(), time.thread_time()
    for first in range(0, points, BLOCK):
        for records in (False, True):
            began = time.thread_time()
            if records:
                for place in range(first, first + BLOCK):
                    log.metric("loss", work(rounds), step=place)
            else:
                for place in range(first, first + BLOCK):
                    work(rounds)
            spent[records] += time.thread_time() - began
    beside = time.process_time() - whole - (time.thread_time() - own)
    without, recording = (1e6 * each / points for each in spent)
    log.metrics({"without": without, "with": recording, "beside": 1e6 * beside / points})
    return points

@pipeline
def main(points: int = 1_000_000, micros: float = 20.0) -> int:
    return train(points, micros)
"""


def main() -> None:
    """Run it, and say what it took."""
    points, micros = (*sys.argv[1:], *("1000000", "20")[len(sys.argv) - 1 :])
    with tempfile.TemporaryDirectory(prefix="stepwell-recording-") as folder:
        Path(folder, "pipeline.py").write_text(PIPELINE)
        done = subprocess.run(
            [STEPWELL, "run", f"points={points}", f"micros={micros}", "--json"],
            cwd=folder, env=environment(), capture_output=True, text=True, check=True,
        )  # fmt: skip
        size = sum(path.stat().st_size for path in Path(folder, ".stepwell").glob("store.db*"))
    found = json.loads(done.stdout)["steps"][0]["metrics"]
    cost = found["with"] - found["without"] + found["beside"]
    print(
        f"{int(points):,} points: {found['without']:.2f} µs an iteration, {cost:+.2f} µs ({cost / found['without']:+.1%})"
    )
    print(f"store: {size / 1e6:.1f} MB, {size / int(points):.1f} bytes a point")


if __name__ == "__main__":
    main()
