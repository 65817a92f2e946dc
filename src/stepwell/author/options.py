"""The options of a step: what it needs, and how its outputs are kept. None of them changes what it computes.

cpus    processors that one execution uses (float, default 1)
memory  memory that one execution needs: bytes, or text such as "4GB" (default: not stated)
env     names of environment variables that the step reads: their values count in its key
codec   how outputs are kept, where the type should not decide: one name, or one for each output
out     the file, relative to the project's root, that the step writes and returns as its `Path`

When an earlier result counts:

version      a text that stands for the code: only changing it makes the step run, not its edits
ignore       arguments that do not count (by name), and helper functions whose code does not
environment  how much of what is installed counts: "loose", "default" or "strict"
ttl          how long a result counts: seconds, or text such as "12h", "7d" (default: for ever)
cache        False: it runs every time
done         a function that is called with the step's inputs by name: if it says True before a run,
             an earlier result counts whatever changed; after a run it must say True
How it is run:

retries   how often a failure is tried again (default 0), after `backoff` seconds (default 1), which
          double each time
timeout   seconds, or text such as "10min", after which it is stopped and has failed
validate  functions that judge what it gave: False, or an exception, makes the step fail; what was
          refused is kept for a look
optional  True: its failure is not the run's; a parameter that takes None gets that for its result,
          and steps that cannot do without it are left out
always    True: it runs last in its pipeline, whatever has failed there, and every time; a parameter
          annotated `list[FailedStep]` tells it what that was
share     of the calls that `.map` and `.product` make, how many must succeed (default 1.0: all)
tags      names to select it by: `stepwell run --only tag:slow`
services  what must be running while it runs: `services=[db]`, made by `service("...")`

Where it is run, if not with the libraries of this project; what that comes to counts in its key:

packages      distributions as pip names them ("xgboost==2.1"): an environment of its own that has them
requirements  a file that lists such distributions, relative to the project's root
group         a dependency group of the project's `pyproject.toml`
python        the version of Python ("3.12")
image         an image, as podman or docker name it ("docker.io/library/debian:12"): a container of it
network       True: with an image, the network is there (default: it is not)
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal, TypedDict

from stepwell.author.where import user_line
from stepwell.errors import BadContainer, BadOption, BadPlace, nearest
from stepwell.named import NamedTuple

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


SPANS = {"s": 1, "sec": 1, "min": 60, "m": 60, "h": 3600, "d": 86400, "w": 604800}
"""Seconds in a unit of time, as options write them."""

LEVELS = ("loose", "default", "strict")
"""How much of what is installed counts in a key."""

Function = Callable[..., object]


class Options(NamedTuple):
    """The options of a step, checked. `memory` in bytes, 0 where it is not stated; `codec` by output, or for all.

    Times are seconds, 0 where there is none.
    """

    cpus: float = 1.0
    memory: int = 0
    env: tuple[str, ...] = ()
    codec: tuple[tuple[str, str], ...] | str = ""
    out: str = ""
    version: str = ""
    ignore: tuple[str | Function, ...] = ()
    environment: str = ""
    ttl: float = 0.0
    cache: bool = True
    done: Function | None = None
    retries: int = 0
    backoff: float = 1.0
    timeout: float = 0.0
    validate: tuple[Function, ...] = ()
    packages: tuple[str, ...] = ()
    requirements: str = ""
    group: str = ""
    python: str = ""
    project: str = ""
    image: str = ""
    network: bool = False
    tags: tuple[str, ...] = ()
    optional: bool = False
    always: bool = False
    share: float = 1.0
    services: tuple[Any, ...] = ()
    role: str = ""
    """No option that users give: what `stepwell.ml` makes of a function (`worker.roles.spelled`)."""


PLACE = ("packages", "requirements", "group", "python", "project", "image", "network")
"""The options that say where a step is run: `StepDef.place` is made of them.

