from stepwell import pipeline, step

PRIME = 1_000_000_007


@step
def start(number: int) -> int:
    return number


@step
def add(a: int, b: int, rounds: int) -> int:
    total = a + b
    for _ in range(rounds):  # some two milliseconds
        total = (total * 31 + 7) % PRIME
    return total


@pipeline
def shared(first: int, last: int, width: int, rounds: int) -> list[int]:
    rows = [[start(part * width + i) for i in range(width)] for part in range(first, last)]
    for _ in range(width - 1):
        rows = [[add(row[i], row[(i + 1) % width], rounds) for i in range(width)] for row in rows]
    return [value for row in rows for value in row]
