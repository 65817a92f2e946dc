"""Reading the lines of a Makefile, and of those that it includes, as make does one after the other.

What lines say of files is filled in where they stand; recipes are not. What a line that is not understood may
set is known to be unknown (`Variables.unread`). `make` says what becomes of the rules.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from stepwell.app.adopt.expansion import Unknown, Variables, expanded, globbed, split
from stepwell.app.adopt.facts import SIGNS
from stepwell.errors import BadMakefile

BUILT_IN = {
    "AR": "ar", "ARFLAGS": "rv", "AS": "as", "CC": "cc", "CPP": "$(CC) -E", "CXX": "g++", "FC": "f77", "LD": "ld",
    "LEX": "lex", "MAKEINFO": "makeinfo", "RM": "rm -f", "SHELL": "/bin/sh", "TEX": "tex", "YACC": "yacc",
}  # fmt: skip
"""Variables that make itself has, as far as simple rules use them."""

_VARIABLE = re.compile(r"(?:(?:export|override|private)\s+)*([\w.-]+)\s*(::?=|\?=|\+=|!=|=)\s*(.*)")
_CONDITIONAL = re.compile(r"(?:(else)\s+)?(ifeq|ifneq|ifdef|ifndef|else|endif)\b\s*(.*)")
_COMPARED = re.compile(r"""(["'])(.*?)\1\s*(["'])(.*?)\3""")
_DEFINE = re.compile(r"(?:override\s+|export\s+)*define\s+([\w.-]+)")
_INCLUDE = re.compile(r"([-s]?)include\s+(.*)")
_DIRECTIVE = re.compile(r"-?(load|vpath|unexport|undefine|endef)\b")
_SETS = re.compile(r"\$[({](eval|call|foreach)\b")
"""Lines of a function that may set variables, or make rules."""


class Rule(NamedTuple):
    """A rule, with what it says of files as its variables were there; those of its recipe are not filled in.

    `before` are files that come first although their time does not count (behind `|`), `pattern` the middle of a
    static pattern rule, `globs` the patterns of files that were filled in, `written` its first line as it was.
    `unknown` says what of it is not understood, "" for nothing.
    """

    line: str
    written: str
    targets: tuple[str, ...] = ()
    deps: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    recipe: tuple[str, ...] = ()
    pattern: str = ""
    grouped: bool = False
    globs: frozenset[str] = frozenset()
    unknown: str = ""


class Own(NamedTuple):
    """A variable for one target, and for what it needs: `target: name how value`."""

    line: str
    target: str
    name: str
    how: str
    value: str


class Makefile(NamedTuple):
    """What a Makefile says, as far as it was understood."""

    rules: tuple[Rule, ...]
    variables: Variables
    own: tuple[Own, ...]
    notes: tuple[str, ...]

    @property
    def one_shell(self) -> bool:
        """Whether the lines of a recipe share a shell."""
        return any(".ONESHELL" in rule.targets for rule in self.rules)


def text_of(path: Path, name: str) -> str:
    """The text of a Makefile, or of one that it includes. Raises `BadMakefile`."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise BadMakefile(f"`{name}` cannot be read", why=why) from None
    if SIGNS & set(text):
        raise BadMakefile(f"`{name}` is no text", why="it has control characters in it")
    return text


def parsed(text: str, name: str, root: Path) -> Makefile:
    """A Makefile's rules and variables; `root` is where it looks for files. Raises `BadMakefile`."""
    reading = _Reading(name, root)
    reading.read(text, name)
    return Makefile(tuple(reading.rules), reading.variables, tuple(reading.own), tuple(reading.notes))


_Holds = Literal["yes", "not yet", "not any more", "perhaps"]
"""Whether lines count that stand under a conditional; "perhaps" where it is not understood."""


class _Reading:
    """Reads lines, as make does one after the other."""

    def __init__(self, name: str, root: Path) -> None:
        self.rules: list[Rule] = []
        self.own: list[Own] = []
        self.notes: list[str] = []
        self.variables = Variables(root, BUILT_IN)
        self._name, self._root = name, root
        self._under: list[tuple[_Holds, str]] = []
        """The conditionals around a line, each with its own line."""
        self._defines = False
        self._open: list[str] = []
        """The files that are being read, each included by the one before."""

    def read(self, text: str, name: str) -> None:
        """Read a file. Raises `BadMakefile`."""
        self._open.append(name)
        for number, line in _lines(text):
            where = f"line {number}" + ("" if name == self._name else f" of {name}")
            stripped = line.strip()
            if self._defines or stripped == "endef":
                self._defines = not stripped.startswith("endef")
            elif line.startswith("\t") and self.rules:
                self._recipe(line)
            elif code := _without_comment(stripped):
                if conditional := _CONDITIONAL.fullmatch(code):
                    self._conditional(conditional[1] or "", conditional[2], conditional[3], code, where)
                elif not self._is_dead():
                    self._line(code, where)
        self._open.pop()

    # ------------------------------------------------------------------ what stands under a conditional

    def _is_dead(self) -> bool:
        """Whether lines do not count, for sure."""
        return any(holds.startswith("not") for holds, _ in self._under)

    def _doubt(self) -> str:
        """The line of a conditional of which it is not known whether it holds."""
        return next((line for holds, line in self._under if holds == "perhaps"), "")

    def _conditional(self, otherwise: str, word: str, rest: str, code: str, where: str) -> None:
        if word == "endif" or otherwise or word == "else":
            was, line = self._under.pop() if self._under else ("not any more", "")
            if word == "endif":
                return
        else:
            was, line = "not yet", f"{where} (`{code}`)"
        dead = self._is_dead()
        if was == "not yet":
            now = "yes" if word == "else" else "not any more" if dead else self._holds(word, rest)
        else:
            now = "not any more" if was == "yes" else was
        self._under.append((now, line))
        if now != "yes" and not dead:
            self.notes.append(f"{where}: what stands under `{code}` was not carried over")

    def _holds(self, word: str, rest: str) -> _Holds:
        """What a conditional comes to."""
        try:
            if word in ("ifdef", "ifndef"):
                name = expanded(rest, self.variables).strip()
                values = self.variables.values
                known = name in values and name not in self.variables.unread
                is_so = bool(values[name] if known else expanded(f"$({name})", self.variables))
            else:
                inside = rest[1:-1] if rest.startswith("(") and rest.endswith(")") else ""
                quoted = _COMPARED.fullmatch(rest)
                one, other = (quoted[2], quoted[4]) if quoted else [*split(inside, ",", 1), ""][:2]
                is_so = expanded(one, self.variables).strip() == expanded(other, self.variables).strip()
        except Unknown:
            return "perhaps"
        return "yes" if is_so is (word in ("ifdef", "ifeq")) else "not yet"

    # ------------------------------------------------------------------ the kinds of lines

    def _recipe(self, line: str) -> None:
        if self._is_dead():
            return
        rule = self.rules[-1]
        unknown = rule.unknown or (f"what stands under {self._doubt()}" if self._doubt() else "")
        code = line[1:].rstrip().replace("\n\t", "\n")
        self.rules[-1] = rule._replace(recipe=(*rule.recipe, code), unknown=unknown)

    def _line(self, code: str, where: str) -> None:
        """A line that counts, or of which it is not known."""
        if define := _DEFINE.match(code):
            self._defines = True
            self.variables.unread[define[1]] = where
            self.notes.append(f"{where}: `{code}` (several lines as one variable) was not carried over")
        elif include := _INCLUDE.fullmatch(code):
            self._include(include[2], bool(include[1]), code, where)
        elif _DIRECTIVE.match(code) or (code.startswith("$(") and len(split(code, ":", 1)) == 1):
            if _SETS.match(code):
                self.variables.others = where
            if undefined := re.fullmatch(r"undefine\s+([\w.-]+)", code):
                self.variables.unread[undefined[1]] = where
            self.notes.append(f"{where}: `{code}` was not carried over")
        elif (variable := _VARIABLE.fullmatch(code)) is not None:
            if self._doubt():
                self.variables.unread[variable[1]] = self._doubt()
            else:
                self.variables.assign(variable[1], variable[2], variable[3])
        elif ":" in code:
            self._rule(code, where)
        elif not code.startswith("export"):
            number, name = where.split()[1], self._open[-1]
            raise BadMakefile(
                f"line {number} of `{name}` is no rule and no variable: `{code[:60]}`",
                why="make would say `missing separator`: lines of a recipe begin with a tab",
                where=f"{name}:{number}",
            )

    def _include(self, files: str, optional: bool, code: str, where: str) -> None:
        """Read files in place of a line; where one is not here, what it sets is not known."""
        try:
            names = [
                one
                for word in expanded(files, self.variables).split()
                for one in globbed(word, self._root, set())
            ]
        except Unknown:
            names, optional = [files], False
        left = []
        for name in names:
            is_here = (self._root / name).is_file()
            if is_here and name not in self._open and not self._doubt():
                self.read(text_of(self._root / name, name), name)
            else:
                left.append(name)
                self.variables.others = where if is_here or not optional else self.variables.others
        if left:
            self.notes.append(f"{where}: `{code}` was not carried over")

    def _rule(self, code: str, where: str) -> None:
        """A rule, or a variable for one target."""
        targets, *behind = split(code, ":", 1)
        own = _VARIABLE.fullmatch(behind[0].strip()) if behind else None
        rest, *first = split(behind[0] if behind else "", ";", 1)
        recipe = (first[0].strip(),) if first and first[0].strip() else ()
        rule = Rule(where, code if own else code.partition(";")[0].strip(), recipe=recipe)
        globs: set[str] = set()
        try:
            words = expanded(targets.removesuffix("&"), self.variables, globs=globs).split()
            rule = rule._replace(targets=tuple(words), grouped=targets.endswith("&"))
            if own:
                self._own(rule.targets, own[1], own[2], own[3], where)
                return
            if rest.startswith(":"):
                raise Unknown("a rule with `::`")
            if self._doubt():
                raise Unknown(f"what stands under {self._doubt()}")
            middle, *last = split(rest, ":", 1)
            if last:
                rule = rule._replace(pattern=expanded(middle, self.variables).strip())
            plain, _, order = expanded(last[0] if last else rest, self.variables, globs=globs).partition("|")
            deps, before = (
                tuple(clean(one) for word in part.split() for one in globbed(word, self._root, globs))
                for part in (plain, order)
            )
            rule = rule._replace(deps=deps, before=before, globs=frozenset(globs))
        except Unknown as unknown:
            rule = rule._replace(unknown=str(unknown))
        self.rules.append(rule)

    def _own(self, targets: Iterable[str], name: str, how: str, value: str, where: str) -> None:
        inside = self.variables.copy()
        if how in (":=", "::="):  # filled in here, and not where it is used
            inside.assign(name, how, value)
            value = inside.values[name]
        line = self._doubt() or where
        self.own += [
            Own(line, clean(one), name, "perhaps" if self._doubt() else how, value) for one in targets
        ]


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with those that go on in the next one joined; in recipes they stay as they are."""
    held, first = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        first = first or number
        if line.endswith("\\") and not line.endswith("\\\\"):
            held += line + "\n" if (held or line).startswith("\t") else line[:-1].rstrip() + " "
            continue
        whole = held + (line if not held or held.startswith("\t") else line.strip())
        yield first, whole
        held, first = "", 0
    if held:
        yield first, held.rstrip("\\\n ")


def _without_comment(line: str) -> str:
    return re.split(r"(?<!\\)#", line)[0].strip().replace("\\#", "#")


def clean(path: str) -> str:
    """A path as short as it can be written: `./a//b` is `a/b`."""
    return os.path.normpath(path) if path else path
