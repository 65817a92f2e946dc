"""Pipelines in the cells of marimo, which executes them: as a script, in its kernel, and what it shows."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

MISSING = "marimo is not installed: its notebooks are NOT tested"

BEGIN = """
import marimo

app = marimo.App()

with app.setup:
    from stepwell import pipeline, step


@app.function
@step
def make(n: int) -> list[int]:
    return list(range(n))


@app.cell
def _(FACTOR):
    _a = 1

    @step
    def total(values: list[int]) -> int:
        return sum(values) * FACTOR + _a

    return (total,)


@app.cell
def _():
    FACTOR = 2
    _a = 100
    return (FACTOR,)


@app.cell
def _(total):
    @pipeline
    def delays(n: int = 3) -> int:
        return total(make(n))

    return (delays,)


@app.cell
def _(delays):
    run = delays.run()
    try:
        print("told", run.result, {name: step.status for name, step in run.steps.items()})
    except Exception as error:
        run = print("refused", error)
    run
    return
"""
END = "\n\nif __name__ == '__main__':\n    app.run()\n"


def executed(*command: str, folder: Path) -> str:
    """What a command of this Python prints, in a folder."""
    given = {**os.environ, "MARIMO_SKIP_UPDATE_CHECK": "1", "XDG_CONFIG_HOME": str(folder / "config")}
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=given, capture_output=True, text=True, timeout=90
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def told(text: str) -> tuple[int, dict[str, str]]:
    """The result and the steps that a notebook printed."""
    found = re.search(r"told (\d+) (\{.*\})", text)
    assert found is not None, text
    return int(found[1]), json.loads(found[2].replace("'", '"'))


def test_marimo_is_there_where_all_is_checked() -> None:
    if find_spec("marimo") is None and os.environ.get("CI"):
        pytest.fail(MISSING)


@pytest.mark.slow
def test_the_same_cache_as_a_script_and_in_the_kernel(tmp_path: Path) -> None:
    if find_spec("marimo") is None:
        pytest.skip(MISSING)
    file = tmp_path / "study.py"
    file.write_text(BEGIN + END)
    assert told(executed("study.py", folder=tmp_path)) == (7, {"make": "succeeded", "total": "succeeded"})
    saved = ("-m", "marimo", "export", "ipynb", "study.py", "--include-outputs", "-o", "out.ipynb", "-f")
    executed(*saved, folder=tmp_path)  # by marimo's own kernel
    outputs = [
        out
        for cell in json.loads((tmp_path / "out.ipynb").read_text())["cells"]
        for out in cell.get("outputs", ())
    ]
    shown = "".join("".join(out.get("text", "")) for out in outputs)
    assert told(shown) == (7, {"make": "cached", "total": "cached"})
    html = "".join("".join(out.get("data", {}).get("text/html", "")) for out in outputs)
    assert 'class="stepwell"' in html
    assert "r2" in html
    assert "<svg" in html
    file.write_text(BEGIN.replace("FACTOR = 2", "FACTOR = 5").replace("_a = 100", "_a = 7") + END)
    assert told(executed("study.py", folder=tmp_path)) == (16, {"make": "cached", "total": "succeeded"})
    assert not [path.name for path in tmp_path.glob("*marimo*.py")]


@pytest.mark.slow
def test_what_somebody_chose_is_no_definition(tmp_path: Path) -> None:
    if find_spec("marimo") is None:
        pytest.skip(MISSING)
    chosen = BEGIN.replace("FACTOR = 2", "FACTOR = marimo.ui.slider(1, 9)").replace(
        "run = delays.run()\n    try:\n", "try:\n        run = delays.run()\n"
    )
    (tmp_path / "study.py").write_text(
        chosen.replace("import pipeline, step", "import pipeline, step\n    import marimo") + END
    )
    shown = executed("study.py", folder=tmp_path)
    assert "E213" in shown
    assert "`FACTOR` is not a definition, and `total` uses it" in shown
