"""A trainer: it gives a fitted model, alone or as one part of what it gives.

A model is an object with `predict`, one of a framework that is known here, or a file or folder that holds one. What
is not fitted is refused where its framework can say so. Recorded are framework and version, class, hyperparameters
and what it was trained on: rows, columns and digest of each table among the arguments.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from stepwell.errors import TrainerBroken
from stepwell.worker.roles import Found, Given
from stepwell.worker.roles.values import kind, parts_of, table_of, tables_in

FRAMEWORKS = {
    "xgboost": "xgboost",
    "lightgbm": "lightgbm",
    "catboost": "catboost",
    "transformers": "transformers",
    "keras": "keras",
    "torch": "torch",
    "tensorflow": "tensorflow",
    "statsmodels": "statsmodels",
    "spacy": "spacy",
    "jax": "jax",
    "flax": "flax",
    "prophet": "prophet",
    "sklearn": "scikit-learn",
}
"""By package of a class, or of one that it inherits from, what its framework is called; the first that fits."""

MODELS = ("predict", "predict_proba", "transform", "kneighbors")
"""What fitted models can be asked."""

COLUMNS = 200
"""Names of columns that are recorded of a table."""


class Taken(NamedTuple):
    """What a trainer was given: by argument the rows, columns and digest of each table."""

    step: str
    data: Mapping[str, Mapping[str, Any]]
    rows: int
    width: int


class Model(NamedTuple):
    """A model that was found in what a step gave."""

    name: str
    value: Any
    framework: str


def taken(given: Given) -> Taken:
    """See `worker.roles`."""
    data = {}
    rows = width = 0
    for name, table in tables_in(given.values).items():
        digest = given.digests.get(name.partition(".")[0], "")
        data[name] = {
            "rows": table.rows,
            "width": table.width,
            "columns": list(table.columns[:COLUMNS]),
            "digest": digest,
        }
        if table.rows * table.width > rows * width:
            rows, width = table.rows, table.width
    return Taken(given.step, data, rows, width)


def judged(before: Taken, value: Any) -> Found:
    """See `worker.roles`. Raises `TrainerBroken`."""
    models = [
        model for name, part in [("", value), *_parts(value)] if (model := _model(name, part)) is not None
    ]
    if not models:
        raise TrainerBroken(
            f"step `{before.step}` gave no model: what it returned is {kind(value)}",
            why="a trainer gives an object with `predict`, or a file that holds a model",
            fixes=["return the fitted model, alone or in a tuple", "use `@step` for what is no training"],
        )
    for model in models:
        if wrong := is_unfitted(model.value):
            raise TrainerBroken(
                f"step `{before.step}` gave a {type(model.value).__qualname__} that is not fitted",
                why=wrong,
                fixes=[
                    "call `fit` before it is returned",
                    "return what `fit` gives, not the estimator it was called on",
                ],
            )
    told = [_told(model) for model in models]
    metrics = {"rows": float(before.rows), "columns": float(before.width)} if before.data else {}
    if (weights := _weights(models[0].value)) is not None:
        told[0]["weights"] = weights
        metrics["weights"] = float(weights)
    more = {"others": told[1:]} if told[1:] else {}
    return Found({**told[0], "data": before.data, **more}, metrics)


def _parts(value: Any) -> list[tuple[str, Any]]:
    """The parts among which a model is looked for: not those of a table, nor of a model itself."""
    return parts_of(value) if table_of(value) is None or isinstance(value, list) else []


def _model(name: str, value: Any) -> Model | None:
    """The model that a value is; None where it is none."""
    if isinstance(value, type) or table_of(value) is not None or _is_tensor(value):
        return None
    framework = _framework(value)
    if framework or any(callable(getattr(value, ask, None)) for ask in MODELS):
        return Model(name, value, framework or type(value).__module__.partition(".")[0])
    if isinstance(value, os.PathLike) and _holds_something(Path(value)):
        return Model(name, value, "file")
    if isinstance(value, Mapping) and value and all(_is_tensor(one) for one in value.values()):
        return Model(name, value, type(next(iter(value.values()))).__module__.partition(".")[0])
    return None


def _framework(value: Any) -> str:
    """What the framework of a model is called; "" of an object that is of none, or can do nothing."""
    bases = [base.__module__.partition(".")[0] for base in type(value).__mro__]
    known = [package for package in FRAMEWORKS if package in bases]
    asked = ("fit", "forward", "predict", "state_dict", "pipe", "apply", *MODELS)
    return FRAMEWORKS[known[0]] if known and any(hasattr(value, name) for name in asked) else ""


def _is_tensor(value: Any) -> bool:
    return hasattr(value, "shape") and hasattr(value, "dtype") and not hasattr(value, "predict")


def _holds_something(path: Path) -> bool:
    if path.is_dir():
        return any(path.iterdir())
    return path.is_file() and path.stat().st_size > 0


def is_unfitted(value: Any) -> str:
    """Why a model is not fitted, as far as its framework says so; "" where it is, or cannot say."""
    sklearn = sys.modules.get("sklearn.base")
    if sklearn is not None and isinstance(value, sklearn.BaseEstimator):
        from sklearn.exceptions import NotFittedError
        from sklearn.utils.validation import check_is_fitted

        try:
            check_is_fitted(value)
        except NotFittedError:
            return "scikit-learn finds none of the attributes that `fit` sets"
        except TypeError:  # an estimator without `fit`
            return ""
        return ""
    for name in ("is_fitted", "is_fitted_"):
        asked = getattr(value, name, None)
        said = asked() if callable(asked) else asked
        if said is False:
            return f"its own `{name}` says so"
    if any(
        f"{base.__module__}.{base.__qualname__}" == "statsmodels.base.model.Model"
        for base in type(value).__mro__
    ):
        return "with statsmodels the model is what `fit` returns"
    if getattr(value, "built", None) is False and hasattr(value, "count_params"):
        return "it was never built: keras makes the weights of a model when it first sees data"
    return ""


# --------------------------------------------------------------------------- what is recorded


def _told(model: Model) -> dict[str, Any]:
    """What is recorded of a model."""
    value = model.value
    kind = type(value)
    told: dict[str, Any] = {"framework": model.framework, "version": "", "model": kind.__qualname__}
    if model.framework == "file":
        told["model"] = Path(value).suffix or "folder"
    else:
        told["class"] = f"{kind.__module__}.{kind.__qualname__}"
        told["version"] = _version(model.framework, kind.__module__.partition(".")[0])
        told["hyperparameters"] = _hyperparameters(value)
    if model.name:
        told["part"] = model.name
    names = getattr(value, "feature_names_in_", None)
    if names is not None:
        told["features"] = [str(name) for name in list(names)[:COLUMNS]]
    return told


def _version(framework: str, package: str) -> str:
    """The version of the library whose model it is, as the module says it; "" where it does not."""
    own = next((name for name, title in FRAMEWORKS.items() if title == framework), package)
    return str(getattr(sys.modules.get(own), "__version__", ""))


def _hyperparameters(value: Any) -> dict[str, Any]:
    """What a model was told to be: plain values, and the class's name of others."""
    for ask in (_of_estimator, _of_booster, _of_xgboost, _of_catboost):
        found = ask(value)
        if found:
            return {
                str(name): _plain(one) for name, one in sorted(found.items(), key=lambda pair: str(pair[0]))
            }
    return {}


