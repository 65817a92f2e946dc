"""Where a project begins, which file and which pipeline are meant, and loading them.

A project's root is the pipeline file's folder, unless a folder above it has `stepwell.toml` or a
`[tool.stepwell]` table in its `pyproject.toml`. Loading a file runs its code, from exactly the
bytes that are then fingerprinted.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterable, Iterator
from contextlib import chdir
from inspect import unwrap
from itertools import islice
from pathlib import Path
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any

from stepwell.author.fingerprint import Project
from stepwell.author.root import DEFAULT_FILE, RUN_FILES, root_of
from stepwell.author.where import PACKAGE, Place, short, user_line
from stepwell.author.workspace import members, refuse_same_modules
from stepwell.author.written import written_of
from stepwell.errors import (
    CannotImport,
    NoPipelineFile,
    RunInsideRun,
    SeveralPipelines,
    StepwellError,
    UnknownPipeline,
    nearest,
)
from stepwell.named import NamedTuple
from stepwell.worker.hiding import blamed
from stepwell.worker.modules import FirstParty, SnapshotLoader

if TYPE_CHECKING:
    from stepwell.author.pipelines import Pipeline

_MISSING_NAME = re.compile(r"cannot import name '([^']+)'")

_PIPELINE = re.compile(r"^@(?:stepwell\.)?pipeline\b.*\n(?:@.*\n)*(?:async )?def (\w+)", re.MULTILINE)

_OTHERS = ("site-packages", "node_modules")
"""Folders whose files are somebody else's."""


class Target(NamedTuple):
    """What a command is about: the root, the module to load, and a pipeline's name ("" for the default one).

    `word` is what was typed for it.
    """

    root: Path
    module: str
    pipeline: str
    file: Path | None = None
    word: str = ""

    def named(self, name: str) -> str:
        """What to type for one of its pipelines, whatever the verb: its name, after the file where that was typed."""
        place = self.word.removesuffix(":")
        return shlex.quote(f"{place}:{name}") if place else name

    def command(self, words: str) -> str:
        """A command about the same, as one types it where this one was: "run --lock" is `stepwell run --lock src/churn/train.py`."""
        return f"stepwell {words} {shlex.quote(self.word)}" if self.word else f"stepwell {words}"


class Aim(NamedTuple):
    """A section or an endpoint that a command is about, and what is to be told if the pipeline has none such."""

    name: str
    error: StepwellError


class Loaded(NamedTuple):
    """A pipeline, the module that it came from, and the importer that holds the bytes which ran.

    `aim` is the part of it that a command is about; None for all of it.
    """

    target: Target
    module: ModuleType
    pipeline: Pipeline[Any, Any]
    importer: FirstParty
    aim: Aim | None = None


def find(word: str, here: Path) -> Target:
    """What `word` means in the folder `here`: "", "squares", "path.py", "path.py:squares" or "package.module:squares".

    Raises `NoPipelineFile`.
    """
    place, colon, name = word.rpartition(":") if ":" in word else (word, "", "")
    if not colon and not word.endswith(".py"):
        place, name = "", word
    if place and not place.endswith(".py"):
        root = root_of(here)
        return Target(root, place, name, word=word)
    file = (here / (place or DEFAULT_FILE)).resolve()
    if not file.is_file():
        raise _no_file(place, name, here)
    root = root_of(file)
    return Target(root, module_name(file, root), name, file, word)


def below(root: Path, word: str) -> Target:
    """What "FILE:NAME" means where the project's root is known, and FILE is relative to it. Raises `NoPipelineFile`."""
    place, _, name = word.rpartition(":")
    file = (root / place).resolve()
    if not file.is_file():
        raise _no_file(place, name, root)
    return Target(root, module_name(file, root), name, file, word)


def _no_file(place: str, name: str, here: Path) -> NoPipelineFile:
    fixes = _runs(name)
    if place:
        hint = nearest(place, (str(path.relative_to(here)) for path in _python_files(here, deep=True)))
        fixes += [f"did you mean `{hint}`?"] if hint else []
        what = f"there is no file `{place}` in `{here.name or here}`"
    else:
        candidates = (
            path.relative_to(here) for path in _python_files(here, deep=True) if _has_pipeline(path)
        )
        fixes += [f"stepwell plan {_word_for(path, here)}" for path in islice(candidates, 3)]
        above = next((folder for folder in here.resolve().parents if (folder / DEFAULT_FILE).is_file()), None)
        fixes += [f"stepwell -C {os.path.relpath(above, here)} ..."] if above is not None else []
        fixes.append("stepwell new     (writes a pipeline.py to start from)")
        what = f"there is no `{DEFAULT_FILE}` in `{here.name or here}`"
    return NoPipelineFile(
        what, why="a command works on the pipeline file of the folder that it is called in", fixes=fixes
    )


