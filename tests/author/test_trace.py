"""Tracing ordinary Python: which nodes there are, how they are called, what they are wired to."""

from __future__ import annotations

import pytest

from stepwell.errors import (
    BadArguments,
    BadPipeline,
    BadReference,
    PipelineCycle,
    SameName,
    SameOutputFile,
)
from stepwell.kernel.graph import NOTHING, Constant, FromSource, FromStep, Pack

STEPS = """
@step
def numbers(count: int) -> list[int]:
    return list(range(count))

@step
def total(values: list[int], extra: int = 0) -> int:
    return sum(values) + extra

@step
def pair() -> tuple[int, str]:
    return 1, "a"

"""


def ids(graph):
    return [node.id for node in graph.nodes]


def test_a_call_is_a_node_and_a_reference_is_an_edge(project):
    graph = project.graph(
        STEPS
        + """
@pipeline
def main(count: int = 3) -> int:
    return total(numbers(count))
"""
    )
    assert graph.pipeline == "main"
    assert graph.params == (("count", 3, "3"),)
    assert ids(graph) == ["numbers", "total"]
    assert [step.full_name for step in graph.steps] == ["pipeline:numbers", "pipeline:total"]
    assert graph.nodes[0].inputs == (("count", Constant(3, "3")),)
    assert graph.nodes[1].inputs == (("values", FromStep(0)),)
    assert graph.result == FromStep(1)
    assert graph.nodes[1].where == f"pipeline.py:{project.line('return total(numbers')}"


def test_calls_again_are_numbered_in_their_order(project):
    graph = project.graph(
        STEPS
        + """
@pipeline
def main() -> list[int]:
    many = [total(numbers(n), extra=n) for n in (1, 2, 3)]
    return many
"""
    )
    assert ids(graph) == ["numbers", "total", "numbers[2]", "total[2]", "numbers[3]", "total[3]"]
    assert graph.result == Pack("list", (FromStep(1), FromStep(3), FromStep(5)))
    assert dict(graph.nodes[5].inputs)["extra"] == Constant(3, "3")
    assert len(graph.steps) == 2


def test_labels_name_calls(project):
    graph = project.graph(
        STEPS
        + """
@pipeline
def main():
    few = total.named("few")(numbers.named("one")(1))
    many = total.named("many.of-them_2")(numbers(9))
    return {"few": few, "many": many}
"""
    )
    assert ids(graph) == ["one", "few", "numbers", "many.of-them_2"]
    assert [step.name for step in graph.steps] == ["numbers", "total"]
    assert graph.result == Pack("dict", (FromStep(1), FromStep(3)), ('"few"', '"many"'), ("few", "many"))


def test_one_label_for_two_calls_is_refused(project):
    error = project.refused(
        SameName,
        STEPS
        + """
@pipeline
def main():
    for n in 1, 2:
        numbers.named("some")(n)  # here
""",
    )
    assert "`some`" in error.what


def test_conditions_on_parameters_helpers_and_recursion_that_ends(project):
    text = (
        STEPS
        + """
def chain(values, length):
    for _ in range(length):
        values = numbers(total(values))
    return values

@pipeline
def halves(count: int) -> list:
    if count <= 1:
        return [total(numbers(count))]
    return halves(count // 2) + halves(count - count // 2)

@pipeline
def main(length: int = 1, deep: bool = False):
    values = chain(numbers(3), length)
    if deep:
        return halves(4)
    return total(values) if length else None
"""
    )
    assert ids(project.graph(text)) == ["numbers", "total", "numbers[2]", "total[2]"]
    assert project.graph(length=0).result == NOTHING
    assert ids(project.graph(length=0)) == ["numbers"]
    deep = project.graph(length=0, deep=True)
    assert len(deep.nodes) == 9
    assert ids(deep)[1] == "halves/halves/halves/numbers"
    assert len(set(ids(deep))) == 9
    assert isinstance(deep.result, Pack)
    assert len(deep.result.items) == 4


def test_inner_pipelines_go_by_their_path_and_are_numbered_too(project):
    graph = project.graph(
        STEPS
        + """
@pipeline
def training(count: int) -> int:
    return total.named("sum")(numbers(count))

@pipeline
def main() -> tuple[int, int, int]:
    one = training(1)
    two = training(2)
    three = training.named("last")(count=3)
    return one, two, three
"""
    )
    assert ids(graph) == [
        "training/numbers",
        "training/sum",
        "training/numbers[2]",
        "training/sum[2]",
        "last/numbers",
        "last/sum",
    ]
    assert graph.result == Pack("tuple", (FromStep(1), FromStep(3), FromStep(5)))


def test_a_shared_result_is_one_node(project):
    graph = project.graph(
        STEPS
        + """
@pipeline
def main():
    values = numbers(3)
    return total(values), total(values, extra=1)
"""
    )
    assert ids(graph) == ["numbers", "total", "total[2]"]
    assert graph.nodes[1].inputs == (("values", FromStep(0)),)


