import numpy as np

from stepwell import pipeline, step


@step
def numbers(count: int) -> np.ndarray:
    return np.arange(count, dtype=np.float64)


@step
def last(values: np.ndarray) -> float:
    return float(values[-1])


@step
def total(values: np.ndarray) -> float:
    return float(values.sum())


@pipeline
def handover(count: int) -> tuple[float, float]:
    values = numbers(count)
    return last(values), total(values)
