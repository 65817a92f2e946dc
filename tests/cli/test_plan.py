"""What `stepwell plan` and `stepwell why` show: causes, costs, shapes, exit codes."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET

import pexpect
import pytest
from cli_projects import STEPWELL, bare

HELPERS = """
    FACTOR = 2

    def fit(rows, depth):
        total = 0
        for row in rows:
            total += row * depth
        return total * FACTOR
"""

MODELS = """
    from datetime import date
    from typing import Annotated, NamedTuple
    import helpers
    from stepwell import pipeline, source, step

    rows = source("data/rows.txt", str)

    class Split(NamedTuple):
        fit: list[int]
        held_out: list[int]

    @step
    def load(text: str, day: date) -> list[int]:
        \"\"\"Read the rows.

        There is more to say.\"\"\"
        return [int(n) for n in text.split()]

    @step
    def split(values: list[int], share: float = 0.5) -> Split:
        n = int(len(values) * share)
        return Split(values[:n], values[n:])

    @step(memory="100MB")
    def train(values: list[int], depth: int) -> Annotated[float, "USD"]:
        return float(helpers.fit(values, depth))

    @step
    def score(model: Annotated[float, "USD"], values: list[int]) -> float:
        return model / (1 + sum(values))

    @step
    def best(scores: list[float]) -> dict[str, float]:
        return {"best": max(scores)}

    @pipeline
    def training(fit: list[int], held_out: list[int], depths: int):
        trained = [train(fit, depth=d + 1) for d in range(depths)]
        return [score(model, held_out) for model in trained]

    @pipeline
    def models(depths: int = 4, day: date = date(2024, 1, 1)) -> dict[str, float]:
        \"\"\"Which depth is best?\"\"\"
        halves = split(load(rows(), day))
        return best(training(halves.fit, halves.held_out, depths))
