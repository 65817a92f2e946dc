"""References: what has a meaning before anything runs, and that everything else is refused at the user's line."""

from __future__ import annotations

import pytest

from stepwell.errors import BadPipeline, BadReference, StepwellError
from stepwell.kernel.graph import FromStep, Pack

STEPS = """
class Split(NamedTuple):
    train: list[int]
    test: list[int]

@dataclass
class Point:
    x: int
    y: int = 0

@dataclass
class Report:
    title: str
    split: Split
    where: Point
    pair: tuple[int, str] = (1, "a")

@dataclass
class Derived:
    a: int
    b: int = field(init=False)
    def __post_init__(self): self.b = self.a + 1

class Keys(TypedDict):
    auc: float
    split: Split

class Loose(TypedDict, total=False):
    maybe: int

@step
def pair() -> tuple[int, Split]: ...
@step
def split() -> Split: ...
@step
def report() -> Report: ...
@step
def keys() -> Keys: ...
@step
def loose() -> Loose: ...
@step
def derived() -> Derived: ...
@step
def number() -> int: ...
@step
def numbers() -> list[int]: ...
@step
def unknown(): ...
@step
def use(x): ...

data = source("x.json", dict)

"""


def body(code):
    lines = "\n".join(f"    {line}" for line in code.splitlines())
    return f"{STEPS}\n@pipeline\ndef main(flag: bool = True):\n{lines}\n"


@pytest.mark.parametrize(
    ("code", "binding"),
    [
        ("a, b = pair(); return a", FromStep(0, "0")),
        ("return pair()[0]", FromStep(0, "0")),
        ("return pair()[-2]", FromStep(0, "0")),
        ("a, (c, d) = pair(); return d", FromStep(0, "1", ("test",))),
        ("return pair()[1].train", FromStep(0, "1", ("train",))),
        ("return pair()[1][0]", FromStep(0, "1", ("train",))),
        ("first, *rest = split(); return rest[0]", FromStep(0, "test")),
        ("return split().test", FromStep(0, "test")),
        ("return split()[1]", FromStep(0, "test")),
        ("return report().title", FromStep(0, "title")),
        ("return report().split.train", FromStep(0, "split", ("train",))),
        ("return report().where.y", FromStep(0, "where", ("y",))),
        ("_, s = report().pair; return s", FromStep(0, "pair", (1,))),
        ("return keys()['auc']", FromStep(0, "auc")),
        ("return keys()['split'].test", FromStep(0, "split", ("test",))),
        ("return loose()['maybe']", FromStep(0, "result", ("maybe",))),
        ("return derived().b", FromStep(0, "result", ("b",))),
        ("return derived()", FromStep(0)),
        ("return tuple(split())", Pack("tuple", (FromStep(0, "train"), FromStep(0, "test")))),
        ("return [x for x in pair()][0]", FromStep(0, "0")),
        ("x = pair(); return x[len(x) - 1].test", FromStep(0, "1", ("test",))),
        (
            "return split()",
            Pack(
                "record", (FromStep(0, "train"), FromStep(0, "test")), ("train", "test"), (), "pipeline:Split"
            ),
        ),
    ],
)
def test_parts_that_are_known_can_be_taken(project, code, binding):
    graph = project.graph(body(code))
    assert graph.result == binding
    assert len(graph.nodes) == 1


