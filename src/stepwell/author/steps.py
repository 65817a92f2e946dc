"""Steps: `@step` makes a function one, and leaves it a function.

Outside of tracing, calling a step calls its function. Inside a `@pipeline` it notes the call and
gives a reference, which type checkers see as the function's own return type.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Coroutine
from functools import cached_property
from typing import Any, Generic, ParamSpec, TypeVar, Unpack, cast, overload

from stepwell.author.annotations import hints_of
from stepwell.author.options import DEFAULTS, Options, StepOptions, checked
from stepwell.author.trace import Call, current, nodes_of
from stepwell.author.where import user_line
from stepwell.errors import BadOption, BadStep, NotInAFile

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")


class Step(Generic[P, R]):
    """A unit of work: a function, and how it is to be run. Made by `@step`; never changed.

    Call it like the function. `named`, `after` and `options` give a step that differs in that.
    """

    __stepwell__ = "step"

    def __init__(
        self,
        function: Callable[P, Any],
        options: Options = DEFAULTS,
        *,
        label: str = "",
        after: tuple[int, ...] = (),
        trace: object = None,
    ) -> None:
        self.function = function
        self.label = label
        self._options = options
        self._after = after
        self._trace = trace
        self._calls = Call(self)
        self.__name__ = function.__name__
        self.__qualname__ = function.__qualname__
        self.__module__ = function.__module__
        self.__doc__ = function.__doc__
        self.__wrapped__ = function

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Inside a pipeline: a reference to the result. Elsewhere: the result."""
        trace = current()
        if trace is not None:
            return cast(R, trace.call(self._calls, args, kwargs))
        given = self.function(*args, **kwargs)
        return cast(R, _finish(given) if inspect.iscoroutine(given) else given)

    def __repr__(self) -> str:
        return f"<step {self.__module__}:{self.__qualname__}>"

    def __set_name__(self, owner: type, name: str) -> None:
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
        if not label or not label.replace("-", "").replace(".", "").replace("_", "").isalnum():
            raise BadOption(
                f"`{label}` cannot be the name of a call",
                fixes=["use letters, digits, _ and -"],
                where=user_line(),
            )
        return self._with(label=label)

    def after(self, *references: object) -> Step[P, R]:
        """This step, but not before these results are there: order without data. `train.after(backup())(table)`."""
        return self._with(after=(*self._after, *nodes_of(references)), trace=current())

    def options(self, **options: Unpack[StepOptions]) -> Step[P, R]:
        """This step with other options (see `stepwell.author.options`). Raises `BadOption`."""
        return self._with(options=checked(options, self._options))

    def _with(self, **changes: Any) -> Step[P, R]:
        now = {"options": self._options, "label": self.label, "after": self._after, "trace": self._trace}
        now.update(changes)
        changed: Step[P, R] = Step(self.function, **now)
        changed._calls.found = self._calls.found or self._found_name()
        return changed

    # ------------------------------------------------------------------ what tracing needs to know

    @property
    def settings(self) -> Options:
        """The options of this step."""
        return self._options

    @property
    def preceding(self) -> tuple[int, ...]:
        """The nodes that must come first. Raises `BadOption` where they are of another trace."""
        if self._after and self._trace is not current():
            raise BadOption(
                f"`{self.__name__}.after(...)` was made for another pipeline's trace", where=user_line()
            )
        return self._after

    @cached_property
    def signature(self) -> inspect.Signature:
        """The function's signature."""
        return inspect.signature(self.function)

    @cached_property
    def hints(self) -> dict[str, object]:
        """The function's annotations, resolved; `return` among them."""
        return hints_of(self.function)

    def _found_name(self) -> str:
        """The name by which a worker finds this step in its module, or ""."""
        module = sys.modules.get(self.__module__)
        held = getattr(module, self.__qualname__, None) if "." not in self.__qualname__ else None
        if isinstance(held, Step) and held.function is self.function:
            return self.__qualname__
        for name, value in vars(module).items() if module is not None else ():
            if isinstance(value, Step) and value.function is self.function:
                return name
        return ""

    def place(self) -> str:
        """The module-level name that holds this step. Raises `NotInAFile` where there is none."""
        name = self._calls.found or self._found_name()
        if not name:
            raise NotInAFile(
                f"the step `{self.__qualname__}` is not bound to a name of the module `{self.__module__}`",
                why="a worker finds a step by its module and name",
                fixes=[f"bind it at the top level of the file: {self.__name__} = step(...)"],
                where=user_line(),
            )
        self._calls.found = name
        return name


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
def step(**options: Unpack[StepOptions]) -> _Decorator: ...
def step(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a function a step: `@step`, or `@step(cpus=2, memory="4GB", env=["TZ"], codec="pickle", out="a.html")`.

    Raises `BadStep` for what cannot be one (a class, a method, a generator, a lambda), `BadOption`.
    """
    settings = checked(options)
    if function is None:
        return lambda real: _made(real, settings)
    return _made(function, settings)


class _Decorator:
    """What `step(...)` with options gives, for type checkers: a decorator that keeps the function's types."""

    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, S]], /) -> Step[P, S]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Step[P, R]: ...
    def __call__(self, function: Callable[..., Any], /) -> Any:
        """Make the function a step."""
        raise NotImplementedError


def _made(function: object, options: Options) -> Step[Any, Any]:
    if isinstance(function, Step):
        raise BadStep(
            f"`{function.__name__}` is a step already", fixes=["write @step once"], where=user_line()
        )
    problem = _unfit(function)
    if problem:
        what, why, fix = problem
        raise BadStep(what, why=why, fixes=[fix], where=user_line())
    return Step(cast(Callable[..., Any], function), options)


def _unfit(function: object) -> tuple[str, str, str] | None:
    """What is wrong with a would-be step: what, why, fix."""
    name = getattr(function, "__qualname__", repr(function))
    if isinstance(function, type):
        return (
            f"`@step` stands on the class `{name}`",
            "a step is a function",
            "put @step on a function that uses the class",
        )
    if isinstance(function, staticmethod | classmethod | property):
        return "`@step` stands on a method", "a worker could not make its object", "make it a function"
    if not callable(function) or not (hasattr(function, "__code__") or hasattr(function, "__wrapped__")):
        return (
            f"`@step` stands on {name}, which is not a Python function",
            "its code could not be identified",
            "wrap it in a function",
        )
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        return (
            f"`{name}` is a generator",
            "what it yields could not be kept",
            "return a list, or a file's Path",
        )
    if getattr(function, "__name__", "") == "<lambda>":
        return (
            "`step` was given a lambda",
            "it has no name for the plan, the log and the cache",
            "write it with def",
        )
    return None
