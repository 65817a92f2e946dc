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

import re
from _blake2 import blake2b  # as `hashlib` has it, which loads OpenSSL first
from collections.abc import Callable, Iterable, Mapping, Sequence
from json.encoder import encode_basestring_ascii as quoted
from typing import Any, NamedTuple

FORMAT = "stepwell key 1"
"""First line of every key's pre-image."""

LONGEST = 200
"""Characters of canonical text that are kept as they are; longer text is replaced by its digest."""

Tokens = tuple[tuple[str, str], ...]
"""Names, and what each comes to in a key: inputs, environment variables, what a step was seen to rest on."""

MOVING = "moving"
"""The token of a thing that changed while it was read (`ports.World`): equal to nothing, itself included."""

_SECRET = re.compile(r"(?i)(key|token|secret|passw|pwd|credential|auth|dsn|_url$|cookie|session)")


class NotPlain(TypeError):
    """A value is not plain data, so that it has no canonical text; a codec must give it one."""


def digest(data: str | bytes) -> str:
    """BLAKE2b-256 of bytes (or of text as UTF-8), as 64 hexadecimal digits."""
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogatepass")
    return blake2b(data, digest_size=32).hexdigest()


def site_of(step: str, inputs: Iterable[tuple[str, str]]) -> str:
    """The digest of a call whatever its code: where history looks for "the same call, before the edit"."""
    return Naming.of(step, "", "").site(call_text(inputs))


def call_text(inputs: Iterable[tuple[str, str]]) -> str:
    """What the inputs of a call come to, a line each: pairs of a name and a token."""
    return "".join([f"{name if name.isidentifier() else quoted(name)}={token}\n" for name, token in inputs])


class Naming(NamedTuple):
    """Names the results of a step by the inputs of its calls: what all of them have in common, before the inputs and behind.

    The key of a result is the digest of everything that determines a step's outputs.
    """

    before: str
    behind: str
    site_before: str

    @classmethod
    def of(cls, step: str, code: str, environment: str, variables: Iterable[tuple[str, str]] = ()) -> Naming:
        """That of a step by full name, with the digests of its code and environment, and what declared variables come to."""
        behind = "".join([f"${line}\n" for line in call_text(variables).split("\n")[:-1]])
        return cls(f"{FORMAT}\n{step}\n{code}\n{environment}\n", behind, f"stepwell site 1\n{step}\n")

    def key(self, inputs: str) -> str:
        """The key of a call with these inputs (`call_text`), which stand in the order of their names."""
        text = f"{self.before}{inputs}{self.behind}"[:-1]
        return blake2b(text.encode(), digest_size=32).hexdigest()

    def site(self, inputs: str) -> str:
        """The site of a call with these inputs."""
        return blake2b(f"{self.site_before}{inputs}"[:-1].encode(), digest_size=16).hexdigest()


def token(value: object) -> str:
    """What a constant comes to in a key: its canonical text, or `#` and its digest where that is long.

    Raises `NotPlain` for a value that is not plain data.
    """
    text = canonical(value)
    return text if len(text) <= LONGEST else f"#{digest(text)}"


def variable_token(name: str, value: str | None) -> str:
    """What an environment variable comes to: its canonical text, that of None where it is not set.

    Of one whose name sounds like a secret (`API_KEY`, `DB_PASSWORD`, ...) only a digest, since tokens
    are kept in the store and shown in plans.
    """
    text = token(value)
    return f"#{digest(text)}" if value and _SECRET.search(name) and not text.startswith("#") else text


def canonical(value: object) -> str:
    """The one text of a plain value, on one line.

    Plain are None, bool, int, float, complex, str, bytes, list, tuple, dict, set, frozenset, range,
    slice, enum members, instances of dataclasses and named tuples, dates and times, `Decimal`,
    `Fraction`, `UUID`, paths, and any nesting of these. Raises `NotPlain` for everything else.
    """
    try:
        return _canonical(value, ())
    except RecursionError:
        raise NotPlain("it is nested too deeply") from None


def _canonical(value: Any, inside: tuple[int, ...]) -> str:
    kind = type(value)
    simple = _SIMPLE.get(kind)
    if simple is not None:
        return simple(value)
    if id(value) in inside:
        raise NotPlain("it contains itself")
    inner = (*inside, id(value))
    if kind is list:
        return "[" + ",".join([_canonical(item, inner) for item in value]) + "]"
    if kind is tuple:
        return "(" + "".join([_canonical(item, inner) + "," for item in value]) + ")"
    if kind is dict:
        pairs = sorted((_canonical(k, inner), _canonical(v, inner)) for k, v in value.items())
        return "{" + ",".join([f"{k}:{v}" for k, v in pairs]) + "}"
    if kind is set or kind is frozenset:
        return kind.__name__ + "{" + ",".join(sorted([_canonical(item, inner) for item in value])) + "}"
    if kind is slice:
        ends = (value.start, value.stop, value.step)
        return "slice(" + ",".join([_canonical(end, inner) for end in ends]) + ")"
    return _record(value, kind, inner)


