"""Short texts for the lists in rows: one line an item, readable, and several times faster than JSON.

    inputs   name=token                        as they stand in the pre-image of a key
    outputs  name codec digest size note

What does not fit a line (parts, characters beyond ASCII, a blank in a name) makes the whole list
JSON, which begins with `[`.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from json import JSONEncoder, loads
from sys import intern
from typing import Any

from stepwell.kernel.ports import Artifact

Pairs = tuple[tuple[str, str], ...]

_new: Any = tuple.__new__  # a named tuple's own constructor takes twice as long

shared = lru_cache(4096)(str)
"""A text, or an equal one that was given of late: what several steps take is held once."""

encode = JSONEncoder(separators=(",", ":")).encode
"""Compact JSON in ASCII; named tuples become lists; NaN and infinities as Python writes them."""


def pack_pairs(pairs: Pairs) -> str:
    """Pairs of a name and a token as text."""
    if not pairs:
        return ""
    text = "\n".join([f"{name}={token}" for name, token in pairs])
    plain = text.isascii() and text.count("\n") == len(pairs) - 1 and text[0] != "["
    if plain and (text.count("=") == len(pairs) or not any("=" in name for name, _ in pairs)):
        return text
    return encode(pairs)


def unpack_pairs(text: str) -> Pairs:
    """What `pack_pairs` was given."""
    if not text:
        return ()
    if text[0] == "[":
        return tuple([(name, token) for name, token in loads(text)])
    pairs = []
    for line in text.split("\n"):
        name, _, token = line.partition("=")
        pairs.append((intern(name), shared(token)))
    return tuple(pairs)


def pack_outputs(outputs: tuple[Artifact, ...]) -> str:
    """Artifacts as text."""
    lines = []
    for name, codec, digest, size, parts, note in outputs:
        lines.append(f"{name} {codec} {digest} {size} {note}")
        if parts or " " in name or " " in codec or " " in digest or not name:
            return encode(outputs)
    text = "\n".join(lines)
    if not text.isascii() or text.count("\n") != len(lines) - 1 or text[:1] == "[":
        return encode(outputs) if lines else ""
    return text


def unpack_outputs(text: str) -> tuple[Artifact, ...]:
    """What `pack_outputs` was given."""
    if not text:
        return ()
    if text[0] == "[":
        return tuple([Artifact(n, c, d, s, tuple(p), note) for n, c, d, s, p, note in loads(text)])
    found = []
    for line in text.split("\n"):
        name, codec, digest, size, note = line.split(" ", 4)
        found.append(_new(Artifact, (intern(name), intern(codec), digest, int(size), (), note)))
    return tuple(found)


def pack_numbers(numbers: Iterable[tuple[str, float]]) -> str:
    """Metrics as text: a JSON list of pairs, "" where there are none."""
    listed = list(numbers)
    return encode(listed) if listed else ""


def unpack_numbers(text: str | None) -> tuple[tuple[str, float], ...]:
    """What `pack_numbers` was given."""
    return tuple([(name, value) for name, value in loads(text)]) if text else ()
