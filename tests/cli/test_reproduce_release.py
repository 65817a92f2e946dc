"""`stepwell reproduce` of what `stepwell release` makes: a model is compared by what it predicts on the golden data."""

from __future__ import annotations

import base64
import hashlib
import os
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
    """Edit what is in a wheel, and its RECORD, as somebody would who wants it to pass. `name` is a file's, or how it ends."""
    with zipfile.ZipFile(wheel) as archive:
        files = {info.filename: archive.read(info) for info in archive.infolist()}
    edited = [name] if name in files else [each for each in files if each.endswith(name)]
    assert any(before in files[each] for each in edited)
    rewritten(wheel, {**files, **{each: files[each].replace(before, after) for each in edited}})


def added(wheel: Path, name: str, data: bytes) -> None:
    """Put a file into a wheel, and into its RECORD."""
    with zipfile.ZipFile(wheel) as archive:
        rewritten(wheel, {**{info.filename: archive.read(info) for info in archive.infolist()}, name: data})


def rewritten(wheel: Path, files: dict[str, bytes]) -> None:
    """The wheel of some files, with a RECORD that is right."""
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


BACKEND = """
    [build-system]
    requires = ["hatchling>=1.27"]
    build-backend = "hatchling.build"

    [project]
    name = "demo"
    version = "1.0.0"
    dependencies = ["stepwell"]

    [project.scripts]
    count = "demo.counting:main"

    [tool.stepwell.data.words]
    source = "words.csv"
    type = "pandas.DataFrame"
    units = { n = "minute" }

    [tool.stepwell.outputs.table]
    step = "doubled"
    gates = ["rows >= 2"]

    [tool.stepwell.channels]
    index = "index"
    order = ["production"]
    production = { needs = ["reproduced"] }
"""

COUNTING = """
    import pandas as pd
    from stepwell import log, pipeline, step
    from demo.data import words

    @step
    def doubled(words: pd.DataFrame) -> pd.DataFrame:
        log.metric("rows", len(words))
        return words.assign(n=words.n * 2)

    @pipeline
    def demo() -> pd.DataFrame:
        return doubled(words())

    def main() -> None:
        print("all well")
"""


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with a build backend of its own, released as 1.0.0, with a channel."""
    project = Project(tmp_path_factory.mktemp("packaged"))
    kept = ("UV_", "PIP_", "SSL_", "HTTP", "http", "NO_PROXY", "no_proxy", "XDG_")
    project.env |= {name: value for name, value in os.environ.items() if name.startswith(kept)}
    project.env["UV_CACHE_DIR"] = os.environ.get("UV_CACHE_DIR", os.path.expanduser("~/.cache/uv"))
    project.write(BACKEND, "pyproject.toml")
    project.write(COUNTING, "src/demo/counting.py")
    project.write("", "src/demo/__init__.py")
    project.write("w,n\na,1\nb,2\n", "words.csv")
    project.write("x" * 1_000_001, "src/demo/large.txt")
    project.write(".stepwell\ndist\nindex\n__pycache__\n", ".gitignore")
    git(project.root, "init", "--quiet")
    project("run", "src/demo/counting.py", "--lock")
    git(project.root, "add", "--all")
    git(project.root, "commit", "--quiet", "--message", "one")
    project("release", "src/demo/counting.py", "1.0.0")
    project("channels", "--create", "production")
    return project


def copied(project: Project, folder: Path) -> Path:
    """The wheel of a project's release, elsewhere."""
    return Path(shutil.copy(next((project.root / "dist").glob("*.whl")), folder))


@pytest.mark.slow
def test_the_wheel_itself_is_made_again_and_then_promoted(packaged: Project, tmp_path: Path) -> None:
    wheel = copied(packaged, tmp_path)
    error = packaged.refused("promote", str(wheel), "production", "--why", "first", code=3)
    assert "nobody has reproduced it" in error["why"]
    found = packaged("reproduce", str(wheel), "--json").json["evidence"]
    assert found["package"]["grade"] == "A", found["package"]
    assert found["package"]["files"] > 10
    assert found["package"]["committed"]
    packaged("promote", str(wheel), "production", "--why", "first")


