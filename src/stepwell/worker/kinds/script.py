"""Steps that are an existing script: a Python file, or any other that can be executed.

A spec is that of `worker.kinds.command`, with `script` (a path relative to the root) and `args` (words)
in place of a command. Its code is the text of the script and of the project's own modules that it imports,
wherever in the text that stands; comments and blanks do not count.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

from stepwell.errors import MissingProgram, MissingScript, StepwellError
from stepwell.worker.kinds import shell, template
from stepwell.worker.kinds.command import Command, Spec, compose
from stepwell.worker.kinds.programs import missing

_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


def is_python(path: Path) -> bool:
    """Whether a script is executed by the project's interpreter."""
    return path.suffix in (".py", ".pyw") or "python" in _shebang(path)


def code(spec: Spec, root: Path) -> dict[str, str]:
    """The words of its command line, the text of the script, and those of the project's modules that it imports."""
    how = {name: spec[name] for name in ("outputs", "stdout", "defaults", "cwd") if spec.get(name)}
    if spec.get("ok", [0]) != [0]:
        how["ok"] = spec["ok"]
    texts = {"command": text_of(spec)}
    if how:
        texts["options"] = json.dumps(how, sort_keys=True, ensure_ascii=False, indent=1)
    path = root / spec["script"]
    if not path.is_file():
        texts[spec["script"]] = "absent"  # which `check` tells
    elif not is_python(path):
        texts[spec["script"]] = _any_text(path)
    else:
        for file in modules(path, root)[0]:
            texts[os.path.relpath(file, root)] = python_text(file)
    return texts


def text_of(spec: Spec) -> str:
    """The script and its words, as they were written."""
    return shell.text_of({"argv": [spec["script"], *spec["args"]]})


def versions(spec: Spec, root: Path) -> dict[str, str]:
    """The digests of the programs that were asked to count; the interpreter's version, for Python."""
    found = shell.versions(spec, root)
    if is_python(root / spec["script"]):
        found["python"] = f"{sys.version_info.major}.{sys.version_info.minor}"
    return found


def imports(spec: Spec, root: Path) -> list[str]:
    """The modules that it imports of what is installed."""
    path = root / spec["script"]
    return modules(path, root)[1] if path.is_file() and is_python(path) else []


def files(spec: Spec, root: Path) -> list[str]:
    """The files of the project that it executes."""
    path = root / spec["script"]
    found = modules(path, root)[0] if path.is_file() and is_python(path) else [path]
    return [os.fspath(file) for file in found if file.is_file()]


def check(spec: Spec, root: Path) -> Iterator[StepwellError]:
    """Whether the script is there and can be executed."""
    path = root / spec["script"]
    if not path.is_file():
        yield MissingScript(
            f"the script `{spec['script']}` is not there",
            why=f"it is looked for in `{root}`",
            fixes=["paths of scripts are relative to the project's root"],
        )
    elif is_python(path):
        try:
            ast.parse(path.read_bytes(), filename=os.fspath(path))
        except (SyntaxError, ValueError) as error:
            line = getattr(error, "lineno", None)
            yield MissingScript(
                f"the script `{spec['script']}` is not Python: {error}",
                where=f"{spec['script']}:{line}" if line else "",
            )
    elif not os.access(path, os.X_OK) and not _shebang(path):
        yield MissingScript(
            f"the script `{spec['script']}` cannot be executed",
            why="it is no Python file, is not marked as executable, and its first line names no program",
            fixes=[f"chmod +x {shlex.quote(spec['script'])}", "or call its program: shell([...])"],
        )
    elif (found := shlex.split(_shebang(path))) and not os.access(found[0], os.X_OK):
        yield missing(found[0])
    for name in spec.get("tools", ()):
        yield from shell.check({"argv": ["true"], "tools": [name]}, root)


def call(spec: Spec, root: Path) -> Script:
    """What executes the script."""
    return Script({**spec, "argv": spec["args"]}, root)


class Script(shell.Shell):
    """A script that is called with its inputs by name."""

    def told(self) -> str:
        """The script and its words, as they were written."""
        return text_of(self._spec)

    def composed(self, values: Mapping[str, Any], base: Path) -> Command:
        """The command with its inputs. Raises `MissingScript`."""
        path = self._root / self._spec["script"]
        for error in check(self._spec, self._root):
            if not isinstance(error, MissingProgram):
                raise error
        words = [os.fspath(path)]
        if is_python(path):
            _forget_older(modules(path, self._root)[0])
            words = [sys.executable, *words]
        elif not os.access(path, os.X_OK):
            words = [*shlex.split(_shebang(path)), *words]
        return compose(self._spec, values, self._root, base, first=words)


