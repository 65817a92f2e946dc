"""References: what calling a step gives while a pipeline is traced.

A reference stands for a value that does not exist yet. To a type checker it *is* that value; at
run time it supports exactly what can be known before anything runs: unpacking and constant
indexes of tuples, fields of named tuples and dataclasses, keys of typed dicts. Everything else is
a coded error that names the user's line and the way out. Where the user's own code can go on
without the value (arithmetic, a field), the error is noted in the trace, and the result is an
unknown reference, of which nothing further is wrong; where it cannot (a truth, a number), the
error is raised.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any, NoReturn

from stepwell.author.annotations import Shape, shape_of, show
from stepwell.author.where import PACKAGE, is_library, short, user_frame, user_line
from stepwell.errors import BadReference, StepwellError, nearest
from stepwell.kernel.graph import Binding, FromSource, FromStep, Pack


class _Made:
    """A reference while it is made: its attributes can be set, which a `Reference` refuses."""

    __slots__ = (
        "_stepwell_binding",
        "_stepwell_branch",
        "_stepwell_cause",
        "_stepwell_name",
        "_stepwell_trace",
        "_stepwell_type",
    )

    _stepwell_binding: Binding
    _stepwell_name: str
    _stepwell_trace: object
    _stepwell_type: object
    _stepwell_cause: StepwellError | None
    _stepwell_branch: object


class Reference(_Made):
    """A value to come: where it comes from (`binding`), its annotated type, and the trace that it belongs to.

    An unknown reference has a `cause`: the mistake because of which nobody can know more of it. One that
    was made in the `branch` of a `when(...)` has a meaning only there.
    """

    __slots__ = ()
    __stepwell_reference__ = True

    def __new__(
        cls,
        binding: Binding,
        annotation: object,
        name: str,
        trace: object,
        cause: StepwellError | None = None,
        branch: object = None,
    ) -> Reference:
        """A reference. It becomes one when all is set: each call of a step makes one, and `object.__setattr__` is slow."""
        made: Any = object.__new__(_Made)
        made._stepwell_binding = binding
        made._stepwell_type = annotation
        made._stepwell_name = name
        made._stepwell_trace = trace
        made._stepwell_cause = cause
        made._stepwell_branch = branch
        made.__class__ = cls
        return made  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"<reference to {self._stepwell_name}>"

    # ------------------------------------------------------------------ what has a meaning

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("__", "_ipython", "_repr_")):
            raise AttributeError(name)
        if self._stepwell_cause is not None:
            return self
        shape = self._shape("record")
        if shape is not None and name in shape.names:
            return self._part(shape, name)
        hint = nearest(name, shape.names if shape is not None else ())
        return self._doubt(f"taking `.{name}` of", f"{self._typed()} has no field `{name}`", hint)

    def __getitem__(self, index: object) -> Any:
        if self._stepwell_cause is not None:
            return self
        keyed, ordered = self._shape("dict"), self._shape("tuple", "record")
        if keyed is not None and type(index) is str:
            if index in keyed.names:
                return self._part(keyed, index)
            return self._doubt(
                f"taking `[{index!r}]` of", f"{self._typed()} has no such key", nearest(index, keyed.names)
            )
        if ordered is not None and ordered.ordered and type(index) is int:
            count = len(ordered.names)
            if -count <= index < count:
                return self._part(ordered, ordered.names[index])
            return self._doubt(f"taking `[{index}]` of", f"it has {count} parts")
        return self._doubt(f"taking `[{index!r}]` of", self._partless(index), ways=PARTS)

    def __iter__(self) -> Iterator[Any]:
        shape = self._shape("tuple", "record")
        if shape is None or not shape.ordered:
            self._refuse(
                "unpacking or iterating", f"{self._typed()} does not say how many parts it has", MANY
            )
        return iter([self._part(shape, name) for name in shape.names])

    def __len__(self) -> int:
        shape = self._shape("tuple", "record")
        if shape is None or not shape.ordered:
            self._refuse("taking the length of", f"{self._typed()} does not say how many parts it has")
        return len(shape.names)

    def _shape(self, *kinds: str) -> Shape | None:
        shape = shape_of(self._stepwell_type)
        return shape if shape is not None and shape.kind in kinds else None

    def _part(self, shape: Shape, name: str) -> Reference:
        binding = self._stepwell_binding
        place = shape.names.index(name)
        label = f"{self._stepwell_name}.{name}"
        part: Binding
        if isinstance(binding, Pack):
            part = binding.items[place]
        elif isinstance(binding, FromStep):
            step = name if shape.kind != "tuple" else place
            part = binding._replace(path=(*binding.path, step))
        else:
            self._refuse("taking a part of", "a source is read whole, by the step that gets it")
        return Reference(part, shape.types[place], label, self._stepwell_trace, branch=self._stepwell_branch)

    # ------------------------------------------------------------------ errors

    def _described(self) -> str:
        kind = "source" if isinstance(self._stepwell_binding, FromSource) else "result of"
        return f"the {kind} `{self._stepwell_name}`"

    def _partless(self, index: object) -> str:
        """Why nothing is known of a part, by the type that its whole is annotated with."""
        if self._stepwell_type is None:
            return "it is not annotated, so its parts are known only when it has been made"
        if shape_of(self._stepwell_type) is not None:
            return f"a `{show(self._stepwell_type)}` has no part `{index!r}`; its parts are taken one by one"
        return f"it is a `{show(self._stepwell_type)}`: whether it has such a part is known only when it has been made"

    def _typed(self) -> str:
        if self._stepwell_type is None:
            return "what is not annotated"
        return f"its type {show(self._stepwell_type)}"

    def _refuse(self, what: str, why: str, ways: Sequence[str] = ()) -> NoReturn:
        raise self._stepwell_cause or self._wrong(what, why, None, ways)

    def _doubt(self, what: str, why: str, hint: str | None = None, ways: Sequence[str] = ()) -> Any:
        return _noted(self, self._wrong(what, why, hint, ways))

    def _wrong(self, what: str, why: str, hint: str | None = None, ways: Sequence[str] = ()) -> BadReference:
        """The error. `ways` are ways out in place of the usual one."""
        fixes = [f"did you mean `{hint}`?"] if hint else forgotten(_callers())
        fixes += ways or (_INSIDE,)
        if self._stepwell_type is None:
            fixes.append("or annotate what the step returns: the parts of tuples and records are then known")
        return BadReference(_cannot(what, self), why=why, fixes=fixes, where=user_line())


def _noted(reference: Reference, error: BadReference) -> Reference:
    """An unknown reference, with the error noted, where the user's own code did it while tracing; else it is raised.

    Libraries would take an unknown reference for a value, and fail at it in ways that say nothing.
    """
    trace: Any = reference._stepwell_trace
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
    if not getattr(trace, "active", False) or is_library(frame.f_code.co_filename):
        raise error
    unknown: Reference = trace.unknown(error)
    return unknown


def _callers() -> list[FrameType]:
    """The user's frames from the line that is executed out to the body of the pipeline, which is the last."""
    frame, found = user_frame(), []
    while frame is not None and not frame.f_code.co_filename.startswith(PACKAGE):
        found.append(frame)
        frame = frame.f_back
    return found


