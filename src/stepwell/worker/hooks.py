"""Where an observer's events come from: Python's audit events, four functions of `os`, and `os.environ`.

`tell(observer)` lets them go to an observer, `tell(None)` to nobody. An audit hook cannot be taken
out of a process again, so it does nothing while nobody listens; everything else is put back.
"""

from __future__ import annotations

import _thread
import os
import sys
from collections.abc import Callable, Iterator
from importlib import _bootstrap  # type: ignore[attr-defined]
from importlib.machinery import SourceFileLoader
from importlib.util import resolve_name
from operator import itemgetter
from types import FrameType
from typing import TYPE_CHECKING, Any

from stepwell.worker.zones import MAPPING

if TYPE_CHECKING:
    from stepwell.worker.observe import Observer

_PATHS = frozenset(("os", "genericpath", "posixpath", "pathlib", "pathlib._abc", "pathlib._local"))
_BY_THE_WAY = frozenset(("realpath", "_joinrealpath", "resolve", "makedirs", "mkdir"))
_PROBED = ("stat", "lstat", "access", "readlink", "open")

_current: Observer | None = None
"""Whom events are told; None while no step runs and nothing of the project is imported."""

_hooked = False

_rewritten = False
"""Whether code or defaults of any function were set since somebody asked."""


def hook() -> None:
    """Have Python tell of its audit events, from now on."""
    global _hooked  # a hook stays for good  # noqa: PLW0603
    if not _hooked:
        _hooked = True
        sys.addaudithook(_hook)
        os.environb.__class__ = _Variables  # hardly anybody reads it: it stays so


def functions_rewritten() -> bool:
    """Whether code or defaults of any function, also of a new one, were set since this was asked before."""
    global _rewritten  # as the hook is
    found, _rewritten = _rewritten, False
    return found


def tell(observer: Observer | None) -> Observer | None:
    """From now on events go to this observer. Returns whom they went to before."""
    global _current  # one process, one listener
    hook()
    before, _current = _current, observer
    if observer is None:
        _places.put_back()
    elif before is None:
        _places.put()
    return before


class _Probe:
    """A function of `os` that looks at a path and raises no audit event, in its place while a step runs.

    It is that function in every respect but identity. It may outlive the step (`from os import stat`
    in a module that the step imported): then it only calls the function.
    """

    def __init__(self, name: str, original: Callable[..., Any]) -> None:
        self.name = name
        self.original = self.__wrapped__ = original
        self.__doc__ = original.__doc__

    def __call__(self, *args: Any, **options: Any) -> Any:
        observer = _current
        if observer is None:
            return self.original(*args, **options)
        try:
            result = self.original(*args, **options)
        except OSError as error:
            self._tell(observer, args, options, error, sys._getframe(1))
            raise
        self._tell(observer, args, options, result, sys._getframe(1))
        return result

    def _tell(
        self,
        observer: Observer,
        args: tuple[Any, ...],
        options: dict[str, Any],
        result: Any,
        frame: FrameType,
    ) -> None:
        path = args[0] if args else options.get("path")
        dir_fd = options.get("dir_fd")
        if type(path) is int or (dir_fd is not None and type(dir_fd) is not int):
            return
        follows = self.name == "access" or (self.name == "stat" and options.get("follow_symlinks", True))
        soft = self.name in ("stat", "lstat") and _is_by_the_way(frame)
        if soft and (self.name == "stat" or _is_between(frame, result)):
            return
        try:
            observer.probed(path, dir_fd, result, frame, follows=follows, soft=soft)
        except Exception as error:  # told with the result, which then never counts as up to date  # noqa: BLE001
            observer.failed(error)

    def __getattr__(self, name: str) -> Any:
        if name in ("original", "name"):  # while it is being copied
            raise AttributeError(name)
        return getattr(self.original, name)

    def __eq__(self, other: object) -> bool:
        return self is other or self.original == other

    def __hash__(self) -> int:
        return hash(self.original)

    def __repr__(self) -> str:
        return repr(self.original)

    def __reduce__(self) -> tuple[Any, ...]:
        return _function_of_os, (self.name,)


def _is_by_the_way(frame: FrameType | None) -> bool:
    """Whether nobody wants to know: `resolve()` looks at all folders above, `makedirs` whether there is one already.

    Where `resolve()` comes upon a link, that is seen by `readlink`; what it does not find may become one.
    """
    while frame is not None and frame.f_globals.get("__name__") in _PATHS:
        if frame.f_code.co_name in _BY_THE_WAY:
            return True
        frame = frame.f_back
    return False


