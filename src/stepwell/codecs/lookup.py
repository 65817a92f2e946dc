"""Which codec is registered for a class, and the codec of a name."""

from __future__ import annotations

import importlib.util
from typing import Any

from stepwell.codecs.classes import full_name
from stepwell.errors import MissingLibrary, NoCodec, nearest
from stepwell.plugins.hookspecs import Codec
from stepwell.plugins.registry import registry

PLAIN = frozenset({"json", "text", "bytes"})
"""Codecs whose values plain data holds by itself."""


MOST = 10_000
"""Classes whose codec is remembered."""


def by_name(name: str) -> Codec:
    """The codec of this name. Raises `NoCodec` where there is none."""
    found = registry.codecs.get(name)
    if found is None:
        near = nearest(name, registry.codecs)
        raise NoCodec(
            f"no codec is named `{name}`",
            why="it was registered by code that is not loaded here, or by a package that is not installed",
            fixes=[f"did you mean `{near}`?"] if near else [f"one of: {', '.join(sorted(registry.codecs))}"],
        )
    return found


def registered(kind: type) -> str:
    """The name of the codec of a class or of the nearest class that it inherits from; "" where there is none.

    A codec that is `exact` does not take subclasses: they would come back as what they inherit from.
    One that is `only` for a package does not take classes that others derive from it.
    """
    found = registry.chosen.get(kind)
    if found is None:
        if len(registry.chosen) >= MOST:  # of a process that defines classes without end
            registry.chosen.clear()
        found = registry.chosen[kind] = _registered(kind)
    return found


def _registered(kind: type) -> str:
    types = registry.codec_types
    for base in kind.__mro__:
        name = types.get(full_name(base))
        if name is not None:
            codec = registry.codecs[name]
            foreign = base is not kind and getattr(codec, "exact", False)
            return "" if foreign or not kind.__module__.startswith(getattr(codec, "only", "")) else name
    return ""


def part_codec(value: Any) -> str:
    """The codec of a value that lies inside plain data; "" where plain data holds it, or nothing safe does."""
    name = registered(type(value))
    if not name or name in PLAIN or name == "path" or getattr(registry.codecs[name], "executes", False):
        return ""
    return name


def path_codec(value: Any) -> str:
    """As `part_codec`, but a path is a file that was made."""
    return "path" if registered(type(value)) == "path" else part_codec(value)


def check_library(codec: Codec) -> None:
    """Raise `MissingLibrary` where a library that the codec needs is not installed. Imports nothing."""
    for module in getattr(codec, "needs", ()):
        try:
            found = importlib.util.find_spec(module) is not None
        except (ImportError, ValueError):  # ValueError: a module without a spec was put in `sys.modules`
            found = False
        if not found:
            extra = getattr(codec, "extra", "")
            raise MissingLibrary(
                f"the codec `{codec.name}` needs `{module}`, which is not installed",
                why="Stepwell installs no library for data by itself, so that a small project stays small",
                fixes=[f'pip install "stepwell[{extra}]"'] if extra else [f"pip install {module}"],
            )
