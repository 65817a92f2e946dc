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

from stepwell.author.fingerprint.held import Touch, is_fresh, ran
from stepwell.author.fingerprint.holdings import Holdings
from stepwell.author.fingerprint.modules import Module, aliases, changed_chains, part, run_expressions
from stepwell.author.fingerprint.resolve import Key, Resolver
from stepwell.author.fingerprint.scopes import (
    FUNCTIONS,
    MUTATORS,
    Reading,
    Use,
    bound_names,
    own_statements,
    read,
    root_chain,
)

__all__ = ["Effects"]

_LITERALS = (
    ast.Constant, ast.List, ast.Tuple, ast.Dict, ast.Set, ast.ListComp, ast.SetComp, ast.DictComp, ast.JoinedStr,
)  # fmt: skip
_DEPTH = 20  # functions that call functions that register or act
_MAKERS = (
    "__init__", "__new__", "__post_init__", "__call__", "__prepare__", "__init_subclass__", "__enter__", "__exit__"
)  # fmt: skip
"""Methods that run where a class is called, is a base or a metaclass, or stands in a `with`."""
_SEEDS = frozenset({"seed", "manual_seed"})
"""Calls that act also where their result is taken: `_ = random.seed(3)`."""
_HARMLESS = ("logging.getLogger", "warnings.warn", "time.sleep", "sys.stdout", "sys.stderr", "gc")
"""Calls into the standard library that only tell something, or take time."""


