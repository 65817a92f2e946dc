"""Arguments of steps and pipelines: what their signatures and annotations refuse, at the user's line."""

from __future__ import annotations

import pytest

from stepwell.errors import BadArguments, EdgeType, NoCodec
from stepwell.kernel.graph import Constant, FromStep, Pack

STEPS = """
from enum import Enum

class Base: ...
class Sub(Base): ...

class Color(Enum):
    RED = 1

class Pair(NamedTuple):
    a: int
    b: str

@dataclass
class Config:
    depth: int
    names: list[str] = field(default_factory=list)

class Score(TypedDict):
    auc: float

@step
def number() -> int: ...
@step
def text() -> str: ...
@step
def real() -> float: ...
@step
def maybe() -> int | None: ...
@step
def numbers() -> list[int]: ...
@step
def texts() -> list[str]: ...
@step
def table() -> dict[str, int]: ...
@step
def pair() -> Pair: ...
@step
def nothing() -> None: ...
@step
def free(): ...
@step
def config() -> Config: ...
@step
def score() -> Score: ...

@step
def take_int(x: int): ...
@step
def take_float(x: float): ...
@step
def take_str(x: str): ...
@step
def take_maybe(x: int | None = None): ...
@step
def take_either(x: Union[int, str]): ...
@step
def take_ints(x: list[int]): ...
@step
def take_floats(x: Sequence[float]): ...
@step
def take_table(x: Mapping[str, int]): ...
@step
def take_literal(x: Literal["a", "b"]): ...
@step
def take_color(x: Color): ...
@step
def take_path(x: Path): ...
@step
def take_pair(x: tuple[int, str]): ...
@step
def take_config(x: Config): ...
@step
def take_free(x): ...
@step
def take_score(x: Score): ...

@step
def many(a, /, b: int = 2, *rest: int, key: str = "k", **options: float): ...
@step
def strict(a: int, b: int = 0, *, key: str): ...
@step
def none_at_all(): ...

"""


def body(code):
    return f"{STEPS}\n@pipeline\ndef inner(x: int, y: str = ''):\n    return take_free(x)\n\n@pipeline\ndef main():\n    {code}\n"


