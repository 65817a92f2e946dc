"""Any other object, by pickle: the codec `pickle`.

The last resort. Loading executes what the bytes say, so an artifact of this codec never leaves
the store that it was made in; nothing but a step that takes it ever loads it. Equal values need
not have equal bytes (a set is written in the order of its hashes), so that a step whose output is
pickled may make the steps after it run again for nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stepwell.errors import CannotDecode, CannotEncode

if TYPE_CHECKING:
    from stepwell.plugins.hookspecs import Blob, Sink

PROTOCOL = 5
"""Fixed, so that a newer Python writes the same bytes."""


class PickleCodec:
    """Objects by pickle: `@step(codec="pickle")`, or an unannotated output that no other codec takes."""

    name = "pickle"
    exact = False
    executes = True

    def dump(self, value: Any, sink: Sink) -> str:
        """Write the pickle; the note names the class and says that it is one."""
        import pickle

        try:
            pickle.dump(value, sink, PROTOCOL)
        except (OSError, MemoryError):
            raise
        except Exception as error:
            # A `__reduce__` of the user's may raise anything.
            raise CannotEncode(
                f"a {type(value).__qualname__} cannot be pickled, and no other codec takes it",
                why=f"{type(error).__name__}: {error}"[:300],
                fixes=[
                    "return plain data, an array, a table or a file",
                    f"or register a codec for it: `register_codec({type(value).__name__}, dump=..., load=...)`",
                ],
            ) from error
        return f"{type(value).__qualname__}, pickled"

    def load(self, blob: Blob) -> Any:
        """The object. Executes what the bytes say."""
        import pickle

        try:
            return pickle.loads(blob.data)  # noqa: S301, the user asked for it and it is their own
        except Exception as error:
            raise CannotDecode(
                "the artifact cannot be unpickled",
                why=f"{type(error).__name__}: {error}"[:300],
                fixes=["if its class or library changed since, run the step that makes it again"],
            ) from error
