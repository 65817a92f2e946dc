from stepwell import pipeline, step

WIDTH = 20


@step
def start(number: int) -> int:
    return number


@step
def add(a: int, b: int) -> int:
    return (a + b) % 1_000_000_007


@pipeline
def gates() -> list[int]:
    row = [start(number) for number in range(WIDTH)]
    for _ in range(WIDTH - 1):
        row = [add(row[i], row[(i + 1) % WIDTH]) for i in range(WIDTH)]
    return row
