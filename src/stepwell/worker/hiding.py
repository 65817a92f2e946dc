"""Files of a project that have the name of a module of Python's or of an installed one, and so stand in its place.

`import json` in a project with a `json.py` means that file, for every library in the process too:
what fails then says nothing of the reason. `hidden` finds such files, `blamed` one behind an error.
`ahead` says where a file would stand in the place of another one of the project's own.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.machinery import PathFinder
from types import ModuleType

_LATE = (
    "base64", "csv", "ctypes", "datetime", "decimal", "difflib", "fcntl", "filecmp", "fnmatch", "getpass", "heapq",
    "inspect", "mmap", "platform", "random", "resource", "secrets", "shutil", "signal", "socket", "statistics",
    "subprocess", "tempfile", "textwrap", "threading", "tomllib", "traceback", "uuid", "zlib",
)  # fmt: skip
"""What Stepwell imports of Python's own when it is needed, to start fast, and may need when a project is loaded."""

MARK = "# Written by Stepwell from the manifest and the lock; not to be edited."
"""A line that only modules of named data have which Stepwell has written, and may write again."""

IsOwn = Callable[[str], bool]
"""Whether a file is first-party code of the project."""


def hidden(roots: Sequence[str], loaded: Iterable[str] = ()) -> list[str]:
    """A sentence for each file below the roots that hides a module.

    Those of Python's count always, because libraries import them; installed ones only under names of
    `loaded`, the first-party modules that were imported.
    """
    tops = {name.partition(".")[0] for name in loaded}
    return [
        told
        for root in roots
        for name, file in _modules_in(root)
        if name in sys.stdlib_module_names or name in tops
        if (told := _sentence(name, os.path.join(root, file), roots))
    ]


def ahead(path: str, roots: Sequence[str]) -> Iterator[str]:
    """Where files would be found first by whoever imports the first-party module at `path` by its name."""
    home = max((root for root in roots if path.startswith(root + os.sep)), key=len, default="")
    tail = path.removesuffix(".py").removesuffix(f"{os.sep}__init__")[len(home) + 1 :]
    if not home or not tail:
        return
    parts = tail.split(os.sep)
    for depth in range(1, len(parts) + 1):
        stem = os.path.join(*parts[:depth])
        ends = (os.path.join(stem, "__init__.py"), f"{stem}.py")
        places = [os.path.join(root, end) for root in roots for end in ends]
        is_there = (at for at, place in enumerate(places) if place == path or os.path.isfile(place))
        at = next(is_there, len(places))
        yield from places[:at]
        if at < len(places):  # a package: what is below is looked for in it alone
            roots = roots[at // len(ends) :][:1]


def blamed(error: BaseException, is_own: IsOwn) -> list[str]:
    """The sentence on the file because of which an attribute or a name to import is missing; none for other errors.

    None for modules that Stepwell has written: they have the name that the manifest gives them.
    """
    name = file = None
    if isinstance(error, AttributeError) and isinstance(error.obj, ModuleType):
        name, file = error.obj.__name__, getattr(error.obj, "__file__", None)
    elif isinstance(error, ImportError):
        name, file = error.name, error.path
    if not name or not file or not is_own(os.path.abspath(file)):
        return []
    if _is_written(file):
        return []
    name, _, below = name.partition(".")
    folder = os.path.dirname(os.path.abspath(file))
    if os.path.basename(file) == "__init__.py":
        file, folder = folder, os.path.dirname(folder)
    for _ in filter(None, below.split(".")):  # of a package the outermost folder has the name
        file, folder = folder, os.path.dirname(folder)
    told = _sentence(name, os.path.abspath(file), [folder])
    return [told] if told else []


def _is_written(file: str) -> bool:
    try:
        with open(file, "rb") as text:
            return MARK.encode() in text.read()
    except OSError:  # gone meanwhile
        return False


def bring_forward(roots: Sequence[str]) -> None:
    """Before the roots become importable: import now what Stepwell would import later, if one of them hides it.

    So a project's `signal.py` stands in the way of its own code and libraries at most.
    """
    if any(name in sys.stdlib_module_names for root in roots for name, _ in _modules_in(root)):
        for name in _LATE:
            importlib.import_module(name)


def _modules_in(root: str) -> Iterator[tuple[str, str]]:
    """The modules that lie directly in a folder, by name, with the names of their files or folders."""
    try:
        entries = sorted(os.listdir(root))
    except OSError:  # a root that is gone holds nothing
        return
    for entry in entries:
        if entry.endswith(".py"):
            yield entry[:-3], entry
        elif os.path.isfile(os.path.join(root, entry, "__init__.py")):
            yield entry, entry


def _sentence(name: str, file: str, roots: Sequence[str]) -> str:
    """What to say of a file that has a module's name; "" where nothing is hidden by it."""
    shown = os.path.basename(file) + ("" if file.endswith(".py") else os.sep)
    if name in sys.stdlib_module_names:
        return f"rename `{shown}`: it hides Python's own module `{name}`, which libraries need too"
    elsewhere = [place for place in sys.path if place and os.path.abspath(place) not in roots]
    found = PathFinder.find_spec(name, elsewhere)
    if found is None or found.origin is None:
        return ""
    packaged = os.path.isfile(os.path.join(os.path.dirname(file), "pyproject.toml")) or (
        os.path.basename(os.path.dirname(file)) == "src"
    )
    if packaged and os.path.isdir(file) and found.submodule_search_locations:
        return ""  # the project itself, installed
    return f"rename `{shown}`: it hides the installed module `{name}` ({os.path.dirname(found.origin)})"
