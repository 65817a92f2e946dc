"""From the cells that ran to the source of a module: what a pipeline in a notebook is made of.

    text = module_text(cells, ["delays"], Kernel(names, pipelines, ...))

A cell is no unit of identity: cells are edited, moved, deleted and executed in any order. What
counts are the *definitions* that the cells executed so far amount to, as a fresh kernel would have
them: of a name the newest binding stands, with what changed it in place since then
(`CFG["a"] = 1`, `df = df.dropna()`, `np.random.seed(3)`); a statement that ran again as it stands
counts once. Of these the module holds what the pipeline reaches, and nothing else: neither bare
calls (`df.head()`, `delays.run()`) nor slow assignments that no step uses are executed by a worker.

Statements are put in order by what they read when they run, and else by when their names first
appeared, so that an edited cell stands where it stood. A comment before each says which cell and
line it comes from (`worker.modules` shows tracebacks by it); comments are no part of an identity.

A name whose newest statement is not a definition is refused where something reaches it: one that
runs a pipeline (`best = delays.run()`), awaits, or uses the kernel itself (`files = !ls`). Workers
would do it again. A name that no cell defines (`exec`, `%run`, a silent execution) is refused too.
"""

from __future__ import annotations

import ast
import builtins
import heapq
import symtable
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from stepwell.author.fingerprint.modules import changed_chains, run_expressions
from stepwell.author.fingerprint.scopes import FUNCTIONS, MUTATORS, bound_names, root_chain
from stepwell.author.shell import Cell, Kernel
from stepwell.errors import NotInACell

__all__ = ["Statement", "definitions", "module_text", "statements_of"]

_SEEDS = frozenset({"seed", "manual_seed", "set_seed"})
"""Calls that set what later random numbers are: of one generator the newest counts."""

_DISPLAY = Cell(0, "from IPython.display import display")
"""What a notebook has without importing it."""

_KERNEL = frozenset({"get_ipython", "In", "Out"})
_CERTAIN = (ast.Try, ast.TryStar, ast.With, ast.Match)
"""Compound statements that are taken to bind what they bind; of others it may be left to an earlier binding."""


@dataclass(eq=False, slots=True)
class Statement:
    """A top-level statement of a cell."""

    node: ast.stmt
    text: str
    cell: int
    line: int
    index: int
    binds: frozenset[str]
    changes: frozenset[str]
    now: frozenset[str]
    """Names that are read when it runs."""
    later: frozenset[str]
    """Names that functions in it read when they are called."""
    live: str = ""
    """Why it cannot be a definition; empty for one that can."""
    order: int = 0
    shape: str = ""
    place: str = ""
    """What it stores into, where a later store into the same replaces it."""

    @property
    def is_sure(self) -> bool:
        """Whether what it binds was bound anew by it, whatever was before."""
        node = self.node
        if isinstance(node, ast.AugAssign | ast.For | ast.AsyncFor | ast.While):
            return False
        return not isinstance(node, ast.If) or bool(node.orelse)


@dataclass(slots=True)
class _Names:
    """What each name amounts to: the statements that make it, oldest first."""

    chains: dict[str, list[Statement]] = field(default_factory=dict)
    first: dict[str, int] = field(default_factory=dict)
    stars: list[Statement] = field(default_factory=list)
    futures: list[Statement] = field(default_factory=list)


def module_text(cells: Iterable[Cell], wanted: Sequence[str], kernel: Kernel) -> str:
    """The source of a module that defines the wanted names with all that they reach.

    Raises `NotInACell` naming what no executed cell defines, or what is not a definition.
    """
    lines: list[str] = []
    for one in definitions(cells, wanted, kernel):
        lines += [f"# cell {one.cell} line {one.line}", one.text]
    return "\n".join(["", *lines, ""])


def definitions(cells: Iterable[Cell], wanted: Sequence[str], kernel: Kernel) -> list[Statement]:
    """The statements that define the wanted names with all that they reach, in an order that can be executed.

    Raises `NotInACell` as `module_text` does.
    """
    names = _Names()
    index = 0
    for cell in (_DISPLAY, *cells):
        for statement in statements_of(cell, kernel.pipelines, index):
            index += 1
            _take(names, statement)
    chosen = _reached(names, wanted, kernel)
    return [*names.futures[-1:], *_ordered(names, chosen)]


# ---------------------------------------------------------------------------- statements