@pytest.mark.parametrize(
    ("code", "says", "fix"),
    [
        ("if number(): pass", "testing the truth of the result of `number`", "decide on a parameter"),
        ("while number(): pass", "testing the truth of", "decide"),
        ("return number() and 1", "testing the truth of", "decide"),
        ("return not number()", "testing the truth of", "decide"),
        ("assert number()", "testing the truth of", "decide"),
        ("return 1 if number() else 2", "testing the truth of", "decide"),
        ("return any([number()])", "testing the truth of", "decide"),
        ("return number() == 3", "comparing", "compare inside a step"),
        ("return 3 != number()", "comparing", "compare"),
        ("return number() < 3", "comparing", "compare"),
        ("return 3 >= number()", "comparing", "compare"),
        ("return sorted([number(), number()])", "comparing", "compare"),
        ("return max(number(), number())", "comparing", "compare"),
        ("return number() in [1, 2]", "comparing", "compare"),
        ("match number():\n    case 3: pass", "comparing", "compare"),
        ("return number() + 1", "arithmetic with", "calculate inside a step"),
        ("return 1 - number()", "arithmetic with", "calculate"),
        ("x = number(); x *= 2", "arithmetic with", "calculate"),
        ("return -number()", "arithmetic with", "calculate"),
        ("return number() ** 2", "arithmetic with", "calculate"),
        ("return 2 ** number()", "arithmetic with", "calculate"),
        ("return number() @ number()", "arithmetic with", "calculate"),
        ("return divmod(number(), 2)", "arithmetic with", "calculate"),
        ("return round(number(), 2)", "arithmetic with", "calculate"),
        ("return abs(number())", "arithmetic with", "calculate"),
        ("return sum([number()])", "arithmetic with", "calculate"),
        ("return {} | number()", "arithmetic with", "calculate"),
        ("import math\nreturn math.floor(number())", "arithmetic with", "calculate"),
        ("return len(numbers())", "taking the length of", "do it inside a step"),
        ("return f'{number()}'", "making text of", "make the text inside a step"),
        ("return f'{number():.2f}'", "making text of", "repr"),
        ("return str(number())", "making text of", "make the text"),
        ("print(number())", "making text of", "repr"),
        ("return '%s' % number()", "making text of", "make the text"),
        ("return ','.join(map(str, [number()]))", "making text of", "make the text"),
        ("return int(number())", "making a number of", "inside a step"),
        ("return float(number())", "making a number of", "inside a step"),
        ("return range(number())", "making a number of", "inside a step"),
        ("return [1, 2][number()]", "making a number of", "inside a step"),
        ("for x in numbers(): use(x)", "unpacking or iterating", "inside a step"),
        ("a, b = numbers()", "unpacking or iterating", "inside a step"),
        ("a, b = unknown()", "unpacking or iterating", "annotate what the step returns"),
        ("return use(*numbers())", "unpacking or iterating", "inside a step"),
        ("return list(report())", "unpacking or iterating", "inside a step"),
        ("return next(numbers())", "iterating", "inside a step"),
        ("return list(reversed(numbers()))", "reversing", "inside a step"),
        ("return 3 in numbers()", "looking for something in", "inside a step"),
        ("return number()()", "calling", "inside another step"),
        ("return numbers().count(3)", "taking `.count` of", "inside a step"),
        ("return unknown().mean()", "taking `.mean` of", "annotate"),
        ("return use(**keys())", "taking `.keys` of", "inside a step"),
        ("report().title = 'x'", "changing", "changed copy"),
        ("del report().title", "changing", "changed copy"),
        ("keys()['auc'] = 1.0", "changing", "changed copy"),
        ("del keys()['auc']", "changing", "changed copy"),
        ("with number() as x: pass", "opening", "inside a step"),
        ("import copy\ncopy.deepcopy([number()])", "pickling", "pass the reference itself"),
        ("import copy\ncopy.copy(number())", "pickling", "pass the reference itself"),
        ("import pickle\npickle.dumps(number())", "pickling", "pass the reference itself"),
        ("open(number())", "opening|making a number of", "inside a step"),
        ("return report().titel", "taking `.titel` of the result of `report`", "did you mean `title`?"),
        ("return getattr(report(), 'nope', 3)", "taking `.nope` of", "inside a step"),
        ("return keys()['auk']", "taking `['auk']` of", "did you mean `auc`?"),
        ("return keys()[0]", "taking `[0]` of", "inside a step"),
        ("return pair()[2]", "it has 2 parts", "inside a step"),
        ("return pair()[0:1]", "has no part `slice(0, 1, None)`", "inside a step"),
        ("return pair()['a']", "has no part `'a'`", "inside a step"),
        ("return numbers()[0]", "taking `[0]` of", "inside a step"),
        (
            "return numbers()[0]",
            "it is a `list[int]`: whether it has such a part",
            "return a tuple, a TypedDict",
        ),
        ("return unknown()[0]", "it is not annotated, so its parts are known only", "annotate"),
        ("return report()[0]", "has no part `0`", "inside a step"),
        ("return number()[number()]", "taking `[<reference to number[2]>]` of", "inside a step"),
        ("return data()['a']", "of the source `data`", "inside a step"),
        ("a, b = data()", "unpacking or iterating the source `data`", "inside a step"),
        (
            "import asyncio\nasync def go(): await number()  # here\nasyncio.run(go())",
            "awaiting",
            "leave out `await`",
        ),
    ],
)
def test_everything_else_is_refused_at_the_users_line(project, code, says, fix):
    marked = code if "# here" in code else f"{code}  # here"
    error = project.refused(BadReference, body(marked))
    assert any(word in error.what + error.why for word in says.split("|")), error
    assert fix in "\n".join(error.fixes), error
    assert error.why


