"""The graph for ZenML, on its local stack; a last step prints the row, and so is never cached."""

import os

import mixing
from zenml import pipeline, step

PRIME = 1_000_000_007
WIDTH = int(os.environ["WIDTH"])
HALF = WIDTH // 2
ran = []


def counted(number: int) -> int:
    ran.append(1)
    return number


@step
def start(number: int) -> int:
    return counted(number)


@step
def add(a: int, b: int) -> int:
    return counted((a + b) % PRIME)


@step
def middle(a: int, b: int) -> int:
    return counted((a + b + 0) % PRIME)


@step
def helped(a: int, b: int) -> int:
    return counted(mixing.mixed(a, b))


@pipeline
def layered() -> None:
    row = [start.with_options(parameters={"number": i})(id=f"n0_{i}") for i in range(WIDTH)]
    for layer in range(1, WIDTH):
        sums = [add if layer < HALF else helped] * WIDTH
        if layer == HALF:
            sums[HALF] = middle
        row = [sums[i](row[i], row[(i + 1) % WIDTH], id=f"n{layer}_{i}") for i in range(WIDTH)]


if __name__ == "__main__":
    done = layered()
    if done is None:
        raise SystemExit("no run")
    steps = done.steps
    print("row:", *(steps[f"n{WIDTH - 1}_{i}"].output.load() for i in range(WIDTH)))
    print("ran", len(ran))