def statements_of(
    cell: Cell, pipelines: frozenset[str], index: int = 0, *, all_of_them: bool = False
) -> Iterator[Statement]:
    """The statements of a cell that ran, as far as they bind or change something; or else `all_of_them`."""
    try:
        tree = ast.parse(cell.code)
    except (SyntaxError, ValueError):  # it did not run either
        return
    lines = cell.code.split("\n")
    for node in tree.body:
        if cell.stop and (node.end_lineno or node.lineno) >= cell.stop:
            return
        text, line = _text(node, lines, cell.code)
        binds, changes = _bound(node), _changed(node) - pipelines  # which nothing changes
        if not (all_of_them or binds or changes) and not _is_star(node):
            continue
        live = _live(node, pipelines)
        now, later = (frozenset(), frozenset()) if live else _reads(node, text)
        yield Statement(
            node=node,
            text=text,
            cell=cell.number,
            line=line + cell.first - 1,
            index=index,
            binds=binds,
            changes=changes - binds,
            now=now,
            later=later,
            live=live,
            shape=ast.dump(node),
            place=_place(node),
        )
        index += 1


def _text(node: ast.stmt, lines: Sequence[str], code: str) -> tuple[str, int]:
    """The text of a statement, decorators included, and its first line."""
    decorators = getattr(node, "decorator_list", [])
    if not decorators:
        return ast.get_source_segment(code, node) or ast.unparse(node), node.lineno
    first = min(decorator.lineno for decorator in decorators)
    return "\n".join(lines[first - 1 : node.end_lineno]), first


def _bound(node: ast.stmt) -> frozenset[str]:
    if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
        return frozenset({node.name})
    if isinstance(node, ast.AnnAssign) and node.value is None:
        return frozenset()
    if isinstance(node, ast.Delete):
        return frozenset(target.id for target in node.targets if isinstance(target, ast.Name))
    return frozenset(bound_names([node])) - {"*"}


def _changed(node: ast.stmt) -> frozenset[str]:
    """The names whose objects a statement changes in place. A bare call does so by a few methods only."""
    if isinstance(node, ast.Expr) and not _changes(node.value):
        return frozenset()
    return frozenset(chain[0] for chain in changed_chains(node))


def _changes(value: ast.expr) -> bool:
    if not isinstance(value, ast.Call):
        return False
    if isinstance(value.func, ast.Name):
        return value.func.id in ("setattr", "delattr")
    known = isinstance(value.func, ast.Attribute) and value.func.attr in MUTATORS | _SEEDS
    return known or any(
        word.arg == "inplace" and isinstance(word.value, ast.Constant) and word.value.value is True
        for word in value.keywords
    )


def _place(node: ast.stmt) -> str:
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and not isinstance(node.targets[0], ast.Name):
        return ast.dump(node.targets[0])
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        function = node.value.func
        return ast.dump(function) if isinstance(function, ast.Attribute) and function.attr in _SEEDS else ""
    return ""


