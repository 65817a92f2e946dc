r"""Plain data as JSON that gives back exactly what was written: the codec `json`.

Everything JSON has stands for itself: None, booleans, integers, finite floats, strings, lists,
and dicts whose keys are strings. All else is an object with one key that begins with `!`:

    (1, 2)                  {"!tuple":[1,2]}            float("nan")     {"!float":"nan"}
    {1: "a"}                {"!dict":[[1,"a"]]}         b"ab"            {"!bytes":"YWI="}
    Point(x=1)              {"!data":["geo:Point",{"x":1}]}              {"!enum":["geo:Color","RED"]}
    np.float32(1.5)         {"!np":["<f4",1.5]}         date(2024,5,1)   {"!date":"2024-05-01"}

Lists and tuples of `MANY` finite floats and more are `{"!floats":"…"}`, the Base64 of their eight bytes each,
little-endian: twenty times as fast as their digits, and shorter.

**Equal values have equal bytes.** So dicts and sets are written in the order of their keys, and a
dict comes back in that order, not in the one it was built in: `{"b": 1, "a": 2} == {"a": 2, "b": 1}`,
so they must have one digest, and bytes cannot both tell the order and not tell it. It is also what
the keys of steps do (`kernel.identity`). A step that means an order returns a list of pairs, a
named tuple, a dataclass or an `OrderedDict` (whose equality counts the order, and which keeps it).

**Dataclasses** are written field by field, with attributes that are not fields beside them, and are
made again without a call of `__init__` or `__post_init__`: what was computed there is state, and
comes back as state. (Calling `__init__` would need the `InitVar`s, which are gone, and would
repeat its effects.) A `cached_property` is not state and is computed again.

**Loading calls nothing** that the bytes name, but `object.__new__` on a class that is a dataclass,
`tuple.__new__` on a named tuple, and the lookup of an enum's member. Classes are named
"module:qualname" and imported where they are not yet.

Rejected: pickle (executes), MessagePack (not readable with a shell; integers of 64 bits), sorted
keys by way of `json.dumps(sort_keys=True)` (fails on mixed keys, and silently turns 1 into "1").
Text is UTF-8 with lone surrogates passed through, never `\u` escapes: with escapes, two lone
surrogates and the character that they would make together are the same text.
"""

from __future__ import annotations

import base64
import binascii
import json
import struct
import sys
from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from operator import methodcaller
from typing import TYPE_CHECKING, Any

from stepwell.codecs.classes import class_at, data_fields, is_dataclass, is_enum, is_named_tuple, name_of
from stepwell.errors import CannotDecode, CannotEncode, CodecError

if TYPE_CHECKING:
    from collections.abc import Hashable

    from stepwell.plugins.hookspecs import Blob, Sink

DEEPEST = 150
"""Levels of nesting that are written. Python's own recursion limit is 1,000 and must hold for reading too."""

SMALL = 1 << 2000
"""Integers below it are written as digits; Python may be set to refuse 640 digits and more, so others are hexadecimal."""

MANY = 16
"""Floats from which on a list of them is written by their bytes."""

SHOWN = 60
"""Characters of a value that are its note; a longer one is summed up."""


def _writer_of_text() -> Callable[[Any], str]:
    """JSON of a tree, by the writer in C that `json.JSONEncoder.encode` makes anew for each value: most values are small."""
    encoder = json.JSONEncoder(
        ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":")
    )
    make: Any = json.encoder.c_make_encoder  # type: ignore[attr-defined]
    if make is None:  # a Python without it
        return encoder.encode
    text = json.encoder.encode_basestring  # type: ignore[attr-defined]
    write = make(None, encoder.default, text, None, ":", ",", False, False, False)
    return lambda tree: "".join(write(tree, 0))


_text = _writer_of_text()

_AS_THEY_ARE = frozenset({str, bool, type(None)})


