"""Control flow on values that exist only while a pipeline runs, with the real command."""

from __future__ import annotations

import pytest

MAPPED = """
    from pathlib import Path
    import numpy as np
    from stepwell import FailedStep, pipeline, source, step, when

    files = source("data/*.txt")

    @step
    def slices(n: int) -> list[str]:
        return [f"s{i}" for i in range(n)]

    @step
    def evaluate(name: str, scale: int = 1) -> int:
        if name == "s13":
            raise ValueError("unlucky")
        return int(name[1:]) * scale

    @step
    def total(scores: list[int]) -> int:
        return sum(scores)

    @step
    def words(file: Path) -> int:
        return len(file.read_text().split())

    @step
    def arrays(n: int, last: int = 0) -> list[np.ndarray]:
        return [np.full(3, i) for i in range(n)] + [np.full(3, last)]

    @step
    def area(one: np.ndarray) -> int:
        return int(one.sum())

    @pipeline
    def main(n: int = 3) -> int:
        return total(evaluate.map(slices(n), scale=2))

    @pipeline
    def counted() -> int:
        return total(words.map(files()))

    @pipeline
    def arrayed(n: int = 2, last: int = 0) -> int:
        return total(area.map(arrays(n, last)))

    @pipeline
    def written() -> int:
        return total(evaluate.map(["s1", "s2"]))

    @pipeline
    def grid(n: int = 2) -> int:
        return total(evaluate.product(name=slices(n), scale=[1, 10])())

    @pipeline
    def lenient(n: int = 20, share: float = 0.9) -> int:
        return total(evaluate.options(share=share).map(slices(n)))
"""


def test_a_map_over_what_a_step_gives(project):
    project.write(MAPPED)
    first = project("run", "main", "--json").json
    assert first["result"] == 6
    assert [step["id"] for step in first["steps"]] == [
        "slices",
        "evaluate",
        "evaluate[2]",
        "evaluate[3]",
        "total",
    ]
    planned = project("plan", "main", "--json").json
    assert planned["counts"]["cached"] == 5
    assert planned["counts"]["run"] == 0
    more = project("run", "main", "n=4", "--json")
    assert more.json["result"] == 12
    assert [name for name, step in more.steps.items() if step["decision"] == "run"] == [
        "slices",
        "evaluate[4]",
        "total",
    ]
    open_plan = project("plan", "main", "n=5", "--json")
    assert open_plan.decisions == {"slices": "run", "evaluate.map": "dynamic", "total": "maybe"}
    assert "last time it became 4 × evaluate" in open_plan.steps["evaluate.map"]["reasons"][0]["text"]
    shown = project("show", "last", "--json").json
    assert [step["id"] for step in shown["steps"] if step["step"] == "evaluate"] == [
        "evaluate", "evaluate[2]", "evaluate[3]", "evaluate[4]",
    ]  # fmt: skip


def test_a_map_over_the_files_of_a_source_runs_for_the_file_that_changed(project):
    project.write(MAPPED)
    for name in ("a", "b", "c"):
        project.write("one two", f"data/{name}.txt")
    assert project("run", "counted", "--json").json["result"] == 6
    project.write("one two three", "data/b.txt")
    again = project("run", "counted", "--json")
    assert again.json["result"] == 7
    assert list(again.decisions.values()) == ["cached", "run", "cached", "run"]
    project.write("four", "data/d.txt")
    assert project("run", "counted", "--json").json["counts"] == {"run": 2, "cached": 3}


def test_items_that_are_no_plain_data_are_known_by_their_content(project):
    project.write(MAPPED)
    assert project("run", "arrayed", "--json").json["result"] == 3
    again = project("run", "arrayed", "last=5", "--json")
    assert again.json["result"] == 18
    assert again.decisions == {
        "arrays": "run",
        "area": "cached",
        "area[2]": "cached",
        "area[3]": "run",
        "total": "run",
    }


