"""The folder through which a worker and the process that executes a task for it speak.

    task.json      the worker's: the task, its inputs by name, what to import and from what bytes
    in/            the worker's: the blobs of inputs by digest, as they are in the store; for reading only
    lib/           the worker's: a folder to import `stepwell` from, and nothing else
    out/began      that process is there and has understood the task
    out/recorded   what the step records, a line of JSON each, as it comes
    out/done.json  what came of it; written last
    out/0, 1, ...  outputs, and what was recorded, as codecs wrote them, and the files that belong to them

Values cross as the bytes of codecs. A blob that refers to further files does so by their digests, and the
other process has no means to make them (its Python need not have BLAKE3): it writes a mark of the
same length for each, and the worker puts the digest in its place (`settle`).
"""

from __future__ import annotations

import base64
import json
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from stepwell.kernel.graph import Constant, OutputDef, Pack, StepDef
from stepwell.kernel.ports import Artifact, Outside, Stored, Task

TASK, IN, OUT, LIB = "task.json", "in", "out", "lib"
BEGAN, RECORDED, DONE = "began", "recorded", "done.json"

UNHASHED = "unhashed"
"""In place of the token of a file that was seen to be read: the worker finds it out."""


def packed_bytes(data: bytes) -> str:
    """Bytes as text for JSON."""
    return base64.b64encode(data).decode("ascii")


def unpacked_bytes(text: str) -> bytes:
    """The bytes again."""
    return base64.b64decode(text)


# --------------------------------------------------------------------------- tasks


def packed_task(task: Task, inputs: list[Any]) -> dict[str, Any]:
    """A task as plain data, its inputs as `packed_value` has made them.

    It has no place any more: it is there. Its services run already.
    """
    step = task.step._replace(place="", services=())._asdict()
    return {**task._asdict(), "step": step, "inputs": inputs}


def unpacked_task(plain: Mapping[str, Any], value: Callable[[Any], object]) -> Task:
    """The task again; `value` makes an input of its plain data (`unpacked_value`)."""
    step: dict[str, Any] = {name: _tuples(each) for name, each in plain["step"].items()}
    step["outputs"] = tuple(OutputDef(*output) for output in step["outputs"])
    inputs = tuple((name, value(each)) for name, each in plain["inputs"])
    given: dict[str, Any] = {**plain, "step": StepDef(**step), "inputs": inputs}
    return Task(**given)


def packed_value(value: Any, encoded: Callable[[object], tuple[str, bytes]]) -> dict[str, Any]:
    """An input as plain data. `encoded` gives codec and bytes of a value that is no artifact.

    Of a `Stored`, the bytes travel with it where they are few; else its blob must lie in `in/`.
    """
    if isinstance(value, Constant):
        codec, data = (value.codec, value.payload) if value.codec else encoded(value.payload)
        return {"constant": packed_bytes(data), "codec": codec}  # type: ignore[arg-type]
    if isinstance(value, Stored):
        data = None if value.data is None else packed_bytes(value.data)
        return {"stored": list(value.artifact), "data": data, "path": list(value.path)}
    if isinstance(value, Outside):
        codec, options = encoded(dict(value.options))
        return {
            "outside": [value.name, value.uri, value.type],
            "digest": value.digest,
            "options": packed_bytes(options),
            "codec": codec,
        }
    if isinstance(value, Pack):
        codec, keys = encoded(value.keys)
        rest = {name: each for name, each in value._asdict().items() if name not in ("items", "keys")}
        items = [packed_value(item, encoded) for item in value.items]
        return {"pack": rest, "items": items, "keys": packed_bytes(keys), "codec": codec}
    raise TypeError(f"a task's input is a {type(value).__name__}")


def unpacked_value(plain: Mapping[str, Any], decoded: Callable[[str, bytes], Any]) -> Any:
    """The input again; `decoded` makes a value of a codec's name and bytes."""
    if "constant" in plain:
        return Constant(unpacked_bytes(plain["constant"]), "", plain["codec"])
    if "stored" in plain:
        artifact = Artifact(*[_tuples(each) for each in plain["stored"]])
        data = None if plain["data"] is None else unpacked_bytes(plain["data"])
        return Stored(artifact, data, tuple(plain["path"]))
    if "outside" in plain:
        options = decoded(plain["codec"], unpacked_bytes(plain["options"]))
        return Outside(*plain["outside"], options=tuple(options.items()), digest=plain["digest"])
    items = tuple(unpacked_value(item, decoded) for item in plain["items"])
    keys = decoded(plain["codec"], unpacked_bytes(plain["keys"]))
    rest = {name: _tuples(each) for name, each in plain["pack"].items()}
    return Pack(items=items, keys=tuple(keys), **rest)


def _tuples(value: Any) -> Any:
    """Plain data with tuples where JSON has lists."""
    return tuple(_tuples(each) for each in value) if isinstance(value, list) else value


# --------------------------------------------------------------------------- files


def write_json(path: Path, value: object) -> None:
    """Write a file that is whole as soon as it has its name."""
    aside = path.with_name(f".{path.name}")
    aside.write_text(json.dumps(value), "utf-8")
    aside.rename(path)


def opened(folder: Path, name: str) -> int:
    """A file of `out/`, for reading: a descriptor. Raises `OSError` for what is no plain file, links among them.

    The other process may be the user's worst enemy (an image from somewhere): what it made must not
    lead the worker to files that only the worker can read.
    """
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise OSError(f"{name!r} is no name of a file")
    descriptor = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{name!r} is no plain file")
    return descriptor
