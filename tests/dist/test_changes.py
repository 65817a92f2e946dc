"""What changed between two locks, in lines for people."""

from __future__ import annotations

from msgspec import structs

from stepwell.dist.changes import told
from stepwell.dist.lock import Data, Environment, Lock, Output, Pipeline, Step, differences

FILES = {"1.csv": "3 b3:1", "2.csv": "3 b3:2"}
DATA = Data(source="x/*.csv", size=6, rows=4, bytes="b3:a", content="c1:a", units={"t": "min"}, files=FILES)
STEP = Step(code="c", output={"result": Output(codec="json", size=1, bytes="b3:r")})
LOCK = Lock(data={"x": DATA}, pipeline={"p": Pipeline(metrics={"s.auc": 0.5}, step={"s": STEP, "t": STEP})})


def lines(**changed: object) -> list[str]:
    """What is told of data of which some facts are changed."""
    return told(differences(LOCK, structs.replace(LOCK, data={"x": structs.replace(DATA, **changed)})))


def test_digests_are_told_only_where_nothing_else_is() -> None:
    assert lines(bytes="b3:b", content="c1:b", size=7) == ["data.x: other content"]
    assert lines(bytes="b3:b", content="c1:b", rows=5) == ["data.x.rows: 4 is now 5"]


def test_columns_with_other_values_are_named_together() -> None:
    quantiles = {"t": [1.0, 2.0], "u": [1.0, 2.0]}
    before = structs.replace(LOCK, data={"x": structs.replace(DATA, quantiles=quantiles)})
    moved = structs.replace(DATA, quantiles={"t": [1.0, 3.0], "u": [1.0, 4.0]}, content="c1:b")
    assert told(differences(before, structs.replace(LOCK, data={"x": moved}))) == [
        "data.x: other values of t, u"
    ]


def test_another_environment_is_told() -> None:
    first = structs.replace(LOCK, environment=Environment(pylock="a"))
    other = structs.replace(LOCK, environment=Environment(pylock="b"))
    assert told(differences(first, other)) == ["environment: another `pylock.toml`"]


def test_files_are_named_together() -> None:
    files = {"1.csv": "3 b3:9", "3.csv": "3 b3:3", "4.csv": "3 b3:4"}
    assert lines(files=files, bytes="b3:b") == [
        "data.x: changed: 1.csv", "data.x: gone: 2.csv", "data.x: new: 3.csv, 4.csv",
    ]  # fmt: skip


def test_what_a_person_said_is_told_in_full() -> None:
    assert lines(units={"t": "s"}) == ["data.x.units.t: min is now s"]


def test_results_are_told_by_their_steps() -> None:
    other = structs.replace(STEP, output={"result": Output(codec="json", size=2, bytes="b3:q")})
    pipeline = Pipeline(metrics={"s.auc": 0.6}, step={"s": other, "t": structs.replace(STEP, code="d")})
    assert told(differences(LOCK, structs.replace(LOCK, pipeline={"p": pipeline}))) == [
        "pipeline.p.metrics.s.auc: 0.5 is now 0.6", "pipeline.p: other results of s", "pipeline.p: other code of t",
    ]  # fmt: skip
