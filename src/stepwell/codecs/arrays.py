"""NumPy arrays and SciPy sparse matrices: the codecs `npy` and `sparse`.

`npy` is NumPy's own format (`np.load` opens the blob), in one canonical form, so that equal arrays
have equal bytes however they lie in memory: C order, little-endian, the gaps of aligned structures
zero, and a header that we write (NumPy's has changed its padding between versions). An array comes
back with its type and shape, in C order and native byte order, mapped from the file and not read;
writing to it changes a private copy of the page (`codecs.windows`).

Zeros with a sign and the payloads of NaNs are told apart, as a step can tell them apart.

Refused, with what to do instead: arrays of objects, masked arrays, matrices, record arrays and other
subclasses, whose extra meaning `.npy` does not hold.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from stepwell.codecs.windows import ALIGN, private
from stepwell.errors import CannotDecode, CannotEncode

if TYPE_CHECKING:
    import numpy as np

    from stepwell.plugins.hookspecs import Blob, Sink

MAGIC = b"\x93NUMPY\x03\x00"
"""Version 3.0 of the format: a header of any length, in UTF-8."""


class ArrayCodec:
    """`numpy.ndarray`, as the head of this module tells."""

    name = "npy"
    exact = True

    def dump(self, value: Any, sink: Sink) -> str:
        """Write the array, without a second copy where it is in canonical form already."""
        import numpy as np

        if type(value) is not np.ndarray and type(value) is not np.memmap:
            raise _refused(value)
        array = canonical(np.asarray(value))
        header, note = _header(array.dtype, array.shape)
        sink.write(header)
        if array.size:
            sink.write(array.reshape(-1).view(np.uint8).data)
        return note

    def load(self, blob: Blob) -> Any:
        """The array, mapped from the blob."""
        import numpy as np

        try:
            dtype, shape, start = _parse(blob.data)
            count = 1
            for length in shape:
                count *= length
            if len(blob.data) - start != count * dtype.itemsize:
                raise ValueError("its size is not that of its shape")
            if not count or not dtype.itemsize:
                return np.empty(shape, dtype)
            found = np.frombuffer(private(blob), dtype, count, start)
            return found.reshape(shape)
        except (
            ValueError,
            TypeError,
            KeyError,
            SyntaxError,
            RecursionError,
            MemoryError,
            OverflowError,
        ) as error:
            raise CannotDecode(
                "the artifact is not an array", why=f"{type(error).__name__}: {error}"[:300]
            ) from None


def _refused(value: Any) -> CannotEncode:
    name = type(value).__name__
    fix = {
        "MaskedArray": "return `.filled(...)`, or the data and the mask as two outputs",
        "matrix": "return `np.asarray(...)`",
        "recarray": "return `.view(np.ndarray)`",
    }.get(name, "return `np.asarray(...)` of it, or register a codec for its class")
    return CannotEncode(f"a {name} is more than the array that `npy` holds", fixes=[fix])


def canonical(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The same values in C order and little-endian, without a copy where they are so already."""
    import numpy as np

    dtype = array.dtype
    if dtype.hasobject or dtype.kind == "T":
        raise CannotEncode(
            f"an array of {'Python objects' if dtype.hasobject and dtype.kind != 'T' else 'variable-width strings'} "
            "has no bytes of its own",
            fixes=[
                "`.astype(str)`, `.astype(float)` or the like",
                "or return `.tolist()`, which is plain data",
            ],
        )
    little = _little(dtype)
    if dtype.names is not None and _has_gaps(dtype):
        clean = np.zeros(array.shape, little)
        _copy_fields(array, clean)
        return clean
    return np.ascontiguousarray(array.astype(little, copy=False)).reshape(array.shape)


