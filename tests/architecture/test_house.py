"""The rules of the house that no type checker knows: direction, purity, weight, names.

They are in the tests, and not only in `make lint`, so that a change which breaks one fails where
everything else fails, with the rule's own words.
"""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "stepwell"
MODULES = sorted(PACKAGE.rglob("*.py"))
TESTS = Path(__file__).parents[1]
KERNEL = sorted((PACKAGE / "kernel").rglob("*.py"))

WHEELS = 15
KERNEL_LINES = 1600

# Each costs milliseconds that everyone would pay who only says `import stepwell`.
HEAVY = {"blake3", "dataclasses", "msgspec", "numpy", "pandas", "pyarrow", "rich", "sqlite3"}

# Words that promise nothing: a module or class says what it is about.
VAGUE = {"util", "utils", "helper", "helpers", "common", "manager", "managers", "misc"}

# Builtins through which code reaches the world, or becomes code that nobody has read.
WORLDLY = {"__import__", "breakpoint", "compile", "eval", "exec", "input", "open", "print"}

# What a tokenizer gives for a line without code.
SILENT = {getattr(tokenize, name) for name in ("COMMENT", "NL", "NEWLINE", "INDENT", "DEDENT", "ENDMARKER")}


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of everything that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def code_lines(path: Path) -> int:
    """Lines that are not blank, not comment and not docstring."""
    docstrings: set[int] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        match node:
            # A string that stands alone is a docstring, also below an attribute.
            case ast.Expr(value=ast.Constant(value=str()), lineno=first, end_lineno=last):
                docstrings.update(range(first, last + 1))
    with tokenize.open(path) as file:
        tokens = [token for token in tokenize.generate_tokens(file.readline) if token.type not in SILENT]
    lines = {line for token in tokens for line in range(token.start[0], token.end[0] + 1)}
    return len(lines - docstrings)


def place(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_imports_follow_the_contracts():
    command = Path(sys.executable).with_name("lint-imports")
    answer = subprocess.run([command, "--no-logo", "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_the_kernel_imports_only_the_standard_library():
    allowed = sys.stdlib_module_names | {"stepwell"}
    foreign = [
        f"{place(path)}:{line} imports {name}"
        for path in KERNEL
        for line, name in imports(path)
        if name.split(".")[0] not in allowed
    ]
    assert not foreign


def test_the_kernel_calls_nothing_that_touches_the_world():
    calls = [
        f"{place(path)}:{node.lineno} calls {node.func.id}"
        for path in KERNEL
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in WORLDLY
    ]
    assert not calls


def test_the_kernel_can_be_read_in_an_evening():
    lines = {place(path): code_lines(path) for path in KERNEL}
    assert 0 < sum(lines.values()) <= KERNEL_LINES, lines


def test_nothing_inside_imports_the_public_face():
    # `from stepwell import kernel` names a module and is fine; `from stepwell import step` is not.
    inside = {path.stem for path in PACKAGE.iterdir()}
    faced = [
        f"{place(path)}:{line} imports {name}"
        for path in MODULES
        for line, name in imports(path)
        if name == "stepwell" or (name.startswith("stepwell.") and name.split(".")[1] not in inside)
    ]
    assert not faced


def test_no_modules_import_each_other_in_a_circle():
    # Also inside functions, where a circle works and is one all the same; for type checkers alone is fine.
    names = {
        path: ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
        for path in MODULES
    }
    known = set(names.values())
    needs = {
        names[path]: {
            target for target in _imported(ast.parse(path.read_bytes()), known) if target != names[path]
        }
        for path in MODULES
    }
    graphlib.TopologicalSorter(needs).prepare()  # raises CycleError with the circle


def _imported(tree: ast.AST, known: set[str]) -> Iterator[str]:
    """The modules of `known` that code imports when it runs."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            yield from inner & known or {str(node.module)} & known
        else:
            yield from _imported(node, known)


def test_no_error_is_swallowed_in_silence():
    # `contextlib.suppress` says what it lets go; an `except` that does nothing hides it.
    silent = [
        f"{place(path)}:{node.lineno}"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in ("Exception", "BaseException"))
        and all(isinstance(inner, ast.Pass | ast.Continue) for inner in node.body)
    ]
    assert not silent


def test_importing_stepwell_is_light_and_does_nothing(tmp_path):
    program = "import sys; before = {*sys.modules}; import stepwell; print(*{*sys.modules} - before)"
    environment = {"HOME": str(tmp_path), "PATH": "", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", program]
    answer = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    loaded = {name.split(".")[0] for name in answer.stdout.split()}
    assert not loaded & HEAVY
    assert not loaded - sys.stdlib_module_names - {"stepwell"}, "third-party modules"
    assert not list(tmp_path.iterdir()), "a file was made"


@pytest.fixture(scope="module")
def lock() -> dict[str, dict]:
    with (ROOT / "uv.lock").open("rb") as file:
        return {package["name"]: package for package in tomllib.load(file)["package"]}


def closure(lock: dict[str, dict], wanted: list[dict]) -> set[str]:
    """Every distribution that these bring, on whatever interpreter and system needs the most."""
    found: set[str] = set()
    while wanted:
        dependency = wanted.pop()
        package = lock[dependency["name"]]
        extras = package.get("optional-dependencies", {})
        wanted += [more for extra in dependency.get("extra", ()) for more in extras[extra]]
        if dependency["name"] not in found:
            found.add(dependency["name"])
            wanted += package.get("dependencies", ())
    return found


def test_a_bare_install_stays_small(lock):
    ours = lock["stepwell"]
    base = closure(lock, list(ours["dependencies"]))
    assert len(base) <= WHEELS, sorted(base)


def test_the_lock_names_one_registry_and_nothing_local():
    text = (ROOT / "uv.lock").read_text(encoding="utf-8")
    registries = set(re.findall(r'source = \{ registry = "([^"]*)" \}', text))
    assert len(registries) == 1
    assert all(address.startswith("https://") for address in re.findall(r'"([a-z]+://[^"]*)"', text))
    assert set(re.findall(r"source = \{ (\w+) = ", text)) == {"registry", "editable"}


def test_all_tests_are_collected(pytestconfig):
    """Folders that pytest passes over by their names: nobody would miss what is in them."""
    passed_over = pytestconfig.getini("norecursedirs")
    folders = {file.parent.relative_to(TESTS) for file in TESTS.rglob("test_*.py")}
    assert Path("dist") in folders
    assert not [
        folder for folder in folders for part in folder.parts for one in passed_over if fnmatch(part, one)
    ]


def test_names_promise_something():
    folders = [ROOT / name for name in ("src", "tests", "scripts", "bench", "examples")]
    paths = [
        path for folder in folders for path in folder.rglob("*") if path.is_dir() or path.suffix == ".py"
    ]
    peers = ROOT / "bench" / ".peers"  # what other tools install
    own = [path for path in paths if not path.is_relative_to(peers)]
    vague = [place(path) for path in own if VAGUE & set(path.stem.split("_"))]
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.ClassDef):
                words = {word.lower() for word in re.findall(r"[A-Z][a-z]*", node.name)}
                if words & VAGUE:
                    vague.append(f"{place(path)}:{node.lineno} class {node.name}")
    assert not vague


def test_the_counter_of_code_lines_counts_code(tmp_path):
    path = tmp_path / "sample.py"
    silent = '"""Doc\n\nstring."""\n# why\n\n'
    code = 'X = 1\n"""About X."""\ndef f():\n    """Doc."""\n    return (\n        X  # x\n    )\n'
    path.write_text(silent + code)
    assert code_lines(path) == 5
