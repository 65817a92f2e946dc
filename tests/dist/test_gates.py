"""Gates: what they let through, what they say, and that nothing but comparisons of metrics is one."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.dist.gates import LONGEST, Metric, concerning, gates_of, metrics_of, parse
from stepwell.dist.lock import Leaving, Lock, Pipeline, Step
from stepwell.errors import BadGate, SeveralProblems

METRICS = {"auc": 0.7911, "brier": 0.1188, "val/auc": 0.8, "rows": 1000}
CHANNELS = {"production": {"auc": 0.8347, "val/auc": 0.8}, "pre-prod": {"auc": 0.5}, "staging": None}


@pytest.mark.parametrize(
    ("gate", "passed", "excuse"),
    [
        ("auc >= 0.81", False, "auc is 0.7911, must be at least 0.81"),
        ("auc >= 0.79", True, "auc is 0.7911, at least 0.79"),
        ("auc > 0.7911", False, "auc is 0.7911, must be more than 0.7911"),
        ("auc >= 0.7911", True, "auc is 0.7911, at least 0.7911"),
        ("brier <= 0.1", False, "brier is 0.1188, must be at most 0.1"),
        ("brier < 0.2", True, "brier is 0.1188, less than 0.2"),
        ("rows == 1000", True, "rows is 1000, exactly 1000"),
        ("rows == 1001", False, "rows is 1000, must be exactly 1001"),
        ("0.81 <= auc", False, "auc is 0.7911, must be at least 0.81"),
        ("0.9 > auc", True, "auc is 0.7911, less than 0.9"),
        ("1000 == rows", True, "rows is 1000, exactly 1000"),
        (
            "auc >= production.auc - 0.005",
            False,
            "auc is 0.7911, must be at least 0.8297 (production.auc - 0.005)",
        ),
        ("auc >= pre_prod.auc", True, "auc is 0.7911, at least 0.5 (pre-prod.auc)"),
        ("auc >= Production.auc", False, "auc is 0.7911, must be at least 0.8347 (production.auc)"),
        ('"val/auc" >= production["val/auc"]', True, "val/auc is 0.8, at least 0.8 (production.val/auc)"),
        ("auc - brier > 0.7", False, "auc - brier is 0.6723, must be more than 0.7"),
        ("auc * 2 - -brier > +1", True, "auc * 2 - -brier is 1.701, more than 1"),
        ("(auc + brier) * 10 <= 9", False, "(auc + brier) * 10 is 9.099, must be at most 9"),
        (" auc\n >=  0.81 ", False, "auc is 0.7911, must be at least 0.81"),
        ("auc >= staging.auc", True, "nothing is in staging yet: nothing to compare with"),
        ("acu >= 0.81", False, "nobody recorded acu (did you mean auc?)"),
        ("zzz >= 0.81", False, "nobody recorded zzz (there is: auc, brier, rows, val/auc)"),
        ("auc >= prodction.auc", False, "there is no channel prodction (did you mean production?)"),
        ("auc >= xyz.auc", False, "there is no channel xyz"),
        ("auc >= production.aux", False, "the release in production has no aux (did you mean auc?)"),
        ("rows >= production.rows", False, "the release in production has no rows (there is: auc, val/auc)"),
        ("zzz >= xyz.auc", False, "nobody recorded zzz (there is: auc, brier, rows, val/auc); there is no channel xyz"),
        ("zzz >= staging.auc", False, "nobody recorded zzz (there is: auc, brier, rows, val/auc)"),
    ],
)  # fmt: skip
def test_verdicts(gate, passed, excuse):
    verdict = parse(gate).evaluate(METRICS, CHANNELS)
    assert (verdict.passed, verdict.excuse) == (passed, excuse)
    assert verdict.gate == " ".join(gate.split())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), "0.9", None, True])
@pytest.mark.parametrize("gate", ["auc >= 0", "auc <= 1", "auc == auc", "1 >= production.auc * 0"])
def test_what_is_no_number_never_passes(value, gate):
    verdict = parse(gate).evaluate({"auc": value}, {"production": {"auc": value}})
    assert not verdict.passed
    assert "cannot be compared" in verdict.excuse


def test_nobody_recorded_anything():
    assert parse("auc > 0").evaluate({}, {}).excuse == "nobody recorded auc (there are no metrics)"


def test_numbers_are_compared_as_they_are_written():
    assert parse("auc >= 0.1 + 0.2").evaluate({"auc": 0.3}, {}).passed
    assert parse("auc == 3 * 0.1").evaluate({"auc": 0.3}, {}).passed
    assert parse("auc >= production.auc - 0.1").evaluate({"auc": 0.7}, {"production": {"auc": 0.8}}).passed


def test_numbers_that_are_nearly_the_same_are_told_apart():
    verdict = parse("auc >= 0.81").evaluate({"auc": 0.80999999999}, {})
    assert verdict.excuse == "auc is 0.80999999999, must be at least 0.81"
    verdict = parse("auc * auc >= 0.25").evaluate({"auc": 0.4999999999999999}, {})
    assert not verdict.passed
    assert verdict.excuse == "auc * auc is 0.2499999999999999, must be at least 0.25"


def test_numbers_beyond_all_bounds():
    verdict = parse("a * a > 1").evaluate({"a": 1e308}, {})
    assert verdict == ("a * a > 1", True, "a * a is a number beyond all bounds, more than 1")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", ""),
        ("   ", ""),
        ("auc", "it is no comparison"),
        ("auc >=", "it cannot be read"),
        ("auc => 0.81", "it cannot be read"),
        ("auc = 0.81", "it cannot be read"),
        ("auc >= 0,81", "it is no comparison"),
        ("auc >= 81 %", "it cannot be read"),
        ("auc\0 > 1", "it cannot be read"),
        ("auc != 0.81", "something else than"),
        ("auc in x", "something else than"),
        ("auc is 1", "something else than"),
        ("0.5 <= auc <= 0.9", "write one gate for each"),
        ("auc > 1 and brier < 1", "write one gate for each"),
        ("not auc > 1", "it is no comparison"),
        ("auc / 2 > 1", "add, subtract and multiply"),
        ("auc ** 2 > 1", "add, subtract and multiply"),
        ("auc > 9 ** 9 ** 9 ** 9", "add, subtract and multiply"),
        ("auc << 99 > 1", "add, subtract and multiply"),
        ("auc > True", "true and false"),
        ("auc > 1j", "`1j` is no number"),
        ("auc > 1e999", "`inf` is no number"),
        ("auc > None", "`None` is no number"),
        ("auc > ...", "`Ellipsis` is no number"),
        ("auc > b'x'", "no number"),
        ("auc > ''", "a name that can be read"),
        ("auc > x['']", "a name that can be read"),
        ("auc > '\\x07'", "a name that can be read"),
        ("abs(auc) > 1", "nothing is called"),
        ("__import__('os').system('x') > 1", "nothing is called"),
        ("a.b.c > 1", "one dot"),
        ("().__class__ > 1", "one dot"),
        ("auc > x[0]", "neither a metric nor a number"),
        ("auc > x[y]", "neither a metric nor a number"),
        ("auc > x['a':'b']", "neither a metric nor a number"),
        ("auc > [1]", "neither a metric nor a number"),
        ("auc > (lambda: 1)", "neither a metric nor a number"),
        ("auc > (x := 1)", "neither a metric nor a number"),
        ("auc > f'{x}'", "neither a metric nor a number"),
        ("auc > ~1", "neither a metric nor a number"),
        ("auc > (1 if x else 2)", "neither a metric nor a number"),
        ("auc > [x for x in y]", "neither a metric nor a number"),
        ("auc > (await x)", ""),
        ("import os", "it cannot be read"),
        ("1 > 0.5", "it asks for no metric"),
        ("auc > " + "(" * 290 + "1" + ")" * 290, ""),
        ("auc > " + "-" * 280 + "1", None),
        ("auc > " + "9" * (LONGEST - 6), None),
        ("auc > " + "1+" * 400 + "1", "characters"),
    ],
)
def test_what_is_no_gate(text, why):
    if why is None:  # long, and a gate
        assert parse(text).metrics == (Metric("auc"),)
        return
    with pytest.raises(BadGate) as caught:
        parse(text, where="pyproject.toml:7")
    assert why in f"{caught.value.what} {caught.value.why}"
    assert caught.value.where == "pyproject.toml:7"
    assert "auc >= 0.81" in caught.value.fixes[0]


def test_the_metrics_of_a_gate():
    gate = parse("auc >= production.auc - brier * auc")
    assert gate.metrics == (Metric("auc"), Metric("auc", "production"), Metric("brier"))


MANIFEST = """
[outputs.model]
step = "fit"
gates = ["auc >= 0.81", "auc >= pre_prod.auc"]

