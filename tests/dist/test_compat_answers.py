"""What a model says now beside what the released one said: real models, real tables."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from msgspec import structs
from sklearn.linear_model import LinearRegression, LogisticRegression

from stepwell.dist.compat.answers import compared, predicted
from stepwell.dist.installed.predicting import predict
from stepwell.dist.lock import Leaving

DRAW = np.random.default_rng(3)
TABLE = pd.DataFrame({"tenure": DRAW.normal(20, 8, 300), "mrr": DRAW.lognormal(3, 1, 300)})
CHURNED = (TABLE.mrr / 20 - TABLE.tenure / 20 + DRAW.normal(0, 1, 300) > 0).astype(int)
LEAVING = Leaving(
    pipeline="train", step="fit", codec="sklearn", size=1, bytes="b3:1", takes={"tenure": "float64", "mrr": "float64"}
)  # fmt: skip


def classifier(strength: float = 1.0):
    return LogisticRegression(C=strength).fit(TABLE, CHURNED)


def regressor(noise: float = 0.0):
    return LinearRegression().fit(TABLE, TABLE.mrr * 2 + noise * TABLE.tenure)


def test_the_same_model_says_the_same() -> None:
    said = predict(classifier(), LEAVING, TABLE)
    found = predicted("model", classifier(), LEAVING, TABLE, said)
    assert (found.rows, found.beyond, found.flips, found.worst) == (300, 0, 0, 0.0)


def test_another_classifier_flips_labels() -> None:
    said = predict(classifier(), LEAVING, TABLE)
    found = predicted("model", classifier(1e-4), LEAVING, TABLE, said, tolerance=1e-3)
    assert found.flips
    assert 0 < found.beyond <= 300
    assert found.worst > 0.01


def test_another_regressor_is_so_far_away() -> None:
    said = predict(regressor(), LEAVING, TABLE)
    found = predicted("model", regressor(0.01), LEAVING, TABLE, said, tolerance=0.1)
    assert found.flips is None
    assert found.worst == pytest.approx(0.01 * TABLE.tenure.abs().max())
    assert found.beyond == int((0.01 * TABLE.tenure.abs() > 0.1).sum())


def test_a_model_that_wants_something_else_refuses() -> None:
    said = predict(classifier(), LEAVING, TABLE)
    wants = structs.replace(LEAVING, takes={"age": "float64"})
    found = predicted("model", classifier(), wants, TABLE, said)
    assert "no column `age`" in found.refused


def test_one_that_gives_something_else() -> None:
    before = {"prediction": ["a", "b"], "probability": [0.2, 0.4]}
    assert "no probability" in compared("m", before, {"prediction": ["a", "b"]}, 0.0).refused
    assert (
        "1 prediction for 2 rows" in compared("m", {"prediction": [1, 2]}, {"prediction": [1]}, 0.0).refused
    )


def test_missing_predictions_are_the_same_and_labels_are_no_numbers() -> None:
    found = compared(
        "m", {"prediction": [1.0, math.nan, None]}, {"prediction": [1.0, math.nan, math.nan]}, 0.0
    )
    assert (found.beyond, found.flips) == (0, None)
    assert compared("m", {"prediction": [1.0]}, {"prediction": [None]}, 9.0).beyond == 1
    labels = compared("m", {"prediction": ["AT", "DE"]}, {"prediction": ["AT", "CH"]}, 0.0)
    assert (labels.beyond, labels.flips) == (0, 1)
    several = {"prediction_0": [1.0], "prediction_1": [2.0]}
    assert compared("m", several, {**several, "prediction_1": [2.5]}, 0.1).beyond == 1