def test_lists_that_are_written_down_are_not_dynamic(project):
    project.write(MAPPED)
    plan = project("plan", "written", "--json")
    assert plan.decisions == {"evaluate": "run", "evaluate[2]": "run", "total": "run"}
    assert project("run", "grid", "--json").json["result"] == 11


def test_a_share_of_a_map_must_succeed(project):
    project.write(MAPPED)
    done = project("run", "lenient", "--json")
    assert done.json["status"] == "succeeded"
    assert done.json["result"] == sum(range(20)) - 13
    assert done.steps["evaluate[14]"]["status"] == "failed"
    assert project("run", "lenient", "share=0.99", "--json", code=1).json["status"] == "failed"


ROUNDS = """
    from stepwell import pipeline, step, when

    @step
    def start() -> float:
        return 0.1

    @step
    def improve(x: float) -> float:
        return x + 0.3

    @step
    def good(x: float) -> bool:
        return x > 0.8

    @step
    def ship(x: float) -> str:
        return f"shipped {x:.1f}"

    @step
    def complain(x: float) -> str:
        return f"only {x:.1f}"

    @pipeline(dynamic=True)
    def until_good(x: float, rounds: int) -> float:
        while x <= 0.8 and rounds:
            return until_good(improve(x), rounds - 1)
        return x

    @pipeline
    def main(rounds: int = 5) -> str:
        x = until_good(start(), rounds)
        return when(good(x), lambda: ship(x), lambda: complain(x))
"""


def test_rounds_until_it_is_good_and_a_branch(project):
    project.write(ROUNDS)
    done = project("run", "--json")
    assert done.json["result"] == "shipped 1.0"
    assert [name for name in done.steps if "improve" in name] == [
        "until_good/improve", "until_good[2]/improve", "until_good[3]/improve",
    ]  # fmt: skip
    assert "complain" not in done.steps
    short = project("run", "rounds=1", "--json")
    assert short.json["result"] == "only 0.4"
    assert short.decisions["until_good/improve"] == "cached"
    assert project("plan", "rounds=1", "--json").json["counts"]["run"] == 0


def test_a_plan_resolves_what_is_cached_and_says_what_waits(project):
    project.write(ROUNDS)
    text = project("plan").out
    assert "known when `until_good` is" not in text
    assert "known when `start` is" in text
    assert "when" in text
    assert "dynamic" in text


BROKEN = """
    import pandas as pd
    from stepwell import pipeline, step, when

    @step
    def flag() -> bool:
        return True

    @step
    def one(x: int = 1) -> int:
        return x

    @step
    def text() -> str:
        return ""

    @step
    def list_of() -> list[int]:
        return [1]

    @step
    def table() -> pd.DataFrame:
        return pd.DataFrame()
{body}
"""


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        (
            """
    @pipeline
    def main() -> int:
        kept = []
        when(flag(), lambda: kept.append(one()) or one(), lambda: one(2))
        return one(kept[0])
""",
            "E260",
            "may not be taken",
        ),
        (
            "\n    @pipeline\n    def main():\n        return when(text(), one, one)\n",
            "E204",
            "True or False",
        ),
        (
            "\n    @pipeline\n    def main():\n        return when(flag(), one(), one())\n",
            "E262",
            "no function",
        ),
        ("\n    @pipeline\n    def main():\n        return one.map(text())\n", "E262", "no list"),
        ("\n    @pipeline\n    def main():\n        return one.map('abc')\n", "E262", "a text"),
        (
            "\n    @pipeline\n    def main():\n        return one.map(list_of)\n",
            "E204",
            "call it: list_of(...)",
        ),
        (
            """
    from stepwell import source
    files = source("*.txt")

    @pipeline
    def main():
        return one.map(files)
""",
            "E204",
            "call it: files()",
        ),
        (
            "\n    @pipeline\n    def main():\n        return one.map(list_of(), z=1)\n",
            "E204",
            "no parameter `z`",
        ),
        (
            "\n    @pipeline\n    def main():\n        return one.product(x=list_of(), z=[1])()\n",
            "E204",
            "no parameter `z`",
        ),
        ("\n    @pipeline\n    def main():\n        return one.map(table())\n", "E262", "no list"),
        ("\n    @pipeline\n    def main():\n        return [one(x) for x in text()]\n", "E206", "step.map"),
        (
            "\n    @pipeline\n    def main():\n        return when(flag(), lambda: one(y=1), one)\n",
            "E204",
            "no parameter `y`",
        ),
    ],
)
def test_mistakes_are_told_when_it_is_planned(project, body, code, says):
    project.write(BROKEN.replace("{body}", body))
    error = project.refused("plan", code=3)
    assert error["code"] == code
    assert says in f"{error['what']} {error['why']} {error['fixes']}"
    assert error["where"].startswith("pipeline.py:")


