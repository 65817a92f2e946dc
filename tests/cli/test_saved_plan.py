"""`plan --save FILE` and `run --plan FILE`: exactly what was shown, or nothing."""

from __future__ import annotations

import json
import os

import pytest

PIPELINE = """
    import os
    from pathlib import Path
    import helpers
    from stepwell import pipeline, source, step

    rows = source("data/rows.txt", str)

    @step
    def load(text: str) -> list[int]:
        return [int(n) for n in text.split()]

    @step
    def shift(values: list[int], by: int = 0) -> list[int]:
        return [helpers.clean(n) + by + len(Path("extra.txt").read_text()) for n in values]

    @step(env=["ZONE"])
    def total(values: list[int]) -> list[int]:
        print(os.environ.get("ZONE"))
        return [sum(values)] * 30000

    @step
    def count(sums: list[int]) -> int:
        return len(sums)

    @pipeline
    def main(by: int = 1, more: int = 0) -> int:
        return count(total(shift(load(rows()), by)))
"""


@pytest.fixture
def shown(project):
    """A pipeline that ran, one edit, and the plan of that in `plan.json`."""
    project.write("def clean(n):\n    return n + 1\n", "helpers.py")
    project.write("1 2 3\n", "data/rows.txt")
    project.write("x\n", "extra.txt")
    project.write(PIPELINE)
    project("run")
    project.edit("return len(sums)", "return len(sums) + 1")
    project("plan", "--save", "plan.json")
    return project


def runs(project):
    return len(project("runs", "--json").json["runs"])


def test_it_is_carried_out_as_it_was_shown(shown):
    saved = json.loads((shown.root / "plan.json").read_text())
    planned = {step["id"]: step["decision"] for step in saved["plan"]["steps"]}
    assert planned == {"load": "cached", "shift": "cached", "total": "cached", "count": "run"}
    run = shown("run", "--plan", "plan.json", "--json")
    assert run.decisions == planned
    assert run.json["result"] == 30001


def test_once_it_was_carried_out_it_is_another(shown):
    shown("run", "--plan", "plan.json")
    assert shown.refused("run", "--plan", "plan.json", code=3)["code"] == "E330"


def test_parameters_and_forced_steps_are_part_of_it(shown):
    shown("plan", "by=2", "--force", "load", "--save", "other.json")
    run = shown("run", "--plan", "other.json", "--json")
    assert run.json["params"]["by"] == 2
    assert run.decisions["load"] == "run"


def edit_code(p):
    p.edit("int(n) for", "int(n) + 0 for")


def edit_helper(p):
    p.edit("n + 1", "n + 2", "helpers.py")


def edit_default_of_step(p):
    p.edit("by: int = 0", "by: int = 5")


def edit_default_of_pipeline(p):
    p.edit("by: int = 1", "by: int = 5")


def edit_unused_default(p):
    p.edit("more: int = 0", "more: int = 5")


def edit_source(p):
    (p.root / "data" / "rows.txt").write_text("1 2 4\n")


def edit_observed(p):
    (p.root / "extra.txt").write_text("xyz\n")


def set_variable(p):
    p.env["ZONE"] = "CET"


def new_step(p):
    p.edit(
        "return count(total(shift(load(rows()), by)))", "return count(total(shift(shift(load(rows()), by))))"
    )


def run_it(p):
    p("run")


MOVES = [
    edit_code, edit_helper, edit_default_of_pipeline, edit_source, edit_observed,
    set_variable, new_step, run_it,
]  # fmt: skip


@pytest.mark.parametrize("move", MOVES, ids=lambda move: move.__name__)
def test_something_moved(shown, move):
    move(shown)
    before = runs(shown)
    error = shown.refused("run", "--plan", "plan.json", code=3)
    assert error["code"] == "E330"
    assert "plan.json" in error["what"]
    assert runs(shown) == before


def test_a_result_that_was_lost_since(shown):
    files = [path for path in (shown.root / ".stepwell" / "blobs").rglob("*") if path.is_file()]
    assert files, "the sums are large enough for a file"
    for path in files:
        os.chmod(path, 0o644)
        path.unlink()
    before = runs(shown)
    error = shown.refused("run", "--plan", "plan.json", code=3)
    assert error["code"] == "E330"
    assert runs(shown) == before


def test_what_does_not_count_may_change(shown):
    shown.edit("    return n + 1", "    # one more\n    return n + 1", "helpers.py")
    (shown.root / "README.md").write_text("hello\n")
    shown("run", "--plan", "plan.json")


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", "null", "{}", '{"format": "stepwell plan 1"}', '{"format": "stepwell plan 99"}',
     '{"format": "stepwell plan 1", "pipeline": "pipeline.py:main", "words": 3, "force": [], "facts": {}}',
     '{"format": "stepwell plan 1", "pipeline": "pipeline.py:main", "words": [3], "force": [], "facts": {}}',
     '{"format": "stepwell plan 1", "pipeline": 3, "words": [], "force": [], "facts": {}}',
     '{"format": "stepwell plan 1", "pipeline": "pipeline.py:main", "words": [], "force": "ab", "facts": {}}',
     '{"format": "stepwell plan 1", "pipeline": "pipeline.py:main", "words": [], "force": [], "facts": {"load": 3}}',
     '{"format": "stepwell plan 1", "pipeline": "pipeline.py:main", "words": [], "force": [], "facts": []}',
     "\x00\xff", "[" * 100000],
    ids=range(16),
)  # fmt: skip
def test_a_file_that_is_no_saved_plan(shown, text):
    (shown.root / "bad.json").write_bytes(text.encode("latin-1"))
    assert shown.refused("run", "--plan", "bad.json", code=3)["code"] == "E331"


def test_no_file_at_all(shown):
    assert shown.refused("run", "--plan", "none.json", code=3)["code"] == "E331"
    assert shown.refused("run", "--plan", ".", code=3)["code"] == "E331"
    assert shown.refused("plan", "--save", "no/such/folder.json", code=3)["code"] == "E503"


@pytest.mark.parametrize(
    "beside",
    [["by=2"], ["main"], ["--force", "load"], ["--ghost"], ["-n"], ["--refresh"]],
    ids=lambda words: words[0],
)
def test_other_words_beside_it(shown, beside):
    before = runs(shown)
    error = shown.refused("run", "--plan", "plan.json", *beside, code=2)
    assert beside[0].lstrip("-") in error["what"] or "dry-run" in error["what"]
    assert runs(shown) == before


def test_from_elsewhere(shown, tmp_path):
    """`-C` is where the file is looked for, as for every other path."""
    run = shown("-C", str(shown.root), "run", "--plan", "plan.json", "--json", cwd=tmp_path)
    assert run.decisions["count"] == "run"


def test_a_pipeline_in_a_package(project):
    project.write("", "flow/__init__.py")
    project.write(
        """
        from stepwell import pipeline, step

        @step
        def one() -> int:
            return 1

        @pipeline
        def first() -> int:
            return one()

        @pipeline
        def second() -> int:
            return one()
        """,
        "flow/jobs.py",
    )
    project("plan", "flow.jobs:second", "--save", "plan.json")
    assert project("run", "--plan", "plan.json", "--json").json["pipeline"] == "second"


def test_a_plan_of_another_folder_cannot_be_saved_as_a_comparison(shown):
    assert "--against" in shown.refused("plan", "--save", "x.json", "--against", "last", code=2)["what"]
    assert not (shown.root / "x.json").exists()
