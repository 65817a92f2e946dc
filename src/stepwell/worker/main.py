"""The entry of the processes that an engine starts: `run_template` and `run_worker`.

The **template** imports the libraries that the steps' modules import, once, and then makes workers
by forking itself: they start in milliseconds and share the memory of the libraries. It executes no
code of the project, so that each worker has its own modules, and what they print when they are
imported belongs to the task that needs them. It also reaps all workers, tells the driver how they
ended, and ends everything below it when the driver closes or dies.

Where forking is not safe (macOS, or when a library has started threads of Python), workers are
started as processes of their own, by the same protocol; they import for themselves.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import importlib
import marshal
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from stepwell.worker import family
from stepwell.worker.boot import (
    ANSWER,
    BEGIN,
    CLOSE,
    ENDS,
    EXITED,
    FORK,
    LIMIT,
    READY,
    REQUEST,
    WARM,
    command,
)
from stepwell.worker.modules import FirstParty, Snapshot
from stepwell.worker.serve import Settings, serve

GRACE = 0.4
"""Seconds that steps have to clean up after themselves when they are stopped."""

NOT_IN_A_TEMPLATE = frozenset(("jax", "jaxlib", "polars", "ray", "tensorflow"))
"""Libraries that start threads of their own, and do not survive a fork."""

_UNIT = 1 if sys.platform == "darwin" else 1024


def run_template() -> None:
    """The template's whole life. Arguments: the descriptor of the control socket and the driver's id.

    Where it had to start anew (`_same_place`), those of the settings come third.
    """
    control_fd, driver, *again = map(int, sys.argv[1:])
    family.adopt_orphans()
    control = socket.socket(fileno=control_fd)
    settings_fd, warmed = (again[0], False) if again else _told_to_begin(control, driver)
    if settings_fd < 0:
        family.end(os.getpid(), 0, LIMIT)
        os._exit(0)  # whatever threads libraries have started
    settings = read_settings(settings_fd)
    if warmed and not _same_place(settings):
        _start_anew(settings, control_fd, driver, settings_fd)
    importer = _importer(settings)
    warm(settings.preload, importer)
    if settings.strict:
        warm_for_one_task()
    template = Template(control, settings_fd, driver, settings, importer)
    gc.collect()
    gc.freeze()  # workers share this memory; a collection would copy it
    template.run()


def _told_to_begin(control: socket.socket, driver: int) -> tuple[int, bool]:
    """The descriptor of the settings, -1 where the driver has no use for a template; whether libraries were wished before."""
    warmed = False
    family.end_with_parent(driver)
    while True:
        kind, _, ends = _request(control)
        if kind != WARM:
            family.live_on()
            return ends[0] if kind == BEGIN else -1, warmed
        root, roots, modules = marshal.loads(_content(ends[0]))  # of our own program  # noqa: S302
        os.close(ends[0])
        warm(modules, _first_party(root, roots, Snapshot()))
        warmed = True


def _same_place(settings: Settings) -> bool:
    """Whether the driver's environment and places to import from are what this process has.

    A module of the project may have changed them before it imported libraries: they are to find that.
    """
    return settings.environment == dict(os.environ) and settings.path == sys.path


def _start_anew(settings: Settings, control_fd: int, driver: int, settings_fd: int) -> None:
    """The same process with another program image: nothing that was imported is left. Does not return."""
    for fd in (control_fd, settings_fd):
        os.set_inheritable(fd, True)
    line = command("run_template", settings.path, [control_fd, driver, settings_fd])
    os.execve(line[0], line, settings.environment)


def run_worker() -> None:
    """A worker that was not forked. Arguments: its descriptors (`ENDS`), that of the settings, its parent's id."""
    *ends, settings_fd, parent = map(int, sys.argv[1:])
    family.die_with_parent(parent)
    family.be_killed_first()
    settings = read_settings(settings_fd)
    os.close(settings_fd)
    for fd in ends:
        os.set_inheritable(fd, False)
    serve(ends, settings, _importer(settings))