@pytest.mark.parametrize(
    "code",
    [
        "take_int(number())",
        "take_int(free())",
        "take_int(True)",
        "take_float(number())",
        "take_float(3)",
        "take_maybe(number())",
        "take_maybe(maybe())",
        "take_maybe(nothing())",
        "take_maybe()",
        "take_either(number()); take_either(text()); take_either('x')",
        "take_ints(numbers())",
        "take_ints([number(), 1, free()])",
        "take_ints([])",
        "take_floats(numbers())",
        "take_floats((number(), 1.5))",
        "take_floats([number(), real()])",
        "take_table(table())",
        "take_table({'a': number(), 'b': 2})",
        "take_literal('a')",
        "take_color(Color.RED)",
        "take_path(Path('x'))",
        "take_pair(pair())",
        "take_pair((number(), text()))",
        "take_pair((1, 'a'))",
        "take_config(config())",
        "take_config(Config(number()))",
        "take_config(Config(1, [text()]))",
        "take_score(score())",
        "take_score({'auc': real()})",
        "take_score({'auc': 1.0})",
        "take_free([{'a': (number(), Color.RED)}])",
        "inner(number()); inner(1, y=text()); inner(free())",
    ],
)
def test_what_fits(project, code):
    project.graph(body(code))


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("take_int(text())", "`take_int(x=...)` takes int, and `text` gives str"),
        ("take_int(x=text())", "`take_int(x=...)` takes int, and `text` gives str"),
        ("take_int(real())", "`real` gives float"),
        ("take_int(maybe())", "`maybe` gives int | None"),
        ("take_int(nothing())", "`nothing` gives None"),
        ("take_int(pair().b)", "`pair.b` gives str"),
        ("take_maybe(text())", "takes int | None, and `text` gives str"),
        ("take_ints(texts())", "takes list[int], and `texts` gives list[str]"),
        ("take_ints(number())", "takes list[int], and `number` gives int"),
        ("take_ints([number(), text()])", "takes list[int], and gets list[int | str]"),
        ("take_ints((number(), 1))", "and gets tuple[int, int]"),
        ("take_ints({'a': number()})", "and gets dict[str, int]"),
        ("take_floats(texts())", "and `texts` gives list[str]"),
        ("take_table(numbers())", "and `numbers` gives list[int]"),
        ("take_table({'a': text()})", "and gets dict[str, str]"),
        ("take_table({1: number()})", "and gets dict[int, int]"),
        ("take_literal(number())", "`number` gives int"),
        ("take_literal(text())", "`text` gives str"),
        ("take_path(text())", "takes Path, and `text` gives str"),
        ("take_pair((text(), number()))", "and gets tuple[str, int]"),
        ("take_pair((number(),))", "and gets tuple[int]"),
        ("take_config(pair())", "`pair` gives Pair"),
        ("take_config(Config(text()))", "`Config.depth` is int, and gets str"),
        ("take_config(Config(1, [number()]))", "`Config.names` is list[str], and gets list[int]"),
        ("take_score(number())", "takes Score, and `number` gives int"),
        ("many(1, 2, number(), text())", "`many(*rest=...)` takes int, and `text` gives str"),
        ("many(1, deep=text())", "`many(**options=...)` takes float, and `text` gives str"),
        ("inner(text())", "`inner(x=...)` takes int, and `text` gives str"),
        ("take_int('a')", "`take_int(x='a')` is str, its annotation says int"),
        ("take_int(None)", "`take_int(x=None)` is None, its annotation says int"),
        ("take_int(1.5)", "`take_int(x=1.5)` is float, its annotation says int"),
        ("take_ints([1, 'a'])", "list with str at [1]"),
        ("take_literal('c')", "`take_literal(x='c')` is 'c'"),
        ("take_color(1)", "is int, its annotation says Color"),
        ("take_path('data.csv')", "is str, its annotation says Path"),
        ("take_pair((1, 2))", "tuple with int at [1]"),
        ("take_score({'auk': 1.0})", "dict without 'auc'"),
        ("many(1, 2, 'x')", "`many(*rest='x')` is str, its annotation says int"),
        ("many(1, key=3)", "`many(key=3)` is int, its annotation says str"),
        ("many(1, deep='x')", "`many(**options='x')` is str"),
        ("inner('a')", "is str, its annotation says int"),
    ],
)
def test_what_does_not(project, code, says):
    error = project.refused(EdgeType, body(f"{code}  # here"))
    assert says in error.what
    assert error.fixes


@pytest.mark.parametrize(
    ("code", "says", "fix"),
    [
        ("take_int()", "the step `take_int` is called without `x`", "add x=..."),
        ("strict()", "is called without `a` and `key`", "add a=..., key=..."),
        ("strict(number())", "is called without `key`", "add key=..."),
        ("many()", "is called without `a`", "add a"),
        ("take_int(1, 2)", "takes 1 arguments by place, and gets 2", "leave out"),
        ("strict(1, 2, 'k')", "takes 2 arguments by place, and gets 3", "write these by name: key"),
        ("none_at_all(3)", "takes 0 arguments by place", "leave out"),
        ("none_at_all(x=3)", "has no parameter `x`", "it takes no arguments"),
        ("strict(1, kee='a')", "has no parameter `kee`", "did you mean `key`?"),
        ("strict(1, zzz='a')", "has no parameter `zzz`", "its parameters are: a, b, key"),
        ("take_int(1, x=2)", "gets `x` twice", "by place or by name"),
        ("inner()", "the pipeline `inner` is called without `x`", "add x=..."),
        ("inner(1, z=number())", "the pipeline `inner` has no parameter `z`", ""),
    ],
)
def test_arguments_that_a_signature_does_not_take(project, code, says, fix):
    error = project.refused(BadArguments, body(f"{code}  # here"))
    assert says in error.what
    assert fix in "\n".join(error.fixes)
    assert error.why.startswith("it is ")