def _of_estimator(value: Any) -> Mapping[str, Any]:
    ask = getattr(value, "get_params", None)
    if not callable(ask):
        return {}
    try:
        found = ask(deep=True)
    except Exception:  # an estimator of one's own whose `__init__` renames its arguments  # noqa: BLE001
        return {}
    return found if isinstance(found, Mapping) else {}


def _of_booster(value: Any) -> Mapping[str, Any]:
    found = getattr(value, "params", None)
    return found if isinstance(found, Mapping) else {}


def _of_xgboost(value: Any) -> Mapping[str, Any]:
    """What a booster of XGBoost was trained with: the groups of its configuration that say so."""
    ask = getattr(value, "save_config", None)
    if not callable(ask):
        return {}
    found: dict[str, Any] = {}
    todo: list[Any] = [json.loads(ask())]
    while todo:
        for name, one in todo.pop().items():
            if isinstance(one, dict):
                todo.append(one)
                found.update(one if name.endswith("train_param") else {})
    return {name: one for name, one in found.items() if not isinstance(one, dict)}


def _of_catboost(value: Any) -> Mapping[str, Any]:
    ask = getattr(value, "get_all_params", None)
    return ask() if callable(ask) else {}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple) and len(value) <= 50:
        return [_plain(one) for one in value]
    if isinstance(value, Mapping) and len(value) <= 50:
        return {str(name): _plain(one) for name, one in value.items()}
    if hasattr(value, "item") and not getattr(value, "ndim", 0):
        return value.item()
    return getattr(value, "__qualname__", type(value).__qualname__)


def _weights(value: Any) -> int | None:
    """How many weights a network has; None of what is none."""
    if hasattr(value, "parameters") and hasattr(value, "state_dict"):
        return sum(int(one.numel()) for one in value.parameters())
    if hasattr(value, "count_params") and getattr(value, "built", False):
        return int(value.count_params())
    if isinstance(value, Mapping):
        return sum(int(getattr(one, "size", 0) if not callable(getattr(one, "size", 0)) else one.numel()) for one in value.values())  # fmt: skip
    return None
