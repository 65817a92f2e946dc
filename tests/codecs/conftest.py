"""A store in a temporary folder, as small as codecs need it: a sink, a blob, and both ways in one call."""

from __future__ import annotations

import mmap
import shutil
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from blake3 import blake3

from stepwell.codecs import choose

sys.path.insert(0, str(Path(__file__).parent))  # for `codec_shapes`, whose classes are found by name


class FakeSink:
    """Collects what is written; files that are taken become read-only blobs under their digests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = bytearray()
        self.parts: list[str] = []

    def write(self, data: Any, /) -> int:
        view = memoryview(data)
        assert view.contiguous
        self.data += view.cast("B") if view.nbytes else b""
        return view.nbytes

    def tell(self) -> int:
        return len(self.data)

    def flush(self) -> None:
        pass

    def take(self, path: Path) -> tuple[str, int]:
        content = path.read_bytes()
        digest = f"b3:{blake3(content).hexdigest()}"
        place = self.folder / "blobs" / digest[3:]
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
            place.chmod(0o444)
        self.parts.append(digest)
        return digest, len(content)


class FakeBlob:
    """Bytes in memory, or mapped from a file."""

    def __init__(self, data: bytes, folder: Path, *, mapped: bool = False) -> None:
        self.folder = folder
        self.path: Path | None = None
        self.data = memoryview(bytes(data))
        if mapped and data:
            self.path = folder / "blobs" / f"whole-{blake3(data).hexdigest()[:16]}"
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if not self.path.exists():
                self.path.write_bytes(data)
                self.path.chmod(0o444)
            with self.path.open("rb") as file:
                self.data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))

    def part(self, digest: str) -> Path:
        path = self.folder / "blobs" / digest[3:]
        if not path.is_file():
            raise FileNotFoundError(digest)
        return path


class Dumped(NamedTuple):
    codec: str
    note: str
    data: bytes


class Box:
    """Values there and back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def sink(self) -> FakeSink:
        return FakeSink(self.folder)

    def blob(self, data: bytes, *, mapped: bool = False) -> FakeBlob:
        return FakeBlob(data, self.folder, mapped=mapped)

    def dump(self, value: Any, codec: str = "") -> Dumped:
        sink = self.sink()
        name, note = choose.dump(value, codec, sink)
        return Dumped(name, note, bytes(sink.data))

    def load(self, data: bytes, codec: str, *, mapped: bool = False) -> Any:
        return choose.load(self.blob(data, mapped=mapped), codec)

    def trip(self, value: Any, codec: str = "", *, mapped: bool = False) -> Any:
        """What becomes of a value; what it becomes has the same bytes again."""
        dumped = self.dump(value, codec)
        back = self.load(dumped.data, dumped.codec, mapped=mapped)
        again = self.dump(back, dumped.codec)
        assert again.data == dumped.data
        return back


@pytest.fixture(scope="session")
def box(tmp_path_factory: pytest.TempPathFactory) -> Box:
    """One store for the whole session: property tests may not have one for each example."""
    return Box(tmp_path_factory.mktemp("store"))
