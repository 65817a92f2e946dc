"""Replaced parts of Python's own libraries: seen after a step, and put back.

    core = Core()            # how things are now is right; `settle()` says so again
    core.restore(whole=True) # -> ["json.loads"]: what a step replaced, added or removed, now as before

A step that sets `os.path.getsize` changes what every later step of its process gets from it. Most
such code is found before it runs (`author.fingerprint.patches`); this finds the rest, in the
modules that nearly all code uses, by comparing which objects their names stand for: some 15 µs. The
builtins alone, without which the worker itself could not go on, are compared after every task.
"""

from __future__ import annotations

import builtins
import collections
import datetime as dt
import decimal
import io
import json
import json.decoder
import json.encoder
import math
import os
import pathlib
import posixpath
import random
import re
import time
from collections.abc import Mapping
from types import ModuleType
from typing import Any, NamedTuple

MODULES = (
    os, posixpath, json, json.encoder, json.decoder, math, random, time, dt, decimal, io, re, collections,
)  # fmt: skip
"""The modules that are looked at, beside `builtins`."""

CLASSES = (
    json.JSONEncoder,
    json.JSONDecoder,
    random.Random,
    type(os.environ),
    collections.Counter,
    pathlib.Path,
)
"""Their classes that are written in Python, and can be changed."""

LONG = 0.005
"""Seconds of a task after which all is looked at: before that, it would be a part of the cost that counts."""

_CONTEXT = ("prec", "rounding", "Emin", "Emax", "capitals", "clamp")
_FREE = frozenset(
    (
        "__IPYTHON__",
        "__warningregistry__",
        "_",
        "display",
        "get_ipython",
        "timezone",
        "altzone",
        "daylight",
        "tzname",
    )
)
"""Names that Python and IPython set themselves; those of `time` are put back with the environment."""

_MISSING = object()


class _Space(NamedTuple):
    """The names of one module, class or object: those of now, and as they were."""

    name: str
    owner: Any
    now: Mapping[str, Any]
    before: dict[str, Any]
    values: list[Any]


class Core:
    """What the names of the core modules stand for. One a process."""

    def __init__(self) -> None:
        self._context = decimal.DefaultContext
        self._builtins = _space("builtins", builtins)
        self._spaces = [
            *[_space(_name_of(module), module) for module in MODULES],
            *[_space(f"{_public(kind.__module__)}.{kind.__qualname__}", kind) for kind in CLASSES],
            _space("os.environ", os.environ),
        ]
        self.settle()

    def settle(self) -> None:
        """From now on, what is so now is what is right."""
        self._builtins = _settled(self._builtins)
        self._spaces = [_settled(space) for space in self._spaces]
        self._settings = [getattr(self._context, name) for name in _CONTEXT]

    def restore(self, *, whole: bool) -> list[str]:
        """Put back what differs; its names, sorted. Without `whole` only the builtins are looked at."""
        found = _restored(self._builtins)
        if not whole:
            return found
        for space in self._spaces:
            found += _restored(space)
        settings = [getattr(self._context, name) for name in _CONTEXT]
        if settings != self._settings:
            for name, now, before in zip(_CONTEXT, settings, self._settings, strict=True):
                if now != before:
                    found.append(f"decimal.DefaultContext.{name}")
                    setattr(self._context, name, before)
        return sorted(set(found)) if found else found


def _space(name: str, owner: Any) -> _Space:
    now = vars(owner)
    return _Space(name, owner, now, dict(now), list(now.values()))


def _settled(space: _Space) -> _Space:
    """The space as it is now: itself, where nothing of it differs."""
    return space if _same([*space.now.values()], space.values) else _space(space.name, space.owner)


def _name_of(module: ModuleType) -> str:
    return "os.path" if module is posixpath else module.__name__


def _public(module: str) -> str:
    """`json` for `json.encoder`, `pathlib` for `pathlib._local`."""
    return module.partition(".")[0]


def _restored(space: _Space) -> list[str]:
    if _same([*space.now.values()], space.values):
        return []
    now = {**space.now}
    if space.owner is builtins:  # first of all: what follows needs them
        space.now.update(space.before)  # type: ignore[attr-defined]
    found = []
    for name, before in space.before.items():
        value = now.get(name, _MISSING)
        if (
            value is not before
            and not _same(value, before)
            and name not in _FREE
            and not _is_late(name, before)
        ):
            found.append(name)
            setattr(space.owner, name, before)
    for name in now.keys() - space.before.keys():
        if name not in _FREE and not isinstance(now[name], ModuleType):  # a submodule was imported
            found.append(name)
            delattr(space.owner, name)
    return [f"{space.name}.{name}" for name in found]


def _same(now: object, before: object) -> bool:
    """Whether two values are equal; while a step is observed, other objects that equal them stand in for functions.

    Needs no builtin, which may be what was replaced.
    """
    try:
        return True if now == before else False  # noqa: SIM210
    except:  # noqa: E722  # what a step put there may refuse to be compared
        return False


def _is_late(name: str, before: object) -> bool:
    """Whether a name is private to its module, which sets it when it is first needed."""
    return before is None and name.startswith("_")
