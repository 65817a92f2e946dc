"""Which way of showing is for which artifact: by its codec, and of files by their first bytes and names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stepwell.app.previews.arrays import array_shown
from stepwell.app.previews.bundles import CODECS
from stepwell.app.previews.files import file_shown, made_shown, media_type, only_file, picture_shown
from stepwell.app.previews.held import FILE, Held, Raw, nothing
from stepwell.app.previews.models import skops_shown
from stepwell.app.previews.plaindata import html_shown, is_html, plain_shown, text_shown
from stepwell.app.previews.tables import table_shown
from stepwell.errors import counted
from stepwell.plugins.registry import registry


def shown(held: Held, rows: int, offset: int) -> dict[str, Any]:
    """The preview of an artifact. Raises what reading hostile bytes raises."""
    codec = held.artifact.codec
    if codec.startswith("arrow"):
        return table_shown(held, rows, offset)
    if codec == "json":
        return plain_shown(held, rows, offset)
    if codec == "path":
        return made_shown(held, rows, offset)
    if codec in ("files", "bundle", "sparse"):
        return CODECS[codec](held)
    if codec in _CODECS:
        return _CODECS[codec](held)
    known = registry.codecs.get(codec)
    if known is not None and getattr(known, "executes", False):
        return _pickled(held)
    return file_shown(held, rows, offset)


def _pickled(held: Held) -> dict[str, Any]:
    note = f" ({held.artifact.note})" if held.artifact.note else ""
    size = counted(len(held.data), "byte")
    return nothing(f"it is pickled{note}, {size}: it is not opened, since opening it runs what it says")


def _text(held: Held) -> dict[str, Any]:
    return html_shown(held) if is_html(held.data) else text_shown(held, "text")


_CODECS: Mapping[str, Callable[[Held], dict[str, Any]]] = {
    "text": _text,
    "html": html_shown,
    "npy": array_shown,
    "sklearn": skops_shown,
    "pickle": _pickled,
    "png": lambda held: picture_shown(held, "image/png"),
}


def as_it_is(held: Held) -> Raw | None:
    """The bytes as a browser shows them, or None where it cannot. Raises `CannotDecode`."""
    codec = held.artifact.codec
    if codec == "path":
        only = only_file(held)
        return None if only is None else as_it_is(only)
    if codec == "html" or (codec == "text" and is_html(held.data)):
        return Raw("text/html", f"{held.name}.html", held.data)
    if codec in ("text", "json"):
        return Raw("text/plain" if codec == "text" else "application/json", held.name, held.data)
    found = media_type(held.data, held.name if codec == FILE else "")
    return None if found is None else Raw(found, held.name, held.data)
