"""The plan: what to do with each step, and reasons that say what really differs."""

from __future__ import annotations

import pytest
from laboratory import Call, Lab, Ref, Src, call, reasons, texts, verbs

from stepwell.kernel.graph import Constant, FromStep, Graph, Node, Pack, StepDef
from stepwell.kernel.identity import LONGEST, token
from stepwell.kernel.plan import Foreseen, Identity, Judge, Known
from stepwell.kernel.ports import Artifact


def steps():
    return {
        "clean": lambda table: [x for x in table if x],
        "train": lambda table, depth=6, **_: (len(table), depth),
        "score": lambda model: model[0] * 10 + model[1],
        "square": lambda i, k=1: i * i * k,
        "total": lambda items: sum(items),
    }


@pytest.fixture
def lab():
    lab = Lab(steps())
    lab.sources = {"flights": [1, 0, 2]}
    return lab


def chain(lab, depth=6, **more):
    """clean -> train -> score"""
    return lab.graph(
        call("clean", table=Src("flights")),
        call("train", table=Ref("clean"), depth=depth, **more),
        call("score", model=Ref("train")),
    )


def fan(lab, count, k=1, first=0):
    """square(i, k) for each i, and the total."""
    ids = [f"square[{i}]" for i in range(first, first + count)]
    calls = [call(id, "square", i=first + i, k=k) for i, id in enumerate(ids)]
    return lab.graph(*calls, call("total", items=[Ref(id) for id in ids]))


# ---------------------------------------------------------------------------- what an edit does


def edit_code(lab):
    lab.edit("clean", "2")


def edit_last(lab):
    lab.edit("score", "2", "helpers.fit")


def edit_source(lab):
    lab.sources["flights"] = [3]


def edit_reader(lab):
    lab.reader = 'csv sep=";"'


def upgrade(lab):
    lab.versions["pandas"] = "3.1"


def edit_variable(lab):
    lab.variables["TZ"] = '"UTC"'


EDITS = [
    (None, {}, "cached cached cached", {"clean": ["cached"]}),
    (edit_code, {}, "run maybe maybe", {"clean": ["code"], "train": ["upstream"], "score": ["upstream"]}),
    (edit_last, {}, "cached cached run", {"score": ["code"]}),
    (edit_source, {}, "run maybe maybe", {"clean": ["input"]}),
    (edit_reader, {}, "run maybe maybe", {"clean": ["input"]}),
    (upgrade, {}, "run run run", {"clean": ["environment"], "train": ["environment", "upstream"]}),
    (edit_variable, {}, "run run run", {"clean": ["environment"]}),
    (None, {"depth": 8}, "cached run maybe", {"train": ["param"], "score": ["upstream"]}),
    (None, {"seed": 1}, "cached run maybe", {"train": ["param"]}),
    (edit_code, {"depth": 8}, "run run maybe", {"clean": ["code"], "train": ["param", "upstream"]}),
]


@pytest.mark.parametrize(("edit", "params", "expected", "kinds"), EDITS)
def test_an_edit_runs_what_it_must(lab, edit, params, expected, kinds):
    lab.run(chain(lab))
    if edit is not None:
        edit(lab)
    plan = lab.plan(chain(lab, **params))
    assert " ".join(verbs(plan).values()) == expected
    for id, wanted in kinds.items():
        assert [kind for kind, *_ in reasons(plan, id)] == wanted
    for decision in plan.decisions:
        assert decision.reasons
        assert (decision.key is None) == (decision.verb == "maybe" or decision.reasons[-1].kind == "upstream")


def test_a_first_plan_runs_everything_and_says_that_it_is_new(lab):
    plan = lab.plan(chain(lab))
    assert set(verbs(plan).values()) == {"run"}
    assert reasons(plan, "clean") == [("new", "", None, None)]
    assert texts(plan, "train") == ["no earlier result", "waits for `clean`"]
    assert plan.counts() == {"run": 3, "cached": 0}


def test_planning_changes_nothing_and_is_repeatable(lab):
    lab.run(chain(lab))
    lab.edit("clean", "2")
    commits = lab.store.commits
    assert lab.plan(chain(lab)).decisions == lab.plan(chain(lab)).decisions
    assert lab.store.commits == commits


# ---------------------------------------------------------------------------- reasons


