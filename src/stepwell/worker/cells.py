"""The mutable things behind a global, each with a small token that differs when its content does.

    cells = found("CACHE", value, is_own)     # once: the value and all that it holds, one cell each
    cell.look(cell.value) != cell.before      # after each task: some µs a cell

A cell each have: containers, also those within others and within tuples; what instances of the
project's classes hold; generators of random numbers; NumPy arrays; tables of pandas. Containers of
plain data are looked into as one; of others, and of instances, it is seen when an element is
another object. Arrays are read whole up to `WHOLE` bytes, larger ones and the columns of tables
that are larger at `SAMPLES` places: a change of some elements in between is not seen. What objects
of other libraries hold is not looked into.
"""

from __future__ import annotations

import marshal
import random
import sys
from array import array
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from enum import Enum
from types import CellType
from typing import Any, NamedTuple
from zlib import crc32

LARGEST = 1000
"""Elements of a container that are looked at (a larger one is known by its length), and cells of one global."""

WHOLE = 1 << 20
"""Bytes of an array that are all read, at some 1 GB/s."""

SAMPLES, SAMPLE = 64, 1 << 10
"""Places at which a larger array is read, and bytes at each."""

_PLAIN = (list, dict, set)
"""Kinds that `marshal` writes, if what they hold is plain data too."""

_OTHERS = (defaultdict, OrderedDict, Counter, deque, CellType)

_BASES = (list, set, deque, tuple)


class Cell(NamedTuple):
    """One mutable thing: where it was found, how to look at it, and what that gave when it was met.

    `held` keeps its elements alive, so that no other object can get the address of one of them.
    """

    name: str
    value: Any
    look: Callable[[Any], object]
    before: object
    held: object = None


def found(name: str, value: Any, is_own: Callable[[str], bool]) -> list[Cell]:
    """The cells of a value, itself first; at most `LARGEST`. `is_own` says whether a file is the project's."""
    cells: list[Cell] = []
    seen: set[int] = set()
    todo = [value]
    while todo and len(cells) < LARGEST:
        one = todo.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        look = _look(one, is_own)
        inside = _inside(one) if look is _parts or isinstance(one, tuple) else []
        if look is not None:
            cells.append(Cell(name, one, look, look(one), inside))
        todo += inside
    return cells


def _look(value: Any, is_own: Callable[[str], bool]) -> Callable[[Any], object] | None:
    """How a value is looked at; None where it cannot change, or is not looked into."""
    kind = type(value)
    if kind in _PLAIN:
        return _plain if _plain(value) is not None else _parts
    if kind in _OTHERS:
        return _parts
    if kind is bytearray or kind is array:
        return _buffer
    if isinstance(value, random.Random):
        return _state
    module = kind.__module__
    if module.partition(".")[0] in ("numpy", "pandas"):
        return _library(value, module)
    if module in ("builtins", "typing") or isinstance(value, type | Enum):
        return None
    if not is_own(getattr(sys.modules.get(module), "__file__", None) or ""):
        return None
    if isinstance(value, (dict, *_BASES)) or hasattr(kind, "__slots__"):
        return _parts
    if not isinstance(getattr(value, "__dict__", None), dict):
        return None
    return _attributes if _attributes(value) is not None else _parts


def _library(value: Any, module: str) -> Callable[[Any], object] | None:
    """How a value of NumPy or pandas is looked at."""
    if module.startswith("numpy.random"):
        return _generator if hasattr(value, "bit_generator") or hasattr(value, "get_state") else None
    name = type(value).__name__
    if name == "ndarray" and module == "numpy":
        return _ndarray
    return _table if name in ("DataFrame", "Series") and module.startswith("pandas") else None


