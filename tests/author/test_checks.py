"""What a plan is verified for: the built-in checks, those of the user's own, and which of them are asked. In this process."""

from __future__ import annotations

import os

import pytest

from stepwell.app.checks import BUILT_IN, Selection, check_rows
from stepwell.app.places import stored
from stepwell.app.session import Settings, prepare
from stepwell.author.layers import from_words
from stepwell.errors import (
    BadCheck,
    BadParameter,
    BadSettings,
    CheckFailed,
    EdgeType,
    MissingColumn,
    MissingSource,
    OutputOutside,
    SeveralProblems,
    StepwellError,
    TooFewResources,
    UsageError,
    WrongColumn,
)

HEAD = """\
from __future__ import annotations
from pathlib import Path
from typing import *
import pandas as pd
from stepwell import Columns, PlannedStep, PlanView, Range, check, pipeline, source, step

"""


class Plans:
    """Plans of a project, made as the command makes them."""

    def __init__(self, project):
        self.project = project
        self.root = project.root

    def __call__(self, text: str = "", *words: str, **selection):
        if text:
            self.project.write(text, head=HEAD)
        loaded = self.project.load()
        with stored(self.root) as store:
            params = from_words(loaded.pipeline, words)
            return prepare(loaded, params, store, Settings(checks=Selection(**selection)))

    def refused(self, kind, text: str = "", *words: str, **selection) -> StepwellError:
        with pytest.raises(StepwellError) as caught:
            self(text, *words, **selection)
        assert type(caught.value) is kind, caught.value
        return caught.value


@pytest.fixture
def plans(project):
    return Plans(project)


TABLE = """
flights = source("flights.csv", pd.DataFrame)

@step
def clean(table: Annotated[pd.DataFrame, Columns({wanted})]) -> Annotated[pd.DataFrame, Columns({gives})]:
    return table

@step
def train(table: Annotated[pd.DataFrame, Columns({takes})]) -> int:
    return len(table)

@pipeline
def main():
    return train(clean(flights()))
"""


def table(wanted: str = "", gives: str = "", takes: str = "") -> str:
    return TABLE.format(wanted=wanted, gives=gives, takes=takes)


@pytest.fixture
def flights(plans):
    (plans.root / "flights.csv").write_text("carrier,delay,day\nAA,3,2026-01-01\nUA,,2026-01-02\n")
    return plans


# --------------------------------------------------------------------------- columns


def test_a_column_that_the_source_does_not_have(flights):
    error = flights.refused(MissingColumn, table("'carrier', 'dely'"))
    assert "`dely`, which the source `flights` does not have" in error.what
    assert error.fixes[0] == "did you mean `delay`?"
    assert error.where == f"pipeline.py:{flights.project.line('def clean') - 1}"


def test_a_column_that_the_step_before_does_not_declare(flights):
    error = flights.refused(MissingColumn, table("'carrier'", "'carrier'", "'carrier', 'late'"))
    assert "`late`, which `clean` does not declare" in error.what


def test_columns_that_are_there(flights):
    assert flights(table("carrier=str, delay=float, day=str", "'a'", "'a'")).plan.counts()["run"] == 2


def test_a_column_of_text_is_no_number(flights):
    error = flights.refused(WrongColumn, table("carrier=float"))
    assert "`carrier` holds float, and in the source `flights` it holds text" in error.what


def test_a_column_that_is_gone_after_an_edit_of_the_data(flights):
    flights(table("'carrier', 'delay'"))
    (flights.root / "flights.csv").write_text("carrier,lateness\nAA,3\n")
    assert "`delay`" in flights.refused(MissingColumn).what


def test_columns_in_a_list_of_tables(flights):
    text = table().replace(
        "@pipeline\ndef main():",
        "@step\ndef many(tables: list[Annotated[pd.DataFrame, Columns('none')]]): ...\n\n@pipeline\ndef main():\n    many([flights()])",
    )
    assert "`none`" in flights.refused(MissingColumn, text).what


