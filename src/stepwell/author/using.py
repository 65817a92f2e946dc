"""Steps of others: `use("git+https://...@v1.2", "module:step")` is a step like any other.

    featurize = use("git+https://example.org/team/features@v1.2", "features.core:featurize")
    featurize = use("../features", "features.core:featurize")     # while one works on both
    train = use("flights-delay==1.0.0", "pipeline:train")         # of a release
    delays = use("flights-delay==1.0.0")                          # its whole pipeline, to be called in another one

The other project is fetched when a pipeline that calls the step is traced. Its code is never imported
here: how the step is called is read from its source. It is executed in a process of its own, with that
project's dependencies, and the files of that commit, so that two versions can be used side by side.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, TypedDict, Unpack, cast, overload

from stepwell.author.annotations import hints_of
from stepwell.author.bindings import holds_references
from stepwell.author.inputs import Source
from stepwell.author.kinds.made import Made, callers
from stepwell.author.options import PLACE, Options, StepOptions, checked
from stepwell.author.pipelines import Pipeline
from stepwell.author.root import root_of
from stepwell.author.steps import Step
from stepwell.author.trace import current
from stepwell.author.where import user_line
from stepwell.errors import BadUse, CannotCarry, NoSuchStep, StepwellError, nearest
from stepwell.plugins.registry import releases, runner
from stepwell.worker.places.checkouts import Checkout, checkout, is_release, parsed

_LIBRARIES = frozenset({"numpy", "pandas", "polars", "pyarrow"})
"""Libraries whose classes are looked up where an annotation of a step of others names them."""

_KINDS = {
    "posonlyargs": inspect.Parameter.POSITIONAL_ONLY,
    "args": inspect.Parameter.POSITIONAL_OR_KEYWORD,
    "kwonlyargs": inspect.Parameter.KEYWORD_ONLY,
}


@overload
def use(address: str, /, *, pipeline: str = "") -> Pipeline[..., Any]: ...
@overload
def use(address: str, step: str, /, **options: Unpack[StepOptions]) -> Step[..., Any]: ...
def use(address: str, step: str = "", /, *, pipeline: str = "", **options: Any) -> Any:
    """A step of another project, by "module:step": of a commit of a repository, of a release, or of a folder; or a pipeline of a release.

    `address` is "git+https://...@v1.2" (a tag, a branch or a commit; also ssh and file), a release as
    "churn==1.4.0" or its wheel, or the path of a folder, relative to the project's root. `options` are those of `@step`; what its own decorator says
    does not count here. Which libraries it gets, its project says.

    Without a step it is the pipeline of a release, or that of the name `pipeline` where it has several. It is called in a pipeline like any
    other: its steps run in the environment of the release, its parameters are those of the call, its data are the release's.
    "module:name" may name a pipeline, too. Raises `BadUse`, `BadOption`.
    """
    named = isinstance(step, str) and bool(re.fullmatch(r"[\w.]+:\w+", step))
    if (
        not isinstance(address, str)
        or not (named or (step == "" and is_release(address)))
        or (step and pipeline)
    ):
        raise BadUse(
            f"use({address!r}, {step!r}) names no step" if step else f"use({address!r}) names no release",
            why='a step is named by its module and its name, "features.core:featurize"; of a release alone it is the pipeline',
            fixes=[
                'use("git+https://example.org/team/project@v1.2", "module:step")',
                'use("churn==1.4.0")   is the pipeline of a release',
            ],
            where=user_line(),
        )
    if not step:
        if options:
            raise BadUse(
                f"`{next(iter(options))}=` is an option of steps, and use({address!r}) is a pipeline",
                fixes=["leave it out"],
                where=user_line(),
            )
        return Pipeline(Body(address, pipeline))
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
    settings = checked(cast("StepOptions", options))._replace(project=json.dumps([address, step]))
    return UsedStep(Used(address, step), settings)


class Elsewhere:
    """In place of a function of another project. How that is called is read there, when it is first asked for."""

    def __init__(self, address: str, where: str = "") -> None:
        self.address, self.where = address, where or user_line()
        self.modules, self._file = callers()

    def read(self) -> Declared:
        """Read how it is called."""
        raise NotImplementedError

    @cached_property
    def declared(self) -> Declared:
        """How it is called. Raises as `read`, at the line that names it."""
        try:
            return self.read()
        except StepwellError as error:
            error.where = error.where or self.where
            raise

    @cached_property
    def root(self) -> Path:
        """The root of the project that uses it."""
        return root_of(Path(self._file)) if self._file else Path.cwd()

    @property
    def __signature__(self) -> inspect.Signature:
        return self.declared.signature

    @property
    def __annotations__(self) -> dict[str, Any]:  # type: ignore[override]
        return dict(self.declared.annotations)

    @property
    def __globals__(self) -> dict[str, Any]:
        return self.declared.scope


class Used(Elsewhere, Made):
    """In place of a function: a step of another project."""

    def __init__(self, address: str, step: str) -> None:
        super().__init__(address)
        self.step = step
        self.kind, self.spec = "python", ""
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

    def read(self) -> Declared:
        """Read how the step is called. Raises `NoSuchProject`, `NoSuchStep`."""
        return declared(checkout(self.address, self.root), self.step)


class UsedStep(Step[..., Any]):
    """A step of another project; where what it names turns out to be a pipeline of a release, calls are of that."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Inside a pipeline: references. Elsewhere nothing: raises `BadUse`."""
        if current() is not None and (found := self.pipeline) is not None:
            return found(*args, **kwargs)
        return super().__call__(*args, **kwargs)

    @cached_property
    def pipeline(self) -> Pipeline[..., Any] | None:
        """The pipeline that it is; None of a step."""
        used = cast("Used", self.made)
        if not is_release(used.address):
            return None
        try:
            _, found = _module_of(checkout(used.address, used.root), used.step)
        except StepwellError:  # which whoever asks for the step is told
            return None
        if found is None or not _is_decorated(found, "pipeline"):
            return None
        return Pipeline(Body(used.address, used.step, used.where), label=self.label, after=self.preceding)

    def replace(self, **new: Any) -> Pipeline[..., Any]:
        """The pipeline with other steps in place of some, as `Pipeline.replace`. Raises `BadUse` for a step."""
        if self.pipeline is None:
            raise BadUse(f"`{self.__name__}` is a step, and has none to replace", where=user_line())
        return self.pipeline.replace(**new)


