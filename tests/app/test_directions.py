"""Which metrics a run is judged by, and which way they are better."""

import pytest

from stepwell.app.directions import by_interest, change, direction_of


def test_what_a_role_said_comes_first_and_constants_last():
    names = ["rows", "train/loss", "accuracy", "gain[group=a]", "gain", "score.gain"]
    ordered = by_interest(names, {"gain": "higher"})
    assert ordered == ["gain", "score.gain", "accuracy", "train/loss", "gain[group=a]", "rows"]


def test_without_words_of_roles_the_names_decide():
    assert by_interest(["columns", "train/loss", "val/rmse", "rows"]) == [
        "val/rmse",
        "train/loss",
        "columns",
        "rows",
    ]


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("auc", "higher"),
        ("val/rmse", "lower"),
        ("neg_log_loss", "higher"),
        ("rows", ""),
        ("score.f1", "higher"),
    ],
)
def test_names_that_say_a_direction(name, way):
    assert direction_of(name) == way


def test_better_and_worse():
    assert change("auc", 0.8, 0.9) == "better"
    assert change("loss", 0.8, 0.9) == "worse"
    assert change("auc", 0.8, float("nan")) == ""
