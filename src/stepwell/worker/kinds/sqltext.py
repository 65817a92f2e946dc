"""The text of a query with placeholders: what its parts are, what of it is code, and what a database gets.

    template = parse("select * from {flights} where month = {month}")
    template.names                      # ("flights", "month")
    template.normal()                   # the text that counts as code: no comments, one space each
    template.compose(lambda slot: f"${slot.name}", quoted)

Placeholders are `{name}` (a table, or a value that is bound) and `{name:id}` (an identifier, quoted).
`{{` and `}}` are braces. Inside of quotes braces are what they are, and a placeholder is refused:
what is between quotes is text, and a value does not belong there. Comments are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import islice
from typing import NamedTuple


class BadText(ValueError):
    """The text has a placeholder that is none, or something is not closed. `line` counts from 1."""

    def __init__(self, what: str, line: int, fixes: tuple[str, ...] = ()) -> None:
        super().__init__(what)
        self.what, self.line, self.fixes = what, line, fixes


class Piece(NamedTuple):
    """A part of the text. `kind`: "code", "quoted", "comment", "space", "slot" (`{name}`) or "id" (`{name:id}`).

    `text` is what stands there (of placeholders, the name); `line` is where it begins, from 1.
    """

    kind: str
    text: str
    line: int


class Slot(NamedTuple):
    """A placeholder in its place: its name, its line, the word before it, and whether it stands alone in `[not] in (...)`."""

    name: str
    line: int
    word: str
    is_listed: bool
    is_negated: bool


class Template(NamedTuple):
    """A parsed text."""

    text: str
    pieces: tuple[Piece, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of placeholders, each once, as they come."""
        return tuple(dict.fromkeys(p.text for p in self.pieces if p.kind in ("slot", "id")))

    @property
    def identifiers(self) -> frozenset[str]:
        """The names that are used as identifiers, `{name:id}`."""
        return frozenset(p.text for p in self.pieces if p.kind == "id")

    @property
    def slots(self) -> frozenset[str]:
        """The names that are used as tables or values, `{name}`."""
        return frozenset(p.text for p in self.pieces if p.kind == "slot")

    def normal(self) -> str:
        """The text that counts as code: without comments, each stretch of white space one space."""
        out: list[str] = []
        for piece in self.pieces:
            if piece.kind in ("comment", "space"):
                if out and out[-1] != " ":
                    out.append(" ")
            else:
                out.append(_written(piece))
        return "".join(out).strip().rstrip(";").rstrip()

    def statements(self) -> list[Template]:
        """The statements between `;`, those that hold something; each keeps the lines of the whole."""
        found: list[Template] = []
        now: list[Piece] = []
        for piece in (*self.pieces, Piece("code", ";", 0)):
            if piece == ("code", ";", piece.line):
                if any(one.kind not in ("comment", "space") for one in now):
                    found.append(Template("".join(map(_written, now)), tuple(now)))
                now = []
            else:
                now.append(piece)
        return found

    def compose(self, slot: Callable[[Slot], str], identifier: Callable[[str], str]) -> str:
        """The text for a database, its lines those of the original.

        `slot` gives what stands for a table or a value. Where it stands alone in `in (...)`, an answer
        that begins with a space stands for the operator and the parentheses, too.
        """
        out = [piece.text for piece in self.pieces]
        for i, piece in enumerate(self.pieces):
            if piece.kind == "id":
                out[i] = identifier(piece.text)
            elif piece.kind == "slot":
                around = self._around(i)
                out[i] = slot(Slot(piece.text, piece.line, self._word(i), bool(around), len(around) == 4))
                if out[i].startswith(" "):
                    for other in around:
                        out[other] = ""
        return "".join(out)

    def _code(self, places: Iterable[int], count: int) -> list[int]:
        """The first few places that hold code."""
        return list(islice((i for i in places if self.pieces[i].kind not in ("comment", "space")), count))

    def _word(self, place: int) -> str:
        before = self._code(range(place - 1, -1, -1), 1)
        return self.pieces[before[0]].text.lower() if before else ""

    def _around(self, place: int) -> list[int]:
        """Where `in`, `(`, `)` and perhaps `not` are, if a placeholder is all that stands between; else nothing."""
        before = self._code(range(place - 1, -1, -1), 3)
        after = self._code(range(place + 1, len(self.pieces)), 1)
        words = [self.pieces[i].text.lower() for i in (*after, *before)]
        if words[:3] != [")", "(", "in"]:
            return []
        return [*after, *before] if words[3:] == ["not"] else [*after, *before[:2]]


