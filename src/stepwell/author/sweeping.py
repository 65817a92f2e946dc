"""What a sweep consists of: axes, their grid, the points that a condition leaves, a sample of them. Pure.

    axes = [axis("depth", "2..10/2", int), axis("lr", "log:1e-4..1e-1/4", float)]
    numbers = chosen(axes, where=condition("depth < 6 or lr > 0.01", {}, ["depth", "lr"]), sample=20, seed=1)
    points = [point(axes, number) for number in numbers]

An axis is a parameter with its values. As text they are separated by commas; each is a value as
`name=value` takes it, or a range:

    2..10              whole numbers, both ends included; dates by the day
    2..10/2            in steps of 2; 0.1..0.5/0.1 too, and dates in steps of days
    lin:0.1..0.5/5     5 values at equal distances, both ends included
    log:1e-4..1e-1/4   4 values at equal ratios, both ends included

A grid is never made as a whole: its points are numbered, the last axis varying fastest, and a point
is made from its number. So a grid may be as large as it likes, and is refused, or sampled, by number.
"""

from __future__ import annotations

import datetime as dt
import enum
import math
import re
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice, product
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Union, get_args, get_origin

from stepwell.author.annotations import plain
from stepwell.author.arguments import brief
from stepwell.author.params import parse
from stepwell.errors import BadSweep, EmptySweep, TooManyPoints
from stepwell.kernel.identity import NotPlain, token

if TYPE_CHECKING:
    from decimal import Decimal

LARGEST = 10_000
"""Points that one sweep may have."""

ASKED = 1_000_000
"""Points of a grid of which a condition is asked one by one; of a larger one, only a sample can be taken."""

TRIES = 200
"""Points of a large grid that are drawn for each one that is wanted, before too few are left by a condition."""

Point = dict[str, object]
"""Values by name of the axis, in the order of the axes."""


class Condition(Protocol):
    """Whether a point is one of the sweep (`author.conditions.Condition`)."""

    def holds(self, point: Mapping[str, object], /) -> bool:
        """Whether it is. Raises `BadCondition` where that cannot be asked of it."""
        ...


class Stretch(NamedTuple):
    """The values of a part of an axis, made one at a time: `size` of them, `at(i)` is number i.

    `word` is how a single value is written behind `name=`; values of a range are written as they print.
    """

    size: int
    at: Callable[[int], object]
    word: str | None = None


class Axis(NamedTuple):
    """A parameter and its values, in parts. `text` is how a person wrote them, "" for values from Python."""

    name: str
    parts: tuple[Stretch, ...]
    text: str = ""

    @property
    def size(self) -> int:
        """How many values it has."""
        return sum(part.size for part in self.parts)

    def value(self, place: int) -> object:
        """The value at a place, counted from 0."""
        part, place = self._part(place)
        return part.at(place)

    def word(self, place: int) -> str:
        """The value at a place as a person would write it behind `name=`."""
        part, place = self._part(place)
        return str(part.at(place)) if part.word is None else part.word

    def _part(self, place: int) -> tuple[Stretch, int]:
        for part in self.parts:
            if place < part.size:
                return part, place
            place -= part.size
        raise IndexError(place)


# --------------------------------------------------------------------------- axes


def axis(name: str, text: str, wanted: object) -> Axis:
    """An axis from the text behind `name=`, its values of the type `wanted` (None: nobody says). Raises `BadSweep`."""
    parts = []
    for piece in pieces(text):
        try:
            parts.append(_part(piece, wanted))
        except ValueError as error:
            raise BadSweep(
                f"`{piece}` in `--sweep {name}={text}` is no value, and no range of values",
                why=str(error),
                fixes=[
                    f"--sweep {name}=4,6,8",
                    f"--sweep {name}=2..10/2",
                    f"--sweep {name}=log:1e-4..1e-1/4",
                ],
            ) from None
    if not parts:
        raise BadSweep(f"`--sweep {name}=` has no values", fixes=[f"--sweep {name}=4,6,8"])
    return distinct(Axis(name, tuple(parts), text))


