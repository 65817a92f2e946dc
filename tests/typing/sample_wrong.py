"""Wrong wiring: each line that says `# error` must be underlined by both checkers, and no other."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from stepwell import endpoint, pipeline, source, step
from stepwell.ml import evaluator, splitter, trainer


class Model: ...


class Split(NamedTuple):
    train: list[int]
    test: list[int]


numbers = source("data/numbers.json", list[int])
text = source("data/notes.txt", str)


@step
def split(values: list[int], seed: int = 7) -> Split:
    return Split(values, [seed])


@step(cpus=2)
def train(values: list[int], *, depth: int = 6) -> Model:
    return Model()


@step
def score(model: Model, values: list[int]) -> float:
    return 0.5


@step
async def fetch(url: str) -> bytes:
    return b""


@step
def count(*values: int, **options: float) -> int:
    return 0


@pipeline
def training(values: list[int], depth: int = 6) -> Model:
    return train(values, depth=depth)


@pipeline
def delays(depth: int = 6) -> float:
    parts = split(text())  # error
    split(numbers(), seed="7")  # error
    split()  # error
    split(numbers(), sed=7)  # error
    parts.valid  # error
    _one, _two, _three = parts  # error
    train(parts)  # error
    train(parts.train, 3)  # error
    train(parts.train, depth="3")  # error
    train.named("a")("x")  # error
    train.options(cpus=3)("x")  # error
    train.after(parts)("x")  # error
    train.named(3)(parts.train)  # error
    train.options(cpu=3)  # error
    train.options(memory=None)  # error
    train.nmaed("a")  # error
    fetch(3)  # error
    fetch("a").upper().nope()  # error
    count(1, "2")  # error
    count(1, rate="x")  # error
    training("x")  # error
    training.named("b")(parts.train, depth="x")  # error
    model = training(parts.train)
    score(parts.train, model)  # error
    score(model, values=parts)  # error
    score(model, fetch("a"))  # error
    Path(score(model, parts.train))  # error
    return model  # error


@step(cpus="2")  # error
def wrong() -> None: ...


@step(cpu=2)  # error
def unknown() -> None: ...


@splitter(key=3)  # error
def by_number() -> None: ...


@trainer(by="id")  # error
def not_its_own() -> None: ...


@evaluator
def judged(model: Model) -> dict[str, float]:
    return {}


@pipeline(job=2)  # error
def also() -> None: ...


def programs() -> None:
    split | 3  # error
    split | training | "x"  # error
    split >> 3  # error
    endpoint(3)  # error
    (split | training).run().result.nope()  # error
    delays.run(depth="8")  # error
    delays.run(dept=8)  # error
    delays.plan("8")  # error
    delays.options(jobs="4")  # error
    delays.options(job=4)  # error
    delays.run().result.nope()  # error
    delays.run().reslt  # error
    delays("x")  # error
    judged(3)  # error
    judged(Model(), 3)  # error
    source(3)  # error
    source("x", 3)  # error