def test_a_step_that_returns_a_table_without_a_column_fails(flights):
    loaded_text = table("'carrier'", "'carrier', 'late'")
    flights.project.write(loaded_text, head=HEAD)
    run = flights.project.load().pipeline.options(in_process=True).run()
    assert run.status == "failed"
    with pytest.raises(
        StepwellError, match="a table without the column `late`; it has carrier, delay, day"
    ) as caught:
        run.result
    assert caught.value.code == "E405"


# --------------------------------------------------------------------------- ranges

RANGE = """
@step
def train(depth: Annotated[int, Range(1, 20)], names: list[Annotated[str, Range(ge="b")]] = []) -> int: ...

@pipeline
def main(depth: Annotated[int, Range(1, 20)] = 3, rate: Annotated[float, Range(gt=0, lt=1)] | None = None):
    return train({given})
"""


def test_ranges_of_constants(plans):
    error = plans.refused(EdgeType, RANGE.format(given="depth=21"))
    assert error.what == "`train(depth=21)`: 21 is not at most 20"
    assert "'a' is not at least 'b'" in plans.refused(EdgeType, RANGE.format(given="2, ['c', 'a']")).what
    assert plans(RANGE.format(given="20, ['b']")).plan.counts()["run"] == 1


def test_ranges_of_parameters_all_at_once(plans):
    text = RANGE.format(given="depth")
    assert plans.refused(BadParameter, text, "depth=0").what == "`depth=0`: 0 is not at least 1"
    assert "1.0 is not less than 1" in plans.refused(BadParameter, text, "rate=1.0").what
    several = plans.refused(SeveralProblems, text, "depth=0", "rate=2", "depth=x")
    assert [one.code for one in several.problems] == ["E105", "E105", "E105"]
    assert several.exit_code == 2
    assert plans(text, "depth=20", "rate=0.5").plan.counts()["run"] == 1


# --------------------------------------------------------------------------- files, machine, surroundings

FILES = """
{head}
@step(out="{out}")
def report() -> Path: ...

@step
def use(file: Path): ...

@pipeline
def main():
    report()
    {body}
"""


