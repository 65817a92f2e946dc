"""Values of parameters: from text, from TOML, and from Python calls to what an annotation asks for.

Text is read by the parameter's type: text stays text, numbers are numbers, and lists and nested
values are written as in TOML (`[1, 2]`, `{lr = 0.1}`). Which text counts, of a command line, the
environment and files, is decided in `author.layers`.
"""

from __future__ import annotations

import enum
import re
import types
import typing
from collections.abc import (
    Collection,
    Iterable,
    Mapping,
    MutableMapping,
    MutableSequence,
    Sequence,
    Set,
)
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

from stepwell.author.annotations import plain, show
from stepwell.author.arguments import brief
from stepwell.author.problems import together
from stepwell.codecs.choose import fits
from stepwell.errors import (
    BadParameter,
    MissingParameter,
    SecretInTheOpen,
    StepwellError,
    UnknownParameter,
    nearest,
)
from stepwell.worker.secrets import Secret, at, mentions_secret

if TYPE_CHECKING:
    from stepwell.author.pipelines import Pipeline
    from stepwell.author.records import Record


def in_range(name: str, value: object, wanted: object) -> None:
    """Refuse a value that breaks a bound of its annotation (`Annotated[int, Range(1, 20)]`). Raises `BadParameter`."""
    from stepwell.codecs.ranges import outside

    broken = outside(value, wanted)
    if broken:
        raise BadParameter(
            f"`{name}={brief(value)}`: {broken}",
            why="it is out of the range that the parameter is annotated with",
            fixes=["give another value, or correct the annotation"],
        )


UNKNOWN = object()
"""Stands for the value of a parameter that is wrong: it is not missing, too."""


class Wrong:
    """Collects the errors of parameters: what is raised `with` it is kept for later."""

    def __init__(self) -> None:
        self.errors: list[StepwellError] = []

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: object, trace: object) -> bool:
        if isinstance(error, StepwellError):
            self.errors.append(error)
            return True
        return False


def from_call(
    pipeline: Pipeline[Any, Any], args: tuple[object, ...], kwargs: Mapping[str, object]
) -> dict[str, object]:
    """Parameters from a Python call, checked against the annotations; the same errors as `layers.layered`."""
    names = [p.name for p in pipeline.signature.parameters.values() if p.kind is not p.KEYWORD_ONLY]
    if len(args) > len(names):
        raise UnknownParameter(
            f"`{pipeline.__name__}` takes {len(names)} parameters by place, and gets {len(args)}",
            fixes=[listed(pipeline)],
        )
    out: dict[str, object] = dict(zip(names, args))  # noqa: B905  the rest have defaults, or are missing
    wrong = Wrong()
    for name, value in kwargs.items():
        with wrong:
            known(pipeline, name)
            if name in out:
                raise BadParameter(f"`{name}` is given twice", fixes=["give it by place or by name"])
            out[name] = value
    for name, value in out.items():
        with wrong:
            _fitting(name, value, pipeline.hints.get(name))
    return complete(pipeline, out, wrong)


def _fitting(name: str, value: object, wanted: object) -> None:
    """Refuse a value that is not what its parameter is annotated with. Raises `BadParameter`."""
    problem = fits(value, wanted) if wanted is not None else ""
    if problem and mentions_secret(wanted):
        raise SecretInTheOpen(
            f"`{name}` has a secret in it, and is given as {article(type(value).__name__)}",
            why="a secret is given by where it is, never by its value",
            fixes=[f'{name}=Secret("API_TOKEN")', f'{name}=Secret.file("/run/secrets/token")'],
        )
    if problem:
        raise BadParameter(
            f"`{name}={brief(value)}` is {article(type(value).__name__)}, not {article(show(wanted))}",
            why=problem.removeprefix("returned "),
            fixes=[example(name, wanted)],
        )
    in_range(name, value, wanted)


def type_of(pipeline: Pipeline[Any, Any], name: str) -> object:
    """The type of a parameter: its annotation, or else that of its default; None if neither says."""
    wanted = pipeline.hints.get(name)
    default = pipeline.signature.parameters[name].default
    if wanted is None and default is not None and default is not pipeline.signature.empty:
        return type(default)
    return wanted


