"""Locks in git: branches that change different things merge, and what does not merge is refused."""

from __future__ import annotations

import subprocess

import pytest
from cli_projects import Project

PIPELINE = """
    from stepwell import log, pipeline, source, step

    flights = source("flights.csv", str)
    planes = source("planes.csv", str)

    @step
    def late(flights: str) -> int:
        count = sum(int(delay) > 15 for delay in flights.split())
        log.metric("late", count)
        return count

    @step
    def seats(planes: str) -> int:
        return sum(map(int, planes.split()))

    @pipeline
    def delays():
        return late(flights())

    @pipeline
    def fleet():
        return seats(planes())
"""


def git(project: Project, *words: str, code: int = 0) -> str:
    told = subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main", *words],
        cwd=project.root, env=project.env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == code, told.stdout + told.stderr
    return told.stdout


@pytest.fixture
def repository(project: Project) -> Project:
    """Two pipelines, both locked and committed."""
    project.write(PIPELINE)
    project.write("1\n20\n30\n", "flights.csv")
    project.write("100\n200\n", "planes.csv")
    project.write(".stepwell\n__pycache__\n", ".gitignore")
    project("run", "delays", "--lock")
    project("run", "fleet", "--lock")
    git(project, "init", "--quiet")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "-m", "locked")
    return project


def commit(project: Project, branch: str, *pipelines: str) -> None:
    for name in pipelines:
        project("run", name, "--lock")
    git(project, "checkout", "--quiet", "-b", branch)
    git(project, "commit", "--quiet", "--all", "-m", branch)
    git(project, "checkout", "--quiet", "main")


def test_unrelated_changes_merge(repository: Project) -> None:
    repository.write("1\n20\n30\n40\n", "flights.csv")
    commit(repository, "month", "delays")
    repository.edit("return sum(map", "return max(map")
    commit(repository, "largest", "fleet")
    git(repository, "merge", "--quiet", "--no-edit", "month")
    git(repository, "merge", "--quiet", "--no-edit", "largest")
    repository("lock", "delays", "--check")
    repository("lock", "fleet", "--check")
    assert git(repository, "status", "--short") == ""


def test_the_same_change_twice_is_a_conflict_that_is_refused(repository: Project) -> None:
    repository.write("1\n20\n30\n40\n", "flights.csv")
    commit(repository, "one", "delays")
    repository.write("1\n", "flights.csv")
    commit(repository, "two", "delays")
    git(repository, "merge", "--quiet", "--no-edit", "one")
    git(repository, "merge", "--quiet", "--no-edit", "two", code=1)
    refused = repository("lock", "delays", "--check", code=6)
    assert "error[E702]" in refused.err
    assert "git checkout" in refused.err
