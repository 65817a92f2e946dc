"""Options that say when a result counts and how a step is run, through the real command and both engines."""

from __future__ import annotations

import json
import os
import time

import pytest
from cli_projects import wait_for

HEAD = """
    import json, os, time
    from pathlib import Path
    from stepwell import current_step, pipeline, source, step

    def times(name):
        \"\"\"How often this was called, in all runs.\"\"\"
        with open(Path(os.environ["NOTES"]) / name, "a+") as file:
            file.write("x")
            return file.tell()

"""


@pytest.fixture
def demo(project, tmp_path):
    """A project whose steps may leave notes outside of it, unseen; `demo.times(name)` reads them."""
    notes = tmp_path / "notes"
    notes.mkdir()
    project.env["NOTES"] = str(notes)
    project.put = lambda text: project.write(HEAD + text)
    project.times = lambda name: len((notes / name).read_text()) if (notes / name).exists() else 0
    return project


def reasons(result, step):
    return [reason["text"] for reason in result.steps[step]["reasons"]]


def kinds(result, step):
    return [reason["kind"] for reason in result.steps[step]["reasons"]]


ONE = """
    @step({options})
    def make(a: int = 1) -> int:
        return a + 1

    @step
    def use(a: int) -> int:
        return a * 10

    @pipeline
    def main(a: int = 1) -> int:
        return use(make(a))
"""


def one(options):
    return ONE.replace("{options}", options)


# ---------------------------------------------------------------------------- bad values


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("version=''", "version"),
        ("version=True", "version"),
        ("version=1.5", "version"),
        ("ignore=3", "ignore"),
        ("ignore=['a b']", "ignore"),
        ("ignore='b'", "its arguments are: a"),
        ("ignore=lambda: 1", "no name in a module"),
        ("environment='tight'", "environment"),
        ("environment=['loose']", "environment"),
        ("environment={}", "environment"),
        ("ttl='soon'", "ttl"),
        ("ttl=-1", "ttl"),
        ("ttl=float('nan')", "ttl"),
        ("ttl='1y'", "ttl"),
        ("ttl='²d'", "ttl"),
        ("ttl=True", "ttl"),
        ("cache=0", "cache"),
        ("done=True", "done"),
        ("done=lambda a: True", "no name in a module"),
        ("retries=-1", "retries"),
        ("retries=1.5", "retries"),
        ("retries=True", "retries"),
        ("retries=1000", "retries"),
        ("backoff='later'", "backoff"),
        ("backoff=float('inf')", "backoff"),
        ("timeout=-3", "timeout"),
        ("timeout='10 parsecs'", "timeout"),
        ("validate=3", "validate"),
        ("validate=['positive']", "validate"),
        ("validate=[lambda x: True]", "no name in a module"),
        ("ttI='1d'", "did you mean `ttl`"),
    ],
)
def test_bad_values_are_refused_at_the_line(project, options, said):
    project.write(HEAD + one(options))
    error = project("plan", "--json", code=3).json["error"]
    assert error["code"] == "E210"
    assert said in error["what"] + " ".join(error["fixes"])
    assert error["where"].startswith("pipeline.py:"), error
    line = int(error["where"].partition(":")[2])
    text = (project.root / "pipeline.py").read_text().splitlines()[line - 1]
    assert options in text or "make(a)" in text


# ---------------------------------------------------------------------------- version, ignore


def test_a_version_stands_for_the_code(demo):
    demo.put(one("version=1"))
    demo("run")
    demo.edit("return a + 1", "return a + 2")
    plan = demo("plan", "--json")
    assert plan.decisions == {"make": "cached", "use": "cached"}
    assert reasons(plan, "make") == ["up to date since run r1 (version 1 stands for its code)"]
    assert demo("run", "--json").json["result"] == 20
    demo.edit("version=1", 'version="2"')
    plan = demo("plan", "--json")
    assert plan.decisions == {"make": "run", "use": "maybe"}
    assert reasons(plan, "make") == ["version 1 → 2"]
    assert demo("why", "make", "--json").json["reasons"][0]["text"] == "version 1 → 2"
    assert demo("run", "--json").json["result"] == 30
    demo.edit('version="2"', "version=1")
    assert demo("plan", "--json").decisions["make"] == "cached"


