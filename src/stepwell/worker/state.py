"""What a step may have changed of its process, put back before the next one.

`settle()` takes the state as it is now for the right one: after a worker started, and after
modules of the project were imported (what a module sets when it is imported is meant to stay).
`restore()` compares and puts back; it costs some 4 µs where nothing changed, plus what the loaded
libraries need. `seed(key)` gives each task its own random streams.

Put back: working folder, environment, umask, `sys.path`, `sys.argv`, the standard streams, warning
filters, signal handlers and alarms, recursion limit, the most digits of a number as text, trace
and profile functions (not a debugger's), garbage collector, locale, root logger, and the options of
pandas, scikit-learn and matplotlib (whose figures are closed). Steps run in a context of their own,
which takes care of `decimal`, NumPy's print options and error states, and everything else that is a
context variable. Not put back: resource limits, open files, files on disk. How floats are rounded
cannot be put back from Python, so it is told. Replaced parts of libraries are a matter of their own
(`patches`).

**Random numbers.** `random`, NumPy's global generator and PyTorch are seeded with the task's key
before each task: a step that forgot to seed gives the same result in every run, on any worker, and
two calls with different arguments draw different numbers.
"""

from __future__ import annotations

import gc
import importlib
import os
import random
import sys
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from operator import is_
from pathlib import Path
from types import ModuleType
from typing import Any
from zlib import crc32

_signal: Any = importlib.import_module("_signal")
"""The module below `signal`, whose `getsignal` makes no enum member: 0.1 µs, not 5."""

