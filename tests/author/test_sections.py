"""Pipelines put together of others: `|`, `>>`, `endpoint`, `.replace`, and what is told where that does not fit."""

from __future__ import annotations

from typing import Any

import pytest

from stepwell.app.selecting import Choice, chosen
from stepwell.author.params import from_call
from stepwell.author.project import find, load
from stepwell.author.trace import trace
from stepwell.errors import (
    BadReplacement,
    BadSection,
    EdgeType,
    EndpointTwice,
    MissingParameter,
    NothingFits,
    NothingReplaced,
    NothingSelected,
    ParameterClash,
    PipelineCycle,
    SameSection,
    SeveralFit,
    StepwellError,
)
from stepwell.kernel.graph import Constant, FromStep, dependencies

STEPS = """
    from stepwell import endpoint

    class Split(NamedTuple):
        fit: list[int]
        held_out: list[int]

    Model = bytes

    @step
    def load(n: int) -> list[int]:
        return list(range(n))

    @step
    def split(rows: list[int]) -> Split:
        return Split(rows[::2], rows[1::2])

    @step(tags=["slow"])
    def train(fit: list[int], depth: int) -> Model:
        return b'model'

    @step
    def score(model: Model, held_out: list[int]) -> dict[str, float]:
        return {"auc": 0.5}

    @pipeline
    def etl(n: int = 10) -> Split:
        return split(load(n))

    @pipeline
    def training(fit: list[int], depth: int = 3):
        return train(fit, depth)

    @pipeline
    def qa(model: Model, held_out: list[int]):
        return score(model, held_out)
"""


def ids(graph):
    return [node.id for node in graph.nodes]


def inputs(graph, name):
    return dict(graph.nodes[ids(graph).index(name)].inputs)


def before(graph):
    """By id, the ids of what comes first."""
    return {node.id: {graph.nodes[i].id for i in dependencies(node)} for node in graph.nodes}


# --------------------------------------------------------------------------- a | b


def test_outputs_feed_parameters_of_their_name_then_of_their_type(project):
    graph = project.graph(STEPS + "\n    full = etl | training | qa\n")
    assert graph.pipeline == "full"
    assert ids(graph) == ["etl/load", "etl/split", "training/train", "qa/score"]
    assert inputs(graph, "training/train")["fit"] == FromStep(1, "fit")
    assert inputs(graph, "qa/score") == {"model": FromStep(2), "held_out": FromStep(1, "held_out")}
    assert graph.result == FromStep(3)
    assert [(name, value) for name, value, _ in graph.params] == [("n", 10), ("depth", 3)]


def test_how_sections_are_bracketed_does_not_matter(project):
    project.write(
        STEPS
        + """
    left = (etl | training) | qa
    right = etl | (training | qa)
    some = training | qa
    again = etl | some
    """
    )
    left = project.graph(word="left")
    for word in ("right", "again"):
        assert project.graph(word=word)._replace(pipeline="left", nodes=()) == left._replace(nodes=())
        assert ids(project.graph(word=word)) == ids(left)


def test_a_named_pipeline_of_sections_is_one_section(project):
    graph = project.graph(STEPS + "\n    full = etl | (training | qa).named('models')\n", word="full")
    assert ids(graph) == ["etl/load", "etl/split", "models/training/train", "models/qa/score"]


def test_inside_of_another_pipeline(project):
    graph = project.graph(
        STEPS
        + """
    full = etl | training | qa

    @pipeline
    def twice() -> list[object]:
        return [full(depth=2), full.named("deep")(depth=9)]
    """,
        word="twice",
    )
    assert ids(graph)[:4] == ["full/etl/load", "full/etl/split", "full/training/train", "full/qa/score"]
    assert ids(graph)[6] == "deep/training/train"
    assert inputs(graph, "deep/training/train")["depth"] == Constant(9, "9")


def test_it_is_the_default_pipeline(project):
    project.write(STEPS + "\n    full = etl | training | qa\n")
    assert project.load().pipeline.__name__ == "full"


def test_each_step_stands_in_its_own_line_and_sections_of_steps_in_that_which_joins_them(project):
    graph = project.graph(STEPS + "\n    full = load | split  # here\n", word="full", n=3)
    assert {node.where for node in graph.nodes} == {f"pipeline.py:{project.line('# here')}"}


