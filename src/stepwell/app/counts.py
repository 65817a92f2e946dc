"""Counts in words that agree with them: "1 step", "1,200 steps"."""

from __future__ import annotations


def many(count: int, one: str, more: str = "") -> str:
    """So many of something; `more` is the word for several where that is not `one` with an s."""
    return f"{count:,} {one if count == 1 else more or f'{one}s'}"
