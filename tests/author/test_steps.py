"""`@step` and `@pipeline`: what they may stand on, that plain calls are plain, and where workers find steps."""

from __future__ import annotations

import asyncio

import pytest

from stepwell import pipeline, source, step
from stepwell.errors import BadPipeline, BadReference, BadStep, NotInAFile
from stepwell.kernel.graph import FromStep


@step
def double(x: int, by: int = 2) -> int:
    """Multiply."""
    return x * by


@step
async def later(x: int) -> int:
    await asyncio.sleep(0)
    return x + 1


@step
def pair() -> tuple[int, str]:
    return 1, "a"


@pipeline
def inner(x: int = 1) -> int:
    return double(x) + 1


@pipeline
def outer(x: int = 1) -> list[int]:
    number, _ = pair.named("first")()
    return [
        double.options(cpus=2)(inner(x)),
        later.after(number)(number),
        inner.named("again").after(number)(5),
    ]


def test_outside_of_tracing_everything_computes():
    assert double(3) == 6
    assert double(3, by=5) == 15
    assert pair() == (1, "a")
    assert inner() == 3
    assert outer(x=2) == [10, 2, 11]
    assert later(1) == 2


def test_an_async_step_in_a_running_loop_gives_its_coroutine():
    async def go() -> int:
        return await later(4)

    assert asyncio.run(go()) == 5


def test_a_source_outside_of_tracing_is_read(project):
    project.write(
        """
import json
data = source("data/x.json", dict)

@step
def count(x: dict) -> int:
    return len(x)

@pipeline
def main() -> int:
    return count(data())
"""
    )
    (project.root / "data").mkdir()
    (project.root / "data/x.json").write_text('{"a": 1}')
    loaded = project.load()
    assert loaded.module.data() == {"a": 1}
    assert loaded.pipeline() == 1


def test_what_after_refuses_outside_of_tracing():
    with pytest.raises(BadReference, match="the step itself"):
        double.after(pair)
    with pytest.raises(BadReference, match="the source itself"):
        double.after(source("x.csv"))
    assert double.after(None, 3)(2) == 4


def test_a_step_looks_like_its_function():
    import inspect

    assert double.__name__ == "double"
    assert double.__doc__ == "Multiply."
    assert double.__module__ == __name__
    assert str(inspect.signature(double)) == "(x: 'int', by: 'int' = 2) -> 'int'"
    assert repr(double) == f"<step {__name__}:double>"
    assert repr(inner) == f"<pipeline {__name__}:inner>"
    assert repr(source("data/x.csv")) == "<source x.csv data/x.csv>"


class Model:
    def fit(self): ...

    @classmethod
    def make(cls): ...

    def __call__(self): ...


def generate():
    yield 1


async def agenerate():
    yield 1


@pytest.mark.parametrize(
    ("thing", "says"),
    [
        (Model, "the class `Model`"),
        (Model().fit, "on a method"),
        (Model.make, "on a method"),
        (staticmethod(generate), "on a method"),
        (property(generate), "on a method"),
        (Model(), "is not a Python function"),
        (lambda: 1, "a lambda"),
        (generate, "`generate` is a generator"),
        (agenerate, "`agenerate` is a generator"),
        (len, "`len`, which is not a Python function"),
        (3, "`3`, which is not a Python function"),
        (double, "`double` is a step already"),
        (inner, "`inner` is a pipeline already"),
        (source("x.csv"), "is a source already"),
    ],
)
def test_what_cannot_be_a_step(thing, says):
    with pytest.raises(BadStep) as caught:
        step(thing)
    assert says in caught.value.what
    assert caught.value.fixes
    assert "test_steps.py:" in caught.value.where
    with pytest.raises(BadStep):
        step(cpus=1)(thing)


@pytest.mark.parametrize(
    ("thing", "says"),
    [
        (Model, "not a function"),
        (Model().fit, "not a function"),
        (lambda: 1, "a lambda"),
        (generate, "is a generator"),
        (agenerate, "is async"),
        (len, "not a function"),
        (3, "not a function"),
        (double, "`double` is a step"),
        (inner, "a pipeline already"),
        (later.function, "is async"),
    ],
)
def test_what_cannot_be_a_pipeline(thing, says):
    with pytest.raises(BadPipeline) as caught:
        pipeline(thing)
    assert says in caught.value.what
    assert "test_steps.py:" in caught.value.where


