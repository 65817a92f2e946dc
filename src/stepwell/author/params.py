"""Parameters of a pipeline: from words of the command line, and from values, to what its signature asks for.

Words are `name=value`. The value is read by the parameter's type: text stays text, numbers are
numbers, and lists and nested values are written as in TOML (`sizes=[1, 2]`, `opt={lr = 0.1}`).
Everything is checked before anything runs.
"""

from __future__ import annotations

import enum
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

from stepwell.author.annotations import plain, show
from stepwell.codecs.choose import fits
from stepwell.errors import BadParameter, MissingParameter, UnknownParameter, nearest

if TYPE_CHECKING:
    from stepwell.author.pipelines import Pipeline


def from_words(pipeline: Pipeline[Any, Any], words: Sequence[str]) -> dict[str, object]:
    """Typed parameters from `name=value` words. Raises `UnknownParameter`, `BadParameter`, `MissingParameter`."""
    out: dict[str, object] = {}
    for word in words:
        name, _, text = word.partition("=")
        _known(pipeline, name)
        wanted = pipeline.hints.get(name)
        if wanted is None:
            default = pipeline.signature.parameters[name].default
            wanted = (
                type(default) if default is not pipeline.signature.empty and default is not None else None
            )
        try:
            out[name] = parse(text, wanted)
        except ValueError as error:
            raise BadParameter(
                f"`{name}={text}` is not {_article(show(wanted))}",
                why=str(error),
                fixes=[_example(name, wanted)],
            ) from error
    return _complete(pipeline, out)


def from_call(
    pipeline: Pipeline[Any, Any], args: tuple[object, ...], kwargs: Mapping[str, object]
) -> dict[str, object]:
    """Parameters from a Python call, checked against the annotations; the same errors as `from_words`."""
    names = [p.name for p in pipeline.signature.parameters.values()]
    if len(args) > len(names):
        raise UnknownParameter(
            f"`{pipeline.__name__}` takes {len(names)} parameters, and got {len(args)}",
            fixes=[f"they are: {', '.join(names)}"],
        )
    out: dict[str, object] = dict(zip(names, args))  # noqa: B905  the rest have defaults, or are missing
    for name, value in kwargs.items():
        _known(pipeline, name)
        out[name] = value
    for name, value in out.items():
        wanted = pipeline.hints.get(name)
        problem = fits(value, wanted) if wanted is not None else ""
        if problem:
            raise BadParameter(
                f"`{name}={value!r}` is {_article(type(value).__name__)}, not {_article(show(wanted))}",
                fixes=[_example(name, wanted)],
            )
    return _complete(pipeline, out)


def _known(pipeline: Pipeline[Any, Any], name: str) -> None:
    names = list(pipeline.signature.parameters)
    if name not in names:
        hint = nearest(name, names)
        fixes = [f"did you mean `{hint}`?"] if hint else []
        fixes.append(f"its parameters are: {', '.join(names)}" if names else "it has no parameters")
        raise UnknownParameter(f"`{pipeline.__name__}` has no parameter `{name}`", fixes=fixes)


def _complete(pipeline: Pipeline[Any, Any], given: dict[str, object]) -> dict[str, object]:
    """All parameters in the signature's order, defaults filled in."""
    out: dict[str, object] = {}
    for name, parameter in pipeline.signature.parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise BadParameter(
                f"the pipeline `{pipeline.__name__}` takes `*{name}`",
                why="its parameters must be known by name before it runs",
                fixes=["give it named parameters"],
            )
        if name in given:
            out[name] = given[name]
        elif parameter.default is not parameter.empty:
            out[name] = parameter.default
        else:
            raise MissingParameter(
                f"`{pipeline.__name__}` needs a value for `{name}`",
                why="it has no default",
                fixes=[_example(name, pipeline.hints.get(name))],
            )
    return out


def parse(text: str, wanted: object) -> object:
    """A word as a value of a type. Raises `ValueError` saying what is wrong with it."""
    wanted = plain(wanted)
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
    if isinstance(wanted, type) and f"{wanted.__module__}.{wanted.__qualname__}" in _DATES:
        return wanted.fromisoformat(text)  # type: ignore[attr-defined]
    return shaped(_toml(text), wanted)


def _first_that_fits(text: str, members: tuple[object, ...]) -> object:
    """The narrowest member of a union that the text can be: None, numbers, then the rest, text last."""
    if type(None) in members and text.lower() in ("none", "null", ""):
        return None
    narrowness = (bool, int, float, None, str)
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


def _toml(text: str) -> object:
    import tomllib

    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, KeyError) as error:
        raise ValueError(
            f"lists and tables are written as in TOML, for example [1, 2] or {{a = 1}} ({error})"
        ) from None


def _guess(text: str) -> object:
    """A value where no type says what is meant: TOML if it is, else text."""
    try:
        return _toml(text)
    except ValueError:
        return text


def shaped(value: object, wanted: object) -> object:
    """A TOML value as a value of a type: lists to tuples and sets, tables to dataclasses. Raises `ValueError`."""
    wanted = plain(wanted)
    origin = get_origin(wanted) or wanted
    args = get_args(wanted)
    if hasattr(origin, "__dataclass_fields__") and isinstance(value, dict):
        hints = typing.get_type_hints(origin)
        unknown = [name for name in value if name not in hints]
        if unknown:
            raise ValueError(f"{show(origin)} has no field `{unknown[0]}`")
        try:
            return origin(**{name: shaped(item, hints[name]) for name, item in value.items()})  # type: ignore[operator]
        except TypeError as error:
            raise ValueError(str(error)) from None
    if origin in (list, set, frozenset, Sequence) and isinstance(value, list):
        items = [shaped(item, args[0]) for item in value] if args else value
        return items if origin in (list, Sequence) else origin(items)  # type: ignore[operator]
    if origin is tuple and isinstance(value, list):
        if args and Ellipsis not in args and len(args) != len(value):
            raise ValueError(f"it has {len(value)} parts, not {len(args)}")
        kinds = [args[0]] * len(value) if args and Ellipsis in args else list(args) or [None] * len(value)
        return tuple(shaped(item, kind) for item, kind in zip(value, kinds, strict=True))
    if origin in (dict, Mapping) and isinstance(value, dict):
        return {key: shaped(item, args[1]) for key, item in value.items()} if args else value
    if isinstance(value, str) and wanted is not str and wanted is not None:
        return parse(value, wanted)
    if isinstance(value, int) and not isinstance(value, bool) and wanted is float:
        return float(value)
    problem = fits(value, wanted) if wanted is not None else ""
    if problem:
        raise ValueError(f"{value!r} is {_article(type(value).__name__)}, not {_article(show(wanted))}")
    return value


def _article(word: str) -> str:
    return f"an {word}" if word[:1].lower() in "aeiou" else f"a {word}"


def _example(name: str, wanted: object) -> str:
    samples = {int: "3", float: "0.5", bool: "true", str: "text", Path: "data/file.csv"}
    if get_origin(wanted) is typing.Literal:
        return f"for example: {name}={get_args(wanted)[0]}"
    if isinstance(wanted, type) and issubclass(wanted, enum.Enum):
        return f"for example: {name}={next(iter(wanted)).name}"
    return f"for example: {name}={samples.get(wanted, '...')}"  # type: ignore[arg-type]
