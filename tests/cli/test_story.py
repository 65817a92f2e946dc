"""Edit, plan, run, look: what runs again, what does not, and what is said of it."""

from __future__ import annotations

import shutil
import subprocess

import pytest

HELPERS = """
    FACTOR = 2

    def scale(x):
        return x * FACTOR
"""

CHAIN = """
    import helpers
    from stepwell import pipeline, step

    @step
    def load(n: int) -> list[int]:
        return list(range(n))

    @step
    def scaled(values: list[int]) -> list[int]:
        return [helpers.scale(v) for v in values]

    @step
    def parity(values: list[int]) -> list[int]:
        return [v % 2 for v in values]

    @step
    def total(values: list[int], offset: int = 0) -> int:
        return sum(values) + offset

    @pipeline
    def chain(n: int = 4, offset: int = 0) -> dict[str, int]:
        twice = scaled(load(n))
        odd = total.named("odd")(parity(twice))
        return {"scaled": total(twice, offset), "odd": odd, "third": total(load(3))}
"""


@pytest.fixture
def chain(project):
    project.write(HELPERS, "helpers.py")
    project.write(CHAIN)
    return project


def agree(plan, run):
    """That a run did what the plan said: `maybe` alone may become one of two."""
    for name, verb in plan.decisions.items():
        final = run.decisions[name]
        assert final in ("run", "cached") if verb == "maybe" else final == verb, name
        assert run.steps[name]["status"] == {"run": "succeeded", "cached": "cached"}[final]


def test_plan_and_run_agree(chain):
    everything = dict.fromkeys(["load", "scaled", "parity", "odd", "total", "load[2]", "total[2]"], "run")
    plan = chain("plan", "--json")
    assert plan.decisions == everything
    assert plan.steps["total[2]"]["step"] == "total"
    assert plan.steps["odd"]["step"] == "total"
    assert plan.steps["load"]["reasons"] == [{"kind": "new", "text": "no earlier result"}]
    assert [step["key"] is None for step in plan.json["steps"]] == [
        name not in ("load", "load[2]") for name in plan.steps
    ]
    run = chain("run", "--json")
    assert run.json["result"] == {"scaled": 12, "odd": 0, "third": 3}
    agree(chain("plan", "--json"), chain("run", "--json"))
    assert set(chain("plan", "--json").decisions.values()) == {"cached"}

    # One parameter, of one step.
    plan = chain("plan", "offset=5", "--json")
    assert plan.json["counts"] == {"run": 1, "cached": 6}
    assert plan.steps["total"]["reasons"] == [
        {"kind": "param", "text": "`offset` 0 → 5", "name": "offset", "before": "0", "after": "5"}
    ]
    run = chain("run", "offset=5", "--json")
    agree(plan, run)
    assert run.json["result"] == {"scaled": 17, "odd": 0, "third": 3}
    assert run.json["params"] == {"n": 4, "offset": 5}

    # A helper function in another file: whatever calls it, and what follows only if that gave something else.
    chain.edit("x * FACTOR", "x * FACTOR + 2", "helpers.py")
    plan = chain("plan", "offset=5", "--json")
    changed = {"scaled": "run", "parity": "maybe", "odd": "maybe", "total": "maybe"}
    assert plan.decisions == {**dict.fromkeys(everything, "cached"), **changed}
    (reason,) = plan.steps["scaled"]["reasons"]
    assert (reason["kind"], reason["name"]) == ("code", "helpers.scale")
    run = chain("run", "offset=5", "--json")
    agree(plan, run)
    assert run.decisions["total"] == run.decisions["parity"] == "run"
    assert run.decisions["odd"] == "cached"  # all numbers are even still
    assert run.json["result"] == {"scaled": 25, "odd": 0, "third": 3}
    assert chain("run", "--json").decisions["total"] == "run"


DIFF = """\
--- helpers.scale (before)
+++ helpers.scale (now)
@@ -1,2 +1,2 @@
 def scale(x):
-    return x * FACTOR
+    return x * FACTOR + 2"""


