"""Several mistakes in one pipeline: all are told at once, each once, in the order of their lines, and none that follows from another."""

from __future__ import annotations

import pickle

import pytest

from stepwell.author.problems import Problems, in_order
from stepwell.author.trace import attempt
from stepwell.errors import (
    BadReference,
    EdgeType,
    MissingSource,
    SeveralProblems,
    TooFewResources,
    UsageError,
)

STEPS = """
T = TypeVar("T")

class Split(NamedTuple):
    train: list[int]
    test: list[str]

@step
def numbers(count: int) -> list[int]: ...
@step
def texts() -> list[str]: ...
@step
def total(values: list[int], extra: int = 0) -> int: ...
@step
def split(values: list[int]) -> Split: ...
@step
def first(values: list[T]) -> T: ...
@step
def both(a: T, b: T) -> dict[str, T]: ...
@step
def maybe(value: T | None) -> list[T]: ...
@step
def take_float(x: float): ...
@step
def take_text(x: str): ...
@step
def take_table(x: dict[str, int]): ...
@step
def open_ended(count): ...
@step(codec="nothing-of-that-name")
def odd() -> int: ...

"""


def body(*lines: str) -> str:
    return STEPS + "@pipeline\ndef main(flag: bool = True):\n" + "".join(f"    {line}\n" for line in lines)


def told(project, *lines: str) -> list[tuple[str, int]]:
    """Code and line (of the body, from 1) of each problem."""
    with pytest.raises(SeveralProblems) as caught:
        project.graph(body(*lines))
    start = project.line("def main(")
    return [(e.code, int(e.where.rpartition(":")[2]) - start) for e in caught.value.problems]


def test_mistakes_of_all_kinds_in_the_order_of_their_lines(project):
    assert told(
        project,
        "n = numbers(cuont=3)",
        "t = total(texts(), extra='x')",
        "total(n)",
        "m = n + 1",
        "total.named('a')(n)",
        "total.named('a')(n)",
        "numbers.options(out='A/b')(1)",
        "numbers.options(out='a/B')(2)",
        "numbers.options(out='a/B/c')(2)",
        "os.path.jon('x')",
    ) == [
        ("E204", 1),
        ("E205", 2),
        ("E205", 2),
        ("E206", 4),
        ("E209", 6),
        ("E207", 8),
        ("E207", 9),
        ("E203", 10),
    ]


def test_one_mistake_is_its_own_error(project):
    error = project.refused(EdgeType, body("total(texts())  # here", "return 1"))
    assert error.exit_code == 3


@pytest.mark.parametrize(
    "after",
    [
        ["total(m)", "total([m, 1])", "total(values=m.anything)", "return {'a': m}"],
        ["first(m[0].x)", "maybe((m - 1) * 2 > 3)", "return m()"],
        ["total.after(m)(numbers(1))"],
        ["if m:", "    return total(1)"],
        ["for x in m:", "    total(x)"],
        ["return [x for x in m]"],
        ["return len(m)"],
        ["return f'{m}'"],
        ["a, b = m", "return a"],
    ],
)
def test_nothing_follows_from_what_is_told_already(project, after):
    error = project.refused(BadReference, body("m = numbers(1) + 1  # here", *after))
    assert "arithmetic" in error.what


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("if numbers(1): pass", "E206"),
        ("for x in numbers(1): pass", "E206"),
        ("int(numbers(1))", "E206"),
        ("open(numbers(1))", "E206"),
        ("raise ValueError('no')", "E203"),
        ("1 / 0", "E203"),
    ],
)
def test_what_ends_the_body_is_told_with_what_came_before(project, line, code):
    assert told(project, "total('x')", line, "total('y')") == [("E205", 1), (code, 2)]


def test_a_mistake_in_a_loop_is_one_mistake(project):
    error = project.refused(EdgeType, body("for i in range(50):", "    total(texts())  # here"))
    assert "`texts` gives list[str]" in error.what


def test_a_call_with_wrong_arguments_still_gives_what_it_is_annotated_with(project):
    assert told(
        project, "n = numbers()", "take_text(n)", "s = split(n)", "total(s.test)", "total(s.train)"
    ) == [
        ("E204", 1),
        ("E205", 2),
        ("E205", 4),
    ]


