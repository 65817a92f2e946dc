"""One definition that a result may depend on: its text, its digest, and what it reaches.

A `Node` is made once per project and shared by all steps that reach it. Its canonical text is
digested when it is first asked for; once more where docstrings or annotations are seen to be
read at run time (`__doc__`, `get_type_hints`).
"""

from __future__ import annotations

import ast
import copy

from stepwell.author.fingerprint.canonical import canonical
from stepwell.author.fingerprint.modules import Module, spans
from stepwell.author.fingerprint.resolve import WHOLE, Key, Reach, Resolver
from stepwell.author.fingerprint.scopes import FUNCTIONS, Import, Reading, Use, read, root_chain
from stepwell.kernel.identity import digest
from stepwell.named import NamedTuple

__all__ = ["Definition", "Node", "signature"]

_COMPUTED = ("import_module with a computed name", "__import__ with a computed name")


class Definition(NamedTuple):
    """One definition that a step's result depends on."""

    name: str
    """Qualified with its module, for people: `helpers.fit`, `pipeline.OFFSET`."""
    digest: str
    """Of its canonical text."""
    source: str
    """Its text as written, dedented, with decorators; for diffs."""
    file: str
    """Relative to the project's root, with `/`; absolute where it lies outside."""
    line: int
    spans: tuple[tuple[int, int], ...] = ()
    """The lines that it stands on, first and last of each statement, as far as they count."""


class Node:
    """A definition in the making; everything is worked out when first asked for."""

    __slots__ = (
        "_definitions",
        "_reach",
        "_reading",
        "key",
        "label",
        "module",
        "note",
        "resolver",
        "statements",
    )

    def __init__(
        self,
        resolver: Resolver,
        key: Key,
        label: str,
        module: Module,
        statements: list[ast.stmt],
        note: str = "",
    ) -> None:
        self.resolver = resolver
        self.key = key
        self.label = label
        self.module = module
        self.statements = statements
        self.note = note
        """Text that counts with the statements; the digest of a compiled file, say."""
        self._reading: Reading | None = None
        self._reach: Reach | None = None
        self._definitions: dict[tuple[bool, bool, str], Definition] = {}

    @property
    def reading(self) -> Reading:
        """The names that the definition uses."""
        if self._reading is None:
            rules = self.resolver.rules(self.module)
            self._reading = read(
                self._counted(), self.module.absolute, rules.strip, walrus=self.module.walrus
            )
        return self._reading

    @property
    def reach(self) -> Reach:
        """What the definition reaches directly."""
        if self._reach is None:
            reading, module = self.reading, self.module
            reach = self._reach = self.resolver.reach(module, reading.uses)
            self.resolver.loaded(reading.imports, reach)
            for package in reading.packages:
                self.resolver.reach(module, [Use(("__path__",), Import(package))], into=reach)
            for why in sorted(reading.blind):
                reach.keys.add(Key(module.name, WHOLE))
                reach.notes.add(f"{module.name}: {why}; the whole module counts")
            if self.key.name == WHOLE and any(why in _COMPUTED for why in reading.blind):
                self.resolver.named(module, reach)
            if self.key.name == WHOLE:
                exported = [Use((), i) for names in module.imports.values() for i in names if i.name]
                self.resolver.reach(module, exported, into=reach)
                self.resolver.reach(module, [Use((), Import(s.module)) for s in module.stars], into=reach)
        return self._reach

    def definition(
        self, *, docstrings: bool = False, annotations: bool = False, more: str = ""
    ) -> Definition:
        """The finished definition; `more` is text that counts for one step only (its signature)."""
        asked = (docstrings, annotations, more)
        made = self._definitions.get(asked)
        if made is None:
            rules = self.resolver.rules(self.module, docstrings=docstrings, annotations=annotations)
            text = "\n".join((self.label, self.note, canonical(self._counted(), rules), more))
            made = self._definitions[asked] = Definition(
                self.label, digest(text), self.source, self.module.file, self.line, self.spans
            )
        return made

    @property
    def source(self) -> str:
        """The statements as written."""
        if self.key.name == WHOLE:
            return "\n".join(self.module.lines)
        return "\n".join(self.module.source(s) for s in self.statements)

    @property
    def line(self) -> int:
        """Where the first statement begins."""
        if not self.statements:
            return 1
        first = self.statements[0]
        return min([first.lineno, *(d.lineno for d in getattr(first, "decorator_list", []))])

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """The lines that the statements stand on, first and last."""
        if self.key.name == WHOLE:
            return ((1, len(self.module.lines)),)
        return tuple(span for statement in self.statements for span in spans(statement))

    def _counted(self) -> list[ast.stmt]:
        """The statements as they count: imports absolute, `train = step(fit, cpus=2)` without its options."""
        return [self._plain(s) for s in self.statements]

    def _plain(self, statement: ast.stmt) -> ast.stmt:
        if isinstance(statement, ast.ImportFrom):
            names = [ast.alias(a.name, a.asname if a.asname != a.name else None) for a in statement.names]
            return ast.ImportFrom(module=self.module.absolute(statement), names=names, level=0)
        if isinstance(statement, ast.Import):
            return ast.Import(names=[_top_alias(a) for a in statement.names])
        value = statement.value if isinstance(statement, ast.Assign) else None
        if isinstance(statement, ast.Assign) and isinstance(value, ast.Call):
            chain = root_chain(value.func)
            text = self.resolver.origin(self.module, chain)[0] if chain else ""
            if text in ("stepwell.step", "stepwell.pipeline") or text.startswith("stepwell.ml."):
                bare = ast.Call(func=value.func, args=value.args, keywords=[])
                return ast.Assign(targets=statement.targets, value=bare)
        return statement