def forgotten(frames: Sequence[FrameType]) -> list[str]:
    """What to say of a plain function that a pipeline's body calls on references, as if it were a step.

    `frames` leads from where it failed out to the body. Empty for a function that itself calls steps:
    it wires, as the body does.
    """
    for frame in frames[-2::-1]:
        code = frame.f_code
        if code.co_name.startswith("<") or is_library(code.co_filename):
            continue
        count = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 12)
        given = [frame.f_locals.get(name) for name in code.co_varnames[: count + 1]]
        wires = any(hasattr(type(frame.f_globals.get(name)), "__stepwell__") for name in code.co_names)
        if wires or not any(_is_reference(value) for value in given):
            return []
        place = f"{short(code.co_filename)}:{code.co_firstlineno}"
        return [f"`{code.co_qualname}` is not a step: put @step above it ({place})"]
    return []


def _is_reference(value: object) -> bool:
    """Whether an argument is a reference, or holds some as `*args` and `**kwargs` do."""
    if isinstance(value, dict):
        value = tuple(value.values())
    return type(value) is Reference or (
        isinstance(value, tuple | list) and any(type(item) is Reference for item in value)
    )


def _cannot(what: str, reference: Reference) -> str:
    return f"{what} {reference._described()} cannot be done in the body of a pipeline"


