"""Pipelines: `@pipeline` makes a function that composes steps one that can be planned and run.

Its body is ordinary Python. Inside another pipeline a call adds its steps to that one's graph;
outside, it simply computes everything in this process, which is what a unit test wants.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import (
    TYPE_CHECKING,
    Any,
    ParamSpec,
    TypedDict,
    TypeVar,
    Unpack,
    cast,
    overload,
)

from stepwell.author.annotations import hints_of
from stepwell.author.composing import Composable
from stepwell.author.options import bad, label_of, unknown
from stepwell.author.replacing import Swap, computed, computing, swaps_of
from stepwell.author.shell import watch
from stepwell.author.trace import current, ordering
from stepwell.author.where import user_line
from stepwell.errors import BadPipeline
from stepwell.plugins.registry import runner

if TYPE_CHECKING:
    from stepwell.author.groups import Sweep
    from stepwell.author.hooks import Hooked
    from stepwell.author.runs import PlanView, Run
    from stepwell.author.sections import Sections

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
S = TypeVar("S")


class RunOptions(TypedDict, total=False):
    """How a run is carried out; none of it changes what is computed."""

    jobs: int
    keep_going: bool
    in_process: bool
    force: bool
    on_success: Hooked
    on_failure: Hooked


class Pipeline(Composable[P, R]):
    """A function that composes steps. Made by `@pipeline`; never changed."""

    __stepwell__ = "pipeline"

    def __init__(
        self,
        function: Callable[P, R],
        options: RunOptions | None = None,
        *,
        label: str = "",
        after: tuple[object, ...] = (),
        swaps: tuple[Swap, ...] = (),
        sections: Sections | None = None,
        base: Pipeline[Any, Any] | None = None,
        dynamic: bool = False,
    ) -> None:
        self.function = function
        self.label = label
        self.run_options: RunOptions = options or {}
        self.preceding = after
        self.swaps = swaps
        self.sections = sections
        self.base = base
        self.dynamic = dynamic
        if sections is None:
            self.__name__: str = function.__name__
            self.__qualname__ = function.__qualname__
        self.__module__ = function.__module__
        self.__doc__ = function.__doc__
        self.__wrapped__ = function

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Inside another pipeline: its references. Elsewhere: everything computed here and now, nothing kept."""
        trace = current()
        if trace is None:
            return cast(R, computed_pipeline(self, args, kwargs))
        return cast(R, trace.inside(self, self.label or self.__name__, self.preceding, args, kwargs))

    if not TYPE_CHECKING:  # which would take any name for an attribute

        def __getattr__(self, name: str) -> Any:
            sections = self.__dict__.get("sections")
            if name not in ("__name__", "__qualname__") or sections is None:
                raise AttributeError(f"a pipeline has no attribute {name!r}")
            return sections.name_of(self)  # what it is bound to is known only after its line was executed

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

    def sweep(
        self,
        axes: Mapping[str, object] | None = None,
        /,
        *,
        where: str = "",
        sample: int = 0,
        seed: int = 0,
        parallel: int = 0,
        **parameters: object,
    ) -> Sweep[R]:
        """Run with every combination: `delays.sweep(depth=[4, 6, 8], lr=[0.1, 0.3], rows=100)`; what they share is done once.

        Lists, tuples, ranges and other iterables are values to go through, anything else is the same in all
        points. `axes` are parameters whose names are options here, and arguments of steps
        (`{"train.depth": [4, 6]}`). `where` leaves out points (`"depth < 8 or lr > 0.2"`), `sample` takes so
        many of them, at random but always the same ones for one `seed`; `parallel` is how many points run at
        once. A point that fails does not stop the others. Raises `TooManyPoints`, `EmptySweep`, `BadCondition`.
        """
        given = {**(axes or {}), **parameters}
        found = runner().sweep_pipeline(self, given, where, sample, seed, parallel)
        return cast("Sweep[R]", found)

    def named(self, label: str) -> Pipeline[P, R]:
        """This pipeline under another name in the ids of its steps: `training.named("deep")(...)`."""
        return self._with(label=label_of(label))

    def after(self, *references: object) -> Pipeline[P, R]:
        """This pipeline, but none of its steps before these results are there."""
        return self._with(after=(*self.preceding, *ordering(references)))

    def options(self, **options: Unpack[RunOptions]) -> Pipeline[P, R]:
        """This pipeline with other run options: `delays.options(jobs=4).run(depth=8)`. Raises `BadOption`."""
        for name, value in options.items():
            _check_option(name, value)
        return self._with(options={**self.run_options, **options})

    def replace(self, **new: Any) -> Pipeline[P, R]:
        """This pipeline with other steps or inner pipelines in place of some: `delays.replace(train=my_train)`.

        By name, or by place: `replace(**{"training/train": my_train})`. That they fit is checked when it is
        traced. Raises `BadReplacement` for what is neither a step nor a pipeline.
        """
        return self._with(swaps=(*self.swaps, *swaps_of(new)))

    def _with(self, **changes: Any) -> Pipeline[P, R]:
        now: dict[str, Any] = {
            "options": self.run_options,
            "label": self.label,
            "after": self.preceding,
            "swaps": self.swaps,
            "sections": self.sections,
            "base": self,
            "dynamic": self.dynamic,
            **changes,
        }
        return Pipeline(self.function, **now)

    # ------------------------------------------------------------------ dynamic calls

    def later(self, trace: Any, args: tuple[object, ...], kwargs: dict[str, object]) -> object:
        """The reference to what it gives where it is dynamic and its arguments are not all known yet."""
        from stepwell.author.dynamic import called_later  # most pipelines do without

        return called_later(trace, self, args, kwargs)

    def _pipeline_of(self, function: Callable[..., Any], sections: Sections) -> Pipeline[..., Any]:
        return Pipeline(function, sections=sections)

    # ------------------------------------------------------------------ what tracing needs to know

    @cached_property
    def signature(self) -> inspect.Signature:
        """The signature: its parameters are the pipeline's parameters."""
        if self.sections is not None:
            return self.sections.signature
        return inspect.signature(self.function)

    @cached_property
    def hints(self) -> dict[str, object]:
        """The annotations, resolved; `return` among them."""
        if self.sections is not None:
            return self.sections.hints
        return hints_of(self.function)


