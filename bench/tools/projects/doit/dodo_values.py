"""The graph for doit, values handed on through its database: its cheapest cold run."""

import mixing
from doit import get_var
from doit.tools import run_once

PRIME = 1_000_000_007
WIDTH = int(get_var("width"))
HALF = WIDTH // 2
DOIT_CONFIG = {"verbosity": 0, "reporter": "zero", "backend": "json"}


def start(number):
    return {"value": number}


def add(a, b):
    return {"value": (a + b) % PRIME}


def middle(a, b):
    return {"value": (a + b + 0) % PRIME}


def helped(a, b):
    return {"value": mixing.mixed(a, b)}


def write(**values):
    with open("row.txt", "w") as file:
        print("row:", *(values[f"v{i}"] for i in range(WIDTH)), file=file)


def task_step():
    for i in range(WIDTH):
        yield {"name": f"0_{i}", "actions": [(start, [i])], "uptodate": [run_once]}
    for layer in range(1, WIDTH):
        for i in range(WIDTH):
            a, b = f"step:{layer - 1}_{i}", f"step:{layer - 1}_{(i + 1) % WIDTH}"
            action = add if layer < HALF else middle if (layer, i) == (HALF, HALF) else helped
            yield {
                "name": f"{layer}_{i}",
                "actions": [(action,)],
                "getargs": {"a": (a, "value"), "b": (b, "value")},
                "uptodate": [run_once],
            }


def task_write():
    row = [f"step:{WIDTH - 1}_{i}" for i in range(WIDTH)]
    return {
        "actions": [(write,)],
        "getargs": {f"v{i}": (name, "value") for i, name in enumerate(row)},
        "uptodate": [run_once],
    }
