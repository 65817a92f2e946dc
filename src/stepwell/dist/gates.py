"""What metrics must satisfy before a release is made or promoted: a tiny language of comparisons.

    gate = parse("auc >= production.auc - 0.005")
    verdict = gate.evaluate({"auc": 0.79}, {"production": {"auc": 0.83}})
    verdict.passed, verdict.excuse     # False, "auc is 0.79, must be at least 0.825 (production.auc - 0.005)"
    gates_of(root)["model"]            # those of an output of the manifest
    metrics_of(lock, "model")          # the metrics of a lock by the names that gates have for them

A gate compares (`>=`, `>`, `<=`, `<`, `==`) two sums, differences or products of

    auc                    a metric of the release that is looked at; "val/auc" in quotes if it is no word
    0.81                   a number
    production.auc         that metric of the release which is in a channel now; production["val/auc"]

A channel whose name has `-` is written with `_`. Python's own parser reads it, a list of what is allowed decides,
and nothing is ever executed. Numbers are compared as they are written in decimal, so `0.3 >= 0.1 + 0.2` holds.

What cannot be known does not pass: a metric that nobody recorded, one that is no number, a channel that there is not.
One thing does: a channel that nothing is in yet has nothing to compare with, or nothing could ever be promoted to it.
"""

from __future__ import annotations

import ast
import math
import operator
import warnings
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from stepwell.author.manifest import checked
from stepwell.author.problems import together
from stepwell.author.tables import line_of
from stepwell.author.written import written_of
from stepwell.dist.lock import Lock, Pipeline
from stepwell.errors import BadGate, StepwellError, nearest

LONGEST = 300
"""Characters of a gate: nobody reads more, and parsers are not made for it."""

Metrics = Mapping[str, float]
Channels = Mapping[str, "Metrics | None"]
"""By channel, the metrics of the release that is in it; None where there is none."""

_COMPARE: Mapping[type[ast.cmpop], tuple[str, Callable[[Fraction, Fraction], bool], str]] = {
    ast.GtE: (">=", operator.ge, "at least"),
    ast.Gt: (">", operator.gt, "more than"),
    ast.LtE: ("<=", operator.le, "at most"),
    ast.Lt: ("<", operator.lt, "less than"),
    ast.Eq: ("==", operator.eq, "exactly"),
}
_MIRRORED: Mapping[type[ast.cmpop], type[ast.cmpop]] = {
    ast.GtE: ast.LtE,
    ast.Gt: ast.Lt,
    ast.LtE: ast.GtE,
    ast.Lt: ast.Gt,
}
_JOIN: Mapping[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}
_HELP = "comparisons of metrics, numbers and `CHANNEL.metric`, with +, - and *"
_EXAMPLE = 'for example: gates = ["auc >= 0.81", "auc >= production.auc - 0.005"]'


class Number(NamedTuple):
    """A number as it is written, and exactly."""

    value: Fraction


class Metric(NamedTuple):
    """A metric of the release that is looked at, or, with a channel, of the one that is in it."""

    name: str
    channel: str = ""

    def __str__(self) -> str:
        return f"{self.channel}.{self.name}" if self.channel else self.name


class Joined(NamedTuple):
    """A sum, difference or product of two terms."""

    left: Term
    join: Callable[[Fraction, Fraction], Fraction]
    right: Term


Term = Number | Metric | Joined


class Side(NamedTuple):
    """One side of a comparison, and its text."""

    term: Term
    text: str


class Verdict(NamedTuple):
    """Whether a gate lets something through, and in words why: each is told, also where it passed."""

    gate: str
    passed: bool
    excuse: str


