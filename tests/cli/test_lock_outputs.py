"""What leaves a pipeline under the names of the manifest, and its signature."""

from __future__ import annotations

import contextlib
import sqlite3
import tomllib

import pytest
from cli_projects import Project

from stepwell.app.leaving import Place, place_of
from stepwell.author.manifest import Output
from stepwell.errors import OutputNotMade
from stepwell.kernel.graph import FromStep, Graph, Node, OutputDef, Pack, StepDef

MANIFEST = """
    [data.customers]
    source = "customers.csv"
    key = { id = "crm.customer" }
    units = { mrr = "EUR/month" }

    [outputs.model]
    step = "fit"
    gates = ["auc >= 0.5"]

    [outputs.scores]
    key = { id = "crm.customer" }
    units = { probability = "1" }
    pipeline = "main"

    [outputs.small]
    step = "split.small"

    [outputs.elsewhere]
    step = "fut"
"""

PIPELINE = """
    from typing import NamedTuple

    import pandas as pd
    from sklearn.linear_model import LogisticRegression
    from stepwell import log, pipeline, source, step

    customers = source("customers.csv", pd.DataFrame)
    FEATURES = ["plan", "mrr"]

    class Split(NamedTuple):
        small: pd.DataFrame
        large: pd.DataFrame

    @step
    def split(table: pd.DataFrame) -> Split:
        table = table.astype({"plan": "category"})
        return Split(table.head(3).reset_index(drop=True), table)

    @step
    def fit(table: pd.DataFrame) -> LogisticRegression:
        model = LogisticRegression().fit(table[["mrr"]], table["late"])
        log.metric("auc", 0.75)
        return model

    @step
    def scores(model: LogisticRegression, table: pd.DataFrame) -> pd.DataFrame:
        return table[["id"]].assign(probability=model.predict_proba(table[["mrr"]])[:, 1])

    @pipeline
    def main():
        small, large = split(customers())
        return scores(fit(large), large)

    @pipeline
    def other():
        return split(customers())
"""


