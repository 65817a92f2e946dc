"""What a command leaves alone: modules that cost milliseconds and that it does not need are not imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PIPELINE = """
from stepwell import pipeline, step

@step
def first(n: int = 3) -> int:
    return n + 1

@step
def second(x: int) -> int:
    return x * 2

@pipeline
def main():
    return second(first())
"""

LIBRARIES = {"blake3", "msgspec", "numpy", "pandas", "pyarrow", "rich"}

STANDARD = {
    *("asyncio", "csv", "ctypes", "decimal", "difflib", "getpass", "importlib.metadata", "multiprocessing"),
    *("platform", "pydoc", "shutil", "signal", "socket", "ssl", "statistics", "subprocess", "tomllib"),
    *("unittest", "urllib.request", "uuid"),
}

OWN = {
    *("stepwell.app.asked", "stepwell.app.ghost", "stepwell.app.growing", "stepwell.app.pictures"),
    *("stepwell.app.sweeps", "stepwell.app.twice", "stepwell.author.hooks", "stepwell.author.sweeping"),
    *("stepwell.engines.local", "stepwell.kernel.run", "stepwell.sources.web", "stepwell.stores.group"),
    *("stepwell.worker.execute", "stepwell.worker.main", "stepwell.worker.places.environments"),
    *("stepwell.worker.places.images", "stepwell.worker.services"),
}


def imported(folder: Path, program: str, *words: str) -> set[str]:
    """The modules that a program of its own process imports; the interpreter's own are left out."""
    asking = (
        "import sys\nbefore = {*sys.modules}\n"
        f"try:\n    {program}\nfinally:\n    print(*{{*sys.modules}} - before, file=sys.stderr)"
    )
    environment = {"HOME": str(folder), "PATH": "", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", asking, *words]
    answer = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    return {*answer.stderr.splitlines()[-1].split()}


def of_command(folder: Path, *words: str) -> set[str]:
    """The modules that a command imports."""
    return imported(folder, "from stepwell.cli.main import main; assert main() == 0", *words)


def test_the_package_imports_nothing(tmp_path):
    assert imported(tmp_path, "import stepwell") <= {"stepwell", "__future__"}


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["version"], ["--version"]])
def test_help_and_version_import_next_to_nothing(tmp_path, words):
    assert of_command(tmp_path, *words) <= {
        *(
            "__future__",
            "atexit",
            "gc",
            "stepwell",
            "stepwell.cli",
            "stepwell.cli.main",
            "stepwell.cli.verbs",
        ),
        "stepwell.version",
    }


@pytest.mark.parametrize("project", ["", "[project]\nname = 'x'\ndependencies = ['stepwell>=1']\n"])
def test_a_plan_imports_what_it_needs(tmp_path, project):
    (tmp_path / "pipeline.py").write_text(PIPELINE)
    if project:  # of others: most have no manifest
        (tmp_path / "pyproject.toml").write_text(project)
    found = of_command(tmp_path, "plan")
    assert "stepwell.author.trace" in found, "it was planned"
    assert not found & STANDARD
    assert not found & OWN
    assert not found & LIBRARIES
