"""The names that a piece of code uses from outside itself, read off its syntax tree.

`read(statements)` gives a `Reading`: the attribute chains that start at a name of the module
(`helpers.fit`), the imports made inside functions, what is changed in place (`CFG["a"] = 1`),
and the places that cannot be seen through (`eval`). Names that functions, comprehensions and
lambdas bind for themselves are not among them; a name that a class body binds may still be the
module's, so it is. Nothing is resolved here: what a chain stands for is for `closure` to say.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator

from stepwell.named import NamedTuple

__all__ = [
    "COMPUTED",
    "FUNCTIONS",
    "Import",
    "Reading",
    "Use",
    "bound_names",
    "imports_of",
    "loaded_by",
    "own_statements",
    "read",
    "root_chain",
]

COMPUTED = "*"
"""The last link of a chain whose attribute has a computed name: `getattr(helpers, name)`."""

MUTATORS = frozenset(
    [
        "add",
        "append",
        "appendleft",
        "clear",
        "discard",
        "extend",
        "extendleft",
        "insert",
        "pop",
        "popitem",
        "popleft",
        "put",
        "register",
        "remove",
        "reverse",
        "rotate",
        "set",
        "setdefault",
        "sort",
        "update",
    ]
)
REFLECTIVE = frozenset(
    [
        "__doc__",
        "getdoc",
        "__annotations__",
        "get_type_hints",
        "get_annotations",
        "return_annotation",
        "__subclasses__",
    ]
)
"""Words that make docstrings, annotations or subclasses count for the code that holds them."""

_BLIND = frozenset({"eval", "exec", "globals", "__import__"})
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_SILENT = frozenset({ast.Lambda, ast.Constant, ast.Pass, ast.Load, ast.Store})
_UNBINDING = frozenset(
    {ast.Call, ast.Dict, ast.Set, ast.BinOp, ast.BoolOp, ast.Compare, ast.UnaryOp, ast.JoinedStr, ast.IfExp}
    | {ast.Expr, ast.Return, ast.Await, ast.Yield, ast.YieldFrom, ast.Attribute, ast.Subscript, ast.Raise}
    | set(_COMPREHENSIONS)
)
"""What binds no name but by `:=`; the targets in comprehensions are their own."""
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Import(NamedTuple):
    """One name of one import statement, made absolute: `from module import name`, or the module."""

    module: str
    name: str | None = None
    guarded: bool = False
    """Inside a `try`: the module may be missing."""


class Use(NamedTuple):
    """A chain of names. `origin` is set where an import inside a function starts it."""

    chain: tuple[str, ...]
    origin: Import | None = None
    annotation: bool = False


class Reading:
    """What a piece of code takes from its surroundings."""

    __slots__ = (
        "bare",
        "blind",
        "calls",
        "changes",
        "imports",
        "mutates",
        "packages",
        "runs",
        "uses",
        "words",
    )

    def __init__(self) -> None:
        self.uses: set[Use] = set()
        self.changes: set[tuple[Use, int]] = set()
        """What is changed in place, with how deep in functions that happens (1: in the outermost one)."""
        self.calls: set[tuple[Use, int]] = set()
        self.bare: set[tuple[Use, int]] = set()
        """Calls whose result is not used: they are there for what they do."""
        self.imports: set[Import] = set()
        self.packages: set[str] = set()
        """Packages of which any module may be imported: `import_module(f"plugins.{name}")`."""
        self.blind: set[str] = set()
        self.words: set[str] = set()
        self.mutates: set[int] = set()
        """How deep in functions a parameter of that function is changed in place."""
        self.runs: set[int] = set()
        """How deep in functions a parameter of that function is called."""


Absolute = Callable[[ast.ImportFrom], str]


def read(
    statements: Iterable[ast.AST],
    absolute: Absolute,
    strip: Callable[[ast.expr], bool],
    *,
    walrus: bool = True,
) -> Reading:
    """Read some statements.

    `absolute` gives an import's module, `strip` says which decorators to skip, and `walrus` whether
    there may be a `:=` in the code.
    """
    return _Reader(absolute, strip, walrus=walrus).read(statements)


def root_chain(node: ast.AST) -> tuple[str, ...]:
    """The names from the root of an expression on: `a.b["c"].d()` -> (a, b); nothing if the root is no name."""
    names: list[str] = []
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Attribute):
            names.append(node.attr)
            node = node.value
        elif isinstance(node, ast.Subscript):
            names.clear()
            node = node.value
        elif isinstance(node, ast.Call):
            names.clear()
            node = node.func
        elif isinstance(node, (ast.Await, ast.Starred)):
            node = node.value
        else:
            return ()
    return (node.id, *reversed(names))


def imports_of(
    node: ast.Import | ast.ImportFrom, absolute: Absolute, *, guarded: bool = False
) -> Iterator[tuple[str, Import]]:
    """(name that is bound, what it stands for) of an import statement; `*` for a star."""
    if isinstance(node, ast.ImportFrom):
        module = absolute(node)
        for alias in node.names:
            yield alias.asname or alias.name, Import(module, alias.name, guarded)
    else:
        for alias in node.names:
            top = alias.name.split(".", 1)[0]
            yield alias.asname or top, Import(alias.name if alias.asname else top, None, guarded)


def loaded_by(
    node: ast.Import | ast.ImportFrom, absolute: Absolute, *, guarded: bool = False
) -> Iterator[Import]:
    """What an import statement loads: `import a.b` loads a.b, though it binds a."""
    if isinstance(node, ast.ImportFrom):
        module = absolute(node)
        yield from (Import(module, alias.name, guarded) for alias in node.names)
    else:
        yield from (Import(alias.name, None, guarded) for alias in node.names)


def bound_names(statements: Iterable[ast.AST], *, walrus: bool = True) -> set[str]:
    """The names that statements bind in their own scope, those of `global` and `nonlocal` too.

    With `walrus` false, expressions are not searched for `:=`.
    """
    names: set[str] = set()
    todo: list[tuple[ast.AST, bool]] = [(s, False) for s in statements]
    while todo:
        node, inner = todo.pop()
        kind = type(node)
        if kind is ast.Name:
            if not inner and type(node.ctx) is not ast.Load:  # type: ignore[attr-defined]
                names.add(node.id)  # type: ignore[attr-defined]
        elif isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            names.add(node.name)
            todo.extend((d, inner) for d in node.decorator_list)
        elif kind in _SILENT or (not walrus and kind in _UNBINDING):
            continue
        elif isinstance(node, ast.NamedExpr) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
            todo.append((node.value, inner))
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names.update(a.asname or a.name.split(".", 1)[0] for a in node.names)
        else:
            names.update(_other_names(node))
            comprehension = inner or kind in _COMPREHENSIONS
            todo.extend((child, comprehension) for child in ast.iter_child_nodes(node))
    return names


def _other_names(node: ast.AST) -> Iterator[str]:
    """Names that are bound by plain text in a node: `except E as name`, `case [*name]`."""
    if isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name:
        yield node.name
    elif isinstance(node, ast.MatchMapping) and node.rest:
        yield node.rest


class _Scope(NamedTuple):
    """One nested scope; the module is no scope (None)."""

    parent: _Scope | None
    is_class: bool
    bound: set[str]
    imports: dict[str, list[Import]]
    outside: set[str]  # declared global
    depth: int  # how many functions deep
    parameters: frozenset[str] = frozenset()


class _Reader:
    """One walk over some code, with a stack of its own (deep expressions are no problem)."""

    def __init__(self, absolute: Absolute, strip: Callable[[ast.expr], bool], *, walrus: bool) -> None:
        self.absolute = absolute
        self.walrus = walrus
        self.strip = strip
        self.found = Reading()
        self.todo: list[tuple[ast.AST, _Scope | None, bool]] = []
        self.guarded: set[int] = set()  # import statements inside a `try`, by id

    def read(self, statements: Iterable[ast.AST]) -> Reading:
        self.todo.extend((s, None, False) for s in statements)
        while self.todo:
            node, scope, annotation = self.todo.pop()
            visit = _VISITS.get(type(node))
            if visit is None:
                self.push(ast.iter_child_nodes(node), scope, annotation)
            else:
                visit(self, node, scope, annotation)
        return self.found

    def push(self, nodes: Iterable[ast.AST | None], scope: _Scope | None, annotation: bool = False) -> None:
        self.todo.extend((node, scope, annotation) for node in nodes if node is not None)

    # ------------------------------------------------------------------ names

    def lookup(self, chain: tuple[str, ...], scope: _Scope | None, annotation: bool = False) -> list[Use]:
        """What a chain that is used in a scope may stand for outside the code; nothing if it is local."""
        name, at = chain[0], scope
        while at is not None:
            if name in at.outside:
                break
            if name in at.bound and (not at.is_class or at is scope):
                if name in at.imports:
                    return [Use(chain[1:], imported, annotation) for imported in at.imports[name]]
                if not at.is_class:
                    return []
            at = at.parent
        return [Use(chain, None, annotation)]

    def name(self, node: ast.Name, scope: _Scope | None, annotation: bool) -> None:
        if node.id in REFLECTIVE:
            self.found.words.add(node.id)
        if isinstance(node.ctx, ast.Load):
            self.found.uses.update(self.lookup((node.id,), scope, annotation))
        elif scope is not None and node.id in scope.outside:
            self.found.uses.add(Use((node.id,)))
            self.found.changes.add((Use((node.id,)), scope.depth))

    def attribute(self, node: ast.Attribute, scope: _Scope | None, annotation: bool) -> None:
        names: list[str] = []
        at: ast.expr = node
        while isinstance(at, ast.Attribute):
            names.append(at.attr)
            at = at.value
        self.found.words.update(REFLECTIVE.intersection(names))
        if not isinstance(node.ctx, ast.Load):
            self.change(node, scope)
        if isinstance(at, ast.Name):
            chain = (at.id, *reversed(names))
            self.found.uses.update(self.lookup(chain, scope, annotation))
            if chain[:2] == ("sys", "modules"):
                self.found.blind.add("sys.modules")
        else:
            self.push([at], scope, annotation)

    def subscript(self, node: ast.Subscript, scope: _Scope | None, annotation: bool) -> None:
        if not isinstance(node.ctx, ast.Load):
            self.change(node, scope)
        value, index = node.value, node.slice
        if isinstance(value, ast.Call) and _is_call_of(value, "globals") and isinstance(index, ast.Constant):
            self.found.uses.add(Use((str(index.value),)))  # globals()["name"]
            return
        if annotation and root_chain(value)[-1:] == ("Literal",):
            annotation = False  # its texts are no names
        self.push([value, index], scope, annotation)

    def change(self, node: ast.expr, scope: _Scope | None) -> None:
        chain = root_chain(node)
        if chain:
            depth = scope.depth if scope else 0
            uses = self.lookup(chain, scope)
            self.found.changes.update((use, depth) for use in uses)
            if not uses:
                self.local(chain, scope, self.found.mutates)

    def local(self, chain: tuple[str, ...], scope: _Scope | None, into: set[int]) -> None:
        """Note the depth of the function whose parameter a chain starts at."""
        at = scope
        while at is not None:
            if chain[0] in at.bound and not at.is_class:
                if chain[0] in at.parameters and scope is not None and scope.depth == at.depth:
                    into.add(at.depth)
                return
            at = at.parent

    def constant(self, node: ast.Constant, scope: _Scope | None, annotation: bool) -> None:
        if annotation and isinstance(node.value, str):
            try:
                self.push([ast.parse(node.value.strip(), mode="eval").body], scope, True)
            except (SyntaxError, ValueError, RecursionError):
                return  # a text that is no type means nothing

    # ------------------------------------------------------------------ calls

    def call(self, node: ast.Call, scope: _Scope | None, annotation: bool) -> None:
        chain = root_chain(node.func)
        if chain:
            uses = self.lookup(chain, scope)
            depth = scope.depth if scope else 0
            self.found.calls.update((use, depth) for use in uses)
            if isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS:
                self.change(node.func.value, scope)
            plain = _plain_chain(node.func)
            if uses and plain and self.special(node, plain, scope):
                return
            if plain and not uses:
                self.local(plain, scope, self.found.runs)
        self.push([node.func, *node.args, *node.keywords], scope, annotation)

    def special(self, node: ast.Call, chain: tuple[str, ...], scope: _Scope | None) -> bool:
        """Calls that reach code by a text; True where nothing more is to be read in them."""
        last, first = chain[-1], (node.args[0] if node.args else None)
        if last in ("import_module", "__import__"):
            self.dynamic_import(node, last)
        elif len(chain) > 1:
            return False
        elif last in ("getattr", "hasattr", "setattr", "delattr") and len(node.args) > 1:
            base = _plain_chain(node.args[0])
            if base:
                name = node.args[1]
                link = (
                    name.value if isinstance(name, ast.Constant) and isinstance(name.value, str) else COMPUTED
                )
                self.found.uses.update(self.lookup((*base, link), scope))
                self.found.words.update(REFLECTIVE.intersection([link]))
                if last in ("setattr", "delattr"):
                    self.found.changes.update(
                        (use, scope.depth if scope else 0) for use in self.lookup((*base, link), scope)
                    )
                self.push(node.args[1:], scope)
                self.push(node.keywords, scope)
                return True
        elif last in _BLIND:
            self.found.blind.add(last)
        elif last == "vars" and first is None and scope is None:
            self.found.blind.add("vars")
        return False

    def dynamic_import(self, node: ast.Call, how: str) -> None:
        named = {k.arg: k.value for k in node.keywords}
        first = node.args[0] if node.args else named.get("name")
        package = node.args[1] if len(node.args) > 1 else named.get("package")
        prefix, whole = _text_prefix(first) if first is not None else ("", False)
        if how == "import_module" and package is not None and not prefix:
            self.found.packages.add(self.package(package))
            self.found.blind.add(f"{how} with a computed name")
            return
        if prefix.startswith("."):
            level = len(prefix) - len(prefix.lstrip("."))
            base = self.package(package).split(".")
            prefix = f"{'.'.join(base[: len(base) - level + 1])}.{prefix[level:]}"
        if whole and prefix:
            self.found.uses.add(Use((), Import(prefix)))
        elif "." in prefix:
            self.found.packages.add(prefix.rpartition(".")[0])
        else:
            self.found.blind.add(f"{how} with a computed name")

    def package(self, anchor: ast.expr | None) -> str:
        """The package that a relative import by text starts from: as given, or this module's own."""
        if isinstance(anchor, ast.Constant) and isinstance(anchor.value, str):
            return anchor.value
        return self.absolute(ast.ImportFrom(module=None, names=[], level=1))

    # ------------------------------------------------------------------ statements and scopes

    def expression(self, node: ast.Expr, scope: _Scope | None, annotation: bool) -> None:
        """A bare call such as `REG.append(f)` is there for what it changes."""
        call = node.value.value if isinstance(node.value, ast.Await) else node.value
        if isinstance(call, ast.Call):
            depth = scope.depth if scope else 0
            chain = root_chain(call.func)
            if chain:
                self.found.bare.update((use, depth) for use in self.lookup(chain, scope))
            if isinstance(call.func, ast.Attribute):
                self.change(call.func.value, scope)
        self.push([node.value], scope)

    def annotated(self, node: ast.AnnAssign, scope: _Scope | None, annotation: bool) -> None:
        self.push([node.annotation], scope, True)
        self.push([node.target, node.value], scope)

    def imported(self, node: ast.Import | ast.ImportFrom, scope: _Scope | None, annotation: bool) -> None:
        if scope is not None:  # those of the module are in its index
            self.found.imports.update(loaded_by(node, self.absolute, guarded=id(node) in self.guarded))

    def function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: _Scope | None, _: bool) -> None:
        self.push((d for d in node.decorator_list if not self.strip(d)), scope)
        self.push([node.returns], scope, True)
        self.parameters(node.args, scope)
        self.push(node.body, self.inner(node.args, node.body, scope))

    def lambda_(self, node: ast.Lambda, scope: _Scope | None, _: bool) -> None:
        self.parameters(node.args, scope)
        self.push([node.body], self.inner(node.args, [node.body], scope))

    def parameters(self, args: ast.arguments, scope: _Scope | None) -> None:
        self.push([*args.defaults, *args.kw_defaults], scope)
        self.push((a.annotation for a in _all_args(args)), scope, True)

    def inner(
        self, args: ast.arguments, body: list[ast.stmt] | list[ast.expr], scope: _Scope | None
    ) -> _Scope:
        made = self.scope(body, scope, is_class=False)
        parameters = frozenset(a.arg for a in _all_args(args))
        return made._replace(parameters=parameters, bound=made.bound | parameters)

    def class_(self, node: ast.ClassDef, scope: _Scope | None, _: bool) -> None:
        self.push((d for d in node.decorator_list if not self.strip(d)), scope)
        self.push([*node.bases, *node.keywords], scope)
        self.push(node.body, self.scope(node.body, scope, is_class=True))

    def comprehension(self, node: ast.ListComp, scope: _Scope | None, annotation: bool) -> None:
        """Its targets are its own; its first iterable belongs to the scope outside."""
        depth = scope.depth if scope else 0
        made = _Scope(scope, False, bound_names(g.target for g in node.generators), {}, set(), depth)
        self.push([node.generators[0].iter], scope)
        self.push((g.iter for g in node.generators[1:]), made)
        self.push((test for g in node.generators for test in g.ifs), made)
        self.push((g.target for g in node.generators), made)
        parts = [getattr(node, name, None) for name in ("elt", "key", "value")]
        self.push(parts, made)

    def scope(self, body: Iterable[ast.AST], parent: _Scope | None, *, is_class: bool) -> _Scope:
        body = list(body)
        outside: set[str] = set()
        nonlocals: set[str] = set()
        imports: dict[str, list[Import]] = {}
        for node in own_statements(body):
            if isinstance(node, ast.Global):
                outside.update(node.names)
            elif isinstance(node, ast.Nonlocal):
                nonlocals.update(node.names)
            elif isinstance(node, (ast.Try, ast.TryStar)):
                self.guarded.update(map(id, own_statements(node.body)))
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                for name, imported in imports_of(node, self.absolute, guarded=id(node) in self.guarded):
                    imports.setdefault(name, []).append(imported)
        bound = bound_names(body, walrus=self.walrus) - outside - nonlocals
        depth = (parent.depth if parent else 0) + (not is_class)
        return _Scope(parent, is_class, bound, imports, outside, depth)


