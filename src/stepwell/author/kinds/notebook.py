"""Notebooks as steps: `explore = notebook("eda.ipynb", parameters={"table": pd.DataFrame, "depth": 4})`.

What a notebook does when it runs is in `stepwell.worker.kinds.notebook`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Unpack, cast, get_origin

from stepwell.author.annotations import plain
from stepwell.author.arguments import brief
from stepwell.author.inputs import type_name
from stepwell.author.kinds.making import REQUIRED, made_step, parameter
from stepwell.author.options import StepOptions
from stepwell.author.steps import Step
from stepwell.author.where import user_line
from stepwell.errors import BadNotebook
from stepwell.worker.kinds.notebook import NOTEBOOK, returned


def notebook(
    file: str | Path,
    /,
    *,
    parameters: Mapping[str, Any] | None = None,
    outputs: Mapping[str, Any] | None = None,
    name: str = "",
    **options: Unpack[StepOptions],
) -> Step[..., Any]:
    """A step that executes a notebook, from its first cell to its last, in a kernel of its own, at the project's root.

    `file` is relative to that root. `parameters` are the inputs: for each name a type, or a default (a number,
    a text, a list or dict of such). Their values are put into a cell behind the one with the tag `parameters`,
    or in front of all. `outputs` says for each name a type: the variable of this name, after the last cell;
    or a text: the file of this path that the notebook writes.

    It gives the executed copy as a `Path`, or with outputs a dict: `explore(...)["summary"]`, and the copy
    as `["notebook"]`. Further keywords are options of steps. Raises `BadNotebook`, `BadOption`.
    """
    path = os.fspath(file) if isinstance(file, str | Path) else ""
    clean = os.path.normpath(path).replace(os.sep, "/") if path else ""
    if not clean.endswith(".ipynb") or os.path.isabs(clean) or clean.startswith("../"):
        raise _bad(
            f"`{file}` is no notebook of the project",
            'name a file below the root: notebook("notebooks/eda.ipynb")',
        )
    wanted = [_parameter(name, said) for name, said in (parameters or {}).items()]
    kinds = {name: _output(name, said) for name, said in (outputs or {}).items()}
    spec = {
        "defaults": {one.name: one.default for one in wanted if one.default is not REQUIRED},
        "notebook": clean,
        "outputs": kinds,
        "parameters": sorted(one.name for one in wanted),
    }
    types = {name: said for name, said in (outputs or {}).items() if not isinstance(said, str | Path)}
    return made_step(
        "notebook",
        spec,
        wanted,
        returned(spec, types),
        name=name,
        proposed=Path(clean).stem,
        about=f"the notebook {clean}",
        options=cast(Mapping[str, object], options),
    )


def _parameter(name: object, said: Any) -> Any:
    """An input, with its type or its default. Raises `BadNotebook`."""
    if not isinstance(name, str) or not name.isidentifier() or name.startswith("_"):
        raise _bad(f"`{name}` cannot be a parameter of a notebook", "it is the name of a variable")
    if _is_type(said):
        return parameter(name, said)
    try:
        same = json.loads(json.dumps(said, allow_nan=False)) == said
    except (TypeError, ValueError):
        same = False
    if not same or isinstance(said, tuple):
        raise _bad(
            f"the default of `{name}` is {brief(said)}, which is no plain data",
            f"give its type, and pass the value: parameters={{{name!r}: {type(said).__name__}}}",
        )
    return parameter(name, Any if said is None else type(said), said)


def _output(name: object, said: Any) -> str:
    """How the spec writes an output. Raises `BadNotebook`."""
    if not isinstance(name, str) or not name.isidentifier() or name == NOTEBOOK:
        why = "the executed copy has this name" if name == NOTEBOOK else "it is the name of a variable"
        raise _bad(f"`{name}` cannot be an output of a notebook", why)
    if isinstance(said, str | Path):
        clean = os.path.normpath(os.fspath(said)).replace(os.sep, "/")
        if os.path.isabs(clean) or clean.startswith("../") or clean in (".", ".."):
            raise _bad(
                f"the output `{name}` is `{said}`, outside of the project", "name a file below the root"
            )
        return f"file:{clean}"
    if not _is_type(said):
        raise _bad(
            f"the output `{name}` is {brief(said)}",
            f"give its type, or the path of a file: {{{name!r}: pd.DataFrame}}",
        )
    return type_name(plain(said)) if said is not Any else ""


def _is_type(said: Any) -> bool:
    return isinstance(said, type | UnionType) or said is Any or get_origin(said) is not None


def _bad(what: str, fix: str) -> BadNotebook:
    return BadNotebook(what, fixes=[fix], where=user_line())