[outputs.scores]
step = "score"

[channels]
order = ["pre-prod", "production"]
"""


def test_the_gates_of_a_manifest(tmp_path):
    assert gates_of(tmp_path) == {}
    file = tmp_path / "stepwell.toml"
    file.write_text(MANIFEST)
    assert [gate.text for gate in gates_of(tmp_path)["model"]] == ["auc >= 0.81", "auc >= pre_prod.auc"]
    assert set(gates_of(tmp_path)) == {"model"}
    file.write_text(MANIFEST.replace("pre_prod.auc", "prodction.auc").replace("0.81", "abs(x)"))
    with pytest.raises(SeveralProblems) as caught:
        gates_of(tmp_path)
    assert [one.code for one in caught.value.problems] == ["E760", "E760"]
    assert all(one.where.endswith("stepwell.toml:4") for one in caught.value.problems)
    assert caught.value.problems[1].fixes[0] == "did you mean `production`?"


def test_the_gates_of_a_single_file(tmp_path):
    file = tmp_path / "pipeline.py"
    file.write_text(
        "# /// script\n# [tool.stepwell.outputs.model]\n# step = 'fit'\n# gates = ['auc']\n# ///\n"
    )
    with pytest.raises(BadGate) as caught:
        gates_of(tmp_path, file)
    assert caught.value.where.endswith("pipeline.py:4")


NUMBERS = st.decimals(-1000, 1000, places=3)
NAMES = st.sampled_from(["a", "b", "c"])


@st.composite
def terms(draw: st.DrawFn, depth: int = 3) -> tuple[str, Fraction]:
    """The text of a term, and what it comes to with a = 0.1, b = 7, c = -2.5."""
    known = {"a": Fraction("0.1"), "b": Fraction(7), "c": Fraction("-2.5")}
    kind = draw(st.sampled_from(["number", "name", "joined", "minus"] if depth else ["number", "name"]))
    if kind == "number":
        number = draw(NUMBERS)
        return (f"({number})", Fraction(number))
    if kind == "name":
        name = draw(NAMES)
        return name, known[name]
    text, value = draw(terms(depth - 1))
    if kind == "minus":
        return f"(-{text})", -value
    other, second = draw(terms(depth - 1))
    sign = draw(st.sampled_from("+-*"))
    joined = {"+": value + second, "-": value - second, "*": value * second}
    return f"({text} {sign} {other})", joined[sign]


@given(terms(), terms(), st.sampled_from([">=", ">", "<=", "<", "=="]))
def test_any_gate_is_exact(left, right, sign):
    text = f"{left[0]} {sign} {right[0]} + a * 0"
    if len(text) > LONGEST:
        return
    holds = {
        ">=": left[1] >= right[1],
        ">": left[1] > right[1],
        "<=": left[1] <= right[1],
        "<": left[1] < right[1],
    }
    verdict = parse(text).evaluate({"a": 0.1, "b": 7, "c": -2.5}, {})
    assert verdict.passed is holds.get(sign, left[1] == right[1])
    assert ("must be" in verdict.excuse) is not verdict.passed


@given(st.text(max_size=40) | st.text("auc0.1 <>=+-*/()[]'\"_:,%@&|^~", max_size=40))
def test_any_text_is_refused_or_a_gate_that_lets_nothing_unknown_through(text):
    try:
        gate = parse(text)
    except BadGate:
        return
    verdict = gate.evaluate({}, {})
    assert not verdict.passed
    assert verdict.excuse


# --------------------------------------------------------------------------- metrics of a lock


def leaving(step: str, pipeline: str = "main") -> Leaving:
    return Leaving(pipeline=pipeline, step=step, codec="json", size=1, bytes="b3:0")


def locked(metrics: dict[str, float], **outputs: Leaving) -> Lock:
    steps = {name: Step(code="c") for name in ("fit", "score", "fit.deep", "plots")}
    other = Pipeline(metrics={"score.auc": 0.1}, step={"score": Step(code="c")})
    return Lock(pipeline={"main": Pipeline(metrics=metrics, step=steps), "other": other}, output=outputs)


def test_a_metric_is_that_of_the_step_that_gives_the_output_or_of_the_only_one_that_logs_it():
    lock = locked(
        {"fit.loss": 0.3, "score.auc": 0.8, "plots.loss": 9.0}, model=leaving("fit"), table=leaving("plots")
    )
    assert metrics_of(lock, "model") == {
        "loss": 0.3,
        "auc": 0.8,
        "fit.loss": 0.3,
        "score.auc": 0.8,
        "plots.loss": 9.0,
    }
    assert metrics_of(lock, "table")["loss"] == 9.0


def test_metrics_of_steps_that_have_nothing_to_do_with_an_output_are_not_of_it():
    uses = {"clean": (), "fit": ("step.clean",), "score": ("step.fit",), "plots": ("step.clean",)}
    steps = {name: Step(code="c", uses=used) for name, used in uses.items()}
    metrics = {"clean.rows": 7.0, "score.auc": 0.8, "plots.loss": 9.0, "fit.loss": 0.3}
    lock = Lock(
        pipeline={"main": Pipeline(metrics=metrics, step=steps)},
        output={"model": leaving("fit"), "table": leaving("plots")},
    )
    assert concerning(lock, "model") == {
        "rows": 7.0, "auc": 0.8, "loss": 0.3, "clean.rows": 7.0, "score.auc": 0.8, "fit.loss": 0.3
    }  # fmt: skip
    assert concerning(lock, "table") == {"rows": 7.0, "loss": 9.0, "clean.rows": 7.0, "plots.loss": 9.0}
    assert metrics_of(lock, "table")["auc"] == 0.8, "a gate may ask for it"


def test_a_metric_that_several_steps_log_needs_the_name_of_one():
    lock = locked({"fit.auc": 0.9, "score.auc": 0.8}, model=leaving("plots"))
    assert metrics_of(lock, "model") == {"fit.auc": 0.9, "score.auc": 0.8}
    assert parse('"score.auc" >= 0.8').evaluate(metrics_of(lock, "model"), {}).passed
    refused = parse("auc >= 0.8").evaluate(metrics_of(lock, "model"), {})
    assert not refused.passed
    assert refused.excuse == "auc may be several metrics: fit.auc, score.auc; a gate says which, in quotes"


def test_steps_and_metrics_may_have_dots():
    lock = locked({"fit.deep.auc": 0.7, "fit.val.auc": 0.6}, model=leaving("fit.deep"))
    found = metrics_of(lock, "model")
    assert (found["auc"], found["val.auc"]) == (0.7, 0.6)


def test_an_output_has_the_metrics_of_its_own_pipeline():
    lock = locked({"score.auc": 0.8}, model=leaving("score", "other"))
    assert metrics_of(lock, "model") == {"auc": 0.1, "score.auc": 0.1}
    assert metrics_of(lock, "unknown") == {}
    alone = Lock(pipeline={"other": lock.pipeline["other"]})
    assert metrics_of(alone, "unknown")["auc"] == 0.1
