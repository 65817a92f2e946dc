"""Steps that are no Python functions: `made_step` gives a `Step` like any other.

    made_step(
        "shell", {"lines": ["sort {table} > {out}"], ...},
        [parameter("table")], Path, name="sort", options={"cpus": 2},
    )

Cache, plan, logs, judges and engines treat it as they treat a function. Its name is the one that it is
bound to at the top level of a module, else `name=`, else what the kind proposes.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stepwell.author.kinds.made import Made
from stepwell.author.options import checked
from stepwell.author.steps import Step
from stepwell.author.where import user_line
from stepwell.errors import BadOption

REQUIRED: Any = inspect.Parameter.empty
"""In place of a default: there is none."""


def parameter(name: str, type: object = Any, default: object = REQUIRED) -> inspect.Parameter:  # noqa: A002  the natural word
    """A parameter of a made step. Its default must be in the step's spec, too, for the worker."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return inspect.Parameter(name, kind, default=default, annotation=type)


def made_step(
    kind: str,
    spec: Mapping[str, Any],
    parameters: Sequence[inspect.Parameter],
    returns: object,
    *,
    name: str = "",
    proposed: str = "",
    about: str = "",
    options: Mapping[str, object] | None = None,
    advice: Mapping[str, str] | None = None,
) -> Step[..., Any]:
    """A step of a kind (`registry.kind`).

    `spec` is plain data for JSON, all that a worker needs. `returns` is the type of what it gives, as a
    function's annotation. `name` is what the user calls it, `proposed` what the kind calls it where no
    name is found; `about` says for people what it does. `options` are those of `@step`. `advice` is what
    a person is told, besides all else, of a mistake in a call: by the name of the error's class. Raises
    `BadOption`.
    """
    settings = checked(options or {})
    wrong = name and not re.fullmatch(r"[^\W\d]\w*(?:[-.]\w+)*", name)
    if wrong:
        raise BadOption(
            f"`{name}` cannot be the name of a step",
            fixes=["use letters, digits, `_`, `-` and `.`"],
            where=user_line(),
        )
    text = json.dumps(spec, sort_keys=True, ensure_ascii=False, allow_nan=False)
    fallback = name or re.sub(r"\W+", "_", proposed).strip("_") or kind
    made = Made(kind, text, _ordered(parameters), returns, fallback, about, advice or {})
    return Step(made, settings)


def _ordered(parameters: Iterable[inspect.Parameter]) -> list[inspect.Parameter]:
    """Those with a default last, as a signature wants it."""
    return sorted(parameters, key=lambda one: one.default is not REQUIRED)
