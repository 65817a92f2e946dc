"""Matplotlib figures as pictures: the codec `png`.

A figure becomes the picture that `figure.savefig` draws, with its own size and resolution and
without the name of the library in it, so that the same figure has the same bytes. A picture cannot
be made a figure again: what the next step gets is an `Image`, which is the PNG's bytes and can say
its size, save itself and give its pixels. Steps that want to go on drawing pass on the data.

The figure is closed in pyplot once it is stored, so that a worker does not collect open figures.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from stepwell.errors import CannotDecode, CannotEncode

if TYPE_CHECKING:
    from pathlib import Path

    from stepwell.plugins.hookspecs import Blob, Sink

PNG = b"\x89PNG\r\n\x1a\n"


class Image(bytes):
    """A PNG picture: its bytes, and what one wants of a picture.

    >>> picture.size                  # (640, 480), in pixels
    >>> picture.save("figure.png")
    >>> picture.pixels()              # a NumPy array (height, width, 4)
    """

    __slots__ = ()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return int.from_bytes(self[16:20], "big"), int.from_bytes(self[20:24], "big")

    def save(self, path: str | Path) -> None:
        """Write the picture to a file."""
        with open(path, "wb") as file:
            file.write(self)

    def pixels(self) -> Any:
        """The pixels as an array of floats from 0 to 1, by `matplotlib.image`."""
        import io

        from matplotlib.image import imread

        return imread(io.BytesIO(self), format="png")

    def __repr__(self) -> str:
        width, height = self.size
        return f"<Image {width} × {height}>"

    def _repr_png_(self) -> bytes:
        return bytes(self)


class FigureCodec:
    """`matplotlib.figure.Figure` and `Image`, as the head of this module tells."""

    name = "png"
    exact = False

    def dump(self, value: Any, sink: Sink) -> str:
        """Draw the figure, write the picture, close the figure."""
        picture = value if isinstance(value, Image) else drawn(value)
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is not None and picture is not value:
            pyplot.close(value)
        sink.write(bytes(picture))
        width, height = picture.size
        return f"{width} × {height} picture"

    def load(self, blob: Blob) -> Image:
        """The picture."""
        data = blob.data
        if len(data) < 24 or data[: len(PNG)] != PNG:
            raise CannotDecode("the artifact is not a picture", why="it does not begin like a PNG file")
        return Image(data)


def drawn(figure: Any) -> Image:
    """The picture that `figure.savefig` draws; the figure stays open. Raises `CannotEncode`."""
    import io

    stream = io.BytesIO()
    try:
        figure.savefig(stream, format="png", metadata={"Software": None})
    except Exception as error:
        # Drawing calls the user's formatters and artists.
        raise CannotEncode(
            "the figure cannot be drawn",
            why=f"{type(error).__name__}: {error}"[:300],
            fixes=["call `figure.savefig(...)` in the step to see where it fails"],
        ) from error
    return Image(stream.getvalue())