def listed(pipeline: Pipeline[Any, Any]) -> str:
    """The names of a pipeline's parameters, as a fix."""
    names = list(pipeline.signature.parameters)
    return f"its parameters are: {', '.join(names)}" if names else "it has no parameters"


def known(pipeline: Pipeline[Any, Any], name: str) -> None:
    """Refuse a name that is no parameter's. Raises `UnknownParameter`."""
    names = list(pipeline.signature.parameters)
    if name not in names:
        hint = nearest(name, names)
        fixes = [f"did you mean `{hint}`?"] if hint else []
        fixes.append(listed(pipeline))
        raise UnknownParameter(f"`{pipeline.__name__}` has no parameter `{name}`", fixes=fixes)


def complete(pipeline: Pipeline[Any, Any], given: dict[str, object], wrong: Wrong) -> dict[str, object]:
    """All parameters in the signature's order, defaults filled in. Raises what is `wrong`.

    Of a pipeline of sections only what is given: the rest may be wired, and each section has its own defaults.
    """
    out: dict[str, object] = {}
    wired = pipeline.sections is not None
    for name, parameter in pipeline.signature.parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise BadParameter(
                f"the pipeline `{pipeline.__name__}` takes `*{name}`",
                why="its parameters must be known by name before it runs",
                fixes=["give it named parameters"],
            )
        if wired and name not in given and parameter.default is not parameter.empty:
            continue
        if name in given or parameter.default is not parameter.empty:
            out[name] = settled(given.get(name, parameter.default), pipeline.hints.get(name))
        elif not any(
            isinstance(error, UnknownParameter) for error in wrong.errors
        ):  # which may be its name, misspelt
            with wrong:
                raise MissingParameter(
                    f"`{pipeline.__name__}` needs a value for `{name}`",
                    why="it has no default",
                    fixes=[example(name, pipeline.hints.get(name))],
                )
    if wrong.errors:
        raise together(wrong.errors)
    return out


def settled(value: object, wanted: object) -> object:
    """A whole number where a float is declared is that float, however it was given: so keys agree."""
    return float(value) if type(value) is int and plain(wanted) is float else value


def parse(text: str, wanted: object) -> object:
    """A word as a value of a type. Raises `ValueError` saying what is wrong with it."""
    wanted = plain(wanted)
    if wanted is Secret:
        return at(text)
    if wanted in (None, Any, object):
        return _guess(text)
    if get_origin(wanted) in (Union, types.UnionType):
        return _first_that_fits(text, get_args(wanted))
    if get_origin(wanted) is typing.Literal:
        return _one_of(text, {str(value): value for value in get_args(wanted)})
    if hasattr(wanted, "__supertype__"):
        return parse(text, wanted.__supertype__)
    if isinstance(wanted, type) and issubclass(wanted, enum.Enum):
        return _one_of(text, {**{str(m.value): m for m in wanted}, **dict(wanted.__members__)})
    simple = _SIMPLE.get(wanted) if isinstance(wanted, type) else None
    if simple is not None:
        return simple(text)
    if isinstance(wanted, type):
        name = f"{wanted.__module__}.{wanted.__qualname__}"
        if name in _DATES:
            return wanted.fromisoformat(text)  # type: ignore[attr-defined]
        if name in _BY_TEXT:
            return _made(wanted, text)
        if name == "datetime.timedelta":
            return duration(text)
    if not _is_nested(get_origin(wanted) or wanted):
        raise ValueError(f"a {show(wanted)} cannot be written as text; call the pipeline from Python")
    return shaped(toml_value(text), wanted)


def _is_nested(kind: object) -> bool:
    """Whether TOML has a way to write values of a type: lists and tables."""
    from stepwell.author.records import record_of

    if not isinstance(kind, type):
        return True
    nested = issubclass(kind, list | tuple | set | frozenset | dict) or kind.__module__ == "collections.abc"
    return nested or record_of(kind) is not None


_DURATION = re.compile(
    r"(?:(?P<weeks>[\d.]+)w)?\s*(?:(?P<days>[\d.]+)d)?\s*(?:(?P<hours>[\d.]+)h)?"
    r"\s*(?:(?P<minutes>[\d.]+)m(?:in)?)?\s*(?:(?P<milliseconds>[\d.]+)ms)?\s*(?:(?P<seconds>[\d.]+)s)?"
)


