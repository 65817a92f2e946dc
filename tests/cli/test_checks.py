"""`plan` and `run` verify before anything runs: options, documents, exit codes."""

from __future__ import annotations

import json
import subprocess

import pytest
from cli_projects import STEPWELL, Project, validator

PIPELINE = """
    from stepwell import check, pipeline, step

    @step
    def numbers(count: int) -> list[int]:
        open("ran", "a").close()
        return list(range(count))

    @step
    def words(values: list[str]) -> int:
        return len(values)

    @check
    def small(plan):
        "At most a hundred numbers."
        return plan.params["count"] <= 100

    @pipeline
    def main(count: int = 3) -> int:
        return words(numbers(count))
"""


@pytest.fixture
def wrong(project: Project) -> Project:
    project.write(PIPELINE)
    return project


@pytest.fixture
def right(project: Project) -> Project:
    project.write(PIPELINE.replace("list[str]", "list[int]"))
    return project


def test_run_verifies_before_anything_runs(wrong):
    for verb in ("plan", "run"):
        error = wrong(verb, "--json", code=3).json["error"]
        assert error["code"] == "E205"
    assert not (wrong.root / "ran").exists()


def test_several_problems_are_one_document_and_one_text(wrong):
    wrong.edit("return words(numbers(count))", "return words(numbers(cuont=1)), words(numbers('x'))")
    error = wrong("plan", "--json", code=3).json["error"]
    assert error["code"] == "E312"
    assert [one["code"] for one in error["problems"]] == ["E204", "E205", "E205"]
    text = wrong("plan", code=3)
    assert text.out == ""
    assert text.err.count("\n\n") == 3
    assert [line[:11] for line in text.err.splitlines() if line.startswith("error")] == [
        "error[E204]",
        "error[E205]",
        "error[E205]",
        "error[E312]",
    ]


def test_parameters_are_told_together(right):
    error = right("plan", "--json", "count=x", "depth=1", "count=2", code=2).json["error"]
    assert [one["code"] for one in error["problems"]] == ["E104", "E105", "E105"]


def test_parameters_are_told_with_all_the_rest(wrong):
    error = wrong("plan", "--json", "count=x", code=3).json["error"]
    assert {one["code"] for one in error["problems"]} == {"E105", "E205"}
    wrong.edit("count: int = 3", "count: int")  # without a default nothing else can be seen
    assert wrong("plan", "--json", "count=x", code=2).json["error"]["code"] == "E105"


def test_a_check_of_ones_own(right):
    error = right.refused("run", "count=101", code=3)
    assert error["code"] == "E313"
    assert error["what"] == "the check `small` does not hold"
    assert not (right.root / "ran").exists()
    right("run", "count=101", "-x", "small")


@pytest.mark.parametrize(
    "words",
    [
        ("--depth", "names"), ("--depth=names",), ("-x", "types"), ("--without", "types,disk"), ("--only", "outputs"),
        ("--only=outputs,small",),
    ],
)  # fmt: skip
def test_less_is_verified_where_less_is_asked(wrong, words):
    assert wrong("plan", *words, "--json").decisions == {"numbers": "run", "words": "run"}


@pytest.mark.parametrize(
    ("words", "says"),
    [(("--depth", "nams"), "names"), (("--only", "disc"), "disk"), (("-x", "smal"), "small")],
)
def test_names_that_are_not_known(right, words, says):
    error = right.refused("plan", *words, code=2)
    assert error["fixes"][0] == f"did you mean `{says}`?"


def test_the_checks_are_listed(right):
    text = right("plan", "--checks").out
    assert text.splitlines()[-1].split(None, 2) == ["small", "data", "At most a hundred numbers."]
    out = subprocess.run(
        [STEPWELL, "plan", "--checks", "--json"],
        cwd=right.root,
        env=right.env,
        capture_output=True,
        check=True,
    ).stdout
    validator("checks").validate(json.loads(out))


def test_what_is_worth_a_look_does_not_fail(right):
    right.edit("@step\ndef numbers", '@step(env=["STEPWELL_NOT_SET"])\ndef numbers')
    result = right("plan", "--json")
    assert "$STEPWELL_NOT_SET is not set, and `numbers` declares to read it" in result.json["notes"]
    assert "note: $STEPWELL_NOT_SET is not set" in right("plan").out + right("plan").err
