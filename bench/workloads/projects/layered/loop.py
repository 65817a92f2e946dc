"""The floor: the same functions called one after the other; nothing is kept, looked up or recorded."""

import sys

PRIME = 1_000_000_007


def start(number: int) -> int:
    return number


def add(a: int, b: int) -> int:
    return (a + b) % PRIME


width = int(sys.argv[1])
row = [start(number) for number in range(width)]
for _ in range(width - 1):
    row = [add(row[i], row[(i + 1) % width]) for i in range(width)]
print(*row)
