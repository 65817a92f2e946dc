"""What importing a module does besides binding its names: effects on the world, changes elsewhere.

Two kinds, both found in top-level statements:

*Effects*: a bare call (`np.random.seed(3)`, `warnings.filterwarnings("ignore")`, `configure()`) and
an assignment into something that is not the project's (`os.environ["X"] = "1"`). Nobody can say
which results they touch, so they count for every step whose code is loaded together with them.
Not among them: calls of Stepwell's own objects, `print` of what is already there, and calls of
methods of this project's own plain containers, which are changes.

*Changes* of one name of the project by a statement elsewhere: `registry.MODELS["a"] = fit` in a
plug-in, or `@registry.register` above a function, where `register` is seen to append to
`registry.MODELS`. They count for steps that reach that name.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from stepwell.author.fingerprint.modules import Module, part
from stepwell.author.fingerprint.resolve import Key, Resolver
from stepwell.author.fingerprint.scopes import FUNCTIONS, Reading, Use, own_statements, root_chain

__all__ = ["Effects"]

_LITERALS = (
    ast.Constant, ast.List, ast.Tuple, ast.Dict, ast.Set, ast.ListComp, ast.SetComp, ast.DictComp, ast.JoinedStr,
)  # fmt: skip
_DEPTH = 20  # functions that call functions that register


class Effects:
    """Finds effects and changes, module by module; each is looked at once."""

    def __init__(self, resolver: Resolver, reading: Callable[[Key], Reading | None]) -> None:
        self.resolver = resolver
        self.reading = reading
        self._statements: dict[str, list[ast.stmt]] = {}
        self._changes: dict[str, dict[Key, list[ast.stmt]]] = {}
        self._registers: dict[tuple[Key, int], frozenset[Key]] = {}

    # ------------------------------------------------------------------ effects

    def statements(self, name: str) -> list[ast.stmt]:
        """The statements of a module that act when it is imported, cut down to what acts."""
        if name not in self._statements:
            module = self.resolver.module(name)
            found: list[ast.stmt] = []
            if module is not None:
                parts = (part(s, lambda leaf: leaf if self._acts(module, leaf) else None) for s in module.top)
                found = [p for p in parts if p is not None]
            self._statements[name] = found
        return self._statements[name]

    def _acts(self, module: Module, leaf: ast.stmt) -> bool:
        if isinstance(leaf, (ast.For, ast.AsyncFor, ast.While, ast.Match)):
            return any(
                self._acts(module, s) for s in own_statements([leaf]) if s is not leaf and not _compound(s)
            )
        if isinstance(leaf, ast.Expr):
            return any(isinstance(n, ast.Call) for n in ast.walk(leaf.value)) and not self._is_harmless(
                module, leaf
            )
        if isinstance(leaf, (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Delete)):
            targets = leaf.targets if isinstance(leaf, (ast.Assign, ast.Delete)) else [leaf.target]
            return any(
                isinstance(t, (ast.Attribute, ast.Subscript)) and not self._is_ours(module, root_chain(t))
                for t in targets
            )
        return False

    def _is_harmless(self, module: Module, leaf: ast.Expr) -> bool:
        call = leaf.value
        if not isinstance(call, ast.Call):
            return False
        chain = root_chain(call)
        if not chain:
            return False
        text, key = self.resolver.origin(module, chain)
        inner = any(isinstance(n, ast.Call) for a in (*call.args, *call.keywords) for n in ast.walk(a))
        if text == "print" and not inner:
            return True
        if self.is_pipeline(module, chain):
            return True
        if key is None or len(chain) < 2:
            return False
        if chain[-1] == "register" and self._is_function(self.resolver.origin(module, chain[:-1])[1]):
            return True  # of single dispatch
        return self._is_container(key)

    def is_pipeline(self, module: Module, chain: tuple[str, ...]) -> bool:
        """Whether a chain starts at something of Stepwell's, or at a function that it decorates."""
        if self.resolver.is_stepwell(module, chain):
            return True
        _, key = self.resolver.origin(module, chain)
        owner = self.resolver.module(key.module) if key is not None else None
        if key is None or owner is None:
            return False
        return any(
            isinstance(s, FUNCTIONS)
            and any(self.resolver.is_stepwell(owner, root_chain(d)) for d in s.decorator_list)
            for s in owner.statements(key.name, changes=False)
        )

    def _is_ours(self, module: Module, chain: tuple[str, ...]) -> bool:
        return bool(chain) and self.resolver.origin(module, chain)[1] is not None

    def _is_container(self, key: Key) -> bool:
        """Whether a name is bound to a literal, or to what a builtin or the standard library makes."""
        module = self.resolver.module(key.module)
        if module is None or module.kind(key.name) != "data":
            return False
        for statement in module.statements(key.name, changes=False):
            value = statement.value if isinstance(statement, (ast.Assign, ast.AnnAssign)) else None
            if isinstance(value, ast.Call):
                text, made_by = self.resolver.origin(module, root_chain(value) or ("?",))
                known = "." not in text or self.resolver.places.is_standard(text)
                if made_by is not None or not known:
                    return False
            elif not isinstance(value, _LITERALS):
                return False
        return True

    # ------------------------------------------------------------------ changes

    def changes(self, name: str) -> dict[Key, list[ast.stmt]]:
        """What a module's statements change elsewhere (or change here through a call): origin -> statements."""
        if name not in self._changes:
            found: dict[Key, dict[int, ast.stmt]] = {}
            module = self.resolver.module(name)
            if module is not None:
                for index, key in self._changed(module):
                    found.setdefault(key, {})[index] = module.top[index]
            self._changes[name] = {key: [s for _, s in sorted(found[key].items())] for key in found}
        return self._changes[name]

    def _changed(self, module: Module) -> Iterator[tuple[int, Key]]:
        for index, chain in module.changes:
            for key in self._origins(module, chain):
                if key != Key(module.name, chain[0]):  # that one has the statement already
                    yield index, key
        for index, statement in enumerate(module.top):
            for leaf in own_statements([statement]):
                if isinstance(leaf, (*FUNCTIONS, ast.ClassDef)):
                    yield from ((index, key) for key in self._registered_by(module, leaf))

    def _origins(self, module: Module, chain: tuple[str, ...]) -> Iterator[Key]:
        """What a changed chain stands for, and what that is another name of (`ALIAS = MODELS`)."""
        for _ in range(_DEPTH):
            _, key = self.resolver.origin(module, chain)
            owner = self.resolver.module(key.module) if key is not None else None
            if key is None or owner is None:
                return
            yield key
            values = [s.value for s in owner.statements(key.name, changes=False) if isinstance(s, ast.Assign)]
            if len(values) != 1 or not isinstance(values[0], (ast.Name, ast.Attribute)):
                return
            module, chain = owner, root_chain(values[0])
            if not chain:
                return

    def _registered_by(self, module: Module, leaf: ast.stmt) -> Iterator[Key]:
        """What the decorators and base classes of a definition put it into."""
        if isinstance(leaf, (*FUNCTIONS, ast.ClassDef)):
            for decorator in leaf.decorator_list:
                chain = root_chain(decorator)
                if chain and not self.resolver.is_stepwell(module, chain):
                    depth = 2 if isinstance(decorator, ast.Call) else 1
                    yield from self.registers(self.resolver.origin(module, chain)[1], depth)
        if isinstance(leaf, ast.ClassDef):
            yield from self._hooked(module, leaf, _DEPTH)

    def _hooked(self, module: Module, leaf: ast.ClassDef, left: int) -> Iterator[Key]:
        """What `__init_subclass__` and metaclasses of a class's bases put it into; and the bases' subclasses."""
        for keyword in leaf.keywords:
            if keyword.arg == "metaclass":
                yield from self.registers(
                    self.resolver.origin(module, root_chain(keyword.value) or ("?",))[1], 1
                )
        for base in leaf.bases:
            _, key = self.resolver.origin(module, root_chain(base) or ("?",))
            above = self.resolver.class_of(key)
            if key is None or above is None or not left:
                continue
            yield Key(key.module, key.name + "()")
            if any(isinstance(s, FUNCTIONS) and s.name == "__init_subclass__" for s in above[1].body):
                yield from self.registers(key, 1)
                yield key
            yield from self._hooked(*above, left - 1)

    def registers(self, key: Key | None, depth: int, left: int = _DEPTH) -> frozenset[Key]:
        """The data of the project that a call of this function changes, `depth` functions deep."""
        reading = self.reading(key) if key is not None and left else None
        module = self.resolver.module(key.module) if key is not None else None
        if key is None or reading is None or module is None:
            return frozenset()
        if (key, depth) not in self._registers:
            self._registers[key, depth] = frozenset()  # while it is being found: recursive functions
            found: set[Key] = set()
            for use, at in reading.changes:
                if at <= depth:
                    found.update(k for k in self._keys(module, use) if self._is_data(k))
            for use, at in reading.calls:
                if at <= depth:
                    for called in self._keys(module, use):
                        if called != key:
                            found |= self.registers(called, 1, left - 1)
            self._registers[key, depth] = frozenset(found)
        return self._registers[key, depth]

    def _keys(self, module: Module, use: Use) -> Iterator[Key]:
        if use.origin is None and use.chain:
            yield from self._origins(module, use.chain)
        elif use.origin is not None:
            tail = use.chain if use.origin.name is None else (use.origin.name, *use.chain)
            owner = self.resolver.module(use.origin.module)
            if owner is not None and tail:
                yield from self._origins(owner, tail)

    def _is_function(self, key: Key | None) -> bool:
        module = self.resolver.module(key.module) if key is not None else None
        return key is not None and module is not None and module.kind(key.name) == "function"

    def _is_data(self, key: Key) -> bool:
        module = self.resolver.module(key.module)
        return module is not None and module.kind(key.name) == "data"


def _compound(statement: ast.stmt) -> bool:
    return hasattr(statement, "body") or hasattr(statement, "cases")
