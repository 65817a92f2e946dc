"""What is told of two values that differ: one case a kind of value."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from stepwell.app.differing import MOST, Kept, compare, document, lines, sentence
from stepwell.stores.blobs import Blobs
from stepwell.worker.outputs import keep


@pytest.fixture
def differ(tmp_path):
    """What differs between two values of a step's output, as it would be kept."""
    blobs = Blobs(tmp_path)
    blobs.make()

    def found(then, now, codec=""):
        pair = [
            Kept(*(one[0], blobs, one[1]))
            for value in (then, now)
            for one in keep([("result", codec, value)], blobs)
        ]
        told = compare(*pair)
        assert bool(told) == (pair[0].artifact.token != pair[1].artifact.token)
        document(told)
        return told

    return found


@dataclass
class Fit:
    auc: float
    names: list[str]


def test_plain_data_by_path(differ):
    then = {"a": 1, "b": [1, {"c": "x"}], "gone": None, "same": math.nan}
    now = {"a": 1.0, "b": [1, {"c": "y"}, 3], "new": True, "same": math.nan}
    assert lines(differ(then, now)) == [
        "['gone']  is gone: it was None",
        "['a']  int → float: 1 → 1.0",
        "['b']  2 → 3 items",
        "['b'][1]['c']  'x' → 'y'",
        "['new']  is new: True",
    ]
    assert lines(differ(True, 1)) == ["bool → int: True → 1"]
    assert lines(differ({1, 2}, {2, 3})) == ["1 is gone", "3 is new"]
    assert lines(differ(Fit(1.0, ["a"]), Fit(1.5, ["a"]))) == ["['auc']  1.0 → 1.5"]
    assert differ([1, math.nan], [1, math.nan]) == []
    told = differ(dict.fromkeys("abc", 1), dict.fromkeys("abc", 2))
    assert sentence("out", told) == "`out`: ['a'] 1 → 2; ['b'] 1 → 2; ['c'] 1 → 2"


def test_long_lists_of_numbers_are_summed_up_and_many_differences_cut(differ):
    (one,) = differ(list(range(100)), [*range(99), 103])
    assert one.text == "1 of 100 numbers differ, by at most 4; first at [99]: 99 → 103"
    (one,) = differ(list(range(100)), list(range(99, -1, -1)))
    assert "the same numbers in another order" in one.text
    told = differ({str(i): i for i in range(200)}, {str(i): -i - 1 for i in range(200)})
    assert len(told) == MOST + 1
    assert told[-1].text == "and 150 more"


def test_text(differ):
    (one,) = differ("a\nb\nc\n", "a\nB\nc\n")
    assert one.kind == "text"
    assert "-b" in one.lines
    assert "+B" in one.lines


def test_arrays(differ):
    a = np.arange(12.0).reshape(3, 4)
    b = a.copy()
    b[1, 2] += 0.5
    (one,) = differ(a, b)
    assert one.text == "1 of 12 elements differ, by at most 0.5"
    assert (one.facts["differing"], one.facts["max_difference"]) == (1, 0.5)
    assert lines(differ(a, a.astype("f4"))) == ["dtype float64 → float32"]
    assert lines(differ(a, a.reshape(4, 3))) == ["shape (3, 4) → (4, 3)"]
    nan = np.array([1.0, math.nan])
    assert differ(nan, nan.copy()) == []
    assert lines(differ({"w": nan}, {"w": nan + 1})) == ["['w']  1 of 2 elements differ, by at most 1"]


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table])
def test_tables_of_any_library(differ, make):
    then = {"x": [1.0, 2.0, 3.0], "name": ["a", None, "c"], "old": [1, 2, 3]}
    told = differ(make(then), make({**then, "x": [1.0, 2.5, 3.0], "name": ["a", None, "d"]}))
    assert lines(told) == ["['x']  1 of 3 cells differ, by at most 0.5", "['name']  1 of 3 cells differ"]
    now = {"name": then["name"], "x": [1, 2, 3], "new": [0, 0, 0]}
    told = lines(differ(make(then), make(now)))
    assert "['old']  the column is gone" in told
    assert any(line.startswith("['new']  the column is new") for line in told)
    assert any(line.startswith("['x']  type ") for line in told)
    told = lines(differ(make(then), make({name: cells[:2] for name, cells in then.items()})))
    assert "3 → 2 rows" in told
    told = lines(differ(make(then), make({name: cells[::-1] for name, cells in then.items()})))
    assert told[0] == "the same rows in another order"
    told = lines(differ(make(then), make({name: then[name] for name in ("old", "x", "name")})))
    assert told == ["the columns are in another order"]


def test_the_index_of_a_frame_and_a_series(differ):
    frame = pd.DataFrame({"x": [1, 2]}, index=["a", "b"])
    assert lines(differ(frame, frame.rename(index={"b": "c"}))) == ["['(index)']  1 of 2 cells differ"]
    assert lines(differ(pd.Series([1, 2]), pd.Series([1, 4]))) == [
        "['values']  1 of 2 cells differ, by at most 2"
    ]


def test_files_and_folders(differ, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in {
        "a/one.txt": "1\n",
        "a/two.bin": b"\xff\x00",
        "b/one.txt": "2\n",
        "b/three": "3",
    }.items():
        file = tmp_path / "made" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    a, b = Path("made/a"), Path("made/b")
    told = lines(differ(a, b))
    assert "/two.bin  the file is gone" in told
    assert "/three  the file is new" in told
    assert "/one.txt  '1\\n' → '2\\n'" in told or any("one.txt" in line for line in told)
    (tmp_path / "made/x.bin").write_bytes(b"\xff" * 100)
    (tmp_path / "made/y.bin").write_bytes(b"\xff" * 60 + b"\x00" * 41)
    told = lines(differ(Path("made/x.bin"), Path("made/y.bin")))
    assert told == ["its name is `y.bin`, it was `x.bin`", "100 → 101 bytes, from byte 60 on"]


def test_models_by_their_parameters(differ):
    linear = pytest.importorskip("sklearn.linear_model")
    x, y = np.arange(6.0).reshape(3, 2), np.arange(3.0)
    then = linear.Ridge(alpha=1.0).fit(x, y)
    assert lines(differ(then, linear.Ridge(alpha=2.0).fit(x, y))) == ["['alpha']  1.0 → 2.0"]
    (one,) = differ(then, linear.Ridge(alpha=1.0).fit(x, y**2))
    assert one.text == "the Ridge learned something else; its parameters are the same"


class Hostile:
    """Nothing can be asked of it."""

    def __init__(self, number):
        self.number = number

    def __eq__(self, other):
        raise RuntimeError("no")

    __hash__ = None

    def __repr__(self):
        raise RuntimeError("no")


def test_other_codecs_and_hostile_values(differ):
    (one,) = differ([1], np.array([1]))
    assert (one.kind, one.text) == ("codec", "it was kept as `json`, it is kept as `npy` now")
    (one,) = differ(Hostile(1), Hostile(2), "pickle")
    assert one.kind == "bytes"
    assert "cannot be compared" in one.text
