"""What a top-level statement changes without naming it: through other names, items, loops and calls.

`touched(module, statement)` gives the project's names whose objects a statement may change, however
it gets at them: `x = m.CFG["a"]` and then `x["b"] = 4`, `[patch(t) for t in MODULES]`,
`Y = type("Y", (Base,), {})`. `is_outer` says that an object may be a library's
(`c = decimal.getcontext()`). Both would rather name too much than too little: a name may hold all
that its statements mention, and a call all that the called function uses. A module is named by
`Key(module, WHOLE)`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from stepwell.author.fingerprint.held import (
    Mention,
    Touch,
    bindings,
    inner_names,
    is_fixed,
    is_fresh,
    mentions,
    touches,
)
from stepwell.author.fingerprint.modules import Module
from stepwell.author.fingerprint.resolve import WHOLE, Key, Resolver
from stepwell.author.fingerprint.scopes import FUNCTIONS, MUTATORS, Reading, Use, root_chain

__all__ = ["Holdings"]

_OUTER = ""
"""Instead of a module: the key is something of a library."""
_HARMLESS = ("logging.", "stepwell", "typing.", "abc.")
_Step = tuple[Module, Mention, bool]


class Holdings:
    """Finds what objects may be part of. `reading` gives the names that a definition uses."""

    def __init__(self, resolver: Resolver, reading: Callable[[Key], Reading | None]) -> None:
        self.resolver = resolver
        self.reading = reading

    def touched(self, module: Module, index: int) -> Iterator[Key]:
        """What a top-level statement changes of the project, and does not name as changed."""
        statement = module.top[index]
        if isinstance(statement, (ast.Import, ast.ImportFrom)) or is_fixed(statement):
            return
        inner: set[str] | None = None
        for found in touches(statement):
            touch = self._meant(module, found)
            if touch is None:
                continue
            inner = inner_names(statement) if inner is None else inner
            for key in self.held(module, touch, statement, inner):
                known = key.module == module.name and self._is_told(module, index, touch, key.name)
                if key.module != _OUTER and not known:
                    yield key

    @staticmethod
    def _is_told(module: Module, index: int, touch: Touch, name: str) -> bool:
        """Whether the module's index has a statement for a name of its own: it binds it, or names it as changed.

        Of a compound one only the parts that do are kept.
        """
        if root_chain(touch.expression)[:1] == (name,) and index in module.changed.get(name, ()):
            return True
        return index in module.binds.get(name, ()) and not hasattr(module.top[index], "body")

    def is_outer(self, module: Module, touch: Touch) -> bool:
        """Whether an object that is changed may be a library's, by another name."""
        return any(key.module == _OUTER for key in self.held(module, touch))

    def is_ours(self, module: Module, expression: ast.expr) -> bool:
        """Whether an object may be part of what the project's names hold."""
        return any(key.module != _OUTER for key in self.held(module, Touch(expression)))

    def is_logger(self, key: Key) -> bool:
        """Whether a name is a logger, or a type of `typing`: using it changes nothing that counts."""
        owner = self.resolver.module(key.module)
        made = owner.statements(key.name, changes=False) if owner is not None else []
        return owner is not None and bool(made) and all(self._is_harmless(owner, s) for s in made)

    def _is_settled(self, owner: Module, name: str) -> bool:
        """Whether a name only holds what nobody can change, or a logger."""
        made = owner.statements(name, changes=False)
        return all(is_fixed(s) or self._is_harmless(owner, s) for s in made)

    # ------------------------------------------------------------------ what is meant

    def _meant(self, module: Module, touch: Touch) -> Touch | None:
        """The touch, if it is one: modules that are given away; methods that change their object."""
        if touch.method:
            _, key = self.resolver.origin(module, root_chain(touch.expression))
            owner = self.resolver.module(key.module) if key is not None else None
            if key is None or owner is None or owner is not module or owner.kind(key.name) != "data":
                return None
            for statement in owner.statements(key.name, changes=False):
                value = getattr(statement, "value", None)
                if isinstance(value, ast.Attribute) and value.attr in MUTATORS:
                    return Touch(value.value)
            return None
        if touch.given_to is not None:
            text, key = self.resolver.origin(module, root_chain(touch.expression))
            known = self.resolver.origin(module, root_chain(touch.given_to) or ("",))[1] is not None
            if key is not None or known or self.resolver.module(text) is None:
                return None
        return touch

    # ------------------------------------------------------------------ what is held

    def held(
        self,
        module: Module,
        touch: Touch,
        statement: ast.stmt | None = None,
        inner: set[str] | frozenset[str] = frozenset(),
    ) -> Iterator[Key]:
        """All that a touched object may be part of.

        `inner` are names that the statement binds for a part of itself: they may hold all that it mentions.
        """
        direct = isinstance(touch.expression, (ast.Name, ast.Attribute))
        todo: list[_Step] = [(module, m, direct) for m in mentions([touch.expression])]
        if statement is not None and any(m.use.chain[:1] and m.use.chain[0] in inner for _, m, _ in todo):
            todo += [(module, m, False) for m in mentions([statement])]
        first = todo[0][1] if todo else None
        seen: set[tuple[str, Mention, bool]] = set()
        while todo:
            at, mention, direct = todo.pop()
            if (at.name, mention, direct) in seen:
                continue
            seen.add((at.name, mention, direct))
            text, key = self._origin(at, mention.use)
            if key is None:
                yield from self._module_or_outer(at, mention, text, attribute=touch.attribute)
                continue
            owner = self.resolver.module(key.module)
            kind = owner.kind(key.name) if owner is not None else ""
            bound = isinstance(touch.expression, ast.Attribute) and mention is first
            if owner is None or (kind == "data" and not bound and self._is_settled(owner, key.name)):
                continue
            if kind == "data" or not mention.called or (kind == "class" and self._shares(key)):
                yield key
            todo += self._within(owner, key, kind, mention, direct=direct)

    def _origin(self, at: Module, use: Use) -> tuple[str, Key | None]:
        if use.origin is None:
            return self.resolver.origin(at, use.chain)
        if use.origin.name is None and not use.chain:
            return use.origin.module, None
        owner = self.resolver.module(use.origin.module)
        tail = use.chain if use.origin.name is None else (use.origin.name, *use.chain)
        if owner is None or not tail:
            return ".".join((use.origin.module, *tail)), None
        return self.resolver.origin(owner, tail)

    def _module_or_outer(self, at: Module, mention: Mention, text: str, *, attribute: bool) -> Iterator[Key]:
        """A module of the project, or something of a library that it keeps for everybody."""
        parent, _, last = text.rpartition(".")
        for name in (text, parent if last.startswith("__") else ""):
            if name and self.resolver.module(name) is not None:
                yield Key(name, WHOLE)
                return
        use = mention.use
        imported = use.origin is not None or (bool(use.chain) and use.chain[0] in at.imports)
        if imported and not text.startswith(_HARMLESS) and self.resolver.places.find(text) is None:
            capital = last.lstrip("_")[:1].isupper()
            if not mention.called or (attribute and not capital):
                yield Key(_OUTER, text)

    def _within(
        self, owner: Module, key: Key, kind: str, mention: Mention, *, direct: bool
    ) -> Iterator[_Step]:
        """What a name of the project holds: what its statements mention, a called function uses, its bases."""
        if kind == "data":
            for statement in owner.statements(key.name, changes=False):
                found = bindings(statement)
                if direct and all(is_fresh(node) for node in found):
                    continue
                plain = direct and all(isinstance(n, (ast.Name, ast.Attribute, ast.Call)) for n in found)
                yield from ((owner, m, plain) for m in mentions(found))
        elif kind == "function" and mention.called:
            reading = self.reading(key)
            uses = reading.uses if reading is not None else set[Use]()
            yield from ((owner, Mention(use, called=True), False) for use in uses if not use.annotation)
        elif kind == "class" and not mention.called:
            of = self.resolver.class_of(key)
            bases = of[1].bases if of is not None else []
            yield from ((owner, m, False) for m in mentions(bases))

    def _shares(self, key: Key) -> bool:
        """Whether the body of a class binds what its instances share and may change."""
        of = self.resolver.class_of(key)
        values = [s.value for s in of[1].body if isinstance(s, ast.Assign)] if of is not None else []
        return any(isinstance(v, (ast.List, ast.Dict, ast.Set)) for v in values)

    def _is_harmless(self, owner: Module, statement: ast.stmt) -> bool:
        """Whether it makes a logger, or a type of `typing`."""
        value = getattr(statement, "value", None)
        chain = root_chain(value.func) if isinstance(value, ast.Call) else ()
        return bool(chain) and self.resolver.origin(owner, chain)[0].startswith(_HARMLESS)

    # ------------------------------------------------------------------ definitions inside functions

    def defaults(self, key: Key) -> Iterator[Key]:
        """What the default values of a function may be part of."""
        module = self.resolver.module(key.module)
        for statement in module.statements(key.name, changes=False) if module is not None else ():
            if module is not None and isinstance(statement, FUNCTIONS):
                spec = statement.args
                for default in (*spec.defaults, *(d for d in spec.kw_defaults if d)):
                    yield from (k for k in self.held(module, Touch(default)) if k.module != _OUTER)
