"""Steps that are a notebook: executed from its first cell to its last, in a kernel of its own.

    cellsof.py     what its file says
    kernel.py      the process that executes it
    handing.py     values on their way there and back

A spec holds `notebook`, the file relative to the root; `parameters`, names of inputs; `defaults` of some of
them; `outputs`, for each name the full name of a type ("" for any) or, after `file:`, a path that the notebook writes.
Its code is the text of its code cells, and of the project's modules that they import.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypedDict

from stepwell.errors import MissingExtra, NotebookFailed, NotebookUnusable, StepwellError, nearest
from stepwell.worker.kinds import cellsof, handing, process, script
from stepwell.worker.kinds.workplace import Workplace

NOTEBOOK = "notebook"
"""The output that is the executed copy."""

KEPT = ".stepwell/notebooks"
"""Where the executed copy of a notebook that failed is kept for a look, relative to the root."""

_ATOMS = (bool, int, str, type(None))


def code(spec: Mapping[str, Any], root: Path) -> dict[str, str]:
    """The code cells, what goes in and out, and the project's modules that the cells import."""
    said = json.dumps(
        {name: spec[name] for name in ("defaults", "outputs")}, sort_keys=True, ensure_ascii=False, indent=1
    )
    texts = {"options": said}
    path = root / spec["notebook"]
    try:
        cells = cellsof.read(path, spec["notebook"])[1]
    except StepwellError:  # which `check` tells
        return {**texts, spec["notebook"]: "absent"}
    tagged = next((cell.number for cell in cells if cell.is_tagged), 0)
    text = "\n\n".join(cellsof.code_of(cell.source) for cell in cells if cell.source.strip())
    texts[spec["notebook"]] = f"{text}\n\nparameters after cell {tagged}" if spec["parameters"] else text
    for file in _reached(path, root, cells)[0]:
        texts[os.path.relpath(file, root)] = script.python_text(file)
    return texts


def versions(spec: Mapping[str, Any], root: Path) -> dict[str, str]:
    """The version of Python."""
    return {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}


def imports(spec: Mapping[str, Any], root: Path) -> list[str]:
    """What the cells, and the project's modules behind them, import of what is installed."""
    path = root / spec["notebook"]
    try:
        cells = cellsof.read(path, spec["notebook"])[1]
    except StepwellError:
        return []
    return _reached(path, root, cells)[1]


def _reached(path: Path, root: Path, cells: list[cellsof.Cell]) -> tuple[list[Path], list[str]]:
    """The project's files that cells import, also indirectly, and the names of all other modules."""
    files: set[Path] = set()
    others: set[str] = set()
    trees = [found for cell in cells if (found := cellsof.tree(cell.source)) is not None]
    places = list(dict.fromkeys([root, root / "src", *script.places_of(path, root)]))
    whole = ast.Module([node for one in trees for node in one.body], [])
    for name in script.imported(whole, ""):
        found = script.files_of(name, places)
        if not found and not script.files_of(name.partition(".")[0], places):
            others.add(name)
        for file, _ in found:
            own, rest = script.modules(file, root)
            files.update(own)
            others.update(rest)
    return sorted(files), sorted(
        one for one in others if one.partition(".")[0] not in sys.stdlib_module_names
    )


def check(spec: Mapping[str, Any], root: Path) -> Iterator[StepwellError]:
    """Whether it is there, is in Python, knows its parameters, and makes its outputs; and whether it can be executed."""
    for name in ("nbclient", "nbformat", "ipykernel"):
        if find_spec(name) is None:
            yield MissingExtra(
                f"a notebook as a step needs {name}, which is not installed",
                fixes=['pip install "stepwell[notebook]"'],
            )
            break
    name = spec["notebook"]
    try:
        metadata, cells = cellsof.read(root / name, name)
    except StepwellError as error:
        yield error
        return
    if (spoken := cellsof.language(metadata)) not in ("python", "python3", "ipython"):
        yield NotebookUnusable(
            f"the notebook `{name}` is in {spoken}", why="only notebooks in Python can be steps"
        )
        return
    for cell in cells:
        if cellsof.tree(cell.source) is None and not cellsof.has_magic(cell.source):
            yield NotebookUnusable(f"cell {cell.number} of `{name}` is not Python", why=_syntax(cell.source))
    yield from _of_names(spec, cells)


def _syntax(source: str) -> str:
    try:
        ast.parse(source)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        return f"{getattr(error, 'msg', error)}{f', line {line}' if line else ''}"
    return ""


def _of_names(spec: Mapping[str, Any], cells: list[cellsof.Cell]) -> Iterator[StepwellError]:
    """Parameters that no cell uses, outputs that no cell makes."""
    found = cellsof.names_in(cells)
    tagged = cellsof.names_in([cell for cell in cells if cell.is_tagged])
    for name in spec["parameters"]:
        if name not in found.used | found.bound and not found.is_open:
            hint = nearest(name, [*tagged.bound, *found.used - found.bound])
            yield NotebookUnusable(
                f"the notebook `{spec['notebook']}` has no parameter `{name}`",
                why="no cell uses a variable of this name",
                fixes=[f"did you mean `{hint}`?"]
                if hint
                else [f"give it a default in a cell with the tag `{cellsof.TAG}`"],
            )
    for name, kind in spec["outputs"].items():
        known = found.bound | set(spec["parameters"])
        if not kind.startswith("file:") and name not in known and not found.is_open:
            hint = nearest(name, found.bound)
            yield NotebookUnusable(
                f"the notebook `{spec['notebook']}` makes no `{name}`",
                why="no cell gives a value to a variable of this name",
                fixes=[f"did you mean `{hint}`?"] if hint else [f"assign it in a cell: {name} = ..."],
            )


