"""Sweeps with the real command: what is shared, failures, kills, files, concurrency, and what is refused."""

import os
import signal
import sqlite3
import subprocess
import sys

import pytest
from cli_projects import wait_for

from stepwell.cli.sweep_words import MOST_METRICS, Row, points_table

PIPELINE = """
    import os
    import time
    from pathlib import Path
    from stepwell import log, pipeline, step

    def mark(name):
        with open(os.environ["MARKS"], "a") as file:
            file.write(name + "\\n")

    @step
    def load(rows: int) -> list[int]:
        mark("load")
        return list(range(rows))

    @step
    def train(table: list[int], depth: int, lr: float = 0.1) -> float:
        mark(f"train {depth} {lr}")
        if depth == 13:
            raise ValueError("unlucky")
        if depth > 100:
            time.sleep(depth)
        return sum(table) * lr / depth

    @step
    def score(model: float) -> float:
        log.metric("auc", model)
        return model

    @pipeline
    def training(table: list[int], depth: int = 4) -> float:
        return score(train(table, depth))

    @pipeline
    def delays(rows: int = 5, depth: int = 4) -> float:
        return training(load(rows), depth)
"""


@pytest.fixture
def swept(project, tmp_path):
    """A project whose steps leave a mark each time that they are executed."""
    project.write(PIPELINE)
    project.marks = tmp_path / "marks"
    project.env["MARKS"] = str(project.marks)
    project.ran = lambda: sorted(project.marks.read_text().splitlines()) if project.marks.exists() else []
    return project


def test_what_points_share_is_done_once_and_each_point_is_a_run(swept):
    plan = swept("plan", "--sweep", "depth=4,6,8", "--sweep", "rows=5,6", "--json").json
    assert [one["point"] for one in plan["points"]][:2] == [{"depth": 4, "rows": 5}, {"depth": 4, "rows": 6}]
    assert sum(one["shared"] for one in plan["points"]) == 4
    assert plan["counts"]["run"] == 14
    assert plan["counts"]["cached"] == 4
    done = swept("run", "--sweep", "depth=4,6,8", "--sweep", "rows=5,6", "--json").json
    assert swept.ran().count("load") == 2
    assert len(swept.ran()) == 8
    assert (done["group"], done["status"], len(done["runs"])) == ("g1", "succeeded", 6)
    first = done["runs"][0]
    assert (first["run"], first["point"], first["params"]) == (
        "r1",
        {"depth": 4, "rows": 5},
        {"rows": 5, "depth": 4},
    )
    assert first["result"] == first["metrics"]["auc"] == 0.25
    assert [step["id"] for step in first["steps"]] == ["load", "training/train", "training/score"]
    makers = {run["run"]: run["steps"][0]["reasons"][0]["kind"] for run in done["runs"]}
    assert sorted(makers.values()).count("same") == 4
    rows = swept("runs", "--group", "g1", "--json").json["runs"]
    assert [(row["run"], row["group"]) for row in rows] == [(f"r{n}", "g1") for n in range(6, 0, -1)]
    shown = swept("show", "g1", "--json").json
    assert [row["point"] for row in shown["runs"]] == [run["point"] for run in done["runs"]]
    assert "0.416667" in swept("show", "g1").out or "▲" in swept("show", "g1").out
    loads = {swept("show", run["run"], "--json").steps["load"]["made_by"] for run in done["runs"]}
    assert len(loads) == 2
    assert loads <= {run["run"] for run in done["runs"]}
    again = swept("run", "--sweep", "depth=4,6,8", "--sweep", "rows=5,6", "--json").json
    assert again["group"] == "g2"
    assert {step["status"] for run in again["runs"] for step in run["steps"]} == {"cached"}


def test_of_equal_points_the_first_is_the_best(swept):
    told = swept("run", "--sweep", "depth=-4,4", "rows=1").out
    assert "best auc: r1  depth=-4" in told
    assert "auc=-0.0\n" in told
    assert "best auc=-0.0 r1" in swept("runs").out
    assert swept("compare", "g1", "--best", "auc", "--json").json["runs"][0]["run"] == "r1"