def read_settings(fd: int) -> Settings:
    """The settings that the driver wrote into a file without a name."""
    os.set_inheritable(fd, False)
    return Settings(marshal.loads(_content(fd)))  # of our own program, see `wire`  # noqa: S302


def _content(fd: int) -> bytes:
    data = b""
    while block := os.pread(fd, 1 << 24, len(data)):
        data += block
    return data


def _request(control: socket.socket) -> tuple[bytes, int, list[int]]:
    """The next request, its number, its descriptors; `CLOSE` where there is no driver any more."""
    try:
        request, ends, _, _ = socket.recv_fds(control, REQUEST.size, ENDS)
    except ConnectionError:
        return CLOSE, 0, []
    if len(request) < REQUEST.size:
        return CLOSE, 0, []
    return (*REQUEST.unpack(request), ends)


def _importer(settings: Settings) -> FirstParty:
    return _first_party(settings.root, settings.roots, Snapshot(settings.snapshot), settings.expected)


def _first_party(
    root: str | Path, roots: Sequence[str], snapshot: Snapshot, expected: Mapping[str, str] | None = None
) -> FirstParty:
    """The importer of the project's own modules, installed in place of any before."""
    sys.argv = [str(root)]
    importer = FirstParty([Path(root), *map(Path, roots)], snapshot, expected)
    importer.install()
    return importer


# ---------------------------------------------------------------------------- libraries


def warm(modules: Sequence[str], importer: FirstParty) -> None:
    """Import the libraries that first-party modules import at their top level; failures show later, in a step."""
    for library in _libraries(modules, importer):
        if library.module.partition(".")[0] not in NOT_IN_A_TEMPLATE:
            with contextlib.suppress(BaseException), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                _fetch(library)
    for name in ("stepwell.codecs.choose", "stepwell.codecs.plain", "stepwell.worker.execute", "blake3"):
        importlib.import_module(name)


class _Import(NamedTuple):
    """A module that is imported, and the name asked of it, which may be a module too; "" for none."""

    module: str
    name: str = ""


def _fetch(library: _Import) -> None:
    module = importlib.import_module(library.module)
    if library.name and not hasattr(module, library.name):  # which makes lazy modules load it
        importlib.import_module(f"{library.module}.{library.name}")


def warm_for_one_task() -> None:
    """Import what nearly every task needs of Stepwell: in strict mode each has a worker of its own."""
    for name in ("stepwell.sources.pin", "stepwell.sources.read", "stepwell.worker.sandbox"):
        importlib.import_module(name)
    face = importlib.import_module("stepwell")
    for name in ("log", "pipeline", "source", "step"):  # loaded when they are first asked for
        getattr(face, name)


def _libraries(modules: Sequence[str], importer: FirstParty) -> Iterator[_Import]:
    """What these modules import of others, directly or through modules of the project."""
    seen: set[_Import] = set()
    todo = [_Import(module) for module in modules]
    while todo:
        wanted = todo.pop()
        if wanted in seen:
            continue
        seen.add(wanted)
        names = [wanted.module, *([f"{wanted.module}.{wanted.name}"] if wanted.name else [])]
        own = {name: path for name in names if (path := importer.source_of(name)) is not None}
        if not own:
            yield wanted
        elif wanted.name:
            todo += map(_Import, own)
        else:
            with contextlib.suppress(SyntaxError, ValueError, OSError):
                path = own[wanted.module]
                importer.snapshot.code(path)  # workers need not compile it again
                tree = ast.parse(importer.snapshot.read(path))
                todo += _imports(tree, wanted.module, path.endswith("__init__.py"))


