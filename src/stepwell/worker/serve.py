"""The loop of a worker: take a task, execute it, report, until it is told to stop.

Tasks come through the `inbox`, from which the driver can take back what this worker has not begun,
however stuck it is. Reports go out through a pipe: when a task begins and when it ends, each at
once. (If a next task is there already, the end of one and the beginning of the other are one frame.)
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import gc
import os
import signal
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from socket import socket
from threading import Lock
from typing import Any

from stepwell.errors import StrictUnavailable
from stepwell.kernel.ports import Done, Task
from stepwell.stores.blobs import Blobs
from stepwell.worker import wire
from stepwell.worker.capture import Capture
from stepwell.worker.execute import Context, execute
from stepwell.worker.failures import failure
from stepwell.worker.inbox import Inbox
from stepwell.worker.modules import FirstParty


class Stopped(BaseException):
    """The driver is done with this worker: a step that is still running is given up."""


class Settings:
    """What an engine tells its workers when it starts them. Travels as `marshal`, like tasks (`wire`)."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.root = Path(given["root"])
        self.store = Path(given["store"])
        self.roots: list[str] = given["roots"]
        self.snapshot: dict[str, bytes] = given["snapshot"]
        self.preload: list[str] = given["preload"]
        self.expected: dict[str, str] = given["expected"]
        """What modules read when the driver imported them (`Snapshot.expected`)."""
        self.lent: dict[str, str] = given["lent"]
        """Environment variables that the driver has not (`boot.boot_environment`)."""
        self.environment: dict[str, str] = given["environment"]
        """All of it, as the driver has it, with what it lends."""
        self.path: list[str] = given["path"]
        """Where the driver imports from."""
        self.covered: dict[str, list[str]] = given.get("covered", {})
        """By step the source files that its fingerprint is taken of (`execute.Context`)."""
        self.pinned: dict[str, bytes] = given.get("pinned", {})
        """By digest how the files of sources looked when they were planned (`inputs.Inputs`)."""
        self.contracts: dict[str, Any] = given.get("contracts", {})
        """Those of the manifest (`promises`)."""
        self.end: bytes = given["end"]
        self.fork: bool = given["fork"]
        self.strict: bool = given["strict"]
        self.alone: dict[str, tuple[str, ...]] = given["alone"]
        """Steps after which a worker is replaced (`execute.Context`)."""
        self.folder = Path(given["folder"])
        """Where steps run: the root, or a mirror of it."""


def serve(ends: list[int], settings: Settings, importer: FirstParty) -> None:
    """Be a worker, in a process made for it. Does not return."""
    tasks, leave, reports, out, err = ends
    code = 0
    signal.signal(signal.SIGTERM, _stop)
    os.register_at_fork(after_in_child=_not_a_worker)
    try:
        capture = Capture(out, err, settings.end)
        write = _writer(reports)
        make_context = partial(
            Context,
            settings.folder,
            Blobs(settings.store),
            importer,
            lambda report: write(wire.report_frame(report)),
            Stopped,
            then="its process was replaced",
            lent=settings.lent,
            covered=settings.covered,
            pinned=settings.pinned,
            contracts=settings.contracts,
            alone=settings.alone,
            live=True,
        )
        gc.enable()
        inbox = Inbox(socket(fileno=tasks), socket(fileno=leave))
        if settings.strict:
            _only_task(inbox, write, settings, importer, make_context, capture)
        else:
            _loop(inbox, write, make_context(), capture)
    except (Stopped, EOFError):  # nothing a step raises comes to here
        pass
    except BaseException as error:  # the driver is told by what it finds on standard error  # noqa: BLE001
        _last_words(error)
        code = 70
    with contextlib.suppress(BaseException):
        atexit._run_exitfuncs()
    with contextlib.suppress(BaseException):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def _loop(inbox: Inbox, write: Callable[[bytes], None], context: Context, capture: Capture) -> None:
    pid = os.getpid()
    task: Task | None = None
    while True:
        if task is None:
            task = inbox.next()
            write(wire.started_frame(task.node, pid))
        done = execute(task, context)
        silent = context.silent
        if not silent and capture.finish():
            context.state.settle()
        if context.spoiled:
            write(wire.done_frame(done))
            return
        task = inbox.now()
        write(wire.done_frame(done, -1 if task is None else task.node, silent=silent))


def _only_task(
    inbox: Inbox,
    write: Callable[[bytes], None],
    settings: Settings,
    importer: FirstParty,
    make_context: Callable[[], Context],
    capture: Capture,
) -> None:
    """The one task of a strict worker, in a staged folder of its own (`sandbox`)."""
    from stepwell.worker import sandbox  # other workers do without

    task = inbox.next()
    write(wire.started_frame(task.node, os.getpid()))
    if task.step.place:  # it is shut off by the container that it runs in
        done = execute(task, make_context())
    else:
        try:
            box = sandbox.enter(task, settings.root, settings.store, importer)
        except StrictUnavailable as error:
            done = Done(task.node, failure=failure(error))
        else:
            done = box.judged(execute(task, make_context()))
    capture.finish()
    write(wire.done_frame(done))


def _writer(fd: int) -> Callable[[bytes], None]:
    put, count = os.write, len  # as they are now: a step may replace them
    lock = Lock()  # what is recorded comes from other threads too

    def write(data: bytes) -> None:
        with lock:
            sent = put(fd, data)
            while sent < count(data):
                data = data[sent:]
                sent = put(fd, data)

    return write


def _last_words(error: BaseException) -> None:
    """Say why a worker cannot go on: where the step closed what its process needs, in words, else as it is."""
    if isinstance(error, OSError) and error.errno in (errno.EBADF, errno.EPIPE, errno.ENOTSOCK):
        sys.stderr.write("this process cannot go on: the step closed files that it did not open\n")
    else:
        traceback.print_exc()


def _stop(*_: object) -> None:
    raise Stopped


def _not_a_worker() -> None:
    """A child that a step forked ends by SIGTERM as any process does: pools of `multiprocessing` rely on it."""
    if signal.getsignal(signal.SIGTERM) is _stop:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
