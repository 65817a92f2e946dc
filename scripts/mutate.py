"""Break the kernel in small ways, one at a time, and see whether the tests notice.

    python scripts/mutate.py --least 85

Each *mutant* is a copy of the package in which one place of `kernel/identity.py` or `kernel/plan.py`
is changed: a comparison turned round, a constant replaced, a call left out. `tests/kernel` runs on it
in a process of its own. A mutant that no test fails on has *survived*: it is printed with its line.
Ends with 1 where fewer than `--least` percent of the mutants died.

What is not mutated, since nothing depends on it: docstrings, annotations, the texts of messages that
stay texts, and statements under `if TYPE_CHECKING`. Tests that draw examples draw the same ones each
time, so the outcome is the same each time.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
TARGETS = ("identity", "plan")
FIRST = {"identity": ("test_identity.py",), "plan": ("test_plan.py", "test_trust.py", "test_run.py")}
"""The files of tests/kernel that notice most; they come first, since the first failure ends a mutant."""

SLOW = 120
"""Seconds after which a mutant that is still running counts as dead: it hangs."""

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE,
    ast.GtE: ast.Gt, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
OPERATIONS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip


class Mutant(NamedTuple):
    """One changed module: which, where, what was done, and its text."""

    module: str
    line: int
    what: str
    text: str


# ---------------------------------------------------------------------- making them


def mutants_of(module: str, source: str, every: int = 1) -> Iterator[Mutant]:
    """Every nth of all mutants of a module, in the order of its lines."""
    tree = ast.parse(source)
    found = [(path, node, *change) for path, node in _places(tree) for change in _changes(node)]
    for path, node, what, changed in found[::every]:
        _put(tree, path, changed)
        yield Mutant(module, node.lineno, what, ast.unparse(ast.fix_missing_locations(tree)))
        _put(tree, path, node)


Step = tuple[str, int | None]


def _places(
    tree: ast.AST, path: tuple[Step, ...] = ()
) -> Iterator[tuple[tuple[Step, ...], ast.expr | ast.stmt]]:
    """Every statement and expression that may be changed, with the way to it."""
    for name, value in ast.iter_fields(tree):
        if name in ("annotation", "returns", "decorator_list", "type_params") or _is_type(tree, name):
            continue
        for place, child in enumerate(value) if isinstance(value, list) else ((None, value),):
            if not isinstance(child, ast.AST) or _is_docstring(child):
                continue
            way = (*path, (name, place))
            if isinstance(child, ast.expr | ast.stmt):
                yield way, child
            yield from _places(child, way)


def _is_type(node: ast.AST, name: str) -> bool:
    """Whether a field of a node holds types and no values: `Verb = Literal[...]`, `cast("T", x)`."""
    return name == "value" and isinstance(node, ast.Assign) and "Literal" in ast.dump(node.value)


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _put(tree: ast.AST, path: Sequence[Step], new: ast.AST) -> None:
    at: ast.AST = tree
    for name, place in path[:-1]:
        value = getattr(at, name)
        at = value if place is None else value[place]
    name, place = path[-1]
    if place is None:
        setattr(at, name, new)
    else:
        getattr(at, name)[place] = new


def _changes(node: ast.expr | ast.stmt) -> Iterator[tuple[str, ast.AST]]:
    """What can be done to one place: a description, and what stands there instead."""
    if isinstance(node, ast.stmt):
        yield from _changed_statements(node)
    else:
        yield from _changed_expressions(node)


def _changed_statements(node: ast.stmt) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(node, ast.If | ast.While):
        yield "condition negated", _with(node, test=_not(node.test))
    elif isinstance(node, ast.Return) and node.value is not None and not _is_none(node.value):
        yield "returns None", ast.Return(ast.Constant(None))
    elif isinstance(node, ast.AugAssign | ast.Delete) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Call | ast.YieldFrom | ast.Yield)
    ):
        yield "left out", ast.Pass()
    elif isinstance(node, ast.Continue):
        yield "break", ast.Break()
    elif isinstance(node, ast.Break):
        yield "continue", ast.Continue()


def _changed_expressions(node: ast.expr) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            other = COMPARISONS[type(operator)]()
            operators = [*node.ops[:place], other, *node.ops[place + 1 :]]
            yield f"{_name(operator)} -> {_name(other)}", _with(node, ops=operators)
    elif isinstance(node, ast.BoolOp):
        other_op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield f"{_name(node.op)} -> {_name(other_op)}", _with(node, op=other_op)
        for place in range(len(node.values)):
            rest = [*node.values[:place], *node.values[place + 1 :]]
            yield f"part {place + 1} left out", rest[0] if len(rest) == 1 else _with(node, values=rest)
    elif isinstance(node, ast.BinOp) and type(node.op) in OPERATIONS:
        yield "other operator", _with(node, op=OPERATIONS[type(node.op)]())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "not left out", node.operand
    elif isinstance(node, ast.IfExp):
        yield "condition negated", _with(node, test=_not(node.test))
    elif isinstance(node, ast.Constant):
        yield from _changed_constants(node)
    elif isinstance(node, ast.comprehension):
        pass
    elif isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        for place, part in enumerate(node.generators):
            if part.ifs:
                loops = [*node.generators[:place], _with(part, ifs=[]), *node.generators[place + 1 :]]
                yield "filter left out", _with(node, generators=loops)
    elif (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("sorted", "reversed")
    ):
        yield f"{node.func.id} left out", ast.Call(ast.Name("list", ast.Load()), node.args, [])


def _changed_constants(node: ast.Constant) -> Iterator[tuple[str, ast.AST]]:
    value = node.value
    if isinstance(value, bool):
        yield f"{value} -> {not value}", ast.Constant(not value)
    elif isinstance(value, int | float):
        yield f"{value} -> {value + 1}", ast.Constant(value + 1)
    elif isinstance(value, str) and not (" " in value and value.strip()):  # words are for people
        other = f"{value}X" if value else "X"
        yield f"{value!r} -> {other!r}", ast.Constant(other)


def _with(node: ast.AST, **changes: object) -> ast.AST:
    new = copy.copy(node)
    for name, value in changes.items():
        setattr(new, name, value)
    return new


def _not(test: ast.expr) -> ast.expr:
    return ast.UnaryOp(ast.Not(), test)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _name(node: ast.AST) -> str:
    return type(node).__name__


# ---------------------------------------------------------------------- trying them


class Trials:
    """Mutants under test: at most `jobs` at a time, each in a forked process with a copy of the package of its own."""

    def __init__(self, folder: Path, jobs: int) -> None:
        self.folder, self.jobs = folder, jobs
        self.source = Path(os.environ.get("MUTATED_SOURCE", ROOT / "src"))
        self.free = list(range(jobs))
        self.running: dict[int, tuple[Mutant, int, float]] = {}
        for place in self.free:
            shutil.copytree(self.source, folder / str(place), ignore=shutil.ignore_patterns("__pycache__"))

    def run(self, mutants: Sequence[Mutant]) -> Iterator[tuple[Mutant, int]]:
        """Each mutant with the exit code of its tests, as they end; negative where it was ended by a signal."""
        waiting = list(reversed(mutants))
        while waiting or self.running:
            while waiting and self.free:
                self._start(waiting.pop(), self.free.pop())
            yield from self._ended()

    def _start(self, mutant: Mutant, place: int) -> None:
        file = self.folder / str(place) / "stepwell" / "kernel" / f"{mutant.module}.py"
        file.write_text(mutant.text)
        child = os.fork()
        if not child:
            _try(mutant, self.folder / str(place), file)
        self.running[child] = (mutant, place, time.monotonic())

    def _ended(self) -> Iterator[tuple[Mutant, int]]:
        time.sleep(0.02)
        for child, (mutant, place, began) in list(self.running.items()):
            done, status = os.waitpid(child, os.WNOHANG)
            if not done and time.monotonic() - began > SLOW:
                os.kill(child, signal.SIGKILL)
                done, status = os.waitpid(child, 0)
            if done:
                del self.running[child]
                self.free.append(place)
                original = self.source / "stepwell" / "kernel" / f"{mutant.module}.py"
                shutil.copy(original, self.folder / str(place) / "stepwell" / "kernel")
                yield mutant, os.waitstatus_to_exitcode(status)

    def close(self) -> None:
        """End what is still running."""
        for child in self.running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def ordered_tests(module: str) -> list[str]:
    """All files of tests/kernel, those that notice most of a module's mutants first."""
    folder = ROOT / "tests" / "kernel"
    first = [folder / name for name in FIRST[module]]
    return [str(path) for path in [*first, *(p for p in sorted(folder.glob("test_*.py")) if p not in first)]]