class NotPlain(TypeError):
    """A value has no plain form. `at` leads to it from the outermost value; `kind` says what it is."""

    def __init__(self, kind: str, *, why: str = "") -> None:
        super().__init__(kind)
        self.kind = kind
        self.why = why
        self.at: list[str] = []

    @property
    def where(self) -> str:
        """The way to the value as Python would write it: `["model"].coef[0]`; empty for the value itself."""
        return "".join(reversed(self.at))


PartOf = Callable[[Any], str]
"""Says which codec takes a value that is not plain, or "" where none does."""


def encode(value: Any, part_of: PartOf | None = None) -> tuple[Any, list[tuple[str, Any]]]:
    """A value as what JSON has, and the (codec, value) of each part that JSON does not hold.

    Without `part_of` there are no parts. Raises `NotPlain`.
    """
    writer = _Writer(part_of)
    try:
        return writer.tree(value), writer.parts
    except RecursionError:
        raise NotPlain(_kind(value), why="it is nested too deeply") from None


def to_bytes(tree: Any) -> bytes:
    """The bytes of what `encode` gave."""
    return _text(tree).encode("utf-8", "surrogatepass")


def dumps(value: Any) -> bytes:
    """The bytes of a plain value. Raises `NotPlain`."""
    kind = type(value)
    if kind is int and -SMALL < value < SMALL:
        return b"%d" % value
    return to_bytes(encode(value)[0])


def loads(data: bytes | memoryview, part: Callable[[int], Any] | None = None) -> Any:
    """The value of bytes that `dumps` or `to_bytes` made; `part` gives the value of a part by its number.

    Raises `CannotDecode`, whatever the bytes are.
    """
    return _decoded(data, _decoder if part is None else _decoder_with({**_READERS, "!part": part}))


def preview(data: bytes | memoryview) -> Any:
    """The value as it can be shown without the user's classes, none of which is imported for it.

    A dataclass is a dict of its fields, a named tuple a list, an enum member its name. Raises `CannotDecode`.
    """
    return _decoded(data, _decoder_with({**_READERS, **_CLASSLESS}))


def _decoded(data: bytes | memoryview, decoder: json.JSONDecoder) -> Any:
    try:
        text = str(data, "utf-8", "surrogatepass")
        value, end = decoder.scan_once(text, 0)  # type: ignore[attr-defined]  # `decode` also skips blanks
        if end != len(text):
            raise ValueError(f"something follows at {end}")
        return value
    except CodecError:
        raise
    except Exception as error:
        # Whatever is wrong with the bytes, or with the classes that they name.
        raise CannotDecode(
            "the artifact cannot be read as plain data",
            why=f"{type(error).__name__}: {error}"[:300],
            fixes=["if a class was renamed or moved since, run the step that makes it again"],
        ) from error


class PlainCodec:
    """Plain data, as the head of this module tells."""

    name = "json"
    exact = True

    def dump(self, value: Any, sink: Sink) -> str:
        """Write the value; the note is its text, or how many items it has."""
        try:
            data = dumps(value)
        except NotPlain as error:
            raise refusal(value, error) from None
        sink.write(data)
        return note(value, data)

    def load(self, blob: Blob) -> Any:
        """The value, equal in type and content to what was dumped."""
        return loads(blob.data)


def refusal(value: Any, error: NotPlain) -> CannotEncode:
    """The error for people that a `NotPlain` comes to."""
    what = (
        f"{error.where or 'the value'} is {error.kind}"
        if error.where
        else f"a {error.kind} is not plain data"
    )
    if error.where:
        what = f"a {_kind(value)} holds {error.kind} at `{error.where}`, which is not plain data"
    return CannotEncode(
        what,
        why=error.why or "plain data is numbers, text, dates, dataclasses, enums and nestings of these",
        fixes=[
            "return it in a form that has a codec (a list, a NumPy array, a table, a dataclass)",
            'or say `@step(codec="pickle")`: stored in this store only, and loading it can execute code',
        ],
    )


def note(value: Any, data: bytes) -> str:
    """What people see of a value and its bytes."""
    return str(data, "utf-8", "replace") if len(data) <= SHOWN and b'"!' not in data else summary(value)


