"""Changes of a manifest that keep what people wrote: comments, order, spacing, line ends, byte order mark, mode.

    home = home_of(root, file)                                      # where this project's manifest is, or would be
    edit = with_data(home, "customers", {"source": "s3://…"})       # nothing is written yet
    edit.apply()                                                    # whole or not at all

Lines that the change is not about stay byte for byte. New tables and new keys are put in as lines, values that are
there already are replaced by tomlkit; each result is parsed again, and one that says anything else than was meant, or
touches another line, is not taken: then it is `CannotEdit`, with what to type.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, Literal, NamedTuple

from stepwell.author import written
from stepwell.author.manifest import Manifest, checked
from stepwell.author.tables import Path as Keys
from stepwell.author.tables import keys_of_lines
from stepwell.author.where import short
from stepwell.author.written import Kind, Written
from stepwell.errors import BadSettings, CannotEdit
from stepwell.stores.durable import replace

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r|$)")
_BOM = "\ufeff"


class Home(NamedTuple):
    """The file that a project's manifest is in, or would be; it need not be there yet."""

    kind: Kind
    file: Path

    @property
    def prefix(self) -> Keys:
        """The tables that Stepwell's own is in."""
        return () if self.kind == "stepwell" else ("tool", "stepwell")

    def heading(self, *names: str) -> str:
        """How a table of the manifest is headed in this file: "[release]", or "[tool.stepwell.release]"."""
        return f"[{'.'.join((*self.prefix, *names))}]"


class Edit(NamedTuple):
    """A change of a file: what it was read as (None: it is not there), what it is to be, and the manifest that it is then."""

    file: Path
    before: bytes | None
    after: bytes
    manifest: Manifest

    @property
    def changes(self) -> bool:
        """Whether anything would be another byte."""
        return self.before != self.after

    def apply(self) -> bool:
        """Write it, durably and whole; gives whether that changed the file.

        Raises `CannotEdit` where somebody changed the file meanwhile, or where it cannot be written.
        """
        name = short(str(self.file))
        if _bytes(self.file) != self.before:
            raise CannotEdit(f"`{name}` was changed by somebody else just now", fixes=["try again"])
        if not self.changes:
            return False
        try:
            if self.before is not None and not os.access(self.file, os.W_OK):
                raise PermissionError(13, "it may not be written to")
            replace(self.file, self.after)
        except OSError as error:
            raise CannotEdit(f"`{name}` cannot be written: {error.strerror or error}") from None
        return True


class _Block(NamedTuple):
    """The TOML in a file: its lines without their ends, and which lines of the file they are."""

    lines: list[str]
    first: int
    last: int


def home_of(root: Path, file: Path | None = None) -> Home:
    """Where the manifest of a project is, or of a single `file` with a header; where there is none, where it would be.

    That is the header of the file if it has one, else `pyproject.toml` if there is one, else a new `stepwell.toml`.
    Raises `BadSettings` for a manifest that cannot be read.
    """
    found = written.written_of(root, file)
    if found is not None:
        return Home(found.kind, found.file)
    if file is not None and file.suffix == ".py" and (data := _bytes(file)) is not None:
        try:
            header = written.header_of(written.decoded("script", data), file)
        except (ValueError, SyntaxError):
            header = None
        if header is not None:
            return Home("script", file)
    pyproject = root / "pyproject.toml"
    return Home("pyproject", pyproject) if pyproject.is_file() else Home("stepwell", root / "stepwell.toml")


