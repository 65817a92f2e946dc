"""Classes with named fields, as parameters see them: dataclasses, named tuples, typed dicts, Pydantic and attrs.

Models of Pydantic and attrs are recognized by what they look like: neither library is imported for it.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, get_args, get_origin

from stepwell.author.annotations import plain, required_keys, show
from stepwell.named import NamedTuple

ABSENT: Any = object()
"""In place of a value that is not there."""


class Field(NamedTuple):
    """A field of a record: its type, whether it must be given, and what makes its default (None: not known)."""

    type: object
    required: bool
    default: Callable[[], object] | None = None


class Record(NamedTuple):
    """A class with named fields, and how an instance is made of their values by name."""

    kind: Any
    fields: Mapping[str, Field]
    make: Callable[[Mapping[str, object]], object]

    def made(self, values: Mapping[str, object]) -> object:
        """An instance. Raises `ValueError`, whatever the class itself raises."""
        lacking = [name for name, field in self.fields.items() if field.required and name not in values]
        if lacking:
            raise ValueError(f"{show(self.kind)} needs {', '.join(lacking)}")
        try:
            return self.make(values)
        except Exception as error:  # the constructor is code of the user's  # noqa: BLE001
            words = " ".join(str(error).split())
            raise ValueError(words or type(error).__name__) from None

    def part(self, value: object, name: str) -> object:
        """A field of what may be an instance; of anything else its default, `ABSENT` where that has none."""
        if isinstance(value, Mapping):
            if name in value:
                return value[name]
        elif isinstance(value, self.kind) and hasattr(value, name):
            return getattr(value, name)
        default = self.fields[name].default
        return ABSENT if default is None else default()


def record_of(annotation: object) -> Record | None:
    """The record that an annotation stands for, None for other types; of a union, the only one among its members."""
    annotation = plain(annotation)
    while hasattr(annotation, "__supertype__"):
        annotation = plain(annotation.__supertype__)
    if get_origin(annotation) in (typing.Union, types.UnionType):
        found = [record for record in map(record_of, get_args(annotation)) if record is not None]
        return found[0] if len(found) == 1 else None
    kind: Any = get_origin(annotation) or annotation
    if not isinstance(kind, type) or getattr(kind, "__stepwell__", ""):
        return None
    if typing.is_typeddict(kind):
        return _typed_dict(kind)
    for attribute, make in _KINDS.items():
        if hasattr(kind, attribute):
            return make(kind)
    return None


def is_mapping(annotation: object) -> bool:
    """Whether an annotation stands for a dict whose keys are text, or of which nothing is said."""
    annotation = plain(annotation)
    kind = get_origin(annotation) or annotation
    named = isinstance(kind, type) and not typing.is_typeddict(kind) and issubclass(kind, Mapping)
    return named and get_args(annotation)[:1] in ((), (str,))


def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind, include_extras=True)


def _typed_dict(kind: Any) -> Record:
    needed = required_keys(kind)
    fields = {name: Field(hint, name in needed) for name, hint in _hints(kind).items()}
    return Record(dict, fields, dict)._replace(kind=_Named(kind))


class _Named:
    """A typed dict, of which nothing is an instance, under its own name."""

    def __init__(self, kind: Any) -> None:
        self.__qualname__ = kind.__qualname__

    def __str__(self) -> str:
        return self.__qualname__


def _dataclass(kind: Any) -> Record:
    hints, fields = _hints(kind), {}
    import dataclasses  # is loaded already, by whoever made the class

    for name, spec in kind.__dataclass_fields__.items():
        if not spec.init or spec._field_type is dataclasses._FIELD_CLASSVAR:  # type: ignore[attr-defined]
            continue
        hint = hints.get(name)
        default: Callable[[], object] | None = None
        if spec.default_factory is not dataclasses.MISSING:
            default = spec.default_factory
        elif spec.default is not dataclasses.MISSING:
            default = _given(spec.default)
        fields[name] = Field(getattr(hint, "type", hint), default is None, default)
    return Record(kind, fields, lambda values: kind(**values))


def _named_tuple(kind: Any) -> Record:
    hints, defaults = _hints(kind), kind._field_defaults
    fields = {
        name: Field(
            hints.get(name), name not in defaults, _given(defaults[name]) if name in defaults else None
        )
        for name in kind._fields
    }
    return Record(kind, fields, lambda values: kind(**values))


def _pydantic(kind: Any) -> Record:
    names = {name: spec.alias or name for name, spec in kind.model_fields.items()}
    fields = {
        name: Field(spec.annotation, spec.is_required(), _pydantic_default(spec))
        for name, spec in kind.model_fields.items()
    }
    return Record(kind, fields, lambda values: kind(**{names[name]: item for name, item in values.items()}))


def _pydantic_default(spec: Any) -> Callable[[], object] | None:
    if spec.is_required():
        return None
    return lambda: spec.get_default(call_default_factory=True)


def _attrs(kind: Any) -> Record:
    hints, fields, names = _hints(kind), {}, {}
    for spec in kind.__attrs_attrs__:
        if not spec.init:
            continue
        default: Callable[[], object] | None = None
        if hasattr(spec.default, "factory"):
            default = None if spec.default.takes_self else spec.default.factory
        elif repr(spec.default) != "NOTHING":
            default = _given(spec.default)
        required = repr(spec.default) == "NOTHING"
        fields[spec.name] = Field(hints.get(spec.name, spec.type), required, default)
        names[spec.name] = spec.alias or spec.name
    return Record(kind, fields, lambda values: kind(**{names[name]: item for name, item in values.items()}))


def _given(value: object) -> Callable[[], object]:
    return lambda: value


_KINDS: Mapping[str, Callable[[Any], Record]] = {
    "__dataclass_fields__": _dataclass,
    "__attrs_attrs__": _attrs,
    "model_fields": _pydantic,
    "_fields": _named_tuple,
}
