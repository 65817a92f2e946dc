"""`stepwell reproduce` of what `stepwell release` makes: a model is compared by what it predicts on the golden data."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from cli_projects import Project

from stepwell.dist.verdicts import read_evidence

PIPELINE = """
    import os
    import numpy as np
    import pandas as pd
    from sklearn.linear_model import LogisticRegression
    from stepwell import pipeline, source, step

    @step
    def golden(rows: pd.DataFrame) -> pd.DataFrame:
        return rows.drop(columns="y").head(10)

    @step
    def fit(rows: pd.DataFrame) -> LogisticRegression:
        drift = float(os.environ.get("DRIFT", "0"))
        weight = np.ones(len(rows)) * (1 + drift * np.arange(len(rows)))
        return LogisticRegression().fit(rows[["a", "b"]], rows.y, weight)

    @step
    def scores(model: LogisticRegression, rows: pd.DataFrame) -> pd.DataFrame:
        return rows.assign(p=model.predict_proba(rows[["a", "b"]])[:, 1])

    @pipeline
    def demo() -> pd.DataFrame:
        rows = source("rows.csv", pd.DataFrame)()
        golden(rows)
        return scores(fit(rows), rows)
"""

MANIFEST = """
    [outputs.golden]
    step = "golden"

    [outputs.model]
    step = "fit"
    golden = { on = "golden", tolerance = 1e-4 }
"""


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=n", "-c", "user.email=n@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


@pytest.mark.slow
@pytest.mark.timeout(400)  # seven processes that import scikit-learn
def test_a_model_is_compared_by_its_golden_predictions(project: Project, tmp_path: Path) -> None:
    project.write(PIPELINE)
    project.write(MANIFEST, "stepwell.toml")
    rows = [f"{a / 10},{b / 10},{int(a + b > 9)}" for a in range(10) for b in range(10)]
    project.write("\n".join(["a,b,y", *rows, ""]), "rows.csv")
    project.write(".stepwell\ndist\n", ".gitignore")
    git(project.root, "init", "--quiet")
    project("run", "--lock")
    git(project.root, "add", "--all")
    git(project.root, "commit", "--quiet", "--message", "one")
    project("release", "1.0.0")
    wheel = next((project.root / "dist").glob("*.whl"))

    # Where nothing is known of the project but the wheel and the data.
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(project.root / "rows.csv", elsewhere)
    same = project("reproduce", str(wheel), "--json", cwd=elsewhere).json["evidence"]
    assert same["grade"] == "A"
    assert read_evidence(elsewhere, "demo", "1.0.0", same["wheel_sha256"]) is not None

    near = project("reproduce", str(wheel), "--json", cwd=elsewhere, env={"DRIFT": "1e-7"}).json["evidence"]
    steps = {one["step"]: one for one in near["steps"]}
    assert (steps["golden"]["grade"], steps["fit"]["grade"], steps["scores"]["grade"]) == ("A", "C", "?")
    assert (steps["fit"]["leaves"], steps["scores"]["follows"]) == ("model", "fit")
    assert steps["fit"]["how"].startswith("predictions on golden data: numbers differ by at most ")
    assert (near["grade"], near["first"], near["tolerance"]) == ("C", "fit", 1e-4)

    # In the project, the store knows what the scores were.
    far = project("reproduce", "1.0.0", "--json", code=1, env={"DRIFT": "1e-1"}).json["evidence"]
    assert {one["step"]: one["grade"] for one in far["steps"]} == {"golden": "A", "fit": "F", "scores": "F"}
