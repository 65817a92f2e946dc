"""Files that a step made, and folders of them: what a file is follows from its first bytes, then from its name."""

from __future__ import annotations

import csv
import io
from typing import Any

from stepwell.app.previews.arrays import array_shown
from stepwell.app.previews.held import PARSED, Held, nothing
from stepwell.app.previews.models import archive, is_safetensors, skops_shown, tensors_shown
from stepwell.app.previews.plaindata import (
    html_shown,
    is_html,
    is_svg,
    json_shown,
    looks_like_text,
    text_shown,
    why_not,
)
from stepwell.app.previews.records import COLUMNS, records_shown
from stepwell.codecs.files import Entry, manifest_of

LISTED = 2_000
"""Files of a folder that are listed."""

SCANNED = 256 << 20
"""Bytes in which the lines of a CSV file are counted."""

ROWS = 20_000
"""Rows of a CSV file that are looked at."""

MISSING = ("", "NA", "NaN", "nan", "null", "None")
"""What stands in a CSV file where nothing is known."""

PICTURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
"""How pictures begin."""

PICKLES = ("pkl", "pickle", "joblib", "pt", "pth", "ckpt")
"""Suffixes of files that are opened by running what they say."""


def made_shown(held: Held, rows: int, offset: int) -> dict[str, Any]:
    """What the codec `path` wrote: the preview of the one file, or the list of a folder's files."""
    only = only_file(held)
    if only is not None:
        return file_shown(only, rows, offset)
    _, entries = manifest_of(held.data)
    return files_shown(entries)


def only_file(held: Held) -> Held | None:
    """The file that an artifact of the codec `path` is; None where it is a folder. Raises `CannotDecode`, `ArtifactGone`."""
    name, entries = manifest_of(held.data)
    return held.part(name, entries[0].part) if name else None


def files_shown(entries: list[Entry]) -> dict[str, Any]:
    """Files by name, with size and digest."""
    shown = [{"name": one.path, "size": one.size, "digest": one.part} for one in entries[:LISTED]]
    out: dict[str, Any] = {"kind": "files", "files": shown}
    if len(entries) > LISTED:
        out["cut"] = len(entries) - LISTED
    return out


def media_type(data: memoryview, name: str = "") -> str | None:
    """The media type of what a browser shows as it is; None for what it does not show."""
    head = bytes(data[:16])
    for begin, kind in PICTURES:
        if head.startswith(begin):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head.startswith(b"%PDF-"):
        return "application/pdf"
    if not looks_like_text(data):
        return None
    if is_svg(data):
        return "image/svg+xml"
    return "text/html" if is_html(data, name) else "text/plain"


def picture_shown(held: Held, kind: str) -> dict[str, Any]:
    """A picture, which the browser draws."""
    found = media_type(held.data)
    if found is None or not found.startswith("image/"):
        return nothing("it does not begin like a picture")
    return {"kind": "image", "type": found or kind, "url": held.url}


