"""In which order the effects and changes of importing modules happen.

`import x` before `import y` is another program than the reverse where both append to one list, or
both set one variable of the process. `Order.all` walks the imports as Python does, depth first, a
module once, and gives what happens on the way.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Set

from stepwell.author.fingerprint.effects import Effects
from stepwell.author.fingerprint.modules import Module
from stepwell.author.fingerprint.resolve import EFFECTS, Key, Reach, Resolver
from stepwell.author.fingerprint.scopes import loaded_by, own_statements

__all__ = ["Order"]

_Event = tuple[tuple[str, ...], tuple[Key, ...]]
"""What a top-level statement loads, and then does."""


class Order:
    """Finds the order in which things happen; each module is looked at once."""

    def __init__(self, resolver: Resolver, effects: Effects) -> None:
        self.resolver = resolver
        self.effects = effects
        self._events: dict[str, tuple[_Event, ...]] = {}

    def all(self, roots: Iterable[str], within: Set[str], wanted: Callable[[Key], bool]) -> Iterator[Key]:
        """What happens when the modules `roots` are imported one after the other, of what is `wanted`."""
        seen: set[str] = set()
        todo: list[str | tuple[Key, ...]] = list(reversed(list(roots)))
        while todo:
            at = todo.pop()
            if isinstance(at, tuple):
                yield from (key for key in at if wanted(key))
            elif at not in seen and at in within:
                seen.add(at)
                steps: list[str | tuple[Key, ...]] = []
                parent = at.rpartition(".")[0]
                for loads, happens in (((parent,) if parent else (), ()), *self._of(at)):
                    steps += [*loads, happens]
                todo.extend(reversed(steps))

    def _of(self, name: str) -> tuple[_Event, ...]:
        """What the top-level statements of a module load and do, in order."""
        if name not in self._events:
            module = self.resolver.module(name)
            found = self._found(module) if module is not None else ()
            self._events[name] = tuple(event for event in found if event[0] or event[1])
        return self._events[name]

    def _found(self, module: Module) -> Iterator[_Event]:
        at: dict[int, list[Key]] = {}
        for origin, indexes in self.effects.changed_at(module.name).items():
            for index in indexes:
                at.setdefault(index, []).append(Key(module.name, f"@{origin.module}:{origin.name}"))
        for index in self.effects.acting_at(module.name):
            at.setdefault(index, []).append(Key(module.name, EFFECTS))
        for name, bound in module.binds.items():
            indexes = [*bound, *module.changed.get(name, ())]
            for index in indexes if len(indexes) > 1 else ():  # else it happens before all that concerns it
                at.setdefault(index, []).append(Key(module.name, name))
        for index, statement in enumerate(module.top):
            yield self._loads(module, statement), tuple(sorted(set(at.get(index, ()))))

    def _loads(self, module: Module, statement: ast.stmt) -> tuple[str, ...]:
        """The first-party modules that the import statements in a top-level statement load, in order."""
        found: dict[str, None] = {}
        inside = own_statements([statement])
        imports = [s for s in inside if isinstance(s, (ast.Import, ast.ImportFrom))]
        for one in sorted(imports, key=lambda s: (s.lineno, s.col_offset)):
            for imported in loaded_by(one, module.absolute):
                reach = Reach()
                self.resolver.loaded([imported], reach)
                found.update(dict.fromkeys(sorted(reach.loads)))
        return tuple(found)
