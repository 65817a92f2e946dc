"""pandas objects as Arrow columns and back, exactly: what `pyarrow.Table.from_pandas` does not keep.

Each column becomes one Arrow array and a short description, a list whose first item says how to go
back: `["numpy", "<f8"]`, `["category", false, ["object", "str", "None"]]`, `["masked", "Int64"]`.
The row index is more such columns, the labels of columns are plain data in the description. So
duplicate, non-string and nested labels, every kind of index, its frequency and its name come back
as they were; columns of Python objects (`codecs.cells`) come back as objects, not as what pandas would infer.

Two frames that are equal are equal here, whatever their blocks look like; one whose index was made
with a frequency and one whose index was not are told apart, as a step can tell them apart.

Numbers come back as views of the blob's memory, one block a column: nothing is copied.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from stepwell.codecs import cells, plain
from stepwell.codecs.batches import masked, read, tidy, write_named
from stepwell.codecs.cells import Described
from stepwell.codecs.classes import full_name
from stepwell.codecs.memory import MemorySink
from stepwell.errors import CannotEncode

if TYPE_CHECKING:
    import pyarrow as pa

UNITS = ("s", "ms", "us", "ns")


# --------------------------------------------------------------------------- to Arrow


def to_columns(value: Any) -> tuple[list[pa.Array], list[str], dict[str, Any]]:
    """The columns of a frame, series or index, their names, and the description of the whole."""
    import pandas as pd

    columns: list[Any] = []
    names: list[str] = []
    meta: dict[str, Any] = {}

    def add(array: Any, label: object, what: str) -> list[Any]:
        try:
            column, described = to_arrow(array)
        except CannotEncode as error:
            raise CannotEncode(
                f"{what} `{label}` cannot be stored: {error.what}", why=error.why, fixes=error.fixes
            ) from None
        columns.append(column)
        names.append(str(label).encode("utf-8", "backslashreplace").decode())
        return described

    if type(value) is pd.DataFrame:
        meta["kind"] = "frame"
        meta["data"] = [
            add(value.iloc[:, i].array, label, "the column") for i, label in enumerate(value.columns)
        ]
        meta["columns"] = _labels(value.columns)
    elif type(value) is pd.Series:
        meta["kind"] = "series"
        meta["data"] = [add(value.array, value.name, "the series")]
        meta["name"] = _plain_name(value.name)
    elif isinstance(value, pd.Index) and full_name(type(value)).startswith("pandas."):
        meta["kind"] = "index"
    else:
        raise CannotEncode(
            f"a {type(value).__qualname__} is more than a pandas frame",
            fixes=["return `pd.DataFrame(...)` of it"],
        )
    index = value if isinstance(value, pd.Index) else value.index
    meta["index"] = _index(index, lambda array, label: add(array, label, "the index"))
    if not isinstance(value, pd.Index) and value.attrs:
        meta["attrs"] = _attrs(value.attrs)
    return columns, names, meta


def _attrs(attrs: dict[Any, Any]) -> dict[Any, Any]:
    try:
        plain.dumps(attrs)
    except plain.NotPlain as error:
        raise CannotEncode(
            f"`.attrs{error.where}` is {error.kind}, which is not plain data",
            fixes=["`frame.attrs.clear()`, or keep plain data in it"],
        ) from None
    return attrs


def _plain_name(name: Any) -> Any:
    try:
        plain.dumps(name)
    except plain.NotPlain as error:
        raise CannotEncode(f"a name in the table is {error.kind}, which is not plain data") from None
    return name


def _index(index: Any, add: Callable[[Any, object], list[Any]]) -> dict[str, Any]:
    """The description of a row index, its levels added as columns unless it is a range."""
    import pandas as pd

    names = [_plain_name(name) for name in index.names]
    if isinstance(index, pd.RangeIndex):
        return {"range": [index.start, index.stop, index.step], "names": names}
    levels = [index.get_level_values(i) for i in range(index.nlevels)]
    shown = [f"index {i}" if name is None else name for i, name in enumerate(names)]
    out: dict[str, Any] = {
        "levels": [add(level.array, label) for level, label in zip(levels, shown, strict=True)],
        "names": names,
    }
    if index.nlevels > 1 or isinstance(index, pd.MultiIndex):
        out["multi"] = True
    frequency = getattr(index, "freqstr", None)
    if frequency is not None and isinstance(index, (pd.DatetimeIndex, pd.TimedeltaIndex)):
        out["freq"] = frequency
    return out


def _labels(labels: Any) -> dict[str, Any]:
    """The description of the labels of columns: plain data, and a small table where they are more."""
    import pandas as pd

    if isinstance(labels, pd.RangeIndex):
        return {"range": [labels.start, labels.stop, labels.step], "names": [_plain_name(labels.name)]}
    kind = str(labels.dtype)
    if type(labels) is pd.Index and kind in ("object", "str"):
        found = list(labels)
        return {
            "labels": [_plain_name(label) for label in found],
            "dtype": kind,
            "names": [_plain_name(labels.name)],
        }
    columns, _, meta = to_columns(labels)
    return {"table": _table_bytes(columns, meta)}


def _table_bytes(columns: list[pa.Array], meta: dict[str, Any]) -> bytes:
    sink = MemorySink()
    write_named(columns, [str(i) for i in range(len(columns))], meta, sink)
    return bytes(sink.data)


def to_arrow(array: Any) -> Described:
    """A pandas array as an Arrow array, and how to go back."""
    import numpy as np
    import pandas as pd

    dtype = array.dtype
    if type(array).__name__ == "NumpyExtensionArray":
        return _numpy(array.to_numpy())
    if isinstance(dtype, np.dtype):
        return _numpy(np.asarray(array))
    if isinstance(dtype, pd.DatetimeTZDtype):
        return _zoned(array)
    if isinstance(dtype, pd.CategoricalDtype):
        return _category(array)
    if isinstance(dtype, pd.StringDtype):
        return _string(array)
    if isinstance(dtype, pd.ArrowDtype):
        return tidy(array.__arrow_array__()), ["arrow"]
    if isinstance(dtype, pd.PeriodDtype):
        periods: Any = pd.PeriodIndex(array)
        numbers = periods.asi8
        return masked(numbers, np.asarray(array.isna())), ["period", str(dtype)[len("period[") : -1]]
    if isinstance(dtype, pd.IntervalDtype):
        return _interval(array)
    if str(dtype) in _MASKED:
        missing = np.asarray(array.isna())
        kind = np.dtype("bool" if str(dtype) == "boolean" else str(dtype).lower())
        return masked(array.to_numpy(dtype=kind, na_value=kind.type(0)), missing), ["masked", str(dtype)]
    if isinstance(dtype, pd.SparseDtype):
        raise CannotEncode("it is sparse", fixes=["`.sparse.to_dense()`, or return a SciPy sparse matrix"])
    raise CannotEncode(
        f"its type is {full_name(type(dtype))}",
        fixes=[
            "`.astype(...)` to a type of NumPy, pandas or Arrow",
            "or register a codec for the class of the frame",
        ],
    )


_MASKED = frozenset(
    ["boolean", "Float32", "Float64", *(f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64))]
)


def _numpy(array: Any) -> Described:
    import numpy as np
    import pyarrow as pa

    dtype = array.dtype
    if dtype.kind == "O":
        return cells.to_arrow(array)
    little = dtype.newbyteorder("<")
    array = np.ascontiguousarray(array.astype(little, copy=False))
    if dtype.kind in "Mm":
        unit = np.datetime_data(dtype)[0]
        if unit not in UNITS:
            raise CannotEncode(f"its unit is {unit}", fixes=["`.astype('datetime64[us]')`"])
        kind = pa.timestamp(unit) if dtype.kind == "M" else pa.duration(unit)
        return masked(array.view("<i8"), np.isnat(array), kind), ["numpy", little.str]
    if dtype.kind in "biu" or (dtype.kind == "f" and dtype.itemsize <= 8):
        return pa.array(array), ["numpy", little.str]
    width = dtype.itemsize  # complex numbers and long doubles, which Arrow has not
    data = pa.py_buffer(array.view(np.uint8)) if array.size else pa.py_buffer(b"")
    return pa.Array.from_buffers(pa.binary(width), len(array), [None, data], 0), ["numpy", little.str]


def _zoned(array: Any) -> Described:
    import pandas as pd
    import pyarrow as pa

    unit, zone = array.dtype.unit, array.dtype.tz
    try:
        described = plain.encode(zone)[0]
    except plain.NotPlain:
        described = str(zone)  # pytz and dateutil, by the name that pandas understands
        try:
            same = pd.DatetimeTZDtype(unit, described) == array.dtype
        except Exception:  # noqa: BLE001, whatever the library of the zone raises
            same = False
        if not same:
            fix = "`.dt.tz_convert('Europe/Berlin')`, or another name of a zone"
            raise CannotEncode(f"its time zone is {zone!r}", fixes=[fix]) from None
        return _zoned_array(array, unit), ["zone", unit, described, "name"]
    name = str(zone)
    column = _zoned_array(array, unit)
    with suppress(pa.ArrowException, ValueError):  # a zone without a name that Arrow takes
        column = column.cast(pa.timestamp(unit, name))
    return column, ["zone", unit, described, "plain"]


def _zoned_array(array: Any, unit: str) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    moments = np.asarray(array.tz_convert(None).to_numpy(), dtype=f"M8[{unit}]")
    return masked(moments.view("i8"), np.isnat(moments), pa.timestamp(unit))


def _category(array: Any) -> Described:
    import numpy as np
    import pyarrow as pa

    categories, how = to_arrow(array.categories.array)
    codes = np.ascontiguousarray(array.codes)
    indices = masked(codes, codes < 0)
    ordered = bool(array.ordered)
    return pa.DictionaryArray.from_arrays(indices, categories, ordered=ordered), ["category", ordered, how]


def _string(array: Any) -> Described:
    import numpy as np
    import pyarrow as pa

    dtype = array.dtype
    missing = getattr(dtype, "na_value", None)
    if dtype.storage == "python":
        column = cells.text(np.asarray(array, dtype=object), pa.large_string())
    else:
        column = tidy(pa.array(array, type=pa.large_string()))
    return column, ["string", dtype.storage, "nan" if isinstance(missing, float) else "NA"]


def _interval(array: Any) -> Described:
    import pyarrow as pa

    left, how_left = to_arrow(array.left.array)
    right, how_right = to_arrow(array.right.array)
    column = pa.StructArray.from_arrays([left, right], ["left", "right"])
    return column, ["interval", array.closed, how_left, how_right]


# --------------------------------------------------------------------------- from Arrow


def from_columns(columns: Sequence[pa.Array], meta: dict[str, Any], memory: Any) -> Any:
    """The pandas object of columns and their description; `memory` is what the columns lie in."""
    import pandas as pd

    back = _Back(memory)
    rest = list(columns)
    arrays = [back.array(rest.pop(0), how) for how in meta.get("data", [])]
    index = back.index(rest, meta["index"])
    if meta["kind"] == "index":
        return index
    if meta["kind"] == "series":
        found: Any = _series(arrays[0], index, meta["name"])
    else:
        held = {i: _series(array, index) for i, array in enumerate(arrays)}
        found = pd.DataFrame(held, index=index, copy=False)
        found.columns = back.labels(meta["columns"])
    found.attrs.update(meta.get("attrs", {}))
    return found


def _series(array: Any, index: Any, name: Any = None) -> Any:
    import pandas as pd

    return pd.Series(array, index=index, dtype=array.dtype, name=name, copy=False)


class _Back:
    """Arrow arrays to pandas arrays, as views of one memory."""

    def __init__(self, memory: Any) -> None:
        import pyarrow as pa

        self.memory = memory
        self.base = pa.py_buffer(memory).address if len(memory) else 0

    def index(self, columns: list[pa.Array], meta: dict[str, Any]) -> Any:
        """The row index, or an index by itself."""
        import pandas as pd

        names = meta["names"]
        if "range" in meta:
            return pd.RangeIndex(*meta["range"], name=names[0])
        levels = []
        for how in meta["levels"]:
            array = self.array(columns.pop(0), how)
            levels.append(pd.Index(array, dtype=array.dtype, copy=False))
        if meta.get("multi"):
            return pd.MultiIndex.from_arrays(levels, names=names)
        found: Any = levels[0].rename(names[0])
        if "freq" in meta:
            found.freq = pd.tseries.frequencies.to_offset(meta["freq"])
        return found

    def labels(self, meta: dict[str, Any]) -> Any:
        """The labels of columns."""
        import pandas as pd

        if "table" in meta:
            batch, inner, memory = read(_Held(meta["table"]))
            return from_columns(batch.columns, inner, memory)
        if "range" in meta:
            return pd.RangeIndex(*meta["range"], name=meta["names"][0])
        kind = meta["dtype"]
        if kind == "str" and int(pd.__version__.partition(".")[0]) < 3:
            kind = "object"
        labels = (
            pd.Index([], dtype=kind)
            if not meta["labels"]
            else cells.object_index(meta["labels"]).astype(kind)
        )
        return labels.rename(meta["names"][0])

    def array(self, column: pa.Array, how: list[Any]) -> Any:
        """One array, as its description says."""
        return getattr(self, f"_{_WAYS[how[0]]}")(column, *how[1:])

    def _numpy(self, column: pa.Array, code: str) -> Any:
        import numpy as np

        dtype = np.dtype(code)
        if dtype.kind == "b":
            return column.to_numpy(zero_copy_only=False)
        return self._values(column, dtype)

    def _values(self, column: pa.Array, dtype: Any) -> Any:
        """The numbers of a column where they lie."""
        import numpy as np

        if column.type.bit_width != 8 * dtype.itemsize:
            raise ValueError(f"{column.type} does not hold {dtype}")
        data = column.buffers()[1]
        if not len(column) or data is None:
            return np.empty(len(column), dtype)
        start = data.address - self.base + column.offset * dtype.itemsize
        found = np.frombuffer(self.memory, dtype, len(column), start)
        return found if found.flags.aligned else found.copy()

    def _zone(self, column: pa.Array, unit: str, zone: Any, form: str) -> Any:
        import numpy as np
        import pandas as pd

        where = plain.loads(plain.to_bytes(zone)) if form == "plain" else zone
        moments = self._values(column, np.dtype(f"<M8[{unit}]"))
        return pd.DatetimeIndex(moments).tz_localize("UTC").tz_convert(where).array

    def _category(self, column: pa.Array, ordered: bool, how: list[Any]) -> Any:
        import numpy as np
        import pandas as pd

        indices = column.indices
        codes = self._values(indices, np.dtype(indices.type.to_pandas_dtype()))
        inner = self.array(column.dictionary, how)
        categories = pd.Index(inner, dtype=inner.dtype, copy=False)
        dtype = pd.CategoricalDtype(categories, ordered=ordered)
        return pd.Categorical.from_codes(codes, dtype=dtype)

    def _string(self, column: pa.Array, storage: str, missing: str) -> Any:
        import numpy as np
        import pandas as pd

        if missing == "nan" and int(pd.__version__.partition(".")[0]) < 3:
            return cells.texts(column, np.nan)
        make: Any = pd.StringDtype
        dtype = make(storage) if missing == "NA" else make(storage, na_value=np.nan)
        if storage == "pyarrow":
            return dtype.__from_arrow__(column)
        return dtype.construct_array_type()._from_sequence(cells.texts(column, dtype.na_value), dtype=dtype)

    def _arrow(self, column: pa.Array) -> Any:
        import pandas as pd

        arrays: Any = pd.arrays
        return arrays.ArrowExtensionArray(column)

    def _period(self, column: pa.Array, frequency: str) -> Any:
        import numpy as np
        import pandas as pd

        numbers = self._values(column, np.dtype("<i8"))
        kind: Any = pd.PeriodIndex
        return kind.from_ordinals(numbers, freq=frequency).array

    def _interval(self, column: pa.Array, closed: str, left: list[Any], right: list[Any]) -> Any:
        import pandas as pd

        sides = [self.array(column.field(i), how) for i, how in enumerate((left, right))]
        return pd.arrays.IntervalArray.from_arrays(*sides, closed=closed)

    def _nullable(self, column: pa.Array, name: str) -> Any:
        import pandas as pd

        if name not in _MASKED:
            raise ValueError(f"{name} is not a type of pandas")
        dtype: Any = pd.api.types.pandas_dtype(name)
        return dtype.__from_arrow__(column)

    def _object(self, column: pa.Array, form: str, detail: str = "") -> Any:
        return cells.from_arrow(column, form, detail, self._values)


_WAYS = {
    "numpy": "numpy", "zone": "zone", "category": "category", "string": "string", "arrow": "arrow",
    "period": "period", "interval": "interval", "masked": "nullable", "object": "object",
}  # fmt: skip


class _Held:
    """Bytes in memory as a blob."""

    def __init__(self, held: bytes) -> None:
        self.data = memoryview(held)
        self.path: Any = None
        self.folder: Any = None

    def part(self, digest: str) -> Any:
        raise ValueError(f"no part {digest}")