def test_a_file_that_a_link_leads_outside(plans, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    plans.root.mkdir(exist_ok=True)
    (plans.root / "reports").symlink_to(elsewhere)
    text = FILES.format(head="", out="reports/a.html", body="pass")
    error = plans.refused(OutputOutside, text)
    assert str(elsewhere / "a.html") in error.what
    plans(text, without=("outputs",))
    (plans.root / "pyproject.toml").write_text(f'[tool.stepwell]\nplan = {{outside = ["{elsewhere}"]}}\n')
    plans(text)


def test_a_source_that_a_step_writes_under_another_name(plans):
    text = FILES.format(head="last = source('out/report.csv')", out="out/reports.csv", body="use(last())")
    error = plans.refused(MissingSource, text)
    assert error.fixes[0] == "take what `report` returns: it writes `out/reports.csv`"
    assert error.where == f"pipeline.py:{plans.project.line('last = source')}"


def test_a_source_that_a_step_writes_is_worth_a_look(plans):
    (plans.root / "out").mkdir(parents=True)
    (plans.root / "out" / "a.csv").write_text("a\n1\n")
    work = plans(FILES.format(head="last = source('out/a.csv')", out="out/a.csv", body="use(last())"))
    assert any("is the file that `report` writes" in note for note in work.notes)


def test_resources_that_are_not_there(plans):
    text = (
        "@step(cpus=4000, memory='900TB')\ndef big(): ...\n\n@pipeline\ndef main():\n    big()\n    big()\n"
    )
    error = plans.refused(SeveralProblems, text)
    assert [(type(e), "processors" in e.what) for e in error.problems] == [
        (TooFewResources, True),
        (TooFewResources, False),
    ]
    assert plans(text, without=("resources",)).plan.counts() == {"run": 1, "cached": 1}


def test_a_variable_that_is_not_set_is_noted(plans, monkeypatch):
    text = "@step(env=['STEPWELL_TEST_X'])\ndef reads(): ...\n\n@pipeline\ndef main():\n    reads()\n"
    monkeypatch.delenv("STEPWELL_TEST_X", raising=False)
    assert "$STEPWELL_TEST_X is not set, and `reads` declares to read it" in plans(text).notes
    monkeypatch.setenv("STEPWELL_TEST_X", "1")
    assert plans(text).notes == ()


# --------------------------------------------------------------------------- checks of the user's own

OWN = """
data = source("data.txt", str)

@step(cpus=1)
def train(text: str, depth: int) -> list[int]:
    return [depth]

@step
def score(fit: list[int]) -> int:
    return fit[0]

{checks}

@pipeline
def main(depth: int = 3):
    return score(train(data(), depth)), score.named("two")(train(data(), depth=5))
"""


@pytest.fixture
def own(plans):
    (plans.root / "data.txt").write_text("hello")
    return lambda checks, *words, **how: plans(OWN.format(checks=checks), *words, **how)


def failed(own, checks, *words, **how):
    with pytest.raises(StepwellError) as caught:
        own(checks, *words, **how)
    return caught.value


@pytest.mark.parametrize(
    ("says", "what"),
    [
        ("return 'too deep'", ["too deep"]),
        ("return ['a', 'b']", ["a", "b"]),
        ("return False", ["the check `mine` does not hold"]),
        ("assert plan.params['depth'] > 3, 'too flat'", ["too flat"]),
        ("assert plan.params['depth'] > 3", ["plan.params['depth'] > 3 does not hold"]),
        ("return plan.params['dpeth']", ["the check `mine` raised KeyError: 'dpeth'"]),
        ("return 7", ["the check `mine` returned int"]),
        ("return [1]", ["the check `mine` returned list"]),
        ("return None", []),
        ("return True", []),
        ("return []", []),
        ("return ''", []),
        ("yield 'one'", ["one"]),
    ],
)
def test_what_a_check_may_say(own, says, what):
    text = f"@check\ndef mine(plan: PlanView):\n    {says}\n"
    if not what:
        own(text)
        return
    error = failed(own, text)
    found = list(getattr(error, "problems", (error,)))
    assert [one.what for one in found] == what
    assert all(type(one) is CheckFailed and one.where.startswith("pipeline.py:") for one in found)


def test_a_check_sees_the_plan(own):
    own("""
@check
def looks(plan):
    assert plan.pipeline == "main"
    assert plan.params == {"depth": 3}
    assert list(plan.steps) == ["train", "score", "train[2]", "two"]
    assert plan.decisions == {name: step.decision for name, step in plan.steps.items()}
    first = plan.steps["train"]
    assert (first.step, first.module, first.decision) == ("train", "pipeline", "run")
    assert first.arguments == {"depth": 3}
    assert (first.sources, first.needs, first.reads) == (("data",), (), 5)
    assert plan.steps["two"].needs == ("train[2]",)
    assert plan.steps["two"].reads is None
    assert first.outputs == {"result": "list[int]"}
    assert plan.sources["data"].size == 5
    assert plan.sources["data"].uri == "data.txt"
    assert plan.document["counts"]["run"] == 4
    assert "train[2]" in repr(plan)
""")


def test_a_check_of_a_step_sees_each_of_its_calls(own):
    text = "@check(train)\ndef deep(step: PlannedStep):\n    return step.arguments['depth'] < 4\n"
    error = failed(own, text)
    assert error.what == "the check `deep` does not hold for `train[2]`"
    assert failed(own, text, "depth=9").code == "E312"
    both = "@check(train)\ndef deep(step, plan):\n    assert len(plan.steps) == 4, step.id\n"
    own(both)


def test_a_check_that_takes_other_arguments(own):
    error = failed(own, "@check\ndef mine(a, b):\n    pass\n")
    assert type(error) is BadCheck
    assert error.fixes == ("def mine(plan): ...",)


def test_checks_and_built_in_problems_come_together(own):
    error = failed(
        own,
        "@check\ndef mine(plan):\n    return 'no'\n\n@step(cpus=4000)\ndef big(): ...\n@pipeline\ndef outer():\n    big()\n    return main()\n".replace(
            "@pipeline\ndef outer", "@pipeline\ndef outer"
        ),
    )
    assert sorted(one.code for one in error.problems) == ["E305", "E313"]


def test_checks_that_the_project_names(own, plans):
    (plans.root / "quality.py").write_text("def strict(plan):\n    return 'not good enough'\n")
    toml = plans.root / "pyproject.toml"
    toml.write_text('[tool.stepwell]\nchecks = ["quality:strict"]\n')
    assert failed(own, "").what == "not good enough"
    assert failed(own, "").where == "quality.py:1"
    own("", without=("strict",))
    own("", without=("checks",))
    own("", only=("types",))
    own("", depth="types")
    toml.write_text('[tool.stepwell]\nchecks = ["quality:stric"]\n')
    error = failed(own, "")
    assert type(error) is BadCheck
    assert error.fixes[0] == "did you mean `quality:strict`?"
    toml.write_text('[tool.stepwell]\nchecks = "quality:strict"\n')
    assert type(failed(own, "")) is BadSettings


def test_a_check_is_called_like_the_function_that_it_is(own, plans):
    own("@check\ndef mine(plan):\n    '''Nothing of note.'''\n    return plan == 1\n", without=("mine",))
    loaded = plans.project.load()
    assert loaded.module.mine(1) is True
    rows = check_rows(loaded)
    assert [row["name"] for row in rows] == [*(one.name for one in BUILT_IN), "mine"]
    assert rows[-1]["about"] == "Nothing of note."


@pytest.mark.parametrize("thing", ["pipeline(lambda: 1)", "source('x')", "3", "int"])
def test_what_cannot_be_a_check(thing):
    from stepwell import check, pipeline, source

    with pytest.raises(StepwellError):
        check(eval(thing, {"pipeline": pipeline, "source": source}))


# --------------------------------------------------------------------------- which of them are asked

WRONG = """
@step
def one(x: list[int]) -> list[int]: ...
@step
def two(x: list[str]): ...
@check
def never(plan):
    return 'never'
@pipeline
def main():
    two(one([1]))
"""


def test_depths(plans):
    assert type(plans.refused(EdgeType, WRONG)) is EdgeType
    assert plans(WRONG, depth="names").plan.counts()["run"] == 2
    assert plans.refused(EdgeType, WRONG, depth="types")
    right = WRONG.replace("list[str]", "list[int]")
    assert plans(right, depth="types")
    assert plans.refused(CheckFailed, right, depth="data")


def test_only_and_without(plans):
    assert plans.refused(CheckFailed, WRONG, only=("never",))
    assert plans.refused(CheckFailed, WRONG, only=("checks",))
    assert plans.refused(EdgeType, WRONG, only=("types",))
    assert plans(WRONG, only=("outputs",))
    assert plans(WRONG, without=("types", "never"))


@pytest.mark.parametrize(
    ("selection", "fix"),
    [
        ({"depth": "typs"}, "did you mean `types`?"),
        ({"only": ("colums",)}, "did you mean `columns`?"),
        ({"without": ("nevr",)}, "did you mean `never`?"),
    ],
)
def test_names_that_are_not_known(plans, selection, fix):
    assert plans.refused(UsageError, WRONG, **selection).fixes[0] == fix


def test_the_project_has_a_default(plans):
    plans.root.mkdir(exist_ok=True)
    toml = plans.root / "pyproject.toml"
    toml.write_text('[tool.stepwell.plan]\ndepth = "names"\n')
    assert plans(WRONG)
    assert plans.refused(EdgeType, WRONG, depth="types")
    toml.write_text('[tool.stepwell]\nplan = {without = ["types", "never"]}\n')
    assert plans(WRONG)
    toml.write_text('[tool.stepwell]\nplan = {depth = "deep"}\n')
    assert plans.refused(BadSettings, WRONG)
    toml.write_text("[tool.stepwell]\nplan = 3\n")
    assert plans.refused(BadSettings, WRONG)
    toml.unlink()
    (plans.root / "stepwell.toml").write_text('[plan]\ndepth = "names"\n')
    assert plans(WRONG)


def test_nothing_is_kept_where_a_check_fails(plans):
    plans.refused(EdgeType, WRONG)
    assert not os.path.exists(plans.root / "reports")
