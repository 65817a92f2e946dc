"""One first-party module, parsed once: which top-level statements bind, change or import which names.

`Module` holds facts about one file and knows no other module: the names that each statement binds
(all branches of `if` and `try` united), what it changes in place when it is imported
(`CFG["a"] = 1`, `@f.register`), the imports, and the source text of each statement. A compound
statement is cut down to what concerns one name (`part`), so that unrelated names that share an
`if` do not share their identity. `if __name__ == "__main__":` never runs in a step and is left
out; the body of `if TYPE_CHECKING:` is there for annotations only.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from importlib.util import decode_source
from typing import Any

from stepwell.author.fingerprint.scopes import (
    FUNCTIONS,
    MUTATORS,
    Import,
    bound_names,
    imports_of,
    loaded_by,
    own_statements,
    root_chain,
)
from stepwell.errors import CannotImport

__all__ = ["Module", "aliases", "changed_chains", "part", "run_expressions", "spans"]

_BRANCHES = ("body", "orelse", "finalbody")
_CUT = (ast.If, ast.Try, ast.TryStar, ast.With, ast.AsyncWith)


class Module:
    """The index of one file."""

    def __init__(self, name: str, file: str, *, is_package: bool, data: bytes) -> None:
        self.name = name
        self.file = file
        self.package = name if is_package else name.rpartition(".")[0]
        tree = _parsed(data, file)
        self.docstring = ast.get_docstring(tree, clean=False)
        self.lines = decode_source(data).split("\n")
        self.walrus = b":=" in data
        self.globals = b"global" in data
        self.top: list[ast.stmt] = []
        self.binds: dict[str, list[int]] = {}
        """Name -> the top-level statements that bind it, in order."""
        self.changed: dict[str, list[int]] = {}
        """Root name -> the top-level statements that change it in place."""
        self.changes: list[tuple[int, tuple[str, ...]]] = []
        """The same as chains: `helpers.CFG["a"] = 1` in another module changes (helpers, CFG)."""
        self.imports: dict[str, list[Import]] = {}
        self.typing_imports: dict[str, list[Import]] = {}
        self.stars: list[Import] = []
        self.star_at: list[tuple[int, Import]] = []
        """The same with the index of the top-level statement that each is in."""
        self.loads: set[Import] = set()
        """Everything that importing this module imports."""
        self._kinds: dict[str, str] = {}
        self._statements: dict[tuple[str, bool], list[ast.stmt]] = {}
        self.add(tree.body)

    def add(self, statements: Iterable[ast.stmt]) -> None:
        """Index top-level statements."""
        for statement in statements:
            if isinstance(statement, ast.If) and _is_main_guard(statement.test):
                self.add(statement.orelse)
            elif isinstance(statement, ast.If) and _is_typing_guard(statement.test):
                self.add_typing(statement.body)
                self.add(statement.orelse)
            else:
                index = len(self.top)
                self.top.append(statement)
                for name in sorted(self.bound(statement)):
                    self.binds.setdefault(name, []).append(index)
                for chain in dict.fromkeys(changed_chains(statement)):
                    self.changed.setdefault(chain[0], []).append(index)
                    self.changes.append((index, chain))
                self.add_imports(statement, guarded=False)
                known = len(self.star_at)
                self.star_at.extend((index, star) for star in self.stars[known:])

    def add_imports(self, statement: ast.stmt, *, guarded: bool) -> None:
        """Index the import statements in a top-level statement."""
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            self.loads.update(loaded_by(statement, self.absolute, guarded=guarded))
            for name, imported in imports_of(statement, self.absolute, guarded=guarded):
                if name == "*":
                    self.stars.append(imported)
                else:
                    self.imports.setdefault(name, []).append(imported)
        elif not isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
            inside = guarded or isinstance(statement, (ast.Try, ast.TryStar))
            for child in _children(statement):
                self.add_imports(child, guarded=inside)

    def add_typing(self, statements: Iterable[ast.stmt]) -> None:
        """Index the imports below `if TYPE_CHECKING:`."""
        for statement in own_statements(statements):
            if isinstance(statement, (ast.Import, ast.ImportFrom)):
                for name, imported in imports_of(statement, self.absolute, guarded=True):
                    self.typing_imports.setdefault(name, []).append(imported)

    def bound(self, statement: ast.stmt) -> set[str]:
        """The names that a top-level statement binds."""
        if isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
            return {statement.name}
        if isinstance(statement, (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr)) and not self.walrus:
            if isinstance(statement, ast.AnnAssign) and statement.value is None:
                return set()
            return bound_names(_targets(statement))
        return bound_names([statement]) - {"*"}

    def absolute(self, node: ast.ImportFrom) -> str:
        """The module of a `from … import`, made absolute."""
        if not node.level:
            return node.module or ""
        parts = self.package.split(".") if self.package else []
        base = parts[: len(parts) - node.level + 1]
        return ".".join([*base, *([node.module] if node.module else [])])

    @cached_property
    def listed(self) -> frozenset[str] | None:
        """The names in `__all__`, where it is one plain list; None where it is absent or computed."""
        statements = self.statements("__all__")
        value = (
            statements[0].value
            if statements and isinstance(statements[0], (ast.Assign, ast.AnnAssign))
            else None
        )
        if len(statements) != 1 or not isinstance(value, (ast.List, ast.Tuple)):
            return None
        names = [e.value for e in value.elts if isinstance(e, ast.Constant) and isinstance(e.value, str)]
        return frozenset(names) if len(names) == len(value.elts) else None

    @cached_property
    def late(self) -> dict[str, list[int]]:
        """Names that only a `global` statement in a function binds -> those functions."""
        found: dict[str, list[int]] = {}
        for index, statement in enumerate(self.top if self.globals else ()):
            for node in ast.walk(statement):
                if isinstance(node, ast.Global):
                    for name in node.names:
                        if name not in self.binds and index not in found.setdefault(name, []):
                            found[name].append(index)
        return found

    def has(self, name: str) -> bool:
        """Whether a statement of this module binds the name (star imports aside)."""
        return name in self.binds or name in self.late

    def kind(self, name: str) -> str:
        """`class`, `function`, `import` or `data`: what a name of this module is, as far as can be seen."""
        if name not in self._kinds:
            self._kinds[name] = self._kind(name)
        return self._kinds[name]

    def _kind(self, name: str) -> str:
        kinds = {_kind(s, name) for s in self.statements(name, changes=False)}
        for kind in ("class", "function", "data"):
            if kind in kinds:
                return kind
        return "import"

    def statements(self, name: str, *, changes: bool = True) -> list[ast.stmt]:
        """The top-level statements that bind (or change) a name, cut down to it, in order."""
        asked = (name, changes)
        if asked not in self._statements:
            self._statements[asked] = self._cut(name, changes=changes)
        return self._statements[asked]

    def _cut(self, name: str, *, changes: bool) -> list[ast.stmt]:
        indexes = set(self.binds.get(name) or self.late.get(name) or ())
        if name in self.late:
            return [self.top[i] for i in sorted(indexes)]
        changes = changes and not (name in self.imports and self.kind(name) == "import")
        if changes:  # of what another module binds, they are told where that is bound
            indexes.update(self.changed.get(name, ()))

        def wanted(leaf: ast.stmt) -> ast.stmt | None:
            if isinstance(leaf, (ast.Import, ast.ImportFrom)):
                return _one_import(leaf, name)
            if name in self.bound(leaf):
                return leaf
            return leaf if changes and any(c[0] == name for c in changed_chains(leaf)) else None

        parts = (part(self.top[i], wanted) for i in sorted(indexes))
        return [p for p in parts if p is not None]

    def source(self, statement: ast.stmt) -> str:
        """The text of a statement as it was written, decorators included, dedented."""
        import textwrap

        if not hasattr(statement, "end_lineno") or getattr(statement, "cut", False):
            return ast.unparse(ast.fix_missing_locations(statement))
        decorators = getattr(statement, "decorator_list", [])
        first = min([statement.lineno, *(d.lineno for d in decorators)])
        last = statement.end_lineno or first
        lines = self.lines[first - 1 : last]
        after = lines[-1].encode()[statement.end_col_offset or 0 :].decode()
        if ";" in after:
            lines[-1] = lines[-1].encode()[: statement.end_col_offset].decode()
        if first == statement.lineno:
            before = lines[0].encode()[: statement.col_offset].decode()
            if before.strip():
                lines[0] = lines[0][len(before) :]
        return textwrap.dedent("\n".join(line.rstrip("\r") for line in lines)).rstrip()


def part(statement: ast.stmt, wanted: Callable[[ast.stmt], ast.stmt | None]) -> ast.stmt | None:
    """What remains of a statement when only wanted leaves are kept: headers, leaves, and every `raise`.

    `if`, `try` and `with` are cut; loops and `match` are leaves. The statement itself where all is kept.
    What may raise stays in a `try` with handlers and in a `with` (`suppress`): it decides what comes after.
    """
    if not isinstance(statement, _CUT):
        return wanted(statement)
    header = _header(statement)
    found = header is not None and wanted(header) is not None
    whole = True

    guarded = _may_catch(statement)

    def kept(body: list[ast.stmt], *, caught: bool = False) -> list[ast.stmt]:
        nonlocal found, whole
        out: list[ast.stmt] = []
        for child in body:
            piece = child if isinstance(child, (ast.Raise, ast.Assert, ast.Pass)) else part(child, wanted)
            found = found or (piece is not None and not isinstance(child, (ast.Raise, ast.Assert, ast.Pass)))
            if piece is None and caught and _may_raise(child):
                piece = child
            if piece is not None:
                out.append(piece)
            whole = whole and piece is child
        return out

    fields = {
        name: kept(getattr(statement, name), caught=guarded and name == "body")
        for name in _BRANCHES
        if hasattr(statement, name)
    }
    handlers = [
        ast.ExceptHandler(type=h.type, name=h.name, body=kept(h.body))
        for h in getattr(statement, "handlers", [])
    ]
    if not found:
        return None
    return statement if whole else _rebuilt(statement, fields, handlers)


def _may_catch(statement: ast.stmt) -> bool:
    """Whether an exception in the body of a compound statement may end there."""
    if isinstance(statement, (ast.With, ast.AsyncWith)):
        return any(root_chain(item.context_expr) != ("open",) for item in statement.items)
    return bool(getattr(statement, "handlers", ()))


def _may_raise(statement: ast.stmt) -> bool:
    """Whether a statement may raise; definitions, and constants that get a name, do not."""
    if isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
        return bool(statement.decorator_list)
    if isinstance(statement, (ast.Assign, ast.AnnAssign)):
        plain = (ast.Constant, ast.Name, ast.Tuple, ast.List, ast.Dict, ast.Lambda, ast.UnaryOp, ast.USub)
        kept = (*plain, ast.Load, ast.Store)
        return not all(isinstance(n, kept) for n in (*_targets(statement), *run_expressions(statement)))
    return not isinstance(statement, (ast.Pass, ast.Global))


def spans(statement: ast.stmt) -> Iterator[tuple[int, int]]:
    """The lines of a file, first and last, that a statement stands on; of a cut one those that were kept."""
    if isinstance(statement, ast.Pass):
        return  # it may stand for something left out
    decorators = getattr(statement, "decorator_list", [])
    first = min([statement.lineno, *(d.lineno for d in decorators)])
    if not getattr(statement, "cut", False) or not isinstance(statement, _CUT):
        yield first, statement.end_lineno or first
        return
    heads = [n for n in ast.iter_child_nodes(statement) if isinstance(n, (ast.expr, ast.withitem))]
    ends = [n.end_lineno for head in heads for n in ast.walk(head) if isinstance(n, ast.expr)]
    yield first, max([first, *(end for end in ends if end is not None)])
    for child in _children(statement):
        yield from spans(child)


def _header(statement: ast.stmt) -> ast.stmt | None:
    """The head of a compound statement as a statement of its own, where it may bind names."""
    if isinstance(statement, (ast.With, ast.AsyncWith)):
        bare = type(statement)(items=statement.items, body=[ast.copy_location(ast.Pass(), statement)])
        return ast.copy_location(bare, statement)
    if isinstance(statement, ast.If) and any(
        isinstance(n, (ast.NamedExpr, ast.Call)) for n in ast.walk(statement.test)
    ):
        return ast.copy_location(ast.Assert(statement.test), statement)
    return None


def _rebuilt(
    statement: ast.stmt, fields: dict[str, list[ast.stmt]], handlers: list[ast.ExceptHandler]
) -> ast.stmt:
    for holder in (fields, *(h.__dict__ for h in handlers)):
        if not holder["body"]:
            holder["body"] = [ast.Pass()]
    values = {name: fields.get(name, getattr(statement, name, None)) for name in statement._fields}
    if handlers:
        values["handlers"] = handlers
    fields_given: dict[str, Any] = {name: value for name, value in values.items() if value is not None}
    made = type(statement)(**fields_given)
    made.cut = True  # type: ignore[attr-defined]
    return ast.copy_location(made, statement)


def changed_chains(statement: ast.stmt) -> Iterator[tuple[str, ...]]:
    """The chains that a statement changes in place while its module is imported."""
    if isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
        for decorator in statement.decorator_list:
            target = decorator.func if isinstance(decorator, ast.Call) else decorator
            if isinstance(target, ast.Attribute):
                yield from _nonempty(root_chain(target.value))
        return
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        yield from _nonempty(_changed_by_call(statement.value))
    elif isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name):
        yield (statement.target.id,)  # in place, where the object can be: `MODELS |= {...}`
    for node in run_expressions(statement):
        if isinstance(node, (ast.Attribute, ast.Subscript)) and not isinstance(node.ctx, ast.Load):
            yield from _nonempty(root_chain(node))
        elif (
            isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS
        ):
            yield from _nonempty(root_chain(node.func.value))
    for child in _children(statement):
        yield from changed_chains(child)


def run_expressions(statement: ast.stmt) -> Iterator[ast.AST]:
    """Every expression that runs with a statement: not those of statements or functions inside it.

    Of a definition its decorators and defaults, of a class its bases.
    """
    todo: list[ast.AST] = []
    if isinstance(statement, FUNCTIONS):
        spec = statement.args
        todo += [*statement.decorator_list, *spec.defaults, *(d for d in spec.kw_defaults if d)]
    elif isinstance(statement, ast.ClassDef):
        todo += [*statement.decorator_list, *statement.bases, *statement.keywords]
    else:
        todo += ast.iter_child_nodes(statement)
    while todo:
        node = todo.pop()
        kind = type(node)
        if kind is ast.Constant or kind is ast.Name or isinstance(node, ast.stmt):
            continue
        if isinstance(node, (ast.ExceptHandler, ast.match_case)):
            todo.extend(c for c in ast.iter_child_nodes(node) if not isinstance(c, ast.stmt))
            continue
        yield node
        if kind is ast.Lambda:
            continue
        todo.extend(ast.iter_child_nodes(node))


def _changed_by_call(call: ast.Call) -> tuple[str, ...]:
    function = call.func
    if isinstance(function, ast.Attribute):
        return root_chain(function.value)
    if isinstance(function, ast.Call):
        return root_chain(function)
    if isinstance(function, ast.Name) and function.id in ("setattr", "delattr") and len(call.args) > 1:
        name = call.args[1]
        chain = root_chain(call.args[0])
        return (
            (*chain, name.value) if isinstance(name, ast.Constant) and isinstance(name.value, str) else chain
        )
    return ()


def _nonempty(chain: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if chain:
        yield chain


def aliases(statement: ast.stmt, name: str) -> Iterator[tuple[str, ...]]:
    """What a name is another name of by a statement: `A = B.c`, `A, x = B, 1`, `A = other = []`."""
    if not isinstance(statement, ast.Assign):
        return
    for target in statement.targets:
        if isinstance(target, ast.Name) and target.id == name:
            others = [
                t for t in statement.targets if isinstance(t, (ast.Name, ast.Attribute)) and t is not target
            ]
            for node in (statement.value, *others):
                if isinstance(node, (ast.Name, ast.Attribute)):
                    yield from _nonempty(root_chain(node))
        elif isinstance(target, (ast.Tuple, ast.List)) and isinstance(statement.value, (ast.Tuple, ast.List)):
            for left, right in zip(target.elts, statement.value.elts, strict=False):
                if (
                    isinstance(left, ast.Name)
                    and left.id == name
                    and isinstance(right, (ast.Name, ast.Attribute))
                ):
                    yield from _nonempty(root_chain(right))


def _targets(statement: ast.stmt) -> list[ast.expr]:
    if isinstance(statement, (ast.Assign, ast.Delete)):
        return statement.targets
    return [statement.target] if isinstance(statement, (ast.AugAssign, ast.AnnAssign)) else []


def _children(statement: ast.stmt) -> Iterator[ast.stmt]:
    """The statements directly inside a compound one."""
    for node in ast.iter_child_nodes(statement):
        if isinstance(node, ast.stmt):
            yield node
        elif isinstance(node, (ast.ExceptHandler, ast.match_case)):
            yield from node.body


def _kind(statement: ast.stmt, name: str) -> str:
    leaves = [s for s in own_statements([statement]) if not isinstance(s, _CUT)]
    for leaf in leaves:
        if isinstance(leaf, ast.ClassDef) and leaf.name == name:
            return "class"
        if isinstance(leaf, FUNCTIONS) and leaf.name == name:
            return "function"
    return (
        "import"
        if all(isinstance(s, (ast.Import, ast.ImportFrom, ast.Raise, ast.Pass)) for s in leaves)
        else "data"
    )


def _one_import(node: ast.Import | ast.ImportFrom, name: str) -> ast.stmt | None:
    """The import statement with only the alias that binds the name."""
    aliases = [a for a in node.names if (a.asname or a.name.split(".", 1)[0]) == name]
    if not aliases or len(aliases) == len(node.names):
        return node if aliases else None
    if isinstance(node, ast.Import):
        made: ast.Import | ast.ImportFrom = ast.Import(names=aliases)
    else:
        made = ast.ImportFrom(module=node.module, names=aliases, level=node.level)
    made.cut = True  # type: ignore[union-attr]
    return ast.copy_location(made, node)


def _is_main_guard(test: ast.expr) -> bool:
    """Whether it is `__name__ == "__main__"`."""
    if not isinstance(test, ast.Compare) or not isinstance(test.ops[0], ast.Eq):
        return False
    sides = [test.left, *test.comparators]
    return any(isinstance(s, ast.Name) and s.id == "__name__" for s in sides) and any(
        isinstance(s, ast.Constant) and s.value == "__main__" for s in sides
    )


def _is_typing_guard(test: ast.expr) -> bool:
    return root_chain(test)[-1:] == ("TYPE_CHECKING",)


def _parsed(data: bytes, file: str) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of invalid escapes: Python says it when the module is loaded
            return ast.parse(data, file)
    except SyntaxError as error:
        where = f"{file}:{error.lineno}" if error.lineno else file
        raise CannotImport(
            f"`{file}` is not valid Python: {error.msg}",
            why="a step's code is read before anything runs, with every module that it reaches",
            fixes=[f"correct {where}"],
            where=where,
        ) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise CannotImport(
            f"`{file}` cannot be parsed: {error}", fixes=[f"correct {file}"], where=file
        ) from error
