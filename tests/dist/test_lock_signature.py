"""What a model wants and gives is seen from the model and the table that it learned from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

from stepwell.dist.signature import gives_of, needs_of, probabilities, signature_of
from stepwell.dist.tables import table_of


def learned() -> pd.DataFrame:
    draw = np.random.default_rng(0)
    table = pd.DataFrame({"mrr": draw.normal(9, 2, 60), "tenure": draw.integers(1, 40, 60)})
    table["plan"] = pd.Categorical(draw.choice(["a", "b"], 60), categories=["b", "a", "never"])
    table["late"] = table["mrr"] > 9
    table["class"] = draw.choice(["x", "y", "z"], 60)
    return table


def test_a_classifier() -> None:
    table = learned()
    model = HistGradientBoostingClassifier(categorical_features="from_dtype", max_iter=2)
    model.fit(table[["plan", "tenure"]], table["late"])
    found = signature_of(model, [table_of(table)])
    assert found.takes == {"plan": "category", "tenure": "int64"}
    assert found.categories == {"plan": ("b", "a", "never")}
    assert found.gives == {"prediction": "bool", "probability": "float64"}


def test_a_pipeline_of_estimators_with_three_classes() -> None:
    table = learned()
    columns = make_column_transformer((OneHotEncoder(), ["plan"]), (StandardScaler(), ["mrr"]))
    model = make_pipeline(columns, LogisticRegression()).fit(table[["plan", "mrr", "tenure"]], table["class"])
    found = signature_of(model, [table_of(table)])
    assert list(found.takes) == ["plan", "mrr", "tenure"]
    assert found.gives == {
        "prediction": "string",
        **dict.fromkeys(["probability_x", "probability_y", "probability_z"], "float64"),
    }


def test_a_regressor() -> None:
    table = learned()
    model = LinearRegression().fit(table[["tenure", "mrr"]], table["mrr"])
    assert signature_of(model, [table_of(table)]).gives == {"prediction": "float64"}


def test_a_classifier_without_probabilities() -> None:
    table = learned()
    assert gives_of(LinearSVC().fit(table[["mrr"]], table["late"])) == {"prediction": "bool"}


def test_the_first_table_that_has_all_columns_says_what_they_hold() -> None:
    table = learned()
    model = LinearRegression().fit(table[["tenure", "mrr"]], table["mrr"])
    other = table_of(pd.DataFrame({"mrr": ["text"]}))
    assert signature_of(model, [other, None, table_of(table)]).takes == {"tenure": "int64", "mrr": "float64"}
    assert signature_of(model, [other]).takes == {"tenure": "?", "mrr": "string"}
    assert signature_of(model, []).takes == {"tenure": "?", "mrr": "?"}


def test_a_model_that_knows_no_columns_takes_all_if_their_number_is_right() -> None:
    table = learned()[["mrr", "tenure"]]
    model = LinearRegression().fit(table.to_numpy(), [1.0] * 60)
    assert signature_of(model, [table_of(table)]).takes == {"mrr": "float64", "tenure": "int64"}
    assert signature_of(model, [table_of(learned())]).takes == {}


def test_a_model_of_ones_own() -> None:
    class Mean:
        def predict(self, table: pd.DataFrame) -> list[float]:
            return [1.0] * len(table)

    found = signature_of(Mean(), [table_of(learned()[["mrr"]])])
    assert (found.takes, found.gives) == ({"mrr": "float64"}, {"prediction": "?"})


def test_what_cannot_predict_has_no_signature() -> None:
    assert signature_of({"a": 1}, [table_of(learned())]) == signature_of(StandardScaler(), [])


@pytest.mark.parametrize(
    ("classes", "names"),
    [
        ([False, True], ["probability"]),
        (["a", "b", "c"], ["probability_a", "probability_b", "probability_c"]),
    ],
)
def test_names_of_probabilities(classes: list[object], names: list[str]) -> None:
    assert probabilities(classes) == names


def test_only_what_versions_change_has_needs() -> None:
    import sklearn

    wanted = (f"scikit-learn=={sklearn.__version__}",)
    assert needs_of("sklearn", LinearRegression()) == wanted
    assert needs_of("bundle", {"model": LinearRegression(), "table": learned(), "at": 0.5}) == wanted
    assert needs_of("arrow:pandas", learned()) == needs_of("json", {}) == needs_of("npy", np.zeros(3)) == ()
    assert needs_of("pickle", LinearRegression()) == wanted