def _imports(tree: ast.Module, module: str, is_package: bool) -> Iterator[_Import]:
    for node in _top_level(tree.body):
        if isinstance(node, ast.Import):
            yield from (_Import(alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            up = node.level - 1 if is_package else node.level
            base = (module.rsplit(".", up)[0] if up else module) if node.level else ""
            origin = ".".join(part for part in (base, node.module) if part)
            yield from (_Import(origin, "" if alias.name == "*" else alias.name) for alias in node.names)


def _top_level(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run when a module is imported, as far as they are simple; not `if TYPE_CHECKING:`."""
    for node in body:
        if isinstance(node, ast.Try):
            yield from _top_level(node.body)
        else:
            yield node


# ---------------------------------------------------------------------------- the template


class Template:
    """Makes workers, tells how they ended, and ends everything when the driver closes or is gone."""

    def __init__(
        self, control: socket.socket, settings_fd: int, driver: int, settings: Settings, importer: FirstParty
    ) -> None:
        self.control = control
        self.settings_fd = settings_fd
        self.driver = driver
        self.settings = settings
        self.importer = importer
        self.workers: dict[int, int] = {}  # process id -> number
        self.fork = settings.fork and threading.active_count() == 1
        self.wake, wake = os.pipe()
        self.inner = [self.wake, wake, settings_fd, control.fileno()]
        for fd in (self.wake, wake):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(wake)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, self._noted)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.terminated = False

    def run(self) -> None:
        """Serve requests until there is no driver, or it closes. Leaves nobody behind."""
        selector = selectors.DefaultSelector()
        selector.register(self.control, selectors.EVENT_READ)
        selector.register(self.wake, selectors.EVENT_READ)
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):
                watch = os.pidfd_open(self.driver)
                self.inner.append(watch)
                selector.register(watch, selectors.EVENT_READ)
        if hasattr(selector, "fileno"):
            self.inner.append(selector.fileno())
        self._tell(READY)
        while os.getppid() == self.driver and not self.terminated:
            ready = [key.fileobj for key, _ in selector.select(0.5)]
            if self.wake in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self.wake, 4096)
                self._reap()
            if self.control in ready and not self._serve_request():
                break
        self._end_all()

    def _noted(self, number: int, _: object) -> None:
        self.terminated = self.terminated or number == signal.SIGTERM

    def _serve_request(self) -> bool:
        """Carry out one request; False when it was the last."""
        kind, number, ends = _request(self.control)
        if kind == FORK and len(ends) == ENDS:
            pid = self._forked(ends) if self.fork else self._started(ends)
            self.workers[pid] = number
            for fd in ends:
                os.close(fd)
        return kind != CLOSE

    def _forked(self, ends: list[int]) -> int:
        parent = os.getpid()
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", DeprecationWarning
            )  # threads of BLAS libraries, which know of forks
            pid = os.fork()
        if pid:
            return pid
        try:
            self._become_worker(ends, parent)
        finally:
            os._exit(70)
        raise AssertionError("unreachable")

    def _become_worker(self, ends: list[int], parent: int) -> None:
        """Of the template keep what was imported, nothing else."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.setsid()
        family.die_with_parent(parent)
        family.be_killed_first()
        self.control.detach()
        for fd in self.inner:
            with contextlib.suppress(OSError):
                os.close(fd)
        serve(ends, self.settings, self.importer)

    def _started(self, ends: list[int]) -> int:
        handed = [*ends, self.settings_fd]
        process = subprocess.Popen(
            command("run_worker", sys.path, [*handed, os.getpid()]), pass_fds=handed, start_new_session=True
        )
        process.returncode = 0  # it is reaped here, with its peak memory, and not by `subprocess`
        return process.pid

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
                if not pid:
                    return
                number = self.workers.pop(pid, None)
                if number is not None:
                    family.kill_session(pid)
                    self._tell(EXITED, number, status, usage.ru_maxrss * _UNIT)

    def _tell(self, kind: bytes, number: int = 0, status: int = 0, memory: int = 0) -> None:
        with contextlib.suppress(OSError):  # a driver that is gone need not be told
            self.control.sendall(ANSWER.pack(kind, number, status, memory))

    def _end_all(self) -> None:
        for pid in self.workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        family.end(os.getpid(), GRACE, LIMIT)
