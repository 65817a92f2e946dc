"""Columns of Python objects as Arrow arrays and back: part of what `codecs.frames` does.

A column whose objects are all of one type is an array of that type: text, bytes, numbers, dates, and NumPy
vectors as lists. Of missing values there may be one sort (None, nan, `pd.NA` or `pd.NaT`), which the
description names. All else is the text of plain data, cell by cell.

Text that repeats is written once, as a dictionary (`repeats`): it is read ten times as fast and in a fraction
of the memory, since the rows then share their objects. Whether it repeats is a matter of the values alone, so
that equal columns have equal bytes. Whether rows share objects already (`_once`) only says how the column is gone
through: reading what lies scattered in memory is most of what writing it costs.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from stepwell.codecs import plain
from stepwell.codecs.batches import masked
from stepwell.errors import CannotEncode

if TYPE_CHECKING:
    import pyarrow as pa

Described = tuple[Any, list[Any]]
"""An Arrow array, and how to go back: a list whose first item is "object", and whose second is the form."""

SAMPLE = 20_000
"""Rows that `repeats` looks at."""

OFTEN = 10
"""Times that a value comes on average, from which on finding the rows that have the same costs less than it saves."""

FEW = 1_000
"""Values below which nothing is gained by writing repeated ones once."""


def to_arrow(array: Any) -> Described:
    """A one-dimensional array of objects in Arrow, and how to go back. Raises `CannotEncode`."""
    import numpy as np

    each, places = _once(array)
    values = each.tolist()
    kinds = set(map(type, values))
    uniform = _uniform(each, values, kinds)
    if uniform is not None:
        column, described = uniform
        if described[1] in ("str", "bytes"):
            return _rows(column, places, once=repeats(array, _KINDS[described[1]])), described
        return _rows(column, places, once=False), described
    if places is not None:
        values = array.tolist()
    if kinds == {np.ndarray}:
        dtypes = {value.dtype for value in values}
        if len(dtypes) == 1 and all(value.ndim == 1 for value in values):
            dtype = dtypes.pop()
            if dtype.kind in "iuf" and dtype.itemsize <= 8:
                return _vectors(values, dtype)
    return _cells(values), ["object", "json"]


_KINDS = {"str": str, "bytes": bytes}
"""Classes of text, by the name of their form."""


def _uniform(array: Any, values: list[Any], kinds: set[type]) -> Described | None:
    """A column of one type and at most one sort of missing values; None for any other."""
    import pyarrow as pa

    markers = _markers()
    found = [name for name, kind in markers.items() if kind in kinds]
    rest = kinds - set(markers.values())
    if rest == {float}:
        return _floats(values, found)
    if float in rest:  # they must be nan, then, which Arrow takes for missing and anything else not
        rest.discard(float)
        found.append("nan")
    if len(found) > 1 or len(rest) > 1:
        return None
    kind = rest.pop() if rest else str
    form = kind.__name__ if kind in (str, bytes, int, bool, dt.date) else None
    if form is None:
        return None
    try:
        made = pa.array(array if form in _KINDS else values, _type_of(form), from_pandas=True)
    except UnicodeEncodeError:
        raise CannotEncode(
            "it holds text that is not valid Unicode", fixes=['`.str.encode("utf-8", "surrogateescape")`']
        ) from None
    except (pa.ArrowException, OverflowError):  # a float that is not nan, an integer of more than 64 bits
        return None
    return made, ["object", form, *(found or [""])]


def _type_of(form: str) -> pa.DataType:
    """What the objects of a form are in Arrow. Raises `KeyError`."""
    import pyarrow as pa

    return {
        "str": pa.large_string, "bytes": pa.large_binary, "int": pa.int64, "bool": pa.bool_,
        "float": pa.float64, "date": pa.date32,
    }[form]()  # fmt: skip


def _markers() -> dict[str, type]:
    """The types of missing values by their names, but that of nan, which is a number's."""
    import pandas as pd

    return {"None": type(None), "NA": type(pd.NA), "NaT": type(pd.NaT)}


def _floats(values: list[Any], found: list[str]) -> Described | None:
    import numpy as np
    import pyarrow as pa

    if found not in ([], ["None"]):
        return None
    numbers = pa.array(values, pa.float64(), from_pandas=False)
    missing = numbers.is_null().to_numpy(zero_copy_only=False)
    plain_ones = numbers.fill_null(0.0).to_numpy().copy()
    plain_ones[np.isnan(plain_ones)] = np.nan  # sign and payload of one that is an object tell nothing
    return masked(plain_ones, missing), ["object", "float", *(found or [""])]


def text(array: Any, kind: pa.DataType) -> pa.Array:
    """Text (and missing values) in Arrow: a dictionary where it repeats, else an array of this type."""
    import pyarrow as pa

    each, places = _once(array)
    return _rows(pa.array(each, kind, from_pandas=True), places, once=repeats(array, str))


