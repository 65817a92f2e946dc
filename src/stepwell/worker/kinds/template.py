"""Command lines with placeholders: where they stand, and what the shell is given in their place.

    pieces("sort {table} > {out}")   ["sort ", Hole("table", "", "bare"), " > ", Hole("out", "", "bare")]

A placeholder is `{name}` or `{name:format}`; `${name}` is the shell's own, and all other braces are what
they are (`awk '{print $1}'`, `{1..3}`, `find -exec {} +`). Where a text has `{{` in it, every brace that is
meant as one is doubled, as in Python's format strings.

A value never becomes part of the text that the shell reads: it is the value of a variable of the shell's,
set before the command begins, and the text refers to it in a way that is right for the quotes around it.
So that a misjudged quote could let a value be split, and never be executed.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

FORMATS = ("raw", "json", "csv", "parquet", "text")
"""What may follow a name: pasted as it is, or written to a file of this format whose path is given."""

PREFIX = "sw_"
"""How the shell's variables begin that hold values."""

_HOLE = re.compile(r"\{([^\W\d]\w*)(?::([^{}\s]*)|![rsa])?\}")
_MARK = re.compile("\1([^\\W\\d]\\w*)(?::(\\w+))?\2")
_HEREDOC = re.compile(r"<<(-?)\s*(\\?)(['\"]?)([^\s'\"\\;&|<>()]+)\3")


class Hole(NamedTuple):
    """A placeholder. `context` is "bare", "double", "single" (quotes), "number" (arithmetic), "here" or "argument"."""

    name: str
    format: str
    context: str
    whole: bool = False
    """Whether it is a word of its own."""


class BadTemplate(Exception):
    """A command line that makes no sense: in words what, and what would help."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.fix = fix


Piece = str | Hole


def words(argument: str) -> list[Piece]:
    """The pieces of one argument of a command without a shell: no quotes, only placeholders. Raises `BadTemplate`."""
    found: list[Piece] = []
    at, doubled = 0, "{{" in argument
    while at < len(argument):
        hole = _HOLE.match(argument, at)
        if doubled and argument[at : at + 2] in ("{{", "}}"):
            found.append(argument[at])
            at += 2
        elif hole is not None:
            found.append(_hole(hole, "argument", whole=hole[0] == argument))
            at = hole.end()
        else:
            found.append(argument[at])
            at += 1
    return _joined(found)


def pieces(text: str) -> list[Piece]:
    """The pieces of a text for the shell. Raises `BadTemplate`."""
    return _joined(_Reader(text).read())


def mark(name: str, format_: str = "") -> str:
    """A placeholder between signs that no command has, for a text whose braces are all what they are."""
    return f"\1{name}:{format_}\2" if format_ else f"\1{name}\2"


def of_marked(text: str) -> list[Piece]:
    """The pieces of a text whose placeholders are marks. Raises `BadTemplate`."""
    return _joined(_Reader(text, _MARK).read())


def unmarked(text: str) -> str:
    """The text that `pieces` reads as `of_marked` reads this one: with braces, the others doubled where they have to be.

    Raises `BadTemplate` where there is none: a mark stands where no placeholder can.
    """
    reader = _Reader(text, _MARK)
    meant = _joined(reader.read())
    both = "".join(c * 2 if at in reader.braces else c for at, c in enumerate(text))
    for one in (text, both):
        found = _MARK.sub(lambda hole: f"{{{hole[0][1:-1]}}}", one)
        try:
            if pieces(found) == meant:
                return found
        except BadTemplate:
            continue
    raise BadTemplate(
        "a placeholder cannot stand there, or braces cannot be told from one", "look at its braces"
    )


def holes(found: Iterable[Piece]) -> Iterator[Hole]:
    """The placeholders among pieces."""
    return (piece for piece in found if isinstance(piece, Hole))


def referring(found: Iterable[Piece], lists: Iterable[str], pasted: dict[str, str]) -> str:
    """The text for the shell: placeholders refer to variables. `lists` are names with several words.

    `pasted` are the texts of those whose format is `raw`.
    """
    several = frozenset(lists)
    out = []
    for piece in found:
        if not isinstance(piece, Hole):
            out.append(piece)
            continue
        name = variable(piece)
        if piece.format == "raw":
            out.append(pasted[piece.name])
        elif piece.name in several and not piece.format:
            out.append(f'"${{{name}[@]}}"')
        elif piece.context == "bare":
            out.append(f'"${name}"' if piece.whole else f'"${{{name}}}"')
        elif piece.context == "single":
            out.append(f"'\"${{{name}}}\"'")
        else:
            out.append(f"${{{name}}}")
    return "".join(out)


def variable(hole: Hole) -> str:
    """The shell's variable that holds the value of a placeholder."""
    return f"{PREFIX}{hole.name}" + (f"_{hole.format}" if hole.format else "")


