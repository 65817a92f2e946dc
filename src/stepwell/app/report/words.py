"""Numbers, times and sizes as a report writes them."""

from __future__ import annotations

from datetime import UTC, datetime

from stepwell.stores.runrow import LEFT

MARKS = {
    "succeeded": "✓", "failed": "✗", "cached": "○", "skipped": "·", "blocked": "⊘", "interrupted": "!",
    "running": "…",
}  # fmt: skip
"""A sign for each status, so that none is told by colour alone."""

TOLD = {"cached": "reused", "succeeded": "ran", LEFT: "left as it was"}
"""What a step's status is called where the word is another."""

UNITS = ((3600.0, "h"), (60.0, "min"))


def figure(value: object) -> str:
    """A number with six digits that count, whole ones with thousands; all else as text."""
    if str(value) == "-0.0":
        return "-0.0"
    if type(value) is int or (type(value) is float and value.is_integer() and abs(value) < 1e15):
        return format(int(value), ",d")
    return format(value, ".6g") if type(value) is float else str(value)


def lasting(value: float | None) -> str:
    """A duration: "0.42 s", "3 min 10 s"; "" where there is none."""
    if value is None:
        return ""
    for unit, name in UNITS:
        if value >= unit:
            whole, rest = divmod(round(value), int(unit))
            below = f"{rest // 60} min" if name == "h" else f"{rest} s"
            return f"{whole} {name} {below}"
    return f"{value:.2f} s" if value < 10 else f"{value:.0f} s"


def heavy(count: float | None) -> str:
    """A number of bytes: "512 B", "1.2 MB"; "" where there is none."""
    if not count:
        return ""
    power = min((len(str(int(count))) - 1) // 3, 4)
    return f"{count / 1000**power:.{0 if not power else 1}f} {('B', 'kB', 'MB', 'GB', 'TB')[power]}"


def moment(seconds: float) -> str:
    """A time since 1970 as the date and the time in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def status_told(status: str) -> str:
    """A step's status with its sign."""
    return f"{MARKS.get(status, '')} {TOLD.get(status, status)}".strip()


def delta(now: float, before: float) -> str:
    """How much a number moved: "▲ 0.011", "▼ 3", "the same"."""
    if now == before or (now != now and before != before):
        return "the same"
    moved = now - before
    if moved != moved:
        return f"was {figure(before)}"
    return f"{'▲' if moved > 0 else '▼'} {figure(abs(moved))}"
