"""The decorators of roles: options, what stands in the step's definition, and what annotations tell."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd
import pytest

from stepwell.errors import BadOption, BadRole, BadStep
from stepwell.kernel.graph import Constant, StepDef
from stepwell.kernel.ports import Outside, Task
from stepwell.ml import evaluator, misfits, predictor, preprocessor, splitter, tokenizer, trainer
from stepwell.worker import roles
from stepwell.worker.roles import plain, role_of, spelled

ROLES = {one.__name__: one for one in (evaluator, predictor, preprocessor, splitter, tokenizer, trainer)}


def given(table, depth=1):
    return table


@pytest.mark.parametrize("name", ROLES)
def test_with_and_without_options(name):
    bare, called = ROLES[name](given), ROLES[name](cpus=2, tags=["slow"])(given)
    assert (bare.settings.role, called.settings.role) == (name, name)
    assert called.settings.cpus == 2
    assert called.options(cpus=3).named("x").settings.role == name
    assert bare(7) == 7
    assert "E53" in (ROLES[name].__doc__ or "")


def test_the_options_of_roles():
    made = splitter(by="customer", key=["a", "b"], folds=True, duplicates=False, ttl="1h")(given)
    assert role_of(made.settings.role) == ("splitter", {"by": ["customer"], "key": ["a", "b"], "folds": True})
    assert made.settings.ttl == 3600
    assert role_of(predictor(rows="table")(given).settings.role).options == {"rows": "table"}
    assert role_of(evaluator(slices={"b", "a"})(given).settings.role).options == {"slices": ["a", "b"]}
    assert spelled("trainer", {}) == "trainer"
    assert evaluator(asyncio.sleep).settings.role == "evaluator"


@pytest.mark.parametrize(
    ("role", "options", "error", "told"),
    [
        (splitter, {"by": 3}, BadOption, "`by=3` is not a name"),
        (splitter, {"folds": "yes"}, BadOption, "is not True or False"),
        (splitter, {"keys": "id"}, BadOption, "a step has no option `keys`"),
        (trainer, {"by": "id"}, BadOption, "no option `by`"),
        (predictor, {"rows": 3}, BadOption, "is not the name of an argument"),
        (predictor, {"rows": "tabel"}, BadRole, "has no argument `tabel`"),
        (
            evaluator,
            {"higher": "auc", "lower": ["auc"]},
            BadRole,
            "`auc` is named by `higher=` and by `lower=`",
        ),
    ],
)
def test_wrong_options(role, options, error, told):
    with pytest.raises(error, match=told):
        role(**options)(given)


def test_what_cannot_have_a_role():
    with pytest.raises(BadStep, match="is a step already"):
        trainer(splitter(given))
    with pytest.raises(BadStep, match="on the class"):
        trainer(dict)


class One(NamedTuple):
    train: pd.DataFrame


class Two(NamedTuple):
    train: pd.DataFrame
    test: pd.DataFrame


@dataclass
class Quality:
    auc: float
    note: str


@pytest.mark.parametrize(
    ("role", "returns", "fits"),
    [
        ("splitter", Two, True),
        ("splitter", tuple[pd.DataFrame, pd.DataFrame], True),
        ("splitter", dict[str, pd.DataFrame], True),
        ("splitter", One, False),
        ("splitter", pd.DataFrame, False),
        ("splitter", int, False),
        ("tokenizer", dict[str, int], True),
        ("tokenizer", set[str], False),
        ("preprocessor", pd.DataFrame, True),
        ("preprocessor", type(None), False),
        ("trainer", object, True),
        ("trainer", pd.DataFrame, False),
        ("trainer", float, False),
        ("evaluator", dict[str, float], True),
        ("evaluator", Mapping[str, float | dict[str, float]], True),
        ("evaluator", Quality, False),
        ("evaluator", dict[str, str], False),
        ("evaluator", tuple[float, float], False),
        ("evaluator", list[float], False),
        ("predictor", list[float], True),
        ("predictor", float, False),
        ("trainer", Any, True),
        ("evaluator", None, True),
    ],
)
def test_annotations(role, returns, fits):
    found = list(misfits(role, "it", returns, "pipeline.py:3"))
    assert not found if fits else [error.where for error in found] == ["pipeline.py:3"]


def test_digests_of_what_a_step_is_given():
    step = StepDef("it", "m", "it", role="trainer")
    inputs = (("depth", Constant(3, "3")), ("table", Outside("flights", "f.csv", "", (), "b3:1")))
    assert roles.begin(Task(0, "it", "key", step._replace(role=""), inputs), {}) is None
    playing = roles.begin(Task(0, "it", "key", step, inputs), {"depth": 3, "table": [1, 2]})
    assert playing._taken.data["table"]["digest"] == "b3:1"


def test_documents_are_plain():
    told = plain({"nan": float("nan"), 3: {1, 2}, "f": given, "kind": dict, "text": "x" * 500})
    assert told == {"nan": "nan", "3": [1, 2], "f": "given", "kind": "dict", "text": "x" * 200}
