"""A small, strict part of YAML 1.2: what is written here is read the same by PyYAML (YAML 1.1), by ruamel, and by `read`.

    text = written({"params": {"k": 3.0}})     # block style; strings plain only where nobody could take them for something else
    read(text)                                 # the same again; raises `NotRead` with the line for everything else

Mappings with text as keys, lists, text, numbers, true, false and null. No anchors, aliases, tags, documents, flow
style (but for `[]` and `{}`) or key twice: what is read can neither grow nor be anything but plain data.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

LARGEST = 16 << 20
"""Characters of a text that is read."""

DEEPEST = 64
"""Levels of lists and mappings in each other."""

_PLAIN = re.compile(r"[A-Za-z_][\w.:/+=()@\[\]-]*(?: [\w.:/+=()@\[\]-]+)*", re.ASCII)
_TAKEN = re.compile(r"(?i:y|n|yes|no|on|off|true|false|null|nan|inf)|.*:(?: .*)?|.*\s#.*", re.ASCII)
"""Words that some reader takes for something else than text."""

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"-?[0-9]+\.[0-9]+(?:e[+-][0-9]+)?")
_WORDS: dict[str, object] = {
    "null": None, "true": True, "false": False, ".nan": math.nan, ".inf": math.inf, "-.inf": -math.inf,
    "[]": (), "{}": (),
}  # fmt: skip
_ODD = re.compile('[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff"\\\\]')
_ODD_IN_LINES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0"}
_ESCAPE = re.compile(r"\\(?:(?P<short>[\"\\/nrtbf0])|u(?P<four>[0-9a-fA-F]{4})|(?P<bad>.|$))", re.DOTALL)
_MEANT = {'"': '"', "\\": "\\", "/": "/", "n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "0": "\0"}
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')


class NotRead(ValueError):
    """A text is not of this part of YAML. `line` counts from 1; the message says what is wrong there."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line = line


# --------------------------------------------------------------------------- writing


def written(value: Mapping[str, Any]) -> str:
    """Plain data as text. Raises `TypeError` for what is no plain data."""
    return "".join(f"{line}\n" for line in _mapping(value, ""))


def _mapping(value: Mapping[str, Any], margin: str) -> Iterator[str]:
    for key, item in value.items():
        if not isinstance(key, str):
            raise TypeError(f"{key!r} is no text")
        yield from _entry(f"{margin}{_text(key)}:", item, margin)


def _entry(head: str, item: Any, margin: str) -> Iterator[str]:
    """The lines of what stands behind a key."""
    inner = f"{margin}  "
    if isinstance(item, Mapping) and item:
        yield head
        yield from _mapping(item, inner)
    elif isinstance(item, list | tuple) and item:
        yield head
        yield from _list(item, inner)
    elif isinstance(item, str) and _is_block(item):
        yield f"{head} |"
        yield from (f"{inner}{line}" if line else "" for line in item[:-1].split("\n"))
    else:
        yield f"{head} {_scalar(item)}"


def _list(items: list[Any] | tuple[Any, ...], margin: str) -> Iterator[str]:
    for item in items:
        if isinstance(item, Mapping | list | tuple) and item:
            inner = f"{margin}  "
            lines = _mapping(item, inner) if isinstance(item, Mapping) else _list(item, inner)
            yield f"{margin}- {next(lines).removeprefix(inner)}"
            yield from lines
        else:
            yield f"{margin}- {_scalar(item)}"


def _is_block(text: str) -> bool:
    """Whether a text can stand as lines: several of them, the first one not indented, nothing that a reader would change."""
    lines = text.split("\n")
    whole = len(lines) > 2 and lines[-1] == "" and lines[-2].strip() != ""
    return whole and lines[0][:1] not in ("", " ", "\t") and _ODD_IN_LINES.search(text) is None


def _scalar(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return _number(float(value))
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, list | tuple):
        return "[]"
    raise TypeError(f"{type(value).__name__} is no plain data")


def _number(value: float) -> str:
    if math.isnan(value):
        return ".nan"
    if math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    mantissa, e, exponent = repr(value).partition("e")
    return f"{mantissa if '.' in mantissa else f'{mantissa}.0'}{e}{exponent}"  # without a point some readers see a text


def _text(text: str) -> str:
    if _PLAIN.fullmatch(text) and not _TAKEN.fullmatch(text):
        return text
    return f'"{_ODD.sub(_escaped, text)}"'


def _escaped(match: re.Match[str]) -> str:
    return _SHORT.get(match[0]) or f"\\u{ord(match[0]):04x}"


# --------------------------------------------------------------------------- reading


class _Line(NamedTuple):
    """A line that says something: its number from 1, its margin in spaces, the rest."""

    number: int
    margin: int
    text: str


def read(text: str) -> dict[str, Any]:
    """The mapping of a text. Raises `NotRead`."""
    if len(text) > LARGEST:
        raise NotRead(1, f"it has {len(text)} characters, of at most {LARGEST}")
    reader = _Reader(text.split("\n"))
    first = reader.look()
    if first is None or first.margin or first.text.startswith("- "):
        raise NotRead(first.number if first else 1, "it should begin with a key, in the first column")
    found = reader.mapping(0, 0)
    rest = reader.look()
    if rest is not None:
        raise NotRead(rest.number, "its margin is none of those of the lines before")
    return found


