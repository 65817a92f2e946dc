"""Services that run while a step does: started before it, waited for, reached by name, ended after it.

    with running(step.services) as reached:      {"db": RunningService("db", "127.0.0.1", 40913, ...)}
        ...

Each has an empty folder of its own, a free port of the loopback interface, and a process group, of which
nothing is left afterwards. What it says goes to a file, whose last lines are told where it fails.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from stepwell.errors import ServiceFailed, StepwellError
from stepwell.log import RunningService
from stepwell.worker import family
from stepwell.worker.kinds import template
from stepwell.worker.kinds.process import end
from stepwell.worker.kinds.programs import missing
from stepwell.worker.kinds.workplace import Workplace

HOST = "127.0.0.1"
GRACE = 3.0
"""Seconds that a service has to end when it is asked to."""

_TICK = 0.02
_SAID = 4096
_ATTEMPTS = 3
"""How often a service is started at another port, where its port was taken meanwhile."""


@contextlib.contextmanager
def running(definitions: Sequence[str]) -> Iterator[dict[str, RunningService]]:
    """Run services while the block lasts; those of them that others need come first.

    Raises `ServiceFailed`.
    """
    found: dict[str, RunningService] = {}
    with contextlib.ExitStack() as stack:
        for definition in definitions:
            spec = json.loads(definition)
            found[spec["name"]] = stack.enter_context(_one(spec, variables(found)))
        yield found


def variables(found: Mapping[str, RunningService]) -> dict[str, str]:
    """The environment variables by which programs reach services: `DB_HOST`, `DB_PORT`, `DB_ADDRESS`, `DB_FOLDER`."""
    out: dict[str, str] = {}
    for name, one in found.items():
        stem = name.upper().replace("-", "_")
        out |= {f"{stem}_HOST": one.host, f"{stem}_PORT": str(one.port)}
        out |= {f"{stem}_ADDRESS": one.address, f"{stem}_FOLDER": os.fspath(one.folder)}
    return out


@contextlib.contextmanager
def exported(found: Mapping[str, RunningService]) -> Iterator[None]:
    """These variables in the environment of this process, while the block lasts: for processes that it starts."""
    before = {name: os.environ.get(name) for name in variables(found)}
    os.environ.update(variables(found))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def counted(definition: str) -> str:
    """What of a service counts in the key of a step that uses it: its name and its command."""
    spec = json.loads(definition)
    return json.dumps({name: spec[name] for name in ("name", "text", "argv") if name in spec}, sort_keys=True)


def check(definition: str) -> Iterator[StepwellError]:
    """Programs that a service calls and that are not installed."""
    spec = json.loads(definition)
    called = template.programs(spec["text"]) if "text" in spec else [spec["argv"][0]]
    for name in called:
        if "{" not in name and shutil.which(name) is None:
            error = missing(name)
            error.what = f"the service `{spec['name']}`: {error.what}"
            yield error


@contextlib.contextmanager
def _one(spec: Mapping[str, Any], env: Mapping[str, str]) -> Iterator[RunningService]:
    """One service. Raises `ServiceFailed`."""
    place = Workplace()
    try:
        for attempt in range(1, _ATTEMPTS + 1):
            started = _Started(spec, place.path, env)
            try:
                try:
                    started.wait()
                except ServiceFailed:
                    if attempt < _ATTEMPTS and started.port_was_taken():
                        continue
                    raise
                yield started.reached
                return
            finally:
                started.end()
    finally:
        place.close()


class _Started:
    """A service that was started, perhaps not ready yet."""

    def __init__(self, spec: Mapping[str, Any], base: Path, env: Mapping[str, str]) -> None:
        self._spec = spec
        folder = base / "data"
        folder.mkdir(exist_ok=True)
        self._log = base / "log"
        self.reached = RunningService(spec["name"], HOST, _free_port(), folder)
        with self._log.open("wb") as said:
            try:
                self._process = subprocess.Popen(
                    self._argv(base),
                    cwd=folder,
                    env={**os.environ, **env},
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=said,
                    process_group=0,
                    preexec_fn=partial(family.die_with_parent, os.getpid()),  # noqa: PLW1509  it only makes one system call
                )
            except OSError as error:
                why = f"{error.strerror}: `{error.filename}`" if error.filename else str(error)
                raise self._failed("could not be started", why) from None

    def _argv(self, base: Path) -> list[str]:
        words = {"port": str(self.reached.port), "folder": os.fspath(self.reached.folder)}
        if "argv" in self._spec:
            return [_filled(template.words(word), words) for word in self._spec["argv"]]
        pieces = template.pieces(self._spec["text"])
        text = template.referring(pieces, (), {})
        lines = [f"{template.PREFIX}{name}={shlex.quote(value)}" for name, value in words.items()]
        programs = template.programs(self._spec["text"])
        # In place of the shell, where it is one command: then it is the one that is asked to end.
        simple = len(programs) == 1 and text.startswith(programs[0]) and not set(text) & set(";|&\n(")
        script = base / "service.sh"
        script.write_text("\n".join([*lines, f"exec {text}" if simple else text]) + "\n", "utf-8")
        return ["bash" if shutil.which("bash") else "sh", "-eu", os.fspath(script)]

    def wait(self) -> None:
        """Wait until it is ready. Raises `ServiceFailed`."""
        limit = monotonic() + self._spec["timeout"]
        while not self._is_ready():
            code = self._process.poll()
            if code is not None:
                raise self._failed(f"ended with exit code {code} before it was ready", self._said())
            if monotonic() > limit:
                words = f"was not ready after {self._spec['timeout']:g} s"
                raise self._failed(words, self._said() or "it said nothing", "give it longer: timeout=...")
            sleep(_TICK)

    def _is_ready(self) -> bool:
        how, _, rest = self._spec["ready"].partition(":")
        if how == "log":
            return rest.encode() in self._log.read_bytes()
        if how == "port":
            with contextlib.suppress(OSError), socket.create_connection((HOST, self.reached.port), 1):
                return self._process.poll() is None
            return False
        import http.client  # few services are asked in this way, and it takes 40 ms

        connection = http.client.HTTPConnection(HOST, self.reached.port, timeout=5)
        try:
            connection.request("GET", rest)
            return connection.getresponse().status < 400
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _said(self) -> str:
        """The last lines that it said."""
        text = self._log.read_bytes()[-_SAID:].decode("utf-8", "replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return " · ".join(lines[-3:])[:600]

    def port_was_taken(self) -> bool:
        """Whether it ended because something else took its port meanwhile."""
        said = self._said().lower()
        return self._process.poll() is not None and ("in use" in said or "eaddrinuse" in said)

    def end(self) -> None:
        """End it, and wait until it is gone."""
        end(self._process, GRACE)

    def _failed(self, what: str, why: str, *fixes: str) -> ServiceFailed:
        return ServiceFailed(
            f"the service `{self._spec['name']}` {what}",
            why=why,
            fixes=[*fixes, f"its command: {self._spec.get('text') or shlex.join(self._spec['argv'])}"],
        )


def _filled(pieces: Sequence[template.Piece], words: Mapping[str, str]) -> str:
    return "".join(piece if isinstance(piece, str) else words[piece.name] for piece in pieces)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
