"""Secrets that a lock would publish: values of parameters that are passwords or tokens, or addresses that have them.

A lock goes along with a release, with the values of all parameters. A `Secret` has only its place in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from stepwell.dist.lock import Lock
from stepwell.errors import CannotRelease, StepwellError
from stepwell.sources.address import printable, shown
from stepwell.worker.secrets import SHORTEST

_NAME = re.compile(
    r"((?i:passw(or)?d|passphrase|(api|access|private|secret|account)[_-]?key|(^|[^a-z])(secret|pwd|token|credentials?))"
    r"|[a-z](Secret|Pwd|Token|Credentials?))$"
)
"""Names whose text is a secret: `password`, `db_password`, `api_key`, `authToken`; not `max_tokens`, `key`, `author`."""

_PLACE = re.compile(r"(env|file|keyring):|<.*>$|\[.*\]$", re.DOTALL)
"""How text begins that is no secret: the place of one, or a word of a language model (`pad_token="<pad>"`)."""

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s\"'<>]+")


def exposed(lock: Lock) -> Iterator[StepwellError]:
    """An error for each value of a parameter, or argument of a step, that must not be published. No value is shown."""
    for pipeline, one in lock.pipeline.items():
        told: set[str] = set()
        for name, text in _texts(one.params):
            yield from _problem(f"the parameter `{name}` of `{pipeline}`", name, text, told)
        for step, call in one.step.items():
            for name, text in call.args.items():
                if not any(known in text for known in told):  # it is that of a parameter
                    yield from _problem(f"the argument `{name}` of `{step}`", name, _unquoted(text), told)


def _problem(what: str, name: str, text: str, told: set[str]) -> Iterator[StepwellError]:
    addresses = [uri for uri in _ADDRESS.findall(text) if shown(uri) != printable(uri)]
    if addresses:
        said = f"{what} has credentials in its address: {shown(addresses[0])}"
    elif _NAME.search(name) and len(text) >= SHORTEST and not _PLACE.match(text):
        said = f"{what} is a secret by its name, and its value is in the lock"
    else:
        return
    told |= {text, *addresses}
    word = name.rpartition(".")[2]
    variable = re.sub(r"[^A-Z0-9]+", "_", word.upper())
    yield CannotRelease(
        said,
        why="the lock goes along with a release, to everybody who installs it",
        fixes=[
            f'make it a `Secret`: {word}: Secret = Secret("{variable}"); then stepwell run --lock',
            "see docs/guides/parameters.md",
        ],
    )


def _texts(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """The texts in plain data, each with the names that lead to it: "options.token"; in a list that of the list."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item, name)


def _unquoted(token: str) -> str:
    """The text of an argument as it counts in the key; other values, and digests of long ones, have no secret by their name."""
    if token[:1] in "\"'" and token[-1:] == token[:1] and len(token) > 1:
        return token[1:-1]
    return token if "://" in token else ""
