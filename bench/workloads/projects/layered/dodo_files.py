"""The graph for doit, a file a step, known by its time stamp: its cheapest unchanged run."""

from doit import get_var
from doit.tools import run_once

PRIME = 1_000_000_007
WIDTH = int(get_var("width"))
DOIT_CONFIG = {"verbosity": 0, "reporter": "zero", "backend": "json", "check_file_uptodate": "timestamp"}


def start(number, out):
    with open(out, "w") as file:
        file.write(str(number))


def add(a, b, out):
    with open(a) as file:
        x = int(file.read())
    with open(b) as file:
        y = int(file.read())
    with open(out, "w") as file:
        file.write(str((x + y) % PRIME))


def task_step():
    for i in range(WIDTH):
        out = f"v/0_{i}"
        yield {"name": out, "actions": [(start, [i, out])], "targets": [out], "uptodate": [run_once]}
    for layer in range(1, WIDTH):
        for i in range(WIDTH):
            a, b, out = f"v/{layer - 1}_{i}", f"v/{layer - 1}_{(i + 1) % WIDTH}", f"v/{layer}_{i}"
            yield {"name": out, "actions": [(add, [a, b, out])], "file_dep": [a, b], "targets": [out]}
