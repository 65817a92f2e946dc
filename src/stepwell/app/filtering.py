"""Conditions on runs: `--where "depth > 4 and auc > 0.8"`. A small language, read by hand so that a mistake has a place.

    wanted = Filter.parse('depth in [4, 6] and auc > 0.8 and not tag == "draft"')
    wanted.matches(row)         whether it holds for a run
    wanted.names                what it asks for, each with its place in the text

A name is a column (`COLUMNS`), a parameter, or a metric, in this order; `params.NAME` and `metrics.NAME` say which is
meant, backticks hold odd names (`` `train/loss` > 1 ``), a backtick inside of them stands twice, and dots lead into
records (`opt.lr`).

A comparison with something that a run does not have, or with NaN, does not hold, whichever it is; `auc == none`
asks whether it is missing. Values of two kinds are not equal, and not in any order. Nothing here calls, reads or makes anything.
"""

from __future__ import annotations

import datetime as dt
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple, Protocol

from stepwell.errors import AmbiguousMetric, BadFilter, UnknownField, nearest
from stepwell.stores.metrics import the_one
from stepwell.stores.runrow import STATUSES

LONGEST = 2_000
"""Characters of a condition."""

DEEPEST = 40
"""Parentheses in one another."""


COLUMNS: Mapping[str, str] = {
    "run": "r12, or its number",
    "pipeline": "its name",
    "status": ", ".join(STATUSES),
    "started": 'a date or time: "2026-11-21", "2026-11-21 14:30", "today", "7 days ago"',
    "seconds": "how long it took",
    "group": "the sweep that it is a point of: g3",
    "tag": "its tags; == asks whether it has one",
    "commit": "of git, as many digits as one likes",
    "dirty": "whether the tree had other changes",
}
"""What every run has, and what it is compared with."""

EXAMPLE = '--where "depth > 4 and auc > 0.8"'

Value = Any
"""What a condition compares: number, text, truth value, list; `MISSING`."""


class _Missing:
    """What a run does not have."""

    def __repr__(self) -> str:
        return "none"


MISSING = _Missing()


class Row(Protocol):
    """What is asked of a run, as `stores.history.RunRow` has it."""

    @property
    def run(self) -> str: ...  # noqa: D102 - as in RunRow, all of them
    @property
    def pipeline(self) -> str: ...  # noqa: D102
    @property
    def status(self) -> str: ...  # noqa: D102
    @property
    def started(self) -> float: ...  # noqa: D102
    @property
    def seconds(self) -> float | None: ...  # noqa: D102
    @property
    def params(self) -> Mapping[str, object]: ...  # noqa: D102
    @property
    def metrics(self) -> Mapping[str, float]: ...  # noqa: D102
    @property
    def commit(self) -> str: ...  # noqa: D102
    @property
    def dirty(self) -> bool: ...  # noqa: D102
    @property
    def group(self) -> str: ...  # noqa: D102
    @property
    def tags(self) -> Sequence[str]: ...  # noqa: D102


class Name(NamedTuple):
    """A name in a condition or an order: its text, and at which character of the condition it stands (from 0)."""

    text: str
    place: int = 0


Ask = Callable[[Row], Value]
"""A part of a condition: what it comes to for a run."""


class Filter(NamedTuple):
    """A condition that was read: its text, the names that it asks for, and the question itself."""

    text: str
    names: tuple[Name, ...]
    ask: Ask

    @staticmethod
    def parse(text: str) -> Filter:
        """Read a condition. Raises `BadFilter` at the place of what is none."""
        return _Reader(text).filter()

    def matches(self, row: Row) -> bool:
        """Whether it holds for a run. Raises `AmbiguousMetric` where that hangs on a name of several metrics of the run."""
        return _true(self.ask(row))

    def metrics(self) -> list[str]:
        """The metrics that it may ask for: every name that is no column and not said to be a parameter."""
        return [metric for name in self.names if (metric := metric_of(name.text))]


def metric_of(name: str) -> str:
    """The metric that a name may mean, "" where it can be none."""
    if name in COLUMNS or name.startswith("params."):
        return ""
    return name.removeprefix("metrics.")


def value_of(row: Row, name: str) -> Value:
    """What a run has under a name; `MISSING` where it has nothing. Raises `AmbiguousMetric` where that may be several things."""
    if name in COLUMNS:
        return _column(row, name)
    kind, dot, rest = name.partition(".")
    if dot and kind == "params":
        return _inside(row.params, rest)
    if dot and kind == "metrics":
        return _metric(row, rest)
    found = _inside(row.params, name)
    return _metric(row, name) if found is MISSING else found


