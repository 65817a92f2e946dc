"""Classes by name and back, and what plain data may know of them: fields of dataclasses, members of enums.

A class is named "module:qualname". Only a class that its name leads back to has a name: one that
was defined inside a function could be written, but never be read again.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

_HEAP_TYPE = 1 << 9
"""Flag of classes that were made by a `class` statement; classes written in C are without it."""


def name_of(kind: type) -> str:
    """The "module:qualname" of a class. Raises `LookupError` where that does not lead to it."""
    name = f"{kind.__module__}:{kind.__qualname__}"
    if "<locals>" in name:
        raise LookupError("its class is defined inside a function, where no other process finds it")
    try:
        found = class_at(name)
    except (ImportError, AttributeError) as error:
        raise LookupError(f"its class cannot be found again: {error}") from None
    if found is not kind:
        raise LookupError(f"`{name}` is by now another class; was the module loaded twice?")
    return name


def class_at(name: str) -> Any:
    """What a "module:qualname" names; its module is imported where it is not yet."""
    module, _, path = name.partition(":")
    found: Any = sys.modules.get(module) or import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    return found


def full_name(kind: type) -> str:
    """The name under which codecs are registered: "pandas.DataFrame"."""
    return f"{kind.__module__}.{kind.__qualname__}"


def is_enum(kind: object) -> bool:
    """Whether it is an enum class; without importing `enum`, which then is imported already."""
    enum = sys.modules.get("enum")
    return enum is not None and isinstance(kind, type) and issubclass(kind, enum.Enum)


def is_named_tuple(kind: object) -> bool:
    """Whether it is the class of a named tuple."""
    return (
        isinstance(kind, type)
        and issubclass(kind, tuple)
        and isinstance(getattr(kind, "_fields", None), tuple)
    )


def is_dataclass(kind: object) -> bool:
    """Whether it is a dataclass whose values are nothing but their attributes."""
    if not isinstance(kind, type) or not hasattr(kind, "__dataclass_fields__"):
        return False
    bases = kind.__mro__[:-1]
    return all(base.__flags__ & _HEAP_TYPE or base.__module__ == "typing" for base in bases)


def data_fields(value: Any) -> tuple[list[str], list[str]]:
    """The fields that a dataclass instance has, and its other attributes.

    Cached properties are neither: they are computed again from the rest.
    """
    kind = type(value)
    fields = [
        name for name, spec in kind.__dataclass_fields__.items() if _is_field(spec) and hasattr(value, name)
    ]
    known = set(fields)
    others = [
        name for name in getattr(value, "__dict__", ()) if name not in known and not _is_cached(kind, name)
    ]
    for base in kind.__mro__:
        slots = base.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if (
                name not in known
                and not name.startswith("__")
                and name not in others
                and hasattr(value, name)
            ):
                others.append(name)
    return fields, others


def _is_field(spec: Any) -> bool:
    """Whether it is a field of the instance, not a `ClassVar` or an `InitVar`."""
    return getattr(getattr(spec, "_field_type", None), "name", "_FIELD") == "_FIELD"


def _is_cached(kind: type, name: str) -> bool:
    # typing notes the type arguments of `Box[int](...)` on the instance.
    return name == "__orig_class__" or type(getattr(kind, name, None)).__name__ == "cached_property"
