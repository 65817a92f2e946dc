"""Steps and inner pipelines that another one stands in for: `delays.replace(train=my_train)`.

A `Swap` says what is replaced, by name (`train`) or by its place inside the pipeline (`training/train`).
`Swaps` are those in force while a pipeline's body runs, the innermost pipeline's last: what was
said outside counts more, since it was said later. Inside of what stands in, its own swap is not in force.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from stepwell.author.arguments import brief, fitted, stars
from stepwell.author.where import line_of, user_line
from stepwell.errors import BadArguments, BadReplacement, NothingReplaced, StepwellError, nearest
from stepwell.named import NamedTuple

T = TypeVar("T")


class Swap(NamedTuple):
    """What is replaced, and by which step or pipeline; `where` it was said, "pipeline.py:31"."""

    name: str
    thing: Any
    where: str


def swaps_of(new: Mapping[str, object]) -> tuple[Swap, ...]:
    """The swaps that `.replace(...)` was given. Raises `BadReplacement` for what is no step or pipeline."""
    for name, thing in new.items():
        if getattr(type(thing), "__stepwell__", "") not in ("step", "pipeline"):
            fixes = ["pass a step or a pipeline"]
            if inspect.isfunction(thing):
                fixes = [f"make it a step: put @step above it ({line_of(thing)})"]
            raise BadReplacement(
                f"`replace({name}=...)` gets {'the function ' if inspect.isfunction(thing) else ''}{brief(thing)}",
                why="only a step or a pipeline can stand in for one",
                fixes=fixes,
                where=user_line(),
            )
    return tuple(Swap(name, thing, user_line()) for name, thing in new.items())


class _Scope:
    """The swaps of one pipeline while its body runs: where it is, what was met, and which were used."""

    def __init__(self, pipeline: str, path: tuple[str, ...], swaps: tuple[Swap, ...]) -> None:
        self.pipeline = pipeline
        self.path = path
        self.swaps = swaps
        self.met: dict[str, None] = {}
        self.used: set[Swap] = set()
        self.whole = True
        """Everything that the body calls has been met."""

    def found(self, names: tuple[str, ...], path: tuple[str, ...]) -> Swap | None:
        """The swap of what has these names (its label, its own) inside the pipelines `path`."""
        places = ["/".join((*path[len(self.path) :], name)) for name in names]
        self.met.update(dict.fromkeys((*names, *places)))
        for swap in reversed(self.swaps):
            if swap.name in names or swap.name in places:
                self.used.add(swap)
                return swap
        return None

    def unused(self) -> Iterator[StepwellError]:
        """An error for each swap of something that was never called."""
        for swap in self.swaps if self.whole else ():
            if swap not in self.used:
                hint = nearest(swap.name, self.met)
                names = ", ".join(list(self.met)[:12])
                yield NothingReplaced(
                    f"`{self.pipeline}` calls nothing that is named `{swap.name}`, which is to be replaced",
                    why="with these parameters nothing of that name is called",
                    fixes=[f"did you mean `{hint}`?"]
                    if hint
                    else [f"it calls: {names}" if names else "it calls nothing"],
                    where=swap.where,
                )


class Swaps:
    """The swaps in force, outermost pipeline first. False while there are none."""

    def __init__(self) -> None:
        self._scopes: list[_Scope] = []
        self._off: list[Swap] = []
        self._through = False
        """The next call is that of what stands in itself."""

    def __bool__(self) -> bool:
        return bool(self._scopes)

    def found(self, thing: Any, path: tuple[str, ...]) -> Swap | None:
        """What stands in for a step or pipeline inside the pipelines `path`; None for itself."""
        if self._through:
            self._through = False
            return None
        names = tuple(dict.fromkeys(filter(None, (thing.label, thing.__name__))))
        found = [scope.found(names, path) for scope in self._scopes]
        return next((swap for swap in found if swap is not None and swap not in self._off), None)

    @contextmanager
    def inside(
        self, pipeline: str, path: tuple[str, ...], swaps: tuple[Swap, ...]
    ) -> Iterator[list[StepwellError]]:
        """In force while a pipeline's body runs; what was replaced and never called is wrong, once it has ended."""
        problems: list[StepwellError] = []
        if not swaps:
            yield problems
            return
        scope = _Scope(pipeline, path, swaps)
        self._scopes.append(scope)
        try:
            yield problems
        finally:
            self._scopes.pop()
        problems += scope.unused()

    @contextmanager
    def without(self, swap: Swap) -> Iterator[None]:
        """A swap that is not in force: while what stands in is called, which may call what it replaces."""
        self._off.append(swap)
        self._through = True
        try:
            yield
        finally:
            self._through = False
            self._off.remove(swap)

    def held(self, body: Callable[..., T]) -> Callable[..., T]:
        """A body that is traced later, when what is in force now will be again. What it calls is not known yet."""
        if not self._scopes:
            return body
        scopes, off = list(self._scopes), list(self._off)
        for scope in scopes:
            scope.whole = False

        def again(*args: Any, **kwargs: Any) -> T:
            before = self._scopes, self._off
            self._scopes, self._off = list(scopes), list(off)
            try:
                return body(*args, **kwargs)
            finally:
                self._scopes, self._off = before

        return again


