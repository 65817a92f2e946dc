"""`plan --against COMMIT|RUN` in real repositories: what would run if everything of that were up to date."""

from __future__ import annotations

import subprocess

import pytest

PIPELINE = """
    from pathlib import Path
    import helpers
    from stepwell import pipeline, source, step

    rows = source("data/rows.txt", str)
    raw = source("raw/*.txt", list[Path])

    @step
    def load(text: str, more: list[Path]) -> list[int]:
        return [int(n) for n in text.split()] + [len(more)]

    @step
    def use(values: list[int], by: int) -> int:
        return helpers.total(values) * by

    @pipeline
    def main(by: int = 1) -> int:
        return use(load(rows(), raw()), by)
"""


@pytest.fixture
def repo(project):
    """A repository with two branches, whose project is clean and has never run; large data is not in it."""
    project.write("def total(values):\n    return sum(values)\n", "helpers.py")
    project.write(PIPELINE)
    project.write("1 2\n", "data/rows.txt")
    project.write("x\n", "raw/a.txt")
    project.write("raw\n.stepwell\n", ".gitignore")

    def git(*words, where=project.root):
        return subprocess.run(
            ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", *words],
            cwd=where, env=project.env, check=True, capture_output=True, text=True,
        ).stdout.strip()  # fmt: skip

    project.git = git
    git("init", "-q", "-b", "main", ".")
    git("add", "-A")
    git("commit", "-q", "-m", "one")
    return project


def test_a_clean_tree_has_nothing_to_do(repo):
    plan = repo("plan", "--against", "HEAD", "--json")
    assert plan.decisions == {"load": "cached", "use": "cached"}
    assert plan.json["against"] == "HEAD"
    assert "nothing to do" in repo("plan", "--against", "HEAD", "--exit-code").out
    assert repo("plan", "--json").decisions == {"load": "run", "use": "run"}  # nothing was recorded by it


def test_a_dirty_tree(repo):
    repo.edit("sum(values)", "sum(values) + 1", "helpers.py")
    plan = repo("plan", "--against", "HEAD", "--json")
    assert plan.decisions == {"load": "cached", "use": "run"}
    (cause,) = plan.json["causes"]
    assert cause["kind"] == "code"
    assert "-    return sum(values)\n+    return sum(values) + 1" in cause["diff"]
    text = repo("plan", "--against", "HEAD", "--exit-code", code=8).out
    assert "-    return sum(values)\n" in text
    assert "+    return sum(values) + 1\n" in text


def test_what_a_merge_would_run_again(repo):
    repo.git("checkout", "-q", "-b", "topic")
    repo.edit("int(n) for", "2 * int(n) for")
    repo.edit("by: int = 1", "by: int = 3")
    repo.git("commit", "-q", "-am", "topic")
    plan = repo("plan", "--against", "main", "--json")
    assert plan.decisions == {"load": "run", "use": "run"}
    assert [reason["kind"] for reason in plan.steps["use"]["reasons"]] == ["param", "upstream"]
    same = repo("plan", "by=1", "--against", "main", "--json")
    assert same.decisions == {"load": "run", "use": "maybe"}
    repo.git("checkout", "-q", "main")
    assert repo("plan", "--against", "topic", "--json").decisions["load"] == "run"
    assert repo("plan", "--against", repo.git("rev-parse", "HEAD"), "--json").json["counts"]["cached"] == 2


def test_committed_and_uncommitted_data(repo):
    (repo.root / "data" / "rows.txt").write_text("1 2 3\n")
    plan = repo("plan", "--against", "HEAD", "--json")
    assert plan.decisions == {"load": "run", "use": "maybe"}
    (repo.root / "data" / "rows.txt").write_text("1 2\n")
    (repo.root / "raw" / "b.txt").write_text("y\n")  # not git's: as it is now on both sides
    assert repo("plan", "--against", "HEAD", "--json").json["counts"]["cached"] == 2


def test_a_project_in_a_folder_of_the_repository(project):
    project.write("def total(values):\n    return sum(values)\n", "helpers.py")
    project.write(PIPELINE)
    project.write("1 2\n", "data/rows.txt")
    project.write("x\n", "raw/a.txt")
    top = project.root.parent
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org"]
    for words in (["init", "-q", "."], ["add", "demo"], ["commit", "-q", "-m", "one"]):
        subprocess.run([*git, *words], cwd=top, env=project.env, check=True)
    env = {"GIT_CEILING_DIRECTORIES": str(top.parent)}
    assert project("plan", "--against", "HEAD", "--json", env=env).json["counts"]["cached"] == 2
    project.edit("sum(values)", "max(values)", "helpers.py")
    assert project("plan", "--against", "HEAD", "--json", env=env).decisions["use"] == "run"