@pytest.mark.parametrize(
    ("decorator", "kind"), [("step", BadStep), ("step(cpus=1)", BadStep), ("pipeline", BadPipeline)]
)
def test_methods_are_refused_where_the_class_is(project, decorator, kind):
    project.write(f"class Model:\n    @{decorator}\n    def fit(self): ...\n\n@pipeline\ndef main(): ...\n")
    with pytest.raises(kind) as caught:
        project.load()
    assert "stands on the method `Model.fit`" in caught.value.what
    assert caught.value.where.startswith("pipeline.py:")


def test_a_step_inside_a_function_is_not_found_by_workers(project):
    error = project.refused(
        NotInAFile,
        """
@pipeline
def main():
    @step
    def local() -> int: ...
    return local()  # here
""",
    )
    assert "`main.<locals>.local`" in error.what
    assert error.fixes


def test_steps_that_a_function_made_are_found_by_the_names_that_hold_them(project):
    graph = project.graph(
        """
def make(depth):
    @step
    def train(x: int) -> int:
        return x * depth
    return train

def plain(x: int) -> int:
    return x

shallow, deep = make(1), make(5)
bound = step(plain)
wide = step(cpus=2)(make(7).function)
renamed = shallow

@pipeline
def main():
    return shallow(1), deep(2), bound(3), wide(4), renamed(5)
"""
    )
    assert [(s.name, s.qualname) for s in graph.steps] == [
        ("train", "shallow"),
        ("train", "deep"),
        ("plain", "bound"),
        ("train", "wide"),
    ]
    assert [n.id for n in graph.nodes] == ["train", "train[2]", "plain", "train[3]", "train[4]"]
    assert graph.nodes[4].step == 0


def test_steps_that_a_function_of_another_module_made(project):
    project.write(
        "def make(depth):\n    @step\n    def train(x: int) -> int:\n        return x * depth\n    return train\n",
        "factory.py",
    )
    project.write(
        "import functools\n\ndef loud(function):\n    def wrapper(*args):\n        return function(*args)\n    return wrapper\n",
        "decorators.py",
    )
    graph = project.graph(
        """
from factory import make
from decorators import loud

train = make(3)

@step
@loud
def wrapped(x: int) -> int: ...

@pipeline
def main():
    return train(1), wrapped(2)
"""
    )
    assert [s.full_name for s in graph.steps] == ["pipeline:train", "pipeline:wrapped"]


def test_steps_of_other_modules(project):
    project.write("@step\ndef train(x: int) -> int: ...\n", "steps/models.py")
    project.write(
        "from steps.models import train as fit\n\n@pipeline\ndef training(x: int):\n    return fit(x)\n",
        "sub.py",
    )
    graph = project.graph(
        """
import steps.models
from steps.models import train
from steps import models as m
from sub import training

@pipeline
def main():
    return [train(1), steps.models.train(2), m.train(3), training(4)]
"""
    )
    assert [s.full_name for s in graph.steps] == ["steps.models:train"]
    assert [n.id for n in graph.nodes] == ["train", "train[2]", "train[3]", "training/train"]


def test_two_steps_of_one_name(project):
    error = project.refused(
        NotInAFile,
        """
@step
def f() -> int: ...

first = [f]

@step
def f() -> str: ...

@pipeline
def main():
    return f(), first[0]()  # here
""",
    )
    assert "`f` is not bound" in error.what


def test_an_async_step_is_a_reference_to_its_result(project):
    graph = project.graph(
        """
@step
async def fetch(n: int) -> tuple[int, str]: ...

@step
def use(n: int): ...

@pipeline
def main():
    n, _ = fetch(1)
    return use(n)
"""
    )
    assert graph.nodes[1].inputs == (("n", FromStep(0, "0")),)
    assert [o.codec for o in graph.steps[0].outputs] == ["json", "text"]