"""


@pytest.fixture
def models(project):
    project.write(HELPERS, "helpers.py")
    project.write(MODELS)
    project.write("\n".join(map(str, range(100))), "data/rows.txt")
    return project


def untimed(text):
    """Text without measured times and sizes, and with single spaces."""
    text = re.sub(r"\b\d+(\.\d+)? (s|min|h)\b", "T", text)
    text = re.sub(r"\b\d+(\.\d+)? (B|kB|MB|GB)\b", "N", text)
    return [re.sub(r" {2,}", "  ", line).rstrip() for line in text.splitlines()]


def test_the_list(models):
    first = [line for line in models("plan").out.splitlines() if line]
    assert untimed("\n".join(first)) == [
        "models  depths=4  day=2024-01-01",
        "  load  run  N  no earlier result",
        "  split  run  no earlier result; waits for `load`",
        "  training/",
        "  train ×4  run  no earlier result; waits for `split`",
        "  score ×4  run  no earlier result; waits for `training/train`, `split`",
        "  best  run  no earlier result; waits for `training/score`, `training/score[2]`, `training/score[3]`, `training/score[4]`",
        "11 steps: 11 run",
    ]
    models("run")
    assert untimed(models("plan").out)[-1] == "11 steps: 11 cached  nothing to do"
    models.edit("return total * FACTOR", "return (total + 1) * FACTOR", "helpers.py")
    text = models("plan").out
    assert untimed(text) == [
        "models  depths=4  day=2024-01-01",
        "  load  cached  T  N  up to date since run r1",
        "  split  cached  T  N  up to date since run r1",
        "  training/",
        "  train ×4  run  T each  N each  code of `helpers.fit` changed",
        "  score ×4  maybe  T each  N each  waits for training/train[1..4]",
        "  best  maybe  T  N  waits for `training/score`, `training/score[2]`, `training/score[3]`, `training/score[4]`",
        "",
        "code of `helpers.fit` changed: 4 steps: training/train[1..4]",
        "  total += row * depth",
        "  -  return total * FACTOR",
        "  +  return (total + 1) * FACTOR",
        "",
        "11 steps: 2 cached, 4 run, 5 maybe  about T, peak N",
    ]
    rows = [line for line in text.splitlines()[1:7] if not line.endswith("/")]
    assert len({re.search(r"cached|run|maybe", line).start() for line in rows}) == 1


def test_the_document(models):
    models("run")
    models.edit("return total * FACTOR", "return (total + 1) * FACTOR", "helpers.py")
    plan = models("plan", "-j", "3", "--json")
    train = plan.steps["training/train[2]"]
    assert train["needs"] == ["split"]
    assert plan.steps["training/score"]["needs"] == ["training/train", "split"]
    assert plan.steps["load"]["sources"] == ["rows"]
    (source,) = plan.json["sources"]
    assert plan.steps["load"]["reads"] == source["size"] == (models.root / "data/rows.txt").stat().st_size
    assert (
        train["seconds"]
        == {step["id"]: step["seconds"] for step in models("show", "--json").json["steps"]}[
            "training/train[2]"
        ]
    )
    assert train["memory"] > 1_000_000
    assert re.fullmatch(r"pipeline\.py:\d+", train["where"])
    (cause,) = plan.json["causes"]
    assert (cause["kind"], cause["name"]) == ("code", "helpers.fit")
    assert cause["steps"] == ["training/train", *(f"training/train[{i}]" for i in (2, 3, 4))]
    assert "+    return (total + 1) * FACTOR" in cause["diff"].splitlines()
    expected = plan.json["expected"]
    assert expected["workers"] == 3
    assert expected["untimed"] == 0
    assert 0 < expected["least"] <= expected["seconds"]
    assert plan.json["params"] == {"depths": 4, "day": "2024-01-01"}


def test_the_table(models):
    models("run")
    lines = models("plan", "--table", "depths=5").out.splitlines()
    assert lines[1].split() == ["step", "decision", "last", "time", "memory", "reads", "why"]
    assert [line.split()[0] for line in lines[2:-1]] == [
        step["id"] for step in models("plan", "depths=5", "--json").json["steps"]
    ]
    decisions = lines[1].index("decision")
    assert {line[decisions - 2 : decisions] for line in lines[1:-1]} == {"  "}
    new = next(line for line in lines if line.startswith("training/train[5]"))
    assert new.endswith("no earlier result for these inputs")
    assert re.search(r"\d s ", new), "other calls say how long it may take"


@pytest.mark.parametrize("shape", ["", "--table", "--graph"])
@pytest.mark.parametrize("columns", [80, 200])
def test_lines_fit_the_terminal(models, shape, columns):
    models("run")
    models.edit(
        "return total * FACTOR", "return (total + 1) * FACTOR  # " + "x" * 300 + "\n    # y", "helpers.py"
    )
    models.edit("total += row", "total += 3 * row", "helpers.py")
    words = ["plan", *shape.split()]
    child = pexpect.spawn(str(STEPWELL), words, cwd=str(models.root), env=models.env, dimensions=(40, columns), encoding="utf-8")  # fmt: skip
    text = child.read()
    child.close()
    assert child.exitstatus == 0
    assert "\x1b[" in text
    lines = [bare(line) for line in text.split("\r\n")]
    assert max(map(len, lines)) <= columns
    assert "training/train[4]" in text if shape else "train ×4" in text
    assert "\x1b" not in models(*words, env={"NO_COLOR": "1"}).out


@pytest.mark.parametrize("words", ["plan", "plan --table", "show r2"])
def test_reasons_are_told_whole_on_a_narrow_terminal(project, words):
    long = "_".join(["a_step_with_a_name"] * 2)
    project.write(f"""
        from stepwell import pipeline, step

        LIMIT_OF_EVERYTHING = 1

        @step
        def {long}(n: int) -> int:
            return n + LIMIT_OF_EVERYTHING

        @pipeline
        def main(n: int = 1):
            return {long}(n)
    """)
    project("run")
    project.edit("LIMIT_OF_EVERYTHING = 1", "LIMIT_OF_EVERYTHING = 2")
    if words == "show r2":
        project("run")
    child = pexpect.spawn(str(STEPWELL), words.split(), cwd=str(project.root), env=project.env, dimensions=(40, 80), encoding="utf-8")  # fmt: skip
    lines = [bare(line) for line in child.read().split("\r\n")]
    child.close()
    place = next(i for i, line in enumerate(lines) if long in line)
    assert re.fullmatch(
        r" {6,8}`pipeline\.LIMIT_OF_EVERYTHING` .*changed.*|.*LIMIT_OF_EVERYTHING.*", lines[place + 1]
    )
    assert "…" not in lines[place + 1]


def test_the_graph_in_the_terminal(models):
    drawn = [line.rstrip() for line in models("plan", "--graph", "depths=2").out.splitlines()]
    assert drawn[1:-1] == [
        "◇      rows  source",
        "●      load  run",
        "●      split  run",
        "├─╮",
        "│ ●    training/train  run",
        "├─│─╮",
        "│ │ ●  training/train[2]  run",
        "├─┤ │",
        "│ ● │  training/score  run",
        "├─│─╯",
        "● │    training/score[2]  run",
        "├─╯",
        "●      best  run",
    ]


def test_pictures_on_stdout(models):
    dot = models("plan", "--dot").out
    assert dot.startswith('digraph "models" {\n')
    assert 'subgraph cluster_1 { label="training";' in dot
    mermaid = models("plan", "--mermaid").out
    assert mermaid.startswith("flowchart LR\n")
    assert '["train[2]<br/>run"]:::is-run' in mermaid


def test_exit_codes(models):
    assert models("plan", "--exit-code", code=8).out == models("plan").out
    assert models("plan", "--exit-code", "--json", code=8).json["counts"]["run"] == 11
    models("run")
    models("plan", "--exit-code")
    models.edit("row * depth", "row * depth + 1", "helpers.py")
    models("plan", "--exit-code", code=8)
    models.edit("load(rows(), day)", "load(rows(), day, 3)")
    models("plan", "--exit-code", code=3)
    models("plan", code=3)


def test_junit(models):
    report = models.root / "plan.xml"
    out = models("plan", "--junit", "plan.xml").out
    assert out == models("plan").out
    suite = ET.parse(report).getroot()[0]
    ids = [step["id"] for step in models("plan", "--json", "--junit", "plan.xml").json["steps"]]
    assert [case.get("name") for case in suite] == ids
    assert (suite.get("tests"), suite.get("failures")) == ("11", "0")
    models.edit("load(rows(), day)", "load(rows(), day, 3)")
    error = models("plan", "--json", "--junit", "plan.xml", code=3).json["error"]
    (case,) = ET.parse(report).getroot()[0]
    assert case[0].get("type") == error["code"]
    assert case[0].get("message") == error["what"]
    models.write(MODELS)
    assert (
        models("plan", "--junit", "no/folder/plan.xml", "--json", code=3)
        .json["error"]["code"]
        .startswith("E5")
    )


@pytest.mark.parametrize("pair", [("--dot", "--table"), ("--graph", "--json"), ("--mermaid", "--dot")])
def test_one_shape_at_a_time(models, pair):
    told = models("plan", *pair, code=2)
    assert pair[0] in told.err + told.out


def test_dry_run_is_the_same(models):
    assert models("run", "--dry-run").out == models("plan").out


MANY = """
    from stepwell import pipeline, step

    @step
    def square(n: int) -> int:
        return n * n

    @step
    def total(values: list[int]) -> int:
        return sum(values)

    @pipeline
    def many(n: int = 500) -> int:
        return total([square(i) for i in range(n)])