def test_sources_stand_beside_the_steps(project):
    graph = project.graph(
        STEPS
        + """
table = source("data/numbers.json", list)
other = source("data/numbers.json", dict)

@pipeline
def main():
    here = [source("data/x.json", list)(), source("data/x.json", list)(), source("more/x.json", list)()]
    return total(table()), total(table(), extra=2), other(), here
"""
    )
    assert [s.name for s in graph.sources] == ["x.json", "x.json[2]", "table", "other"]
    assert graph.nodes[0].inputs == (("values", FromSource(2)),)
    assert graph.nodes[1].inputs[1] == ("values", FromSource(2))
    assert ids(graph) == ["total", "total[2]"]
    assert graph.sources[2].where == f"pipeline.py:{project.line('table = ')}"


def test_a_source_without_a_type_is_a_path(project):
    from stepwell.errors import EdgeType

    error = project.refused(
        EdgeType,
        STEPS
        + """
data, many = source("data/numbers.json"), source("data/*.json")

@step
def load(file: Path, files: list[Path]) -> list[int]: ...

@pipeline
def main():
    load(data(), many())
    return total(data())  # here
""",
    )
    assert "`data` gives Path" in error.what
    assert error.fixes == ("name the type that it is read as: source(..., list[int])",)


def test_after_orders_without_data(project):
    graph = project.graph(
        STEPS
        + """
@pipeline
def backup() -> list:
    return [numbers(1), numbers(2)]

@pipeline
def training(count: int) -> int:
    return total(numbers(count))

@pipeline
def main():
    saved = backup()
    one = total.after(saved)(numbers(3))
    two = training.after(one, pair())(4)
    return two
"""
    )
    after = {node.id: node.after for node in graph.nodes}
    assert after["total"] == (0, 1)
    assert after["numbers"] == ()
    assert after["pair"] == ()
    assert after["training/numbers"] == after["training/total"] == (3, 4)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("numbers", "the step itself"),
        ("training", "the pipeline itself"),
        ("3", "gets 3"),
        ("None", "gets None"),
        ("[1]", "gets [1]"),
    ],
)
def test_after_takes_only_results(project, given, says):
    error = project.refused(
        BadReference,
        STEPS
        + f"""
@pipeline
def training():
    return pair()

@pipeline
def main():
    training()
    return numbers.after({given})(2)  # here
""",
    )
    assert says in error.what


def test_references_do_not_outlive_their_trace(project):
    text = (
        STEPS
        + """
kept = []
waits = []

@pipeline
def main(again: bool = False, late: bool = False):
    if late:
        return waits[0](2)  # also
    if again:
        return total(kept[0])  # here
    kept.append(numbers(1))
    waits.append(numbers.after(kept[0]))
    return kept[0]
"""
    )
    project.graph(text)
    error = project.refused(BadReference, again=True)
    assert error.where == f"pipeline.py:{project.line('# here')}"
    assert "another pipeline's trace" in error.what
    error = project.refused(BadReference, late=True)
    assert error.where == f"pipeline.py:{project.line('# also')}"


def test_one_output_file_is_claimed_once(project):
    error = project.refused(
        SameOutputFile,
        """
@step(out="reports/a.html")
def write(x: int) -> Path: ...

@step(out="./reports/../reports/a.html")
def other() -> Path: ...

@pipeline
def main():
    return write(1), other()  # here
""",
    )
    assert "`write` and `other` both write `reports/a.html`" in error.what


def test_one_step_can_write_two_files(project):
    graph = project.graph(
        """
@step
def write(x: int) -> Path: ...

@pipeline
def main():
    return [write.options(out=f"{n}.html")(n) for n in (1, 2)]
"""
    )
    assert [node.out for node in graph.nodes] == ["1.html", "2.html"]
    assert len(graph.steps) == 1


@pytest.mark.parametrize(
    ("body", "circle"),
    [
        ("return main()", "main -> main"),
        ("return other()", "main -> other -> main"),
    ],
)
def test_pipelines_that_call_each_other_without_end(project, body, circle):
    error = project.refused(
        PipelineCycle,
        f"""
@pipeline
def other():
    return main()

@pipeline
def main():
    {body}
""",
        word="main",
    )
    told = error.what.rpartition(": ")[2]
    assert told in (circle, "other -> main -> other")
    assert error.where.startswith("pipeline.py:")


def test_an_unknown_step_is_an_error_with_the_nearest_name(project):
    error = project.refused(
        BadPipeline,
        STEPS
        + """
@pipeline
def main():
    return totla(numbers(2))  # here
""",
    )
    assert "NameError" in error.what
    assert "did you mean `total`?" in error.fixes
    assert "totla(numbers(2))" in error.why