def test_a_dynamic_pipeline_that_never_ends_is_stopped(project):
    project.write(
        """
        from stepwell import pipeline, step

        @step
        def more(x: int) -> int:
            return x

        @pipeline(dynamic=True)
        def forever(x: int) -> int:
            return forever(more(x))

        @pipeline
        def main() -> int:
            return forever(more(1))
        """
    )
    done = project("run", "--json", code=1)
    failed = [step for step in done.json["steps"] if step["status"] == "failed"]
    assert failed[0]["error"]["code"] == "E261"


ENDINGS = """
    from pathlib import Path
    from stepwell import FailedStep, pipeline, step

    @step
    def load(ok: bool) -> int:
        if not ok:
            raise KeyError("no data")
        return 1

    @step
    def use(x: int) -> int:
        return x

    @step(optional=True)
    def thumbnail(ok: bool) -> str:
        if not ok:
            raise RuntimeError("no screen")
        return "picture"

    @step
    def page(x: int, picture: str | None) -> str:
        return f"{x} {picture}"

    @step(always=True)
    def clean(failed: list[FailedStep], last: int | None) -> str:
        return ", ".join(one.id for one in failed) + f" {last}"

    @pipeline
    def main(ok: bool = True, picture: bool = True) -> str:
        used = use(load(ok))
        clean(last=used)
        return page(used, thumbnail(picture))
"""


def test_optional_steps_and_steps_that_always_run(project):
    project.write(ENDINGS)
    good = project("run", "--json")
    assert good.json["result"] == "1 picture"
    assert list(good.steps)[-1] == "clean"
    assert good.steps["clean"]["status"] == "succeeded"
    without = project("run", "picture=false", "--json")
    assert without.json["status"] == "succeeded"
    assert without.json["result"] == "1 None"
    broken = project("run", "ok=false", "--json", code=1)
    assert broken.json["status"] == "failed"
    assert broken.steps["clean"]["status"] == "succeeded"
    assert project("get", "last", "clean", "--json").json["value"] == "load None"
    assert broken.steps["use"]["status"] == "blocked"


LATER = """
    from pathlib import Path
    from stepwell import pipeline, source, step, when

    @step
    def many(n: int) -> bool:
        return n > 9

    @step
    def words(file: Path) -> int:
        return len(file.read_text().split())

    @step
    def total(counts: list[int]) -> int:
        return sum(counts)

    @step
    def large(n: int) -> int:
        return n

    @pipeline
    def main(n: int = 1) -> int:
        return when(many(n), lambda: large(n), lambda: total(words.map(source("data/*.txt")())))
"""


def test_a_source_that_is_known_before_the_growth_that_reads_it_is_told(project):
    for name in "abc":
        project.write(f"{name} b c", f"data/{name}.txt")
    project.write(LATER)
    assert project("run", "--json").json["result"] == 9
    assert project("runs", "--json").json["runs"][0]["status"] == "succeeded"
    assert [run["result"] for run in project("run", "--sweep", "n=2,3", "--json").json["runs"]] == [9, 9]
    assert project("run", "--force", "*", "--json").json["result"] == 9
    project.write("one", "data/a.txt")
    assert "a.txt" in project("plan").out + project("plan").err, "what each file was is remembered"
    assert project("run", "--json").json["result"] == 7