def has(row: Row, name: str) -> bool:
    """Whether a run has something under a name, also where that may be several metrics."""
    try:
        return value_of(row, name) is not MISSING
    except AmbiguousMetric:
        return True


def _metric(row: Row, name: str) -> Value:
    found = the_one(row.metrics, name, row.run)
    return MISSING if found is None else found


def _column(row: Row, name: str) -> Value:
    if name == "run":
        return int(row.run[1:])
    if name == "tag":
        return tuple(row.tags)
    found = getattr(row, name)
    return MISSING if found is None or found == "" else found


def _inside(values: Mapping[str, Any], name: str) -> Value:
    """A value by its name, or by a path into records: `opt.lr`."""
    if name in values:
        return MISSING if values[name] is None else values[name]
    head, dot, rest = name.partition(".")
    inner = values.get(head)
    return _inside(inner, rest) if dot and isinstance(inner, Mapping) else MISSING


# --------------------------------------------------------------------------- orders


class Order(NamedTuple):
    """An order of runs: by a name, the largest first where `descending`."""

    name: str
    descending: bool = False

    @staticmethod
    def parse(text: str) -> Order:
        """Read `auc`, or `-auc` for the largest first; backticks around the name as in a condition.

        Raises `BadFilter` for an empty one.
        """
        name = text.strip().removeprefix("-").strip()
        if odd := _ODD.fullmatch(name):
            name = _bare(odd[1])
        if not name:
            raise BadFilter(
                "an order names what runs are put in order by", fixes=["--sort auc", "--sort -auc"]
            )
        return Order(name, text.strip().startswith("-"))


def as_order(name: str) -> str:
    """A name as `Order.parse` reads it: as it is, or in backticks where it would be read as something else."""
    is_plain = name == name.strip() and not name.startswith("-") and not _ODD.fullmatch(name)
    return name if is_plain else _in_backticks(name)


def _in_backticks(name: str) -> str:
    return f"`{name.replace('`', '``')}`"


def _bare(odd: str) -> str:
    """The name that stands inside of backticks."""
    return odd.replace("``", "`")


def ordered(rows: Iterable[Any], order: Order, *, numbers: bool = False) -> list[Any]:
    """Rows in an order; what has no value, or NaN, comes last either way, and what is equal stays as it was.

    With `numbers` only those that have a number. Raises `AmbiguousMetric`.
    """
    kinds: dict[int, list[tuple[Any, Any]]] = {0: [], 1: [], 2: []}
    last = []
    for row in rows:
        value = value_of(row, order.name)
        if value is MISSING or value != value:
            last.append(row)
        elif isinstance(value, bool | int | float):
            kinds[0].append((value, row))
        elif isinstance(value, str):
            kinds[1].append((value, row))
        else:
            kinds[2].append((repr(value), row))
    out = []
    for kind in [kinds[0]] if numbers else kinds.values():
        kind.sort(key=operator.itemgetter(0), reverse=order.descending)
        out += [row for _, row in kind]
    return out if numbers else out + last


# --------------------------------------------------------------------------- names that nothing has


def unknown_field(
    name: Name, known: Iterable[str], text: str = "", option: tuple[str, str] | None = None
) -> UnknownField:
    """The error for a name that no run has; `known` are the names that there are.

    `text` is the condition that asks for it, or `option` the one that names an order, and what was typed after it.
    """
    names = [*known, *COLUMNS]  # what the project itself has comes first
    bare = metric_of(name.text).removeprefix("params.") or name.text
    hint = nearest(bare, names)
    some = ", ".join(names[:16]) + (", …" if len(names) > 16 else "")
    fixes = [f"did you mean {_in_backticks(hint)}?"] if hint else [f"there are: {some}"]
    if hint and option and as_order(hint) != hint:  # a shell would take the backticks for itself
        from shlex import quote

        fixes = [f"did you mean {option[0]} {quote(as_order(hint))} ?"]
    compared = text[: name.place].rstrip().endswith(("=", "<", ">"))
    if compared and text.startswith(name.text, name.place):  # and not in backticks
        quoted = f'{text[: name.place]}"{name.text}"{text[name.place + len(name.text) :]}'
        fixes.insert(bool(hint), f"a text stands in quotes: {quoted}")
    subject = f"`{' '.join(option)}`" if option else f"`{_near(text, name.place)}`"
    return UnknownField(
        f"{subject} asks for `{name.text}`, which no run has as a parameter or metric",
        why=_at(text, name.place) if text else "",
        fixes=fixes,
    )


