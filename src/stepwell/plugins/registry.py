"""What has been registered, built-ins included; they are loaded when something of their kind is first asked for.

registry.codecs            name -> Codec
registry.codec_types       full name of a class -> name of its codec
registry.readers           all readers, the last registered first
registry.engine("local")   a function that makes an engine
registry.kind("shell")     what steps of a kind do
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

from stepwell.errors import BadOption
from stepwell.plugins import builtin
from stepwell.plugins.hookspecs import Codec, Kind, Reader


class Registry:
    """One table for each kind of extension."""

    def __init__(self) -> None:
        self._codecs: dict[str, Codec] = {}
        self._types: dict[str, str] = {}
        self.chosen: dict[type, str] = {}
        """What `codecs.lookup.registered` found for classes; forgotten when another codec is registered."""
        self._readers: list[Reader] = []
        self._engines: dict[str, Callable[..., Any]] = {}
        self._kinds: dict[str, Any] = {}
        self._loaded: set[str] = set()

    def _load(self, kind: str, modules: Iterable[str]) -> None:
        if kind not in self._loaded:
            self._loaded.add(kind)
            for module in modules:
                import_module(module).register(self)

    @property
    def codecs(self) -> dict[str, Codec]:
        """Codecs by name."""
        self._load("codecs", builtin.CODECS)
        return self._codecs

    @property
    def codec_types(self) -> dict[str, str]:
        """Names of codecs by the full name of the class that they take."""
        self._load("codecs", builtin.CODECS)
        return self._types

    @property
    def readers(self) -> list[Reader]:
        """Readers, the last registered first."""
        self._load("readers", builtin.READERS)
        return self._readers

    def engine(self, name: str) -> Callable[..., Any]:
        """The function that makes an engine of this name. Raises `BadOption`."""
        self._load("engines", builtin.ENGINES)
        if name not in self._engines:
            raise BadOption(
                f"no engine is named `{name}`", fixes=[f"one of: {', '.join(sorted(self._engines))}"]
            )
        return self._engines[name]

    def kind(self, name: str) -> Kind:
        """What steps of this kind do; its module is imported now. Raises `BadOption`."""
        self._load("kinds", builtin.KINDS)
        if name not in self._kinds:
            raise BadOption(
                f"no kind of step is named `{name}`", fixes=[f"one of: {', '.join(sorted(self._kinds))}"]
            )
        if isinstance(self._kinds[name], str):
            self._kinds[name] = import_module(self._kinds[name])
        return self._kinds[name]  # type: ignore[no-any-return]

    def register_codec(self, codec: Codec, types: Iterable[str] = ()) -> None:
        """Add a codec, for the classes with these full names ("pandas.DataFrame") and their subclasses.

        A later registration for a class wins over an earlier one.
        """
        table, names = self.codecs, self.codec_types
        self.chosen.clear()
        table[codec.name] = codec
        for name in types:
            names[name] = codec.name

    def register_reader(self, reader: Reader) -> None:
        """Add a reader of source files; it is asked before those registered earlier."""
        self.readers.insert(0, reader)

    def register_engine(self, name: str, make: Callable[..., Any]) -> None:
        """Add an engine under a name."""
        self._engines[name] = make

    def register_kind(self, name: str, kind: Kind | str) -> None:
        """Add a kind of step under a name; the name of a module is imported only when such a step is met."""
        self._kinds[name] = kind


registry = Registry()
"""The one registry of this process."""


def runner() -> Any:
    """The module that runs and plans pipelines: `stepwell.app.calls`, two layers above its caller, resolved when called."""
    return import_module(builtin.RUNNER)


def releases() -> Any:
    """The module that finds releases which a project uses: `stepwell.dist.releases.used`, layers above its callers, resolved when called."""
    return import_module(builtin.RELEASES)