def with_data(home: Home, name: str, values: Mapping[str, Any]) -> Edit:
    """The change that gives named data these values: its table is added, or keys of it are; None takes a key away.

    `values` are texts, numbers, truth values, and lists and tables of them. Keys that are not named stay as they are.
    Raises `BadSettings` (or `SeveralProblems`) where the manifest is wrong, or would be with them (a name that data
    cannot have, a key that there is not), and `CannotEdit` where the file cannot be edited safely.
    """
    before = _bytes(home.file)
    raw, encoding, bom = _opened(home, before)
    block = _block(home, raw)
    path = (*home.prefix, "data", name)
    old = _toml(home, block.lines)
    wanted = _changed(old, path, values)
    manifest = _checked(home, block, wanted)
    if wanted == old:
        return Edit(home.file, before, before or b"", manifest)
    lines = _edited(block.lines, path, values, wanted)
    if lines is None:
        raise _refused(home, name, values)
    text = "".join(_spliced(home, raw, block, lines))
    if home.kind == "script":
        header = written.header_of(_plain(text), home.file)
        if header is None or tomllib.loads(header.text) != wanted:
            raise _refused(home, name, values)
    try:
        after = (bom + text).encode(encoding)
    except UnicodeError as error:
        why = f"the file is written in {encoding}, which does not have all of its characters"
        raise CannotEdit(f"`{short(str(home.file))}` cannot say this", why=f"{why} ({error})") from None
    return Edit(home.file, before, after, manifest)


# --------------------------------------------------------------------------- reading