"""


def test_many_calls_are_one_line(project):
    project.write(MANY)
    project("run")
    lines = untimed(project("plan", "n=502").out)
    assert lines[1] == "  square ×502  500 cached, 2 run  T each  no earlier result for these inputs"
    assert lines[-1].startswith("503 steps: 500 cached, 2 run, 1 maybe  about T")
    assert len(lines) < 8
    graph = untimed(project("plan", "n=502", "--graph").out)
    assert graph[1:3] == ["●  square ×502  500 cached, 2 run", "◐  total  maybe  T"]
    assert len(project("plan", "n=502", "--table").out.splitlines()) == 506
    project.edit("n * n", "n * n + 1")
    assert "code of `pipeline.square` changed: 500 steps: square[1..500]" in project("plan").out


LOUD = """
    from stepwell import pipeline, step

    @step(version="2", ttl="1d")
    def fetch(n: int) -> int:
        return n

    @step(cache=False)
    def ask(n: int) -> int:
        return n + 1

    @pipeline
    def loud() -> int:
        return ask(fetch(1))
"""


def test_what_decides_in_place_of_the_key_is_said(project):
    project.write(LOUD)
    notes = project("plan", "--json").json["notes"]
    assert notes == [
        '`fetch`: version="2" stands for its code: edits of it do not count',
        "`fetch`: a result counts for 1 d (ttl)",
        "`ask`: cache=False: it runs every time",
    ]
    out = project("plan").out
    assert all(f"note: {note}" in out for note in notes)
    assert "\n\nnote: " in out
    project("run")
    plan = project("plan", "--json")
    assert plan.decisions["ask"] == "run"
    assert plan.json["notes"] == [notes[1]]  # the others are in the reasons already
    project("plan", "--exit-code", code=8)


def test_open_types_are_told_as_they_are_annotated(project):
    project.write("""
        from stepwell import pipeline, step

        @step
        def fit(n: int) -> dict:
            return {"n": n}

        @step
        def bare(n: int):
            return n

        @pipeline
        def loose():
            return [fit(1), bare(2)]
    """)
    assert project("plan", "--json").json["notes"] == [
        "`fit`: `dict` without the types of its parts; what appears chooses how it is kept",
        "`bare`: no output type is annotated; what appears chooses how it is kept",
    ]


# ---------------------------------------------------------------------------- why

DIFF = """\
        --- helpers.fit (before)
        +++ helpers.fit (now)
        @@ -3,3 +3,3 @@
             for row in rows:
                 total += row * depth
        -    return total * FACTOR
        +    return (total + 1) * FACTOR