@pytest.mark.parametrize("sweep", [(), ("--sweep", "n=1,2")])
def test_a_step_that_nothing_calls_yet_is_not_proposed_in_place_of_itself(project, sweep):
    project.write("a b c", "data/a.txt")
    project.write(LATER)
    for name in ("words", "step:words"):
        error = project.refused("plan", *sweep, "--only", name, code=2)
        assert error["what"] == "the step `words` is called by nothing in `main` yet"
        assert error["fixes"] == [
            "there are: many, when",
            "what `when` will become can be named when its inputs are up to date: stepwell plan",
        ]
    assert "is no step of `main`" in project.refused("plan", *sweep, "--only", "wrods", code=2)["what"]
    project("run", *sweep)
    assert "words" in project("plan", *sweep, "--only", "words").out
    error = project.refused("plan", *sweep, "--only", "large", code=2)
    assert error["what"] == "the step `large` is called by nothing in `main`"
    assert error["fixes"][0].startswith("there are: many, words, total")


ORDER = """
    import os
    import time
    from stepwell import FailedStep, Secret, pipeline, step, when

    @step
    def numbers(n: int) -> list[int]:
        return list(range(n))

    @step
    def more(x: int) -> int:
        return x + 1

    @step
    def total(xs: list[int]) -> int:
        return sum(x * 10**i for i, x in enumerate(xs))

    @step
    def yes(x: int) -> bool:
        return x > 0

    @step(always=True)
    def clean(failed: list[FailedStep]) -> int:
        return len(failed)

    @pipeline
    def first() -> int:
        clean()
        return total(more.map(numbers(2)))

    @pipeline
    def looped() -> int:
        return total([when(yes(i), lambda: more(i), lambda: more(0)) for i in (1, 2, 3)])

    @pipeline(dynamic=True)
    def inner(xs: list[int]) -> int:
        return total([more(x) for x in xs])

    @pipeline
    def selected() -> int:
        return more.named("last")(inner(numbers(3)))

    @pipeline(dynamic=True)
    def sleeps(x: int) -> int:
        print("body begins", flush=True)
        time.sleep(600)
        return x

    @pipeline
    def endless() -> int:
        return sleeps(more(1))

    @pipeline(dynamic=True)
    def tells(x: int, token: Secret) -> int:
        raise ValueError(os.environ["CANARY"])

    @pipeline
    def leaky(token: Secret = Secret("CANARY")) -> int:
        return tells(more(1), token)

    @step
    def fetch(x: int, token: Secret) -> int:
        return x

    @pipeline(dynamic=True)
    def each(xs: list[int], token: Secret) -> int:
        return total([fetch(x, token) for x in xs])

    @pipeline
    def fetched(n: int = 2, token: Secret = Secret("CANARY")) -> int:
        return each(numbers(n), token)
"""


def test_an_always_step_may_be_called_first(project):
    project.write(ORDER)
    done = project("run", "first", "--json")
    assert done.json["result"] == 21
    assert done.steps["clean"]["status"] == "succeeded"
    assert project("run", "first", "--json").json["counts"]["run"] == 1


def test_branches_in_a_loop_see_the_variables_of_their_round(project):
    project.write(ORDER)
    assert project("run", "looped", "--json").json["result"] == 432


def test_steps_of_dynamic_calls_can_be_selected_when_they_are_known(project):
    project.write(ORDER)
    project("run", "selected")
    alone = project("run", "selected", "--only", "last", "--force", "last", "--json")
    assert alone.decisions["last"] == "run"
    assert alone.json["counts"]["run"] == 1
    forced = project("run", "selected", "--force", "inner", "--json")
    assert [name for name, verb in forced.decisions.items() if verb == "run"] == [
        "inner/more", "inner/more[2]", "inner/more[3]", "inner/total",
    ]  # fmt: skip


def test_a_body_that_does_not_end_can_be_stopped(project):
    project.write(ORDER)
    process = project.start("run", "endless")
    assert process.stdout is not None
    assert any(b"body begins" in line for line in process.stdout)
    process.terminate()
    assert process.wait(timeout=10) == 130


