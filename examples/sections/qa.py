"""Fifteen steps that look at the table and at the model before anybody uses them."""

from stepwell import pipeline, step


@step
def in_range(readings: list[float], low: float, high: float) -> bool:
    return all(low <= r <= high for r in readings)


@step
def share_above(readings: list[float], limit: float) -> float:
    return round(sum(r > limit for r in readings) / len(readings), 3)


@step
def complete(catalogue: dict[str, int]) -> bool:
    return catalogue["months"] == 12


@step
def plausible(model: float, readings: list[float]) -> bool:
    return min(readings) <= model <= max(readings)


@step
def verdict(checks: list[bool], shares: list[float]) -> dict[str, float]:
    return {"passed": sum(checks), "of": len(checks), "above_25": shares[0]}


@pipeline
def qa(readings: list[float], catalogue: dict[str, int], best: float) -> dict[str, float]:
    checks = [in_range(readings, low=low, high=60.0) for low in (0.0, 5.0, 10.0, 15.0)]
    checks += [in_range(readings, low=0.0, high=high) for high in (40.0, 50.0, 60.0)]
    checks += [complete(catalogue), plausible(best, readings)]
    shares = [share_above(readings, limit=limit) for limit in (25.0, 26.0, 27.0, 28.0, 29.0)]
    return verdict(checks, shares)
