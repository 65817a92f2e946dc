"""Which codec for which annotation and which value."""

import collections
import collections.abc as abc
import enum
import importlib.util
import inspect
import sys
import typing
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal, NewType, TypeVar

import codec_shapes as shapes
import matplotlib.figure
import numpy as np
import numpy.typing as npt
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from stepwell.codecs import choose
from stepwell.codecs.choose import codec_for, codec_of
from stepwell.errors import CannotDecode, CannotEncode, MissingLibrary, NoCodec
from stepwell.plugins.registry import registry

T = TypeVar("T")
Frame = TypeVar("Frame", bound=pd.DataFrame)
Number = TypeVar("Number", int, float)
Maybe = typing.Optional[str]
Either = typing.Union[int, str, bytes]
UserId = NewType("UserId", int)
Table = NewType("Table", pd.DataFrame)


class Own(BaseEstimator):
    pass


class Generic(typing.Generic[T]):
    pass


CASES = [
    (inspect.Parameter.empty, ""), (Any, ""), (object, ""), (T, ""), ("int", ""), (typing.NoReturn, ""),
    (None, "json"), (type(None), "json"), (int, "json"), (float, "json"), (bool, "json"), (complex, "json"), (str, "text"),
    (bytes, "bytes"), (bytearray, "bytes"), (range, "json"), (slice, "json"), (Fraction, "json"), (shapes.Color, "json"),
    (shapes.Level, "json"), (shapes.Right, "json"), (np.float64, "json"), (np.int32, "json"), (np.floating, "json"),
    (np.datetime64, "json"), (pd.Timestamp, "json"), (pd.Timedelta, "json"), (UserId, "json"), (Number, "json"),
    (Literal["a", "b"], "text"), (Literal["a", 1], "json"), (Literal[shapes.Color.RED], "json"), (Annotated[int, "x"], "json"),
    (Annotated[pd.DataFrame, "schema"], "arrow:pandas"), (list, ""), (dict, ""), (tuple, ""), (list[int], "json"), (list[Any], ""),
    (list[str], "json"), (dict[str, float], "json"), (dict[str, Any], ""), (dict[str, list[tuple[int, ...]]], "json"),
    (tuple[int, str], "json"), (tuple[()], "json"), (tuple[int, ...], "json"), (set[str], "json"), (frozenset[bytes], "json"),
    (collections.OrderedDict[str, int], "json"), (collections.deque[int], "json"), (collections.Counter[str], "json"),
    (list[pd.DataFrame], "bundle"), (dict[str, np.ndarray], "bundle"), (tuple[pd.DataFrame, int], "bundle"),
    (dict[str, LogisticRegression], "bundle"), (list[Path], "files"), (dict[str, Path], "files"), (tuple[Path, pd.DataFrame], "files"),
    (dict[Path, int], "json"), (list[Path | None], ""), (abc.Sequence[Path], "files"), (abc.Sequence[int], ""), (abc.Mapping, ""),
    (int | None, "json"), (Maybe, "json"), (int | str, "json"), (Either, "json"), (pd.DataFrame | None, ""),
    (list[int] | None, "json"), (dict[str, pd.DataFrame] | None, "bundle"), (list[Path] | None, "files"), (pd.DataFrame | np.ndarray, ""),
    (int | Any, ""), (Path, "path"), (type(Path()), "path"),
    (shapes.Point, ""), (shapes.Frozen, "json"), (shapes.Spot, "json"), (shapes.Old, ""), (shapes.Score, "json"), (shapes.Node, "json"),
    (shapes.Config, "json"), (shapes.Fit, ""), (shapes.Box, ""), (shapes.Box[int], ""), (shapes.Counted, "json"), (list[shapes.Config], "json"),
    (shapes.Shape, ""), (abc.Hashable, ""),
    (np.ndarray, "npy"), (npt.NDArray[np.float64], "npy"), (np.memmap, "npy"), (scipy.sparse.csr_matrix, "sparse"),
    (scipy.sparse.csr_array, "sparse"), (pd.DataFrame, "arrow:pandas"), (pd.Series, "arrow:pandas"), (pd.Index, "arrow:pandas"),
    (pd.DatetimeIndex, "arrow:pandas"), (Table, "arrow:pandas"), (Frame, "arrow:pandas"), (pl.DataFrame, "arrow:polars"),
    (pl.LazyFrame, "arrow:polars"), (pl.Series, "arrow:polars"), (pa.Table, "arrow"), (pa.RecordBatch, "arrow"), (pa.ChunkedArray, "arrow"),
    (matplotlib.figure.Figure, "png"), (HistGradientBoostingClassifier, "sklearn"), (Pipeline, "sklearn"), (BaseEstimator, "sklearn"),
    (ClassifierMixin, "sklearn"),
]  # fmt: skip


