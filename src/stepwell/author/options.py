"""The options of a step: what it needs, and how its outputs are kept. None of them changes what it computes.

cpus    processors that one execution uses (float, default 1)
memory  memory that one execution needs: bytes, or text such as "4GB" (default: not stated)
env     names of environment variables that the step reads: their values count in its key
codec   how outputs are kept, where the type should not decide: one name, or one for each output
out     the file, relative to the project's root, that the step writes and returns as its `Path`
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypedDict

from stepwell.author.where import user_line
from stepwell.errors import BadOption, nearest

UNITS = {
    "": 1,
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KIB": 2**10,
    "MIB": 2**20,
    "GIB": 2**30,
    "TIB": 2**40,
}


class Options(NamedTuple):
    """The options of a step, checked. `memory` in bytes, 0 where it is not stated; `codec` by output, or for all."""

    cpus: float = 1.0
    memory: int = 0
    env: tuple[str, ...] = ()
    codec: tuple[tuple[str, str], ...] | str = ""
    out: str = ""


DEFAULTS = Options()


class StepOptions(TypedDict, total=False):
    """The options as keywords, for type checkers."""

    cpus: float
    memory: int | str
    env: Sequence[str]
    codec: str | Mapping[str, str]
    out: str


def checked(given: Mapping[str, object], base: Options = DEFAULTS) -> Options:
    """`base` with the given options changed. Raises `BadOption`, naming the user's line."""
    for name in given:
        if name not in _CHECKS:
            raise unknown("a step", name, _CHECKS)
    return base._replace(**{name: _CHECKS[name](value) for name, value in given.items()})


def unknown(who: str, name: str, known: Iterable[str]) -> BadOption:
    """The error of an option that `who` does not have."""
    hint = nearest(name, known)
    fix = f"did you mean `{hint}`?" if hint else f"options are: {', '.join(known)}"
    return BadOption(f"{who} has no option `{name}`", fixes=[fix], where=user_line())


def label_of(text: object) -> str:
    """A name for a call, checked. Raises `BadOption` for what is no name (letters, digits, `_`, `-`, `.`)."""
    if isinstance(text, str) and text[:1].isalnum() and all(c.isalnum() or c in "_-." for c in text):
        return text
    raise BadOption(
        f"`{text}` cannot be the name of a call",
        fixes=["use letters, digits, `_`, `-` and `.`"],
        where=user_line(),
    )


def _cpus(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < 100_000:
        raise _bad("cpus", value, "a number of processors above 0", "cpus=2")
    return float(value)


def _memory(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str):
        text = value.strip().upper().replace(" ", "")
        number = text.rstrip("KMGTIB")
        unit = text[len(number) :]
        if unit in UNITS and number.isascii() and number.replace(".", "", 1).isdigit():
            return int(float(number) * UNITS[unit])
    raise _bad("memory", value, "bytes, or a text such as 500MB or 4GiB", 'memory="4GB"')


def _env(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        value = (value,)
    if isinstance(value, list | tuple | set | frozenset) and all(
        isinstance(v, str) and v and "=" not in v and "\0" not in v for v in value
    ):
        return tuple(sorted(set(value)))
    raise _bad("env", value, "names of environment variables", 'env=["TZ"]')


def _codec(value: object) -> tuple[tuple[str, str], ...] | str:
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping) and all(
        isinstance(k, str) and isinstance(v, str) for k, v in value.items()
    ):
        return tuple(sorted(value.items()))
    raise _bad("codec", value, "the name of a codec, or one for each output", 'codec="pickle"')


def _out(value: object) -> str:
    if isinstance(value, str | os.PathLike):
        text = os.fspath(value)
        if isinstance(text, str) and text and not os.path.isabs(text):
            clean = os.path.normpath(text).replace(os.sep, "/")
            if not clean.startswith("../") and clean not in (".", "..") and "\0" not in clean:
                return clean
    raise _bad("out", value, "a path inside the project, relative to its root", 'out="reports/summary.html"')


def _bad(name: str, value: object, wanted: str, example: str) -> BadOption:
    return bad(name, value, wanted, f"@step({example})")


def bad(name: str, value: object, wanted: str, example: str) -> BadOption:
    """The error of an option's value."""
    return BadOption(
        f"`{name}={value!r}` is not {wanted}", fixes=[f"for example: {example}"], where=user_line()
    )


_CHECKS: Mapping[str, Callable[[object], Any]] = {
    "cpus": _cpus,
    "memory": _memory,
    "env": _env,
    "codec": _codec,
    "out": _out,
}
