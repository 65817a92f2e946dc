"""A release in fresh environments, by stock pip and by stock uv: what it gives when it is imported, and as a command."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PIPELINE = """
    # /// script
    # requires-python = ">=3.11"
    # dependencies = ["stepwell[pandas,sklearn]"]
    #
    # [tool.stepwell.data.people]
    # source = "people.csv"
    # units = { tenure = "month" }
    #
    # [tool.stepwell.outputs.model]
    # step = "fit"
    # golden = { on = "people", tolerance = 1e-6 }
    #
    # [tool.stepwell.release]
    # name = "who-leaves"
    # ///
    import pandas as pd
    from data import people
    from sklearn.linear_model import LogisticRegression
    from stepwell import pipeline, step

    @step
    def fit(table: pd.DataFrame) -> LogisticRegression:
        return LogisticRegression().fit(table[["tenure", "mrr"]], table["left"])

    @pipeline
    def main() -> LogisticRegression:
        return fit(people())
"""

PROGRAM = """
import pandas as pd
import who_leaves

table = pd.DataFrame({"tenure": [1, 60], "mrr": [20.0, 400.0]}, index=["new", "old"])
said = who_leaves.predict(table)
assert list(said.index) == ["new", "old"], said
assert list(said.columns) == ["prediction", "probability"], said
assert type(who_leaves.load("model")).__name__ == "LogisticRegression"
assert who_leaves.info().version == "1.0.0"
assert who_leaves.data.people.lock.rows == 40
for wrong, code in ((table.drop(columns="mrr"), "E735"), (table.assign(mrr=["a", "b"]), "E736")):
    try:
        who_leaves.predict(wrong)
    except Exception as error:
        assert error.code == code, error
    else:
        raise AssertionError("it was not refused")
print("all well")
"""


@pytest.fixture(scope="module")
def released(tmp_path_factory) -> Path:
    """The wheel of a release, of a folder that is gone."""
    from cli_projects import Project

    project = Project(tmp_path_factory.mktemp("project"))
    project.write(PIPELINE)
    rows = [f"{i},{i * 7.5},{int(i % 5 < 2)}" for i in range(40)]
    project.write("\n".join(["tenure,mrr,left", *rows, ""]), "people.csv")
    project("run", "--lock")
    project("release", "1.0.0")
    folder = tmp_path_factory.mktemp("wheels")
    wheel = next((project.root / "dist").glob("*.whl"))
    shutil.copy(wheel, folder)
    shutil.rmtree(project.root)
    return folder / wheel.name


@pytest.fixture(scope="module", params=["pip", "uv"])
def environment(request, released, tmp_path_factory) -> Path:
    """A fresh environment that one of them installed the release into; Stepwell and libraries for data are those of the tests."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, capture_output=True, timeout=120)
    site = next((folder / "lib").glob("python3*/site-packages"))
    (site / "libraries.pth").write_text(
        f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n", "utf-8"
    )
    python = folder / "bin" / "python"
    install = {
        "pip": [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"],
        "uv": [
            Path(sys.executable).with_name("uv"),
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--no-index",
            "--python",
            python,
        ],
    }[request.param]
    subprocess.run([*install, str(released)], check=True, capture_output=True, timeout=120)
    return folder


def run(environment: Path, folder: Path, *words: object, code: int = 0) -> str:
    """What a program of the environment prints."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    done = subprocess.run(
        [str(word) for word in words], cwd=folder, env={**kept, "HOME": str(folder)}, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_it_gives_its_outputs_predictions_and_data(environment, tmp_path) -> None:
    assert run(environment, tmp_path, environment / "bin" / "python", "-c", PROGRAM) == "all well\n"


def test_it_is_a_command(environment, tmp_path) -> None:
    (tmp_path / "new.csv").write_text("tenure,mrr\n1,20\n60,400\n", "utf-8")
    program = environment / "bin" / "who-leaves"
    head, *rows = run(environment, tmp_path, program, "predict", "new.csv").splitlines()
    assert head.endswith("prediction,probability")
    assert len(rows) == 2
    assert run(environment, tmp_path, program, "info").startswith("who-leaves 1.0.0\n")


def test_bytes_that_were_changed_are_not_loaded(environment, tmp_path) -> None:
    blobs = {
        path: path.read_bytes()
        for path in environment.glob("lib/python3*/site-packages/who_leaves/_release/blobs/*")
    }
    for path, data in blobs.items():
        path.write_bytes(data[:-1] + b"!")
    asks = "import who_leaves; who_leaves.load('model')"
    try:
        said = run(environment, tmp_path, environment / "bin" / "python", "-c", asks, code=1)
    finally:
        for path, data in blobs.items():
            path.write_bytes(data)
    assert "has other bytes" in said


def test_the_package_says_what_can_be_installed(released) -> None:
    from stepwell.dist.releases.metadata import requirements_of
    from stepwell.dist.wheels import read

    said = requirements_of(read(released).metadata)
    assert said[0].startswith("stepwell[pandas,sklearn]>=")
    assert said[1].startswith("scikit-learn==")


def test_it_carries_what_the_model_said_of_its_golden_table(released) -> None:
    from stepwell.codecs import choose
    from stepwell.dist.depot import blobs
    from stepwell.dist.releases.opened import open_wheel

    release = open_wheel(released)
    golden = release.document.golden["model"]
    assert (golden.codec, golden.tolerance) == ("arrow:pandas", 1e-6)
    table, said = (
        choose.load(blobs().held(release.blob(digest)), golden.codec)
        for digest in (golden.on, golden.predictions)
    )
    assert list(table.columns) == ["tenure", "mrr", "left"]
    assert list(said.columns) == ["prediction", "probability"]
    assert len(table) == len(said) == 40
