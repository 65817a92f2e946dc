"""The options of a step: what it needs, and how its outputs are kept. None of them changes what it computes.

cpus    processors that one execution uses (float, default 1)
memory  memory that one execution needs: bytes, or text such as "4GB" (default: not stated)
env     names of environment variables that the step reads: their values count in its key
codec   how outputs are kept, where the type should not decide: one name, or one for each output
out     the file, relative to the project's root, that the step writes and returns as its `Path`
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypedDict

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
    """The options of a step, checked. `memory` in bytes, 0 where it is not stated."""

    cpus: float = 1.0
    memory: int = 0
    env: tuple[str, ...] = ()
    codec: Mapping[str, str] | str = ""
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
    out = base._asdict()
    for name, value in given.items():
        if name not in out:
            hint = nearest(name, out)
            fixes = [f"did you mean `{hint}`?"] if hint else [f"options are: {', '.join(out)}"]
            raise BadOption(f"a step has no option `{name}`", fixes=fixes, where=user_line())
        out[name] = _CHECKS[name](value)
    return Options(**out)


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
        if unit in UNITS and number.replace(".", "", 1).isdigit():
            return int(float(number) * UNITS[unit])
    raise _bad("memory", value, "bytes, or a text such as 500MB or 4GiB", 'memory="4GB"')


def _env(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        value = (value,)
    if isinstance(value, list | tuple | set) and all(
        isinstance(v, str) and v and "=" not in v and "\0" not in v for v in value
    ):
        return tuple(sorted(value))
    raise _bad("env", value, "names of environment variables", 'env=["TZ"]')


def _codec(value: object) -> Mapping[str, str] | str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and all(isinstance(k, str) and isinstance(v, str) for k, v in value.items()):
        return dict(value)
    raise _bad("codec", value, "the name of a codec, or one for each output", 'codec="pickle"')


def _out(value: object) -> str:
    import os.path

    if isinstance(value, str | os.PathLike):
        text = os.fspath(value)
        if isinstance(text, str) and text and not os.path.isabs(text):
            clean = os.path.normpath(text).replace(os.sep, "/")
            if not clean.startswith("../") and clean not in (".", ".."):
                return clean
    raise _bad("out", value, "a path inside the project, relative to its root", 'out="reports/summary.html"')


def _bad(name: str, value: object, wanted: str, example: str) -> BadOption:
    return BadOption(
        f"`{name}={value!r}` is not {wanted}", fixes=[f"for example: @step({example})"], where=user_line()
    )


_CHECKS = {"cpus": _cpus, "memory": _memory, "env": _env, "codec": _codec, "out": _out}