def _bytes(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CannotEdit(f"`{short(str(file))}` cannot be read: {error.strerror or error}") from None


def _opened(home: Home, data: bytes | None) -> tuple[list[str], str, str]:
    """The lines of a file with their ends, its encoding, and its byte order mark if it has one."""
    try:
        encoding = written.encoding_of(home.kind, data or b"")
        text = (data or b"").decode(encoding)
    except (ValueError, SyntaxError) as error:
        raise CannotEdit(f"`{short(str(home.file))}` is not text", why=str(error)) from None
    bom = _BOM if text.startswith(_BOM) else ""
    return [line for line in _LINE.findall(text[len(bom) :]) if line], encoding, bom


def _block(home: Home, raw: Sequence[str]) -> _Block:
    """The TOML among the lines of a file: all of them, or those of the header without their marks."""
    if home.kind != "script":
        return _Block([_bare(line) for line in raw], 0, len(raw))
    header = written.header_of("\n".join(_bare(line) for line in raw), home.file)
    if header is None:
        name = short(str(home.file))
        fixes = ["# /// script", '# dependencies = ["stepwell"]', "# ///"]
        raise CannotEdit(f"`{name}` has no header to write in", fixes=fixes)
    return _Block(header.text.split("\n")[:-1], header.first + 1, header.last)


def _toml(home: Home, lines: Sequence[str]) -> dict[str, Any]:
    try:
        return tomllib.loads("\n".join(lines))
    except (ValueError, RecursionError) as error:
        raise BadSettings(f"`{home.file.name}` cannot be read", why=str(error)) from None


def _bare(line: str) -> str:
    return line.rstrip("\r\n")


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


# --------------------------------------------------------------------------- what is meant


def _changed(old: Mapping[str, Any], path: Keys, values: Mapping[str, Any]) -> dict[str, Any]:
    """The whole content with the change, as plain data. Raises `CannotEdit` where no table can be."""
    if not path:
        kept = {key: value for key, value in old.items() if key not in values}
        return {**kept, **{key: _tables(value) for key, value in values.items() if value is not None}}
    inner = old.get(path[0], {})
    if not isinstance(inner, dict):
        raise CannotEdit(f"`{path[0]}` is {type(inner).__name__} where a table is needed")
    return {**old, path[0]: _changed(inner, path[1:], values)}


def _tables(value: Any) -> Any:
    """Plain data as TOML gives it back."""
    if isinstance(value, Mapping):
        return {str(key): _tables(one) for key, one in value.items()}
    return [_tables(one) for one in value] if isinstance(value, list | tuple) else value


def _checked(home: Home, block: _Block, wanted: Mapping[str, Any]) -> Manifest:
    """The manifest that it would be. Raises `BadSettings`, `SeveralProblems` where that is wrong."""
    table: Any = wanted
    for key in home.prefix:
        table = table[key]
    return checked(Written(home.kind, home.file, "\n".join(block.lines), table, block.first))


# --------------------------------------------------------------------------- ways to write it


def _edited(lines: list[str], path: Keys, values: Mapping[str, Any], wanted: object) -> list[str] | None:
    """The lines with the change, by the first way that says what is meant and leaves other lines alone."""
    from tomlkit.exceptions import TOMLKitError  # only where a manifest is changed

    for way in (_by_lines, _by_tomlkit):
        try:
            found = way(lines, path, values)
            right = found is not None and tomllib.loads("\n".join(found)) == wanted
        # What tomlkit cannot do, it says in many ways.
        except (TOMLKitError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            continue
        if found is not None and right and _only_there(lines, found, path):
            return found
    return None


def _by_lines(lines: list[str], path: Keys, values: Mapping[str, Any]) -> list[str] | None:
    """A new table as a block of lines; in one with its own header, new keys as lines, and others by tomlkit there.

    None where the table is written in another way. Only the table's own lines are given to tomlkit, which cannot
    read whatever else may stand in a file.
    """
    places = list(keys_of_lines(lines))
    heads = {keys for _, keys, is_table in places if is_table}
    given = {key: value for key, value in values.items() if value is not None}
    if path not in heads:
        if any(keys[: len(path)] == path for _, keys, _ in places):
            return None
        return _with_block(lines, places, path, [f"{_key(key)} = {_text(one)}" for key, one in given.items()])
    span = _span(lines, path)
    there = {keys[len(path)] for number, keys, _ in places if number in span[1:]}
    new = [f"{_key(key)} = {_text(one)}" for key, one in given.items() if key not in there and (*path, key) not in heads]  # fmt: skip
    end = _end_of_keys(lines, span)
    indent = next((_indent(lines[number]) for number, _, _ in places if number in span[1:]), "")
    own = [*lines[span.start : end], *(indent + line for line in new)]
    if old := {key: value for key, value in values.items() if key in there}:
        own = _by_tomlkit(own, path, old)
    found: list[str] | None = [*lines[: span.start], *own, *lines[end:]]
    for key, value in values.items():
        if (*path, key) in heads and found is not None:
            gone = dict.fromkeys(keys[-1] for _, keys, _ in places if keys[:-1] == (*path, key))
            found = _by_lines(found, (*path, key), {**gone, **value}) if isinstance(value, Mapping) else None
    return found


def _with_block(
    lines: list[str], places: Sequence[tuple[int, Keys, bool]], path: Keys, body: list[str]
) -> list[str]:
    """The lines with a new table after the last one that is related to it, or at the end."""
    block = [f"[{'.'.join(map(_key, path))}]", *body]
    for length in range(len(path) - 1, 0, -1):
        tables = [keys for _, keys, is_table in places if is_table and keys[:length] == path[:length]]
        if tables and length >= min(2, len(path) - 1):
            end = _end_of(lines, _last_span(lines, path[:length]))
            break
    else:
        end = len(lines)
        while end and not lines[end - 1].strip():
            end -= 1
    before = [""] if end else []
    after = [""] if end < len(lines) and lines[end].strip() else []
    return [*lines[:end], *before, *block, *after, *lines[end:]]


def _by_tomlkit(lines: list[str], path: Keys, values: Mapping[str, Any]) -> list[str]:
    """Keys of a table, wherever and however it is written."""
    import tomlkit  # only where a manifest is changed

    document = tomlkit.parse("\n".join([*lines, ""]))
    *above, name = path
    table: Any = document
    for key in above:
        if key not in table:
            table[key] = tomlkit.value("{}")
        table = table[key]
    if name in table:
        _put(table, name, values)
    else:
        table[name] = tomlkit.value(_text({key: one for key, one in values.items() if one is not None}))
    return tomlkit.dumps(document).split("\n")[:-1]


def _put(holder: Any, name: str, values: Mapping[str, Any]) -> None:
    """Change keys of a table which is there already; one that stands on one line is written anew as a whole."""
    import tomlkit
    from tomlkit.items import InlineTable

    table = holder[name]
    if isinstance(table, InlineTable):
        kept = {key: table[key] for key in table if key not in values or values[key] == table[key]}
        changed = {key: one for key, one in values.items() if key not in kept and one is not None}
        order = dict.fromkeys((*(key for key in table if key in {**kept, **changed}), *changed))
        holder[name] = tomlkit.value(_text({key: kept.get(key, changed.get(key)) for key in order}))
        return
    for key, value in values.items():
        if value is None:
            if key in table:
                table.remove(key)
        elif isinstance(value, Mapping) and isinstance(table.get(key), Mapping):
            _put(table, key, {**dict.fromkeys(table[key]), **value})
        elif key not in table or table[key] != value:
            table[key] = tomlkit.value(_text(value))


def _text(value: Any) -> str:
    """A value on one line; what is tomlkit's already, as it is written."""
    import tomlkit
    from tomlkit.items import Item

    if isinstance(value, Item):
        return value.as_string()
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(str(key))} = {_text(one)}" for key, one in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_text, value))}]"
    return tomlkit.item(value).as_string()


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _text(key)


# --------------------------------------------------------------------------- lines


def _spans(lines: Sequence[str]) -> Iterator[tuple[Keys, range]]:
    """The tables of a TOML text with a header, each with its lines."""
    heads = [(number, keys) for number, keys, is_table in keys_of_lines(lines) if is_table]
    for index, (number, keys) in enumerate(heads):
        yield keys, range(number, heads[index + 1][0] if index + 1 < len(heads) else len(lines))


def _span(lines: Sequence[str], path: Keys) -> range:
    return next(span for keys, span in _spans(lines) if keys == path)


def _last_span(lines: Sequence[str], path: Keys) -> int:
    return max(span[-1] for keys, span in _spans(lines) if keys[: len(path)] == path)


def _end_of(lines: Sequence[str], last: int) -> int:
    """The line after the last that belongs to a table which ends with line `last`.

    Blank lines do not, nor do comments that stand right above the next table's header.
    """
    end = last + 1
    comments = end
    while comments and lines[comments - 1].lstrip().startswith("#"):
        comments -= 1
    if end < len(lines):
        end = comments
    while end and not lines[end - 1].strip():
        end -= 1
    return end


def _end_of_keys(lines: Sequence[str], span: range) -> int:
    """The line after the last key of a table: comments below it may be about what comes next."""
    end = span[-1] + 1
    while not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#"):
        end -= 1
    return end


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _only_there(before: Sequence[str], after: Sequence[str], path: Keys) -> bool:
    """Whether the lines that were taken away or changed are all the table's own."""
    own = {number for keys, span in _spans(before) if keys[: len(path)] == path for number in span}
    own |= {number for number, keys, _ in keys_of_lines(before) if keys == path[: len(keys)] or keys[: len(path)] == path}  # fmt: skip
    gone = (range(a, b) for kind, a, b, _, _ in _steps(before, after) if kind in ("delete", "replace"))
    return all(number in own for span in gone for number in span)


def _steps(
    before: Sequence[str], after: Sequence[str]
) -> list[tuple[Literal["replace", "delete", "insert", "equal"], int, int, int, int]]:
    return SequenceMatcher(None, before, after, autojunk=False).get_opcodes()


def _spliced(home: Home, raw: Sequence[str], block: _Block, lines: Sequence[str]) -> Iterator[str]:
    """The lines of the file with the change: those that stay as they are byte for byte, new ones with the file's line end."""
    mark = "# " if home.kind == "script" else ""
    ends = [line[len(_bare(line)) :] for line in raw]
    usual = next((end for end in ends[block.first :] if end), next(filter(None, ends), "\n"))
    unended = home.kind != "script" and bool(raw) and not ends[-1]
    out = list(raw[: block.first])
    for kind, a, b, c, d in _steps(block.lines, lines):
        if kind == "equal":
            out += raw[block.first + a : block.first + b]
        else:
            out += [(f"{mark}{line}" if line else mark.rstrip()) + usual for line in lines[c:d]]
    out += raw[block.last :]
    for index, line in enumerate(out[:-1]):  # the file's last line, which had no end, may not be the last now
        if line == _bare(line):
            out[index] = line + usual
    if unended:
        out[-1] = _bare(out[-1])
    yield from out


def _refused(home: Home, name: str, values: Mapping[str, Any]) -> CannotEdit:
    path = ".".join(map(_key, (*home.prefix, "data", name)))
    given = {key: value for key, value in values.items() if value is not None}
    lines = [f"[{path}]", *(f"{_key(key)} = {_text(value)}" for key, value in given.items())]
    return CannotEdit(
        f"`{short(str(home.file))}` is written in a way that cannot be edited safely",
        why="something else than this table would change with it",
        fixes=["write it yourself:", *lines],
    )