def test_the_signature_is_spelled_out(project):
    error = project.refused(BadArguments, body("many()"))
    assert error.why == "it is many(a, /, b=2, *rest, key='k', **options)"
    error = project.refused(BadArguments, body("strict()"))
    assert error.why == "it is strict(a, b=0, *, key)"


def test_positional_only_by_name(project):
    text = "@step\ndef f(a: int, /): ...\n\n@pipeline\ndef main():\n    f(a=1)  # here\n"
    error = project.refused(BadArguments, text)
    assert "takes `a` by place only" in error.what


def test_arguments_of_every_kind(project):
    graph = project.graph(
        body("x = number(); many(x, 3, x, 4, key='z', deep=x, wide=0.5); many(1); many(1, b=x)")
    )
    inputs = [dict(node.inputs) for node in graph.nodes]
    assert inputs[1] == {
        "**options": Pack(
            "dict", (FromStep(0), Constant(0.5, "0.5")), ('"deep"', '"wide"'), ("deep", "wide")
        ),
        "*rest": Pack("tuple", (FromStep(0), Constant(4, "4"))),
        "a": FromStep(0),
        "b": Constant(3, "3"),
        "key": Constant("z", '"z"'),
    }
    assert inputs[2] == {"a": Constant(1, "1")}
    assert inputs[3] == {"a": Constant(1, "1"), "b": FromStep(0)}


def test_names_in_options_may_be_those_of_parameters_by_place(project):
    graph = project.graph("@step\ndef f(a, /, **more): ...\n\n@pipeline\ndef main():\n    return f(1, a=2)\n")
    assert dict(graph.nodes[0].inputs)["a"] == Constant(1, "1")
    assert dict(graph.nodes[0].inputs)["**more"].payload == {"a": 2}


def test_a_value_without_a_way_to_bytes(project):
    error = project.refused(NoCodec, body("take_free(open(__file__))  # here"))
    assert "TextIOWrapper" in error.what


def test_an_output_without_a_codec_names_the_step_and_its_line(project):
    error = project.refused(
        NoCodec,
        """
@step
def talk() -> Callable[[int], int]: ...

@step
def both() -> tuple[int, Callable[[int], int]]: ...

@pipeline
def main(two: bool = False):
    return talk()  # here
""",
    )
    assert error.what.startswith("the step `talk`: ")
    project.write(project.root.joinpath("pipeline.py").read_text().replace("talk()  #", "both()  #"), head="")
    error = project.refused(NoCodec)
    assert error.what.startswith("the output `1` of the step `both`: ")


def test_what_fitted_before_says_nothing_of_what_comes_now(project):
    for second in ("take_int(text())", "take_int('7')"):
        error = project.refused(EdgeType, body(f"take_int(number()); take_int(7); {second}  # here"))
        assert "takes int, and" in error.what or "is str" in error.what


def test_constants_that_are_equal_and_not_the_same_stay_apart(project):
    graph = project.graph(body("take_free(1); take_free(True); take_free(1.0); take_free('1'); take_free(1)"))
    tokens = [binding.token for node in graph.nodes for _, binding in node.inputs]
    assert tokens == ["1", "True", "1.0", '"1"', "1"]


def test_each_way_to_write_a_call_binds_the_same(project):
    graph = project.graph(body("strict(1, 2, key='k'); strict(1, key='k', b=2); strict(key='k', b=2, a=1)"))
    bound = [[(name, binding.token) for name, binding in node.inputs] for node in graph.nodes]
    assert bound == [[("a", "1"), ("b", "2"), ("key", '"k"')]] * 3