@pytest.mark.parametrize(
    ("gives", "takes", "path"),
    [
        ("return {'table': load(3), 'other': 7}", "table: list[int]", FromStep(0)),
        ("return {'table': load(3), 'other': 7}", "other: int", Constant(7, "7")),
        ("return load(3), split([1])", "load: object", FromStep(0)),
        ("return load(3), split([1])", "rest: Split", None),
        ("fit, rest = split([1]); return fit, rest", "held_out: list[int]", FromStep(0, "held_out")),
        ("return Split(load(3), [1])", "fit: list[int]", FromStep(0)),
        ("return load.named('rows')(3)", "rows: list[int]", FromStep(0)),
        ("return [load(1), load(2)]", "load: list[list[int]]", None),
        ("return load(3)", "anything: list[int]", FromStep(0)),
        ("return load(3)", "anything", FromStep(0)),
    ],
)
def test_what_a_section_gives(project, gives, takes, path):
    name = takes.partition(":")[0]
    graph = project.graph(
        STEPS
        + f"""
    @step
    def look({takes}) -> int:
        return 1

    @pipeline
    def first():
        {gives}

    full = first | look
    """,
        word="full",
    )
    found = inputs(graph, "look")[name]
    assert path is None or found == path


def test_the_nearest_output_of_a_name_counts(project):
    graph = project.graph(
        """
    @step
    def raw(text: str) -> str: return text
    @step
    def clean(text: str) -> str: return text
    @step
    def count(text: str) -> int: return len(text)
    @pipeline
    def first(text: str): return {"text": raw(text)}
    @pipeline
    def second(text: str): return {"text": clean(text)}
    full = first | second | count
    """,
        text="abc",
    )
    assert inputs(graph, "first/raw")["text"] == Constant("abc", '"abc"')
    assert inputs(graph, "second/clean")["text"] == FromStep(0)
    assert inputs(graph, "count")["text"] == FromStep(1)


def test_a_given_value_stands_in_for_what_a_section_gives(project):
    graph = project.graph(STEPS + "\n    full = etl | training | qa\n", fit=[1, 2])
    assert inputs(graph, "training/train")["fit"].payload == [1, 2]
    assert ("fit", [1, 2]) in [(name, value) for name, value, _ in graph.params]


def test_a_parameter_with_a_default_is_wired_by_name_only(project):
    graph = project.graph(
        """
    @step
    def count() -> int: return 3
    @step
    def deep(count: int, depth: int = 6) -> int: return depth
    @step
    def other(depth: int = 6) -> int: return depth
    full = count | deep | other
    """
    )
    assert inputs(graph, "deep") == {"count": FromStep(0), "depth": Constant(6, "6")}
    assert inputs(graph, "other") == {"depth": Constant(6, "6")}


def test_sections_share_parameters_and_keep_their_own_defaults(project):
    text = """
    @step
    def one(depth: int = 1) -> str: return "a"
    @step
    def two(one: str, depth: int = 2) -> int: return depth
    full = one | two
    """
    graph = project.graph(text)
    assert [inputs(graph, name)["depth"].payload for name in ("one", "two")] == [1, 2]
    graph = project.graph(text, depth=5)
    assert [inputs(graph, name)["depth"].payload for name in ("one", "two")] == [5, 5]


def test_a_default_is_shared_with_a_section_that_has_none(project):
    graph = project.graph(
        """
    @step
    def one(depth: int = 7) -> int: return 1
    @step
    def two(one: int, depth: int) -> int: return depth
    full = one | two
    """
    )
    assert inputs(graph, "two") == {"one": FromStep(0), "depth": Constant(7, "7")}


def test_what_the_first_section_needs_must_be_given(project):
    project.refused(MissingParameter, "@step\ndef f(x: int) -> int: return x\nfull = f | f.named('g')\n")


NOTHING = """
    @step
    def load() -> list[int]: return []
    @step
    def fit(modle: dict[str, int]) -> int: return 1
    full = load | fit  # here
"""


def test_what_fits_nothing_is_told_with_what_there_is(project):
    error = project.refused(NothingFits, NOTHING)
    assert error.what.startswith("the section `fit` needs `modle: dict[str, int]`")
    assert error.why == "before it there is `load: list[int]`"
    error = project.refused(
        NothingFits, NOTHING.replace("def load", "def model").replace("load |", "model |")
    )
    assert error.fixes[0] == "`model` is given: if it is meant, rename one of the two"
    assert error.fixes[-1] == "give it: modle=..."