def _hole(match: re.Match[str], context: str, *, whole: bool = False) -> Hole:
    name, format_ = match[1], match[2] or ""
    if "!" in match[0]:
        raise BadTemplate(
            f"`{match[0]}`: values are quoted always, so that nothing has to be said for it",
            f"write {{{name}}}; to paste it as it is, {{{name}:raw}}",
        )
    if format_ and format_ not in FORMATS:
        raise BadTemplate(
            f"`{match[0]}` asks for the format `{format_}`, which there is not",
            f"formats are: {', '.join(FORMATS)}; where `{match[0]}` is no placeholder, write {{{{{match[0][1:-1]}}}}}",
        )
    return Hole(name, format_, context, whole)


def _joined(found: Iterable[Piece]) -> list[Piece]:
    """Neighbouring texts as one."""
    out: list[Piece] = []
    for piece in found:
        if isinstance(piece, str) and out and isinstance(out[-1], str):
            out[-1] += piece
        else:
            out.append(piece)
    return out


_SPACE = frozenset(" \t\n;|&()<>")


class _Reader:
    """Reads a text as a shell does, as far as quotes go. `_inside` are the constructs that it is in, the innermost last.

    `hole` is what a placeholder looks like; `braces` are the places of those braces that can be doubled.
    """

    def __init__(self, text: str, hole: re.Pattern[str] = _HOLE) -> None:
        self._text, self._hole = text, hole
        self._at = 0
        self._doubled = hole is _HOLE and "{{" in text
        self.braces: set[int] = set()
        self._inside = ["bare"]
        self._here: list[tuple[str, bool, bool]] = []
        """Here-documents that begin with the next line: delimiter, whether quoted, whether tabs are stripped."""

    def read(self) -> Iterator[Piece]:
        while self._at < len(self._text):
            yield from self._next()
        unclosed = {"single": "'", "double": '"', "backtick": "`"}.get(self._inside[-1])
        if unclosed:
            raise BadTemplate(f"the quote {unclosed} is not closed", "close it, or write \\ before it")

    def _next(self) -> Iterator[Piece]:
        text, at, context = self._text, self._at, self._inside[-1]
        two = text[at : at + 2]
        if self._doubled and two in ("{{", "}}"):
            self._at += 2
            yield two[0]
        elif two == "${" and context != "single":
            yield from self._expansion()
        elif (hole := self._hole.match(text, at)) is not None:
            yield self._placed(hole)
        elif self._doubled and text[at] in "{}" and context != "comment":
            raise BadTemplate(
                f"a single `{text[at]}` stands in a text where other braces are doubled: "
                f"`…{text[max(0, at - 15) : at + 15]}…`",
                "double all braces that are no placeholders, or none",
            )
        else:
            yield from self._plain(context)

    def _placed(self, hole: re.Match[str]) -> Piece:
        context, text = self._inside[-1], self._text
        if context == "comment":
            self._at = hole.end()
            return f"{{{hole[0][1:-1]}}}"  # nobody fills it in, also where it was a mark
        if context in ("backtick", "ansi"):
            quotes, instead = ("`…`", "$(…)") if context == "backtick" else ("$'…'", '"…"')
            raise BadTemplate(f"the placeholder `{{{hole[1]}}}` stands in {quotes}", f"use {instead} instead")
        before, after = text[self._at - 1 : self._at], text[hole.end() : hole.end() + 1]
        if before == "\\":
            self._at = hole.end()
            return hole[0]
        self._at = hole.end()
        kind = context if context in ("single", "double", "number") else "bare"
        whole = kind == "bare" and (not before or before in _SPACE) and (not after or after in _SPACE)
        return _hole(hole, kind, whole=whole)

    def _expansion(self) -> Iterator[Piece]:
        """`${...}` as it is, with what it has in it."""
        depth, begin = 0, self._at
        while self._at < len(self._text):
            c = self._text[self._at]
            depth += (c == "{") - (c == "}")
            self._at += 2 if c == "\\" else 1
            if c == "}" and depth == 0:
                break
        else:
            raise BadTemplate(f"`{self._text[begin : begin + 15]}…` is not closed", "close it with }")
        yield self._text[begin : self._at]

    def _plain(self, context: str) -> Iterator[Piece]:
        """One character, or a few that belong together, which may begin or end a construct."""
        text, at, inside = self._text, self._at, self._inside
        c = text[at]
        size = 1
        if c in "{}":
            self.braces.add(at)
        if context in ("single", "ansi"):
            size = 2 if c == "\\" and context == "ansi" else 1
            if c == "'":
                inside.pop()
        elif c == "\n" and context not in ("double", "number", "backtick"):
            if context == "comment":
                inside.pop()
            yield from self._line_ends()
            return
        elif context == "comment":
            pass
        elif c == "\\":
            size = 2 if text[at + 1 : at + 2] != "{" else 1
        elif text.startswith("$((", at):
            inside.append("number")
            size = 3
        elif text.startswith("$(", at):
            inside.append("paren")
            size = 2
        elif c == "`":
            inside.pop() if context == "backtick" else inside.append("backtick")
        else:
            size = self._in_code(c, context)
        self._at += size
        yield text[at : at + size]

    def _in_code(self, c: str, context: str) -> int:
        """What a character does that is no escape and no substitution; how many belong together."""
        if context == "number":
            return self._in_number(c)
        if context != "double":
            return self._in_bare(c)
        if c == '"':
            self._inside.pop()
        return 1

    def _in_number(self, c: str) -> int:
        if c == "(":
            self._inside.append("paren in number")
        elif c == ")":
            self._inside.pop()
            return 2
        return 1

    def _in_bare(self, c: str) -> int:
        """What a character does outside of quotes; how many belong together."""
        text, at, inside = self._text, self._at, self._inside
        if text.startswith("$'", at):
            inside.append("ansi")
            return 2
        if c == "'":
            inside.append("single")
        elif c == '"':
            inside.append("double")
        elif text.startswith("((", at) and inside[-1] in ("bare", "paren"):
            inside.append("number")
            return 2
        elif c == "(":
            inside.append("paren in number" if inside[-1] == "paren in number" else "paren")
        elif c == ")" and len(inside) > 1:
            inside.pop()
        elif c == "#" and (at == 0 or text[at - 1] in _SPACE):
            inside.append("comment")
        elif text.startswith("<<<", at):
            return 3
        elif (here := _HEREDOC.match(text, at)) is not None:
            self._here.append((here[4], bool(here[2] or here[3]), bool(here[1])))
            return here.end() - at
        return 1

    def _line_ends(self) -> Iterator[Piece]:
        """The end of a line, and the here-documents that begin behind it."""
        yield "\n"
        self._at += 1
        for delimiter, quoted, stripped in self._here:
            while self._at < len(self._text):
                end = self._text.find("\n", self._at)
                end = len(self._text) if end < 0 else end
                line = self._text[self._at : end]
                yield from self._here_line(line, quoted=quoted)
                yield self._text[end : end + 1]
                self._at = end + 1
                if (line.lstrip("\t") if stripped else line) == delimiter:
                    break
        self._here.clear()

    def _here_line(self, line: str, *, quoted: bool) -> Iterator[Piece]:
        at = 0
        for hole in self._hole.finditer(line):
            if hole.start() and line[hole.start() - 1] in "$\\{":
                continue
            if quoted:
                raise BadTemplate(
                    f"the placeholder `{{{hole[1]}}}` stands in a here-document whose delimiter is quoted",
                    "leave the quotes of the delimiter out",
                )
            yield line[at : hole.start()]
            yield _hole(hole, "here")
            at = hole.end()
        yield line[at:]