def test_an_unknown_attribute_of_a_module_too(project):
    project.write("@step\ndef train() -> int: ...\n", "models.py")
    error = project.refused(
        BadPipeline,
        """
import models

def inner():
    return models.trian()  # here

@pipeline
def main():
    return inner()
""",
    )
    assert "did you mean `train`?" in error.fixes


def test_the_users_line_is_named_although_a_library_raised(project):
    error = project.refused(
        BadPipeline,
        """
import json

@pipeline
def main():
    return json.loads("{")  # here
""",
    )
    assert "JSONDecodeError" in error.what


@pytest.mark.parametrize("statement", ["raise SystemExit(3)", "1 / 0", "assert False"])
def test_a_body_that_raises(project, statement):
    error = project.refused(
        BadPipeline,
        f"""
@pipeline
def inner():
    {statement}  # here

@pipeline
def main():
    inner()
""",
    )
    assert error.what.startswith("the pipeline `inner` raised")


def test_an_error_of_an_inner_body_is_told_once(project):
    error = project.refused(
        BadReference,
        STEPS
        + """
@pipeline
def inner(n):
    return n + 1  # here

@pipeline
def main():
    return inner(total(numbers(3)))
""",
    )
    assert error.what.count("cannot be done") == 1


def test_tracing_leaves_no_trace_behind(project):
    from stepwell.author.trace import current

    project.refused(BadPipeline, "@pipeline\ndef main():\n    1 / 0\n")
    assert current() is None


def test_a_constant_is_what_it_was_when_it_was_passed(project):
    graph = project.graph(
        STEPS
        + """
@dataclass
class Config:
    sizes: list[int]

@step
def build(config: Config, nested: dict[str, list[int]]) -> int: ...

@pipeline
def main(values: list[int]):
    config, nested = Config([1]), {"a": [1]}
    one = total(values), build(config, nested)
    values.append(9)
    config.sizes.append(9)
    nested["a"].append(9)
    return total(values), build(config, nested)
""",
        values=[1],
    )
    payloads = [{name: binding.payload for name, binding in node.inputs} for node in graph.nodes]
    assert payloads[0] == {"values": [1]}
    assert payloads[2] == {"values": [1, 9]}
    assert payloads[1]["config"].sizes == [1]
    assert payloads[1]["nested"] == {"a": [1]}
    assert graph.nodes[0].inputs[0][1].token == "[1]"
    assert graph.params == (("values", [1, 9], "[1]"),)


def test_values_that_are_not_plain_go_through_their_codec(project):
    np = pytest.importorskip("numpy")
    text = """
import numpy as np

@step
def norm(vector: np.ndarray) -> float: ...

@pipeline
def main(vector: np.ndarray):
    return norm(vector), norm(np.arange(3))
"""
    one = project.graph(text, vector=np.arange(3))
    two = project.graph(vector=np.arange(4))
    first, second = (node.inputs[0][1] for node in one.nodes)
    assert first.codec == "npy"
    assert first.token == second.token
    assert two.nodes[0].inputs[0][1].token != first.token


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("len", "code that is passed as a value"),
        ("Path", "code that is passed as a value"),
        ("helper", "code that is passed as a value"),
        ("[1, {'a': len}]", "code that is passed as a value"),
        ("other", "the step `other` itself"),
        ("{'a': (other,)}", "the step `other` itself"),
        ("data", "the source `data` itself"),
        ("inner", "the pipeline `inner` itself"),
    ],
)
def test_code_is_no_constant(project, given, says):
    text = f"""
data = source("x.csv")

def helper(): ...

@step
def other() -> int: ...

@step
def use(x) -> int: ...

@pipeline
def inner():
    return other()

@pipeline
def main():
    inner()
    return use({given})  # here
"""
    error = project.refused(BadArguments, text)
    assert says in str(error)


def test_a_step_returned_by_a_pipeline_was_not_called(project):
    error = project.refused(
        BadArguments,
        STEPS
        + """
@pipeline
def main():
    return pair
""",
    )
    assert "call it: pair(...)" in error.fixes
    assert "the result of the pipeline `main`" in error.what


def test_positional_only_parameters_of_pipelines(project):
    graph = project.graph(
        STEPS
        + """
@pipeline
def main(count: int = 2, /, extra: int = 1, *, more: int = 0):
    return total(numbers(count), extra=extra + more)
""",
        count=5,
        more=2,
    )
    assert [value for _, value, _ in graph.params] == [5, 1, 2]
    assert graph.nodes[0].inputs[0][1].payload == 5


def test_two_pipelines_in_one_process_share_their_steps(project):
    project.write(
        STEPS
        + """
@pipeline
def one():
    return total(numbers(1))

@pipeline
def two():
    pair()
    return total(numbers(2))
"""
    )
    for _ in range(2):
        assert [s.name for s in project.graph(word="one").steps] == ["numbers", "total"]
        assert [s.name for s in project.graph(word="two").steps] == ["pair", "numbers", "total"]