def test_several_that_fit_are_listed(project):
    error = project.refused(
        SeveralFit,
        """
    @step
    def one() -> int: return 1
    @step
    def two() -> int: return 2
    @pipeline
    def both(): return one(), two()
    @step
    def fit(n: int) -> int: return n
    full = both | fit  # here
    """,
    )
    assert "`one: int` of `both`, `two: int` of `both`" in error.what


def test_what_nobody_uses_yet_fits_before_what_is_used(project):
    graph = project.graph(
        """
    Rows = dict[str, int]
    @step
    def load() -> Rows: return {}
    @step
    def clean(raw: Rows) -> Rows: return raw
    @step
    def fit(table: Rows) -> int: return 1
    full = load | clean | fit
    """
    )
    assert inputs(graph, "fit")["table"] == FromStep(1)


def test_types_are_checked_where_names_agree(project):
    project.refused(
        EdgeType,
        """
    @step
    def table() -> int: return 1
    @step
    def fit(table: str) -> int: return 1
    full = table | fit  # here
    """,
    )


def test_annotations_that_exclude_each_other(project):
    text = """
    @step
    def one(depth: int) -> bytes: return b""
    @step
    def two(one: bytes, depth: str) -> int: return 1
    full = one | two  # here
    """
    error = project.refused(ParameterClash, text, depth=3)
    assert error.what == "`depth` is int in `one` and str in `two`"
    sound = project.graph(
        text.replace('-> bytes: return b""', "-> bytes: return b''").replace("depth: str", "depth: float"),
        depth=3,
    )
    assert inputs(sound, "two")["depth"].payload == 3


def test_sections_in_the_wrong_order_and_in_a_circle(project):
    steps = """
    A = bytes
    B = dict[str, int]
    @step
    def first({0}) -> A: return b''
    @step
    def second({1}) -> B: return dict()
    full = first | second  # here
    """
    error = project.refused(NothingFits, steps.format("second: B", ""))
    assert error.fixes[0] == "`second` gives it, and comes later: put it before `first`"
    error = project.refused(PipelineCycle, steps.format("second: B", "first: A"))
    assert error.what == "sections need each other: first -> second -> first"


def test_pipelines_that_call_what_they_are_part_of(project):
    project.refused(
        PipelineCycle,
        """
    @step
    def f(x: int) -> int: return x
    @pipeline
    def a(x: int) -> int: return whole(x=x)
    whole = a | f

    @pipeline
    def main() -> int: return whole(x=1)
    """,
    )


@pytest.mark.parametrize(
    ("joined", "says"),
    [
        ("etl | 3", "`|` gets 3"),
        ("3 | etl", "`|` gets 3"),
        ("load >> None", "`>>` gets None"),
        ("etl | plain", "`|` gets the function `plain`"),
        ("plain | etl", "`|` gets the function `plain`"),
        ("endpoint('x') | etl", 'endpoint("x") stands before the result that it names'),
        ("3 | endpoint('x')", "`|` gets 3"),
    ],
)
def test_what_is_no_section(project, joined, says):
    error = project.refused(
        BadSection, STEPS + f"\n    def plain(x): return x\n\n    full = {joined}  # here\n"
    )
    assert error.what == says
    if "plain" in joined:
        assert "put @step above it" in error.fixes[0]


def test_two_sections_of_one_name(project):
    error = project.refused(SameSection, STEPS + "\n    full = etl | training | etl  # here\n")
    assert '.named("etl-2")' in error.fixes[0]
    graph = project.graph(STEPS + "\n    full = etl | training | etl.named('etl-2')\n", word="full")
    assert ids(graph)[-1] == "etl-2/split"


def test_a_mistake_in_one_section_is_not_told_of_the_next(project):
    error = project.refused(
        EdgeType,
        STEPS.replace("return train(fit, depth)", "return train(7, depth)  # here")
        + "\n    full = etl | training | qa\n",
    )
    assert "train" in error.what


# --------------------------------------------------------------------------- computing