def _at(text: str, place: int) -> str:
    """Where in a condition something is, in words."""
    return f"at character {place + 1} of `{text}`"


def _near(text: str, place: int) -> str:
    """What stands at a place, and a little more."""
    found = text[place : place + 30]
    return found + ("…" if len(text) > place + 30 else "")


# --------------------------------------------------------------------------- reading

_ODD = re.compile("`((?:[^`]|``)+)`")
"""A name in backticks."""

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<number>(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
    |(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |`(?P<odd>(?:[^`]|``)+)`
    |(?P<name>[^\W\d]\w*(?:\.\w+)*)
    |(?P<sign><=|>=|==|!=|<>|<|>|=|\(|\)|\[|\]|,|-|\+)
    )""",
    re.VERBOSE,
)

_CONSTANTS: Mapping[str, Value] = {
    "true": True, "false": False, "none": MISSING, "null": MISSING, "nan": float("nan"), "inf": float("inf"),
}  # fmt: skip

_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip

_SAME = {"=": "==", "<>": "!="}


class _Token(NamedTuple):
    """A piece of a condition: number, text, odd (a name in backticks), name, sign, or end."""

    kind: str
    text: str
    place: int


class _Part(NamedTuple):
    """A part that was read: the question, the name that it is alone, or the value that it always has."""

    ask: Ask
    place: int
    name: str = ""
    constant: Value = None
    is_constant: bool = False


class _Reader:
    """Reads one condition, from left to right."""

    def __init__(self, text: str) -> None:
        if len(text) > LONGEST:
            raise BadFilter(f"the condition has {len(text):,} characters, and {LONGEST:,} are the most")
        self._text = text
        self._tokens = list(self._split(text))
        self._next = 0
        self._depth = 0
        self._names: dict[str, Name] = {}

    def filter(self) -> Filter:
        """The whole condition."""
        if self._peek().kind == "end":
            raise BadFilter("the condition is empty", fixes=[EXAMPLE])
        ask = self._either().ask
        left = self._peek()
        if left.kind != "end":
            raise self._wrong(left, "`and`, `or` or the end was expected here")
        return Filter(self._text, tuple(self._names.values()), ask)

    # ------------------------------------------------------------------ pieces

    def _split(self, text: str) -> Iterable[_Token]:
        at = 0
        while text[at:].strip():
            found = _TOKEN.match(text, at)
            if found is None:
                place = at + len(text[at:]) - len(text[at:].lstrip())
                raise self._wrong(_Token("", text[place], place), _unreadable(text[place:]))
            kind = str(found.lastgroup)
            yield _Token(kind, found[kind], found.start(kind) - (kind == "odd"))
            at = found.end()
        yield _Token("end", "", len(text))

    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _take(self, *texts: str) -> _Token | None:
        """The next piece, if it is one of these words or signs."""
        token = self._peek()
        word = token.text.lower() if token.kind == "name" else token.text
        if token.kind not in ("name", "sign") or word not in texts:
            return None
        self._next += 1
        return token._replace(text=word)

    def _must(self, sign: str, after: str) -> None:
        if self._take(sign) is None:
            raise self._wrong(self._peek(), f"`{sign}` was expected {after}")

    def _wrong(self, token: _Token, why: str) -> BadFilter:
        told = f"`{_near(self._text, token.place)}`" if token.text else "its end"
        return BadFilter(
            f"the condition cannot be read at {told}",
            why=f"{why}; it is {_at(self._text, token.place)}" if token.text else f"{why}: `{self._text}`",
            fixes=[
                EXAMPLE,
                'names with other characters stand in backticks, texts in quotes: `a-b` == "x y"',
            ],
        )

    # ------------------------------------------------------------------ grammar

    def _either(self) -> _Part:
        parts = [self._both()]
        while self._take("or"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else _Part(_any_of([part.ask for part in parts]), parts[0].place)

    def _both(self) -> _Part:
        parts = [self._not()]
        while self._take("and"):
            parts.append(self._not())
        return parts[0] if len(parts) == 1 else _Part(_all_of([part.ask for part in parts]), parts[0].place)

    def _not(self) -> _Part:
        taken = 0
        place = self._peek().place
        while self._take("not"):
            taken += 1
        inner = self._compared()
        return _Part(_not(inner.ask), place) if taken % 2 else inner

    def _compared(self) -> _Part:
        left = self._operand()
        place, asks = left.place, []
        while (sign := self._comparison()) is not None:
            right = self._operand()
            asks.append(self._comparing(left, sign, right))
            left = right
        if not asks:
            return self._known(left)
        return _Part(asks[0] if len(asks) == 1 else _all_of(asks), place)

    def _comparison(self) -> str | None:
        """The sign of a comparison that comes next, if one does."""
        if token := self._take(*_ORDERS, *_SAME):
            return _SAME.get(token.text, token.text)
        if self._take("in"):
            return "in"
        before = self._next
        if self._take("not"):
            if self._take("in"):
                return "not in"
            self._next = before
        return None

    def _operand(self) -> _Part:
        token = self._peek()
        self._next += 1
        if token.kind == "number":
            return _constant(_number(token.text), token.place)
        if token.kind == "text":
            return _constant(_unquoted(token.text), token.place)
        if token.kind == "odd":
            return self._name(_bare(token.text), token.place)
        if token.kind == "name" and token.text.lower() not in ("and", "or", "not", "in"):
            return self._word(token)
        if token.kind == "sign" and token.text in "-+" and self._peek().kind in ("number", "name"):
            return self._signed(token)
        if token.kind == "sign" and token.text in "([":
            return self._enclosed(token)
        self._next -= 1
        raise self._wrong(token, "a name, number or text was expected here")

    def _signed(self, token: _Token) -> _Part:
        inner = self._operand()
        if not inner.is_constant or type(inner.constant) not in (int, float):
            raise self._wrong(token, "a sign stands before a number only")
        return _constant(-inner.constant if token.text == "-" else inner.constant, token.place)

    def _enclosed(self, token: _Token) -> _Part:
        """What stands in parentheses or brackets: a condition, or a list of values."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._wrong(token, f"parentheses are at most {DEEPEST} deep")
        if token.text == "(":
            inner = self._either()
            if self._peek().text == ",":
                inner = self._listed(inner, ")", token)
            else:
                self._must(")", "to close the parenthesis")
        else:
            inner = self._listed(None, "]", token)
        self._depth -= 1
        return inner._replace(name="")

    def _listed(self, first: _Part | None, end: str, opened: _Token) -> _Part:
        items = [] if first is None else [first]
        while self._take(end) is None:
            if items:
                self._must(",", "between the values of a list")
            if items and self._take(end):
                break
            items.append(self._operand())
        items = [_as_word(item) for item in items]
        for item in items:
            if not item.is_constant:
                raise self._wrong(_Token("", " ", item.place), "a list has numbers and texts only")
        return _constant(tuple(item.constant for item in items), opened.place)

    def _word(self, token: _Token) -> _Part:
        if token.text.lower() in _CONSTANTS:
            return _constant(_CONSTANTS[token.text.lower()], token.place)
        return self._name(token.text, token.place)

    def _name(self, text: str, place: int) -> _Part:
        """A name; it counts as asked for only where it is not found to be a word beside a column (`_comparing`)."""
        return _Part(lambda row: value_of(row, text), place, name=text)

    def _known(self, part: _Part) -> _Part:
        if part.name and part.name not in self._names:
            self._names[part.name] = Name(part.name, part.place)
        return part

    # ------------------------------------------------------------------ comparing

    def _comparing(self, left: _Part, sign: str, right: _Part) -> Ask:
        """The question of one comparison. Raises `BadFilter` where a column is compared with what it never is."""
        left, right = self._beside(left, right), self._beside(right, left)
        self._known(left)
        self._known(right)
        if left.is_constant and right.is_constant and _endless(left, right):
            raise self._wrong(
                _Token("", " ", left.place),
                "`inf` and `nan` are numbers, so this asks nothing of a run; a metric that is called so stands in backticks",
            )
        if sign in ("in", "not in"):
            asked = _contained(left, right)
            return asked if sign == "in" else _not(asked)
        for one, other, mirrored in ((left, right, False), (right, left, True)):
            if one.name in _MEANT and other.is_constant:
                return _MEANT[one.name](one.ask, _MIRRORED[sign] if mirrored else sign, other.constant)
        return _plainly(left, sign, right)

    def _beside(self, part: _Part, other: _Part) -> _Part:
        """A part as it is meant beside another: a word beside `status` or `tag`, `r12` beside `run`, a date beside `started`."""
        if other.name == "status" and (part.name or isinstance(part.constant, str)):
            word = part.name or part.constant
            if word in STATUSES:
                return _constant(word, part.place)
            if part.name not in COLUMNS:
                raise self._wrong(_Token("", " ", part.place), f"a status is {', '.join(STATUSES)}")
        if other.name in ("pipeline", "tag", "commit") and part.name and part.name not in COLUMNS:
            return _constant(part.name, part.place)
        if other.name in ("run", "group"):
            part = _as_word(part)
            return _constant(_numbered(part.constant, other.name), part.place) if part.is_constant else part
        if other.name == "started" and part.is_constant:
            return _constant(self._when(part.constant, part.place), part.place)
        return part

    def _when(self, value: Value, place: int) -> Value:
        """A value as it is meant beside `started`: texts are times."""
        if isinstance(value, tuple):
            return tuple(self._when(item, place) for item in value)
        if not isinstance(value, str):
            return value
        try:
            return span_of(value)
        except ValueError as error:
            raise self._wrong(_Token("", " ", place), str(error)) from None


def _endless(*parts: _Part) -> bool:
    """Whether one of some numbers is infinite, or NaN."""
    return any(isinstance(part.constant, float) and not isfinite(part.constant) for part in parts)


def _unreadable(text: str) -> str:
    if text[0] in "\"'`":
        return "a quote is opened and not closed"
    if text[0].isdigit() or text[0] == ".":
        return "this is no number"
    return "conditions have no such character"


