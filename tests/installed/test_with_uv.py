"""A release in an environment of its own: installed by stock uv, used from Python and from the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from installed_by_hand import Output, files_of, wheel
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression

import stepwell
from stepwell.worker.places.environments import uv

pytestmark = pytest.mark.slow

LIBRARIES = ("pandas", "pyarrow", "scikit-learn", "skops", "blake3", "msgspec", "tomlkit", "numpy")
"""What Stepwell itself, and the outputs, need: as they are here, so that uv has them in its cache."""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("environment")
    said = {**os.environ, "VIRTUAL_ENV": str(folder / "venv")}
    for words in (
        ["venv", "-q", "--python", sys.executable, str(folder / "venv")],
        ["pip", "install", "-q", *(f"{name}=={version(name)}" for name in LIBRARIES)],
    ):
        done = subprocess.run(
            [uv(), *words], env=said, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr
    source = Path(stepwell.__file__).parent.parent
    next((folder / "venv" / "lib").glob("python*/site-packages")).joinpath("stepwell.pth").write_text(
        f"{source}\n"
    )
    return folder / "venv"


def run(environment: Path, tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        [str(environment / "bin" / words[0]), *words[1:]],
        env={**kept, "STEPWELL_CACHE": str(tmp_path / "cache")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_wheel_is_installed_and_used(environment: Path, tmp_path: Path) -> None:
    table = pd.DataFrame({"tenure": [1, 2, 30, 40] * 10, "mrr": np.arange(40.0)})
    late = [0, 0, 1, 1] * 10
    classifier = HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=1).fit(table, late)
    takes = {"tenure": "int64", "mrr": "float64"}
    needs = (f"scikit-learn=={version('scikit-learn')}",)
    made = wheel(
        tmp_path,
        files_of(
            tmp_path / "made",
            {
                "model": Output(
                    classifier, said={"takes": takes, "needs": needs, "units": {"mrr": "EUR/month"}}
                ),
                "spend": Output(
                    LinearRegression().fit(table, table["mrr"]), said={"takes": takes, "needs": needs}
                ),
                "scores": Output(table),
                "metrics": Output({"auc": 0.83}),
            },
            store=str(tmp_path / "store"),
            outside=("spend",),
            predict="model",
        ),
    )
    words = [uv(), "pip", "install", "-q", "--python", str(environment / "bin" / "python"), str(made)]
    subprocess.run(words, check=True, capture_output=True, timeout=100)
    table.to_csv(tmp_path / "customers.csv", index=False)

    done = run(environment, tmp_path, "churn", "predict", "customers.csv", "-o", "scored.csv")
    assert done.returncode == 0, done.stderr
    scored = pd.read_csv(tmp_path / "scored.csv")
    assert scored["prediction"].tolist() == late
    assert np.allclose(scored["probability"], classifier.predict_proba(table)[:, 1])

    code = """if True:
        import churn, json, pandas as pd
        table = pd.read_csv("customers.csv")
        print(json.dumps([churn.load("metrics"), churn.load("scores").equals(table), churn.pull().count,
            churn.predict(table, "spend")["prediction"].round(6).tolist(), churn.info().version]))
    """
    done = run(environment, tmp_path, "python", "-c", code)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [{"auc": 0.83}, True, 1, table["mrr"].tolist(), "1.4.0"]

    table.rename(columns={"mrr": "spend"}).to_csv(tmp_path / "other.csv", index=False)
    done = run(environment, tmp_path, "churn", "predict", "other.csv")
    assert done.returncode == 3
    assert "error[E735] the table has no column `mrr`" in done.stderr
    assert "Traceback" not in done.stderr

    blob = next((environment / "lib").glob("python*/site-packages/churn/_release/blobs/*"))
    blob.chmod(0o644)
    blob.unlink()  # a link to uv's cache, which is not to be damaged
    blob.write_bytes(b"tampered")
    done = run(environment, tmp_path, "churn", "info")
    assert done.returncode == 0, done.stderr
    codes = [run(environment, tmp_path, "python", "-c", f"import churn; churn.load({name!r})") for name in ("model", "scores", "metrics")]  # fmt: skip
    assert sum("error[E710]" in one.stderr for one in codes) == 1