def test_outside_of_tracing_sections_are_computed_wired_as_they_would_be(project):
    project.write(
        STEPS.replace("return b'model'", "return bytes(depth)").replace(
            '{"auc": 0.5}', '{"auc": len(model) * len(held_out)}'
        )
        + "\n    full = etl | training | qa\n    both = load >> etl\n"
    )
    module: Any = project.load("full").module
    assert module.full(depth=4, n=6) == {"auc": 12}
    assert module.full(depth=4, held_out=[1]) == {"auc": 4}
    assert module.both(n=4) == ([0, 1, 2, 3], ([0, 2], [1, 3]))
    other = module.step(lambda_free(module))
    assert module.full.replace(train=other)(depth=4, n=6) == {"auc": 300}
    with pytest.raises(BadReplacement):
        module.full.replace(train=module.load)()


def lambda_free(module):
    """A function that stands in for `train`."""

    def other(fit, depth):
        return bytes(100)

    return other


# --------------------------------------------------------------------------- a >> b

JOBS = """
    from stepwell import endpoint

    words = source("words.txt", str)

    @step
    def hello() -> str: return "hello"
    @step
    def loud(text: str) -> str: return text.upper()
    @step
    def goodbye() -> str: return "goodbye"
    @step
    def count(text: str) -> int: return len(text)

    @pipeline
    def greeting(): return loud(hello())
    @pipeline
    def leaving(): return loud(goodbye()), hello()
    @pipeline
    def nothing(): return words()
    @pipeline
    def reading(): return count(words())
"""


def test_order_without_data(project):
    graph = project.graph(JOBS + "\n    both = greeting >> leaving\n", word="both")
    assert before(graph) == {
        "greeting/hello": set(),
        "greeting/loud": {"greeting/hello"},
        "leaving/goodbye": {"greeting/loud"},
        "leaving/loud": {"leaving/goodbye"},
        "leaving/hello": {"greeting/loud"},
    }
    assert len(graph.result.items) == 2


def test_chains_go_through_what_has_no_steps(project):
    graph = project.graph(JOBS + "\n    all_ = greeting >> nothing >> reading >> goodbye\n", word="all_")
    assert before(graph)["reading/count"] == {"greeting/loud"}
    assert before(graph)["goodbye"] == {"reading/count"}
    assert len(graph.result.items) == 4
    same = project.graph(JOBS + "\n    all_ = greeting >> (nothing >> (reading >> goodbye))\n", word="all_")
    assert before(same) == before(graph)


def test_order_and_wires_together(project):
    graph = project.graph(
        JOBS + "\n    all_ = hello | (greeting >> count) | loud\n".replace("count)", "count.named('n'))"),
        word="all_",
    )
    assert before(graph)["n"] == {"hello", "greeting/loud"}, (
        "wired to what stands before the chain, ordered in it"
    )
    assert inputs(graph, "n")["text"] == FromStep(0)


def test_order_hides_nothing_of_what_sections_need(project):
    project.write(JOBS + "\n    both = greeting >> count\n")
    with pytest.raises(MissingParameter):
        project.graph(word="both")


# --------------------------------------------------------------------------- endpoints


def test_endpoints_name_results(project):
    graph = project.graph(
        STEPS
        + """
    @pipeline
    def body(n: int = 3):
        fit, held_out = endpoint("halves")(split(load(n)))
        return endpoint("model")(train(fit, 3)), held_out

    full = body | endpoint("all") | endpoint("same")
    """,
        word="full",
    )
    ends = dict(graph.endpoints)
    assert list(ends) == ["halves", "model", "all", "same"]
    assert ends["model"] == FromStep(2)
    assert ends["all"] == ends["same"] == graph.result


def test_two_endpoints_of_one_name(project):
    error = project.refused(
        EndpointTwice,
        STEPS.partition("@pipeline")[0]
        + '\n    full = load | endpoint("a") | split | endpoint("a")  # here\n',
        n=1,
    )
    assert error.what.startswith("two endpoints are named `a`: ")
    project.refused(
        EndpointTwice,
        STEPS
        + """
    @pipeline
    def main():
        return [endpoint("x")(load(i)) for i in range(3)]  # here
    """,
    )


# --------------------------------------------------------------------------- replace

