"""Asking a model: the same for what is installed, for golden predictions of a release, and to compare two releases.

    predict(model, leaving, table)         # a table like the one that was given, with `prediction`

A model is anything with `predict`, or that can be called. What it gives is one value, or several, for each row:

    prediction            what it says; `prediction_0`, `prediction_1`, … where it says several things of each row
    probability           of a classifier of two classes: how likely it is the second one
    probability_CLASS     of a classifier of more: how likely it is each
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from stepwell.dist.installed.given import Given, given_back, refuse_too_large, taken
from stepwell.dist.installed.kinds import kind_of
from stepwell.dist.installed.loading import leaving_of
from stepwell.dist.installed.signature import fit
from stepwell.dist.signature import probabilities
from stepwell.errors import CannotPredict, StepwellError, counted

if TYPE_CHECKING:
    import pandas as pd

    from stepwell.dist.lock import Leaving
    from stepwell.dist.releases.opened import Opened


def predicts(opened: Opened, name: str = "") -> str:
    """The output that is asked: `name`, or the one that the release says, or the only one that takes a table.

    Raises `NoSuchOutput`, `CannotPredict`.
    """
    name = name or opened.document.predict
    if name:
        return leaving_of(opened, name)[0]
    outputs = opened.lock.output
    models = [one for one, leaving in outputs.items() if leaving.takes or leaving.codec == "sklearn"]
    if len(models) == 1:
        return models[0]
    who = f"{opened.document.project} {opened.document.version}"
    raise CannotPredict(
        f"{who} has {len(models)} outputs that predict, and none was named"
        if models
        else f"{who} has no output that predicts",
        why=f"its outputs are {', '.join(models or outputs) or 'none'}",
        fixes=[f'predict(table, "{models[0]}")', '`release.predict` of its manifest says which one it is']
        if models
        else [],
    )


def predict(model: Any, leaving: Leaving, table: Any, *, units: Mapping[str, str] | None = None) -> Any:
    """What `model` says of each row of `table`, as a table of the same kind; of pandas with the same index.

    `leaving` says what the model takes, from the lock. `table` and `units` are as of `Installed.predict`.
    Raises `WrongColumns`, `WrongTypes`, `WrongUnits` before the model is asked, and `CannotPredict`.
    """
    if not callable(getattr(model, "predict", None)) and not callable(model):
        raise CannotPredict(
            f"a {type(model).__qualname__} does not predict", why="it has no `predict`, and cannot be called"
        )
    given = taken(table, text_columns(leaving))
    refuse_too_large(given.frame, leaving.takes)
    frame = fit(given, leaving, units)
    return given_back(_answer(model, leaving, frame, given), given.sort)


def text_columns(leaving: Leaving) -> list[str]:
    """The columns that a model takes as text: a file's "007" is not 7 there."""
    text = [name for name, kind in leaving.takes.items() if kind_of(kind) == "text"]
    return text + [name for name, values in leaving.categories.items() if not _are_numbers(values)]


def _are_numbers(values: tuple[str, ...]) -> bool:
    """Whether categories were numbers: then they are read as numbers from a file."""
    try:
        return all(str(int(value)) == value for value in values)
    except ValueError:
        return False


def _answer(model: Any, leaving: Leaving, frame: pd.DataFrame, given: Given) -> pd.DataFrame:
    import pandas as pd

    if not len(frame):  # most models refuse to say nothing
        columns = {
            name: pd.Series(dtype=_dtype(kind))
            for name, kind in (leaving.gives or {"prediction": "float64"}).items()
        }
        return pd.DataFrame(columns, index=given.frame.index)
    asked = frame if _wants_names(model) else frame.to_numpy()
    columns = _columns("prediction", _asked(model, "predict", asked), len(frame))
    if hasattr(model, "predict_proba") and getattr(model, "classes_", None) is not None:
        columns |= _probabilities(model, asked, len(frame))
    return pd.DataFrame(columns, index=given.frame.index)


def _dtype(kind: str) -> str:
    return {"int": "int64", "float": "float64", "bool": "bool"}.get(kind_of(kind), "object")


def _wants_names(model: Any) -> bool:
    """Whether it is given a table; scikit-learn's estimators that were fitted without names want an array."""
    return not hasattr(model, "n_features_in_") or hasattr(model, "feature_names_in_")


def _asked(model: Any, method: str, frame: Any) -> Any:
    """What the model gives. Raises `CannotPredict` for whatever it raises: it is not ours."""
    ask = getattr(model, method, None) or model
    try:
        return ask(frame)
    except (StepwellError, MemoryError):
        raise
    except Exception as error:
        text = " ".join(str(error).split())[:400]
        raise CannotPredict(
            f"the model failed on a table that has what it was trained on: {type(error).__name__}",
            why=text,
            fixes=["see that nothing is missing that was never missing in the training"],
        ) from error


def _columns(name: str, values: Any, rows: int) -> dict[str, Any]:
    """What a model gave as columns. Raises `CannotPredict` where that is not something for each row."""
    import numpy as np

    if type(values).__module__.partition(".")[0] in ("pandas", "polars") and hasattr(values, "columns"):
        columns = {str(column): np.asarray(values[column]) for column in values.columns}
    else:
        array = np.asarray(values)
        if array.ndim == 2 and array.shape[1] == 1:
            array = array[:, 0]
        if array.ndim == 2:
            columns = {f"{name}_{i}": array[:, i] for i in range(array.shape[1])}
        else:
            columns = {name: array}
    wrong = next((each for each in columns.values() if each.shape != (rows,)), None)
    if wrong is not None:
        raise CannotPredict(
            f"the model gave values of the shape {wrong.shape} for {counted(rows, 'row')}",
            why="a prediction is one value, or several, for each row",
        )
    return columns


def _probabilities(model: Any, asked: Any, rows: int) -> dict[str, Any]:
    import numpy as np

    try:
        values = np.asarray(_asked(model, "predict_proba", asked))
    except ValueError:  # one array for each of several outputs, of different widths
        return {}
    classes = list(model.classes_)
    if values.shape != (rows, len(classes)):
        return {}
    names = probabilities(classes)
    return dict(zip(names, values.T[-len(names) :], strict=True))