def values_axis(name: str, values: Iterable[object]) -> Axis:
    """An axis of values from Python. Raises `EmptySweep` where there are none."""
    held = values if isinstance(values, Sequence) else list(islice(values, ASKED + 1))
    if not held:
        raise EmptySweep(f"`{name}` is swept over no values", fixes=[f"for example: {name}=[4, 6, 8]"])
    return distinct(Axis(name, (Stretch(len(held), held.__getitem__),)))


def distinct(one: Axis) -> Axis:
    """An axis with each value once, at its first place; one that is too long to look at is left as it is."""
    if one.size > LARGEST:
        return one
    kept: dict[str, int] = {}
    for place in range(one.size):
        kept.setdefault(_token(one.value(place)), place)
    if len(kept) == one.size:
        return one
    return one._replace(parts=tuple([_single(one.value(place), one.word(place)) for place in kept.values()]))


def _single(value: object, word: str) -> Stretch:
    return Stretch(1, lambda _: value, word)


def _token(value: object) -> str:
    try:
        return f"{type(value).__qualname__} {token(value)}"
    except NotPlain:
        return f"{type(value).__qualname__} {value!r}"


def pieces(text: str) -> list[str]:
    """Text cut at its commas, but for those inside of brackets, braces, parentheses and quotes."""
    out: list[str] = []
    depth, quote, start = 0, "", 0
    before = ""
    for i, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote and before != "\\" else quote
        elif letter in "\"'" and (depth or not text[start:i].strip()):
            quote = letter
        elif letter in "[{(":
            depth += 1
        elif letter in "]})":
            depth = max(0, depth - 1)
        elif letter == "," and not depth:
            out.append(text[start:i].strip())
            start = i + 1
        before = letter if before != "\\" else ""
    last = text[start:].strip()
    return [*out, last] if out or last else []


_RANGE = re.compile(r"(?:(lin|log):)?(?P<first>[^/]+?)\.\.(?P<last>[^/]+?)(?:/(?P<step>[^/]+))?")


def _part(piece: str, wanted: object) -> Stretch:
    """One piece of an axis. Raises `ValueError` saying what is wrong with it."""
    kinds = _kinds(wanted)
    found = _RANGE.fullmatch(piece)
    if found is not None and (ends := _ends(found, kinds)) is not None:
        shape, step = found[1] or "", found["step"]
        if shape:
            return _spaced(shape, *ends, step, kinds)
        return _stepped(*ends, step)
    quoted = _unquoted(piece) if str in kinds else None
    if quoted is not None:
        return _single(quoted, quoted)
    return _single(parse(piece, wanted), piece)


def _kinds(wanted: object) -> tuple[object, ...]:
    """The types that an annotation allows, without what `Annotated` adds."""
    wanted = plain(wanted)
    if get_origin(wanted) in (Union, types.UnionType):
        return tuple(kind for member in get_args(wanted) for kind in _kinds(member))
    if hasattr(wanted, "__supertype__"):
        return _kinds(wanted.__supertype__)
    return (wanted,)


Ends = tuple[Any, Any]


def _ends(found: re.Match[str], kinds: Sequence[object]) -> Ends | None:
    """The two ends of a range, of the first type that both can be; None where the text is no range of these types."""
    texts = found["first"].strip(), found["last"].strip()
    anything = any(kind in (None, Any, object) for kind in kinds)
    wholes = int in kinds or anything
    floats = float in kinds or anything
    for allowed, make in ((wholes, int), (floats, _decimal), (dt.date in kinds, dt.date.fromisoformat)):
        if allowed:
            try:
                return make(texts[0]), make(texts[1])  # type: ignore[operator]
            except ValueError:
                continue
    if int in kinds and not floats:
        for text in texts:
            try:
                _decimal(text)
            except ValueError:
                return None
        raise ValueError("the ends of a range of whole numbers are whole numbers")
    return None


def _decimal(text: str) -> Decimal:
    from decimal import Decimal, InvalidOperation

    try:
        found = Decimal(text)
    except InvalidOperation:
        raise ValueError(text) from None
    if not found.is_finite():
        raise ValueError(text)
    return found


