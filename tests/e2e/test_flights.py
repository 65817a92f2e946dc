"""The flights example, on all its data: what the README of the example says is what happens."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "flights"

pytestmark = pytest.mark.slow


def call(project: Path, verb: str, *words: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "stepwell.cli.main", verb, "--json", *words],
        cwd=project, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def ran(document: dict[str, Any]) -> list[str]:
    return [step["id"] for step in document["steps"] if step["decision"] != "cached"]


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("flights")
    shutil.copy(EXAMPLE / "pipeline.py", folder)
    first = call(folder, "run")
    assert first["metrics"]["flights"] == 336_776
    assert first["counts"] == {"run": 8, "cached": 0}
    metrics = first["result"]["metrics"]
    assert metrics["auc"] > metrics["auc_baseline"] + 0.05
    assert metrics["brier"] < metrics["brier_baseline"]
    return folder


@pytest.mark.timeout(900)
def test_the_second_run_runs_nothing(project):
    second = call(project, "run")
    assert second["counts"] == {"run": 0, "cached": 8}
    assert second["metrics"]["flights"] == 336_776


@pytest.mark.timeout(900)
def test_one_parameter_runs_what_it_must(project):
    plan = {step["id"]: step["decision"] for step in call(project, "plan", "depth=3")["steps"]}
    assert plan == {
        "join": "cached", "clean": "cached", "split": "cached", "train": "run",
        "baseline": "cached", "predict": "maybe", "score": "maybe", "plot": "maybe",
    }  # fmt: skip
    assert ran(call(project, "run", "depth=3")) == ["train", "predict", "score", "plot"]


@pytest.mark.timeout(900)
def test_a_helper_of_one_step_runs_that_step_again(project):
    file = project / "pipeline.py"
    text = file.read_text()
    try:
        file.write_text(text.replace("return arr_delay >= 15\n", "return arr_delay >= 15.0\n"))
        (reason,) = call(project, "why", "clean")["reasons"]
        assert (reason["kind"], reason["name"]) == ("code", "pipeline.is_late")
        assert "-    return arr_delay >= 15\n+    return arr_delay >= 15.0" in reason["diff"]
        assert ran(call(project, "run")) == ["clean"]  # it gives the same table: what follows is reused
        file.write_text(text.replace("arr_delay >= 15", "arr_delay  >=  15  # late"))
        assert ran(call(project, "plan")) == []
    finally:
        file.write_text(text)
