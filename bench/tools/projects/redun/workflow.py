"""The graph for redun: lazy calls, looked up in its database by arguments and the task's source."""

import mixing
from redun import task

redun_namespace = "bench"
PRIME = 1_000_000_007


@task()
def start(number: int) -> int:
    return number


@task()
def add(a: int, b: int) -> int:
    return (a + b) % PRIME


@task()
def middle(a: int, b: int) -> int:
    return (a + b + 0) % PRIME


@task()
def helped(a: int, b: int) -> int:
    return mixing.mixed(a, b)


@task()
def main(width: int, depth: int) -> list[int]:
    half = depth // 2
    row = [start(number) for number in range(width)]
    for layer in range(1, depth):
        sums = [add if layer < half else helped] * width
        if layer == half:
            sums[width // 2] = middle
        row = [sums[i](row[i], row[(i + 1) % width]) for i in range(width)]
    return row