@lru_cache(256)
def _little(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type in little-endian. Raises `CannotEncode`."""
    import numpy as np

    little = dtype.newbyteorder("<")
    if np.lib.format.descr_to_dtype(np.lib.format.dtype_to_descr(little)) != little:
        raise CannotEncode(
            f"the type {dtype} is not one that `.npy` can name",
            fixes=["`.astype(...)` to one of NumPy's own types"],
        )
    return little


def _has_gaps(dtype: np.dtype[Any]) -> bool:
    """Whether a structure has bytes that belong to no field."""
    if dtype.subdtype is not None:
        return _has_gaps(dtype.subdtype[0])
    if dtype.names is None:
        return False
    inner = [dtype.fields[name][0] for name in dtype.names]  # type: ignore[index]
    return sum(field.itemsize for field in inner) != dtype.itemsize or any(map(_has_gaps, inner))


def _copy_fields(source: np.ndarray[Any, Any], target: np.ndarray[Any, Any]) -> None:
    for name in source.dtype.names or ():
        if source[name].dtype.names is not None:
            _copy_fields(source[name], target[name])
        else:
            target[name] = source[name]


@lru_cache(256)
def _header(dtype: np.dtype[Any], shape: tuple[int, ...]) -> tuple[bytes, str]:
    """What stands before the values of an array, and its note."""
    import numpy as np

    described = np.lib.format.dtype_to_descr(dtype)
    text = f"{{'descr': {described!r}, 'fortran_order': False, 'shape': {shape!r}, }}".encode()
    room = len(MAGIC) + 4 + len(text) + 1
    text += b" " * (-room % ALIGN) + b"\n"
    return MAGIC + len(text).to_bytes(4, "little") + text, f"{shape} {dtype}"


def _parse(data: memoryview) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    """Type, shape and start of the values."""
    if bytes(data[: len(MAGIC)]) != MAGIC:
        raise ValueError("it does not begin like one")
    start = len(MAGIC) + 4
    end = start + int.from_bytes(data[start - 4 : start], "little")
    if end > len(data):
        raise ValueError("its header is cut off")
    dtype, shape = _parsed(bytes(data[start:end]))
    return dtype, shape, end


@lru_cache(256)
def _parsed(text: bytes) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Type and shape in the text of a header."""
    import ast

    import numpy as np

    header = ast.literal_eval(text.decode().strip())
    dtype, shape = np.lib.format.descr_to_dtype(header["descr"]), header["shape"]
    if dtype.hasobject or not all(type(length) is int and length >= 0 for length in shape):
        raise ValueError("its header is not one of ours")
    return dtype, shape


class SparseCodec:
    """SciPy sparse arrays and matrices of every format, as the arrays that they are made of.

    Rows and columns are brought to canonical form (sorted, duplicates added up) in a copy, so that
    equal matrices have equal bytes.
    """

    name = "sparse"
    exact = True

    def dump(self, value: Any, sink: Sink) -> str:
        """Write the arrays of the matrix as one bundle."""
        from stepwell.codecs.bundle import write

        kind = type(value)
        if not kind.__module__.startswith("scipy.sparse"):
            raise CannotEncode(f"a {kind.__qualname__} is more than a SciPy sparse matrix")
        note = f"{value.shape} {value.format} of {value.nnz:,} {value.dtype}"
        is_array = kind.__name__.endswith("_array")
        if value.format in ("csr", "csc", "bsr", "coo"):
            value = value.copy()
            value.sum_duplicates()
        if value.format in ("csr", "csc", "bsr"):
            value.sort_indices()
            names = ("data", "indices", "indptr")
        elif value.format == "dia":
            names = ("data", "offsets")
        else:
            value = value.tocoo()
            names = ("data", *(f"coords{i}" for i in range(value.ndim)))
        arrays = [
            value.coords[int(name[6:])] if name[:6] == "coords" else getattr(value, name) for name in names
        ]
        shape = [int(length) for length in value.shape]
        write([kind.__name__, value.format, shape, is_array, arrays], sink)
        return note

    def load(self, blob: Blob) -> Any:
        """The matrix, its arrays mapped from the blob."""
        import scipy.sparse as sp

        from stepwell.codecs.bundle import read

        found = read(blob)
        try:
            name, form, shape, is_array, arrays = found
            make = getattr(sp, f"{form}_{'array' if is_array else 'matrix'}")
            if form == "coo":
                matrix = make((arrays[0], tuple(arrays[1:])), shape=tuple(shape))
            else:
                matrix = make(tuple(arrays), shape=tuple(shape))
            kind = name.partition("_")[0]
            return matrix if kind == form else matrix.asformat(kind)
        except (ValueError, TypeError, AttributeError, IndexError) as error:
            raise CannotDecode("the artifact is not a sparse matrix", why=str(error)[:300]) from None
