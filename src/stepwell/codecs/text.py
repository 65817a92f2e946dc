"""Strings and bytes as they are: the codecs `text` and `bytes`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stepwell.errors import CannotDecode

if TYPE_CHECKING:
    from stepwell.plugins.hookspecs import Blob, Sink

SHOWN = 60
"""Characters of a text that are its note."""


class TextCodec:
    """A string as UTF-8. Lone surrogates (names of files that are not UTF-8) pass through."""

    name = "text"
    exact = True

    def dump(self, value: str, sink: Sink) -> str:
        """Write the text; the note is its beginning."""
        sink.write(value.encode("utf-8", "surrogatepass"))
        if len(value) <= SHOWN and value.isprintable():
            return value
        return f"text of {len(value):,} characters"

    def load(self, blob: Blob) -> str:
        """The text."""
        try:
            return str(blob.data, "utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            raise CannotDecode("the artifact is not text", why=str(error)) from None


class BytesCodec:
    """Bytes. What is given as `bytearray` or `memoryview` comes back as `bytes`."""

    name = "bytes"
    exact = True

    def dump(self, value: Any, sink: Sink) -> str:
        """Write the bytes."""
        view = memoryview(value)
        sink.write(view if view.c_contiguous else view.tobytes())
        return f"{view.nbytes:,} bytes"

    def load(self, blob: Blob) -> bytes:
        """The bytes."""
        return bytes(blob.data)