class Body(Elsewhere):
    """In place of the body of a pipeline: that of a release, which is traced in the environment of that release."""

    def __init__(self, address: str, name: str, where: str = "") -> None:
        super().__init__(address, where)
        self.name = name
        project = re.split(r"[=]=|-", address.rpartition("/")[2].replace(" ", ""))[0].replace("-", "_")
        self.__name__ = self.__qualname__ = (
            name.rpartition(":")[2] or re.sub(r"\W", "_", project) or "release"
        )
        self.__module__ = f"{self.modules[0] if self.modules else '__main__'} ({address})"
        self.__doc__ = f"the pipeline of {address}"

    def read(self) -> Declared:
        """Read how the pipeline is called. Raises `NoSuchProject`, `CannotCarry`."""
        return declared(self._project, self.place)

    @cached_property
    def _project(self) -> Checkout:
        return checkout(self.address, self.root)

    @cached_property
    def place(self) -> str:
        """The pipeline as "module:name". Raises `CannotCarry` where the release has none of that name, or several."""
        if ":" in self.name:
            return self.name
        there = releases().pipelines_in(self._project)
        if self.name in there or (not self.name and len(there) == 1):
            return str(there.get(self.name) or next(iter(there.values())))
        hint = nearest(self.name, there) if self.name else ""
        names = ", ".join(f"`{one}`" for one in there) or "none"
        raise CannotCarry(
            f"{self.address} has no pipeline `{self.name}`"
            if self.name
            else f"{self.address} has {len(there)} pipelines",
            why=f"those that were released are: {names}",
            fixes=[f'use("{self.address}", pipeline="{hint or next(iter(there), "name")}")'],
            where=self.where,
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """In a trace: the calls of its steps, and what it gives. Elsewhere: raises `BadUse`."""
        trace = current()
        if trace is None:
            raise BadUse(
                f"`{self.__name__}` is the pipeline of a release, and is called outside of a pipeline",
                why="its steps are executed in an environment of their own, which only a run starts",
                fixes=["call it in a pipeline, and run that"],
                where=user_line(),
            )
        bound = self.__signature__.bind(*args, **kwargs).arguments
        given = {name: value for name, value in bound.items() if holds_references(value)}
        from stepwell.author.carried import Steps, packed, replay  # few pipelines are of releases

        try:
            values = {name: packed(value) for name, value in bound.items() if name not in given}
            order = {"pipeline": self.place, "values": values, "given": sorted(given)}
            wired = runner().wired(self._project, order, self.root)
            return replay(wired, bound, Steps(self._step, self._source), trace)
        except StepwellError as error:
            error.where = error.where or self.where
            raise

    def _step(self, told: Mapping[str, Any], options: Options) -> Step[..., Any]:
        """A step of the release, which gives what it gave there."""
        place = str(told["place"])
        used = UsedIn(self.address, place, told, self._project)
        python = json.dumps([self.address, place])
        return Step(used, options._replace(project=python))

    def _source(self, told: Mapping[str, Any]) -> Source[Any]:
        """Data of the release: what its lock pins, whatever is elsewhere now. Raises `CannotCarry`."""
        uri, options = releases().data_in(self._project, told["name"])
        kind = _kind(str(told["type"]))
        return Source(uri, kind, {**options, **unpacked_options(told["options"])})


def unpacked_options(told: Any) -> dict[str, Any]:
    """The options of a source, as they were told."""
    from stepwell.author.carried import unpacked

    return dict(unpacked(told))


def _kind(text: str) -> object:
    """The type that a source is read as. Raises `CannotCarry` where it is of a library that is not here."""
    if not text:
        return None
    tree = ast.parse(text, mode="eval")
    names = {leaf.id for leaf in ast.walk(tree) if isinstance(leaf, ast.Name)}
    scope = {name: _known(name, "") for name in names if not hasattr(builtins, name)}
    hints = hints_of(_Annotated({"return": text}, {k: v for k, v in scope.items() if v is not None}))
    if "return" not in hints:
        raise CannotCarry(
            f"data of it is read as {text}, and that is not installed here",
            why="data are read by the project that runs, and handed to the step",
            fixes=[f"pip install {text.partition('.')[0]}"],
        )
    return hints["return"]


class _Annotated:
    """Annotations as text, with what names in them mean."""

    def __init__(self, annotations: dict[str, Any], scope: dict[str, Any]) -> None:
        self.__annotations__, self.__globals__ = annotations, scope

    def __call__(self) -> None:
        """Nothing."""


class UsedIn(Used):
    """A step of a pipeline that was traced elsewhere: what its outputs are is told, and not read."""

    def __init__(self, address: str, step: str, told: Mapping[str, Any], project: Checkout) -> None:
        super().__init__(address, step)
        self._told, self._checkout = told, project
        self.is_bound = True  # it is found by what `use` was given
        self.__name__ = str(told["name"])
        self.__qualname__ = step.rpartition(":")[2]
        self.__module__ = f"{project.name}.{step.rpartition(':')[0]}"

    @cached_property
    def declared(self) -> Declared:
        """How the step is called, and outputs that it had there. Raises `NoSuchStep`."""
        found = declared(self._checkout, self.step)
        outputs, shape = self._told["outputs"], self._told["shape"]
        if shape == "single":
            return found
        scope = {f"_{number}": _any_of(text) for number, (_, text, _) in enumerate(outputs)}
        names = [name for name, _, _ in outputs]
        if shape == "tuple":
            returns: Any = tuple[tuple(scope.values())]  # type: ignore[misc]
        elif shape == "dict":
            returns = TypedDict("Given", dict(zip(names, scope.values(), strict=True)))  # type: ignore[misc,operator]  # noqa: UP013
        else:
            module, _, name = str(self._told["record"]).partition(":")
            returns = NamedTuple(name, list(zip(names, scope.values(), strict=True)))  # type: ignore[misc]
            returns.__module__, returns.__qualname__ = module, name
        return found._replace(
            annotations={**found.annotations, "return": "_returns"},
            scope={**found.scope, "_returns": returns},
        )


def _any_of(text: str) -> Any:
    """The type that a text means here; anything where it means none."""
    try:
        found = _kind(text)
    except (CannotCarry, SyntaxError):
        return Any
    return Any if found is None else found


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
    """What the source of a step or pipeline says, which is not executed. Raises `NoSuchStep`."""
    module, _, name = step.partition(":")
    tree, function = _module_of(project, step)
    steps = [one.name for one in tree.body if isinstance(one, _FUNCTIONS) and _is_decorated(one, "step")]
    if function is None:
        raise NoSuchStep(
            f"`{module}` of `{_shown(project)}` has no step `{name}`",
            why=f"its steps are: {', '.join(steps)}" if steps else "it has no steps",
            fixes=_close(name, steps),
        )
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


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def _module_of(
    project: Checkout, place: str
) -> tuple[ast.Module, ast.FunctionDef | ast.AsyncFunctionDef | None]:
    """The module of "module:name", and the function of that name; None where there is none. Raises `NoSuchStep`."""
    module, _, name = place.partition(":")
    file = source_of(project, module)
    try:
        tree = ast.parse(file.read_bytes(), file.name)
    except (SyntaxError, ValueError) as error:
        raise NoSuchStep(f"`{module}` of `{_shown(project)}` is not valid Python: {error}") from error
    found = [one for one in tree.body if isinstance(one, _FUNCTIONS) and one.name == name]
    return tree, found[-1] if found else None


def _is_decorated(function: ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> bool:
    for one in function.decorator_list:
        called = one.func if isinstance(one, ast.Call) else one
        if (called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")) == name:
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