def duration(text: str) -> object:
    """A `timedelta` of "90", "1.5h", "1d 12h", "2m30s" or ISO 8601's "P1DT12H". Raises `ValueError`."""
    from datetime import timedelta  # few parameters are durations

    words = text.strip().lower()
    sign = -1 if words.startswith("-") else 1
    words = words.removeprefix("-").removeprefix("p").replace("t", " ").strip()
    try:
        if words and (found := _DURATION.fullmatch(words)) is not None:
            return sign * timedelta(**{unit: float(part) for unit, part in found.groupdict().items() if part})
        return sign * timedelta(seconds=float(words))
    except (ValueError, OverflowError):
        raise ValueError("it is not a duration, such as 90 (seconds), 15m, 1.5h, 1d 12h or PT15M") from None


def _made(kind: Any, text: str) -> object:
    try:
        return kind(text)
    except (ValueError, ArithmeticError):
        raise ValueError(f"it is not a {show(kind)}") from None


def _first_that_fits(text: str, members: tuple[object, ...]) -> object:
    """The narrowest member of a union that the text can be: None, numbers, then the rest, text last."""
    if type(None) in members and text.lower() in ("none", "null", ""):
        return None
    narrowness = (int, float, bool, None, str)
    rest = [member for member in members if member is not type(None)]
    order = sorted(rest, key=lambda m: narrowness.index(m if m in narrowness else None))
    problems = []
    for member in order:
        try:
            return parse(text, member)
        except ValueError as error:
            problems.append(str(error))
    raise ValueError("; ".join(problems))


def _one_of(text: str, choices: Mapping[str, object]) -> object:
    if text in choices:
        return choices[text]
    hint = nearest(text, choices)
    raise ValueError(f"it can be {', '.join(choices)}" + (f"; did you mean `{hint}`?" if hint else ""))


def _bool(text: str) -> bool:
    words = {
        "true": True,
        "yes": True,
        "on": True,
        "1": True,
        "false": False,
        "no": False,
        "off": False,
        "0": False,
    }
    if text.lower() not in words:
        raise ValueError("it can be true or false")
    return words[text.lower()]


def _int(text: str) -> int:
    try:
        return int(text, 0) if text.lower().lstrip("+-").startswith(("0x", "0o", "0b")) else int(text)
    except ValueError:
        raise ValueError("it is not a whole number") from None


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError("it is not a number") from None


_SIMPLE: Mapping[type, Any] = {
    str: str,
    bool: _bool,
    int: _int,
    float: _float,
    complex: complex,
    bytes: lambda text: text.encode(),
    Path: Path,
    type(None): lambda text: _one_of(text.lower(), {"none": None, "null": None, "": None}),
}
_DATES = ("datetime.date", "datetime.datetime", "datetime.time")
_BY_TEXT = ("decimal.Decimal", "fractions.Fraction", "uuid.UUID")


def toml_value(text: str) -> object:
    """The value that a text is in TOML. Raises `ValueError`."""
    import tomllib

    try:
        (value,) = tomllib.loads(f"value = {text}").values()
        return value
    except ValueError as error:
        raise ValueError(
            f"lists and tables are written as in TOML, for example [1, 2] or {{a = 1}} ({error})"
        ) from None


def _guess(text: str) -> object:
    """A value where no type says what is meant: TOML if it is, else text."""
    try:
        return toml_value(text)
    except ValueError:
        return text


def shaped(value: object, wanted: object) -> object:
    """A TOML value as a value of a type: lists to tuples and sets, tables to records. Raises `ValueError`."""
    wanted = plain(wanted)
    if get_origin(wanted) in (Union, types.UnionType):
        return _first_shape(value, get_args(wanted))
    origin = get_origin(wanted) or wanted
    args = get_args(wanted)
    if isinstance(value, dict) and isinstance(origin, type):
        made = _table(value, origin, args)
        if made is not None:
            return made
    if isinstance(value, list) and isinstance(origin, type):
        made = _list(value, origin, args)
        if made is not None:
            return made
    if isinstance(value, str) and wanted not in (str, None, Any, object):
        return parse(value, wanted)
    if type(value) is int and wanted is float:
        return float(value)
    if type(value) in (int, float) and isinstance(wanted, type) and wanted is not bool:
        name = f"{wanted.__module__}.{wanted.__qualname__}"
        if name in (*_BY_TEXT, "datetime.timedelta"):
            return parse(repr(value), wanted)
    problem = fits(value, wanted) if wanted is not None else ""
    if problem:
        raise ValueError(f"{value!r} is {article(type(value).__name__)}, not {article(show(wanted))}")
    return value