def test_why_shows_what_changed(chain):
    chain("run")
    chain.edit("x * FACTOR", "x * FACTOR + 2", "helpers.py")
    now = chain("why", "scaled", "--json").json
    assert (now["step"], now["decision"]) == ("scaled", "run")
    (reason,) = now["reasons"]
    assert (reason["kind"], reason["name"], reason["diff"]) == ("code", "helpers.scale", DIFF)
    assert reason["before"] != reason["after"]
    text = chain("why", "scaled").out
    assert "code of `helpers.scale` changed" in text
    assert "    +    return x * FACTOR + 2\n" in text
    assert chain("why", "parity", "--json").json["decision"] == "maybe"
    assert chain("why", "total", "offset=1", "--json").json["reasons"][0]["after"] == "1"
    chain("run")

    # The code of neither run was ever committed, and is gone from the files.
    chain.edit("x * FACTOR + 2", "x", "helpers.py")
    chain.edit("sum(values) + offset", "sum(values) - offset")
    chain("run", "--json")
    for words in (["scaled", "r2"], ["r2", "scaled"]):
        then = chain("why", *words, "--json").json
        assert then["decision"] == "run"
        assert then["reasons"][0]["diff"] == DIFF
    third = chain("why", "total", "last", "--json").json
    (code,) = [reason for reason in third["reasons"] if reason["kind"] == "code"]
    assert code["name"] == "pipeline.total"
    assert "-    return sum(values) + offset" in code["diff"]
    assert "+    return sum(values) - offset" in code["diff"]
    assert chain("why", "load", "last", "--json").json["decision"] == "cached"
    assert chain("why", "load", "--json").json["reasons"][0]["diff"] is None


def test_force_and_dry_run(hello):
    hello("run")
    forced = hello("run", "--force", "numbers", "--json")
    assert forced.decisions == {"numbers": "run", "total": "cached"}
    assert forced.steps["numbers"]["reasons"][0]["kind"] == "forced"
    assert hello("run", "--dry-run", "--force", "*", "--json").decisions == {
        "numbers": "run",
        "total": "run",
    }
    assert len(hello("runs", "--json").json["runs"]) == 2


SHAPES = """
    from dataclasses import dataclass
    from datetime import date
    from enum import Enum
    from typing import NamedTuple, TypedDict
    from stepwell import log, pipeline, step

    class Colour(Enum):
        RED = "r"

    @dataclass
    class Point:
        x: float
        colour: Colour

    class Scores(NamedTuple):
        auc: float
        rows: int

    class Halves(TypedDict):
        left: list[int]
        right: list[int]

    @step
    def pair(n: int) -> tuple[int, str]:
        log.metric("n", n)
        log.metric("worst", float("nan"))
        return n, "two"

    @step
    def scores(n: int) -> Scores:
        return Scores(float("inf"), n)

    @step
    def halves(n: int) -> Halves:
        return {"left": [1], "right": [2, 3]}

    @step
    def point() -> list[Point]:
        return [Point(float("-inf"), Colour.RED)]

    @step
    def odd() -> dict:
        return {"when": date(2024, 5, 1), 7: {3, 1}, "raw": b"ab", "big": 2**70, "text": "\\x1b[31m\\ud800", "huge": 10**9000}

    @pipeline
    def shapes(scale: float = 1.5, sizes: tuple[int, ...] = (1, 2), colour: Colour = Colour.RED):
        one, two = pair(3)
        s = scores(one)
        return {"pair": [one, two], "auc": s.auc, "scores": s, "right": halves(one)["right"], "point": point(), "odd": odd(),
                "constant": float("nan")}
"""


@pytest.mark.parametrize("how", ["run", "cached"])
def test_plain_data(project, how):
    project.write(SHAPES)
    if how == "cached":
        project("run")
    run = project("run", "sizes=[4, 5]", "--json")
    assert run.json["params"] == {"scale": 1.5, "sizes": [4, 5], "colour": "r"}
    assert {name: list(step["outputs"]) for name, step in run.steps.items()} == {
        "pair": ["0", "1"], "scores": ["auc", "rows"], "halves": ["left", "right"], "point": ["result"], "odd": ["result"],
    }  # fmt: skip
    assert run.steps["pair"]["metrics"] == {"n": 3, "worst": "NaN"}
    assert run.json["metrics"] == {"n": 3, "worst": "NaN"}
    result = run.json["result"]
    huge = result["odd"].pop("huge")
    assert int(huge, 16) == 10**9000
    assert result == {
        "pair": [3, "two"], "auc": "Infinity", "scores": {"auc": "Infinity", "rows": 3}, "right": [2, 3],
        "point": [{"x": "-Infinity", "colour": "r"}],
        "odd": {"when": "2024-05-01", "7": [1, 3], "raw": "YWI=", "big": 2**70, "text": "\x1b[31m\ud800"},
        "constant": "NaN",
    }  # fmt: skip
    assert "\x1b" not in run.out
    (row, *_) = project("runs", "--json").json["runs"]
    assert row["metrics"] == {"n": 3, "worst": "NaN"}
    assert row["params"] == run.json["params"]
    assert project("show", "--json").json["params"] == run.json["params"]
    if how == "run":
        get = project("get", "last", "point", "--json").json
        assert get["value"] == [{"x": "-Infinity", "colour": "RED"}]
        assert project("get", "last", "scores.auc").out == '"Infinity"\n'
        told = project("get", "last", "scores", code=2).err
        assert "fix   name one: scores.auc" in told
        assert "huge" in project("get", "last", "odd").out


