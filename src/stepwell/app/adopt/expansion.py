"""What `$(...)` in a Makefile comes to: variables, substitution references, and make's functions on words and names.

Nothing is executed: `$(shell ...)` and whatever else would need make itself raises `Unknown`, so that a rule is
told as not understood instead of being carried over with a hole in it. `$(wildcard ...)` gives the files that
are there now.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_NAME = re.compile(r"[\w.-]+")
_CALL = re.compile(r"([a-z-]+)[ \t]+")
_CLOSING = {"(": ")", "{": "}"}
_MAGIC = re.compile(r"[*?\[]")
_DEEP = 50
_SHELLS = "\0"
"""Stands for a `$` that is not make's, until everything is filled in."""


class Unknown(Exception):
    """Something in a text is not understood; says what."""


class Variables:
    """What the names in a Makefile stand for.

    `unread` says of a name which line that was not understood may set it, and `others` of every name without a
    value; both are `Unknown` where they are used. `globs` are the patterns of files that values were made of.
    """

    def __init__(self, root: Path, values: Mapping[str, str] | None = None) -> None:
        self.root = root
        self.values = dict(values or {})
        self.unread: dict[str, str] = {}
        self.others = ""
        self.globs: dict[str, frozenset[str]] = {}
        self._at_once: set[str] = set()
        """Names whose value is filled in where it is set, also where more is added to it."""

    def copy(self) -> Variables:
        """The same, to be changed."""
        made = Variables(self.root, self.values)
        made.unread, made.others, made.globs = {**self.unread}, self.others, {**self.globs}
        made._at_once = {*self._at_once}
        return made

    def assign(self, name: str, how: str, value: str) -> None:
        """What a line `name how value` does."""
        if how == "?=" and (name in self.values or name in self.unread):
            return
        more = how == "+="
        globs = set(self.globs.get(name, ()) if more else ())
        if not more:
            self.unread.pop(name, None)
            (self._at_once.add if how in (":=", "::=") else self._at_once.discard)(name)
        if how == "!=":
            value = f"$(shell {value})"
        elif name in self._at_once:
            # What is not understood stays as it is written, and is told with the rules that use it.
            with suppress(Unknown):
                value = expanded(value, self, globs=globs).replace("$", "$$")
        self.values[name] = f"{self.values.get(name, '')} {value}".strip() if more else value
        self.globs[name] = frozenset(globs)


def expanded(
    text: str,
    variables: Variables,
    automatic: Mapping[str, str] | None = None,
    *,
    recipe: bool = False,
    globs: set[str] | None = None,
) -> str:
    """A text with everything filled in. Raises `Unknown`, also for automatic variables outside of recipes.

    In a recipe, what only the environment knows is left to the shell. `globs` gets the patterns of files that it
    was made of.
    """
    used = set[str]() if globs is None else globs
    return _Expansion(variables, automatic or {}, used, recipe=recipe).of(text).replace(_SHELLS, "$")


def split(text: str, sign: str, most: int = -1) -> list[str]:
    """The parts of a text between signs that stand outside of `$(...)`."""
    parts, start, at = [], 0, 0
    while at < len(text) and len(parts) != most:
        if text[at] == "$" and text[at + 1 : at + 2] in ("(", "{"):
            end = _closing(text, at + 1)
            at = end if end > 0 else at + 1
        elif text[at] == sign:
            parts.append(text[start:at])
            start = at + 1
        at += 1
    return [*parts, text[start:]]


def globbed(word: str, root: Path, globs: set[str]) -> list[str]:
    """The files of a word with `*`, `?` or `[...]`, in order; itself where it has none of them or there are no such files.

    A word that stands for other files is one of `globs` then.
    """
    files = _there(word, root) if _MAGIC.search(word) else []
    globs.update([word] if files and files != [word] else [])
    return files or [word]


