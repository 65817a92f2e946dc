"""pandas frames as columns of Arrow: what of a frame is its content.

Index levels are columns behind the others, under the names that pandas gives them in a Parquet file; an
index that is a range without a name is none. Columns of Python objects count when all objects are of one class: what
Arrow would make of mixed ones is a guess. One column at a time is converted.
"""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from stepwell.codecs.content import arrow
from stepwell.codecs.content.nodes import NotCanonical
from stepwell.codecs.content.tables import Column, Content, of_columns

PLAIN = frozenset(
    {str, bytes, bool, int, float, decimal.Decimal, dt.date, dt.datetime, dt.time, dt.timedelta}
)
"""Classes of objects that are taken; Pandas' own subclasses of them are not, which have nanoseconds."""


def of_frame(frame: Any) -> Content:
    """The content of a pandas `DataFrame`. Raises `NotCanonical`."""
    import pyarrow as pa

    if frame.columns.nlevels > 1:
        raise NotCanonical("its columns have labels of several levels")
    names = [_label(label) for label in frame.columns]
    data = ((name, frame.iloc[:, i].array) for i, name in enumerate(names))
    levels = list(_levels(frame, names))
    columns = []
    for name, values in chain(data, levels):
        made = _converted(name, values)
        arrow.check(pa.field(name, made.type))
        column = Column()
        column.take_all(made)
        columns.append(column)
    return of_columns([*names, *(name for name, _ in levels)], columns, len(frame))


def _label(label: Any) -> str:
    """The name of a column: text as it is, whole numbers in digits."""
    import numpy as np

    if isinstance(label, str):
        return str(label)
    if isinstance(label, (int, np.integer)) and not isinstance(label, bool):
        return str(int(label))
    raise NotCanonical(f"a column is labelled {label!r}, which is no text and no whole number")


def _levels(frame: Any, names: list[str]) -> Iterator[tuple[str, Any]]:
    """Name and values of each level of the index; none for a range without a name.

    pandas 3 makes a range of any two numbers, so that one with a name may hold what somebody looked up.
    """
    import pandas as pd

    index = frame.index
    if isinstance(index, pd.RangeIndex) and index.name is None:
        return
    for i in range(index.nlevels):
        level = index.get_level_values(i)
        named = level.name is not None and _label(level.name) not in names
        yield (_label(level.name) if named else f"__index_level_{i}__"), level.array


def _converted(name: str, values: Any) -> Any:
    """The values of a pandas array in Arrow."""
    import pyarrow as pa

    try:
        return _array(values)
    except NotCanonical as error:
        raise NotCanonical(f"the column `{name}` {error}") from None
    except (pa.ArrowException, OverflowError, TypeError, ValueError) as error:
        raise NotCanonical(f"the column `{name}` does not fit into Arrow: {error}"[:300]) from None


def _array(values: Any) -> Any:
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    arrays: Any = pd.arrays
    if isinstance(values, arrays.NumpyExtensionArray):
        values = values.to_numpy()
    dtype = values.dtype
    if isinstance(dtype, np.dtype):
        if dtype.kind == "O":
            return _objects(np.asarray(values, dtype=object))
        if dtype.kind not in "biufMm" or dtype.itemsize > 8:
            raise NotCanonical(f"has the type {dtype}")
        return pa.array(np.asarray(values).astype(dtype.newbyteorder("="), copy=False), from_pandas=True)
    if isinstance(dtype, pd.CategoricalDtype):
        found = arrow.joined(_array(values.categories.array))
        codes = np.asarray(values.codes)
        return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), found)
    if type(dtype).__module__.partition(".")[0] == "pandas" and _known(dtype):
        return pa.array(values)
    raise NotCanonical(f"has the type {dtype}")


def _known(dtype: Any) -> bool:
    """Whether this is one of pandas' own types that Arrow has too."""
    import pandas as pd

    return isinstance(dtype, (pd.StringDtype, pd.ArrowDtype, pd.DatetimeTZDtype)) or hasattr(
        dtype, "numpy_dtype"
    )


# --------------------------------------------------------------------------- Python objects


def _objects(values: Any) -> Any:
    """Objects of one class as an Arrow array."""
    import pandas as pd
    import pyarrow as pa

    missing = pd.isna(values)
    if missing.any():
        values = values.copy()
        values[missing] = None
    held = values[~missing].tolist()
    _uniform(held)
    if held and isinstance(held[0], str):
        return pa.array(values, pa.large_string())
    return pa.array(values, from_pandas=True)


def _uniform(values: Iterable[Any]) -> None:
    """Raise `NotCanonical` unless the objects, and what they hold, are of one class each."""
    import numpy as np

    values = [value for value in values if value is not None]
    kinds = {_class(kind) for kind in set(map(type, values))}
    if len(kinds) > 1:
        raise NotCanonical(
            f"holds objects of several classes: {', '.join(sorted(k.__name__ for k in kinds))}"
        )
    for kind in kinds:
        if kind is np.ndarray:
            _same_arrays(values)
        elif kind is list:
            _uniform(chain.from_iterable(values))
        elif kind is dict:
            _same_dicts(values)
        elif kind in (dt.datetime, dt.time):
            if len({value.tzinfo is None for value in values}) > 1:
                raise NotCanonical("holds times with and without a time zone")
            if kind is dt.time and values[0].tzinfo is not None:
                raise NotCanonical("holds times of day in a time zone")
        elif kind not in PLAIN:
            raise NotCanonical(f"holds objects of the class {kind.__name__}")


def _class(kind: type) -> type:
    """The class as which a class counts: NumPy's scalars as Python's, a tuple as a list."""
    import numpy as np

    if kind is tuple:
        return list
    if not issubclass(kind, np.generic):
        return kind
    for numpy_kind, python in ((np.bool_, bool), (np.integer, int), (np.floating, float), (np.str_, str)):
        if issubclass(kind, numpy_kind):
            return python
    return kind


def _same_arrays(values: list[Any]) -> None:
    """Vectors of one type, or of objects, which are looked into."""
    dtypes = {value.dtype for value in values if value.size}
    if any(value.ndim != 1 for value in values):
        raise NotCanonical("holds arrays that are no vectors")
    if any(dtype.kind == "O" for dtype in dtypes):
        _uniform(chain.from_iterable(value.tolist() for value in values))
    elif len({dtype if dtype.kind in "mM" else dtype.kind for dtype in dtypes}) > 1:
        raise NotCanonical("holds vectors of several types")


def _same_dicts(values: list[Any]) -> None:
    """Dicts with names as keys, whose values are of one class for each name."""
    held: dict[str, list[Any]] = {}
    for value in values:
        for key, item in value.items():
            if type(key) is not str:
                raise NotCanonical("holds dicts whose keys are not text")
            held.setdefault(key, []).append(item)
    for items in held.values():
        _uniform(items)
