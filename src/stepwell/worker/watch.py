"""Notices when a step changes a global of the project's modules, which the next step in the process would see.

Of each first-party module, when it has been imported: which object each name is bound to, and a
small fingerprint of the lists, dicts, sets, generators of random numbers and first-party instances among them. After a task, both
are compared: some 20 ns a name and 1 µs a container. What is inside arrays, tables, caches of
`functools` and objects of libraries is not looked into.
"""

from __future__ import annotations

import marshal
import random
import sys
from collections.abc import Callable
from operator import is_
from types import ModuleType
from typing import Any

LARGEST = 1000
"""Elements of a container that are looked at; a larger one is known by its length and its ends."""

_CONTAINERS = (list, dict, set, bytearray)


class Watch:
    """The globals of first-party modules as they were."""

    def __init__(self, is_own: Callable[[str], bool]) -> None:
        self._is_own = is_own
        self._modules: dict[str, _Globals] = {}

    def meet(self, module: ModuleType) -> None:
        """A first-party module was imported: from now on its globals are watched."""
        self._modules[module.__name__] = _Globals(module, self._is_own)

    def settle(self) -> None:
        """Take all globals as they are now: after imports, which may fill the tables of other modules."""
        for name in [name for name, seen in self._modules.items() if seen.changed()]:
            self._modules[name] = _Globals(self._modules[name].module, self._is_own)

    def changed(self) -> list[str]:
        """The globals that are no longer what they were, as `module.name`."""
        return [f"{name}.{of}" for name, seen in self._modules.items() if (of := seen.changed())]


class _Globals:
    """The globals of one module."""

    def __init__(self, module: ModuleType, is_own: Callable[[str], bool]) -> None:
        self.module = module
        self.space = vars(module)
        self.values = list(self.space.values())
        self.names = list(self.space)
        self.mutable = [
            (name, value, fingerprint(value))
            for name, value in self.space.items()
            if not name.startswith("__") and _can_change(value, is_own)
        ]

    def changed(self) -> str:
        """The first name that changed, or nothing."""
        space, values = self.space, self.values
        if len(space) != len(values) or not all(map(is_, space.values(), values)):
            which = self._which()
            if which:
                return which
            self.values, self.names = list(space.values()), list(space)
        for name, value, before in self.mutable:
            if fingerprint(value) != before:
                return name
        return ""

    def _which(self) -> str:
        before = dict(zip(self.names, self.values, strict=True))
        for name, value in self.space.items():
            if name not in before or before[name] is not value:
                # an import inside a function binds a submodule in its package: not the step's doing
                if isinstance(value, ModuleType) and name not in before:
                    continue
                if name.startswith("__"):  # Python's own: `__warningregistry__`, `__annotations__`
                    continue
                return name
        return next((name for name in before if name not in self.space and not name.startswith("__")), "")


def _can_change(value: Any, is_own: Callable[[str], bool]) -> bool:
    """Whether a value is of a kind that is looked into."""
    kind = type(value)
    if kind in _CONTAINERS or _random_state(value) is not None:
        return True
    if kind.__module__ in ("builtins", "typing") or isinstance(value, type):
        return False
    module = sys.modules.get(kind.__module__)
    return is_own(getattr(module, "__file__", None) or "") and isinstance(
        getattr(value, "__dict__", None), dict
    )


def _random_state(value: Any) -> object:
    """The state of a generator of random numbers (`random.Random`, NumPy's), None for anything else."""
    if isinstance(value, random.Random):
        return value.getstate()
    if type(value).__module__.startswith("numpy.random"):
        if hasattr(value, "bit_generator"):
            return str(value.bit_generator.state)
        if hasattr(value, "get_state"):
            return str(value.get_state())
    return None


def fingerprint(value: Any) -> object:
    """Something small that differs when the content of a value does."""
    if type(value) not in _CONTAINERS:
        state = _random_state(value)
        if state is not None:
            return hash(state)
        value = vars(value)
    if len(value) > LARGEST:
        return len(value)
    try:
        return hash(marshal.dumps(value, 2))
    except ValueError:  # holds more than plain data: its elements by identity
        parts = [*value.keys(), *value.values()] if isinstance(value, dict) else value
        return tuple(map(id, parts))