def test_code_reasons_name_each_definition_that_changed(lab):
    for name in ("helpers.fit", "helpers.gone", "helpers.same"):
        lab.edit("clean", "1", name)
    lab.run(chain(lab))
    lab.edit("clean", "2", "helpers.fit")
    lab.edit("clean", "1", "helpers.new")
    del lab.code["clean"]["helpers.gone"]
    plan = lab.plan(chain(lab))
    assert reasons(plan, "clean") == [
        ("code", "helpers.fit", "1", "2"),
        ("code", "helpers.new", None, "1"),
        ("code", "helpers.gone", "1", None),
    ]
    assert texts(plan, "clean") == [
        "code of `helpers.fit` changed",
        "code of `helpers.new` is new",
        "code of `helpers.gone` is gone",
    ]


def test_where_nobody_knows_what_a_digest_was_made_of_the_reason_says_no_more_than_is_known(lab):
    lab.run(chain(lab))
    lab.edit("clean", "2")
    lab.versions["pandas"] = "3"
    graph = chain(lab)
    known = lab.known(graph)
    lab.store._shared.parts.clear()
    decision = Judge(graph, known).decide(0, [])
    assert [(reason.kind, reason.name, reason.text) for reason in decision.reasons] == [
        ("code", "", "its code changed"),
        ("environment", "", "the environment changed"),
    ]
    assert all(reason.before and reason.after for reason in decision.reasons)


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (6, 8, "`depth` 6 → 8"),
        (6, "6", '`depth` 6 → "6"'),
        ("b3:", "source:", '`depth` "b3:" → "source:"'),
        ([1], {"web3:": 1}, '`depth` [1] → {"web3:":1}'),
        ("a", "b" * 100, "`depth` changed"),
        ("a" * 300, "b" * 300, "`depth` changed"),
    ],
)
def test_param_reasons_carry_both_values(lab, before, after, text):
    lab.run(chain(lab, depth=before))
    plan = lab.plan(chain(lab, depth=after))
    assert reasons(plan, "train") == [("param", "depth", token(before), token(after))]
    assert texts(plan, "train") == [text]


def test_a_parameter_that_comes_or_goes(lab):
    lab.run(chain(lab))
    lab.run(chain(lab, seed=1))
    assert texts(lab.plan(chain(lab, seed=2)), "train") == ["`seed` 1 → 2"]
    other = Lab(steps())
    other.sources = lab.sources
    other.run(chain(other, seed=1))
    assert texts(other.plan(chain(other)), "train") == ["`seed` 1 → unset"]


INPUTS = [
    (Src("flights"), Src("flights"), "input `table` changed: source `flights` changed"),
    (Src("flights"), [1], "input `table` changed"),
    ([1], Src("flights"), "input `table` changed"),
    (Src("flights"), [Src("flights"), 1], "input `table` changed"),
]


@pytest.mark.parametrize(("before", "after", "text"), INPUTS)
def test_input_reasons_say_where_the_difference_comes_from(lab, before, after, text):
    lab.run(lab.graph(call("clean", table=before)))
    lab.sources["flights"] = [5]
    plan = lab.plan(lab.graph(call("clean", table=after)))
    assert [kind for kind, *_ in reasons(plan, "clean")] == ["input"]
    assert texts(plan, "clean") == [text]


def test_a_source_that_is_read_in_another_way_did_not_change(lab):
    lab.run(chain(lab))
    lab.reader = "csv 2"
    assert texts(lab.plan(chain(lab)), "clean") == [
        "input `table` changed: source `flights` is read in another way"
    ]


def test_an_input_that_may_still_turn_out_as_it_was_is_not_called_changed(lab):
    """The plan has a prediction for `clean` that `train` was never run with: that is not yet a change."""
    lab.run(chain(lab))
    lab.sources["flights"] = [4]
    lab.run(lab.graph(call("clean", table=Src("flights"))))
    lab.edit("clean", "2")
    plan = lab.plan(chain(lab))
    assert verbs(plan) == {"clean": "run", "train": "run", "score": "maybe"}
    assert texts(plan, "train") == ["waits for `clean`"]


def test_only_what_is_waited_for_is_named(lab):
    graph = lab.graph(
        call("a", "square", i=1),
        call("b", "square", i=2),
        call("sum", "total", items=[Ref("a"), Ref("b"), Ref("b")]),
    )
    lab.run(graph)
    edited = lab.graph(
        call("a", "square", i=1),
        call("b", "square", i=3),
        call("sum", "total", items=[Ref("a"), Ref("b"), Ref("b")]),
    )
    assert texts(lab.plan(edited), "sum") == ["waits for `b`"]


# ---------------------------------------------------------------------------- what a miss is compared with

NEW_FOR_INPUTS = [("new", "", None, None)]