def _stepped(first: Any, last: Any, step: str | None) -> Stretch:
    """`first..last/step`: from one end in steps, as far as the other."""
    if first > last:
        raise ValueError(f"it begins behind its end: {last}..{first}")
    if isinstance(first, dt.date):
        days = _whole(step or "1", "steps of a range of dates are days")
        count = (last - first).days // days + 1
        return Stretch(count, lambda i: first + dt.timedelta(days=i * days))
    if isinstance(first, int) and isinstance(last, int) and (step is None or step.strip().isdigit()):
        width = _whole(step or "1", "a step is larger than 0")
        return Stretch((last - first) // width + 1, lambda i: first + i * width)
    if step is None:
        raise ValueError(
            f"how many values? {first}..{last}/0.1 has a step, lin:{first}..{last}/5 a number of values"
        )
    try:
        wide = _decimal(step.strip())
    except ValueError:
        raise ValueError(f"its step `{step}` is no number") from None
    if isinstance(first, int):
        raise ValueError("a step between whole numbers is a whole number larger than 0")
    if wide <= 0:
        raise ValueError("a step is larger than 0")
    if wide > last - first:
        raise ValueError(
            f"the step {step} is longer than the range; for {step} values: lin:{first}..{last}/{step}"
        )
    return Stretch(int((last - first) // wide) + 1, lambda i: float(first + i * wide))


def _whole(text: str, why: str) -> int:
    try:
        found = int(text)
    except ValueError:
        raise ValueError(why) from None
    if found < 1:
        raise ValueError(why)
    return found


def _spaced(shape: str, first: Any, last: Any, count: str | None, kinds: Sequence[object]) -> Stretch:
    """`lin:` and `log:`: so many values, both ends among them; whole ones where the type is."""
    if isinstance(first, dt.date):
        raise ValueError(f"{shape}: is for numbers; dates are written {first}..{last}/7")
    if count is None:
        raise ValueError(f"{shape}: needs a number of values: {shape}:{first}..{last}/5")
    number = _whole(count.strip(), f"behind {shape}:... and / comes how many values there are")
    low, high = float(first), float(last)
    if low > high:
        raise ValueError(f"it begins behind its end: {last}..{first}")
    if shape == "log" and low <= 0:
        raise ValueError("log: is for numbers larger than 0")
    if number == 1 and low != high:
        raise ValueError("one value cannot be both ends; write the value itself")
    whole = float not in kinds and int in kinds

    def at(i: int) -> object:
        if i in (0, number - 1):
            value = low if i == 0 else high
        elif shape == "log":
            value = math.exp(math.log(low) + (math.log(high) - math.log(low)) * i / (number - 1))
            value = float(f"{value:.12g}")  # 0.01, not 0.010000000000000002
        else:
            value = float(f"{low + (high - low) * i / (number - 1):.12g}")
        return round(value) if whole else value

    return Stretch(number, at)


def _unquoted(piece: str) -> str | None:
    """The text of a piece in quotes, as TOML reads it; None where it is not in quotes."""
    if len(piece) < 2 or piece[0] not in "\"'" or piece[-1] != piece[0]:
        return None
    value = parse(piece, typing.Any)
    return value if isinstance(value, str) else None


# --------------------------------------------------------------------------- the grid


def size(axes: Sequence[Axis]) -> int:
    """How many points the grid of some axes has."""
    return math.prod(one.size for one in axes)


def point(axes: Sequence[Axis], number: int) -> Point:
    """The point of a number, counted from 0; the last axis varies fastest."""
    return {one.name: one.value(place) for one, place in zip(axes, _places(axes, number), strict=True)}


def words_of(axes: Sequence[Axis], number: int) -> dict[str, str]:
    """The values of a point as a person would write them behind `name=`, by name."""
    return {one.name: one.word(place) for one, place in zip(axes, _places(axes, number), strict=True)}


def _places(axes: Sequence[Axis], number: int) -> list[int]:
    found = []
    for one in reversed(axes):
        number, place = divmod(number, one.size)
        found.append(place)
    return found[::-1]


def grid(axes: Sequence[Axis]) -> Iterator[Point]:
    """All points, one after the other, in the order of their numbers."""
    names = [one.name for one in axes]
    for places in product(*[range(one.size) for one in axes]):
        yield {name: one.value(at) for name, one, at in zip(names, axes, places, strict=True)}


def chosen(
    axes: Sequence[Axis], *, where: Condition | None = None, sample: int = 0, seed: int = 0
) -> list[int]:
    """The numbers of the points of a sweep, in the order of the grid.

    With `where`, those for which it holds; with `sample`, so many of these (all, where there are not so
    many), always the same ones for one `seed`. Raises `TooManyPoints`, `EmptySweep`, and what `where` does.
    """
    total = size(axes)
    if sample > LARGEST:
        raise TooManyPoints(
            f"a sample of {sample:,} points is more than one sweep runs",
            why=f"a sweep has at most {LARGEST:,} points",
            fixes=[f"--sample {LARGEST}"],
        )
    if where is None and not sample and total > LARGEST:
        raise too_many(axes, total)
    if where is not None and not sample and total > ASKED:
        raise too_many(axes, total)
    if total > ASKED:
        return _drawn(axes, total, where, sample, seed)
    numbers: list[int] | range = range(total)
    if where is not None:
        numbers = [number for number, one in enumerate(grid(axes)) if where.holds(one)]
        if not numbers:
            raise EmptySweep(
                f"the condition leaves none of the {total:,} points",
                why="a sweep without a point would do nothing",
                fixes=["a condition that holds for some of them"],
            )
    if sample and sample < len(numbers):
        numbers = [numbers[place] for place in drawn(len(numbers), sample, seed)]
    if len(numbers) > LARGEST:
        raise too_many(axes, len(numbers))
    return list(numbers)


def drawn(total: int, count: int, seed: int) -> list[int]:
    """So many different numbers below `total`, in order; the same ones for the same three arguments, everywhere."""
    return sorted(next(_numbers(total, count, seed)))


def _numbers(total: int, count: int, seed: int) -> Iterator[list[int]]:
    """Different numbers below `total`, `count` at a time, the same ones for one seed; ends when all have been given."""
    import random

    source = random.Random(seed)  # nothing here is secret
    seen: set[int] = set()
    while len(seen) < total:
        some: list[int] = []
        while len(some) < count and len(seen) < total:
            number = source.randrange(total)
            if number not in seen:
                seen.add(number)
                some.append(number)
        yield some


def _drawn(axes: Sequence[Axis], total: int, where: Condition | None, sample: int, seed: int) -> list[int]:
    """A sample of a grid that is too large to be walked through."""
    kept: list[int] = []
    asked = 0
    for some in _numbers(total, sample, seed):
        asked += len(some)
        kept += [number for number in some if where is None or where.holds(point(axes, number))]
        if len(kept) >= sample or asked >= TRIES * sample:
            break
    if not kept:
        raise EmptySweep(
            f"the condition holds for none of {asked:,} points that were drawn from {total:,}",
            why="a grid of this size is not looked at as a whole",
            fixes=["shorter axes", "a condition that holds for more of them"],
        )
    return sorted(kept[:sample])


def too_many(axes: Sequence[Axis], total: int) -> TooManyPoints:
    """The error for a sweep of so many points."""
    counts = " × ".join(f"{one.size:,} of {one.name}" for one in axes)
    return TooManyPoints(
        f"this sweep has {total:,} points",
        why=f"{counts}; a sweep has at most {LARGEST:,} points, and nothing was made or run",
        fixes=["--sample 100   takes 100 of them", '--where "..."   leaves some out', "shorter axes"],
    )


# --------------------------------------------------------------------------- names


LONGEST_LABEL = 48


def labels(points: Sequence[Mapping[str, object]], before: int = 0) -> list[str]:
    """A name for each point, `depth=4,lr=0.1`: short, without `/`, and different from all others.

    Where that cannot be, it is its number, counted from 1, with `before` points before these.
    """
    varying = [
        name for name in (points[0] if points else ()) if len({_token(one[name]) for one in points}) > 1
    ]
    out: list[str] = []
    taken: set[str] = set()
    for number, one in enumerate(points, before + 1):
        names = varying or list(one)
        label = ",".join(f"{name.rpartition('/')[2]}={_shown(one[name])}" for name in names)
        if not label or len(label) > LONGEST_LABEL or re.search(r"[/\s\[\]`*?]", label) or label in taken:
            label = f"point-{number}"
        taken.add(label)
        out.append(label)
    return out


def _shown(value: object) -> str:
    if isinstance(value, enum.Enum):
        return _shown(value.value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float | dt.date):
        return str(value)
    return brief(value)