def test_what_a_body_raises_tells_no_secret(project):
    project.write(ORDER)
    done = project("run", "leaky", code=1, env={"CANARY": "canary-4711"})
    assert "***" in done.out
    assert "canary-4711" not in done.out + done.err
    for file in (project.root / ".stepwell").rglob("*"):
        assert not file.is_file() or b"canary-4711" not in file.read_bytes()


def test_a_body_that_takes_a_secret_needs_it_only_where_a_step_runs(project):
    project.write(ORDER)
    project("run", "fetched", env={"CANARY": "canary-4711"})
    assert project("run", "fetched", "--json").json["counts"] == {"run": 0, "cached": 4}
    assert project("plan", "fetched", "--sweep", "n=2", "--json").json["counts"] == {"run": 0, "cached": 4}
    assert project.refused("plan", "fetched", "--force", "fetch", code=3)["code"] == "E363"


def test_what_was_left_as_it_is_stays_told_so(project):
    project.write(ORDER)
    project("run", "selected")
    project.edit("return x + 1", "return x + 2")
    project("run", "selected", "--only", "last")
    shown = {step["id"]: step for step in project("show", "last", "--json").json["steps"]}
    assert "left as it is since run r1" in shown["inner/more"]["reasons"][0]["text"]
    assert shown["inner/more"]["status"] == "cached"


def test_steps_of_dynamic_calls_are_executed_again_by_themselves(project):
    project.write(ORDER)
    project("run", "selected")
    again = project("replay", "inner/total", "r1", "--json").json
    assert again["step"] == "inner/total"


def test_an_item_that_failed_is_new_also_where_it_becomes_known_in_the_run(project):
    project.write(MAPPED)
    project("run", "main", "n=15", "-k", code=1)
    project("run", "main", "n=15", "-k", "--force", "slices", code=1)
    shown = project("show", "--json").steps
    assert shown["evaluate[14]"]["status"] == "failed"
    assert [reason["text"] for reason in shown["evaluate[14]"]["reasons"]] == [
        "no earlier result for these inputs"
    ]


RACES = """
    import os, time
    from stepwell import pipeline, step, when

    @step
    def number(n: int, when: str) -> int:
        time.sleep(0 if os.environ["FIRST"] == when else 0.4)
        return n

    @step
    def items(n: int) -> list[int]:
        return list(range(n))

    @step
    def is_odd(n: int) -> bool:
        return n % 2 == 1

    @step
    def is_left(n: int) -> bool:
        return n > 0

    @step
    def scored(x: int, k: int = 1) -> int:
        return x * k

    @step
    def less(n: int) -> int:
        return n - 1

    @step
    def total(left: int | list[int], right: int | list[int]) -> list[int | list[int]]:
        return [left, right]

    @pipeline(dynamic=True)
    def down(n: int) -> int:
        return down(less(n)) if n > 0 else scored(n)

    @pipeline(dynamic=True)
    def until(n: int) -> int:
        return when(is_left(n), lambda: until(less(n)), lambda: scored(n))

    @pipeline
    def section(n: int) -> list[int]:
        return scored.map(items(n))

    @pipeline
    def maps() -> list[int | list[int]]:
        return total(scored.map(items(number(3, "a"))), scored.map(items(number(4, "b"))))

    @pipeline
    def branches() -> list[int | list[int]]:
        a, b = number(3, "a"), number(5, "b")
        return total(when(is_odd(a), lambda: scored(a), lambda: 0), when(is_odd(b), lambda: scored(b), lambda: 0))

    @pipeline
    def mixed() -> list[int | list[int]]:
        a, b = number(3, "a"), number(5, "b")
        return total(when(is_odd(a), lambda: scored(a), lambda: 0), scored.map(items(b)))

    @pipeline
    def rounds() -> list[int | list[int]]:
        return total(down(number(2, "a")), down(number(3, "b")))

    @pipeline
    def tested() -> list[int | list[int]]:
        return total(until(number(2, "a")), until(number(3, "b")))

    @pipeline
    def many() -> list[int | list[int]]:
        return total(down.map(items(number(4, "a"))), down(number(3, "b")))

    @pipeline
    def sections() -> list[int | list[int]]:
        return total(section(number(3, "a")), section(number(2, "b")))
"""


