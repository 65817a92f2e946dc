"""`stepwell lock`, `run --lock`, `run --locked`: what is up to date is written down, and nothing else is believed."""

from __future__ import annotations

import subprocess
import sys
import tomllib

import pytest

PIPELINE = """
    import helpers
    from pathlib import Path
    from stepwell import log, pipeline, source, step

    TABLE = source("table.csv", str)
    PARTS = source("parts", Path)

    @step
    def rows(table: str) -> int:
        log.metric("rows", helpers.count(table))
        return helpers.count(table)

    @step
    def names(parts: Path) -> list[str]:
        return sorted(each.name for each in parts.iterdir())

    @step
    def scaled(number: int, by: int, names: list[str]) -> int:
        return number * by + len(names)

    @pipeline
    def main(by: int = 2) -> int:
        return scaled(rows(TABLE()), by, names(PARTS()))

    @pipeline
    def other() -> int:
        return rows(TABLE())
"""


@pytest.fixture
def locked(project):
    """A project that was run and locked."""
    project.write(PIPELINE)
    project.write("def count(table):\n    return len(table.splitlines())\n", "helpers.py")
    project.write("a,b\n1,2\n", "table.csv")
    project.write("one", "parts/one.txt")
    project.write("two!", "parts/two.txt")
    project("run", "main", "--lock")
    return project


def lock(project) -> dict:
    """What the lock says."""
    return tomllib.loads((project.root / "stepwell.lock").read_text("utf-8"))


def test_it_says_what_gave_what(locked) -> None:
    found = lock(locked)
    assert found["data"]["TABLE"]["source"] == "table.csv"
    assert found["data"]["TABLE"]["size"] == 8
    assert found["data"]["TABLE"]["bytes"].startswith("b3:")
    assert [text.partition(" ")[0] for text in found["data"]["PARTS"]["files"].values()] == ["3", "4"]
    main = found["pipeline"]["main"]
    assert main["params"] == {"by": 2}
    assert main["metrics"] == {"rows.rows": 2.0}
    assert main["step"]["rows"]["uses"] == ["data.TABLE"]
    assert main["step"]["scaled"]["uses"] == ["step.names", "step.rows"]
    assert main["step"]["scaled"]["args"] == {"by": "2"}
    assert main["step"]["scaled"]["output"]["result"]["shows"] == "6"


def test_the_same_facts_give_the_same_bytes(locked) -> None:
    before = (locked.root / "stepwell.lock").read_bytes()
    assert locked("lock", "main").out == "stepwell.lock says so already\n"
    (locked.root / "stepwell.lock").unlink()
    assert locked("lock", "main", "--json").json["differences"] != []
    assert (locked.root / "stepwell.lock").read_bytes() == before
    assert str(locked.root).encode() not in before


def test_a_table_has_its_content_and_rows(locked) -> None:
    locked.edit('source("table.csv", str)', 'source("table.csv", pd.DataFrame)')
    locked.edit("import helpers\n", "import helpers\nimport pandas as pd\n")
    locked.edit("table: str", "table: pd.DataFrame")
    locked.edit("splitlines()", "index", "helpers.py")
    locked("run", "main", "--lock")
    table = lock(locked)["data"]["TABLE"]
    assert table["rows"] == 1
    assert table["content"].startswith("c1:")
    assert table["columns"] == {"a": "int64", "b": "int64"}
    assert list(lock(locked)["environment"]["direct"]) == ["pandas"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda p: p.write("a,b\n1,2\n3,4\n", "table.csv"), "data.TABLE.size: 8 is now 12"),
        (lambda p: p.write("three", "parts/three.txt"), "data.PARTS.files.three.txt"),
        (lambda p: p.edit("len(table", "1 + len(table", "helpers.py"), "pipeline.main.step.rows.code"),
        (lambda p: p.edit("by: int = 2", "by: int = 3"), "pipeline.main.params.by: 2 is now 3"),
        (lambda p: p.edit("scaled(rows(TABLE()), by,", "scaled(rows(TABLE()), 2 * by,"), "step.scaled.args.by: 2 is now 4"),
        (lambda p: p.edit("names(PARTS()))", "[])"), "pipeline.main.step.names"),
    ],
    ids=["data", "a file", "code", "a parameter", "a value", "wiring"],
)  # fmt: skip
def test_what_is_not_locked_does_not_run(locked, change, says: str) -> None:
    change(locked)
    for words in (["run", "main", "--locked"], ["lock", "main", "--check"]):
        refused = locked(*words, code=3)
        assert "error[E703] `stepwell.lock` says something else than what is there now" in refused.err
        assert says.split(":")[0] in refused.err
    assert len(locked("runs", "--json").json["runs"]) == 1
    assert "would run" in locked("lock", "main", code=3).err
    locked("run", "main", "--lock")
    locked("run", "main", "--locked")
    assert locked("lock", "main", "--check").out == "stepwell.lock says what is there now\n"


def test_a_parameter_of_the_command_counts(locked) -> None:
    assert "params.by: 2 is now 7" in locked("run", "main", "by=7", "--locked", code=3).err