def computed_pipeline(
    pipeline: Pipeline[Any, Any], args: tuple[object, ...], kwargs: dict[str, Any]
) -> object:
    """What a pipeline gives outside of tracing, with what stands in for parts of it."""
    name = pipeline.label or pipeline.__name__
    instead = computed(pipeline, args, kwargs)
    if instead:
        return instead[0]
    with computing(name, pipeline.swaps):
        return pipeline.function(*args, **kwargs)


def _check_option(name: str, value: object) -> None:
    if name not in RunOptions.__annotations__:
        raise unknown("a run", name, RunOptions.__annotations__)
    if name == "jobs":
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise bad("jobs", value, "a number of workers (0: one a processor)", "options(jobs=4)")
    elif name in ("on_success", "on_failure"):
        if not isinstance(value, str | list | tuple | dict):
            raise bad(name, value, "a command or an address", f'options({name}="notify-send done")')
    elif not isinstance(value, bool):
        raise bad(name, value, "True or False", f"options({name}=True)")


@overload
def pipeline(function: Callable[P, R], /) -> Pipeline[P, R]: ...
@overload
def pipeline(
    *, dynamic: bool = False, **options: Unpack[RunOptions]
) -> Callable[[Callable[P, R]], Pipeline[P, R]]: ...
def pipeline(function: Callable[..., Any] | None = None, /, *, dynamic: bool = False, **options: Any) -> Any:
    """Make a function a pipeline: `@pipeline`, or `@pipeline(jobs=4)`.

    The body of a `dynamic` one is traced when its arguments are known: where it is called with what
    steps give, that is while the pipeline runs, or when it is planned and these steps are up to date.
    Its body may then do with its arguments what plain Python does: `if`, `for`, `while`, recursion.

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
        if not isinstance(dynamic, bool):
            raise bad("dynamic", dynamic, "True or False", "@pipeline(dynamic=True)")
        made: Pipeline[Any, Any] = Pipeline(real, dynamic=dynamic)
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