WRONG_COPY = 77
"""Exit code of a trial that would have tested another copy of the package."""


def _try(mutant: Mutant, source: Path, file: Path) -> None:
    """In the child: run the tests on this copy, and end with their exit code."""
    import pytest

    quiet = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(quiet, stream)
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(source))
    code = 1  # a package that cannot even be imported is a dead one
    try:
        import stepwell

        if not str(stepwell.__file__).startswith(str(source)):
            os._exit(WRONG_COPY)
        tests = ordered_tests(mutant.module)
        options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:randomly", "--tb=short"]
        code = int(pytest.main([*options, "--rootdir", str(ROOT), *tests]))
    finally:
        sys.stdout.flush()
        os._exit(code)


def prepare() -> None:
    """Import once what every trial needs, the package excepted; and let examples be the same each time."""
    import hypothesis
    import hypothesis.strategies
    import pytest  # noqa: F401

    hypothesis.settings.register_profile(
        "mutants",
        derandomize=True,
        database=None,
        phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
    )
    hypothesis.settings.load_profile("mutants")


def main() -> int:
    """Try all mutants, print those that survived, and say what share died."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--least", type=float, default=85, help="percent of the mutants that must die")
    parser.add_argument("--jobs", type=int, default=2, help="mutants at a time")
    parser.add_argument("--only", choices=TARGETS, help="mutants of this module alone")
    parser.add_argument("--every", type=int, default=1, help="try every nth mutant only")
    given = parser.parse_args()
    os.chdir(ROOT)
    prepare()
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        trials = Trials(Path(folder), given.jobs)
        modules = [given.only] if given.only else list(TARGETS)
        texts = {m: (trials.source / "stepwell" / "kernel" / f"{m}.py").read_text() for m in modules}
        try:
            for _, code in trials.run([Mutant(m, 0, "", texts[m]) for m in modules]):
                if code:
                    print("tests/kernel fails as it is: mend that first (make test)", file=sys.stderr)
                    return 1
            return _report(trials, texts, given.every, given.least)
        finally:
            trials.close()


def _report(trials: Trials, texts: dict[str, str], every: int, least: float) -> int:
    mutants = [mutant for module, text in texts.items() for mutant in mutants_of(module, text, every)]
    print(f"{len(mutants)} mutants", flush=True)
    died = dict.fromkeys(texts, 0)
    for mutant, code in trials.run(mutants):
        if code == WRONG_COPY:
            print("the trials do not import their own copy of the package", file=sys.stderr)
            return 1
        if code:
            died[mutant.module] += 1
        else:
            line = texts[mutant.module].splitlines()[mutant.line - 1].strip()
            print(f"survived  {mutant.module}.py:{mutant.line}  {mutant.what}  |  {line}", flush=True)
    count = {module: sum(mutant.module == module for mutant in mutants) for module in texts}
    for module in texts:
        print(f"{module}.py: {died[module]} of {count[module]} mutants died")
    share = 100 * sum(died.values()) / max(1, len(mutants))
    print(f"{share:.1f} % of {len(mutants)} mutants died; at least {least:g} % must")
    return share < least


if __name__ == "__main__":
    sys.exit(main())
