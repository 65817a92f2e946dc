"""What the names of a `data.py` are when a program runs.

In a pipeline a call gives a reference, as that of any source does. Elsewhere it gives what the lock says, byte for
byte, and nothing else: a file that has changed since is not it, and a newer one is never taken instead.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping
from copy import copy
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from stepwell.author.inputs import Source
from stepwell.author.trace import current
from stepwell.author.where import short, user_line
from stepwell.errors import DataNotLocked, DataNotNamed, MissingLibrary, NotATable, NotInPipelines, counted
from stepwell.kernel.graph import SourceDef
from stepwell.log import current_step
from stepwell.sources.address import name_of, parse, shown

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from stepwell.dist.interface.contents import Contents
    from stepwell.dist.interface.homes import Home
    from stepwell.dist.lock import Data

T = TypeVar("T")

TABLES = ("pandas.DataFrame", "polars.DataFrame", "polars.LazyFrame", "pyarrow.Table")
"""Types of the manifest whose files any of the libraries may read."""


class ColumnNames(Collection[str]):
    """The names of a table's columns: `customers.column.mrr` and `customers.column["mrr"]` are "mrr".

    Editors and type checkers know which there are, from the stub; asking for one reads nothing, so that steps and
    modules may. Listing them reads the lock.
    """

    __slots__ = ("__of",)

    def __init__(self, of: Dataset[Any]) -> None:
        self.__of = of

    def __len__(self) -> int:
        return len(self.__of.schema)

    def __iter__(self) -> Iterator[str]:
        return iter(self.__of.schema)

    def __contains__(self, name: object) -> bool:
        return name in self.__of.schema

    def __dir__(self) -> list[str]:
        return [name for name in self if name.isidentifier()]

    def __repr__(self) -> str:
        return f"<columns of {self.__of.name}>"

    if not TYPE_CHECKING:  # the stub has the names of each table; checkers would take any other, too

        def __getitem__(self, name: str) -> str:
            return name

        def __getattr__(self, name: str) -> str:
            if name.startswith("_"):  # what Python and IPython ask any value for
                raise AttributeError(name)
            return name


class Place(NamedTuple):
    """The line that names data: its module, the file of that, and the number of the line."""

    module: str
    file: str
    line: int


class Dataset(Source[T]):
    """Data of the manifest, by its name."""

    column: Any
    """The names of the columns: `customers.column.mrr` is "mrr"."""

    def __init__(self, name: str, uri: str, kind: str, options: dict[str, object], place: Place) -> None:
        super().__init__(uri, kind, options)
        self._called = name
        self._module, self._file, self._line = place
        self._lock = ""
        # Assigned in the plain way jedi would take it for its type, and not look into the stub.
        vars(self)["column"] = ColumnNames(self)

    @property
    def name(self) -> str:
        """Its name in the manifest."""
        return self._called

    @property
    def gives(self) -> object:
        """The type that steps get; of a library that nothing has imported yet, anything."""
        if not self.type_name:
            return super().gives
        module, _, name = self.type_name.partition("[")[0].rpartition(".")
        return getattr(sys.modules.get(module or "builtins"), name, Any)

    def definition(self) -> SourceDef:
        """The source as the graph holds it, as the manifest has it now; in another's pipeline, data of the release that is installed.

        Raises `BadSource`, `MissingLibrary`, `DataNotNamed`.
        """
        self._settle()
        release = self._home.release
        return super().definition() if release is None else self._of_release(release)

    def __call__(self) -> T:
        """Inside a pipeline: a reference to the content. Elsewhere: the content that is locked.

        Raises `DataNotLocked`, `FrozenGone`, `NotInPipelines`, and what reading raises.
        """
        trace = current()
        if trace is not None:
            return cast(T, trace.source(self))
        self._settle()
        return cast(T, self._as(self.type_name, self.options))

    def pandas(self) -> pd.DataFrame:
        """What is locked, as a frame of pandas. Raises as a call does, `MissingLibrary`, `NotATable`."""
        return cast("pd.DataFrame", self._table("pandas.DataFrame"))

    def polars(self) -> pl.DataFrame:
        """What is locked, as a frame of polars. Raises as a call does, `MissingLibrary`, `NotATable`."""
        return cast("pl.DataFrame", self._table("polars.DataFrame"))

    def arrow(self) -> pa.Table:
        """What is locked, as an Arrow table. Raises as a call does, `MissingLibrary`, `NotATable`."""
        return cast("pa.Table", self._table("pyarrow.Table"))

    def duckdb(self) -> duckdb.DuckDBPyRelation:
        """What is locked, as a relation that DuckDB can query. Raises as a call does, `MissingLibrary`, `NotATable`."""
        try:
            import duckdb
        except ImportError:
            raise lacking("duckdb", self.name) from None
        return duckdb.from_arrow(self.arrow())

    @property
    def path(self) -> Path:
        """The file or folder that holds what is locked, not to be written to. Raises as a call does, `NotATable` for several files."""
        found = self._contents
        if found.folder is not None:
            return found.folder
        if len(found.files) == 1:
            return found.files[0]
        raise NotATable(
            f"`{self.name}` is {counted(len(found.files), 'file')}",
            why="`path` is one file, or a folder",
            fixes=[f"{self.name}.paths"],
        )

    @property
    def paths(self) -> tuple[Path, ...]:
        """All files that are locked, by name. Raises as a call does."""
        return self._contents.files

    @property
    def lock(self) -> Data:
        """What the lock says of it: digests, rows, columns, key, units. Raises `DataNotLocked`, `LockMissing`, `BadLock`."""
        data = self._home.locked().data.get(self.name)
        if data is None:
            raise DataNotLocked(
                f"`{self.name}` is not in `{self._home.lock.name}`",
                why="outside of a pipeline data is what is locked, and nothing else",
                fixes=["stepwell lock", "stepwell run --lock"],
            )
        return data

    @property
    def schema(self) -> dict[str, str]:
        """What each column holds, by name and in order; "?" where the file does not say. Raises as `lock` does."""
        return dict(self.lock.columns)

    def __repr__(self) -> str:
        return f"<data {self.name}: {shown(self.uri)}>"

    def _of_release(self, release: Path) -> SourceDef:
        """The source by the release's name and version, so that it counts in the lock of whoever uses it."""
        from stepwell.dist.releases.opened import open_installed  # few pipelines use others' data

        document = open_installed(release).document
        uri = f"release://{document.project}=={document.version}/{self.name}"
        suffix = "".join(PurePosixPath(name_of(parse(self.uri))).suffixes[-2:])
        told = {"format": suffix.strip(".")} if suffix and self.type_name else {}
        same: Dataset[T] = copy(self)
        vars(same).update(uri=uri, options={**told, **self.options})
        return super(Dataset, same).definition()

    # ------------------------------------------------------------------ loading

    def _settle(self) -> None:
        """Take from the manifest, where there is one, what may have changed since the module was written. Raises `DataNotNamed`."""
        from stepwell.dist.interface.kinds import type_of

        manifest = self._home.manifest()
        if manifest is None:
            return
        data = manifest.data.get(self.name)
        if data is None:
            raise DataNotNamed(
                f"`{self.name}` is not in the manifest",
                why=f"`{short(self._file)}` was written when it was",
                fixes=["stepwell lock", f"stepwell add {self.name} {shown(self.uri)}"],
                where=self.where,
            )
        vars(self).update(
            uri=data.address(self.name),
            kind=type_of(data),
            options=dict(data.read),
            sample=None if data.sample else False,
        )

    @property
    def _home(self) -> Home:
        from stepwell.dist.interface.homes import home_of  # not needed to plan

        return home_of(Path(self._file), self._lock)

    @property
    def _contents(self) -> Contents:
        """The files that hold what is locked. Raises `NotInPipelines` while a pipeline is traced."""
        self._refuse_inside()
        from stepwell.dist.interface.contents import contents_of  # not needed to plan

        self._settle()
        return contents_of(self.name, self.lock, self._home)

    def _refuse_inside(self) -> None:
        """Raises `NotInPipelines` in the body of a pipeline, and in a step."""
        step = current_step().id
        if not step and current() is None:
            return
        raise NotInPipelines(
            f"{f'the step `{step}`' if step else 'the body of the pipeline'} reads `{self.name}` itself",
            why="a step is given its data by the pipeline, so that it counts for what comes out",
            fixes=[f"pass it: step({self.name}())"],
            where=user_line(),
        )

    def _as(self, kind: str, options: Mapping[str, object]) -> Any:
        """What is locked, read as this type."""
        from stepwell.sources.read import load  # not needed to plan

        found = self._contents
        files, folder = list(map(str, found.files)), str(found.folder or "")
        return load(self.uri, kind, options, root=self._home.root, files=files, folder=folder)

    def _table(self, kind: str) -> Any:
        """What is locked, as a table of a library: read by it, or, where the manifest has options for another, made of what that reads."""
        self._settle()
        told = {name: value for name, value in self.options.items() if name == "format"}
        direct = told == self.options and self.type_name in (*TABLES, "", "Any")
        if direct or self.type_name == kind:
            return self._as(kind, self.options)
        return converted(self._as(self.type_name, self.options), kind, self.name)