FAILING = """
    import helpers
    from stepwell import log, pipeline, step

    @step
    def good() -> int:
        return 1

    @step
    def bad(n: int) -> int:
        print("before")
        log.metric("seen", 4)
        table = {"species": n}
        return helpers.look(table)

    @step
    def after(n: int) -> int:
        return n

    @step
    def apart(n: int) -> int:
        return n + 10

    @pipeline
    def mixed():
        return after(bad(good())), apart(apart(apart(good())))
"""


def test_a_failed_step(project):
    project.write("def look(table):\n    return table['speceis']\n", "helpers.py")
    project.write(FAILING)
    run = project("run", "--json", "-j1", code=1)
    assert run.json["status"] == "failed"
    assert run.json["result"] is None
    error = run.steps["bad"]["error"]
    assert error["code"] == "E401"
    assert error["what"] == "step `bad` raised KeyError: 'speceis'"
    assert error["why"] == "helpers.py:2 in look: return table['speceis']"
    assert error["fixes"][0] == "did you mean 'species'? `table` has 'species'"
    assert error["docs"] == "docs/reference/errors.md#e401"
    assert error["traceback"].startswith("Traceback (most recent call last):")
    assert "pipeline.py" in error["traceback"]
    assert "/stepwell/" not in error["traceback"]
    assert run.steps["bad"]["metrics"] == {"seen": 4}
    assert (run.steps["after"]["status"], run.decisions["after"]) == ("blocked", "blocked")
    assert run.steps["after"]["reasons"][0]["text"] == "`bad` has no result"
    assert run.steps["good"]["status"] == "succeeded"

    going = project("run", "--json", "--keep-going", code=1)
    assert going.json["status"] == "failed"
    assert going.decisions["good"] == "cached"
    assert {going.steps[name]["status"] for name in ("apart", "apart[2]", "apart[3]")} <= {
        "succeeded",
        "cached",
    }
    assert going.steps["after"]["status"] == "blocked"

    text = project("run", code=1).out
    assert "✗ bad" in text
    assert "bad │ before" in text
    assert "error[E401] step `bad` raised KeyError: 'speceis'" in text
    assert "why   helpers.py:2 in look: return table['speceis']" in text
    assert "1 failed, 1 blocked" in text
    shown = project("show", "--json")
    assert shown.steps["bad"]["error"] == error
    assert shown.steps["after"]["status"] == "blocked"
    assert "error[E401]" in project("show").out
    assert project("get", "last", "bad", "--json", code=2).json["error"]["why"] == "it is failed there"
    assert project("why", "bad", "last", "--json").json["decision"] == "run"
    rows = project("runs", "--json").json["runs"]
    assert [row["status"] for row in rows] == ["failed"] * 3

    project.edit("speceis", "species", "helpers.py")
    run = project("run", "--json")
    assert run.json["result"] == [1, 31]
    assert {name for name, verb in run.decisions.items() if verb == "run"} == {"bad", "after"}


# ---------------------------------------------------------------------------- git


def git(project, *words):
    words = [
        "git",
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@localhost",
        "-c",
        "init.defaultBranch=main",
        *words,
    ]
    done = subprocess.run(
        words, cwd=project.root, env=project.env, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def newest(project):
    row = project("runs", "--json").json["runs"][0]
    return row["commit"], row["dirty"]


@pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")
def test_the_commit_of_a_run(hello):
    hello("run")
    assert newest(hello) == (None, False)
    git(hello, "init")
    hello("run")
    assert newest(hello)[0] is None  # no commit yet
    hello.write(".stepwell/\n__pycache__/\n", ".gitignore")
    git(hello, "add", ".")
    git(hello, "commit", "-m", "one")
    commit = git(hello, "rev-parse", "HEAD")
    hello("run")
    assert newest(hello) == (commit, False)
    hello.edit("count: int = 10", "count: int = 11")
    hello("run")
    assert newest(hello) == (commit, True)
    assert f"commit {commit[:12]} and other changes" in hello("show").out
    assert f"  {commit[:7]}+  " in hello("runs").out
    hello("run", env={"PATH": "/nowhere"})  # no git on this machine
    assert newest(hello) == (None, False)