@pytest.mark.parametrize(("annotation", "codec"), CASES, ids=lambda v: str(v)[:40])
def test_codec_for(annotation, codec):
    assert codec_for(annotation) == codec


class SubFrame(pd.DataFrame):
    pass


class SubArray(np.ndarray):
    pass


class SubText(str):
    __slots__ = ()


@pytest.mark.parametrize(
    "annotation",
    [
        shapes.Plain, list[shapes.Plain], dict[str, list[shapes.Plain]], shapes.Holder, shapes.Fancy, SubText, SubFrame, SubArray, Own, Generic,
        Generic[int], abc.Iterator[int], abc.Generator[int, None, None], type, type[int], abc.Callable[[], int], shapes.Plain | None,
        shapes.Base, shapes.DictData, abc.AsyncIterator[int], typing.IO[str], np.ma.MaskedArray, Exception,
    ],
    ids=str,
)  # fmt: skip
def test_no_codec(annotation):
    with pytest.raises(NoCodec) as caught:
        codec_for(annotation, "train")
    assert "`train`" in caught.value.what
    assert caught.value.code == "E601"
    assert any("register" in fix for fix in caught.value.fixes)
    assert any('@step(codec="pickle")' in fix for fix in caught.value.fixes)
    assert len(caught.value.fixes) == 3


def test_the_error_leads_to_the_field():
    with pytest.raises(NoCodec) as caught:
        codec_for(list[shapes.Holder], "fit")
    assert caught.value.what == (
        "no codec is known for `Plain`, the type of `Holder.thing` in `list[Holder]`, the type of `fit`"
    )


def hide(monkeypatch, *missing):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name in missing else real(name, *rest)
    )


@pytest.mark.parametrize(
    ("annotation", "missing", "extra"),
    [
        (pd.DataFrame, "pyarrow", "pandas"), (pl.DataFrame, "pyarrow", "polars"), (pa.Table, "pyarrow", "arrow"),
        (LogisticRegression, "skops", "sklearn"), (dict[str, pd.DataFrame], "pyarrow", "pandas"), (pd.DataFrame | None, "pyarrow", "pandas"),
        (pd.Series, "pyarrow", "pandas"),
    ],
    ids=str,
)  # fmt: skip
def test_a_library_that_is_missing(monkeypatch, annotation, missing, extra):
    hide(monkeypatch, missing)
    with pytest.raises(MissingLibrary) as caught:
        codec_for(annotation)
    assert missing in caught.value.what
    assert caught.value.fixes == (f'pip install "stepwell[{extra}]"',)


def test_a_library_that_is_missing_when_the_value_comes(box, monkeypatch):
    monkeypatch.setattr(registry.codecs["arrow:pandas"], "_codec", None)
    hide(monkeypatch, "pyarrow")
    with pytest.raises(MissingLibrary):
        box.dump(pd.DataFrame())
    with pytest.raises(MissingLibrary):
        box.load(b"", "arrow:pandas")
    assert codec_for(list[int]) == "json"


class Plain2(enum.Enum):
    A = 1


