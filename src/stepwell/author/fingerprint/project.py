"""A project's code, read once: from a step's name to the fingerprint of all that it depends on.

    project = Project(root)
    project.fingerprint("pipeline", "train")

The closure of a step is found by walking `Node.reach`; nodes are shared, so a helper that three
hundred steps use is read and digested once. Which modules are loaded matters too: their effects
(`np.random.seed(3)`) and what they put into registries count, so every module that the step's
module imports is looked at.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from stepwell.author.fingerprint.definitions import Definition, Node, signature
from stepwell.author.fingerprint.effects import Effects
from stepwell.author.fingerprint.installed import Installed
from stepwell.author.fingerprint.modules import Module, part
from stepwell.author.fingerprint.order import Order
from stepwell.author.fingerprint.patches import patched
from stepwell.author.fingerprint.places import Places
from stepwell.author.fingerprint.resolve import (
    BINARY,
    DOCSTRING,
    EFFECTS,
    STARS,
    WHOLE,
    Key,
    Reach,
    Resolver,
)
from stepwell.author.fingerprint.scopes import Import, Reading, Use, root_chain
from stepwell.errors import BadStep, NotInAFile
from stepwell.kernel.identity import digest
from stepwell.named import NamedTuple

__all__ = ["FORMAT", "Fingerprint", "Project"]

FORMAT = "stepwell code 1"
"""First line of every fingerprint's pre-image; raised when the same code gets another text."""

_ANNOTATIONS = frozenset({"__annotations__", "get_type_hints", "get_annotations", "return_annotation"})
_DOCSTRINGS = frozenset({"__doc__", "getdoc"})

NOT_HERE = "is provided by nothing that is installed"
"""What a note says of a module that code imports and that is of no distribution."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The identity of one step's code."""

    digest: str
    """Of everything below that counts: names and digests of the definitions."""
    definitions: tuple[Definition, ...]
    """Sorted by name; the step's own function is among them."""
    distributions: tuple[tuple[str, str], ...]
    """(name, version) of the installed distributions that the code reaches, sorted; not in the digest."""
    opaque: tuple[str, ...]
    """What could not be seen through, for people."""
    files: tuple[str, ...]
    """The first-party files that were consulted."""
    ignored: tuple[str, ...] = ()
    """Definitions that the code reaches and that were asked to be left out, as `module.name`."""
    probed: tuple[str, ...] = ()
    """Absent paths that the search looked at: where one appears, the fingerprint may be another."""
    root: str = field(default="", compare=False, repr=False)
    """The project's root, with `/`."""
    _lines: dict[str, list[tuple[int, int]]] = field(default_factory=dict, compare=False, repr=False)
    """By file the lines that count; filled when first asked for."""
    listed: tuple[str, ...] = ()
    """Folders of packages that count with every module in them: a new one is part of the fingerprint."""
    patches: tuple[str, ...] = ()
    """What the step's code changes of libraries when it runs, as far as that is seen: "json.JSONEncoder.default"."""

    def covers(self, file: str, line: int) -> bool:
        """Whether the module-level statement at a line of a file is part of this fingerprint.

        `file` is relative to the project's root, or absolute. Effects of importing a module are part
        of it where they count; what a cut statement leaves out is not.
        """
        if not self._lines:
            for one in self.definitions:
                self._lines.setdefault(one.file, []).extend(one.spans)
        name = file.replace(os.sep, "/")
        spans = self._lines.get(name) or self._lines.get(name.removeprefix(f"{self.root}/"), ())
        return any(first <= line <= last for first, last in spans)


class _Ground(NamedTuple):
    """What is loaded with a module, and what that brings."""

    modules: set[str]
    effects: list[Key]
    changes: dict[Key, list[Key]]


class _Closure:
    """The walk of one step. `notes` are those that there are before; `ignore` is left out."""

    def __init__(self, ground: _Ground, notes: set[str], ignore: frozenset[Key]) -> None:
        self.ground = ground
        self.shared = True
        """Is the ground that of all steps of the module? Then it is copied before it grows."""
        self.counted: dict[Key, Node] = {}
        self.through: set[Key] = set()
        self.foreign: set[tuple[str, bool]] = set()
        self.notes = notes
        self.todo: list[Key] = []
        self.ignore = ignore
        self.ignored: set[Key] = set()