def test_ids_do_not_matter(lab):
    lab.run(fan(lab, 3))
    renamed = lab.graph(
        call("zero", "square", i=0, k=1), call("one", "square", i=1, k=1), call("two", "square", i=2, k=1),
        call("all", "total", items=[Ref("zero"), Ref("one"), Ref("two")]),
    )  # fmt: skip
    assert set(verbs(lab.plan(renamed)).values()) == {"cached"}


def test_a_call_that_is_inserted_before_others_is_new_and_leaves_them_alone(lab):
    lab.run(
        lab.graph(
            call("one", "square", i=1),
            call("two", "square", i=2),
            call("train", table=[Ref("one"), 1], depth=1),
        )
    )
    plan = lab.plan(
        lab.graph(
            call("square", i=7), call("train", table=[Ref("square"), 1], depth=1),
            call("square[2]", "square", i=1), call("square[3]", "square", i=2),
            call("train[2]", "train", table=[Ref("square[2]"), 1], depth=1),
        )
    )  # fmt: skip
    assert verbs(plan) == {
        "square": "run", "train": "maybe", "square[2]": "cached", "square[3]": "cached", "train[2]": "cached",
    }  # fmt: skip
    assert reasons(plan, "square") == NEW_FOR_INPUTS
    assert texts(plan, "train") == ["waits for `square`"]


@pytest.mark.parametrize("count", [3, 40, 100])
def test_each_of_many_calls_is_compared_with_itself_before_the_edit(lab, count):
    lab.run(fan(lab, count))
    plan = lab.plan(fan(lab, count, k=2))
    for i in range(count):
        assert reasons(plan, f"square[{i}]") == [("param", "k", "1", "2")]
    assert verbs(plan)["total"] == "maybe"
    lab.edit("square", "2")
    plan = lab.plan(fan(lab, count, k=2))
    for i in range(count):
        assert [kind for kind, *_ in reasons(plan, f"square[{i}]")] == ["code", "param"]


def test_a_range_that_moves_runs_only_what_is_new(lab):
    lab.run(fan(lab, 3))
    plan = lab.plan(fan(lab, 3, first=1))
    assert list(verbs(plan).values()) == ["cached", "cached", "run", "run"]
    assert reasons(plan, "square[3]") == [("param", "i", "0", "3")]
    plan = lab.plan(fan(lab, 5))
    assert list(verbs(plan).values()) == ["cached"] * 3 + ["run"] * 2 + ["maybe"]
    assert reasons(plan, "square[4]") == NEW_FOR_INPUTS


def test_a_new_item_is_not_compared_with_what_another_gave_before_an_edit(lab):
    """Each of the other calls has results of the code before, too; they are those of that call all the same."""
    lab.run(fan(lab, 4))
    lab.edit("square", "2")
    lab.run(fan(lab, 4))
    plan = lab.plan(fan(lab, 5))
    assert texts(plan, "square[4]") == ["no earlier result for these inputs"]


def test_calls_of_another_shape_are_not_compared(lab):
    lab.run(lab.graph(call("square", i=1)))
    assert reasons(lab.plan(lab.graph(call("square", k=1))), "square") == NEW_FOR_INPUTS


def test_a_step_behind_a_new_one_waits_and_what_follows_may_be_cached(lab):
    lab.run(chain(lab))
    lab.steps["dedupe"] = lambda table: table
    longer = lab.graph(
        call("clean", table=Src("flights")), call("dedupe", table=Ref("clean")),
        call("train", table=Ref("dedupe"), depth=6), call("score", model=Ref("train")),
    )  # fmt: skip
    plan = lab.plan(longer)
    assert verbs(plan) == {"clean": "cached", "dedupe": "run", "train": "maybe", "score": "maybe"}
    assert texts(plan, "train") == ["waits for `dedupe`"]
    outcome = lab.run(plan)
    assert outcome.verbs == {"clean": "cached", "dedupe": "run", "train": "cached", "score": "cached"}


def test_the_newest_result_of_a_call_is_the_one_it_is_compared_with(lab):
    for version in "123":
        lab.edit("clean", version)
        lab.run(chain(lab))
    lab.edit("clean", "4")
    assert reasons(lab.plan(chain(lab)), "clean") == [("code", "m.clean", "3", "4")]
    lab.edit("clean", "2")
    assert set(verbs(lab.plan(chain(lab))).values()) == {"cached"}


# ---------------------------------------------------------------------------- lost, forced, left out, twice


