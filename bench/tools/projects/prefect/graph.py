"""The graph for Prefect: results kept, and looked up by inputs and the task's source (neither is the default)."""

import sys

import mixing
from prefect import flow, task
from prefect.cache_policies import INPUTS, TASK_SOURCE

PRIME = 1_000_000_007
ran = []
kept = task(cache_policy=INPUTS + TASK_SOURCE, persist_result=True)


def counted(number):
    ran.append(1)
    return number


@kept
def start(number):
    return counted(number)


@kept
def add(a, b):
    return counted((a + b) % PRIME)


@kept
def middle(a, b):
    return counted((a + b + 0) % PRIME)


@kept
def helped(a, b):
    return counted(mixing.mixed(a, b))


@flow
def layered(width):
    half = width // 2
    row = [start(number) for number in range(width)]
    for layer in range(1, width):
        sums = [add if layer < half else helped] * width
        if layer == half:
            sums[half] = middle
        row = [sums[i](row[i], row[(i + 1) % width]) for i in range(width)]
    return row


if __name__ == "__main__":
    print("row:", *layered(int(sys.argv[1])))
    print("ran", len(ran))