def test_a_point_that_fails_fails_alone_and_a_shared_step_that_fails_fails_all(swept):
    done = swept("run", "--sweep", "depth=4,13,8", "--json", code=1).json
    assert [run["status"] for run in done["runs"]] == ["succeeded", "failed", "succeeded"]
    assert [step["status"] for step in done["runs"][1]["steps"]][1:] == ["failed", "blocked"]
    assert done["runs"][1]["result"] is None
    (blocked,) = done["runs"][1]["steps"][2]["reasons"]
    assert blocked["text"] == "`training/train` has no result"
    swept.edit('mark("load")', 'raise OSError("no table")')
    done = swept("run", "--sweep", "depth=4,8", "--json", code=1).json
    assert {run["status"] for run in done["runs"]} == {"failed"}
    assert sorted(run["steps"][0]["status"] for run in done["runs"]) == ["blocked", "failed"]


def test_set_and_sweep_of_steps_and_sections(swept):
    one = swept("run", "--set", "train.lr=2", "--json").json
    assert one["params"] == {"rows": 5, "depth": 4, "train.lr": 2.0}
    assert one["result"] == 5.0
    done = swept("run", "--sweep", "training.depth=2,5", "--sweep", "training/train.lr=1", "--json").json
    assert [run["result"] for run in done["runs"]] == [5.0, 2.0]
    assert done["runs"][0]["point"] == {"training.depth": 2, "training/train.lr": 1}
    swept("plan", "--set", "train.lr=3", "--save", "saved.json")
    assert swept("run", "--plan", "saved.json", "--json").json["result"] == 7.5
    assert swept.refused("plan", "--set", "trian.lr=3", code=2)["code"] == "E119"
    assert swept.refused("run", "--set", "depth=3", code=2)["code"] == "E100"
    assert swept.refused("plan", "--set", "train.lr=x", code=2)["code"] == "E105"


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        (["--sweep", "depth=1..10000000"], 2, "E117"),
        (["--sweep", "depth=1..5000", "--sweep", "rows=1..2000"], 2, "E117"),
        (["--sweep", "depth=x"], 2, "E116"),
        (["--sweep", "depth=1", "--sweep", "depth=2"], 2, "E116"),
        (["depth=3", "--sweep", "depth=1,2"], 2, "E116"),
        (["--sweep", "dept=1,2"], 2, "E104"),
        (["--sweep", "train.dept=1,2"], 2, "E119"),
        (["--sweep", "depth=1,2", "--where", "dept<3"], 2, "E118"),
        (["--sweep", "depth=1,2", "--where", "__import__('os')"], 2, "E118"),
        (["--sweep", "depth=1,2", "--where", "depth>3"], 3, "E367"),
        (["--where", "depth>3"], 2, "E100"),
        (["--sample", "3"], 2, "E100"),
    ],
)
def test_what_is_refused_is_refused_before_anything_is_made(swept, words, status, code):
    assert swept.refused("run", *words, code=status)["code"] == code
    assert swept.ran() == []
    assert swept("runs", "--json").json["runs"] == []


def test_where_and_sample_choose_points(swept):
    words = [
        "--sweep",
        "depth=2..9",
        "--sweep",
        "rows=3..6",
        "--where",
        "depth<5 or rows==6",
        "--sample",
        "5",
    ]
    first = swept("plan", *words, "--json").json["points"]
    assert len(first) == 5
    assert all(one["point"]["depth"] < 5 or one["point"]["rows"] == 6 for one in first)
    assert swept("plan", *words, "--json").json["points"] == first
    assert swept("plan", *words, "--seed", "1", "--json").json["points"] != first


def test_a_sweep_that_is_killed_goes_on_where_it_was(swept):
    words = ["run", "--sweep", "depth=2,3,4,1000", "-j", "2", "--json"]
    process = swept.start(*words)
    wait_for(lambda: {"train 1000 0.1", "train 2 0.1", "train 3 0.1", "train 4 0.1"} <= set(swept.ran()))
    statuses = []

    def settled():
        nonlocal statuses
        statuses = [row["status"] for row in swept("runs", "--group", "last", "--json").json["runs"]]
        return statuses.count("succeeded") == 3

    wait_for(settled)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    wait_for(lambda: swept("runs", "--group", "g1", "--json").json["runs"][0]["status"] == "interrupted")
    swept.edit("time.sleep(depth)", "pass")
    before = swept.ran()
    done = swept("run", "--sweep", "depth=2,3,4,1000", "--json").json
    assert done["group"] == "g2"
    assert [run["status"] for run in done["runs"]] == ["succeeded"] * 4
    assert before.count("load") == swept.ran().count("load") == 1


