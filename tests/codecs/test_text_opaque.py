"""Text, bytes, and the last resort."""

import pickle

import codec_shapes as shapes
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.codecs import choose
from stepwell.codecs.lookup import by_name
from stepwell.errors import CannotDecode, CannotEncode


@given(st.text(st.characters()))
def test_text(box, value):
    dumped = box.dump(value)
    assert dumped.codec == "text"
    assert box.load(dumped.data, "text") == value


def test_text_is_utf8_on_disk(box):
    assert box.dump("Grüße\n").data == "Grüße\n".encode()
    assert box.trip("\udcff x") == "\udcff x"
    assert box.dump("short").note == "short"
    assert box.dump("x" * 1000).note == "text of 1,000 characters"
    with pytest.raises(CannotDecode):
        box.load(b"\xff\xfe", "text")


def test_bytes(box):
    assert box.trip(b"\x00\xff") == b"\x00\xff"
    assert box.load(box.dump(bytearray(b"ab")).data, "bytes") == b"ab"
    assert box.load(box.dump(memoryview(b"abcd")[::2]).data, "bytes") == b"ac"
    assert box.dump(b"x" * 2000).note == "2,000 bytes"


def test_any_object_by_pickle_and_its_note_says_so(box):
    dumped = box.dump(shapes.Plain(5))
    assert dumped.codec == "pickle"
    assert dumped.note == "Plain, pickled"
    assert box.load(dumped.data, "pickle") == shapes.Plain(5)
    assert by_name("pickle").executes
    assert not any(
        getattr(choose.by_name(n), "executes", False) for n in ("json", "bundle", "sklearn", "arrow:pandas")
    )


def test_plain_data_by_pickle_if_it_is_asked_for(box):
    assert box.dump({"a": 1}, "pickle").codec == "pickle"
    assert box.trip({"a": 1}, "pickle") == {"a": 1}


class Stubborn:
    def __reduce__(self):
        raise RuntimeError("never")


def test_what_cannot_be_pickled(box):
    for value in (lambda: 1, Stubborn(), open(__file__)):  # noqa: SIM115
        with pytest.raises(CannotEncode) as caught:
            box.dump(value)
        assert caught.value.fixes


@pytest.mark.parametrize(
    "make", [lambda: (i for i in ()), lambda: map(str, []), lambda: zip([], strict=True)]
)
def test_streams_are_refused_with_a_remedy(box, make):
    with pytest.raises(CannotEncode, match="used up") as caught:
        box.dump(make())
    assert "list" in caught.value.fixes[0]


def test_a_broken_pickle(box):
    for data in (b"", b"junk", pickle.dumps([1])[:-3], b"cnowhere\nx\n."):
        with pytest.raises(CannotDecode):
            box.load(data, "pickle")
