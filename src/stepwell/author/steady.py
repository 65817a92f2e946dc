"""Whether a pipeline's body gives the same graph whenever the same code meets the same inputs.

What a trace reads is observed, and the parameters are known; what cannot be observed is a clock and
chance: `date.today()` makes another graph tomorrow, and nothing says so. So the code that a trace
executes is looked through for names of that kind. The code of steps does not count, workers run it.
Names are all that is looked at: `day.today` of the user's own counts too. What libraries do cannot be seen
through: a body that calls one is not steady. What modules call while they are imported is taken to be,
except for names of that kind.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dis import get_instructions
from types import CodeType, FunctionType, ModuleType
from typing import Any

UNSTEADY = frozenset(
    ["now", "today", "utcnow", "time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "process_time", "localtime", "gmtime", "ctime", "strftime", "random", "randint", "randrange", "getrandbits", "choice", "choices", "shuffle", "uniform", "gauss", "default_rng", "SystemRandom", "uuid1", "uuid4", "urandom", "token_hex", "token_bytes", "token_urlsafe", "getpid", "gethostname"]
)  # fmt: skip
"""Names of functions that give something else each time, and of modules that hold them."""

_LOADS = frozenset(("LOAD_NAME", "LOAD_GLOBAL", "LOAD_ATTR", "LOAD_METHOD"))
_OWN_SCOPE = 0x3
"""Flags of a function's code (optimised, new locals); that of a class body, which runs at once, has none."""

_AT_ONCE = frozenset(("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>", "<lambda>"))


def unsteady(pipeline: Any, modules: Mapping[str, ModuleType], codes: Mapping[str, CodeType]) -> str:
    """The name that makes a trace unsteady, as "now (pipeline.py:12)"; "" where none does.

    `modules` are the first-party modules that are loaded, `codes` their compiled code by file.
    """
    walk = _Walk(set(codes), {name.partition(".")[0] for name in modules})
    for module in modules.values():
        code = codes.get(getattr(module, "__file__", None) or "")
        if code is not None:
            walk.add(code, vars(module))
    walk.follow([pipeline])
    return walk.first()


class _Walk:
    """The code that is executed, each piece once, with the names that it sees."""

    def __init__(self, files: set[str], own: set[str]) -> None:
        self._files = files
        self._known = {*sys.stdlib_module_names, *own, "stepwell", "builtins", "__main__"}
        self._todo: list[tuple[CodeType, Mapping[str, Any]]] = []
        self._seen: set[int] = set()
        self._followed: set[int] = set()

    def add(self, code: CodeType, scope: Mapping[str, Any]) -> None:
        """Look at a piece of code whose global names are in `scope`."""
        if id(code) not in self._seen:
            self._seen.add(id(code))
            self._todo.append((code, scope))

    def follow(self, values: Iterable[Any]) -> None:
        """Look at what may be called through these values, as far as it is the project's own and no step."""
        for value in values:
            if id(value) in self._followed:
                continue
            self._followed.add(id(value))
            role = getattr(type(value), "__stepwell__", "")
            if role == "step":
                continue
            found = getattr(value, "function", value) if role else value
            found = getattr(found, "__wrapped__", found)
            if isinstance(found, FunctionType) and found.__code__.co_filename in self._files:
                self.add(found.__code__, found.__globals__)
            elif isinstance(found, type):
                self.follow(part for part in list(vars(found).values()) if isinstance(part, FunctionType))

    def first(self) -> str:
        """The first name of those that give something else each time."""
        while self._todo:
            code, scope = self._todo.pop()
            is_function = bool(code.co_flags & _OWN_SCOPE)
            for part in code.co_consts:
                if isinstance(part, CodeType) and (
                    is_function or not part.co_flags & _OWN_SCOPE or part.co_name in _AT_ONCE
                ):
                    self.add(part, scope)
            if not UNSTEADY.isdisjoint(code.co_names) and (found := _named(code, scope)):
                return found
            reached = list(_reached(code, scope))
            for value in reached if is_function else ():
                if library := self._library(value):
                    return f"{getattr(value, '__name__', value)} of {library}"
            self.follow(reached)
        return ""

    def _library(self, value: Any) -> str:
        """The library that a function or class is of; "" for Python's own, Stepwell's and the project's."""
        if not callable(value) or getattr(type(value), "__stepwell__", ""):
            return ""
        top = (getattr(value, "__module__", None) or "").partition(".")[0]
        return "" if not top or top in self._known else top


def _named(code: CodeType, scope: Mapping[str, Any]) -> str:
    line = code.co_firstlineno
    for one in get_instructions(code):
        line = one.starts_line or line
        if one.opname in _LOADS and one.argval in UNSTEADY:
            if one.opname in ("LOAD_NAME", "LOAD_GLOBAL"):
                held = scope.get(one.argval)
                own = held is not None and (
                    getattr(type(held), "__stepwell__", "") or isinstance(held, ModuleType)
                )
                if own:  # a step of that name; or a module, of which a name is taken
                    continue
            return f"{one.argval} ({code.co_filename.rpartition('/')[2]}:{line})"
    return ""


def _reached(code: CodeType, scope: Mapping[str, Any]) -> Iterator[Any]:
    """What the names that a piece of code uses mean: values of its module, and of the modules that it names."""
    names: Iterable[str] = code.co_names
    if not code.co_flags & _OWN_SCOPE:  # a module or class also defines names, which is no use of them
        names = {str(one.argval) for one in get_instructions(code) if one.opname in _LOADS}
    held = [scope[name] for name in names if name in scope]
    yield from held
    for module in held:
        if isinstance(module, ModuleType):
            yield from (vars(module)[name] for name in names if name in vars(module))
