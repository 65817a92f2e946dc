"""The notebook that this program runs in, if it does: what was executed, and where it stands.

That is IPython's shell, or a marimo program (`author.marimos`), which is asked in the same way. IPython is never imported here: where it is not running there is nothing to ask. `watch` is called
when a step or pipeline is made in a cell; from then on it is known how far cells came that failed.
"""

from __future__ import annotations

import builtins
import inspect
import linecache
import os
import sys
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from stepwell.author.root import root_of
from stepwell.named import NamedTuple

__all__ = [
    "Cell",
    "Kernel",
    "Notebook",
    "cells_of",
    "in_kernel",
    "kernel_of",
    "notebook_of",
    "root_at",
    "shell_of",
    "watch",
]

_PYTHON_MAGICS = frozenset({"time", "capture", "prun"})
"""Cell magics that execute what is below them in the notebook's own namespace."""

_stops: weakref.WeakKeyDictionary[Any, dict[int, list[int]]] = weakref.WeakKeyDictionary()
"""By shell, for each cell that failed, the line that it did not get past, and that of the code below a magic."""


class Cell(NamedTuple):
    """Code that was executed: Python without magics, and the line that it did not get past (0: it ended).

    `first` is the line of the cell that the code begins at.
    """

    number: int
    code: str
    stop: int = 0
    first: int = 1


class Kernel(NamedTuple):
    """What the running program knows: the names it holds, those of pipelines, those made by `exec`, living ones."""

    names: frozenset[str]
    pipelines: frozenset[str]
    executed: frozenset[str] = frozenset()
    living: frozenset[str] = frozenset()


class Notebook(NamedTuple):
    """Where a notebook stands: `file` is its name for people, `module` the one that its definitions go by."""

    root: Path
    file: str
    module: str

    @property
    def path(self) -> Path:
        """Where the module would lie if it were a file; it is never written."""
        return self.root / f"{self.module}.py"


def shell() -> Any:
    """The running shell or marimo program, or None outside of both."""
    if "marimo._runtime.context" in sys.modules:
        from stepwell.author.marimos import marimo  # few programs are notebooks

        found = marimo()
        if found is not None:
            return found
    asked = getattr(builtins, "get_ipython", None) if "IPython" in sys.modules else None
    return asked() if asked is not None else None


def in_kernel() -> bool:
    """Whether this program is the kernel of a Jupyter front end, where a display can be drawn anew."""
    return hasattr(shell(), "kernel")


def shell_of(function: Callable[..., Any]) -> Any:
    """The shell in one of whose cells a function was defined, or None: it is from a file, or from elsewhere."""
    running = shell()
    if hasattr(running, "owns"):
        return running if running.owns(function) else None
    real = inspect.unwrap(function)
    if running is None or real.__globals__ is not running.user_global_ns:
        return None
    return None if os.path.isfile(real.__code__.co_filename) else running


def watch(function: object) -> None:
    """Something was defined: if that is in a cell, note from now on how far cells come that fail."""
    if "IPython" not in sys.modules or getattr(function, "__module__", "") != "__main__":
        return
    running = shell()
    if running is not None and not hasattr(running, "owns") and running not in _stops:
        stops = _stops[running] = {}
        running.events.register("post_run_cell", lambda result: _note(stops, result, running.user_global_ns))


def _note(stops: dict[int, list[int]], result: Any, scope: object) -> None:
    import traceback

    if result.execution_count is None or result.success:
        return
    if result.error_before_exec is not None:
        stops[result.execution_count] = [1]
        return
    steps = traceback.walk_tb(result.error_in_exec.__traceback__)
    stops[result.execution_count] = [line for frame, line in steps if _is_cell(frame, scope)]


