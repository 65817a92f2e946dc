"""Where a project's manifest is written, found and read as it stands: nothing is checked but that it is TOML.

The first of these that is there is the manifest, alone, and the others do not count:

    pipeline.py        the header of a single file (PEP 723), where it has a table `[tool.stepwell]`
    stepwell.toml      in the project's root: the same tables without the prefix
    pyproject.toml     in the project's root: `[tool.stepwell]`

Most projects have none of them, and `written_of` then costs a look at the files. `author.settings` is what every
plan asks of it, `author.manifest` all that can be said in it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from stepwell.author.where import short
from stepwell.errors import BadSettings
from stepwell.named import NamedTuple

Kind = Literal["script", "stepwell", "pyproject"]

_MARK = b"# /// script"

_BLOCK = re.compile(r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(^#(| .*)$\s)+)^# ///$")
"""The regular expression of PEP 723, for text whose lines end with a line feed."""

_MAY_BE_KEY = re.compile(
    r"""(?mx) tool ["']? \s* \. \s* ["']? stepwell | (^ | [{,]) \s* ["']? stepwell ["']? \s* (\. | = (?!=))"""
)
"""What a text has somewhere if it has a table `tool.stepwell`, though many others have it as well."""


class Header(NamedTuple):
    """The block `script` of a file: its TOML, and the lines of the file, from 0, that begin and end it."""

    text: str
    first: int
    last: int


class Written(NamedTuple):
    """A manifest as it is written: its file, the TOML in it, and the table of Stepwell's own.

    `above` are the lines of the file before the TOML begins.
    """

    kind: Kind
    file: Path
    text: str
    table: Mapping[str, Any]
    above: int = 0

    @property
    def prefix(self) -> tuple[str, ...]:
        """The tables that Stepwell's own is in."""
        return () if self.kind == "stepwell" else ("tool", "stepwell")

    @property
    def name(self) -> str:
        """The file as messages call it."""
        return short(str(self.file))


def written_of(root: Path, file: Path | None = None) -> Written | None:
    """The manifest of the project with this root, or of a single `file` that has its own; None where there is none.

    Raises `BadSettings` for what is no TOML, and for a `[tool.stepwell]` that is no table.
    """
    script = "" if file is None else os.fspath(file)
    if script.endswith(".py") and (found := _of("script", script)) is not None:
        return found
    folder = os.fspath(root)
    named = _of("stepwell", os.path.join(folder, "stepwell.toml"))
    return named or _of("pyproject", os.path.join(folder, "pyproject.toml"))


def _of(kind: Kind, file: str) -> Written | None:
    if not os.path.isfile(file):  # an exception would cost more, and most projects have none
        return None
    try:
        with open(file, "rb", buffering=0) as opened:
            data = opened.read()
    except OSError as error:
        if kind == "script":  # loading it says so better
            return None
        raise BadSettings(f"`{os.path.basename(file)}` cannot be read", why=str(error)) from None
    if (b"stepwell" not in data and kind != "stepwell") or (kind == "script" and _MARK not in data):
        return None
    return _parsed(kind, file, data)


@lru_cache(maxsize=8)
def _parsed(kind: Kind, path: str, data: bytes) -> Written | None:
    """Several parts of one command ask for the same file."""
    file = Path(path)
    try:
        text = decoded(kind, data)
    except (ValueError, SyntaxError) as error:
        if kind == "script":
            return None
        raise BadSettings(f"`{file.name}` cannot be read", why=str(error)) from None
    if kind == "stepwell":
        return Written(kind, file, text, _toml(text, file, 0))
    if kind == "pyproject":
        return _in_tool(kind, file, text, 0) if _MAY_BE_KEY.search(text) else None
    header = header_of(text, file)
    return None if header is None else _in_tool(kind, file, header.text, header.first + 1)


def _in_tool(kind: Kind, file: Path, text: str, above: int) -> Written | None:
    tool = _toml(text, file, above).get("tool", {})
    if not isinstance(tool, dict) or "stepwell" not in tool:
        return None
    table = tool["stepwell"]
    if not isinstance(table, dict):
        raise BadSettings(f"`tool.stepwell` of `{file.name}` is not a table", fixes=["[tool.stepwell]"])
    return Written(kind, file, text, table, above)


def _toml(text: str, file: Path, above: int) -> Mapping[str, Any]:
    import tomllib  # most projects have no settings

    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        found = re.search(r"line (\d+)", str(error))
        line = above + (int(found[1]) if found else len(text.split("\n")))
        what = f"`{file.name}` cannot be read" if not above else f"the header of `{file.name}` cannot be read"
        raise BadSettings(what, why=str(error), where=f"{short(str(file))}:{line}") from None


# --------------------------------------------------------------------------- text


def decoded(kind: Kind, data: bytes) -> str:
    """The text of a file, its lines ended by line feeds, without the byte order mark.

    Raises `ValueError` (of which `UnicodeDecodeError` is one), and `SyntaxError` for a script that names an
    encoding that there is not.
    """
    text = data.decode(encoding_of(kind, data))
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def encoding_of(kind: Kind, data: bytes) -> str:
    """UTF-8, but of a script what it says at its top. Raises `SyntaxError` for what is no encoding."""
    if kind != "script" or (data.isascii() and b"coding" not in data):
        return "utf-8"
    from tokenize import detect_encoding  # few scripts have anything but ASCII and a header

    lines = iter(data.splitlines(keepends=True))
    name, _ = detect_encoding(lambda: next(lines, b""))
    return "utf-8" if name == "utf-8-sig" else name


def header_of(text: str, file: Path) -> Header | None:
    """The block `script` of a file's text, whose lines end with line feeds; None where there is none.

    Raises `BadSettings` for two, if one of them has something of Stepwell's.
    """
    if "# /// script" not in text:
        return None
    blocks = [found for found in _BLOCK.finditer(text) if found["type"] == "script"]
    if len(blocks) > 1 and any(_MAY_BE_KEY.search(found["content"]) for found in blocks):
        line = text.count("\n", 0, blocks[1].start()) + 1
        raise BadSettings(
            f"`{file.name}` has {len(blocks)} headers `# /// script`",
            why="a file has one, and no tool may choose between them (PEP 723)",
            fixes=["put into the first what the others say, and remove them"],
            where=f"{short(str(file))}:{line}",
        )
    if not blocks:
        return None
    lines = blocks[0]["content"].split("\n")
    content = "\n".join(line[2:] if line.startswith("# ") else line[1:] for line in lines)
    first = text.count("\n", 0, blocks[0].start())
    return Header(content, first, first + len(lines))
