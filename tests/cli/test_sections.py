"""The command on pipelines of sections: what is chosen, what is drawn, what another project gives."""

from __future__ import annotations

import pytest

SECTIONS = """
    from typing import NamedTuple
    from stepwell import endpoint, pipeline, step

    class Split(NamedTuple):
        fit: list[int]
        held_out: list[int]

    @step
    def load(n: int) -> list[int]:
        print("loading")
        return list(range(n))

    @step
    def split(rows: list[int]) -> Split:
        return Split(rows[::2], rows[1::2])

    @step(tags=["slow"])
    def train(fit: list[int], depth: int) -> float:
        return float(sum(fit) * depth)

    @step
    def score(model: float, held_out: list[int]) -> float:
        return model / sum(held_out)

    @step
    def columns(model: float) -> int:
        return 1

    @pipeline
    def etl(n: int = 10) -> Split:
        return split(load(n))

    @pipeline
    def training(fit: list[int], depth: int = 3):
        return train(fit, depth)

    @pipeline
    def qa(model: float, held_out: list[int]):
        return columns(model), score(model, held_out)

    full = etl | training | endpoint("model") | qa
"""

ALL = ["etl/load", "etl/split", "training/train", "qa/columns", "qa/score"]


@pytest.fixture
def sections(project):
    project.write(SECTIONS)
    return project


def decisions(result):
    return [result.decisions[name] for name in ALL]


def test_sections_run_together_and_apart(sections):
    first = sections("run", "training", "depth=4", "--json")
    assert (first.json["pipeline"], decisions(first)) == ("full", ["run", "run", "run", "skip", "skip"])
    assert first.steps["qa/score"]["reasons"][0]["kind"] == "unwanted"
    made = sections("run", "model", "depth=4", "--json")
    assert (made.json["result"], decisions(made)[:3]) == (80.0, ["cached"] * 3)
    whole = sections("run", "depth=4", "--json")
    assert (whole.json["result"], decisions(whole)) == ([1, 3.2], ["cached"] * 3 + ["run"] * 2)
    alone = sections("run", "etl", "--json")
    assert (alone.json["pipeline"], set(alone.decisions)) == ("etl", {"load", "split"})
    given = sections("run", "training", "fit=[1, 2]", "--json")
    assert (given.json["pipeline"], given.json["result"]) == ("training", 9.0)


def test_what_is_kept_is_not_run_whatever_changed(sections):
    error = sections.refused("run", "--only", "score", code=2)
    assert error["code"] == "E122"
    assert error["fixes"][0] == "stepwell run full --until etl/split,training/train"
    assert not list((sections.root / ".stepwell").rglob("runs/*"))
    sections("run", "--until", "training/")
    sections.edit("list(range(n))", "list(range(n + 2))")
    kept = sections("plan", "--from", "train", "depth=5", "--json")
    assert decisions(kept) == ["cached", "cached", "run", "run", "run"]
    assert kept.steps["etl/load"]["reasons"][0]["kind"] == "kept"
    ran = sections("run", "--from", "train", "--skip", "columns", "depth=5", "--json")
    assert decisions(ran)[:4] == ["cached", "cached", "run", "skip"]
    assert ran.steps["qa/score"]["status"] == "succeeded"
    assert ran.steps["qa/columns"]["reasons"] == [{"kind": "unwanted", "text": "asked to be left out"}]


def test_checks_and_steps_are_told_apart(sections):
    error = sections.refused("plan", "--only", "columns", code=2)
    assert error["code"] == "E121"
    assert error["fixes"] == ["--only check:columns", "--only step:columns"]
    assert set(sections("plan", "--only", "check:columns", "--json").decisions.values()) <= {"run", "maybe"}
    assert sections("plan", "--only", "step:columns", "--json", code=3).decisions["qa/columns"] == "blocked"
    error = sections.refused("plan", "--tag", "slw", code=2)
    assert (error["code"], error["fixes"][0]) == ("E120", "did you mean `tag:slow`?")


def test_a_word_that_names_nothing(sections):
    error = sections.refused("run", "modle", code=2)
    assert (error["code"], error["fixes"][0]) == ("E103", "did you mean `model`?")
    assert "no section and no endpoint" in error["why"]


def test_a_saved_plan_remembers_what_was_chosen(sections):
    sections("plan", "--until", "etl", "--save", "p.plan")
    assert decisions(sections("run", "--plan", "p.plan", "--json"))[2:] == ["skip"] * 3
    assert sections.refused("run", "--plan", "p.plan", "--until", "etl", code=2)["code"] == "E100"


def test_the_graph_is_drawn_without_a_store(sections):
    drawn = sections("graph").out
    assert drawn.splitlines()[:4] == [
        "full  n=10  depth=3",
        "       etl/",
        "●        load  list[int]",
        "●        split  fit: list[int], held_out: list[int]",
    ]
    assert "train  float  #slow  ⇒ model" in drawn
    assert drawn.splitlines()[-1] == "5 steps in 3 sections"
    assert not (sections.root / ".stepwell").exists()
    one = sections("graph", "--sections", "--json").steps
    assert {name: step["needs"] for name, step in one.items()} == {
        "etl": [],
        "training": ["etl"],
        "qa": ["training", "etl"],
    }
    assert one["qa"]["flows"] == {"training": ["train"], "etl": ["held_out"]}
    assert set(sections("graph", "training", "--json").steps) == set(ALL[:3])
    assert 'n0 -> n1 [label="fit"];' in sections("graph", "--sections", "--dot").out
    assert '-->|"train"|' in sections("graph", "--mermaid", "--from", "train").out
    assert "E100" in sections("graph", "--dot", "--mermaid", code=2).err
    assert sections.refused("graph", "nothing", code=2)["code"] == "E103"


