"""The graph for Dagster: a job of ops in one process, outputs kept in files by its own I/O manager."""

import sys

import mixing
from dagster import DagsterInstance, In, Out, fs_io_manager, job, op

PRIME = 1_000_000_007
WIDTH = int(sys.argv[1])
HALF = WIDTH // 2
TWO = {"a": In(int), "b": In(int)}
ran = []


def counted(number):
    ran.append(1)
    return number


@op(out=Out(int), config_schema=int)
def start(context):
    return counted(context.op_config)


@op(ins=TWO, out=Out(int))
def add(a, b):
    return counted((a + b) % PRIME)


@op(ins=TWO, out=Out(int))
def middle(a, b):
    return counted((a + b + 0) % PRIME)


@op(ins=TWO, out=Out(int))
def helped(a, b):
    return counted(mixing.mixed(a, b))


@job(resource_defs={"io_manager": fs_io_manager})
def layered():
    row = [start.alias(f"n0_{i}")() for i in range(WIDTH)]
    for layer in range(1, WIDTH):
        sums = [add if layer < HALF else helped] * WIDTH
        if layer == HALF:
            sums[HALF] = middle
        row = [sums[i].alias(f"n{layer}_{i}")(row[i], row[(i + 1) % WIDTH]) for i in range(WIDTH)]


if __name__ == "__main__":
    config = {
        "ops": {f"n0_{i}": {"config": i} for i in range(WIDTH)},
        "loggers": {"console": {"config": {"log_level": "ERROR"}}},
    }
    with DagsterInstance.get() as instance:
        done = layered.execute_in_process(run_config=config, instance=instance)
        print("row:", *(done.output_for_node(f"n{WIDTH - 1}_{i}") for i in range(WIDTH)))
    print("ran", len(ran))