class _Reader:
    """Reads the lines of a text once, from the first to the last."""

    def __init__(self, lines: list[str]) -> None:
        self._lines, self._at = lines, 0
        self._held: _Line | None = None

    def look(self) -> _Line | None:
        """The next line that says something, not taken yet; None at the end."""
        while self._held is None and self._at < len(self._lines):
            line = self._lines[self._at].removesuffix("\r")
            self._at += 1
            bare = line.lstrip(" ")
            if bare and not bare.startswith("#"):
                self._held = _Line(self._at, len(line) - len(bare), bare.rstrip(" "))
                self._refuse(self._held)
        return self._held

    @staticmethod
    def _refuse(line: _Line) -> None:
        """Raises `NotRead` for what other readers of YAML know and this one does not."""
        if line.text.startswith("\t"):
            raise NotRead(line.number, "a margin is of spaces, not tabs")
        if line.text in ("---", "...") or line.text[0] in "%&*!?>{[@`'|":
            raise NotRead(line.number, f"`{line.text[:20]}` is not of this small part of YAML")

    def mapping(self, margin: int, depth: int) -> dict[str, Any]:
        """The mapping whose keys stand at a margin."""
        found: dict[str, Any] = {}
        while (line := self.look()) is not None and line.margin == margin and not _is_item(line):
            key, rest = _key(line)
            if key in found:
                raise NotRead(line.number, f"`{key}` is there twice")
            self._held = None
            found[key] = self._behind(line, rest, depth + 1)
        return found

    def items(self, margin: int, depth: int) -> list[Any]:
        """The list whose dashes stand at a margin."""
        found: list[Any] = []
        while (line := self.look()) is not None and line.margin == margin and _is_item(line):
            rest = line.text[1:].lstrip(" ")
            inner = _Line(line.number, margin + len(line.text) - len(rest), rest)
            self._held = None
            if _is_item(inner) or (not _QUOTED.fullmatch(rest) and _KEY.match(rest)):
                self._held = inner
                found.append(self._nested(inner, depth + 1))
            else:
                found.append(self._behind(line, rest, depth + 1))
        return found

    def _nested(self, first: _Line, depth: int) -> Any:
        if depth > DEEPEST:
            raise NotRead(first.number, f"it is nested more than {DEEPEST} times")
        return self.items(first.margin, depth) if _is_item(first) else self.mapping(first.margin, depth)

    def _behind(self, head: _Line, rest: str, depth: int) -> Any:
        """What stands behind a key or a dash: on its line, or on those below with a larger margin."""
        if rest == "|":
            return self._block(head)
        if rest and not rest.startswith("#"):
            value = _value(head.number, rest)
            return value if value != () else ([] if rest.startswith("[") else {})
        below = self.look()
        if below is None or below.margin <= head.margin:
            raise NotRead(head.number, "nothing stands behind it; nothing is written `null`")
        return self._nested(below, depth)

    def _block(self, head: _Line) -> str:
        """The lines of a text, by the margin of the first one."""
        lines: list[str] = []
        margin = 0
        while self._at < len(self._lines):
            line = self._lines[self._at].removesuffix("\r")
            bare = line.lstrip(" ")
            margin = margin or (len(line) - len(bare) if bare else 0)
            if bare and len(line) - len(bare) < max(margin, head.margin + 1):
                break
            lines.append(line[margin:])
            self._at += 1
        while lines and not lines[-1]:
            lines.pop()
        if not lines:
            raise NotRead(head.number, "no lines stand below it")
        return "".join(f"{line}\n" for line in lines)


_KEY = re.compile(r'("(?:[^"\\]|\\.)*"|[^"\s:#][^:#]*(?::[^\s:#][^:#]*)*):(?: +|$)')


def _is_item(line: _Line) -> bool:
    return line.text == "-" or line.text.startswith("- ")


def _key(line: _Line) -> tuple[str, str]:
    found = _KEY.match(line.text)
    if found is None:
        raise NotRead(line.number, f"`{line.text[:40]}` is no `key: value`")
    key = found[1]
    value = _value(line.number, key) if key.startswith('"') else key.rstrip()
    return str(value), line.text[found.end() :].strip(" ")


def _value(number: int, text: str) -> Any:
    """The value of a scalar; of `[]` and `{}` the empty tuple."""
    if text.startswith('"'):
        whole = _QUOTED.match(text)
        after = text[whole.end() :].strip() if whole else ""
        if whole is None or (after and not after.startswith("#")):
            raise NotRead(number, "a text in quotes does not end where its line does")
        return _ESCAPE.sub(lambda match: _unescaped(number, match), whole[0][1:-1])
    text = text.partition(" #")[0].rstrip()
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return _integer(number, text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if not _PLAIN.fullmatch(text) or _TAKEN.fullmatch(text):
        raise NotRead(
            number, f"`{text[:40]}` could be taken for something else: write {json.dumps(text[:40])}"
        )
    return text


def _integer(number: int, text: str) -> int:
    try:
        return int(text)
    except ValueError:  # Python refuses more digits than it is set to
        raise NotRead(number, f"the number has {len(text)} digits") from None


def _unescaped(number: int, match: re.Match[str]) -> str:
    if match["bad"] is not None:
        raise NotRead(number, f"`{match[0]}` means nothing in quotes")
    return _MEANT[match["short"]] if match["short"] else chr(int(match["four"], 16))
