"""Folders from hell, with the real command: a million files, links in circles, what may not be read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_projects import Project, as_a_mortal

FOLDER = """
    from pathlib import Path
    from stepwell import pipeline, source, step
    data = source("data", Path)

    @step
    def work(folder: Path) -> int:
        return sum(len(files) for _, _, files in __import__("os").walk(folder))

    @pipeline
    def main() -> int:
        return work(data())
"""

LISTING = """
    import os
    from pathlib import Path
    from stepwell import pipeline, step

    @step
    def work() -> list[str]:
        return sorted(name for name in os.listdir("seen"))

    @pipeline
    def main() -> list[str]:
        return work()
"""


def fill(folder: Path, count: int, *, each: int = 5000) -> None:
    for start in range(0, count, each):
        below = folder / str(start // each)
        below.mkdir(parents=True)
        for number in range(start, min(count, start + each)):
            with open(below / str(number), "wb", 0) as file:
                file.write(b"%d\n" % number)


def measured(project: Project, *words: str) -> tuple[float, int]:
    """(processor seconds, peak memory in bytes) of a command that must succeed."""
    measure = (
        "import resource, subprocess, sys; code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL); "
        "used = resource.getrusage(resource.RUSAGE_CHILDREN); "
        "print(code, used.ru_utime + used.ru_stime, used.ru_maxrss)"
    )
    command = [sys.executable, "-c", measure, Path(sys.executable).with_name("stepwell"), *words]
    done = subprocess.run(command, cwd=project.root, env=project.env, capture_output=True, text=True)
    code, seconds, kilobytes = done.stdout.split()
    assert code == "0", done.stderr
    return float(seconds), int(kilobytes) << 10


@pytest.mark.slow
def test_twenty_thousand_files(project):
    project.write(FOLDER)
    fill(project.root / "data", 20_000)
    _, memory = measured(project, "run")
    assert memory < 300 << 20
    again = project("run", "--json")
    assert (again.json["result"], again.decisions) == (20_000, {"work": "cached"})
    (project.root / "data" / "3" / "19999").write_text("other\n")
    assert project("plan", "--json").decisions == {"work": "run"}


@pytest.mark.deep
@pytest.mark.timeout(1800)
def test_a_million_files(project, tmp_path):
    """Time and memory grow with the number of files, no faster: ten times as many as for a tenth of them."""
    memory_disk = Path("/dev/shm")
    if not memory_disk.is_dir() or os.statvfs(memory_disk).f_favail < 1_500_000:
        pytest.skip("no file system in memory with room for a million files")
    import shutil
    import tempfile

    cost = {}
    with tempfile.TemporaryDirectory(dir=memory_disk) as place:
        for count in (100_000, 1_000_000):
            data = Path(place) / str(count)
            fill(data, count)
            project.write(FOLDER.replace('"data"', f'"{data}"'))
            cost[count] = [measured(project, "plan"), measured(project, "run"), measured(project, "plan")]
            measured(project, "run")
            assert project("show", "--json").decisions == {"work": "cached"}
            shutil.rmtree(data)
    for few, many in zip(cost[100_000], cost[1_000_000], strict=True):
        assert many[0] < 15 * few[0], "processor seconds"
        assert many[1] < 1500 << 20, "memory"


def test_links_in_circles(project):
    """In a source, in the project, in a package, to themselves: nobody follows them for ever."""
    project.write("""
        from pathlib import Path
        import pack.inner
        from stepwell import pipeline, source, step
        data = source("data", Path)

        @step
        def work(folder: Path) -> list[str]:
            return sorted(path.name for path in folder.iterdir()) + pack.inner.names()

        @pipeline
        def main() -> list[str]:
            return work(data())
    """)
    project.write("import os\ndef names(): return sorted(os.listdir('seen'))\n", "pack/inner.py")
    project.write("", "pack/__init__.py")
    project.write("1\n", "data/a.txt")
    project.write("1\n", "seen/b.txt")
    for link, target in {
        "data/again": ".", "data/other": "../data", "data/up": "../data/again/again",
        "here": ".", "above": "..", "self": "self", "one": "two", "two": "one",
        "pack/pack": ".", "seen/self": "self", "seen/seen": "../seen",
    }.items():  # fmt: skip
        (project.root / link).symlink_to(target)
    run = project("run", "--json")
    assert run.json["result"] == ["a.txt", "again", "other", "up", "b.txt", "seen", "self"]
    assert project("run", "--json").decisions == {"work": "cached"}
    ghost = project("run", "--ghost", "--json")
    assert ghost.json["result"][-3:] == ["b.txt", "seen", "self"]
    (project.root / "seen" / "self").unlink()
    (reason,) = project("plan", "--json").steps["work"]["reasons"]
    assert reason["kind"] == "observed"


def test_a_link_to_itself_in_a_source(project):
    project.write(FOLDER)
    (project.root / "data").mkdir()
    (project.root / "data" / "self").symlink_to("self")
    error = project.refused("plan", code=3)
    assert error["code"] == "E302"
    assert "`data`" in error["what"]
    assert "self" in error["what"]


def mortal(project: Project, *words: str) -> subprocess.CompletedProcess[str]:
    command = as_a_mortal(Path(sys.executable).with_name("stepwell"), *words)
    return subprocess.run(command, cwd=project.root, env=project.env, capture_output=True, text=True)


@pytest.mark.parametrize("dark", ["data/a/1", "data/a", "data"])
def test_a_source_that_may_not_be_read(project, dark):
    project.write(FOLDER)
    project.write("1\n", "data/a/1")
    place = project.root / dark
    mode = place.stat().st_mode
    place.chmod(0)
    try:
        done = mortal(project, "plan")
    finally:
        place.chmod(mode)
    assert done.returncode == 3
    assert done.stderr.startswith("error[E302]"), done.stderr
    assert dark.rpartition("/")[2] in done.stderr


def test_a_dark_folder_beside_the_pipeline(project):
    """It is nobody's business as long as nobody reads it, nor in a ghost run."""
    project.write(LISTING)
    project.write("1\n", "seen/a")
    project.write("1\n", "dark/a")
    dark = project.root / "dark"
    dark.chmod(0)
    try:
        for words in (["plan"], ["run"], ["run", "--ghost"]):
            done = mortal(project, *words)
            assert done.returncode == 0, done.stderr
    finally:
        dark.chmod(0o755)


def test_an_observed_folder_that_may_not_be_read_any_more(project):
    """Its listing is not what it was: the step runs, and says itself what is the matter."""
    project.write(LISTING)
    project.write("1\n", "seen/a")
    assert project("run", "--json").json["result"] == ["a"]
    seen = project.root / "seen"
    seen.chmod(0)
    try:
        plan, run = mortal(project, "plan"), mortal(project, "run")
    finally:
        seen.chmod(0o755)
    assert plan.returncode == 0
    assert "seen" in plan.stdout
    assert "cached" not in plan.stdout.splitlines()[1]
    assert run.returncode == 1
    assert "PermissionError" in run.stdout + run.stderr
    assert project("plan", "--json").decisions == {"work": "cached"}, "as it was before"