def cells_of(running: Any) -> Iterator[Cell]:
    """What was executed so far, in that order; of the cell that is running what is above the present line.

    Of marimo all cells: their order means nothing.
    """
    if hasattr(running, "owns"):
        yield from (Cell(number, code) for number, code in running.cells())
        return
    history = running.history_manager.input_hist_parsed
    stops = {**_stops.get(running, {}), len(history) - 1: _present(running.user_global_ns, history[-1])}
    for number, code in enumerate(history):
        if number and code.strip():
            lines = stops.get(number) or [0]
            body = _python_below_magic(code)
            if body is None:
                yield Cell(number, code, lines[0])
            else:
                yield Cell(number, running.transform_cell(body), lines[-1], first=2)


def _present(scope: object, newest: str) -> list[int]:
    """If the newest cell is being executed its line, then that of the code below its magic; else nothing."""
    frames = []
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if _is_cell(frame, scope):
            frames.insert(0, frame)
        frame = frame.f_back
    shown = "".join(linecache.getlines(frames[0].f_code.co_filename)) if frames else ""
    is_newest = shown.strip() == newest.strip()  # else it is one without a place in the history
    return [frame.f_lineno for frame in frames] if is_newest else []


def _is_cell(frame: FrameType, scope: object) -> bool:
    """Whether a frame is that of a cell, rather than of a function; below a magic there are two."""
    return frame.f_globals is scope and frame.f_code.co_name == "<module>"


def root_at(filename: str) -> Path:
    """The root of the project that code with this file name belongs to, also if it is a cell's."""
    running = None if os.path.isfile(filename) else shell()
    return root_of(Path(filename)) if running is None else notebook_of(running).root


def _python_below_magic(code: str) -> str | None:
    """The body of a cell under `%%time` and the like; None for other cells."""
    if not code.startswith("get_ipython().run_cell_magic("):
        return None
    import ast  # every start would pay for it, and few programs are notebooks

    try:
        call: Any = ast.parse(code).body[0]
        name, _, body = (argument.value for argument in call.value.args)
    except (SyntaxError, ValueError, AttributeError):  # it goes on after the magic, which no cell does
        return None
    return body if name in _PYTHON_MAGICS else None


def kernel_of(running: Any) -> Kernel:
    """What the shell's program holds."""
    held = dict(running.user_global_ns)
    return Kernel(
        frozenset(held),
        frozenset(
            name for name, value in held.items() if getattr(type(value), "__stepwell__", "") == "pipeline"
        ),
        frozenset(name for name, value in held.items() if _is_by_exec(value)),
        running.living() if hasattr(running, "owns") else frozenset(),
    )


def _is_by_exec(value: Any) -> bool:
    """Whether a function of the notebook was made by `exec`, so that no cell has its source."""
    function = getattr(value, "function", value) if hasattr(type(value), "__stepwell__") else value
    code = getattr(function, "__code__", None)
    return code is not None and function.__module__ == "__main__" and code.co_filename == "<string>"


def notebook_of(running: Any) -> Notebook:
    """The notebook that a shell executes, as far as its front end tells; else "notebook" in the working folder.

    VS Code tells by a variable in the program, Jupyter by one of the environment, marimo by its context.
    """
    if hasattr(running, "owns"):
        return _placed(Path(running.filename or "notebook.py"), "marimo")
    told = running.user_global_ns.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME", "")
    file = Path(told if isinstance(told, str) and told.endswith(".ipynb") else "notebook.ipynb")
    return _placed(file, "ipynb")


def _placed(file: Path, kind: str) -> Notebook:
    """The notebook of a file: its module ends in its kind, and is no file's of the project."""
    folder = file.parent if file.is_absolute() and file.parent.is_dir() else Path.cwd()
    folder = folder.resolve()
    root = root_of(folder)
    below = (folder / file.name).relative_to(root)
    module = "_".join([*below.parts[:-1], below.stem, kind])
    module = "".join(c if c.isalnum() and c.isascii() else "_" for c in module)
    module = module if module[0].isalpha() else f"_{module}"
    while (root / f"{module}.py").exists() or (root / module).exists():
        module += "_"
    return Notebook(root, below.as_posix(), module)
