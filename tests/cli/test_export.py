"""`stepwell export yaml` and `stepwell run FILE.yaml`: the command, its refusals, and that nothing else is touched."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from cli_projects import STEPWELL, Project, kept, wait_for

SUMS = """
    from stepwell import log, pipeline, source, step

    numbers = source("numbers.txt", str)

    @step
    def total(text: str, k: float) -> float:
        log.metric("total", sum(map(float, text.split())) * k)
        return sum(map(float, text.split())) * k

    @pipeline
    def sums(k: float = 1.0) -> float:
        return total(numbers(), k)
"""


@pytest.fixture
def sums(project: Project) -> Project:
    """A committed project with one run of it."""
    project.write(SUMS)
    (project.root / "numbers.txt").write_text("1 2 3\n")
    (project.root / ".gitignore").write_text(".stepwell\n*.yaml\n")
    git(project, "init", "-q")
    git(project, "add", "-A")
    git(project, "commit", "-qm", "first")
    project("run", "k=2")
    return project


def git(project: Project, *words: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@localhost", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *words], cwd=project.root, env=project.env, check=True, capture_output=True)


def test_a_file_is_written_run_and_written_again(sums: Project) -> None:
    assert sums("export", "yaml", "-o", "r1.yaml").out == "r1.yaml  of r1\n"
    text = (sums.root / "r1.yaml").read_text("utf-8")
    sums.edit("* k", "* k * 100")  # what is here now is something else, code and data
    (sums.root / "numbers.txt").write_text("4\n")
    shutil.rmtree(sums.root / ".stepwell")
    done = sums("run", "r1.yaml", "--json")
    assert (done.json["result"], done.json["run"]) == (12.0, "r1")
    assert "gave what r1.yaml says: 1 step, the same bytes" in done.err
    assert sums("export", "yaml").out == text
    assert sums("export", "yaml", "r1", "--json").json["text"] == text
    assert (sums.root / "numbers.txt").read_text() == "4\n"
    assert sorted(path.name for path in sums.root.iterdir() if path.name[0] != ".") == [
        "numbers.txt",
        "pipeline.py",
        "r1.yaml",
    ]


def test_another_value_is_told_and_is_no_success(sums: Project) -> None:
    text = sums("export", "yaml").out
    (sums.root / "r1.yaml").write_text(text.replace("total: 12.0", "total: 13.0"))
    error = sums("run", "r1.yaml", code=1)
    assert (
        "error[E574] r2 is not what `r1.yaml` says: metric `total`: 13.0 in the file, 12.0 here" in error.err
    )


def test_what_is_gone_is_named_before_anything_runs(sums: Project) -> None:
    text = sums("export", "yaml").out
    digest = text.partition("digest: b3:")[2][:64]
    (sums.root / "data.yaml").write_text(text.replace(digest, "0" * 64))
    error = sums("run", "data.yaml", "--json", code=4).json["error"]
    assert (error["code"], "`numbers` (numbers.txt)" in error["what"]) == ("E573", True)
    commit = text.partition("commit: ")[2].partition("\n")[0]
    (sums.root / "code.yaml").write_text(text.replace(commit, '""'))
    assert "run from the files that are here" in sums("run", "code.yaml").err  # they are the same
    sums.edit("* k", "* k * 100")
    error = sums("run", "code.yaml", "--json", code=4).json["error"]
    assert (error["code"], error["why"]) == (
        "E572",
        "the file has no commit; other definitions: pipeline.total",
    )
    (sums.root / "code.yaml").write_text(text.replace(commit, '"' + "12" * 20 + '"'))
    error = sums("run", "code.yaml", "--json", code=4).json["error"]
    assert error["why"] == "the commit 121212121212 is not in this clone; other definitions: pipeline.total"
    (sums.root / "pipeline.py").unlink()
    error = sums("run", "code.yaml", "--json", code=4).json["error"]
    assert "neither the commit of the file nor its pipeline" in error["what"]
    assert sums("plan", "code.yaml", "--json", code=4).json["error"] == error
    error = sums("graph", "code.yaml", "--json", code=2).json["error"]  # which is of a pipeline
    assert error["fixes"][0] == "a run file is run: stepwell run code.yaml"


def test_options_are_code_although_no_result_rests_on_them(sums: Project) -> None:
    text = sums("export", "yaml").out
    (sums.root / "r1.yaml").write_text(
        text.replace("    takes:", "    options:\n      retries: 3\n    takes:")
    )
    error = sums("run", "r1.yaml", "--json", code=4).json["error"]
    assert error["code"] == "E572"
    assert error["what"].endswith("`total` has `retries`: 3 in the file, the default here")


SLOW = """
    import time
    from pathlib import Path
    from stepwell import pipeline, step

    @step
    def first() -> int:
        return 1

    @step
    def second(n: int) -> int:
        if not Path("go").exists():
            Path("started").touch()
            time.sleep(100)
        return n + 1

    @pipeline
    def slow() -> int:
        return second(first())