def own_statements(body: Iterable[ast.AST]) -> Iterator[ast.stmt]:
    """Every statement of a scope, those in blocks too, without those of nested scopes."""
    todo = [node for node in body if isinstance(node, ast.stmt)]
    while todo:
        node = todo.pop()
        yield node
        if not isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.stmt):
                    todo.append(child)
                elif isinstance(child, (ast.ExceptHandler, ast.match_case)):
                    todo.extend(child.body)


def _all_args(args: ast.arguments) -> Iterator[ast.arg]:
    yield from (*args.posonlyargs, *args.args, *args.kwonlyargs)
    yield from (a for a in (args.vararg, args.kwarg) if a is not None)


def _plain_chain(node: ast.expr) -> tuple[str, ...]:
    """`a.b.c` as (a, b, c); nothing for anything else."""
    at: ast.expr = node
    while isinstance(at, ast.Attribute):
        at = at.value
    return root_chain(node) if isinstance(at, ast.Name) else ()


def _is_call_of(node: ast.Call, name: str) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id == name


def _text_prefix(node: ast.expr) -> tuple[str, bool]:
    """The constant text that an expression begins with, and whether that is all of it."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value, True
    if isinstance(node, ast.JoinedStr) and node.values:
        return _text_prefix(node.values[0])[0], False
    if isinstance(node, ast.BinOp):
        return _text_prefix(node.left)[0], False
    return "", False


_VISITS: dict[type[ast.AST], Callable[..., None]] = {
    ast.Name: _Reader.name,
    ast.Attribute: _Reader.attribute,
    ast.Subscript: _Reader.subscript,
    ast.Constant: _Reader.constant,
    ast.Call: _Reader.call,
    ast.Expr: _Reader.expression,
    ast.AnnAssign: _Reader.annotated,
    ast.Import: _Reader.imported,
    ast.ImportFrom: _Reader.imported,
    ast.FunctionDef: _Reader.function,
    ast.AsyncFunctionDef: _Reader.function,
    ast.Lambda: _Reader.lambda_,
    ast.ClassDef: _Reader.class_,
    **dict.fromkeys(_COMPREHENSIONS, _Reader.comprehension),
}
