"""How things are written for people: times, sizes, tables, colours. Nothing here knows what they mean."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from json import JSONEncoder as _Encoder

TYPE_CHECKING = False  # as type checkers know it: lists of runs do without `typing`
if TYPE_CHECKING:
    from typing import Any, TextIO

COLOURS = {"red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36", "dim": "2", "bold": "1"}

_CONTROL = r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
"""None of these is printable, as Python has it: most texts are known to be clean without the expression, which costs 1 ms."""

_NOT_IN_JSON = r"[\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
"""What JSON's own escapes leave as it is and a terminal, or UTF-8, does not bear."""

_JSON = _Encoder(ensure_ascii=False, allow_nan=False).encode
"""Bound before any code of a project is imported, which may replace functions of `json`."""


def clean(text: str) -> str:
    r"""Text without control characters, which could command the terminal: they are shown as `\x1b`."""
    return text if text.isprintable() else re.sub(_CONTROL, _escape, text)


def named(text: str, width: int = 60) -> str:
    """A name of the user's on one line, shortened: what ends a line is shown as what it is, so that no name forges one."""
    text = clean(text).replace("\n", "\\n").replace("\t", "\\t")
    return text if len(text) <= width else text[: width - 1] + "…"


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def _encoder(indent: int | None) -> Callable[[Any], str]:
    return _JSON if indent is None else _Encoder(ensure_ascii=False, allow_nan=False, indent=indent).encode


def as_json(value: Any, indent: int | None = None) -> str:
    """A value as JSON that any terminal and any encoding bears."""
    text = _encoder(indent)(value)
    return text if text.isprintable() else re.sub(_NOT_IN_JSON, lambda found: f"\\u{ord(found[0]):04x}", text)


def coloured(stream: TextIO) -> bool:
    """Whether a stream is a terminal that wants colours (`NO_COLOR`, `TERM=dumb` say no)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, colour: str, stream: TextIO | None = None) -> str:
    """Text in a colour, where the stream (stdout) shows colours."""
    if not text or not coloured(stream or sys.stdout):
        return text
    return f"\x1b[{COLOURS[colour]}m{text}\x1b[0m"


def first_line(title: str, run: str, stream: TextIO | None = None) -> str:
    """The first line of a run: the pipeline and its parameters, and the run's id."""
    return f"{title}  {paint(run, 'dim', stream)}"


def last_line(run: str, status: str, took: float, told: str, stream: TextIO | None = None) -> str:
    """The last line of a run: how it came out, in how many seconds, how many steps had which status."""
    colour = {"succeeded": "green", "failed": "red"}.get(status, "yellow")
    return f"{run} {paint(status, colour, stream)} in {seconds(took)}: {told}"


_aside: list[int] = []
"""Where the true stdout is while `only_documents` holds."""


@contextlib.contextmanager
def only_documents() -> Iterator[None]:
    """Nothing but `print_json` writes to stdout for a while: what else would, also user code, goes to stderr."""
    try:
        ours = sys.stdout.fileno() == 1
    except (OSError, ValueError):
        ours = False
    if not ours or _aside:
        yield
        return
    sys.stdout.flush()
    _aside.append(os.dup(1))
    os.dup2(2, 1)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        os.dup2(_aside[-1], 1)
        os.close(_aside.pop())


def silence(stream: TextIO) -> None:
    """Let what is written to a stream from now on go nowhere, and what it still holds too, so that nothing fails later."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with contextlib.suppress(OSError, ValueError):
        os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def print_json(document: Any) -> None:
    """One JSON document on stdout, in UTF-8 whatever the terminal's encoding is."""
    data = memoryview(as_json(document).encode() + b"\n")
    if not _aside:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    while _aside and data:
        data = data[os.write(_aside[-1], data) :]


def leave_documents() -> None:
    """Give stdout back to this process, which is about to become another program."""
    if _aside:
        os.dup2(_aside[-1], 1)


