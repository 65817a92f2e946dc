"""Whether a pipeline's body gives the same graph whenever the same code meets the same inputs.

What a trace reads of files, folders and variables is observed, and the parameters are known; what
cannot be observed is a clock, chance, a reader that is not Python's, and what else a machine can be asked: `date.today()`
makes another graph tomorrow, a time stamp of a file another one after a copy, and nothing says so. So the code that
is executed until there is a graph is looked through, and where that does not show that it is steady, it is not:

- **A function that a trace calls** may use what is the project's own and looked through in the same way,
  Stepwell, and of Python's own library what only reckons, or reads what is observed (`RECKONS`, `ALSO`). Anything of
  another library is too much, also an object that one has made.
- **A module**, as it is imported, may call the same, and a library in a statement that keeps nothing
  (`pd.set_option(...)`), for a decorator, or in the body of a class that derives from it (`pa.Field()`).
- No code may use a name that is a clock's or the like (`UNSTEADY`), whatever it is the name of: `day.today` of the
  user's own counts too.

The code of steps does not count, workers run it.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dis import get_instructions
from functools import cached_property, partial
from io import IOBase
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

UNSTEADY = frozenset(
    ["now", "today", "utcnow", "time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "process_time", "localtime", "gmtime", "ctime", "strftime", "random", "randint", "randrange", "getrandbits", "choice", "choices", "samples", "shuffle", "uniform", "gauss", "default_rng", "SystemRandom", "uuid1", "uuid4", "urandom", "token_hex", "token_bytes", "token_urlsafe", "getpid", "getppid", "getpgid", "gethostname", "uname", "getloadavg", "getrusage", "getrlimit", "umask", "nice", "getpriority", "cpu_count", "sched_getaffinity", "process_cpu_count", "get_terminal_size", "disk_usage", "statvfs", "stat", "lstat", "fstat", "st_mode", "st_mtime", "st_mtime_ns", "st_ctime", "st_ctime_ns", "st_atime", "st_ino", "getmtime", "getctime", "getatime", "access", "is_mount", "ismount", "samefile", "owner", "stdin", "__stdin__", "fileinput", "methodcaller", "attrgetter"]
)  # fmt: skip
"""Names of what gives something else each time, or on each machine, tells of files what is not observed, or takes a name from a text;
and of modules that hold such."""

RECKONS = frozenset(
    ["_abc", "_ast", "_bisect", "_collections", "_collections_abc", "_csv", "_datetime", "_decimal", "_functools", "_heapq", "_io", "_json", "_operator", "_pydecimal", "_pydatetime", "_statistics", "_struct", "abc", "ast", "base64", "binascii", "bisect", "calendar", "cmath", "collections", "configparser", "contextlib", "copy", "csv", "dataclasses", "datetime", "decimal", "difflib", "enum", "fnmatch", "fractions", "functools", "genericpath", "graphlib", "hashlib", "heapq", "html", "io", "ipaddress", "itertools", "json", "keyword", "math", "ntpath", "numbers", "operator", "posixpath", "pprint", "re", "sre_compile", "sre_parse", "statistics", "string", "struct", "textwrap", "tomllib", "types", "typing", "unicodedata", "xml", "zlib", "zoneinfo", "glob", "pathlib", "_hashlib", "_blake2", "_sre"]
)  # fmt: skip
"""Modules of Python that only reckon with what they are given, or read files in a way that is observed."""

ALSO: Mapping[str, frozenset[str]] = {
    "os": frozenset(("getenv", "fspath", "walk", "fsencode", "fsdecode", "_Environ")),
    "posix": frozenset(("getcwd", "listdir", "scandir", "fspath")),
    "logging": frozenset(("getLogger",)),
    "warnings": frozenset(("filterwarnings", "simplefilter")),
    "_warnings": frozenset(("filterwarnings", "simplefilter")),
    "numpy": frozenset(
        ("array", "arange", "linspace", "logspace", "geomspace", "zeros", "ones", "full", "ndarray")
    ),
}
"""What else may be used, by module."""

SPEAKS = frozenset(
    ["print", "input", "breakpoint", "exec", "eval", "compile", "__import__", "id", "hash", "getattr", "vars", "globals", "locals"]
)  # fmt: skip
"""Builtins that a body may not call: what they say would be missing, what they do cannot be seen through."""

_LOADS = frozenset(("LOAD_NAME", "LOAD_GLOBAL", "LOAD_ATTR", "LOAD_METHOD"))


def unsteady(pipeline: Any, modules: Mapping[str, ModuleType], codes: Mapping[str, bytes]) -> str:
    """What makes a trace unsteady, as "now (pipeline.py:12)" or "read_csv of polars"; "" where nothing does.

    `modules` are the first-party modules that are loaded, `codes` their source by file.
    """
    walk = _Walk(set(codes), {name.partition(".")[0] for name in modules})
    for module in modules.values():
        source = codes.get(getattr(module, "__file__", None) or "")
        if source is not None:
            walk.import_(module, source)
    walk.follow([pipeline])
    return walk.first()


class _Walk:
    """The code that is executed, each piece once, with the names that it sees."""

    def __init__(self, files: set[str], own: set[str]) -> None:
        self._files, self._own = files, own
        self._known = {*RECKONS, *own, "stepwell", "__main__"}
        self._todo: list[tuple[CodeType, Mapping[str, Any]]] = []
        self._seen: set[int] = set()
        self._met: set[int] = set()
        self._kept: list[Any] = []
        """What was met, so that no other value gets its place in memory."""
        self._found = ""

    def import_(self, module: ModuleType, source: bytes) -> None:
        """Look at what importing a module executes: names that are no use at all, and what it calls."""
        tree, scope, file = ast.parse(source), vars(module), (module.__file__ or "").rpartition("/")[2]
        for node in executed(tree.body):
            if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
                name = node.id if isinstance(node, ast.Name) else node.attr
                if name in UNSTEADY and not _is_own(scope.get(name)):
                    self._found = self._found or f"{name} ({file}:{node.lineno})"
        for call in calls(tree.body):
            allowed = {_top(value) for base in call.bases for value in _meant(base, scope)}
            for value in _meant(call.node.func, scope):
                top = self._library(value).partition(".")[0]
                passes = top in allowed or (not call.is_kept and top not in sys.stdlib_module_names)
                if not isinstance(value, ModuleType) and not (top and passes):
                    self.follow([value])

    def follow(self, values: Iterable[Any]) -> None:
        """Look at what may be called through these values, as far as it is the project's own and no step."""
        for value in values:
            if id(value) in self._met or self._found:
                continue
            self._met.add(id(value))
            self._kept.append(value)
            if isinstance(value, IOBase):  # who has read what of it by then?
                self._found = "an open file"
            role = getattr(type(value), "__stepwell__", "")
            if not role and (library := self._library(value)):
                self._found = f"{getattr(value, '__name__', type(value).__name__)} of {library}"
            if role == "step":
                continue
            found = getattr(value, "function", value) if role else value
            self.follow(self._inside(found))
            if isinstance(found, FunctionType) and found.__code__.co_filename in self._files:
                self._add(found.__code__, found.__globals__)

    def first(self) -> str:
        """The first thing that may give something else each time."""
        while self._todo and not self._found:
            code, scope = self._todo.pop()
            for part in code.co_consts:
                if isinstance(part, CodeType):
                    self._add(part, scope)
            if not UNSTEADY.isdisjoint(code.co_names) and (found := _named(code, scope)):
                return found
            if spoken := SPEAKS.intersection(code.co_names).difference(scope):
                return f"{min(spoken)} of builtins"
            if foreign := [name for name in _imported(code) if name.partition(".")[0] not in self._known]:
                return f"import of {foreign[0]}"
            self.follow(_reached(code, scope))
        return self._found

    def _add(self, code: CodeType, scope: Mapping[str, Any]) -> None:
        if id(code) not in self._seen:
            self._seen.add(id(code))
            self._todo.append((code, scope))

    def _library(self, value: Any) -> str:
        """Where a value is from whose use cannot be seen through: what a function or class is of, or the class of another value."""
        named = not isinstance(value, type) and hasattr(value, "__name__") and hasattr(value, "__module__")
        origins: Iterable[Any] = (
            (value,) if named else (value if isinstance(value, type) else type(value)).__mro__
        )
        for one in origins:
            module, name = getattr(one, "__module__", None) or "", getattr(one, "__name__", "")
            top = module.partition(".")[0]
            if top in ALSO:
                if name not in ALSO[top]:
                    return top
            elif top.startswith("namedtuple_"):  # what `NamedTuple` has made for a class
                continue
            elif top and top not in self._known and (top != "builtins" or name in SPEAKS):
                return module
            if named and name in UNSTEADY and top not in self._own:
                return module
        return ""

    def _inside(self, value: Any) -> Iterator[Any]:
        """What using a value may call: the function below a wrapper, what it has bound, the methods of a class of the project."""
        if not isinstance(value, type) and hasattr(value, "__wrapped__"):
            yield value.__wrapped__
        if isinstance(value, FunctionType):
            cells = [cell.cell_contents for cell in value.__closure__ or () if cell != _EMPTY]
            if value.__code__.co_filename in self._files:
                yield from (*cells, *(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values())
            else:  # a library has put it around what is perhaps the project's own
                yield from (each for each in cells if isinstance(each, FunctionType))
        elif isinstance(value, partial):
            yield from (value.func, *value.args, *value.keywords.values())
        elif isinstance(value, property):
            yield from (each for each in (value.fget, value.fset) if each is not None)
        elif isinstance(value, classmethod | staticmethod | MethodType):
            yield value.__func__
        elif isinstance(value, cached_property):
            yield value.func
        elif isinstance(value, type):
            own = (base for base in value.__mro__ if base.__module__.partition(".")[0] in self._own)
            parts = [pair for base in own for pair in list(vars(base).items())]
            yield from (
                part for name, part in parts if isinstance(part, _CALLED) or not name.startswith("__")
            )
        elif type(value).__module__.partition(".")[0] in self._own:
            yield type(value)
        elif isinstance(value, dict):
            yield from list(value.values())[:_MANY]
        elif isinstance(value, list | tuple | set | frozenset):
            yield from list(value)[:_MANY]


_MANY = 1000
"""Items of a container that are looked at."""

_EMPTY = CellType()

_CALLED = (FunctionType, classmethod, staticmethod, property)


# --------------------------------------------------------------------------- modules


def executed(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """The nodes that importing executes: not the bodies of functions, nor annotations."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            defaults = [*node.args.defaults, *[each for each in node.args.kw_defaults if each is not None]]
            yield from executed([*getattr(node, "decorator_list", ()), *defaults])
        elif isinstance(node, ast.AnnAssign):
            yield from executed([node.target, *([node.value] if node.value is not None else [])])
        else:
            yield node
            yield from executed(ast.iter_child_nodes(node))


class Called(NamedTuple):
    """A call that importing executes. `is_kept`: what it gives is used; `bases` are those of the class around it."""

    node: ast.Call
    is_kept: bool = True
    bases: Sequence[ast.expr] = ()


def calls(body: Iterable[ast.AST], bases: Sequence[ast.expr] = (), *, kept: bool = True) -> Iterator[Called]:
    """The calls that importing executes, but for those of decorators."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from calls(
                [*node.args.defaults, *[each for each in node.args.kw_defaults if each is not None]]
            )
        elif isinstance(node, ast.ClassDef):
            yield from calls(node.body, node.bases)
        elif isinstance(node, ast.AnnAssign):
            yield from calls([] if node.value is None else [node.value], bases)
        elif isinstance(node, ast.Expr):
            yield from calls([node.value], bases, kept=False)
        else:
            if isinstance(node, ast.Call):
                yield Called(node, kept, bases)
            yield from calls(ast.iter_child_nodes(node), bases)


def _meant(node: ast.AST, scope: Mapping[str, Any]) -> Iterator[Any]:
    """What an expression begins with means when the module is imported: its first name, and what is reached from there by dots."""
    names: list[str] = []
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Attribute):
            names.append(node.attr)
            node = node.value
        elif isinstance(node, ast.Call | ast.Subscript):
            names.clear()
            node = node.func if isinstance(node, ast.Call) else node.value
        else:
            return
    value = scope.get(node.id, getattr(builtins, node.id, None))
    yield value
    while names and isinstance(value, ModuleType | type):
        value = vars(value).get(names.pop())
        yield value


