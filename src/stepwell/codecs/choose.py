"""The door to the codecs: which one for an annotation, which one for a value, and there and back.

>>> codec_for(list[int])                    # at plan time, from the annotation alone
'json'
>>> codec_for(object)                       # says nothing: the value chooses when it appears
''
>>> dump({"auc": 0.91}, "", sink)           # which codec it was, and a note for people
('json', '{"auc":0.91}')
>>> load(blob, "json")
{'auc': 0.91}
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stepwell.codecs.annotations import codec_for
from stepwell.codecs.fit import fits
from stepwell.codecs.lookup import by_name, part_codec, registered
from stepwell.errors import CannotDecode, CannotEncode, StepwellError

if TYPE_CHECKING:
    from stepwell.plugins.hookspecs import Blob, Codec, Sink

__all__ = ["by_name", "codec_for", "codec_of", "dump", "fits", "load"]

_SCALARS = frozenset({int, float, bool, type(None)})
_STREAMS = frozenset({"generator", "coroutine", "async_generator", "map", "filter", "zip"})


def codec_of(value: Any) -> Codec:
    """The codec for a value whose annotation says nothing.

    The one registered for its class or a class that it inherits from; else `json` for plain data,
    `bundle` for plain data with other values in it; else `pickle`. Raises `CannotEncode` for a
    value that is used up by reading it (a generator).
    """
    from stepwell.codecs import plain  # JSON, which planning does without

    name = registered(type(value))
    if name not in ("", "json"):
        return by_name(name)
    try:
        _, parts = plain.encode(value, part_codec)
    except plain.NotPlain:
        return _last_resort(value)
    return by_name("bundle" if parts else "json")


def dump(value: Any, codec: str, sink: Sink) -> tuple[str, str]:
    """Write a value with the codec of this name ("": the value chooses); which codec it was, and its note.

    Raises `CannotEncode` where the value does not fit, `NoCodec` and `MissingLibrary`.
    """
    from stepwell.codecs import plain  # JSON, which planning does without

    kind = type(value)
    if kind in _SCALARS and codec in ("", "json"):
        data = plain.dumps(value)
        sink.write(data)
        return "json", str(value) if len(data) <= plain.SHOWN else plain.summary(value)
    name = codec or registered(kind)
    if not codec and name in ("", "json"):
        try:
            tree, parts = plain.encode(value, part_codec)
        except plain.NotPlain:
            chosen = _last_resort(value)
        else:
            return _write_tree(value, tree, parts, sink)
    else:
        chosen = by_name(name)
    try:
        return chosen.name, chosen.dump(value, sink) or ""
    except (StepwellError, OSError, MemoryError):
        raise
    except Exception as error:
        # A codec of the user's, or a library's refusal of a value that its codec did not foresee.
        raise CannotEncode(
            f"the codec `{chosen.name}` could not write a {kind.__qualname__}",
            why=f"{type(error).__name__}: {error}"[:300],
        ) from error


def load(blob: Blob, codec: str) -> Any:
    """The value of a blob that the codec of this name wrote.

    Raises `CannotDecode`, `NoCodec` and `MissingLibrary`.
    """
    chosen = by_name(codec)
    try:
        return chosen.load(blob)
    except (StepwellError, OSError, MemoryError):
        raise
    except Exception as error:
        raise CannotDecode(
            f"the codec `{codec}` could not read the artifact", why=f"{type(error).__name__}: {error}"[:300]
        ) from error


def _write_tree(value: Any, tree: Any, parts: list[tuple[str, Any]], sink: Sink) -> tuple[str, str]:
    from stepwell.codecs import plain  # JSON, which planning does without

    if parts:
        from stepwell.codecs.bundle import write_parts

        write_parts(tree, parts, sink)
        return "bundle", plain.summary(value)
    data = plain.to_bytes(tree)
    sink.write(data)
    return "json", plain.note(value, data)


def _last_resort(value: Any) -> Codec:
    name = type(value).__name__
    if name in _STREAMS:
        raise CannotEncode(
            f"a {name} cannot be stored: it is used up by reading it", fixes=["return `list(...)` of it"]
        )
    return by_name("pickle")
