"""A pipeline object in a running program: the same module, classes and keys as the command would have.

`python pipeline.py` runs the file as `__main__`, and a notebook or a test has imported it by
itself. Such a module is *adopted*: it goes by its real name, so that workers, keys and stored
records speak of `pipeline.Report`, and what a run returns is made of the program's own classes.

What the cells of a notebook define has no file; it is made a module first (`author.notebook`).

Adoption is refused to modules whose files have changed since the program loaded them: then the
project's modules are imported again, from the present bytes, so that what is traced, fingerprinted
and run is one version of the code.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from inspect import unwrap
from pathlib import Path
from types import ModuleType
from typing import Any

from stepwell.author.notebook import load_cells, target_in_notebook
from stepwell.author.pipelines import Pipeline
from stepwell.author.project import Loaded, Target, importer_of, load, refuse_inside_import, target_of
from stepwell.author.steps import Step
from stepwell.author.where import LOADED
from stepwell.worker.modules import FirstParty


def live(pipeline: Pipeline[Any, Any], *, again: bool = False) -> contextlib.AbstractContextManager[Loaded]:
    """The pipeline with its module and importer; `again` imports the modules anew in any case.

    The project's modules are imported from the kept bytes while the block lasts (to import later,
    as a result is read: `loaded.importer.present()`); then importing is the program's own again.
    Raises what `project.load` raises.
    """
    refuse_inside_import(pipeline.__module__)
    return _present(pipeline, target_in_notebook(pipeline) or target_of(pipeline), again=again)


@contextlib.contextmanager
def _present(pipeline: Pipeline[Any, Any], target: Target, *, again: bool) -> Iterator[Loaded]:
    importer = importer_of(target.root)
    with importer.present():
        importer.refresh()  # forgets modules whose files were edited
        yield _load(pipeline, target, importer, again=again)


def _load(pipeline: Pipeline[Any, Any], target: Target, importer: FirstParty, *, again: bool) -> Loaded:
    if target_in_notebook(pipeline) is not None:
        if again or any(_changed(each) for each in _strangers(importer)):
            for each in _strangers(importer):
                if each.__name__ != "__main__":  # marimo's cells are it
                    sys.modules.pop(each.__name__, None)
        return load_cells(pipeline, target, importer)
    module = _module_of(pipeline, target)
    if not again and module is not None:
        ours = importer.modules.get(target.module) is module
        if ours or not any(_changed(each) for each in _strangers(importer)):
            _adopt(module, target)
            return Loaded(target, module, pipeline, importer)
    for each in _strangers(importer):
        if each.__name__ != "__main__":
            sys.modules.pop(each.__name__, None)
    if importer.modules.get(target.module) is not sys.modules.get(target.module):
        sys.modules.pop(target.module, None)
    return load(target)


def _module_of(pipeline: Pipeline[Any, Any], target: Target) -> ModuleType | None:
    """The loaded module that a pipeline was defined in, if it goes by the target's name or is `__main__`."""
    scope = unwrap(pipeline.function).__globals__
    for name in (target.module, "__main__"):
        module = sys.modules.get(name)
        if module is not None and vars(module) is scope:
            return module
    return None


def _strangers(importer: FirstParty) -> list[ModuleType]:
    """First-party modules that Python imported by itself, `__main__` among them."""
    out = []
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if (
            file
            and importer.is_first_party(os.path.abspath(file))
            and importer.modules.get(module.__name__) is not module
        ):
            out.append(module)
    return out


def _changed(module: ModuleType) -> bool:
    """Whether a module's file was written after this process began, so that what is loaded may be older."""
    try:
        status = os.stat(str(module.__file__))
    except OSError:
        return True
    return max(status.st_mtime, status.st_ctime) >= _born()


def _born() -> float:
    """When this process began, in seconds since 1970, or a little earlier; as near as the system tells."""
    try:
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
        return booted + ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError, ValueError, IndexError):  # macOS
        return LOADED - 60


def _adopt(module: ModuleType, target: Target) -> None:
    """Let `__main__` go by its real name: in `sys.modules`, and in what its classes and functions say of themselves."""
    if module.__name__ != "__main__":
        return
    sys.modules[target.module] = module
    for value in list(vars(module).values()):
        _rename(value, target.module)


def _rename(value: object, module: str) -> None:
    """Let a class with all in it, a function, a step or a pipeline of `__main__` say that it is of a module."""
    marked = getattr(type(value), "__stepwell__", "") in ("step", "pipeline")
    if getattr(value, "__module__", None) != "__main__" or not (marked or callable(value)):
        return
    with contextlib.suppress(AttributeError, TypeError):  # an object that forbids it
        value.__module__ = module
    if isinstance(value, type):
        for inner in list(vars(value).values()):
            _rename(inner, module)
    elif isinstance(value, Step | Pipeline):
        value.function.__module__ = module
