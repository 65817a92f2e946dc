"""Same meaning, same digest: canonical text of values, tokens of inputs, keys of results.

Everything that enters a key is text of one form, chosen so that two things have the same text
exactly when a step could not tell them apart: types are spelled out (`1`, `1.0`, `True` and
`"1"` differ), dicts and sets are sorted, strings are JSON strings (so no value can imitate the
text of another, and no line breaks occur). The text is short enough to be read, and so the text
that was hashed is also the text that `stepwell why` prints: there is no second description that
could disagree.

Formats, golden vectors and what was rejected: `docs/internals/identity.md`. A change to anything
here that changes a text must raise `FORMAT`: old results are then simply not found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from json.encoder import encode_basestring_ascii as quoted

FORMAT = "stepwell key 1"
"""First line of every key's pre-image."""

LONGEST = 200
"""Characters of canonical text that are kept as they are; longer text is replaced by its digest."""


class NotPlain(TypeError):
    """A value is not plain data, so that it has no canonical text; a codec must give it one."""


def digest(data: str | bytes) -> str:
    """BLAKE2b-256 of bytes (or of text as UTF-8), as 64 hexadecimal digits."""
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogatepass")
    return blake2b(data, digest_size=32).hexdigest()


def key_of(
    step: str,
    code: str,
    environment: str,
    inputs: Iterable[tuple[str, str]],
    variables: Iterable[tuple[str, str]] = (),
) -> str:
    """The key of a result: the digest of everything that determines a step's outputs.

    `step` is its full name, `code` and `environment` are digests, `inputs` pairs of a name and a
    token in the order of the names, `variables` pairs of a declared environment variable and a token.
    """
    lines = [FORMAT, step, code, environment]
    lines += [f"{name}={token}" for name, token in inputs]
    lines += [f"${name}={token}" for name, token in variables]
    return blake2b("\n".join(lines).encode(), digest_size=32).hexdigest()


def site_of(step: str, inputs: Iterable[tuple[str, str]]) -> str:
    """The digest of a call whatever its code: where history looks for "the same call, before the edit"."""
    lines = ["stepwell site 1", step]
    lines += [f"{name}={token}" for name, token in inputs]
    return blake2b("\n".join(lines).encode(), digest_size=16).hexdigest()


def token(value: object) -> str:
    """What a constant comes to in a key: its canonical text, or `#` and its digest where that is long.

    Raises `NotPlain` for a value that is not plain data.
    """
    text = canonical(value)
    return text if len(text) <= LONGEST else f"#{digest(text)}"


def canonical(value: object) -> str:
    """The one text of a plain value, on one line.

    Plain are None, bool, int, float, complex, str, bytes, list, tuple, dict, set, frozenset, range,
    slice, enum members, instances of dataclasses and named tuples, dates and times, `Decimal`,
    `Fraction`, `UUID`, paths, and any nesting of these. Raises `NotPlain` for everything else.
    """
    return _canonical(value, ())


def _canonical(value: object, inside: tuple[int, ...]) -> str:
    kind = type(value)
    simple = _SIMPLE.get(kind)
    if simple is not None:
        return simple(value)
    if id(value) in inside:
        raise NotPlain("it contains itself")
    inner = (*inside, id(value))
    if kind is list:
        return "[" + ",".join([_canonical(item, inner) for item in value]) + "]"  # type: ignore[attr-defined]
    if kind is tuple:
        return "(" + "".join([_canonical(item, inner) + "," for item in value]) + ")"  # type: ignore[attr-defined]
    if kind is dict:
        pairs = sorted((_canonical(k, inner), _canonical(v, inner)) for k, v in value.items())  # type: ignore[attr-defined]
        return "{" + ",".join([f"{k}:{v}" for k, v in pairs]) + "}"
    if kind is set or kind is frozenset:
        return kind.__name__ + "{" + ",".join(sorted(_canonical(item, inner) for item in value)) + "}"  # type: ignore[attr-defined]
    return _record(value, kind, inner)


def _record(value: object, kind: type, inner: tuple[int, ...]) -> str:
    """Canonical text of values with a class of their own: enums, records, dates, numbers, paths."""
    name = f"{kind.__module__}.{kind.__qualname__}"
    members = getattr(kind, "__members__", None)
    if members is not None and hasattr(value, "_value_"):
        label = getattr(value, "_name_", None)
        return f"{name}.{label}" if label is not None else f"{name}({_canonical(value._value_, inner)})"
    fields: Sequence[str] | None = None
    if hasattr(kind, "__dataclass_fields__"):
        fields = [f for f, spec in kind.__dataclass_fields__.items() if _is_field(spec)]
    elif isinstance(value, tuple) and hasattr(kind, "_fields"):
        fields = kind._fields
    if fields is not None:
        shown = [f"{f}={_canonical(getattr(value, f), inner)}" for f in fields if hasattr(value, f)]
        return f"{name}({','.join(shown)})"
    for base in kind.__mro__:
        spell = _SPELLED.get(f"{base.__module__}.{base.__qualname__}")
        if spell is not None and (base is kind or base.__module__ == "pathlib"):
            return spell(value)
    raise NotPlain(f"it is a {name}")


def _is_field(spec: object) -> bool:
    """Whether a dataclass field is one of the instance (not a ClassVar or InitVar pseudo-field)."""
    return getattr(getattr(spec, "_field_type", None), "name", "_FIELD") == "_FIELD"


def _int(value: object) -> str:
    """Decimal digits, or hexadecimal ones above 4,300 digits, where Python refuses decimal ones."""
    return f"{value:d}" if -(1 << 14000) < value < 1 << 14000 else f"{value:#x}"  # type: ignore[operator]


def _float(value: object) -> str:
    text = repr(value)
    return text if text not in ("nan", "inf", "-inf") else f"float({text})"


def _instant(value: object) -> str:
    """Dates and times: ISO 8601 with the zone's name, since 12:00+01:00 in two zones are not one value."""
    zone = getattr(value, "tzinfo", None)
    fold = getattr(value, "fold", 0)
    named = "" if zone is None else f"[{zone}]"
    return f"{type(value).__name__}({value.isoformat()}{named}{'+fold' if fold else ''})"  # type: ignore[attr-defined]


_SIMPLE: Mapping[type, Callable[..., str]] = {
    type(None): lambda _: "None",
    bool: repr,
    int: _int,
    float: _float,
    complex: lambda v: f"complex({_float(v.real)},{_float(v.imag)})",
    str: quoted,
    bytes: lambda v: f"bytes({v.hex()})",
    bytearray: lambda v: f"bytearray({v.hex()})",
    range: repr,
    type(...): lambda _: "...",
}

_SPELLED: Mapping[str, Callable[..., str]] = {
    "builtins.slice": repr,
    "datetime.date": _instant,
    "datetime.time": _instant,
    "datetime.datetime": _instant,
    "datetime.timedelta": lambda v: f"timedelta({v.days},{v.seconds},{v.microseconds})",
    "datetime.timezone": lambda v: f"timezone({v})",
    "zoneinfo.ZoneInfo": lambda v: f"ZoneInfo({v})",
    "decimal.Decimal": lambda v: f"Decimal({v})",
    "fractions.Fraction": lambda v: f"Fraction({v})",
    "uuid.UUID": lambda v: f"UUID({v})",
    "pathlib.PurePath": lambda v: f"Path({quoted(v.as_posix())})",
}
