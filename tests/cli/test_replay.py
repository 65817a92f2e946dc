"""`stepwell replay` and `run --twice`: what is the same, what differs and where; nothing recorded."""

from __future__ import annotations

import json

import pytest
from cli_projects import kept

PIPELINE = """
    import random
    from typing import NamedTuple
    from stepwell import log, pipeline, step

    class Split(NamedTuple):
        small: list[int]
        large: list[int]

    @step
    def load(n: int) -> list[str]:
        return [f"word {i}" for i in range(n)]

    @step
    def shuffled(words: list[str]) -> list[str]:
        log.metric("words", len(words))
        print("shuffling")
        return list(set(words))

    @step
    def split(words: list[str], at: int = 3) -> Split:
        numbers = [int(word.split()[1]) for word in words]
        return Split([n for n in numbers if n < at], [n for n in numbers if n >= at])

    @step
    def score(parts: Split, factor: float = 1.0) -> dict[str, float]:
        return {"sum": sum(parts.large) * factor, "noise": random.random()}

    @pipeline
    def demo(n: int = 20, factor: float = 1.0) -> dict[str, float]:
        return score(split(shuffled(load(n))), factor)
"""


@pytest.fixture
def demo(project):
    project.write(PIPELINE)
    project("run")
    return project


def test_unchanged_code_gives_the_same(demo):
    before = kept(demo)
    for step in ("shuffled", "split", "score"):  # a set that iterates, several outputs, random numbers
        found = demo("replay", step, "--json").json
        assert (found["step"], found["run"], found["same"]) == (step, "r1", True)
        assert all(one["then"] == one["now"] and not one["differences"] for one in found["outputs"])
    assert [one["name"] for one in demo("replay", "split", "last", "--json").json["outputs"]] == [
        "small",
        "large",
    ]
    told = demo("replay", "shuffled", "r1")
    assert "  = result  same" in told.out
    assert "words = 20" in told.err
    assert kept(demo) == before


def test_edited_code_is_compared_and_nothing_else_runs(demo):
    demo.edit("n < at", "n <= at")
    demo.edit("* factor", "* factor + 1")
    demo.edit(
        "def load(n: int) -> list[str]:",
        "def load(n: int) -> list[str]:\n    raise ValueError('not called')\n",
    )
    before = kept(demo)
    found = demo("replay", "split", "--json", code=1).json
    small, large = found["outputs"]
    assert (found["same"], small["same"], large["same"]) == (False, False, True)
    assert {"kind": "value", "text": "3 → 4 items", "where": "", "items": [3, 4]} in small["differences"]
    told = demo("replay", "score", code=1).out
    assert "≠ result  differs" in told
    assert "['sum']  187.0 → 188.0" in told
    assert "noise" not in told  # it is the same random number
    assert kept(demo) == before
    assert demo("runs", "--json").json["runs"][0]["run"] == "r1"


def test_an_argument_of_ones_own(demo):
    assert "['sum']  187.0 → 374.0" in demo("replay", "score", "--set", "factor=2", code=1).out
    assert "did you mean `factor`" in demo("replay", "score", "--set", "facto=2", code=2).err
    error = demo.refused("replay", "score", "--set", "factor=x", code=2)
    assert "it is not a number" in error["why"]


def test_a_step_that_fails_now_or_failed_then(demo):
    demo.edit("return Split(", "raise LookupError('now')\n    return Split(")
    found = demo("replay", "split", "--json", code=1).json
    assert found["same"] is False
    assert (found["outputs"], found["error"]["code"]) == ([], "E401")
    assert "LookupError: now" in found["error"]["traceback"]
    assert "error[E401] step `split` raised LookupError: now" in demo("replay", "split", code=1).out
    demo("run", code=1)
    assert demo("replay", "split", "--json", code=1).json["run"] == "r1"  # the newest that gave something
    error = demo.refused("replay", "split", "r2", code=3)
    assert (error["code"], error["what"]) == ("E320", "`split` gave nothing in r2")
    demo.edit("return {", "return 5 or {")
    assert "error[E405]" in demo("replay", "score", code=1).out