def test_where_nothing_has_run_what_is_given_is_compared(locked) -> None:
    store = locked.root / ".stepwell"
    store.rename(locked.root / "moved")
    checked = locked("lock", "main", "--check")
    assert "what came out of it was not compared" in checked.err
    assert locked("lock", "main", "--check", "--json").json["compared"] is False
    refused = locked("lock", "main", code=3)
    assert "error[E704] 3 of 3 steps would run: " in refused.err
    assert "stepwell run --lock" in refused.err


def test_what_came_out_is_compared(locked) -> None:
    """A step that gives something else with the same code and data: its lock does not hold any more."""
    locked.write(
        "def count(table):\n    import os\n    return int(os.environ.get('COUNT', 2))\n", "helpers.py"
    )
    locked("run", "main", "--lock")
    locked("run", "main", "--force", "rows", env={"COUNT": "9"})
    refused = locked("lock", "main", "--check", code=3, env={"COUNT": "9"})
    assert "pipeline.main.step.rows.output.result.bytes" in refused.err


def test_pipelines_are_locked_one_by_one(locked) -> None:
    locked("run", "other", "--lock")
    assert sorted(lock(locked)["pipeline"]) == ["main", "other"]
    locked("lock", "main", "--check")
    locked("lock", "other", "--check")


def test_a_pipeline_that_was_locked_with_other_data_is_named(locked) -> None:
    locked("run", "other", "--lock")
    assert "note:" not in locked("lock", "main").err
    locked.write("a,b\n1,2\n3,4\n", "table.csv")
    for words in (["run", "main", "--lock"], ["run", "other", "--lock"]):
        told = locked(*words).err
        assert ("pipeline `other` was locked with another `TABLE`: stepwell lock other" in told) == (
            "main" in words
        )
    locked("lock", "main", "--check")


def test_a_run_that_fails_locks_nothing(locked) -> None:
    before = (locked.root / "stepwell.lock").read_bytes()
    locked.edit("return number * by", "return 1 / 0 * by")
    locked("run", "main", "--lock", code=1)
    assert (locked.root / "stepwell.lock").read_bytes() == before


def test_without_a_lock_nothing_is_locked(locked) -> None:
    (locked.root / "stepwell.lock").unlink()
    for words in (["run", "main", "--locked"], ["lock", "main", "--check"]):
        assert "error[E701] there is no `stepwell.lock`" in locked(*words, code=4).err


@pytest.mark.parametrize(
    "words", [["run", "main", "--locked"], ["lock", "main", "--check"], ["lock", "main"]]
)
def test_an_edited_lock_is_not_believed(locked, words: list[str]) -> None:
    path = locked.root / "stepwell.lock"
    path.write_text(path.read_text().replace('shows = "6"', 'shows = "7" '))
    refused = locked(*words, code=6).err
    assert "error[E702] `stepwell.lock` was edited or merged by hand" in refused
    assert "rm stepwell.lock && stepwell lock" in refused
    path.unlink()
    locked("lock", "main")
    locked("lock", "main", "--check")


def test_a_single_file_has_a_lock_beside_it(locked) -> None:
    text = (locked.root / "pipeline.py").read_text()
    locked.write(
        '# /// script\n# dependencies = []\n# [tool.stepwell]\n# environment = "default"\n# ///\n' + text,
        "churn.py",
    )
    locked("run", "churn.py:main", "--lock")
    assert (locked.root / "churn.stepwell.lock").is_file()
    locked("run", "churn.py:main", "--locked")


def test_ghost_runs_are_not_locked(locked) -> None:
    assert "--ghost" in locked("run", "main", "--ghost", "--lock", code=2).err


def test_two_that_lock_at_once_are_both_locked(locked) -> None:
    """Each reads the lock of the other before it writes its own, however close they are."""
    locked("run", "other")
    (locked.root / "stepwell.lock").unlink()
    command = [sys.executable, "-m", "stepwell.cli.main", "-C", str(locked.root), "lock"]
    both = [subprocess.Popen([*command, name], stdout=subprocess.DEVNULL) for name in ("main", "other")]
    assert [one.wait(60) for one in both] == [0, 0]
    assert set(lock(locked)["pipeline"]) == {"main", "other"}