"""


def test_the_story_of_a_step_goes_back_to_the_edit(models):
    models("run")
    models.edit("return total * FACTOR", "return (total + 1) * FACTOR", "helpers.py")
    story = (
        "best  maybe\n"
        "  waits for `training/score`, `training/score[2]`, `training/score[3]`, `training/score[4]`\n"
        "  ← training/score[1..4]  maybe\n"
        "      waits for `training/train`\n"
        "    ← training/train[1..4]  run\n"
        "        code of `helpers.fit` changed\n"
    ) + DIFF.replace("        ", "          ", 1).replace("\n        ", "\n          ")
    assert models("why", "best").out == story
    chain = models("why", "best", "--json").json["chain"]
    assert [(link["step"], link["decision"], link["depth"], link["run"]) for link in chain] == [
        ("training/score", "maybe", 1, None), ("training/train", "run", 2, None),
    ]  # fmt: skip
    assert chain[1]["also"] == [f"training/train[{i}]" for i in (2, 3, 4)]

    models("run")
    then = models("why", "training/score[3]", "r2", "--json").json
    assert then["reasons"][0]["kind"] == "input"
    (link,) = then["chain"]
    assert (link["step"], link["run"], link["decision"]) == ("training/train[3]", "r2", "run")
    assert link["reasons"][0]["name"] == "helpers.fit"
    assert (
        "  ← training/train[3]  ran in r2\n      code of `helpers.fit` changed\n"
        in models("why", "training/score[3]", "r2").out
    )

    # What is up to date has a story too: why it was made.
    cached = models("why", "training/score[3]", "--json").json
    assert cached["decision"] == "cached"
    assert [(link["step"], link["run"]) for link in cached["chain"]] == [
        ("training/score[3]", "r2"), ("training/train[3]", "r2"),
    ]  # fmt: skip


def test_a_story_crosses_runs(project):
    """`last` fails while `first` is new; after the repair, the plan's own reason leads to the run that made the input."""
    project.write("""
        from stepwell import pipeline, step

        @step
        def first(n: int) -> int:
            return n

        @step
        def last(n: int) -> int:
            if n == 2:
                raise ValueError("two")
            return n

        @pipeline
        def two(n: int = 1) -> int:
            return last(first(n))
    """)
    project("run")
    project("run", "n=2", code=1)
    story = project("why", "last", "n=2", "--json").json
    assert story["reasons"][0]["kind"] == "input"
    (link,) = story["chain"]
    assert (link["step"], link["run"], link["decision"]) == ("first", "r2", "run")
    assert [reason["text"] for reason in link["reasons"]] == ["`n` 1 → 2"]
    failed = project("why", "last", "r2", "--json").json
    assert failed["chain"][0]["step"] == "first"


def test_a_name_of_many_calls(models):
    models("run")
    models.edit("return total * FACTOR", "return (total + 1) * FACTOR", "helpers.py")
    out = models("why", "train", "depths=5").out
    assert out.startswith("training/train[1..4]  run\n  code of `helpers.fit` changed\n")
    assert out.count("code of `helpers.fit`") <= 2
    assert json.loads(models("why", "train", "--json").out)["step"] == "training/train"


def test_a_step_that_failed_in_the_last_run_says_so(project):
    project.write(
        """
        from stepwell import pipeline, step

        @step
        def fine() -> int:
            return 1

        @step
        def breaks(n: int) -> int:
            raise ValueError("not today")

        @pipeline
        def main():
            return breaks(fine())
        """
    )
    assert "last_failure" not in project("plan", "--json").steps["breaks"]
    project("run", code=1)
    told = "failed in r1: ValueError: not today"
    steps = project("plan", "--json").steps
    assert steps["breaks"]["last_failure"] == told
    assert "last_failure" not in steps["fine"]
    assert told in project("plan").out
    assert told in project("why", "breaks").out
    assert project("why", "breaks", "--json").json["last_failure"] == told
    project.edit('raise ValueError("not today")', "return n")
    assert project("plan", "--json").steps["breaks"]["last_failure"] == told
    project("run")
    assert "last_failure" not in project("plan", "--json").steps["breaks"]
