"""What an address was asked: the names in its path and the words after its `?`, each checked when it is read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from stepwell.errors import BadQuestion

if TYPE_CHECKING:
    from stepwell.stores.local import LocalStore
    from stepwell.ui.known import Known

DIGEST = re.compile(r"b3:[0-9a-f]{64}")

LONGEST = 4000
"""Characters of a word that an address takes."""


class Site(NamedTuple):
    """The project that the page shows: its root, its store's folder, and what is known of its runs."""

    root: Path
    folder: Path
    known: Known


class Here(NamedTuple):
    """What an answer is made from: the site, and an open store that nobody else uses meanwhile."""

    site: Site
    store: LocalStore


class Asked(NamedTuple):
    """A question: `path` has the names of the address, `words` what is after its `?`, in order."""

    path: Mapping[str, str]
    words: Sequence[tuple[str, str]] = ()

    def all(self, name: str) -> list[str]:
        """Every value of a word, without empty ones. Raises `BadQuestion` for one that is too long."""
        found = [value for key, value in self.words if key == name and value]
        for value in found:
            if len(value) > LONGEST or "\0" in value:
                raise BadQuestion(
                    f"`{name}` is too long, or no text", fixes=[f"at most {LONGEST:,} characters"]
                )
        return found

    def word(self, name: str, otherwise: str = "") -> str:
        """The last value of a word, or something else where it is not there."""
        found = self.all(name)
        return found[-1] if found else otherwise

    def number(self, name: str, otherwise: int, least: int = 0, most: int = 1 << 53) -> int:
        """A word as a whole number; a larger one than `most` is `most`. Raises `BadQuestion`."""
        text = self.word(name)
        if not text:
            return otherwise
        if not (text.isascii() and text.isdigit() and len(text) < 19) or int(text) < least:
            raise BadQuestion(
                f"`{name}={text[:40]}` is no number from {least} on", fixes=[f"{name}={otherwise}"]
            )
        return min(int(text), most)

    def flag(self, name: str) -> bool:
        """Whether a word says yes."""
        return self.word(name) in ("1", "true", "yes")

    def digest(self) -> str:
        """The digest in the path. Raises `BadQuestion` for what is none."""
        text = self.path.get("digest", "")
        if not DIGEST.fullmatch(text):
            raise BadQuestion(f"`{text[:80]}` is no digest", why="one is `b3:` and 64 hexadecimal digits")
        return text
