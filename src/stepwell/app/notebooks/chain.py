"""Plain cells as a chain of steps: which functions become steps, and what the pipeline's body is.

    table = load("x.csv")              a call of the notebook's own function: `load` becomes a step
    table["hour"] = table.dep // 100   work between two calls: becomes a step of its own, `make_table`
    model = fit(table, depth)          what calls give, and constants, flow to the next call
    share = model.right / len(table)   a value that nothing else uses: a result of the pipeline, `make_share`
    table.head()                       a display: left out, and kept as a comment

What is computed without data, and loops that no call needs, are experiments, and left out too.
A constant that is bound once becomes a parameter of the pipeline. Statements are taken in the order of
the cells, as "restart and run all" would execute them.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from stepwell.app.notebooks.reading import as_written
from stepwell.author.cells import Statement, definitions, statements_of
from stepwell.author.shell import Cell, Kernel

__all__ = ["Chain", "chain_of"]

_FRAMES = {"pandas": "DataFrame", "polars": "DataFrame"}
_NOBODY = Kernel(frozenset(), frozenset())
_READERS = ("read_csv", "read_parquet")
_CALM = (
    "dict",
    "frozenset",
    "list",
    "range",
    "re.compile",
    "set",
    "tuple",
    "Path",
    "pathlib.Path",
    "os.path.join",
)


class Chain(NamedTuple):
    """A proposed pipeline.

    `steps` are functions that become steps, `parts` how many parts the result of one is taken apart into,
    `made` the texts of steps that were made of work between calls, `sources` those of sources. `body` and
    `params` are the pipeline's lines, `left` what is not in it, by cell. `wanted` are the names of the
    notebook that the file must define.
    """

    steps: Sequence[str]
    pipeline: str
    body: Sequence[str]
    left: Sequence[tuple[int, str]]
    params: Sequence[str] = ()
    made: Sequence[str] = ()
    sources: Sequence[str] = ()
    parts: Mapping[str, int] = {}
    wanted: Sequence[str] = ()
    notes: Sequence[str] = ()


@dataclass(eq=False, slots=True)
class _Part:
    """A part of the chain: a "call" of functions, "work" on results, a "plain" constant, the reading of a "source"."""

    kind: str
    statements: list[Statement]
    binds: set[str]
    reads: set[str]
    results: set[str] = field(default_factory=set)
    """Names that it assigns and nothing else uses: what the pipeline gives."""

    @property
    def first(self) -> Statement:
        """Its first statement."""
        return self.statements[0]


@dataclass(slots=True)
class _Found:
    """What the statements of the cells amount to."""

    functions: dict[str, ast.FunctionDef]
    fixed: set[str]
    """Names that functions use as globals: they are made when the file is imported."""
    parts: list[_Part] = field(default_factory=list)
    local: set[str] = field(default_factory=set)
    """Names of the pipeline's body."""
    dropped: set[str] = field(default_factory=set)
    left: list[Statement] = field(default_factory=list)
    definitions: list[Statement] = field(default_factory=list)
    """Imports, functions, and what else the file has where something in it needs it."""
    frames: dict[str, str] = field(default_factory=dict)
    """By name of a module (`pd`), the class of its tables (`pd.DataFrame`)."""


def chain_of(cells: Sequence[Cell], decorated: Sequence[str], name: str) -> Chain:
    """The chain of plain cells; its body is empty where there is none. `decorated` are steps already.

    Raises `NotInACell` where a function that would be a step uses what is no definition.
    """
    found = _read(cells)
    kept = _kept(found)
    if not any(part.kind == "call" for part in kept):
        return Chain(steps=(), pipeline=name, body=(), left=())
    taken = {name for cell in cells for one in statements_of(cell, frozenset()) for name in one.binds}
    writer = _Writer(found, kept, taken)
    body = writer.body()
    steps = [each for each in writer.called if each not in decorated]
    wanted = [*dict.fromkeys([*writer.called, *writer.wanted])]
    left = sorted([*found.left, *_lost(found, cells, wanted)], key=lambda one: (one.cell, one.line))
    return Chain(
        steps, _free(name, taken | {*writer.names}), body,
        [(one.cell, as_written(one.node, one.text)) for one in left],
        writer.params, writer.made, writer.sources,
        {f: n for f, n in writer.apart.items() if found.functions[f].returns is None},
        wanted, writer.notes(),
    )  # fmt: skip