def standing_in(
    swap: Swap, original: Any, args: tuple[object, ...], kwargs: Mapping[str, object]
) -> dict[str, object]:
    """The arguments of a call by name, for what stands in for `original`. Raises `BadReplacement`, `BadArguments`."""
    who = f"the {type(original).__stepwell__} `{original.__name__}`"
    bound = fitted(who, original.signature, args, kwargs)
    out: dict[str, object] = {}
    for name, value in bound.arguments.items():
        star = stars(original.signature.parameters[name])
        if star == "**":
            out.update(value)
        elif star:
            raise BadReplacement(
                f"`{original.__name__}` takes `*{name}`, and cannot be replaced where that is used",
                why="what stands in gets the arguments by name",
                fixes=[f"let `{original.__name__}` take a list"],
                where=user_line(),
            )
        else:
            out[name] = value
    new = swap.thing
    try:
        fitted(f"the {type(new).__stepwell__} `{new.__name__}`", new.signature, (), out)
    except BadArguments as error:
        raise BadReplacement(
            f"`{new.__name__}` cannot stand in for `{original.__name__}`: {error.what.partition('` ')[2]}",
            why=f"`{original.__name__}` is called with {', '.join(out) or 'nothing'}, at {user_line()}",
            fixes=[
                f"let `{new.__name__}` take the same names, with defaults for what is new",
                *error.fixes[:1],
            ],
            where=swap.where,
        ) from None
    return out


_plain: ContextVar[tuple[Swaps, tuple[str, ...]] | None] = ContextVar("stepwell_swaps", default=None)
"""Outside of tracing: the swaps in force, and the pipelines around."""


@contextmanager
def computing(name: str, swaps: tuple[Swap, ...]) -> Iterator[None]:
    """While a pipeline is computed in this process outside of tracing: its swaps are in force."""
    before = _plain.get()
    if before is None and not swaps:
        yield
        return
    found, path = before or (Swaps(), ())
    held = _plain.set((found, (*path, name)))
    problems: list[StepwellError] = []
    try:
        with found.inside(name, (*path, name), swaps) as problems:
            yield
    finally:
        _plain.reset(held)
    for error in problems:
        raise error


def computed(original: Any, args: tuple[object, ...], kwargs: Mapping[str, object]) -> tuple[object, ...]:
    """Outside of tracing: what stands in for a call gave, as the only item of a tuple; empty where nothing does."""
    around = _plain.get()
    if around is None:
        return ()
    found, path = around
    swap = found.found(original, path)
    if swap is None:
        return ()
    with found.without(swap):
        return (swap.thing(**standing_in(swap, original, args, kwargs)),)
