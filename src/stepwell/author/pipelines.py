"""Pipelines: `@pipeline` makes a function that composes steps one that can be planned and run.

Its body is ordinary Python. Inside another pipeline a call adds its steps to that one's graph;
outside, it simply computes everything in this process, which is what a unit test wants.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cached_property
from typing import Any, Generic, ParamSpec, TypedDict, TypeVar, Unpack, cast, overload

from stepwell.author.annotations import hints_of
from stepwell.author.options import bad, label_of, unknown
from stepwell.author.runs import PlanView, Run
from stepwell.author.shell import watch
from stepwell.author.trace import current, ordering
from stepwell.author.where import user_line
from stepwell.errors import BadPipeline
from stepwell.plugins.registry import runner

P = ParamSpec("P")
R = TypeVar("R")


class RunOptions(TypedDict, total=False):
    """How a run is carried out; none of it changes what is computed."""

    jobs: int
    keep_going: bool
    in_process: bool
    force: bool


class Pipeline(Generic[P, R]):
    """A function that composes steps. Made by `@pipeline`; never changed."""

    __stepwell__ = "pipeline"

    def __init__(
        self,
        function: Callable[P, R],
        options: RunOptions | None = None,
        *,
        label: str = "",
        after: tuple[object, ...] = (),
    ) -> None:
        self.function = function
        self.label = label
        self.run_options: RunOptions = options or {}
        self._after = after
        self.__name__: str = function.__name__
        self.__qualname__ = function.__qualname__
        self.__module__ = function.__module__
        self.__doc__ = function.__doc__
        self.__wrapped__ = function

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Inside another pipeline: its references. Elsewhere: everything computed here and now, nothing kept."""
        trace = current()
        if trace is None:
            return self.function(*args, **kwargs)
        return cast(R, trace.inside(self, self.label or self.__name__, self._after, args, kwargs))

    def __set_name__(self, owner: type, name: str) -> None:
        raise BadPipeline(
            f"`@pipeline` stands on the method `{owner.__name__}.{name}`",
            why="its parameters would begin with an object that the command cannot make",
            fixes=["make it a function"],
            where=user_line(),
        )

    def __repr__(self) -> str:
        return f"<pipeline {self.__module__}:{self.__qualname__}>"

    def plan(self, *args: P.args, **kwargs: P.kwargs) -> PlanView:
        """What a run with these parameters would do, and why; nothing is run or recorded."""
        return cast("PlanView", runner().plan_pipeline(self, args, kwargs))

    def run(self, *args: P.args, **kwargs: P.kwargs) -> Run[R]:
        """Run with these parameters: a `Run` with a status, whose `.result` raises what failed.

        Shares keys, classes and cache with the command `stepwell run`.
        """
        return cast("Run[R]", runner().run_pipeline(self, args, kwargs))

    def named(self, label: str) -> Pipeline[P, R]:
        """This pipeline under another name in the ids of its steps: `training.named("deep")(...)`."""
        label = label_of(label)
        return Pipeline(self.function, self.run_options, label=label, after=self._after)

    def after(self, *references: object) -> Pipeline[P, R]:
        """This pipeline, but none of its steps before these results are there."""
        return Pipeline(
            self.function, self.run_options, label=self.label, after=(*self._after, *ordering(references))
        )

    def options(self, **options: Unpack[RunOptions]) -> Pipeline[P, R]:
        """This pipeline with other run options: `delays.options(jobs=4).run(depth=8)`. Raises `BadOption`."""
        for name, value in options.items():
            _check_option(name, value)
        return Pipeline(self.function, {**self.run_options, **options}, label=self.label, after=self._after)

    @cached_property
    def signature(self) -> inspect.Signature:
        """The signature: its parameters are the pipeline's parameters."""
        return inspect.signature(self.function)

    @cached_property
    def hints(self) -> dict[str, object]:
        """The annotations, resolved; `return` among them."""
        return hints_of(self.function)


def _check_option(name: str, value: object) -> None:
    if name not in RunOptions.__annotations__:
        raise unknown("a run", name, RunOptions.__annotations__)
    if name == "jobs":
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise bad("jobs", value, "a number of workers (0: one a processor)", "options(jobs=4)")
    elif not isinstance(value, bool):
        raise bad(name, value, "True or False", f"options({name}=True)")


@overload
def pipeline(function: Callable[P, R], /) -> Pipeline[P, R]: ...
@overload
def pipeline(**options: Unpack[RunOptions]) -> Callable[[Callable[P, R]], Pipeline[P, R]]: ...
def pipeline(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a function a pipeline: `@pipeline`, or `@pipeline(jobs=4)`.

    Raises `BadPipeline` for what cannot be one, `BadOption` for options that are not.
    """

    def make(real: Callable[..., Any]) -> Pipeline[Any, Any]:
        problem = _unfit(real)
        if problem:
            raise BadPipeline(
                problem,
                fixes=["put it on a function (def, not async) whose body calls steps"],
                where=user_line(),
            )
        watch(real)
        made = Pipeline(real)
        return made.options(**options) if options else made

    return make if function is None else make(function)


def _unfit(function: object) -> str:
    """What is wrong with a would-be pipeline, or ""."""
    name = getattr(function, "__qualname__", getattr(function, "__name__", repr(function)))
    if isinstance(function, Pipeline):
        return f"`{name}` is a pipeline already"
    if getattr(type(function), "__stepwell__", "") == "step":
        return f"`{name}` is a step: a function is one or the other"
    if not inspect.isfunction(function):
        return f"`@pipeline` stands on `{name}`, which is not a function"
    if name.endswith("<lambda>"):
        return "`pipeline` was given a lambda, which has no name"
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        return f"`{name}` is async: nothing is there to be awaited while it is traced"
    if inspect.isgeneratorfunction(function):
        return f"`{name}` is a generator: a pipeline returns what it gives"
    return ""