def test_a_lost_result_runs_again_and_what_follows_may_be_cached(lab):
    lab.lose(lab.run(chain(lab)), "clean")
    plan = lab.plan(chain(lab))
    assert list(verbs(plan).values()) == ["run", "maybe", "maybe"]
    ((kind, _, before, _),) = reasons(plan, "clean")
    assert (kind, before) == ("missing", plan.decisions[0].key)
    assert "is gone" in texts(plan, "clean")[0]


def test_a_lost_result_behind_something_that_runs_is_not_maybe(lab):
    lab.lose(lab.run(chain(lab)), "train")
    lab.edit("clean", "2")
    plan = lab.plan(chain(lab))
    assert list(verbs(plan).values()) == ["run", "run", "maybe"]
    assert [kind for kind, *_ in reasons(plan, "train")] == ["missing", "upstream"]


def test_a_result_without_an_output_that_is_declared_now_is_missing(lab):
    lab.steps["pair"] = lambda: (1, 2)
    lab.outputs["pair"] = ("0", "1")
    first = lab.graph(call("pair"), call("square", i=Ref("pair", "0")))
    lab.run(first)
    assert set(verbs(lab.plan(first)).values()) == {"cached"}
    lab.steps["pair"] = lambda: (1, 2, 3)
    lab.outputs["pair"] = ("0", "1", "2")
    plan = lab.plan(lab.graph(call("pair"), call("square", i=Ref("pair", "2"))))
    assert list(verbs(plan).values()) == ["run", "maybe"]
    assert [kind for kind, *_ in reasons(plan, "pair")] == ["missing"]
    assert lab.run(plan).values["square"] == 9


def test_what_is_forced_runs_and_what_follows_may_be_cached(lab):
    assert reasons(lab.plan(chain(lab), force=["train"]), "train")[0] == ("forced", "", None, None)
    lab.run(chain(lab))
    plan = lab.plan(chain(lab), force=["train"])
    assert list(verbs(plan).values()) == ["cached", "run", "maybe"]
    assert reasons(plan, "train") == [("forced", "", None, None)]
    both = lab.plan(chain(lab), force=["clean", "train"])
    assert [kind for kind, *_ in reasons(both, "train")] == ["forced", "upstream"]


def test_only_what_is_needed_for_the_targets_is_planned(lab):
    graph = lab.graph(
        call("clean", table=Src("flights")), call("backup", "square", i=1), call("train", table=Ref("clean"), after=["backup"]),
        call("other", "square", i=2), call("score", model=Ref("train")),
    )  # fmt: skip
    plan = lab.plan(graph, only=["train"])
    assert verbs(plan) == {"clean": "run", "backup": "run", "train": "run", "other": "skip", "score": "skip"}
    assert texts(plan, "other") == ["nothing that was asked for needs it"]
    assert plan.counts() == {"run": 3, "cached": 0, "skip": 2}
    packed = lab.graph(
        call("square", i=1), call("total", items=[Ref("square"), 2]), call("square[2]", "square", i=5)
    )
    assert list(verbs(lab.plan(packed, only=["total"])).values()) == ["run", "run", "skip"]


def test_the_same_call_is_planned_once(lab):
    twice = lab.graph(
        call("a", "square", i=1), call("b", "square", i=1), call("sum", "total", items=[Ref("a"), Ref("b")])
    )
    plan = lab.plan(twice)
    assert verbs(plan) == {"a": "run", "b": "cached", "sum": "run"}
    assert reasons(plan, "b") == [("same", "a", None, None)]
    assert texts(plan, "b") == ["the same call as `a`"]
    assert texts(plan, "sum") == ["no earlier result", "waits for `a`, `b`"]


def test_an_order_alone_makes_nothing_uncertain(lab):
    before = lab.graph(call("square", i=1), call("train", table=[1]))
    lab.run(before)
    after = lab.graph(call("square", i=2), call("train", table=[1], after=["square"]))
    assert verbs(lab.plan(after)) == {"square": "run", "train": "cached"}


@pytest.mark.parametrize(("verb", "text"), [("blocked", "`a` has no result"), ("skip", "`a` was left out")])
@pytest.mark.parametrize("way", [{"x": Ref("a")}, {"x": [Ref("a"), Ref("a"), 1]}, {}])
def test_what_stands_behind_something_without_a_result_is_blocked(lab, verb, text, way):
    graph = lab.graph(call("a", "square", i=1), Call("b", "total", way, ("a",)))
    decision = Judge(graph, lab.known(graph)).decide(1, [Foreseen(None, False, verb)])
    assert decision.verb == "blocked"
    assert [(r.kind, r.text, r.name) for r in decision.reasons] == [("upstream", text, "a")]


