"""What a step has in place of a function if it is not one of the user's: a kind, and its spec."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from stepwell.author.root import root_of
from stepwell.author.where import PACKAGE, is_library, user_frame, user_line
from stepwell.errors import StepwellError

_FARTHEST = 20
"""Frames that are searched for modules in which a step may be bound."""


class Made:
    """In place of a step's function: what a kind makes of a spec. `where` is the line that made it.

    Calling it does the work here and now, in the root of the project that it was made in.
    """

    def __init__(
        self,
        kind: str,
        spec: str,
        parameters: Sequence[inspect.Parameter],
        returns: object,
        fallback: str,
        about: str,
        advice: Mapping[str, str],
    ) -> None:
        self.kind = kind
        self.spec = spec
        self.where: str = user_line()
        found = callers()
        self.modules: tuple[str, ...] = found[0]
        self._file = found[1]
        self.is_bound: bool = False
        self._advice = advice
        self._fallback = fallback
        self.__signature__: inspect.Signature = inspect.Signature(parameters, return_annotation=returns)
        self.__annotations__: dict[str, Any] = {one.name: one.annotation for one in parameters} | {
            "return": returns
        }
        self.__name__: str = fallback
        self.__qualname__ = fallback
        self.__module__ = self.modules[0] if self.modules else "__main__"
        self.__doc__ = about

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Do the work with these inputs, in this process."""
        import atexit

        bound = self.__signature__.bind(*args, **kwargs)
        from stepwell.plugins.registry import registry  # defining steps does without
        from stepwell.worker.kinds import spec_of

        root = root_of(Path(self._file)) if self._file else Path.cwd()
        call: Callable[..., Any] = registry.kind(self.kind).call(spec_of(self.spec), root)
        if finish := getattr(call, "finish", None):
            atexit.register(finish)  # what it gives may be a file that lies there
        return call(**bound.arguments)

    def advised(self, error: StepwellError) -> StepwellError:
        """An error of a call, with what the kind has to say to it."""
        advice = self._advice.get(type(error).__name__)
        if advice:
            error.fixes = (*error.fixes, advice)
        return error

    def bind(self, module: str, name: str) -> None:
        """It was found under this name of a module."""
        self.is_bound = True
        self.__module__ = module
        self.__name__ = self.__qualname__ = name

    def is_held_by(self, value: object) -> bool:
        """Whether a value is a step with this in place of a function."""
        return getattr(type(value), "__stepwell__", "") == "step" and getattr(value, "function", None) is self

    def look(self, modules: Iterable[str] = ()) -> None:
        """Find the name that it is bound to, in the modules that made it and in others, if it was not found yet."""
        if self.is_bound:
            return
        for module in dict.fromkeys((*self.modules, *modules)):
            for name, value in list(vars(sys.modules[module]).items()) if module in sys.modules else ():
                if self.is_held_by(value):
                    self.bind(module, name)
                    return


def callers() -> tuple[tuple[str, ...], str]:
    """The user's modules that are executing, the nearest first, and the nearest file ("" in none)."""
    frame = user_frame()
    modules: dict[str, None] = {}
    file = ""
    for _ in range(_FARTHEST):
        if frame is None:
            break
        name = frame.f_code.co_filename
        if not is_library(name):
            modules[frame.f_globals.get("__name__", "__main__")] = None
            file = file or (name if os.path.isfile(name) else "")
        elif modules and not name.startswith((PACKAGE, "<frozen")):
            break
        frame = frame.f_back
    return tuple(modules), file
