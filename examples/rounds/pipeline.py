"""Train until it is good enough, at most `rounds` times; then evaluate every slice that the data has; then one report."""

from stepwell import log, pipeline, source, step

rows = source("houses.jsonl", list[dict])


@step
def slices(rows: list[dict]) -> list[str]:
    """The towns that occur: nobody knows beforehand how many there are."""
    return sorted({row["town"] for row in rows})


@step
def improve(slope: float, rows: list[dict], rate: float) -> float:
    """One round of gradient descent on price = slope * area."""
    gradient = sum((slope * r["area"] - r["price"]) * r["area"] for r in rows)
    return slope - rate * gradient / len(rows)


@step
def error(slope: float, rows: list[dict], town: str | None = None) -> float:
    """Mean absolute error, of all rows or of one town's."""
    chosen = [r for r in rows if town in (None, r["town"])]
    value = sum(abs(slope * r["area"] - r["price"]) for r in chosen) / len(chosen)
    log.metric("error", value)
    return round(value, 3)


@step
def report(towns: list[str], errors: list[float], slope: float) -> dict[str, float]:
    return {"slope": round(slope, 3), **dict(zip(towns, errors, strict=True))}


@pipeline(dynamic=True)
def train(slope: float, reached: float, rounds: int, good: float) -> float:
    if reached <= good or rounds == 0:
        return slope
    better = improve(slope, rows(), rate=0.0001)
    return train(better, error(better, rows()), rounds - 1, good)


@pipeline(dynamic=True)
def evaluate(towns: list[str], slope: float) -> list[float]:
    return [error(slope, rows(), town=town) for town in towns]


@pipeline
def main(rounds: int = 10, good: float = 8.0) -> dict[str, float]:
    slope = train(0.0, error(0.0, rows()), rounds, good)
    towns = slices(rows())
    return report(towns, evaluate(towns, slope), slope)
