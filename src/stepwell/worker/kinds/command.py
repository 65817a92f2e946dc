"""A command line made of a spec and values: its words, the files that it is given, where it writes.

    command = compose(spec, values, root, base)     what is to be started: `Command`
    ended = run(command.argv, command.cwd, command.env, command.stdout)
    collect(spec, command)                          what it gave: paths, and what it printed

`compose` puts into `base`, a new folder, what the command needs: `work` (where it runs), `command.sh`,
`values` (inputs that were asked for as files), `tmp`. `seen` says how the command sees a path; a command in
another place (a container) sees the same file elsewhere.

A spec has: `text` and `shell` (words before the script's name), or `argv`; `outputs` (path by name),
`stdout` (what its standard output becomes), `defaults`, `ok` (exit codes), `cwd` ("" or "project").
"""

from __future__ import annotations

import datetime as dt
import enum
import json
import os
import shlex
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from stepwell.errors import CommandOutputMissing, NotOneWord, WrongOutput
from stepwell.worker.kinds import template
from stepwell.worker.kinds.template import Hole
from stepwell.worker.secrets import Secret

Seen = Callable[[Path], str]
"""How a command sees a file or folder of ours."""

Spec = Mapping[str, Any]

NUMBERS = (int, float)


class Command(NamedTuple):
    """A command line that can be started. `outputs` are where its outputs will be, `stdout` a file for what it prints.

    `before` is what was known of outputs that were there already. `text` is what a person would type,
    `reads` are the paths that it was given.
    """

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]
    outputs: Mapping[str, Path]
    stdout: Path | None
    before: Mapping[str, tuple[int, ...]]
    text: str
    reads: frozenset[str] = frozenset()


