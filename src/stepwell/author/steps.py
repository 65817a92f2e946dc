"""Steps: `@step` makes a function one, and leaves it a function.

Outside of tracing, calling a step calls its function. Inside a `@pipeline` it notes the call and
gives a reference, which type checkers see as the function's own return type.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Coroutine, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, Unpack, cast, overload

from stepwell.author.annotations import hints_of
from stepwell.author.composing import Composable
from stepwell.author.kinds.made import Made
from stepwell.author.options import DEFAULTS, Options, StepOptions, checked, label_of
from stepwell.author.replacing import computed
from stepwell.author.shell import watch
from stepwell.author.trace import Call, current, ordering
from stepwell.author.where import line_of, user_line
from stepwell.errors import BadStep, NotInAFile

if TYPE_CHECKING:
    from stepwell.author.pipelines import Pipeline
    from stepwell.author.sections import Sections

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
S = TypeVar("S")
T = TypeVar("T")


class Step(Composable[P, R]):
    """A unit of work: a function, and how it is to be run. Made by `@step`; never changed.

    Call it like the function. `named`, `after` and `options` give a step that differs in that.
    `settings` are its options, `preceding` what it waits for. Of a step that is no Python function,
    `kind` says what else, `spec` what it does, and `function` is a `Made`.
    """

    __stepwell__ = "step"

    def __init__(
        self,
        function: Callable[P, Any],
        options: Options = DEFAULTS,
        *,
        label: str = "",
        after: tuple[object, ...] = (),
    ) -> None:
        self.function = function
        self.label = label
        self.settings = options
        self.preceding = after
        self._calls = Call(self)
        made = function if isinstance(function, Made) else None
        self.made: Made | None = made
        self.kind: str = "python" if made is None else made.kind
        self.spec: str = "" if made is None else made.spec
        if made is None:
            self.__name__: str = function.__name__
            self.__qualname__ = function.__qualname__
        self.__module__ = function.__module__
        self.__doc__ = function.__doc__
        self.__wrapped__ = function

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Inside a pipeline: a reference to the result. Elsewhere: the result."""
        trace = current()
        if trace is not None:
            return trace.call(self._calls, args, kwargs)  # type: ignore[return-value]
        instead = computed(self, args, kwargs)
        if instead:
            return cast(R, instead[0])
        given = self.function(*args, **kwargs)
        return cast(R, _finish(given) if inspect.iscoroutine(given) else given)

    if not TYPE_CHECKING:  # which would take any name for an attribute

        def __getattr__(self, name: str) -> Any:
            if name not in ("__name__", "__qualname__") or self.made is None:
                raise AttributeError(f"the step `{self.__name__}` has no attribute {name!r}")
            return self._named_by(())  # what it is bound to is known only after its line was executed

    def _named_by(self, modules: Iterable[str]) -> str:
        """The name of a step that is no Python function: what it is bound to, also in these modules."""
        made = cast("Made", self.made)
        made.look(modules)
        if made.is_bound:
            self.__name__ = self.__qualname__ = made.__name__
            self.__module__ = made.__module__
        return made.__name__

    def __repr__(self) -> str:
        return f"<step {self.__module__}:{self.__qualname__}>"

    def __set_name__(self, owner: type, name: str) -> None:
        if self.made is not None:
            self.made.bind(owner.__module__, f"{owner.__qualname__}.{name}")
            return
        raise BadStep(
            f"`@step` stands on the method `{owner.__name__}.{name}`",
            why="a worker could not make the object that the method belongs to",
            fixes=["make it a function that takes what it needs as arguments"],
            where=user_line(),
        )

    def named(self, label: str) -> Step[P, R]:
        """This step under another id, for telling calls apart: `train.named("deep")(table, depth=12)`.

        Raises `BadOption` for a label that is no name (letters, digits, `_`, `-`, `.`).
        """
        return self._with(label=label_of(label))

    def after(self, *references: object) -> Step[P, R]:
        """This step, but not before these results are there: order without data. `train.after(backup())(table)`.

        Raises `BadReference` for what is no result of a step. Outside of tracing nothing is waited for.
        """
        return self._with(after=(*self.preceding, *ordering(references)))

    def options(self, **options: Unpack[StepOptions]) -> Step[P, R]:
        """This step with other options (see `stepwell.author.options`). Raises `BadOption`."""
        return self._with(options=checked(options, self.settings))

    # ------------------------------------------------------------------ many calls

    def product(self, **axes: Iterable[Any]) -> Callable[..., list[R]]:
        """For each combination of the items of some arguments: `train.product(depth=[4, 6], lr=rates())(table)`.

        Gives a function that takes the other arguments; the last axis varies fastest.
        """
        from stepwell.author.dynamic import spread

        return lambda *args, **kwargs: spread(self, axes, args, kwargs)

    def _pipeline_of(self, function: Callable[..., Any], sections: Sections) -> Pipeline[..., Any]:
        from stepwell.author.pipelines import Pipeline  # most steps do without

        return Pipeline(function, sections=sections)

    def _with(self, **changes: Any) -> Step[P, R]:
        now: dict[str, Any] = {
            "options": self.settings,
            "label": self.label,
            "after": self.preceding,
            **changes,
        }
        return Step(self.function, **now)

    # ------------------------------------------------------------------ what tracing needs to know

    @cached_property
    def signature(self) -> inspect.Signature:
        """The function's signature."""
        return inspect.signature(self.function)

    @cached_property
    def hints(self) -> dict[str, object]:
        """The function's annotations, resolved; `return` among them."""
        return hints_of(self.function)

    def place(self, modules: Iterable[str] = ()) -> tuple[str, str]:
        """The module and the top-level name there by which a worker finds this step.

        A step that a function made is often bound in another module than that function's: `modules`
        are looked through too. Raises `NotInAFile` where no name holds it. Workers need no such name of a
        step that is no Python function; it has one for people and for history.
        """
        if self.made is not None:
            name = self._named_by(modules)
            return self.made.__module__, name
        for module in dict.fromkeys((self.__module__, *modules)):
            held = vars(sys.modules[module]) if module in sys.modules else {}
            if self._is_held(held.get(self.__qualname__)):
                return module, self.__qualname__
            for name, value in held.items():
                if self._is_held(value):
                    return module, name
        raise NotInAFile(
            f"the step `{self.__qualname__}` is not bound to a name of the module `{self.__module__}`",
            why="a worker finds a step by its module and name",
            fixes=[f"bind it at the top level of the file: {self.__name__} = step(...)"],
            where=user_line(),
        )

    @property
    def where(self) -> str:
        """The line that defines it, as "pipeline.py:31"; "" if in no file."""
        return line_of(self.function) if self.made is None else self.made.where

    def _is_held(self, value: object) -> bool:
        return type(value) is Step and value.function is self.function


