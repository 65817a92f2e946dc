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
    assert {"parts", "folder", "parts/p_1.csv"} == {*lock.data}
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


@pytest.mark.slow
@pytest.mark.timeout(200)
@pytest.mark.parametrize("listing", ["data", "data/*.txt"])
def test_it_is_made_again_here_although_a_file_was_added(project: Project, listing: str) -> None:
    project.write(f"""
        from pathlib import Path
        from stepwell import pipeline, source, step

        parts = source("{listing}", list[Path])

        @step
        def size(file: Path) -> int:
            return len(file.read_text())

        @step
        def total(sizes: list[int]) -> int:
            return sum(sizes)

        @pipeline
        def main() -> int:
            return total(size.map(parts()))
    """)
    project.write(MANIFEST.replace('store = "STORE"', ""), "stepwell.toml")
    project.write(".stepwell\ndist\n", ".gitignore")
    project.write("a\n", "data/a.txt")
    project.write("a\n", "data/b.txt")
    git(project.root, "init", "--quiet")
    project("run", "pipeline.py:main", "--lock")
    git(project.root, "add", "--all")
    git(project.root, "commit", "--quiet", "--message", "one")
    project("release", "pipeline.py:main", "1.0.0")
    project.write("more\n", "data/c.txt")
    found = project("reproduce", "1.0.0", "--json").json["evidence"]
    assert found["grade"] == "A"
    assert {one["step"] for one in found["steps"]} == {"size", "size[2]", "total"}


TWINS = """
    from pathlib import Path
    from stepwell import pipeline, source, step

    parts = source("data/**/*.csv", list[Path])
    other = source("other/*.csv", list[Path])

    @step
    def size(file: Path) -> int:
        return len(file.read_text())

    @step
    def total(sizes: list[int]) -> int:
        return sum(sizes)

    @pipeline
    def main() -> int:
        return total([total(size.map(parts())), total(size.map(other()))])
"""


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_files_of_the_same_bytes_are_told_apart_where_they_were_fetched(
    project: Project, tmp_path: Path
) -> None:
    project.write(TWINS)
    project.write(MANIFEST.replace("STORE", str(tmp_path / "store")), "stepwell.toml")
    project.write(".stepwell\ndist\ndata/\nother/\n", ".gitignore")
    for name in ("data/a.csv", "data/x/a.csv", "data/x/a[1]*.csv", "other/a.csv"):
        project.write("the same\n", name)
    git(project.root, "init", "--quiet")
    project("run", "pipeline.py:main", "--lock")
    git(project.root, "add", "--all")
    git(project.root, "commit", "--quiet", "--message", "one")
    project("release", "pipeline.py:main", "1.0.0")
    assert {"parts/a.csv", "parts/x/a.csv", "other/a.csv"} < {*read(project.root / "stepwell.lock").data}
    (project.root / "data").rename(project.root / "away")
    (project.root / "other").rename(project.root / "away" / "other")
    project("run", "pipeline.py:main", "--frozen")
    found = project("reproduce", "1.0.0", "--json").json["evidence"]
    assert found["grade"] == "A"


def test_pipelines_that_map_over_files_of_the_same_names_are_locked_side_by_side(project: Project) -> None:
    lines = "".join(
        f"\n    @pipeline\n    def {name}() -> list[int]:\n        return size.map({source}())\n"
        for name, source in (("first", "parts"), ("second", "other"))
    )
    project.write(TWINS.partition("    @pipeline")[0] + lines)
    project.write("one\n", "data/a.csv")
    project.write("others\n", "other/a.csv")
    project("run", "pipeline.py:first", "--lock")
    told = project("run", "pipeline.py:second", "--lock")
    assert "locked with" not in told.out + told.err
    lock = read(project.root / "stepwell.lock")
    assert {name: data.source for name, data in lock.data.items() if "/" in name} == {
        "parts/a.csv": "data/a.csv",
        "other/a.csv": "other/a.csv",
    }
    project("lock", "pipeline.py:first", "--check")
    project("lock", "pipeline.py:second", "--check")


def test_a_lock_that_calls_the_files_after_themselves_still_says_what_they_are(project: Project) -> None:
    project.write(f"{STEPS}\n    @pipeline\n    def main() -> int:\n        return {BODIES['glob']}\n")
    project.write("a\n", "data/p_1.csv")
    project("run", "pipeline.py:main", "--lock")
    path = project.root / "stepwell.lock"
    lock = read(path)
    data = {
        name.removeprefix("parts/"): one for name, one in lock.data.items()
    }  # as locks were written before
    path.write_text(text_of(structs.replace(lock, data=data)))
    project("run", "pipeline.py:main", "--frozen")


@pytest.mark.parametrize("name", ["q[1].csv", "q*.csv", "q?.csv", "ä b [1].csv"])
def test_a_file_whose_name_looks_like_a_pattern_is_one_file(project: Project, name: str) -> None:
    project.write(
        f"{STEPS}\n    @pipeline\n    def main() -> list[int]:\n        return size.map(folder())\n"
    )
    project.write("a\n", f"data/{name}")
    project.write("bcd\n", "data/q1.csv")
    assert sorted(project("run", "pipeline.py:main", "--lock", "--json").json["result"]) == [2, 4]
    project("run", "pipeline.py:main", "--frozen")
