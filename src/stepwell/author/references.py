"""References: what calling a step gives while a pipeline is traced.

A reference stands for a value that does not exist yet. To a type checker it *is* that value; at
run time it supports exactly what can be known before anything runs: unpacking and constant
indexes of tuples, fields of named tuples and dataclasses, keys of typed dicts. Everything else is
a coded error that names the user's line and the way out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

from stepwell.author.annotations import Shape, shape_of, show
from stepwell.author.where import user_line
from stepwell.errors import BadReference, nearest
from stepwell.kernel.graph import Binding, FromSource, FromStep, Pack


class Reference:
    """A value to come: where it comes from (`binding`), its annotated type, and the trace that it belongs to."""

    __slots__ = ("_stepwell_binding", "_stepwell_name", "_stepwell_trace", "_stepwell_type")
    __stepwell_reference__ = True

    _stepwell_binding: Binding
    _stepwell_name: str
    _stepwell_trace: object
    _stepwell_type: object

    def __init__(self, binding: Binding, annotation: object, name: str, trace: object) -> None:
        put = object.__setattr__
        put(self, "_stepwell_binding", binding)
        put(self, "_stepwell_type", annotation)
        put(self, "_stepwell_name", name)
        put(self, "_stepwell_trace", trace)

    def __repr__(self) -> str:
        return f"<reference to {self._stepwell_name}>"

    # ------------------------------------------------------------------ what has a meaning

    def __getattr__(self, name: str) -> Any:  # noqa: RET503  `_refuse` never returns
        if name.startswith(("__", "_ipython", "_repr_")):
            raise AttributeError(name)
        shape = shape_of(self._stepwell_type)
        if shape is not None and shape.kind == "record" and name in shape.names:
            return self._part(shape, name)
        names = shape.names if shape is not None and shape.kind == "record" else ()
        self._refuse(
            f"`.{name}` of {self._described()}",
            f"{self._typed()} has no field `{name}` that is known before it runs",
            nearest(name, names),
        )

    def __getitem__(self, index: object) -> Any:  # noqa: RET503  `_refuse` never returns
        shape = shape_of(self._stepwell_type)
        if shape is not None and shape.kind == "dict" and index in shape.names:
            return self._part(shape, str(index))
        if shape is not None and shape.ordered and isinstance(index, int) and not isinstance(index, bool):
            if -len(shape.names) <= index < len(shape.names):
                return self._part(shape, shape.names[index])
            self._refuse(f"`[{index}]` of {self._described()}", f"it has {len(shape.names)} parts", None)
        names = shape.names if shape is not None and shape.kind == "dict" else ()
        hint = nearest(index, names) if isinstance(index, str) else None
        self._refuse(f"`[{index!r}]` of {self._described()}", f"{self._typed()} has no such part", hint)

    def __iter__(self) -> Iterator[Any]:
        shape = shape_of(self._stepwell_type)
        if shape is None or not shape.ordered:
            self._refuse(
                f"unpacking {self._described()}", f"how many parts {self._typed()} has is not known", None
            )
        return iter([self._part(shape, name) for name in shape.names])

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
            self._refuse(
                f"a part of {self._described()}", "only parts of what steps return can be taken", None
            )
        return Reference(part, shape.types[place], label, self._stepwell_trace)

    # ------------------------------------------------------------------ errors

    def _described(self) -> str:
        kind = "source" if isinstance(self._stepwell_binding, FromSource) else "result of"
        return f"the {kind} `{self._stepwell_name}`"

    def _typed(self) -> str:
        return (
            f"its type {show(self._stepwell_type)}"
            if self._stepwell_type is not None
            else "its type is not annotated: it"
        )

    def _refuse(self, what: str, why: str, hint: str | None) -> NoReturn:
        fixes = [f"did you mean `{hint}`?"] if hint else []
        fixes.append("do it inside a step: what a step returns exists only when the step has run")
        if self._stepwell_type is None:
            fixes.append("annotate what the step returns, so that its parts are known")
        raise BadReference(f"{what} cannot be used here", why=why, fixes=fixes, where=user_line())


def _meaningless(what: str) -> Any:
    """A method that refuses an operation, described for people by `what`."""

    def refuse(self: Reference, *_: object, **__: object) -> NoReturn:
        raise BadReference(
            f"{what} {self._described()} cannot be done while the pipeline is traced",
            fixes=_REMEDIES.get(what, ("do it inside a step, which gets the value itself",)),
            where=user_line(),
        )

    return refuse


_REMEDIES = {
    "testing the truth of": (
        "decide inside a step, which gets the value itself",
        "or decide on a parameter of the pipeline: those are known",
    ),
}

_OPERATIONS = {
    "testing the truth of": ("__bool__",),
    "comparing": ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"),
    "arithmetic with": tuple(
        f"__{side}{name}__"
        for name in (
            "add",
            "sub",
            "mul",
            "truediv",
            "floordiv",
            "mod",
            "divmod",
            "pow",
            "matmul",
            "and",
            "or",
            "xor",
            "lshift",
            "rshift",
        )
        for side in ("", "r", "i")
    )
    + ("__neg__", "__pos__", "__abs__", "__invert__", "__round__", "__trunc__", "__floor__", "__ceil__"),
    "taking the length of": ("__len__", "__length_hint__"),
    "looking for something in": ("__contains__",),
    "making text of": ("__str__", "__format__", "__bytes__"),
    "making a number of": ("__int__", "__float__", "__complex__", "__index__"),
    "calling": ("__call__",),
    "changing": ("__setattr__", "__delattr__", "__setitem__", "__delitem__"),
    "opening": ("__enter__", "__fspath__"),
    "awaiting": ("__await__", "__aiter__", "__aenter__"),
    "reversing": ("__reversed__",),
    "making an array of": ("__array__",),
    "pickling": ("__reduce_ex__",),
}

for _what, _names in _OPERATIONS.items():
    for _name in _names:
        setattr(Reference, _name, _meaningless(_what))
Reference.__hash__ = object.__hash__  # type: ignore[method-assign]