@pytest.mark.parametrize(
    ("name", "second"),
    [
        ("maps", "scored.map[2]/scored[4]"),
        ("branches", "when[2]/scored"),
        ("mixed", "when/scored"),
        ("rounds", "down[2]/down[3]/scored"),
        ("tested", "until[2]/until[3]/scored"),
        ("many", "down.map/down/down[2]/down[2]/scored"),
        ("sections", "section/scored.map[2]/scored"),
    ],
)
def test_ids_do_not_depend_on_which_call_becomes_steps_first(project, tmp_path, name, second):
    """Ids are what parameters, metrics and `debug` are addressed to: they are the same in each run, and in a plan of it."""
    project.write(RACES)
    seen = []
    for first in "ab":
        env = {"FIRST": first, "STEPWELL_STORE": str(tmp_path / f"store-{first}")}
        run = project("run", name, "-j", "2", "--json", env=env).json
        again = project("run", name, "--json", env=env).json
        assert again["counts"]["run"] == 0
        seen += [{step["id"]: step["outputs"] for step in one["steps"]} for one in (run, again)]
    assert second in seen[0]
    assert seen == seen[:1] * 4


def test_a_parameter_that_is_set_reaches_the_call_that_it_names(project):
    project.write(RACES)
    results = set()
    for first in "ab":
        words = ("run", "maps", "--set", "scored[3].k=7", "--force", "*", "-j", "2", "--json")
        results.add(str(project(*words, env={"FIRST": first}).json["result"]))
    assert results == {"[[0, 1, 14], [0, 1, 2, 3]]"}


IN_A_ROW = """
    from stepwell import pipeline, step, when

    @step
    def start(n: int) -> int:
        return n

    @step
    def less(n: int) -> int:
        return n - 1

    @step
    def is_some(n: int) -> bool:
        return n > 0

    @step
    def items(n: int) -> list[int]:
        return list(range(n))

    @step
    def same(x: int) -> int:
        return x

    @pipeline(dynamic=True)
    def until(n: int) -> int:
        return n if n <= 0 else until(less(n))

    @pipeline
    def falling(n: int = 3) -> int:
        return until(start(n))

    @pipeline
    def mapped(m: int = 2) -> list[int]:
        return same.map(items(m))

    @pipeline
    def nothing() -> list[int]:
        return when(is_some(0), lambda: same(7), lambda: 7)

    rounds_first = falling >> mapped
    empty_between = falling >> nothing >> mapped
"""


@pytest.mark.parametrize(
    ("name", "result"), [("rounds_first", [0, [0, 1]]), ("empty_between", [0, 7, [0, 1]])]
)
def test_dynamic_sections_in_a_row_wait_for_what_the_ones_before_became(project, name, result):
    """Their steps may be known in one go, or those of one before those of the other."""
    project.write(IN_A_ROW)
    assert project("run", name, "--json").json["result"] == result
    planned = project("plan", name, "--json").json
    assert planned["counts"]["cached"] == len(planned["steps"])
    ids = [step["id"] for step in planned["steps"]]
    rounds = ids.index("falling/until[3]/less")
    assert rounds < ids.index("mapped/same") < ids.index("mapped/same[2]")
    needs = {step["id"]: step["needs"] for step in planned["steps"]}
    before = set(needs["mapped/same[2]"])
    before |= {one for each in before for one in needs[each]}
    assert {"falling/until/less", "falling/until[2]/less", "falling/until[3]/less"} <= before
    again = project("run", name, "n=4", "--json").json
    # All but `start` and the first round, which is one more.
    assert again["counts"]["cached"] == len(planned["steps"]) - 1
    assert again["result"] == result
    assert project("run", name, "--sweep", "n=1,5", "--json").json["status"] == "succeeded"
    assert project("run", name, "n=4", "--only", "mapped", "--json").json["status"] == "succeeded"