def knows(kind: type) -> bool:
    """Whether values of a class of the standard library or pandas are plain, whatever is in them."""
    return kind in _SIMPLE or f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}" in _SIMPLE_NAMED


def summary(value: Any) -> str:
    """A value too long to be shown, in a word or two."""
    try:
        return f"{type(value).__name__} of {len(value):,}"
    except TypeError:
        return type(value).__name__


def _kind(value: Any) -> str:
    kind = type(value)
    name = kind.__qualname__
    return name if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{name}"


# --------------------------------------------------------------------------- writing


class _Writer:
    """One walk over one value."""

    def __init__(self, part_of: PartOf | None) -> None:
        self.part_of = part_of
        self.parts: list[tuple[str, Any]] = []
        self.names: dict[type, str] = {}
        self._inside: set[int] = set()

    def tree(self, value: Any) -> Any:
        kind = type(value)
        if kind in _AS_THEY_ARE:
            return value
        if kind is int:
            return value if -SMALL < value < SMALL else {"!int": f"{value:#x}"}
        if kind is float:
            return value if isfinite(value) else {"!float": repr(value)}
        if kind not in _WRITERS and kind not in _SIMPLE:
            _learn(kind)
        simple, write = _SIMPLE.get(kind), _WRITERS.get(kind)
        if self.part_of is not None and (simple is _path or (simple is None and write is None)):
            codec = self.part_of(value)
            if codec:
                self.parts.append((codec, value))
                return {"!part": len(self.parts) - 1}
        if simple is not None:
            return simple(value)
        write = write or _writer_of(kind)
        if write is None:
            raise NotPlain(f"a {_kind(value)}")
        if id(value) in self._inside:
            raise NotPlain(f"a {kind.__name__} that contains itself")
        if len(self._inside) >= DEEPEST:
            raise NotPlain(f"a {kind.__name__}", why=f"it is nested more than {DEEPEST} levels deep")
        self._inside.add(id(value))
        try:
            return write(self, value)
        finally:
            self._inside.discard(id(value))

    def listed(self, values: list[Any] | tuple[Any, ...]) -> Any:
        """The tree of a list: those of its items, or one for all."""
        if len(values) < MANY or type(values[0]) is not float:
            return self.items(values)
        if set(map(type, values)) != {float} or not all(map(isfinite, values)):
            return self.items(values)
        return {"!floats": _base64(struct.pack(f"<{len(values)}d", *values))}

    def items(self, values: Iterable[Any]) -> list[Any]:
        """The trees of several values in order."""
        kinds = set(map(type, values))
        if kinds <= _AS_THEY_ARE:
            return list(values)
        if len(kinds) == 1:
            if float in kinds and all(map(isfinite, values)):
                return list(values)
            if int in kinds and min(values) > -SMALL and max(values) < SMALL:
                return list(values)
        out: list[Any] = []
        try:
            for value in values:
                out.append(self.tree(value))  # noqa: PERF401, its length says which item failed
        except NotPlain as error:
            error.at.append(f"[{len(out)}]")
            raise
        return out

    def whole(self, values: Iterable[Any]) -> list[Any]:
        """The trees of values without an order, in the order of their texts; none of them may be a part."""
        part_of, self.part_of = self.part_of, None
        try:
            return sorted(self.items(values), key=_text)
        finally:
            self.part_of = part_of

    def pairs(self, value: Mapping[Any, Any], *, ordered: bool) -> list[list[Any]]:
        """[key, item] of a mapping whose keys are not all plain strings."""
        part_of, self.part_of = self.part_of, None
        try:
            keys = [(self.tree(key), key) for key in value]
        except NotPlain as error:
            error.at.append(".keys()")
            raise
        finally:
            self.part_of = part_of
        if not ordered:
            keys.sort(key=_by_number if set(map(type, value)) == {int} else _by_text)
        return [[tree, self.item(value, key)] for tree, key in keys]

    def item(self, value: Mapping[Any, Any], key: Hashable) -> Any:
        """The tree of one item of a mapping."""
        try:
            return self.tree(value[key])
        except NotPlain as error:
            error.at.append(f"[{str(key)[:40]!r}]" if type(key) is str else f"[{repr(key)[:40]}]")
            raise

    def field(self, value: Any, name: str) -> Any:
        """The tree of one attribute."""
        try:
            return self.tree(getattr(value, name))
        except NotPlain as error:
            error.at.append(f".{name}")
            raise

    def named(self, kind: type) -> str:
        """The "module:qualname" of a class that can be found by it."""
        known = self.names.get(kind)
        if known is None:
            try:
                known = self.names[kind] = name_of(kind)
            except LookupError as error:
                raise NotPlain(f"a {kind.__qualname__}", why=str(error)) from None
        return known