def test_a_version_that_comes_or_goes(demo):
    demo.put(one(""))
    demo("run")
    demo.edit("@step()", "@step(version=1)")
    plan = demo("plan", "--json")
    assert plan.decisions["make"] == "run"
    assert "version" in " ".join(reasons(plan, "make")), reasons(plan, "make")
    demo("run")
    demo.edit("@step(version=1)", "@step()")
    assert demo("plan", "--json").decisions["make"] == "cached"  # with the result of r1
    demo.edit("return a + 1", "return a + 2")
    plan = demo("plan", "--json")
    assert plan.decisions["make"] == "run"


def test_a_version_does_not_hide_inputs(demo):
    demo.put(one("version=1"))
    demo("run")
    plan = demo("plan", "a=2", "--json")
    assert plan.decisions["make"] == "run"
    assert kinds(plan, "make") == ["param"]


def test_ignored_arguments_do_not_count(demo):
    demo.put("""
    @step(ignore=["loud", "rest"])
    def make(a: int, loud: bool, rest: int) -> int:
        print("loud" if loud else "quiet")
        return a

    @step
    def noise(a: int) -> int:
        return a

    @pipeline
    def main(a: int = 1, loud: bool = False, n: int = 1) -> int:
        return make(a, loud, noise(n))
    """)
    demo("run")
    assert demo("plan", "loud=yes", "--json").decisions["make"] == "cached"
    assert demo("plan", "a=2", "--json").decisions["make"] == "run"
    other = demo("run", "n=2", "--json")
    assert other.decisions == {"noise": "run", "make": "cached"}


def test_a_misspelt_argument_to_ignore_is_told(demo):
    demo.put(one("ignore='aa'"))
    assert "did you mean `a`?" in demo.refused("plan", code=3)["fixes"]


def test_ignored_helpers_do_not_count(demo):
    demo.write("def draw(a):\n    return 'o' * a\n\ndef more(a):\n    return a + 1\n", "helpers.py")
    demo.put("""
    import helpers

    @step(ignore=helpers.draw)
    def make(a: int) -> int:
        print(helpers.draw(a))
        return helpers.more(a)

    @pipeline
    def main(a: int = 1) -> int:
        return make(a)
    """)
    demo("run")
    demo.edit("'o' * a", "'*' * a", "helpers.py")
    plan = demo("plan", "--json")
    assert plan.decisions["make"] == "cached"
    assert any("draw" in note for note in plan.json["notes"])
    demo.edit("a + 1", "a + 2", "helpers.py")
    assert demo("plan", "--json").decisions["make"] == "run"


def test_a_step_has_a_level_of_environment_of_its_own(demo):
    demo.put(
        """
    import yaml

    @step(environment="strict")
    def strictly(a: int) -> str:
        return str(a)

    @step(environment="loose")
    def loosely(a: int) -> str:
        return yaml.safe_dump(a)

    @step
    def usually(a: int) -> str:
        return yaml.safe_dump(a)

    @pipeline
    def main(a: int = 1):
        return [strictly(a), loosely(a), usually(a)]
    """.replace("yaml.safe_dump", "json.dumps").replace("import yaml", "import json")
    )
    first = demo("plan", "--json")
    assert set(first.decisions.values()) == {"run"}
    demo("run")
    (demo.root / "pyproject.toml").write_text('[tool.stepwell]\nenvironment = "loose"\n')
    plan = demo("plan", "--json")
    assert plan.decisions["strictly"] == plan.decisions["loosely"] == "cached"


# ---------------------------------------------------------------------------- ttl, cache


@pytest.mark.parametrize("ttl", ["'0.4s'", "0.4", "timedelta(seconds=0.4)"])
def test_a_result_expires(demo, ttl):
    demo.put("    from datetime import timedelta\n" + one(f"ttl={ttl}"))
    demo("run")
    time.sleep(0.45)
    plan = demo("plan", "--json")
    assert plan.decisions == {"make": "run", "use": "maybe"}
    assert kinds(plan, "make") == ["expired"]
    assert "0.4" in reasons(plan, "make")[0]
    ran = demo("run", "--json")
    assert ran.decisions == {"make": "run", "use": "cached"}


@pytest.mark.parametrize("ttl", ["'90 s'", "'10min'", "'1.5h'", "'7D'", "'2w'", "'3600'", "1000", "0"])
def test_a_result_that_is_young_enough_counts(demo, ttl):
    demo.put(one(f"ttl={ttl}"))
    demo("run")
    assert demo("plan", "--json").decisions == {"make": "cached", "use": "cached"}


