"""What of the interpreter and of what is installed counts for a step, at one of three levels.

    loose     the interpreter's minor version
    default   the same, and the distributions that the step's code reaches, with what these require
    strict    everything that is installed, the interpreter's full version, and the kind of machine

What a distribution requires is read from its metadata: without extras that nobody asks for, and
with markers evaluated for this interpreter. Only what is reached is read.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from stepwell.author.fingerprint.installed import Installed
from stepwell.author.fingerprint.markers import holds, parsed
from stepwell.author.options import LEVELS
from stepwell.kernel.identity import canonical, digest

__all__ = ["LEVELS", "Environment", "Remembered", "environment_token"]


class Remembered(Protocol):
    """A small cache that outlives the process (`stores.memo.Memo`)."""

    def get_many(self, kind: str, keys: Iterable[str]) -> Mapping[str, str | bytes]:
        """The values of those keys that have one."""
        ...

    def put_many(self, kind: str, values: Any) -> None:
        """Remember values by key."""
        ...


def environment_token(distributions: Mapping[str, str]) -> str:
    """The digest of what counts: versions by name, the interpreter's under `python`."""
    return digest(canonical(dict(distributions)))


class Environment:
    """The interpreter and the distributions of a search path; what is asked twice is found once."""

    def __init__(self, installed: Installed) -> None:
        self._installed = installed
        self._closures: dict[frozenset[str], dict[str, str]] = {}
        self._strict: dict[str, str] | None = None

    def versions(self, level: str, reached: Iterable[str]) -> dict[str, str]:
        """Versions by name that count at a level, for code that reaches these distributions directly."""
        if level == "loose":
            return {"python": _minor()}
        if level == "strict":
            return dict(self._everything())
        return {"python": _minor(), **self.closure(reached)}

    def closure(self, reached: Iterable[str]) -> dict[str, str]:
        """Versions by name of these distributions and of all that they require, as far as it is installed."""
        asked = frozenset(reached)
        if asked not in self._closures:
            self._closures[asked] = self._closure(asked)
        return self._closures[asked]

    def _closure(self, reached: frozenset[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        todo: list[tuple[str, frozenset[str]]] = [(name, frozenset()) for name in sorted(reached)]
        seen: set[tuple[str, frozenset[str]]] = set()
        while todo:
            asked = todo.pop()
            name, extras = asked
            if asked in seen or name == "stepwell":
                continue
            seen.add(asked)
            facts = self._installed.facts(name)
            if facts is None:
                continue
            if not facts.editable:  # its code is first-party: it counts by its text
                found[name] = facts.version
            for text in facts.requires:
                one = parsed(text)
                if one is not None and holds(one.marker, extras) is not False:
                    todo.append((one.name, one.extras))
        return dict(sorted(found.items()))

    def _everything(self) -> dict[str, str]:
        if self._strict is None:
            every = {name: self._installed.facts(name) for name in self._installed.names}
            versions = {name: facts.version for name, facts in every.items() if facts is not None}
            self._strict = {"python": _full(), "this machine": _machine(), **dict(sorted(versions.items()))}
        return self._strict


def _minor() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _full() -> str:
    """`3.12.3 cpython`, with the tag of a special build (`t` for free-threaded)."""
    version = ".".join(map(str, sys.version_info[:3]))
    level = "" if sys.version_info.releaselevel == "final" else "".join(map(str, sys.version_info[3:]))
    return f"{version}{level} {sys.implementation.name}{getattr(sys, 'abiflags', '')}"


def _machine() -> str:
    """`Linux x86_64, glibc 2.36`: system, processor, and the release that compiled code depends on."""
    import platform  # only this level needs it

    if sys.platform == "darwin":
        release = f"macOS {platform.mac_ver()[0].partition('.')[0]}"
    elif sys.platform == "win32":
        release = platform.version()
    else:
        names = getattr(os, "confstr_names", {})
        libc = os.confstr("CS_GNU_LIBC_VERSION") if "CS_GNU_LIBC_VERSION" in names else None
        release = libc or " ".join(platform.libc_ver()).strip() or platform.release()
    return f"{platform.system()} {platform.machine()}, {release}"
