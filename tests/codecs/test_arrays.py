"""NumPy arrays and sparse matrices."""

import io

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stepwell.errors import CannotDecode, CannotEncode

dtypes = st.one_of(
    hnp.boolean_dtypes(), hnp.integer_dtypes(), hnp.unsigned_integer_dtypes(), hnp.floating_dtypes(), hnp.complex_number_dtypes(),
    hnp.datetime64_dtypes(), hnp.timedelta64_dtypes(), hnp.byte_string_dtypes(min_len=1), hnp.unicode_string_dtypes(min_len=1),
)  # fmt: skip
arrays = hnp.arrays(dtypes, hnp.array_shapes(min_dims=0, min_side=0, max_dims=3, max_side=4))


@given(arrays, st.booleans())
@settings(deadline=None)
def test_comes_back_exactly(box, value, mapped):
    dumped = box.dump(value, "npy")
    back = box.load(dumped.data, "npy", mapped=mapped)
    assert type(back) is np.ndarray
    assert back.dtype == value.dtype.newbyteorder("<")
    assert back.shape == value.shape
    assert back.tobytes() == np.ascontiguousarray(value.astype(back.dtype)).tobytes()


@given(arrays)
@settings(deadline=None)
def test_equal_arrays_have_equal_bytes_whatever_their_layout(box, value):
    expected = box.dump(value).data
    assert box.dump(np.asfortranarray(value).reshape(value.shape)).data == expected
    assert box.dump(value.astype(value.dtype.newbyteorder())).data == expected
    assert box.dump(np.array(value)[..., ::-1][..., ::-1] if value.ndim else value).data == expected


def test_numpy_itself_opens_the_blob(box):
    value = np.arange(12).reshape(3, 4)
    assert (np.load(io.BytesIO(box.dump(value).data)) == value).all()
    records = np.zeros(3, [("é", "i4"), ("b", "f8", (2,))])
    assert (np.load(io.BytesIO(box.dump(records).data)) == records).all()


def test_structures_whose_gaps_hold_garbage(box):
    kind = np.dtype([("a", "u1"), ("b", "f8"), ("c", [("d", "u1"), ("e", "i4")])], align=True)
    one, other = np.zeros(4, kind), np.full(4 * kind.itemsize, 255, "u1").view(kind)
    for array in (one, other):
        array["a"], array["b"] = 1, 2
        array["c"]["d"], array["c"]["e"] = 3, 4
    assert one.tobytes() != other.tobytes()
    assert box.dump(one).data == box.dump(other).data
    assert box.trip(other).dtype == kind


def test_a_mapped_array_may_be_written_to_and_its_file_stays_as_it_was(box):
    value = np.arange(100_000.0)
    data = box.dump(value).data
    blob = box.blob(data, mapped=True)
    from stepwell.codecs import choose

    back = choose.load(blob, "npy")
    back[:10] = -1
    assert back.sum() == value.sum() - 45 - 10
    assert blob.path.read_bytes() == data
    assert bytes(blob.data) == data
    small = box.load(box.dump(np.arange(3)).data, "npy")
    small += 1


def test_no_copy_is_written(box):
    value = np.zeros(1_000_000)
    written = []
    sink = box.sink()
    write = sink.write
    sink.write = lambda data: (written.append(data), write(data))[1]
    from stepwell.codecs import choose

    choose.dump(value, "npy", sink)
    assert np.shares_memory(np.frombuffer(written[-1], "u1"), value)


@pytest.mark.parametrize(
    "value",
    [
        np.array([1, "a", None], dtype=object), np.ma.masked_array([1, 2], [True, False]), np.matrix([[1]]),
        np.rec.array([(1,)], dtype=[("a", "i4")]), np.array(["a", "bc"], dtype=np.dtypes.StringDType()),
    ],
    ids=["objects", "masked", "matrix", "record", "strings"],
)  # fmt: skip
def test_refused_with_a_remedy(box, value):
    with pytest.raises(CannotEncode) as caught:
        box.dump(value, "npy")
    assert caught.value.fixes


def test_a_memory_map_is_an_array(box, tmp_path):
    mapped = np.memmap(tmp_path / "x", "i4", "w+", shape=(5,))
    mapped[:] = 3
    assert box.dump(mapped).codec == "npy"
    assert (box.trip(mapped) == 3).all()


def test_notes(box):
    assert box.dump(np.zeros((3, 4), "f4")).note == "(3, 4) float32"


def header(text):
    return b"\x93NUMPY\x03\x00" + len(text).to_bytes(4, "little") + text


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\x93NUMPY", b"\x93NUMPY\x01\x00", header(b""), header(b"{}"), header(b"__import__('os').system('id')"),
        header(b"{'descr': '|O', 'shape': (1,)}") + bytes(8), header(b"{'descr': '<f8', 'shape': (3,)}") + bytes(8),
        header(b"{'descr': '<f8', 'shape': (-1,)}"), header(b"{'descr': '<f8', 'shape': ('a',)}"), header(b"[" * 3000),
        header(b"{'descr': '<f8', 'shape': (10**99,)}"), header(b"{'descr': 'nonsense', 'shape': ()}"),
        header(b"{'descr': '<f8', 'shape': (4294967296, 4294967296)}"), b"\x93NUMPY\x03\x00\xff\xff\xff\xff",
    ],
    ids=lambda d: d[12:50].decode("latin-1"),
)  # fmt: skip
def test_malformed(box, data):
    with pytest.raises(CannotDecode):
        box.load(data, "npy")


FORMATS = ["csr", "csc", "coo", "bsr", "dia", "lil", "dok"]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("kind", ["array", "matrix"])
def test_sparse(box, form, kind):
    dense = np.array([[1.5, 0, 2], [0, 0, 0], [0, -3, 0]])
    value = getattr(sp, f"{form}_{kind}")(dense)
    back = box.trip(value)
    assert type(back) is type(value)
    assert (back.toarray() == dense).all()
    assert box.dump(value).codec == "sparse"


def test_equal_sparse_matrices_have_equal_bytes(box):
    one = sp.csr_array(([1.0, 2, 3], [2, 0, 1], [0, 2, 3]), shape=(2, 3))
    other = sp.csr_array(([2.0, 1, 3], [0, 2, 1], [0, 2, 3]), shape=(2, 3))
    assert box.dump(one).data == box.dump(other).data
    assert list(one.indices) == [2, 0, 1]  # what was given is as it was


def test_broken_sparse(box):
    from stepwell.codecs.bundle import write

    for value in (5, ["csr_array", "csr", [2], True, []], ["x", "eval", [2, 2], True, [np.zeros(2)]]):
        sink = box.sink()
        write(value, sink)
        with pytest.raises(CannotDecode):
            box.load(bytes(sink.data), "sparse")