@pytest.mark.parametrize(
    "code",
    [
        "x = number(); return repr(x) and None",
        "return f'{number()!r}' and None",
        "return {number(): 1} and None",
        "return hash(number()) and None",
        "x = number(); return (x is x) and None",
        "x = number(); return None if x is None else None",
        "return isinstance(number(), int) or None",
        "x = [number()]; return (x[0] in x) and None",
        "return callable(number()) and None",
    ],
)
def test_what_asks_nothing_of_the_value_is_fine(project, code):
    assert len(project.graph(body(code)).nodes) == 1


def test_a_part_of_a_source_is_not_known(project):
    from stepwell.author.references import Reference
    from stepwell.kernel.graph import FromSource

    reference = Reference(FromSource(0), tuple[int, int], "data", None)
    with pytest.raises(BadReference, match="a part of the source `data`"):
        reference[0]


def test_a_library_that_only_asks_for_the_class_has_an_error_of_its_own(project):
    error = project.refused(BadPipeline, body("import json\njson.dumps([number()])  # here"))
    assert "not JSON serializable" in error.what


def test_numpy_and_pandas_are_refused_at_the_users_line(project):
    pytest.importorskip("pandas")
    error = project.refused(BadReference, body("import numpy as np\nreturn np.asarray(number())  # here"))
    assert "making an array of" in error.what
    project.refused(BadReference, body("import pandas as pd\nreturn pd.Series(numbers())  # here"))


def test_a_reference_outside_of_its_pipeline_is_refused_too(project):
    project.graph(body("global kept\nkept = number()\nreturn kept"))
    import sys

    kept = sys.modules["pipeline"].kept
    with pytest.raises(BadReference, match="arithmetic") as caught:
        kept + 1
    assert "test_references.py:" in caught.value.where


CONTAINERS = """
@dataclass
class Config:
    model: int
    names: list[str] = field(default_factory=list)

class Both(NamedTuple):
    a: int
    b: str

"""


@pytest.mark.parametrize(
    ("value", "kind", "record"),
    [
        ("[x, 1]", "list", ""),
        ("(x, 1)", "tuple", ""),
        ("{'a': x, 'b': 1}", "dict", ""),
        ("Config(x, ['n'])", "record", "pipeline:Config"),
        ("Config(model=x)", "record", "pipeline:Config"),
        ("Both(x, 'b')", "record", "pipeline:Both"),
    ],
)
def test_containers_hold_references_as_arguments_and_as_results(project, value, kind, record):
    graph = project.graph(
        STEPS
        + CONTAINERS
        + f"@pipeline\ndef main():\n    x = number()\n    use({value})\n    return {value}\n"
    )
    pack = graph.result
    assert isinstance(pack, Pack)
    assert (pack.kind, pack.record) == (kind, record)
    assert pack.items[0] == FromStep(0)
    assert graph.nodes[1].inputs == (("x", pack),)


