"""A TOML table as a struct: whole, with every mistake in it told at its line.

    manifest = filled(Manifest, written)         # or `BadSettings`, or `SeveralProblems` of them

msgspec converts each value and makes the JSON Schema of the same classes; it would stop at the first mistake, so
the walk over tables is here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time
from functools import lru_cache
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    NamedTuple,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import msgspec

from stepwell.author.problems import together
from stepwell.author.written import Written
from stepwell.errors import BadSettings, StepwellError, nearest

Path = tuple[str, ...]

_WORDS = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    NoneType: "nothing",
}
_FEW = 16
"""Names that a message lists."""


class Mistake(NamedTuple):
    """What is wrong in a manifest, and the keys that lead to it, from the table that is looked at."""

    path: Path
    what: str
    why: str = ""
    fixes: tuple[str, ...] = ()
    error: type[StepwellError] = BadSettings


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A table of TOML."""

    OTHERS: ClassVar[str] = ""
    """The field, a table of tables, that takes the keys which are no field's; "" where there are none such."""

    ERROR: ClassVar[type[StepwellError]] = BadSettings
    """What its unknown keys are."""

    def mistakes(self) -> Iterable[Mistake]:
        """What is wrong with a table whose values fit, their paths relative to it."""
        return ()


T = TypeVar("T", bound=Table)


class Field(NamedTuple):
    """A key that a table may have: its name in TOML, that in Python, its type, and what is said of it."""

    name: str
    attribute: str
    type: Any
    meta: msgspec.Meta
    required: bool


def filled(kind: type[T], written: Written) -> T:
    """The struct that a manifest's table comes to. Raises `BadSettings`, `SeveralProblems` if there is more than one."""
    mistakes: list[Mistake] = []
    found = _struct(kind, written.table, (), mistakes)
    if mistakes:
        raise together([error_of(one, written) for one in mistakes])
    assert found is not None
    return found


def error_of(mistake: Mistake, written: Written) -> StepwellError:
    """A mistake as an error, at its line; `{at}` in its text is the table that it is in, as it is written."""
    whole = (*written.prefix, *mistake.path)
    holder = ".".join(map(_key, whole[:-1]))
    what = mistake.what.replace("{at}", f"`[{holder}]`" if holder else f"`{written.file.name}`")
    line = line_of(written.text, whole)
    where = f"{written.name}:{written.above + line}" if line else written.name
    return mistake.error(what, why=mistake.why, fixes=mistake.fixes, where=where)


def unknown(name: str, names: Iterable[str], what: str, hint: str = "") -> Mistake:
    """The mistake that there is nothing of a name among `names`."""
    known = sorted(filter(None, names))
    found = nearest(name, known)
    fixes = [f"did you mean `{found}`?"] if found else []
    listed = f"there are: {', '.join(known[:_FEW])}{', …' if len(known) > _FEW else ''}"
    return Mistake((name,), what, fixes=tuple([*fixes, listed] if known else [hint] if hint else fixes))


# --------------------------------------------------------------------------- the walk


@lru_cache(maxsize=64)
def fields_of(kind: type[Table]) -> dict[str, Field]:
    """The keys of a table, by their names in TOML."""
    hints = get_type_hints(kind, include_extras=True)
    found = [_field(one, hints[one.name]) for one in msgspec.structs.fields(kind)]
    return {one.name: one for one in found}


def _field(field: msgspec.structs.FieldInfo, hint: Any) -> Field:
    metas = [one for one in getattr(hint, "__metadata__", ()) if isinstance(one, msgspec.Meta)]
    return Field(field.encode_name, field.name, hint, metas[-1] if metas else msgspec.Meta(), field.required)


def _struct(kind: type[T], table: Mapping[str, Any], path: Path, mistakes: list[Mistake]) -> T | None:
    """The struct of a table; None after a mistake."""
    before, fields = len(mistakes), fields_of(kind)
    rest = kind.OTHERS
    values: dict[str, Any] = {rest: {}} if rest else {}
    for name, value in table.items():
        if name in fields and name != rest:
            values[fields[name].attribute] = _value(fields[name], value, (*path, name), mistakes)
        elif rest:
            inner = get_args(_bare(fields[rest].type))[1]
            values[rest][name] = _value(fields[rest]._replace(type=inner), value, (*path, name), mistakes)
        else:
            known = [one for one in fields if one not in table]
            wrong = unknown(name, known or fields, f"there is no `{name}` in {{at}}")
            mistakes.append(wrong._replace(path=(*path, name), error=kind.ERROR))
    mistakes.extend(
        Mistake((*path, name), f"{{at}} needs `{name}`", one.meta.description or "", (example(one),))
        for name, one in fields.items()
        if one.required and name not in table
    )
    if len(mistakes) > before:
        return None
    made = kind(**values)
    mistakes.extend(one._replace(path=(*path, *one.path)) for one in made.mistakes())
    return made if len(mistakes) == before else None


def _value(field: Field, value: Any, path: Path, mistakes: list[Mistake]) -> Any:
    """A value as its field wants it; whatever after a mistake."""
    bare = _bare(field.type)
    if _is_struct(bare):
        if isinstance(value, dict):
            return _struct(bare, value, path, mistakes)
    elif get_origin(bare) is dict and _is_struct(_bare(get_args(bare)[1])):
        if isinstance(value, dict):
            inner = field._replace(type=get_args(bare)[1])
            return {name: _value(inner, one, (*path, name), mistakes) for name, one in value.items()}
    else:
        if isinstance(value, date | time) and (field.meta.extra or {}).get("dates"):
            value = value.isoformat()
        try:
            return msgspec.convert(value, field.type)
        except msgspec.ValidationError as error:
            mistakes.append(_misfit(field, value, path, str(error)))
            return None
    mistakes.append(_misfit(field, value, path, ""))
    return None


