"""The codecs that Stepwell brings, by name; their modules are imported when one is first used.

json          numbers, None, dates, containers, dataclasses, enums, …   `codecs.plain`
text, bytes   strings and bytes as they are                            `codecs.text`
npy, sparse   NumPy arrays, SciPy sparse matrices                      `codecs.arrays`
arrow, arrow:pandas, arrow:polars   tables                             `codecs.tables`
path, files   files and folders that a step made                      `codecs.files`, `codecs.bundle`
bundle        plain data that holds arrays, tables, models             `codecs.bundle`
png           Matplotlib figures, as pictures                          `codecs.figures`
sklearn       scikit-learn estimators, without pickle                  `codecs.models`
pickle        anything else; executes when it is loaded                `codecs.opaque`
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stepwell.plugins.hookspecs import Blob, Codec, Sink
    from stepwell.plugins.registry import Registry


class Builtin:
    """A codec that is imported when it is first used; what `plan` asks of it is here already."""

    def __init__(
        self,
        name: str,
        place: str,
        *,
        exact: bool = True,
        executes: bool = False,
        only: str = "",
        needs: tuple[str, ...] = (),
        extra: str = "",
    ) -> None:
        self.name = name
        self.exact = exact
        self.executes = executes
        self.only = only
        self.needs = needs
        self.extra = extra
        self._place = place
        self._codec: Codec | None = None

    def _load(self) -> Codec:
        from stepwell.codecs.lookup import check_library

        check_library(self)
        module, _, name = self._place.partition(":")
        codec: Codec = getattr(import_module(f"stepwell.codecs.{module}"), name)()
        self._codec = codec
        return codec

    def dump(self, value: Any, sink: Sink) -> str | None:
        """Write the value; the note for people, if there is one."""
        return (self._codec or self._load()).dump(value, sink)

    def load(self, blob: Blob) -> Any:
        """The value that was dumped."""
        return (self._codec or self._load()).load(blob)


_PLAIN = (
    "int",
    "float",
    "complex",
    "bool",
    "NoneType",
    "list",
    "tuple",
    "dict",
    "set",
    "frozenset",
    "range",
    "slice",
)
_PANDAS = ("DataFrame", "Series", "Index", "MultiIndex", "RangeIndex", "DatetimeIndex", "TimedeltaIndex")
_PANDAS_MORE = ("PeriodIndex", "CategoricalIndex", "IntervalIndex")
_ESTIMATORS = ("BaseEstimator", "ClassifierMixin", "RegressorMixin", "TransformerMixin", "ClusterMixin")


def register(registry: Registry) -> None:
    """Put the built-in codecs into a registry."""
    add = registry.register_codec
    add(Builtin("json", "plain:PlainCodec"), [f"builtins.{name}" for name in _PLAIN])
    add(Builtin("text", "text:TextCodec"), ["builtins.str"])
    add(Builtin("bytes", "text:BytesCodec"), ["builtins.bytes", "builtins.bytearray", "builtins.memoryview"])
    add(
        Builtin("npy", "arrays:ArrayCodec", needs=("numpy",)),
        ["numpy.ndarray", "numpy.memmap", "numpy.core.memmap.memmap"],
    )
    add(
        Builtin("sparse", "arrays:SparseCodec", exact=False, needs=("numpy", "scipy")),
        ["scipy.sparse._base._spbase", "scipy.sparse._base.sparray", "scipy.sparse._matrix.spmatrix"],
    )
    pandas = Builtin("arrow:pandas", "tables:PandasCodec", needs=("pandas", "pyarrow"), extra="pandas")
    indexes = [*_PANDAS, *_PANDAS_MORE]
    add(pandas, [f"pandas.{name}" for name in indexes] + _PANDAS_2)
    polars = Builtin("arrow:polars", "tables:PolarsCodec", needs=("polars", "pyarrow"), extra="polars")
    add(
        polars,
        [
            "polars.dataframe.frame.DataFrame",
            "polars.series.series.Series",
            "polars.lazyframe.frame.LazyFrame",
        ],
    )
    arrow = Builtin("arrow", "tables:ArrowCodec", exact=False, needs=("pyarrow",), extra="arrow")
    add(
        arrow,
        ["pyarrow.lib.Table", "pyarrow.lib.RecordBatch", "pyarrow.lib.ChunkedArray", "pyarrow.lib.Array"],
    )
    add(Builtin("path", "files:PathCodec", exact=False), ["pathlib.Path", "pathlib._local.Path"])
    add(Builtin("bundle", "bundle:BundleCodec"))
    add(Builtin("files", "bundle:FilesCodec"))
    add(
        Builtin("png", "figures:FigureCodec", exact=False),
        ["matplotlib.figure.Figure", "stepwell.codecs.figures.Image"],
    )
    needs = ("sklearn", "skops")
    sklearn = Builtin(
        "sklearn", "models:EstimatorCodec", exact=False, only="sklearn.", needs=needs, extra="sklearn"
    )
    add(sklearn, [f"sklearn.base.{name}" for name in _ESTIMATORS])
    add(Builtin("pickle", "opaque:PickleCodec", exact=False, executes=True))


_PANDAS_2 = [
    "pandas.core.frame.DataFrame",
    "pandas.core.series.Series",
    "pandas.core.indexes.base.Index",
    "pandas.core.indexes.multi.MultiIndex",
    "pandas.core.indexes.range.RangeIndex",
    "pandas.core.indexes.datetimes.DatetimeIndex",
    "pandas.core.indexes.timedeltas.TimedeltaIndex",
    "pandas.core.indexes.period.PeriodIndex",
    "pandas.core.indexes.category.CategoricalIndex",
    "pandas.core.indexes.interval.IntervalIndex",
]
"""The same classes as pandas 2 names them."""