# ---------------------------------------------------------------------------- tokens of inputs

A, B = "plain:b3:" + "a" * 64, "arrow:b3:" + "b" * 64


def given(codec, letter, name="result"):
    return Foreseen((Artifact(name, codec, "b3:" + letter * 64, 1),), True, "cached")


TOKENS = [
    (FromStep(0), A),
    (FromStep(1, "left"), B),
    (FromStep(0, "result", (0, "k")), A + "[0, 'k']"),
    (Constant(1, "1"), "1"),
    (Pack("list", (FromStep(0), Constant(1, "1"))), f"list({A},1)"),
    (Pack("tuple", (FromStep(0), Pack("list", (Constant(1, "1"),)))), f"tuple({A},list(1))"),
    (Pack("dict", (Constant(1, "1"), FromStep(0)), ('"a"', "2")), f'dict("a":1,2:{A})'),
    (Pack("record", (FromStep(0),), ("x",), (), "m:P"), f"m:P(x:{A})"),
    (Pack("record", (FromStep(0),), (), (), "m:P"), f"m:P({A})"),
]


@pytest.mark.parametrize(("binding", "expected"), TOKENS)
def test_tokens_of_inputs(lab, binding, expected):
    step = StepDef("f", "m", "f")
    nodes = (Node("a", 0), Node("b", 0), Node("c", 0, (("x", binding),)))
    graph = Graph("p", steps=(step,), nodes=nodes, result=FromStep(2))
    known = Known([Identity("c", "e", {}, {})], [], lab.store)
    decision = Judge(graph, known).decide(2, [given("plain", "a"), given("arrow", "b", "left")])
    assert decision.inputs == (("x", expected),)


def test_the_token_of_many_parts_is_short_and_counts_each_part_in_its_place(lab):
    many = [call(f"s{i}", "square", i=i) for i in range(50)]
    for items in ([Ref(f"s{i}") for i in range(50)], [Ref(f"s{i}") for i in [1, 0, *range(2, 50)]]):
        plan = lab.plan(lab.graph(*many, call("total", items=items)))
        assert lab.run(plan).verbs["total"] == "run"
    result = lab.store.recent("m:total")[0]
    ((name, text),) = result.inputs
    assert name == "items"
    assert text.startswith("list{#")
    assert len(text) < LONGEST
    plan = lab.plan(lab.graph(*many, call("total", items=[Ref(f"s{i}") for i in range(49)])))
    assert texts(plan, "total") == ["input `items` changed"]


# ---------------------------------------------------------------------------- words, and what is open


def test_what_of_the_environment_comes_or_goes_is_said(lab):
    lab.versions = {"python": "3.11", "numpy": "1.0"}
    lab.variables = {"TZ": '"UTC"'}
    lab.run(chain(lab))
    lab.versions = {"python": "3.11", "pandas": "2.0"}
    lab.variables = {"LANG": '"C"'}
    plan = lab.plan(chain(lab))
    assert texts(plan, "clean") == [
        "pandas absent → 2.0",
        "numpy 1.0 → absent",
        '$LANG unset → "C"',
        '$TZ "UTC" → unset',
    ]
    assert reasons(plan, "clean")[2:] == [
        ("environment", "$LANG", None, '"C"'), ("environment", "$TZ", '"UTC"', None),
    ]  # fmt: skip


def test_an_input_that_comes_or_goes_is_said(lab):
    lab.run(lab.graph(call("clean", table=Src("flights"))))
    lab.sources["more"] = [4]
    lab.steps["clean"] = lambda table, other=(): [*table, *other]
    both = lab.graph(call("clean", table=Src("flights"), other=Src("more")))
    plan = lab.plan(both)
    assert texts(plan, "clean") == ["input `other` is new"]
    lab.run(plan)
    lab.edit("clean", "2")
    one = lab.plan(lab.graph(call("clean", table=Src("flights"))))
    assert texts(one, "clean") == ["code of `m.clean` changed"]


def test_while_an_input_is_not_even_foreseen_there_is_no_key_and_no_site(lab):
    plan = lab.plan(chain(lab))
    train = plan.decisions[1]
    assert (train.verb, train.key, train.site, train.inputs) == (
        "run", None, "", (("depth", "6"), ("table", "")),
    )  # fmt: skip
    assert plan.decisions[0].site