def compose(
    spec: Spec,
    values: Mapping[str, Any],
    root: Path,
    base: Path,
    seen: Seen = os.fspath,
    first: Sequence[str] = (),
) -> Command:
    """A command with these inputs, and everything that it needs in `base`. Without a shell, `first` are its first words.

    Raises `NotOneWord`, `OSError`.
    """
    in_project = spec.get("cwd") == "project"
    work, temporary = base / "work", base / "tmp"
    for folder in (work, temporary, base / "values"):
        folder.mkdir(parents=True, exist_ok=True)
    cwd = root if in_project else work
    outputs = {name: cwd / path for name, path in spec["outputs"].items()}
    for name, path in outputs.items():
        (path if spec["outputs"][name].endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
    words = _Words({**spec.get("defaults", {}), **values}, spec["outputs"], root, base, seen)
    if "argv" in spec:
        argv = (*first, *(word for one in spec["argv"] for word in words.of_argument(one)))
        text = shlex.join(argv)
    else:
        text = words.script(spec["text"], is_bash=os.path.basename(spec["shell"][0]) == "bash")
        script = base / "command.sh"
        script.write_bytes(os.fsencode(text + "\n"))
        argv = (*spec["shell"], seen(script))
    printed = spec.get("stdout") or {}
    stdout = None
    if printed:
        stdout = cwd / printed["file"] if "file" in printed else base / "stdout"
        stdout.parent.mkdir(parents=True, exist_ok=True)
    before = {name: mark for name, path in outputs.items() if in_project and (mark := _mark(path))}
    env = {"TMPDIR": seen(temporary), **words.secrets()}
    return Command(argv, cwd, env, outputs, stdout, before, text, frozenset(words.reads))


class _Words:
    """Values as words of a command line. Inputs that are asked for in a format become files."""

    def __init__(
        self, values: Mapping[str, Any], outputs: Mapping[str, str], root: Path, base: Path, seen: Seen
    ) -> None:
        self._values, self._outputs, self._root, self._base, self._seen = values, outputs, root, base, seen
        self.reads: set[str] = set()

    def of_argument(self, argument: str) -> list[str]:
        """The words of one argument: several only where it is a placeholder for a list."""
        pieces = template.words(argument)
        if len(pieces) == 1 and isinstance(pieces[0], Hole):
            found = self._of(pieces[0])
            return [found] if isinstance(found, str) else found
        return ["".join(piece if isinstance(piece, str) else self._one(piece) for piece in pieces)]

    def script(self, text: str, *, is_bash: bool) -> str:
        """The script: values as variables first, then the text, which refers to them."""
        pieces = template.pieces(text)
        lines: dict[str, str] = {}
        pasted, several = {}, []
        inline: list[template.Piece] = []
        for piece in pieces:
            inline.append(piece)
            if not isinstance(piece, Hole):
                continue
            if isinstance(self._values.get(piece.name), Secret):
                self._hidden(piece)
                continue
            if piece.format == "raw":
                pasted[piece.name] = self._one(piece)
                continue
            found = self._of(piece)
            if isinstance(found, str):
                lines[template.variable(piece)] = shlex.quote(found)
            elif not piece.whole:
                raise self._error(
                    piece, "is a list, and its placeholder is only a part of a word", "let it stand alone"
                )
            elif is_bash:
                several.append(piece.name)
                lines[template.variable(piece)] = f"({shlex.join(found)})"
            else:
                inline[-1] = self._inline(piece, found, text)
        prologue = [f"{name}={value}" for name, value in lines.items()]
        return "\n".join([*prologue, template.referring(inline, several, pasted)])

    def secrets(self) -> dict[str, str]:
        """Inputs that are secrets, as variables of the command's environment. Raises `SecretGone`."""
        held = {name: value for name, value in self._values.items() if isinstance(value, Secret)}
        return {f"{template.PREFIX}{name}": value.reveal() for name, value in held.items()}

    def _hidden(self, hole: Hole) -> None:
        """Refuse a placeholder for a secret that is more than a reference to its variable. Raises `NotOneWord`."""
        if hole.format or hole.context == "number":
            raise self._error(
                hole,
                "is a secret, and would be written to a file or into the command",
                f"write {{{hole.name}}} alone: the shell reads it from its environment",
            )

    def _inline(self, hole: Hole, found: Sequence[str], text: str) -> str:
        """The words of a list for a shell without lists. Not where the quotes around it may be others than they seem."""
        if "case" in text or "<<" in text:
            raise self._error(
                hole, "is a list, and this shell has none", f"use bash, or a file: {{{hole.name}:json}}"
            )
        return shlex.join(found)

    def _one(self, hole: Hole) -> str:
        found = self._of(hole)
        if isinstance(found, str):
            return found
        if hole.format == "raw":
            return " ".join(found)
        raise self._error(
            hole, "is a list, and its placeholder is only a part of a word", "let it stand alone"
        )

    def _of(self, hole: Hole) -> str | list[str]:
        name = hole.name
        if name in self._outputs:
            return _relative(self._outputs[name])
        value = self._values[name]
        if isinstance(value, Secret):
            raise self._error(
                hole,
                "is a secret, and the arguments of a program are seen by every process",
                f"let the program read ${template.PREFIX}{name} of its environment, or call it from a shell",
            )
        if hole.format in ("", "raw"):
            if hole.context == "number":
                return self._number(hole, value)
            if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
                return [self._word(hole, item) for item in value]
            return self._word(hole, value)
        return self._seen(self._file(hole, value))

    def _number(self, hole: Hole, value: Any) -> str:
        if type(value) not in NUMBERS:
            raise self._error(
                hole, f"is {_kind(value)}, and stands in arithmetic, which executes texts", "pass a number"
            )
        return str(value)

    def _word(self, hole: Hole, value: Any) -> str:
        if isinstance(value, enum.Enum):
            value = value.value
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, Path):
            path = os.path.abspath(self._root / value)
            self.reads.add(path)
            return self._seen(Path(path))
        if isinstance(value, dt.date | dt.time):
            return value.isoformat()
        if isinstance(value, str | int | float) or type(value).__name__ in _TEXTS:
            text = str(value)
            if "\0" in text:
                raise self._error(
                    hole,
                    "has a NUL character in it",
                    f"no command line can have one: use {{{hole.name}:text}}",
                )
            return text
        if hasattr(value, "item") and getattr(value, "shape", None) == ():
            return self._word(hole, value.item())
        raise self._error(
            hole,
            f"is {_kind(value)}, which is no word of a command line",
            f"ask for it as a file: {{{hole.name}:{'json' if isinstance(value, dict | list | tuple | type(None)) else 'csv'}}}",
        )

    def _file(self, hole: Hole, value: Any) -> Path:
        """An input written to a file of a format."""
        path = self._base / "values" / f"{hole.name}.{'txt' if hole.format == 'text' else hole.format}"
        try:
            _WRITERS[hole.format](value, path)
        except (AttributeError, TypeError, ValueError, ImportError) as error:
            raise self._error(
                hole,
                f"is {_kind(value)}, which cannot be written as {hole.format}: {type(error).__name__}: {error}",
                "ask for another format, or write the file in a step and pass its Path",
            ) from error
        path.chmod(0o444)
        return path

    def _error(self, hole: Hole, what: str, fix: str) -> NotOneWord:
        return NotOneWord(f"the input `{hole.name}` of the command {what}", fixes=[fix])


_TEXTS = ("Decimal", "Fraction", "UUID")


def _relative(path: str) -> str:
    """An output's path as the command is given it; one that begins with a dash is no option."""
    return f"./{path}" if path.startswith("-") else path.rstrip("/") or path


def _kind(value: Any) -> str:
    if value is None:
        return "None"
    name = type(value).__name__
    return f"an {name}" if name[:1].lower() in "aeio" else f"a {name}"


def _write_json(value: Any, path: Path) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2, default=_plain) + "\n", "utf-8")


def _plain(value: Any) -> Any:
    """What JSON has no word for: paths and dates as text, arrays as lists."""
    if isinstance(value, Path | dt.date | dt.time) or type(value).__name__ in _TEXTS:
        return value.isoformat() if isinstance(value, dt.date | dt.time) else str(value)
    if isinstance(value, enum.Enum):
        return value.value
    if hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "to_dict"):
        return value.to_dict("records")
    raise TypeError(f"JSON has no {type(value).__name__}")


