"""Bytes that somebody changed: an error that says so, or another value; never a crash, never code."""

import os
import random
import sys

import codec_shapes as shapes
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from stepwell.errors import StepwellError


def corpus():
    frame = pd.DataFrame(
        {"a": [1, 2, 3], "s": ["x", None, "zz"], "c": pd.Categorical(["u", "v", "u"])}, index=["r", "s", "t"]
    )
    yield (
        "json",
        {"a": [1, (2.5, b"x")], "p": shapes.Point(1, shapes.Color.RED), 3: {1, 2}, "n": np.float32(1)},
    )
    yield "text", "hello wörld"
    yield "npy", np.arange(6).reshape(2, 3)
    yield "sparse", scipy.sparse.eye_array(4, format="csr")
    yield "bundle", {"frame": frame, "array": np.arange(4), "x": [1, 2]}
    yield "arrow:pandas", frame
    yield "arrow:polars", pl.from_pandas(frame)
    yield "arrow", pa.Table.from_pandas(frame)
    yield "png", Figure(figsize=(1, 1), dpi=20)
    yield "sklearn", LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    yield "sklearn", DecisionTreeClassifier().fit([[0.0], [1.0]], [0, 1])


watched: list[str] = []
watching = False


def watch(event, args):
    if watching and event in (
        "os.system",
        "subprocess.Popen",
        "os.exec",
        "os.fork",
        "socket.connect",
        "os.remove",
        "os.rename",
    ):
        watched.append(event)


sys.addaudithook(watch)


def broken(data, seed):
    chance = random.Random(seed)
    data = bytearray(data)
    match seed % 5:
        case 0:
            return bytes(data[: chance.randrange(len(data))])
        case 1:
            for _ in range(chance.randrange(1, 8)):
                data[chance.randrange(len(data))] = chance.randrange(256)
        case 2:
            at = chance.randrange(len(data))
            del data[at : at + chance.randrange(1, 20)]
        case 3:
            at = chance.randrange(len(data))
            data[at:at] = chance.randbytes(chance.randrange(1, 20))
        case 4:
            at, size = chance.randrange(len(data)), chance.randrange(1, 30)
            to = chance.randrange(len(data))
            data[to : to + size] = data[at : at + size]
    return bytes(data)


@pytest.mark.parametrize(
    ("codec", "value"), list(corpus()), ids=lambda v: v if isinstance(v, str) and len(v) < 15 else ""
)
def test_changed_bytes(box, codec, value):
    global watching
    data = box.dump(value, codec).data
    refused = 0
    messages = []
    watching = True
    try:
        for seed in range(150):
            try:
                found = box.load(broken(data, seed), codec)
                repr(found)
            except StepwellError as error:
                refused += 1
                messages.append(error.what)
            except (UnicodeDecodeError, pa.ArrowException, pl.exceptions.PolarsError):
                pass  # while a value that was read is printed
    finally:
        watching = False
    assert watched == []
    assert all(messages)
    assert refused > 10


def test_reading_plain_data_calls_nothing(box):
    global watching
    hostile = [
        b'{"!data":["os:system",{"command":"touch /tmp/x"}]}', b'{"!enum":["subprocess:run","x"]}', b'{"!named":["os:stat_result",[]]}',
        b'{"!flag":["os:system","id"]}', b'{"!np":["builtins.eval",1]}', b'{"!defaultdict":["system",[]]}',
    ]  # fmt: skip
    watching = True
    try:
        for data in hostile:
            with pytest.raises(StepwellError):
                box.load(data, "json")
    finally:
        watching = False
    assert watched == []
    assert os.path.exists(__file__)
