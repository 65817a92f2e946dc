"""Plain data that holds arrays, tables, models or files: the codecs `bundle` and `files`.

`dict[str, pd.DataFrame]`, `list[np.ndarray]`, a dataclass with a model and its threshold: the frame
is plain data, and what plain data cannot hold lies beside it, each part in the form of its own
codec, aligned, so that a large one is mapped and not read:

    STEPWELL BUNDLE 1   the parts, each at a multiple of 64   the frame   where the parts are   lengths   END

The text that says where everything lies comes last, since sizes are known only when parts are
written, and a sink cannot go back. Rejected: a zip file (time stamps, no alignment), and one blob
for each part (parts that are 100 bytes long would each be a file of their own).

In a `bundle` a path is the text of a path; in `files` (`list[Path]`, `dict[str, Path]`) it is a file
or folder that the step made, and is taken into the store.

Codecs that execute when they load (pickle) are never used for parts: a value that no other codec
takes makes the whole unfit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stepwell.codecs import plain
from stepwell.codecs.lookup import by_name, part_codec, path_codec
from stepwell.codecs.windows import PartBlob, PartSink
from stepwell.errors import CannotDecode

if TYPE_CHECKING:
    from stepwell.plugins.hookspecs import Blob, Sink

BEGIN = b"STEPWELL BUNDLE 1\n"
END = b"END BUNDLE 1\n"


class BundleCodec:
    """Plain data with parts, as the head of this module tells."""

    name = "bundle"
    exact = True
    part_of = staticmethod(part_codec)

    def dump(self, value: Any, sink: Sink) -> str:
        """Write the parts, then the frame that holds them."""
        try:
            tree, parts = plain.encode(value, self.part_of)
        except plain.NotPlain as error:
            raise plain.refusal(value, error) from None
        write_parts(tree, parts, sink)
        return plain.summary(value)

    def load(self, blob: Blob) -> Any:
        """The value, its parts loaded by their codecs."""
        return read(blob)


class FilesCodec(BundleCodec):
    """Containers of paths: every path in it is a file or a folder that the step made."""

    name = "files"
    part_of = staticmethod(path_codec)


def write(value: Any, sink: Sink) -> None:
    """Write a value whose parts are known to have codecs."""
    write_parts(*plain.encode(value, part_codec), sink)


def write_parts(tree: Any, parts: list[tuple[str, Any]], sink: Sink) -> None:
    """Write what `plain.encode` gave."""
    whole = PartSink(sink)
    whole.write(BEGIN)
    table: list[list[Any]] = []
    for name, value in parts:
        whole.pad()
        start = whole.tell()
        part = PartSink(whole)
        by_name(name).dump(value, part)
        table.append([name, start, part.tell()])
    frame, index = plain.to_bytes(tree), plain.to_bytes(table)
    whole.write(frame + index + len(frame).to_bytes(8, "little") + len(index).to_bytes(8, "little") + END)


def read(blob: Blob) -> Any:
    """The value of a bundle."""
    frame, table = trailer(blob.data)
    loaded: dict[int, Any] = {}

    def part(number: int) -> Any:
        name, start, length = table[number]
        codec = by_name(name)
        if getattr(codec, "executes", False):
            raise ValueError(f"a part cannot be of `{name}`")
        if number not in loaded:
            loaded[number] = codec.load(PartBlob(blob, start, length))
        return loaded[number]

    return plain.loads(frame, part)


def trailer(data: memoryview) -> tuple[memoryview, list[list[Any]]]:
    """The text of the frame, and what says where the parts lie: [codec, start, length] of each. Raises `CannotDecode`."""
    tail = len(END) + 16
    if len(data) < len(BEGIN) + tail or data[: len(BEGIN)] != BEGIN or data[-len(END) :] != END:
        raise CannotDecode("the artifact is not a bundle", why="it does not begin and end like one")
    end = len(data) - tail
    sizes = [int.from_bytes(data[end + at : end + at + 8], "little") for at in (0, 8)]
    start = end - sum(sizes)
    if start < len(BEGIN):
        raise CannotDecode("the artifact is not a bundle", why="it is shorter than it says")
    table = plain.loads(data[start + sizes[0] : end])
    if not isinstance(table, list):
        raise CannotDecode("the artifact is not a bundle", why="it does not say where its parts are")
    return data[start : start + sizes[0]], table