def _misfit(field: Field, value: Any, path: Path, told: str) -> Mistake:
    name = path[-1]
    what = f"`{name} = {shown(value)}` in {{at}} is not {wanted(field.type)}"
    if (names := _names(_bare(field.type))) and isinstance(value, str):
        return unknown(value, names, what)._replace(path=path)
    if told.startswith("Expected") and "matching" in told:
        told = ""
    why = field.meta.description or told
    return Mistake(path, what, why, tuple(filter(None, [example(field, name)])))


def example(field: Field, name: str = "") -> str:
    """What to type for a key, by an example; empty where nobody wrote one."""
    for one in field.meta.examples or ():
        return f"for example: {name or field.name} = {shown(one)}"
    return ""


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Table)


def _bare(hint: Any) -> Any:
    """A type without what is said of it; of a table that may be left out, the table's."""
    kind = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    if get_origin(kind) in (Union, UnionType) and NoneType in get_args(kind):
        return next(one for one in get_args(kind) if one is not NoneType)
    return kind


def _names(kind: Any) -> tuple[str, ...]:
    return get_args(kind) if get_origin(kind) is Literal else ()


# --------------------------------------------------------------------------- words


def wanted(hint: Any) -> str:
    """A type as a person would say it: "a list of texts"."""
    kind = _bare(hint)
    args = get_args(kind)
    match get_origin(kind):
        case origin if origin is Literal:
            return f"one of {', '.join(filter(None, args))}"
        case origin if origin in (Union, UnionType):
            return " or ".join(map(wanted, args))
        case origin if origin in (tuple, list):
            return f"a list of {_plural(args[0])}"
        case origin if origin is dict:
            return "a table" if args[1] is Any else f"a table of {_plural(args[1])}"
    return "a table" if _is_struct(kind) else _WORDS.get(kind, "what it should be")


def _plural(hint: Any) -> str:
    word = wanted(hint)
    return f"{word.removeprefix('a ')}s" if word.startswith("a ") else word


def shown(value: object, depth: int = 0) -> str:
    """A value as TOML has it, on one line, shortened."""
    match value:
        case bool():
            text = "true" if value else "false"
        case str():
            import json  # TOML's basic strings take what JSON's have

            text = json.dumps(value, ensure_ascii=False)
        case date() | time() | datetime():
            text = value.isoformat()
        case list() | tuple():
            text = f"[{', '.join(shown(one, depth + 1) for one in value)}]"
        case dict():
            inner = ", ".join(f"{_key(name)} = {shown(one, depth + 1)}" for name, one in value.items())
            text = f"{{ {inner} }}" if inner else "{}"
        case _:
            text = str(value)
    return text if depth or len(text) <= 80 else f"{text[:79]}…"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else shown(name, 1)


# --------------------------------------------------------------------------- lines

_PART = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')"""
_KEYS = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEAD = re.compile(rf"\s*\[\[?\s*({_KEYS})\s*\]")
_SET = re.compile(rf"\s*({_KEYS})\s*=")
_TOKEN = re.compile(r"""\"{3}|'{3}|"(?:[^"\\]|\\.)*"|'[^']*'|[#\[\]{}]""")
_ENDS = {'"""': re.compile(r'(?:[^"\\]|\\.|"(?!""))*"""'), "'''": re.compile("'''")}


def line_of(text: str, path: Path) -> int:
    """The line of a TOML text, from 1, where the value with these keys stands, or the table nearest to it; 0 for none."""
    best, found = 0, 0
    for number, keys, _ in keys_of_lines(text.split("\n")):
        same = 0
        while same < min(len(keys), len(path)) and keys[same] == path[same]:
            same += 1
        if same > best and same == min(len(keys), len(path)):
            best, found = same, number + 1
    return found


def keys_of_lines(lines: Iterable[str]) -> Iterator[tuple[int, Path, bool]]:
    """The keys of each header and each assignment of a TOML text, with its line, from 0, and whether it is a header.

    What stands inside of values of several lines is passed over.
    """
    table: Path = ()
    inside = _Inside()
    for number, line in enumerate(lines):
        if not inside.open:
            if head := _HEAD.match(line):
                table = _split(head[1])
                yield number, table, True
                continue
            if given := _SET.match(line):
                yield number, (*table, *_split(given[1])), False
                line = line[given.end() :]
        inside.read(line)


class _Inside:
    """How deep in a value of several lines a reader is: in brackets, or in a long string."""

    def __init__(self) -> None:
        self.depth = 0
        self.quote = ""

    @property
    def open(self) -> bool:
        """Whether the next line goes on with a value."""
        return bool(self.depth or self.quote)

    def read(self, line: str) -> None:
        """Take notice of a line, or of what is right of the equals sign in it."""
        at = 0
        while at < len(line):
            if self.quote:
                end = _ENDS[self.quote].search(line, at)
                if end is None:
                    return
                self.quote, at = "", end.end()
            token = _TOKEN.search(line, at)
            if token is None or token[0] == "#":
                return
            at = token.end()
            self._take(token[0])

    def _take(self, token: str) -> None:
        if token in _ENDS:
            self.quote = token
        elif token in "[{":
            self.depth += 1
        elif token in "]}":
            self.depth = max(0, self.depth - 1)


def _split(keys: str) -> Path:
    import tomllib

    try:
        found: Any = tomllib.loads(f"{keys} = 0")
    except ValueError:
        return ()
    path: list[str] = []
    while isinstance(found, dict):
        ((name, found),) = found.items()
        path.append(name)
    return tuple(path)
