"""The text of `data.py` and `data.pyi`: a function of manifest and lock, so that the same facts give the same bytes.

    entries = entries_of(manifest, lock)
    module_of(entries, "stepwell.lock"), stub_of(entries)

`data.py` says of each name what makes steps run again when it changes, and no more: address, type and options of the
reader. All else (documentation, keys, units, rows, digests, columns) is in `data.pyi`, which only editors and type
checkers read. Names that the files need themselves begin with `_`, as no data's does.
"""

from __future__ import annotations

import keyword
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from typing import Any, NamedTuple
from unicodedata import normalize

from stepwell.author.manifest import Manifest
from stepwell.dist import lock as locks
from stepwell.dist.interface.kinds import type_of
from stepwell.sources.address import shown
from stepwell.worker.hiding import MARK

MOST_COLUMNS = 1000
"""Columns of one table that are written out; of a wider one any name is taken."""

_LINE = 100
_PLAIN = {"pathlib.Path": "_Path", "": "_Path", "list[pathlib.Path]": "list[_Path]", "Any": "_Any", "object": "_Any"}  # fmt: skip
_OF_ANY = {"dict": "dict[str, _Any]", "list": "list[_Any]", "numpy.ndarray": "_numpy.ndarray[_Any, _Any]"}
_OWN = ("str", "bytes", "int", "float", "bool", "dict", "list")
"""Names of Python's own that the stub uses."""


class Entry(NamedTuple):
    """A name: where its data is (without what must not be shown) and how it is read, what the manifest says of it, and what is locked, if anything is."""

    name: str
    uri: str
    type: str
    read: Mapping[str, Any]
    sample: bool
    doc: str
    keys: Mapping[str, str]
    units: Mapping[str, str]
    locked: locks.Data | None


def entries_of(manifest: Manifest, lock: locks.Lock) -> tuple[Entry, ...]:
    """The names of a manifest, in alphabetical order."""
    return tuple(
        Entry(
            name,
            shown(data.address(name)),
            type_of(data),
            data.read,
            data.sample,
            data.doc,
            data.keys,
            data.units,
            lock.data.get(name),
        )
        for name, data in sorted(manifest.data.items())
    )


# --------------------------------------------------------------------------- data.py


def module_of(entries: Sequence[Entry], lock: str) -> str:
    """The text of `data.py`. `lock` is the name of the lock, relative to the project's root."""
    moments = any(_has_moment(entry.read) for entry in entries)
    lines = [
        '"""Data by name: in a pipeline a reference, elsewhere exactly what is locked."""',
        MARK,
        "",
        *(["import datetime as _datetime", ""] if moments else []),
        "from stepwell import interface as _interface",
        "",
        f"__all__ = [{', '.join(_text(entry.name) for entry in entries)}]"
        if len(entries) <= 4
        else "\n".join(["__all__ = [", *(f"    {_text(entry.name)}," for entry in entries), "]"]),
        "",
        *(_call(entry, lock) for entry in entries),
    ]
    return "\n".join(lines) + "\n"


def _call(entry: Entry, lock: str) -> str:
    given = [_text(entry.name), _text(entry.uri), _text(entry.type)]
    given += [f"read={_value(entry.read)}"] if entry.read else []
    given += [] if entry.sample else ["sample=False"]
    given += [] if lock == "stepwell.lock" else [f"lock={_text(lock)}"]
    one = f"{entry.name} = _interface.dataset({', '.join(given)})"
    if len(one) <= _LINE:
        return one
    return "\n".join([f"{entry.name} = _interface.dataset(", *(f"    {each}," for each in given), ")"])


