"""What a step records as values that codecs take: figures as pictures or charts, cards as HTML, tables.

Figures are drawn as they are, and stay open: their owner may go on drawing. What a step leaves open is closed
after it (`Open`), so that it does not stay in memory for the steps that come.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

from stepwell.codecs.figures import Image, drawn
from stepwell.errors import RecordRefused, StepwellError
from stepwell.log import image_type, is_image

LARGEST = 64 << 20
"""Bytes of the largest picture, chart, card or text that is recorded; tables may have four times as many."""


class Form(NamedTuple):
    """A value with the codec that takes it ("": the value chooses), and what its artifact is said to be, if that differs."""

    value: Any
    codec: str = ""
    shown_as: str = ""
    note: str = ""


def form_of(kind: str, value: Any) -> Form:
    """The form of a figure, table, text or card, whose class `log` has looked at. Raises what drawing raises, and `RecordRefused`."""
    if kind == "figure":
        return _figure(value)
    if kind == "table":
        return _table(value)
    if kind == "card":
        html = value if isinstance(value, str) else value._repr_html_()
        if not isinstance(html, str):
            raise RecordRefused(f"`_repr_html_` of the card gave a {type(html).__name__}, not text")
        return Form(_sound(html), "text", "html", f"HTML of {len(html):,} characters")
    return Form(_sound(value), "text")


def _sound(text: str) -> str:
    """A text that can be written as UTF-8, of a size that can be kept."""
    _fits(len(text))
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _fits(size: int) -> None:
    if size > LARGEST:
        raise RecordRefused(f"it has {size:,} bytes, and at most {LARGEST:,} are kept")


def _figure(value: Any) -> Form:
    if isinstance(value, Path):
        _fits(value.stat().st_size)
        return _picture(value.read_bytes(), str(value))
    if isinstance(value, bytes | bytearray):
        return _picture(bytes(value), "it")
    if isinstance(value, dict):
        return _chart(value, "Vega-Lite chart")
    if callable(getattr(value, "to_plotly_json", None)):
        return _chart(json.loads(value.to_json()), "Plotly chart")
    if type(value).__module__.partition(".")[0] == "altair":
        return _chart(value.to_dict(), "Vega-Lite chart")
    if is_image(value):
        stream = io.BytesIO()
        value.save(stream, format="PNG")
        return _picture(stream.getvalue(), "it")
    owner = (
        value if hasattr(value, "savefig") else value.get_figure() if hasattr(value, "get_figure") else None
    )
    return _picture(drawn(owner) if owner is not None else value._repr_png_(), "it")


def _picture(data: Any, what: str) -> Form:
    kind = image_type(data) if isinstance(data, bytes) else ""
    if not kind:
        raise RecordRefused(f"{what} is no PNG, JPEG, GIF or WebP picture")
    _fits(len(data))
    return Form(Image(data), "png") if kind == "png" else Form(data, "bytes", note=f"{kind.upper()} picture")


def _chart(tree: Any, what: str) -> Form:
    text = json.dumps(tree, ensure_ascii=False, allow_nan=False, default=str)
    _fits(len(text))
    return Form(json.loads(text), "json", note=what)


def _table(value: Any) -> Form:
    if isinstance(value, list) or type(value).__module__.partition(".")[0] in ("pandas", "polars"):
        return Form(value)
    import pyarrow as pa  # an Arrow table, or what gives one

    if hasattr(value, "__arrow_c_stream__"):
        value = pa.table(value)
    return Form(value, "arrow")


class Open:
    """The figures that pyplot holds: those that there were before a step stay, those that it leaves are closed."""

    def __init__(self) -> None:
        self._before: frozenset[int] = frozenset()

    def begin(self) -> None:
        """Take those that are open now for others'."""
        figures = _open()
        if figures or self._before:
            self._before = frozenset(figures)

    def close(self) -> None:
        """Close those that were opened since."""
        for number in [number for number in _open() if number not in self._before]:
            sys.modules["matplotlib.pyplot"].close(number)


def _open() -> list[int]:
    """The numbers of the figures that pyplot holds; imports nothing."""
    if "matplotlib.pyplot" not in sys.modules:
        return []
    helpers = sys.modules.get("matplotlib._pylab_helpers")
    return list(helpers.Gcf.figs) if helpers is not None else []


def reason(error: BaseException) -> str:
    """Why something was not recorded, in one line."""
    if isinstance(error, StepwellError):
        told = f"{error.what}: {error.why}" if error.why else error.what
    else:
        told = f"{type(error).__name__}: {error}"
    return " ".join(told.split())[:300]