def test_containers_nest(project):
    graph = project.graph(
        body("x, y = number(), split()\nreturn {'a': [x, (y.test, {'b': y})], 'c': {'d': [1, 2]}}")
    )
    (a, c) = graph.result.items
    assert a.items[1].items[0] == FromStep(1, "test")
    assert a.items[1].items[1].items[0].record == "pipeline:Split"
    assert c.payload == {"d": [1, 2]}


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("use({number()})  # here", "in a set"),
        ("use(frozenset([number()]))  # here", "in a set"),
        ("use({number(): 1})  # here", "as the key of a dict"),
        ("use(Derived(number()))  # here", "arithmetic"),
        ("use(Local(number()))  # here", "inside a function"),
        ("use(Hidden(number()))  # here", "holds a reference"),
        ("use([Hidden(number())])  # here", "holds a reference"),
    ],
)
def test_containers_that_cannot_hold_references(project, code, says):
    text = body(f"@dataclass\nclass Local:\n    x: int\n{code}").replace(
        "@pipeline\n", "class Hidden:\n    def __init__(self, x): self.x = x\n\n@pipeline\n"
    )
    if "Derived" in code:
        text = text.replace("  # here", "").replace("self.b = self.a + 1", "self.b = self.a + 1  # here")
    error = project.refused(BadReference, text)
    assert says in str(error)


FORGOTTEN = """
import json

def clean(rows: list) -> list:
    {body}

def wire(rows: list) -> int:
    return total(rows).nothing  # wires, and is wrong by itself

@step
def load(n: int) -> list[int]:
    return [n]

@step
def total(rows: list) -> int:
    return sum(rows)

@pipeline
def main(n: int = 3):
    return {result}
"""


@pytest.mark.parametrize(
    "failing",
    [
        "return [row for row in rows]",
        "return sorted(rows)",
        "return rows + 1",
        "return rows.x",
        "return bool(rows)",
        "return json.dumps(rows)",
        "return open(rows)",
        "return json.loads(rows)",
        "return (lambda: rows + 1)()",
    ],
)
@pytest.mark.parametrize("result", ["total(clean(load(n)))", "[total(clean(x)) for x in (load(n),)]"])
def test_a_forgotten_step_is_named_with_its_line(project, failing, result):
    text = FORGOTTEN.format(body=failing + "  # here", result=result)
    with pytest.raises(StepwellError) as caught:
        project.graph(text)
    error = caught.value
    assert (
        error.fixes[0]
        == f"`clean` is not a step: put @step above it (pipeline.py:{project.line('def clean')})"
    )
    assert error.where == f"pipeline.py:{project.line('# here')}"


@pytest.mark.parametrize(
    ("body", "result"),
    [
        ("return rows", "load(n) + 1"),  # nothing is called
        ("return rows", "wire(load(n))"),  # it calls steps itself
        ("return 1 // 0", "clean([n])"),  # no reference is involved
    ],
)
def test_what_wires_is_no_forgotten_step(project, body, result):
    with pytest.raises(StepwellError) as caught:
        project.graph(FORGOTTEN.format(body=body, result=result))
    assert "@step" not in str(caught.value)


@pytest.mark.parametrize("result", ["total(load)", "total([load, 1])", "load", "[load, load(n)]"])
def test_a_forgotten_call_is_named_with_its_line(project, result):
    with pytest.raises(StepwellError) as caught:
        project.graph(FORGOTTEN.format(body="return 1", result=result))
    error = caught.value
    assert "the step `load` itself" in error.what
    assert error.fixes == ("call it: load(...)",)
    line = project.line("return " + result) if "total" in result else project.line("@pipeline")
    assert error.where == f"pipeline.py:{line}"


def test_a_plain_function_that_is_passed_may_be_a_forgotten_step(project):
    with pytest.raises(StepwellError) as caught:
        project.graph(FORGOTTEN.format(body="return 1", result="total(clean)"))
    place = f"pipeline.py:{project.line('def clean')}"
    assert caught.value.fixes[0] == f"if it is meant as a step: put @step above it ({place}), and call it"