def repeats(array: Any, kind: type) -> bool:
    """Whether the values of a class come `OFTEN` times each, on average, as far as a sample tells."""
    if len(array) < FEW:
        return False
    looked_at = _sample(array)
    values = [value for value in looked_at if isinstance(value, kind)]
    return _come_often(values, len(array) * len(values) // len(looked_at))


def _sample(array: Any) -> list[Any]:
    """Values of an array, all if they are few, else those of some rows: of the same ones in every array of this length.

    Rows at equal distances would not do, since values often come at equal distances, too. NumPy promises that
    this generator gives the same numbers in every version.
    """
    import numpy as np

    if len(array) > SAMPLE:
        chance = np.random.RandomState(0)
        array = array[np.unique(chance.randint(len(array), size=SAMPLE, dtype=np.int64))]
    return array.tolist()  # type: ignore[no-any-return]


def _come_often(sample: list[Any], count: int) -> bool:
    """Whether there are `OFTEN` times as many values, of which there are `count`, as different ones.

    How many different ones there are in the whole is told by how many came once and twice in the sample
    (A. Chao's estimate for samples without replacement): that a few come very often says nothing of the others.
    """
    times = Counter(Counter(sample).values())
    different = float(times.total())
    if times[1] and count > len(sample):
        different += times[1] ** 2 / (2 * times[2] + times[1] * len(sample) / (count - len(sample)))
    return different * OFTEN <= count


def _once(array: Any) -> tuple[Any, Any]:
    """The objects of an array, each once where many rows share them, and which of them each row has (None: its own).

    They come in the order of the rows.
    """
    import numpy as np
    import pandas as pd

    if len(array) < FEW:
        return array, None
    addresses = np.frombuffer(np.ascontiguousarray(array), np.intp)
    if not _come_often(_sample(addresses), len(array)):
        return array, None
    places, found = pd.factorize(addresses)
    rows = np.empty(len(found), np.intp)
    rows[places] = np.arange(len(array))  # one of the rows that have it
    return array[rows], places


def _rows(column: pa.Array, places: Any, *, once: bool) -> pa.Array:
    """A column whose rows are at these places of another (None: that one), as a dictionary if each value is to come once.

    The dictionary is in the order of the rows.
    """
    import numpy as np
    import pyarrow as pa

    if not once:
        return column if places is None else column.take(pa.array(places))
    encoded = column.dictionary_encode()
    narrow = next(
        code
        for code in (np.int8, np.int16, np.int32, np.int64)
        if len(encoded.dictionary) <= np.iinfo(code).max
    )
    codes = encoded.indices.fill_null(-1).to_numpy().astype(narrow)
    if places is not None:
        codes = codes[places]
    return pa.DictionaryArray.from_arrays(masked(codes, codes < 0), encoded.dictionary)


def _vectors(values: list[Any], dtype: Any) -> Described:
    import numpy as np
    import pyarrow as pa

    little = dtype.newbyteorder("<")
    offsets = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(map(len, values), np.int64, len(values)), out=offsets[1:])
    flat = np.concatenate(values).astype(little, copy=False)
    return pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(flat)), ["object", "vectors", little.str]


def _cells(values: list[Any]) -> pa.Array:
    import pyarrow as pa

    texts: list[str] = []
    try:
        for value in values:
            texts.append(plain.dumps(value).decode())  # noqa: PERF401, its length says which cell failed
    except (plain.NotPlain, UnicodeDecodeError) as error:
        kind = error.kind if isinstance(error, plain.NotPlain) else "text that is not valid Unicode"
        raise CannotEncode(
            f"row {len(texts)} holds {kind}",
            why="a column of Python objects can hold text, bytes, arrays and plain data",
            fixes=["`.astype(...)` the column, or turn its objects into plain data or text", "or drop it"],
        ) from None
    return pa.array(texts, type=pa.large_string())


# --------------------------------------------------------------------------- from Arrow


def from_arrow(column: pa.Array, form: str, detail: str, numbers: Callable[[pa.Array, Any], Any]) -> Any:
    """The objects again, as an array of them; `numbers` gives the numbers of an Arrow array where they lie.

    Raises many things for a form that is not that of the column.
    """
    import numpy as np
    import pyarrow as pa

    if form == "vectors":
        flat = numbers(column.values, np.dtype(detail))
        offsets = column.offsets.to_numpy(zero_copy_only=False)
        return object_array([flat[offsets[i] : offsets[i + 1]] for i in range(len(column))])
    if form == "json":
        return object_array([plain.loads(each.encode()) for each in column.to_pylist()])
    held = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if held != _type_of(form):
        raise ValueError(f"{column.type} does not hold {form}")
    missing = _stand_in(detail)
    if form in ("str", "bytes"):
        return texts(column, missing)
    filled = column.fill_null(False if form == "bool" else 0) if form != "date" else column
    found = filled.to_numpy(zero_copy_only=False).astype(object)
    return _with(found, column, missing)


def texts(column: pa.Array, missing: Any) -> Any:
    """What `text` wrote, as an array of objects, with `missing` where there is nothing."""
    import numpy as np
    import pyarrow as pa

    if not pa.types.is_dictionary(column.type):
        return _with(column.to_numpy(zero_copy_only=False), column, missing)
    found = np.empty(len(column.dictionary) + 1, dtype=object)
    found[:-1] = column.dictionary.to_numpy(zero_copy_only=False)
    found[-1] = missing
    return found.take(column.indices.fill_null(-1).to_numpy())


def _with(found: Any, column: pa.Array, missing: Any) -> Any:
    """Objects with one in place of what is missing."""
    if column.null_count:
        found[column.is_null().to_numpy(zero_copy_only=False)] = missing
    return found


def _stand_in(name: str) -> Any:
    import pandas as pd

    return {"": None, "None": None, "nan": float("nan"), "NA": pd.NA, "NaT": pd.NaT}[name]


def object_array(values: Collection[Any]) -> Any:
    """An array of these very objects, also where they are lists or arrays."""
    import numpy as np

    return np.fromiter(values, dtype=object, count=len(values))


def object_index(values: Sequence[Any] | Iterable[Any]) -> Any:
    """An index of these very objects."""
    import pandas as pd

    return pd.Index(object_array(list(values)), dtype=object, tupleize_cols=False)