def test_a_step_that_only_ever_failed(project):
    """The present plan cannot stand in for what the step never gave; why is told of the run that has it."""
    project.write("""
        from stepwell import pipeline, step

        @step
        def items() -> list[int]:
            return [1, 2]

        @step
        def half(x: int) -> int:
            if x % 2:
                raise ValueError("it is odd")
            return x // 2

        @step
        def total(xs: list[int]) -> int:
            return sum(xs)

        @pipeline
        def halves() -> int:
            return total(half.map(items()))
    """)
    project("run", code=1)
    project.edit("it is odd", "it is not even")
    error = project.refused("replay", "half", code=3)
    assert (error["code"], error["what"]) == ("E320", "`half` gave nothing in r1")
    assert "stepwell debug half r1" in error["fixes"]
    error = project.refused("replay", "total", code=3)
    assert (error["code"], error["what"]) == ("E320", "`total` has no recorded inputs in r1")


def test_outputs_that_came_and_went(demo):
    demo.edit("    small: list[int]", "    tiny: list[int]")
    outputs = demo("replay", "split", "--json", code=1).json["outputs"]
    assert {one["name"]: [each["kind"] for each in one["differences"]] for one in outputs} == {
        "tiny": ["added"], "large": [], "small": ["missing"],
    }  # fmt: skip


def test_what_was_never_recorded(project):
    project.write(PIPELINE)
    assert project.refused("replay", "score", code=3)["code"] == "E320"
    assert "did you mean `score`" in project("replay", "scor", code=2).err
    assert not (project.root / ".stepwell").exists()
    assert project.refused("replay", "score", "r1", code=2)["code"] == "E108"


def test_another_pipeline_of_another_file(project):
    project.write(PIPELINE, "other.py")
    project("run", "other.py")
    assert project("replay", "score", "--json").json["same"]  # the step's module has the pipeline
    assert project("replay", "score", "-p", "other.py", "--json").json["same"]
    assert project("-C", ".", "replay", "score", cwd=project.root).out.count("same") == 1


RESTLESS = """
    import time
    from stepwell import pipeline, step

    @step
    def steady(n: int) -> list[int]:
        return list(range(n))

    @step
    def restless(values: list[int]) -> dict[str, object]:
        return {"values": values, "time": time.time_ns()}

    @step
    def once(values: list[int]) -> int:
        with open("seen", "a+") as file:
            file.seek(0)
            if file.read():
                raise OSError("a second time")
            file.write("x")
        return 1

    @pipeline
    def main(n: int = 3):
        values = steady(n)
        return [restless(values), once(values)]
"""


@pytest.mark.parametrize("how", [(), ("--in-process",)])
def test_run_twice_tells_what_is_not_deterministic(project, how):
    project.write(RESTLESS)
    run = project("run", "--json", *how, "--twice", "n=3", code=2)
    assert "stands where --twice takes a step" in run.out
    run = project("run", "--json", *how, "--twice")
    assert "twice: 3 steps were executed twice; NOT the same both times: `restless`, `once`" in run.err
    notes = {name: step.get("notes", []) for name, step in run.steps.items()}
    assert notes["steady"] == []
    (note,) = notes["restless"]
    assert note.startswith("is not deterministic: run twice with the same inputs, it gave two things")
    assert "['time']" in note
    assert "values" not in note
    assert "it failed the second time" in notes["once"][0]
    steps = {step["id"]: step for step in project("show", "last", "--json").json["steps"]}
    assert steps["restless"]["notes"] == [note]
    assert "restless: note: is not deterministic" in project("show", "last").out
    assert json.loads(project("get", "last", "steady").out) == [0, 1, 2]
    assert "nothing ran twice, so nothing was compared" in project("run", "--twice", "steady").err
    again = project("run", "--twice", "steady", "--force", "steady")
    assert "1 step was executed twice and gave the same both times" in again.err
    both = project("run", "--json", *how, "--twice", "restless", "--force", "restless")
    assert len(both.steps["restless"]["notes"]) == 1  # it differs from the last run too: once is enough


