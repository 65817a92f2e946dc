"""Overrides (`--set train.depth=4`): which calls they mean, how values are read, and what hits nothing."""

import pytest

from stepwell import pipeline, step
from stepwell.author.overrides import Written
from stepwell.author.trace import attempt
from stepwell.errors import BadParameter, EdgeType, UnknownTarget


@step
def load(rows: int = 3) -> list[int]:
    return list(range(rows))


@step
def train(table: list[int], depth: int = 4, lr: float = 0.1) -> float:
    return sum(table) * lr / depth


@pipeline
def training(table: list[int], depth: int = 4) -> float:
    return train(table, depth)


@pipeline
def both(rows: int = 10) -> tuple[float, float, float]:
    table = load(rows)
    return training(table, 5), train(table), train(table)


def overridden(name, value):
    found = attempt(both, {name: value})
    assert not found.problems.errors
    return {
        node.id: dict(node.inputs)[name.rpartition(".")[2]].payload
        for node in found.graph.nodes
        if node.id.rpartition("/")[2].startswith("train") and name.rpartition(".")[2] in dict(node.inputs)
    }


def test_a_step_means_all_its_calls_and_an_id_means_one():
    assert overridden("train.depth", 9) == {"training/train": 9, "train": 9, "train[2]": 9}
    assert overridden("train[2].depth", 9) == {"training/train": 5, "train[2]": 9}
    assert overridden("train[1].depth", 9) == {"training/train": 5, "train": 9}
    assert overridden("training/train.depth", 9) == {"training/train": 9}
    assert overridden("training.depth", 9) == {"training/train": 9}


def test_what_was_written_is_read_by_the_annotation():
    assert overridden("train.lr", Written("2")) == {"training/train": 2.0, "train": 2.0, "train[2]": 2.0}
    found = attempt(both, {"train.lr": Written("2"), "rows": 4})
    assert found.graph.params == (("rows", 4, "4"), ("train.lr", 2.0, "2.0"))


def test_a_wrong_value_is_told_like_any_other():
    (wrong,) = attempt(both, {"train.depth": Written("deep")}).problems.errors
    assert isinstance(wrong, BadParameter)
    assert "`train.depth=deep`" in wrong.what
    assert all(isinstance(e, EdgeType) for e in attempt(both, {"train.depth": "deep"}).problems.errors)


def test_a_constant_in_place_of_a_result_is_noted():
    found = attempt(both, {"training/train.table": [1, 2]})
    assert not found.problems.errors
    assert found.problems.notes == [
        "`training/train` gets table=[1, 2] in place of what `load` gives (--set)"
    ]


@pytest.mark.parametrize(
    ("name", "what", "fix"),
    [
        ("trian.depth", "nothing named `trian` is called", "did you mean `train.depth`?"),
        ("train.dept", "`train` has no argument `dept`", "did you mean `train.depth`?"),
        ("train[4].depth", "nothing named `train[4]`", ""),
        ("training.lr", "`training` has no argument `lr`", ""),
    ],
)
def test_what_hits_nothing_is_an_error(name, what, fix):
    (error,) = attempt(both, {name: 3}).problems.errors
    assert isinstance(error, UnknownTarget)
    assert what in error.what
    assert not fix or fix in error.fixes