def test_what_two_sections_share_is_done_once(project):
    project.write(
        """
        from stepwell import pipeline, step

        @step
        def load(n: int) -> list[int]:
            open("times", "a").write("x")
            return list(range(n))

        @step
        def low(rows: list[int]) -> int: return min(rows)

        @step
        def high(rows: list[int]) -> int: return max(rows)

        @pipeline
        def lows(n: int = 3): return low(load(n))

        @pipeline
        def highs(n: int = 3): return high(load(n))

        both = lows >> highs
        """
    )
    result = project("run", "--json")
    assert result.json["result"] == [0, 2]
    assert (project.root / "times").read_text() == "x"
    assert result.steps["highs/load"]["reasons"][0]["kind"] in ("same", "cached")


# --------------------------------------------------------------------------- workspaces


@pytest.fixture
def workspace(project):
    project.write('[tool.stepwell]\nworkspace = ["../etl-project", "../packages/*"]\n', "pyproject.toml")
    project.write(
        """
        from os import getcwd
        from stepwell import pipeline, step
        from etl_steps.helper import BASE

        @step
        def load(n: int) -> list[str]:
            return [f"{getcwd().rpartition('/')[2]} {BASE + i}" for i in range(n)]

        @pipeline
        def etl(n: int = 2):
            return load(n)
        """,
        "../etl-project/src/etl_steps/flow.py",
    )
    project.write("BASE = 10\n", "../etl-project/src/etl_steps/helper.py")
    project.write("from etl_steps.flow import etl\n", "../etl-project/pipeline.py")
    project.write(
        """
        from stepwell import step

        @step
        def fit(load: list[str]) -> str:
            return " ".join(load)
        """,
        "../packages/one/models.py",
    )
    project.write("from etl_steps.flow import etl\nfrom models import fit\nfull = etl | fit\n")
    return project


def test_modules_of_other_projects_count_as_its_own(workspace):
    assert workspace("run", "--json").json["result"] == "demo 10 demo 11", "in the project's own folder"
    assert set(workspace("plan", "--json").decisions.values()) == {"cached"}
    workspace.edit("BASE = 10", "BASE = 20", "../etl-project/src/etl_steps/helper.py")
    changed = workspace("plan", "--json").steps["etl/load"]
    assert changed["reasons"][0]["text"] == "code of `etl_steps.helper.BASE` changed"
    assert workspace("run", "--json").json["result"] == "demo 20 demo 21"


def test_modules_that_two_projects_have(workspace):
    workspace.write("from pipeline import etl\nfrom models import fit\nfull = etl | fit\n")
    error = workspace.refused("plan", code=3)
    assert (error["code"], error["where"]) == ("E258", "pipeline.py:1")
    assert "`pipeline.py` or `etl-project/pipeline.py`" in error["what"]
    workspace.write("from etl_steps.flow import etl\nfrom models import fit\nfull = etl | fit\n")
    workspace.write("BASE = 3\n", "helpers.py")
    workspace.write("BASE = 4\n", "../etl-project/helpers.py")
    workspace("plan")
    workspace.edit("from etl_steps.helper", "from helpers", "../etl-project/src/etl_steps/flow.py")
    error = workspace.refused("plan", code=3)
    assert error["code"] == "E258"
    assert "etl-project/helpers.py" in error["what"]


@pytest.mark.parametrize("word", ["../nowhere", "..", "nothing/*"])
def test_a_workspace_that_is_none(workspace, word):
    workspace.write(f'[tool.stepwell]\nworkspace = ["{word}"]\n', "pyproject.toml")
    assert workspace.refused("plan", code=3)["code"] == "E318"


def test_names_of_sections_are_completed(sections):
    assert "full" in sections("__complete", "run", "").out.split()
    assert {"fit=", "depth=", "n="} <= set(sections("__complete", "plan", "full", "").out.split())
    assert {"--from", "--until", "--only", "--skip", "--sections"} <= set(
        sections("__complete", "graph", "--").out.split()
    )


def test_a_word_that_names_a_step_or_its_file_is_told_how_to_run_that(project):
    project.write("""
        from pathlib import Path
        from stepwell import pipeline, shell, step

        all_csv = shell("echo 1 > {out}", out="tables/all.csv", name="all_csv")

        @step(out="report.txt")
        def report(table: Path) -> str:
            return table.read_text()

        @pipeline
        def main() -> str:
            return report(all_csv())
    """)
    for word, step, why in (
        ("all_csv", "all_csv", "`all_csv` is a step in `main`, and no pipeline"),
        (
            "all.csv",
            "all_csv",
            "`all.csv` is a file that the step `all_csv` writes in `main`, and no pipeline",
        ),
        (
            "report.txt",
            "report",
            "`report.txt` is a file that the step `report` writes in `main`, and no pipeline",
        ),
    ):
        error = project.refused("run", word, code=2)
        assert (error["code"], error["why"]) == ("E103", why)
        assert error["fixes"] == [f"stepwell run --until {step}", "`pipeline.py` has: main"]
    error = project.refused("plan", "pipeline.py:report", code=2)
    assert error["fixes"][0] == "stepwell run pipeline.py --until report"
    assert project("run", "--until", "all_csv", "--json").steps["report"]["status"] == "skipped"