def _is_between(frame: FrameType, result: Any) -> bool:
    """Whether it is a folder on the way that `resolve()` looks at, and that is there."""
    return not isinstance(result, FileNotFoundError) and bool(frame.f_locals.get("rest"))


def _function_of_os(name: str) -> Any:
    found = getattr(os, name)
    return found.original if isinstance(found, _Probe) else found


class _OpenProbe(_Probe):
    """`os.open`, whose audit event does not say from which folder (`dir_fd`) a path starts."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        observer = _current
        if observer is None:
            return self.original(*args, **options)
        path = args[0] if args else options.get("path")
        flags = args[1] if len(args) > 1 else options.get("flags")
        try:
            observer.opened(path, flags, sys._getframe(1), options.get("dir_fd"))
        except Exception as error:  # as above  # noqa: BLE001
            observer.failed(error)
        thread = _thread.get_ident()
        _opening.add(thread)
        try:
            return self.original(*args, **options)
        finally:
            _opening.discard(thread)


_opening: set[int] = set()
"""Threads that are inside `os.open`, and whose event was told already."""


def _is_opened(observer: Observer, args: tuple[Any, ...], frame: FrameType) -> None:
    if frame.f_code is _GET_DATA:
        loader = frame.f_back
        if (
            loader is not None and loader.f_code is _GET_CODE
        ):  # the file itself may never be opened: its byte code is
            found = loader.f_locals
            observer.strayed(found["fullname"], found["source_path"], loader)
            return
    if _thread.get_ident() not in _opening:
        observer.opened(args[0], args[2], frame)


_GET_DATA = SourceFileLoader.get_data.__code__
_GET_CODE = SourceFileLoader.get_code.__code__


def _found_by_name(name: str, package: str | None = None, level: int = 0) -> Any:
    """In place of `importlib._bootstrap._gcd_import`, which all of `import_module` comes to, while a step runs."""
    observer = _current
    if observer is not None:
        try:
            full = resolve_name("." * level + name, package) if level else name
            observer.met(full, sys._getframe(1))
        except ImportError:  # as the function will say
            return _gcd_import(name, package, level)
        except Exception as error:  # as above  # noqa: BLE001
            observer.failed(error)
    return _gcd_import(name, package, level)


_importing = vars(_bootstrap)
_gcd_import = _importing["_gcd_import"]


class _Variables(os._Environ):  # type: ignore[type-arg]
    """The class of `os.environ` while a step runs: tells which variables are read."""

    def __getitem__(self, key: Any) -> Any:
        observer = _current
        if observer is not None:
            _is_read(observer, key, sys._getframe(1))
        return os._Environ.__getitem__(self, key)

    def __iter__(self) -> Iterator[Any]:
        observer = _current
        if observer is None:
            yield from os._Environ.__iter__(self)
            return
        _is_read(observer, "*", sys._getframe(1))
        keys: dict[int, Any] = {}
        for key in os._Environ.__iter__(self):
            keys[id(key)] = key
            observer.turn = (keys, *_consumer(sys._getframe(1)))
            yield key


def _is_read(observer: Observer, name: Any, frame: FrameType) -> None:
    try:
        observer.variable(name, frame)
    except Exception as error:  # as above  # noqa: BLE001
        observer.failed(error)


_Variables.__name__ = _Variables.__qualname__ = "_Environ"
_Variables.__module__ = "os"


def _consumer(frame: FrameType | None) -> tuple[int, int]:
    """Which call it is that iterates: `dict(os.environ)` asks for names and values from one place in one frame."""
    while frame is not None and frame.f_code.co_filename in MAPPING and frame.f_code.co_name == "__iter__":
        frame = frame.f_back
    return (0, 0) if frame is None else (id(frame), frame.f_lasti)


class _Places:
    """The functions of `os`, and what is put in their place; looked up and set together, which takes a microsecond."""

    def __init__(self) -> None:
        self._space = vars(os)
        self._environ = os.environ
        self._now = itemgetter(*_PROBED)
        self._set_probes(
            {name: (_OpenProbe if name == "open" else _Probe)(name, self._space[name]) for name in _PROBED}
        )

    def _set_probes(self, probes: dict[str, _Probe]) -> None:
        self._probes = probes
        self._in_place = tuple(probes.values())
        self._originals = {name: probe.original for name, probe in probes.items()}
        self._before = tuple(self._originals.values())

    def put(self) -> None:
        """Put the probes in place. Where somebody else replaced a function, theirs is what is called."""
        found = self._now(self._space)
        if found != self._before:
            pairs = zip(self._probes.items(), found, strict=True)
            self._set_probes({n: p if f == p.original else type(p)(n, f) for (n, p), f in pairs})
        self._space.update(self._probes)
        _importing["_gcd_import"] = _found_by_name
        if type(os.environ) is os._Environ:
            self._environ = os.environ
            self._environ.__class__ = _Variables

    def put_back(self) -> None:
        """Put the functions back; what a step put there is not ours to take away."""
        found = self._now(self._space)
        _importing["_gcd_import"] = _gcd_import
        if found == self._in_place:
            self._space.update(self._originals)
        else:
            for (name, probe), now in zip(self._probes.items(), found, strict=True):
                if now is probe:
                    self._space[name] = probe.original
        self._environ.__class__ = os._Environ


_places = _Places()


_SETS = ("object.__setattr__", "object.__delattr__")

REWRITES = ("__code__", "__defaults__", "__kwdefaults__")
"""Attributes of a function that say what calling it does. Python tells when one is set."""


def _hook(event: str, args: tuple[Any, ...]) -> None:
    """The audit hook: lives as long as the process, and does next to nothing while nobody listens."""
    global _rewritten  # noqa: PLW0603
    if event in _SETS and args[1:] and args[1] in REWRITES:
        _rewritten = True
        return
    observer = _current
    if observer is None:
        return
    told = _EVENTS.get(event)
    if told is None:
        return
    try:
        told(observer, args, sys._getframe(1))
    except Exception as error:  # an error here would be the step's, which did nothing wrong  # noqa: BLE001
        observer.failed(error)


_Event = Callable[["Observer", tuple[Any, ...], FrameType], None]

_EVENTS: dict[str, _Event] = {
    "open": _is_opened,
    "os.listdir": lambda o, a, f: o.listed(a[0], f),
    "os.scandir": lambda o, a, f: o.listed(a[0], f),
    "pickle.find_class": lambda o, a, f: o.met(a[0], f),
    "sqlite3.connect": lambda o, a, f: o.connected(a[0], f),
    "os.chdir": lambda o, a, f: o.entered(a[0], f),
    "os.mkdir": lambda o, a, f: o.changes(a[0], a[2], f, makes=True, by_the_way=_is_by_the_way(f)),
    "os.symlink": lambda o, a, f: o.linked(a[1], a[2], f),
    "os.link": lambda o, a, f: o.linked(a[1], a[3], f, a[0], a[2]),
    "os.remove": lambda o, a, f: o.changes(a[0], a[1], f),
    "os.rmdir": lambda o, a, f: o.changes(a[0], a[1], f),
    "os.truncate": lambda o, a, f: o.changes(a[0], None, f),
    "os.utime": lambda o, a, f: o.changes(a[0], a[3], f, only_touches=True),
    "os.chmod": lambda o, a, f: o.changes(a[0], a[2], f, only_touches=True),
    "os.chown": lambda o, a, f: o.changes(a[0], a[3], f, only_touches=True),
    "os.setxattr": lambda o, a, f: o.changes(a[0], None, f, only_touches=True),
    "os.rename": lambda o, a, f: o.renamed(a, f),
    "subprocess.Popen": lambda o, a, f: o.ran(a[1] or a[0], f),
    "os.system": lambda o, a, f: o.ran(_words(a[0]), f),
    "os.exec": lambda o, a, f: o.ran(a[0], f),
    "os.posix_spawn": lambda o, a, f: o.ran(a[0], f),
    "os.fork": lambda o, a, f: o.ran("python", f),
    "os.forkpty": lambda o, a, f: o.ran("python", f),
    "socket.connect": lambda o, a, f: (
        o.reached(a[1][0], a[1][1], f, named=False) if isinstance(a[1], tuple) and len(a[1]) > 1 else None
    ),
    "socket.getaddrinfo": lambda o, a, f: o.reached(a[0], a[1], f, named=True),
}


def _words(command: Any) -> list[str]:
    return os.fsdecode(command).split()