`project` is no option that users give: it is what `use(...)` names, as JSON.
"""


def place_of(options: Options) -> str:
    """Where a step is run, as `StepDef.place` has it: a JSON object of the options that say so; "" where none does."""
    said = {name: value for name in PLACE if (value := getattr(options, name))}
    return json.dumps(said, sort_keys=True, ensure_ascii=False) if said else ""


DEFAULTS = Options()


class StepOptions(TypedDict, total=False):
    """The options as keywords, for type checkers."""

    cpus: float
    memory: int | str
    env: Sequence[str]
    codec: str | Mapping[str, str]
    out: str
    version: str | int
    ignore: str | Function | Sequence[str | Function]
    environment: Literal["loose", "default", "strict"]
    ttl: float | str | timedelta
    cache: bool
    done: Function
    retries: int
    backoff: float | str | timedelta
    timeout: float | str | timedelta
    validate: Function | Sequence[Function]
    tags: str | Sequence[str]
    optional: bool
    always: bool
    share: float
    services: Any
    packages: str | Sequence[str]
    requirements: str | os.PathLike[str]
    group: str
    python: str
    image: str
    network: bool


def checked(given: Mapping[str, object], base: Options = DEFAULTS) -> Options:
    """`base` with the given options changed. Raises `BadOption`, naming the user's line."""
    for name in given:
        if name not in _CHECKS:
            raise unknown("a step", name, _CHECKS)
    found = base._replace(**{name: _CHECKS[name](value) for name, value in given.items()})
    if found.image or found.network:
        _refuse_misfits(found)
    return found


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
    found = bytes_of(value)
    if found is not None:
        return found
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


def _version(value: object) -> str:
    if isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip():
        return str(value)
    raise _bad("version", value, "a text or a number", 'version="2"')


def _ignore(value: object) -> tuple[str | Function, ...]:
    items = (value,) if isinstance(value, str) or callable(value) else value
    if isinstance(items, list | tuple | set | frozenset) and all(
        callable(i) or (isinstance(i, str) and i.isidentifier()) for i in items
    ):
        return tuple(sorted({i for i in items if isinstance(i, str)})) + tuple(
            i for i in items if not isinstance(i, str)
        )
    raise _bad("ignore", value, "names of arguments, or functions", 'ignore=["verbose"]')


def _environment(value: object) -> str:
    if value in LEVELS:
        return str(value)
    raise _bad("environment", value, "one of loose, default and strict", 'environment="strict"')