def _meaningless(what: str, fixes: tuple[str, ...]) -> Any:
    """A method that refuses an operation, described for people by `what`."""

    def refuse(self: Reference, *_: object, **__: object) -> Any:
        goes_on = what in _WITHOUT
        if self._stepwell_cause is not None:
            if goes_on:
                return self
            raise self._stepwell_cause
        every = (*forgotten(_callers()), *fixes)
        error = BadReference(_cannot(what, self), fixes=every, where=user_line())
        if goes_on:
            return _noted(self, error)
        raise error

    return refuse


_WITHOUT = frozenset(("arithmetic with", "comparing", "calling"))
"""Operations whose result can be an unknown reference."""

_INSIDE = "do it inside a step, which gets the value itself"
PARTS = (
    "take the part inside a step, which gets the value itself: pass the whole to it",
    "or let the step return a tuple, a TypedDict or a NamedTuple: their parts can be passed on one by one",
)
"""Ways out for who takes a part of what may not have it."""

MANY = (
    "to call a step with each item: step.map(items)",
    "or put the loop into a @pipeline(dynamic=True), which is traced when the list is there",
    "or do it inside a step, which gets the value itself",
)
"""Ways out for who iterates over what is not there yet."""

_REMEDIES = {
    "testing the truth of": (
        "when(condition, then, otherwise) calls one of two functions, once the condition is known",
        "or decide inside a step, which gets the value itself",
        "or decide on a parameter of the pipeline: those are known",
    ),
    "comparing": ("compare inside a step, which gets the value itself",),
    "arithmetic with": ("calculate inside a step, which gets the value itself",),
    "making text of": (
        "make the text inside a step, which gets the value itself",
        "to look at the reference itself: repr(...), or {...!r} in an f-string",
    ),
    "calling": ("a step is called once; what it returned is called inside another step",),
    "changing": ("make a changed copy inside a step, and return that",),
    "opening": ("open it inside a step, which gets the value itself",),
    "awaiting": ("leave out `await`: calling an async step gives its result",),
    "pickling": ("pass the reference itself, or in a list, tuple, dict, named tuple or dataclass",),
}
"""What to do instead, by operation, where it is more than `_INSIDE`."""

_OPERATIONS = {
    "testing the truth of": "bool",
    "comparing": "eq ne lt le gt ge",
    "arithmetic with": "add sub mul truediv floordiv mod divmod pow matmul and or xor lshift rshift "
    "radd rsub rmul rtruediv rfloordiv rmod rdivmod rpow rmatmul rand ror rxor rlshift rrshift "
    "iadd isub imul itruediv ifloordiv imod ipow imatmul iand ior ixor ilshift irshift "
    "neg pos abs invert round trunc floor ceil",
    "looking for something in": "contains",
    "iterating": "next",
    "reversing": "reversed",
    "making text of": "str format bytes",
    "making a number of": "int float complex index",
    "making an array of": "array",
    "calling": "call",
    "changing": "setattr delattr setitem delitem",
    "opening": "enter exit fspath",
    "awaiting": "await aiter anext aenter aexit",
    "pickling": "reduce_ex",
}

for _what, _names in _OPERATIONS.items():
    for _name in _names.split():
        setattr(Reference, f"__{_name}__", _meaningless(_what, _REMEDIES.get(_what, (_INSIDE,))))
Reference.__hash__ = object.__hash__  # type: ignore[method-assign]
