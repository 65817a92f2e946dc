"""Roles in a run: what is recorded, how a broken contract ends, what counts in a key, what is told when planned."""

from __future__ import annotations

import json
import sqlite3

import pytest
from cli_projects import Project

PIPELINE = """
    from typing import NamedTuple
    from stepwell import pipeline, step
    from stepwell.ml import evaluator, predictor, splitter, trainer

    class Split(NamedTuple):
        train: list[int]
        test: list[int]

    @step
    def numbers(count: int) -> list[int]:
        return list(range(count))

    @splitter
    def split(values: list[int], at: int) -> Split:
        return Split(values[:at], values[5:])

    @trainer
    def train(values: list[int]) -> dict[str, list[float]]:
        return {"weights": [sum(values) / len(values)]}

    @predictor
    def predict(values: list[int]) -> list[float]:
        return [2.5 for value in values]

    @evaluator(lower="error")
    def score(values: list[int], predicted: list[float]) -> dict[str, float]:
        return {"error": sum(abs(a - b) for a, b in zip(values, predicted)) / len(values)}

    @pipeline
    def learn(count: int = 10, at: int = 5):
        parts = split(numbers(count), at)
        return score(parts.test, predict(parts.test))
"""


@pytest.fixture
def project(tmp_path):
    project = Project(tmp_path)
    project.write(PIPELINE)
    return project


def roles(project):
    """What was recorded of the roles of steps, by role."""
    with sqlite3.connect(project.root / ".stepwell" / "store.db") as store:
        rows = store.execute("select text from recorded where kind = 'role'").fetchall()
    store.close()
    return {found["role"]: found for (text,) in rows for found in [json.loads(text)]}


def test_a_run_with_roles(project):
    first = project("run", "--json").json
    assert first["metrics"] == {
        "rows[train]": 5,
        "rows[test]": 5,
        "predictions": 5,
        "mean": 2.5,
        "error": 4.5,
    }
    found = roles(project)
    assert found["evaluator"]["directions"] == {"error": "lower"}
    assert found["splitter"]["parts"] == {"train": 5, "test": 5}
    described = project("describe", "--json").json["steps"]
    assert [step["checks"]["role"] for step in described if step["step"] == "score"] == [
        {"name": "evaluator", "options": {"lower": ["error"]}}
    ]
    assert "lower=['error']" in project("describe").out
    again = project("run", "--json").json
    assert again["counts"]["cached"] == 4
    assert again["metrics"] == first["metrics"]


def test_a_broken_contract(project):
    failed = project("run", "at=6", "--json", code=1)
    error = failed.steps["split"]["error"]
    assert error["code"] == "E532"
    assert "row 5 of `train` is row 0 of `test` (5)" in error["what"]
    assert json.loads(project("get", "last", "split.train").out) == [0, 1, 2, 3, 4, 5]
    project.edit("values[5:]", "values[at:]")
    assert project("run", "at=6", "--json").json["status"] == "succeeded"


def test_a_role_counts_in_the_key(project):
    project.edit("@splitter", "@step")
    project.edit('@evaluator(lower="error")', "@step")
    project("run")
    project.edit("@step\ndef split", "@splitter\ndef split")
    planned = project("plan", "--json").decisions
    assert planned["numbers"] == "cached"
    assert planned["split"] == "run"
    why = project("why", "split").out
    assert "role" in why


@pytest.mark.parametrize("how", [["--in-process"], ["--jobs", "2"]])
def test_engines_record_the_same(project, how):
    project("run", *how)
    assert roles(project)["predictor"]["means"] == {"": 2.5}


def test_annotations_are_told_when_planned(project):
    project.edit("-> dict[str, float]:", "-> float:")
    project.edit("-> dict[str, list[float]]:", "-> set[str]:")
    project.edit("@trainer", "@tokenizer")
    project.edit("import evaluator", "import tokenizer, evaluator")
    project.edit("    return score(", "    train(parts.train)\n    return score(")
    told = project("plan", code=3).err
    assert "the evaluator `score` is declared to return `float`" in told
    assert "the tokenizer `train` is declared to return `set[str]`" in told
    assert "E531" in told
    project("plan", "-x", "roles")