class Gate(NamedTuple):
    """A comparison: its text, its sides, and what is asked of them."""

    text: str
    left: Side
    compare: type[ast.cmpop]
    right: Side

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics that it asks for, each once."""
        return tuple(dict.fromkeys((*_metrics(self.left.term), *_metrics(self.right.term))))

    def evaluate(self, metrics: Metrics, channels: Channels) -> Verdict:
        """Judge metrics, beside those of what is in each channel now. Raises nothing."""
        empty = [one for one in self.metrics if one.channel and channels.get(one.channel, metrics) is None]
        unknown = [
            excuse
            for one in self.metrics
            if one not in empty and (excuse := _unknown(one, metrics, channels))
        ]
        if unknown:
            return Verdict(self.text, False, "; ".join(unknown))
        if empty:
            names = ", ".join(dict.fromkeys(one.channel for one in empty))
            return Verdict(self.text, True, f"nothing is in {names} yet: nothing to compare with")
        left, right = (_value(side.term, metrics, channels) for side in (self.left, self.right))
        _, holds, words = _COMPARE[self.compare]
        passed = holds(left, right)
        first, second = _apart(left, right)
        wanted = f"{words} {_told(self.right, second)}"
        excuse = f"{_subject(self.left)} is {first}, {wanted if passed else f'must be {wanted}'}"
        return Verdict(self.text, passed, excuse)


def parse(text: str, *, where: str = "") -> Gate:
    """A gate. `where` is the line that it stands in, for messages. Raises `BadGate`."""
    clean = " ".join(text.split())
    if not clean or len(clean) > LONGEST:
        what = "a gate is empty" if not clean else f"a gate has {len(clean)} characters"
        raise BadGate(what, why=f"gates are {_HELP}", fixes=[_EXAMPLE], where=where)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of how strings and numbers are spelled
            tree = ast.parse(clean, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _refused(clean, "it cannot be read", where) from None
    if not isinstance(tree, ast.Compare) or len(tree.ops) != 1:
        if isinstance(tree, ast.Compare | ast.BoolOp):
            raise _refused(clean, "it is more than one comparison; write one gate for each", where)
        raise _refused(clean, "it is no comparison (>=, >, <=, <, ==)", where)
    compare = type(tree.ops[0])
    if compare not in _COMPARE:
        raise _refused(clean, "it compares with something else than >=, >, <=, <, ==", where)
    try:
        sides = [Side(_term(one), ast.get_source_segment(clean, one) or clean) for one in (tree.left, tree.comparators[0])]  # fmt: skip
    except _NotAllowed as error:
        raise _refused(clean, str(error), where) from None
    if not _metrics(sides[0].term):  # "0.81 <= auc" is said of auc
        sides.reverse()
        compare = _MIRRORED.get(compare, compare)
    gate = Gate(clean, sides[0], compare, sides[1])
    if not gate.metrics:
        raise _refused(clean, "it asks for no metric, so it would always say the same", where)
    return gate


def gates_of(root: Path, file: Path | None = None) -> dict[str, tuple[Gate, ...]]:
    """The gates of each output of a manifest that has some, by its name.

    Raises `BadGate` at its line for what is none, and for a channel that the manifest has not (`SeveralProblems`
    for more than one); `BadSettings` for a manifest that is wrong.
    """
    written = written_of(root, file)
    if written is None:
        return {}
    manifest = checked(written)
    wrong: list[StepwellError] = []
    found: dict[str, list[Gate]] = {}
    for name, output in manifest.outputs.items():
        line = line_of(written.text, (*written.prefix, "outputs", name, "gates"))
        where = f"{written.name}:{written.above + line}"
        for text in output.gates:
            try:
                gate = parse(text, where=where)
                _refuse_unknown(gate, manifest.channels.order, where)
                found.setdefault(name, []).append(gate)
            except BadGate as error:
                wrong.append(error)
    if wrong:
        raise together(wrong)
    return {name: tuple(gates) for name, gates in found.items()}


def metrics_of(lock: Lock, output: str) -> dict[str, float]:
    """The metrics that gates of an output can ask for, by every name that a gate may have for them.

    "STEP.METRIC" is always one; METRIC alone is that of the step which the output comes from or, if only one
    step of the pipeline logs it, that one's. Empty where the lock does not say which pipeline makes the output.
    """
    leaving = lock.output.get(output)
    if leaving is not None:
        name, step = leaving.pipeline, leaving.step
    else:  # locked before outputs were: with one pipeline there is no doubt
        name, step = (next(iter(lock.pipeline)) if len(lock.pipeline) == 1 else ""), ""
    pipeline = lock.pipeline.get(name, Pipeline())
    by_metric: dict[str, dict[str, float]] = {}
    for full, value in pipeline.metrics.items():
        of, metric = _step_of(full, pipeline)
        by_metric.setdefault(metric, {})[of] = value
    alone = {
        metric: found[step] if step in found else next(iter(found.values()))
        for metric, found in by_metric.items()
        if step in found or len(found) == 1
    }
    return {**alone, **pipeline.metrics}


def concerning(lock: Lock, output: str) -> dict[str, float]:
    """Of `metrics_of` those that say something of an output: of its own step, of those before it, and of those that use it."""
    found = metrics_of(lock, output)
    leaving = lock.output.get(output)
    pipeline = lock.pipeline.get(leaving.pipeline) if leaving is not None else None
    if leaving is None or pipeline is None or leaving.step not in pipeline.step:
        return found
    kin = _kin(pipeline, leaving.step)
    for full in pipeline.metrics:
        of, metric = _step_of(full, pipeline)
        if of not in kin:
            del found[full]
            if metric not in pipeline.metrics and f"{leaving.step}.{metric}" not in pipeline.metrics:
                found.pop(metric, None)
    return found


def _kin(pipeline: Pipeline, step: str) -> set[str]:
    """A step, all that it rests on, and all that rests on it."""
    before: dict[str, set[str]] = {}
    after: dict[str, set[str]] = {}
    for name, one in pipeline.step.items():
        for use in one.uses:
            if use.startswith("step."):
                other = use.removeprefix("step.")
                before.setdefault(name, set()).add(other)
                after.setdefault(other, set()).add(name)
    return {step} | _reached(step, before) | _reached(step, after)


def _reached(step: str, edges: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    todo = [step]
    while todo:
        new = edges.get(todo.pop(), set()) - found
        found |= new
        todo += new
    return found


def _step_of(full: str, pipeline: Pipeline) -> tuple[str, str]:
    """The step and the metric of "STEP.METRIC": both may have dots, so that the longest step counts which there is."""
    steps = [step for step in pipeline.step if full.startswith(f"{step}.")]
    step = max(steps, key=len, default=full.partition(".")[0])
    return step, full[len(step) + 1 :]


def _refuse_unknown(gate: Gate, channels: Sequence[str], where: str) -> None:
    for metric in gate.metrics:
        if metric.channel and metric.channel not in channels:
            hint = nearest(metric.channel, channels)
            raise BadGate(
                f"`{gate.text}` asks for channel `{metric.channel}`, which is not in `order` of `[channels]`",
                why="a metric whose name has a dot stands in quotes",
                fixes=[*([f"did you mean `{hint}`?"] if hint else []), f"there are: {', '.join(channels)}"],
                where=where,
            )


# --------------------------------------------------------------------------- what is allowed


class _NotAllowed(Exception):
    """A part of a gate that is not in the language."""


def _term(tree: ast.expr) -> Term:
    match tree:
        case ast.Constant(value=bool()):
            raise _NotAllowed("true and false are no numbers")
        case ast.Constant(value=int() | float() as value) if math.isfinite(value):
            return Number(_exact(value))
        case ast.Constant(value=str() as name):
            return Metric(_name(name))
        case ast.Name(id=name):
            return Metric(name)
        case ast.Attribute(value=ast.Name(id=channel), attr=name):
            return Metric(name, _channel(channel))
        case ast.Subscript(value=ast.Name(id=channel), slice=ast.Constant(value=str() as name)):
            return Metric(_name(name), _channel(channel))
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
            factor = Number(Fraction(-1 if isinstance(sign, ast.USub) else 1))
            return Joined(factor, operator.mul, _term(operand))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _JOIN:
            return Joined(_term(left), _JOIN[type(op)], _term(right))
        case ast.Constant(value=value):
            raise _NotAllowed(f"`{value}` is no number")
        case ast.BinOp():
            raise _NotAllowed("it may add, subtract and multiply, and nothing else")
        case ast.Call():
            raise _NotAllowed("nothing is called in a gate")
        case ast.Attribute():
            raise _NotAllowed("there is one dot in `CHANNEL.metric`; a name with dots stands in quotes")
    raise _NotAllowed(f"`{ast.unparse(tree)}` is neither a metric nor a number")


def _name(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise _NotAllowed("a metric has a name that can be read")
    return text


def _channel(word: str) -> str:
    """The name of a channel as the index has it."""
    return word.replace("_", "-").lower()


def _refused(text: str, why: str, where: str) -> BadGate:
    return BadGate(f"`{text}` is no gate", why=f"{why}; gates are {_HELP}", fixes=[_EXAMPLE], where=where)


# --------------------------------------------------------------------------- judging


def _exact(value: float) -> Fraction:
    """A number as it is written in decimal, not as the nearest that the machine has."""
    return Fraction(value) if isinstance(value, int) else Fraction(repr(float(value)))


def _metrics(term: Term) -> tuple[Metric, ...]:
    match term:
        case Metric():
            return (term,)
        case Joined(left=left, right=right):
            return (*_metrics(left), *_metrics(right))
    return ()


def _unknown(metric: Metric, metrics: Metrics, channels: Channels) -> str:
    """Why a metric cannot be had, in words; empty where it can."""
    if metric.channel and metric.channel not in channels:
        hint = nearest(metric.channel, channels)
        return f"there is no channel {metric.channel}" + (f" (did you mean {hint}?)" if hint else "")
    recorded = (channels[metric.channel] if metric.channel else metrics) or {}
    who = f"the release in {metric.channel} has no {metric.name}" if metric.channel else f"nobody recorded {metric.name}"  # fmt: skip
    if metric.name not in recorded:
        several = sorted(name for name in recorded if name.endswith(f".{metric.name}"))
        if len(several) > 1:
            return f"{metric} may be several metrics: {', '.join(several[:8])}; a gate says which, in quotes"
        hint = nearest(metric.name, recorded)
        names = f"there is: {', '.join(sorted(recorded)[:8])}" if recorded else "there are no metrics"
        return f"{who} (did you mean {hint}?)" if hint else f"{who} ({names})"
    value = recorded[metric.name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return f"{metric} is {value}, which cannot be compared"
    return ""


def _value(term: Term, metrics: Metrics, channels: Channels) -> Fraction:
    match term:
        case Number(value=value):
            return value
        case Metric(name=name, channel=channel):
            return _exact(((channels[channel] if channel else metrics) or {})[name])
        case Joined(left=left, join=join, right=right):
            return join(_value(left, metrics, channels), _value(right, metrics, channels))


def _subject(side: Side) -> str:
    """What a side is called: a metric in quotes without them."""
    return str(side.term) if isinstance(side.term, Metric) else side.text


def _told(side: Side, value: str) -> str:
    """The value of a side, and what it was made of where that is more than a number."""
    return f"{value} ({_subject(side)})" if _metrics(side.term) else value


def _apart(left: Fraction, right: Fraction) -> tuple[str, str]:
    """Two numbers with as few digits as tell them apart, at least six."""
    for digits in range(6, 18):
        texts = _text(left, digits), _text(right, digits)
        if texts[0] != texts[1] or left == right:
            return texts
    return f"{_text(left, 17)}…", _text(right, 17)


def _text(value: Fraction, digits: int) -> str:
    try:
        return f"{float(value):.{digits}g}"
    except OverflowError:
        return "a number beyond all bounds"