"""


def test_a_run_that_was_killed_is_ended_by_its_file(project: Project) -> None:
    project.write(SLOW)
    with subprocess.Popen(
        [STEPWELL, "run"], cwd=project.root, env=project.env, start_new_session=True, stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        wait_for(lambda: (project.root / "started").exists() and kept(project)[0]["results"])
        workers = children(process.pid)
        os.killpg(process.pid, signal.SIGKILL)
    for worker in workers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)
    text = project("export", "yaml", "-o", "r1.yaml", "--json").json["text"]
    assert "status: interrupted\n" in text
    (project.root / "go").touch()
    said = project("run", "r1.yaml").err
    assert (
        "r2 gave what r1.yaml says: 1 step, the same bytes; it was interrupted then, before 1 step of it"
        in said
    )


def children(pid: int) -> list[int]:
    """The processes that a process has started, and those that they have."""
    found = [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [*found, *(each for one in found for each in children(one))]


def test_what_the_file_says_is_not_said_beside_it(sums: Project) -> None:
    sums("export", "yaml", "-o", "r1.yaml")
    assert (
        sums.refused("run", "r1.yaml", "k=3", code=2)["what"] == "`r1.yaml` says what runs, and so does `k=3`"
    )
    assert "--until" in sums("run", "r1.yaml", "--until", "total", code=2).err
    for beside in (
        ["k=3"],
        ["--until", "total"],
        ["other.yaml"],
        ["--save", "p.json"],
        ["--against", "r1"],
        ["--checks"],
    ):
        error = sums.refused("plan", "r1.yaml", *beside, code=2)
        assert (error["code"], beside[0] in error["what"], error["fixes"][0]) == (
            "E100",
            True,
            "stepwell plan r1.yaml",
        )
    assert sums.refused("run", "r1.yaml", "--dry-run", "--ghost", code=2)["code"] == "E100"
    assert "error[E110]" in sums("export", "yaml", "-o", "pipeline.py", code=2).err
    assert "error[E576]" in sums("export", "yaml", "-o", ".stepwell/r.yaml", code=2).err


def test_a_run_of_a_module_below_src_is_run_again_from_its_file(project):
    project.write("K = 3\n", "src/flows/helpers.py")
    project.write("", "src/flows/__init__.py")
    project.write("a,b\n", "data.csv")
    project.write(
        """
        from pathlib import Path
        from flows.helpers import K
        from stepwell import pipeline, source, step

        rows = source("data.csv")

        @step
        def count(path: Path) -> int:
            return len(path.read_text()) * K

        @pipeline
        def main() -> int:
            return count(rows())
        """,
        "src/flows/train.py",
    )
    project("run", "flows.train:main")
    project("export", "yaml", "-o", "run.yaml")
    assert "the same bytes" in project("run", "run.yaml").err


def test_the_plan_of_a_file_is_what_running_it_does(sums: Project) -> None:
    sums("export", "yaml", "-o", "r1.yaml")
    sums.edit("* k", "* k * 100")  # what is here now is something else, code and data
    (sums.root / "numbers.txt").write_text("4\n")
    assert sums("plan", "--json").decisions == {"total": "run"}
    planned = sums("plan", "r1.yaml", "--json")
    assert (planned.decisions, planned.json["params"]) == ({"total": "cached"}, {"k": 2.0})
    assert planned.steps["total"]["where"].startswith("pipeline.py:")
    assert sums("run", "r1.yaml", "--dry-run").out == sums("plan", "r1.yaml").out
    sums("plan", "r1.yaml", "--exit-code")
    forced = sums("plan", "r1.yaml", "--force", "*", "--exit-code", "--json", code=8)
    assert forced.decisions == {"total": "run"}
    assert [one["run"] for one in sums("runs", "--json").json["runs"]] == ["r1"]  # nothing was run
    done = sums("run", "r1.yaml", "--json")
    assert done.decisions == planned.decisions
    assert done.steps["total"]["key"] == planned.steps["total"]["key"]


def test_the_plan_of_a_file_is_refused_as_running_it_is(sums: Project) -> None:
    text = sums("export", "yaml").out
    digest, commit = text.partition("digest: b3:")[2][:64], text.partition("commit: ")[2].partition("\n")[0]
    (sums.root / "data.yaml").write_text(text.replace(digest, "0" * 64))
    (sums.root / "code.yaml").write_text(text.replace(commit, '""'))
    notes = sums("plan", "code.yaml", "--json").json["notes"]
    assert any(note.endswith("run from the files that are here") for note in notes)
    sums.edit("* k", "* k * 100")
    for file in ("data.yaml", "code.yaml"):
        errors = [sums(verb, file, "--json", code=4).json["error"] for verb in ("plan", "run")]
        assert errors[0] == errors[1]
    assert sums.refused("plan", "none.yaml", code=2)["code"] == "E571"


def test_a_plan_of_a_file_is_not_remembered_as_an_answer(sums: Project) -> None:
    sums("export", "yaml", "-o", "r1.yaml")
    first = sums("plan", "r1.yaml").out
    assert "k=2" in first
    sums("run", "k=3")
    (sums.root / "r1.yaml").write_text(sums("export", "yaml").out)
    assert "k=3" in sums("plan", "r1.yaml").out


def test_a_sweep_is_no_run_file_and_its_best_run_is_named(sums: Project) -> None:
    sums("run", "k=5")
    error = sums.refused("export", "yaml", "r1..r2", code=2)  # nobody knows whether more of `total` is better
    assert (error["code"], error["fixes"][0]) == ("E561", "stepwell export yaml r1")
    sums.edit('log.metric("total"', 'log.metric("loss"')
    sums("run", "--sweep", "k=3,1,2")
    error = sums.refused("export", "yaml", "g1", code=2)
    assert (error["code"], error["why"]) == ("E561", "they are r3, r4, r5")
    assert error["what"] == "a run file is of one run, and `g1` is 3 runs"
    assert error["fixes"] == [
        "stepwell export yaml r4   the best loss",
        "stepwell compare g1   what they differ in",
    ]
    assert sums.refused("export", "yaml", "g2", code=2)["code"] == "E108"
    assert sums("export", "yaml", "last~1").out == sums("export", "yaml", "r4").out
    sums("run", "--sweep", "k=4")
    assert sums("export", "yaml", "g2").out == sums("export", "yaml", "r6").out  # one point is one run
