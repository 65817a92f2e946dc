"""Pipelines in notebooks: what the executed cells define, loaded and run like a file.

    delays.plan()          # in a cell: the same keys, cache and workers as for a pipeline file

Workers load code by module and name, and fingerprints are read from source. So a notebook's
definitions become a module (`cells.module_text`) that is named after the notebook and exists only
in the importer's snapshot: `analysis.ipynb` gives `analysis_ipynb`, whose file would be
`analysis_ipynb.py` in the project's root. What is traced, fingerprinted and run is that module, as
it is for a file; the kernel's own functions are not called. That has three consequences that are
wanted: hidden state of the kernel cannot get into a result; what the definitions read when they run
(`CFG = json.load(open("c.json"))`) is observed; and a restarted kernel, another process and a
scheduled run have the same keys.

Rejected: to run the kernel's own objects and give workers the module only. A class cell that was
executed again without the cells that use it would be two classes, and reads at module level would
go unseen. Rejected too: one module a cell; moving a function would then change its identity.

The module has classes of its own. What a program of the notebook sees are the notebook's: results
are read with these in place (`own_classes`), and arguments of a run are handed over (`handed`) and
back (`own_constants`).
"""

from __future__ import annotations

import io
import pickle
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from stepwell.author.cells import module_text
from stepwell.author.pipelines import Pipeline
from stepwell.author.project import Loaded, Target, load
from stepwell.author.shell import cells_of, kernel_of, notebook_of, shell_of
from stepwell.errors import CannotImport
from stepwell.kernel.graph import Binding, Constant, Pack
from stepwell.worker.modules import FirstParty, cell_place

__all__ = ["handed", "load_cells", "own_classes", "own_constants", "target_in_notebook"]

_scopes: WeakKeyDictionary[ModuleType, Mapping[str, Any]] = WeakKeyDictionary()
"""By module that was made from a notebook, the notebook's own names."""

_CONTAINERS = (list, tuple, dict, set, frozenset)


def target_in_notebook(pipeline: Pipeline[Any, Any]) -> Target | None:
    """The target of a pipeline that a cell defined, whose file does not exist; None for any other."""
    running = shell_of(pipeline.function)
    if running is None:
        return None
    notebook = notebook_of(running)
    named = (
        name
        for name, value in list(running.user_global_ns.items())
        if getattr(value, "function", None) is pipeline.function
    )
    return Target(notebook.root, notebook.module, next(named, pipeline.__name__))


def load_cells(pipeline: Pipeline[Any, Any], target: Target, importer: FirstParty) -> Loaded:
    """The pipeline as the executed cells define it, its module imported from the importer's snapshot.

    The module is executed again only if its text is another. Raises `NotInACell`, and what
    `project.load` raises, with the cell's line in place of the module's.
    """
    running = shell_of(pipeline.function)
    notebook = notebook_of(running)
    head = f"# cells of {notebook.file}"
    text = head + module_text(cells_of(running), [target.pipeline], kernel_of(running))
    importer.give(target.module, str(notebook.path), text.encode("utf-8", "surrogatepass"))
    try:
        loaded = load(target)
    except CannotImport as error:
        raise _placed(error, str(notebook.path), text.encode("utf-8", "surrogatepass")) from error
    _scopes[loaded.module] = running.user_global_ns
    return loaded


def _placed(error: CannotImport, path: str, data: bytes) -> CannotImport:
    """The same error, told of the cell's line."""
    line = re.fullmatch(r".*_(?:ipynb|marimo)_*\.py:(\d+)", error.where or "")
    place = cell_place(path, data, int(line[1])) if line is not None else ""
    what = re.sub(r"^importing `\w+` raised", "executing the notebook's definitions raised", error.what)
    return CannotImport(what, why=error.why, fixes=error.fixes, where=place or error.where)


@contextmanager
def own_classes(module: ModuleType) -> Iterator[None]:
    """Meanwhile the classes of a notebook's module are those of the notebook itself; for other modules nothing happens."""
    scope = _scopes.get(module)
    if scope is None:
        yield
        return
    seen = ModuleType(module.__name__, module.__doc__)
    vars(seen).update(vars(module))
    own = {name: value for name, value in scope.items() if isinstance(value, type)}
    vars(seen).update({name: value for name, value in own.items() if isinstance(vars(seen).get(name), type)})
    before = sys.modules.get(module.__name__)
    sys.modules[module.__name__] = seen
    try:
        yield
    finally:
        if before is None:
            del sys.modules[module.__name__]
        else:
            sys.modules[module.__name__] = before


def handed(
    module: ModuleType, args: tuple[object, ...], kwargs: Mapping[str, object]
) -> tuple[tuple[object, ...], dict[str, object]]:
    """Arguments of a run with objects of the notebook's classes made ones of its module's; else as they are."""
    if module not in _scopes:
        return args, dict(kwargs)
    held = vars(module)
    given = {name: _moved(value, "__main__", held) for name, value in kwargs.items()}
    return tuple(_moved(value, "__main__", held) for value in args), given


def own_constants(module: ModuleType, binding: Binding) -> Binding:
    """What a pipeline returned with such arguments in it made the notebook's again: the other way round."""
    scope = _scopes.get(module)
    if scope is None:
        return binding
    if isinstance(binding, Pack):
        return binding._replace(items=tuple(own_constants(module, item) for item in binding.items))
    if isinstance(binding, Constant) and not binding.codec:
        return binding._replace(payload=_moved(binding.payload, module.__name__, scope))
    return binding


def _moved(value: object, old: str, held: Mapping[str, Any]) -> object:
    """The same value, with what `held` has in place of the classes of the module `old`."""
    kind = type(value)
    if kind.__module__ != old and kind not in _CONTAINERS:
        return value
    try:
        data = pickle.dumps(value)
    except Exception:  # objects decide what they raise; such a one is judged as it is  # noqa: BLE001
        return value
    return _Moved(io.BytesIO(data), old, held).load() if old.encode() in data else value


class _Moved(pickle.Unpickler):
    """Reads what this process has just written, with other classes in place of those of one module."""

    def __init__(self, data: io.BytesIO, old: str, held: Mapping[str, Any]) -> None:
        super().__init__(data)
        self._old = old
        self._held = held

    def find_class(self, module: str, name: str) -> Any:
        """The class; of that module the one that is held under its name, if one is."""
        first, *rest = name.split(".")
        found: Any = self._held.get(first) if module == self._old else None
        for part in rest:
            found = getattr(found, part, None)
        return found if found is not None else super().find_class(module, name)