def _finish(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run an async step to its end, or hand on the coroutine where a loop is already running."""
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    return coroutine


@overload
def step(function: Callable[P, Coroutine[Any, Any, S]], /) -> Step[P, S]: ...
@overload
def step(function: Callable[P, R], /) -> Step[P, R]: ...
@overload
def step(**options: Unpack[StepOptions]) -> Decorator: ...
def step(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a function a step: `@step`, or `@step(cpus=2, memory="4GB", env=["TZ"], codec="pickle", out="a.html")`.

    Raises `BadStep` for what cannot be one (a class, a method, a generator, a lambda), `BadOption`.
    """
    settings = checked(options)
    if function is None:
        return lambda real: step_of(real, settings)
    return step_of(function, settings)


class Decorator:
    """What `step(...)` with options gives, for type checkers: a decorator that keeps the function's types."""

    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, S]], /) -> Step[P, S]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Step[P, R]: ...
    def __call__(self, function: Callable[..., Any], /) -> Any:
        """Make the function a step."""
        raise NotImplementedError


def step_of(function: object, options: Options) -> Step[Any, Any]:
    """A step that is this function, with checked options. Raises `BadStep`."""
    problem = _unfit(function)
    if problem:
        what, why, fix = problem
        raise BadStep(what, why=why, fixes=[fix], where=user_line())
    watch(function)
    return Step(cast(Callable[..., Any], function), options)


def _unfit(function: object) -> tuple[str, str, str] | None:
    """What is wrong with a would-be step: what, why, fix."""
    name = getattr(function, "__qualname__", getattr(function, "__name__", repr(function)))
    kind = getattr(type(function), "__stepwell__", "")
    if kind:
        return (
            f"`{name}` is a {kind} already",
            "a function is one thing of these",
            "write one decorator, once",
        )
    if isinstance(function, type):
        return f"`@step` stands on the class `{name}`", "a step is a function", "use the class in a function"
    if isinstance(function, staticmethod | classmethod | property) or inspect.ismethod(function):
        return "`@step` stands on a method", "a worker could not make its object", "make it a function"
    if getattr(function, "__name__", "") == "<lambda>":
        return (
            "`step` was given a lambda",
            "it has no name for the plan, the log and the cache",
            "write it with def",
        )
    real: Any = inspect.unwrap(function) if callable(function) else None
    if not hasattr(real, "__code__") or not hasattr(function, "__name__"):
        return (
            f"`@step` stands on `{name}`, which is not a Python function",
            "its code could not be identified",
            "wrap it in a function",
        )
    if inspect.isgeneratorfunction(real) or inspect.isasyncgenfunction(real):
        return (
            f"`{name}` is a generator",
            "what it yields could not be kept",
            "return a list, or a file's Path",
        )
    return None
