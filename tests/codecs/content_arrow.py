"""Values of the reference (`content_reference`) as Arrow arrays, in whichever of Arrow's types hold them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa

WIDE = {"text": pa.large_string, "binary": pa.large_binary}
NARROW = {"text": pa.string, "binary": pa.binary}


def arrow_array(kind: Any, values: list[Any], *, wide: bool = False) -> pa.Array:
    """The values as an array of the usual types, or of wider ones."""
    made = arrow_type(kind, values, wide)
    return pa.array([held(made, value) for value in values], made)


def arrow_type(kind: Any, values: list[Any], wide: bool = False) -> pa.DataType:
    """A type of Arrow that holds these values of a kind."""
    present = [value for value in values if value is not None]
    match kind:
        case ["list", inner]:
            child = arrow_type(inner, [item for value in present for item in value], wide)
            return pa.large_list(child) if wide else pa.list_(child)
        case ["struct", fields]:
            return pa.struct(
                [(name, arrow_type(inner, [v[name] for v in present], wide)) for name, inner in fields]
            )
        case "text" | "binary":
            return (WIDE if wide else NARROW)[kind]()
        case "bool" | "float":
            return pa.bool_() if kind == "bool" else pa.float64()
        case "int":
            if all(-(2**31) <= v < 2**31 for v in present) and not wide:
                return pa.int32()
            return pa.int64() if all(v < 2**63 for v in present) else pa.uint64()
        case "decimal":
            places = max((-int(v.as_tuple().exponent) for v in present), default=0) + wide
            digits = max((v.adjusted() + 1 for v in present), default=1)
            total = max(places + max(digits, 1), 1)
            return pa.decimal128(38, places) if total <= 38 else pa.decimal256(76, places)
        case "date":
            return pa.date64() if wide else pa.date32()
        case "time":
            return pa.time64("ns")
        case "duration":
            return pa.duration("ns")
    unit = "ns" if all(-(2**63) <= v < 2**63 for v in present) else "us"
    return pa.timestamp(unit, ("Asia/Tokyo" if wide else "UTC") if kind == "instant" else None)


def held(made: pa.DataType, value: Any) -> Any:
    """A value as `pyarrow.array` takes it for a type."""
    if value is None:
        return None
    if isinstance(made, (pa.ListType, pa.LargeListType)):
        return [held(made.value_type, item) for item in value]
    if isinstance(made, pa.StructType):
        return {field.name: held(field.type, value[field.name]) for field in made}
    if pa.types.is_timestamp(made) and made.unit == "us":
        return value // 1000
    if made == pa.date64():
        return value * 86_400_000
    return Decimal(value) if pa.types.is_decimal(made) else value