def dataset(
    name: str,
    uri: str,
    kind: str,
    *,
    read: Mapping[str, object] | None = None,
    sample: bool = True,
    lock: str = "",
) -> Dataset[Any]:
    """The data called `name`, for the module that calls this.

    `uri` and `kind` (the full name of a type) are those of the manifest, as are the reader's options in `read`. `sample`: whether a
    ghost run may take a sample. `lock` is the lock, relative to the project's root, where it has another name than `stepwell.lock`.
    """
    frame = sys._getframe(1)
    module = str(frame.f_globals.get("__name__", ""))
    made: Dataset[Any] = Dataset(
        name, uri, kind, dict(read or {}), Place(module, frame.f_code.co_filename, frame.f_lineno)
    )
    made.sample = None if sample else False
    made._lock = lock
    return made


# --------------------------------------------------------------------------- tables


def converted(value: Any, kind: str, name: str) -> Any:
    """A table of one library as one of another, through Arrow. Raises `NotATable`, `MissingLibrary`."""
    library, _, _ = kind.partition(".")
    try:
        import pyarrow as pa

        module = import_module(library)
    except ImportError as error:
        raise lacking(error.name or library, name) from None
    whose = type(value).__module__.partition(".")[0]
    if whose == "pandas" and type(value).__name__ == "DataFrame":
        table = pa.Table.from_pandas(value, preserve_index=value.index.name is not None)
    elif whose == "polars":
        table = value.lazy().collect().to_arrow()
    elif isinstance(value, pa.Table):
        table = value
    else:
        raise NotATable(
            f"`{name}` is a {type(value).__qualname__}, no table",
            fixes=[f"{name}()", f'`data.{name}.type` in the manifest: type = "pandas.DataFrame"'],
        )
    if library == "pandas":
        return table.to_pandas()
    return module.from_arrow(table) if library == "polars" else table


def lacking(library: str, name: str) -> MissingLibrary:
    """The error of a library that data is asked from and that is not installed."""
    return MissingLibrary(
        f"`{name}` cannot be given by {library}, which is not installed",
        fixes=[f"pip install {library}", f"uv add {library}"],
    )
