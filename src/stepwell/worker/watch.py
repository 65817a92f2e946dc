"""Notices when a step changes what the next step in the process would see of the project's modules.

Of each first-party module, when it has been imported: which object each name is bound to, also in
its classes; and the mutable things behind them (`worker.cells`): containers, instances of its
classes, generators of random numbers, arrays and tables; defaults of parameters, attributes of
functions, and variables that functions share with what made them. After a task all are compared:
some 20 ns a name, 40 ns a function, 1 µs a container. Code and defaults of functions only if Python
has told that those of any were set (`hooks`).

The caches of `functools.lru_cache` and `cache` are emptied after each task, which changes no result,
and lets each step be seen to read what its cached functions read. Only one that was filled while
modules were imported is left as it is (it may hold an object that is meant to be the only one), and
is a change if a step adds to it.

Not seen: what objects of other libraries hold, and few changes in large arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from itertools import chain
from operator import attrgetter, is_
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

from stepwell.worker import hooks
from stepwell.worker.cells import Cell, found

DEEPEST = 16
"""Decorators around one function that are seen through."""

_attributes = attrgetter("__dict__")

_rewritable = attrgetter(*hooks.REWRITES)

_CACHED = type(lru_cache(len))


class Watch:
    """The globals of first-party modules as they were."""

    def __init__(self, is_own: Callable[[str], bool]) -> None:
        self._is_own = is_own
        self._modules: dict[str, _Globals] = {}
        self._rewritten = False
        hooks.hook()

    def meet(self, module: ModuleType) -> None:
        """A first-party module was imported: from now on its globals are watched."""
        self._modules[module.__name__] = _Globals(module, self._is_own)

    def settle(self) -> None:
        """Take all globals as they are now: after imports, which may fill the tables of other modules."""
        rewritten = self._is_rewritten()
        changed = [
            name
            for name, seen in self._modules.items()
            if seen.changed(rewritten=rewritten) or any(map(_size, seen.caches))
        ]
        for name in changed:
            self._modules[name] = _Globals(self._modules[name].module, self._is_own)
        self._rewritten = False

    def empty_caches(self) -> None:
        """Empty the caches of functions that steps have filled."""
        for seen in self._modules.values():
            for cached in seen.caches:
                cached.cache_clear()

    def changed(self) -> list[str]:
        """The globals that are no longer what they were, as `module.name`."""
        rewritten = self._is_rewritten()
        modules = self._modules.items()
        changed = [f"{name}.{of}" for name, seen in modules if (of := seen.changed(rewritten=rewritten))]
        self._rewritten = rewritten and bool(changed)
        return changed

    def _is_rewritten(self) -> bool:
        """Whether functions have to be looked into: mostly nobody has set anything of any."""
        return hooks.functions_rewritten() or self._rewritten


class _Names:
    """What the names of one module or class are bound to."""

    def __init__(self, space: Mapping[str, Any], prefix: str = "") -> None:
        self.space, self.prefix = space, prefix
        self.values = list(space.values())
        self.names = list(space)

    def changed(self) -> str:
        """The first name that is bound to something else, or nothing."""
        space, values = self.space, self.values
        if len(space) != len(values) or not all(map(is_, space.values(), values)):
            which = self._which()
            if which:
                return self.prefix + which
            self.values, self.names = list(space.values()), list(space)
        return ""

    def _which(self) -> str:
        before = dict(zip(self.names, self.values, strict=True))
        for name, value in self.space.items():
            if name not in before or before[name] is not value:
                # an import inside a function binds a submodule in its package: not the step's doing
                if isinstance(value, ModuleType) and name not in before:
                    continue
                if _is_reserved(name):
                    continue
                return name
        return next((name for name in before if name not in self.space and not _is_reserved(name)), "")


def _is_reserved(name: str) -> bool:
    """Python's own (`__warningregistry__`), and an enum's (`_value2member_map_`, which grows by use)."""
    return name.startswith("__") or (name.startswith("_") and name.endswith("_"))


class _Own(NamedTuple):
    """A function of a module, or of a class in it: by what name, and wrapped in what (a cache, a step)."""

    name: str
    function: Any  # a FunctionType
    around: Any


class _Globals:
    """The globals of one module."""

    def __init__(self, module: ModuleType, is_own: Callable[[str], bool]) -> None:
        self.module = module
        space = vars(module)
        classes = dict(_classes(space, module.__name__))
        self.spaces = [_Names(space), *[_Names(vars(kind), f"{name}.") for name, kind in classes.items()]]
        owns = list(_functions(self.spaces, module.__name__))
        cached = [own for own in owns if type(own.around) is _CACHED]
        self.caches = [own.around for own in cached if not _size(own.around)]
        self.owns = [(own, _rewritable(own.function)) for own in owns]
        self.bare: list[FunctionType] = []  # functions without attributes: nearly all
        self.cells = [
            Cell(own.name, own.around, _misses, _misses(own.around)) for own in cached if _size(own.around)
        ]
        for names in self.spaces:
            for name, value in names.space.items():
                if not _is_reserved(name):
                    self.cells += found(names.prefix + name, value, is_own)
        for own in owns:
            if own.function.__dict__:
                self.cells += found(own.name, own.function.__dict__, is_own)
            else:
                self.bare.append(own.function)
            self.cells += chain.from_iterable(found(*kept, is_own) for kept in _kept(own))

    def changed(self, *, rewritten: bool) -> str:
        """The first name that changed, or nothing; what functions do only where some was `rewritten`."""
        for names in self.spaces:
            if which := names.changed():
                return which
        if any(map(_attributes, self.bare)):
            return next(f"{f.__qualname__}.{name}" for f in self.bare for name in f.__dict__)
        for cell in self.cells:
            if cell.look(cell.value) != cell.before:
                return cell.name
        return self._rewritten() if rewritten else ""

    def _rewritten(self) -> str:
        for own, before in self.owns:
            for name, now, was in zip(hooks.REWRITES, _rewritable(own.function), before, strict=True):
                if now is not was:
                    return f"{own.name}.{name}"
        return ""


def _classes(space: Mapping[str, Any], module: str, prefix: str = "") -> Iterator[tuple[str, type]]:
    """The classes that a module defines, and those inside of them, by name."""
    for name, value in space.items():
        if isinstance(value, type) and value.__module__ == module and not name.startswith("__"):
            yield prefix + name, value
            if value.__qualname__ == prefix + name:  # not again for a second name, nor for itself
                yield from _classes(vars(value), module, f"{prefix}{name}.")


def _functions(spaces: list[_Names], module: str) -> Iterator[_Own]:
    """The functions that a module defines, those that decorators wrap included."""
    seen: set[int] = set()
    for names in spaces:
        for name, value in names.space.items():
            for own in _unwrapped(names.prefix + name, value):
                if own.function.__module__ == module and id(own.around) not in seen:
                    seen.add(id(own.around))
                    yield own


def _unwrapped(name: str, value: Any) -> Iterator[_Own]:
    """The functions in a value: in methods, in steps, and in what decorators that tell (`__wrapped__`) made of them."""
    for _ in range(DEEPEST):
        inside = _vars(value)
        inner = inside.get("__wrapped__", inside.get("function"))
        if isinstance(value, staticmethod | classmethod):
            inner = value.__func__
        elif isinstance(value, property):
            inner = value.fget
        elif type(value) is FunctionType:
            yield _Own(name, value, value)
        elif type(value) is _CACHED and type(inner) is FunctionType:
            yield _Own(name, inner, value)
        value = inner


def _vars(value: Any) -> Mapping[str, Any]:
    """The attributes of an object; none of one that has none, or of a class or module."""
    if isinstance(value, type | ModuleType):
        return {}
    inside = getattr(value, "__dict__", None)
    return inside if isinstance(inside, dict) else {}


def _kept(own: _Own) -> Iterator[tuple[str, Any]]:
    """What a function keeps from one call to the next: its defaults, and variables of the function around it."""
    function = own.function
    code = function.__code__
    defaults = function.__defaults__ or ()
    names = code.co_varnames[code.co_argcount - len(defaults) : code.co_argcount]
    by_name = function.__kwdefaults__ or {}
    for name, value in (*zip(names, defaults, strict=True), *by_name.items()):
        yield f"{own.name}({name}=)", value
    if by_name:
        yield f"{own.name}.__kwdefaults__", by_name
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        yield f"{own.name} ({name})", cell


def _size(cached: Any) -> int:
    """How many results a cache has."""
    return cached.cache_info().currsize  # type: ignore[no-any-return]


def _misses(cached: Any) -> int:
    """How often a cache was added to."""
    return cached.cache_info().misses  # type: ignore[no-any-return]