def _top_alias(alias: ast.alias) -> ast.alias:
    """`import a.b` binds `a`, and so does `import a.c`."""
    return alias if alias.asname else ast.alias(alias.name.split(".", 1)[0], None)


def signature(resolver: Resolver, node: Node, path: list[str]) -> tuple[str, Reach]:
    """The annotations of a step's own inputs and outputs: canonical text with names resolved, and their reach.

    `path` leads from the definition's statements to the function: its name, or class and method.
    """
    function = _function(node.statements, path)
    if function is None:
        return "", Reach()
    spec = function.args
    args = [*spec.posonlyargs, *spec.args, spec.vararg, *spec.kwonlyargs, spec.kwarg]
    found = [a.annotation for a in args if a is not None and a.annotation is not None]
    found += [function.returns] if function.returns is not None else []
    names = [a.arg for a in args if a is not None and a.annotation is not None]
    names += ["return"] if function.returns is not None else []
    rules = resolver.rules(node.module)
    parsed = [_Resolved(resolver, node.module).visit(_copied(a)) for a in found]
    lines = [f"{name}: {canonical([a], rules)}" for name, a in zip(names, parsed, strict=True)]
    wrapped = [
        ast.AnnAssign(target=ast.Name("_", ast.Store()), annotation=a, value=None, simple=1) for a in found
    ]
    uses = read(wrapped, node.module.absolute, rules.strip).uses
    reach = resolver.reach(node.module, uses)  # also what is found only below TYPE_CHECKING
    resolver.reach(node.module, [Use(u.chain, u.origin) for u in uses], into=reach)
    reach.keys = {key for key in reach.keys if not resolver.is_import(key)}  # resolved in the text
    return "\n".join(lines), reach


def _copied(annotation: ast.expr) -> ast.expr:
    """A copy that may be changed; what has no parts is replaced and never changed."""
    return annotation if isinstance(annotation, (ast.Name, ast.Constant)) else copy.deepcopy(annotation)


def _function(statements: list[ast.stmt], path: list[str]) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    found: ast.stmt | None = None
    body = statements
    for name in path:
        found = None
        direct = [s for s in body if getattr(s, "name", None) == name]
        for node in direct or ast.walk(ast.Module(body=list(body), type_ignores=[])):
            if isinstance(node, (*FUNCTIONS, ast.ClassDef)) and node.name == name:
                found = node
        if found is None:
            return None
        body = found.body if isinstance(found, (*FUNCTIONS, ast.ClassDef)) else []
    return found if isinstance(found, FUNCTIONS) else None


class _Resolved(ast.NodeTransformer):
    """Replaces the names in an annotation by what they stand for: `pd.DataFrame` by `pandas.DataFrame`."""

    def __init__(self, resolver: Resolver, module: Module) -> None:
        self.resolver = resolver
        self.module = module

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(self.resolver.origin(self.module, (node.id,))[0], ast.Load())

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        at: ast.expr = node
        while isinstance(at, ast.Attribute):
            at = at.value
        if isinstance(at, ast.Name):
            return ast.Name(self.resolver.origin(self.module, root_chain(node))[0], ast.Load())
        return self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        if root_chain(node.value)[-1:] == ("Literal",):
            node.value = self.visit(node.value)
            return node
        return self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, str):
            try:
                return self.visit(ast.parse(node.value.strip(), mode="eval").body)
            except (SyntaxError, ValueError):
                return node
        return node
