"""The graph for doit, a file a step, known by its time stamp: its cheapest unchanged run."""

import mixing
from doit import get_var
from doit.tools import run_once

PRIME = 1_000_000_007
WIDTH = int(get_var("width"))
DEPTH = int(get_var("depth", WIDTH))
HALF = DEPTH // 2
DOIT_CONFIG = {"verbosity": 0, "reporter": "zero", "backend": "json", "check_file_uptodate": "timestamp"}


def start(number, out):
    with open(out, "w") as file:
        file.write(str(number))


def read(a, b):
    with open(a) as file:
        x = int(file.read())
    with open(b) as file:
        return x, int(file.read())


def add(a, b, out):
    a, b = read(a, b)
    with open(out, "w") as file:
        file.write(str((a + b) % PRIME))


def middle(a, b, out):
    a, b = read(a, b)
    with open(out, "w") as file:
        file.write(str((a + b + 0) % PRIME))


def helped(a, b, out):
    a, b = read(a, b)
    with open(out, "w") as file:
        file.write(str(mixing.mixed(a, b)))


def task_step():
    for i in range(WIDTH):
        out = f"v/0_{i}"
        yield {"name": out, "actions": [(start, [i, out])], "targets": [out], "uptodate": [run_once]}
    for layer in range(1, DEPTH):
        for i in range(WIDTH):
            a, b, out = f"v/{layer - 1}_{i}", f"v/{layer - 1}_{(i + 1) % WIDTH}", f"v/{layer}_{i}"
            action, files = add, [a, b]
            if layer == HALF and i == WIDTH // 2:
                action = middle
            elif layer >= HALF:
                action, files = helped, [a, b, "mixing.py"]
            yield {"name": out, "actions": [(action, [a, b, out])], "file_dep": files, "targets": [out]}
