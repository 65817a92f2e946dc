"""Trainers: a fitted model, whose framework, hyperparameters and data are recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from playing import ask
from sklearn import __version__ as sklearn_version
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from stepwell.errors import TrainerBroken

X, Y = np.array([[0.0, 1], [1, 0], [2, 1], [3, 0]]), np.array([0, 0, 1, 1])


class Mean:
    """A model of one's own."""

    def predict(self, x):
        return x.mean()


class Trained(NamedTuple):
    model: Any
    history: list[float]


def test_an_estimator():
    table = pd.DataFrame(X, columns=["a", "b"])
    found = ask(
        "trainer", LogisticRegression(C=0.5).fit(table, Y), digests={"table": "b3:12"}, table=table, depth=3
    )
    told = found.document
    assert (told["framework"], told["version"], told["model"]) == (
        "scikit-learn",
        sklearn_version,
        "LogisticRegression",
    )
    assert told["hyperparameters"]["C"] == 0.5
    assert told["features"] == ["a", "b"]
    assert told["data"] == {"table": {"rows": 4, "width": 2, "columns": ["a", "b"], "digest": "b3:12"}}
    assert found.metrics == {"rows": 4.0, "columns": 2.0}


@pytest.mark.parametrize("value", [LogisticRegression(), Trained(LogisticRegression(), [0.1]), make_pipeline(StandardScaler(), LogisticRegression())])  # fmt: skip
def test_what_is_not_fitted(value):
    with pytest.raises(TrainerBroken, match=r"gave a (LogisticRegression|Pipeline) that is not fitted"):
        ask("trainer", value, x=X)


@pytest.mark.parametrize("value", [None, 0.93, "model", X, pd.DataFrame(X), {"loss": [1.0]}, [1, 2], LogisticRegression, Path("nowhere.onnx")])  # fmt: skip
def test_what_is_no_model(value):
    with pytest.raises(TrainerBroken, match="gave no model"):
        ask("trainer", value, x=X)


def test_models_among_parts_and_of_ones_own(tmp_path):
    told = ask("trainer", Trained(PCA(1).fit(X), [0.1]), x=X).document
    assert (told["model"], told["part"], told["hyperparameters"]["n_components"]) == ("PCA", "model", 1)
    assert ask("trainer", {"mean": Mean(), "seed": 3}).document["class"].endswith("Mean")
    nested = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)
    assert ask("trainer", nested).document["hyperparameters"]["standardscaler"] == "StandardScaler"
    weights = ask("trainer", {"w": np.ones((3, 2)), "b": np.ones(2)})
    assert (weights.document["framework"], weights.metrics["weights"]) == ("numpy", 8.0)
    (tmp_path / "model.onnx").write_bytes(b"1")
    assert ask("trainer", tmp_path / "model.onnx").document["model"] == ".onnx"