def test_a_shorter_ttl_counts_for_results_that_are_there(demo):
    demo.put(one("ttl='1h'"))
    demo("run")
    demo.edit("ttl='1h'", "ttl=0.01")
    assert demo("plan", "--json").decisions["make"] == "run"


def test_without_cache_every_call_runs_every_time(demo):
    demo.put("""
    @step(cache=False)
    def tick() -> int:
        return times("tick")

    @step
    def use(a: int) -> int:
        return a * 10

    @pipeline
    def main():
        return [use(tick()), use(tick())]
    """)
    assert demo("run", "-j1", "--json").json["result"] == [10, 20]
    plan = demo("plan", "--json")
    assert [plan.decisions[name] for name in ("tick", "tick[2]")] == ["run", "run"]
    assert kinds(plan, "tick") == ["uncached"]
    assert plan.decisions["use"] == "maybe"
    assert demo("run", "-j1", "--json").json["result"] == [30, 40]
    demo.edit('return times("tick")', "return 30 if times('tick') else 0")
    assert demo("run", "--json").json["result"] == [300, 300]
    last = demo("run", "--json")
    assert last.decisions == {"tick": "run", "tick[2]": "run", "use": "cached", "use[2]": "cached"}
    assert demo.times("tick") == 8


# ---------------------------------------------------------------------------- done


DONE = """
    def ready(a, missing=None):
        return (Path(os.environ["NOTES"]) / "flag").exists()

    @step(done=ready)
    def load(a: int) -> int:
        times("load")
        (Path(os.environ["NOTES"]) / "flag").write_text("y")
        return a

    @step
    def use(a: int) -> int:
        return a * 10

    @pipeline
    def main(a: int = 1) -> int:
        return use(load(a))
"""


def test_an_own_test_that_holds_counts_whatever_changed(demo, tmp_path):
    demo.put(DONE)
    demo("run")
    demo.edit("    return a\n", "    return a + 1\n")
    plan = demo("plan", "--json")
    assert plan.decisions == {"load": "cached", "use": "cached"}
    assert kinds(plan, "load") == ["done"]
    assert "its own test (`done=`)" in demo("plan").out
    assert demo("run", "--json").json["result"] == 10
    (tmp_path / "notes" / "flag").unlink()
    plan = demo("plan", "--json")
    assert plan.decisions == {"load": "run", "use": "maybe"}
    assert kinds(plan, "load")
    assert demo("run", "--json").json["result"] == 20
    (tmp_path / "notes" / "flag").unlink()
    plan = demo("plan", "--json")
    assert kinds(plan, "load") == ["done"]
    assert plan.decisions == {"load": "run", "use": "maybe"}


def test_an_own_test_must_hold_after_the_run(demo):
    demo.put(DONE.replace('"flag").write_text', '"other").write_text'))
    for _ in range(2):
        run = demo("run", "--json", code=1)
        assert run.steps["load"]["error"]["code"] == "E415"
        assert "`ready`" in run.steps["load"]["error"]["what"]
        assert run.steps["use"]["status"] == "blocked"
    assert demo.times("load") == 2


def test_an_own_test_that_raises(demo):
    demo.put(DONE.replace("return (Path", "raise OSError('no such table')\n        return (Path"))
    run = demo("run", "--json", code=1)
    error = run.steps["load"]["error"]
    assert (error["code"], error["why"]) == ("E415", "OSError: no such table")
    assert "in ready" in error["traceback"]


def test_an_own_test_gets_inputs_by_name(demo):
    demo.put("""
    def ready(*, b, rows):
        assert rows == [1, 2], rows
        return (Path(os.environ["NOTES"]) / f"flag{b}").exists()

    @step
    def read() -> list[int]:
        return [1, 2]

    @step(done=ready)
    def load(rows: list[int], a: int, b: int) -> int:
        times(f"flag{b}")
        rows.append(3)
        return a + b

    @pipeline
    def main(a: int = 1, b: int = 1) -> int:
        return load(read(), a, b)
    """)
    demo("run")
    assert demo("plan", "--json").decisions["load"] == "cached"
    assert demo("plan", "a=5", "--json").decisions["load"] == "cached"
    assert demo("run", "b=5", "--json").json["result"] == 6
    assert demo.times("flag5") == 1