def _write_text(value: Any, path: Path) -> None:
    if not isinstance(value, str | bytes):
        raise TypeError("it is no text")
    path.write_bytes(value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape"))


def _write_csv(value: Any, path: Path) -> None:
    if hasattr(value, "write_csv"):  # polars
        value.write_csv(path)
    elif hasattr(value, "to_csv"):  # pandas: an index that says nothing is left out
        value.to_csv(path, index=type(value.index).__name__ != "RangeIndex")
    elif type(value).__module__.partition(".")[0] == "pyarrow":
        from pyarrow import csv

        csv.write_csv(value, path)
    else:
        import csv as plain_csv

        rows = [list(row) if isinstance(row, list | tuple) else [row] for row in value]
        with path.open("w", newline="", encoding="utf-8") as file:
            plain_csv.writer(file).writerows(rows)


def _write_parquet(value: Any, path: Path) -> None:
    if hasattr(value, "write_parquet"):
        value.write_parquet(path)
    elif hasattr(value, "to_parquet"):
        value.to_parquet(path)
    else:
        from pyarrow import parquet

        parquet.write_table(value, path)


_WRITERS: Mapping[str, Callable[[Any, Path], None]] = {
    "json": _write_json,
    "text": _write_text,
    "csv": _write_csv,
    "parquet": _write_parquet,
}


# --------------------------------------------------------------------------- what it gave


def collect(spec: Spec, command: Command) -> Any:
    """What a command that ended well gave, as `returns` says. Raises `CommandOutputMissing`, `WrongOutput`."""
    for name, path in command.outputs.items():
        mark = _mark(path)
        if mark and mark != command.before.get(name):
            continue
        was_there = bool(mark)
        raise CommandOutputMissing(
            f"the command ended well and did not write its output `{spec['outputs'][name]}`",
            why="it was there before, and is as it was" if was_there else _listed(command.cwd, spec),
            fixes=[
                f"let it write {{{name}}}"
                if not was_there
                else "let the command write it, or remove the file before",
                "declare the path that it does write",
            ],
        )
    parts: dict[str, Any] = dict(command.outputs)
    printed = spec.get("stdout") or {}
    if printed and command.stdout is not None:
        parts["stdout"] = command.stdout if "file" in printed else _read(printed["type"], command.stdout)
    if not parts:
        return None
    return next(iter(parts.values())) if len(parts) == 1 and spec.get("single", True) else parts


def _read(kind: str, path: Path) -> Any:
    """What a command printed, as a value. Raises `WrongOutput`."""
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    stripped = text.strip()
    try:
        if kind == "str":
            return text.rstrip("\n")
        if kind in ("int", "float"):
            return int(stripped) if kind == "int" else float(stripped)
        if kind == "bool":
            return {"true": True, "false": False, "1": True, "0": False}[stripped.lower()]
        return json.loads(text)
    except (ValueError, KeyError):
        shown = f"{stripped[:80]!r}" if stripped else "nothing"
        words = {"int": "a whole number", "float": "a number", "bool": "true or false", "json": "JSON"}[kind]
        raise WrongOutput(
            f"the command printed {shown}, and declares {words}",
            why="`stdout=` says what its standard output is",
            fixes=["print only the value to standard output, and all else to standard error"],
        ) from None


def _listed(folder: Path, spec: Spec) -> str:
    """What was written instead, in words."""
    if spec.get("cwd") == "project":
        return "it is not there"
    found = []
    for here, _, files in os.walk(folder):
        found += [os.path.relpath(os.path.join(here, name), folder) for name in files]
        if len(found) > 1000:
            break
    names = sorted(found)
    if not names:
        return "it wrote no file"
    return f"it wrote {', '.join(f'`{name}`' for name in names[:10])}" + (" …" if len(names) > 10 else "")


def _mark(path: Path) -> tuple[int, ...]:
    """What tells a file from what it becomes when it is written; empty where there is none."""
    try:
        found = path.stat()
    except OSError:
        return ()
    if path.is_dir():
        inner = [mark for below in sorted(path.rglob("*")) if (mark := _inner(below))]
        return (found.st_ino, found.st_mtime_ns, *[number for mark in inner for number in mark])
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _inner(path: Path) -> tuple[int, ...]:
    try:
        found = path.lstat()
    except OSError:
        return ()
    return (found.st_ino, found.st_size, found.st_mtime_ns)


def names_of(pieces: Iterable[template.Piece]) -> list[str]:
    """The names of placeholders, each once."""
    return list(dict.fromkeys(hole.name for hole in template.holes(pieces)))


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """The environment of a command: this process's, and what is added."""
    return {**os.environ, **extra}


def quoted(argv: Sequence[str]) -> str:
    """Words as a person would type them."""
    return subprocess.list2cmdline(argv) if os.name == "nt" else shlex.join(argv)