@pytest.mark.parametrize(
    ("value", "codec"),
    [
        (1, "json"), (None, "json"), ("a", "text"), (b"", "bytes"), ([1, "a"], "json"), ({"a": {1, 2}}, "json"), (shapes.Point(1), "json"),
        (Plain2.A, "json"), (np.float64(1), "json"), (pd.Timestamp("2024"), "json"), (np.zeros(2), "npy"), (pd.DataFrame(), "arrow:pandas"),
        ([np.zeros(2)], "bundle"), (shapes.Fit(pd.DataFrame(), 1.0), "bundle"), (shapes.Plain(), "pickle"), ([shapes.Plain()], "pickle"),
        (SubFrame(), "pickle"), (Own(), "pickle"), (LogisticRegression(), "sklearn"), (pl.DataFrame(), "arrow:polars"), (Path("x"), "path"),
        (matplotlib.figure.Figure(), "png"), (shapes.Fancy(1), "pickle"), (lambda: 1, "pickle"),
    ],
    ids=lambda v: v if isinstance(v, str) else type(v).__name__,
)  # fmt: skip
def test_codec_of(value, codec):
    assert codec_of(value).name == codec


def test_every_annotated_codec_takes_what_it_promised(box):
    for value, annotation in [
        (1, int), (None, int | None), ("a", str | None), ([pd.DataFrame({"a": [1]})], list[pd.DataFrame]), ({"a": 1}, dict[str, int]),
        (shapes.Config(0.1, Path("/nowhere")), shapes.Config), ("x", Literal["x"]),
    ]:  # fmt: skip
        box.trip(value, codec_for(annotation))


def test_unknown_codec(box):
    with pytest.raises(NoCodec, match="jsno") as caught:
        box.dump(1.5 + 2j, "jsno")
    assert "json" in caught.value.fixes[0]
    with pytest.raises(NoCodec):
        box.load(b"1", "nothing")


def test_a_codec_that_meets_another_value(box):
    for codec in (
        "text",
        "npy",
        "arrow:pandas",
        "arrow:polars",
        "arrow",
        "sklearn",
        "png",
        "path",
        "sparse",
        "bytes",
    ):
        with pytest.raises(CannotEncode):
            box.dump({"not": "that"}, codec)


def test_errors_of_the_operating_system_pass_through(box):
    class Full:
        def write(self, data):
            raise OSError(28, "No space left on device")

        def tell(self):
            return 0

        flush = tell

    for value in (
        1,
        [1],
        "a",
        b"a",
        np.zeros(3),
        pd.DataFrame({"a": [1]}),
        shapes.Plain(),
        pa.table({"a": [1]}),
    ):
        with pytest.raises(OSError, match="No space"):
            choose.dump(value, "", Full())


def test_an_integer_is_quick(box):
    import timeit

    sink = box.sink()
    sink.write = lambda data: None
    best = min(timeit.repeat(lambda: choose.dump(12345, "", sink), number=2000, repeat=5)) / 2000
    assert best < 20e-6  # about 1 µs; the machine may be busy


def test_choosing_imports_no_library():
    import subprocess

    code = (
        "import sys; from stepwell.codecs.choose import codec_for; codec_for(list[int] | None)\n"
        "heavy = {'numpy', 'pandas', 'pyarrow', 'sklearn', 'skops', 'matplotlib', 'polars', 'msgspec', 'scipy'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


if sys.version_info >= (3, 12):

    def test_type_aliases():
        space = {"pd": pd}
        exec(
            "type Scores = dict[str, float]\ntype Pair[T] = tuple[T, T]\ntype Frames = list[pd.DataFrame]",
            space,
        )
        assert codec_for(space["Scores"]) == "json"
        assert codec_for(space["Pair"][int]) == "json"
        assert codec_for(space["Frames"]) == "bundle"


def test_loading_wraps_what_a_codec_did_not_foresee(box):
    class Odd:
        name = "test:odd"

        def dump(self, value, sink):
            raise ZeroDivisionError("odd")

        load = dump

    registry.register_codec(Odd())
    with pytest.raises(CannotEncode, match="odd"):
        choose.dump(1 + 1j, "test:odd", box.sink())
    Odd.load = lambda self, blob: 1 / 0
    with pytest.raises(CannotDecode, match="odd"):
        box.load(b"", "test:odd")
