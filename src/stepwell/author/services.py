"""Services: programs that must be running while a step runs.

    db = service("redis-server --port {port} --save ''", ready="port")

    @step(services=[db])
    def count(...): ... current_step().services["db"].port

A service is started before the step, in a folder of its own and at a free port, and is gone after it.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from stepwell.author.kinds.made import callers
from stepwell.author.options import seconds
from stepwell.author.where import user_line
from stepwell.errors import BadService
from stepwell.worker.kinds import template
from stepwell.worker.kinds.template import BadTemplate

READY = ("port", "http:/path", "log:text")
"""How it can be known that a service is ready."""


class Service:
    """A program that runs while a step does. Made by `service`; never changed.

    Its `name`, by which steps reach it, is the one that it is bound to at the top level of a module, unless
    it was given one.
    """

    __stepwell__ = "service"

    def __init__(self, spec: dict[str, Any], name: str, fallback: str, needs: tuple[Service, ...]) -> None:
        self._spec, self._name, self._fallback = spec, name, fallback
        self._modules, _ = callers()
        self.needs = needs
        self.where: str = user_line()

    @property
    def name(self) -> str:
        """The name by which steps reach it."""
        if not self._name:
            for module in self._modules:
                for name, value in list(vars(sys.modules[module]).items()) if module in sys.modules else ():
                    if value is self:
                        self._name = name
        return self._name or self._fallback

    def __repr__(self) -> str:
        return f"<service {self.name}>"

    def definition(self) -> str:
        """What a worker needs to start it, as JSON."""
        spec = {**self._spec, "name": self.name, "needs": [one.name for one in self.needs]}
        return json.dumps(spec, sort_keys=True, ensure_ascii=False)


def service(
    command: str | Sequence[str],
    *,
    ready: str = "port",
    name: str = "",
    timeout: float | str | timedelta = 60,
    needs: Service | Sequence[Service] = (),
) -> Service:
    """A service: its command, as text for a shell or a list of words, with `{port}` and `{folder}` in it.

    It is ready when its port takes connections ("port"), when a page of it can be read ("http:/health"), or
    when it has said something ("log:Ready"); where that takes longer than `timeout`, the step fails.
    `needs` are services that are started before it. Raises `BadService`.
    """
    spec = _command(command)
    if not isinstance(ready, str) or not re.fullmatch(r"port|http:/\S*|log:.+", ready, re.DOTALL):
        raise _bad(
            f"`ready={ready!r}` is not how a service can be known to be ready", f"one of: {', '.join(READY)}"
        )
    holes = _holes(spec)
    if not ready.startswith("log:") and "port" not in holes:
        raise _bad(
            "the command of the service has no {port}",
            'where it listens: service("redis-server --port {port}")',
        )
    if name and not re.fullmatch(r"[^\W\d][\w-]*", name):
        raise _bad(f"`{name}` cannot be the name of a service", "use letters, digits, `_` and `-`")
    asked = (needs,) if isinstance(needs, Service) else tuple(needs)
    if not all(isinstance(one, Service) for one in asked):
        raise _bad(f"`needs={needs!r}` has something else than services in it", "needs=[db]")
    spec |= {"ready": ready, "timeout": seconds("timeout", timeout, 'timeout="2min"')}
    return Service(spec, name, _proposed(spec), asked)


def _command(command: Any) -> dict[str, Any]:
    if isinstance(command, str) and command.strip():
        return {"text": command.strip()}
    if isinstance(command, list | tuple) and command and all(isinstance(word, str) for word in command):
        return {"argv": list(command)}
    raise _bad(
        f"the command of a service is {command!r}",
        'text, or a list of words: service("redis-server --port {port}")',
    )


def _holes(spec: dict[str, Any]) -> list[str]:
    """The placeholders of its command. Raises `BadService`."""
    try:
        if "text" in spec:
            pieces = template.pieces(spec["text"])
        else:
            pieces = [piece for word in spec["argv"] for piece in template.words(word)]
    except BadTemplate as error:
        raise _bad(str(error), error.fix) from None
    for hole in template.holes(pieces):
        if hole.name not in ("port", "folder") or hole.format:
            raise _bad(
                f"`{{{hole.name}}}` in the command of a service is nothing that it knows",
                "there are {port} and {folder}; braces that are meant as such are doubled",
            )
    return [hole.name for hole in template.holes(pieces)]


def _proposed(spec: dict[str, Any]) -> str:
    found = [spec["argv"][0]] if "argv" in spec else template.programs(spec["text"])
    return re.sub(r"\W+", "_", os.path.basename(found[0]).partition(".")[0]) if found else "service"


def _bad(what: str, fix: str) -> BadService:
    return BadService(what, fixes=[fix], where=user_line())


def definitions(services: Iterable[Service]) -> tuple[str, ...]:
    """The definitions of services and of those that they need, these first, each once. Raises `BadService`."""
    found: dict[str, Service] = {}

    def add(one: Service) -> None:
        for needed in one.needs:
            add(needed)
        other = found.setdefault(one.name, one)
        if other is not one:
            raise _bad(
                f"two services of one step are named `{one.name}`", 'give one of them another: name="..."'
            )

    for one in services:
        add(one)
    return tuple(one.definition() for one in found.values())