def seconds(value: float | None) -> str:
    """A duration: 0.03 s, 4.2 s, 3 min 10 s, 2 h 5 min."""
    if value is None:
        return ""
    if value < 9.95:
        return f"{value:.2f} s" if value < 0.995 else f"{value:.1f} s"
    if value < 59.5:
        return f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def size(count: float) -> str:
    """A number of bytes: 512 B, 1.2 kB, 3.4 GB."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if count < 999.5 or unit == "TB":
            return f"{count:.0f} {unit}" if unit == "B" or count >= 99.5 else f"{count:.1f} {unit}"
        count /= 1000
    return ""


def number(value: object) -> str:
    """A number for people: whole ones with thousands, others with six significant digits."""
    if isinstance(value, bool) or not isinstance(value, int | float) or str(value) == "-0.0":
        return str(value)
    if isinstance(value, int) or (value == value and abs(value) < 1e15 and value == int(value)):
        return f"{int(value):,}"
    return f"{value:.6g}"


def short(value: object, width: int = 60) -> str:
    """A value on one line, shortened."""
    text = clean(" ".join((value if isinstance(value, str) else repr(value)).split()))
    return text if len(text) <= width else text[: width - 1] + "…"


def last_words(line: str) -> str:
    """What stands on a line after all its returns to the beginning: the last state of a progress bar."""
    return line.rstrip("\r").rpartition("\r")[2]


def pairs(values: Any) -> str:
    """`name=value` for each item of a mapping."""
    return "  ".join(
        f"{named(str(name))}={number(value) if isinstance(value, int | float) else short(value)}"
        for name, value in values.items()
    )


def given(values: Any) -> str:
    """`name=value` for each parameter, numbers as one types them: `year=2026`, where `pairs` has `2,026`."""
    return "  ".join(f"{named(str(name))}={typed(value)}" for name, value in values.items())


def typed(value: object) -> str:
    """A parameter's value on one line, shortened; a number as one types it."""
    return f"{value:.12g}" if isinstance(value, float) else short(value)


def wide(text: str) -> int:
    """Columns that text takes on a terminal, colours not counted, East Asian wide characters counted twice."""
    if text.isascii() and "\x1b" not in text:
        return len(text)
    bare = re.sub(r"\x1b\[[0-9;]*m", "", text)
    return sum(
        2 if unicodedata.east_asian_width(c) in "WF" else 0 if unicodedata.combining(c) else 1 for c in bare
    )


def columns(stream: TextIO | None = None) -> int:
    """Columns of the terminal that a stream (stdout) goes to; 0 where it goes elsewhere, and lines may be of any length."""
    if not (stream or sys.stdout).isatty():
        return 0
    import shutil  # 3 ms, with the compressions that it knows

    return shutil.get_terminal_size((80, 24)).columns


def cut(text: str, width: int) -> str:
    """Text, colours in it kept, cut to so many columns of a terminal; what is cut off is `…`."""
    if wide(text) <= width:
        return text
    out, left = [], max(width - 1, 0)
    for part in re.findall(r"\x1b\[[0-9;]*m|.", text, re.DOTALL):
        if part.startswith("\x1b["):
            out.append(part)
        elif left >= 0:
            left -= wide(part)
            out.append(part if left >= 0 else "…" if width > 0 else "")
    return "".join(out)


def wrapped(text: str, width: int, indent: str = "", further: str = "") -> list[str]:
    """Text broken between words into lines of `width` columns (0: one line), the first behind `indent`."""
    if not width or wide(indent + text) <= width:
        return [indent + text]
    import textwrap  # only where something is too long

    return textwrap.wrap(
        text, max(width, 40), initial_indent=indent, subsequent_indent=indent + further,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def table(
    rows: Iterable[Sequence[str]], head: Sequence[str] = (), width: int = 0, *, whole: bool = False
) -> list[str]:
    """Rows as aligned lines; the last column is as wide as it likes, or is cut so that lines take `width` columns.

    With `whole` it is not cut: where it does not fit, it stands on lines of its own below, indented. A
    line is longer only where the other columns alone are: names are never cut.
    """
    body = [list(row) for row in rows]
    shown = [[paint(cell, "dim") for cell in head], *body] if head else body
    if not shown:
        return []
    widths = [max(wide(row[i]) for row in shown) for i in range(len(shown[0]))]
    lines = []
    for row in shown:
        cells = [cell + " " * (widths[i] - wide(cell)) for i, cell in enumerate(row[:-1])]
        room = max(width - sum(widths[:-1]) - 2 * len(cells), 8) if width else 0
        if whole and width and wide(row[-1]) > room:
            lines.append("  ".join(cells).rstrip())
            lines += wrapped(row[-1], width, "      ")
            continue
        lines.append(("  ".join([*cells, cut(row[-1], room) if width else row[-1]])).rstrip())
    return lines
