"""Steps of others: `use("git+https://...@v1.2", "module:step")` is a step like any other.

    featurize = use("git+https://example.org/team/features@v1.2", "features.core:featurize")
    featurize = use("../features", "features.core:featurize")     # while one works on both
    train = use("flights-delay==1.0.0", "pipeline:train")         # of a release

The other project is fetched when a pipeline that calls the step is traced. Its code is never imported
here: how the step is called is read from its source. It is executed in a process of its own, with that
project's dependencies, and the files of that commit, so that two versions can be used side by side.
"""

from __future__ import annotations

import ast
import inspect
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, Unpack

from stepwell.author.kinds.made import Made, callers
from stepwell.author.options import PLACE, StepOptions, checked
from stepwell.author.root import root_of
from stepwell.author.steps import Step
from stepwell.author.where import user_line
from stepwell.errors import BadUse, NoSuchStep, StepwellError, nearest
from stepwell.worker.places.checkouts import Checkout, checkout, parsed

_LIBRARIES = frozenset({"numpy", "pandas", "polars", "pyarrow"})
"""Libraries whose classes are looked up where an annotation of a step of others names them."""

_KINDS = {
    "posonlyargs": inspect.Parameter.POSITIONAL_ONLY,
    "args": inspect.Parameter.POSITIONAL_OR_KEYWORD,
    "kwonlyargs": inspect.Parameter.KEYWORD_ONLY,
}


def use(address: str, step: str, /, **options: Unpack[StepOptions]) -> Step[..., Any]:
    """A step of another project, by "module:step": of a commit of a repository, of a release, or of a folder.

    `address` is "git+https://...@v1.2" (a tag, a branch or a commit; also ssh and file), a release as
    "churn==1.4.0" or its wheel, or the path of a folder, relative to the project's root. `options` are those of `@step`; what its own decorator says
    does not count here. Which libraries it gets, its project says. Raises `BadUse`, `BadOption`.
    """
    if not isinstance(address, str) or not isinstance(step, str) or not re.fullmatch(r"[\w.]+:\w+", step):
        raise BadUse(
            f"use({address!r}, {step!r}) names no step",
            why='a step is named by its module and its name, "features.core:featurize"',
            fixes=['use("git+https://example.org/team/project@v1.2", "module:step")'],
            where=user_line(),
        )
    wrong = [name for name in PLACE if name in options and name != "python"]
    if wrong:
        raise BadUse(
            f"`{wrong[0]}=` cannot be said of a step of another project",
            why="that project says itself what it depends on, in its `pyproject.toml` or `pylock.toml`",
            fixes=["leave it out"],
            where=user_line(),
        )
    if address.startswith("git+"):
        try:
            parsed(address)
        except BadUse as error:
            error.where = user_line()
            raise
    settings = checked(options)._replace(project=json.dumps([address, step]))
    return Step(Used(address, step), settings)


