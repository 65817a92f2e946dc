"""What is to happen after a run, as people write it: commands and addresses, checked before anything runs.

[tool.stepwell.hooks]
success = "notify-send done"                         a command, split as a shell would, without a shell
failure = ["./tell.sh", {url = "$TEAM_HOOK"}]        several hooks; an address may stand in a variable
always  = {command = ["logger", "-t", "stepwell"], timeout = "1min"}
allow   = ["hooks.internal:8443"]                    hosts that may be inside, and may speak http

`@pipeline(on_failure=...)` and `run --on-failure ...` take the same, and are added to these. `app.hooks`
carries them out.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypedDict, cast

from stepwell.author.options import seconds
from stepwell.author.settings import settings_of
from stepwell.errors import BadHook, BadOption
from stepwell.sources.servers import Host, allows, is_public

TIMEOUT = 30.0
"""Seconds that a hook has, where it does not say otherwise."""

LONGEST = 3600.0

Moment = Literal["success", "failure", "always"]
"""When a hook is told: of a run that succeeded, of one that did not, of each."""


class Command(NamedTuple):
    """A command that is told: its words, and the seconds that it has."""

    words: tuple[str, ...]
    timeout: float = TIMEOUT


class Webhook(NamedTuple):
    """A web address that is told, and the seconds that it has. Addresses hold secrets: print `place` only."""

    url: str
    timeout: float = TIMEOUT

    @property
    def place(self) -> str:
        """The address as far as it may be shown: "https://hooks.example.org/…"."""
        scheme, host, port, _ = _parts(self.url)
        standard = port == (443 if scheme == "https" else 80)
        return f"{scheme}://{host}{'' if standard else f':{port}'}/…"


Hook = Command | Webhook


class HookTable(TypedDict, total=False):
    """A hook with its own time: `{"url": "https://…"}` or `{"command": "…", "timeout": "1min"}`."""

    command: str | Sequence[str]
    url: str
    timeout: float | str


Hooked = str | HookTable | Sequence[str | Sequence[str] | HookTable]
"""What `on_success=` and `on_failure=` take: a command or address, a table, or a list of these."""


class Hooks(NamedTuple):
    """All hooks of a run by moment, and the hosts that were allowed by name."""

    success: tuple[Hook, ...] = ()
    failure: tuple[Hook, ...] = ()
    always: tuple[Hook, ...] = ()
    allowed: frozenset[Host] = frozenset()

    def after(self, status: str) -> tuple[Hook, ...]:
        """The hooks that a run with this status has, in the order in which they are told."""
        return (*(self.success if status == "succeeded" else self.failure), *self.always)


def hooks_of(
    root: Path,
    options: Mapping[str, object],
    success: Sequence[str] = (),
    failure: Sequence[str] = (),
    file: Path | None = None,
) -> Hooks:
    """The hooks of a run: of the project's settings, the pipeline's `on_...` options, and the command line.

    `file` is the pipeline's. Raises `BadHook` for what cannot be one, `BadSettings`.
    """
    table = settings_of(root, file).hooks
    known = ("success", "failure", "always")
    allowed = frozenset(_hosts(table.get("allow", [])))
    where = "of the project's settings"
    given = {name: checked(table.get(name, []), allowed, f"`hooks.{name}` {where}") for name in known}
    for moment, more in (("success", success), ("failure", failure)):
        option = checked(options.get(f"on_{moment}", []), allowed, f"`on_{moment}` of the pipeline")
        words = [hook for text in more for hook in checked(text, allowed, f"`--on-{moment}`", root=root)]
        given[moment] = (*given[moment], *option, *words)
    return Hooks(given["success"], given["failure"], given["always"], allowed)


def checked(value: object, allowed: Collection[Host], who: str, root: Path | None = None) -> tuple[Hook, ...]:
    """Hooks as somebody wrote them, for `who` in messages. Raises `BadHook`.

    With `root` a program that cannot be found is an error too: somebody is there who typed it.
    """
    several = value if isinstance(value, list | tuple) else [value]
    found = tuple(_hook(cast("object", one), allowed, who) for one in several)
    for hook in found if root is not None else ():
        if isinstance(hook, Command):
            _require(hook, cast("Path", root), who)
    return found


def _hook(value: object, allowed: Collection[Host], who: str) -> Hook:
    if isinstance(value, Mapping):
        return _of_table(cast("Mapping[str, Any]", value), allowed, who)
    if isinstance(value, str) and (_is_address(value) or value.startswith("$")):
        return _webhook(value, TIMEOUT, allowed, who)
    return Command(_words(value, who))


def _of_table(table: Mapping[str, Any], allowed: Collection[Host], who: str) -> Hook:
    what = [name for name in ("command", "url") if name in table]
    more = set(table) - {"command", "url", "timeout"}
    if len(what) != 1 or more:
        raise BadHook(
            f"{who} has a hook with {', '.join(sorted(map(str, table))) or 'nothing'}",
            why="a hook is a `command` or a `url`, with a `timeout` if it needs one",
            fixes=['{url = "https://…"}', '{command = "…", timeout = "1min"}'],
        )
    timeout = TIMEOUT
    if "timeout" in table:
        try:
            timeout = seconds("timeout", table["timeout"], 'timeout="1min"')
        except BadOption as error:
            raise BadHook(f"{who}: {error.what}", fixes=['timeout = "1min"']) from None
        if not 0 < timeout <= LONGEST:
            raise BadHook(f"{who}: a hook has more than no time and at most an hour")
    if what == ["command"]:
        return Command(_words(table["command"], who), timeout)
    return _webhook(table["url"], timeout, allowed, who)


def _words(value: object, who: str) -> tuple[str, ...]:
    """The words of a command: a list as it is, a text split at spaces with quotes honoured."""
    if isinstance(value, str):
        try:
            words = shlex.split(value)
        except ValueError as error:
            raise BadHook(f"{who}: `{value}` cannot be split into words", why=str(error)) from None
    elif isinstance(value, list | tuple) and all(isinstance(word, str) for word in value):
        words = list(cast("Sequence[str]", value))
    else:
        raise BadHook(
            f"{who}: `{value!r}` is neither a command nor an address", fixes=["a text, or a list of texts"]
        )
    if not words or not words[0] or any("\0" in word for word in words):
        raise BadHook(f"{who}: a command needs a program", fixes=['for example: "notify-send done"'])
    return tuple(words)


def _require(command: Command, root: Path, who: str) -> None:
    from shutil import which  # most runs have no hooks

    program = command.words[0]
    if which(str(root / program) if os.sep in program else program) is None:
        raise BadHook(
            f"{who}: there is no program `{program}`",
            why="a hook is a program with its arguments; nothing is interpreted by a shell",
            fixes=[f"check the name, or start a shell: sh -c {shlex.quote(' '.join(command.words))}"],
        )


def _is_address(text: str) -> bool:
    return text.lower().startswith(("https://", "http://"))


def _webhook(value: object, timeout: float, allowed: Collection[Host], who: str) -> Webhook:
    """An address that a webhook may have; `$NAME` is the address in that variable."""
    text = value
    if isinstance(value, str) and value.startswith("$"):
        name = value[1:].removeprefix("{").removesuffix("}")
        text = os.environ.get(name, "")
        who = f"{who} (`${name}`)"
        if not text:
            raise BadHook(f"{who}: the variable is not set", fixes=[f"export {name}=https://…"])
    if not isinstance(text, str) or not _is_address(text) or not text.isprintable() or " " in text:
        raise BadHook(
            f"{who}: what is given as an address is none", fixes=["an address begins with https://"]
        )
    _refuse_if_unsafe(text, allowed, who)
    return Webhook(text, timeout)


def _refuse_if_unsafe(url: str, allowed: Collection[Host], who: str) -> None:
    """What can be said of an address before its name is looked up. Raises `BadHook`."""
    try:
        scheme, host, port, user = _parts(url)
    except ValueError as error:
        raise BadHook(f"{who}: the address makes no sense", why=str(error)) from None
    if not host or user:
        raise BadHook(
            f"{who}: the address has {'no host' if not host else 'a user in it'}",
            fixes=["https://host/path"],
        )
    if allows(allowed, host, port):
        return
    allow = f'allow = ["{host}:{port}"] below `hooks` in the manifest, if it is yours'
    if scheme != "https":
        raise BadHook(
            f"{who}: `{scheme}://{host}` is not https",
            why="what a run says of itself would be readable on the way",
            fixes=[f"https://{host}/…", allow],
        )
    inside = host == "localhost" or host.endswith((".localhost", ".local", ".internal"))
    if inside or (_is_number(host) and not is_public(host)):
        raise BadHook(
            f"{who}: `{host}` is not on the public internet",
            why="a hook must not reach what only this machine can reach",
            fixes=[allow],
        )


def _is_number(host: str) -> bool:
    """Whether a host is an IP address, in any spelling that the system would take for one."""
    import socket  # most runs have no hooks

    if ":" in host:
        return True
    try:
        socket.inet_aton(host)
    except (OSError, UnicodeError):
        return False
    return True


def _parts(url: str) -> tuple[str, str, int, bool]:
    """Scheme, host, port and whether there is a user. Raises `ValueError`."""
    from urllib.parse import urlsplit  # most runs have no hooks

    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    host = (parts.hostname or "").rstrip(".")
    ascii_host = host if host.isascii() else host.encode("idna").decode("ascii")
    return scheme, ascii_host, parts.port or (443 if scheme == "https" else 80), "@" in parts.netloc


def _hosts(value: object) -> Iterator[Host]:
    """The hosts of `allow`: "name" or "name:port". Raises `BadHook`."""
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise BadHook("`hooks.allow` is not a list of hosts", fixes=['allow = ["hooks.internal:8443"]'])
    for text in cast("list[str]", value):
        name, colon, port = text.rpartition(":")
        if colon and port.isdecimal() and 0 < int(port) < 65536 and (":" not in name or name.startswith("[")):
            yield Host(name.strip("[]").lower(), int(port))
        elif "/" in text or "*" in text or (colon and text.count(":") == 1):
            raise BadHook(
                f"`{text}` in `hooks.allow` is no host", fixes=['"hooks.internal" or "hooks.internal:8443"']
            )
        else:
            yield Host(text.strip("[]").lower())
