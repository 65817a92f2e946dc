"""`stepwell release` of projects with a build backend of their own, which makes the wheel that everything is put into."""

from __future__ import annotations

import os
import subprocess
import zipfile

import pytest

from stepwell.dist.releases.opened import open_wheel
from stepwell.dist.wheels import read

pytestmark = pytest.mark.slow

PYPROJECT = """
    [build-system]
    requires = ["hatchling>=1.27"]
    build-backend = "hatchling.build"

    [project]
    name = "churn-model"
    version = "0.9"
    description = "Who leaves?"
    requires-python = ">=3.11"
    dependencies = ["stepwell"]

    [project.scripts]
    churn-report = "churn_model:report"

    [tool.stepwell.data.customers]
    source = "customers.json"
    doc = "All customers"

    [tool.stepwell.outputs.table]
    step = "churn_model.train:fit"

    [tool.stepwell.outputs.count]
    step = "counted"
    pipeline = "counting"
"""

PIPELINE = """
    from churn_model.train import counted, fit
    from stepwell import pipeline, source

    customers = source("customers.json", dict)

    @pipeline
    def main() -> dict:
        return fit(customers())

    @pipeline
    def counting() -> int:
        return counted(customers())
"""

TRAIN = """
    from stepwell import step

    @step
    def fit(customers: dict) -> dict:
        return {name: len(name) for name in customers}

    @step
    def counted(customers: dict) -> int:
        return len(customers)
"""


def git(project, *words: str) -> None:
    settings = ["-c", "user.name=ana", "-c", "user.email=ana@acme.example", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *settings, *words], cwd=project.root, check=True, capture_output=True)


@pytest.fixture
def locked(project):
    """A package in `src/` with a pipeline beside it: two pipelines, run, locked and committed."""
    kept = ("UV_", "PIP_", "SSL_", "HTTP", "http", "NO_PROXY", "no_proxy", "XDG_")
    project.env |= {name: value for name, value in os.environ.items() if name.startswith(kept)}
    project.env["UV_CACHE_DIR"] = os.environ.get("UV_CACHE_DIR", os.path.expanduser("~/.cache/uv"))
    project.write(PYPROJECT, "pyproject.toml")
    project.write(PIPELINE)
    project.write(TRAIN, "src/churn_model/train.py")
    project.write(
        'def report():\n    print("all well")\n\n\ndef info():\n    return "mine"\n',
        "src/churn_model/__init__.py",
    )
    project.write('{"ana": 1, "bob": 2}', "customers.json")
    project.write("dist/\n__pycache__/\n", ".gitignore")
    git(project, "init", "--quiet")
    project("run", "main", "--lock")
    project("run", "counting", "--lock")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "as it is")
    project.write("lies about", "src/churn_model/ignored.py")
    project.write("dist/\n__pycache__/\nignored.py\n", ".git/info/exclude")
    return project


def test_the_wheel_of_the_backend_becomes_the_release(locked) -> None:
    done = locked("release", "main", "1.4.0")
    assert (
        "note: pyproject.toml says version 0.9; the wheel says 1.4.0, which is what installers see"
        in done.err
    )
    assert (
        "note: `churn_model` has its own info: those of the release are in `churn_model._release`" in done.err
    )
    path = locked.root / "dist" / "churn_model-1.4.0-py3-none-any.whl"
    wheel, release = read(path), open_wheel(path)
    assert (wheel.name, wheel.version, wheel.requires_python) == ("churn-model", "1.4.0", ">=3.11")
    assert release.document.pipelines == {"main": "pipeline.py:main", "counting": "pipeline.py:counting"}
    assert {*release.lock.output} == {"table", "count"}
    assert {*release.lock.pipeline} == {"main", "counting"}
    inside = {name for name in wheel.names if "/_release/" not in name and ".dist-info/" not in name}
    assert inside == {f"churn_model/{name}" for name in ("__init__.py", "train.py", "data.py", "data.pyi")}
    with zipfile.ZipFile(path) as archive:
        points = archive.read(f"{wheel.dist_info}/entry_points.txt").decode()
        init = archive.read("churn_model/__init__.py").decode()
    assert "churn-report = churn_model:report\n" in points
    assert "churn-model = churn_model._release:main\n" in points
    assert "import load as load, predict as predict, pull as pull\n" in init
    project = {name.removeprefix("project/") for name in release.names if name.startswith("project/")}
    assert {
        "pipeline.py",
        "pyproject.toml",
        "stepwell.lock",
        "src/churn_model/train.py",
        "src/churn_model/data.py",
    } <= project
    assert "customers.json" not in project


def test_it_is_the_same_from_the_same(locked) -> None:
    first = locked("release", "main", "1.4.0", "--json").json["sha256"]
    again = locked("release", "main", "1.4.0", "--out", "elsewhere", "--json").json["sha256"]
    assert again == first
    assert not (locked.root / "build").exists()


def test_a_backend_that_fails_is_told_with_what_it_said(locked) -> None:
    locked.edit(
        'requires = ["hatchling>=1.27"]',
        'requires = ["hatchling>=1.27"]\nbackend-path = ["nowhere"]',
        "pyproject.toml",
    )
    error = locked.refused("release", "main", "1.4.0", "--allow-dirty", code=3)
    assert error["code"] == "E718"
    assert "nowhere" in error["why"]
    assert not (locked.root / "dist").exists()


def test_a_project_without_a_package_is_refused(locked) -> None:
    locked.edit(
        "[project.scripts]",
        '[tool.hatch.build.targets.wheel]\nonly-include = ["pipeline.py"]\n\n[project.scripts]',
        "pyproject.toml",
    )
    assert locked.refused("release", "main", "1.4.0", "--allow-dirty", code=3)["code"] == "E722"