def _value(value: Any) -> str:
    """A value of TOML as Python writes it."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_text(str(key))}: {_value(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    moment = isinstance(value, date | datetime | time)
    return repr(value).replace("datetime.", "_datetime.") if moment else repr(value)


def _has_moment(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_has_moment, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_has_moment, value))
    return isinstance(value, date | datetime | time)


def _text(text: str) -> str:
    """A text as Python writes it, with double quotes."""
    told = repr(text)
    inner = told[1:-1]
    return f'"{inner}"' if told[0] == '"' else '"' + inner.replace("\\'", "'").replace('"', '\\"') + '"'


# --------------------------------------------------------------------------- data.pyi


def stub_of(entries: Sequence[Entry]) -> str:
    """The text of `data.pyi`."""
    own = {name for name in _OWN if name in {entry.name for entry in entries}}
    parts = ["\n".join(_class(entry, own)) for entry in entries]
    body = "\n\n".join([*parts, "\n".join(f"{entry.name}: _{entry.name}" for entry in entries)])
    return "\n".join([MARK, "", *_imports(body, entries), "", body]) + "\n"


def _imports(body: str, entries: Sequence[Entry]) -> Iterator[str]:
    modules = sorted({module for entry in entries if (module := _module(entry.type))})
    yield from ["import builtins as _builtins"] if "_builtins." in body else []
    yield from (f"import {name} as {_alias(name)}" for name in modules)
    yield from ["from pathlib import Path as _Path"] if "_Path" in body else []
    names = [f"{name} as _{name}" for name in ("Any", "Literal") if f"_{name}" in body]
    yield from [f"from typing import {', '.join(names)}"] if names else []
    yield ""
    yield "from stepwell.dist import interface as _interface"


def _module(kind: str) -> str:
    """The module that a type is of; "" for Python's own and those that have a name here."""
    bare = kind.partition("[")[0]
    return "" if kind in _PLAIN or "." not in bare else bare.rpartition(".")[0]


def _alias(module: str) -> str:
    return f"_{module.replace('.', '_')}"


def _gives(kind: str, own: set[str]) -> str:
    """A type as the stub writes it."""
    text = _PLAIN.get(kind) or _OF_ANY.get(kind)
    if text is None and (module := _module(kind)):
        text = _alias(module) + kind[len(module) :]
    text = text or kind
    word = text.partition("[")[0]
    return f"_builtins.{text}" if word in own else text


def _class(entry: Entry, own: set[str]) -> Iterator[str]:
    names = tuple(entry.locked.columns) if entry.locked is not None else ()
    known = 0 < len(names) <= MOST_COLUMNS
    yield f"class _{entry.name}(_interface.Dataset[{_gives(entry.type, own)}]):"
    yield from _doc(entry)
    if known:
        yield ""
        yield from _columns(entry, names, own)
        yield "    column: _Columns"


def _columns(entry: Entry, names: Sequence[str], own: set[str]) -> Iterator[str]:
    text = "_builtins.str" if "str" in own else "str"
    yield "    class _Columns(_interface.ColumnNames):"
    for name in names:
        if is_attribute(name):
            yield f"        {name}: _Literal[{_text(name)}]"
            yield from (f'        """{_inside(said)}"""' for said in [_said_of(entry, name)] if said)
    choice = ", ".join(map(_text, names))
    yield f"        def __getitem__(self, name: _Literal[{choice}], /) -> {text}: ..."
    yield ""


def is_attribute(name: str) -> bool:
    """Whether a column can be asked for as an attribute of `column`; the others by `column["name"]` alone."""
    plain = name.isidentifier() and not keyword.iskeyword(name) and not name.startswith("_")
    return plain and normalize("NFKC", name) == name  # as Python reads it


def _said_of(entry: Entry, column: str) -> str:
    """What is known of a column, for people: "int64 · month · key crm.customer"."""
    kind = entry.locked.columns.get(column, "") if entry.locked is not None else ""
    key = f"key {entry.keys[column]}".strip() if column in entry.keys else ""
    return " · ".join(filter(None, (kind if kind != "?" else "", entry.units.get(column, ""), key)))


def _doc(entry: Entry) -> Iterator[str]:
    facts = [f"source   {entry.uri}"]
    if (data := entry.locked) is not None:
        facts += [f"rows     {data.rows:,}"] if data.rows is not None else []
        facts += [f"size     {data.size:,} bytes"]
        facts += [f"content  {data.content or data.bytes}"]
    else:
        facts += ["locked   not yet: stepwell lock"]
    if entry.keys:
        told = [f"{name} ({what})" if what else name for name, what in entry.keys.items()]
        facts.append(f"key      {', '.join(told)}")
    doc = entry.doc.strip() or f"`{entry.name}`, as it is locked."
    yield f'    """{_inside(doc)}'
    yield ""
    yield from (f"    {_inside(fact)}" for fact in facts)
    yield '    """'


def _inside(text: str) -> str:
    """A text as it may stand in a docstring, on one line."""
    line = "".join(sign if sign.isprintable() else " " for sign in text).strip()
    return line.replace("\\", "\\\\").replace('"', '\\"')