def _first_shape(value: object, members: tuple[object, ...]) -> object:
    """The first member of a union that a TOML value can be; what is one as it stands is left alone."""
    if any(type(value) is member for member in members):
        return value
    problems = []
    for member in members:
        try:
            return shaped(value, member)
        except ValueError as error:
            problems.append(str(error))
    raise ValueError("; ".join(problems))


def _table(value: Mapping[str, object], kind: Any, args: tuple[object, ...]) -> object | None:
    """A TOML table as a mapping or a record; None for types that are neither."""
    from stepwell.author.records import record_of

    if kind in (dict, Mapping, MutableMapping):
        if not args:
            return value
        return {shaped(key, args[0]): shaped(item, args[1]) for key, item in value.items()}
    record = record_of(kind)
    if record is None:
        return None
    for name in value:
        if name not in record.fields:
            raise ValueError(no_field(record, name))
    return record.made({name: shaped(item, record.fields[name].type) for name, item in value.items()})


def no_field(record: Record, name: str) -> str:
    """What is wrong with a name that no field of a record has."""
    hint = nearest(name, record.fields)
    return f"{show(record.kind)} has no field `{name}`" + (f"; did you mean `{hint}`?" if hint else "")


def _list(value: list[object], kind: Any, args: tuple[object, ...]) -> object | None:
    """A TOML list as a list, tuple, set or named tuple; None for other types."""
    if kind in (list, Sequence, Iterable, Collection, MutableSequence):
        return [shaped(item, args[0]) for item in value] if args else value
    if kind in (set, frozenset, Set):
        items = [shaped(item, args[0]) for item in value] if args else value
        return frozenset(items) if kind is frozenset else set(items)
    if kind is tuple:
        if args[1:] == (Ellipsis,):
            args = args[:1] * len(value)
        elif args == ((),):
            args = ()
        elif not args:
            return tuple(value)
    elif hasattr(kind, "_fields"):
        hints = typing.get_type_hints(kind)
        args = tuple(hints.get(name) for name in kind._fields)
    else:
        return None
    if len(args) != len(value):
        raise ValueError(f"it has {len(value)} parts, not {len(args)}")
    items = [shaped(item, part) for item, part in zip(value, args, strict=True)]
    return tuple(items) if kind is tuple else kind(*items)


def article(word: str) -> str:
    """A noun with its article: "an int"."""
    return f"an {word}" if word[:1].lower() in "aeiou" else f"a {word}"


def example(name: str, wanted: object) -> str:
    """A fix that shows how a parameter of a type is given: "for example: depth=3"."""
    wanted = plain(wanted)
    sample = "..."
    if get_origin(wanted) is typing.Literal:
        sample = str(get_args(wanted)[0])
    elif isinstance(wanted, type) and issubclass(wanted, enum.Enum):
        sample = next(iter(wanted.__members__), sample)
    elif (kind := get_origin(wanted) or wanted) in _SAMPLES:
        sample = _SAMPLES[kind]
    elif isinstance(kind, type):
        sample = _SAMPLES.get(f"{kind.__module__}.{kind.__qualname__}", sample)
    return f"for example: {name}={sample}"


_SAMPLES: Mapping[Any, str] = {
    int: "3",
    float: "0.5",
    bool: "true",
    str: "text",
    Path: "data/file.csv",
    list: "[1, 2]",
    tuple: "[1, 2]",
    dict: "{a = 1}",
    "datetime.date": "2026-01-31",
    "datetime.datetime": "2026-01-31T12:00:00",
    "datetime.timedelta": "15m",
    "stepwell.Secret": "env:NAME",
}
