"""The floor: the same functions called one after the other; nothing is kept, looked up or recorded."""

import sys

import mixing

PRIME = 1_000_000_007


def start(number: int) -> int:
    return number


def add(a: int, b: int) -> int:
    return (a + b) % PRIME


def middle(a: int, b: int) -> int:
    return (a + b + 0) % PRIME


def helped(a: int, b: int) -> int:
    return mixing.mixed(a, b)


width = int(sys.argv[1])
half = width // 2
row = [start(number) for number in range(width)]
for layer in range(1, width):
    sums = [add if layer < half else helped] * width
    if layer == half:
        sums[half] = middle
    row = [sums[i](row[i], row[(i + 1) % width]) for i in range(width)]
print("row:", *row)