def _lost(found: _Found, cells: Sequence[Cell], wanted: Sequence[str]) -> list[Statement]:
    """The definitions that only what is left out uses. Raises `NotInACell`."""
    there = {(one.cell, one.line, one.text) for one in definitions(cells, wanted, _NOBODY)}
    others = [one for one in found.definitions if (one.cell, one.line, one.text) not in there]
    out: list[Statement] = []
    used: set[str] = set()
    todo = found.left
    while todo:
        nodes = (node for one in todo for node in ast.walk(one.node))
        used |= {node.id for node in nodes if isinstance(node, ast.Name)}
        todo = [one for one in others if one not in out and (one.binds | one.changes) & used]
        out += todo
    return out


# ---------------------------------------------------------------------------- what each statement is


def _read(cells: Sequence[Cell]) -> _Found:
    """Every statement judged, in the order of the cells."""
    every = [one for cell in cells for one in statements_of(cell, frozenset(), all_of_them=True)]
    functions = {
        one.node.name: one.node
        for one in every
        if isinstance(one.node, ast.FunctionDef) and not any(isinstance(n, ast.Yield | ast.YieldFrom) for n in ast.walk(one.node))
    }  # fmt: skip
    called = [name for name in functions if any(_calls(one.node, name) for one in every)]
    fixed = {name for one in definitions(cells, called, _NOBODY) for name in one.binds}
    found = _Found(functions, fixed)
    for one in every:
        _judge(found, one)
    return found


