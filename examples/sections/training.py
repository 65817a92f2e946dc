"""Ten steps: a model for each of four depths, their scores, and the best of them. It knows nothing of the other sections."""

from stepwell import pipeline, step


@step
def halves(readings: list[float]) -> tuple[list[float], list[float]]:
    middle = len(readings) // 2
    return readings[:middle], readings[middle:]


@step
def fit(readings: list[float], depth: int) -> float:
    """A model so small that it is one number."""
    return sum(readings[::depth]) / len(readings[::depth])


@step
def score(model: float, readings: list[float]) -> float:
    return round(sum(abs(r - model) for r in readings) / len(readings), 4)


@step
def best(models: list[float], scores: list[float]) -> float:
    return models[scores.index(min(scores))]


@pipeline
def training(readings: list[float], depths: int = 4) -> float:
    fitting, held_out = halves(readings)
    models = [fit(fitting, depth=n + 1) for n in range(depths)]
    return best(models, [score(model, held_out) for model in models])