def _is_star(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.names[0].name == "*"


def _live(node: ast.stmt, pipelines: frozenset[str]) -> str:
    """Why a statement is something that was done rather than a definition; empty for a definition."""
    for part in _running(node):
        if isinstance(part, ast.Await | ast.AsyncFor | ast.AsyncWith):
            return "awaits something"
        if isinstance(part, ast.Name) and part.id in _KERNEL:
            return "uses the notebook itself (a magic, a shell command, `In` or `Out`)"
        if isinstance(part, ast.Call) and _starts(part.func, pipelines):
            return "runs a pipeline"
    return ""


def _starts(function: ast.expr, pipelines: frozenset[str]) -> bool:
    """Whether a call of this is the run of a pipeline: `delays()`, `delays.options(jobs=2).run()`."""
    if isinstance(function, ast.Name):
        return function.id in pipelines
    if isinstance(function, ast.Attribute):
        return function.attr in ("run", "plan") and root_chain(function.value)[:1] in {
            (p,) for p in pipelines
        }
    return False


def _running(node: ast.stmt) -> Iterator[ast.AST]:
    """Everything in a statement that runs with it; of functions only what their definition evaluates."""
    yield node
    todo = [*ast.iter_child_nodes(node)] if not isinstance(node, FUNCTIONS) else [*run_expressions(node)]
    while todo:
        part = todo.pop()
        if isinstance(part, FUNCTIONS):
            todo += run_expressions(part)
        elif not isinstance(part, ast.Lambda):
            yield part
            todo += ast.iter_child_nodes(part)


# ---------------------------------------------------------------------------- what is read


def _reads(node: ast.stmt, text: str) -> tuple[frozenset[str], frozenset[str]]:
    """Global names that a statement reads when it runs, and those that its functions read when called."""
    now: set[str] = set()
    later: set[str] = set(_quoted(node))
    _read(symtable.symtable(text, "cell", "exec"), now, later, inside=False)
    return frozenset(now - _iterated(node)), frozenset(later)


def _iterated(node: ast.stmt) -> set[str]:
    """Names that only comprehensions bind and use; from Python 3.12 on they look like names of the module."""
    own: set[str] = set()
    outside: set[str] = set()
    todo: list[ast.AST] = [node]
    while todo:
        part = todo.pop()
        if isinstance(part, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            inner = [name for each in part.generators for name in ast.walk(each.target)]
            own |= {name.id for name in inner if isinstance(name, ast.Name)}
            todo.append(part.generators[0].iter)
        else:
            outside |= {part.id} if isinstance(part, ast.Name) else set()
            todo += ast.iter_child_nodes(part)
    return own - outside


def _read(table: Any, now: set[str], later: set[str], *, inside: bool) -> None:
    kind = str(table.get_type())
    own = "module" in kind.lower()
    delayed = inside or ("function" in kind.lower() and not _is_eager(table.get_name()))
    into = later if delayed else now
    into |= {s.get_name() for s in table.get_symbols() if (s.is_referenced() if own else s.is_global())}
    for child in table.get_children():
        _read(child, now, later, inside=delayed)


def _is_eager(name: str) -> bool:
    """Whether a scope of this name is a comprehension, whose code runs where it stands."""
    return name in ("listcomp", "setcomp", "dictcomp", "genexpr")


def _quoted(node: ast.AST) -> Iterator[str]:
    """Names in annotations that are written as text: `-> "Report"`."""
    for part in ast.walk(node):
        for annotation in (getattr(part, "annotation", None), getattr(part, "returns", None)):
            for inner in ast.walk(annotation) if isinstance(annotation, ast.AST) else ():
                if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
                    yield from _names_in(inner.value)


def _names_in(text: str) -> Iterator[str]:
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError):  # text that is no annotation: `Annotated[int, "of trees"]`
        return
    yield from (part.id for part in ast.walk(tree) if isinstance(part, ast.Name))


# ---------------------------------------------------------------------------- what each name amounts to


def _take(names: _Names, statement: Statement) -> None:
    """Let a statement that ran count, and what it supersedes no longer."""
    node = statement.node
    if isinstance(node, ast.ImportFrom) and node.module == "__future__":
        names.futures = [statement]
        return
    if _is_star(node):
        if not any(one.shape == statement.shape for one in names.stars):
            names.stars.append(statement)
        return
    statement.order = min(
        [statement.index, *(names.first.setdefault(n, statement.index) for n in statement.binds)]
    )
    for name in statement.binds:
        chain = names.chains.setdefault(name, [])
        if isinstance(node, ast.Delete):
            chain.clear()
        elif statement.is_sure and (name not in statement.now or statement.live):
            names.chains[name] = [statement]
        else:
            _grow(chain, statement)
    for name in statement.changes:
        _grow(names.chains.setdefault(name, []), statement)


def _grow(chain: list[Statement], statement: Statement) -> None:
    """Add what changes a name: not twice the same, and a store in place of an older one into the same."""
    for at, one in enumerate(chain):
        same_store = statement.place and one.place == statement.place
        if one.shape == statement.shape or same_store:
            statement.order = one.order
            chain[at] = statement
            return
    chain.append(statement)


def _reached(names: _Names, wanted: Sequence[str], kernel: Kernel) -> list[Statement]:
    """The statements that make the wanted names and all that they reach."""
    chosen: dict[Statement, None] = {}
    seen: set[str] = set()
    todo = [(name, "") for name in reversed(wanted)]
    stars = False
    while todo:
        name, asker = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        chain = names.chains.get(name, [])
        if name in kernel.living:
            raise _living(name, asker)
        if name in kernel.executed or not any(name in one.binds for one in chain):
            _refuse_undefined(name, asker, names, kernel)
            stars = True
        for one in chain:
            if one.live:
                raise _not_a_definition(name, asker, one)
            chosen[one] = None
            todo += [(each, name) for each in sorted(one.now | one.later)]
    if stars:
        chosen |= dict.fromkeys(names.stars)
    return list(chosen)


def _refuse_undefined(name: str, asker: str, names: _Names, kernel: Kernel) -> None:
    """Raises `NotInACell` for a name that the program holds and no cell defines; lets builtins and unknown names pass."""
    if name not in kernel.names or hasattr(builtins, name) or name.startswith("__"):
        return
    if names.stars and name not in kernel.executed:
        return
    raise NotInACell(
        f"no cell that ran defines `{name}`" + (f", which `{asker}` uses" if asker else ""),
        why="workers get what cells define; this name was made in another way (`exec`, a magic, a console)",
        fixes=[f"define `{name}` in a cell and run it", "or import it from a module"],
    )


def _living(name: str, asker: str) -> NotInACell:
    return NotInACell(
        f"`{name}` is not a definition" + (f", and `{asker}` uses it" if asker else ""),
        why="it is an element of the notebook's interface, or its state: no worker knows what was chosen",
        fixes=[f"give its value to the pipeline as an argument: {asker or 'run'}(..., {name}.value)"],
    )


def _not_a_definition(name: str, asker: str, statement: Statement) -> NotInACell:
    shown = statement.text.split("\n", 1)[0]
    return NotInACell(
        f"`{name}` is not a definition" + (f", and `{asker}` uses it" if asker else ""),
        why=f"its cell {statement.live}: `{shown}`; each worker would do that again",
        fixes=[f"give it to the step as an argument: step(..., {name})", "or compute it in a step"],
        where=f"cell {statement.cell}:{statement.line}",
    )


# ---------------------------------------------------------------------------- order


def _ordered(names: _Names, chosen: Sequence[Statement]) -> list[Statement]:
    """The statements so that each comes after what it reads; else as their names first appeared."""
    hard: dict[Statement, set[Statement]] = {one: set() for one in chosen}
    soft: dict[Statement, set[Statement]] = {one: set() for one in chosen}
    for one in chosen:
        for name in one.binds:
            chain = names.chains.get(name, [])
            if chain and one not in chain:
                hard[chain[0]].add(one)  # it binds this name too, and not newest
        for name in one.now:
            hard[one] |= _before(one, names.chains.get(name, []))
        for name in _called(names, one.now):
            soft[one] |= _before(one, names.chains.get(name, []))
    for chain in names.chains.values():
        for earlier, after in pairwise(chain):
            if after in hard:
                hard[after].add(earlier)
    return _sorted(hard, soft)


def _before(one: Statement, chain: Sequence[Statement]) -> set[Statement]:
    """Of the statements that make a name those that another, which reads it, comes after."""
    if one in chain:
        return set(chain[: chain.index(one)])
    return {each for at, each in enumerate(chain) if at == 0 or each.order < one.order}


def _called(names: _Names, read: Iterable[str]) -> set[str]:
    """The names that functions and classes among those that were read may use, if they are called at once."""
    seen: set[str] = set()
    todo = list(read)
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo += [each for one in names.chains.get(name, []) for each in one.later | one.now]
    return seen


def _sorted(
    hard: Mapping[Statement, set[Statement]], soft: Mapping[Statement, set[Statement]]
) -> list[Statement]:
    """Topologically; where things go round in a circle, what must be (`hard`) before what may be (`soft`)."""
    waits = {one: {b for b in hard[one] | soft[one] if b in hard and b is not one} for one in hard}
    after: dict[Statement, list[Statement]] = {one: [] for one in hard}
    for one, befores in waits.items():
        for before in befores:
            after[before].append(one)
    ready = [(one.order, one.index, one) for one in hard if not waits[one]]
    heapq.heapify(ready)
    left = dict.fromkeys(hard)
    out: list[Statement] = []
    while left:
        if ready:
            one = heapq.heappop(ready)[2]
        else:
            free = [each for each in left if not any(b in left and b is not each for b in hard[each])]
            one = min(free or left, key=lambda each: (each.order, each.index))
        if one not in left:
            continue
        del left[one]
        out.append(one)
        for each in after[one]:
            waits[each].discard(one)
            if not waits[each] and each in left:
                heapq.heappush(ready, (each.order, each.index, each))
    return out
