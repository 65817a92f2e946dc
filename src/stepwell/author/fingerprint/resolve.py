"""What names stand for: from a chain such as `helpers.fit` to the statements that bind it.

`Resolver.reach(module, uses)` follows imports, re-exports, star imports and submodules to where a
name is bound, and tells everything that was met on the way as `Key`s of definitions, modules of
distributions, and notes on what cannot be seen through. `origin` is the short form for decorators,
base classes and annotations: one dotted name. Modules are read through the project's `read`, once.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from stepwell.author.fingerprint.canonical import Rules
from stepwell.author.fingerprint.modules import Module
from stepwell.author.fingerprint.places import Places
from stepwell.author.fingerprint.scopes import COMPUTED, FUNCTIONS, Import, Use, root_chain
from stepwell.errors import CannotImport
from stepwell.named import NamedTuple

__all__ = ["BINARY", "DOCSTRING", "EFFECTS", "STARS", "WHOLE", "Key", "Reach", "Resolver"]

WHOLE = "*"
EFFECTS = ""
BINARY = "!"
DOCSTRING = "__doc__"
STARS = "*:"
"""Before a name: the order of the star imports that may bind it."""

_PLAIN_BASES = frozenset(
    {
        "abc.ABC",
        "typing.Generic",
        "typing.Protocol",
        "typing_extensions.Generic",
        "typing_extensions.Protocol",
    }
)
_LONGEST = 50  # links of re-exports, base classes or decorators; more is a circle


class Key(NamedTuple):
    """Which definition: a module and a name in it, or one of the marks above instead of a name."""

    module: str
    name: str


class Reach:
    """Everything that some code reaches directly."""

    __slots__ = ("foreign", "keys", "loads", "notes", "through")

    def __init__(self) -> None:
        self.keys: set[Key] = set()
        self.through: set[Key] = set()
        """Aliases in annotations: not counted themselves, but what they name may be."""
        self.foreign: set[tuple[str, bool]] = set()
        """Modules that are neither first-party nor the standard library's; whether they may be missing."""
        self.notes: set[str] = set()
        self.loads: set[str] = set()
        """First-party modules that are imported when the code runs."""