def test_what_is_to_be_typed_names_the_file_where_the_plain_command_would_not_find_it(project) -> None:
    project.write(PIPELINE.replace("import helpers", "from churn import helpers"), "src/churn/train.py")
    project.write("def count(table):\n    return len(table.splitlines())\n", "src/churn/helpers.py")
    project.write("", "src/churn/__init__.py")
    project.write("[release]", "stepwell.toml")
    project.write("a,b\n1,2\n", "table.csv")
    project.write("one", "parts/one.txt")
    own = "src/churn/train.py:other"

    def fixes(*words: str) -> list[str]:
        return project(*words, own, "--json", code=None).json["error"]["fixes"]

    assert fixes("lock") == [f"stepwell run --lock {own}", f"stepwell plan {own}"]
    assert fixes("run", "--locked") == [f"stepwell lock {own}"]
    assert "stepwell.lock: 1 step and 1 data of `other`" in project("run", "--lock", own).err
    project.write("a,b\n", "table.csv")
    assert fixes("run", "--locked") == [f"stepwell run --lock {own}", f"stepwell plan {own}", "git diff"]
    text = (project.root / "stepwell.lock").read_text("utf-8")
    (project.root / "stepwell.lock").write_text(f"{text}# mine\n", "utf-8")
    assert f"rm stepwell.lock && stepwell lock {own}" in fixes("lock", "--check")
    project.write('[data.table]\nsource = "table.csv"', "stepwell.toml")
    project.write("from churn.data import table", "src/churn/train.py")
    assert fixes("plan") == [f"stepwell lock {own}     (writes the module that named data is imported from)"]


EVERY_TIME = """
    import time
    from stepwell import FailedStep, log, pipeline, step

    @step
    def one(n: int) -> int:
        return n

    @step(always=True)
    def clean(failed: list[FailedStep]) -> float:
        log.metric("at", time.time())
        return time.time()

    @step(cache=False)
    def now(n: int) -> float:
        return n + time.time()

    @step(cache=False)
    def tell(at: float) -> float:
        return at

    @step
    def kept(at: float) -> float:
        return at

    @step(optional=True)
    def picture(n: int) -> str:
        raise RuntimeError("no screen")

    @pipeline
    def aside(n: int = 3) -> int:
        clean()
        tell(now(n))
        return one(n)

    @pipeline
    def taken(n: int = 3) -> float:
        return kept(now(n))

    @pipeline
    def returned(n: int = 3) -> float:
        return now(n)

    @pipeline
    def lame(n: int = 3) -> int:
        picture(n)
        return one(n)
"""


def test_what_runs_every_time_is_no_fact_where_nothing_rests_on_it(project) -> None:
    project.write(EVERY_TIME)
    project("run", "aside", "--lock")
    before = (project.root / "stepwell.lock").read_bytes()
    found = lock(project)["pipeline"]["aside"]
    assert {name: "output" in step for name, step in found["step"].items()} == {
        "clean": False, "now": False, "tell": False, "one": True,
    }  # fmt: skip
    assert "metrics" not in found
    project("run", "aside", "--locked")
    assert project("lock", "aside").out == "stepwell.lock says so already\n"
    assert project("lock", "aside", "--check").err == ""
    project.edit('log.metric("at", time.time())', 'print("other")')
    assert "pipeline.aside.step.clean.code" in project("lock", "aside", "--check", code=3).err
    project.edit('print("other")', 'log.metric("at", time.time())')
    project.write('[outputs.at]\nstep = "now"\n', "stepwell.toml")
    assert "the pipeline passes on what it gives" in project("lock", "aside", code=3).err
    assert (project.root / "stepwell.lock").read_bytes() == before


@pytest.mark.parametrize(
    ("pipeline", "why"),
    [("taken", "`kept` takes what it gives"), ("returned", "the pipeline passes on what it gives")],
)
def test_what_runs_every_time_and_is_needed_is_told_before_anything_runs(project, pipeline, why) -> None:
    project.write(EVERY_TIME)
    told = project("run", pipeline, "--lock", code=3).err
    assert "error[E704] no lock could be written after this run: now would run again" in told
    assert f"`now` runs every time (`cache=False`), and {why}" in told
    assert "run --lock" not in told
    assert not project("runs", "--json").json["runs"]
    project("run", pipeline)
    after = project("lock", pipeline, code=3).err
    assert f"`now` runs every time (`cache=False`), and {why}" in after
    assert "run --lock" not in after


def test_a_step_that_may_fail_and_did_is_named(project) -> None:
    project.write(EVERY_TIME)
    assert "run --lock" in project("lock", "lame", code=3).err
    project("run", "lame")
    told = project("lock", "lame", code=3).err
    assert "error[E704] 1 of 2 steps would run: picture" in told
    assert (
        "`picture` failed in r1: RuntimeError: no screen; it may, but what it gives nobody has seen" in told
    )
    assert "run --lock" not in told
    project("run", "lame", "--lock", "--skip", "picture")
    project("run", "lame", "--locked")


def test_arguments_that_were_set_inside_are_checked_as_they_are_given(locked) -> None:
    locked("run", "main", "--set", "scaled.by=5", "--lock")
    assert lock(locked)["pipeline"]["main"]["params"] == {"by": 2, "scaled.by": 5}
    told = locked("lock", "main", "--check", code=3).err
    assert "give them as they are locked: --set scaled.by=5" in told
    assert "says what is there now" in locked("lock", "main", "--check", "--set", "scaled.by=5").out
    locked("run", "main", "--locked", "--set", "scaled.by=5")
    assert locked("lock", "main", "--set", "scaled.by=5").out == "stepwell.lock says so already\n"
    told = locked("run", "main", "--locked", "--set", "scaled.by=6", "by=3", code=3).err
    assert "give them as they are locked: by=2 --set scaled.by=5" in told
