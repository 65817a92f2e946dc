"""Versions of releases, as PEP 440 has them: which are valid, how they are written, and which one is higher.

    parsed("v1.4.0-RC.1").text          # "1.4.0rc1"
    parsed("1.10").key > parsed("1.9").key

The rules are those of "Version specifiers" (packaging.python.org), appendix B for the pattern; the tests compare
with the library `packaging`, which a bare install does not have.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, NamedTuple

from stepwell.dist.names import shown
from stepwell.errors import BadReleaseName

LONGEST = 128
"""Characters of a version."""

_PATTERN = re.compile(
    r"""
    v?
    (?:([0-9]+)!)?                                               # 1 epoch
    ([0-9]+(?:\.[0-9]+)*)                                        # 2 release
    (?:[-_.]?(alpha|beta|preview|pre|a|b|c|rc)[-_.]?([0-9]*))?   # 3, 4 pre-release
    (?:-([0-9]+)|([-_.]?(?:post|rev|r)[-_.]?)([0-9]*))?          # 5 or 6, 7 post-release
    ([-_.]?dev[-_.]?([0-9]*))?                                   # 8, 9 developmental release
    (?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?                        # 10 local version
    """,
    re.VERBOSE,
)

_LETTERS = {"alpha": "a", "beta": "b", "c": "rc", "pre": "rc", "preview": "rc"}


class Version(NamedTuple):
    """A version: its one spelling, a key to order it by, and whether installers take it only if they are told to."""

    text: str
    key: tuple[Any, ...]
    pre: bool


@lru_cache(4096)
def parsed(text: str) -> Version:
    """A version from any spelling that PEP 440 allows. Raises `BadReleaseName`."""
    found = _PATTERN.fullmatch(text.strip().lower()) if len(text) <= LONGEST and text.isascii() else None
    if found is None:
        raise BadReleaseName(
            f"{shown(text)} is not a version",
            why="versions are as in PEP 440: 1.4.0, 1.5.0rc1, 1.4.0.post2, 2.0.0.dev3",
            fixes=["1.4.0"],
        )
    epoch, release, letter, number, dashed, post, postnumber, dev, devnumber, local = found.groups()
    parts = tuple(int(part) for part in release.split("."))
    before = (_LETTERS.get(letter, letter), int(number or 0)) if letter else None
    after = int(dashed or postnumber or 0) if dashed or post else None
    early = int(devnumber or 0) if dev else None
    here = tuple(re.split(r"[-_.]", local)) if local else ()
    return Version(
        _written(int(epoch or 0), parts, before, after, early, here),
        _key(int(epoch or 0), parts, before, after, early, here),
        before is not None or early is not None,
    )


def _written(
    epoch: int,
    release: tuple[int, ...],
    before: tuple[str, int] | None,
    after: int | None,
    early: int | None,
    here: tuple[str, ...],
) -> str:
    text = (f"{epoch}!" if epoch else "") + ".".join(map(str, release))
    text += f"{before[0]}{before[1]}" if before else ""
    text += f".post{after}" if after is not None else ""
    text += f".dev{early}" if early is not None else ""
    return text + ("+" + ".".join(_plain(part) for part in here) if here else "")


def _plain(part: str) -> str:
    """A part of a local version: numbers lose their leading zeros."""
    return str(int(part)) if part.isdigit() else part


def _key(
    epoch: int,
    release: tuple[int, ...],
    before: tuple[str, int] | None,
    after: int | None,
    early: int | None,
    here: tuple[str, ...],
) -> tuple[Any, ...]:
    """1.0.dev1 < 1.0a1.dev1 < 1.0a1 < 1.0 = 1.0.0 < 1.0+local < 1.0.post1."""
    while len(release) > 1 and release[-1] == 0:
        release = release[:-1]
    stage: tuple[Any, ...] = (1,)
    if before is not None:
        stage = (0, *before)
    elif after is None and early is not None:
        stage = (-1,)
    return (
        epoch,
        release,
        stage,
        -1 if after is None else after,
        (1,) if early is None else (0, early),
        tuple((1, int(part), "") if part.isdigit() else (0, 0, part) for part in here),
    )