class Used(Made):
    """In place of a function: a step of another project. What it takes and gives is read when it is first asked for."""

    def __init__(self, address: str, step: str) -> None:
        self.address, self.step = address, step
        self.kind, self.spec = "python", ""
        self.where = user_line()
        self.modules, self._file = callers()
        self.is_bound = False
        self._advice: Mapping[str, str] = {}
        self.__name__ = self.__qualname__ = step.rpartition(":")[2]
        self.__module__ = self.modules[0] if self.modules else "__main__"
        self.__doc__ = f"`{step}` of {address}"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Nowhere but in a pipeline: raises `BadUse`."""
        raise BadUse(
            f"`{self.__name__}` is a step of another project, and is called outside of a pipeline",
            why="its code is executed in a process of its own, which only a run starts",
            fixes=["call it in a pipeline, and run that"],
            where=user_line(),
        )

    @cached_property
    def declared(self) -> Declared:
        """How the step is called. Raises `NoSuchProject`, `NoSuchStep`."""
        root = root_of(Path(self._file)) if self._file else Path.cwd()
        try:
            return declared(checkout(self.address, root), self.step)
        except StepwellError as error:
            error.where = error.where or self.where
            raise

    @property
    def __signature__(self) -> inspect.Signature:  # type: ignore[override]
        return self.declared.signature

    @property
    def __annotations__(self) -> dict[str, Any]:  # type: ignore[override]
        return dict(self.declared.annotations)

    @property
    def __globals__(self) -> dict[str, Any]:
        return self.declared.scope


class Declared(NamedTuple):
    """A step as its source declares it: its signature, its annotations as text, and what names in them mean here."""

    signature: inspect.Signature
    annotations: dict[str, str]
    scope: dict[str, Any]
    about: str


def source_of(project: Checkout, module: str) -> Path:
    """The file of a module of a project. Raises `NoSuchStep`."""
    below = module.split(".")
    for base in (project.folder, project.folder / "src"):
        for file in (base.joinpath(*below, "__init__.py"), base.joinpath(*below).with_suffix(".py")):
            if file.is_file():
                return file
    names = sorted(
        {file.stem for base in (project.folder, project.folder / "src") for file in base.glob("*.py")}
    )
    raise NoSuchStep(
        f"`{_shown(project)}` has no module `{module}`",
        why=f"its modules are: {', '.join(names[:10])}"
        if names
        else "it has no modules at its root, nor in `src`",
        fixes=_close(module, names),
    )


def declared(project: Checkout, step: str) -> Declared:
    """What the source of a step says, which is not executed. Raises `NoSuchStep`."""
    module, _, name = step.partition(":")
    file = source_of(project, module)
    try:
        tree = ast.parse(file.read_bytes(), file.name)
    except (SyntaxError, ValueError) as error:
        raise NoSuchStep(f"`{module}` of `{_shown(project)}` is not valid Python: {error}") from error
    functions = {
        one.name: one for one in tree.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    steps = [each for each, function in functions.items() if _is_step(function)]
    if name not in functions:
        raise NoSuchStep(
            f"`{module}` of `{_shown(project)}` has no step `{name}`",
            why=f"its steps are: {', '.join(steps)}" if steps else "it has no steps",
            fixes=_close(name, steps),
        )
    function = functions[name]
    given = {one.arg: one.annotation for one in _arguments(function) if one.annotation is not None}
    if function.returns is not None:
        given["return"] = function.returns
    texts = {each: text for each, node in given.items() if (text := _harmless(node))}
    scope = _scope(
        tree, {leaf.id for node in given.values() for leaf in ast.walk(node) if isinstance(leaf, ast.Name)}
    )
    return Declared(_signature(function), texts, scope, ast.get_docstring(function) or "")


def _signature(function: ast.FunctionDef | ast.AsyncFunctionDef) -> inspect.Signature:
    """The parameters; of a default that is not written as plain data it is only known that there is one (`...`)."""
    given = function.args
    plain = [*given.posonlyargs, *given.args]
    first = len(plain) - len(given.defaults)
    defaults = {one.arg: each for one, each in zip(plain[first:], given.defaults, strict=True)}
    defaults |= {
        one.arg: each
        for one, each in zip(given.kwonlyargs, given.kw_defaults, strict=True)
        if each is not None
    }
    found = [
        inspect.Parameter(one.arg, kind, default=_default(defaults.get(one.arg)))
        for name, kind in _KINDS.items()
        for one in getattr(given, name)
    ]
    if given.vararg is not None:
        found.insert(len(plain), inspect.Parameter(given.vararg.arg, inspect.Parameter.VAR_POSITIONAL))
    if given.kwarg is not None:
        found.append(inspect.Parameter(given.kwarg.arg, inspect.Parameter.VAR_KEYWORD))
    return inspect.Signature(found)


def _default(node: ast.expr | None) -> Any:
    if node is None:
        return inspect.Parameter.empty
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ...


def _arguments(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.arg]:
    given = function.args
    yield from (*given.posonlyargs, *given.args, *given.kwonlyargs)
    yield from (one for one in (given.vararg, given.kwarg) if one is not None)


def _is_step(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    for one in function.decorator_list:
        called = one.func if isinstance(one, ast.Call) else one
        if (called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")) == "step":
            return True
    return False


_HARMLESS = (
    ast.Name,
    ast.Attribute,
    ast.Subscript,
    ast.Constant,
    ast.Tuple,
    ast.List,
    ast.BinOp,
    ast.BitOr,
    ast.Load,
)


def _harmless(annotation: ast.expr) -> str:
    """The text of an annotation in which nothing is called; "" for any other, which then says nothing here."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        try:
            annotation = ast.parse(annotation.value, mode="eval").body
        except SyntaxError:
            return ""
    nodes = list(ast.walk(annotation))
    private = any(isinstance(one, ast.Attribute) and one.attr.startswith("_") for one in nodes)
    return ast.unparse(annotation) if not private and all(isinstance(one, _HARMLESS) for one in nodes) else ""


def _scope(tree: ast.Module, names: set[str]) -> dict[str, Any]:
    """What names that a module imports mean, as far as Python's own modules and libraries for data have them."""
    found: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.Import):
            for one in node.names:
                name = one.asname or one.name.partition(".")[0]
                if name in names:
                    found[name] = _known(one.name if one.asname else name, "")
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for one in node.names:
                if (one.asname or one.name) in names:
                    found[one.asname or one.name] = _known(node.module, one.name)
    return {name: value for name, value in found.items() if value is not None}


def _known(module: str, name: str) -> Any:
    """A module, or what it has under a name; None where it is not one that is looked at, or is not installed."""
    if module.partition(".")[0] not in _LIBRARIES | sys.stdlib_module_names:
        return None
    try:
        found = import_module(module)
    except ImportError:
        return None
    return getattr(found, name, None) if name else found


def _close(word: str, names: list[str]) -> list[str]:
    hint = nearest(word, names)
    return [f"did you mean `{hint}`?"] if hint else ['name it as "module:step"']


def _shown(project: Checkout) -> str:
    return (
        f"{project.name}@{project.ref or project.commit[:12]}"
        if project.commit
        else os.fspath(project.folder)
    )
