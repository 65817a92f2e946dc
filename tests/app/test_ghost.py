"""Ghost runs: the whole pipeline on samples, apart from everything that is real."""

from __future__ import annotations

import hashlib
import signal
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))

from cli_projects import Project, wait_for

PIPELINE = """
    import os, time
    from pathlib import Path
    from stepwell import pipeline, source, step

    def first(path, rows, out):
        out.write_bytes(path.read_bytes()[:rows])

    rows = source("data/rows.csv", str)
    odd = source("data/odd.bin", Path)
    own = source("data/own.bin", Path, sample=first)
    names = source("data/names.txt", str, sample=False)

    @step
    def load(text: str) -> list[int]:
        return [int(line) for line in text.splitlines()[1:]]

    @step
    def sizes(*files: Path) -> list[int]:
        return [file.stat().st_size for file in files]

    @step(out="report.txt")
    def report(numbers: list[int], sizes: list[int], names: str) -> Path:
        Path("beside.txt").write_text("left beside")
        print(len(numbers), len(names.splitlines()), os.environ.get("WAIT"))
        if os.environ.get("WAIT"):
            time.sleep(60)
        Path("report.txt").write_text(f"{len(numbers)} {sizes}")
        return Path("report.txt")

    @pipeline
    def main() -> Path:
        return report(load(rows()), sizes(odd(), own()), names())
"""


@pytest.fixture
def ghosted(tmp_path):
    """A project of five thousand rows, and files of which one cannot be cut."""
    project = Project(tmp_path)
    project.write(PIPELINE)
    project.write("n\n" + "".join(f"{n}\n" for n in range(50_000)), "data/rows.csv")
    for name in ("odd", "own"):
        (project.root / "data" / f"{name}.bin").write_bytes(bytes(100_000))
    project.write("a\nb\n" * 400, "data/names.txt")
    return project