def _forget_older(files: Iterable[Path]) -> None:
    """Remove byte code that was written before its source was.

    Python compares sizes and whole seconds: what was edited in the second in which it had been compiled would not be executed.
    """
    for file in files:
        with suppress(OSError):  # there is none, or it cannot be removed: then Python decides
            compiled = Path(cache_from_source(os.fspath(file)))
            if compiled.stat().st_mtime_ns <= file.stat().st_mtime_ns:
                compiled.unlink()


def _shebang(path: Path) -> str:
    """What the first line of a file says executes it; "" where it says nothing."""
    try:
        with path.open("rb") as file:
            first = file.readline(300)
    except OSError:
        return ""
    return first[2:].decode("utf-8", "replace").strip() if first.startswith(b"#!") else ""


def _any_text(path: Path) -> str:
    """The text of a file, as it is; of what is no text the digest."""
    data = path.read_bytes()
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return f"binary, {hashlib.blake2b(data, digest_size=16).hexdigest()}"


_texts: dict[tuple[str, int, int, int], tuple[str, ast.Module]] = {}


def _python(path: Path) -> tuple[str, ast.Module]:
    """A Python file without comments and blanks, and its syntax tree. Raises `SyntaxError`, `OSError`."""
    found = path.stat()
    place = (os.fspath(path), found.st_ino, found.st_size, found.st_mtime_ns)
    if place not in _texts:
        tree = ast.parse(path.read_bytes(), filename=os.fspath(path))
        _texts[place] = (ast.unparse(tree), tree)
    return _texts[place]


def python_text(path: Path) -> str:
    """The canonical text of a Python file: comments and formatting do not count; of one that does not parse its bytes as text."""
    try:
        return _python(path)[0]
    except (SyntaxError, ValueError):  # it is imported somewhere, perhaps never
        return _any_text(path)


# --------------------------------------------------------------------------- what it imports


def modules(script: Path, root: Path) -> tuple[list[Path], list[str]]:
    """The project's own files that a Python script executes or may import, itself first; names of all other modules, sorted.

    What is imported by computed names is not seen.
    """
    places = places_of(script, root)
    files: dict[Path, None] = {script: None}
    others: dict[str, None] = {}
    todo: list[tuple[Path, str]] = [(script, "")]
    while todo:
        path, package = todo.pop()
        try:
            tree = _python(path)[1]
        except (SyntaxError, ValueError, OSError):
            continue
        for name in imported(tree, package):
            found = files_of(name, places)
            if not found and name.partition(".")[0] not in sys.stdlib_module_names:
                others[name] = None
            for file, inner in found:
                if file not in files:
                    files[file] = None
                    todo.append((file, inner))
    own = list(files)
    names = {name for name in others if not files_of(name.partition(".")[0], places)}
    return [own[0], *sorted(own[1:])], sorted(names)


def places_of(script: Path, root: Path) -> list[Path]:
    """Where a script finds modules of the project: its own folder, and what is on the path and no library."""
    listed = [*os.environ.get("PYTHONPATH", "").split(os.pathsep), *sys.path]
    below = [Path(one) for one in listed if one and os.path.isabs(one) and Path(one).is_relative_to(root)]
    own = [one for one in below if not any(part in f"{one}{os.sep}" for part in _INSTALLED)]
    return list(dict.fromkeys([script.parent, *(one for one in own if one != root or script.parent == root)]))


def imported(tree: ast.Module, package: str) -> Iterator[str]:
    """The dotted names that a module imports; of `from a import b` also `a.b`, which may be a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                parts = parts[: len(parts) - node.level + 1]
                base = ".".join([*parts, *([base] if base else [])])
            if base:
                yield base
                yield from (f"{base}.{alias.name}" for alias in node.names if alias.name != "*")


def files_of(name: str, places: list[Path]) -> list[tuple[Path, str]]:
    """The project's files that importing a module executes, each with the package that its relative imports go out from."""
    found: list[tuple[Path, str]] = []
    parts = name.split(".")
    for place in places:
        folder = place
        for i, part in enumerate(parts):
            package = ".".join(parts[: i + 1])
            if (init := folder / part / "__init__.py").is_file():
                found.append((init, package))
            elif (module := folder / f"{part}.py").is_file():
                found.append((module, ".".join(parts[:i])))
                break
            elif not (folder / part).is_dir():
                break
            folder = folder / part
        if found:
            return found
    return found


def pieces(spec: Spec) -> list[template.Piece]:
    """The pieces of its words. Raises `template.BadTemplate`."""
    return [piece for word in spec["args"] for piece in template.words(word)]
