"""Right wiring, as users write it: type checkers must have nothing to say, and see every type as it is.

`assert_type` is checked by both checkers and does nothing at run time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypedDict, assert_type

from stepwell import Pipeline, Run, Source, Step, StepwellError, endpoint, log, pipeline, source, step
from stepwell.ml import evaluator, predictor, preprocessor, splitter, tokenizer, trainer


@dataclass
class Model:
    depth: int = 6


class Split(NamedTuple):
    train: list[int]
    test: list[int]


@dataclass
class Report:
    auc: float
    model: Model


class Scores(TypedDict):
    auc: float


numbers = source("data/numbers.json", list[int])
text = source("data/notes.txt", str, encoding="utf-8")
folder = source("data", Path)
untyped = source("data/table.csv")


@step
def split(values: list[int], seed: int = 7) -> Split:
    log.metric("values", len(values))
    return Split(values, [seed])


@step(cpus=2, memory="4GB", env=["TZ"], codec="pickle")
def train(values: list[int], *, depth: int = 6) -> Model:
    return Model()


@step(memory=1024, env=("TZ", "LANG"), codec={"result": "json"}, out="a.html")
def page(scores: Scores) -> Path:
    return Path("a.html")


@step
def score(model: Model, values: list[int]) -> Report:
    return Report(0.5, model)


@step
async def fetch(url: str) -> bytes:
    return b""


@step(cpus=1)
async def fetch_many(*urls: str, timeout: float = 1.0) -> dict[str, bytes]:
    return {}


@step
def pair(x: int, /, **options: float) -> tuple[int, str]:
    return x, ""


@step
def nothing() -> None: ...


@step
def scores(report: Report) -> Scores:
    return {"auc": report.auc}


@splitter(by="customer", cpus=2)
def parted(values: list[int], seed: int = 7) -> Split:
    return Split(values, [seed])


@trainer
def fitted(values: list[int]) -> Model:
    return Model()


@evaluator(higher=["auc"], slices="group")
async def judged(model: Model) -> dict[str, float]:
    return {"auc": 0.5}


@predictor(rows="values", missing=True)
def predicted(model: Model, values: list[int]) -> list[float]:
    return [0.5]


@preprocessor
def prepared(values: list[int]) -> list[int]:
    return values


@tokenizer(ttl="7d")
def words(values: list[int]) -> dict[str, int]:
    return {}


def plain(x: int) -> str:
    return str(x)


made = step(plain)
assert_type(made(3), str)
assert_type(numbers, Source[list[int]])


def make(depth: int) -> Step[..., Model]:
    @step
    def trained(values: list[int]) -> Model:
        return Model()

    return trained


shallow = make(3)


@pipeline
def training(values: list[int], depth: int = 6) -> Model:
    return train(values, depth=depth)


@pipeline
def delays(depth: int = 6, names: list[str] | None = None) -> Report:
    assert_type(text(), str)
    assert_type(folder(), Path)
    assert_type(untyped(), Any)
    parts = split(numbers())
    assert_type(parts, Split)
    assert_type(parts.train, list[int])
    fit, held_out = parts
    assert_type(held_out, list[int])
    model = train(fit, depth=depth)
    assert_type(model, Model)
    assert_type(train.named("deep")(fit), Model)
    assert_type(train.options(memory="8GB", cpus=4)(fit, depth=3), Model)
    assert_type(train.after(model, nothing()).named("late")(fit), Model)
    assert_type(training(fit), Model)
    assert_type(training.named("other").after(model)(fit, depth=2), Model)
    assert_type(shallow(fit), Model)
    assert_type(fetch("https://example.org"), bytes)
    assert_type(fetch_many("a", "b", timeout=2), dict[str, bytes])
    sides = parted(prepared(fit), seed=3)
    assert_type(sides, Split)
    assert_type(fitted(sides.train), Model)
    assert_type(judged(model), dict[str, float])
    assert_type(predicted.named("again")(model, sides.test), list[float])
    assert_type(words(fit), dict[str, int])
    number, word = pair(3, rate=0.5)
    assert_type(number, int)
    assert_type(word, str)
    assert_type(pair(number)[0], int)
    assert_type(nothing(), None)
    report = score(model, held_out)
    assert_type(report.auc, float)
    found = scores(report)
    assert_type(found, Scores)
    assert_type(found["auc"], float)
    assert_type(page(found), Path)
    return report


@pipeline(jobs=4, keep_going=True)
def empty() -> None: ...


taken: Callable[[list[int]], Split] = split
step_of_any: Step[..., Split] = split
whole: Pipeline[..., Report] = delays


chain = split | train | endpoint("model")
assert_type(chain, Pipeline[..., Model])
assert_type(delays | scores, Pipeline[..., Scores])
assert_type(nothing >> delays >> empty, Pipeline[..., tuple[Any, ...]])
swapped: Pipeline[..., Report] = delays.replace(train=train.named("other"))


def programs() -> None:
    assert_type(endpoint("three")(3), int)
    assert_type(chain.run(depth=3).result, Model)
    run = delays.run(depth=8)
    assert_type(run, Run[Report])
    assert_type(run.result, Report)
    assert_type(run.result.auc, float)
    assert_type(run.status, str)
    assert_type(delays.options(jobs=4, force=True).run(8).result, Report)
    assert_type(delays.plan(depth=8).decisions, dict[str, str])
    assert_type(delays(depth=3), Report)
    assert_type(empty.run().result, None)
    assert_type(split([1, 2], seed=3).train, list[int])
    assert_type(train.function([1]), Any)
    try:
        delays.run()
    except StepwellError as error:
        assert_type(error.code, str)
        assert_type(error.fixes, tuple[str, ...])
