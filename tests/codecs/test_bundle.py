"""Plain data that holds other things."""

from pathlib import Path

import codec_shapes as shapes
import numpy as np
import pandas as pd
import pytest

from stepwell.codecs import bundle, plain
from stepwell.errors import CannotDecode, CannotEncode, NoCodec


def frame():
    return pd.DataFrame({"a": [1, 2, 3], "b": ["x", None, "z"]})


@pytest.mark.parametrize("mapped", [False, True])
def test_frames_and_arrays_in_containers(box, mapped):
    value = {"train": frame(), "parts": [np.arange(5), (np.eye(2), 7)], "name": "x", 3: frame()["b"]}
    dumped = box.dump(value)
    assert dumped.codec == "bundle"
    assert dumped.note == "dict of 4"
    back = box.load(dumped.data, "bundle", mapped=mapped)
    pd.testing.assert_frame_equal(back["train"], value["train"])
    pd.testing.assert_series_equal(back[3], value[3])
    assert (back["parts"][0] == np.arange(5)).all()
    assert (back["parts"][1][0] == np.eye(2)).all()
    assert (back["name"], back["parts"][1][1]) == ("x", 7)
    back["parts"][0][0] = 9
    assert box.dump(box.load(dumped.data, "bundle")).data == dumped.data


def test_a_dataclass_with_a_table(box):
    back = box.trip(shapes.Fit(frame(), 0.5))
    assert type(back) is shapes.Fit
    pd.testing.assert_frame_equal(back.table, frame())


def test_equal_values_have_equal_bytes(box):
    table = frame()
    one = {"a": table, "b": table}
    other = {"b": frame(), "a": frame()}
    assert box.dump(one).data == box.dump(other).data


def test_parts_are_aligned_so_that_they_can_be_mapped(box):
    data = box.dump([np.arange(3), np.arange(1000.0), "x"]).data
    _, table = bundle.trailer(memoryview(data))
    assert [name for name, _, _ in table] == ["npy", "npy"]
    assert all(start % 64 == 0 for _, start, _ in table)


def test_a_large_part_is_mapped_and_may_be_written_to(box):
    value = {"x": np.arange(200_000.0)}
    data = box.dump(value).data
    blob = box.blob(data, mapped=True)
    from stepwell.codecs import choose

    back = choose.load(blob, "bundle")["x"]
    back[0] = 5
    assert blob.path.read_bytes() == data


def test_what_nothing_safe_takes_makes_the_whole_a_pickle_or_an_error(box):
    value = [np.arange(3), shapes.Plain()]
    assert box.dump(value).codec == "pickle"
    with pytest.raises(CannotEncode, match="Plain"):
        box.dump(value, "bundle")


def test_a_table_in_what_was_said_to_be_plain(box):
    with pytest.raises(CannotEncode, match="DataFrame"):
        box.dump({"a": frame()}, "json")


def test_paths_are_text_in_a_bundle_and_files_in_files(box, tmp_path):
    (tmp_path / "one.txt").write_text("1")
    (tmp_path / "two.txt").write_text("2")
    value = {"a": tmp_path / "one.txt", "b": [tmp_path / "two.txt", None]}
    assert box.trip(value) == value
    assert box.dump(value).codec == "json"
    dumped = box.dump(value, "files")
    back = box.load(dumped.data, "files")
    assert back["a"].read_text() == "1"
    assert back["b"][0].name == "two.txt"
    assert back["b"][0] != value["b"][0]
    assert b"one.txt" in dumped.data
    assert str(tmp_path).encode() not in dumped.data


def test_a_missing_file_among_files(box):
    with pytest.raises(CannotEncode, match="does not exist"):
        box.dump([Path("nowhere.txt")], "files")


def made(tree, parts=None):
    frame, index = plain.to_bytes(tree), plain.to_bytes(parts or [])
    ends = len(frame).to_bytes(8, "little") + len(index).to_bytes(8, "little")
    return bundle.BEGIN + frame + index + ends + bundle.END


@pytest.mark.parametrize(
    "data",
    [
        b"", bundle.BEGIN, bundle.BEGIN + bundle.END, b"x" * 100, made({"!part": 0}), made({"!part": -1}), made({"!part": "a"}),
        made({"!part": 0}, [["npy", 0, 10**9]]), made({"!part": 0}, [["npy", -5, 5]]), made({"!part": 0}, [["pickle", 0, 5]]),
        made({"!part": 0}, [5]), made(5, {"a": 1}), made({"!part": 0}, [["npy", 0, 5]]), made({"!part": 0}, [["bundle", 0, 90]]),
        bundle.BEGIN + b"\xff" * 16 + bundle.END,
    ],
    ids=range(15),
)  # fmt: skip
def test_malformed(box, data):
    with pytest.raises(CannotDecode):
        box.load(data, "bundle")


def test_an_unknown_codec_of_a_part_is_named(box):
    with pytest.raises(NoCodec, match="shapely"):
        box.load(made({"!part": 0}, [["shapely", 0, 5]]), "bundle")
