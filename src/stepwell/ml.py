"""Steps with a role in learning: `from stepwell.ml import splitter, trainer, evaluator, predictor`.

    @splitter(by="customer")
    def split(table: pd.DataFrame) -> Split: ...

    @trainer
    def train(table: pd.DataFrame, depth: int) -> RandomForestClassifier: ...

    @evaluator(higher="auc", slices="country")
    def score(predictions: pd.DataFrame) -> dict[str, float]: ...

Each is `@step`, with its options, and a contract more: what the function returns is judged in the worker, and a step that
breaks its contract fails with a code of its own (E532 to E537), after which `stepwell get` shows what was refused. What a role
finds (sizes, framework and hyperparameters, named numbers) is recorded by itself, as metrics and with the result.
Called outside of a pipeline such a function is just the function: nothing is judged.

A role and its options count in the step's key.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar, Unpack, get_origin, overload

from stepwell.author.annotations import plain, shape_of, show
from stepwell.author.options import StepOptions, bad, checked
from stepwell.author.steps import Decorator, Step, step_of
from stepwell.author.where import user_line
from stepwell.errors import BadRole, nearest
from stepwell.worker.roles import role_of, spelled

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")


class SplitterOptions(StepOptions, total=False):
    """The options of `splitter` as keywords, for type checkers."""

    key: str | Sequence[str]
    by: str | Sequence[str]
    duplicates: bool
    folds: bool


class EvaluatorOptions(StepOptions, total=False):
    """The options of `evaluator` as keywords, for type checkers."""

    higher: str | Sequence[str]
    lower: str | Sequence[str]
    slices: str | Sequence[str]


class PredictorOptions(StepOptions, total=False):
    """The options of `predictor` as keywords, for type checkers."""

    rows: str
    missing: bool


@overload
def splitter(function: Callable[P, Coroutine[Any, Any, S]], /) -> Step[P, S]: ...
@overload
def splitter(function: Callable[P, R], /) -> Step[P, R]: ...
@overload
def splitter(**options: Unpack[SplitterOptions]) -> Decorator: ...
def splitter(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """A step that splits data into parts: no part is empty, and no row is in more than one of them.

    It returns at least two parts: a tuple, list, dict, named tuple or dataclass of tables, arrays or lists; a part may
    itself be a tuple of such that lie side by side, `((X_train, y_train), (X_test, y_test))`. Rows are the same where all
    that is in them is; rows that were equal in the data already may be in several parts, and a note counts them.

    key         columns that tell rows apart: no value of them is in two parts
    by          columns of groups that stay together, a customer or a patient: none is in two parts
    duplicates  True: equal rows are different ones, and are not compared
    folds       True: what is returned are folds, each with parts of its own

    Recorded: `rows[train]` and so on; a note where rows of the input are in no part. Raises `BadOption`, `BadRole`; a
    run fails with `SplitBroken` (E532).
    """
    return _in_role(
        "splitter", function, options, {"key": _names, "by": _names, "duplicates": _flag, "folds": _flag}
    )


@overload
def tokenizer(function: Callable[P, Coroutine[Any, Any, S]], /) -> Step[P, S]: ...
@overload
def tokenizer(function: Callable[P, R], /) -> Step[P, R]: ...
@overload
def tokenizer(**options: Unpack[StepOptions]) -> Decorator: ...
def tokenizer(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """A step that makes a tokenizer: it has a vocabulary, and encodes the same text in the same way.

    It returns, alone or as one part of a tuple or dict, a dict of tokens and ids (either way around), a list of
    tokens, or an object with a vocabulary (`vocab_size`, `get_vocab_size()`, `vocabulary_`). It is not empty, and each id stands
    for one token. A set is refused: its order is another in every process. An object that encodes is asked twice for some
    of the texts that the step was given.

    Recorded: `vocabulary`, its size. Raises `BadOption`, `BadRole`; a run fails with `TokenizerBroken` (E533).
    """
    return _in_role("tokenizer", function, options, {})


@overload
def preprocessor(function: Callable[P, Coroutine[Any, Any, S]], /) -> Step[P, S]: ...
@overload
def preprocessor(function: Callable[P, R], /) -> Step[P, R]: ...
@overload
def preprocessor(**options: Unpack[StepOptions]) -> Decorator: ...
def preprocessor(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """A step that prepares data: it returns tables or arrays, none without rows, and fitted transformers beside them.

    What it learns from data (means, categories) it should learn from what a model is trained on alone, which cannot be judged
    here: give it the parts of a splitter.

    Recorded: `rows`, `columns` and `missing` (values) of what it returns, with `_before` of what it is given, and by
    column in the result. Raises `BadOption`, `BadRole`; a run fails with `PreprocessorBroken` (E534).
    """
    return _in_role("preprocessor", function, options, {})


@overload
def trainer(function: Callable[P, Coroutine[Any, Any, S]], /) -> Step[P, S]: ...
@overload
def trainer(function: Callable[P, R], /) -> Step[P, R]: ...
@overload
def trainer(**options: Unpack[StepOptions]) -> Decorator: ...
def trainer(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """A step that trains a model: it returns a fitted one, alone or as one part of a tuple, dict or named tuple.

    A model is what has `predict`, what a known framework made (scikit-learn, XGBoost, LightGBM, CatBoost, PyTorch, Keras,
    statsmodels and others), weights by name, or the `Path` of a file or folder that holds one. An estimator that is not
    fitted is refused.

    Recorded: framework and version, class, hyperparameters, and of each table that it is given rows, columns and
    digest; `rows`, `columns` and, of a network, `weights` as metrics. Raises `BadOption`, `BadRole`; a run fails with
    `TrainerBroken` (E535).
    """
    return _in_role("trainer", function, options, {})


@overload
def evaluator(function: Callable[P, Coroutine[Any, Any, S]], /) -> Step[P, S]: ...
@overload
def evaluator(function: Callable[P, R], /) -> Step[P, R]: ...
@overload
def evaluator(**options: Unpack[EvaluatorOptions]) -> Decorator: ...
def evaluator(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """A step that judges a model: it returns named numbers, all finite, which are the metrics of the run.

    It returns a dict, named tuple or dataclass of numbers. In place of a number may stand a dict of them, by slice:
    `{"auc": {"AA": 0.9}}` is `auc[AA]`, `{"carrier": {"AA": {"auc": 0.9}}}` is `auc[carrier=AA]`.

    higher, lower  names of metrics of which more, or less, is better: comparisons say so
    slices         columns: the function is called again for the rows of each value, at most 50, of all tables that
                   are as long as the one with the column; `auc[carrier=AA]` is what it gives there

    Recorded: each number as a metric, and the directions. Raises `BadOption`, `BadRole`; a run fails with
    `EvaluatorBroken` (E536).
    """
    return _in_role("evaluator", function, options, {"higher": _names, "lower": _names, "slices": _names})


@overload
def predictor(function: Callable[P, Coroutine[Any, Any, S]], /) -> Step[P, S]: ...
@overload
def predictor(function: Callable[P, R], /) -> Step[P, R]: ...
@overload
def predictor(**options: Unpack[PredictorOptions]) -> Decorator: ...
def predictor(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """A step that predicts: it returns as many rows as a table that it is given, and none of them without a value.

    It returns a table, an array or a list, or a tuple or dict of them. Of a table, the predictions are the columns that
    the given table has not.

    rows     the argument whose rows get predictions; without it any table among the arguments may be the one
    missing  True: predictions may be missing (None, NaN)

    Recorded: `predictions`, how many there are, and `mean` or `mean[column]`; the counts of labels in the result. Raises
    `BadOption`, `BadRole`; a run fails with `PredictorBroken` (E537).
    """
    return _in_role("predictor", function, options, {"rows": _argument, "missing": _flag})


# --------------------------------------------------------------------------- options


Check = Callable[[str, str, object], Any]
"""Checks an option: the role, the option's name, its value. Gives it as plain data; raises `BadOption`."""