def test_an_own_test_behind_a_step_that_runs(demo):
    """Before the run nobody can ask it; in the run it is asked with what the step before gave."""
    demo.put("""
    def ready(rows):
        return rows and (Path(os.environ["NOTES"]) / "flag").exists()

    @step
    def read(a: int) -> list[int]:
        return [1, 2 * a]

    @step(done=ready)
    def load(rows: list[int]) -> int:
        times("flag")
        return sum(rows)

    @pipeline
    def main(a: int = 1) -> int:
        return load(read(a))
    """)
    assert demo("run", "--json").json["result"] == 3
    plan = demo("plan", "a=2", "--json")
    assert plan.decisions["read"] == "run"
    run = demo("run", "a=2", "--json")
    assert run.decisions == {"read": "run", "load": "cached"}
    assert run.json["result"] == 3


# ---------------------------------------------------------------------------- validate


def judged(judges, options="validate=[fine]", body="return a + 1"):
    return f"""
{judges}

    @step({options})
    def make(a: int) -> int:
        times("make")
        {body}

    @step
    def use(a: int) -> int:
        return a * 10

    @pipeline
    def main(a: int = 1) -> int:
        return use(make(a))
    """


REFUSALS = {
    "    def fine(x): return False": "`fine` returned False",
    "    def fine(x): assert x > 100, f'{x} is too small'": "AssertionError: 2 is too small",
    "    def fine(x): raise KeyError(x)": "KeyError: 2",
    "    def fine(x): return fine.missing": "AttributeError",
    "    def fine(): return True": "TypeError",
}


@pytest.mark.parametrize("engine", [[], ["--in-process"]], ids=["local", "in-process"])
@pytest.mark.parametrize("judge", REFUSALS, ids=range(len(REFUSALS)))
def test_what_a_judge_refuses_is_kept_for_a_look(demo, judge, engine):
    demo.put(judged(judge))
    run = demo("run", "--json", *engine, code=1)
    error = run.steps["make"]["error"]
    assert error["code"] == "E414"
    assert REFUSALS[judge] in error["why"]
    assert run.steps["use"]["status"] == "blocked"
    assert demo("get", "last", "make").out == "2\n"
    assert demo("show", "--json").json["steps"][0]["outputs"]["result"].startswith("b3:")
    demo("run", *engine, code=1)
    assert demo.times("make") == 2  # what was refused is no result


@pytest.mark.parametrize("verdict", ["True", "None", "0", "''", "[]"])
def test_a_judge_that_does_not_refuse(demo, verdict):
    demo.put(judged(f"    def fine(x): return {verdict}"))
    assert demo("run", "--json").json["result"] == 20


def test_an_edited_judge_judges_again(demo):
    demo.put(judged("    LEAST = 0\n    def fine(x): return x > LEAST"))
    demo("run")
    assert demo("plan", "--json").decisions["make"] == "cached"
    demo.edit("LEAST = 0", "LEAST = 5")
    plan = demo("plan", "--json")
    assert plan.decisions["make"] == "run"
    assert kinds(plan, "make") == ["code"]
    demo("run", code=1)
    demo.edit("LEAST = 5", "LEAST = 0")
    assert demo("plan", "--json").decisions["make"] == "cached"


def test_a_version_does_not_hide_the_judges(demo):
    demo.put(judged("    def fine(x): return x > 0", "version=1, validate=fine"))
    demo("run")
    demo.edit("x > 0", "x > 5")
    demo("run", code=1)


def test_the_first_of_several_judges_that_refuses_is_told(demo):
    judges = "    def one(x): return True\n    def two(x): return False\n    def three(x): return False"
    demo.put(judged(judges, "validate=[one, two, three]"))
    assert "`two`" in demo("run", "--json", code=1).steps["make"]["error"]["what"]


def test_a_judge_cannot_change_what_is_kept(demo):
    demo.put("""
    def spoil(rows): rows.append(99)

    @step(validate=[spoil])
    def make() -> list[int]:
        return [1]

    @pipeline
    def main():
        return make()
    """)
    assert demo("run", "--json").json["result"] == [1]


