"""The graph for doit; `WIDTH = ...` is written before it."""

from doit.tools import run_once

PRIME = 1_000_000_007
DOIT_CONFIG = {"verbosity": 0, "reporter": "zero"}


def start(number):
    return {"value": number}


def add(a, b):
    return {"value": (a + b) % PRIME}


def write(**values):
    with open("row.txt", "w") as file:
        print(*(values[f"v{i}"] for i in range(WIDTH)), file=file)  # noqa: F821  written before this file


def task_step():
    for i in range(WIDTH):  # noqa: F821
        yield {"name": f"0_{i}", "actions": [(start, [i])], "uptodate": [run_once]}
    for layer in range(1, WIDTH):  # noqa: F821
        for i in range(WIDTH):  # noqa: F821
            a, b = f"step:{layer - 1}_{i}", f"step:{layer - 1}_{(i + 1) % WIDTH}"  # noqa: F821
            yield {
                "name": f"{layer}_{i}",
                "actions": [(add,)],
                "task_dep": [a, b],
                "getargs": {"a": (a, "value"), "b": (b, "value")},
                "uptodate": [run_once],
            }


def task_write():
    row = [f"step:{WIDTH - 1}_{i}" for i in range(WIDTH)]  # noqa: F821
    return {
        "actions": [(write,)],
        "task_dep": row,
        "getargs": {f"v{i}": (name, "value") for i, name in enumerate(row)},
        "uptodate": [run_once],
    }
