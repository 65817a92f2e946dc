"""The tree of errors: each has a code, what happened, why, what to type next, and a page.

    StepwellError                      base of everything that Stepwell raises on purpose
    ├── UsageError          E1xx  exit 2   a name or a value was typed wrong
    ├── AuthoringError      E2xx  exit 3   the pipeline file cannot work as written
    ├── PlanError           E3xx  exit 3   the plan cannot work: inputs, parameters, types
    ├── StepError           E4xx  exit 1   a step ran and failed
    ├── StoreError          E5xx  exit 6   the store cannot be used or trusted
    ├── CodecError          E6xx  exit 3   a value has no way to bytes, or bytes no way back
    └── ReleaseError        E7xx  exit 3   a lock, release or channel does not hold, or may not be made so;
                            E8xx           what was made cannot be made again

One class per code, in the module of its family: a class costs 0.02 ms, and `from stepwell.errors import NoPipelineFile`
loads no more families than it takes to find it. Raise one with what is special about the case; the class says the rest:

    raise NoPipelineFile("there is no `pipeline.py` in `demo`", fixes=["stepwell new"])

Nothing here prints: the command, the page and JSON all render the same fields. The class
docstrings are the reference page (`docs/reference/errors.md`), so they speak to users.
"""

from __future__ import annotations

from stepwell.errors.base import (
    DOCS,
    AuthoringError,
    CodecError,
    PlanError,
    ReleaseError,
    StepError,
    StepwellError,
    StoreError,
    UsageError,
    counted,
)

TYPE_CHECKING = False  # as type checkers know it: this module imports nothing
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from stepwell.errors.authoring import *  # noqa: F403
    from stepwell.errors.codecs import *  # noqa: F403
    from stepwell.errors.planning import *  # noqa: F403
    from stepwell.errors.releases import *  # noqa: F403
    from stepwell.errors.steps import *  # noqa: F403
    from stepwell.errors.store import *  # noqa: F403
    from stepwell.errors.usage import *  # noqa: F403

__all__ = [
    "DOCS",
    "AuthoringError",
    "CodecError",
    "PlanError",
    "ReleaseError",
    "StepError",
    "StepwellError",
    "StoreError",
    "UsageError",
    "catalogue",
    "counted",
    "nearest",
    "typed",
]

FAMILIES = ("store", "usage", "steps", "planning", "authoring", "codecs", "releases")
"""The modules that have the errors, those first of which commands need one most often."""


def __getattr__(name: str) -> Any:
    for family in () if name.startswith("_") else FAMILIES:
        found = getattr(_family(family), name, None)
        if found is not None:
            globals()[name] = found
            return found
    raise AttributeError(f"module `{__name__}` has no attribute `{name}`")


def _family(name: str) -> Any:
    return __import__(f"{__name__}.{name}", fromlist=(name,))  # `importlib` is more than the kernel may load


def catalogue() -> Iterator[type[StepwellError]]:
    """Every class of the tree, by code: what the reference page and the tests walk through."""
    for family in FAMILIES:
        _family(family)
    seen: dict[str, type[StepwellError]] = {}
    todo: list[type[StepwellError]] = [StepwellError]
    while todo:
        kind = todo.pop()
        seen[kind.code] = kind
        todo.extend(kind.__subclasses__())
    yield from (seen[code] for code in sorted(seen))


def nearest(word: str, names: Iterable[str]) -> str | None:
    """The name that `word` was most likely meant to be, or None.

    Ratio of `difflib` (Ratcliff and Obershelp), at least 0.7, case ignored; of short words, in which one letter
    is much, also one that is a slip of the hand away.
    """
    from difflib import get_close_matches  # 5 ms, needed only when something is already wrong

    by_lower: Mapping[str, str] = {name.lower(): name for name in names}
    found = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.7) or [
        name for name in by_lower if _is_slip(word.lower(), name)
    ]
    return by_lower[found[0]] if found else None


def _is_slip(word: str, name: str) -> bool:
    """Whether a word is a name with one letter wrong, missing or too many, or with its letters in another order."""
    short, long = sorted((word, name), key=len)
    if len(short) < len(long):
        return any(long[:i] + long[i + 1 :] == short for i in range(len(long)))
    wrong = sum(a != b for a, b in zip(word, name, strict=True))
    return len(word) > 2 and (wrong == 1 or sorted(word) == sorted(name))


def typed(name: str) -> str:
    """A name as it is typed in a shell: `train`, `'score[4]'`. Whatever names a step in a command that is told uses it."""
    from shlex import quote  # needed only when something is told

    return quote(name)