def _names(role: str, name: str, value: object) -> list[str]:
    items = (value,) if isinstance(value, str) else value
    if isinstance(items, list | tuple | set | frozenset) and all(
        isinstance(one, str) and one for one in items
    ):
        return sorted(set(items)) if isinstance(items, set | frozenset) else list(dict.fromkeys(items))
    raise bad(name, value, "a name, or a list of names", f'@{role}({name}="id")')


def _flag(role: str, name: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise bad(name, value, "True or False", f"@{role}({name}=True)")


def _argument(role: str, name: str, value: object) -> str:
    if isinstance(value, str) and value.isidentifier():
        return value
    raise bad(name, value, "the name of an argument", f'@{role}({name}="table")')


def _in_role(
    name: str, function: Callable[..., Any] | None, given: Mapping[str, Any], checks: Mapping[str, Check]
) -> Any:
    """A step with a role, or what makes one of a function. Raises `BadOption`, `BadRole`, `BadStep`."""
    own = {option: check(name, option, given[option]) for option, check in checks.items() if option in given}
    both = set(own.get("higher", ())) & set(own.get("lower", ()))
    if both:
        raise BadRole(
            f"`{min(both)}` is named by `higher=` and by `lower=`",
            why="either more of it is better, or less",
            fixes=["name it once"],
            where=user_line(),
        )
    settings = checked({option: value for option, value in given.items() if option not in own})
    settings = settings._replace(role=spelled(name, own))

    def made(real: Callable[..., Any]) -> Step[Any, Any]:
        step = step_of(real, settings)
        _refuse_unknown(step, own.get("rows", ""))
        return step

    return made if function is None else made(function)


def _refuse_unknown(step: Step[Any, Any], argument: str) -> None:
    """Raises `BadRole` where a function has no such argument."""
    known = list(inspect.signature(step.function).parameters)
    if argument and argument not in known:
        near = nearest(argument, known)
        raise BadRole(
            f"`{step.__name__}` has no argument `{argument}`",
            why=f"@predictor(rows={argument!r}) says whose rows get predictions",
            fixes=[f"did you mean `{near}`?" if near else f"its arguments are: {', '.join(known) or 'none'}"],
            where=user_line(),
        )


# --------------------------------------------------------------------------- what annotations tell


_SCALARS = (bool, int, float, complex, str, bytes, type(None))

_GIVES = {
    "splitter": "at least two parts: a tuple, a named tuple or a dict of tables",
    "tokenizer": "a vocabulary: a dict of tokens and ids, a list of tokens, or a tokenizer",
    "preprocessor": "tables or arrays",
    "trainer": "a fitted model, alone or in a tuple",
    "evaluator": "named numbers: `dict[str, float]`, a named tuple or a dataclass",
    "predictor": "a prediction for each row: a table, an array or a list",
}


def misfits(role: str, step: str, returns: object, where: str) -> Iterator[BadRole]:
    """What is wrong with a step's return annotation for its role (`StepDef.role`), as far as that can be told before it runs."""
    name = role_of(role).name
    if returns is None:
        return
    kind = plain(returns)
    if kind in (Any, object) or isinstance(kind, TypeVar | str | typing.ForwardRef):
        return
    wrong = kind in _SCALARS or _FITS[name](kind)
    if wrong:
        told = "None" if kind is type(None) else show(returns)
        yield BadRole(
            f"the {name} `{step}` is declared to return `{told}`",
            why=f"a {name} gives {_GIVES[name]}".replace("a evaluator", "an evaluator"),
            fixes=[
                "correct the annotation, or what it returns",
                "or make it a `@step`, of which nothing is asked",
            ],
            where=where,
        )


def _is_no_split(kind: Any) -> bool:
    shape = shape_of(kind)
    if shape is not None:
        return len(shape.names) < 2
    return _is_table(kind) or get_origin(kind) in (set, frozenset)


def _is_no_evaluation(kind: Any) -> bool:
    shape = shape_of(kind)
    if shape is not None:
        return shape.kind == "tuple" or any(
            plain(one) in (str, bytes, bool, type(None)) for one in shape.types
        )
    arguments = typing.get_args(kind)
    if get_origin(kind) in (dict, Mapping) and len(arguments) == 2:
        return plain(arguments[1]) in (str, bytes, bool, type(None))
    return _is_table(kind) or (get_origin(kind) or kind) in (list, set, tuple)


def _is_table(kind: Any) -> bool:
    """Whether a class is one of tables or arrays."""
    cls = get_origin(kind) or kind
    packages = ("pandas", "polars", "pyarrow", "numpy")
    return isinstance(cls, type) and cls.__module__.partition(".")[0] in packages


_FITS: Mapping[str, Callable[[Any], bool]] = {
    "splitter": _is_no_split,
    "tokenizer": lambda kind: (get_origin(kind) or kind) in (set, frozenset),
    "preprocessor": lambda kind: False,
    "trainer": _is_table,
    "evaluator": _is_no_evaluation,
    "predictor": lambda kind: False,
}
"""By role whether a type, which is neither a scalar nor unknown, is surely nothing for it."""

__all__ = ["evaluator", "predictor", "preprocessor", "splitter", "tokenizer", "trainer"]