def _by_text(pair: tuple[Any, Any]) -> str:
    return _text(pair[0])


def _by_number(pair: tuple[Any, int]) -> int:
    return pair[1]


_is_marked = methodcaller("startswith", "!")


def _dict(writer: _Writer, value: dict[Any, Any]) -> Any:
    if not set(map(type, value)) <= {str} or any(map(_is_marked, value)):
        return {"!dict": writer.pairs(value, ordered=False)}
    found, key = {}, ""
    try:
        for key in sorted(value):
            found[key] = writer.tree(value[key])
    except NotPlain as error:
        error.at.append(f"[{key[:40]!r}]")
        raise
    return found


def _default_dict(writer: _Writer, value: Any) -> Any:
    factory = value.default_factory
    name = getattr(factory, "__name__", "") if factory is not None else "None"
    if _FACTORIES.get(name, _FACTORIES) is not factory:
        raise NotPlain("a defaultdict", why=f"its default comes from {factory!r}; `dict(...)` makes it plain")
    return {"!defaultdict": [name, writer.pairs(value, ordered=False)]}


def _data(writer: _Writer, value: Any) -> Any:
    kind = type(value)
    fields, others = data_fields(value)
    state = [writer.named(kind), {name: writer.field(value, name) for name in sorted(fields)}]
    if others:
        state.append({name: writer.field(value, name) for name in sorted(others)})
    return {"!data": state}


def _named_tuple(writer: _Writer, value: Any) -> Any:
    return {"!named": [writer.named(type(value)), writer.items(tuple(value))]}


def _enum(writer: _Writer, value: Any) -> Any:
    kind, name = type(value), value._name_
    if name in kind.__members__:
        return {"!enum": [writer.named(kind), name]}
    return {
        "!flag": [writer.named(kind), int(value._value_)]
    }  # several flags at once have no name of their own


def _writer_of(kind: type) -> Callable[[_Writer, Any], Any] | None:
    """How to write values of classes that users define."""
    if is_enum(kind):
        return _enum
    if is_named_tuple(kind):
        return _named_tuple
    if is_dataclass(kind):
        return _data
    return None


def _learn(kind: type) -> None:
    """Put a class of the standard library, NumPy or pandas in the tables, the first time a value of it is met.

    By name, so that nothing is imported for values that never come.
    """
    root = kind.__module__.partition(".")[0]
    if root == "numpy":
        if issubclass(kind, sys.modules["numpy"].generic):
            _SIMPLE[kind] = _numpy_scalar
        return
    name = f"{root}.{kind.__qualname__}"
    if name in _SIMPLE_NAMED:
        _SIMPLE[kind] = _SIMPLE_NAMED[name]
    elif name in _WRITERS_NAMED:
        _WRITERS[kind] = _WRITERS_NAMED[name]


def _numpy_scalar(value: Any) -> Any:
    dtype = value.dtype
    code = dtype.str if sys.byteorder == "little" else dtype.newbyteorder("<").str
    if dtype.kind in "biu" or (dtype.kind == "f" and dtype.itemsize <= 8):
        plain = value.item()
        return {"!np": [code, plain if dtype.kind != "f" or isfinite(plain) else {"!float": repr(plain)}]}
    if dtype.kind == "c" and dtype.itemsize <= 16:
        return {"!np": [code, _complex(value.item())["!complex"]]}
    if dtype.kind in "mM":
        return {"!np": [code, int(value.view("i8"))]}
    if dtype.kind == "U":
        return {"!np": ["U", str(value)]}
    if dtype.kind == "S":
        return {"!np": ["S", _base64(bytes(value))]}
    raise NotPlain(f"a NumPy {dtype}")