def test_judges_of_async_steps_and_of_several_outputs(demo):
    demo.put("""
    from typing import NamedTuple

    class Halves(NamedTuple):
        left: list[int]
        right: list[int]

    def balanced(halves):
        assert len(halves.left) == len(halves.right), "unbalanced"

    def whole(pair):
        assert sum(pair) == 3

    @step(validate=balanced)
    async def split(a: int) -> Halves:
        return Halves([a], [a] * a)

    @step(validate=[whole])
    def pair() -> tuple[int, int]:
        return 1, 2

    @pipeline
    def main(a: int = 1):
        halves = split(a)
        return [halves.left, pair()[0]]
    """)
    assert demo("run", "--json").json["result"] == [[1], 1]
    run = demo("run", "a=2", "--json", code=1)
    assert run.steps["split"]["error"]["why"].startswith("AssertionError: unbalanced")
    assert demo("get", "last", "split.left").out


# ---------------------------------------------------------------------------- attempts


FLAKY = """
    @step(retries=2, backoff=0.01)
    def flaky(luck: int = 3) -> list[str]:
        now = current_step()
        n = times("flaky")
        with open(Path(os.environ["NOTES"]) / "keys", "a") as file:
            file.write(f"{now.id} {now.key} {now.run} {now.attempt}\\n")
        if n < luck:
            raise ConnectionError(f"no luck {n}")
        return [now.key]

    @step
    def use(keys: list[str]) -> int:
        return len(keys)

    @step
    def other() -> int:
        return 1

    @pipeline
    def main(luck: int = 3):
        return [use(flaky(luck)), other()]
"""


@pytest.mark.parametrize("engine", [[], ["--in-process"]], ids=["local", "in-process"])
def test_a_failure_is_tried_again_and_told(demo, engine, tmp_path):
    demo.put(FLAKY)
    run = demo("run", *engine)
    told = [line for line in run.out.splitlines() if "attempt" in line]
    assert len(told) == 2
    assert (
        "flaky: attempt 1 failed: step `flaky` raised ConnectionError: no luck 1; again in 0.01 s" in told[0]
    )
    assert "attempt 2 failed" in told[1]
    assert "again in 0.02 s" in told[1]
    shown = demo("show", "--json").steps["flaky"]
    assert [note.partition(":")[0] for note in shown["notes"]] == ["attempt 1 failed", "attempt 2 failed"]
    keys = [line.split() for line in (tmp_path / "notes" / "keys").read_text().splitlines()]
    assert [(name, run, attempt) for name, _, run, attempt in keys] == [
        ("flaky", "r1", "1"), ("flaky", "r1", "2"), ("flaky", "r1", "3"),
    ]  # fmt: skip
    assert len({key for _, key, _, _ in keys}) == 1
    assert json.loads(demo("get", "last", "flaky").out) == [keys[0][1]]


def test_the_last_attempt_decides(demo):
    demo.put(FLAKY)
    run = demo("run", "luck=9", "-k", "--json", code=1)
    assert run.steps["flaky"]["attempts"] == 3
    assert run.steps["other"]["attempts"] == 1
    assert run.steps["use"]["status"] == "blocked"
    assert "attempts" not in run.steps["use"]
    assert "no luck 3" in run.steps["flaky"]["error"]["what"]
    shown = demo("show", "--json").steps["flaky"]
    assert len(shown["notes"]) == 2, shown


def test_the_key_is_the_same_in_every_run_until_something_changes(demo, tmp_path):
    demo.put(FLAKY)
    demo("run", "luck=99", code=1)
    demo("run", "luck=99", code=1)
    demo.edit("no luck", "no such luck")
    demo("run", "luck=99", code=1)
    keys = [line.split()[1] for line in (tmp_path / "notes" / "keys").read_text().splitlines()]
    assert len(set(keys[:6])) == 1
    assert len(set(keys)) == 2


def test_metrics_of_a_failed_attempt_do_not_count(demo):
    demo.put("""
    from stepwell import log

    @step(retries=1, backoff=0)
    def flaky() -> int:
        n = times("flaky")
        if n == 1:
            log.metric("bad", 1)
            raise OSError
        return n

    @pipeline
    def main():
        return flaky()
    """)
    run = demo("run", "--json")
    assert run.json["metrics"] == {}
    assert run.steps["flaky"]["attempts"] == 2


