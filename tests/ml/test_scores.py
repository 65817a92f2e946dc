"""Evaluators: named, finite numbers become metrics; slices; directions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from playing import ask

from stepwell.errors import EvaluatorBroken
from stepwell.worker.roles import Given, scores


class Quality(NamedTuple):
    auc: float
    f1: float


@dataclass
class Loss:
    rmse: float


@pytest.mark.parametrize(
    ("value", "metrics"),
    [
        ({"auc": 0.9, "rows": 12}, {"auc": 0.9, "rows": 12.0}),
        (Quality(0.9, np.float32(0.5)), {"auc": 0.9, "f1": 0.5}),
        (Loss(np.array(2.0)), {"rmse": 2.0}),
        ({"auc": {"AA": 0.9, 7: 0.8}}, {"auc[AA]": 0.9, "auc[7]": 0.8}),
        ({"auc": 0.9, "carrier": {"AA": {"auc": 0.8}}}, {"auc": 0.9, "auc[carrier=AA]": 0.8}),
        ({"auc": {"a\x1b[31m\n": 1}}, {"auc[a\N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}]": 1.0}),
    ],
)
def test_metrics(value, metrics):
    assert ask("evaluator", value).metrics == metrics


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0.9, "gave no named numbers: what it returned is a float"),
        (None, "what it returned is nothing"),
        ({}, "what it returned is nothing"),
        ((0.9, 0.8), "what it returned is a tuple"),
        (pd.DataFrame({"auc": [1]}), "what it returned is a DataFrame"),
        ({"auc": float("nan")}, "gave nan as `auc`"),
        ({"loss": float("inf")}, "gave inf as `loss`"),
        ({"auc": {"AA": float("nan")}}, r"gave nan as `auc\[AA\]`"),
        ({"auc": "0.9"}, "gave a str as `auc`, which is no number"),
        ({"ok": True}, "gave a bool as `ok`"),
        ({"ok": np.bool_(True)}, "as `ok`, which is no number"),
        ({"matrix": np.ones(3)}, "gave a ndarray as `matrix`"),
        ({"none": None}, "gave None as `none`"),
        ({"big": 10**400}, "gave an int as `big`"),
        ({" ": 1.0}, "gave a number without a name"),
        ({"carrier": {"AA": {"": 1.0}}}, "gave a number without a name"),
    ],
)
def test_what_is_no_metric(value, told):
    with pytest.raises(EvaluatorBroken, match=told):
        ask("evaluator", value)


def test_directions():
    found = ask("evaluator", {"auc": 0.9, "loss": {"a": 1.0}}, {"higher": ["auc", "acu"], "lower": ["loss"]})
    assert found.document["directions"] == {"auc": "higher", "loss[a]": "lower"}
    assert found.notes == ("no metric is called `acu`, as `higher=` says: did you mean `auc`?",)


DATA = {"group": ["a", "b", "a", "c", None], "y": [1.0, 0, 1, 1, 0], "p": [1.0, 1, 0, float("nan"), 0]}
TABLES = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "lazy": pl.LazyFrame, "arrow": pa.table}


def error(table, weights) -> dict[str, float]:
    table = table.collect() if isinstance(table, pl.LazyFrame) else table
    y, p = (np.array(table[name].to_pylist() if hasattr(table, "column") and hasattr(table[name], "to_pylist") else table[name], float) for name in ("y", "p"))  # fmt: skip
    assert len(weights) == len(y)
    if len(y) == 1 and y[0] == 0:
        raise ZeroDivisionError("no error")
    return {"error": float(np.abs(y - p).sum())}


@pytest.mark.parametrize("library", TABLES)
def test_slices(library):
    values = {"table": TABLES[library](DATA), "weights": np.ones(5), "name": "x"}
    before = scores.taken(Given("score", {"slices": ["group"]}, values))
    scores.sliced(before, lambda given: error(given["table"], given["weights"]), values)
    found = scores.judged(before, {"error": 2.0})
    assert found.metrics == {"error": 2.0, "error[group=a]": 1.0}
    assert found.notes == (
        "group=b is left out: ZeroDivisionError: no error",
        "group=c is left out: gave nan as `error`",
    )


def test_many_slices_and_none():
    table = pd.DataFrame({"id": [*range(60), 3], "y": 1.0})
    before = scores.taken(Given("score", {"slices": ["id"]}, {"table": table}))
    scores.sliced(before, lambda given: {"n": len(given["table"])}, {"table": table})
    found = scores.judged(before, {"n": 61})
    assert len(found.metrics) == scores.SLICES + 1
    assert found.metrics["n[id=3]"] == 2
    assert found.notes == ("`id` has 60 values; the 50 with the most rows are judged",)
    with pytest.raises(EvaluatorBroken, match="is given no table with the column `ids`") as raised:
        scores.taken(Given("score", {"slices": ["ids"]}, {"table": table}))
    assert raised.value.fixes == ("did you mean `id`?",)