REPLACING = (
    STEPS
    + """
    @step
    def other(fit: list[int], depth: int, more: int = 1) -> Model:
        return b'model'

    @step
    def narrow(fit: list[int]) -> Model:
        return b'model'

    @step
    def wrong(fit: list[int], depth: int) -> str:
        return ""

    @pipeline
    def wrapping(fit: list[int], depth: int):
        return train(fit, depth + 1)

    @pipeline
    def none(model: Model, held_out: list[int]):
        return 0

    @pipeline
    def outer(n: int = 10):
        half = etl(n)
        return [qa(training(half.fit, 2), half.held_out), train(half.fit, 5)]
"""
)


def test_another_step_stands_in(project):
    graph = project.graph(REPLACING + "\n    mine = outer.replace(train=other)\n", word="mine")
    assert ids(graph) == ["etl/load", "etl/split", "training/train", "qa/score", "train"]
    names = {node.id: graph.steps[node.step].full_name for node in graph.nodes}
    assert names["training/train"] == names["train"] == "pipeline:other"
    assert inputs(graph, "train") == {"fit": FromStep(1, "fit"), "depth": Constant(5, "5")}


def test_by_place(project):
    graph = project.graph(
        REPLACING + "\n    mine = outer.replace(**{'training/train': other})\n", word="mine"
    )
    names = {node.id: graph.steps[node.step].name for node in graph.nodes}
    assert (names["training/train"], names["train"]) == ("other", "train")


def test_pipelines_stand_in_for_pipelines_and_steps_and_may_call_what_they_replace(project):
    graph = project.graph(REPLACING + "\n    mine = outer.replace(qa=none, train=wrapping)\n", word="mine")
    assert ids(graph) == ["etl/load", "etl/split", "training/train/train", "train/train"]
    assert inputs(graph, "train/train")["depth"].payload == 6


def test_replacing_in_sections_and_what_was_said_outside_counts_more(project):
    text = (
        REPLACING
        + """
    inner = training.replace(train=other)
    full = etl | inner | qa
    mine = full.replace(train=narrow_)
    """.replace("narrow_", "wrapping")
    )
    names = {n.id: g.steps[n.step].name for g in [project.graph(text, word="full")] for n in g.nodes}
    assert names["training/train"] == "other"
    assert ids(project.graph(text, word="mine"))[2] == "training/train/train"


@pytest.mark.parametrize(
    ("kind", "new", "says"),
    [
        (NothingReplaced, "tarin=other", "did you mean `train`?"),
        (NothingReplaced, "**{'qa/train': other}", "did you mean"),
        (BadReplacement, "train=narrow", "let `narrow` take the same names"),
        (BadReplacement, "train=len", "pass a step or a pipeline"),
        (BadReplacement, "train=plain", "put @step above it"),
        (BadReplacement, "train=3", "pass a step or a pipeline"),
        (EdgeType, "train=wrong", "pass another result"),
    ],
)
def test_what_cannot_stand_in(project, kind, new, says):
    text = REPLACING + f"\n    def plain(fit, depth): ...\n    mine = outer.replace({new})\n    "
    project.write(text)
    with pytest.raises(StepwellError) as caught:
        project.graph(word="mine")
    error = getattr(caught.value, "problems", [caught.value])[0]
    assert type(error) is kind
    assert any(says in fix for fix in error.fixes), error.fixes
    assert error.where.startswith(("pipeline.py:", "project/pipeline.py:"))


# --------------------------------------------------------------------------- shared code


def test_sections_in_files_and_packages(project):
    project.write(
        "@step\ndef load(n: int = 3) -> list[int]: return list(range(n))\n@pipeline\ndef etl(n: int = 3): return load(n)\n",
        "etl/flow.py",
    )
    project.write(
        "@step\ndef fit(load: list[int]) -> int: return 1\n@pipeline\ndef training(load: list[int]): return fit(load)\n",
        "models.py",
    )
    graph = project.graph("from etl.flow import etl\nfrom models import training\nfull = etl | training\n")
    assert ids(graph) == ["etl/load", "training/fit"]
    assert [step.module for step in graph.steps] == ["etl.flow", "models"]


# --------------------------------------------------------------------------- choosing

CHOOSING = STEPS + "\n    full = etl | training | qa | endpoint('quality')\n"


@pytest.fixture
def graph(project):
    return project.graph(CHOOSING)


