"""Every address of the server, and what stands before them.

    app = application(site, gate, readers, watch)

`ADDRESSES` are those below `/api`: a new one is a line there and a function in `answers/`. Whatever is asked for passes
the guard first; routes answer GET and HEAD alone.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import json
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from stepwell.errors import (
    ArtifactGone,
    LockMissing,
    NothingThere,
    StepwellError,
    StoreBusy,
    UnknownOutput,
    UnknownPipeline,
    UnknownRun,
    UnknownStep,
)
from stepwell.ui import raw as raw_bytes
from stepwell.ui.asked import Asked, Here, Site
from stepwell.ui.files import INDEX, MISSING, File, files
from stepwell.ui.guard import METHODS, Gate, Guard
from stepwell.ui.live import EVERY, Watch
from stepwell.ui.problems import JSON, written
from stepwell.ui.readers import Readers

if TYPE_CHECKING:
    from stepwell.stores.local import LocalStore

Answer = Callable[[Here, Asked], dict[str, Any]]

LEAST = 1024
"""Bytes of an answer from which on it is compressed."""


class Address(NamedTuple):
    """An address below `/api`, and the function that answers it: "runs.runs", which is in `answers/`."""

    path: str
    answer: str


ADDRESSES = (
    Address("/project", "project.project"),
    Address("/runs", "runs.runs"),
    Address("/runs/{run}", "run.run"),
    Address("/runs/{run}/logs", "logs.logs"),
    Address("/runs/{run}/curves", "curves.curves"),
    Address("/runs/{run}/code", "code.code"),
    Address("/runs/{run}/environment", "code.environment"),
    Address("/compare", "compared.compare"),
    Address("/steps/{full:path}", "steps.step"),
    Address("/data", "data.data"),
    Address("/data/{name:path}", "data.one"),
    Address("/artifacts/{digest}", "artifacts.artifact"),
    Address("/artifacts/{digest}/preview", "artifacts.preview"),
    Address("/lock", "lock.lock"),
    Address("/channels", "channels.channels"),
)


@cache
def answering(name: str) -> Answer:
    """The function of an `Address`. Loaded when it is first asked for: all of them take longer than the rest of the start."""
    module, _, function = name.partition(".")
    found: Answer = getattr(import_module(f"stepwell.ui.answers.{module}"), function)
    return found


def load() -> None:
    """Load what answers, before anybody asks."""
    for address in ADDRESSES:
        answering(address.answer)


_GONE = (UnknownRun, UnknownStep, UnknownOutput, UnknownPipeline, ArtifactGone, NothingThere, LockMissing)


def application(site: Site, gate: Gate, readers: Readers, watch: Watch) -> Guard:
    """The server's application, with the guard around it."""
    routes = [
        _route("/api/events", _streaming(watch)),
        _route("/api/runs/{run}/events", _streaming(watch)),
        *[_route(f"/api{one.path}", _asking(one.answer, site, readers), SMALLER) for one in ADDRESSES],
        _route("/api/{rest:path}", _nothing),
        _route("/raw/{digest}", _sending(readers)),
        _route("/{rest:path}", _showing(files()), SMALLER),
    ]
    return Guard(Starlette(routes=routes), gate)


SMALLER = (Middleware(GZipMiddleware, minimum_size=LEAST, compresslevel=4),)
"""What compresses; not for what is sent bit by bit, or may be large and compressed already."""


def _route(path: str, endpoint: Callable[[Request], Any], layers: Sequence[Middleware] = ()) -> Route:
    return Route(path, endpoint, methods=[*METHODS], middleware=layers)


def asked_of(request: Request) -> Asked:
    """The question of a request."""
    return Asked(dict(request.path_params), request.query_params.multi_items())


def _asking(answer: str, site: Site, readers: Readers) -> Callable[[Request], Any]:
    async def asking(request: Request) -> Response:
        asked = asked_of(request)

        def answered(store: LocalStore) -> bytes:
            return json.encode(answering(answer)(Here(site, store), asked))

        try:
            return Response(await readers.ask(answered), media_type=JSON)
        except Exception as error:  # noqa: BLE001  # the last line of defence: nobody is sent a traceback
            return problem(error)

    return asking


def problem(error: Exception, accept: str = JSON) -> Response:
    """An error as a `Problem`, with the HTTP status that fits it; as HTML where that is accepted."""
    if not isinstance(error, StepwellError):
        if os.environ.get("STEPWELL_TRACEBACK"):
            traceback.print_exception(error, file=sys.stderr)
        error = StepwellError(
            f"something failed that should not: {type(error).__name__}: {error}"[:500],
            why="this is a mistake in Stepwell, or the store is damaged",
            fixes=[
                "stepwell verify",
                "STEPWELL_TRACEBACK=1 stepwell ui    shows where; please report it with that",
            ],
        )
    kind, body = written(error, accept)
    return Response(body, status_of(error), media_type=kind)


def status_of(error: StepwellError) -> int:
    """The HTTP status of an error."""
    if isinstance(error, _GONE):
        return 404
    if isinstance(error, StoreBusy):
        return 503
    return 400 if error.exit_code == 2 else 500


def _sending(readers: Readers) -> Callable[[Request], Any]:
    async def sending(request: Request) -> Response:
        asked = asked_of(request)
        try:
            found = await readers.ask(lambda store: raw_bytes.raw(store, asked))
        except Exception as error:  # noqa: BLE001  # as above
            return problem(error, request.headers.get("accept", ""))
        if request.headers.get("if-none-match") == found.headers["etag"]:
            return Response(status_code=304, headers={"etag": found.headers["etag"]})
        if request.method == "HEAD":
            return Response(headers=found.headers)
        return StreamingResponse(found.chunks(), headers=found.headers)

    return sending


def _streaming(watch: Watch) -> Callable[[Request], Any]:
    async def streaming(request: Request) -> Response:
        last = request.headers.get("last-event-id", "")
        run = request.path_params.get("run", EVERY)
        number = int(last) if last.isascii() and last.isdigit() and len(last) < 19 else 0
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        return StreamingResponse(watch.stream(run, number), media_type="text/event-stream")

    return streaming


async def _nothing(request: Request) -> Response:
    return problem(NothingThere(f"there is no address `{request.url.path[:200]}`", fixes=["stepwell ui"]))


def _showing(found: dict[str, File]) -> Callable[[Request], Any]:
    """The files of the page; every other address is one of the page's own, which the page makes sense of."""

    async def showing(request: Request) -> Response:
        name = request.path_params["rest"]
        file = found.get(name)
        if file is None and name.startswith(("assets/", "raw/")):
            return problem(NothingThere(f"the page has no file `{name[:200]}`"))
        file = file or found.get(INDEX)
        if file is None:
            return Response(MISSING, 503, media_type="text/html")
        headers = {
            "etag": file.tag,
            "cache-control": "private, max-age=31536000, immutable" if file.fixed else "no-cache",
        }
        if request.headers.get("if-none-match") == file.tag:
            return Response(status_code=304, headers=headers)
        return Response(file.data, headers={**headers, "content-type": file.kind})

    return showing
