"""A release where it is installed: what `import churn` gives beside the project's own names.

    release = installed(__file__)          # in churn/_release/__init__.py
    release.load("model")                  # the model, its bytes verified
    release.predict(table)                 # checked against what the model was trained on, before the model sees it
    release.info(), release.pull()

loading       outputs: their bytes, verified, and back to values
libraries     what must be installed, in which versions, for that
kinds         what a column holds, told from the names that libraries have for it
given         tables of any library, and back to what was given
signature     whether a table is what a model was trained on
predicting    asking a model
information   what a release was made of, for people
command       the same on the command line

Importing this package does little: libraries for data are imported when something is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stepwell.dist.installed.information import Info
    from stepwell.dist.installed.loading import Pulled
    from stepwell.dist.releases.opened import Opened

__all__ = ["Installed", "installed"]


def installed(file: str) -> Installed:
    """The release whose `_release/__init__.py` is `file`."""
    return Installed(Path(file).absolute().parent)


class Installed:
    """A release in `folder`, which is its package's `_release`. Nothing is read before it is asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._asked: dict[str, Any] = {}
        self._alone = Lock()

    @cached_property
    def opened(self) -> Opened:
        """Its documents and blobs. Raises `NotARelease`."""
        from stepwell.dist.releases.opened import open_installed

        return open_installed(self._folder)

    def load(self, name: str = "") -> Any:
        """An output by its name, which may be left out where there is one only; made anew by each call.

        Its bytes are verified, and fetched where they are not in the package. Raises `NoSuchOutput`,
        `LibraryDiffers`, `BadRelease`, `CannotDecode`, and what `depot.fetch` raises.
        """
        from stepwell.dist.installed import loading

        return loading.load(self.opened, name)

    def predict(self, table: Any, output: str = "", *, units: Mapping[str, str] | None = None) -> Any:
        """What an output that is a model says about the rows of a table: one of the same kind, with `prediction`.

        `table` is of pandas, polars or Arrow, columns by name, or the path of a CSV or Parquet file. A classifier
        gives `probability` as well: of the second of two classes, else `probability_CLASS` for each. `output` may be left
        out where the release says which one it is, or has one only. `units` are those of the columns of `table`, where
        it does not say them itself. The model is loaded once in a process.
        Raises `WrongColumns`, `WrongTypes`, `WrongUnits`, `CannotPredict`, and what `load` raises.
        """
        from stepwell.dist.installed import loading, predicting

        name = predicting.predicts(self.opened, output)
        with self._alone:
            if name not in self._asked:
                self._asked[name] = loading.load(self.opened, name)
        return predicting.predict(self._asked[name], self.opened.lock.output[name], table, units=units)

    def info(self) -> Info:
        """What the release is made of, and how good it is: a value that prints well."""
        from stepwell.dist.installed.information import info_of

        return info_of(self.opened)

    def pull(self) -> Pulled:
        """Fetch all bytes that are not in the package into the user's cache. Raises what `depot.fetch` raises."""
        from stepwell.dist.installed import loading

        return loading.pull(self.opened)

    def main(self, argv: Sequence[str] | None = None) -> int:
        """The command that the package installs; gives the exit code."""
        from stepwell.dist.installed.command import main

        return main(self, argv)

    def __repr__(self) -> str:
        return f"<the release in {self._folder.parent.name}>"
