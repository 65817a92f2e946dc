"""A daily report whose success is decided by a test of its own, for any date, and for every day of a month."""

import calendar
import json
from datetime import date
from pathlib import Path

from stepwell import pipeline, step

OUTBOX = Path("outbox")


@step
def orders(day: date) -> list[int]:
    """The orders of a day; here they follow from the date, elsewhere a query gives them."""
    return [day.day * n for n in range(1, 4)]


def is_delivered(day: date, orders: list[int]) -> bool:
    """The report of a day counts as done when its reader has got all orders, whatever Stepwell thinks."""
    file = OUTBOX / f"{day}.json"
    return file.exists() and json.loads(file.read_text())["orders"] == len(orders)


@step(done=is_delivered)
def deliver(day: date, orders: list[int]) -> int:
    OUTBOX.mkdir(exist_ok=True)
    total = sum(orders)
    (OUTBOX / f"{day}.json").write_text(json.dumps({"orders": len(orders), "total": total}))
    return total


@step
def summary(totals: list[int]) -> dict[str, int]:
    return {"days": len(totals), "total": sum(totals)}


@pipeline
def daily(day: date = date(2026, 2, 1)) -> int:
    return deliver(day, orders(day))


@pipeline
def month(year: int = 2026, number: int = 2) -> dict[str, int]:
    _, last = calendar.monthrange(year, number)
    return summary([daily(date(year, number, n)) for n in range(1, last + 1)])