class _Expansion:
    """Fills in one text."""

    def __init__(
        self, variables: Variables, automatic: Mapping[str, str], globs: set[str], *, recipe: bool
    ) -> None:
        self._variables, self._automatic, self._globs, self._recipe = variables, automatic, globs, recipe

    def of(self, text: str, deep: int = 0) -> str:
        """The text, with `_SHELLS` for every `$` that is to stay."""
        if deep > _DEEP:
            raise Unknown("a variable that names itself")
        parts, at = [], 0
        while (sign := text.find("$", at)) >= 0:
            parts.append(text[at:sign])
            mark = text[sign + 1 : sign + 2]
            at = sign + 2
            if mark in ("$", ""):
                parts.append(_SHELLS)
            elif mark in _CLOSING:
                end = _closing(text, sign + 1)
                if end < 0:
                    raise Unknown(f"`{text[sign:][:40]}`")
                parts.append(self._reference(text[sign + 2 : end], text[sign : end + 1], deep))
                at = end + 1
            else:
                parts.append(self._named(mark, f"${mark}", deep))
        return "".join((*parts, text[at:]))

    def _reference(self, inner: str, whole: str, deep: int) -> str:
        """What stands in the parentheses: a function's call, a substitution reference or a name."""
        if call := _CALL.match(inner):
            return self._call(call[1], inner[call.end() :], whole, deep)
        name, *rest = split(inner, ":", 1)
        if rest and "=" in rest[0]:
            old, new = (self._word(one, deep) for one in split(rest[0], "=", 1))
            if "%" not in old:
                old, new = f"%{old}", f"%{new}"
            inside = self._inside()
            return _patsubst(old, new, inside._named(inside.of(name, deep + 1), whole, deep))
        return self._named(self._word(inner, deep), whole, deep)

    def _named(self, name: str, whole: str, deep: int) -> str:
        """The value of a variable; "" where it is certain that there is none, as in make."""
        known = self._variables
        if name in self._automatic:
            return self._automatic[name]
        if name in known.values and name not in known.unread:
            self._globs.update(known.globs.get(name, ()))
            return self.of(known.values[name], deep + 1)
        if not _NAME.fullmatch(name) or name == "MAKE":
            raise Unknown(f"`{whole}`")
        if line := known.unread.get(name, known.others):
            raise Unknown(f"`{whole}`, which {line} may set,")
        if name not in os.environ:
            return ""
        if not self._recipe:
            raise Unknown(f"`{whole}`, which only the environment has,")
        return f"{_SHELLS}{{{name}}}"

    def _call(self, name: str, given: str, whole: str, deep: int) -> str:
        """What a function gives."""
        if name == "foreach":
            return self._foreach(split(given, ",", 2), whole, deep)
        if name == "if":
            test, *branches = split(given, ",", 2)
            chosen = branches[:1] if self._word(test.strip(), deep) else branches[1:]
            return self.of(chosen[0], deep + 1) if chosen else ""
        known = {**_FUNCTIONS, "wildcard": (1, self._wildcard)}
        if name not in known:
            raise Unknown(f"`{whole}`")
        count, function = known[name]
        words = [self._word(one, deep) for one in split(given, ",", count - 1)]
        if len(words) < count:
            raise Unknown(f"`{whole}`")
        try:
            return function(*words)
        except ValueError:  # a number that is none
            raise Unknown(f"`{whole}`") from None

    def _foreach(self, parts: Sequence[str], whole: str, deep: int) -> str:
        if len(parts) < 3:
            raise Unknown(f"`{whole}`")
        name = self._word(parts[0].strip(), deep)
        made = []
        for word in self._word(parts[1], deep).split():
            inner = self._variables.copy()
            inner.assign(name, "=", word.replace("$", "$$"))
            one = _Expansion(inner, self._automatic, self._globs, recipe=self._recipe)
            made.append(one.of(parts[2], deep + 1))
        return " ".join(made)

    def _wildcard(self, text: str) -> str:
        if _SHELLS in text:
            raise Unknown(f"`$(wildcard {text})`")
        self._globs.add(f"$(wildcard {text.strip()})")
        return " ".join(file for word in text.split() for file in _there(word, self._variables.root))

    def _word(self, text: str, deep: int) -> str:
        """A text that make works on by itself: what only the shell would know cannot stand in it."""
        return self._inside().of(text, deep + 1) if "$" in text else text

    def _inside(self) -> _Expansion:
        return _Expansion(self._variables, self._automatic, self._globs, recipe=False)


