"""Asking one role what it finds, without a run; and the same data in each library."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

from stepwell.worker.roles import HOMES, Given

LIBRARIES = ("pandas", "polars", "lazy", "arrow", "array", "list")


def ask(role: str, value, /, options=None, digests=None, **given):
    """What the role finds in a value that a step returned, which was given these arguments."""
    home = import_module(f"stepwell.worker.roles.{HOMES[role]}")
    taken = home.taken(Given("it", options or {}, given, digests or {}))
    return home.judged(taken, value)


def table(library: str, rows):
    """A table of two columns, `id` and `word`, from pairs; of a list the pairs themselves, of an array the ids twice."""
    ids, words = [i for i, _ in rows], [word for _, word in rows]
    match library:
        case "pandas":
            return pd.DataFrame({"id": ids, "word": words})
        case "polars":
            return pl.DataFrame({"id": ids, "word": words})
        case "lazy":
            return pl.LazyFrame({"id": ids, "word": words})
        case "arrow":
            return pa.table({"id": ids, "word": words})
        case "array":
            return np.array([[i, len(word)] for i, word in rows], dtype=float)
    return list(rows)