def _word_for(path: Path, here: Path) -> str:
    """How to name a pipeline file, relative to `here`: one of a package below `src/` by its module, so that it can import that package."""
    package = path.parts[0] == "src" and len(path.parts) > 2 and root_of(here / path) != root_of(here)
    if not package:
        return shlex.quote(str(path))
    found = _PIPELINE.search((here / path).read_text("utf-8", "replace"))
    return f"{'.'.join(path.with_suffix('').parts[1:])}:{found[1] if found else 'NAME'}"


def _runs(name: str) -> list[str]:
    """What helps where the name of a pipeline is that of a run file."""
    is_run_file = name.endswith(RUN_FILES)
    return [f"a run file is run: stepwell run {shlex.quote(name)}"] if is_run_file else []


def _python_files(here: Path, *, deep: bool = False) -> Iterator[Path]:
    """The Python files of a folder; with `deep` also those below, as far as that is quick."""
    yield from (path for path in sorted(here.glob("*.py")) if path.is_file())
    below = islice(here.rglob("*/*.py"), 5000) if deep else ()
    for path in sorted(below, key=lambda path: (len(path.parts), path)):
        if not any(part.startswith(".") or part in _OTHERS for part in path.relative_to(here).parts):
            yield path


def _has_pipeline(file: Path) -> bool:
    try:
        return b"@pipeline" in file.read_bytes()
    except OSError:
        return False


def module_name(file: Path, root: Path) -> str:
    """The name under which a file is imported: relative to the root, or to `src/` below it."""
    for base in (root / "src", root):
        if file.is_relative_to(base):
            parts = file.relative_to(base).with_suffix("").parts
            if all(part.isidentifier() for part in parts):
                return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)
    wrong = next(part for part in file.relative_to(root).with_suffix("").parts if not part.isidentifier())
    raise NoPipelineFile(
        f"`{file.name}` cannot be imported: `{wrong}` is not a Python name",
        why="workers import the file by its path from the project's root",
        fixes=[
            f"rename it to {''.join(c if c.isalnum() else '_' for c in wrong)}{'.py' if wrong == file.stem else ''}"
        ],
    )


def refuse_inside_import(pipeline_module: str = "") -> None:
    """Refuse to start a run while a module of the project is being imported. Raises `RunInsideRun`."""
    module = _being_imported()
    if module is None and getattr(sys.modules.get(pipeline_module), "__name__", "__main__") != "__main__":
        spec = sys.modules[pipeline_module].__spec__
        module = pipeline_module if getattr(spec, "_initializing", False) else None
    if module is not None:
        raise RunInsideRun(
            f"`{module}` starts a run while it is being imported",
            why="workers import it too, and would start that run again, without end",
            fixes=['put it under `if __name__ == "__main__":`'],
            where=user_line(),
        )


def _being_imported() -> str | None:
    """The module of a project whose code our importer is executing at this moment, here or in a worker."""
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code is SnapshotLoader.exec_module.__code__:
            return str(frame.f_locals["module"].__name__)
        frame = frame.f_back
    return None


def importer_of(root: Path) -> FirstParty:
    """The one importer of this process for a project's own modules, not necessarily installed."""
    own = Path(PACKAGE).parent
    others = [place for place in Project(root).roots if place not in (root, root / "src", own, own.parent)]
    return FirstParty.for_root(root, *dict.fromkeys((*members(root), *others)))


def importer_for(root: Path) -> FirstParty:
    """The importer of a project's own modules, installed, with the present bytes of its files.

    One project at a time: another project's modules, which may have the same names, are forgotten.
    """
    importer = importer_of(root)
    importer.install()
    importer.refresh()
    return importer