def _closing(text: str, at: int) -> int:
    """Where the parenthesis or brace that opens at a place is closed; -1 where it is not."""
    opens, closes, depth = text[at], _CLOSING[text[at]], 0
    for place in range(at, len(text)):
        depth += (text[place] == opens) - (text[place] == closes)
        if not depth:
            return place
    return -1


def _there(pattern: str, root: Path) -> list[str]:
    return sorted(glob.glob(pattern, root_dir=root))


# --------------------------------------------------------------------------- make's functions


def stem_of(text: str, pattern: str) -> str | None:
    """What `%` stands for, perhaps nothing; None where the text is not of the pattern."""
    before, percent, after = pattern.partition("%")
    if not percent:
        return "" if text == pattern else None
    fits = len(text) >= len(before) + len(after) and text.startswith(before) and text.endswith(after)
    return text[len(before) : len(text) - len(after)] if fits else None


def _patsubst(pattern: str, new: str, text: str) -> str:
    made = []
    for word in text.split():
        stem = stem_of(word, pattern.strip())
        made.append(word if stem is None else new.replace("%", stem, 1) if "%" in pattern else new)
    return " ".join(made)


def _is_of(word: str, patterns: str) -> bool:
    return any(stem_of(word, one) is not None for one in patterns.split())


def _base(word: str) -> str:
    dot = word.rfind(".")
    return word[:dot] if dot > word.rfind("/") else word


def _over(function: Callable[[str], str]) -> Callable[[str], str]:
    """A function of one name as one of many; what gives nothing leaves nothing."""
    return lambda text: " ".join(filter(None, map(function, text.split())))


def _joined(one: str, other: str) -> str:
    left, right = one.split(), other.split()
    more = max(len(left), len(right))
    pairs = zip(left + [""] * (more - len(left)), right + [""] * (more - len(right)), strict=True)
    return " ".join(first + second for first, second in pairs)


def _range(first: str, last: str, text: str) -> str:
    if int(first) < 1 or int(last) < 0:
        raise ValueError
    return " ".join(text.split()[int(first) - 1 : int(last)])


_FUNCTIONS: Mapping[str, tuple[int, Callable[..., str]]] = {
    "subst": (3, lambda old, new, text: text.replace(old, new) if old else text + new),
    "patsubst": (3, _patsubst),
    "strip": (1, lambda text: " ".join(text.split())),
    "findstring": (2, lambda one, text: one if one in text else ""),
    "filter": (2, lambda some, text: " ".join(one for one in text.split() if _is_of(one, some))),
    "filter-out": (2, lambda some, text: " ".join(one for one in text.split() if not _is_of(one, some))),
    "sort": (1, lambda text: " ".join(sorted(set(text.split())))),
    "word": (2, lambda place, text: _range(place, place, text)),
    "wordlist": (3, _range),
    "words": (1, lambda text: str(len(text.split()))),
    "firstword": (1, lambda text: " ".join(text.split()[:1])),
    "lastword": (1, lambda text: " ".join(text.split()[-1:])),
    "dir": (1, _over(lambda word: word[: word.rfind("/") + 1] or "./")),
    "notdir": (1, _over(lambda word: word[word.rfind("/") + 1 :])),
    "suffix": (1, _over(lambda word: word[len(_base(word)) :])),
    "basename": (1, _over(_base)),
    "addsuffix": (2, lambda more, text: " ".join(one + more for one in text.split())),
    "addprefix": (2, lambda more, text: " ".join(more + one for one in text.split())),
    "join": (2, _joined),
}
"""How many arguments a function has, a further comma belonging to the last one, and what it gives."""