class Project:
    """The first-party code below a root, and the fingerprints of the steps in it.

    First-party is what lies below the root and its `src/`, and projects that are installed as
    editable. `read` gives the bytes of a file: a loader passes its own, so that what is
    fingerprinted is what runs; `held` are paths that it has without a file (a notebook's). Files are read once; make a new `Project` when they changed.
    """

    def __init__(
        self, root: Path, *, read: Callable[[Path], bytes] | None = None, held: Container[str] = ()
    ) -> None:
        self.root = root
        self._places = Places(root, held)
        self._resolver = Resolver(self._places, read or Path.read_bytes)
        self._effects = Effects(self._resolver, self._reading)
        self._order_of_imports = Order(self._resolver, self._effects)
        self._nodes: dict[Key, Node | None] = {}
        self._grounds: dict[str, _Ground] = {}
        self._loads: dict[str, tuple[Reach, list[str]]] = {}
        self._seeking: dict[str, frozenset[str]] = {}
        self._absent: dict[frozenset[str], tuple[str, ...]] = {}
        self._fingerprints: dict[tuple[str, str, tuple[str, ...]], Fingerprint] = {}
        self._patches: dict[Key, tuple[str, ...]] = {}

    @property
    def roots(self) -> tuple[Path, ...]:
        """Every folder whose modules are first-party, in the order in which they are searched."""
        return tuple(Path(root) for root in self._places.roots)

    def module_file(self, module: str) -> Path | None:
        """The file of a first-party module by its dotted name; None for a folder without one, or not ours."""
        found = self._places.find(module)
        return Path(found.path) if found is not None and found.path is not None else None

    @property
    def installed(self) -> Installed:
        """The distributions on the search path."""
        return self._places.installed

    @property
    def probed(self) -> tuple[str, ...]:
        """Every absent path that any search of this project looked at so far; absolute, sorted."""
        return self._places.probed

    def fingerprint(self, module: str, qualname: str, ignore: Iterable[str] = ()) -> Fingerprint:
        """The fingerprint of a step: a function of a first-party module, or a name that is bound to a step.

        `ignore` names definitions ("module:name") whose code, and what only they reach, does not count.

        Raises `NotInAFile` or `BadStep` if its source cannot be found, or if a name in `ignore` is not
        one of a module's top level, `CannotImport` if a file that it reaches is not valid Python.
        """
        asked = (module, qualname, tuple(sorted(set(ignore))))
        if asked not in self._fingerprints:
            self._fingerprints[asked] = self._fingerprint(*asked)
        return self._fingerprints[asked]

    # ------------------------------------------------------------------ one step

    def _fingerprint(self, module: str, qualname: str, ignore: tuple[str, ...]) -> Fingerprint:
        own, path, notes = self._located(module, qualname)
        root = self._node(own)
        assert root is not None, "a located name has a node"
        more, reach = signature(self._resolver, root, path)
        left_out = frozenset(self._left_out(name) for name in ignore) - {own}
        closure = _Closure(self._ground(module), notes=set(notes), ignore=left_out)
        closure.todo.append(own)
        closure.todo.extend(closure.ground.effects)
        self._take(closure, reach)
        self._walk(closure)
        words = {w for node in closure.counted.values() for w in node.reading.words}
        flags = {"docstrings": bool(words & _DOCSTRINGS), "annotations": bool(words & _ANNOTATIONS)}
        definitions = sorted(
            (
                node.definition(**flags, more=more if key == own else "")
                for key, node in closure.counted.items()
            ),
            key=lambda d: d.name,
        )
        order = self._import_order(module, closure)
        if order is not None:
            definitions = sorted([*definitions, order], key=lambda d: d.name)
        distributions = self._distributions(closure)
        lines = [FORMAT, f"{module}.{qualname}", *(f"{d.name} {d.digest}" for d in definitions)]
        return Fingerprint(
            digest=digest("\n".join(lines)),
            definitions=tuple(definitions),
            distributions=distributions,
            opaque=tuple(sorted(closure.notes)),
            files=self._files(closure),
            ignored=tuple(sorted(f"{key.module}.{key.name}" for key in closure.ignored)),
            probed=self._probed(closure),
            root=self._places.root.replace(os.sep, "/"),
            listed=self._listed(closure),
            patches=patched(own, self._node, self._patches),
        )

    def _left_out(self, name: str) -> Key:
        """The definition that an entry of `ignore` means, wherever the name comes from."""
        place, _, inner = name.partition(":")
        module = self._resolver.module(place)
        if module is None or "." in inner or not self._resolver.exports(module, inner):
            raise BadStep(
                f"`{name}` cannot be left out of a step's code: it is no function or class of the project",
                why="it is named by its module and its name at the top level, `helpers:show`",
                fixes=["name a whole function or class; a method cannot be left out alone"]
                if "." in inner
                else ["check the spelling"],
            )
        return self._resolver.origin(module, (inner,))[1] or Key(place, inner)

    def _located(self, module: str, qualname: str) -> tuple[Key, list[str], list[str]]:
        """(definition, path to the function in it, notes) of a step."""
        own = self._resolver.module(module)
        if own is None:
            raise NotInAFile(
                f"the code of step `{qualname}` cannot be read: module `{module}` is no source file of the project",
                why=f"looked for it in {', '.join(str(r) for r in self._places.roots)}",
                fixes=["put the step into a .py file below the project's root"],
            )
        path = [name for name in qualname.split(".") if name != "<locals>"]
        if "<lambda>" in path:
            raise BadStep(
                f"a lambda in `{own.file}` cannot be a step by itself",
                why="it has no name by which a worker could find it",
                fixes=["write it as a function with `def`", "bind the step to a name of the module"],
                where=own.file,
            )
        notes: list[str] = []
        if not own.has(path[0]):
            raise NotInAFile(
                f"no statement in `{own.file}` binds `{path[0]}`",
                why="a step's code is read from its file; it was made in another way, or the file was edited since",
                fixes=[f"define `{path[0]}` at the top level of {own.file}"],
                where=own.file,
            )
        if "<locals>" in qualname:
            notes.append(f"{module}.{qualname}: values of the function that makes it are not seen")
        return Key(module, path[0]), path, notes

    def _walk(self, closure: _Closure) -> None:
        words: set[str] = set()
        while closure.todo:
            key = closure.todo.pop()
            if key in closure.ignore:
                closure.ignored.add(key)
                continue
            node = None if key in closure.counted else self._node(key)
            if node is not None:
                closure.counted[key] = node
                words |= node.reading.words
                self._take(closure, node.reach)
                if key.module not in closure.ground.modules:
                    self._load(closure, [key.module])
                closure.todo.extend(self._changes_of(closure.ground, key))
            if not closure.todo and "__subclasses__" in words:
                for base in list(closure.counted):
                    made = closure.ground.changes.get(Key(base.module, base.name + "()"), ())
                    closure.todo.extend(k for k in made if k not in closure.counted)

    def _changes_of(self, ground: _Ground, key: Key) -> Iterable[Key]:
        """The changes that concern a definition: of its name, of its module as a whole."""
        if key.name == WHOLE:
            return [c for origin, made in ground.changes.items() if origin.module == key.module for c in made]
        return (*ground.changes.get(key, ()), *ground.changes.get(Key(key.module, WHOLE), ()))

    def _take(self, closure: _Closure, reach: Reach) -> None:
        """Add what something reaches to the walk."""
        closure.todo.extend(k for k in reach.keys if k not in closure.counted)
        closure.foreign |= reach.foreign
        closure.notes |= reach.notes
        self._load(closure, reach.loads)
        for key in reach.through - closure.through:
            closure.through.add(key)
            node = self._node(key)
            if node is not None:
                uses = [Use(u.chain, u.origin, annotation=True) for u in node.reading.uses]
                self._take(closure, self._resolver.reach(node.module, uses))

    # ------------------------------------------------------------------ what is loaded

    def _ground(self, module: str) -> _Ground:
        if module not in self._grounds:
            ground = self._grounds[module] = _Ground(set(), [], {})
            self._grow(ground, [module])
        return self._grounds[module]

    def _load(self, closure: _Closure, modules: Iterable[str]) -> None:
        """Modules are imported while the step runs: their effects and registrations count from here on."""
        new = [m for m in modules if m not in closure.ground.modules]
        if not new:
            return
        if closure.shared:
            old, closure.shared = closure.ground, False
            changes = {origin: list(keys) for origin, keys in old.changes.items()}
            closure.ground = _Ground(set(old.modules), list(old.effects), changes)
        ground, before = closure.ground, len(closure.ground.effects)
        modules = {key.module for key in closure.counted}
        for origin, key in self._grow(ground, new):
            whole = Key(origin.module, WHOLE) in closure.counted
            reached = origin.module in modules if origin.name == WHOLE else origin in closure.counted
            if (reached or whole) and key not in closure.counted:
                closure.todo.append(key)
        closure.todo.extend(ground.effects[before:])

    def _grow(self, ground: _Ground, modules: list[str]) -> list[tuple[Key, Key]]:
        """Load modules and all that they import; gives (what is changed, the changes) that came with them."""
        todo, came = list(modules), []
        while todo:
            name = todo.pop()
            if name in ground.modules:
                continue
            ground.modules.add(name)
            module = self._resolver.module(name)
            if module is None:
                continue
            todo.extend(self._loaded(module))
            if self._effects.statements(name):
                ground.effects.append(Key(name, EFFECTS))
            for origin in self._effects.changes(name):
                key = Key(name, f"@{origin.module}:{origin.name}")
                ground.changes.setdefault(origin, []).append(key)
                came.append((origin, key))
        return came

    def _loaded(self, module: Module) -> list[str]:
        if module.name not in self._loads:
            reach = Reach()
            self._resolver.loaded(module.loads, reach)
            parents = [module.name.rpartition(".")[0]] if "." in module.name else []
            self._loads[module.name] = (reach, [*sorted(reach.loads), *parents])
        return self._loads[module.name][1]

    # ------------------------------------------------------------------ definitions

    def _reading(self, key: Key) -> Reading | None:
        node = self._node(key)
        return node.reading if node is not None else None

    def _node(self, key: Key) -> Node | None:
        if key not in self._nodes:
            self._nodes[key] = self._made(key)
        return self._nodes[key]

    def _made(self, key: Key) -> Node | None:
        name = key.name
        if name == BINARY:
            return self._compiled(key)
        module = self._resolver.module(key.module)
        if module is None:
            return None
        if name == WHOLE:
            return Node(self._resolver, key, f"{key.module} (whole module)", module, list(module.top))
        if name == EFFECTS:
            statements = self._effects.statements(key.module)
            return Node(self._resolver, key, f"{key.module} (effects of importing it)", module, statements)
        if name.startswith(STARS):
            return self._order(key, module, name.removeprefix(STARS))
        if name.startswith("@"):
            origin = Key(*name[1:].split(":", 1))
            label = f"{origin.module}.{origin.name} (changed in {key.module})"
            return Node(self._resolver, key, label, module, self._effects.changes(key.module)[origin])
        if name == DOCSTRING and not module.has(name):
            return Node(self._resolver, key, f"{key.module}.__doc__", module, [], note=module.docstring or "")
        return Node(self._resolver, key, f"{key.module}.{name}", module, self._bound(module, name))

    def _order(self, key: Key, module: Module, name: str) -> Node:
        """The order of the star imports and other statements that may bind a name."""
        stars = self._resolver.starred[key.module, name]
        at = [(index, star.module) for index, star in module.star_at if star in stars]
        at += [(index, "") for index in module.binds.get(name, ())]
        order = " ".join(source or "." for _, source in sorted(at))
        parts = (part(module.top[index], _is_star) for index, source in sorted(at) if source)
        shown = [p for p in parts if p is not None]
        label = f"{key.module}.{name} (star imports)"
        return Node(self._resolver, key, label, module, shown, note=order)

    def _import_order(self, module: str, closure: _Closure) -> Definition | None:
        """In which order the counted effects and changes of several statements happen; None if it cannot matter."""
        marks = {key for key in closure.counted if key.name == EFFECTS or key.name.startswith("@")}
        if len(marks) < 2:
            return None
        changed = {Key(*key.name[1:].split(":", 1)) for key in marks if key.name.startswith("@")}
        happening = marks | (changed & closure.counted.keys())
        lines: list[str] = []
        roots = [module, *sorted(closure.ground.modules - {module})]
        for key in self._order_of_imports.all(roots, closure.ground.modules, happening.__contains__):
            if lines[-1:] != [closure.counted[key].label]:
                lines.append(closure.counted[key].label)
        text = "\n".join(lines)
        own = self._resolver.module(module)
        label = f"{module} (order of effects and changes)"
        return Definition(label, digest(text), text, own.file if own is not None else "", 1)

    def _bound(self, module: Module, name: str) -> list[ast.stmt]:
        """The statements of a name; without those changes that are Stepwell's doing."""
        made = module.statements(name)
        bare = module.statements(name, changes=False)
        if len(made) == len(bare):
            return made
        return [s for s in made if s in bare or not self._is_run(module, s)]

    def _is_run(self, module: Module, statement: ast.stmt) -> bool:
        """Whether it is a bare call on something of Stepwell's (`train.check(...)`, `delays.run()`)."""
        return isinstance(statement, ast.Expr) and self._effects.is_pipeline(
            module, root_chain(statement.value)
        )

    def _compiled(self, key: Key) -> Node | None:
        found = self._places.find(key.module)
        if found is None or found.path is None:
            return None
        note = digest(self._resolver.bytes(found.path))
        stand_in = Module(key.module, self._places.relative(found.path), is_package=False, data=b"")
        return Node(self._resolver, key, f"{key.module} (compiled)", stand_in, [], note=note)

    # ------------------------------------------------------------------ results

    def _distributions(self, closure: _Closure) -> tuple[tuple[str, str], ...]:
        found: set[tuple[str, str]] = set()
        for module, guarded in closure.foreign:
            providers = self._places.installed.providers(module)
            found.update(p for p in providers if p[0] != "stepwell")
            if not providers and not guarded:
                closure.notes.add(f"`{module.split('.', 1)[0]}` {NOT_HERE}; it does not count")
        return tuple(sorted(found))

    def _probed(self, closure: _Closure) -> tuple[str, ...]:
        """The absent paths where modules that are loaded or named in what counts were looked for."""
        names: set[str] = set()
        for name in closure.ground.modules | {key.module for key in closure.counted}:
            names |= self._sought(name)
        for node in closure.counted.values():
            inner = {use.origin for use in node.reading.uses if use.origin is not None}
            for imported in inner | node.reading.imports:
                names.update(self._names(imported))
        asked = frozenset(names)
        if asked not in self._absent:  # most steps of a module share it
            source = os.path.join(self._places.root, "src")
            paths = {path for name in asked for path in self._places.absent(name)}
            paths |= set() if os.path.isdir(source) else {source}
            self._absent[asked] = tuple(sorted(map(self._places.relative, paths)))
        return self._absent[asked]

    def _sought(self, name: str) -> frozenset[str]:
        """The modules that are looked for when a module is imported, itself among them."""
        if name not in self._seeking:
            module = self._resolver.module(name)
            found = {name}
            for imported in module.loads if module is not None else ():
                found.update(self._names(imported))
            self._seeking[name] = frozenset(found)
        return self._seeking[name]

    def _names(self, imported: Import) -> set[str]:
        parts = imported.module.split(".")
        names = {".".join(parts[: i + 1]) for i in range(len(parts))}
        if imported.name not in (None, "*") and self._places.find(imported.module) is not None:
            names.add(f"{imported.module}.{imported.name}")
        return names - {"stepwell", ""}

    def _listed(self, closure: _Closure) -> tuple[str, ...]:
        packages = {p for node in closure.counted.values() for p in node.reading.packages}
        packages |= {key.module for key in closure.counted if key.name == WHOLE}
        folders = {self._places.relative(f) for p in packages for f in self._places.folders(p)}
        return tuple(sorted(folders))

    def _files(self, closure: _Closure) -> tuple[str, ...]:
        """The files of the modules that were loaded or reached."""
        names = closure.ground.modules | {key.module for key in closure.counted}
        found = (self._places.find(name) for name in names)
        return tuple(
            sorted({self._places.relative(f.path) for f in found if f is not None and f.path is not None})
        )


def _is_star(leaf: ast.stmt) -> ast.stmt | None:
    """The leaf, if it is a star import."""
    return leaf if isinstance(leaf, ast.ImportFrom) and leaf.names[0].name == "*" else None
