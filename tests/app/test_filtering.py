"""Conditions on runs: what they mean, where they are wrong, and in what order runs are put."""

import datetime as dt
import random
from typing import Any, NamedTuple

import pytest

from stepwell.app.filtering import (
    COLUMNS,
    Filter,
    Name,
    Order,
    as_order,
    has,
    ordered,
    span_of,
    unknown_field,
)
from stepwell.errors import AmbiguousMetric, BadFilter
from stepwell.stores.metrics import gathered

NAN = float("nan")


class Run(NamedTuple):
    run: str = "r12"
    pipeline: str = "delays"
    status: str = "succeeded"
    started: float = dt.datetime(2026, 11, 21, 14, 30).timestamp()
    seconds: float | None = 2.5
    params: Any = {"depth": 6, "lr": 0.1, "model": "trees", "deep": True, "opt": {"lr": 3, "name": "sgd"}, "none": None}  # fmt: skip
    metrics: Any = {"auc": 0.81, "loss": NAN, "train/loss": 2.0, "score.f1": 0.5, "depth": 99.0}
    commit: str = "9f3c1e2aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    dirty: bool = False
    group: str = "g3"
    tags: tuple[str, ...] = ("baseline", "dataset=v2")


@pytest.mark.parametrize(
    "text",
    [
        "depth > 4 and auc > 0.8", "depth = 6", "depth == 6.0", "4 < depth <= 6 < 7", "depth in [4, 6]",
        "depth in (4, 6,)", "depth not in [1]", "not depth == 4", "not not depth", "deep", "deep == true", "deep != 1",
        "depth != 'six'", "(depth > 4 or nothing > 1) and not dirty", "model == 'trees'", "'ree' in model",
        'model in ["linear", "trees"]', "`train/loss` >= 2", "score.f1 == .5", "metrics.auc > 8e-1",
        "params.depth < metrics.depth", "metrics.depth > 50", "opt.lr == 3", "params.opt.name = 'sgd'",
        "nothing == none", "auc != none", "none == null", "loss == nan", "auc != nan", "-1 < lr", "lr > -1_000",
        "status == succeeded", "status in [failed, succeeded]", "status != 'failed'", "run == r12", "run >= 10", "run in [r3, 12]",
        "group == g3", "pipeline == delays", "group == 3", "group in [g1, g3]", "tag == baseline or tag == 'baseline'", "'dataset=v2' in tag", "tag != 'x'",
        "tag in ['x', 'baseline']", "commit == '9f3c'", "commit in ['aa', '9F3C']", "commit != 'aa'", "seconds < 3", "pipeline <> 'other'",
        "started == '2026-11-21'", "started >= '2026-11-21'", "started <= '2026-11-21'", "'2026-11-20' < started", "started != '2026-11-20'",
        "started > '2026-11-21 14:29' and started < '2026-11-21T14:31'", "started == '2026-11-21 14:30'",
        "started in ['2026-11-20', '2026-11-21']", "DEPTH == 6 or Depth == 6 or depth == 6", "depth>4 AND auc>.8",
    ],
)  # fmt: skip
def test_what_holds(text):
    assert Filter.parse(text).matches(Run())


@pytest.mark.parametrize(
    "text",
    [
        "depth > 6", "depth == '6'", "depth > 'a'", "depth == true", "deep == 1", "nothing > 1", "nothing != 1", "nothing == nothing",
        "loss > 0", "loss <= 0", "loss != 1", "loss == loss", "loss", "none != none", "auc == none", "auc == nan", "status == failed",
        "run == r1", "tag == 'base'", "tag != 'baseline'", "commit == 'aa'", "started < '2026-11-21'", "started > '2026-11-21'",
        "dirty", "opt > 1", "opt.lr.deeper == 1", "depth in []", "depth in [nan, none]", "none == 1", "started in []", "model > 4",
    ],
)  # fmt: skip
def test_what_does_not_hold(text):
    assert not Filter.parse(text).matches(Run())


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", None), ("depth >", None), ("depth >> 4", 8), ("depth > 4 auc", 11), ("(depth > 4", None), ("depth > 4)", 10),
        ("and depth", 1), ("depth in [4 6]", 13), ("depth in [lr]", 11), ("depth $ 4", 7), ("model == 'trees", 10),
        ("`train/loss > 2", 1), ("4x > 2", 1), ("depth > -'a'", 9), ("status == failled", 11), ("status == 'done'", 11),
        ("started > '2026-13-01'", 11), ("started > 'soon'", 11), ("f(1)", 2), ("depth[0] > 1", 6), ("a.b.(c)", 4), ("1 +", None),
        ("x" * 3000, None), ("(" * 1000, 41), ("not", None), ("depth = = 4", 9), ("__import__('os')", 11),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(text, place):
    with pytest.raises(BadFilter) as caught:
        Filter.parse(text)
    error = caught.value
    assert error.code == "E541"
    assert error.fixes or "most" in error.what
    if place is not None:
        assert f"at character {place} of" in error.why, error.why


def test_nothing_that_anybody_types_is_an_exception():
    pieces = ["depth", "auc", "and", "or", "not", "in", "(", ")", "[", "]", ",", "<", "==", "!=", "=", "4", ".5", "-1", "'a'",
              '"b"', "`c d`", "none", "nan", "true", "status", "started", "run", "tag", "é", "'", "`", "$"]  # fmt: skip
    chance = random.Random(7)
    read = 0
    for _ in range(3000):
        text = " ".join(chance.choices(pieces, k=chance.randint(1, 9)))
        try:
            condition = Filter.parse(text)
        except BadFilter:
            continue
        read += 1
        assert condition.matches(Run()) in (True, False)
        assert condition.matches(Run(params={}, metrics={}, tags=(), seconds=None, group="", commit="")) in (True, False)  # fmt: skip
    assert read > 50


