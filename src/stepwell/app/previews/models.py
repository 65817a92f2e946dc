"""Models: what their files say of themselves. Nothing in them is made into an object."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any, NamedTuple

from stepwell.app.previews.held import Held, nothing

SCHEMA = 16 << 20
"""Bytes of a model's description that are read."""

MEMBERS = 100_000
"""Entries of an archive up to which it is opened."""

DIRECTORY = 8 << 20
"""Bytes of an archive's list of contents up to which it is read."""

SHOWN = 200
"""Characters of a value that are shown."""

DEEPEST = 60


class Window(io.RawIOBase):
    """Mapped bytes as a file to read from, so that an archive is not copied to be looked into."""

    def __init__(self, data: memoryview) -> None:
        self._data, self._at = data, 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """Where the next read begins."""
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go elsewhere, as files do. Raises `OSError` for a place before the beginning."""
        start = (0, self._at, len(self._data))[whence]
        if start + offset < 0:
            raise OSError("a place before the beginning")
        self._at = start + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer from here on."""
        piece = self._data[self._at : self._at + len(buffer)]
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)


def archive(data: memoryview) -> zipfile.ZipFile | str:
    """A zip file, opened; why not, where its list of contents is too long or there is none."""
    tail = bytes(data[-65_557:])
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < 22:
        return "it is a zip file that is cut off"
    entries, size = (
        int.from_bytes(tail[at + 10 : at + 12], "little"),
        int.from_bytes(tail[at + 12 : at + 16], "little"),
    )
    is_wide = entries == 0xFFFF or size == 0xFFFFFFFF
    if entries > MEMBERS or size > DIRECTORY or (is_wide and len(data) > DIRECTORY):
        return "it is a zip file with too many entries to be looked into"
    try:
        return zipfile.ZipFile(io.BufferedReader(Window(data)))
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        return f"it is a zip file that cannot be read: {error}"[:300]


def member(opened: zipfile.ZipFile, name: str, most: int = SCHEMA) -> bytes | None:
    """The bytes of an entry; None where they are more than `most`, whatever the archive says that they are."""
    with opened.open(name) as stream:
        found = stream.read(most + 1)
    return None if len(found) > most else found


# ---------------------------------------------------------------------------- skops


def skops_shown(held: Held) -> dict[str, Any]:
    """A scikit-learn model in the form of skops: class, parameters, what it was fitted on."""
    opened = archive(held.data)
    if isinstance(opened, str):
        return nothing(opened)
    if "schema.json" not in opened.namelist():
        return nothing("it is not a model in the form of skops: it has no description")
    text = member(opened, "schema.json")
    if text is None:
        return nothing("its description is too long to be looked into")
    version = _version(opened)
    root = json.loads(text)
    facts = _facts(root)
    facts += [("scikit-learn", version)] if version else []
    facts += [("size", f"{len(held.data):,} bytes")]
    return _model(_title(root), facts, _params(root))


def _version(opened: zipfile.ZipFile) -> str:
    if "stepwell.json" not in opened.namelist():
        return ""
    found = json.loads(member(opened, "stepwell.json", 4096) or b"{}")
    return str(found.get("scikit-learn", ""))[:SHOWN]


def _model(title: str, facts: list[tuple[str, str]], params: list[tuple[str, str]]) -> dict[str, Any]:
    return {
        "kind": "model",
        "title": title,
        "facts": [list(fact) for fact in facts],
        "params": [list(param) for param in params],
    }


def _class(node: Any) -> str:
    return str(node.get("__class__", "")) if isinstance(node, dict) else ""


def _attributes(node: Any) -> dict[str, Any]:
    """The state of an object: its attributes by name."""
    content = node.get("content") if isinstance(node, dict) else None
    inner = content.get("content") if isinstance(content, dict) else None
    return inner if isinstance(inner, dict) else {}


def _items(node: Any) -> list[Any]:
    content = node.get("content") if isinstance(node, dict) else None
    return content if isinstance(content, list) else []


class Stage(NamedTuple):
    """A step of a pipeline: its name, its node."""

    name: str
    node: Any


def _stages(node: Any) -> list[Stage]:
    """The steps of a pipeline; none for other estimators."""
    found = []
    for pair in _items(_attributes(node).get("steps")):
        parts = _items(pair)
        if len(parts) == 2:
            found.append(Stage(_value(parts[0]).strip("'\""), parts[1]))
    return found


def _title(root: Any) -> str:
    inner = [_class(stage.node) or stage.name for stage in _stages(root)]
    return (f"{_class(root)}: {' → '.join(inner)}" if inner else _class(root) or "model")[:SHOWN]