class Resolver:
    """Reads the modules of a project and follows names through them."""

    def __init__(self, places: Places, read: Callable[[Path], bytes]) -> None:
        self.places = places
        self.read = read
        self.modules: dict[str, Module | None] = {}
        self.starred: dict[tuple[str, str], tuple[Import, ...]] = {}
        """(module, name) -> the star imports that may bind it, where there are several."""
        self._origins: dict[tuple[str, tuple[str, ...]], tuple[str, Key | None]] = {}

    def module(self, name: str) -> Module | None:
        """A first-party module; None where there is no source (a folder, a compiled file, not ours)."""
        if name not in self.modules:
            found = self.places.find(name)
            made = None
            if found is not None and found.path is not None and not found.is_compiled:
                file = self.places.relative(found.path)
                made = Module(name, file, is_package=found.is_package, data=self.bytes(found.path))
            self.modules[name] = made
        return self.modules[name]

    def bytes(self, path: str) -> bytes:
        """The bytes of a first-party file."""
        try:
            return self.read(Path(path))
        except OSError as error:
            file = self.places.relative(path)
            raise CannotImport(
                f"`{file}` cannot be read: {error.strerror or error}",
                why="a step's code reaches this file",
                fixes=[f"make {file} readable"],
                where=file,
            ) from error

    # ------------------------------------------------------------------ reach

    def reach(self, module: Module, uses: Iterable[Use], *, into: Reach | None = None) -> Reach:
        """Everything that these uses of names in a module reach."""
        reach = Reach() if into is None else into
        walk = _Walk(self, module, reach)
        for use in uses:
            walk.annotation = use.annotation
            walk.use(module, use)
        return reach

    def loaded(self, imports: Iterable[Import], reach: Reach) -> None:
        """Add the modules that import statements load."""
        for imported in imports:
            if imported.module.split(".", 1)[0] == "stepwell":
                continue
            names = list(_prefixes(imported.module))
            if imported.name is not None and imported.name != "*":
                names.append(f"{imported.module}.{imported.name}")
            own = [name for name in names if self.places.find(name) is not None]
            reach.loads.update(own)
            if not own and not self.places.is_standard(imported.module):
                reach.foreign.add((imported.module, imported.guarded))

    def named(self, module: Module, reach: Reach) -> None:
        """Add the project's modules that texts of a module name, where it imports by computed names."""
        texts = {
            node.value.partition(":")[0].strip()
            for statement in module.top
            for node in ast.walk(statement)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        for text in sorted(texts):
            name = f"{module.package}{text}" if text.startswith(".") and module.package else text
            parts = name.split(".")
            found = self.places.find(name) if all(part.isidentifier() for part in parts) else None
            if found is not None and found.path is not None and name != module.name:
                self.reach(module, [Use((), Import(name))], into=reach)

    # ------------------------------------------------------------------ origin

    def origin(self, module: Module, chain: tuple[str, ...]) -> tuple[str, Key | None]:
        """The dotted name of what a chain stands for, and its key where that is first-party.

        `pd.DataFrame` and `DataFrame` are both `pandas.DataFrame`; `int` is `int`.
        """
        asked = (module.name, chain)
        if asked not in self._origins:
            self._origins[asked] = self._origin(module, chain, _LONGEST)
        return self._origins[asked]

    def _origin(self, module: Module, chain: tuple[str, ...], left: int) -> tuple[str, Key | None]:
        name, rest = chain[0], chain[1:]
        imports = module.imports.get(name) or module.typing_imports.get(name)
        if left <= 0:
            return ".".join((module.name, *chain)), None
        if imports and (name not in module.binds or module.kind(name) == "import"):
            imported = imports[0]
            tail = rest if imported.name is None else (imported.name, *rest)
            return self._descend(imported.module, tail, left - 1)
        if module.has(name):
            return ".".join((module.name, *chain)), Key(module.name, name)
        for star in reversed(module.stars):  # the last one wins
            source = self.module(star.module)
            if source is not None and self.gives(source, name):
                return self._origin(source, chain, left - 1)
        return ".".join(chain), None

    def _descend(self, name: str, rest: tuple[str, ...], left: int) -> tuple[str, Key | None]:
        """`rest` looked up in the module `name`, through submodules."""
        module = self.module(name)
        if rest and module is not None and self.exports(module, rest[0]) and not _is_own(module, rest[0]):
            return self._origin(module, rest, left)
        if rest and self.places.find(f"{name}.{rest[0]}") is not None:
            return self._descend(f"{name}.{rest[0]}", rest[1:], left)
        return ".".join((name, *rest)), None

    def exports(self, module: Module, name: str, left: int = _LONGEST) -> bool:
        """Whether a name is bound in a module, by itself or through star imports."""
        if module.has(name):
            return True
        sources = (self.module(star.module) for star in module.stars) if left else ()
        return any(s is not None and s is not module and self.gives(s, name, left - 1) for s in sources)

    def gives(self, module: Module, name: str, left: int = _LONGEST) -> bool:
        """Whether `from module import *` gives a name, or may: where `__all__` is computed."""
        if module.listed is not None:
            return name in module.listed
        if name.startswith("_") and not module.has("__all__"):
            return False
        return self.exports(module, name, left)

    # ------------------------------------------------------------------ rules

    def rules(self, module: Module, *, docstrings: bool = False, annotations: bool = False) -> Rules:
        """What the canonical text of this module's code leaves out."""
        return Rules(
            strip=lambda node: self.is_stepwell(module, root_chain(node)),
            typed=lambda node: self.is_typed(module, node),
            docstrings=docstrings,
            annotations=annotations,
        )

    def is_stepwell(self, module: Module, chain: tuple[str, ...], left: int = 5) -> bool:
        """Whether a chain begins with something of Stepwell's: an import of it, or what a call of it made."""
        if not chain or left <= 0:
            return False
        text, key = self.origin(module, chain)
        if key is None:
            return text.split(".", 1)[0] == "stepwell"
        owner = self.module(key.module)
        if owner is None:
            return False
        for statement in owner.statements(key.name, changes=False):
            if isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value is not None:
                root = root_chain(statement.value)
                if root and root[0] != key.name and self.is_stepwell(owner, root, left - 1):
                    return True
        return False

    def is_typed(self, module: Module, node: ast.AST) -> bool:
        """Whether annotations mean something at run time here.

        Those of functions that a third-party decorator (a validator, say) or `@f.register` takes; the
        fields of every class that is decorated or has a base, except plain ones of our own.
        """
        if isinstance(node, ast.ClassDef):
            return self._has_fields(module, node, _LONGEST)
        if isinstance(node, FUNCTIONS):
            chains = [root_chain(d) for d in node.decorator_list]
            return any(c and (c[-1] == "register" or self.is_foreign(module, c)) for c in chains)
        return False

    def is_foreign(self, module: Module, chain: tuple[str, ...]) -> bool:
        """Whether a chain leads to an installed package (not first-party, standard, builtin or Stepwell's)."""
        text, key = self.origin(module, chain)
        top = text.split(".", 1)[0]
        if key is not None or top == "stepwell" or self.places.is_standard(top):
            return False
        return chain[0] in module.imports and self.places.find(top) is None

    def _has_fields(self, module: Module, node: ast.ClassDef, left: int) -> bool:
        if node.keywords or any(not self.is_stepwell(module, root_chain(d)) for d in node.decorator_list):
            return True
        for base in node.bases:
            text, key = self.origin(module, root_chain(base) or ("",))
            above = self.class_of(key)
            if above is not None and left:
                hooks = any(isinstance(s, FUNCTIONS) and s.name == "__init_subclass__" for s in above[1].body)
                if hooks or self._has_fields(*above, left - 1):
                    return True
            elif (
                text not in _PLAIN_BASES
                and not hasattr(builtins, text)
                and not text.startswith("collections.abc.")
            ):
                return True
        return False

    def is_import(self, key: Key) -> bool:
        """Whether a name is only another name for something that is imported."""
        module = self.module(key.module)
        return module is not None and key.name in module.imports and module.kind(key.name) == "import"

    def class_of(self, key: Key | None) -> tuple[Module, ast.ClassDef] | None:
        """The class statement that a key stands for."""
        module = self.module(key.module) if key is not None else None
        if key is None or module is None:
            return None
        for statement in module.statements(key.name, changes=False):
            if isinstance(statement, ast.ClassDef):
                return module, statement
        return None


class _Walk:
    """One following of names: from uses, through modules, into a `Reach`."""

    def __init__(self, resolver: Resolver, start: Module, reach: Reach) -> None:
        self.resolver = resolver
        self.places = resolver.places
        self.start = start
        self.into = reach
        self.annotation = False
        self.seen: set[tuple[str, tuple[str, ...], bool]] = set()

    def use(self, module: Module, use: Use) -> None:
        if use.origin is not None:
            self.imported(module, use.origin, use.chain)
        elif use.chain:
            self.name(module, use.chain)

    def name(self, module: Module, chain: tuple[str, ...]) -> None:
        """A chain that starts at a name of a module."""
        if (module.name, chain, self.annotation) in self.seen:
            return
        self.seen.add((module.name, chain, self.annotation))
        name = chain[0]
        if module.has(name):
            imports = module.imports.get(name, ())
            if not imports or any(i.module.split(".", 1)[0] != "stepwell" for i in imports):
                self.definition(module, name)
            for imported in imports:
                self.imported(module, imported, chain[1:])
            if module.stars:  # one may stand below, and win
                self.from_stars(module, chain)
        elif name == DOCSTRING:
            self.into.keys.add(Key(module.name, DOCSTRING))
        elif self.annotation and name in module.typing_imports:
            for imported in module.typing_imports[name]:
                self.imported(module, imported, chain[1:])
        else:
            self.starred(module, chain)

    def definition(self, module: Module, name: str) -> None:
        """A name that a module binds: counted; in an annotation only if it is a class."""
        key = Key(module.name, name)
        kind = module.kind(name) if self.annotation else "class"
        if kind == "class":
            self.into.keys.add(key)
        elif kind == "data":
            self.into.through.add(key)

    def starred(self, module: Module, chain: tuple[str, ...]) -> None:
        """A name that no statement binds: from a star import, or a builtin.

        Of several modules that may export it all count, and their order.
        """
        found = self.from_stars(module, chain)
        if not found and module.stars and not hasattr(builtins, chain[0]):
            for star in module.stars:
                if self.places.find(star.module) is None:
                    self.foreign(star)

    def from_stars(self, module: Module, chain: tuple[str, ...]) -> bool:
        """Follow a name into every module whose star may give it; with the order of these where it decides."""
        found: dict[Import, Module] = {}
        for star in module.stars:
            source = self.resolver.module(star.module)
            if source is not None and source is not module and self.resolver.gives(source, chain[0]):
                found[star] = source
        for source in found.values():
            self.attribute(source, chain)
            if source.listed is None and source.has("__all__"):
                self.into.keys.add(Key(source.name, "__all__"))
        if found and (len(found) > 1 or module.has(chain[0])):
            self.into.keys.add(Key(module.name, f"{STARS}{chain[0]}"))
            self.resolver.starred[module.name, chain[0]] = tuple(found)
        return bool(found)

    def imported(self, module: Module, imported: Import, rest: tuple[str, ...]) -> None:
        """What an import stands for, and the attributes that are taken of it."""
        top = imported.module.split(".", 1)[0]
        tail = rest if imported.name is None else (imported.name, *rest)
        if top == "stepwell":
            return
        found = self.places.find(imported.module)
        if found is not None:
            self.inside(imported.module, tail, imported)
        elif self.places.find(top) is not None and self.places.find(top) != found:
            if not imported.guarded:
                self.into.notes.add(
                    f"{module.name}: `{imported.module}` is not found in the project; it does not count"
                )
        else:
            self.foreign(imported, tail)

    def foreign(self, imported: Import, tail: tuple[str, ...] = ()) -> None:
        if not self.places.is_standard(imported.module):
            self.into.foreign.add((".".join((imported.module, *tail)), imported.guarded))

    def inside(self, name: str, chain: tuple[str, ...], imported: Import | None = None) -> None:
        """A chain that starts in the first-party module `name`."""
        found = self.places.find(name)
        module = self.resolver.module(name)
        if found is not None and found.is_compiled:
            self.into.keys.add(Key(name.split(".", 1)[0] if found.is_archive else name, BINARY))
        elif not chain:
            self.whole(name, "used as a value")
        elif module is not None:
            self.attribute(module, chain)
        elif self.places.find(f"{name}.{chain[0]}") is not None:
            self.inside(f"{name}.{chain[0]}", chain[1:])
        elif chain[0] == "__path__":
            self.package(name)
        elif imported is None or not imported.guarded:
            self.into.notes.add(f"{name}.{chain[0]} is not found in the project; it does not count")

    def attribute(self, module: Module, chain: tuple[str, ...]) -> None:
        """An attribute of a first-party module."""
        name = chain[0]
        child = f"{module.name}.{name}"
        if name == COMPUTED:
            self.whole(module.name, "getattr with a computed name")
        elif (module.has(name) and not _is_own(module, name)) or (
            self.annotation and name in module.typing_imports
        ):
            self.name(module, chain)
        elif self.places.find(child) is not None:
            self.inside(child, chain[1:])
        elif self.resolver.exports(module, name):
            self.starred(module, chain)
        elif name == DOCSTRING:
            self.into.keys.add(Key(module.name, DOCSTRING))
        elif name == "__path__":
            self.package(module.name)
        elif name == "__dict__":
            self.whole(module.name, "used as a value")
        elif name.startswith("__") and name.endswith("__"):
            return
        elif module.has("__getattr__"):
            self.into.keys.add(Key(module.name, "__getattr__"))
        elif not self.annotation:
            self.whole(module.name, f"no statement binds `{name}`")

    def whole(self, name: str, why: str) -> None:
        if not self.annotation and self.resolver.module(name) is not None:
            self.into.keys.add(Key(name, WHOLE))
            self.into.notes.add(f"{name}: {why}; the whole module counts")

    def package(self, name: str) -> None:
        """Every module of a package, where it cannot be said which."""
        if self.resolver.module(name) is not None:
            self.into.keys.add(Key(name, WHOLE))
        for child in self.places.below(name):
            self.whole(child, f"one of `{name}` is imported by a computed name")


def _is_own(module: Module, name: str) -> bool:
    """Whether a name of a package is only the submodule of that name (`from . import name`)."""
    imports = module.imports.get(name, ())
    same = Import(module.name, name), Import(f"{module.name}.{name}")
    return (
        bool(imports)
        and module.kind(name) == "import"
        and all(Import(i.module, i.name) in same for i in imports)
    )


def _prefixes(name: str) -> Iterator[str]:
    parts = name.split(".")
    return (".".join(parts[: i + 1]) for i in range(len(parts)))
