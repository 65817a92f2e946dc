"""The graph for Ray: a remote task a step, values in its object store, which ends with the program."""

import sys

import mixing
import ray

PRIME = 1_000_000_007


@ray.remote
def start(number):
    return number


@ray.remote
def add(a, b):
    return (a + b) % PRIME


@ray.remote
def middle(a, b):
    return (a + b + 0) % PRIME


@ray.remote
def helped(a, b):
    return mixing.mixed(a, b)


width = int(sys.argv[1])
half = width // 2
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
row = [start.remote(number) for number in range(width)]
for layer in range(1, width):
    sums = [add if layer < half else helped] * width
    if layer == half:
        sums[half] = middle
    row = [sums[i].remote(row[i], row[(i + 1) % width]) for i in range(width)]
print("row:", *ray.get(row))