def load(target: Target) -> Loaded:
    """Import the target's module from its present bytes and find its pipeline.

    Raises `CannotImport` and `VariablesReplaced` naming the user's line, `UnknownPipeline`, `SeveralPipelines`, `RunInsideRun`.
    """
    refuse_inside_import()
    importer = importer_for(target.root)
    with chdir(target.root):  # as in a worker
        try:
            module = _imported(target, importer)
        except StepwellError:
            raise
        except (Exception, SystemExit) as error:
            _refuse_replaced(importer)  # which the error may come from
            if isinstance(error.__cause__, StepwellError):  # Python 3.11 wraps what `__set_name__` raises
                raise error.__cause__ from None
            raise _cannot_import(target, error, importer) from error
        finally:
            if not all(type(place) is str for place in sys.path):  # Python itself passes over anything else
                sys.path[:] = [str(place) for place in sys.path if isinstance(place, str)]
    _refuse_replaced(importer)
    found = getattr(module, "__file__", None)
    if target.file is not None and (found is None or Path(found).resolve() != target.file):
        raise CannotImport(
            f"`{target.file.name}` cannot be imported: the name `{target.module}` is taken",
            why=f"it means {found or 'a module of Python'}",
            fixes=["give the file another name"],
        )
    return Loaded(target, module, _choose(module, target), importer)


def _imported(target: Target, importer: FirstParty) -> ModuleType:
    """Import the target's module. What projects of a workspace cannot tell apart is refused, `SameModule`."""
    others = members(target.root)
    try:
        module = importer.load(target.module)
    except ImportError:  # perhaps of a name that was looked for in another project's file
        refuse_same_modules(importer, target.root, others)
        raise
    refuse_same_modules(importer, target.root, others)
    return module


def _refuse_replaced(importer: FirstParty) -> None:
    """Raise `VariablesReplaced` if a module put something else in the place of `os.environ`."""
    if not isinstance(os.environ, os._Environ):
        from stepwell.author.variables import replaced

        raise replaced(importer.snapshot)


def _cannot_import(target: Target, error: BaseException, importer: FirstParty) -> CannotImport:
    name = target.file.name if target.file is not None else target.module
    missing = error.name if isinstance(error, ModuleNotFoundError) and error.name else ""
    if missing and f"{target.module}.".startswith(f"{missing}."):
        return CannotImport(
            f"there is no module `{target.module}` below the project's root",
            fixes=["check the spelling, or name a file: path.py:name"],
        )
    if isinstance(error, SyntaxError):
        shown = (error.text or "").strip()
        return CannotImport(
            f"`{short(error.filename or name)}` is not valid Python: {error.msg}",
            why=f"in the line `{shown}`" if shown else "a Python file is text in UTF-8",
            where=f"{short(error.filename or name)}:{error.lineno}",
        )
    place = Place(error.__traceback__)
    fixes = blamed(error, importer.is_first_party)
    if names_data(target.root, target.file, error):
        fixes += _fixes_of_data(target, error)
    elif missing and (outer := _package_around(target, missing.partition(".")[0])) is not None:
        fixes += _fixes_of_package(target, outer)
    elif missing:
        package = missing.partition(".")[0].replace("_", "-")
        fixes.append(f"pip install {package}     (or its distribution, if that has another name)")
    elif isinstance(error, ImportError) and "relative import" in str(error):
        fixes += [
            f"import it as it is seen from the project's root, `{target.root.name or target.root}`",
            "or mark a folder above as the root: [tool.stepwell] in its pyproject.toml",
        ]
    elif isinstance(error, NameError) and error.name:
        hint = nearest(error.name, [name for name in place.names if name != error.name])
        fixes += [f"did you mean `{hint}`?"] if hint else []
    return CannotImport(
        f"importing `{name}` raised {type(error).__name__}: {error}".rstrip(": "),
        why=place.why,
        fixes=fixes,
        where=place.where,
    )


def _package_around(target: Target, name: str) -> Path | None:
    """The folder above a file, outside of the project's root, that has this name: the package that the file is a module of."""
    outside = target.root.parents if target.file is not None else ()
    return next((folder for folder in (target.root, *outside) if folder.name == name), None)


def _fixes_of_package(target: Target, package: Path) -> list[str]:
    """What helps where a file imports its own package, which begins above the project's root."""
    top = package.parent.parent if package.parent.name == "src" else package.parent
    inner = target.root.relative_to(package).parts
    word = f"{'.'.join((package.name, *inner, target.module))}:{target.pipeline or 'NAME'}"
    return [
        f"mark the project's root: a table [tool.stepwell] in the pyproject.toml of `{top.name}`",
        f"or name the pipeline by its module, from there: stepwell plan {word}",
    ]