# --------------------------------------------------------------------------- executing


def call(spec: Mapping[str, Any], root: Path) -> Notebook:
    """What executes the notebook."""
    return Notebook(spec, root)


class Notebook:
    """A notebook that is called with its inputs by name. `finish` is called when what it gave was stored."""

    def __init__(self, spec: Mapping[str, Any], root: Path) -> None:
        self._spec = spec
        self._root = root
        self._place: Workplace | None = None
        self.__annotations__ = {"return": returned(spec)}
        self.__globals__: dict[str, Any] = {}

    def __call__(self, **inputs: Any) -> Any:
        """Execute it. Raises `NotebookFailed`, `NotebookUnusable`."""
        self.finish()
        self._place = Workplace()
        folder = self._place.path
        copy = folder / Path(self._spec["notebook"]).name
        self._hand_over({**self._spec["defaults"], **inputs}, folder)
        shutil.copyfile(self._root / self._spec["notebook"], copy)
        argv = [sys.executable, "-m", "stepwell.worker.kinds.kernel", os.fspath(folder)]
        ended = process.run(argv, self._root, dict(os.environ))
        told = folder / "told.json"
        if not told.is_file():
            raise NotebookFailed(
                f"the notebook `{self._spec['notebook']}` ended before it was done (exit code {ended.code})",
                why=ended.said.strip().rpartition("\n")[2][:300],
            )
        problem = json.loads(told.read_text("utf-8"))
        if problem:
            raise self._failed(problem, copy)
        return self._outputs(folder, copy)

    def finish(self) -> tuple[str, ...]:
        """Remove the folder that it was executed in."""
        if self._place is not None:
            self._place.close()
            self._place = None
        return ()

    def _hand_over(self, values: Mapping[str, Any], folder: Path) -> None:
        atoms = {name: value for name, value in values.items() if type(value) in _ATOMS}
        for name, value in values.items():
            if isinstance(value, Path):
                handing.refer(folder, f"in-{name}", value)
            elif name not in atoms:
                handing.write(folder, f"in-{name}", value)
        job = {
            "atoms": atoms,
            "values": {name: type(value).__name__ for name, value in values.items() if name not in atoms},
            "outputs": [name for name, kind in self._spec["outputs"].items() if not kind.startswith("file:")],
            "notebook": self._spec["notebook"],
            "root": os.fspath(self._root),
        }
        (folder / "job.json").write_text(json.dumps(job), "utf-8")

    def _outputs(self, folder: Path, copy: Path) -> Any:
        if not self._spec["outputs"]:
            return copy
        found: dict[str, Any] = {}
        for name, kind in self._spec["outputs"].items():
            found[name] = Path(kind[5:]) if kind.startswith("file:") else handing.read(folder, f"out-{name}")
            if kind == "pathlib.Path" and isinstance(found[name], str):
                found[name] = Path(found[name])
        return {**found, NOTEBOOK: copy}

    def _failed(self, problem: Mapping[str, str], copy: Path) -> NotebookFailed:
        fixes = list(filter(None, [problem.get("fix", "")]))
        kept = _keep(copy, self._root)
        if kept:
            fixes.append(f"the executed copy, as far as it came: {kept}")
        return NotebookFailed(
            f"the notebook `{self._spec['notebook']}`: {problem['what']}",
            why=problem.get("why", ""),
            fixes=fixes,
        )


def _keep(copy: Path, root: Path) -> str:
    """Keep the executed copy for a look; where that is, "" where it cannot be."""
    target = root / KEPT / copy.name
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(f".{target.name}.{os.getpid()}")
        shutil.copyfile(copy, unfinished)
        os.replace(unfinished, target)
    except OSError:  # the project may be read-only; the traceback is in the log
        return ""
    return f"{KEPT}/{copy.name}"


def returned(spec: Mapping[str, Any], types: Mapping[str, Any] | None = None) -> Any:
    """The type that a notebook step returns: the executed copy, or a dict of its outputs and that."""
    if not spec["outputs"]:
        return Path
    kinds = {name: (types or {}).get(name, _type_of(kind)) for name, kind in spec["outputs"].items()}
    make: Callable[..., Any] = TypedDict
    return make("Outputs", {**kinds, NOTEBOOK: Path})


def _type_of(name: str) -> Any:
    """A type by its full name; anything where that is not simply the name of a class."""
    if name.startswith("file:"):
        return Path
    module, _, attribute = name.rpartition(".")
    try:
        found = getattr(import_module(module or "builtins"), attribute)
    except (ImportError, AttributeError, ValueError):
        return Any
    return found if isinstance(found, type) else Any
