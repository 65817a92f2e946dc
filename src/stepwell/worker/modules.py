"""First-party code, executed from exactly the bytes that were fingerprinted.

Python validates its `.pyc` files by size and by whole seconds: after two edits of one size within
a second, `import` runs the old code. And a file can be saved between the moment when its
fingerprint is taken and the moment when a worker imports it. So the project's own modules are not
imported by Python's finder but by this one: it reads each file once, keeps the bytes in a
`Snapshot`, and compiles them; byte code is neither read nor written. The fingerprint is taken of
`snapshot.read(path)`, and workers are given the snapshot, so what was fingerprinted is what runs.

    importer = FirstParty.for_root(root)        # the one of this process for this root
    importer.install()                          # first on sys.meta_path, for good
    with importer.present(): ...                # or for as long as the block lasts
    module = importer.load("pipeline")          # its bytes are now in importer.snapshot
    importer.refresh()                          # files were edited: forget what came from them

What a module reads while it is imported (`CFG = json.load(open("c.json"))`) is part of what it is:
`importer.reads` has it with the module-level statement that read it (`worker.observe`), workers are
told what it came to (`snapshot.expected()`), and `moved` says so when they find something else.

First-party is what lies in the project's root, in its `src/`, and in further given roots
(projects installed as editable), as sources; everything else is left to Python.
"""

from __future__ import annotations

import contextlib
import importlib
import linecache
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import decode_source, spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

from stepwell.kernel.identity import MOVING
from stepwell.worker.hiding import bring_forward
from stepwell.worker.observe import ImportRead, Observer
from stepwell.worker.world import World

_CELLS = b"# cells of "
"""How the module of a notebook begins (`author.notebook`)."""

_CELL = re.compile(r"# cell (\d+) line (\d+)")
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_STANDARD = os.path.dirname(os.__file__) + os.sep
_NEVER_AWAY = ("__main__", __name__.partition(".")[0])


