"""`stepwell accept`: an edit that does not count, until it is taken back."""

from __future__ import annotations

import re
import subprocess

import pytest

PIPELINE = """
    import helpers
    from stepwell import pipeline, step

    @step
    def make(a: int) -> int:
        return helpers.clean(a)

    @step
    def other(a: int) -> int:
        return helpers.clean(a) * 2

    @step
    def use(a: int) -> int:
        return a * 10

    @pipeline
    def main(a: int = 1):
        return [use(make(a)), other(a)]
"""


@pytest.fixture
def shared(project):
    """Two steps of one helper, run once, and the helper edited."""
    project.write("def clean(a):\n    return a + 1\n", "helpers.py")
    project.write(PIPELINE)
    project.env |= {"GIT_AUTHOR_NAME": "x"}
    subprocess.run(["git", "config", "--global", "user.name", "Ann"], env=project.env, check=True)
    subprocess.run(
        ["git", "config", "--global", "user.email", "ann@example.org"], env=project.env, check=True
    )
    project("run")
    project.edit("a + 1", "1 + a", "helpers.py")
    return project


def why(result, step):
    return " ".join(reason["text"] for reason in result.steps[step]["reasons"])


def test_what_was_accepted_counts_as_it_was(shared):
    assert shared("plan", "--json").decisions == {"make": "run", "other": "run", "use": "maybe"}
    given = shared("accept", "make", "-m", "a sum has no order")
    assert given.out.startswith("pipeline:make  edit accepted by Ann <ann@example.org> on ")
    assert given.out.endswith(": a sum has no order\n")
    plan = shared("plan", "--json")
    assert plan.decisions == {"make": "cached", "other": "run", "use": "cached"}
    assert "(edit accepted by Ann <ann@example.org> on " in why(plan, "make")
    assert "a sum has no order" in shared("plan").out
    story = shared("why", "make").out
    assert re.search(
        r"  edit accepted by Ann <ann@example\.org> on \S+: a sum has no order: `helpers\.clean`\n", story
    )
    assert "    -    return a + 1\n    +    return 1 + a\n" in story
    assert [edit["name"] for edit in shared("why", "make", "--json").json["accepted"]] == ["helpers.clean"]
    assert "accepted" not in shared("why", "other", "--json").json
    run = shared("run", "--json")
    assert run.decisions == {"make": "cached", "other": "run", "use": "cached"}
    assert run.json["result"] == [20, 4]


def test_taking_it_back(shared):
    shared("accept", "make", "other")
    assert set(shared("plan", "--json").decisions.values()) == {"cached"}
    back = shared("accept", "make", "--undo")
    assert re.fullmatch(
        r"pipeline:make  edits count again; taken back by Ann <ann@example\.org> on \d{4}-\d\d-\d\d\n",
        back.out,
    )
    assert shared("plan", "--json").decisions == {"make": "run", "other": "cached", "use": "maybe"}
    assert shared.refused("accept", "make", "--undo", code=2)["code"] == "E111"
    shared("accept", "make")
    assert set(shared("plan", "--json").decisions.values()) == {"cached"}


def test_the_list_is_a_history(shared):
    assert shared("accept", "--list").out == ""
    assert shared("accept", "--list", "--json").json == {"accepted": []}
    shared("accept", "make", "-m", "same")
    shared("accept", "make", "--undo")
    words = shared("accept", "--list", "--json").json["accepted"]
    assert [(word["why"], word["taken_back"]) for word in words] == [("same", False), ("", True)]
    assert words[0]["after"] == words[1]["after"] != words[0]["before"]
    assert len(shared("accept", "--list").out.splitlines()) == 2
    answer = shared("accept", "make", "--json").json["accepted"]
    assert [word["step"] for word in answer] == ["pipeline:make"]


