"""The graph for Hamilton: one function a kind of step, a node for each place in the graph."""

import os

import mixing
from hamilton.function_modifiers import parameterize, source, value

PRIME = 1_000_000_007
WIDTH = int(os.environ["WIDTH"])
HALF = WIDTH // 2
ran = []


def _counted(number):
    ran.append(1)
    return number


def _nodes(first, last):
    return {
        f"n{layer}_{i}": {"a": source(f"n{layer - 1}_{i}"), "b": source(f"n{layer - 1}_{(i + 1) % WIDTH}")}
        for layer in range(first, last)
        for i in range(WIDTH)
        if (layer, i) != (HALF, HALF)
    }


MIDDLE = {
    f"n{HALF}_{HALF}": {"a": source(f"n{HALF - 1}_{HALF}"), "b": source(f"n{HALF - 1}_{(HALF + 1) % WIDTH}")}
}


@parameterize(**{f"n0_{i}": {"number": value(i)} for i in range(WIDTH)})
def start(number: int) -> int:
    return _counted(number)


@parameterize(**_nodes(1, HALF))
def add(a: int, b: int) -> int:
    return _counted((a + b) % PRIME)


@parameterize(**MIDDLE)
def middle(a: int, b: int) -> int:
    return _counted((a + b + 0) % PRIME)


@parameterize(**_nodes(HALF, WIDTH))
def helped(a: int, b: int) -> int:
    return _counted(mixing.mixed(a, b))