def test_an_inner_pipeline_that_fails_is_one_mistake(project):
    project.write(
        STEPS
        + """
@pipeline
def inner(count: int):
    total('x')
    return nothing.of.that(count)

@pipeline
def main():
    got = inner(3)
    total(got)
    total(got.part)
    return total(texts())
"""
    )
    with pytest.raises(SeveralProblems) as caught:
        project.graph(word="main")
    assert [error.code for error in caught.value.problems] == ["E205", "E203", "E205"]


def test_a_step_that_cannot_be_kept_is_told_once(project):
    assert told(project, "odd()", "odd()", "total('x')", "take_text(odd())") == [
        ("E601", 1),
        ("E205", 3),
        ("E205", 4),
    ]


def test_a_source_that_makes_no_sense_goes_on_as_unknown(project):
    project.write(
        STEPS
        + """
table = source("x.csv", int)
@pipeline
def main():
    total(table())
    return take_text(numbers(1))
"""
    )
    with pytest.raises(SeveralProblems) as caught:
        project.graph(word="main")
    assert [(e.code, e.where) for e in caught.value.problems] == [
        ("E304", f"pipeline.py:{project.line('x.csv')}"),
        ("E205", f"pipeline.py:{project.line('return take_text')}"),
    ]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("take_float(first(numbers(1)))", ""),
        ("take_float(first(texts()))", "`first` gives str"),
        ("take_text(first([1, 2]))", "`first` gives int"),
        ("take_table(both(total(numbers(1)), total(numbers(2))))", ""),
        ("take_table(both(first(texts()), first(texts())))", "`both` gives dict[str, str]"),
        ("total(maybe(total(numbers(1))))", ""),
        ("total(maybe(first(texts())))", "`maybe` gives list[str]"),
        ("take_text(first(open_ended(1)))", ""),
    ],
)
def test_type_variables_stand_for_what_is_given(project, line, says):
    if not says:
        project.graph(body(line))
    else:
        assert says in project.refused(EdgeType, body(f"{line}  # here")).what


def test_what_is_there_is_a_graph_even_so(project):
    project.write(body("n = numbers(1)", "total(texts())", "os.nothing"))
    loaded = project.load("main")
    found = attempt(loaded.pipeline, {})
    assert [node.id for node in found.graph.nodes] == ["numbers", "texts", "total"]
    assert not found.whole
    assert len(found.problems.errors) == 2
    stopped = [
        error.where for error in found.problems.errors if "the search for problems stopped here" in error.why
    ]
    assert stopped == [found.problems.errors[-1].where]
    assert len(found.steps) == len(found.graph.steps)


def test_without_types_edges_are_not_compared(project):
    project.write(body("total(texts())", "total('x')", "return total(n=1)"))
    found = attempt(project.load("main").pipeline, {}, types=False)
    assert [error.code for error in found.problems.errors] == ["E204"]


def test_the_document_and_the_text_hold_each_problem(project):
    with pytest.raises(SeveralProblems) as caught:
        project.graph(body("total('x')", "total(texts())"))
    error = caught.value
    document = error.as_dict()
    assert [one["code"] for one in document["problems"]] == ["E205", "E205"]
    assert all(one["where"] and one["fixes"] for one in document["problems"])
    assert str(error).count("error[E205]") == 2
    assert str(error).rstrip().splitlines()[-4].startswith("error[E312] 2 problems")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.as_dict()) == (str(error), document)


def test_files_come_before_data_and_data_before_the_machine():
    errors = [
        TooFewResources("m", where="a.py:1"),
        MissingSource("s", where="a.py:2"),
        EdgeType("b", where="b.py:1"),
        EdgeType("nowhere"),
        EdgeType("a10", where="a.py:10"),
        EdgeType("a9", where="a.py:9"),
    ]
    assert [e.what for e in in_order(errors)] == ["a9", "a10", "b", "nowhere", "s", "m"]


def test_the_exit_code_is_that_of_all_or_three():
    found = Problems()
    found.add(UsageError("a"))
    found.add(UsageError("b"))
    assert found.error().exit_code == 2
    found.add(EdgeType("c"))
    assert found.error().exit_code == 3
