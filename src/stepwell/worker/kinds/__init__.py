"""What steps of a kind other than a Python function do, one module a kind (`plugins.hookspecs.Kind`).

    shell.py       a command line, with and without a shell
    script.py      an existing script

A step's `spec` travels as text; `spec_of` makes it plain data again.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from stepwell.kernel.graph import DYNAMIC, StepDef

if TYPE_CHECKING:
    from stepwell.plugins.registry import Registry

NAMES = ("shell", "script", "sql", "notebook")
"""The kinds that are built in; each is the module of this name."""

PYTHON = "python"


def register(registry: Registry) -> None:
    """Name the built-in kinds; none is imported."""
    for name in NAMES:
        registry.register_kind(name, f"{__name__}.{name}")


def is_made(step: StepDef) -> bool:
    """Whether a step is something else than a function of the user's, done by what its kind says."""
    return step.kind not in (PYTHON, DYNAMIC)


def claims(step: StepDef, out: str) -> tuple[tuple[str, str], ...]:
    """The files of the project that a call of a step writes: (output, path relative to the root).

    `out` is the one that the call itself claims; a command that works in the project's folder writes all
    of its outputs there.
    """
    if is_made(step) and (spec := spec_of(step.spec)).get("cwd") == "project" and len(spec["outputs"]) > 1:
        return tuple((name, path.rstrip("/")) for name, path in spec["outputs"].items())
    return ((step.outputs[0].name, out),) if out else ()


@lru_cache(maxsize=512)
def _parsed(text: str) -> Any:
    return json.loads(text)


def spec_of(text: str) -> dict[str, Any]:
    """The plain data of a step's `spec`. Not to be changed: it is shared."""
    return _parsed(text)  # type: ignore[no-any-return]
