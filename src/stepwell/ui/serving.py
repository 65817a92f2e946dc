"""The process that serves the page: where it listens, how it ends, and who is told the address.

    serve(root, folder, Wanted(host="127.0.0.1", port=0), told=print_address)

One process, one event loop for connections, some threads for the store. Ctrl-C and SIGTERM end it at once, also where
pages listen to events.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, NamedTuple

from stepwell.errors import CannotListen
from stepwell.ui.asked import Site
from stepwell.ui.guard import Gate
from stepwell.ui.known import Known
from stepwell.ui.live import Watch
from stepwell.ui.readers import Readers

if TYPE_CHECKING:
    from types import FrameType

    from stepwell.stores.local import LocalStore

SWITCH = 0.0005
"""Seconds after which a thread that reads the store lets the one go on that sends files: Python's 5 ms are waited for at
each of many small steps, and the page would not begin before the list of runs is read."""

PATIENCE = 1
"""Seconds in which connections may end when the server is to end."""


class Wanted(NamedTuple):
    """Where to listen: a host's name or number, and a port (0: any that is free)."""

    host: str = "127.0.0.1"
    port: int = 0


def serve(root: Path, folder: Path, wanted: Wanted, told: Callable[[Gate], None]) -> None:
    """Serve the page of the project at `root` with its store at `folder` until a signal says to end.

    `told` is called when the server listens. Raises `CannotListen`.
    """
    sys.setswitchinterval(SWITCH)
    listening = listener(wanted)
    gate = Gate(wanted.host, listening.getsockname()[1])
    with contextlib.closing(listening):
        asyncio.run(_serve(Site(root, folder, Known()), gate, listening, told))


def listener(wanted: Wanted) -> socket.socket:
    """A socket that listens where it was wanted. Raises `CannotListen`."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            wanted.host, wanted.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise CannotListen(
            f"there is no host `{wanted.host[:80]}` to listen at", why=str(error), fixes=["stepwell ui"]
        ) from None
    found = socket.socket(family, kind, protocol)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen(128)
        found.set_inheritable(False)
    except OSError as error:
        found.close()
        raise CannotListen(
            f"cannot listen at {wanted.host}:{wanted.port}: {error.strerror or error}",
            why="another process listens there, or this user may not",
            fixes=["stepwell ui    takes a port that is free"],
        ) from None
    return found


async def _serve(site: Site, gate: Gate, listening: socket.socket, told: Callable[[Gate], None]) -> None:
    import uvicorn

    from stepwell.ui.application import application, load

    readers, looker = Readers(site.folder), Readers(site.folder, threads=1)
    watch = Watch(looker)

    class Server(uvicorn.Server):
        """Uvicorn's, which ends the streams of events before it waits for connections to end."""

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            watch.stop()
            super().handle_exit(sig, frame)

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            told(gate)

    config: Any = uvicorn.Config(
        application(site, gate, readers, watch),
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=PATIENCE,
        limit_concurrency=1000,
        h11_max_incomplete_event_size=64 << 10,
    )
    readers.put(lambda store: _read_ahead(site.known, store)).add_done_callback(lambda _: load())
    looking = asyncio.create_task(watch.run())
    try:
        await Server(config).serve(sockets=[listening])
    finally:
        watch.stop()
        looking.cancel()
        readers.close()
        looker.close()


def _read_ahead(known: Known, store: LocalStore) -> None:
    """Read the list of runs: the first who asks for it need not wait so long.

    It stays, so the garbage collector need not walk it: that takes tens of milliseconds of some answer, for ten thousand runs.
    """
    known.entries(store)
    gc.freeze()


def open_browser(gate: Gate) -> bool:
    """Show the page in a browser, where there is a display; whether one was started.

    The address goes by a command line that others can read, so its token counts once.
    """
    if not (sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    import webbrowser

    def show() -> None:
        with contextlib.suppress(webbrowser.Error, OSError):  # the address was printed, too
            webbrowser.open(f"{gate.address}?t={gate.ticket()}")

    Thread(target=show, daemon=True).start()  # some browsers take their time
    return True
