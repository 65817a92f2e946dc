"""Versions of installed distributions, from the names of their folders.

`importlib.metadata` would do the same and costs 80 ms to import.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from typing import NamedTuple


class Distribution(NamedTuple):
    """An installed distribution: its name as it is spelled on disk, and its version."""

    name: str
    version: str


def distributions() -> dict[str, Distribution]:
    """What is installed, by normal name ("scikit_learn"); of several, the one that Python would import."""
    found: dict[str, Distribution] = {}
    for name, version in _installed():
        found.setdefault(normal(name), Distribution(name, version))
    return found


def version_of(name: str) -> str | None:
    """The version of a distribution, or None if it is not installed."""
    wanted = normal(name)
    return next((version for other, version in _installed() if normal(other) == wanted), None)


def normal(name: str) -> str:
    """A distribution's name in its one form: "Scikit.Learn" and "scikit-learn" are "scikit_learn"."""
    return re.sub(r"[-_.]+", "_", name).lower()


def _installed() -> Iterator[tuple[str, str]]:
    """Names and versions, in the order of `sys.path`."""
    for folder in sys.path:
        try:
            entries = os.listdir(folder or ".")
        except OSError:
            continue
        for entry in entries:
            stem, _, kind = entry.rpartition(".")
            if kind in ("dist-info", "egg-info") and "-" in stem:
                name, version, *_ = stem.split("-")
                yield name, version
