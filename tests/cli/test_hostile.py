"""Pipelines that pull the rug from under a run: libraries replaced, the store removed, files passed by the way."""

from __future__ import annotations

import pytest

PATCHING = """
    import json, os
    from stepwell import pipeline, step

    @step
    def evil(n: int) -> int:
        os.path.getsize = lambda path: 42
        json.loads = None
        return n

    @step
    def size(n: int) -> list[int]:
        return [os.path.getsize("three.txt"), json.loads("5"), n]

    @pipeline
    def sizes() -> list[int]:
        return size(evil(1))
"""


@pytest.mark.parametrize("how", ["-j1", "--in-process"])
def test_a_step_finds_libraries_as_they_were(project, how):
    project.write(PATCHING)
    project.write("abc", "three.txt")
    found = project("run", how, "--json").json
    assert found["result"] == [3, 5, 1]
    (note,) = [note for step in found["steps"] for note in step.get("notes", [])]
    assert note.startswith("step `evil` changes `json.loads`, `os.path.getsize` of a library; ")
    assert project("run", how, "--json").json["counts"]["cached"] == 2


def test_a_project_that_replaces_functions_of_json(project):
    project.write("""
        import json
        from stepwell import pipeline, step
        json.dumps = json.loads = json.JSONEncoder.default = None

        @step
        def one() -> dict[str, int]:
            return {"a": 1}

        @pipeline
        def ones() -> dict[str, int]:
            return one()
    """)
    assert project("run", "--json").json["result"] == {"a": 1}
    assert project("plan", "--json").decisions == {"one": "cached"}
    assert "nothing to do" in project("plan").out


REMOVING = """
    import shutil
    from stepwell import pipeline, step

    REMOVES = True

    @step
    def removes(n: int) -> int:
        if REMOVES:
            shutil.rmtree(".stepwell")
        return n

    @step
    def large(texts: list[str], n: int) -> list[str]:
        return texts * n

    @pipeline
    def small(n: int = 1) -> int:
        return removes(n)

    @pipeline
    def much(n: int = 1) -> list[str]:
        return large(["x" * 100_000, "y"], removes(n))
"""


@pytest.mark.parametrize("name", ["small", "much"])
@pytest.mark.parametrize("how", [(), ("--json",)])
def test_the_store_is_removed_while_the_run_goes_on(project, name, how):
    project.write(REMOVING)
    gone = project("run", f"pipeline.py:{name}", *how, code=6)
    assert "E508" in gone.out + gone.err
    assert "was removed while the run went on" in gone.out + gone.err
    project.edit("REMOVES = True", "REMOVES = False")
    assert project("run", f"pipeline.py:{name}", "--json").json["status"] == "succeeded"


BY_THE_WAY = """
    from stepwell import pipeline, step

    @step
    def writes(n: int) -> int:
        with open("x.txt", "w") as file:
            file.write(str(n))
        return n

    @step
    def reads(n: int, which: int) -> str:
        with open("x.txt") as file:
            return file.read()

    @step
    def alone(n: int) -> str:
        with open("own.txt", "w") as file:
            file.write("own")
        with open("own.txt") as file:
            return file.read()

    @pipeline
    def passed(n: int = 1) -> object:
        done = writes(n)
        return reads(done, 1), reads(done, 2), alone(n)
"""


def test_a_file_that_passes_between_steps_unseen(project):
    project.write(BY_THE_WAY)
    steps = project("run", "-j1", "--json").json["steps"]
    ((step, note),) = [(step["step"], note) for step in steps for note in step.get("notes", [])]
    assert step == "reads"
    assert note.startswith("step `reads` read `x.txt`, which `writes` wrote: pass it as a result")


@pytest.mark.parametrize(
    ("words", "told"),
    [(("run", "--ghost", "--rows", "0"), "--rows: `0`"), (("gc", "--keep", "-1"), "--keep: `-1`")],
)
def test_numbers_that_are_too_small(hello, words, told):
    assert f"{told} is not a number, 1 or more" in hello(*words, code=2).err


def test_a_result_into_a_file(hello):
    hello("run")
    hello("get", "r1", "total", "-o", "total.json")
    assert (hello.root / "total.json").read_text().strip() == "285"


SIMPLE = """
    import os, pathlib, sys
    from stepwell import pipeline, step
    {line}

    @step
    def one(n: int) -> int:
        return n

    @pipeline
    def main(n: int = 1) -> int:
        return one(n)
"""


@pytest.mark.parametrize("how", ["-j1", "--in-process"])
@pytest.mark.parametrize("line", [
    "sys.path.append(pathlib.Path('/nowhere'))", "sys.path.append(None)", "sys.path.append(b'/nowhere')",
    "sys.path.insert(0, type('Text', (str,), {})('/nowhere'))",
])  # fmt: skip
def test_places_to_import_from_that_are_no_texts_are_passed_over_as_python_does(project, how, line):
    project.write(SIMPLE.format(line=line))
    assert "r1 succeeded" in project("run", how).out


def test_an_environment_that_no_process_can_be_given_is_told(project):
    project.write(SIMPLE.format(line="os.environ['BIG'] = 'x' * 200_000"))
    told = project("run", code=None)
    assert told.code not in (0, 70)
    assert "error[E408]" in told.err
    assert "larger than the system hands to a process" in told.err
    assert "--in-process" in told.err
    assert "r2 succeeded" in project("run", "--in-process").out