RESTLESS = """
    import os
    from stepwell import pipeline, step

    @step
    def items(n: int, factor: int = 1) -> list[int]:
        return [i * factor for i in range(n)]

    @step
    def dice(x: int, sides: int = 6) -> int:
        if x == sides:
            raise ValueError("too large")
        return int.from_bytes(os.urandom(4), "big")

    @step
    def less(n: int, by: int = 1) -> int:
        return n - by

    @step
    def total(values: list[int]) -> int:
        return len(values)

    @pipeline(dynamic=True)
    def until(n: int) -> int:
        return n if n <= 0 else until(less(n))

    @pipeline
    def main(n: int = 3) -> int:
        return total(dice.map(items(n)))

    @pipeline
    def falling(n: int = 4) -> int:
        return until(total(items(n)))
"""


@pytest.mark.parametrize("names", [(), ("dice",)])
def test_steps_that_come_in_the_run_are_executed_twice_like_others(project, names):
    project.write(RESTLESS)
    run = project("run", "main", "--json", "--twice", *names)
    count = 3 if names else 5
    told = f"twice: {count} steps were executed twice; NOT the same both times: `dice`, `dice[2]`, `dice[3]`"
    assert told in run.err
    assert all(
        "is not deterministic" in run.steps[name]["notes"][0] for name in ("dice", "dice[2]", "dice[3]")
    )
    # By now they are known when it is planned.
    one = project("run", "main", "--twice", "dice[2]", "--force", "*")
    assert "twice: 1 step was executed twice; NOT the same both times: `dice[2]`" in one.err


def test_a_name_that_nothing_came_to_have_is_told_behind_the_run(project):
    project.write(RESTLESS)
    assert "nothing was compared; there is no step `dise`" in project("run", "main", "--twice", "dise").err
    assert "E107" in project("run", "main", "--twice", "dise", code=2).err  # nothing is open any more


def test_what_is_set_for_steps_that_come_later_is_not_called_unknown(project):
    project.write(RESTLESS)
    given = ("dice.sides=9", "dice[2].sides=8", "dise.sides=7", "dice.side=7")
    sets = [word for one in given for word in ("--set", one)]

    def notes():
        return [note for note in project("plan", "main", *sets, "--json").json["notes"] if "sides" in note]

    (early,) = notes()
    assert early.startswith("nothing named `dise` is called here, whose `sides` could be set (`dise.sides`)")
    assert early.endswith("what `dice.map` will become may still take it")
    project("run", "main", *sets)
    assert notes() == ["nothing named `dise` is called here, whose `sides` could be set (`dise.sides`)"]
    said = project("plan", "main", *sets).out
    assert "`dice` has no argument `side` (`dice.side`)" in said
    assert "could be set" in project("plan", "falling", "--set", "less.by=2").out  # which nobody can know yet
    project("run", "falling", "--set", "less.by=2")
    assert "could be set" not in project("plan", "falling", "--set", "less.by=2").out
    swept = project("run", "main", "--sweep", "dice.sides=10,11", "--set", "dise.sides=7")
    assert "dice.sides" not in swept.err.replace("dice.sides=", "")
    assert "nothing named `dise`" in swept.err


def test_steps_of_dynamic_calls_are_described_when_they_are_known(project):
    project.write(RESTLESS)
    early = project("describe", "dice", "-p", "pipeline.py:main", code=2)
    assert "what `dice.map` will become can be named" in early.err
    project("run", "main")
    told = project("describe", "dice", "-p", "pipeline.py:main", "--json").json
    assert [step["calls"] for step in told["steps"]] == [["dice"]]  # its id is the one of the first call
    told = project("describe", "dice[2]", "-p", "pipeline.py:main", "--json").json
    assert [step["calls"] for step in told["steps"]] == [["dice[2]"]]
    assert "did you mean `dice`?" in project("describe", "dise", "-p", "pipeline.py:main", code=2).err