def _calls(node: ast.stmt, name: str) -> bool:
    """Whether a statement at the top calls a function of the notebook."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return False
    calls = (each.func for each in ast.walk(node) if isinstance(each, ast.Call))
    return any(isinstance(function, ast.Name) and function.id == name for function in calls)


def _judge(found: _Found, one: Statement) -> None:
    """Let a statement be a part of the chain, a definition, or left out."""
    node, reads = one.node, {*one.now, *one.later}
    if isinstance(node, ast.Import | ast.ImportFrom):
        found.definitions.append(one)
        for alias in node.names if isinstance(node, ast.Import) else ():
            if alias.name in _FRAMES:
                found.frames[alias.asname or alias.name] = (
                    f"{alias.asname or alias.name}.{_FRAMES[alias.name]}"
                )
        return
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        found.definitions.append(one)
        return
    if isinstance(node, ast.Pass) or (one.binds and one.binds <= found.fixed):
        return
    if one.live or reads & found.dropped or isinstance(node, ast.Delete):
        found.left.append(one)
        found.dropped |= one.binds - found.local if not isinstance(node, ast.Delete) else set()
        return
    kind = _kind(found, one)
    if not kind:
        found.left.append(one)
    elif kind == "definition":
        found.definitions.append(one)
    else:
        reads = (reads | one.changes) & found.local
        binds = {*one.binds, *(one.changes & found.local)}
        found.local |= binds
        found.dropped -= binds
        found.parts.append(_Part(kind, [one], binds, reads))


def _kind(found: _Found, one: Statement) -> str:
    """The kind of a part that a statement is; "definition" for one of the file, "" for a display."""
    node, value = one.node, getattr(one.node, "value", None)
    if isinstance(value, ast.Call) and _is_call(found, value) and _targets(node) is not None:
        is_kept = one.binds or (one.now & found.local and _gives(found.functions[_name(value)]))
        return "call" if is_kept else ""
    if not one.binds and not one.changes & found.local:
        return "definition" if one.changes else ""  # `np.random.seed(1)`
    if isinstance(node, ast.Assign | ast.AnnAssign) and value is not None and not one.now & found.local:
        if _is_constant(value):
            return "plain"
        if _source_of(found, node):
            return "source"
        if not one.changes and _is_calm(value):
            return "definition"
    return "work"


def _is_call(found: _Found, value: ast.expr) -> bool:
    """Whether a call is one of the notebook's functions with arguments that a pipeline's body can hand on."""
    if not isinstance(value, ast.Call) or _name(value) not in found.functions:
        return False
    given = [*value.args, *(word.value for word in value.keywords)]
    if any(isinstance(each, ast.Starred) for each in value.args) or any(
        not word.arg for word in value.keywords
    ):
        return False
    return all(
        (isinstance(each, ast.Name) and each.id not in found.functions)
        or _is_call(found, each)
        or not any(
            isinstance(n, ast.Lambda)
            or (isinstance(n, ast.Name) and n.id in found.local | {*found.functions})
            for n in ast.walk(each)
        )
        for each in given
    )


def _name(value: ast.Call) -> str:
    return value.func.id if isinstance(value.func, ast.Name) else ""


def _gives(function: ast.FunctionDef) -> bool:
    """Whether a function returns something."""
    return any(isinstance(node, ast.Return) and node.value is not None for node in ast.walk(function))


def _targets(node: ast.stmt) -> list[str] | None:
    """The names that an assignment binds, none for an expression; None for what else there is."""
    if isinstance(node, ast.Expr):
        return []
    target = (
        node.targets[0]
        if isinstance(node, ast.Assign) and len(node.targets) == 1
        else getattr(node, "target", None)
    )
    each = target.elts if isinstance(target, ast.Tuple | ast.List) else [target]
    names = [one.id for one in each if isinstance(one, ast.Name)]
    return names if len(names) == len(each) and not isinstance(node, ast.AugAssign) else None


def _is_constant(value: ast.expr) -> bool:
    """Whether an expression is a literal: a number, a text, a list of such."""
    try:
        ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return False
    return True


def _is_calm(value: ast.expr) -> bool:
    """Whether an expression is quick and has no effect: it may be executed when the file is imported."""
    return all(ast.unparse(each.func) in _CALM for each in ast.walk(value) if isinstance(each, ast.Call))


def _source_of(found: _Found, node: ast.stmt) -> str:
    """For `table = pd.read_csv("x.csv")` the arguments of the `source` that gives the same; "" for all else."""
    value, names = getattr(node, "value", None), _targets(node)
    if not isinstance(value, ast.Call) or value.keywords or len(value.args) != 1 or not names:
        return ""
    function, path = value.func, value.args[0]
    if not isinstance(path, ast.Constant) or not isinstance(path.value, str) or len(names) != 1:
        return ""
    if not isinstance(function, ast.Attribute) or function.attr not in _READERS:
        return ""
    frame = found.frames.get(ast.unparse(function.value))
    return f"{path.value!r}, {frame}" if frame else ""


# ---------------------------------------------------------------------------- what is kept


def _kept(found: _Found) -> list[_Part]:
    """The calls, what computes results, and what these need; work that stands together is one part. The others are left."""
    needed: set[str] = set()
    replaced: set[str] = set()
    computed = _computed(found.parts)
    kept: list[_Part] = []
    for part in reversed(found.parts):
        is_used = part.kind == "call" or part.binds & needed
        part.results = set() if is_used or part not in computed else _assigned(part) - replaced
        if not is_used and not part.results:
            found.left += part.statements
            continue
        if part.first.is_sure:
            needed -= part.first.binds
            replaced |= part.first.binds
        needed |= part.reads
        kept.insert(0, part)
    out: list[_Part] = []
    for part in kept:
        before = out[-1] if out else None
        if part.kind == "work" and before is not None and before.kind == "work":
            before.reads |= part.reads - before.binds
            before.binds |= part.binds
            before.results |= part.results
            before.statements += part.statements
        else:
            out.append(part)
    return out


def _computed(parts: Sequence[_Part]) -> list[_Part]:
    """The work on what calls and sources give."""
    data: set[str] = set()
    out = []
    for part in parts:
        if part.kind in ("call", "source") or part.reads & data:
            data |= part.binds
            out += [part] if part.kind == "work" else []
        elif part.first.is_sure:
            data -= part.first.binds
    return out


def _assigned(part: _Part) -> set[str]:
    """The names that an assignment binds, or whose objects it changes; none for other statements, and none that begin with _."""
    one = part.first
    if not isinstance(one.node, ast.Assign | ast.AnnAssign | ast.AugAssign):
        return set()
    return {name for name in one.binds or part.binds if not name.startswith("_")}


# ---------------------------------------------------------------------------- the body


class _Writer:
    """Writes the lines of the pipeline's body, and the steps and sources that it needs."""

    def __init__(self, found: _Found, kept: Sequence[_Part], taken: set[str]) -> None:
        self._found, self._kept = found, kept
        self.names = set(taken)
        self.params: list[str] = []
        self.made: list[str] = []
        self.sources: list[str] = []
        self.called: dict[str, None] = {}
        self.apart: dict[str, int] = {}
        self.wanted: dict[str, None] = {}
        self._made_of: list[str] = []

    def body(self) -> list[str]:
        """The lines."""
        lines: list[str] = []
        bound: dict[str, int] = {}
        for place, part in enumerate(self._kept):
            line, gives = self._line(place, part)
            lines += [line] if line else []
            bound.update(dict.fromkeys(gives, place))
        read_after = [set[str]() for _ in self._kept]
        for place in range(len(self._kept) - 2, -1, -1):
            read_after[place] = read_after[place + 1] | self._kept[place + 1].reads
        last = [name for name, place in bound.items() if name not in read_after[place]]
        last = [name for name in last if not name.startswith("_")] or [*bound][-1:]
        return [*lines, f"return {', '.join(last)}"]

    def _line(self, place: int, part: _Part) -> tuple[str, list[str]]:
        """The line of one part, and the names of results that it binds."""
        one = part.first
        if part.kind == "plain":
            return self._constant(part), []
        if part.kind == "source":
            return self._source(one), [*one.binds]
        if part.kind == "work":
            return self._work(place, part)
        for call in ast.walk(one.node):
            if isinstance(call, ast.Call) and _name(call) in self._found.functions:
                self.called.setdefault(_name(call))
        self._want(one.now)
        targets = _targets(one.node) or []
        if not targets:
            name = _free("result", self.names)
            self.names.add(name)
            return f"{name} = {one.text}", [name]
        if len(targets) > 1 and isinstance(getattr(one.node, "value", None), ast.Call):
            self.apart[_name(one.node.value)] = len(targets)  # type: ignore[attr-defined]
        return one.text, targets

    def _constant(self, part: _Part) -> str:
        """The line of a constant; none for one that becomes a parameter."""
        node, names = part.first.node, _targets(part.first.node) or []
        value = ast.literal_eval(node.value)  # type: ignore[attr-defined]
        times = sum(name in each.binds for each in self._kept for name in names)
        if len(names) != 1 or times > 1 or type(value) not in (int, float, str, bool):
            return part.first.text
        self.params.append(f"{names[0]}: {type(value).__name__} = {ast.unparse(node.value)}")  # type: ignore[attr-defined]
        return ""

    def _source(self, one: Statement) -> str:
        (target,) = one.binds
        name = _free(f"{target}_file", self.names)
        self.names.add(name)
        self.sources.append(f"{name} = source({_source_of(self._found, one.node)})")
        self._want(one.now)
        return f"{target} = {name}()"

    def _work(self, place: int, part: _Part) -> tuple[str, list[str]]:
        """A call of a step that is made of statements, which is written too."""
        later = {name for each in self._kept[place + 1 :] for name in each.reads}
        gives = [*sorted(part.binds & later), *sorted(part.results - later)]
        takes = sorted(_taken(part, {name for each in self._kept[:place] for name in each.binds}))
        name = _free(f"make_{gives[0]}", self.names)
        self.names.add(name)
        self._want(name for one in part.statements for name in one.now | one.later)
        self._made_of.append(name)
        hint = f" -> tuple[{', '.join(['Any'] * len(gives))}]" if len(gives) > 1 else ""
        lines = [
            f"@step\ndef {name}({', '.join(takes)}){hint}:",
            *(_indented(one) for one in part.statements),
        ]
        self.made.append("\n".join([*lines, f"    return {', '.join(gives)}"]))
        return f"{', '.join(gives)} = {name}({', '.join(takes)})", gives

    def _want(self, names: Iterable[str]) -> None:
        """Names of the notebook that what was just written uses."""
        for name in sorted(names):
            if name not in self._found.local:
                self.wanted.setdefault(name)

    def notes(self) -> list[str]:
        """What a person should look at."""
        out = []
        if self._made_of:
            names = ", ".join(f"`{name}`" for name in self._made_of)
            out.append(f"made of what stands between calls: {names}; give these steps names of their own")
        held = sorted(name for part in self._found.parts for name in part.binds & self._found.fixed)
        if held:
            out.append(f"`{held[0]}` is used by functions as a global; give it to them as an argument")
        if self._found.left:
            out.append(
                f"{len(self._found.left)} statements are comments at the end: displays, magics and experiments"
            )
        return out


def _taken(part: _Part, before: set[str]) -> set[str]:
    """The names bound `before` that the statements of a part read before they bind them."""
    bound: set[str] = set()
    takes: set[str] = set()
    for one in part.statements:
        takes |= (one.now | one.later | one.changes) & before - bound
        bound |= one.binds if one.is_sure else set()
    return takes


def _indented(one: Statement) -> str:
    """A statement inside a function; as Python writes it itself where a text over several lines would change."""
    text = textwrap.indent(one.text, "    ")
    try:
        (inner,) = ast.parse(f"if 1:\n{text}").body
        same = ast.dump(inner.body[0]) == ast.dump(one.node)  # type: ignore[attr-defined]
    except SyntaxError:
        same = False
    return text if same else textwrap.indent(ast.unparse(one.node), "    ")


def _free(name: str, taken: set[str]) -> str:
    """The name, with a number behind where it is taken."""
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    return found
