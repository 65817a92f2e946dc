"""Rules about pipelines and their parameters: P3xx."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stepwell.errors import counted
from stepwell.dist.compat import coming
from stepwell.dist.compat.finding import Rule, Told
from stepwell.dist.compat.sides import Sides
from stepwell.dist.lock import Pipeline


def _both(sides: Sides) -> Iterator[tuple[str, Pipeline, Pipeline]]:
    after = sides.after.lock.pipeline
    yield from ((name, one, after[name]) for name, one in sides.before.lock.pipeline.items() if name in after)


def parameter_gone(sides: Sides) -> Iterator[Told]:
    """Parameters that cannot be given any more."""
    for name, old, new in _both(sides):
        for key in old.params:
            if key not in new.params:
                yield Told(f"pipeline.{name}.{key}", "the parameter is gone")


def parameter_retyped(sides: Sides) -> Iterator[Told]:
    """Parameters whose value is of another kind."""
    for name, old, new in _both(sides):
        for key, was in old.params.items():
            if key in new.params and _kind(was) != _kind(new.params[key]):
                what = f"was {_kind(was)} ({was!r}), and is {_kind(new.params[key])} ({new.params[key]!r})"
                if None not in (was, new.params[key]):
                    yield Told(f"pipeline.{name}.{key}", what)


def parameter_added(sides: Sides) -> Iterator[Told]:
    """Parameters that are new."""
    for name, old, new in _both(sides):
        for key in new.params:
            if key not in old.params:
                yield Told(f"pipeline.{name}.{key}", "the parameter is new")


def parameter_value(sides: Sides) -> Iterator[Told]:
    """Parameters with another value of the same kind."""
    for name, old, new in _both(sides):
        for key, was in old.params.items():
            now = new.params.get(key, was)
            if now != was and (_kind(now) == _kind(was) or None in (now, was)):
                yield Told(f"pipeline.{name}.{key}", f"was {was!r}, and is {now!r}")


def code(sides: Sides) -> Iterator[Told]:
    """Steps that do something else."""
    for name, old, new in _both(sides):
        changed = [
            one for one, step in old.step.items() if one in new.step and new.step[one].code != step.code
        ]
        others = [*(set(old.step) ^ set(new.step))]
        if changed or others:
            what = f"the code of {counted(len(changed), 'step')} is another: {', '.join(changed[:4])}" if changed else ""
            more = f"{counted(len(others), 'step')} came or went: {', '.join(sorted(others)[:4])}" if others else ""
            yield Told(f"pipeline.{name}", "; ".join(filter(None, (what, more))))


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "a truth value"
    kinds = (
        (int | float, "a number"),
        (str, "a text"),
        (list | tuple, "a list"),
        (dict, "a table"),
        (type(None), "nothing"),
    )
    return next((name for kind, name in kinds if isinstance(value, kind)), "a date")


RULES = (
    Rule("P301", "parameter-gone", "major", "a parameter of a pipeline is not there any more",
         "whoever runs the pipeline with it cannot any more", parameter_gone),
    Rule("P302", "parameter-retyped", "major", "a parameter takes a value of another kind", "values that were given are refused", parameter_retyped),
    Rule("P303", "parameter-new", "minor", "a parameter is new", "it has a value where nobody gives one", parameter_added),
    Rule("P304", "parameter-value", "patch", "a parameter has another value", "what it changes is told of the outputs", parameter_value),
    Rule("P305", "pipeline-gone", "major", "a pipeline is not there any more", "whoever runs or imports it cannot any more", coming.gone("pipeline")),
    Rule("P306", "pipeline-new", "minor", "a pipeline is new", "more can be run, and nothing else changed", coming.added("pipeline")),
    Rule("P307", "code-changed", "patch", "the code of steps is another, or there are other steps", "what it changes is told of the outputs", code),
)  # fmt: skip