@pytest.mark.parametrize(
    ("choice", "targets", "kept", "skipped"),
    [
        (Choice(until=("training",)), {2}, set(), set()),
        (Choice(until=("quality",)), {3}, set(), set()),
        (Choice(until=("e?l/*",)), {0, 1}, set(), set()),
        (Choice(start=("train",)), {2, 3}, {0, 1}, set()),
        (Choice(start=("etl/split",)), {1, 2, 3}, {0}, set()),
        (Choice(only=("tag:slow", "score")), {2, 3}, {0, 1}, set()),
        (Choice(only=("etl/**",)), {0, 1}, {2, 3}, set()),
        (Choice(only=("qa*",)), {3}, {0, 1, 2}, set()),
        (Choice(only=("q*",)), {3}, {0, 1, 2}, set()),
        (Choice(only=("step:train[1]",)), {2}, {0, 1, 3}, set()),
        (Choice(skip=("qa/",)), None, set(), {3}),
        (Choice(start=("split",), until=("train",)), {2}, {0}, set()),
        (Choice(start=("split",), skip=("score",)), {1, 2, 3}, {0}, {3}),
        (Choice(aim="training"), {2}, set(), set()),
        (Choice(aim="quality"), {3}, set(), set()),
        (Choice(), None, set(), set()),
    ],
)
def test_what_a_choice_means(graph, choice, targets, kept, skipped):
    if "step:train[1]" in choice.only:
        choice = Choice(only=("step:training/train[1]",))
    wanted = chosen(graph, choice)
    found = None if wanted.targets is None else set(wanted.targets)
    assert (found, set(wanted.kept), set(wanted.skipped)) == (targets, kept, skipped)


@pytest.mark.parametrize(
    ("choice", "hint"),
    [
        (Choice(until=("trian",)), "train"),
        (Choice(only=("tag:slw",)), "tag:slow"),
        (Choice(skip=("qualit",)), "quality"),
        (Choice(start=("nothing_*",)), ""),
        (Choice(aim="load"), "load"),
    ],
)
def test_what_means_nothing(graph, choice, hint):
    with pytest.raises(NothingSelected) as caught:
        chosen(graph, choice)
    assert not hint or caught.value.fixes[0] == f"did you mean `{hint}`?"


def test_a_step_name_means_all_its_calls(project):
    graph = project.graph(
        "@step\ndef f(x: int) -> int: return x\n@pipeline\ndef main(): return [f(1), f(2), f.named('g')(3)]\n"
    )
    assert set(chosen(graph, Choice(only=("f",))).targets or ()) == {0, 1, 2}
    assert set(chosen(graph, Choice(only=("f[2]",))).targets or ()) == {1}
    assert set(chosen(graph, Choice(only=("f[1]",))).targets or ()) == {0}
    assert set(chosen(graph, Choice(only=("g",))).targets or ()) == {2}


def test_tags_and_flags_are_part_of_a_step(project):
    graph = project.graph(
        "@step(tags='a', optional=True, always=True)\ndef f() -> int: return 1\n@pipeline\ndef main(): return f()\n"
    )
    assert (graph.steps[0].tags, graph.steps[0].optional, graph.steps[0].always) == (("a",), True, True)


def test_a_pipeline_object_is_found_in_its_module(project):
    project.write(CHOOSING)
    loaded = load(find("full", project.root))
    assert trace(loaded.pipeline, from_call(loaded.pipeline, (), {})).pipeline == "full"
    assert repr(loaded.pipeline) == "<pipeline pipeline:full>"


def test_what_stands_in_is_numbered_as_what_it_replaces(project):
    graph = project.graph(
        """
    @step
    def f(x: int) -> int: return x
    @step
    def g(x: int) -> int: return x + 1
    @pipeline
    def many():
        return [f(i) for i in range(3)], f.named("last")(9)
    mine = many.replace(f=g)
    """,
        word="mine",
    )
    assert ids(graph) == ["f", "f[2]", "f[3]", "last"]
    assert [graph.step_of(i).name for i in range(4)] == ["g", "g", "g", "g"]


def test_more_arrows_than_can_be_drawn(project):
    error = project.refused(
        BadSection,
        """
    @step
    def f(x: int) -> int: return x
    @pipeline
    def one(): return [f(i) for i in range(2001)]
    @pipeline
    def two(): return [f.named(f"n{i}")(i) for i in range(2000)]
    both = one >> two  # here
    """,
    )
    assert error.what.startswith("`>>` would need 4,002,000 arrows")
