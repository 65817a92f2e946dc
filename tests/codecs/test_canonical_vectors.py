"""The test vectors of docs/reference/content-digest.json, by the reference, by Arrow and by NumPy."""

from __future__ import annotations

from typing import Any

import content_reference as reference
import numpy as np
import pyarrow as pa
import pytest
from content_arrow import arrow_array

from stepwell.codecs.content.digest import content_of, digest_of
from stepwell.codecs.content.tables import Content

VECTORS = reference.vectors()
TABLES = [vector for vector in VECTORS if "columns" in vector]
ARRAYS = [vector for vector in VECTORS if "shape" in vector]


def named(vector: dict[str, Any]) -> str:
    return vector["about"]


@pytest.mark.parametrize("vector", VECTORS, ids=named)
def test_the_reference_gives_the_digest_of_each_vector(vector: dict[str, Any]):
    assert reference.digest(vector) == vector["digest"]


def test_no_two_vectors_have_one_digest():
    assert len({vector["digest"] for vector in VECTORS}) == len(VECTORS) > 50


@pytest.mark.parametrize("wide", [False, True], ids=["narrow", "wide"])
@pytest.mark.parametrize("vector", TABLES, ids=named)
def test_arrow_gives_the_digest_of_each_table(vector: dict[str, Any], wide: bool):
    columns = [arrow_array(each["kind"], reference.values(each), wide=wide) for each in vector["columns"]]
    names = [each["name"] for each in vector["columns"]]
    if columns:
        table = pa.Table.from_arrays(columns, names=names)
    else:
        table = pa.table({"x": range(vector["rows"])}).select([])
    content = content_of(table)
    assert isinstance(content, Content), content
    assert content.digest == vector["digest"]
    assert content.shape == (vector["rows"], len(names))
    for (name, digest), column in zip(content.columns, columns, strict=True):
        assert (name, digest) == (names.pop(0), digest_of(column))


DTYPES = {"float": "f8", "int": "i8", "complex": "c16", "text": "U2", "date": "M8[D]"}


@pytest.mark.parametrize("vector", ARRAYS, ids=named)
def test_numpy_gives_the_digest_of_each_array(vector: dict[str, Any]):
    values, kind = reference.values(vector), vector["kind"]
    if isinstance(kind, list):
        dtype: Any = [(name, DTYPES[inner]) for name, inner in kind[1]]
        values = [tuple(value.values()) for value in values]
    else:
        dtype = DTYPES[kind]
    array = np.array(values, dtype).reshape(vector["shape"])
    assert digest_of(array) == vector["digest"]
    if array.ndim > 1:
        assert digest_of(np.asfortranarray(array)) == vector["digest"]
    if not array.dtype.names:
        assert digest_of(array.astype(array.dtype.newbyteorder(">"))) == vector["digest"]