def _inside(value: Any) -> list[Any]:
    """What a container, a variable that functions share, or an instance holds; nothing of more than `LARGEST`."""
    if type(value) is CellType:
        try:
            return [value.cell_contents]
        except ValueError:  # not bound yet
            return []
    held: list[Any] = []
    if isinstance(value, (dict, *_BASES)) and len(value) > LARGEST:
        return held
    if isinstance(value, dict):  # not as a class of the project may have it
        held += [*dict.keys(value), *dict.values(value)]
    for base in _BASES:
        if isinstance(value, base):
            held += base.__iter__(value)  # pyrefly: ignore[bad-argument-type]
    if isinstance(getattr(value, "__dict__", None), dict):
        held += [*vars(value), *vars(value).values()]
    for kind in type(value).__mro__:
        names = kind.__dict__.get("__slots__", ())
        for name in (names,) if isinstance(names, str) else names:
            held.append(getattr(value, name, None))
    return held


def _parts(value: Any) -> object:
    """Which objects it holds, and how many."""
    return (len(value) if isinstance(value, (dict, *_BASES)) else 0, *map(id, _inside(value)))


def _plain(value: Any) -> object:
    """Plain data, with all that is in it; None for what is no plain data."""
    if len(value) > LARGEST:
        return len(value)
    try:
        return hash(marshal.dumps(value, 2))
    except ValueError:
        return None


def _attributes(value: Any) -> object:
    """The attributes of an instance, as `_plain`."""
    return _plain(vars(value))


def _state(value: random.Random) -> object:
    return hash(value.getstate())


def _buffer(value: Any) -> object:
    """The content of a `bytearray` or `array.array`; of a large one, of some elements."""
    return (len(value), crc32(value if len(value) <= WHOLE else value[:: len(value) // SAMPLE // SAMPLES]))


def _generator(value: Any) -> object:
    """The state of one of NumPy's generators of random numbers."""
    return str(value.bit_generator.state) if hasattr(value, "bit_generator") else str(value.get_state())


def _ndarray(value: Any) -> object:
    """Shape, type and content of an array; of one of Python objects, which ones it holds."""
    about = (value.shape, str(value.dtype), value.flags.writeable)
    if value.dtype.hasobject:
        return (*about, *map(id, value.flat[:: 1 + value.size // LARGEST]))
    if not value.nbytes or value.dtype.kind not in _BYTES:
        return about
    if value.flags.c_contiguous or value.flags.f_contiguous:
        block = value.ravel("K")
    elif value.nbytes <= WHOLE:
        block = value.ravel()
    else:  # a sample of its elements: to copy all would cost more than to look at them
        block = value.flat[:: value.size // (SAMPLES * SAMPLE // value.itemsize)]
    return (*about, *_checks(memoryview(block.view("u1"))))


_BYTES = frozenset("biufcmMSUV")
"""Kinds of NumPy's types whose elements are bytes that can be looked at."""


def _checks(data: memoryview) -> Iterator[int]:
    """Checksums of bytes: of all, or of samples of many."""
    if data.nbytes <= WHOLE:
        yield crc32(data)
        return
    step = (data.nbytes - SAMPLE) // (SAMPLES - 1)
    for start in range(0, data.nbytes - SAMPLE + 1, step):
        yield crc32(data[start : start + SAMPLE])


def _table(value: Any) -> object:
    """Shape, labels and columns of a pandas table, or of one column."""
    if value.ndim == 1:
        return (value.shape, _column(value))
    places = range(0, value.shape[1], 1 + value.shape[1] // SAMPLES)
    return (value.shape, *map(str, value.columns), *[_column(value.iloc[:, place]) for place in places])


def _column(series: Any) -> object:
    """The content of a column; of one that is no array of NumPy's (categories, text), as much as is cheap."""
    import numpy as np  # pandas has loaded it

    if isinstance(series.dtype, np.dtype):
        return _ndarray(series.to_numpy(copy=False))
    if hasattr(series, "cat"):
        return _ndarray(np.asarray(series.cat.codes))
    few = series.array[:: 1 + len(series) // SAMPLES]
    return (str(series.dtype), *map(str, few))