def _pandas_instant(value: Any) -> Any:
    zone = value.tzinfo
    name = getattr(zone, "zone", None)
    if type(zone).__module__.startswith("pytz") and name:  # what pandas 2 makes of the name of a zone
        zone = {"pytz": name}
    elif zone is not None:
        zone = _zone(zone)
    return {"!timestamp": [value.unit, int(value.asm8.view("i8")), zone]}


def _complex(value: complex) -> dict[str, Any]:
    return {"!complex": [repr(value.real), repr(value.imag)]}


def _base64(value: bytes | bytearray) -> str:
    return binascii.b2a_base64(value, newline=False).decode("ascii")


def _zone(zone: Any) -> Any:
    """A time zone: the microseconds of a fixed offset (and its name), or the name of a zone."""
    import datetime as dt
    from zoneinfo import ZoneInfo

    if type(zone) is dt.timezone:
        offset, *name = zone.__getinitargs__()  # type: ignore[attr-defined]
        return [offset // dt.timedelta(microseconds=1), *name]
    if type(zone) is ZoneInfo and zone.key is not None:
        return zone.key
    raise NotPlain(
        f"a time zone of {_kind(zone)}", why="only `datetime.timezone` and `zoneinfo.ZoneInfo` are plain"
    )


def _instant(tag: str) -> Callable[[Any], Any]:
    """Writer of `datetime` and `time`: the clock's text, or with the fold and the zone where there are any."""

    def write(value: Any) -> Any:
        text = value.replace(tzinfo=None).isoformat()
        if value.tzinfo is None and not value.fold:
            return {tag: text}
        return {tag: [text, value.fold, None if value.tzinfo is None else _zone(value.tzinfo)]}

    return write


def _whole_number(value: int) -> Any:
    return value if -SMALL < value < SMALL else {"!int": f"{value:#x}"}


def _slice(writer: _Writer, value: slice) -> Any:
    return {"!slice": writer.items([value.start, value.stop, value.step])}


def _path(value: Any) -> Any:
    name = type(value).__name__
    return {"!path": ["Path" if name == "PosixPath" else name, str(value)]}


_WRITERS: dict[type, Callable[[_Writer, Any], Any]] = {
    list: lambda writer, value: writer.listed(value),
    dict: _dict,
    tuple: lambda writer, value: {"!tuple": writer.listed(value)},
    set: lambda writer, value: {"!set": writer.whole(value)},
    frozenset: lambda writer, value: {"!frozenset": writer.whole(value)},
    slice: _slice,
}

_SIMPLE: dict[type, Callable[[Any], Any]] = {
    bytes: lambda value: {"!bytes": _base64(value)},
    bytearray: lambda value: {"!bytearray": _base64(value)},
    complex: _complex,
    range: lambda value: {"!range": [_whole_number(n) for n in (value.start, value.stop, value.step)]},
    type(...): lambda _: {"!ellipsis": None},
}


_WRITERS_NAMED: Mapping[str, Callable[[_Writer, Any], Any]] = {
    "collections.OrderedDict": lambda writer, value: {"!ordered": writer.pairs(value, ordered=True)},
    "collections.Counter": lambda writer, value: {"!counter": writer.pairs(value, ordered=False)},
    "collections.defaultdict": _default_dict,
    "collections.deque": lambda writer, value: {"!deque": [value.maxlen, writer.items(value)]},
}

_SIMPLE_NAMED: Mapping[str, Callable[[Any], Any]] = {
    "datetime.date": lambda value: {"!date": value.isoformat()},
    "datetime.datetime": _instant("!datetime"),
    "datetime.time": _instant("!time"),
    "datetime.timedelta": lambda value: {"!timedelta": [value.days, value.seconds, value.microseconds]},
    "datetime.timezone": lambda value: {"!zone": _zone(value)},
    "zoneinfo.ZoneInfo": lambda value: {"!zone": _zone(value)},
    "decimal.Decimal": lambda value: {"!decimal": str(value)},
    "fractions.Fraction": lambda value: {
        "!fraction": [_whole_number(value.numerator), _whole_number(value.denominator)]
    },
    "uuid.UUID": lambda value: {"!uuid": str(value)},
    "pathlib.PosixPath": _path,
    "pathlib.PurePosixPath": _path,
    "pathlib.PureWindowsPath": _path,
    "pandas.Timestamp": _pandas_instant,
    "pandas.Timedelta": lambda value: {"!pdtimedelta": [value.unit, int(value.asm8.view("i8"))]},
    "pandas.NaTType": lambda _: {"!nat": None},
    "pandas.NAType": lambda _: {"!na": None},
}


# --------------------------------------------------------------------------- reading


def _hook(readers: Mapping[str, Callable[[Any], Any]]) -> Callable[[dict[str, Any]], Any]:
    def read(found: dict[str, Any]) -> Any:
        if len(found) == 1:
            (key,) = found
            if key[:1] == "!":
                return readers[key](found[key])
        return found

    return read


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not written like that")


def _decoder_with(readers: Mapping[str, Callable[[Any], Any]]) -> json.JSONDecoder:
    return json.JSONDecoder(object_hook=_hook(readers), parse_constant=_constant)


def _read_data(state: list[Any]) -> Any:
    kind = class_at(state[0])
    if not hasattr(kind, "__dataclass_fields__"):
        raise ValueError(f"{state[0]} is not a dataclass")
    value = object.__new__(kind)
    for part in state[1:]:
        for name, item in part.items():
            object.__setattr__(value, name, item)
    return value


_CLASSLESS: Mapping[str, Callable[[Any], Any]] = {
    "!data": lambda state: {name: item for part in state[1:] for name, item in part.items()},
    "!named": lambda state: state[1],
    "!enum": lambda state: state[1],
    "!flag": lambda state: state[1],
    "!part": lambda number: f"<part {number}>",
}


def _read_named(state: list[Any]) -> Any:
    kind = class_at(state[0])
    if not is_named_tuple(kind) or len(kind._fields) != len(state[1]):
        raise ValueError(f"{state[0]} is not a named tuple of {len(state[1])}")
    return tuple.__new__(kind, state[1])


def _read_enum(state: list[Any]) -> Any:
    kind = class_at(state[0])
    if not is_enum(kind):
        raise ValueError(f"{state[0]} is not an enum")
    return kind.__members__[state[1]]


def _read_flag(state: list[Any]) -> Any:
    import enum

    kind = class_at(state[0])
    if not (isinstance(kind, type) and issubclass(kind, enum.Flag)):
        raise ValueError(f"{state[0]} is not a flag")
    return kind(state[1])


def _read_numpy(state: list[Any]) -> Any:
    import numpy as np

    code, plain = state
    if code == "U":
        return np.str_(plain)
    if code == "S":
        return np.bytes_(base64.b64decode(plain, validate=True))
    dtype = np.dtype(code)
    if dtype.kind in "mM":
        return np.array(plain, "i8").view(dtype.newbyteorder("="))[()]
    if dtype.kind not in "biufc":
        raise ValueError(f"{code} is not a number")
    if dtype.kind == "c":
        return dtype.type(_read_complex(plain))
    if not isinstance(plain, (int, float)):
        raise ValueError(f"{plain!r} is not a number")
    return dtype.type(plain)


def _read_floats(text: str) -> list[float]:
    data = base64.b64decode(text, validate=True)
    return list(struct.unpack(f"<{len(data) // 8}d", data))


def _read_complex(parts: list[str]) -> complex:
    return complex(float(parts[0]), float(parts[1]))


def _read_zone(state: Any) -> Any:
    import datetime as dt
    from zoneinfo import ZoneInfo

    if isinstance(state, str):
        return ZoneInfo(state)
    micro, *name = state
    return dt.timezone(dt.timedelta(microseconds=micro), *name)


def _read_instant(name: str) -> Callable[[Any], Any]:
    def read(state: Any) -> Any:
        import datetime as dt

        kind = getattr(dt, name)
        if isinstance(state, str):
            return kind.fromisoformat(state)
        text, fold, zone = state
        return kind.fromisoformat(text).replace(fold=fold, tzinfo=None if zone is None else _read_zone(zone))

    return read


def _read_timestamp(state: list[Any]) -> Any:
    import numpy as np
    import pandas as pd

    unit, number, zone = state
    moment = pd.Timestamp(np.datetime64(number, unit))
    if zone is None:
        return moment
    if isinstance(zone, dict):
        from importlib import import_module

        return moment.tz_localize("UTC").tz_convert(import_module("pytz").timezone(zone["pytz"]))
    return moment.tz_localize("UTC").tz_convert(_read_zone(zone))


def _read_pandas_timedelta(state: list[Any]) -> Any:
    import numpy as np
    import pandas as pd

    return pd.Timedelta(np.timedelta64(state[1], state[0]))


def _read_date(text: str) -> Any:
    import datetime as dt

    return dt.date.fromisoformat(text)


def _read_path(state: list[str]) -> Any:
    import pathlib

    if state[0] not in ("Path", "PurePosixPath", "PureWindowsPath"):
        raise ValueError(f"{state[0]} is not a path")
    return getattr(pathlib, state[0])(state[1])


def _lazy(module: str, name: str, *, spread: bool = False) -> Callable[[Any], Any]:
    """Reader that calls a constructor of the standard library with the state."""

    def read(state: Any) -> Any:
        from importlib import import_module

        make = getattr(import_module(module), name)
        return make(*state) if spread else make(state)

    return read


def _read_pandas_missing(name: str) -> Callable[[Any], Any]:
    def read(_: Any) -> Any:
        import pandas as pd

        return getattr(pd, name)

    return read


def _read_default_dict(state: list[Any]) -> Any:
    from collections import defaultdict

    return defaultdict(_FACTORIES[state[0]], state[1])


def _read_deque(state: list[Any]) -> Any:
    from collections import deque

    return deque(state[1], maxlen=state[0])


def _read_counter(pairs: list[Any]) -> Any:
    from collections import Counter

    return Counter(dict(pairs))


_FACTORIES: dict[str, Any] = {
    "None": None,
    **{kind.__name__: kind for kind in (int, float, str, bool, list, dict, set, tuple)},
}

_READERS: dict[str, Callable[[Any], Any]] = {
    "!int": lambda text: int(text, 16),
    "!float": float,
    "!floats": _read_floats,
    "!complex": _read_complex,
    "!bytes": lambda text: base64.b64decode(text, validate=True),
    "!bytearray": lambda text: bytearray(base64.b64decode(text, validate=True)),
    "!tuple": tuple,
    "!set": set,
    "!frozenset": frozenset,
    "!dict": dict,
    "!ordered": _lazy("collections", "OrderedDict"),
    "!counter": _read_counter,
    "!defaultdict": _read_default_dict,
    "!deque": _read_deque,
    "!range": lambda state: range(*state),
    "!slice": lambda state: slice(*state),
    "!ellipsis": lambda _: ...,
    "!date": _read_date,
    "!datetime": _read_instant("datetime"),
    "!time": _read_instant("time"),
    "!timedelta": _lazy("datetime", "timedelta", spread=True),
    "!zone": _read_zone,
    "!decimal": _lazy("decimal", "Decimal"),
    "!fraction": _lazy("fractions", "Fraction", spread=True),
    "!uuid": _lazy("uuid", "UUID"),
    "!path": _read_path,
    "!enum": _read_enum,
    "!flag": _read_flag,
    "!named": _read_named,
    "!data": _read_data,
    "!np": _read_numpy,
    "!timestamp": _read_timestamp,
    "!pdtimedelta": _read_pandas_timedelta,
    "!nat": _read_pandas_missing("NaT"),
    "!na": _read_pandas_missing("NA"),
}


_decoder = _decoder_with(_READERS)
