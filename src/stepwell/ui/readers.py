"""Threads that read the store for the page: each has a connection of its own, opened for reading only.

The store may be deleted, or another put in its place, while the page is open: before each question the file is looked
at, and opened anew where it is another one. A question sees one state of the store from its beginning to its end,
whatever is written meanwhile. The threads end with the process, even in the middle of a question.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from stepwell.errors import StepwellError
from stepwell.stores.local import LocalStore, open_store

T = TypeVar("T")

NOTHING = (0, 0)
"""Which file the database is, where there is none."""

THREADS = 4
"""Questions that are answered at once."""

_Job = tuple["Future[Any]", Callable[[LocalStore], Any]]


class Readers:
    """Answers questions about the store at `folder`, in `threads` threads. End them with `close`."""

    def __init__(self, folder: Path, threads: int = THREADS) -> None:
        self._folder = folder
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads = [Thread(target=self._work, name=f"reader-{i}", daemon=True) for i in range(threads)]
        for thread in self._threads:
            thread.start()

    async def ask(self, question: Callable[[LocalStore], T]) -> T:
        """What a question about the store comes to; raises what it raises."""
        return await asyncio.wrap_future(self.put(question))

    def put(self, question: Callable[[LocalStore], T]) -> Future[T]:
        """A question about the store, to be answered when a thread is free."""
        future: Future[T] = Future()
        self._jobs.put((future, question))
        return future

    def close(self) -> None:
        """Have the threads end when what they do now is done; does not wait for them."""
        for _ in self._threads:
            self._jobs.put(None)

    def _work(self) -> None:
        held = Held(self._folder)
        while (job := self._jobs.get()) is not None:
            future, question = job
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(held.answered(question))
            except BaseException as error:  # noqa: BLE001  # it belongs to who asked
                future.set_exception(error)
            del job, future, question
        held.close()


class Held:
    """The store at a folder, open in one thread, and opened anew when it is another one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._store: LocalStore | None = None
        self._seen = NOTHING

    def answered(self, question: Callable[[LocalStore], T]) -> T:
        """What a question comes to, about one state of the store. Raises the `StoreError`s of opening it."""
        store = self._current()
        try:
            with _one_state(store):
                return question(store)
        except BaseException:
            if _identity(self._folder) != self._seen:
                self.close()
            raise

    def close(self) -> None:
        """Close the store."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def _current(self) -> LocalStore:
        now = _identity(self._folder)
        if self._store is None or now != self._seen:
            self.close()
            self._store = open_store(self._folder, create=False, readonly=True)
            # One that is being made just now is an empty one in memory, and is looked at again.
            self._seen = now if _is_file(self._store) else NOTHING
        return self._store


def _is_file(store: LocalStore) -> bool:
    return bool(store.database.rows("PRAGMA database_list")[0][2])


@contextlib.contextmanager
def _one_state(store: LocalStore) -> Iterator[None]:
    """A transaction for reading."""
    store.database.rows("BEGIN")
    try:
        yield
    finally:
        with contextlib.suppress(StepwellError):
            store.database.rows("ROLLBACK")


def _identity(folder: Path) -> tuple[int, int]:
    """Which file the database is; `NOTHING` where there is none."""
    try:
        status = os.stat(folder / "store.db")
    except OSError:
        return NOTHING
    return (status.st_dev, status.st_ino)