@pytest.fixture(scope="module")
def churn(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that was run and locked once for all tests that only look."""
    found = Project(tmp_path_factory.mktemp("churn"))
    found.write(PIPELINE)
    found.write(MANIFEST, "stepwell.toml")
    rows = [f"{n},{n % 7},{'abc'[n % 3]},{n % 2}" for n in range(200)]
    found.write("\n".join(["id,mrr,plan,late", *rows, ""]), "customers.csv")
    found("run", "main", "--lock")
    return found


def lock(project: Project) -> dict:
    return tomllib.loads((project.root / "stepwell.lock").read_text("utf-8"))


def test_a_model_leaves_with_its_signature(churn: Project) -> None:
    model = lock(churn)["output"]["model"]
    assert (model["pipeline"], model["step"], model["codec"]) == ("main", "fit", "sklearn")
    assert model["takes"] == {"mrr": "int64"}
    assert model["gives"] == {"prediction": "int64", "probability": "float64"}
    assert model["units"] == {"mrr": "EUR/month"}
    assert [need.partition("==")[0] for need in model["needs"]] == ["scikit-learn"]


def test_a_table_leaves_with_its_columns(churn: Project) -> None:
    found = lock(churn)
    scores = found["output"]["scores"]
    assert scores["step"] == "scores"
    assert scores["gives"] == {"id": "int64", "probability": "float64"}
    assert scores["units"] == {"probability": "1"}
    assert scores["key"] == {"id": "crm.customer"}
    assert scores["content"] == found["pipeline"]["main"]["step"]["scores"]["output"]["result"]["content"]
    assert "needs" not in scores


def test_one_of_several_outputs_leaves(churn: Project) -> None:
    found = lock(churn)
    small = found["output"]["small"]
    assert (small["step"], small["part"]) == ("split", "small")
    assert small["gives"]["plan"] == "category"
    assert small["bytes"] == found["pipeline"]["main"]["step"]["split"]["output"]["small"]["bytes"]


def test_every_table_has_its_content(churn: Project) -> None:
    steps = lock(churn)["pipeline"]["main"]["step"]
    contents = {
        name: [one.get("content", "")[:3] for one in step["output"].values()] for name, step in steps.items()
    }
    assert contents == {"split": ["c1:", "c1:"], "fit": [""], "scores": ["c1:"]}


def test_an_output_that_nothing_makes_is_said(churn: Project) -> None:
    told = churn("lock", "main")
    assert (
        "note: output `elsewhere` is not locked: the step `fut` is not in `main`; did you mean `fit`?"
        in told.err
    )
    assert told.out == "stepwell.lock says so already\n"


def test_other_pipelines_leave_outputs_as_they_were(churn: Project) -> None:
    before = lock(churn)["output"]
    told = churn("run", "other", "--lock").err
    assert lock(churn)["output"] == before
    assert "output `small` stays that of `main`, and `other` makes it, too" in told
    assert "`model`" not in told


def test_what_was_looked_at_is_remembered(churn: Project) -> None:
    """A table is read once, and a model loaded once, as long as they are what they are."""
    kinds = ("data-facts 1", "source-content 2", "artifact-content 1", "signature 1")
    database = next((churn.root / ".stepwell").glob("*.db"))
    with contextlib.closing(sqlite3.connect(database)) as opened:
        found = dict(opened.execute("SELECT kind, count(*) FROM memo GROUP BY kind"))
    assert all(found.get(kind, 0) >= 1 for kind in kinds), found


# --------------------------------------------------------------------------- which output is meant


def graph(result=FromStep(2), first: str = "fit", second: str = "fit[2]") -> Graph:
    steps = [
        StepDef("split", "churn.data", "split", (OutputDef("small"), OutputDef("large")), shape="tuple"),
        StepDef("fit", "churn.train", "fit"),
    ]
    nodes = [
        Node("split", 0),
        Node(first, 1, (("table", FromStep(0, "small")),)),
        Node(second, 1, (("table", FromStep(0, "large")),)),
    ]
    return Graph("main", nodes=tuple(nodes), steps=tuple(steps), result=result)


@pytest.mark.parametrize(
    ("output", "place"),
    [
        (Output(step="fit[2]"), Place(2, "result")),
        (Output(step="split.small"), Place(0, "small")),
        (Output(step="churn.data:split.large"), Place(0, "large")),
        (Output(step="fit[2]", pipeline="main"), Place(2, "result")),
        (Output(step="fit[2]", pipeline="churn.train:main"), Place(2, "result")),
        (Output(pipeline="main"), Place(2, "result")),
        (Output(step="fit", pipeline="other"), None),
        (Output(pipeline="other"), None),
        (Output(step="nothing"), None),
        (Output(step="other.module:fit"), None),
    ],
)
def test_it_is_found_by_name(output: Output, place: Place | None) -> None:
    assert place_of(graph(), "model", output) == place


@pytest.mark.parametrize(
    ("output", "says"),
    [
        (Output(step="split"), "the step `split` gives 2 outputs"),
        (Output(step="split.smal"), "output `model` is `smal` of the step `split`, which gives small, large"),
        (Output(step="fitt", pipeline="main"), "made by the step `fitt`, which `main` has not"),
    ],
)
def test_what_could_be_several_is_refused(output: Output, says: str) -> None:
    with pytest.raises(OutputNotMade, match=says) as told:
        place_of(graph(), "model", output)
    assert told.value.fixes


def test_a_name_of_several_calls_is_refused() -> None:
    with pytest.raises(OutputNotMade, match="`fit` is called 2 times") as told:
        place_of(graph(first="by_day/fit", second="by_month/fit"), "model", Output(step="fit"))
    assert told.value.fixes == ('[outputs.model] step = "by_day/fit"',)


def test_a_result_of_several_is_refused() -> None:
    both = Pack("tuple", (FromStep(1), FromStep(0, "small")))
    with pytest.raises(OutputNotMade, match="the result of `main` is 2 outputs") as told:
        place_of(graph(both), "model", Output(pipeline="main"))
    assert told.value.why == "one of fit, split.small"
