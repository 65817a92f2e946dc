"""Values handed from one process to another in files, by codec: never by pickle of what a codec knows.

write(folder, "table", frame)        # in one process
read(folder, "table")                # in the other
"""

from __future__ import annotations

import json
import mmap
import shutil
from _blake2 import blake2b  # as `hashlib` has it, which loads OpenSSL first
from pathlib import Path
from typing import Any

from stepwell.codecs import choose


class _Sink:
    """A blob that is written to a file; parts lie beside it. Implements `plugins.hookspecs.Sink`."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._folder = path.parent

    def write(self, data: Any, /) -> int:
        """Append bytes."""
        return self._file.write(data)

    def tell(self) -> int:
        """Bytes written so far."""
        return self._file.tell()

    def flush(self) -> None:
        """Nothing to do."""

    def take(self, path: Path) -> tuple[str, int]:
        """Copy a file in as a part."""
        hasher = blake2b(digest_size=32)
        with path.open("rb") as stream:
            while data := stream.read(1 << 20):
                hasher.update(data)
        name = hasher.hexdigest()
        shutil.copyfile(path, self._folder / f"part-{name}")
        return name, path.stat().st_size

    def close(self) -> None:
        """The blob is complete."""
        self._file.close()


class _Blob:
    """A blob that is read from a file. Implements `plugins.hookspecs.Blob`."""

    def __init__(self, path: Path) -> None:
        self.path: Path | None = path
        self.folder = path.parent
        self._path = path

    @property
    def data(self) -> memoryview:
        """The bytes, mapped."""
        with self._path.open("rb") as stream:
            if not self._path.stat().st_size:
                return memoryview(b"")
            return memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))

    def part(self, digest: str) -> Path:
        """The file of a part."""
        return self.folder / f"part-{digest}"


def write(folder: Path, name: str, value: Any) -> None:
    """Write a value to a folder under a name. Raises `CodecError`s."""
    sink = _Sink(folder / f"{name}.value")
    try:
        codec, _ = choose.dump(value, "", sink)  # type: ignore[arg-type]
    finally:
        sink.close()
    (folder / f"{name}.codec").write_text(json.dumps(codec), "utf-8")


def refer(folder: Path, name: str, path: Path) -> None:
    """Write down where a file is that is not to be copied; `read` gives its path."""
    (folder / f"{name}.codec").write_text(json.dumps({"path": str(path.absolute())}), "utf-8")


def read(folder: Path, name: str) -> Any:
    """The value that was written under a name. Raises `CodecError`s, `OSError`."""
    codec = json.loads((folder / f"{name}.codec").read_text("utf-8"))
    if isinstance(codec, dict):
        return Path(codec["path"])
    return choose.load(_Blob(folder / f"{name}.value"), codec)  # type: ignore[arg-type]
