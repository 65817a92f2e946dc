"""What columns hold, as libraries and people write it, and whether one may stand where another was.

>>> change(column("int32"), column("int64"))
'wider'
>>> change(column("int64"), column("large_string"))
'other'

Texts come from Arrow, pandas, polars and schemas that people write; names of one type in two libraries are the same
here. What is not known ("?", "") changes into nothing: nobody can say.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from stepwell.codecs.columns import kind_of

Change = Literal["", "wider", "narrower", "other"]
"""Nothing that anybody can tell; all that was there can still be; less can be; something else."""

_BITS = re.compile(r"\d+")
_INSIDE = re.compile(r"[\[(](.*)[\])]")
_BASE = {"int": 64, "float": 64, "halffloat": 16, "double": 64, "integer": 64, "number": 64}


class Column(NamedTuple):
    """What a column holds.

    `kind` is one of `codecs.columns.KINDS` or "", `bits` those of a number (0 elsewhere), `zoned` whether instants
    know their time zone, `nulls` whether values may be missing (None where nobody says).
    """

    kind: str
    bits: int
    signed: bool
    zoned: bool
    nulls: bool | None
    text: str


def column(text: str) -> Column:
    """A column from what is said of it: "int64", "timestamp[us, tz=UTC]", "float64 not null", "int64, null 2 %"."""
    bare, nulls = _nulls(text.strip())
    kind = kind_of(bare)
    word = bare.lower().strip("_ ").rpartition(".")[2].partition("[")[0].partition("(")[0]
    bits = 0
    if kind in ("int", "float"):
        found = _BITS.search(word)
        bits = int(found[0]) if found is not None else _BASE.get(word, 0)
    return Column(kind, bits, not word.startswith("uint"), kind == "datetime" and _zoned(bare), nulls, text)


def _nulls(text: str) -> tuple[str, bool | None]:
    bare, comma, _ = text.partition(", null ")
    if comma:
        return bare, True
    if text.lower().endswith(" not null"):
        return text[: -len(" not null")].strip(), False
    return text, None


def _zoned(text: str) -> bool:
    """Whether instants know their zone: "timestamp[UTC]", "datetime64[ns, Europe/Berlin]", "Datetime(time_zone='UTC')"."""
    found = _INSIDE.search(text)
    parts = [part.strip(" '\"") for part in found[1].split(",")] if found is not None else []
    said = [part.partition("=")[2].strip("'\"") or part for part in parts if not part.startswith("time_unit")]
    return any(part not in ("", "s", "ms", "us", "ns", "None") for part in said)


def measured(text: str) -> bool | None:
    """Whether values were missing when a column was looked at; None where nobody has looked at all of it."""
    said = column(text)
    if said.nulls is not None:
        return said.nulls
    return None if text in ("", "?", "text", "object") else False


def change(before: Column, after: Column) -> Change:
    """What became of a column, for somebody who reads it."""
    if not before.kind or not after.kind:
        return ""
    if before.kind != after.kind:
        return "other" if {before.kind, after.kind} != {"text", "category"} else ""
    if before.zoned != after.zoned:
        return "other"
    if before.signed and not after.signed:
        return "narrower"
    if not before.bits or not after.bits or before.bits == after.bits:
        return "" if before.signed == after.signed else "wider"
    return "wider" if after.bits > before.bits else "narrower"


def accepts(before: Column, after: Column) -> Change:
    """What became of a column that somebody has to give: "wider" where all that was taken still is, and more."""
    if not before.kind or not after.kind:
        return ""
    if before.kind == after.kind:
        return change(before, after)
    wider = {("int", "float"), ("bool", "int"), ("bool", "float"), ("category", "text"), ("date", "datetime")}
    if (before.kind, after.kind) in wider:
        return "wider"
    return "narrower" if (after.kind, before.kind) in wider else "other"


def becomes_nullable(before: Column, after: Column) -> bool:
    """Whether values may be missing where none was."""
    return before.nulls is False and after.nulls is not False
