from stepwell import pipeline, step

PRIME = 1_000_000_007


@step
def start(number: int) -> int:
    return number


@step
def add(a: int, b: int) -> int:
    return (a + b) % PRIME


@pipeline
def layered(width: int) -> list[int]:
    row = [start(number) for number in range(width)]
    for _ in range(width - 1):
        row = [add(row[i], row[(i + 1) % width]) for i in range(width)]
    return row