def picture(root, apart=("ghost",)):
    """All files below a folder and what is in them, but for what stands in a folder of these names."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not {*path.relative_to(root).parts} & {*apart}
    }


def rows_of(project, run):
    return [step["outputs"] for step in run.json["steps"]]


def test_it_runs_on_samples_and_says_what_it_could_not_sample(ghosted):
    run = ghosted("run", "--ghost", "--rows", "20")
    assert "ghost run: 20 rows of each source; kept apart from all results" in run.err
    told = [line for line in run.err.splitlines() if "could not be sampled" in line]
    assert told == ["note: source `odd` could not be sampled and is read whole: odd.bin"]
    assert "20 800 None" in run.out
    document = ghosted("run", "--ghost", "--rows", "20", "--json").json
    assert document["status"] == "succeeded"


def test_nothing_real_is_used_or_touched(ghosted):
    ghosted("run")
    before = picture(ghosted.root)
    assert before["report.txt"]
    run = ghosted("run", "--ghost", "--json")
    assert set(run.decisions.values()) == {"run"}  # no real result counts
    assert picture(ghosted.root) == before
    plan = ghosted("plan", "--json")
    assert set(plan.decisions.values()) == {"cached"}
    assert ghosted("runs", "--json").json["runs"][0]["run"] == "r1"


def test_a_ghost_run_before_the_first_real_one(ghosted):
    ghosted("run", "--ghost")
    assert not (ghosted.root / "report.txt").exists()
    assert not (ghosted.root / "beside.txt").exists()
    assert set(ghosted("plan", "--json").decisions.values()) == {"run"}
    run = ghosted("run")
    assert (ghosted.root / "report.txt").read_text() == "50000 [100000, 100000]"
    assert "0 cached" in run.out


def test_the_second_is_cached_and_another_number_of_rows_is_not(ghosted):
    first = ghosted("run", "--ghost", "--json")
    again = ghosted("run", "--ghost", "--json")
    assert set(again.decisions.values()) == {"cached"}
    assert rows_of(ghosted, first) == rows_of(ghosted, again)
    other = ghosted("run", "--ghost", "--rows", "7", "--json")
    assert other.decisions["load"] == "run"
    (ghosted.root / "data" / "rows.csv").write_text("n\n" + "5\n" * 50_000)
    assert ghosted("run", "--ghost", "--json").decisions["load"] == "run"


def test_it_finds_what_is_broken(ghosted):
    ghosted.edit("len(names.splitlines())", "names.nope()")
    run = ghosted("run", "--ghost", "--json", code=1)
    assert run.steps["report"]["status"] == "failed"


def test_in_this_process(ghosted):
    ghosted("run", "--ghost", "--in-process")
    assert not (ghosted.root / "report.txt").exists()
    assert not (ghosted.root / "beside.txt").exists()


def test_a_function_that_is_wrong(ghosted):
    ghosted.edit("sample=first", "sample=lambda p, r, o: None")
    assert ghosted.refused("plan", code=3)["code"] == "E210"
    ghosted.edit("sample=lambda p, r, o: None", "sample=3")
    assert ghosted.refused("plan", code=3)["code"] == "E210"
    ghosted.edit("sample=3", "sample=first")
    ghosted.edit("out.write_bytes(path", "raise KeyError('no rows')\n    out.write_bytes(path")
    error = ghosted.refused("run", "--ghost", code=3)
    assert "KeyError: 'no rows'" in error["what"] + error["why"]
    ghosted.edit("raise KeyError('no rows')", "return")
    assert "own" in ghosted.refused("run", "--ghost", code=3)["what"]


def test_wrong_options(ghosted):
    assert ghosted.refused("run", "--rows", "5", code=2)["code"] == "E100"
    for rows in ("0", "-1", "many"):
        ghosted("run", "--ghost", f"--rows={rows}", code=2)


def test_one_that_is_killed_leaves_the_project_alone(ghosted):
    ghosted("run")
    before = picture(ghosted.root)
    ghosted.env["WAIT"] = "1"
    process = ghosted.start("run", "--ghost")
    folder = ghosted.root / ".stepwell" / "ghost" / "folder"
    wait_for(lambda: (folder / "beside.txt").exists())
    time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=20)
    assert picture(ghosted.root) == before
    del ghosted.env["WAIT"]
    ghosted("run", "--ghost")
    assert set(ghosted("plan", "--json").decisions.values()) == {"cached"}
    assert ghosted("verify").code == 0


GROWING = """
    from pathlib import Path
    from stepwell import pipeline, source, step, when

    files = source("data/*.csv")
    rows = source("data/rows.csv", str)

    @step
    def load(text: str) -> list[int]:
        return [int(line) for line in text.splitlines()[1:]]

    @step
    def lines(file: Path) -> int:
        return len(file.read_text().splitlines())

    @step
    def twice(n: int) -> int:
        return 2 * n

    @step
    def few(numbers: list[int]) -> bool:
        return len(numbers) < 100

    @step
    def total(numbers: list[int]) -> int:
        return sum(numbers)

    @pipeline
    def mapped() -> int:
        return total(lines.map(files()))

    @pipeline
    def read() -> int:
        return total(twice.options(share=0.5).map(load(rows())))

    @pipeline
    def branched() -> int:
        return when(few(load(rows())), lambda: total(load(rows())), lambda: total([0]))

    @pipeline
    def later() -> int:
        return when(few(load(rows())), lambda: total(lines.map(files())), lambda: total([0]))

    @pipeline
    def both() -> int:
        return total([total(lines.map(files())), total(lines.map(source("data/m*.csv")()))])
"""


@pytest.mark.parametrize(
    ("name", "result"), [("mapped", 12), ("read", 70), ("branched", 35), ("later", 12), ("both", 18)]
)
def test_dynamic_calls_become_steps_on_samples(tmp_path, name, result):
    project = Project(tmp_path)
    project.write(GROWING)
    for file in ("rows", "more"):
        project.write("n\n" + "7\n" * 1000, f"data/{file}.csv")
    words = ("run", name, "--ghost", "--rows", "5", "--json")
    assert project(*words).json["result"] == result
    assert project(*words).json["counts"]["run"] == 0
