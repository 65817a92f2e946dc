"""Projects that a project works with: `[tool.stepwell] workspace = ["../etl-project", "packages/*"]`.

The modules of such a member (those in its folder and in its `src/`) can be imported as the project's own:
they count in fingerprints, are run from kept bytes, and are observed. Everything else is the project's:
its store, its settings, and the folder in which steps run and to which addresses of sources are relative.

A name that two of the projects have is the importing project's own where that has it. Where Python would
give another one than that, or where it is not clear which is meant, importing is refused (`SameModule`).
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from stepwell.author.settings import settings_of
from stepwell.author.where import short
from stepwell.errors import BadSettings, SameModule
from stepwell.worker.modules import FirstParty


def members(root: Path) -> tuple[Path, ...]:
    """The folders of the projects that the one with this root works with. Raises `BadSettings`."""
    out: dict[Path, None] = {}
    for word in settings_of(root).workspace:
        found = _folders(root, word)
        if not found:
            raise BadSettings(
                f"`workspace` names `{word}`, and there is no such folder",
                why=f"it is looked for from `{root.name or root}`, the project's root",
                fixes=['for example: workspace = ["../etl-project", "packages/*"]'],
            )
        for folder in found:
            if root.is_relative_to(folder):
                raise BadSettings(
                    f"`workspace` names `{word}`, which holds the project itself",
                    why="a member is a project beside this one, or inside of it",
                    fixes=["name the folders of the other projects"],
                )
            out[folder] = None
    return tuple(out)


def _folders(root: Path, word: str) -> list[Path]:
    """The folders that a word means, which may hold `*`; hidden ones are never meant by a pattern."""
    if not any(character in word for character in "*?["):
        place = Path(os.path.normpath(root / os.path.expanduser(word)))
        return [place.resolve()] if place.is_dir() else []
    from glob import glob  # few projects have patterns

    found = (Path(place) for place in glob(os.path.join(root, os.path.expanduser(word))))
    return sorted(place.resolve() for place in found if place.is_dir() and place.resolve() != root)


def refuse_same_modules(importer: FirstParty, root: Path, others: Sequence[Path]) -> None:
    """Look through the files that were loaded for imports that mean another project's module than they say.

    Raises `SameModule`, naming both files.
    """
    projects = [root, *others]
    for file in sorted(importer.snapshot) if others else ():
        home = _home(file, projects)
        if home is not None and file.endswith(".py"):
            for line, top in _imported(importer.snapshot[file]):
                _refuse_one(projects, home, file, line, top)


def _home(file: str, projects: Sequence[Path]) -> Path | None:
    """The project that a file belongs to: the innermost one."""
    around = [project for project in projects if file.startswith(f"{project}{os.sep}")]
    return max(around, key=lambda project: len(str(project)), default=None)


def _imported(data: bytes) -> Iterator[tuple[int, str]]:
    """The top-level names that a file imports, each with its line."""
    for node in ast.walk(ast.parse(data)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.lineno, node.module.partition(".")[0]


def _refuse_one(projects: Sequence[Path], home: Path, file: str, line: int, top: str) -> None:
    """Refuse the import of a name that two projects have, unless the first of them is the importing one itself.

    A file that imports its own name means another project's.
    """
    there = {project: place for project in projects if (place := _module(project, top))}
    if len(there) < 2 or (next(iter(there)) == home and there[home] != file):
        return
    first = there.get(home) or next(iter(there.values()))
    project, other = next((p, place) for p, place in reversed(there.items()) if place != first)
    package = (project if project != projects[0] else home).name.replace("-", "_")
    raise SameModule(
        f"`import {top}` could mean `{short(first)}` or `{short(other)}`",
        why="two projects of the workspace have a module of that name, and one process knows one",
        fixes=["rename one of them", f"or put the member's modules into a package: {package}/{top}.py"],
        where=f"{short(file)}:{line}",
    )


def _module(project: Path, top: str) -> str:
    """The file of a top-level module or package of a project; "" where it has none."""
    for folder in (project, project / "src"):
        for place in (folder / top / "__init__.py", folder / f"{top}.py"):
            if place.is_file():
                return str(place)
    return ""
