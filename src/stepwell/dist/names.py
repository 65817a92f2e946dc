"""What projects and channels may be called, and what people may write into a log.

Everything that becomes part of a path, of a page or of a line that others read goes through here first.
Nothing here touches the disk.
"""

from __future__ import annotations

import re
import unicodedata

from stepwell.errors import BadReason, BadReleaseName

LONGEST_NAME = 100
"""Characters of a project's name."""

LONGEST_CHANNEL = 40
"""Characters of a channel's name."""

RESERVED = frozenset({"pool", "con", "prn", "aux", "nul"})
"""Names that no channel can have: the folder of all wheels, and what is no file name on every system."""

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_RUNS = re.compile(r"[-_.]+")

# Control characters, halves of surrogate pairs, and what ends a line elsewhere.
_UNSEEN = frozenset({"Cc", "Cs", "Zl", "Zp"})
# What turns the direction of writing, so that a text reads as another one.
_TURNING = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def project(text: str) -> str:
    """The one spelling of a project's name (PEP 503): `Flights_Delay` is `flights-delay`. Raises `BadReleaseName`."""
    if len(text) <= LONGEST_NAME and _NAME.fullmatch(text):
        return _RUNS.sub("-", text).lower()
    raise BadReleaseName(
        f"{shown(text)} is not a name of a project",
        why=f"it may have ASCII letters, digits and `-`, `_`, `.` between them, {LONGEST_NAME} characters at most",
        fixes=["name it as pip would be asked for it: flights-delay"],
    )


def channel(text: str) -> str:
    """The one spelling of a channel's name: `Production` is `production`. Raises `BadReleaseName`."""
    name = _RUNS.sub("-", text).lower()
    if len(text) > LONGEST_CHANNEL or not _NAME.fullmatch(text):
        raise BadReleaseName(
            f"{shown(text)} is not a name of a channel",
            why=f"it may have ASCII letters, digits and `-` between them, {LONGEST_CHANNEL} characters at most",
            fixes=["name it `candidate`, `staging` or `production`"],
        )
    if name in RESERVED:
        raise BadReleaseName(
            f"`{name}` cannot be the name of a channel",
            why="a folder beside the channels has it, or no folder can have it on every system",
            fixes=["name it `candidate`, `staging` or `production`"],
        )
    return name


def said(text: str, what: str, *, longest: int = 1000) -> str:
    """A line that a person wrote, without blanks around it. `what` names it in the error. Raises `BadReason`.

    It is shown in terminals, on pages and by pip, so it is one line that can be seen.
    """
    line = text.strip()
    if not line:
        raise BadReason(
            f"{what} is missing",
            why="the log says of every change who made it and why",
            fixes=['say it in a line: --why "two days in staging"'],
        )
    if len(line) > longest:
        raise BadReason(
            f"{what} has {len(line)} characters",
            why=f"{longest} is the most that the log takes",
            fixes=["say it in a line, and put the rest where a link can lead"],
        )
    bad = next((c for c in line if unicodedata.category(c) in _UNSEEN or c in _TURNING), None)
    if bad is not None:
        raise BadReason(
            f"{what} has a character that cannot be shown: U+{ord(bad):04X}",
            why="it is one line that pip, uv and terminals print",
            fixes=["write it as one line of plain text"],
        )
    return line


def shown(text: str) -> str:
    """A name as an error may repeat it: escaped, and not longer than a line."""
    plain = text.encode("unicode_escape").decode("ascii")
    return f"`{plain[:60]}{'…' if len(plain) > 60 else ''}`"