@pytest.mark.parametrize(
    ("count", "text"),
    [(3, "`s0`, `s1`, `s2`"), (4, "`s0`, `s1`, `s2`, `s3`"), (5, "`s0`, `s1`, `s2` and 2 more")],
)
def test_of_many_that_are_waited_for_three_are_named(lab, count, text):
    ids = [f"s{i}" for i in range(count)]
    graph = lab.graph(
        *[call(id, "square", i=i) for i, id in enumerate(ids)], call("total", items=[Ref(id) for id in ids])
    )
    assert texts(lab.plan(graph), "total")[-1] == f"waits for {text}"


def test_what_stands_behind_a_twin_is_foreseen_like_what_stands_behind_the_other(lab):
    lab.options["square"] = {"ignore": ("note",)}
    lab.steps["square"] = lambda i, note: i * i
    calls = [
        call("a", "square", i=3, note=1),
        call("b", "square", i=3, note=2),
        call("total", items=[Ref("b")]),
    ]
    graph = lab.graph(*calls)
    first = lab.plan(graph)
    assert verbs(first) == {"a": "run", "b": "cached", "total": "run"}
    assert lab.run(first).ran == ["a", "total"]
    again = lab.plan(graph, force=["a"])
    assert verbs(again) == {"a": "run", "b": "cached", "total": "cached"}
    lab.edit("square", "2")
    plan = lab.plan(lab.graph(*calls))
    assert verbs(plan) == {"a": "run", "b": "cached", "total": "maybe"}
    assert reasons(plan, "b") == [("same", "a", None, None)]
    assert lab.run(plan).ran == ["a"]


def test_a_call_is_no_twin_of_one_that_takes_another_part(lab):
    lab.steps.update(pair=lambda n: {"x": n, "y": n + 1}, square=lambda i: i)
    graph = lab.graph(
        call("pair", n=1), call("one", "square", i=Ref("pair", path=("x",))),
        call("two", "square", i=Ref("pair", path=("y",))), call("three", "square", i=[Ref("pair", path=("y",))]),
        call("four", "square", i=[Ref("pair", path=("y",))]),
    )  # fmt: skip
    assert list(verbs(lab.plan(graph)).values()) == ["run", "run", "run", "run", "cached"]


def test_a_lost_result_says_how_it_was_lost_also_if_other_outputs_are_declared(lab):
    outcome = lab.run(chain(lab))
    lab.lose(outcome, "clean")
    lab.outputs["clean"] = ("left", "right")
    (text,) = texts(lab.plan(lab.graph(call("clean", table=Src("flights")))), "clean")
    assert "declares other outputs" not in text


def test_what_agrees_in_more_inputs_is_compared_with(lab):
    lab.steps["mix"] = lambda a, b, c: a + b + c
    for a, b, c in ((1, 2, 3), (1, 9, 9), (8, 9, 9)):
        lab.run(lab.graph(call("mix", a=a, b=b, c=c)))
    lab.edit("mix", "2")
    plan = lab.plan(lab.graph(call("mix", a=1, b=2, c=4)))
    assert [name for kind, name, *_ in reasons(plan, "mix") if kind == "param"] == ["c"]


# ---------------------------------------------------------------------------- which result of a key counts


def seen_twice(lab):
    """Two results of one key, seen to rest on different contents of a file; the second is the newest."""
    lab.reads["clean"] = ["file extra.csv"]
    outcomes = []
    for content in ("b3:1", "b3:2"):
        lab.world["file extra.csv"] = content
        lab.steps["clean"] = lambda table, content=content: [content]
        outcomes.append(lab.run(lab.graph(call("clean", table=Src("flights")))))
    return outcomes


def test_an_older_result_whose_observed_things_are_back_counts_only_if_it_is_not_lost(lab):
    first, _ = seen_twice(lab)
    lab.world["file extra.csv"] = "b3:1"
    graph = lab.graph(call("clean", table=Src("flights")))
    plan = lab.plan(graph)
    assert verbs(plan) == {"clean": "cached"}
    assert plan.decisions[0].result == first.results["clean"]
    lab.lose(first, "clean")
    assert [kind for kind, *_ in reasons(lab.plan(graph), "clean")] == ["observed"]


def test_an_older_result_with_other_outputs_does_not_count(lab):
    seen_twice(lab)
    lab.world["file extra.csv"] = "b3:1"
    lab.outputs["clean"] = ("left", "right")
    assert verbs(lab.plan(lab.graph(call("clean", table=Src("flights")), result="clean"))) == {"clean": "run"}


