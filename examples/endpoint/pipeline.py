"""Three words: `step1 | step2 | endpoint("experiment")`."""

from stepwell import endpoint, step


@step
def measure(samples: int = 5) -> list[float]:
    return [1 / (n + 1) for n in range(samples)]


@step
def mean(measure: list[float]) -> float:
    return sum(measure) / len(measure)


experiment = measure | mean | endpoint("experiment")