def names_data(root: Path, file: Path | None, error: BaseException) -> bool:
    """Whether an import failed for want of what `stepwell lock` writes: the module of the manifest's data, or one of its names."""
    if not isinstance(error, ImportError) or (written := written_of(root, file)) is None:
        return False
    data = written.table.get("data")
    said = str(written.table.get("interface") or "data.py")
    module = said.rpartition("/")[2].removesuffix(".py")
    wanted = (error.name or "").rpartition(".")[2]
    return isinstance(data, dict) and bool(data) and wanted == module


def _fixes_of_data(target: Target, error: BaseException) -> list[str]:
    """What helps where a name of the manifest's data is missing: another name, or that the module is written."""
    written = written_of(target.root, target.file)
    known = sorted(written.table["data"]) if written is not None else []
    missing = _MISSING_NAME.match(str(error))
    if missing is None or missing[1] in known:
        return [f"{target.command('lock')}     (writes the module that named data is imported from)"]
    hint = nearest(missing[1], known)
    return [f"did you mean `{hint}`?"] if hint else [f"the manifest names {', '.join(known)}"]


def pipelines_of(module: ModuleType) -> dict[str, Pipeline[Any, Any]]:
    """The pipelines that a module holds, by the names that it holds them under."""
    return {
        name: value
        for name, value in vars(module).items()
        if getattr(type(value), "__stepwell__", "") == "pipeline"
    }


def _choose(module: ModuleType, target: Target) -> Pipeline[Any, Any]:
    held = pipelines_of(module)
    file = target.file.name if target.file is not None else target.module
    if target.pipeline:
        if target.pipeline in held:
            return held[target.pipeline]
        hint = nearest(target.pipeline, held)
        fixes = [*([f"did you mean `{hint}`?"] if hint else []), *_runs(target.pipeline)]
        fixes.append(f"`{file}` has: {', '.join(held)}" if held else f"write one in `{file}`: @pipeline")
        raise UnknownPipeline(f"`{file}` has no pipeline `{target.pipeline}`", fixes=fixes)
    own = {name: p for name, p in held.items() if p.__module__ == module.__name__} or held
    if not own:
        raise UnknownPipeline(
            f"`{file}` has no pipeline",
            why="a pipeline is a function under @pipeline that calls steps",
            fixes=["write one, or name the file that has it: stepwell plan path.py"],
        )
    called = {
        name
        for other in own.values()
        for name in _names_in(unwrap(other.function).__code__)
        if own.get(name) is not other
    }
    called |= {name for other in own.values() for name, one in own.items() if one in _parts_of(other)}
    tops = {id(p): name for name, p in own.items() if name not in called}
    if len(tops) == 1:
        return own[next(iter(tops.values()))]
    names = list(tops.values()) or list(own)
    raise SeveralPipelines(
        f"`{file}` has {len(names)} pipelines that could be meant: {', '.join(names)}",
        why="only the one pipeline that no other calls can go without a name",
        fixes=[f"name it: {target.named(name)}" for name in names[:3]],
    )


def _parts_of(pipeline: Any) -> list[object]:
    """The pipelines that are joined in one, and those that these are variants of."""
    sections = getattr(pipeline, "sections", None)
    found = list(sections.parts if sections is not None else ())
    found += [base for one in found if (base := getattr(one, "base", None)) is not None]
    return [part for one in found for part in (one, *_parts_of(one))]


def _names_in(code: CodeType) -> Iterable[str]:
    """Every global or attribute name that a function mentions, inner functions included."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names_in(constant)


def target_of(pipeline: Pipeline[Any, Any]) -> Target:
    """The target that a pipeline object came from, `__main__` taken under its real name.

    Raises `CannotImport` where its code is in no file.
    """
    file = Path(unwrap(pipeline.function).__code__.co_filename)
    if not file.is_file():
        raise CannotImport(
            f"the pipeline `{pipeline.__name__}` is not in a file",
            why="workers load a pipeline's code from its file",
            fixes=["save it as a file, for example pipeline.py", "or define it in a cell of a notebook"],
        )
    file = file.resolve()
    root = root_of(file)
    held = unwrap(pipeline.function).__globals__
    scope = list(held.items())
    named = [name for name, value in scope if getattr(value, "function", None) is pipeline.function]
    name = next((name for name in named if held[name] is pipeline), next(iter(named), pipeline.__name__))
    return Target(root, module_name(file, root), name, file)
