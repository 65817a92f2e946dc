"""Twenty steps that make one clean table of a year of readings."""

from typing import NamedTuple

from stepwell import pipeline, step


@step
def fetch(month: int) -> list[float]:
    return [20 + month + (day * 7) % 5 for day in range(28)]


@step
def quarter(months: list[list[float]]) -> list[float]:
    """Three months, without what the instrument makes up when it is hot."""
    return [r for month in months for r in month if r < 35]


@step
def readings(quarters: list[list[float]]) -> list[float]:
    return [r for quarter in quarters for r in quarter]


@step
def calendar(months: int) -> list[str]:
    return [f"2026-{n + 1:02}" for n in range(months)]


@step
def busiest(year: list[float], calendar: list[str]) -> str:
    return calendar[-1] if max(year) == year[-1] else calendar[0]


@step
def catalogue(year: list[float], calendar: list[str], busiest: str) -> dict[str, int]:
    return {"rows": len(year), "months": len(calendar), "busiest": calendar.index(busiest) + 1}


class Clean(NamedTuple):
    readings: list[float]
    catalogue: dict[str, int]


@pipeline
def etl(months: int = 12) -> Clean:
    fetched = [fetch(n) for n in range(months)]
    quarters = [quarter(fetched[n : n + 3]) for n in range(0, months, 3)]
    year, names = readings(quarters), calendar(months)
    return Clean(year, catalogue(year, names, busiest(year, names)))
