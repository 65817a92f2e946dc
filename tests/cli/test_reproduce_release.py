"""`stepwell reproduce` of what `stepwell release` makes: a model is compared by what it predicts on the golden data."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import zipfile
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


SCORED = """
    from stepwell import log, pipeline, step

    @step
    def table() -> list[int]:
        log.metric("auc", 0.75)
        return [1, 2, 3]

    @pipeline
    def demo() -> list[int]:
        return table()
"""


def changed(wheel: Path, name: str, before: bytes, after: bytes) -> None:
    """Edit what is in a wheel, and its RECORD, as somebody would who wants it to pass."""
    with zipfile.ZipFile(wheel) as archive:
        files = {info.filename: archive.read(info) for info in archive.infolist()}
    assert any(each.endswith(name) and before in data for each, data in files.items())
    files = {
        each: data.replace(before, after) if each.endswith(name) else data for each, data in files.items()
    }
    record = next(each for each in files if each.endswith("/RECORD"))
    lines = []
    for each, data in files.items():
        code = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        lines.append(f"{each},," if each == record else f"{each},sha256={code},{len(data)}")
    files[record] = ("\n".join(lines) + "\n").encode()
    with zipfile.ZipFile(wheel, "w") as archive:
        for each, data in files.items():
            archive.writestr(each, data)


@pytest.mark.slow
def test_a_metric_that_nobody_measured_is_found_out(project: Project) -> None:
    project.write(SCORED)
    gates = '[outputs.table]\nstep = "table"\ngates = ["auc >= 0.7"]\n'
    project.write(f'{gates}[channels]\norder = ["production"]\nindex = "index"\n', "stepwell.toml")
    project("run", "--lock")
    project("release", "1.0.0")
    wheel = next((project.root / "dist").glob("*.whl"))
    assert project("reproduce", str(wheel), "--json").json["evidence"]["grade"] == "A"
    changed(wheel, "stepwell.lock", b'"table.auc" = 0.75', b'"table.auc" = 0.99')
    found = project("reproduce", str(wheel), "--json", code=1).json["evidence"]
    assert found["grade"] == "F"
    assert [one["how"] for one in found["steps"] if one["grade"] == "F"] == ["is 0.75, and 0.99 in the lock"]


@pytest.mark.slow
def test_a_wheel_without_its_blobs_is_promoted_nowhere(project: Project) -> None:
    project.write(SCORED)
    project.write('[outputs.table]\nstep = "table"\n[channels]\nindex = "index"\n', "stepwell.toml")
    project("run", "--lock")
    project("release", "1.0.0")
    project("channels", "--create", "production")
    wheel = next((project.root / "dist").glob("*.whl"))
    changed(wheel, "release.json", b'"size": ', b'"size": 1')
    error = project.refused("promote", str(wheel), "production", "--why", "now", code=6)
    assert error["code"] == "E710"