EDITS = {
    "demo/counting.py": (b"all well", b"all mine", "line 15 is `print(\"all mine\")`, and `print(\"all well\")`"),
    "demo-1.0.0.dist-info/METADATA": (b"Requires-Dist: stepwell", b"Requires-Dist: evil", "Requires-Dist: evil"),
    "demo-1.0.0.dist-info/entry_points.txt": (b"demo.counting:main", b"demo.counting:evil", "demo.counting:evil"),
    "demo-1.0.0.dist-info/sboms/demo.cdx.json": (b'"library"', b'"data"', "library"),
    "demo/data.py": (b"words.csv", b"other.csv", "other.csv"),
    "demo/_release/__init__.py": (b"predict, info,", b"predict,  info,", "load, predict"),
    "demo/_release/metrics.json": (b'"rows": 2', b'"rows": 9', "9"),
    "demo/_release/mlbom.cdx.json": (b"pandas", b"polars", "pandas"),
    "demo/_release/release.json": (b"rows >= 2", b"rows >= 1", "its gates cannot follow"),
}  # fmt: skip


@pytest.mark.slow
def test_every_file_of_a_wheel_that_was_edited_or_put_there_is_named(
    packaged: Project, tmp_path: Path
) -> None:
    wheel = copied(packaged, tmp_path)
    for name, (before, after, _) in EDITS.items():
        changed(wheel, name, before, after)
    added(wheel, "demo/extra.py", b"print('mine')\n")
    found = packaged("reproduce", str(wheel), "--json", code=1).json
    assert (found["reproduced"], found["evidence"]["package"]["grade"]) == (False, "F")
    differ = {one["file"]: one["how"] for one in found["evidence"]["package"]["differ"]}
    assert {*differ} == {*EDITS, "demo/extra.py"}
    for name, (_, _, told) in EDITS.items():
        assert told in differ[name], name
    assert differ["demo/extra.py"] == "nothing that the project has gives it"


@pytest.mark.slow
def test_code_that_was_edited_alike_in_package_and_project_is_not_that_of_the_commit(
    packaged: Project, tmp_path: Path
) -> None:
    wheel = copied(packaged, tmp_path)
    changed(wheel, "/counting.py", b"all well", b"all mine")
    package = packaged("reproduce", str(wheel), "--json", code=1).json["evidence"]["package"]
    assert package["grade"] == "F"
    (differs,) = package["differ"]
    assert differs["file"] == "project/src/demo/counting.py"
    assert differs["how"] == f"it is not what commit {package['committed'][:12]} has"


@pytest.mark.slow
def test_a_signature_that_was_edited_in_the_lock_is_found(packaged: Project, tmp_path: Path) -> None:
    wheel = copied(packaged, tmp_path)
    changed(wheel, "_release/stepwell.lock", b'n = "int64"', b'n = "double"')
    package = packaged("reproduce", str(wheel), "--json", code=1).json["evidence"]["package"]
    lock = [one["how"] for one in package["differ"] if one["file"] == "stepwell.lock"]
    assert any(one.startswith("output.table.gives.n: double is now int64") for one in lock), package


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


SECRET = """
    from stepwell import Secret, pipeline, step

    @step
    def numbers() -> list[int]:
        return [1, 2]

    @step
    def sealed(number: int, key: Secret) -> int:
        return number + len(key.reveal())

    @step
    def total(numbers: list[int]) -> int:
        return sum(numbers)

    @pipeline
    def demo(key: Secret = Secret("DEMO_KEY")) -> int:
        return total(sealed.map(numbers(), key=key))
"""


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_what_lacks_a_secret_is_not_said_to_be_something_else(project: Project) -> None:
    project.write(SECRET)
    project.write('[outputs.total]\nstep = "total"\n', "stepwell.toml")
    project.write(".stepwell\ndist\n", ".gitignore")
    git(project.root, "init", "--quiet")
    key = {"DEMO_KEY": "a key of some length"}
    project("run", "--lock", env=key)
    git(project.root, "add", "--all")
    git(project.root, "commit", "--quiet", "--message", "one")
    project("release", "1.0.0", env=key)
    done = project("reproduce", "1.0.0", "--json", code=None)
    found = done.json["evidence"]
    assert {one["step"]: one["grade"] for one in found["steps"]} == {
        "numbers": "A", "total": "?", "sealed": "?", "sealed[2]": "?",
    }  # fmt: skip
    assert found["first"] == "sealed"
    assert "$DEMO_KEY is not set" in found["hints"][0]
    assert not any("--vary" in hint for hint in found["hints"])
    shown = project("reproduce", "1.0.0", code=None).out
    assert "first not made: sealed" in shown
    assert "something else" not in shown
    assert project("reproduce", "1.0.0", "--json", env=key).json["evidence"]["grade"] == "A"