# --------------------------------------------------------------------------- what a text does, as far as can be told

_KEYWORDS = frozenset((
    "if", "then", "elif", "else", "fi", "do", "done", "while", "until", "!", "{", "}", "time", "case",
    "esac", "select",
))  # fmt: skip
BUILTINS = frozenset((
    ".", ":", "[", "[[", "alias", "bg", "bind", "break", "builtin", "caller", "cd", "command", "compgen",
    "complete", "compopt", "continue", "declare", "dirs", "disown", "echo", "enable", "eval", "exec",
    "exit", "export", "false", "fc", "fg", "getopts", "hash", "help", "history", "jobs", "kill", "let",
    "local", "logout", "mapfile", "popd", "printf", "pushd", "pwd", "read", "readarray", "readonly",
    "return", "set", "shift", "shopt", "source", "suspend", "test", "times", "trap", "true", "type",
    "typeset", "ulimit", "umask", "unalias", "unset", "wait", "function",
))  # fmt: skip
_PLAIN = re.compile(r"[\w./+-]+")
_ASSIGNMENT = re.compile(r"[^\W\d]\w*\+?=")
_VARIABLE = re.compile(r"\$\{?([^\W\d]\w*)")
_ASSIGNED = re.compile(
    r"(?:^|[\s;&|(])(?:(?:export|local|declare|readonly|typeset)\s+(?:-\w+\s+)*)?([^\W\d]\w*)\+?=|"
    r"\bfor\s+([^\W\d]\w*)|\bread\s+(?:-\w+\s+)*([^\W\d]\w*(?:\s+[^\W\d]\w*)*)|\bmapfile\s+(?:-\w+\s+)*(\w+)|"
    r"\bgetopts\s+\S+\s+(\w+)"
)
_OWN = frozenset((
    "HOME", "PWD", "OLDPWD", "PATH", "TMPDIR", "SHELL", "IFS", "RANDOM", "SECONDS", "LINENO", "OPTARG",
    "OPTIND", "HOSTNAME", "UID", "EUID", "PPID", "REPLY", "PIPESTATUS", "BASH", "FUNCNAME", "SHLVL",
    "USER", "LOGNAME",
))  # fmt: skip