def test_a_lost_result_is_missing_whatever_it_was_seen_to_rest_on(lab):
    _, second = seen_twice(lab)
    lab.lose(second, "clean")
    graph = lab.graph(call("clean", table=Src("flights")))
    assert [kind for kind, *_ in reasons(lab.plan(graph), "clean")] == ["missing"]
    lab.world["file extra.csv"] = "b3:3"
    assert [kind for kind, *_ in reasons(lab.plan(graph), "clean")] == ["missing"]


def test_of_what_was_observed_only_what_moved_is_named(lab):
    lab.reads["clean"] = ["file a", "file b", "ran bwa", "file c"]
    lab.world.update({"file a": "b3:1", "file b": "b3:1", "ran bwa": "", "file c": "b3:1"})
    lab.run(chain(lab))
    lab.world.update({"file b": "b3:2", "ran bwa": "b3:2", "file c": "b3:2"})
    assert [name for _, name, *_ in reasons(lab.plan(chain(lab)), "clean")] == ["b", "c"]


def test_without_a_world_what_was_observed_is_taken_to_be_as_it_was(lab):
    lab.reads["clean"] = ["file a"]
    lab.world["file a"] = "b3:1"
    lab.run(chain(lab))
    lab.world["file a"] = "b3:2"
    graph = chain(lab)
    assert Judge(graph, lab.known(graph)._replace(world=None)).decide(0, []).verb == "cached"
    assert Judge(graph, lab.known(graph)).decide(0, []).verb == "run"


def test_what_is_forced_is_not_asked_whether_it_counts(lab):
    asked = []
    lab.options["clean"] = {"done": "m:test"}
    lab.tests["clean"] = lambda id: asked.append(id) or True
    lab.run(chain(lab))
    asked.clear()
    plan = lab.plan(chain(lab), force=["clean"])
    assert (verbs(plan)["clean"], asked) == ("run", [])
    assert [kind for kind, *_ in reasons(plan, "clean")] == ["forced"]


def test_an_own_test_has_the_last_word_on_age_and_on_what_was_observed(lab):
    lab.options["clean"] = {"done": "m:test", "ttl": 60.0}
    lab.tests["clean"] = lambda id: True
    lab.reads["clean"] = ["file a"]
    lab.world["file a"] = "b3:1"
    lab.run(chain(lab))
    lab.clock.advance(100)
    plan = lab.plan(chain(lab))
    assert (verbs(plan)["clean"], reasons(plan, "clean")[0][0]) == ("cached", "done")
    lab.world["file a"] = "b3:2"
    plan = lab.plan(chain(lab))
    assert (verbs(plan)["clean"], reasons(plan, "clean")[0][0]) == ("cached", "done")
    lab.tests["clean"] = lambda id: False
    assert [kind for kind, *_ in reasons(lab.plan(chain(lab)), "clean")] == ["done", "observed"]
    lab.world["file a"] = "b3:1"
    assert [kind for kind, *_ in reasons(lab.plan(chain(lab)), "clean")] == ["done", "expired"]


def test_an_own_test_that_holds_for_what_is_up_to_date_is_no_reason(lab):
    lab.options["clean"] = {"done": "m:test"}
    lab.tests["clean"] = lambda id: True
    lab.run(chain(lab))
    assert reasons(lab.plan(chain(lab)), "clean")[0][0] == "cached"


def test_an_own_test_that_does_not_hold_leaves_a_lost_result_missing(lab):
    lab.options["clean"] = {"done": "m:test"}
    lab.tests["clean"] = lambda id: False
    outcome = lab.run(chain(lab))
    lab.lose(outcome, "clean")
    assert [kind for kind, *_ in reasons(lab.plan(chain(lab)), "clean")] == ["missing"]
    lab.tests["clean"] = lambda id: True  # it cannot bring back what is lost
    assert verbs(lab.plan(chain(lab)))["clean"] == "run"


def test_a_step_without_a_result_has_no_age(lab):
    lab.options["clean"] = {"ttl": 60.0, "cache": False}
    assert [kind for kind, *_ in reasons(lab.plan(chain(lab)), "clean")] == ["new"]


def test_an_older_result_with_outputs_that_are_not_declared_now_does_not_count(lab):
    lab.reads["clean"] = ["file extra.csv"]
    lab.world["file extra.csv"] = "b3:1"
    lab.run(lab.graph(call("clean", table=Src("flights"))))
    lab.world["file extra.csv"] = "b3:2"
    lab.outputs["clean"] = ("left", "right")
    lab.steps["clean"] = lambda table: (table, table)
    graph = lab.graph(call("clean", table=Src("flights")))
    lab.run(graph)
    lab.world["file extra.csv"] = "b3:1"
    assert [kind for kind, *_ in reasons(lab.plan(graph), "clean")] == ["observed"]