def _top(value: Any) -> str:
    return (getattr(value, "__module__", None) or "").partition(".")[0]


def _is_own(value: Any) -> bool:
    """A step of that name; or a module, of which a name is taken."""
    return bool(getattr(type(value), "__stepwell__", "")) or isinstance(value, ModuleType)


# --------------------------------------------------------------------------- functions


def _imported(code: CodeType) -> Iterator[str]:
    """The modules that a function imports when it is called."""
    for one in get_instructions(code):
        if one.opname == "IMPORT_NAME":
            yield str(one.argval)


def _named(code: CodeType, scope: Mapping[str, Any]) -> str:
    """The first name in a function that is no use at all, with its place; "" for none."""
    for one in get_instructions(code):
        if one.opname in _LOADS and one.argval in UNSTEADY:
            if one.opname in ("LOAD_NAME", "LOAD_GLOBAL") and _is_own(scope.get(one.argval)):
                continue
            line = one.positions.lineno if one.positions is not None else None
            return f"{one.argval} ({code.co_filename.rpartition('/')[2]}:{line or code.co_firstlineno})"
    return ""


def _reached(code: CodeType, scope: Mapping[str, Any]) -> Iterator[Any]:
    """What the names that a piece of code loads mean: values of its module, and of the modules that it names."""
    held: Any = None
    for one in get_instructions(code):
        if one.opname == "EXTENDED_ARG":
            continue
        name = one.argval
        if isinstance(held, ModuleType):
            if one.opname in ("LOAD_ATTR", "LOAD_METHOD"):
                held = vars(held).get(name)
                yield held
                continue
            yield from (
                vars(held)[each] for each in code.co_names if each in vars(held)
            )  # under another name
        held = scope.get(name) if one.opname in ("LOAD_NAME", "LOAD_GLOBAL") else None
        if held is not None:
            yield held