def _words_of(text: str) -> list[str]:
    """The words and operators of a text; none where they cannot be told apart."""
    lexer = shlex.shlex(_without_here_documents(text), posix=True, punctuation_chars=";|&()<>\n")
    lexer.whitespace = " \t\r"
    lexer.whitespace_split = True
    try:
        return list(lexer)
    except ValueError:
        return []


def _without_here_documents(text: str) -> str:
    lines, out = iter(text.split("\n")), []
    for line in lines:
        out.append(line)
        for here in _HEREDOC.finditer(line):
            if line[max(0, here.start() - 1) : here.start()] == "<" or line.startswith("<<<", here.start()):
                continue
            for inner in lines:
                if inner.strip() == here[4]:
                    break
    return "\n".join(out)


def programs(text: str) -> list[str]:
    """The programs that a text calls, each once, as far as that can be told without executing it; no builtins."""
    tokens = _words_of(text)
    if "case" in tokens:
        return []  # its patterns cannot be told from commands
    functions = {name for name, after in pairwise(tokens) if after.startswith("(")}
    found: dict[str, None] = {}
    expects, i = True, 0
    while i < len(tokens):
        token = tokens[i]
        i += 1
        if token and set(token) <= set(";|&()\n"):
            expects = True
        elif token and set(token) <= set("<>&|"):
            i += 1  # a redirection, and where to
        elif not expects or _ASSIGNMENT.match(token) or token.isdigit():
            continue
        elif token in ("for", "select", "function"):
            expects = False
        elif token in _KEYWORDS:
            continue
        else:
            expects = False
            if _PLAIN.fullmatch(token) and token not in BUILTINS and token not in functions:
                found[token] = None
    return list(found)


def variables(text: str) -> list[str]:
    """The environment variables that a text takes and does not set itself, each once."""
    bare = re.sub(r"'[^']*'", "", text)
    own = {name for found in _ASSIGNED.findall(bare) for part in found for name in part.split()}
    return [
        name
        for name in dict.fromkeys(_VARIABLE.findall(bare))
        if name not in own and name not in _OWN and not name.startswith(("BASH_", PREFIX))
    ]


def written(text: str) -> list[str]:
    """Where the redirections of a text write, as far as it is said literally."""
    tokens = _words_of(text)
    return [
        where
        for how, where in pairwise(tokens)
        if how in (">", ">>", ">|", "&>", "&>>", "<>") and where and not set(where) & set("$`*?{&")
    ]