def test_modules_of_the_same_names(repo):
    """The helpers of the commit are its own, also where this process has imported ours."""
    repo.write(
        "def total(values):\n    return deep(values)\n\ndef deep(values):\n    return 1\n", "helpers.py"
    )
    plan = repo("plan", "--against", "HEAD", "--json")
    named = {reason.get("name") for reason in plan.steps["use"]["reasons"]}
    assert named == {"helpers.total", "helpers.deep"}


def test_a_commit_in_which_the_pipeline_is_elsewhere(repo):
    repo.git("mv", "pipeline.py", "flow.py")
    repo.git("commit", "-q", "-m", "moved")
    repo.write(PIPELINE)
    error = repo.refused("plan", "--against", "HEAD", code=3)
    assert (error["code"], error["what"]) == ("E332", "the pipeline `pipeline.py:main` is not in HEAD")


@pytest.mark.parametrize("break_it", ["    oops oops\n", "\nimport no_such_module_anywhere\n", "\n1 / 0\n"])
def test_a_commit_that_is_broken(repo, break_it):
    path = repo.root / "pipeline.py"
    sound = path.read_text()
    path.write_text(sound + break_it)
    repo.git("commit", "-q", "-am", "broken")
    path.write_text(sound)
    error = repo.refused("plan", "--against", "HEAD", code=3)
    assert error["what"].startswith("in HEAD: "), error
    assert repo("plan", "--against", "HEAD~1", "--json").json["counts"]["cached"] == 2


def test_a_commit_whose_pipeline_ends_the_process(repo):
    path = repo.root / "pipeline.py"
    sound = path.read_text()
    path.write_text(sound + "\nimport os\nprint('hello', flush=True)\nos._exit(3)\n")
    repo.git("commit", "-q", "-am", "broken")
    path.write_text(sound)
    assert repo.refused("plan", "--against", "HEAD", code=3)["code"] == "E332"


def test_a_commit_without_a_parameter_that_is_given(repo):
    repo.edit("def main(by: int = 1)", "def main(by: int = 1, more: int = 0)")
    assert repo("plan", "--against", "HEAD", "--json").json["counts"]["cached"] == 2
    error = repo.refused("plan", "more=2", "--against", "HEAD", code=2)
    assert error["what"].startswith("in HEAD: ")


@pytest.mark.parametrize("name", ["nope", "HEAD~7", "", "--output=x", "HEAD:pipeline.py"])
def test_no_such_commit(repo, name):
    error = repo.refused("plan", f"--against={name}", code=None)
    assert error["code"] in ("E332", "E100"), error
    assert not (repo.root / "x").exists()


def test_a_version_that_nobody_released_is_no_release(repo):
    error = repo.refused("plan", "--against", "9.9.9", code=3)
    assert error["code"] == "E332"
    assert error["what"] == "`9.9.9` is no release, no commit and no run that is known here"


def test_without_a_repository(hello):
    error = hello.refused("plan", "--against", "HEAD", code=3)
    assert error["code"] == "E332"


def test_against_a_run(repo):
    repo("run")
    repo("run", "by=2")
    repo.edit("sum(values)", "max(values)", "helpers.py")
    plan = repo("plan", "--against", "r1", "--json")
    assert plan.decisions == {"load": "cached", "use": "run"}
    assert plan.json["against"] == "r1"
    assert [reason["kind"] for reason in plan.steps["use"]["reasons"]] == ["code"]
    assert "-    return sum(values)\n+    return max(values)" in plan.json["causes"][0]["diff"]
    other = repo("plan", "--against", "last", "--json")
    assert {reason["kind"] for reason in other.steps["use"]["reasons"]} == {"code", "param"}
    repo.edit("max(values)", "sum(values)", "helpers.py")
    assert repo("plan", "--against", "r1", "--json").json["counts"]["cached"] == 2
    assert repo("plan", "--against", "r2", "--json").decisions == {"load": "cached", "use": "run"}


def test_against_a_run_that_is_not_there(repo):
    assert repo.refused("plan", "--against", "r9", code=2)["code"] == "E108"
    assert repo.refused("plan", "--against", "last", code=2)["code"] == "E108"


def test_nothing_is_left_behind(repo, tmp_path):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    repo("plan", "--against", "HEAD", env={"TMPDIR": str(temporary)})
    assert list(temporary.iterdir()) == []
    assert repo.git("status", "--porcelain") == ""
    assert repo.git("worktree", "list").count("\n") == 0