_SIGNALS = tuple(
    getattr(_signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGALRM", "SIGCHLD", "SIGPIPE", "SIGUSR1", "SIGUSR2")
)


_getsignal = _signal.getsignal
_fchdir, _umask = os.fchdir, os.umask

_threads: dict[int, threading.Thread] = threading._active  # type: ignore[attr-defined]
"""Those that run; `threading.active_count` takes a lock to say how many."""

_inner: Any = vars(random)["_inst"]
_seed = super(random.Random, _inner).seed
"""What `random.seed` comes to for a small number, without looking at what it is given."""


_DEBUGGERS = ("bdb", "pdb", "pydevd", "_pydevd", "debugpy")
"""How the modules begin whose trace functions stay: breakpoints are meant for later steps too."""

_ONE, _LITTLE = 1.0, 2.0**-55
"""A sum and a difference that are not 1 where floats are rounded otherwise than to the nearest."""

SEEDED = {"numpy.random": "seed", "torch": "manual_seed"}
"""Libraries with a random stream of their own, and the function that starts it."""


class LateSeed:
    """A finder that seeds such a library when a step imports it (NumPy itself imports `numpy.random` only when used)."""

    number = 0

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec that other finders give, which also seeds."""
        if name not in SEEDED:
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        spec = next((found for finder in others if (found := finder.find_spec(name, path, target))), None)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def execute_and_seed(module: ModuleType) -> None:
            execute(module)
            getattr(module, SEEDED[name])(self.number)

        spec.loader.exec_module = execute_and_seed  # type: ignore[method-assign]
        return spec


class Restorer:
    """Puts the process back into its settled state. One a process; `root` is where steps run."""

    def __init__(self, root: Path) -> None:
        self._root = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._libraries: dict[str, Library] = {}
        self._modules = 0
        self._seeds: list[Callable[[int], object]] = []
        self._late = LateSeed()
        sys.meta_path.insert(0, self._late)  # type: ignore[arg-type]
        os.fchdir(self._root)
        self.settle()

    def settle(self) -> None:
        """From now on, what is so now is what is right."""
        self._environ: dict[bytes, bytes] = dict(_environ())
        self._umask = os.umask(0o077)
        os.umask(self._umask)
        self._path, self._argv = list(sys.path), list(sys.argv)
        self._streams = (sys.stdin, sys.stdout, sys.stderr)
        self._filters = list(warnings.filters)
        self._showwarning = warnings.showwarning
        self._handlers = (*map(_getsignal, _SIGNALS),)
        self._recursion = sys.getrecursionlimit()
        self._digits = sys.get_int_max_str_digits()
        self._hooks = _trace_hooks()
        self._gc = gc.isenabled()
        self._threads = len(_threads)
        self._main = threading.current_thread() is threading.main_thread()
        self._alarm = bool(_signal.getitimer(_signal.ITIMER_REAL)[0])
        self._meet_libraries(settled=True)

    def seed(self, key: str) -> None:
        """Start the random streams of a task."""
        number = self._late.number = crc32(key.encode())
        _seed(number)
        _inner.gauss_next = None
        for seed in self._seeds:
            seed(number)

    def restore(self) -> list[str]:
        """Put back what differs. Returns what could not be put back, as clauses ("left 2 threads running")."""
        self._restore_process()
        self._restore_interpreter()
        if len(sys.modules) != self._modules:
            self._meet_libraries(settled=False)
        for library in self._libraries.values():
            library.restore()
        clauses = []
        if len(_threads) > self._threads:
            left = [t for t in threading.enumerate() if not t.daemon and t is not threading.main_thread()]
            if left:
                clauses.append(f"left a thread running ({left[0].name})")
        if _ONE + _LITTLE != _ONE or _ONE - _LITTLE != _ONE:
            clauses.append("changed how floats are rounded")
        return clauses

    def close(self) -> None:
        """Release what is held of the process."""
        os.close(self._root)
        if self._late in sys.meta_path:
            sys.meta_path.remove(self._late)  # type: ignore[arg-type]

    def _restore_process(self) -> None:
        _fchdir(self._root)
        _umask(self._umask)
        if _environ() != self._environ:
            os.environ.clear()
            os.environ.update({os.fsdecode(k): os.fsdecode(v) for k, v in self._environ.items()})
            time.tzset()
        if not self._alarm:
            _signal.alarm(0)
        if (*map(_getsignal, _SIGNALS),) != self._handlers and self._main:
            for number, handler in zip(_SIGNALS, self._handlers, strict=True):
                if handler is not None:  # None: set by C code, and cannot be set from here
                    _signal.signal(number, handler)

    def _restore_interpreter(self) -> None:
        if sys.path != self._path:
            sys.path[:] = self._path
        if sys.argv != self._argv:
            sys.argv[:] = self._argv
        sys.stdin, sys.stdout, sys.stderr = self._streams
        if warnings.filters != self._filters:
            warnings.filters[:] = self._filters  # type: ignore[index]
        warnings.showwarning = self._showwarning
        _forget_shown_warnings()
        if sys.getrecursionlimit() != self._recursion:
            sys.setrecursionlimit(self._recursion)
        if sys.get_int_max_str_digits() != self._digits:
            sys.set_int_max_str_digits(self._digits)
        if not all(map(is_, _trace_hooks(), self._hooks)):
            _put_back_hooks(self._hooks)
        if gc.isenabled() != self._gc:
            (gc.enable if self._gc else gc.disable)()

    def _meet_libraries(self, *, settled: bool) -> None:
        """Start guarding libraries that were imported since; `settled` takes their options as they are now."""
        self._modules = len(sys.modules)
        found = [(sys.modules.get(name), function) for name, function in SEEDED.items()]
        self._seeds = [getattr(module, function) for module, function in found if hasattr(module, function)]
        for name, kind in LIBRARIES.items():
            if name in sys.modules:
                try:
                    if name not in self._libraries:
                        self._libraries[name] = kind(settled)
                    elif settled:
                        self._libraries[name].settle()
                except (AttributeError, ImportError):  # a version without these insides, or half imported
                    continue


def _trace_hooks() -> tuple[Any, ...]:
    """What is called for each line and call of this thread, and of new ones."""
    return sys.gettrace(), sys.getprofile(), threading.gettrace(), threading.getprofile()


def _put_back_hooks(before: tuple[Any, ...]) -> None:
    setters = (sys.settrace, sys.setprofile, threading.settrace, threading.setprofile)
    for put, now, was in zip(setters, _trace_hooks(), before, strict=True):
        if now is not was and not str(getattr(now, "__module__", "")).startswith(_DEBUGGERS):
            put(was)


def _environ() -> dict[bytes, bytes]:
    return os.environ._data  # type: ignore[attr-defined,no-any-return]  # comparing it costs 1 µs, the mapping 15


_mutated: Callable[[], None] = (
    getattr(warnings, "_filters_mutated", None)
    or getattr(warnings, "_filters_mutated_lock_held", None)
    or (lambda: None)
)


_warnings_lock: Any = getattr(warnings, "_lock", None)


def _forget_shown_warnings() -> None:
    """A warning that one task has shown is shown again by the next."""
    if _warnings_lock is None:
        _mutated()
    else:
        with _warnings_lock:
            _mutated()


class Library:
    """The options of one library: as they were, and back to that.

    Made when the library is first seen. Where that is after a step (not `settled`), the step imported
    it and may have changed its options already: then the right ones are those of a fresh import.
    """

    def __init__(self, settled: bool) -> None:
        self.saved: Any = self.read() if settled else self.fresh()

    def settle(self) -> None:
        """Take the options as they are now."""
        self.saved = self.read()

    def restore(self) -> None:
        """Put the options back where they differ."""
        if self.read() != self.saved:
            self.write(self.saved)

    def read(self) -> Any:
        """The options, comparable."""
        raise NotImplementedError

    def fresh(self) -> Any:
        """The options that the library has when it is imported; here, where that is not known, those of now."""
        return self.read()

    def write(self, saved: Any) -> None:
        """Set the options to what `read` gave."""
        raise NotImplementedError


class Pandas(Library):
    """`pd.options`."""

    def __init__(self, settled: bool) -> None:
        self.config: Any = importlib.import_module("pandas._config.config")
        super().__init__(settled)

    def read(self) -> Any:
        """All options by their full names."""
        return _flat(self.config._global_config)

    def fresh(self) -> Any:
        """The defaults with which the options were registered."""
        return self.read() | {name: option.defval for name, option in self.config._registered_options.items()}

    def write(self, saved: Any) -> None:
        """Set each that differs."""
        for name, value in self.read().items():
            if value != saved.get(name, value):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    self.config.set_option(name, saved[name])


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            out.update(_flat(value, f"{prefix}{name}."))
        else:
            out[prefix + name] = value
    return out


class Matplotlib(Library):
    """`rcParams`; open figures are closed."""

    def __init__(self, settled: bool) -> None:
        self.matplotlib = sys.modules["matplotlib"]
        super().__init__(settled)

    def read(self) -> Any:
        """All parameters, a copy."""
        return dict.copy(self.matplotlib.rcParams)

    def fresh(self) -> Any:
        """Those of the user's matplotlibrc."""
        return dict.copy(self.matplotlib.rcParamsOrig)

    def restore(self) -> None:
        """Figures as well."""
        if not dict.__eq__(self.matplotlib.rcParams, self.saved):
            self.write(self.saved)
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is not None and pyplot.get_fignums():
            pyplot.close("all")

    def write(self, saved: Any) -> None:
        """Set the parameters, without their checks."""
        dict.update(self.matplotlib.rcParams, saved)


class ScikitLearn(Library):
    """`sklearn.set_config`."""

    def __init__(self, settled: bool) -> None:
        self.config = sys.modules["sklearn._config"]
        super().__init__(settled)

    def read(self) -> Any:
        """The configuration of this thread."""
        return self.config.get_config()

    def fresh(self) -> Any:
        """The defaults."""
        return dict(self.config._global_config)

    def write(self, saved: Any) -> None:
        """Set it."""
        self.config.set_config(**saved)


class Locale(Library):
    """The locale of the process."""

    def __init__(self, settled: bool) -> None:
        import _locale

        self.locale = _locale
        super().__init__(settled)

    def read(self) -> Any:
        """The name of the locale in all categories."""
        return self.locale.setlocale(self.locale.LC_ALL, None)

    def write(self, saved: Any) -> None:
        """Set it."""
        self.locale.setlocale(self.locale.LC_ALL, saved)


class Logging(Library):
    """The root logger's level and handlers."""

    def __init__(self, settled: bool) -> None:
        self.root = sys.modules["logging"].root
        super().__init__(settled)

    def read(self) -> Any:
        """Level, switch, and handlers by identity."""
        return (self.root.level, self.root.manager.disable, list(self.root.handlers))

    def fresh(self) -> Any:
        """Level WARNING, no handlers."""
        return (30, 0, [])

    def write(self, saved: Any) -> None:
        """Set them; handlers that a step added are flushed and dropped."""
        level, disable, handlers = saved
        for handler in self.root.handlers:
            if handler not in handlers:
                handler.flush()
        self.root.handlers[:] = handlers
        self.root.setLevel(level)
        self.root.manager.disable = disable


LIBRARIES: dict[str, Callable[[bool], Library]] = {
    "locale": Locale,
    "logging": Logging,
    "matplotlib": Matplotlib,
    "pandas": Pandas,
    "sklearn._config": ScikitLearn,
}
