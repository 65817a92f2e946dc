"""`c1:` a second time, in plain Python and value by value, from docs/reference/content-digest.md alone.

A value is None (missing) or what its kind says: bool, int, float, Decimal, complex, str, bytes, a count
of days or nanoseconds, a list, a dict. A kind is a word, or `["list", kind]`, or `["struct", [[name, kind], …]]`.
"""

from __future__ import annotations

import json
import math
import struct
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

from blake3 import blake3

VECTORS = Path(__file__).parents[2] / "docs" / "reference" / "content-digest.json"
LETTERS = {"bool": "b", "int": "i", "complex": "c", "text": "t", "binary": "x", "date": "D", "time": "T",
           "moment": "M", "instant": "I", "duration": "P", "list": "[", "struct": "{"}  # fmt: skip


def table(columns: list[tuple[str, Any, list[Any]]], rows: int) -> str:
    """The digest of a table out of names, kinds and values."""
    whole = b"c1:table\n" + u64(rows) + u64(len(columns))
    for name, kind, values in columns:
        whole += u64(len(name.encode())) + name.encode() + column(kind, values)
    return "c1:" + blake3(whole).hexdigest()


def array(shape: list[int], kind: Any, values: list[Any]) -> str:
    """The digest of an array out of its values in C order."""
    whole = b"c1:array\n" + u64(len(shape)) + b"".join(map(u64, shape)) + column(kind, values)
    return "c1:" + blake3(whole).hexdigest()


def column(kind: Any, values: list[Any]) -> bytes:
    blocks = [values[i : i + 65536] for i in range(0, len(values), 65536)]
    return blake3(b"c1:column\n" + b"".join(node(kind, block) for block in blocks)).digest()


def node(kind: Any, values: list[Any]) -> bytes:
    word = kind if isinstance(kind, str) else kind[0]
    if word == "float":
        values = [None if v is None or math.isnan(v) else v + 0.0 for v in values]
    if word == "complex":
        values = [None if v is None or math.isnan(v.real) or math.isnan(v.imag) else v for v in values]
    if all(v is None for v in values):
        return b"-"
    letter, body = globals()[f"_{word}"](kind, values) if f"_{word}" in globals() else counts(word, values)
    if None not in values:
        return letter + b"\0" + body
    return letter + b"\1" + bits([v is not None for v in values]) + body


def counts(word: str, values: list[Any]) -> tuple[bytes, bytes]:
    return LETTERS[word].encode(), whole([v or 0 for v in values])


def _bool(kind: Any, values: list[Any]) -> tuple[bytes, bytes]:
    return b"b", bits([bool(v) for v in values])


def _float(kind: Any, values: list[Any]) -> tuple[bytes, bytes]:
    kept = [0.0 if v is None else v for v in values]
    if all(math.isfinite(v) and v == int(v) and -(2**63) <= v < 2**63 for v in kept):
        return b"i", whole([int(v) for v in kept])
    return b"f", b"".join(struct.pack("<d", v) for v in kept)


def _complex(kind: Any, values: list[Any]) -> tuple[bytes, bytes]:
    kept = [0j if v is None else v for v in values]
    return b"c", b"".join(struct.pack("<dd", v.real + 0.0, v.imag + 0.0) for v in kept)


def _decimal(kind: Any, values: list[Any]) -> tuple[bytes, bytes]:
    with localcontext(prec=100):
        kept = [Decimal(0) if v is None else v for v in values]
        places = max(max(0, -int(v.normalize().as_tuple().exponent)) for v in kept)
        numbers = whole([int(v.scaleb(places)) for v in kept])
    return (b"d", bytes([places]) + numbers) if places else (b"i", numbers)


def _text(kind: Any, values: list[Any]) -> tuple[bytes, bytes]:
    return b"t", _binary(kind, [v and v.encode() for v in values])[1]


def _binary(kind: Any, values: list[Any]) -> tuple[bytes, bytes]:
    kept = [v or b"" for v in values]
    return b"x", whole([len(v) for v in kept]) + b"".join(kept)


def _list(kind: Any, values: list[Any]) -> tuple[bytes, bytes]:
    kept = [v or [] for v in values]
    return b"[", whole([len(v) for v in kept]) + node(kind[1], [item for v in kept for item in v])


def _struct(kind: Any, values: list[Any]) -> tuple[bytes, bytes]:
    fields = sorted(kind[1], key=lambda field: field[0].encode())
    body = struct.pack("<I", len(fields))
    for name, _ in fields:
        body += struct.pack("<I", len(name.encode())) + name.encode()
    for name, inner in fields:
        body += node(inner, [None if v is None else v[name] for v in values])
    return b"{", body


def whole(numbers: list[int]) -> bytes:
    width = next(
        w for w in (1, 2, 4, 8, 16, 32) if all(-(1 << 8 * w - 1) <= v < 1 << 8 * w - 1 for v in numbers)
    )
    return bytes([width]) + b"".join(v.to_bytes(width, "little", signed=True) for v in numbers)


def bits(flags: list[bool]) -> bytes:
    packed = bytearray((len(flags) + 7) // 8)
    for i, flag in enumerate(flags):
        packed[i // 8] |= flag << i % 8
    return bytes(packed)


def u64(number: int) -> bytes:
    return number.to_bytes(8, "little")


# --------------------------------------------------------------------------- test vectors


def told(kind: Any, value: Any) -> Any:
    """A value out of what stands for it in the test vectors."""
    if value is None or kind in ("bool", "text"):
        return value
    if isinstance(kind, list):
        if kind[0] == "list":
            return [told(kind[1], item) for item in value]
        return {name: told(inner, value[name]) for name, inner in kind[1]}
    makers = {"float": float, "decimal": Decimal, "binary": bytes.fromhex}
    if kind == "complex":
        return complex(*map(float, value))
    return makers.get(kind, int)(value)


def values(described: dict[str, Any]) -> list[Any]:
    """The values of a column or array of the test vectors, repeated where that is said."""
    once = [told(described["kind"], value) for value in described["values"]]
    many = described.get("count", len(once))
    return [once[i % len(once)] for i in range(many)] if once else []


def vectors() -> list[dict[str, Any]]:
    return json.loads(VECTORS.read_text())["vectors"]


def digest(vector: dict[str, Any]) -> str:
    """The digest of a test vector, as this module computes it."""
    if "shape" in vector:
        return array(vector["shape"], vector["kind"], values(vector))
    columns = [(each["name"], each["kind"], values(each)) for each in vector["columns"]]
    return table(columns, vector["rows"])
