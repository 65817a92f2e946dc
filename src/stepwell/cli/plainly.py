"""A command line in its plainest form, read without `argparse`, which with what it loads takes as long as a list of runs.

    plain = Plainly()
    runs.arguments(plain)                     the arguments are declared as for `argparse`
    plain.read(["delays", "-n", "20"])        what `argparse` would give
    plain.read(["--limit=20"])                None: `argparse` is to say

Plain are words, options that stand alone, and options with their value as the next word. All else is left to `argparse`,
also everything that is wrong, so that mistakes are told in one way.
"""

from __future__ import annotations

from types import SimpleNamespace

TYPE_CHECKING = False  # as type checkers know it; importing `typing` would take as long as what is spared
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_TOLD = frozenset(("help", "metavar"))
"""What of a declaration only help shows."""


class Plainly:
    """The arguments of a verb, declared as for an `ArgumentParser`."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}
        self._options: dict[str, tuple[str, Any]] = {}
        """The option's attribute, and what makes its value of a word; None where it stands alone."""
        self._places: list[str] = []
        self._all = True
        """Whether each declaration was one that is understood here."""

    def add_argument(self, *flags: str, **how: Any) -> None:
        """Declare an option, or a word that may be left out."""
        alone, kind = how.pop("action", "store") == "store_true", how.pop("type", str)
        longest = max(flags, key=lambda flag: flag.startswith("--"))
        name = how.pop("dest", longest.lstrip("-").replace("-", "_"))
        self._values[name] = how.pop("default", False if alone else None)
        if flags[0].startswith("-"):
            self._options.update(dict.fromkeys(flags, (name, None if alone else kind)))
        else:
            self._places.append(name)
            self._all = self._all and how.pop("nargs", None) == "?" and kind is str
        self._all = self._all and _TOLD.issuperset(how)

    def read(self, words: Sequence[str]) -> SimpleNamespace | None:
        """What the words say; None where `argparse` has to be asked."""
        values, places, rest = dict(self._values), iter(self._places), iter(words)
        for word in rest:
            name, kind = self._options.get(word, ("", str))
            if not name:
                name = "" if word.startswith("-") else next(places, "")
            elif kind is not None:
                word = next(rest, "-")
            if not (self._all and name) or (kind is not None and word.startswith("-")):
                return None
            try:
                values[name] = kind is None or kind(word)
            except Exception:  # noqa: BLE001  whatever a type raises, argparse tells it
                return None
        return SimpleNamespace(**values)