def _as_word(part: _Part) -> _Part:
    """A part that is a word where no parameter can be meant: `r12`, `g3`, `failed`."""
    if part.name in STATUSES or re.fullmatch(r"[rg]\d+", part.name):
        return _constant(part.name, part.place)
    return part


def _numbered(value: Value, column: str) -> Value:
    """A value as it is meant beside `run` (12 of "r12") or `group` ("g3" of 3)."""
    if isinstance(value, tuple):
        return tuple(_numbered(item, column) for item in value)
    digits = str(value).lstrip("r" if column == "run" else "g")
    if not digits.isdecimal():
        return value
    return int(digits) if column == "run" else f"g{digits}"


def _number(text: str) -> int | float:
    bare = text.replace("_", "")
    return int(bare) if bare.isdigit() and len(bare) < 400 else float(bare)


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)


def _constant(value: Value, place: int) -> _Part:
    return _Part(lambda _: value, place, constant=value, is_constant=True)


# --------------------------------------------------------------------------- what comparisons mean


def _true(value: Value) -> bool:
    """Whether a value by itself counts as yes: not what is missing, NaN, 0, empty."""
    return value is not MISSING and bool(value) and bool(value == value)


def _any_of(asks: Sequence[Ask]) -> Ask:
    return lambda row: _decided(row, asks, deciding=True)