def test_an_interrupted_sweep_says_so_of_each_point_that_was_not_done(swept):
    process = swept.start("run", "--sweep", "depth=2,1000,2000", "-j", "1", "--json")
    wait_for(lambda: any(mark.startswith(("train 1000", "train 2000")) for mark in swept.ran()))
    wait_for(lambda: "train 2 0.1" in swept.ran())
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b'"status": "interrupted"' in out
    rows = swept("runs", "--group", "g1", "--json").json["runs"][::-1]
    assert {row["status"] for row in rows[1:]} == {"interrupted"}
    assert all(row["seconds"] is not None for row in rows)


def test_few_points_at_once_do_not_wait_for_each_other_for_ever(swept):
    done = swept(
        "run", "--sweep", "depth=2..9", "--sweep", "rows=3,4", "--parallel", "1", "-j", "2", "--json"
    ).json
    assert done["status"] == "succeeded"
    assert len(done["runs"]) == 16
    assert swept.ran().count("load") == 2


def test_two_hundred_points(swept):
    done = swept(
        "run", "--sweep", "depth=20..119", "--sweep", "train.lr=0.5,1", "--where", "depth<=100", "--json"
    ).json
    assert len(done["runs"]) == 162
    assert {run["status"] for run in done["runs"]} == {"succeeded"}
    assert all(
        run["result"] == pytest.approx(10 * run["point"]["train.lr"] / run["point"]["depth"])
        for run in done["runs"]
    )
    assert swept.ran().count("load") == 1
    assert len(swept.ran()) == 163


def test_two_sweeps_at_once_do_the_work_once(swept):
    swept.edit('mark("load")', 'mark("load"), time.sleep(0.4)')  # long enough for the other one to see it
    swept.edit('mark(f"train {depth} {lr}")', 'mark(f"train {depth} {lr}"), time.sleep(0.2)')
    words = ["run", "--sweep", "depth=2..7", "-j", "1", "--json"]
    both = [swept.start(*words) for _ in range(2)]
    for process in both:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err.decode()
        assert out.count(b'"run": "r') == 6
    assert swept.ran().count("load") == 1
    assert len(swept.ran()) == 7
    runs = swept("runs", "--json").json["runs"]
    assert sorted({row["group"] for row in runs}) == ["g1", "g2"]
    assert len({row["run"] for row in runs}) == 12


def test_points_that_write_the_same_file_each_keep_their_own(project):
    project.write(
        """
        import time
        from pathlib import Path
        from stepwell import pipeline, step

        @step(out="report.txt")
        def report(depth: int) -> Path:
            path = Path("report.txt")
            path.write_text(f"{depth}")
            time.sleep(0.05)
            path.write_text(f"{depth} whole")
            return path

        @step
        def read(path: Path) -> str:
            return path.read_text()

        @pipeline
        def reports(depth: int = 1) -> str:
            return read(report(depth))
        """
    )
    done = project("run", "--sweep", "depth=1..6", "-j", "3", "--json").json
    assert [run["result"] for run in done["runs"]] == [f"{depth} whole" for depth in range(1, 7)]


def test_a_dynamic_pipeline_grows_in_each_point(project):
    project.write(
        """
        from stepwell import pipeline, step

        @step
        def parts(n: int) -> list[int]:
            return list(range(n))

        @step
        def square(x: int, plus: int = 0) -> int:
            return x * x + plus

        @step
        def add(xs: list[int]) -> int:
            return sum(xs)

        @pipeline
        def total(n: int = 3, plus: int = 0) -> int:
            return add(square.map(parts(n), plus=plus))
        """
    )
    done = project("run", "--sweep", "n=2..4", "--sweep", "plus=0,10", "--json").json
    assert [run["result"] for run in done["runs"]] == [1, 21, 5, 35, 14, 54]
    assert [len(run["steps"]) for run in done["runs"]] == [4, 4, 5, 5, 6, 6]
    plan = project("plan", "--sweep", "n=2..4", "--sweep", "plus=0,10", "--json").json
    assert plan["counts"] == {"run": 0, "cached": 30}
    assert project("run", "n=4", "plus=10", "--json").json["counts"]["cached"] == 6