def _record(value: Any, kind: type, inner: tuple[int, ...]) -> str:
    """Canonical text of values with a class of their own: enums, records, dates, numbers, paths."""
    name = f"{kind.__module__}.{kind.__qualname__}"
    if hasattr(kind, "__members__") and hasattr(value, "_value_"):
        return _member(value, name, inner)
    fields: Sequence[str] | None = None
    specs: Mapping[str, object] | None = getattr(kind, "__dataclass_fields__", None)
    if specs is not None:
        fields = [field for field, spec in specs.items() if _is_field(spec)]
    elif isinstance(value, tuple):
        fields = getattr(kind, "_fields", None)
    if fields is not None:
        shown = [f"{f}={_canonical(getattr(value, f), inner)}" for f in fields if hasattr(value, f)]
        return f"{name}({','.join(shown)})"
    if kind.__module__.partition(".")[0] == "pathlib":  # Python 3.13 has it in `pathlib._local`
        return _path(value)
    spell = _SPELLED.get(name)
    if spell is None:
        raise NotPlain(f"it is a {name}")
    return spell(value)


def _member(value: Any, name: str, inner: tuple[int, ...]) -> str:
    """A member of an enum: its name, and its value, which is what steps may use of it."""
    label = getattr(value, "_name_", None)
    shown = name if label is None else f"{name}.{label}"
    try:
        return f"{shown}({_canonical(value._value_, inner)})"
    except NotPlain:
        if label is None:
            raise
        return shown


def _is_field(spec: object) -> bool:
    """Whether a dataclass field is one of the instance (not a ClassVar or InitVar pseudo-field)."""
    return getattr(getattr(spec, "_field_type", None), "name", "_FIELD") == "_FIELD"


def _int(value: int) -> str:
    """Decimal digits, or hexadecimal ones where there are so many that Python may refuse decimal ones."""
    return f"{value:d}" if value.bit_length() <= 2000 else f"{value:#x}"


def _float(value: float) -> str:
    text = repr(value)
    return text if text not in ("nan", "inf", "-inf") else f"float({text})"


def _complex(value: complex) -> str:
    return f"complex({_float(value.real)},{_float(value.imag)})"


def _bytes(value: bytes | bytearray) -> str:
    return f"{type(value).__name__}({value.hex()})"


def _instant(value: Any) -> str:
    """Dates and times: ISO 8601 with the zone's name, since 12:00+01:00 in two zones are not one value."""
    zone = getattr(value, "tzinfo", None)
    named = "" if zone is None else f"[{_zone(zone)}]"
    fold = "+fold" if getattr(value, "fold", 0) else ""
    return f"{type(value).__name__}({value.isoformat()}{named}{fold})"


def _zone(value: Any) -> str:
    """A time zone: a fixed one by its offset and name, one of the zone data base by its key."""
    kind = type(value)
    if kind.__module__ == "datetime":
        return f"timezone({_duration(value.utcoffset(None))},{quoted(str(value))})"
    label = str(getattr(value, "key", value))
    if label == "None" or " at 0x" in label:
        raise NotPlain("it is in a time zone without a name")
    return f"{kind.__qualname__}({quoted(label)})"


def _duration(value: Any) -> str:
    return f"timedelta({value.days},{value.seconds},{value.microseconds})"


def _by_name(value: object) -> str:
    return f"{type(value).__name__}({value})"


def _path(value: Any) -> str:
    kind = type(value).__name__
    return f"{'Path' if kind == 'PosixPath' else kind}({quoted(value.as_posix())})"


_SIMPLE: Mapping[type, Callable[[Any], str]] = {
    type(None): repr,
    bool: repr,
    int: _int,
    float: _float,
    complex: _complex,
    str: quoted,
    bytes: _bytes,
    bytearray: _bytes,
    range: repr,
    type(...): lambda _: "...",
}

_SPELLED: Mapping[str, Callable[[Any], str]] = {
    "datetime.date": _instant,
    "datetime.time": _instant,
    "datetime.datetime": _instant,
    "datetime.timedelta": _duration,
    "datetime.timezone": _zone,
    "zoneinfo.ZoneInfo": _zone,
    "decimal.Decimal": _by_name,
    "fractions.Fraction": _by_name,
    "uuid.UUID": _by_name,
}
