"""Figures as pictures."""

import io

import pytest
from matplotlib.figure import Figure

from stepwell.codecs.figures import Image
from stepwell.errors import CannotDecode, CannotEncode


def draw():
    figure = Figure(figsize=(3, 2), dpi=50)
    axes = figure.subplots()
    axes.plot([1, 2, 3], [2, 1, 3], label="x")
    axes.set_title("delays")
    axes.legend()
    return figure


def test_a_figure_comes_back_as_its_picture(box, tmp_path):
    dumped = box.dump(draw())
    assert dumped.codec == "png"
    assert dumped.note == "150 × 100 picture"
    back = box.load(dumped.data, "png")
    assert isinstance(back, Image)
    assert isinstance(back, bytes)
    assert back == dumped.data
    assert back.size == (150, 100)
    assert back.pixels().shape == (100, 150, 4)
    assert back._repr_png_().startswith(b"\x89PNG")
    assert repr(back) == "<Image 150 × 100>"
    back.save(tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes() == back


def test_the_same_figure_has_the_same_bytes_without_a_trace_of_the_library(box):
    one, other = box.dump(draw()).data, box.dump(draw()).data
    assert one == other
    assert b"Matplotlib" not in one
    assert b"Software" not in one


def test_a_picture_is_a_value_like_any_other(box):
    picture = box.load(box.dump(draw()).data, "png")
    assert box.trip(picture) == picture
    assert box.dump(picture).codec == "png"
    assert box.dump({"figure": draw()}).codec == "bundle"


def test_pyplot_figures_are_closed(box):
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots()
    axes.plot([1, 2])
    before = plt.get_fignums()
    box.dump(figure)
    assert figure.number not in plt.get_fignums()
    assert len(plt.get_fignums()) == len(before) - 1


def test_a_figure_that_cannot_be_drawn(box):
    figure = draw()
    figure.axes[0].xaxis.set_major_formatter(lambda *_: 1 / 0)
    with pytest.raises(CannotEncode, match="drawn"):
        box.dump(figure)


def test_malformed(box):
    for data in (b"", b"\x89PNG", b"GIF89a" * 10):
        with pytest.raises(CannotDecode):
            box.load(data, "png")
    assert io.BytesIO(b"").read() == b""
