from stepwell import pipeline, step


@step
def numbers(count: int) -> list[int]:
    return [n * n for n in range(count)]


@step
def total(values: list[int]) -> int:
    return sum(values)


@pipeline
def squares(count: int = 10) -> int:
    return total(numbers(count))
