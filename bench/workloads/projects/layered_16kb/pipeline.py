"""The layered graph with values of 16 KB that nothing can make smaller: a number, and noise grown from it."""

import random

from stepwell import pipeline, step

PRIME = 1_000_000_007
SIZE = 16_384


def padded(number: int) -> bytes:
    return number.to_bytes(8, "little") + random.Random(number).randbytes(SIZE - 8)


@step
def start(number: int) -> bytes:
    return padded(number)


@step
def add(a: bytes, b: bytes) -> bytes:
    return padded((int.from_bytes(a[:8], "little") + int.from_bytes(b[:8], "little")) % PRIME)


@step
def number(a: bytes, place: int) -> int:  # the place makes a step of each, also of two equal values
    return int.from_bytes(a[:8], "little")


@pipeline
def layered(width: int) -> list[int]:
    row = [start(i) for i in range(width)]
    for _ in range(width - 1):
        row = [add(row[i], row[(i + 1) % width]) for i in range(width)]
    return [number(value, place) for place, value in enumerate(row)]
