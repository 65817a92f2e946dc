"""What is said when a run has ended: what changed since the last one, what failed, where to look next."""

from __future__ import annotations

import re

from stepwell.app.sincelast import Moved, Since
from stepwell.cli.ending import since_lines

TRAINING = """
    from stepwell import log, pipeline, step

    @step
    def train(depth: int) -> float:
        log.metric("auc", 0.8 + depth / 100)
        log.metric("rmse", 3.0)
        log.tag("base\\x1b[31mline")
        return 1.0

    @pipeline
    def fit(depth: int = 4) -> float:
        return train(depth)
"""

CROWD = """
    from stepwell import pipeline, step

    @step
    def load(n: int) -> int:
        if n == 17:
            raise ValueError("this one is bad")
        return n

    @step
    def add(values: list[int]) -> int:
        return sum(values)

    @pipeline
    def many(count: int = 60) -> int:
        return add([load(n) for n in range(count)])
"""


def test_since_the_last_run(project):
    project.write(TRAINING)
    first = project("run").out.splitlines()
    assert first[2:-1] == [
        "result  1",
        "tags  base\\x1b[31mline",
    ]  # there is nothing yet that it could be compared with
    assert project("run", "depth=6").out.splitlines()[2:-1] == [
        "result  1",
        "tags  base\\x1b[31mline",
        "since r1: depth 4 → 6",
        "  auc  0.86  +0.02  better",
        "  1 metric as before",
        "look further: stepwell compare   stepwell ui",
    ]
    assert project("run", "--force", "train", "depth=6").out.splitlines()[-3:-1] == [
        "metrics as in r2",
        "look further: stepwell compare   stepwell ui",
    ]
    worse = project("run", "depth=3").out
    assert "since r3: depth 6 → 3" in worse
    assert re.search(r"auc +0\.83 +-0\.03 +worse", worse)
    assert len(project("run", "depth=3").out.splitlines()) == 4  # of what is up to date nothing more is said
    assert "since" not in project("run", "--json", "depth=2").err


def test_what_a_failed_step_logged_is_not_compared(project):
    project.write(TRAINING)
    project("run")
    project.write(TRAINING.replace("return 1.0", "raise ValueError('late')"))
    assert "since" not in project("run", "depth=2", code=1).out
    assert project("run", "depth=1", "--json", code=1).json["metrics"] == {}
    assert "train: logged before it failed: auc=0.82  rmse=3" in project("show", "r2").out


def test_points_of_a_sweep_are_no_last_run_where_there_is_another(project):
    project.write(TRAINING)
    project("run")
    project("run", "--sweep", "depth=7,8")
    assert "since r1: depth 4 → 9" in project("run", "depth=9").out


def test_what_is_no_plain_data_stands_with_its_note_in_a_result(project):
    """An array beside a number: JSON has null there, and people read what it is; alone in a record the step says it."""
    project.write(
        """
        import numpy as np
        from stepwell import pipeline, step

        @step
        def numbers() -> np.ndarray:
            return np.zeros(3)

        @step
        def total(values: np.ndarray) -> float:
            return float(values.sum())

        @pipeline
        def main() -> tuple[np.ndarray, float, dict]:
            values = numbers()
            return values, total(values), {"all": [values, None], "one": values}
        """
    )
    note = next(line for line in project("run").out.splitlines() if line.startswith("result"))
    assert note == "result  [(3,) float64, 0.0, {'all': [(3,) float64, None], 'one': None}]"
    assert project("run", "--json").json["result"] == [None, 0.0, {"all": [None, None], "one": None}]


def test_many_steps_of_which_some_fail(project):
    project.write(CROWD)
    out = project("run", "--keep-going", code=1).out
    lines = out.splitlines()
    assert "  ✓ 59 × load" in out
    assert "ValueError: this one is bad" in out
    assert sum(line.startswith("  ✓") for line in lines) == 1
    assert lines[-3] == "failed  load[18]"
    assert lines[-2] == "look further: stepwell show r1   stepwell logs r1   stepwell ui"
    assert "59 ran, 0 cached, 1 failed, 1 blocked" in lines[-1]


def test_lines_on_metrics():
    moved = (
        Moved("auc", 0.9, 0.8, "better"),
        Moved("x\x1b[2J", float("nan"), 1.0, ""),
        Moved("loss", 0.5, float("inf"), "better"),
        Moved("gain", 5.0, None, ""),
        *[Moved(f"m{i}", 1.0, 2.0, "") for i in range(20)],
    )
    lines = since_lines(Since("r7", {f"p{i}": (i, "a\nb") for i in range(5)}, moved, 3))
    assert lines == [
        "since r7: p0 0 → a b, p1 1 → a b, p2 2 → a b, 2 more",
        "  auc       0.9  +0.1     better",
        "  x\\x1b[2J  nan  was 1",
        "  loss      0.5  was inf  better",
        "  gain      5    new",
        "  m0        1    -1",
        "  19 more changed, 3 metrics as before",
    ]
    assert since_lines(Since("r7", {}, (), 3)) == ["metrics as in r7"]


def test_what_was_edited_and_read_stands_beside_the_parameters(project):
    project.write("""
        import os
        from stepwell import log, pipeline, step

        def rate() -> float:
            return 0.5

        @step
        def clean(n: int) -> float:
            return n * rate() + int(os.environ.get("AGE", "0"))

        @step
        def score(x: float) -> float:
            log.metric("auc", x)
            log.metric("share", 1.0)
            return x

        @pipeline
        def main(depth: int = 3) -> float:
            return score(clean(depth))
    """)
    project("run")
    project.edit("return 0.5", "return 0.6")
    told = project("run", "depth=4", env={"AGE": "3"}).out
    assert "since r1: depth 3 → 4, pipeline.rate changed\n" in told
    told = project("run", "depth=4", env={"AGE": "4"}).out
    assert "since r2: $AGE changed\n" in told
    project.edit('log.metric("share", 1.0)', 'log.metric("share", 1 / 0)')
    told = project("run", "depth=4", env={"AGE": "4"}, code=1).out
    assert "since" not in told
    assert "metrics as in" not in told
    assert "0 ran, 1 cached, 1 failed" in told
    assert "failed in r4" in project("plan", "depth=4", env={"AGE": "4"}).out
    project.edit('log.metric("share", 1 / 0)', 'log.metric("share", 1.0)')
    project.edit("n * rate()", "n + rate()")
    assert "failed in" not in project("plan", "depth=4", env={"AGE": "4"}).out  # with code that is gone


def test_data_that_changed_is_named_beside_metrics(project):
    """Also where another pipeline had read it before, so that it is no news that it changed."""
    project.write("""
        from stepwell import log, pipeline, source, step

        words = source("words.txt", str)

        @step
        def score(text: str, depth: int) -> float:
            log.metric("auc", len(text) / depth)
            return len(text) / depth

        @pipeline
        def main(depth: int = 2) -> float:
            return score(words(), depth)

        @pipeline
        def other() -> float:
            return score(words(), 100)
    """)
    project.write("a b\n", "words.txt")
    project("run", "pipeline.py:main")
    project.write("a b c\n", "words.txt")
    project("run", "pipeline.py:other")
    assert (
        "metrics as in r1: depth 2 → 3, words changed\n" in project("run", "pipeline.py:main", "depth=3").out
    )
    project.write("a b c d\n", "words.txt")
    assert "since r3: words changed\n" in project("run", "pipeline.py:main", "depth=3").out
    assert "since r4: depth 3 → 4\n" in project("run", "pipeline.py:main", "depth=4").out