def test_a_bare_name_of_several_metrics_is_refused_where_the_answer_hangs_on_it():
    several = Run(
        run="r7", metrics=gathered([("score", [("auc", 0.9), ("f1", 0.5)]), ("check", [("auc", 0.7)])])
    )
    for text in (
        "auc > 0.5",
        "not auc > 0.5",
        "auc == none",
        "auc > 0.5 and depth == 6",
        "depth == 4 or auc > 0.5",
        "metrics.auc > 0.5",
    ):
        with pytest.raises(AmbiguousMetric, match=r"of r7: score\.auc, check\.auc\n"):
            Filter.parse(text).matches(several)
    for text in (
        "auc > 0.5 or depth == 6",
        "depth == 6 or auc > 0.5",
        "score.auc > 0.8",
        "check.auc < 0.8",
        "score.f1 == f1",
        "`score.auc` > 0.8",
    ):
        assert Filter.parse(text).matches(several)
    for text in ("auc > 0.5 and depth == 4", "depth == 4 and auc > 0.5", "other.auc > 0"):
        assert not Filter.parse(text).matches(several)
    assert (has(several, "auc"), has(several, "score.auc"), has(several, "aux")) == (True, True, False)
    with pytest.raises(AmbiguousMetric):
        ordered([several], Order.parse("auc"))
    assert ordered(
        [several, Run(metrics={}), Run(metrics={"auc": NAN})], Order.parse("score.auc"), numbers=True
    ) == [several]


def test_infinity_and_nan_are_numbers_and_names_of_metrics_in_backticks():
    for text in ("inf > 1", "1 < inf", "nan == 1", "-inf < 3", "inf in [1]"):
        with pytest.raises(BadFilter, match="stands in backticks"):
            Filter.parse(text)
    assert Filter.parse("auc < inf").matches(Run())
    assert Filter.parse("`inf` > 1 and metrics.inf > 1").matches(Run(metrics={"inf": 2.0}))


def test_names_that_are_asked_for():
    found = Filter.parse(
        "depth > 4 and (auc > 0.8 or status == failed) and `a b` in ['x'] and params.lr > 0 and depth"
    )
    assert found.names == (
        Name("depth", 0),
        Name("auc", 15),
        Name("status", 28),
        Name("a b", 50),
        Name("params.lr", 69),
    )
    assert found.metrics() == ["depth", "auc", "a b"]
    error = unknown_field(Name("auk", 3), ["auc", "loss"], "1 < auk")
    assert (error.code, error.fixes[0]) == ("E542", "did you mean `auc`?")
    assert unknown_field(Name("tick"), ["`tick`"]).fixes[0] == "did you mean ```tick```?"
    assert Filter.parse("```tick``` > 1 and `a``b` < 2").names == (Name("`tick`", 0), Name("a`b", 19))
    unquoted = unknown_field(Name("tree", 9), ["model"], "model == tree and a > 1")
    assert unquoted.fixes[0] == 'a text stands in quotes: model == "tree" and a > 1'
    left = unknown_field(Name("tree", 0), ["model"], 'tree == "x"')
    assert not any("quotes" in one for one in left.fixes), "what is compared is a name"
    dashed = unknown_field(Name("n"), ["-n"], option=("--sort", "-n"))
    assert (dashed.what[:11], dashed.fixes) == ("`--sort -n`", ("did you mean --sort '`-n`' ?",))
    assert unknown_field(Name("auk"), ["auc"], option=("--sort", "auk")).fixes == ("did you mean `auc`?",)
    assert unknown_field(Name("zzz"), []).fixes == (f"there are: {', '.join(COLUMNS)}",)


def test_orders_keep_equals_and_put_what_is_missing_last():
    runs = [Run(run=f"r{i}", metrics={} if value is None else {"auc": value}) for i, value in enumerate([0.5, None, NAN, 0.9, 0.5, -1])]  # fmt: skip
    assert [run.run for run in ordered(runs, Order.parse("auc"))] == ["r5", "r0", "r4", "r3", "r1", "r2"]
    assert [run.run for run in ordered(runs, Order.parse("-auc"))] == ["r3", "r0", "r4", "r5", "r1", "r2"]
    mixed = [Run(run=f"r{i}", params={"x": value}) for i, value in enumerate(["b", 2, "a", [1], 1, None])]
    assert [run.run for run in ordered(mixed, Order.parse("params.x"))] == [
        "r4",
        "r1",
        "r2",
        "r0",
        "r3",
        "r5",
    ]
    assert Order.parse("-`train/loss`") == ("train/loss", True)
    for name in ("auc", "`tick`", "a`b", "``", "-auc", "- `", "`"):
        assert Order.parse(as_order(name)) == (name, False)
        assert Order.parse(f"-{as_order(name)}") == (name, True)
    with pytest.raises(BadFilter):
        Order.parse(" - ")


def test_times_in_words():
    now = dt.datetime(2026, 11, 21, 14, 30).astimezone()
    assert span_of("today", now) == span_of("2026-11-21")
    assert span_of("yesterday", now) == span_of("2026-11-20")
    assert span_of("2 days ago", now).first == span_of("48h", now).first == now.timestamp() - 2 * 86400
    assert span_of("2026-11-21 14:30").last - span_of("2026-11-21 14:30").first == 60
    assert (
        span_of("2026-11-21T14:30:05+00:00").first
        == dt.datetime(2026, 11, 21, 14, 30, 5, tzinfo=dt.UTC).timestamp()
    )
    for text in ("", "5 months", "99999999999 days", "2026", "9999-12-31"):
        with pytest.raises(ValueError, match="is no date"):
            span_of(text, now)