def test_a_pipeline_that_maps_over_files_grows_in_each_point(project):
    for n in range(3):
        project.write(f"{n}", f"data/{n}.txt")
        project.write(f"{n * 10}", f"more/{n}.txt")
    project.write(
        """
        from pathlib import Path
        from stepwell import pipeline, source, step

        @step
        def number(file: Path, plus: int) -> int:
            return int(file.read_text()) + plus

        @step
        def add(xs: list[int]) -> int:
            return sum(xs)

        @pipeline
        def total(folder: str = "data", plus: int = 0) -> int:
            return add(number.map(source(f"{folder}/*.txt")(), plus=plus))
        """
    )
    points = ("--sweep", "folder=data,more", "--sweep", "plus=0,10", "--json")
    done = project("run", *points).json
    assert [run["result"] for run in done["runs"]] == [3, 33, 30, 60]
    assert project("plan", *points).json["counts"] == {"run": 0, "cached": 16}
    assert project("run", "folder=more", "plus=10", "--json").json["counts"]["cached"] == 4


def test_sweeps_from_python(swept):
    swept.write(
        """
        import pytest
        import pipeline as p
        from stepwell.errors import TooManyPoints, UnknownOutput

        sweep = p.delays.sweep({"train.lr": [0.1, 0.2]}, depth=[2, 5, 13], rows=6, where="depth != 5 or train.lr > 0.1")
        assert (sweep.id, sweep.status, len(sweep)) == ("g1", "failed", 5), sweep
        assert [run.status for run in sweep.runs].count("failed") == len(sweep.failed) == 2
        best = sweep.best("auc")
        assert best.point == {"train.lr": 0.2, "depth": 2} and best.result == 1.5 == best.metrics["auc"]
        assert sweep.best("auc", lowest=True).point == {"train.lr": 0.2, "depth": 5}
        rows = sweep.table()
        assert [row["depth"] for row in rows] == [2, 13, 2, 5, 13] and rows[1]["auc"] is None
        assert sweep._repr_html_().count("★") == 1 and "★ 1.5" in sweep._repr_html_()
        assert "✗ failed" in sweep._repr_html_() and "2 did not succeed" in repr(sweep)
        with pytest.raises(UnknownOutput):
            sweep.best("acu")
        with pytest.raises(TooManyPoints):
            p.delays.sweep(depth=range(10**9))
        assert len(p.delays.sweep({"train.lr": range(1, 10**9)}, sample=3)) == 3
        """,
        "check.py",
    )
    done = subprocess.run(
        [sys.executable, "check.py"], cwd=swept.root, env=swept.env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_points_share_the_shape_of_their_record(swept):
    swept("run", "--sweep", "depth=2..9")
    database = sqlite3.connect(swept.root / ".stepwell" / "store.db")
    (shapes,) = database.execute("SELECT count(DISTINCT nodes) FROM runs").fetchone()
    (drivers,) = database.execute("SELECT count(*) FROM drivers").fetchone()
    database.close()
    assert (shapes, drivers) == (1, 0)


BATCHES = """
    import os, signal, threading, time
    import pipeline as p
    import stepwell.app.sweeps as sweeps

    sweeps.BATCH = 8
    whole = p.delays.sweep(depth=range(2, 9))
    assert (whole.status, len(whole), {run.document["status"] for run in whole}) == ("succeeded", 7, {"succeeded"})
    assert [run.id for run in whole] == [f"r{n}" for n in range(1, 8)]

    def stop():
        while "train 1000" not in open(os.environ["MARKS"]).read():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=stop, daemon=True).start()
    cut = p.delays.options(jobs=1).sweep(depth=[2, 1000, 3, 40, 41])
    print(cut.status, [run.status for run in cut], [run.id for run in cut])
"""


def test_many_points_go_in_batches_of_one_group(swept):
    swept.write(BATCHES, "check.py")
    done = subprocess.run(
        [sys.executable, "check.py"],
        cwd=swept.root,
        env=swept.env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert swept.ran().count("load") == 1
    said = "interrupted ['succeeded', 'interrupted', 'interrupted', 'interrupted', 'interrupted']"
    assert done.stdout.splitlines()[-1] == f"{said} {[f'r{n}' for n in range(8, 13)]}"
    groups = [(row["group"], row["status"]) for row in swept("runs", "--json").json["runs"]]
    assert [group for group, _ in groups] == ["g2"] * 5 + ["g1"] * 7
    assert [status for _, status in groups].count("interrupted") == 4


@pytest.mark.parametrize(("left", "says"), [(1, "1 more metric: "), (2, "2 more metrics: ")])
def test_metrics_that_have_no_column_are_counted(left, says):
    names = [f"m{n}" for n in range(MOST_METRICS + left)]
    rows = [Row(f"r{n}", {"k": n}, "succeeded", dict.fromkeys(names, float(n)), 0.1) for n in (1, 2)]
    assert f"{says}stepwell compare g1 --all" in points_table(rows, "g1")[-1]
