"""A release of a pipeline that calls a step for each file of a listing: nothing but `.map` takes the listing."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cli_projects import Project
from msgspec import structs

from stepwell.dist.lockfile import read, text_of

STEPS = """
    from pathlib import Path
    from stepwell import pipeline, source, step

    parts = source("data/p_*.csv")
    folder = source("data/", list[Path])

    @step
    def size(file: Path) -> int:
        return len(file.read_text())

    @step
    def total(sizes: list[int]) -> int:
        return sum(sizes)

    @step
    def count(files: list[Path]) -> int:
        return len(files)

    @pipeline
    def section(file: Path) -> int:
        return size(file)

    @pipeline(dynamic=True)
    def inner(size: int) -> int:
        return total(section.map(folder()))
"""

BODIES = {
    "glob": "total(size.map(parts()))",
    "folder": "total(size.map(folder()))",
    "section": "total(section.map(parts()))",
    "nested": "total(inner.map(size.map(parts())))",
    "both": "total([count(parts()), total(size.map(parts()))])",
}

MANIFEST = """
    [release]
    name = "sizes"
    store = "STORE"

    [outputs.sizes]
    pipeline = "pipeline.py:main"
"""


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=n", "-c", "user.email=n@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


def released(project: Project, body: str, store: Path) -> Path:
    """The release of a pipeline that is `body`, with three files whose bytes are in `store`."""
    project.write(f"{STEPS}\n    @pipeline\n    def main() -> int:\n        return {body}\n")
    project.write(MANIFEST.replace("STORE", str(store)), "stepwell.toml")
    project.write(".stepwell\ndist\n", ".gitignore")
    for number in range(3):
        project.write("a\n" * (number + 1), f"data/p_{number}.csv")
    git(project.root, "init", "--quiet")
    project("run", "pipeline.py:main", "--lock")
    git(project.root, "add", "--all")
    git(project.root, "commit", "--quiet", "--message", "one")
    project("release", "pipeline.py:main", "1.0.0")
    return next((project.root / "dist").glob("*.whl"))


@pytest.mark.slow
@pytest.mark.timeout(200)
@pytest.mark.parametrize("name", BODIES)
def test_it_is_made_again_where_nothing_is_known_but_the_wheel_and_the_store(
    project: Project, tmp_path: Path, name: str
) -> None:
    wheel = released(project, BODIES[name], tmp_path / "store")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    found = project("reproduce", str(wheel), "--json", cwd=elsewhere).json["evidence"]
    assert found["grade"] == "A"
    assert {one["grade"] for one in found["steps"]} == {"A"}


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_one_step_of_it_is_made_again_though_the_data_changed(project: Project, tmp_path: Path) -> None:
    released(project, BODIES["both"], tmp_path / "store")
    project("plan", "pipeline.py:main", "--against", "1.0.0")
    project.write("other\n", "data/p_1.csv")
    found = project("reproduce", "1.0.0", "--step", "size[2]", "--json").json["evidence"]
    assert {one["step"]: one["grade"] for one in found["steps"]} == {"size[2]": "A"}
    project("run", "pipeline.py:main", "--frozen")


def test_a_lock_keeps_the_listing_of_a_pipeline_that_is_not_locked_now(project: Project) -> None:
    lines = "".join(
        f"\n    @pipeline\n    def {name}() -> int:\n        return {body}\n"
        for name, body in (("first", BODIES["glob"]), ("second", "count(folder())"))
    )
    project.write(STEPS + lines)
    project.write("a\n", "data/p_1.csv")
    project("run", "pipeline.py:first", "--lock")
    project("run", "pipeline.py:second", "--lock")
    lock = read(project.root / "stepwell.lock")
    assert lock.pipeline["first"].uses == ("data.parts",)
    assert lock.pipeline["second"].uses == ()
    assert {"parts", "folder", "p_1.csv"} == {*lock.data}
    project("run", "pipeline.py:first", "--frozen")


def test_the_note_of_data_names_the_table_of_the_file_that_is_there(project: Project) -> None:
    project.write(f"{STEPS}\n    @pipeline\n    def main() -> int:\n        return count(parts())\n")
    project.write(MANIFEST.replace('store = "STORE"', ""), "stepwell.toml")
    project.write(".stepwell\ndist\n", ".gitignore")
    project.write("a\n", "data/p_1.csv")
    git(project.root, "init", "--quiet")
    project("run", "pipeline.py:main", "--lock")
    git(project.root, "add", "--all")
    git(project.root, "commit", "--quiet", "--message", "one")
    told = project("release", "pipeline.py:main", "1.0.0").err
    assert "unless `store` of [release] in `stepwell.toml` names a place" in told
    assert "tool.stepwell" not in told


def test_a_commit_whose_lock_lacks_the_listing_says_what_helps(project: Project) -> None:
    project.write(f"{STEPS}\n    @pipeline\n    def main() -> int:\n        return {BODIES['glob']}\n")
    project.write(".stepwell\n", ".gitignore")
    project.write("a\n", "data/p_1.csv")
    git(project.root, "init", "--quiet")
    project("run", "pipeline.py:main", "--lock")
    path = project.root / "stepwell.lock"
    lock = read(path)
    main = structs.replace(lock.pipeline["main"], uses=())  # as locks were written before
    data = {name: one for name, one in lock.data.items() if name != "parts"}
    path.write_text(text_of(structs.replace(lock, data=data, pipeline={"main": main})))
    git(project.root, "add", "--all")
    git(project.root, "commit", "--quiet", "--message", "one")
    error = project("reproduce", "HEAD", "-p", "pipeline.py:main", "--json", code=3).json["error"]
    assert error["code"] == "E781"
    assert error["fixes"][0].startswith("stepwell run --lock, and release that")