def test_a_chain_of_edits(shared):
    shared("accept", "make")
    shared("run")
    shared.edit("1 + a", "1 + a + 0", "helpers.py")
    assert shared("plan", "--json").decisions["make"] == "run"
    shared("accept", "make")
    plan = shared("plan", "--json")
    assert plan.decisions["make"] == "cached"
    assert "since run r1" in why(plan, "make")
    shared.edit("1 + a + 0", "1 + a", "helpers.py")
    assert shared("plan", "--json").decisions["make"] == "cached"
    shared.edit("1 + a", "a + 1", "helpers.py")
    assert shared("plan", "--json").decisions["make"] == "cached"
    shared.edit("a + 1", "a + 2", "helpers.py")
    assert shared("plan", "--json").decisions["make"] == "run"


def test_inputs_still_count(shared):
    """The edit is accepted; the parameter that changed as well is not."""
    assert shared("plan", "a=2", "--json").decisions["make"] == "run"
    shared("accept", "make", "a=2")
    plan = shared("plan", "a=2", "--json")
    assert plan.decisions["make"] == "run"
    assert [reason["kind"] for reason in plan.steps["make"]["reasons"]] == ["param"]
    assert shared("plan", "--json").decisions["make"] == "cached"
    assert shared("run", "a=2", "--json").json["result"] == [30, 6]
    assert shared("plan", "a=2", "--json").decisions["make"] == "cached"


def test_an_edit_of_the_inputs_maker_and_of_the_step(shared):
    """A step behind one that runs: its result is only predicted, and its edit can be accepted all the same."""
    shared.edit("return a * 10", "return 10 * a")
    shared("accept", "use")
    assert shared("plan", "--json").decisions == {"make": "run", "other": "run", "use": "maybe"}
    assert shared("run", "--json").decisions == {"make": "run", "other": "run", "use": "cached"}


def test_nothing_to_accept(shared):
    assert shared.refused("accept", "use", code=2)["code"] == "E111"
    shared("accept", "make")
    assert shared.refused("accept", "make", code=2)["code"] == "E111"
    shared("run")
    fresh = shared.refused("accept", "other", code=2)
    assert fresh["code"] == "E111"


def test_a_step_that_never_ran(project):
    project.write()
    error = project.refused("accept", "total", code=2)
    assert error["code"] == "E111"
    assert "no earlier result" in error["why"]


def test_words_that_are_wrong(shared):
    assert shared.refused("accept", "nope", code=2)["code"] == "E107"
    assert shared.refused("accept", "mak", code=2)["fixes"][0].startswith("did you mean")
    assert "no step is named" in shared.refused("accept", code=2)["what"]
    assert "no step is named" in shared.refused("accept", "--undo", code=2)["what"]
    assert "--list" in shared.refused("accept", "make", "--list", code=2)["what"]
    assert "--undo" in shared.refused("accept", "make", "--undo", "-m", "x", code=2)["what"]


def test_several_calls_are_one_step(project):
    text = """
    from stepwell import pipeline, step

    @step
    def double(a: int) -> int:
        return a * 2

    @pipeline
    def main():
        return [double(n) for n in range(3)]
    """
    project.write(text)
    project("run")
    project.edit("a * 2", "2 * a")
    assert len(project("accept", "double[2]", "--json").json["accepted"]) == 1
    assert set(project("plan", "--json").decisions.values()) == {"cached"}


def test_a_result_that_was_made_on_somebody_s_word_does_not_outlive_it(shared):
    """Accepted, run with another parameter, taken back, edit undone: the code of now never gave that."""
    shared.edit("1 + a", "a + 5", "helpers.py")
    shared("accept", "make")
    assert shared("run", "a=3", "--json").json["result"][0] == 80
    shared("accept", "make", "--undo")
    shared.edit("a + 5", "a + 1", "helpers.py")
    assert shared("run", "a=3", "--json").json["result"][0] == 40


def test_two_processes_at_once(shared):
    both = [shared.start("accept", name) for name in ("make", "other")]
    for process in both:
        out, err = process.communicate(timeout=30)
        assert process.returncode == 0, (out, err)
    assert len(shared("accept", "--list", "--json").json["accepted"]) == 2
    assert set(shared("plan", "--json").decisions.values()) == {"cached"}