class Snapshot(Mapping[str, bytes]):
    """The bytes of first-party files by absolute path, each read at most once."""

    def __init__(self, files: Mapping[str, bytes] | None = None) -> None:
        self._files: dict[str, bytes] = dict(files or {})
        self._codes: dict[str, CodeType] = {}
        self._given: set[str] = set()
        self.reads: list[ImportRead] = []
        """What modules of these files read when they were imported, sorted by module and line."""

    def expected(self) -> dict[str, str]:
        """What a worker must find when it imports these modules: token by what was read.

        Without what the modules changed themselves: importing them again may find that different.
        """
        return {read.what: read.token for read in self.reads if not read.own}

    def read(self, path: str | Path) -> bytes:
        """The bytes of a file: those of the first time that anyone asked. Raises `OSError`."""
        name = os.path.abspath(path)
        data = self._files.get(name)
        if data is None:
            with open(name, "rb") as file:
                data = self._files[name] = file.read()
        return data

    @property
    def given(self) -> bool:
        """Whether some of it is in no file."""
        return bool(self._given)

    def give(self, path: str, data: bytes) -> bool:
        """Hold these bytes for a file that need not exist; whether they are other ones than before."""
        self._given.add(path)
        if self._files.get(path) == data:
            return False
        self._files[path] = data
        self._codes.pop(path, None)
        return True

    def code(self, path: str) -> CodeType:
        """The compiled file; compiled once. Raises `SyntaxError`, `ValueError` or `OSError`."""
        code = self._codes.get(path)
        if code is None:
            data = self.read(path)
            code = compile(data, path, "exec", dont_inherit=True)
            code = self._codes[path] = _by_cell(code, cell_lines(path, data))
        return code

    def forget(self, path: str) -> None:
        """Read the file anew when it is asked for next."""
        self._files.pop(path, None)
        self._codes.pop(path, None)

    def changed(self) -> list[str]:
        """The files whose bytes on disk are no longer those of the snapshot (or that are gone)."""
        return [
            path for path, data in self._files.items() if path not in self._given and _on_disk(path) != data
        ]

    def __getitem__(self, path: str) -> bytes:
        return self._files[path]

    def __contains__(self, path: object) -> bool:
        return path in self._files

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def _on_disk(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None


class SnapshotLoader(SourceFileLoader):
    """Loads one module from the snapshot's bytes; for the rest (resources, `inspect`) like Python's own loader."""

    def __init__(
        self,
        name: str,
        path: str,
        snapshot: Snapshot,
        loaded: Callable[[ModuleType], None],
        watched: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext,
        executed: Callable[[str], None] = lambda _: None,
    ) -> None:
        super().__init__(name, path)
        self._snapshot = snapshot
        self._loaded = loaded
        self._watched = watched
        self._executed = executed

    def get_data(self, path: str) -> bytes:
        """The snapshot's bytes of the module; other files of a package are read as they are."""
        return self._snapshot.read(path) if path == self.path else super().get_data(path)

    def get_code(self, fullname: str) -> CodeType:
        """Compiled from the snapshot, never from byte code."""
        self._executed(self.path)
        return self._snapshot.code(self.path)

    def exec_module(self, module: ModuleType) -> None:
        """Run the module; tracebacks, `inspect` and debuggers are given the lines that run."""
        show_lines(self.path, self._snapshot.read(self.path))
        code = self.get_code(module.__name__)
        with self._watched():
            exec(code, module.__dict__)  # this is what importing means  # noqa: S102
        self._loaded(module)


def show_lines(path: str, data: bytes) -> None:
    """Make tracebacks and `inspect` show these bytes for `path`, whatever the file holds by now."""
    try:
        lines = decode_source(data).splitlines(keepends=True)
    except (SyntaxError, UnicodeDecodeError):
        return
    linecache.cache[path] = (len(data), None, lines, path)  # no time stamp: never checked against the disk
    cells: dict[str, list[str]] = {}
    for at, cell, first in (marks := cell_lines(path, data)):
        end = next((other for other, _, _ in marks if other > at), len(lines) + 1)
        shown = cells.setdefault(cell, [])
        shown += ["\n"] * (first - 1 + end - at - 1 - len(shown))
        shown[first - 1 : first - 1 + end - at - 1] = lines[at : end - 1]
    for cell, shown in cells.items():
        linecache.cache[cell] = (len(data), None, shown, cell)


def cell_lines(path: str, data: bytes) -> list[tuple[int, str, int]]:
    """For the module of a notebook the comments that say where what follows comes from; empty for a file.

    Each is (line of the comment, name of the cell as a file below the notebook's root, line in the cell).
    """
    if not data.startswith(_CELLS):
        return []
    lines = data.decode("utf-8", "surrogatepass").split("\n")
    notebook = os.path.join(os.path.dirname(path), lines[0].removeprefix(_CELLS.decode()))
    found = ((at, _CELL.fullmatch(line)) for at, line in enumerate(lines, 1))
    return [(at, f"{notebook} cell {mark[1]}", int(mark[2])) for at, mark in found if mark is not None]


def cell_place(path: str, data: bytes, line: int) -> str:
    """A line of the module of a notebook as "analysis.ipynb cell 3:2"; "" where no cell has it."""
    above = [mark for mark in cell_lines(path, data) if mark[0] < line]
    if not above:
        return ""
    at, cell, first = above[-1]
    return f"{os.path.relpath(cell, os.path.dirname(path))}:{first + line - at - 1}"


def _by_cell(code: CodeType, marks: Sequence[tuple[int, str, int]]) -> CodeType:
    """The code of a notebook's module whose functions and classes say that they are of their cells.

    The module's own code keeps its name: what it reads when it is imported is told by that.
    """
    if not marks:
        return code

    def moved(part: object, cell: str, by: int) -> object:
        if not isinstance(part, CodeType):
            return part
        inner = tuple(moved(each, cell, by) for each in part.co_consts)
        return part.replace(co_filename=cell, co_firstlineno=part.co_firstlineno + by, co_consts=inner)

    def placed(part: object) -> object:
        above = [m for m in marks if m[0] < part.co_firstlineno] if isinstance(part, CodeType) else []
        return moved(part, above[-1][1], above[-1][2] - above[-1][0] - 1) if above else part

    return code.replace(co_consts=tuple(map(placed, code.co_consts)))


class FirstParty:
    """A finder for `sys.meta_path`: modules and packages below the roots, from the snapshot.

    `roots` is the project's root first, then roots of editable installs. Each one's `src/` is one too.
    `expected` is what was read when the same modules were imported elsewhere (`Snapshot.expected`).
    """

    def __init__(
        self,
        roots: Sequence[Path],
        snapshot: Snapshot | None = None,
        expected: Mapping[str, str] | None = None,
    ) -> None:
        places = [
            place for root in map(os.path.abspath, roots) for place in (root, os.path.join(root, "src"))
        ]
        self.roots = tuple(dict.fromkeys(place for place in places if os.path.isdir(place)))
        self.snapshot = Snapshot() if snapshot is None else snapshot
        self._added: list[str] = []
        self.modules: dict[str, ModuleType] = {}
        """What was loaded, by name."""
        self.on_load: Callable[[ModuleType], None] | None = None
        """Called with each module that was loaded, after it ran."""
        self.observer = Observer(roots[0], self.is_first_party, self.roots, self.snapshot)
        self.moved = ""
        """What a module read when it was imported and that is not as `expected`; empty while all is."""
        self.anew = False
        """A module that a step imported has read something: to be imported anew by the next step."""
        self.expected = dict(expected or {})
        """What modules read when they were imported elsewhere, and what it came to there."""
        self._parked: dict[str, ModuleType] = {}

    @classmethod
    def for_root(cls, root: Path, *more: Path) -> FirstParty:
        """The one importer of this process for a project (and editable installs beside it)."""
        roots = (root, *more)
        found = _importers.get(roots)
        if found is None:
            found = _importers[roots] = cls(roots)
        return found

    def install(self) -> None:
        """Become the first finder of this process, in place of any other of this kind; the roots become importable.

        Modules that the other one loaded are forgotten: they belong to another project.
        """
        before = _ours()
        bring_forward(self.roots)
        _replace(before, [self, FirstPartyFolders(self)])
        for old in before:
            if isinstance(old, FirstParty) and old is not self:
                old.leave()
        for place in reversed(
            self.roots
        ):  # compiled extensions and data of the project are found by Python's finder
            if place not in sys.path:
                sys.path.insert(0, place)
                self._added.append(place)

    def leave(self) -> None:
        """Undo `install`: forget what was loaded, and take the roots out of `sys.path`."""
        self.purge()
        for place in self._added:
            if place in sys.path:
                sys.path.remove(place)
        self._added.clear()

    @contextlib.contextmanager
    def present(self) -> Iterator[None]:
        """Installed for as long as the block lasts; afterwards importing is what it was before.

        Modules of other projects that have a name of ours are away in the meantime, and back at the
        end. Ours stay loaded where no other has their name; the rest is put back by the next block,
        so that a module is executed once however often projects take turns.
        """
        if self in sys.meta_path:
            yield
            return
        finders, paths = _ours(), list(sys.path)
        bring_forward(self.roots)
        away = {name: sys.modules.pop(name) for name in self._in_the_way()}
        sys.modules.update(self._parked)
        self._parked.clear()
        _replace(finders, [self, FirstPartyFolders(self)])
        sys.path[:0] = [place for place in self.roots if place not in paths]
        importlib.invalidate_caches()
        try:
            yield
        finally:
            _replace(_ours(), finders)
            for place in self.roots:
                if place not in paths and place in sys.path:
                    sys.path.remove(place)
            self._parked.update({name: sys.modules[name] for name in away if name in sys.modules})
            sys.modules.update(away)

    def _in_the_way(self) -> list[str]:
        """Names of loaded modules that are of another project, below a name that ours has too."""
        tops = {
            name
            for name, module in list(sys.modules.items())
            if "." not in name and name not in _NEVER_AWAY and self._hides(name, module)
        }
        return [name for name in sys.modules if name.partition(".")[0] in tops]

    def _hides(self, name: str, module: ModuleType) -> bool:
        """Whether a loaded top-level module is in the place of one of ours; libraries never are."""
        file = getattr(module, "__file__", None)
        place = file or next(iter(getattr(module, "__path__", ())), "")
        if not place or place.startswith(_STANDARD) or any(part in place for part in _INSTALLED):
            return False
        if self.is_first_party(os.path.abspath(place)):
            return False
        if self.source_of(name) is not None:
            return True
        return file is None and any(os.path.isdir(os.path.join(root, name)) for root in self.roots)

    def load(self, name: str) -> ModuleType:
        """Import a module by its dotted name. Raises what it raises."""
        return importlib.import_module(name)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of a first-party module or regular package; None for everything else."""
        tail = name.rpartition(".")[2]
        for folder in self.roots if path is None else self._own(path):
            stem = os.path.join(folder, tail)
            init = os.path.join(stem, "__init__.py")
            if self._is_file(init):
                return self._spec(name, init, [stem])
            if self._is_file(stem + ".py"):
                return self._spec(name, stem + ".py", None)
        return None

    def source_of(self, name: str) -> str | None:
        """The file of a first-party module by name, found without importing its packages; None if not ours."""
        folders: Sequence[str] = self.roots
        path: str | None = None
        for tail in name.split("."):
            path = None
            below: list[str] = []
            for folder in folders:
                stem = os.path.join(folder, tail)
                init = os.path.join(stem, "__init__.py")
                if self._is_file(init) or self._is_file(stem + ".py"):
                    path = init if self._is_file(init) else stem + ".py"
                    below = [stem]
                    break
                if os.path.isdir(stem):
                    below.append(stem)
            folders = below
        return path

    def is_first_party(self, path: str) -> bool:
        """Whether a file lies below a root and not in an environment inside it."""
        inside = any(path.startswith(root + os.sep) for root in self.roots)
        return inside and not any(part in path for part in _INSTALLED)

    @property
    def reads(self) -> list[ImportRead]:
        """What first-party modules read when they were imported, sorted by module and line."""
        return self.snapshot.reads

    def refresh(self) -> list[str]:
        """Look at the files again; if any changed, forget all first-party modules. Returns what changed.

        All, because a module that did not change holds functions of those that did. What modules
        read when they were imported counts like their files: `$NAME` and the like are returned too.
        """
        changed = self.snapshot.changed()
        for path in changed:
            self.snapshot.forget(path)
        changed += self._moved_reads()
        if changed:
            self.purge()
        return changed

    def _moved_reads(self) -> list[str]:
        """What modules read when they were imported and that is different now."""
        if not self.reads:
            return []
        world = World(self.observer.root, self.observer.memory)
        moved = {
            read.what
            for read in self.reads
            if not read.own and (read.token == MOVING or world.token(read.what) != read.token)
        }
        return sorted(moved)

    def give(self, name: str, path: str, data: bytes) -> None:
        """Have a module that is in no file: `data` is its source, at a path where a file of that name would lie.

        If it was another one, the module is forgotten with what it has read.
        """
        if self.snapshot.give(path, data):
            self._forget({name: self.modules[name]} if name in self.modules else {})
            self.reads[:] = [read for read in self.reads if read.file != path]

    def purge(self) -> None:
        """Forget all first-party modules and what they have read, so that importing runs them again."""
        self._forget(dict(self.modules))
        self.reads.clear()

    def forget_since(self, count: int) -> None:
        """Forget the modules that were loaded after the first `count`: they belong to the step that imported them."""
        self._forget(dict(list(self.modules.items())[count:]))
        for name, path in self.observer.strays.items():
            if getattr(sys.modules.get(name), "__file__", None) == path:
                del sys.modules[name]
        self.observer.strays.clear()
        self.anew = False

    def _forget(self, modules: Mapping[str, ModuleType]) -> None:
        for name, module in modules.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]
                parent, _, tail = name.rpartition(".")
                if getattr(sys.modules.get(parent), tail, None) is module:
                    delattr(sys.modules[parent], tail)
            self.modules.pop(name, None)
        importlib.invalidate_caches()

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        """While a module of ours is executed: what it reads is written down."""
        self.observer.enter_import()
        try:
            yield
        finally:
            reads = self.observer.leave_import()
            if reads:
                self._keep(reads)

    def _keep(self, reads: Iterable[ImportRead]) -> None:
        """Modules have read this. What a step imports counts for that step, and is no part of what was loaded before."""
        for read in reads:
            wanted = self.expected.get(read.what, read.token)
            if wanted != read.token and not read.own:
                self.moved = self.moved or read.what
        if self.observer.in_step:
            self.anew = True
        else:
            self.reads[:] = sorted({*self.reads, *reads})

    def _own(self, path: Iterable[str]) -> list[str]:
        return [p for p in path if p in self.roots or self.is_first_party(p + os.sep)]

    def _is_file(self, path: str) -> bool:
        return path in self.snapshot or os.path.isfile(path)

    def _spec(self, name: str, path: str, below: list[str] | None) -> ModuleSpec | None:
        loader = SnapshotLoader(name, path, self.snapshot, self._loaded, self._watched, self._executed)
        spec = spec_from_file_location(name, path, loader=loader, submodule_search_locations=below)
        if spec is not None:
            spec.cached = None
        return spec

    def _executed(self, path: str) -> None:
        """A module of ours is about to be executed; if no fingerprint covers it, the next step is to do it again."""
        if path not in self.snapshot._given and self.observer.executed(
            path, sys._getframe(1), self.snapshot.read(path), by_name=True
        ):
            self.anew = True

    def _loaded(self, module: ModuleType) -> None:
        self.modules[module.__name__] = module
        if self.on_load is not None:
            self.on_load(module)


class FirstPartyFolders:
    """The finder for folders without `__init__.py`; last on `sys.meta_path`, as Python itself ranks them."""

    def __init__(self, first: FirstParty) -> None:
        self.first = first

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of a namespace package below the roots."""
        tail = name.rpartition(".")[2]
        folders = self.first.roots if path is None else self.first._own(path)
        found = [stem for folder in folders if os.path.isdir(stem := os.path.join(folder, tail))]
        if not found:
            stems = [os.path.join(folder, tail) for folder in folders]
            self.first.observer.missed([*stems, *[f"{stem}.py" for stem in stems]], sys._getframe(1))
            return None
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = found
        return spec


def _ours() -> list[FirstParty | FirstPartyFolders]:
    """The finders of this kind that are installed."""
    return [finder for finder in sys.meta_path if isinstance(finder, FirstParty | FirstPartyFolders)]


def _replace(
    old: Iterable[FirstParty | FirstPartyFolders], new: Iterable[FirstParty | FirstPartyFolders]
) -> None:
    """Take finders off `sys.meta_path` and put others there: those of modules first, those of folders last."""
    for finder in old:
        sys.meta_path.remove(finder)  # type: ignore[arg-type]
    for finder in new:
        sys.meta_path.insert(0 if isinstance(finder, FirstParty) else len(sys.meta_path), finder)  # type: ignore[arg-type]


_importers: dict[tuple[Path, ...], FirstParty] = {}
