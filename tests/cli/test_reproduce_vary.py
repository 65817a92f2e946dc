"""`stepwell reproduce --vary`: which circumstance a step depends on, one at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from cli_projects import Project

PIPELINE = """
    import os, stat, time
    from pathlib import Path
    import numpy as np
    from stepwell import pipeline, source, step

    @step
    def words(n: int) -> list[str]:
        return list({f"w{i}" for i in range(n)})

    @step
    def clock(n: int) -> str:
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(n))

    @step
    def threads(n: int) -> int:
        return int(os.environ.get("OMP_NUM_THREADS", n))

    @step
    def place(n: int) -> str:
        return os.getcwd()

    @step
    def reading(n: int) -> list[str]:
        with open("umlauts.txt") as file:
            return [line.strip() for line in file]

    @step
    def modes(n: int) -> int:
        path = Path("made.txt")
        path.write_text("x")
        try:
            return stat.S_IMODE(path.stat().st_mode)
        finally:
            path.unlink()

    @step
    def chance(n: int) -> int:
        return time.time_ns()

    @step
    def failing(n: int) -> int:
        if os.environ.get("PYTHONHASHSEED") != "0":
            raise RuntimeError("the disk is full")
        return n

    @step
    def edited(n: int) -> int:
        if os.environ.get("PYTHONHASHSEED") != "0":
            Path("helpers.py").write_text("x = 12345")
        return n

    @step
    def pure(rows: str, n: int) -> np.ndarray:
        return np.arange(n) * float(rows)

    @pipeline
    def demo(n: int = 10) -> np.ndarray:
        clock(n), threads(n), place(n), reading(n), modes(n), chance(n), words(n), failing(n), edited(n)
        return pure(source("data/factor.txt", str)(), n)
"""


@pytest.fixture
def demo(project: Project) -> Iterator[Project]:
    project.write(PIPELINE)
    project.write("grün\n", "umlauts.txt")
    project.write("2.5", "data/factor.txt")
    project.env["LC_ALL"] = "C.UTF-8"
    before = os.umask(0o022)
    project("run")
    yield project
    os.umask(before)


def mattering(project: Project, step: str, code: int) -> list[str]:
    found = project("reproduce", "--vary", step, "--json", code=code).json
    assert (found["step"], found["run"], found["first"]["grade"]) == (step, "r1", "A")
    assert len(found["circumstances"]) == 6
    assert all((one["grade"] == "A") is not one["matters"] for one in found["circumstances"])
    return [one["name"] for one in found["circumstances"] if one["matters"]]


@pytest.mark.parametrize(
    ("step", "circumstance"),
    [
        ("words", "hash seed"),
        pytest.param("clock", "time zone", marks=pytest.mark.slow),
        pytest.param("threads", "threads", marks=pytest.mark.slow),
        pytest.param("place", "folder", marks=pytest.mark.slow),
        pytest.param("modes", "file mask", marks=pytest.mark.slow),
    ],
)
def test_the_circumstance_that_matters_is_named(demo: Project, step: str, circumstance: str) -> None:
    assert mattering(demo, step, 1) == [circumstance]


@pytest.mark.slow
def test_a_step_that_depends_on_nothing_varies_in_nothing(demo: Project) -> None:
    assert mattering(demo, "pure", 0) == []
    assert demo("reproduce", "--vary", "pure", "r1").out.splitlines()[-1] == "none of these matters"
    assert len(demo("runs", "--json").json["runs"]) == 1, "nothing is recorded"


def test_a_failure_is_told_and_is_no_cause(demo: Project) -> None:
    found = demo("reproduce", "--vary", "failing", "--json", code=1).json["circumstances"]
    (one,) = [one for one in found if one["grade"] != "A"]
    assert (one["name"], one["grade"], one["matters"]) == ("hash seed", "F", False)
    assert "it fails: step `failing` raised RuntimeError: the disk is full" in one["how"]
    told = demo("reproduce", "--vary", "failing", code=1).out
    assert "the disk is full" in told
    assert "it failed with another hash seed" in told
    assert "matters" not in told
    assert "a set" not in told


@pytest.mark.slow
def test_text_that_cannot_be_read_in_another_language_is_a_failure(demo: Project) -> None:
    found = demo("reproduce", "--vary", "reading", "--json", code=1).json["circumstances"]
    (one,) = [one for one in found if one["grade"] != "A"]
    assert one["name"] == "language"
    assert one["matters"] is ("it fails" not in one["how"])


def test_code_that_changes_meanwhile_gives_no_verdict(demo: Project) -> None:
    error = demo.refused("reproduce", "--vary", "edited", code=2)
    assert error["code"] == "E808"
    assert "helpers.py" in error["what"]


def test_chance_is_told_from_circumstances(demo: Project) -> None:
    done = demo("reproduce", "--vary", "chance", code=1)
    assert "it gives something else already without a change" in done.out
    assert "matters" not in done.out


@pytest.mark.slow
def test_what_cannot_be_called_is_refused(demo: Project) -> None:
    assert demo.refused("reproduce", "--vary", "word", code=2)["fixes"]
    assert demo.refused("reproduce", "--vary", "words", "r7", code=2)["code"] == "E108"
    assert demo.refused("reproduce", "--vary", "words", "r1", "r2", code=2)["code"] == "E100"