def bytes_of(value: object) -> int | None:
    """A size in bytes: a number of them, or text such as "500MB" or "4GiB"; None for what is none."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str):
        text = value.strip().upper().replace(" ", "")
        number = text.rstrip("KMGTIB")
        unit = text[len(number) :]
        if unit in UNITS and number.isascii() and number.replace(".", "", 1).isdigit():
            return int(float(number) * UNITS[unit])
    return None


def seconds(name: str, value: object, example: str) -> float:
    """A span of time in seconds: a number of them, a `timedelta`, or text such as "90s", "10min", "12h", "7d".

    Raises `BadOption`.
    """
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, str):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", value.strip().lower())
        if match is not None and (match[2] or "s") in SPANS:
            value = float(match[1]) * SPANS[match[2] or "s"]
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e12:
        return float(value)
    raise _bad(name, value, "a number of seconds, or a text such as 90s, 10min, 12h or 7d", example)


def _cache(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise _bad("cache", value, "True or False", "cache=False")


def _retries(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 100:
        return value
    raise _bad("retries", value, "a number from 0 to 100", "retries=3")


def _done(value: object) -> Function:
    if callable(value):
        return value
    raise _bad("done", value, "a function", "done=table_exists")


def _validate(value: object) -> tuple[Function, ...]:
    items = (value,) if callable(value) else value
    if isinstance(items, list | tuple) and all(callable(item) for item in items):
        return tuple(items)
    raise _bad("validate", value, "functions", "validate=[not_empty]")


def _tags(value: object) -> tuple[str, ...]:
    items = (value,) if isinstance(value, str) else value
    if isinstance(items, list | tuple | set | frozenset) and all(
        isinstance(item, str) and re.fullmatch(r"\w[\w.-]*", item) for item in items
    ):
        return tuple(sorted(set(items)))
    raise _bad("tags", value, "names (letters, digits, `_`, `-`, `.`)", 'tags=["slow"]')


def _services(value: object) -> tuple[Any, ...]:
    items = tuple(value) if isinstance(value, list | tuple) else (value,)
    if all(getattr(type(item), "__stepwell__", "") == "service" for item in items):
        return items
    raise _bad("services", value, "services", 'services=[service("redis-server --port {port}")]')


def _flag(name: str) -> Callable[[object], bool]:
    def check(value: object) -> bool:
        if isinstance(value, bool):
            return value
        raise _bad(name, value, "True or False", f"{name}=True")

    return check


def _share(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    raise _bad("share", value, "a number from 0 to 1", "share=0.9")


def _packages(value: object) -> tuple[str, ...]:
    items = (value,) if isinstance(value, str) else value
    if isinstance(items, list | tuple | set | frozenset) and all(isinstance(item, str) for item in items):
        clean = tuple(sorted({" ".join(item.split()) for item in items}))
        if clean and all(one[:1].isalnum() for one in clean):  # neither an option of pip's nor a path
            return clean
    raise _bad_place("packages", value, "distributions as pip names them", 'packages=["xgboost==2.1"]')


def _requirements(value: object) -> str:
    if isinstance(value, str | os.PathLike):
        text = os.fspath(value)
        if isinstance(text, str) and text and "\0" not in text and not text.startswith("-"):
            return os.path.normpath(text).replace(os.sep, "/")
    raise _bad_place("requirements", value, "a file that lists distributions", 'requirements="old.txt"')


def _group(value: object) -> str:
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", value):
        return value
    raise _bad_place("group", value, "the name of a dependency group", 'group="train"')


def _python(value: object) -> str:
    if isinstance(value, str) and re.fullmatch(r"3\.\d{1,2}(\.\d{1,2})?t?", value.strip()):
        return value.strip()
    raise _bad_place("python", value, "a version of Python, as text", 'python="3.12"')


def _image(value: object) -> str:
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9][\w./:@+-]{0,500}", value, re.ASCII):
        return value
    raise BadContainer(
        f"`image={value!r}` is not the name of an image",
        fixes=['for example: @step(image="docker.io/library/debian:12")'],
        where=user_line(),
    )


def _refuse_misfits(options: Options) -> None:
    """Raises `BadContainer` where what is said of the container contradicts something."""
    if not options.image:
        raise BadContainer(
            "`network=` is given without `image=`",
            why="only containers are without network unless it is asked for",
            fixes=['say which image: image="docker.io/library/debian:12"', "leave `network=` out"],
            where=user_line(),
        )
    both = [
        name for name in ("packages", "requirements", "group", "python", "project") if getattr(options, name)
    ]
    if both:
        raise BadContainer(
            f"`image=` and `{both[0]}=` exclude each other",
            why="what is installed in a container is what its image brings",
            fixes=["build an image that has it", "leave `image=` out"],
            where=user_line(),
        )


def _bad_place(name: str, value: object, wanted: str, example: str) -> BadPlace:
    return BadPlace(
        f"`{name}={value!r}` is not {wanted}", fixes=[f"for example: @step({example})"], where=user_line()
    )


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
    "version": _version,
    "ignore": _ignore,
    "environment": _environment,
    "ttl": lambda value: seconds("ttl", value, 'ttl="12h"'),
    "cache": _cache,
    "done": _done,
    "retries": _retries,
    "backoff": lambda value: seconds("backoff", value, "backoff=5"),
    "timeout": lambda value: seconds("timeout", value, 'timeout="10min"'),
    "validate": _validate,
    "tags": _tags,
    "optional": _flag("optional"),
    "always": _flag("always"),
    "share": _share,
    "services": _services,
    "packages": _packages,
    "requirements": _requirements,
    "group": _group,
    "python": _python,
    "image": _image,
    "network": _flag("network"),
}
