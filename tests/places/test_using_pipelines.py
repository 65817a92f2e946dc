"""`use("churn==1.4.0")`: the whole pipeline of a release, called in the pipeline of another project."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from cli_projects import Project
from conftest_places import FEATURES
from test_using_releases import PYLOCK

sys.path.insert(0, str(Path(__file__).parents[1] / "installed"))

from installed_by_hand import files_of, wheel

from stepwell.dist.lockfile import read

RELEASED = """
    from stepwell import log, pipeline, source, step

    rows = source("rows.json", list[float])

    @step(retries=2)
    def clean(rows: list[float], least: float) -> list[float]:
        return [row for row in rows if row > least]

    @step
    def halves(rows: list[float]) -> tuple[list[float], list[float]]:
        middle = len(rows) // 2
        return rows[:middle], rows[middle:]

    @step
    def fit(rows: list[float], factor: float) -> dict[str, float]:
        return {"mean": sum(rows) / len(rows) * factor}

    @pipeline
    def prepared(least: float) -> tuple[list[float], list[float]]:
        return halves(clean(rows(), least))

    @pipeline
    def churn(least: float = 0.0, factor: float = 1.0, rounds: int = 1) -> dict[str, float]:
        first, second = prepared(least)
        model = fit(first, factor)
        for _ in range(rounds - 1):
            model = fit.named("again")(second, factor)
        return model
"""

MANIFEST = """
    [outputs.model]
    step = "fit"

    [release]
    name = "churn"
    store = "{store}"
"""

USING = """
    from stepwell import pipeline, step, use

    churn = use("{address}")

    @step
    def told(model: dict[str, float]) -> str:
        return f"mean {{model['mean']:g}}"

    @pipeline
    def main(factor: float = 2.0) -> str:
        return told(churn(factor=factor))
"""


@pytest.fixture
def released(project: Project, tmp_path: Path) -> Project:
    """A project that released `churn` 1.4.0, its data in a store."""
    (tmp_path / "there").mkdir()
    other = Project(tmp_path / "there")
    other.env |= {key: project.env[key] for key in ("UV_FIND_LINKS", "UV_DEFAULT_INDEX", "UV_CACHE_DIR")}
    other.write(RELEASED)
    other.write("[1.0, 3.0, -5.0, 8.0, 10.0]", "rows.json")
    other.write(MANIFEST.format(store=tmp_path / "cas"), "stepwell.toml")
    other("run", "pipeline.py:churn", "--lock")
    other("release", "pipeline.py:churn", "1.4.0")
    (project.root / "dist").mkdir()
    shutil.copy(next((other.root / "dist").glob("*.whl")), project.root / "dist")
    shutil.rmtree(other.root)
    return project


def test_a_pipeline_of_a_release_is_called_like_any_other(released: Project) -> None:
    released.write(USING.format(address="churn==1.4.0"))
    done = released("run", "--lock", "--json").json
    assert done["result"] == "mean 4"
    assert [step["id"] for step in done["steps"]] == [
        "churn/prepared/clean", "churn/prepared/halves", "churn/fit", "told",
    ]  # fmt: skip
    data = read(released.root / "stepwell.lock").data["rows"]
    assert data.source == "release://churn==1.4.0/rows"
    released("lock", "--check")
    again = released("run", "--frozen", "factor=4", "--json")
    assert again.json["result"] == "mean 8"
    assert again.decisions["churn/prepared/clean"] == "cached"
    assert released("plan", "factor=8", "--json").decisions["churn/prepared/halves"] == "cached"


def test_its_steps_can_be_replaced_and_its_results_be_taken_apart(released: Project) -> None:
    wheel = next((released.root / "dist").glob("*.whl")).name
    released.write(USING.format(address=f"dist/{wheel}"))
    released.edit("told(churn(factor=factor))", "told(churn.replace(fit=mine)(least=2.0, rounds=2))")
    released.edit("@step\n", "@step\ndef mine(rows: list[float], factor: float) -> dict[str, float]:\n    return {'mean': max(rows)}\n\n@step\n")  # fmt: skip
    done = released("run", "--json")
    assert done.json["result"] == "mean 10"
    assert "churn/again" in done.steps


def test_it_is_given_what_a_step_gave(released: Project) -> None:
    released.write(USING.format(address="churn==1.4.0"))
    released.edit("@step\n", "@step\ndef half() -> float:\n    return 0.5\n\n@step\n")
    released.edit("churn(factor=factor)", "churn(factor=half())")
    assert released("run", "--json").json["result"] == "mean 1"


def test_module_and_name_may_be_those_of_a_pipeline(released: Project) -> None:
    released.write(USING.format(address="churn==1.4.0"))
    released.edit('use("churn==1.4.0")', 'use("churn==1.4.0", "pipeline:churn")')
    assert released("run", "--json").json["result"] == "mean 4"


def test_it_is_traced_and_run_with_the_libraries_of_the_release(project: Project, tmp_path: Path) -> None:
    features = FEATURES.replace("import helper", "import greet\nimport helper\nfrom stepwell import pipeline")
    files = files_of(tmp_path / "made", {}, version="1.4.0", pipelines={"main": "steps.py:main"})
    body = "\n@pipeline\ndef main(word: str):\n    return sizes([word, greet.hello(word)])\n"
    inside = {
        "project/steps.py": features + body,
        "project/helper.py": "FACTOR = 1\n",
        "pylock.toml": PYLOCK.format(version="2.0"),
    }
    files |= {f"churn/_release/{name}": text.encode() for name, text in inside.items()}
    made = wheel(tmp_path, files, "1.4.0")
    project.write(f"""
        from stepwell import pipeline, use

        sizes = use("../{made.name}")

        @pipeline
        def main() -> dict[str, int]:
            return sizes("ana")
    """)
    assert project("run", "main", "--json").json["result"] == {"ana": 3, "2.0 hello ana": 13, "greet": 2}


def test_a_body_that_fails_says_so_at_the_line_that_names_it(project: Project, tmp_path: Path) -> None:
    files = files_of(tmp_path / "made", {}, version="1.4.0", pipelines={"main": "steps.py:main"})
    text = "import nowhere\nfrom stepwell import pipeline\n\n@pipeline\ndef main():\n    pass\n"
    inside = {"project/steps.py": text, "pylock.toml": PYLOCK.format(version="2.0")}
    files |= {f"churn/_release/{name}": each.encode() for name, each in inside.items()}
    made = wheel(tmp_path, files, "1.4.0")
    project.write(f"""
        from stepwell import pipeline, use

        @pipeline
        def main():
            return use("../{made.name}")()
    """)
    error = project("plan", "--json", code=None).json["error"]
    assert (error["code"], error["where"]) == ("E766", "pipeline.py:5")
    assert "No module named 'nowhere'" in error["why"]


@pytest.mark.parametrize(
    ("old", "new", "code", "said"),
    [
        ('use("churn==1.4.0")', 'use("churn==1.4.0", pipeline="chum")', "E766", "has no pipeline `chum`"),
        ("churn(factor=factor)", "churn(faktor=factor)", "E204", "faktor"),
        ('use("churn==1.4.0")', 'use("../features")', "E236", "names no release"),
    ],
)
def test_what_cannot_be_is_told(released: Project, old: str, new: str, code: str, said: str) -> None:
    released.write(USING.format(address="churn==1.4.0"))
    released.edit(old, new)
    error = released("plan", "--json", code=None).json["error"]
    assert (error["code"], said in str(error)) == (code, True), error
