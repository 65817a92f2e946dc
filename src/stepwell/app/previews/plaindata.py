"""Plain data and text: JSON trees, Vega-Lite, text with its language, HTML. No class that the bytes name is looked up."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from json import JSONDecoder
from typing import Any

from stepwell.app.plaindata import number, plain
from stepwell.app.previews.held import PARSED, TEXT, Bounded, Held, nothing
from stepwell.app.previews.records import records, records_shown
from stepwell.codecs import plain as codec

LANGUAGES = {
    "md": "markdown", "markdown": "markdown", "rst": "rst", "json": "json", "jsonl": "json", "yaml": "yaml",
    "yml": "yaml", "toml": "toml", "py": "python", "sql": "sql", "sh": "shell", "js": "javascript", "ts": "typescript",
    "css": "css", "xml": "xml", "r": "r", "tex": "latex", "diff": "diff", "patch": "diff", "ini": "ini", "log": "text",
}  # fmt: skip
"""What a file is written in, by its suffix; "text" for all others."""

_HTML = re.compile(rb"\s*(<!doctype\s+html|<html[\s>])", re.IGNORECASE)
_SVG = re.compile(rb"\s*(<\?xml[^>]*>)?\s*(<!--.*?-->\s*|<!DOCTYPE\s+svg[^>]*>\s*)*<svg[\s>]", re.DOTALL)


def is_html(data: memoryview, name: str = "") -> bool:
    """Whether bytes are a page: by how they begin, or by the name of the file."""
    return _suffix(name) in ("html", "htm", "xhtml") or _HTML.match(bytes(data[:1000])) is not None


def is_svg(data: memoryview, name: str = "") -> bool:
    """Whether bytes are an SVG picture: by how they begin."""
    return _SVG.match(bytes(data[:2000])) is not None


def plain_shown(held: Held, rows: int, offset: int) -> dict[str, Any]:
    """What the codec `json` wrote: the value as a tree, records as a table, Vega-Lite as that."""
    if len(held.data) > PARSED:
        return text_shown(held, "json")
    return value_shown(_decoded(held.data, _READERS), rows, offset)


def json_shown(held: Held, rows: int, offset: int) -> dict[str, Any]:
    """A JSON file, as it stands; the text where it is none, or too long."""
    if len(held.data) > PARSED:
        return text_shown(held, "json")
    try:
        found = JSONDecoder().decode(str(held.data, "utf-8-sig"))
    except (ValueError, RecursionError):
        return text_shown(held, "json")
    return value_shown(found, rows, offset)


def value_shown(value: Any, rows: int, offset: int) -> dict[str, Any]:
    """A value that was read as a preview: a list of records as a table, all else as `tree_shown` has it."""
    found = records(value)
    return tree_shown(value) if found is None else records_shown(*found, rows, offset)


def tree_shown(value: Any) -> dict[str, Any]:
    """A value that was read as a preview: a specification of Vega or Vega-Lite as that, all else as JSON."""
    bounded = Bounded()
    found = plain(value)
    is_vega = isinstance(found, dict) and _is_vega(found.get("$schema"))
    if is_vega:
        return {"kind": "vega", "spec": found}
    shown = bounded.of(found)
    return {"kind": "json", "value": shown, "cut": bounded.cut}


def _is_vega(schema: object) -> bool:
    return isinstance(schema, str) and schema.startswith(
        ("https://vega.github.io/schema/vega", "http://vega.github.io/")
    )


def text_shown(held: Held, language: str = "") -> dict[str, Any]:
    """The beginning of a text; what is not UTF-8 in it is shown as the sign for that."""
    cut = len(held.data) > TEXT
    found = str(held.data[:TEXT], "utf-8", "replace")
    if cut:
        found = found.rstrip("\ufffd")  # a character that the limit cut in two
    return {"kind": "text", "text": found, "language": language or language_of(held.name), "cut": cut}


def html_shown(held: Held) -> dict[str, Any]:
    """A page, to be shown in a frame in which nothing runs."""
    return {"kind": "html", "url": held.url, "cut": False}


def looks_like_text(data: memoryview) -> bool:
    """Whether bytes begin like text: UTF-8 without zeros."""
    head = bytes(data[:4096])
    if b"\0" in head:
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start >= len(head) - 3 and len(data) > len(head)
    return True


def language_of(name: str) -> str:
    """What a file is written in."""
    return LANGUAGES.get(_suffix(name), "text")


def _suffix(name: str) -> str:
    return name.rpartition(".")[2].lower() if "." in name else ""


# ---------------------------------------------------------------------------- the tagged forms of the codec


def _decoded(data: memoryview, readers: Mapping[str, Callable[[Any], Any]]) -> Any:
    """Plain data whose tagged values are given as people read them; nothing is imported for them."""

    def read(found: dict[str, Any]) -> Any:
        if len(found) == 1:
            ((key, state),) = found.items()
            if key[:1] == "!":
                reader = readers.get(key)
                return state if reader is None else reader(state)
        return found

    return JSONDecoder(object_hook=read).decode(str(data, "utf-8", "surrogatepass"))


def decoded(data: memoryview, part: Callable[[Any], Any]) -> Any:
    """Plain data that holds parts; `part` says what is shown for one, by its number."""
    return _decoded(data, {**_READERS, "!part": part})


def cell(text: str) -> Any:
    """A cell of a table that holds plain data, as it is shown."""
    return plain(_decoded(memoryview(text.encode("utf-8", "surrogatepass")), _READERS))


def _instant(unit: str, count: int) -> str:
    """A count of units since 1970 as ISO 8601, in UTC."""
    import datetime as dt

    per = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    seconds, rest = divmod(count, per)
    moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(
        seconds=seconds
    )  # fails beyond the year 9999
    fraction = f".{rest:0{len(str(per)) - 1}d}".rstrip("0") if rest else ""
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}"


def _numpy(state: Any) -> Any:
    code, value = state
    return f"{value} ({code})" if str(code)[1:2] in ("m", "M") else value


def _pairs(pairs: Any) -> Any:
    """A mapping whose keys are not all text: by the texts of its keys, as JSON must have it."""
    return {key if isinstance(key, str) else str(plain(key)): item for key, item in pairs}


def _first(state: Any) -> Any:
    return state[0] if isinstance(state, list) else state


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "!int": str,
    "!float": lambda text: number(float(text)),
    "!floats": lambda text: codec.loads(codec.to_bytes({"!floats": text})),
    "!complex": lambda parts: f"{parts[0]} + {parts[1]}i",
    "!dict": _pairs,
    "!ordered": _pairs,
    "!counter": _pairs,
    "!defaultdict": lambda state: _pairs(state[1]),
    "!deque": lambda state: state[1],
    "!datetime": _first,
    "!time": _first,
    "!timedelta": lambda state: f"{state[0]} d {state[1]}.{state[2]:06d} s",
    "!fraction": lambda state: f"{state[0]}/{state[1]}",
    "!path": lambda state: state[1],
    "!data": lambda state: {name: item for part in state[1:] for name, item in part.items()},
    "!named": lambda state: state[1],
    "!enum": lambda state: state[1],
    "!flag": lambda state: state[1],
    "!np": _numpy,
    "!timestamp": lambda state: _instant(state[0], state[1]),
    "!pdtimedelta": lambda state: f"{state[1]} {state[0]}",
    "!nat": lambda _: None,
    "!na": lambda _: None,
    "!ellipsis": lambda _: "...",
    "!part": lambda place: f"<part {place}>",
}
"""How tagged values are shown; of the tags that are not here, what stands behind them."""


def why_not(held: Held, kind: str) -> dict[str, Any]:
    """The preview of bytes that are not opened, and what a person can do."""
    return nothing(
        f"{kind} of {len(held.data):,} bytes is not opened here; `stepwell get` writes it to a file"
    )