def _all_of(asks: Sequence[Ask]) -> Ask:
    return lambda row: not _decided(row, asks, deciding=False)


def _decided(row: Row, asks: Iterable[Ask], *, deciding: bool) -> bool:
    """Whether one of some questions has the answer that decides; what cannot be told matters where none has."""
    unsure: AmbiguousMetric | None = None
    for ask in asks:
        try:
            if _true(ask(row)) is deciding:
                return True
        except AmbiguousMetric as error:
            unsure = unsure or error
    if unsure is not None:
        raise unsure
    return False


def _not(ask: Ask) -> Ask:
    return lambda row: not _true(ask(row))


def _holds(left: Value, sign: str, right: Value) -> bool:
    """One comparison of two values; it does not hold where one of them is missing or NaN."""
    if left is MISSING or right is MISSING or left != left or right != right:
        return False
    numbers = isinstance(left, int | float) and isinstance(right, int | float)
    if isinstance(left, bool) is not isinstance(right, bool) or not (numbers or type(left) is type(right)):
        return sign == "!="
    try:
        return bool(_ORDERS[sign](left, right))
    except TypeError:  # records and lists have no order
        return False


def _plainly(left: _Part, sign: str, right: _Part) -> Ask:
    """A comparison of two values; with `none` or `nan` it asks whether a value is missing, or is NaN."""
    first, second = left.ask, right.ask
    for part, other in ((left, second), (right, first)):
        if part.is_constant and sign in ("==", "!="):
            if part.constant is MISSING:
                return lambda row: (other(row) is MISSING) is (sign == "==")
            if part.constant != part.constant:
                return lambda row: (other(row) != other(row)) is (sign == "==")
    return lambda row: _holds(first(row), sign, second(row))


