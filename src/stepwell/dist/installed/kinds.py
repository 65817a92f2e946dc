"""What a column holds, told from the names that libraries have for it: "int64", "Int64" and "uint8" are all "int".

>>> kind_of("datetime64[ns, UTC]")
'moment'
"""

from __future__ import annotations

import re
from typing import Literal

Kind = Literal["int", "float", "bool", "text", "category", "moment", "date", "duration", "other"]

_KINDS: tuple[tuple[str, Kind], ...] = (
    (r"(datetime|timestamp).*", "moment"),
    (r"date(32|64)?(\[.*)?", "date"),
    (r"(timedelta|duration).*", "duration"),
    (r"u?int(8|16|32|64)?|integer", "int"),
    (r"float(16|32|64)?|double|halffloat|decimal.*|number", "float"),
    (r"bool(ean)?", "bool"),
    (r"category.*|categorical.*|enum.*|dictionary.*", "category"),
    (r"(large_)?(str|string|utf8)(_view)?(\[.*\])?|text|object", "text"),
)


def kind_of(name: str) -> Kind:
    """What a type holds, by the name that pandas, polars or Arrow have for it; "other" for one that is not known."""
    plain = name.strip().lower()
    for pattern, kind in _KINDS:
        if re.fullmatch(pattern, plain):
            return kind
    return "other"


def is_zoned(name: str) -> bool:
    """Whether the moments of a type have a time zone: "datetime64[ns, UTC]", "timestamp[us, tz=UTC]", "timestamp[tz=UTC]"."""
    inside = (name.partition("[")[2] or name.partition("(")[2]).lower()
    return ("," in inside or "tz=" in inside) and "none" not in inside
