"""`use(...)`: steps of other projects, from local repositories and folders."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from cli_projects import Project
from conftest_places import git


def using(address: str, step: str = "steps:sizes", call: str = "") -> str:
    return f"""
        from stepwell import pipeline, step, use

        sizes = use("{address}", "{step}")

        @step
        def words() -> list[str]:
            return ["a", "bb"]

        @pipeline
        def main() -> dict[str, int]:
            return sizes(words(){call})
    """


def test_two_versions_side_by_side_and_offline_afterwards(project: Project, features: Path) -> None:
    project.write(f"""
        from stepwell import pipeline, step, use

        one = use("git+file://{features}@v1", "steps:sizes")
        two = use("git+file://{features}@v2", "steps:sizes")

        @step
        def words() -> list[str]:
            return ["a", "bb"]

        @pipeline
        def main() -> list[dict[str, int]]:
            found = words()
            return [one(found), two(found, least=2)]
    """)
    commit = git(features, "rev-parse", "v2^{commit}")
    result = project("run", "--json").json["result"]
    assert result == [{"a": 1, "bb": 2, "greet": 1}, {"bb": 20, "greet": 2}]
    shutil.rmtree(features)
    assert project("plan", "--json").decisions == dict.fromkeys(("words", "one", "two"), "cached")
    project("run", "--force", "one")
    project.edit(f"git+file://{features}@v1", f"git+file://{features}@v2")
    plan = project("plan").out
    assert "greet 1.0 → 2.0" in plan
    assert "project features v1 → v2" in plan
    document = project("plan", "--json").out
    assert f"v2 ({commit[:12]})" in document


def test_a_tag_that_moves_is_looked_at_again_only_when_asked(project: Project, features: Path) -> None:
    project.write(using(f"git+file://{features}@v1"))
    assert project("run", "--json").json["result"]["a"] == 1
    git(features, "tag", "-f", "v1", "v2^{commit}")
    assert project("plan", "--json").decisions["sizes"] == "cached"
    assert project("plan", "--refresh", "--json").decisions["sizes"] == "run"
    assert project("run", "--json").json["result"]["a"] == 10


@pytest.mark.parametrize("ref", ["main", "", "COMMIT", "SHORT"])
def test_branches_and_commits(project: Project, features: Path, ref: str) -> None:
    commit = git(features, "rev-parse", "HEAD")
    ref = {"COMMIT": commit, "SHORT": commit[:10]}.get(ref, ref)
    project.write(using(f"git+file://{features}{'@' if ref else ''}{ref}"))
    assert project("run", "--json").json["result"]["bb"] == 20


def test_a_folder_for_development_counts_by_its_code(project: Project, features: Path) -> None:
    project.write(using("../features"))
    assert project("run", "--json").json["result"] == {"a": 10, "bb": 20, "greet": 2}
    (features / "other.py").write_text("X = 1\n")
    assert project("plan", "--json").decisions["sizes"] == "cached"
    (features / "helper.py").write_text("FACTOR = 7\n")
    assert "helper.FACTOR" in project("plan").out
    assert project("run", "--json").json["result"]["a"] == 7


@pytest.mark.parametrize(
    ("address", "step", "code", "said"),
    [
        ("git+file://{features}@v9", "steps:sizes", "E354", "v9"),
        ("git+file://{features}x@v1", "steps:sizes", "E354", "cannot be fetched"),
        ("../nothing", "steps:sizes", "E354", "nothing"),
        ("git+file://{features}@v1", "step:sizes", "E355", "no module `step`"),
        ("git+file://{features}@v1", "steps:size", "E355", "no step `size`"),
        ("../features", "steps:size", "E355", "no step `size`"),
        ("git+ext://sh -c id@v1", "steps:sizes", "E236", "no address"),
        ("git+http://example.org/x@v1", "steps:sizes", "E236", "no address"),
        ("git+file://{features}@--upload-pack=id", "steps:sizes", "E236", "no address"),
        ("../features", "sizes", "E236", "names no step"),
    ],
)
def test_what_is_not_there_is_told_by_the_plan(
    project: Project, features: Path, address: str, step: str, code: str, said: str
) -> None:
    project.write(using(address.format(features=features), step))
    error = project("plan", "--json", code=3).json["error"]
    assert error["code"] == code
    assert said in error["what"]
    assert error["where"].startswith("pipeline.py:")
    if code == "E355":
        assert "did you mean" in error["fixes"][0]


def test_calls_are_checked_by_its_signature(project: Project, features: Path) -> None:
    project.write(using(f"git+file://{features}@v1", call=", leats=2"))
    error = project("plan", "--json", code=3).json["error"]
    assert error["code"] == "E204"
    project.write(using(f"git+file://{features}@v1", call=', least="two"'))
    assert project("plan", "--json", code=3).json["error"]["code"] == "E205"
    project.write(using(f"git+file://{features}@v1").replace("-> list[str]", "-> int"))
    assert project("plan", "--json", code=3).json["error"]["code"] == "E205"


def test_nothing_of_the_repository_is_executed_by_planning(
    project: Project, features: Path, tmp_path: Path
) -> None:
    trap = tmp_path / "sprung"
    (features / "steps.py").write_text(f"open({str(trap)!r}, 'w')\n" + (features / "steps.py").read_text())
    (features / ".gitattributes").write_text("* filter=trap\n")
    hooks = features / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-checkout", "reference-transaction", "pre-auto-gc", "post-index-change"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {trap}\n")
        (hooks / name).chmod(0o755)
    (hooks / "reference-transaction").chmod(0o644)
    git(features, "add", "-A")
    git(features, "commit", "-qm", "trap")
    trap.unlink(missing_ok=True)
    git(features, "-c", "core.hooksPath=/dev/null", "tag", "v3")
    project.write(using(f"git+file://{features}@v3"))
    project("plan")
    assert not trap.exists()


def test_options_of_the_place_are_that_projects_own(project: Project, features: Path) -> None:
    project.write(
        using(f"git+file://{features}@v1").replace('"steps:sizes")', '"steps:sizes", packages=["x"])')
    )
    assert project("plan", "--json", code=3).json["error"]["code"] == "E236"