def _contained(left: _Part, right: _Part) -> Ask:
    """`x in [..]`; a text in a text; of `tag`, whether one of the tags is meant."""

    def ask(row: Row) -> bool:
        one, some = left.ask(row), right.ask(row)
        if one is MISSING or some is MISSING:
            return False
        if isinstance(one, str) and isinstance(some, str):
            return one in some
        wanted = one if left.name == "tag" else (one,)
        among = some if isinstance(some, list | tuple) and not isinstance(some, Span) else (some,)
        return any(
            _within(each, other) if isinstance(other, Span) else _holds(*_cut(left, each, other))
            for each in wanted
            for other in among
        )

    return ask


def _cut(left: _Part, one: Value, other: Value) -> tuple[Value, str, Value]:
    """What is compared: of a commit as many digits as were asked for."""
    if left.name == "commit" and isinstance(other, str):
        one, other = str(one)[: len(other)], other.lower()
    return one, "==", other


_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


def _of_tags(ask: Ask, sign: str, wanted: Value) -> Ask:
    """`tag == "x"`: whether it has that one. An order of tags is that of any of them."""
    if sign == "!=":
        return lambda row: wanted not in ask(row)
    return lambda row: any(_holds(tag, sign, wanted) for tag in ask(row))


def _of_commits(ask: Ask, sign: str, wanted: Value) -> Ask:
    """`commit == "9f3c"`: whether it begins so."""

    def begins(row: Row) -> bool:
        found = ask(row)
        if wanted is MISSING or found is MISSING:
            return _holds(found, sign, wanted) if wanted is MISSING else False
        same = isinstance(wanted, str) and bool(wanted) and str(found).startswith(wanted.lower())
        return same if sign == "==" else not same if sign == "!=" else _holds(found, sign, wanted)

    return begins


def _of_times(ask: Ask, sign: str, wanted: Value) -> Ask:
    """`started > "2026-11-21"`: after that day; `==`: on that day; numbers are seconds since 1970."""
    if not isinstance(wanted, Span):
        return lambda row: _holds(ask(row), sign, wanted)
    first, last = wanted
    edges = {"<": first, ">=": first, "<=": last, ">": last}
    if sign in ("==", "!="):
        return lambda row: _within(ask(row), wanted) is (sign == "==")
    after = sign in (">", ">=")
    return lambda row: (ask(row) >= edges[sign]) is after


_MEANT: Mapping[str, Callable[[Ask, str, Value], Ask]] = {
    "tag": _of_tags,
    "commit": _of_commits,
    "started": _of_times,
}
"""Columns with comparisons of their own."""


# --------------------------------------------------------------------------- times


class Span(NamedTuple):
    """A stretch of time in seconds since 1970: from `first`, and before `last`."""

    first: float
    last: float


_AGO = re.compile(r"(\d{1,5}) ?(s|m|min|h|d|w|seconds?|minutes?|hours?|days?|weeks?)(?: ago)?")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def span_of(text: str, now: dt.datetime | None = None) -> Span:
    """What a text says of when: a day, a minute or second, in local time; "today", "yesterday"; "7 days ago".

    Raises `ValueError` in words for anything else.
    """
    now = now or dt.datetime.now().astimezone()
    word = text.strip().lower()
    if word in ("today", "yesterday"):
        return _day(now.date() - dt.timedelta(days=word == "yesterday"))
    if found := _AGO.fullmatch(word):
        then = now.timestamp() - int(found[1]) * _UNITS[found[2][0]]
        return Span(then, then)
    try:
        if len(word) <= 10:
            return _day(dt.date.fromisoformat(word))
        then = dt.datetime.fromisoformat(text.strip()).astimezone().timestamp()
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"`{text[:40]}` is no date; {COLUMNS['started']}") from None
    return Span(then, then + (1.0 if word.count(":") > 1 else 60.0))


def _day(day: dt.date) -> Span:
    begins = dt.datetime.combine(day, dt.time()).astimezone().timestamp()
    following = dt.datetime.combine(day + dt.timedelta(days=1), dt.time()).astimezone().timestamp()
    return Span(begins, following)


def _within(time: float, span: Span) -> bool:
    return span.first <= time < span.last or time == span.first
