"""What named data is given as, where the manifest does not say: by the suffix of its files, the same on every machine."""

from __future__ import annotations

from stepwell.author.manifest import Data
from stepwell.sources.packing import packing_of

FRAME = "pandas.DataFrame"

_TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".pq", ".feather", ".arrow", ".ipc", ".orc", ".xlsx", ".dta")  # fmt: skip
_TYPES = {
    **dict.fromkeys(_TABLES, FRAME),
    **dict.fromkeys((".json", ".yaml", ".yml", ".toml"), "Any"),
    ".npy": "numpy.ndarray",
    ".npz": "dict",
    ".txt": "str",
    ".md": "str",
}
_MANY = ("*", "?", "[")


def type_of(data: Data) -> str:
    """The full name of the type that data is given as: "pandas.DataFrame"; "" for its path, or a list of paths."""
    if data.type:
        return data.type
    if data.query or data.package:
        return FRAME
    told = data.read.get("format")
    name = f".{told.strip('. ')}" if isinstance(told, str) else data.source.partition("?")[0]
    name = name.lower().rpartition("/")[2]
    name = name.removesuffix(packing_of(name))
    kind = next((kind for suffix, kind in _TYPES.items() if name.endswith(suffix)), "")
    return "" if kind != FRAME and any(sign in data.source for sign in _MANY) else kind