_FORMS = {"slot": "{%s}", "id": "{%s:id}"}


def _written(piece: Piece) -> str:
    """A part as text that would be parsed to it again."""
    if piece.kind == "code" and piece.text in "{}":
        return piece.text * 2
    if piece.kind == "quoted":
        return _PLACEHOLDER.sub(r"{\g<0>}", piece.text)
    return _FORMS[piece.kind] % piece.text if piece.kind in _FORMS else piece.text


_TOKENS = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<comment>--[^\n]*)
  | (?P<block>/\*)
  | (?P<escaped>\b[eE]'(?:[^'\\]|\\.|'')*')
  | (?P<single>'(?:[^']|'')*')
  | (?P<double>"(?:[^"]|"")*")
  | (?P<dollar>\$(?P<tag>[^\W\d]\w*)?\$.*?\$(?P=tag)?\$)
  | (?P<word>[^\W\d]\w*|\d[\w.]*)
  | (?P<open>['"])
  | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_PLACEHOLDER = re.compile(r"\{([^\W\d]\w*)(:id)?\}")
_DOUBLED = re.compile(r"\{\{([^\W\d]\w*(?::id)?)\}\}")
_MEANT = re.compile(r"\{\s*([^\W\d]\w*)\s*([^{}\s]?[^{}]*)\}")


def parse(text: str) -> Template:
    """The parts of a text. Raises `BadText`."""
    pieces: list[Piece] = []
    at, line = 0, 1
    while at < len(text):
        piece, end = _next(text, at, line)
        pieces.append(piece)
        line += text.count("\n", at, end)
        at = end
    return Template(text, tuple(pieces))


def _next(text: str, at: int, line: int) -> tuple[Piece, int]:
    """The part that begins at a place, and where it ends."""
    if text[at] in "{}":
        return _brace(text, at, line)
    found = _TOKENS.match(text, at)
    if found is None:
        raise AssertionError(f"no part of SQL begins with {text[at]!r}")  # `.` takes every character
    kind = found.lastgroup
    if kind == "block":
        return _block(text, at, line)
    if kind == "open":
        raise BadText(f"a text in {found[0]} is not closed", line)
    if kind in ("space", "comment"):
        return Piece(kind, found[0], line), found.end()
    if kind in ("escaped", "single", "double", "dollar"):
        inside = _DOUBLED.sub("", found[0])
        wrong = _PLACEHOLDER.search(inside)
        if wrong is not None:
            raise BadText(
                f"the placeholder `{wrong[0]}` stands between quotes",
                line + found[0].count("\n", 0, found[0].find(wrong[0])),
                (
                    f"leave the quotes out: a value is bound, never pasted in; join texts with `||`: {wrong[0]} || '...'",
                    f"for exactly these characters, double the braces: {{{wrong[0]}}}",
                ),
            )
        return Piece("quoted", _DOUBLED.sub(r"{\1}", found[0]), line), found.end()
    return Piece("code", found[0], line), found.end()


def _brace(text: str, at: int, line: int) -> tuple[Piece, int]:
    """What begins with a brace outside of quotes."""
    pair = text[at : at + 2]
    if pair in ("{{", "}}"):
        return Piece("code", pair[0], line), at + 2
    found = _PLACEHOLDER.match(text, at)
    if found is not None:
        return Piece("id" if found[2] else "slot", found[1], line), found.end()
    meant = _MEANT.match(text, at)
    if meant is not None:
        raise BadText(
            f"`{meant[0]}` is no placeholder",
            line,
            (
                f"a table or a value is `{{{meant[1]}}}`, an identifier `{{{meant[1]}:id}}`",
                "for braces as such, double them: `{{` and `}}`",
            ),
        )
    return Piece("code", text[at], line), at + 1


def _block(text: str, at: int, line: int) -> tuple[Piece, int]:
    """A comment between `/*` and `*/`, which may hold others."""
    depth, end = 0, at
    while end < len(text):
        pair = text[end : end + 2]
        if pair == "/*":
            depth, end = depth + 1, end + 2
        elif pair == "*/":
            depth, end = depth - 1, end + 2
            if not depth:
                return Piece("comment", text[at:end], line), end
        else:
            end += 1
    raise BadText("a comment `/*` is not closed", line)


def quoted(name: str) -> str:
    """A name as an identifier. Raises `ValueError` for one that no database takes."""
    if not name or "\0" in name:
        raise ValueError(f"{name!r} cannot be an identifier")
    doubled = name.replace('"', '""')
    return f'"{doubled}"'
