import mixing

from stepwell import pipeline, step

PRIME = 1_000_000_007


@step
def start(number: int) -> int:
    return number


@step
def add(a: int, b: int) -> int:
    return (a + b) % PRIME


@step
def middle(a: int, b: int) -> int:
    return (a + b + 0) % PRIME


@step
def helped(a: int, b: int) -> int:
    return mixing.mixed(a, b)


@pipeline
def layered(width: int) -> list[int]:
    half = width // 2
    row = [start(number) for number in range(width)]
    for layer in range(1, width):
        sums = [add if layer < half else helped] * width
        if layer == half:
            sums[half] = middle
        row = [sums[i](row[i], row[(i + 1) % width]) for i in range(width)]
    return row