def test_run_twice_takes_the_names_that_other_options_take(project):
    project.write(RESTLESS)
    project("run", "-k", code=None)
    run = project("run", "--twice", "rest*", "--force", "rest*")
    assert "1 step was executed twice; NOT the same both times: `restless`" in run.err
    sweep = ("run", "--sweep", "n=4,5")
    points = project(*sweep, "--twice", "restless[1]", "--json", code=1).json["runs"]
    notes = [step["notes"] for run in points for step in run["steps"] if step["id"] == "restless"]
    assert [len(one) for one in notes] == [1, 1]
    assert all("run twice with the same inputs" in one[0] for one in notes)
    for option in ("--twice", "--force"):
        error = project.refused(*sweep, option, "restles", code=2)
        assert (error["code"], error["fixes"][0]) == ("E107", "did you mean `restless`?")
        assert error["fixes"][1] == "its steps are: steady, restless, once"


def test_a_forced_step_that_gives_something_else_is_told(project):
    project.write(RESTLESS)
    project("run")
    notes = project("run", "--force", "restless", "--json").steps["restless"]["notes"]
    assert len(notes) == 1
    assert notes[0].startswith(
        "is not deterministic: for the same inputs and code it gave something else than in run r1: `result`: ['time']"
    )
    assert "notes" not in project("run", "--force", "steady", "--json").steps["steady"]
    project.edit("time.time_ns()}", "time.time_ns(), 'new': 1}")
    assert "notes" not in project("run", "--json").steps["restless"]  # another key: nothing to compare with


PACKED = """
    from pathlib import Path
    from stepwell import pipeline, source, step

    DATA = source("data.txt", Path)

    @step
    def repeat(n: int, words: list[str]) -> list[int]:
        return [n] * len(words)

    @step
    def both(parts: list[list[int]], text: Path) -> int:
        return sum(map(sum, parts)) + len(text.read_text())

    @pipeline
    def packed(n: int = 2) -> int:
        words = [f"w{i}" for i in range(100)]
        return both([repeat(n, words), repeat(n + 1, words[:3])], DATA())
"""


def test_inputs_that_are_packed_or_known_by_their_digest_alone(project):
    project.write(PACKED)
    project.write("text", "data.txt")
    project("run")
    assert all(project("replay", name, "--json").json["same"] for name in ("repeat", "repeat[2]", "both"))
    project.edit("range(100)", "range(101)")
    error = project.refused("replay", "repeat", code=3)
    assert (error["code"], "only its digest was recorded" in error["why"]) == ("E322", True)
    assert project("replay", "both", "--json").json["same"]  # what it is given is in the store
    project.edit("words[:3])]", "words[:3]), repeat(7, words)]")
    assert project.refused("replay", "both", code=3)["code"] == "E322"


FAILING = """
    from stepwell import FailedStep, pipeline, step

    @step
    def items(n: int) -> list[int]:
        return list(range(n))

    @step
    def odd(x: int) -> int:
        if x == 1:
            raise ValueError("one")
        return x

    @step
    def total(values: list[int]) -> int:
        return sum(values)

    @step(always=True)
    def clean(failed: list[FailedStep], found: int | None) -> str:
        return f"{[(one.id, one.code, one.what, one.why) for one in failed]} {found}"

    @pipeline
    def main(n: int = 1) -> int:
        found = odd(n)
        clean(found=found)
        return found

    @pipeline
    def shared(n: int = 4) -> int:
        return total(odd.options(share=0.5).map(items(n)))
"""


def test_what_had_failed_then_is_told_again(project):
    """An `always` step is given the failures of its run, a list without those that failed, `None` for what is missing."""
    project.write(FAILING)
    project("run", "main", code=1)
    assert "('odd', 'E401'" in project("get", "r1", "clean").out
    project("run", "main", "n=2")
    project("run", "shared")
    for step, run in (("clean", "r1"), ("clean", "r2"), ("total", "r3")):
        found = project("replay", step, run, "--json").json
        assert found["same"], (step, run, found)
        assert "notes" not in found, found
