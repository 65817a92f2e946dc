"""`use("churn==1.4.0", ...)`: steps of releases, in the environment that they were released with."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from cli_projects import Project
from conftest_places import FEATURES

sys.path.insert(0, str(Path(__file__).parents[1] / "installed"))

from installed_by_hand import Output, files_of, wheel

from stepwell.app.placing import _without_own
from stepwell.dist.lockfile import read

PYLOCK = """lock-version = "1.0"
created-by = "uv"

[[packages]]
name = "greet"
version = "{version}"

[[packages]]
name = "stepwell"
directory = {{ path = "." }}
"""


def released(tmp_path: Path, version: str, greet: str, factor: int) -> Path:
    """The wheel of a release with the steps `FEATURES`."""
    files = files_of(tmp_path / "made", {"metrics": Output({"auc": 1})}, version=version)
    inside = {
        "project/steps.py": FEATURES,
        "project/helper.py": f"FACTOR = {factor}\n",
        "pylock.toml": PYLOCK.format(version=greet),
    }
    files |= {f"churn/_release/{name}": text.encode() for name, text in inside.items()}
    (tmp_path / "built").mkdir(exist_ok=True)
    return wheel(tmp_path / "built", files, version)


def using(address: str, step: str = "steps:sizes") -> str:
    return f"""
        from stepwell import pipeline, step, use

        sizes = use("{address}", "{step}")

        @step
        def words() -> list[str]:
            return ["a", "bb"]

        @pipeline
        def main() -> dict[str, int]:
            return sizes(words())
    """


def test_a_step_of_a_wheel_runs_in_its_own_environment(project: Project, tmp_path: Path) -> None:
    one, two = released(tmp_path, "1.4.0", "1.0", 1), released(tmp_path, "2.0.0", "2.0", 10)
    project.write(using(f"../built/{one.name}"))
    assert project("run", "--json").json["result"] == {"a": 1, "bb": 2, "greet": 1}
    text = project("export", "yaml", "-o", "r1.yaml", "--json").json["text"]
    assert f"place: use ../built/{one.name} steps:sizes\n" in text.replace('"', "")
    assert '      greet: "1.0"\n      project churn: "1.4.0 (' in text
    assert "the same bytes" in project("run", "r1.yaml", "--force", "*").err
    assert project("export", "yaml").out == text
    project.edit(one.name, two.name)
    plan = project("plan").out
    assert "greet 1.0 → 2.0" in plan
    assert "project churn 1.4.0 → 2.0.0" in plan
    assert project("run", "--json").json["result"] == {"a": 10, "bb": 20, "greet": 2}


def test_a_version_is_found_in_dist_and_then_needs_nothing(project: Project, tmp_path: Path) -> None:
    wheel_of_it = released(tmp_path, "1.4.0", "1.0", 1)
    (project.root / "dist").mkdir()
    shutil.copy(wheel_of_it, project.root / "dist")
    project.write(using("churn==1.4.0"))
    assert project("run", "--json").json["result"] == {"a": 1, "bb": 2, "greet": 1}
    shutil.rmtree(project.root / "dist")
    assert project("plan", "--json").decisions == dict.fromkeys(("words", "sizes"), "cached")


def test_a_version_is_found_in_a_package_index(project: Project, tmp_path: Path) -> None:
    made = released(tmp_path, "1.4.0", "1.0", 3)
    found = tmp_path / "index"
    shutil.copytree(Path(project.env["UV_FIND_LINKS"]), found)
    shutil.copy(made, found)
    project.env["UV_FIND_LINKS"] = str(found)
    project.write(using("churn==1.4.0"))
    assert project("run", "--json").json["result"] == {"a": 3, "bb": 6, "greet": 1}


@pytest.mark.parametrize(
    ("address", "step", "code", "said"),
    [
        ("churn==9.9.9", "steps:sizes", "E712", "no release `churn==9.9.9`"),
        ("greet==1.0", "steps:sizes", "E711", "no release"),
        ("../built/nothing-1.0-py3-none-any.whl", "steps:sizes", "E740", "nothing"),
        ("../built/churn-1.4.0-py3-none-any.whl", "steps:size", "E355", "no step `size`"),
        ("../built/churn-1.4.0-py3-none-any.whl", "step:sizes", "E355", "no module `step`"),
    ],
)
def test_what_is_not_there_is_told_by_the_plan(
    project: Project, tmp_path: Path, address: str, step: str, code: str, said: str
) -> None:
    released(tmp_path, "1.4.0", "1.0", 1)
    project.write(using(address, step))
    result = project("plan", "--json", code=None)
    error = result.json["error"]
    assert error["code"] == code
    assert said in error["what"]
    assert error["where"].startswith("pipeline.py:")


def test_a_tampered_wheel_is_another_release(project: Project, tmp_path: Path) -> None:
    made = released(tmp_path, "1.4.0", "1.0", 1)
    project.write(using(f"../built/{made.name}"))
    project("run")
    released(tmp_path, "1.4.0", "1.0", 5)
    assert project("plan", "--json").decisions["sizes"] == "run"
    made.write_bytes(made.read_bytes()[:-30])
    assert project("plan", "--json", code=None).json["error"]["code"] == "E740"


def test_the_release_counts_in_the_lock(project: Project, tmp_path: Path) -> None:
    one, two = released(tmp_path, "1.4.0", "1.0", 1), released(tmp_path, "1.4.1", "1.0", 2)
    project.write(using(f"../built/{one.name}"))
    project("run", "--lock")
    project("lock", "--check")
    before = read(project.root / "stepwell.lock")
    project.edit(one.name, two.name)
    error = project("run", "--locked", "--json", code=3).json["error"]
    assert error["code"] == "E703"
    assert "sizes" in str(error)
    project("run", "--lock")
    after = read(project.root / "stepwell.lock")
    assert before.pipeline["main"].step["sizes"].code != after.pipeline["main"].step["sizes"].code


def test_without_a_written_environment_what_the_steps_import_counts(project: Project, tmp_path: Path) -> None:
    files = files_of(
        tmp_path / "made",
        {"metrics": Output({"auc": 1})},
        direct={"greet": "1.0"},
        pipelines={"main": "steps.py:main"},
    )
    header = '# /// script\n# dependencies = ["greet", "stepwell"]\n# ///\n'
    files["churn/_release/project/steps.py"] = f"{header}{FEATURES}".encode()
    files["churn/_release/project/helper.py"] = b"FACTOR = 1\n"
    made = wheel(tmp_path, files)
    project.write(using(f"../{made.name}"))
    assert project("run", "--json").json["result"] == {"a": 1, "bb": 2, "greet": 1}


def test_the_extras_of_stepwell_are_what_they_mean() -> None:
    assert list(_without_own("greet<2")) == ["greet<2"]
    assert list(_without_own("stepwell>=0.0.1")) == []
    found = list(_without_own("Stepwell[pandas, sklearn]>=1"))
    assert [one.partition(">")[0] for one in found] == ["pandas", "pyarrow", "scikit-learn", "skops"]
    assert list(_without_own("stepwell-extras")) == ["stepwell-extras"]
