"""Environment markers of requirements: `numpy>=2; python_version < "3.14"`.

Only enough of the standard (PEP 508, PEP 440) to say which requirements of an installed distribution
concern this interpreter. What cannot be decided exactly is None, "may be": such a requirement
counts where it is installed.
"""

from __future__ import annotations

import operator
import os
import re
import sys
from collections.abc import Callable, Collection, Iterator
from functools import cache
from typing import Any

from stepwell.named import NamedTuple

__all__ = ["Requirement", "holds", "parsed"]

_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?[^;]*(?:;(.*))?$", re.DOTALL)
_TOKEN = re.compile(r"\s*(\(|\)|'[^']*'|\"[^\"]*\"|===|~=|==|!=|<=|>=|<|>|[A-Za-z_][\w.]*)")
_RELEASE = re.compile(r"\d+(?:\.\d+)*")
_COMPARED: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq, "===": operator.eq, "!=": operator.ne,
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_VERSIONS = frozenset({"python_version", "python_full_version", "implementation_version"})


class Requirement(NamedTuple):
    """One `Requires-Dist`: a distribution's normalised name, the extras asked of it, and a marker ("": none)."""

    name: str
    extras: frozenset[str]
    marker: str


def parsed(text: str) -> Requirement | None:
    """A requirement; None for a text that is none."""
    match = _REQUIREMENT.match(text)
    if match is None:
        return None
    extras = frozenset(normal(extra) for extra in (match[2] or "").split(",") if extra.strip())
    return Requirement(normal(match[1]), extras, (match[3] or "").strip())


def holds(marker: str, extras: Collection[str] = ()) -> bool | None:
    """Whether a marker is true here, with these extras asked for; None where that cannot be said."""
    if not marker:
        return True
    tokens = _tokens(marker)
    if tokens is None:
        return None
    words = iter([*tokens, ""])
    try:
        value, end = _either(words, next(words), frozenset(extras))
    except (StopIteration, ValueError):
        return None
    return value if end == "" else None


def _tokens(marker: str) -> list[str] | None:
    found, at = [], 0
    while at < len(marker.rstrip()):
        match = _TOKEN.match(marker, at)
        if match is None:
            return None
        found.append(match[1])
        at = match.end()
    return found


_Words = Iterator[str]
_Judged = tuple[bool | None, str]
"""A value, and the word after it."""


def _either(words: _Words, word: str, extras: frozenset[str]) -> _Judged:
    value, word = _both(words, word, extras)
    while word == "or":
        other, word = _both(words, next(words), extras)
        value = True if value or other else (None if value is None or other is None else False)
    return value, word


def _both(words: _Words, word: str, extras: frozenset[str]) -> _Judged:
    value, word = _one(words, word, extras)
    while word == "and":
        other, word = _one(words, next(words), extras)
        value = (
            False if value is False or other is False else (None if value is None or other is None else True)
        )
    return value, word


def _one(words: _Words, word: str, extras: frozenset[str]) -> _Judged:
    if word == "(":
        value, word = _either(words, next(words), extras)
        if word != ")":
            raise ValueError(word)
        return value, next(words)
    how = next(words)
    if how == "not":
        how = f"not {next(words)}"
    return _compared(word, how, next(words), extras), next(words)


def _compared(left: str, how: str, right: str, extras: frozenset[str]) -> bool | None:
    if "extra" in (left, right):
        asked = normal((right if left == "extra" else left).strip("'\""))
        return {"==": asked in extras, "!=": asked not in extras}.get(how)
    is_version = left in _VERSIONS or right in _VERSIONS
    first, second = _value(left), _value(right)
    if first is None or second is None:
        return None
    if how in ("in", "not in"):
        return (first in second) is (how == "in")
    if not is_version:
        return _COMPARED[how](first, second) if how in ("==", "===", "!=") else None
    if how in ("==", "!=") and second.endswith(".*"):
        release = _release(second[:-2])
        ours = _release(first)
        if release is None or ours is None:
            return None
        return (_padded(ours, len(release))[: len(release)] == release) is (how == "==")
    ours, theirs = _release(first), _release(second)
    if ours is None or theirs is None:
        return None
    length = max(len(ours), len(theirs))
    if how == "~=":
        return _padded(ours, length) >= _padded(theirs, length) and ours[: len(theirs) - 1] == theirs[:-1]
    compare = _COMPARED.get(how)
    return compare(_padded(ours, length), _padded(theirs, length)) if compare else None


def _value(word: str) -> str | None:
    return word[1:-1] if word[:1] in ("'", '"') else _variables().get(word)


def _release(text: str) -> tuple[int, ...] | None:
    """The numbers of a plain release; None for one with letters (`3.13.0rc1`)."""
    return tuple(int(n) for n in text.split(".")) if _RELEASE.fullmatch(text) else None


def _padded(release: tuple[int, ...], length: int) -> tuple[int, ...]:
    return release + (0,) * (length - len(release))


def normal(name: str) -> str:
    """The name of a distribution in the one way of writing it (PEP 503)."""
    name = name.strip()
    return name.lower() if name.isalnum() else re.sub(r"[-_.]+", "-", name).lower()


@cache
def _variables() -> dict[str, str]:
    import platform  # not at the top: only a marker needs it

    version = sys.implementation.version
    return {
        "python_version": ".".join(platform.python_version_tuple()[:2]),
        "python_full_version": platform.python_version(),
        "os_name": os.name,
        "sys_platform": sys.platform,
        "platform_machine": platform.machine(),
        "platform_python_implementation": platform.python_implementation(),
        "platform_release": platform.release(),
        "platform_system": platform.system(),
        "platform_version": platform.version(),
        "implementation_name": sys.implementation.name,
        "implementation_version": f"{version.major}.{version.minor}.{version.micro}",
    }
