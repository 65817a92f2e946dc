"""Checks of the user's own: functions that look at a plan and say what is wrong with it.

@check
def nothing_huge(plan: PlanView) -> str | None:          # on the project
    total = sum(source.size for source in plan.sources.values())
    return f"{total} bytes are read" if total > 10**9 else None

@check(train)
def deep_enough(step: PlannedStep) -> bool:              # on a step: once for each call of it
    return step.arguments["depth"] >= 3

A check refuses the plan by a text, a list of texts, `False`, or a failed `assert`. Those at the top
level of the pipeline's file, of its package, and named in `[tool.stepwell] checks` are found.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Generic, ParamSpec, TypeVar, cast, overload

from stepwell.author.where import Place, line_of, user_line
from stepwell.errors import BadCheck, CheckFailed, StepwellError, nearest

P = ParamSpec("P")
R = TypeVar("R")

Verdict = None | bool | str | Iterable[str]
"""What a check may return."""


class Check(Generic[P, R]):
    """A function that judges a plan, or, with a `step`, each call of that step. Made by `@check`; called like the function."""

    __stepwell__ = "check"

    def __init__(self, function: Callable[P, R], step: Any = None) -> None:
        self.function = function
        self.step = step
        self.__name__: str = getattr(function, "__name__", "check")
        self.__qualname__: str = getattr(function, "__qualname__", self.__name__)
        self.__module__ = function.__module__
        self.__doc__ = function.__doc__
        self.__wrapped__ = function

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """What the function says."""
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<check {self.__module__}:{self.__qualname__}>"

    @property
    def where(self) -> str:
        """The line of its `def`, "pipeline.py:31"; "" where it is in no file."""
        return line_of(self.function)


@overload
def check(function: Callable[P, R], /) -> Check[P, R]: ...
@overload
def check(step: Any, /) -> Callable[[Callable[P, R]], Check[P, R]]: ...
def check(thing: Any, /) -> Any:
    """Make a function a check of the project (`@check`) or of a step (`@check(train)`).

    Raises `BadCheck` for what is neither a function nor a step.
    """
    kind = getattr(type(thing), "__stepwell__", "")
    if kind == "step":
        return lambda function: Check(_function(function), thing)
    if kind:
        raise BadCheck(f"`@check` stands on a {kind}", fixes=["put it on a function"], where=user_line())
    return Check(_function(thing))


def _function(thing: Any) -> Callable[..., Any]:
    if not inspect.isfunction(inspect.unwrap(thing) if callable(thing) else thing):
        raise BadCheck(f"{thing!r} cannot be a check", fixes=["put @check on a function"], where=user_line())
    return cast("Callable[..., Any]", thing)


# --------------------------------------------------------------------------- finding them


def checks_of(module: str, steps: Iterable[str], named: Iterable[str]) -> list[Check[Any, Any]]:
    """The checks of a project, each once.

    They are those of the pipeline's `module` and its package, those of steps in the modules where
    `steps` are, and the `named` ones ("module:function"). Raises `BadCheck` for a name that nothing stands behind.
    """
    found: dict[int, Check[Any, Any]] = {}
    package = module.rpartition(".")[0]
    for name in dict.fromkeys((module, package)):
        found.update((id(one.function), one) for one in _held(name))
    for name in dict.fromkeys(steps):
        found.update((id(one.function), one) for one in _held(name) if one.step is not None)
    for name in named:
        one = _named(name)
        found.setdefault(id(one.function), one)
    return list(found.values())


def _held(module: str) -> Iterator[Check[Any, Any]]:
    for value in vars(sys.modules[module]).values() if module in sys.modules else ():
        if type(value) is Check:
            yield value


def _named(name: str) -> Check[Any, Any]:
    place, _, attribute = name.partition(":")
    try:
        module = import_module(place)
        found = getattr(module, attribute)
    except (ImportError, AttributeError, ValueError):
        held = vars(sys.modules[place]) if place in sys.modules else {}
        hint = nearest(attribute, [one for one, value in held.items() if callable(value)])
        fixes = [f"did you mean `{place}:{hint}`?"] if hint else []
        fixes.append('a check is named "module:function", as seen from the project\'s root')
        raise BadCheck(f"there is no check `{name}`, which the manifest names", fixes=fixes) from None
    return found if type(found) is Check else Check(_function(found))


# --------------------------------------------------------------------------- asking them


def ask(one: Check[Any, Any], *views: object) -> Iterator[StepwellError]:
    """What a check has to say of a plan (or a step, and the plan): a `CheckFailed` for each text, or nothing.

    `BadCheck` where it takes other arguments. It is given as many of the views as it takes.
    """
    many = len(inspect.signature(one.function).parameters)
    if not 1 <= many <= len(views):
        takes = "a step, or a step and the plan" if len(views) > 1 else "the plan"
        yield BadCheck(
            f"the check `{one.__name__}` takes {many} arguments",
            why=f"it is given {takes}",
            fixes=[f"def {one.__name__}({'step, plan' if len(views) > 1 else 'plan'}): ..."],
            where=one.where,
        )
        return
    about = f" for `{views[0].id}`" if len(views) > 1 and hasattr(views[0], "id") else ""
    try:
        said = one.function(*views[:many])
        texts = _texts(said)
    except Exception as error:  # noqa: BLE001  the user's code: whatever it raises is its verdict
        yield _raised(one, error, about)
        return
    if texts is None:
        yield _refusal(
            one,
            f"the check `{one.__name__}` returned {type(said).__name__}{about}",
            "a check returns None, a text, texts, True or False",
        )
    for text in texts or ():
        told = text or f"the check `{one.__name__}` does not hold"
        yield _refusal(
            one, f"{told}{about}", f"the check `{one.__name__}` says so" if text else "it returned False"
        )


def _texts(said: object) -> list[str] | None:
    """The texts in a verdict; None for what is none."""
    if said is None or said is True:
        return []
    if said is False:
        return [""]
    if isinstance(said, str):
        return [said] if said else []
    if isinstance(said, Iterable):
        texts = list(said)
        return texts if all(isinstance(text, str) for text in texts) else None
    return None


def _refusal(one: Check[Any, Any], what: str, why: str) -> CheckFailed:
    return CheckFailed(what, why=why, fixes=[f"leave it out for once: -x {one.__name__}"], where=one.where)


def _raised(one: Check[Any, Any], error: Exception, about: str) -> CheckFailed:
    place = Place(error.__traceback__)
    if isinstance(error, AssertionError):
        what = str(error) or (place.line.removeprefix("assert ") + " does not hold")
    else:
        what = f"the check `{one.__name__}` raised {type(error).__name__}: {error}"
    return CheckFailed(
        f"{what}{about}",
        why=place.why or f"the check `{one.__name__}` says so",
        fixes=[f"leave it out for once: -x {one.__name__}"],
        where=place.where if Path(place.where.rpartition(":")[0]).name else one.where,
    )