class Effects:
    """Finds effects and changes, module by module; each is looked at once."""

    def __init__(self, resolver: Resolver, reading: Callable[[Key], Reading | None]) -> None:
        self.resolver = resolver
        self.reading = reading
        self.holdings = Holdings(resolver, reading)
        self._statements: dict[str, dict[int, ast.stmt]] = {}
        self._changed_at: dict[str, dict[Key, list[int]]] = {}
        self._changes: dict[str, dict[Key, list[ast.stmt]]] = {}
        self._registers: dict[tuple[Key, int], frozenset[Key]] = {}
        self._acting: dict[tuple[Key, int], bool] = {}

    # ------------------------------------------------------------------ effects

    def statements(self, name: str) -> list[ast.stmt]:
        """The statements of a module that act when it is imported, cut down to what acts."""
        return list(self.acting_at(name).values())

    def acting_at(self, name: str) -> dict[int, ast.stmt]:
        """The same by the index of the top-level statement that each is cut from."""
        if name not in self._statements:
            module = self.resolver.module(name)
            found: dict[int, ast.stmt] = {}
            if module is not None:
                for index, statement in enumerate(module.top):
                    cut = part(statement, lambda leaf: leaf if self._acts(module, leaf) else None)
                    if cut is not None:
                        found[index] = cut
            self._statements[name] = found
        return self._statements[name]

    def _acts(self, module: Module, leaf: ast.stmt) -> bool:
        if isinstance(leaf, (ast.For, ast.AsyncFor, ast.While, ast.Match)):
            inside = (s for s in own_statements([leaf]) if s is not leaf and not _compound(s))
            if any(self._acts(module, s) for s in inside):
                return True
        elif isinstance(leaf, ast.ClassDef):
            if self._body_acts(module, leaf):
                return True
        elif isinstance(leaf, ast.Expr) and self._is_bare_call(leaf) and not self._is_harmless(module, leaf):
            return True
        return any(self._expression_acts(module, node) for node in run_expressions(leaf)) or (
            isinstance(leaf, (*FUNCTIONS, ast.ClassDef)) and self._is_run_by_decorator(module, leaf)
        )

    def _body_acts(self, module: Module, leaf: ast.ClassDef) -> bool:
        """Whether the body of a class acts while it runs; what it does to its own names is no act."""
        own = bound_names(leaf.body)
        for statement in own_statements(leaf.body):
            roots = {c[0] for c in changed_chains(statement)}
            acts = not (_compound(statement) or roots & own) and self._acts(module, statement)
            if acts and not (isinstance(statement, ast.Expr) and root_chain(statement.value)[:1] in own):
                return True
        return False

    def _expression_acts(self, module: Module, node: ast.AST) -> bool:
        """Whether an expression changes what is not the project's, or calls what does (`X = setup()`)."""
        if isinstance(node, (ast.Attribute, ast.Subscript)) and not isinstance(node.ctx, ast.Load):
            touch = Touch(node.value, isinstance(node, ast.Attribute))
            return not self._is_ours(module, root_chain(node)) or self.holdings.is_outer(module, touch)
        if not isinstance(node, ast.Call):
            return False
        chain = root_chain(node.func)
        if not chain or isinstance(node.func, ast.Call) or self.is_pipeline(module, chain):
            return False
        text, key = self.resolver.origin(module, chain)
        if key is None:
            last = node.func.attr if isinstance(node.func, ast.Attribute) else text.rpartition(".")[2]
            acting = last in _SEEDS or (last in MUTATORS and text.count(".") > 1)  # `os.environ.pop`
            return acting and self._is_outside(module, chain)
        if self.acts(key):
            return True
        if self._mutates(key):
            given = (*node.args, *(k.value for k in node.keywords))
            return any(self.holdings.is_ours(module, a) for a in given)
        if not isinstance(node.func, ast.Attribute) or node.func.attr not in MUTATORS:
            return False
        return self.holdings.is_outer(module, Touch(node.func.value))

    def _is_run_by_decorator(self, module: Module, leaf: ast.stmt) -> bool:
        """Whether a decorator of the project calls what it decorates, or acts by itself."""
        for decorator in getattr(leaf, "decorator_list", ()):
            chain = root_chain(decorator)
            if not chain:
                return True  # a lambda, say
            if not self.resolver.is_stepwell(module, chain):
                depth = 2 if isinstance(decorator, ast.Call) else 1
                key = self.resolver.origin(module, chain)[1]
                reading = self.reading(key) if key is not None and self._is_function(key) else None
                if (
                    key is not None
                    and reading is not None
                    and (depth in reading.runs or self.acts(key, depth))
                ):
                    return True
        return False

    def acts(self, key: Key, depth: int = 1, left: int = _DEPTH) -> bool:
        """Whether calling a function or class of the project changes what is not the project's."""
        module = self.resolver.module(key.module)
        if module is None or not left or module.kind(key.name) not in ("function", "class"):
            return False
        if (key, depth) not in self._acting:
            self._acting[key, depth] = False  # while it is being found: recursive functions
            reading = self._called(module, key)
            self._acting[key, depth] = reading is not None and (
                any(at <= depth and self._is_act(module, use, bare=False) for use, at in reading.changes)
                or any(at <= depth and self._is_act(module, use, bare=True) for use, at in reading.bare)
                or any(
                    self.acts(called, 1, left - 1)
                    for use, at in reading.calls
                    if at <= depth
                    for called in self._keys(module, use)
                    if called != key
                )
            )
        return self._acting[key, depth]

    def _called(self, module: Module, key: Key) -> Reading | None:
        """The names used by what a call runs: the function, or how a class makes its instances."""
        above = self.resolver.class_of(key)
        if above is None:
            return self.reading(key)
        makers = [s for s in above[1].body if isinstance(s, FUNCTIONS) and s.name in _MAKERS]
        return read(makers, module.absolute, self.resolver.rules(module).strip, walrus=module.walrus)

    def _is_act(self, module: Module, use: Use, *, bare: bool) -> bool:
        """Whether what is changed, or called for what it does, is neither the project's nor a builtin.

        `np.sort(x)` looks like a change of `np`, so that a whole module is never one.
        """
        if use.origin is not None:
            text = ".".join(filter(None, (use.origin.module, use.origin.name, *use.chain)))
            outside = self.resolver.places.find(use.origin.module) is None
        else:
            outside = bool(use.chain) and self._is_outside(module, use.chain)
            text = self.resolver.origin(module, use.chain)[0] if outside else ""
        return outside and (bare or "." in text) and not text.startswith(_HARMLESS)

    def _is_outside(self, module: Module, chain: tuple[str, ...]) -> bool:
        """Whether a chain starts at something imported that is neither the project's nor Stepwell's."""
        text, key = self.resolver.origin(module, chain)
        return key is None and chain[0] in module.imports and text.split(".", 1)[0] != "stepwell"

    def _mutates(self, key: Key) -> bool:
        """Whether a function of the project changes an argument in place."""
        reading = self.reading(key) if self._is_function(key) else None
        return reading is not None and 1 in reading.mutates

    @staticmethod
    def _is_bare_call(leaf: ast.Expr) -> bool:
        return any(isinstance(n, ast.Call) for n in ast.walk(leaf.value))

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
        if not chain:
            return False
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
                if made_by is not None or not known or not is_fresh(value):
                    return False
            elif not isinstance(value, _LITERALS):
                return False
        return True

    # ------------------------------------------------------------------ changes

    def changes(self, name: str) -> dict[Key, list[ast.stmt]]:
        """What a module's statements change elsewhere (or change here through a call): origin -> statements."""
        if name not in self._changes:
            module = self.resolver.module(name)
            top = module.top if module is not None else []
            self._changes[name] = {key: [top[i] for i in at] for key, at in self.changed_at(name).items()}
        return self._changes[name]

    def changed_at(self, name: str) -> dict[Key, list[int]]:
        """The same by the indexes of the top-level statements."""
        if name not in self._changed_at:
            found: dict[Key, set[int]] = {}
            module = self.resolver.module(name)
            for index, key in self._changed(module) if module is not None else ():
                found.setdefault(key, set()).add(index)
            self._changed_at[name] = {key: sorted(found[key]) for key in found}
        return self._changed_at[name]

    def _changed(self, module: Module) -> Iterator[tuple[int, Key]]:
        for index, chain in module.changes:
            for key in self._origins(module, chain):
                if key != Key(module.name, chain[0]):  # that one has the statement already
                    yield index, key
        for index, statement in enumerate(module.top):
            for leaf in own_statements([statement]):
                yield from ((index, key) for key in self._stepped(module, leaf))
                if isinstance(leaf, (*FUNCTIONS, ast.ClassDef)):
                    yield from ((index, key) for key in self._registered_by(module, leaf))
            yield from ((index, key) for key in self.holdings.touched(module, index))
            bound = set[str]() if _compound(statement) else module.bound(statement)
            for key in self._called_by(module, statement):
                if key.module != module.name or key.name not in bound:
                    yield index, key

    def _called_by(self, module: Module, statement: ast.stmt) -> Iterator[Key]:
        """What the calls of a top-level statement change inside the functions and classes that they call."""
        for node in ran(statement):
            if not isinstance(node, ast.Call):
                continue
            yield from self._typed(module, node)
            chain = root_chain(node.func)
            if not chain or isinstance(node.func, ast.Call):
                continue
            key = self.resolver.origin(module, chain)[1]
            if key is not None and not self.is_pipeline(module, chain):
                yield from self.registers(key, 1)

    def _typed(self, module: Module, call: ast.Call) -> Iterator[Key]:
        """The bases of a class that is made by a call: `type("Y", (Base,), {})`."""
        name = (root_chain(call.func) or ("",))[-1]
        if name in ("type", "new_class", "make_dataclass") and len(call.args) + len(call.keywords) > 1:
            parts = [e for a in call.args[1:2] if isinstance(a, (ast.Tuple, ast.List)) for e in a.elts]
            parts += [e for k in call.keywords if isinstance(k.value, ast.Tuple) for e in k.value.elts]
            made = ast.ClassDef(name=name, bases=parts, keywords=[], body=[], decorator_list=[])
            yield from self._hooked(module, made, _DEPTH)

    def _defined(self, key: Key) -> Iterator[Key]:
        """What the classes that a function makes are registered in."""
        module = self.resolver.module(key.module)
        for statement in module.statements(key.name, changes=False) if module is not None else ():
            for node in ast.walk(statement) if isinstance(statement, FUNCTIONS) else ():
                if module is not None and isinstance(node, ast.ClassDef):
                    yield from self._hooked(module, node, _DEPTH)
                elif module is not None and isinstance(node, ast.Call):
                    yield from self._typed(module, node)

    def _stepped(self, module: Module, leaf: ast.stmt) -> Iterator[Key]:
        """The project's objects whose own class says that a method called here changes them: `x = counter.next()`."""
        for node in run_expressions(leaf):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            chain = root_chain(node.func.value)
            key = self.resolver.origin(module, chain)[1] if chain else None
            owner = self.resolver.module(key.module) if key is not None else None
            if key is None or owner is None or owner.kind(key.name) != "data":
                continue
            values = (getattr(s, "value", None) for s in owner.statements(key.name, changes=False))
            made = [root_chain(v.func) for v in values if isinstance(v, ast.Call)]
            classes = [self.resolver.origin(owner, c)[1] for c in made if c]
            if any(self._method_mutates(of, node.func.attr, _DEPTH) for of in classes):
                yield key

    def _method_mutates(self, key: Key | None, name: str, left: int) -> bool:
        """Whether a method of a class of the project, or of its bases, changes the object that it is called on."""
        found = self.resolver.class_of(key)
        if found is None or not left:
            return False
        module, node = found
        methods = [s for s in node.body if isinstance(s, FUNCTIONS) and s.name == name]
        if methods:
            rules = self.resolver.rules(module)
            return 1 in read(methods, module.absolute, rules.strip, walrus=module.walrus).mutates
        bases = (self.resolver.origin(module, root_chain(b) or ("?",))[1] for b in node.bases)
        return any(self._method_mutates(base, name, left - 1) for base in bases)

    def _origins(self, module: Module, chain: tuple[str, ...]) -> Iterator[Key]:
        """What a changed chain stands for, and what that is another name of (`ALIAS = MODELS`)."""
        todo, seen = [(module, chain)], set[Key]()
        while todo:
            module, chain = todo.pop()
            _, key = self.resolver.origin(module, chain)
            owner = self.resolver.module(key.module) if key is not None else None
            if key is None or owner is None or key in seen:
                continue
            seen.add(key)
            yield key
            for imported in owner.imports.get(key.name, ()):  # `from m import D`, then `D |= {...}`
                source = self.resolver.module(imported.module)
                if source is not None and imported.name:
                    todo.append((source, (imported.name,)))
            for statement in owner.statements(key.name, changes=False):
                todo.extend((owner, other) for other in aliases(statement, key.name))

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
                meta = self.resolver.origin(module, root_chain(keyword.value) or ("?",))[1]
                yield from self.registers(meta, 1)
                of = self.resolver.class_of(meta)
                if (
                    meta is not None
                    and of is not None
                    and _makes(of[1], "__new__", "__init__", "__prepare__")
                ):
                    yield meta
        for base in leaf.bases:
            _, key = self.resolver.origin(module, root_chain(base) or ("?",))
            above = self.resolver.class_of(key)
            if key is None or above is None or not left:
                continue
            yield Key(key.module, key.name + "()")
            if _makes(above[1], "__init_subclass__"):
                yield from self.registers(key, 1)
                yield key
            yield from self._hooked(*above, left - 1)

    def registers(self, key: Key | None, depth: int, left: int = _DEPTH) -> frozenset[Key]:
        """The data of the project that a call of this function changes, `depth` functions deep."""
        module = self.resolver.module(key.module) if key is not None else None
        if key is None or module is None or not left or module.kind(key.name) not in ("function", "class"):
            return frozenset()
        if (key, depth) not in self._registers:
            self._registers[key, depth] = frozenset()  # while it is being found: recursive functions
            reading = self._called(module, key)
            if reading is None:
                return frozenset()
            found = set(self._defined(key))
            if depth in reading.mutates:
                found.update(self.holdings.defaults(key))
            for use, at in reading.changes:
                if at <= depth:
                    found.update(k for k in self._keys(module, use) if not self.holdings.is_logger(k))
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


def _makes(node: ast.ClassDef, *names: str) -> bool:
    """Whether a class has a method of one of these names."""
    return any(isinstance(s, FUNCTIONS) and s.name in names for s in node.body)


def _compound(statement: ast.stmt) -> bool:
    return hasattr(statement, "body") or hasattr(statement, "cases")