def _params(root: Any, before: str = "", depth: int = 0) -> list[tuple[str, str]]:
    """Parameters as `get_params` names them: attributes that are neither fitted (`coef_`) nor private."""
    if depth > 3:
        return []
    found: list[tuple[str, str]] = []
    stages = _stages(root)
    for name, node in sorted(_attributes(root).items()):
        if name.endswith("_") or name.startswith("_") or (stages and name == "steps"):
            continue
        found.append((f"{before}{name}"[:SHOWN], _value(node)))
        if _class(node)[:1].isupper() and any(one.endswith("_") for one in _attributes(node)):
            found += _params(node, f"{before}{name}__", depth + 1)
    for stage in stages:
        found += _params(stage.node, f"{before}{stage.name}__", depth + 1)
    return found[:500]


def _facts(root: Any) -> list[tuple[str, str]]:
    """What fitting left: how many features and which, classes, trees."""
    found: list[tuple[str, str]] = []
    nodes = [root, *(stage.node for stage in _stages(root))]
    for name, label in (("n_features_in_", "features"), ("n_iter_", "iterations"), ("n_outputs_", "outputs")):
        for node in nodes:
            if name in _attributes(node):
                found.append((label, _value(_attributes(node)[name])))
                break
    fitted = any(
        name.endswith("_") and not name.startswith("_") for node in nodes for name in _attributes(node)
    )
    count = sum(1 for _ in _nodes(root))
    return [("module", str(root.get("__module__", ""))[:SHOWN] if isinstance(root, dict) else ""), *found,
            ("fitted", "yes" if fitted else "no"), ("parts", f"{count:,}")]  # fmt: skip


def _nodes(root: Any) -> Iterator[dict[str, Any]]:
    """Every object in a description."""
    todo = [root]
    while todo:
        found = todo.pop()
        if isinstance(found, dict):
            if "__loader__" in found:
                yield found
            todo.extend(found.values())
        elif isinstance(found, list):
            todo.extend(found)


def _value(node: Any, depth: int = 0) -> str:
    """A node of a description as Python would write it, shortened."""
    if not isinstance(node, dict) or depth > 4:
        return "…"
    loader, content = node.get("__loader__"), node.get("content")
    if loader == "JsonNode":
        found = json.loads(content) if isinstance(content, str) and len(content) < 1 << 16 else "…"
        return repr(found)[:SHOWN]
    if loader in ("TypeNode", "FunctionNode"):
        return _class(content) or _class(node)
    if loader in ("ListNode", "TupleNode", "SetNode"):
        text = ", ".join(_value(item, depth + 1) for item in _items(node)[:10])
        return f"[{text}]"[:SHOWN]
    if loader == "DictNode" and isinstance(content, dict):
        return (
            "{"
            + ", ".join(f"{name}: {_value(item, depth + 1)}" for name, item in list(content.items())[:10])
            + "}"
        )[:SHOWN]
    return f"{_class(node)}(…)"[:SHOWN]


# ---------------------------------------------------------------------------- safetensors

HEADER = 8 << 20
"""Bytes of a header of safetensors that are read."""


def is_safetensors(data: memoryview) -> bool:
    """Whether bytes begin with the length of a header that they have room for, and with that header."""
    if len(data) < 10:
        return False
    length = int.from_bytes(data[:8], "little")
    return 2 <= length <= len(data) - 8 and bytes(data[8:9]) == b"{" and length < 1 << 32


def tensors_shown(held: Held) -> dict[str, Any]:
    """Tensors by name, with type and shape, from the header."""
    length = int.from_bytes(held.data[:8], "little")
    if length > HEADER:
        return nothing("its header is too long to be looked into")
    found = json.loads(bytes(held.data[8 : 8 + length]))
    said = found.pop("__metadata__", {})
    count = 0
    tensors: list[tuple[str, str]] = []
    for name, one in found.items():
        shape, dtype = one["shape"], one["dtype"]
        size = 1
        for side in shape:
            size *= int(side)
        count += size
        tensors.append((str(name)[:SHOWN], f"{dtype} {shape}"[:SHOWN]))
    facts = [
        ("tensors", f"{len(found):,}"),
        ("parameters", f"{count:,}"),
        ("size", f"{len(held.data):,} bytes"),
    ]
    facts += [(str(name)[:SHOWN], str(value)[:SHOWN]) for name, value in list(said.items())[:20]]
    return _model("safetensors", facts, tensors[:500])