def file_shown(held: Held, rows: int, offset: int) -> dict[str, Any]:
    """The preview of a file, whatever it is."""
    data, suffix = held.data, held.name.rpartition(".")[2].lower() if "." in held.name else ""
    head = bytes(data[:16])
    if not len(data):
        return {"kind": "text", "text": "", "language": "text", "cut": False}
    if suffix in PICKLES or head[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
        why = "it is not opened, since opening it runs what it says"
        return nothing(f"`{held.name}` is pickled, {len(data):,} bytes: {why}")
    if head[:6] == b"\x93NUMPY":
        return array_shown(held)
    if head[:4] == b"PAR1" or head[:6] == b"ARROW1":
        from stepwell.app.previews.apart import compressed

        return compressed(held, "parquet" if head[:4] == b"PAR1" else "arrow", rows, offset)
    if head[:4] == b"PK\x03\x04" or head[:4] == b"PK\x05\x06":
        return _zipped(held)
    if suffix == "safetensors" or (not suffix and is_safetensors(data)):
        return tensors_shown(held) if is_safetensors(data) else nothing("its header is cut off")
    return _readable(held, suffix, rows, offset)


def _readable(held: Held, suffix: str, rows: int, offset: int) -> dict[str, Any]:
    """The preview of what is a picture, a page or text; the first bytes of all else."""
    kind = media_type(held.data, held.name)
    if kind is None:
        return {"kind": "bytes", "hex": bytes(held.data[:512]).hex(), "size": len(held.data)}
    if kind == "application/pdf":
        return why_not(held, "a PDF document")
    if kind.startswith("image/"):
        return picture_shown(held, kind)
    if kind == "text/html":
        return html_shown(held)
    if suffix in ("csv", "tsv"):
        return separated(held, "\t" if suffix == "tsv" else "", rows, offset)
    if suffix in ("json", "vl", "vg", "geojson", "ipynb"):
        return json_shown(held, rows, offset)
    return text_shown(held)


def _zipped(held: Held) -> dict[str, Any]:
    """A model of skops, or the contents of an archive; no entry of it is unpacked."""
    opened = archive(held.data)
    if isinstance(opened, str):
        return nothing(opened)
    if "schema.json" in opened.namelist():
        return skops_shown(held)
    entries = [Entry(one.filename, "", one.file_size, False) for one in opened.infolist() if not one.is_dir()]
    return files_shown(entries)


# ---------------------------------------------------------------------------- CSV


def separated(held: Held, separator: str, rows: int, offset: int) -> dict[str, Any]:
    """A table as CSV or TSV: what its first four megabytes hold.

    The rows of a longer file are counted by its line ends, which counts those inside of quotes too.
    """
    is_whole = len(held.data) <= PARSED
    text = str(held.data[:PARSED], "utf-8-sig", "replace")
    if not is_whole:
        text = text[: text.rfind("\n") + 1] or text
    table = list(_records(text, separator or _separator(text)))
    if not table:
        return text_shown(held)
    names, body = table[0][:COLUMNS], table[1:]
    complete = is_whole and len(body) < ROWS
    total = len(body) if complete else max(_lines(held.data) - 1, len(body))
    values = zip(
        *[_typed([row[i] if i < len(row) else "" for row in body]) for i in range(len(names))], strict=True
    )
    return records_shown(names, list(values), rows, offset, total=total)


def _records(text: str, separator: str) -> Any:
    """The records of a text, at most ROWS and one for the names."""
    old = csv.field_size_limit(PARSED + 1)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        for record in reader:
            if record:
                yield record
            if reader.line_num > ROWS:
                return
    finally:
        csv.field_size_limit(old)


def _separator(text: str) -> str:
    """What most often stands between names in the first line: a comma, a semicolon, a tab, a bar."""
    first = text.partition("\n")[0]
    return max(",;\t|", key=first.count)


def _lines(data: memoryview) -> int:
    """Lines of a file; of a very long one, as many as the rest would have if it went on like its beginning."""
    count, at = 0, 0
    end = min(len(data), SCANNED)
    while at < end:
        count += bytes(data[at : at + (1 << 20)]).count(b"\n")
        at += 1 << 20
    if bytes(data[-1:]) != b"\n":
        count += 1
    return count if end == len(data) else round(count * len(data) / end)


def _number(text: str) -> float | int | None:
    """A text as a number, where it is one as programs write them."""
    if (
        not text
        or len(text) > 40
        or not (text[0].isdigit() or text[0] in "+-.")
        or "_" in text
        or not text.isascii()
    ):
        return None
    try:
        found = float(text)
    except ValueError:
        return None
    if found != found or found in (float("inf"), float("-inf")):
        return None
    is_code = len(text) > 1 and text[0] == "0" and text.isdigit()  # a postcode, say
    if is_code:
        return None
    return int(text) if text.lstrip("+-").isdigit() and abs(found) < 1 << 53 else found


def _typed(values: list[str]) -> list[Any]:
    """A column of texts: as numbers where all that is there is one, None where nothing is."""
    there = [None if value.strip() in MISSING else value for value in values]
    numbers = [None if value is None else _number(value.strip()) for value in there]
    is_numeric = all(
        number is not None for number, value in zip(numbers, there, strict=True) if value is not None
    )
    return list(numbers if is_numeric else there)
