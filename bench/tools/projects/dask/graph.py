"""The graph for Dask: delayed calls in threads, or in two processes with one thread each; nothing is kept."""

import sys

import dask
import mixing

PRIME = 1_000_000_007


@dask.delayed
def start(number):
    return number


@dask.delayed
def add(a, b):
    return (a + b) % PRIME


@dask.delayed
def middle(a, b):
    return (a + b + 0) % PRIME


@dask.delayed
def helped(a, b):
    return mixing.mixed(a, b)


def layered(width):
    half = width // 2
    row = [start(number) for number in range(width)]
    for layer in range(1, width):
        sums = [add if layer < half else helped] * width
        if layer == half:
            sums[half] = middle
        row = [sums[i](row[i], row[(i + 1) % width]) for i in range(width)]
    return row


def main():
    row = layered(int(sys.argv[2]))
    if sys.argv[1] == "threads":
        return dask.compute(*row, scheduler="threads")
    from distributed import Client

    with Client(n_workers=2, threads_per_worker=1, dashboard_address=None, processes=True):
        return dask.compute(*row)


if __name__ == "__main__":
    print("row:", *main())