def test_outside_of_steps_there_is_no_current_step(demo):
    demo.put("""
    AT_IMPORT = current_step()

    @step
    def make() -> list[str]:
        return [AT_IMPORT.key, current_step().id]

    @pipeline
    def main():
        return [make()]
    """)
    assert demo("run", "--json").json["result"][0] == ["", "make"]


# ---------------------------------------------------------------------------- timeout


SLOW = """
    import subprocess, sys

    @step(timeout=0.4)
    def slow(a: int) -> int:
        %s
        return a

    @step
    def other(a: int) -> int:
        return a + 1

    @pipeline
    def main():
        return [slow(1), *[other(n) for n in range(20)]]
"""

BODIES = {
    "asleep": "time.sleep(60)",
    "busy": "while True: pass",
    "stubborn": """for _ in range(20):
            try:
                time.sleep(0.1)
            except BaseException:
                pass""",
}


@pytest.mark.parametrize(
    "engine", [["-j", "1"], ["-j", "2"], ["--in-process"]], ids=["one", "two", "in-process"]
)
@pytest.mark.parametrize("body", BODIES)
def test_a_step_that_takes_too_long_is_stopped(demo, body, engine):
    demo.put(SLOW % BODIES[body])
    began = time.monotonic()
    run = demo("run", "-k", "--json", *engine, code=1)
    assert time.monotonic() - began < 20
    error = run.steps["slow"]["error"]
    assert error["code"] == "E413"
    assert "its timeout is 0.4 s" in error["what"]
    others = [step["status"] for name, step in run.steps.items() if name != "slow"]
    assert others == ["succeeded"] * 20


@pytest.mark.parametrize("how", ["", ", start_new_session=True"])
def test_the_children_of_a_step_are_stopped_with_it(demo, how, tmp_path):
    """The run goes on for long after it: they must not wait for its end."""
    demo.put(f"""
    import subprocess

    @step(timeout=0.4)
    def slow() -> int:
        child = subprocess.Popen(["sleep", "60"]{how})
        (Path(os.environ["NOTES"]) / "child").write_text(str(child.pid))
        child.wait()
        return 1

    @step
    def patient() -> bool:
        notes = Path(os.environ["NOTES"])
        for _ in range(200):
            if (notes / "child").exists() and not Path("/proc", (notes / "child").read_text()).exists():
                return True
            time.sleep(0.02)
        return False

    @pipeline
    def main():
        return [slow(), patient()]
    """)
    demo("run", "-k", "-j", "2", code=1)
    assert demo("get", "last", "patient").out == "true\n"


def test_a_timeout_is_tried_again(demo):
    demo.put(
        """
    @step(timeout="300 s", retries=2, backoff=0)
    def slow() -> int:
        n = times("slow")
        if n < 3:
            time.sleep(60)
        return n

    @pipeline
    def main():
        return slow()
    """.replace('"300 s"', "0.3")
    )
    for engine in ([], ["--in-process"]):
        run = demo("run", "--force", "slow", "--json", *engine)
        assert run.json["result"] >= 3
    assert (
        demo("show", "r1", "--json")
        .steps["slow"]["notes"][0]
        .startswith("attempt 1 failed: step `slow` was stopped")
    )


def test_a_timeout_that_is_longer_does_nothing(demo):
    demo.put((SLOW % "time.sleep(0.05)").replace("timeout=0.4", "timeout='1 min'"))
    assert demo("run", "--json").json["result"] == [1, *range(1, 21)]
    assert demo("run", "--json", "--in-process").json["result"] == [1, *range(1, 21)]


def test_a_timeout_counts_from_where_the_step_begins(demo):
    """Not from where it was queued behind others."""
    demo.put("""
    @step(timeout=1)
    def slow(a: int) -> int:
        time.sleep(0.4)
        return a

    @pipeline
    def main():
        return [slow(n) for n in range(4)]
    """)
    assert demo("run", "-j", "1", "--json").json["result"] == [0, 1, 2, 3]


def test_a_run_that_waits_for_the_next_attempt_can_be_stopped(demo):
    demo.put(FLAKY.replace("backoff=0.01", "backoff='1h'"))
    process = demo.start("run")
    wait_for(lambda: demo.times("flaky") == 1)
    time.sleep(0.3)
    process.send_signal(2)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130, (out, err)
    assert demo.times("flaky") == 1
    assert os.path.exists(demo.root / ".stepwell")