def test_calls_that_wait_for_the_same_are_no_twins_where_something_certain_differs(lab):
    lab.steps["join"] = lambda a, b: [*a, b]
    calls = [call("s1", "square", i=1), call("s2", "square", i=2), call("clean", table=Src("flights"))]
    lab.run(lab.graph(*calls))
    lab.edit("clean", "2")
    lab.steps["clean"] = lambda table: [7]
    join = [
        call("one", "join", a=Ref("clean"), b=Ref("s1")),
        call("two", "join", a=Ref("clean"), b=Ref("s2")),
    ]
    plan = lab.plan(lab.graph(*calls, *join))
    assert verbs(plan) == {"s1": "cached", "s2": "cached", "clean": "run", "one": "run", "two": "run"}
    assert lab.run(plan).values["two"] == [7, 4]


def test_what_nothing_needs_is_said_to_be_unwanted(lab):
    plan = lab.plan(chain(lab), only=["clean"])
    assert [kind for kind, *_ in reasons(plan, "score")] == ["unwanted"]


@pytest.mark.parametrize(("length", "shown"), [(58, True), (59, False)])
def test_long_values_are_not_shown(lab, length, shown):
    def graph(depth):
        return lab.graph(call("clean", table=Src("flights")), call("train", table=Ref("clean"), depth=depth))

    lab.run(graph("a" * length))
    (text,) = texts(lab.plan(graph("b" * length)), "train")
    assert text == (f'`depth` "{"a" * length}" → "{"b" * length}"' if shown else "`depth` changed")


def test_a_lost_result_is_compared_with_itself_also_where_there_is_a_newer_one_for_these_inputs(lab):
    outcome = lab.run(chain(lab))
    lab.edit("clean", "2")
    lab.steps["clean"] = lambda table: [9]
    lab.run(chain(lab))
    lab.edit("clean", "1")
    lab.lose(outcome, "clean")
    plan = lab.plan(chain(lab))
    assert plan.decisions[0].result.key == outcome.results["clean"].key
    assert [kind for kind, *_ in reasons(plan, "clean")] == ["missing"]


def test_a_result_that_takes_the_place_of_a_constant_did_not_give_something_else(lab):
    lab.run(lab.graph(call("total", items=[1, 2])))
    lab.run(lab.graph(call("clean", table=Src("flights"))))
    plan = lab.plan(lab.graph(call("clean", table=Src("flights")), call("total", items=Ref("clean"))))
    assert texts(plan, "total") == ["input `items` changed"]
    assert reasons(plan, "total")[0][2] == "[1,2]"


@pytest.mark.parametrize(
    ("what", "was", "now", "text"),
    [
        ("file c.json", "b3:1", "b3:2", "`c.json`, which it read, changed"),
        ("file c.json", "b3:1", None, "`c.json`, which it read, changed"),
        ("file c.json", None, "b3:2", "`c.json`, which it read, changed"),
        ("all data", "n:1", "n:2", "`data`, which it listed, holds other files now"),
        ("list data", "n:1", "absent", "`data`, which it read, is gone"),
    ],
)
def test_what_was_read_while_modules_were_imported_is_named_as_observed(lab, what, was, now, text):
    for_run, for_plan = ({what: token} if token else {} for token in (was, now))
    lab.variables = for_run
    lab.run(chain(lab))
    lab.variables = for_plan
    plan = lab.plan(chain(lab))
    assert texts(plan, "clean") == [text]
    name = what.partition(" ")[2]
    assert reasons(plan, "clean") == [("observed", name, was or "", now or "")]


@pytest.mark.parametrize(
    ("was", "now", "expected"),
    [
        ({"version": "1"}, {"version": "2"}, [("version 1 → 2", "version", "1", "2")]),
        ({"m.clean": "1"}, {"version": "2"}, [("version (none) → 2", "version", None, "2")]),
        ({"version": "1"}, {"m.clean": "1"}, [("version 1 → (none)", "version", "1", None)]),
    ],
)
def test_a_version_stands_for_the_code(lab, was, now, expected):
    lab.code["clean"] = was
    lab.run(chain(lab))
    lab.code["clean"] = now
    (decision, *_) = lab.plan(chain(lab)).decisions
    assert [(r.text, r.name, r.before, r.after) for r in decision.reasons] == expected
