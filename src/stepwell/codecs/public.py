"""How users register codecs of their own: in three lines, with two functions or with a class.

>>> register_codec(Polygon, dump=shapely.to_wkb, load=shapely.from_wkb)

>>> @codec(Polygon)
... class Polygons:
...     def dump(self, value, sink): sink.write(shapely.to_wkb(value)); return value.geom_type
...     def load(self, blob): return shapely.from_wkb(bytes(blob.data))

They hold for the class and its subclasses, and win over what is built in. Put them in the module that
defines the class, or in the pipeline's own file: workers import it before they load a value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from stepwell.codecs.classes import full_name
from stepwell.errors import BadOption, CannotDecode, CannotEncode, StepwellError
from stepwell.plugins.registry import registry

if TYPE_CHECKING:
    from stepwell.plugins.hookspecs import Blob, Sink

C = TypeVar("C", bound=type)
T = TypeVar("T")


def register_codec(
    kind: type[T], *, dump: Callable[[T], bytes], load: Callable[[bytes], T], name: str = ""
) -> None:
    """Store values of a class by two functions: value to bytes, and bytes to value.

    Equal values must give equal bytes. `name` is recorded with every artifact and finds `load`
    again, so it must stay; it is the full name of the class unless it is given.
    """
    _register(FunctionCodec(name or full_name(kind), dump, load), (kind,))


def codec(*kinds: type | str, name: str = "") -> Callable[[C], C]:
    """Class decorator: register a codec (`stepwell.plugins.hookspecs.Codec`) for classes or their full names."""
    if not kinds:
        raise BadOption("`@codec` needs the classes that the codec takes", fixes=["@codec(Polygon)"])

    def decorate(cls: C) -> C:
        made = cls()
        missing = [method for method in ("dump", "load") if not callable(getattr(made, method, None))]
        if missing:
            raise BadOption(
                f"the codec `{cls.__name__}` has no `{missing[0]}`", fixes=[f"def {missing[0]}(self, …)"]
            )
        first = kinds[0]
        made.name = (
            name or getattr(made, "name", "") or (first if isinstance(first, str) else full_name(first))
        )
        _register(made, kinds)
        return cls

    return decorate


def _register(made: Any, kinds: tuple[type | str, ...]) -> None:
    from stepwell.codecs.builtin import Builtin

    if isinstance(registry.codecs.get(made.name), Builtin):
        raise BadOption(
            f"a codec cannot be named `{made.name}`: that is one of Stepwell's",
            why="artifacts are read by the codec of the name that is recorded with them",
            fixes=["give it another name; it may still take the same classes"],
        )
    registry.register_codec(made, [kind if isinstance(kind, str) else full_name(kind) for kind in kinds])


class FunctionCodec:
    """A codec made of two functions."""

    exact = False

    def __init__(self, name: str, dump: Callable[[Any], bytes], load: Callable[[bytes], Any]) -> None:
        self.name = name
        self._dump = dump
        self._load = load

    def dump(self, value: Any, sink: Sink) -> None:
        """Write what the function gives."""
        try:
            sink.write(self._dump(value))
        except (StepwellError, OSError):
            raise
        except Exception as error:
            raise CannotEncode(
                f"the codec `{self.name}` failed to write a {type(value).__qualname__}",
                why=f"{type(error).__name__}: {error}"[:300],
            ) from error

    def load(self, blob: Blob) -> Any:
        """What the function makes of the bytes."""
        try:
            return self._load(bytes(blob.data))
        except StepwellError:
            raise
        except Exception as error:
            raise CannotDecode(
                f"the codec `{self.name}` failed to read an artifact",
                why=f"{type(error).__name__}: {error}"[:300],
            ) from error
