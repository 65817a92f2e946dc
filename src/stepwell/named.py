"""`NamedTuple` as `typing` has it, at a third of the price of a class: a command makes a hundred of them before it does anything.

    class Pin(NamedTuple): ...      a class as `typing.NamedTuple` makes it, with annotations that stay texts

`typing` compiles the text of each annotation to see whether it could be a type, which type checkers do better. A module
that makes one begins with `from __future__ import annotations`; its classes have no type parameters.
"""

from __future__ import annotations

from collections import namedtuple

TYPE_CHECKING = False  # as type checkers know it; importing `typing` takes as long as ten such classes
if TYPE_CHECKING:
    from typing import Any, NamedTuple
else:
    _OF_THE_CLASS = frozenset(("__module__", "__annotations__", "__dict__", "__weakref__"))

    class _Fields(type):
        """What makes a tuple with these fields of the body of a class."""

        def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> type:
            fields = body["__annotations__"]
            defaults = [body[field] for field in fields if field in body]
            made = namedtuple(name, fields, defaults=defaults, module=body["__module__"])
            made.__annotations__ = fields
            for attribute, value in body.items():
                if attribute not in fields and attribute not in _OF_THE_CLASS:
                    setattr(made, attribute, value)
            return made

    NamedTuple = type.__new__(_Fields, "NamedTuple", (), {})

__all__ = ["NamedTuple"]
