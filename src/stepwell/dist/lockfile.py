"""The text of a lock: TOML, one block for each entity, one fact a line, the same bytes for the same facts.

    name = lock_path(root, file)         # stepwell.lock, or NAME.stepwell.lock beside a single file
    write(name, lock)                    # whole or not at all
    lock = read(name)                    # raises BadLock, LockMissing

Blocks stand in the order of their names, so that two branches that lock different things merge without a
conflict, and a review shows what changed and nothing else. A file that is not exactly what would be written of
the facts in it was edited or merged by hand, and is refused: half of one lock and half of another would be believed.
"""

from __future__ import annotations

import fcntl
import math
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from stepwell.dist.lock import Lock, facts
from stepwell.errors import BadLock, LockMissing
from stepwell.stores.durable import replace

NAME = "stepwell.lock"

FORMAT = 1

HEAD = "# What this project was built from. Written by `stepwell lock`; not to be edited."

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def lock_path(root: Path, file: Path | None = None) -> Path:
    """Where the lock of a project is, or that of a single `file` with a header of its own."""
    return root / NAME if file is None else file.with_name(f"{file.stem}.{NAME}")


def write(path: Path, lock: Lock) -> bool:
    """Write a lock, durably and whole; gives whether that changed the file. Raises `BadLock` where it cannot be written."""
    text = text_of(lock)
    try:
        if path.is_file() and path.read_bytes() == text.encode():
            return False
        replace(path, text.encode())
    except OSError as error:
        raise BadLock(
            f"`{path.name}` cannot be written: {error.strerror or error}",
            fixes=["make room, or let the folder be written to, and lock again"],
        ) from None
    return True


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Nobody else changes the lock at `path` through here as long as the block lasts: what two write at once is both kept.

    The folder itself is locked, so nothing is left behind; where a file system cannot do that, the last one wins.
    """
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def read(path: Path, again: str = "stepwell lock") -> Lock:
    """Read a lock; `again` is the command that writes it.

    Raises `LockMissing` where there is none, `BadLock` for what Stepwell has not written so.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise LockMissing(f"there is no `{path.name}`", fixes=[again]) from None
    except (OSError, ValueError) as error:
        raise BadLock(f"`{path.name}` cannot be read: {error}", fixes=_anew(path.name, again)) from None
    if text.count("\r\n") == text.count("\n"):  # as git may check it out
        text = text.replace("\r\n", "\n")
    lock = lock_of(text, path.name, again)
    if text_of(lock) != text:
        line = _first_other(text, text_of(lock))
        raise BadLock(
            f"`{path.name}` was edited or merged by hand",
            why=f"line {line} is not what Stepwell writes: facts of two locks may be mixed in it",
            fixes=_anew(path.name, again),
            where=f"{path.name}:{line}",
        )
    return lock


def _anew(name: str, again: str) -> list[str]:
    """The ways out of a lock that cannot be believed; what is believed afterwards is what is there, or was committed."""
    return [f"git checkout HEAD -- {name} && {again}", f"rm {name} && {again}"]


# --------------------------------------------------------------------------- writing


def text_of(lock: Lock) -> str:
    """The text of a lock."""
    found = facts(lock)
    lines = [HEAD, f"lock = {FORMAT}"]
    lines += _block(("environment",), found.get("environment", {}))
    for name, data in found.get("data", {}).items():
        lines += _block(("data", name), data)
    for name, pipeline in found.get("pipeline", {}).items():
        lines += _block(("pipeline", name), {key: value for key, value in pipeline.items() if key == "uses"})
        for part in ("params", "metrics"):
            lines += _block(("pipeline", name, part), pipeline.get(part, {}))
        for step, one in pipeline.get("step", {}).items():
            lines += _block(("pipeline", name, "step", step), one)
    for name, output in found.get("output", {}).items():
        lines += _block(("output", name), output)
    return "\n".join(lines) + "\n"


def _block(place: tuple[str, ...], found: Mapping[str, Any]) -> Iterator[str]:
    """A table: its own facts, then the tables in it."""
    tables = {
        name: value for name, value in found.items() if isinstance(value, Mapping) and place[-1] != "params"
    }
    own = {name: value for name, value in found.items() if name not in tables}
    if own:
        yield ""
        yield f"[{'.'.join(map(_name, place))}]"
        for name, value in own.items():
            yield f"{_name(name)} = {_value(value, lines=place[-1] not in ('params', 'quantiles'))}"
    for name, value in tables.items():
        yield from _block((*place, name), value)


def _name(name: str) -> str:
    return name if _BARE.fullmatch(name) else toml_text(name)


def _value(value: Any, *, lines: bool = False) -> str:
    """A value as TOML writes it; a list with a line for each item, where `lines`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, str):
        return toml_text(value)
    if isinstance(value, list):
        items = [_value(item) for item in value]
        return (
            "".join(["[\n", *[f"  {item},\n" for item in items], "]"]) if lines else f"[{', '.join(items)}]"
        )
    if isinstance(value, dict):
        return f"{{ {', '.join([f'{_name(name)} = {_value(item)}' for name, item in value.items()])} }}"
    return str(value) if isinstance(value, int) else value.isoformat()


def _number(value: float) -> str:
    if math.isnan(value):
        return "nan"
    return ("inf" if value > 0 else "-inf") if math.isinf(value) else repr(value)


def toml_text(text: str) -> str:
    """A text as TOML's basic string: what would break a line, or hide, is escaped."""
    out = []
    for sign in text:
        if sign in '"\\':
            out.append(f"\\{sign}")
        elif sign.isprintable():
            out.append(sign)
        else:
            out.append(
                _ESCAPES.get(sign)
                or (f"\\u{ord(sign):04x}" if ord(sign) < 0x10000 else f"\\U{ord(sign):08x}")
            )
    return f'"{"".join(out)}"'


_ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}


# --------------------------------------------------------------------------- reading


def lock_of(text: str, name: str = NAME, again: str = "stepwell lock") -> Lock:
    """The lock that a text says; `name` is the file's and `again` the command that writes it, for errors. Raises `BadLock`."""
    import tomllib

    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith(("<<<<<<< ", ">>>>>>> ")) or line == "=======":
            raise BadLock(
                f"`{name}` holds a merge that was not resolved", fixes=_anew(name, again), where=f"{name}:{number}"
            )
    try:
        found = tomllib.loads(text)
        if found.pop("lock", None) != FORMAT:
            raise BadLock(
                f"`{name}` is no lock of this format",
                why=f"it should begin with `lock = {FORMAT}`; a later Stepwell may have written it",
                fixes=["pip install --upgrade stepwell", *_anew(name, again)[1:]],
            )
        return msgspec.convert(found, Lock)
    except (ValueError, msgspec.ValidationError) as error:
        raise BadLock(f"`{name}` cannot be understood: {error}", fixes=_anew(name, again)) from None


def _first_other(text: str, wanted: str) -> int:
    lines, others = text.split("\n"), wanted.split("\n")
    pairs = enumerate(zip(lines, others, strict=False), 1)
    return next((number for number, (one, other) in pairs if one != other), min(len(lines), len(others)))
