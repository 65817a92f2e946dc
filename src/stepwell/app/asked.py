"""From what a person asked to be swept to the points of the sweep, each with all of its parameters.

    points = points_of_words(loaded, Asked(("depth=4,6,8", "train.lr=0.1,0.3"), where="depth < 8"), words, files)
    points = points_of_call(loaded, axes, fixed)                            the same of a call from Python

An axis is a parameter of the pipeline (or a field of one, `opt.lr`), or an argument of a step or of a
pipeline inside (`train.depth`, `training/train[2].depth`), which is an override in each point.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from stepwell.app.parameters import NO_ORIGINS, given
from stepwell.author.conditions import Condition, condition
from stepwell.author.layers import COMMAND, Origin, called
from stepwell.author.overrides import Written
from stepwell.author.params import from_call, type_of
from stepwell.author.problems import Problems
from stepwell.author.project import Loaded
from stepwell.author.records import record_of
from stepwell.author.sweeping import Axis, axis, chosen, point, values_axis, words_of
from stepwell.errors import BadSweep, StepwellError, UsageError

MOST_PROBLEMS = 20
"""Errors after which no further points are looked at: they have most of theirs in common."""

_TARGET = re.compile(r"[^\W\d][\w/.\[\]-]*\.[^\W\d]\w*", re.UNICODE)


class Asked(NamedTuple):
    """A sweep as it was asked for: `name=values` texts, a condition, a size and seed of a sample."""

    sweeps: tuple[str, ...] = ()
    where: str = ""
    sample: int = 0
    seed: int = 0


NOTHING = Asked()


class Point(NamedTuple):
    """A point of a sweep: what varies, all parameters (overrides among them), and where these came from."""

    values: Mapping[str, object]
    params: Mapping[str, object]
    origins: Mapping[str, Origin] = NO_ORIGINS


def overrides_of(sets: Sequence[str]) -> dict[str, object]:
    """What `--set` texts (`train.depth=4`) mean. Raises `UsageError`."""
    out: dict[str, object] = {}
    for text in sets:
        name, equals, value = text.partition("=")
        if not equals or not _TARGET.fullmatch(name):
            raise UsageError(
                f"`--set {text}` names no argument of a step",
                why="it is STEP.ARGUMENT=VALUE; parameters of the pipeline are words: name=value",
                fixes=["--set train.depth=4", "--set training/train[2].depth=4"],
            )
        if name in out:
            raise UsageError(f"`{name}` is set twice", fixes=[f"leave out one of them: --set {text}"])
        out[name] = Written(value)
    return out


def points_of_words(
    loaded: Loaded,
    asked: Asked,
    words: Sequence[str] = (),
    files: Sequence[str] = (),
    sets: Mapping[str, object] = NO_ORIGINS,
) -> list[Point]:
    """The points that a command means; `sets` are overrides that are the same in all of them.

    Raises `BadSweep`, `BadCondition`, `TooManyPoints`, `EmptySweep`, and as `app.parameters.given` does.
    """
    axes = _axes(loaded, asked.sweeps, {word.partition("=")[0] for word in words} | set(sets))
    inner = {one.name for one in axes if _is_inner(loaded, one.name)}

    def parameters(number: int) -> tuple[Mapping[str, object], Mapping[str, Origin]]:
        written = words_of(axes, number)
        own = [f"{name}={text}" for name, text in written.items() if name not in inner]
        values, origins = given(loaded, [*words, *own], files)
        over = {**sets, **{name: Written(text) for name, text in written.items() if name in inner}}
        return {**values, **over}, {**origins, **dict.fromkeys(over, COMMAND)}

    first, _ = parameters(0)
    numbers = chosen(axes, where=_where(asked.where, first, axes), sample=asked.sample, seed=asked.seed)
    problems = Problems()
    out: list[Point] = []
    for number in numbers:
        try:
            out.append(Point(point(axes, number), *parameters(number)))
        except StepwellError as error:
            problems.add(error)
            if len(problems.errors) >= MOST_PROBLEMS:
                break
    if problems:
        raise problems.error()
    return out


def points_of_call(
    loaded: Loaded, swept: Mapping[str, object], fixed: Mapping[str, object], asked: Asked = NOTHING
) -> list[Point]:
    """The points of a call from Python: lists of values of what is `swept`, values of what is `fixed`. Raises as the other."""
    axes = [values_axis(name, values) for name, values in swept.items()]  # type: ignore[arg-type]
    if not axes:
        raise BadSweep("a sweep has no axis", fixes=[f"{loaded.pipeline.__name__}.sweep(depth=[4, 6, 8])"])

    def parameters(number: int) -> tuple[Mapping[str, object], Mapping[str, Origin]]:
        all_of_it = {**fixed, **point(axes, number)}
        own = {name: value for name, value in all_of_it.items() if not _is_inner(loaded, name)}
        values = from_call(loaded.pipeline, (), own)
        over = {name: value for name, value in all_of_it.items() if name not in own}
        return {**values, **over}, called({**values, **over}, all_of_it)

    first, _ = parameters(0)
    numbers = chosen(axes, where=_where(asked.where, first, axes), sample=asked.sample, seed=asked.seed)
    return [Point(point(axes, number), *parameters(number)) for number in numbers]


def _where(text: str, first: Mapping[str, object], axes: Sequence[Axis]) -> Condition | None:
    names = [one.name for one in axes]
    fixed = {
        name: value for name, value in first.items() if name not in names and not isinstance(value, Written)
    }
    return condition(text, fixed, names) if text else None


def _axes(loaded: Loaded, sweeps: Sequence[str], taken: set[str]) -> list[Axis]:
    """The axes that texts `name=values` mean, in their order. Raises `BadSweep`."""
    out: dict[str, Axis] = {}
    for text in sweeps:
        name, equals, values = text.partition("=")
        if not equals or not (name.isidentifier() or _TARGET.fullmatch(name)):
            raise BadSweep(
                f"`--sweep {text}` names no parameter",
                why="it is NAME=VALUES",
                fixes=["--sweep depth=4,6,8", "--sweep train.depth=2..10/2"],
            )
        if name in out:
            raise BadSweep(f"`{name}` is swept twice", fixes=[f"--sweep {name}={out[name].text},{values}"])
        if name in taken:
            raise BadSweep(
                f"`{name}` is swept, and has one value as well",
                why="each point has the value that the sweep gives it",
                fixes=[f"leave out `{name}=...` or `--sweep {name}=...`"],
            )
        out[name] = axis(name, values, _type(loaded, name))
    return list(out.values())


def _is_inner(loaded: Loaded, name: str) -> bool:
    """Whether a name is that of an argument of something inside of the pipeline, not of a parameter or its field."""
    return "." in name and name.partition(".")[0] not in loaded.pipeline.signature.parameters


def _type(loaded: Loaded, name: str) -> object:
    """The type of a parameter, or of a field of one; None where nobody says, as of what is inside."""
    head, *fields = name.split(".")
    if head not in loaded.pipeline.signature.parameters:
        return None
    wanted = type_of(loaded.pipeline, head)
    for field in fields:
        record = record_of(wanted)
        if record is None or field not in record.fields:
            return None
        wanted = record.fields[field].type
    return wanted
